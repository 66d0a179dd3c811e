//! Error function, `y = 2/√π ∫₀ˣ e^(-t²) dt`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Error function, `y = 2/√π ∫₀ˣ e^(-t²) dt`.
#[derive(Clone, Debug)]
pub struct Erf;

impl OpDef for Erf {
    const NAME: &'static str = "erf";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Erf", read: |n| n.unary(Node::erf) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * (-x[0].square()).exp() * std::f64::consts::FRAC_2_SQRT_PI)]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Erf))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Erf", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Erf, [[2, 3].into()]), Case::new(Erf, [Shape::batched(&[5])])]
    }
}
