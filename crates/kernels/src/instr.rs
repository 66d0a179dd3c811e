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
/// The sum over `k` runs in order of `k` for every element, whatever the cutting, so results do not depend on threads. Only small products
/// that sum over a batch whose samples lie in lanes add lane to lane, in an order that sizes and the instruction set decide.
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

/// What the windows of one axis see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolAxis {
    /// Windows of one size that slide.
    Slide(Slide),
    /// Bins that share out the axis: output `o` sees the inputs from `⌊o·input/output⌋` up to `⌈(o + 1)·input/output⌉`.
    Bins {
        /// Inputs along the axis.
        input: usize,
        /// Outputs along the axis.
        output: usize,
    },
}

/// The inputs that one window sees along one axis: `first + k·step` for `k < count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The first one.
    pub first: usize,
    /// From one to the next.
    pub step: usize,
    /// How many there are.
    pub count: usize,
}

impl Slide {
    /// The inputs that output `o` sees, without the padding.
    pub fn seen(&self, o: usize) -> Seen {
        let start = o * self.stride;
        let low = self.before.saturating_sub(start).div_ceil(self.dilation);
        let high = (self.input + self.before).saturating_sub(start).div_ceil(self.dilation).min(self.size);
        let count = high.saturating_sub(low);
        let first = if count == 0 { 0 } else { start + low * self.dilation - self.before };
        Seen { first, step: self.dilation, count }
    }
}

impl PoolAxis {
    /// Inputs along the axis.
    pub fn input(&self) -> usize {
        match self {
            PoolAxis::Slide(slide) => slide.input,
            PoolAxis::Bins { input, .. } => *input,
        }
    }

    /// Outputs along the axis.
    pub fn output(&self) -> usize {
        match self {
            PoolAxis::Slide(slide) => slide.output,
            PoolAxis::Bins { output, .. } => *output,
        }
    }

    /// The inputs that output `o` sees.
    pub fn seen(&self, o: usize) -> Seen {
        match *self {
            PoolAxis::Slide(slide) => slide.seen(o),
            PoolAxis::Bins { input, output } => {
                let first = o * input / output;
                Seen { first, step: 1, count: ((o + 1) * input).div_ceil(output) - first }
            }
        }
    }
}

/// What becomes of a window's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// `y[o]`: the largest `x` of window `o`. NaN wins.
    Max,
    /// `y[o]`: the element of `v` that lies where `x` is largest in window `o`, the first one where several are equal.
    Pick,
    /// `y[i]`: the sum of `v[o]` over the windows `o` whose largest `x`, the first one where several are equal, is at `i`.
    Return,
    /// `y[o]`: the sum of `x` over window `o`.
    Sum,
    /// `y[i]`: the sum of `x[o]` over the windows `o` that see `i`.
    Spread,
}

impl Pooling {
    /// Whether the result has an element for each input of the windows, not for each window.
    pub fn is_transposed(self) -> bool {
        matches!(self, Pooling::Return | Pooling::Spread)
    }

    /// Whether there is a second operand `v`.
    pub fn has_second(self) -> bool {
        matches!(self, Pooling::Pick | Pooling::Return)
    }
}

/// Windows over the middle axes of `[batch, ..inputs, channels]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// What becomes of a window.
    pub pooling: Pooling,
    /// Size before the axes.
    pub batch: usize,
    /// Up to three axes. Each window sees at least one element.
    pub axes: Vec<PoolAxis>,
    /// Size after the axes.
    pub channels: usize,
    /// Sums are multiplied by this.
    pub scale: f64,
    /// Sums are divided by the number of elements that their window sees.
    pub average: bool,
    /// Contiguous `[batch, ..inputs, channels]`; `[batch, ..outputs, channels]` for [`Pooling::Spread`].
    pub x: Loc,
    /// Contiguous `[batch, ..inputs, channels]` for [`Pooling::Pick`], `[batch, ..outputs, channels]` for [`Pooling::Return`].
    pub v: Option<Loc>,
    /// Contiguous `[batch, ..outputs, channels]`; `[batch, ..inputs, channels]` for [`Pooling::Return`] and [`Pooling::Spread`].
    pub y: Loc,
}

/// The largest elements of the bins of boxes, whose edges are rounded: `out` bins share out each box. Girshick 2015.
#[derive(Clone, Debug, PartialEq)]
pub struct RoiPool {
    /// [`Pooling::Max`], [`Pooling::Pick`] or [`Pooling::Return`].
    pub pooling: Pooling,
    /// Number of images.
    pub images: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Number of boxes.
    pub count: usize,
    /// Bins along the height and the width of a box.
    pub out: [usize; 2],
    /// From the coordinates of boxes to those of images.
    pub scale: f64,
    /// Contiguous `[images, height, width, channels]`.
    pub x: Loc,
    /// Contiguous `[count, 5]`: the image, then x and y of two corners, which both belong to the box.
    pub boxes: Loc,
    /// Contiguous, as `x` for [`Pooling::Pick`], as the bins for [`Pooling::Return`].
    pub v: Option<Loc>,
    /// Contiguous `[count, ..out, channels]`: 0 for an empty bin, NaN for a box without image; as `x` for [`Pooling::Return`].
    pub y: Loc,
}

impl RoiPool {
    /// Rows or columns of an image that bin `o` of `out` sees, for a box between two coordinates.
    pub fn seen(first: f64, last: f64, scale: f64, out: usize, o: usize, size: usize) -> Seen {
        let (first, last) = ((first * scale).round(), (last * scale).round());
        let bin = (last - first + 1.0).max(1.0) / out as f64;
        let edge = |x: f64| (x + first).clamp(0.0, size as f64) as usize;
        let (from, to) = (edge((o as f64 * bin).floor()), edge(((o + 1) as f64 * bin).ceil()));
        Seen { first: from.min(size), step: 1, count: to.saturating_sub(from) }
    }
}

/// `y[r, p, :]`: the image `image[r]` of `x` at the real place `at[r, p]`, by linear interpolation in both directions, 0 outside. NaN
/// where there is no such image or the place is NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The transposed instead: `y` gets every `x[r, p, :]` added where it would be read, shared out alike.
    pub spread: bool,
    /// Along the height or the width take the slope there instead of the value; on an edge between two slopes the one that follows.
    pub slope: [bool; 2],
    /// Number of images.
    pub images: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Sets of points, each in one image.
    pub sets: usize,
    /// Points of a set.
    pub points: usize,
    /// Contiguous `[sets, points, 2]`: row and column.
    pub at: Loc,
    /// Contiguous `[sets]`, whole numbers.
    pub image: Loc,
    /// Contiguous `[images, height, width, channels]`; `[sets, points, channels]` with `spread`.
    pub x: Loc,
    /// Contiguous `[sets, points, channels]`; `[images, height, width, channels]` with `spread`.
    pub y: Loc,
}

impl Sample {
    /// The neighbours of a place along an axis of `size`, with what each counts. What lies outside counts 0. None for NaN.
    pub fn corners(at: f64, size: usize, slope: bool) -> Option<[(usize, f64); 2]> {
        if at.is_nan() {
            return None;
        }
        if at <= -1.0 || at >= size as f64 {
            return Some([(0, 0.0); 2]);
        }
        let low = at.floor();
        let part = if slope { [-1.0, 1.0] } else { [low + 1.0 - at, at - low] };
        let inside = |i: f64, part: f64| if i >= 0.0 && i < size as f64 { (i as usize, part) } else { (0, 0.0) };
        Some([inside(low, part[0]), inside(low + 1.0, part[1])])
    }
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
    /// Windows over space.
    Pool(Pool),
    /// Bins of boxes.
    RoiPool(RoiPool),
    /// Images at real places.
    Sample(Sample),
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
