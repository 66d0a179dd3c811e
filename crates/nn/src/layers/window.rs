//! Settings of windows that slide over images and sequences: what convolutions and poolings share.

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
    let axes = inputs.len();
    let [size, stride, dilation] =
        [("size", size), ("stride", stride), ("dilation", dilation)].map(|(name, setting)| setting.over(name, axes));
    let (size, stride, dilation) = (size?, stride?, dilation?);
    let pads = match padding {
        Padding::Rule(_) => vec![[0, 0]; axes],
        Padding::Number(number) => number.over("padding", axes)?.into_iter().map(|pad| [pad, pad]).collect(),
        Padding::Pairs(pairs) if pairs.len() == axes => pairs.clone(),
        Padding::Pairs(pairs) => {
            let expected = format!("`padding` as {axes} pairs [before, after]");
            return Err(ShapeError::new(expected, format!("{pairs:?}"), "give one pair for each spatial axis"));
        }
    };
    (0..axes)
        .map(|i| {
            let window = Window::new(size[i]).stride(stride[i]).dilation(dilation[i]).pad(pads[i][0], pads[i][1]);
            let window = match padding {
                Padding::Rule(PaddingRule::Same) => window.same(inputs[i], false),
                Padding::Rule(PaddingRule::SameLower) => window.same(inputs[i], true),
                _ => window,
            };
            window.outputs(inputs[i]).map(|_| window)
        })
        .collect()
}

/// The windows along so many axes without padding, where the settings are numbers for so many axes.
pub(crate) fn bare(axes: usize, size: &PerAxis, stride: &PerAxis, dilation: &PerAxis) -> Option<Vec<Window>> {
    let over = |setting: &PerAxis| setting.over("", axes).ok();
    let (size, stride, dilation) = (over(size)?, over(stride)?, over(dilation)?);
    Some((0..axes).map(|i| Window::new(size[i]).stride(stride[i]).dilation(dilation[i])).collect())
}

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
}
