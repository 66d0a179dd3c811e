//! Leaky rectifier, `y = x where x > 0, else slope·x`; its derivative at 0 is the slope. Maas et al. 2013.

use crate::Node;
use crate::onnx::{Attribute, OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Leaky rectifier, `y = x where x > 0, else slope·x`.
#[derive(Clone, Debug)]
pub struct LeakyRelu {
    /// The slope below 0.
    pub slope: f64,
}

impl OpDef for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const ONNX: &'static [OnnxOp] = &[OnnxOp {
        name: "LeakyRelu",
        read: |n| {
            let slope = n.float("alpha")?.unwrap_or(f64::from(0.01f32));
            n.unary(|x| x.leaky_relu(slope))
        },
    }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * x[0].gt(0.0).select(1.0, self.slope))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.gt(0.0).select(x, &(x * self.slope)))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("LeakyRelu", &x[0], vec![("alpha", Attribute::Float(self.slope as f32))]))
    }

    fn cases() -> Vec<Case> {
        [0.01, 0.3, 1.5]
            .into_iter()
            .map(|slope| Case::new(LeakyRelu { slope }, [Shape::batched(&[3])]).avoiding(0.0).first_order())
            .collect()
    }
}
