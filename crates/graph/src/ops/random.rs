//! Random numbers, made from (seed, stream, step, element) by a counter: the same numbers wherever and whenever they are made.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::{Expr, Inst};
use gradus_tensor::Shape;

/// Independent draws, new ones each step.
#[derive(Clone, Debug)]
pub struct Random {
    /// The distribution.
    pub distribution: gradus_kernels::Random,
    /// The shape.
    pub shape: Shape,
    /// Distinguishes random nodes of one model.
    pub stream: u32,
}

impl OpDef for Random {
    const NAME: &'static str = "random";

    fn shape(&self, _x: &[&Shape]) -> Result<Shape, ShapeError> {
        match self.distribution {
            gradus_kernels::Random::Bernoulli(p) if !(0.0..=1.0).contains(&p) => {
                Err(ShapeError::new("a probability in [0, 1]", p.to_string(), "correct the probability"))
            }
            _ => Ok(self.shape.clone()),
        }
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut expr = Expr::new();
        expr.push(Inst::Random(self.distribution, self.stream));
        Kernel::Map(expr)
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("random numbers are drawn in training alone".into())
    }

    fn cases() -> Vec<Case> {
        use gradus_kernels::Random::{Bernoulli, Normal, Uniform};
        [Uniform, Normal, Bernoulli(0.3)]
            .into_iter()
            .map(|distribution| Case::new(Random { distribution, shape: Shape::batched(&[7]), stream: 5 }, []))
            .collect()
    }
}
