//! What an op is: shape rule, gradient, kernel and gradient-check cases, all in one file per op.

use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::{GraphError, Node, Op};
use gradus_kernels::instr::{Fold, HostKernel, Pooling, Side, Slide};
use gradus_kernels::{Expr, Term};
use gradus_tensor::Shape;
use std::fmt::Debug;
use std::sync::Arc;

/// What the numbers of a node mean. Both kinds are stored as real numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A quantity with gradients.
    Real,
    /// A whole number: a class label or a token id. It has no gradient.
    Index,
}

/// Why an op refuses its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// What the op needs.
    pub expected: String,
    /// What it was given.
    pub received: String,
    /// What to do about it.
    pub help: String,
}

impl ShapeError {
    /// An error from its three parts.
    pub fn new(expected: impl Into<String>, received: impl Into<String>, help: impl Into<String>) -> ShapeError {
        ShapeError { expected: expected.into(), received: received.into(), help: help.into() }
    }
}

/// The gradient with respect to one input.
#[derive(Clone, Debug)]
pub enum Grad {
    /// It flows: a node of the input's shape.
    Flow(Node),
    /// There is none, and this is why (`"a comparison is piecewise constant"`).
    Stop(&'static str),
}

/// Gradients with respect to all inputs, in order.
pub type Grads = Vec<Grad>;

/// How an op is computed once all sizes are known.
#[derive(Clone)]
pub enum Kernel {
    /// One number from each input (broadcast to the output's shape by NumPy's rules) makes one number of the output.
    Map(Expr),
    /// Combines the elements of input 0 along these axes, in ascending order.
    Reduce {
        /// How.
        fold: Fold,
        /// Which axes.
        axes: Vec<usize>,
        /// Divide by the number of elements combined.
        mean: bool,
        /// Multiply the result by this.
        scale: f64,
    },
    /// The elements of input 0, seen from elsewhere: no work.
    View {
        /// For each axis of the output: the axis of the input that it walks and in which steps, or none where it repeats.
        axes: Vec<Option<(usize, usize)>>,
        /// For each axis of the input, where it starts.
        start: Vec<usize>,
    },
    /// The same elements in the same order under another shape: no work.
    Reshape,
    /// The product of two matrices or two batches of matrices.
    MatMul {
        /// Take input 0 transposed.
        transpose_a: bool,
        /// Take input 1 transposed.
        transpose_b: bool,
    },
    /// A side of a convolution, computed from the other two: the inputs are x and w, y and w, or x and y.
    Conv {
        /// Which side.
        side: Side,
        /// The windows along three axes; those that are not there come first.
        slides: [Slide; 3],
        /// Groups of channels.
        groups: usize,
    },
    /// All inputs one after the other along an axis.
    Concat {
        /// Which axis.
        axis: usize,
    },
    /// Input 0 in the middle of a constant border.
    Pad {
        /// How many elements come before, for each axis.
        before: Vec<usize>,
        /// The border's value.
        value: f64,
    },
    /// Softmax over the last axis.
    Softmax {
        /// Its logarithm instead.
        log: bool,
    },
    /// The index of the largest element along an axis.
    ArgMax {
        /// Which axis.
        axis: usize,
    },
    /// Slices of input 0 along an axis, chosen by input 1.
    Gather {
        /// Which axis.
        axis: usize,
    },
    /// Slices of input 0 added up along an axis at the places that input 1 names.
    ScatterAdd {
        /// Which axis.
        axis: usize,
    },
    /// Windows over the axes between the first and the last of input 0, with input 1 where the pooling has a second operand.
    Pool {
        /// What becomes of a window.
        pooling: Pooling,
        /// The windows.
        axes: Vec<gradus_kernels::instr::PoolAxis>,
        /// Sums are multiplied by this.
        scale: f64,
        /// Sums are divided by the number of elements that their window sees.
        average: bool,
    },
    /// Bins of the boxes of input 1 in the images of input 0, with input 2 where the pooling has a second operand.
    RoiPool {
        /// What becomes of a bin.
        pooling: Pooling,
        /// Bins along height and width.
        out: [usize; 2],
        /// From the coordinates of boxes to those of images.
        scale: f64,
    },
    /// Input 0 at the real places of input 1 in the images that input 2 names.
    Sample {
        /// Shares out input 0 among these places instead.
        spread: bool,
        /// The slope along an axis instead of the value.
        slope: [bool; 2],
    },
    /// A user's function on slices.
    Host(Arc<dyn HostOp>),
}

impl Kernel {
    /// A map over one input: `Kernel::map1(|x| x.max(&(x * 0.1)))`.
    pub fn map1(f: impl FnOnce(&Term) -> Term) -> Kernel {
        Kernel::Map(Expr::build(1, |x| f(&x[0])))
    }

    /// A map over two inputs.
    pub fn map2(f: impl FnOnce(&Term, &Term) -> Term) -> Kernel {
        Kernel::Map(Expr::build(2, |x| f(&x[0], &x[1])))
    }
}

/// A user's function, in both precisions. The shapes are those of the inputs and the output.
pub trait HostOp: Send + Sync {
    /// The function in `f32`, for these sizes.
    fn single(&self, x: &[Vec<usize>], y: &[usize]) -> Arc<dyn HostKernel<f32>>;
    /// The function in `f64`, for these sizes.
    fn double(&self, x: &[Vec<usize>], y: &[usize]) -> Arc<dyn HostKernel<f64>>;
}

/// The definition of an op. One file in `ops/` each, and one line in the table there.
pub trait OpDef: Clone + Debug + Send + Sync + 'static {
    /// The name in errors, dumps and documentation.
    const NAME: &'static str;

    /// The operators of ONNX that are read as this op.
    const ONNX: &'static [OnnxOp] = &[];

    /// `shapes of x -> shape of y`.
    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError>;

    /// What the output's numbers mean.
    fn kind(&self) -> Kind {
        Kind::Real
    }

    /// The gradient with respect to every input, as nodes of the same graph, given that of the output.
    fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads;

    /// How it is computed, for concrete sizes.
    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel;

    /// The op as nodes of ONNX, or why it cannot be written.
    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal>;

    /// Inputs on which the op's gradient, its compiled form and its naive form are checked.
    fn cases() -> Vec<Case>;
}

/// An op of the user's own, like [`OpDef`] but behind a trait object. It fuses, differentiates and plans as the built-in ops do.
///
/// ```
/// use gradus_graph::{CustomOp, Grad, Grads, Graph, Kernel, Node, ShapeError};
/// use gradus_tensor::Shape;
///
/// /// y = x³
/// #[derive(Debug)]
/// struct Cube;
///
/// impl CustomOp for Cube {
///     fn name(&self) -> &'static str { "cube" }
///     fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> { Ok(x[0].clone()) }
///     fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads { vec![Grad::Flow(dy * x[0].square() * 3.0)] }
///     fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel { Kernel::map1(|x| x * x.square()) }
/// }
///
/// let g = Graph::new();
/// let x = g.input("x", [3]);
/// let y = Node::custom(Cube, &[&x]);
/// assert_eq!(y.shape(), x.shape());
/// ```
///
/// What is no formula over single elements is a function on slices: see [`Kernel::Host`] and [`HostOp`].
pub trait CustomOp: Debug + Send + Sync + 'static {
    /// The name in errors and dumps.
    fn name(&self) -> &'static str;
    /// `shapes of x -> shape of y`.
    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError>;
    /// The gradient with respect to every input, as nodes of the same graph, given that of the output.
    fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads;
    /// How it is computed, for concrete sizes.
    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel;
}

/// How the values of a case's input are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Uniform in an interval.
    Within(f64, f64),
    /// Whole numbers below this.
    Below(usize),
}

/// One configuration of an op for the checks.
#[derive(Clone, Debug)]
pub struct Case {
    /// The op.
    pub op: Op,
    /// The inputs' shapes.
    pub shapes: Vec<Shape>,
    /// How their values are drawn, each uniform in [-2, 2] at first.
    pub draws: Vec<Draw>,
    /// Values that no input element comes closer to than 0.05: kinks and poles.
    pub avoid: Vec<f64>,
    /// The gradient of the gradient is checked too (see [`Case::first_order`]).
    pub second: bool,
}

impl Case {
    /// A case with inputs of these shapes.
    pub fn new<const N: usize>(op: impl Into<Op>, shapes: [Shape; N]) -> Case {
        Case {
            op: op.into(),
            shapes: shapes.to_vec(),
            draws: vec![Draw::Within(-2.0, 2.0); N],
            avoid: vec![],
            second: true,
        }
    }

    /// Keeps every input element away from a kink or pole.
    pub fn avoiding(mut self, value: f64) -> Case {
        self.avoid.push(value);
        self
    }

    /// Draws all inputs from an interval.
    pub fn within(mut self, low: f64, high: f64) -> Case {
        self.draws.fill(Draw::Within(low, high));
        self
    }

    /// Leaves out the check of the second derivative: it is 0 or not defined.
    pub fn first_order(mut self) -> Case {
        self.second = false;
        self
    }

    /// Makes one input whole numbers below a bound.
    pub fn index(mut self, input: usize, below: usize) -> Case {
        self.draws[input] = Draw::Below(below);
        self
    }
}

/// The shape that two shapes broadcast to by NumPy's rules: aligned at the last axis, sizes equal or 1.
pub fn broadcast(a: &Shape, b: &Shape) -> Result<Shape, ShapeError> {
    use gradus_tensor::Dim;
    let rank = a.rank().max(b.rank());
    let one = Dim::Fixed(1);
    let at = |s: &Shape, i: usize| (i + s.rank()).checked_sub(rank).map_or(one, |j| s.dims()[j]);
    let dims: Option<Vec<Dim>> = (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (x, y) if x == one => Some(y),
            (x, y) if y == one => Some(x),
            _ => None,
        })
        .collect();
    dims.map(Shape::new).ok_or_else(|| {
        ShapeError::new(
            "two shapes that are equal or can be broadcast (sizes equal or 1, aligned at the last axis)",
            format!("{a} and {b}"),
            "make both sides the same size: project one side with a dense layer, or reshape it",
        )
    })
}

/// The result of freezing or differentiating a graph.
pub type Result<T, E = GraphError> = std::result::Result<T, E>;
