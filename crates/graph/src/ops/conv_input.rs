//! The transposed convolution: what goes into a convolution, from what comes out. Also its gradient with respect to the input, and
//! an upsampling layer in its own right. Zeiler et al. 2010; Dumoulin & Visin 2016, arXiv:1603.07285.

use super::conv::{cases, divides, image, kernel, outputs, shape_of, spatial, weights};
use super::{Conv, ConvWeight};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, Window};
use gradus_kernels::instr::Side;
use gradus_tensor::Shape;

/// The transposed convolution, `y: [B, ..outputs, F] × w: [..sizes, C / groups, F] -> [B, ..inputs, C]`.
#[derive(Clone, Debug)]
pub struct ConvInput {
    /// The windows of the convolution that it transposes.
    pub windows: Vec<Window>,
    /// Groups of channels.
    pub groups: usize,
    /// The spatial sizes of the result, of which the convolution makes those of the input.
    pub inputs: Vec<usize>,
}

impl OpDef for ConvInput {
    const NAME: &'static str = "conv_input";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let y = image(x[0], self.windows.len())?;
        divides("filters", y.channels, self.groups)?;
        let (channels, filters) = weights(x[1], &self.windows, self.groups)?;
        let made = outputs(&self.windows, &self.inputs)?;
        if filters != y.channels || made != y.sizes {
            let expected = format!("[B, {made:?}, {filters}], what a convolution makes of {:?}", self.inputs);
            let help = "choose sizes of the result of which the convolution makes those of the input";
            return Err(ShapeError::new(expected, x[0].to_string(), help));
        }
        Ok(shape_of(y.batch, &self.inputs, channels))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let (windows, groups) = (self.windows.clone(), self.groups);
        let from_outputs = dy.graph().apply(Conv { windows: windows.clone(), groups }, &[dy, &x[1]]);
        let from_weights = dy.graph().apply(ConvWeight { windows, groups }, &[dy, &x[0]]);
        vec![Grad::Flow(from_outputs), Grad::Flow(from_weights)]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        kernel(Side::Input, &self.windows, self.groups, y, &x[0])
    }

    fn cases() -> Vec<Case> {
        let case = |c: super::conv::Sides| {
            let inputs = c.x.at(1)[1..c.x.rank() - 1].to_vec();
            Case::new(ConvInput { windows: c.windows, groups: c.groups, inputs }, [c.y, c.w])
        };
        cases().into_iter().map(case).collect()
    }
}

impl ConvInput {
    /// What makes of an image of `y`'s sizes one of these.
    pub(crate) fn of(windows: Vec<Window>, groups: usize, x: &Node) -> ConvInput {
        ConvInput { windows, groups, inputs: spatial(x) }
    }
}
