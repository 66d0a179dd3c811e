//! The instructions of a compiled step.
//!
//! A planner lowers a graph to a list of [`Instr`]s over four kinds of memory ([`Space`]). [`Code::new`](crate::Code::new)
//! checks every bound once; after that the list runs without checks, without allocation and without any lookup.
//!
//! All values, whole numbers such as class labels and token ids too, are stored as the real element type `T`; whole numbers
//! are exact up to 2²⁴ in `f32`.

use crate::expr::{Expr, ValueId};
use std::fmt;
use std::sync::Arc;

/// A kind of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Intermediate values of one step. Zero at the start of the first step; whatever a step leaves stays for the next.
    Arena,
    /// Constants, never written.
    Const,
    /// Values that live from step to step: parameters, optimiser slots, running statistics.
    State,
    /// The values of input `i` for this step, never written.
    Input(u8),
}

/// A place in memory, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loc {
    /// Which memory.
    pub space: Space,
    /// The first element.
    pub offset: usize,
}

/// A strided view: element (i₀, i₁, …) lies at `offset + Σ iₖ·strides[k]`. A stride of 0 broadcasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// The first element.
    pub loc: Loc,
    /// One stride for each dimension of the domain, in elements.
    pub strides: Vec<usize>,
}

/// How a reduction combines two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Sum, starting from 0.
    Sum,
    /// Largest, starting from -∞. NaN wins.
    Max,
    /// Smallest, starting from +∞. NaN wins.
    Min,
}

/// Reduces the dimensions `from..to` of a map's domain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reduce {
    /// How values combine.
    pub fold: Fold,
    /// The first dimension that is reduced.
    pub from: usize,
    /// One past the last dimension that is reduced.
    pub to: usize,
    /// The result is multiplied by this (1/n makes a mean of a sum).
    pub scale: f64,
}

/// Writes a value of a map's expression, contiguously in row-major order over the dimensions that are not reduced.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// The value of the expression to write.
    pub value: ValueId,
    /// Where to.
    pub loc: Loc,
    /// Set if the value is reduced first.
    pub reduce: Option<Reduce>,
}

/// Evaluates an expression for every element of a domain, and stores some of its values, reduced or not.
///
/// A store may overlap an input only if both are contiguous over the whole domain and start at the same place (in place).
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The domain, outermost dimension first; empty for a single element.
    pub dims: Vec<usize>,
    /// The expression.
    pub expr: Expr,
    /// Operand `i` is the expression's `Input(i)`.
    pub inputs: Vec<Operand>,
    /// What is written.
    pub stores: Vec<Store>,
}

/// One factor of a product: element (b, i, j) lies at `offset + b·batch + i·row + j·col`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Factor {
    /// The first element.
    pub loc: Loc,
    /// Stride from one matrix of the batch to the next; 0 shares one matrix.
    pub batch: usize,
    /// Stride from one row to the next.
    pub row: usize,
    /// Stride from one column to the next.
    pub col: usize,
}

/// `acc[b, i, j] = Σₖ a[b, i, k]·b[b, k, j]`, then an expression over `acc` and further operands.
///
/// The sum over `k` runs in order of `k` for every element, whatever the cutting, so results do not depend on threads.
/// Stores must not overlap `a` or `b`; they may overlap an epilogue operand that is contiguous and starts at the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMul {
    /// How many independent products.
    pub batch: usize,
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Length of the inner axis.
    pub k: usize,
    /// Left factor, `[batch, m, k]`.
    pub a: Factor,
    /// Right factor, `[batch, k, n]`.
    pub b: Factor,
    /// Computed for every element of the result: `Input(0)` is the sum, `Input(i)` operand `i - 1` of `inputs`.
    pub epilogue: Expr,
    /// Operands of the epilogue over `[batch, m, n]`.
    pub inputs: Vec<Operand>,
    /// Values of the epilogue that are written, contiguously over `[batch, m, n]`. No reductions.
    pub stores: Vec<Store>,
}

/// A window along one axis: output `o` sees the inputs `o·stride + k·dilation - before` for `k < size`, as far as they exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slide {
    /// Inputs along the axis.
    pub input: usize,
    /// Outputs along the axis.
    pub output: usize,
    /// How many inputs the window sees.
    pub size: usize,
    /// From one output to the next.
    pub stride: usize,
    /// From one of its inputs to the next.
    pub dilation: usize,
    /// Padding before the first input.
    pub before: usize,
}

impl Slide {
    /// An axis that is not there.
    pub const NONE: Slide = Slide { input: 1, output: 1, size: 1, stride: 1, dilation: 1, before: 0 };
}

/// Which side of a convolution is computed from the other two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// `y` from `x` and `w`.
    Output,
    /// `x` from `y` and `w`: the transposed convolution, the gradient of the input.
    Input,
    /// `w` from `x` and `y`: the gradient of the weights.
    Weight,
}

/// `y[b, o, f] = Σ over window positions k and channels c: x[b, o·stride + k·dilation - before, c]·w[k, c, f]`, channels last, up to three
/// spatial axes; or one of the two maps that are adjoint to it.
///
/// With groups, the filters of group g see its channels alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// What is computed.
    pub side: Side,
    /// How many images.
    pub batch: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Channels of `x`.
    pub channels: usize,
    /// Channels of `y`.
    pub filters: usize,
    /// The windows along the axes, outermost first.
    pub slides: [Slide; 3],
    /// Contiguous `[batch, ..inputs, channels]`.
    pub x: Loc,
    /// Contiguous `[..sizes, channels / groups, filters]`; for [`Side::Input`] `[..sizes, filters, channels / groups]`.
    pub w: Loc,
    /// Contiguous `[batch, ..outputs, filters]`.
    pub y: Loc,
}

/// Copies a strided view onto another of the same sizes: transposes, slices, pads, concatenations.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// Sizes, outermost first.
    pub dims: Vec<usize>,
    /// From.
    pub source: Operand,
    /// To. No element may be written twice, and the views must not overlap.
    pub target: Operand,
}

/// Softmax or log-softmax over the last axis, shifted by each row's maximum.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// Number of rows.
    pub rows: usize,
    /// Length of a row.
    pub cols: usize,
    /// Contiguous `[rows, cols]`.
    pub x: Loc,
    /// Contiguous `[rows, cols]`; may be the same place as `x`.
    pub y: Loc,
    /// The logarithm instead.
    pub log: bool,
}

/// The index of the largest element over the middle axis; the first one where several are equal, and a NaN counts as largest.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgMax {
    /// Size before the axis.
    pub outer: usize,
    /// Size of the axis.
    pub mid: usize,
    /// Size after the axis.
    pub inner: usize,
    /// Contiguous `[outer, mid, inner]`.
    pub x: Loc,
    /// Contiguous `[outer, inner]`.
    pub y: Loc,
}

/// `y[o, i, :] = x[o, index[i], :]`; an index outside the axis gives NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// Size before the axis.
    pub outer: usize,
    /// Size of the axis in `x`.
    pub mid: usize,
    /// Size after the axis.
    pub inner: usize,
    /// How many indices.
    pub count: usize,
    /// Contiguous `[outer, mid, inner]`.
    pub x: Loc,
    /// Contiguous `[count]`, whole numbers.
    pub index: Loc,
    /// Contiguous `[outer, count, inner]`.
    pub y: Loc,
}

/// `y = 0; y[o, index[i], :] += x[o, i, :]` in order of `i`; an index outside the axis is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterAdd {
    /// Size before the axis.
    pub outer: usize,
    /// Size of the axis in `y`.
    pub mid: usize,
    /// Size after the axis.
    pub inner: usize,
    /// How many indices.
    pub count: usize,
    /// Contiguous `[outer, count, inner]`.
    pub x: Loc,
    /// Contiguous `[count]`, whole numbers.
    pub index: Loc,
    /// Contiguous `[outer, mid, inner]`.
    pub y: Loc,
}

/// Numbers that depend on the step counter alone (learning rates, bias corrections), evaluated in `f64` once a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepScalars {
    /// Uses `Step` and constants only.
    pub expr: Expr,
    /// Which values go where, one element each.
    pub stores: Vec<(ValueId, Loc)>,
}

/// A computation given by the user as a function on slices.
pub trait HostKernel<T>: Send + Sync {
    /// Computes `y` from `x`, all contiguous.
    fn run(&self, x: &[&[T]], y: &mut [T]);
}

/// Calls a user's function.
pub struct Call<T> {
    /// The function.
    pub kernel: Arc<dyn HostKernel<T>>,
    /// Inputs: place and number of elements.
    pub inputs: Vec<(Loc, usize)>,
    /// Output: place and number of elements. Must not overlap an input.
    pub output: (Loc, usize),
}

impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Call { kernel: self.kernel.clone(), inputs: self.inputs.clone(), output: self.output }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("inputs", &self.inputs).field("output", &self.output).finish_non_exhaustive()
    }
}

/// One instruction.
#[derive(Clone, Debug)]
pub enum Instr<T> {
    /// A fused elementwise computation with optional reductions.
    Map(Map),
    /// A product with an epilogue.
    MatMul(MatMul),
    /// A convolution or one of its adjoints.
    Conv(Conv),
    /// A strided copy.
    Copy(Copy),
    /// Sets a range to one value.
    Fill {
        /// Where.
        loc: Loc,
        /// How many elements.
        len: usize,
        /// The value.
        value: f64,
    },
    /// Softmax over rows.
    Softmax(Softmax),
    /// Index of the largest.
    ArgMax(ArgMax),
    /// Rows by index.
    Gather(Gather),
    /// Sums rows by index.
    ScatterAdd(ScatterAdd),
    /// Scalars of the step.
    StepScalars(StepScalars),
    /// Ends the run before anything further is computed or written if the element is NaN or infinite.
    Guard {
        /// The element.
        loc: Loc,
        /// Told to the caller.
        id: u32,
    },
    /// A user's function.
    Call(Call<T>),
}
