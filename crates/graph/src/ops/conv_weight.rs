//! The weights of a convolution from what goes in and what comes out: its gradient with respect to the weights.

use super::conv::{cases, divides, image, kernel, outputs};
use super::{Conv, ConvInput};
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, Window};
use gradus_kernels::instr::Side;
use gradus_tensor::Shape;

/// The gradient of a convolution's weights, `x: [B, ..inputs, C] × y: [B, ..outputs, F] -> [..sizes, C / groups, F]`.
#[derive(Clone, Debug)]
pub struct ConvWeight {
    /// The windows of the convolution.
    pub windows: Vec<Window>,
    /// Groups of channels.
    pub groups: usize,
}

impl OpDef for ConvWeight {
    const NAME: &'static str = "conv_weight";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let (input, output) = (image(x[0], self.windows.len())?, image(x[1], self.windows.len())?);
        divides("channels", input.channels, self.groups)?;
        divides("filters", output.channels, self.groups)?;
        let made = outputs(&self.windows, &input.sizes)?;
        if made != output.sizes || input.batch != output.batch {
            let help = "give both sides of one convolution";
            return Err(ShapeError::new(format!("outputs of sizes {made:?}"), x[1].to_string(), help));
        }
        let sizes: Vec<usize> = self.windows.iter().map(|window| window.size).collect();
        Ok(Shape::fixed(&[&sizes[..], &[input.channels / self.groups, output.channels]].concat()))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let (windows, groups) = (self.windows.clone(), self.groups);
        let from_inputs = dy.graph().apply(ConvInput::of(windows.clone(), groups, &x[0]), &[&x[1], dy]);
        let from_outputs = dy.graph().apply(Conv { windows, groups }, &[&x[0], dy]);
        vec![Grad::Flow(from_inputs), Grad::Flow(from_outputs)]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        kernel(Side::Weight, &self.windows, self.groups, &x[0], &x[1])
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("it belongs to gradients alone".into())
    }

    fn cases() -> Vec<Case> {
        cases()
            .into_iter()
            .map(|c| Case::new(ConvWeight { windows: c.windows, groups: c.groups }, [c.x, c.y]))
            .collect()
    }
}
