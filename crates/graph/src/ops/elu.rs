//! Exponential linear unit, `y = x where x > 0, else α(eˣ - 1)`; its derivative at 0 is α. Clevert et al. 2016.

use crate::Node;
use crate::onnx::{Attribute, OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Exponential linear unit, `y = x where x > 0, else α(eˣ - 1)`.
#[derive(Clone, Debug)]
pub struct Elu {
    /// The value approached at -∞ is `-alpha`.
    pub alpha: f64,
}

impl OpDef for Elu {
    const NAME: &'static str = "elu";
    const ONNX: &'static [OnnxOp] = &[OnnxOp {
        name: "Elu",
        read: |n| {
            let alpha = n.float("alpha")?.unwrap_or(1.0);
            n.unary(|x| x.elu(alpha))
        },
    }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * x[0].gt(0.0).select(1.0, y + self.alpha))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.gt(0.0).select(x, &(x.unary(Unary::Expm1) * self.alpha)))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Elu", &x[0], vec![("alpha", Attribute::Float(self.alpha as f32))]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Elu { alpha: 1.0 }, [Shape::batched(&[3])]).avoiding(0.0),
            Case::new(Elu { alpha: 0.5 }, [[2, 3].into()]).avoiding(0.0),
        ]
    }
}
