//! Windows of convolutions and poolings, as ONNX states them.

use super::node::OnnxNode;
use crate::{ShapeError, Window};
use gradus_tensor::Dim;

/// Windows over the spatial axes of operand 0 with their sizes.
pub struct Windows {
    /// One for each axis.
    pub windows: Vec<Window>,
    /// The inputs along each axis.
    pub sizes: Vec<usize>,
    /// How the padding is chosen.
    pub auto: Auto,
}

/// How padding is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auto {
    /// As stated.
    Stated,
    /// As many outputs as inputs by the stride; the odd rest in front if `lower`.
    Same {
        /// The odd rest goes to the front.
        lower: bool,
    },
}

impl Windows {
    /// Reads strides, dilations and padding of windows of these sizes, or of those that the node states.
    pub fn of(n: &OnnxNode, sizes: Option<Vec<usize>>) -> Result<Windows, ShapeError> {
        let again = "write the file again";
        let shape = n.shape(0)?;
        let axes = shape.rank().saturating_sub(2);
        let fixed = |d: &Dim| {
            let help = "state the sizes of images; only the batch can stay open";
            d.fixed().ok_or_else(|| ShapeError::new("an image of fixed size", shape.to_string(), help))
        };
        let inputs: Vec<usize> = shape.dims().iter().skip(2).map(fixed).collect::<Result<_, _>>()?;
        let list = |name: &str| match n.ints(name)? {
            None => Ok(None),
            Some(values) => {
                let whole = values
                    .iter()
                    .map(|&v| usize::try_from(v).ok().filter(|&v| v <= 1 << 31))
                    .collect::<Option<Vec<_>>>();
                let error = || ShapeError::new(format!("`{name}` of 0 or more"), format!("{values:?}"), again);
                whole.map(Some).ok_or_else(error)
            }
        };
        let stated = list("kernel_shape")?;
        let sizes = match (sizes, stated) {
            (Some(sizes), Some(stated)) if sizes != stated => {
                let (expected, received) = (format!("a `kernel_shape` of {sizes:?}"), format!("{stated:?}"));
                return Err(ShapeError::new(expected, received, again));
            }
            (Some(sizes), _) | (None, Some(sizes)) => sizes,
            (None, None) => return Err(ShapeError::new("a `kernel_shape`", "none", again)),
        };
        let strides = list("strides")?.unwrap_or_else(|| vec![1; axes]);
        let dilations = list("dilations")?.unwrap_or_else(|| vec![1; axes]);
        let pads = list("pads")?.unwrap_or_else(|| vec![0; 2 * axes]);
        if axes == 0
            || [sizes.len(), strides.len(), dilations.len()].iter().any(|&len| len != axes)
            || pads.len() != 2 * axes
        {
            let received = format!("sizes {sizes:?}, strides {strides:?}, dilations {dilations:?}, pads {pads:?}");
            return Err(ShapeError::new(format!("settings for the axes of {shape}"), received, again));
        }
        let window = |i: usize| {
            let window = Window::new(sizes[i]).stride(strides[i]).dilation(dilations[i]);
            window.pad(pads[i], pads[i + axes])
        };
        let mut windows: Vec<Window> = (0..axes).map(window).collect();
        let auto = match n.text("auto_pad")?.unwrap_or("NOTSET") {
            "NOTSET" => Auto::Stated,
            "VALID" => {
                windows.iter_mut().for_each(|w| *w = w.pad(0, 0));
                Auto::Stated
            }
            "SAME_UPPER" => Auto::Same { lower: false },
            "SAME_LOWER" => Auto::Same { lower: true },
            other => {
                let expected = "auto_pad NOTSET, VALID, SAME_UPPER or SAME_LOWER";
                return Err(ShapeError::new(expected, format!("`{other}`"), again));
            }
        };
        Ok(Windows { windows, sizes: inputs, auto })
    }

    /// The windows over the inputs, with the padding that they ask for.
    pub fn padded(&self) -> Vec<Window> {
        let pad = |(window, &size): (&Window, &usize)| match self.auto {
            Auto::Stated => *window,
            Auto::Same { lower } => window.same(size, lower),
        };
        self.windows.iter().zip(&self.sizes).map(pad).collect()
    }

    /// The same, with padding at the end so that the last window that begins in the input is whole, where the node asks for that.
    pub fn pooled(&self, n: &OnnxNode) -> Result<Vec<(Window, usize)>, ShapeError> {
        let ceil = n.int("ceil_mode")?.unwrap_or(0) != 0;
        let more = |(window, &size): (Window, &usize)| {
            let stride = window.stride.max(1);
            let span = (window.before + size + window.after).saturating_sub(window.reach());
            let rest = span % stride;
            let begins = (span / stride + 1) * stride < size + window.before;
            let extra = if ceil && rest > 0 && begins { stride - rest } else { 0 };
            (window.pad(window.before, window.after + extra), extra)
        };
        Ok(self.padded().into_iter().zip(&self.sizes).map(more).collect())
    }
}
