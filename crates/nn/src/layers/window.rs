//! Settings of windows that slide over images and sequences: what convolutions and poolings share.

use crate::check;
use gradus_graph::{ShapeError, Window};
use serde::{Deserialize, Serialize};

/// A number for each spatial axis, or one for all of them: `3` or `[3, 5]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a whole number, or a list with one for each spatial axis")]
pub enum PerAxis {
    /// The same along all axes.
    All(usize),
    /// One for each axis.
    Each(Vec<usize>),
}

impl From<usize> for PerAxis {
    fn from(size: usize) -> PerAxis {
        PerAxis::All(size)
    }
}

impl<const N: usize> From<[usize; N]> for PerAxis {
    fn from(sizes: [usize; N]) -> PerAxis {
        PerAxis::Each(sizes.to_vec())
    }
}

impl PerAxis {
    /// The numbers for `axes` axes.
    ///
    /// # Errors
    /// If a list has another length.
    pub fn over(&self, setting: &str, axes: usize) -> Result<Vec<usize>, ShapeError> {
        match self {
            PerAxis::All(size) => Ok(vec![*size; axes]),
            PerAxis::Each(sizes) if sizes.len() == axes => Ok(sizes.clone()),
            PerAxis::Each(sizes) => {
                let expected = format!("`{setting}` as one number or a list of {axes}");
                Err(ShapeError::new(expected, format!("{sizes:?}"), "give one number for each spatial axis"))
            }
        }
    }
}

/// What lies around the input: `"valid"`, `"same"`, `"same_lower"`, or how many zeros: `1`, `[1, 2]` for each axis, or
/// `[[0, 1], [2, 2]]` for each axis before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "\"valid\", \"same\", \"same_lower\", a whole number, a list of one for each spatial axis, or a list of pairs \
                 [before, after]"
)]
pub enum Padding {
    /// A rule.
    Rule(PaddingRule),
    /// So many on either side.
    Number(PerAxis),
    /// For each axis before and after.
    Pairs(Vec<[usize; 2]>),
}

/// A rule for the padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaddingRule {
    /// None.
    Valid,
    /// So much that there are `⌈input / stride⌉` outputs, an odd rest at the end (TensorFlow, ONNX' `SAME_UPPER`).
    Same,
    /// The same with an odd rest at the start.
    SameLower,
}

impl Padding {
    /// No padding.
    pub const VALID: Padding = Padding::Rule(PaddingRule::Valid);
    /// As many outputs as inputs, at stride 1.
    pub const SAME: Padding = Padding::Rule(PaddingRule::Same);
}

impl Default for Padding {
    fn default() -> Padding {
        Padding::VALID
    }
}

impl Padding {
    /// A window with the padding that a rule gives it over an input of this size; numbers leave it as it is.
    fn fit(&self, window: Window, input: usize) -> Window {
        match self {
            Padding::Rule(PaddingRule::Same) => window.same(input, false),
            Padding::Rule(PaddingRule::SameLower) => window.same(input, true),
            _ => window,
        }
    }
}

/// The windows along so many axes, with padding as far as it is given in numbers.
///
/// # Errors
/// If a list does not have one number for each axis.
fn unfitted(
    axes: usize,
    size: &PerAxis,
    stride: &PerAxis,
    dilation: &PerAxis,
    padding: &Padding,
) -> Result<Vec<Window>, ShapeError> {
    let (size, stride) = (size.over("size", axes)?, stride.over("stride", axes)?);
    let dilation = dilation.over("dilation", axes)?;
    let pads = match padding {
        Padding::Rule(_) => vec![[0, 0]; axes],
        Padding::Number(number) => number.over("padding", axes)?.into_iter().map(|pad| [pad, pad]).collect(),
        Padding::Pairs(pairs) if pairs.len() == axes => pairs.clone(),
        Padding::Pairs(pairs) => {
            let expected = format!("`padding` as {axes} pairs [before, after]");
            return Err(ShapeError::new(expected, format!("{pairs:?}"), "give one pair for each spatial axis"));
        }
    };
    let window = |i: usize| Window::new(size[i]).stride(stride[i]).dilation(dilation[i]).pad(pads[i][0], pads[i][1]);
    Ok((0..axes).map(window).collect())
}

/// The windows over inputs of these sizes.
///
/// # Errors
/// If a list does not have one number for each axis, a number is 0, or a window is larger than its padded input.
pub(crate) fn windows(
    inputs: &[usize],
    size: &PerAxis,
    stride: &PerAxis,
    dilation: &PerAxis,
    padding: &Padding,
) -> Result<Vec<Window>, ShapeError> {
    let windows = unfitted(inputs.len(), size, stride, dilation, padding)?;
    let over = |(window, &input): (Window, &usize)| {
        let window = padding.fit(window, input);
        window.outputs(input).map(|_| window)
    };
    windows.into_iter().zip(inputs).map(over).collect()
}

/// The windows of the convolution that leads back from a transposed one's results to inputs of these sizes, and the sizes of the results.
/// `more` is added to the end of each result, which a stride of more than 1 leaves open.
///
/// # Errors
/// As [`windows`]; if no convolution leads back.
pub(crate) fn windows_back(
    inputs: &[usize],
    size: &PerAxis,
    stride: &PerAxis,
    dilation: &PerAxis,
    padding: &Padding,
    more: &PerAxis,
) -> Result<(Vec<Window>, Vec<usize>), ShapeError> {
    let axes = inputs.len();
    let more = more.over("output_padding", axes)?;
    let mut results = vec![];
    let mut windows = unfitted(axes, size, stride, dilation, padding)?;
    for ((window, &input), more) in windows.iter_mut().zip(inputs).zip(more) {
        let result = match padding {
            Padding::Rule(_) if *padding != Padding::VALID => input.saturating_mul(window.stride).saturating_add(more),
            _ => {
                let whole = (input.max(1) - 1).saturating_mul(window.stride).saturating_add(window.reach());
                whole.saturating_add(more).saturating_sub(window.before.saturating_add(window.after))
            }
        };
        *window = padding.fit(*window, result);
        let back = window.outputs(result);
        if result == 0 || back.as_ref().ok() != Some(&input) {
            back?;
            let expected = "padding smaller than the result, and `output_padding` below the stride";
            let Window { before, after, stride, .. } = window;
            let received = format!("padding [{before}, {after}], output_padding {more} at stride {stride}");
            return Err(ShapeError::new(expected, received, "correct the settings, or pad and crop around the layer"));
        }
        results.push(result);
    }
    Ok((windows, results))
}

/// What an element of a layer's output sees of the input along one axis of space or time. Padding is of no account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// From the first input that it sees to the last, in steps of the input: `(size - 1)·dilation` of a window; infinite where it sees all.
    pub extent: f64,
    /// From what one element sees to what the next one does, in steps of the input: the stride of a window, a fraction where there are more
    /// outputs than inputs.
    pub step: f64,
}

impl Sight {
    /// The whole axis.
    pub const ALL: Sight = Sight { extent: f64::INFINITY, step: 1.0 };
}

/// What windows see along so many axes; with `back`, the windows of a transposed convolution. `None` where the settings are not of so many
/// axes.
pub(crate) fn sights(
    axes: usize,
    size: &PerAxis,
    stride: &PerAxis,
    dilation: &PerAxis,
    back: bool,
) -> Option<Vec<Sight>> {
    let windows = unfitted(axes, size, stride, dilation, &Padding::VALID).ok()?;
    let sight = |window: Window| {
        let (extent, stride) = ((window.reach() - 1) as f64, window.stride.max(1) as f64);
        if back { Sight { extent: extent / stride, step: 1.0 / stride } } else { Sight { extent, step: stride } }
    };
    Some(windows.into_iter().map(sight).collect())
}

/// The numbers of a setting are all at least 1.
pub(super) fn at_least_one(setting: &str, numbers: &PerAxis) -> Result<(), ShapeError> {
    match numbers {
        PerAxis::All(n) => check::at_least_one(setting, *n),
        PerAxis::Each(all) => all.iter().try_for_each(|&n| check::at_least_one(setting, n)),
    }
}

/// Sizes, strides and gaps of at least 1.
pub(super) fn check_windows(size: &PerAxis, stride: Option<&PerAxis>, dilation: &PerAxis) -> Result<(), ShapeError> {
    at_least_one("size", size)?;
    at_least_one("dilation", dilation)?;
    stride.map_or(Ok(()), |stride| at_least_one("stride", stride))
}

/// The methods that set a window's stride, gaps and padding.
macro_rules! window_setters {
    ($Layer:ident) => {
        impl $Layer {
            /// Moves by so much from window to window.
            pub fn stride(mut self, stride: impl Into<super::PerAxis>) -> $Layer {
                let stride: super::PerAxis = stride.into();
                self.stride = stride.into();
                self
            }

            /// With gaps.
            pub fn dilation(mut self, dilation: impl Into<super::PerAxis>) -> $Layer {
                self.dilation = dilation.into();
                self
            }

            /// With padding.
            pub fn padding(mut self, padding: super::Padding) -> $Layer {
                self.padding = padding;
                self
            }
        }
    };
}

/// The methods that set what follows a convolution's sum, and how its weights start.
macro_rules! filter_setters {
    ($Layer:ident) => {
        impl $Layer {
            /// With an activation.
            pub fn activation(mut self, activation: impl Into<crate::AnyActivation>) -> $Layer {
                self.activation = activation.into();
                self
            }

            /// With max(x, 0).
            pub fn relu(self) -> $Layer {
                self.activation(crate::activations::Relu)
            }

            /// Without a bias.
            pub fn no_bias(mut self) -> $Layer {
                self.bias = false;
                self
            }

            /// With weights that start by this rule.
            pub fn weight_init(mut self, init: impl Into<crate::AnyInit>) -> $Layer {
                self.weight_init = init.into();
                self
            }
        }
    };
}

pub(super) use {filter_setters, window_setters};

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Settings {
        size: PerAxis,
        padding: Padding,
    }

    fn read(text: &str) -> Result<Settings, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    #[test]
    fn settings_are_short_or_long() {
        for (text, want) in [
            ("size = 3\npadding = 'same'", [[1, 1], [1, 1]]),
            ("size = [3, 4]\npadding = 'same'", [[1, 1], [1, 2]]),
            ("size = [3, 4]\npadding = 'same_lower'", [[1, 1], [2, 1]]),
            ("size = 3\npadding = 'valid'", [[0, 0], [0, 0]]),
            ("size = 3\npadding = 2", [[2, 2], [2, 2]]),
            ("size = 3\npadding = [1, 0]", [[1, 1], [0, 0]]),
            ("size = 3\npadding = [[0, 1], [2, 0]]", [[0, 1], [2, 0]]),
        ] {
            let Settings { size, padding } = read(text).unwrap();
            let windows = windows(&[8, 9], &size, &1.into(), &1.into(), &padding).unwrap();
            assert_eq!([[windows[0].before, windows[0].after], [windows[1].before, windows[1].after]], want, "{text}");
        }
        assert!(read("size = 3\npadding = 'full'").unwrap_err().contains("same_lower"));
        assert!(windows(&[8, 9], &[3].into(), &1.into(), &1.into(), &Padding::SAME).is_err());
        assert!(windows(&[2], &3.into(), &1.into(), &1.into(), &Padding::VALID).is_err());
    }

    #[test]
    fn windows_lead_back_from_results() {
        let back = |size: usize, stride: usize, padding: &str, more: usize| {
            let Settings { size, padding } = read(&format!("size = {size}\npadding = {padding}")).unwrap();
            windows_back(&[5], &size, &stride.into(), &1.into(), &padding, &more.into()).map(|(_, results)| results[0])
        };
        // PyTorch: (in - 1)·stride - 2·padding + (size - 1) + output_padding + 1.
        assert_eq!(back(3, 2, "0", 0), Ok(11));
        assert_eq!(back(3, 2, "1", 1), Ok(10));
        assert_eq!(back(4, 3, "[[1, 0]]", 2), Ok(17));
        assert_eq!(back(3, 2, "'same'", 0), Ok(10));
        assert_eq!(back(2, 3, "'same_lower'", 0), Ok(15));
        assert!(back(3, 2, "1", 2).unwrap_err().received.contains("output_padding 2 at stride 2"));
        assert!(back(1, 1, "[[3, 3]]", 0).is_err());
        assert!(back(3, usize::MAX, "0", 0).is_err());
    }
}
