//! The operators of ONNX that no op of the graph stands for: one file each, and one line each in the table below.

use gradus_graph::Op;
use gradus_graph::onnx::OnnxOp;
use std::collections::HashMap;

macro_rules! operators {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        fn own() -> Vec<OnnxOp> {
            [$($module::ONNX),*].concat()
        }
    };
}

operators! {
    attention, blocks, cast, constant, cumulative, dropout, elements, elementwise, gemm, grid_sample, losses, masks, normalizations, recurrent, reductions, resize, sizes, split, tile,
}

/// All operators that are read, by name.
pub fn table() -> HashMap<&'static str, OnnxOp> {
    Op::onnx().into_iter().chain(own()).map(|op| (op.name, op)).collect()
}
