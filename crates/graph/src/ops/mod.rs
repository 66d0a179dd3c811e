//! The ops: one file each, and one line each in the table below.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, CustomOp, Grads, Kernel, Kind, OpDef, ShapeError};
use gradus_tensor::Shape;
use std::sync::Arc;

macro_rules! ops {
    ($($module:ident :: $Op:ident),* $(,)?) => {
        $(pub(crate) mod $module; pub use $module::$Op;)*

        /// Everything that a node can be.
        #[derive(Clone, Debug)]
        pub enum Op {
            /// Input `i` of the model.
            Input(usize),
            /// Variable `i` of the model.
            Variable(usize),
            /// Flat vector `i` of the model: several variables as one.
            Flat(usize),
            /// Values laid out as flat vector `i`.
            Pack(usize),
            /// The number of training steps done so far.
            Step,
            /// What an op with a wrong shape leaves behind.
            Poison,
            /// An op of the user's own.
            Custom(Arc<dyn CustomOp>),
            $(#[doc = concat!("See [`", stringify!($Op), "`].")] $Op($Op)),*
        }

        $(impl From<$Op> for Op { fn from(op: $Op) -> Op { Op::$Op(op) } })*

        impl Op {
            /// The name in errors, dumps and documentation.
            pub fn name(&self) -> &'static str {
                match self {
                    Op::Input(_) => "input",
                    Op::Variable(_) => "variable",
                    Op::Flat(_) => "flat",
                    Op::Pack(_) => "pack",
                    Op::Step => "step",
                    Op::Poison => "poison",
                    Op::Custom(op) => op.name(),
                    $(Op::$Op(_) => $Op::NAME),*
                }
            }

            /// The names of all ops in the table, in order.
            pub fn names() -> &'static [&'static str] {
                &[$($Op::NAME),*]
            }

            /// Every op's configurations for the checks.
            pub fn cases() -> Vec<Case> {
                let mut cases = vec![];
                $(cases.extend($Op::cases());)*
                cases
            }

            /// The operators of ONNX that are read as an op of the table.
            pub fn onnx() -> Vec<OnnxOp> {
                [$($Op::ONNX),*].concat()
            }

            pub(crate) fn write(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
                match self {
                    Op::Custom(_) => Err("it is a program's own".into()),
                    $(Op::$Op(op) => op.onnx(w, x, y),)*
                    leaf => Err(format!("`{}` is part of training", leaf.name())),
                }
            }

            pub(crate) fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
                match self {
                    Op::Custom(op) => op.shape(x),
                    $(Op::$Op(op) => op.shape(x),)*
                    leaf => unreachable!("{} is made with its shape", leaf.name()),
                }
            }

            pub(crate) fn kind(&self) -> Kind {
                match self { $(Op::$Op(op) => op.kind(),)* _ => Kind::Real }
            }

            pub(crate) fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads {
                match self {
                    Op::Custom(op) => op.grad(x, y, dy),
                    Op::Pack(_) => pack_grad(x, dy),
                    $(Op::$Op(op) => op.grad(x, y, dy),)*
                    _ => vec![],
                }
            }

            pub(crate) fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Option<Kernel> {
                match self {
                    Op::Custom(op) => Some(op.kernel(x, y)),
                    $(Op::$Op(op) => Some(op.kernel(x, y)),)*
                    _ => None,
                }
            }

            /// The op with all its settings, as text: equal text means equal ops.
            pub(crate) fn settings(&self) -> String {
                match self {
                    Op::Custom(op) => format!("{op:?} at {:p}", Arc::as_ptr(op)),
                    $(Op::$Op(op) => format!("{op:?}"),)*
                    leaf => format!("{leaf:?}"),
                }
            }
        }
    };
}

ops! {
    abs::Abs, add::Add, argmax::ArgMax, clamp::Clamp, compare::Compare, concat::Concat, conv::Conv, conv_input::ConvInput,
    conv_weight::ConvWeight, cos::Cos, count::Count, div::Div, elu::Elu,
    erf::Erf, exp::Exp, expand::Expand, expm1::Expm1, fill::Fill, floor::Floor, gather::Gather, iota::Iota,
    leaky_relu::LeakyRelu, log::Log, log1p::Log1p, log_softmax::LogSoftmax, matmul::MatMul, max::Max, max_pool::MaxPool,
    max_pool_pick::MaxPoolPick, max_pool_return::MaxPoolReturn, maximum::Maximum,
    minimum::Minimum, mul::Mul, neg::Neg, pad::Pad, permute::Permute, pow::Pow, random::Random, recip::Recip, reduce::Reduce,
    relu::Relu, reshape::Reshape, roi_pool::RoiPool, roi_pool_pick::RoiPoolPick, roi_pool_return::RoiPoolReturn, rsqrt::Rsqrt,
    sample::Sample, sample_spread::SampleSpread, scatter_add::ScatterAdd, select::Select, sigmoid::Sigmoid, sign::Sign, sin::Sin,
    slice::Slice, softmax::Softmax, softplus::Softplus, sqrt::Sqrt, square::Square, stop_gradient::StopGradient, sub::Sub,
    sum_pool::SumPool, sum_pool_spread::SumPoolSpread,
    switch::Switch, tanh::Tanh,
}

pub use compare::Comparison;
pub use softmax::over_rows;

/// The gradient of a pack is each value's own part of it.
fn pack_grad(x: &[Node], dy: &Node) -> Grads {
    let mut start = 0;
    x.iter()
        .map(|x| {
            let len = x.shape().len_at(1);
            let part = dy.slice(0, start..start + len).reshape(x.shape());
            start += crate::model::padded(len);
            crate::op::Grad::Flow(part)
        })
        .collect()
}

/// Row-major strides.
pub(crate) fn contiguous(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for i in (1..sizes.len()).rev() {
        strides[i - 1] = strides[i] * sizes[i];
    }
    strides
}
