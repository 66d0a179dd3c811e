//! The transposed convolution: what goes into a convolution, from what comes out. Also its gradient with respect to the input, and
//! an upsampling layer in its own right. Zeiler et al. 2010; Dumoulin & Visin 2016, arXiv:1603.07285.

use super::conv::{
    biased, cases, divides, groups_of, image, kernel, outputs, shape_of, spatial, weight_sizes, weights, written,
};
use super::{Conv, ConvWeight};
use crate::onnx::{Attribute, Auto, OnnxNode, OnnxOp, Refusal, Value, Windows, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, Role, Window};
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
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "ConvTranspose", read }];

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

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let more = |(window, (&input, output)): (&Window, (&usize, usize))| {
            let whole = (output - 1) * window.stride + window.reach();
            (input + window.before + window.after - whole) as i64
        };
        let outputs = x[0].shape.at(1)[1..y.rank() - 1].to_vec();
        let more: Vec<i64> = self.windows.iter().zip(self.inputs.iter().zip(outputs)).map(more).collect();
        let more = vec![("output_padding", Attribute::Ints(more))];
        Ok(written(w, "ConvTranspose", x, &self.windows, self.groups, more, y))
    }

    fn cases() -> Vec<Case> {
        let case = |c: super::conv::Sides| {
            let inputs = c.x.at(1)[1..c.x.rank() - 1].to_vec();
            Case::new(ConvInput { windows: c.windows, groups: c.groups, inputs }, [c.y, c.w])
        };
        cases().into_iter().map(case).collect()
    }
}

/// ConvTranspose: `x: [B, C, ..sizes] × w: [C, F / groups, ..sizes] + b: [F]`.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let stated = Windows::of(n, Some(weight_sizes(n)?))?;
    let again = "write the file again";
    let axes = stated.windows.len();
    let list = |name: &str| -> Result<Option<Vec<usize>>, ShapeError> {
        let Some(values) = n.ints(name)? else { return Ok(None) };
        let whole: Option<Vec<usize>> =
            values.iter().map(|&v| usize::try_from(v).ok().filter(|&v| v < 1 << 31)).collect();
        let error = || ShapeError::new(format!("`{name}` for {axes} axes"), format!("{values:?}"), again);
        whole.filter(|v| v.len() >= axes).map(|v| Some(v[v.len() - axes..].to_vec())).ok_or_else(error)
    };
    let (more, shape) = (list("output_padding")?.unwrap_or_else(|| vec![0; axes]), list("output_shape")?);
    let mut inputs = vec![];
    let mut windows = vec![];
    for (i, (window, &size)) in stated.windows.iter().zip(&stated.sizes).enumerate() {
        let whole = size.saturating_sub(1) * window.stride + window.reach() + more[i];
        let wanted = match (&shape, stated.auto) {
            (Some(shape), _) => Some((shape[i], matches!(stated.auto, Auto::Same { lower: false }))),
            (None, Auto::Same { lower }) => Some((size * window.stride, !lower)),
            (None, Auto::Stated) => None,
        };
        let whole = wanted.map_or(whole, |(wanted, _)| whole.max(wanted));
        let padded = match wanted {
            None => *window,
            // The odd rest goes to the end, or to the front.
            Some((wanted, upper)) => {
                let total = whole.saturating_sub(wanted);
                let half = total / 2;
                if upper { window.pad(half, total - half) } else { window.pad(total - half, half) }
            }
        };
        let result = whole.checked_sub(padded.before + padded.after).filter(|&result| result > 0).ok_or_else(|| {
            ShapeError::new(
                format!("a padding below {whole}"),
                format!("{} and {}", padded.before, padded.after),
                again,
            )
        })?;
        let made = padded.outputs(result)?;
        if made != size {
            let received = format!("{} and an `output_padding` of {}", padded.stride, more[i]);
            return Err(ShapeError::new("a stride larger than the padding of the output", received, again));
        }
        windows.push(padded);
        inputs.push(result);
    }
    let weight = n.weight(1, &(2..axes + 2).chain([1, 0]).collect::<Vec<_>>(), Role::Weight)?;
    let x = n.image(0)?;
    let y = x.graph().apply(ConvInput { windows, groups: groups_of(n)?, inputs }, &[&x, &weight]);
    biased(n, y)
}

impl ConvInput {
    /// What makes of an image of `y`'s sizes one of these.
    pub(crate) fn of(windows: Vec<Window>, groups: usize, x: &Node) -> ConvInput {
        ConvInput { windows, groups, inputs: spatial(x) }
    }
}
