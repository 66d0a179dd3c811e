//! Windows that slide along axes: what convolutions and poolings have in common.

use crate::ShapeError;
use gradus_kernels::instr::{self, Slide};
use gradus_tensor::{Dim, Shape};

/// A window along one axis: output `o` sees the inputs `o·stride + k·dilation - before` for `k < size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// How many inputs it sees.
    pub size: usize,
    /// From one output to the next.
    pub stride: usize,
    /// From one of its inputs to the next.
    pub dilation: usize,
    /// Padding before the first input.
    pub before: usize,
    /// Padding after the last input.
    pub after: usize,
}

impl Window {
    /// A dense window that moves by one, without padding.
    pub fn new(size: usize) -> Window {
        Window { size, stride: 1, dilation: 1, before: 0, after: 0 }
    }

    /// Moves by so much.
    pub fn stride(self, stride: usize) -> Window {
        Window { stride, ..self }
    }

    /// With gaps.
    pub fn dilation(self, dilation: usize) -> Window {
        Window { dilation, ..self }
    }

    /// With padding.
    pub fn pad(self, before: usize, after: usize) -> Window {
        Window { before, after, ..self }
    }

    /// With the padding that gives `⌈input / stride⌉` outputs; an odd rest goes to the end (TensorFlow, ONNX' `SAME_UPPER`), or to the
    /// start with `lower`.
    pub fn same(self, input: usize, lower: bool) -> Window {
        let stride = self.stride.max(1);
        let outputs = input.div_ceil(stride);
        let covered = outputs.saturating_sub(1).saturating_mul(stride).saturating_add(self.reach());
        let total = covered.saturating_sub(input);
        let half = total / 2;
        if lower { self.pad(total - half, half) } else { self.pad(half, total - half) }
    }

    /// How far it reaches: `(size - 1)·dilation + 1`.
    pub fn reach(&self) -> usize {
        (self.size.max(1) - 1).saturating_mul(self.dilation).saturating_add(1)
    }

    /// The number of outputs, `⌊(input + padding - reach) / stride⌋ + 1`.
    ///
    /// # Errors
    /// If size, stride or dilation is 0, or the window is larger than the padded input.
    pub fn outputs(&self, input: usize) -> Result<usize, ShapeError> {
        for (name, value) in [("size", self.size), ("stride", self.stride), ("dilation", self.dilation)] {
            if value == 0 {
                let help = format!("use a {name} of 1 or more");
                return Err(ShapeError::new(format!("a window with a {name} of at least 1"), "0", help));
            }
        }
        let padded = self.before.saturating_add(input).saturating_add(self.after);
        if padded < self.reach() {
            let received = format!("{input} with padding {} + {}", self.before, self.after);
            let help = "use a smaller window, less dilation or more padding, or pool less before";
            return Err(ShapeError::new(
                format!("at least the {} that the window covers", self.reach()),
                received,
                help,
            ));
        }
        Ok((padded - self.reach()) / self.stride + 1)
    }

    /// The kernel's view of it.
    pub fn slide(&self, input: usize, output: usize) -> Slide {
        let Window { size, stride, dilation, before, .. } = *self;
        Slide { input, output, size, stride, dilation, before }
    }
}

/// What is pooled along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolAxis {
    /// A window that slides.
    Window(Window),
    /// So many bins that share out the axis: bin `o` of `n` sees the inputs from `⌊o·input/n⌋` up to `⌈(o + 1)·input/n⌉`.
    Bins(usize),
}

impl PoolAxis {
    /// The number of outputs.
    ///
    /// # Errors
    /// As [`Window::outputs`]; if a window sees nothing but padding; if there are no bins.
    pub fn outputs(&self, input: usize) -> Result<usize, ShapeError> {
        match self {
            PoolAxis::Bins(bins) if input > 0 && *bins > 0 => Ok(*bins),
            PoolAxis::Bins(bins) => {
                let received = format!("{bins} bins over {input}");
                Err(ShapeError::new("at least one bin and one input", received, "ask for at least one output"))
            }
            PoolAxis::Window(window) => {
                let outputs = window.outputs(input)?;
                let slide = window.slide(input, outputs);
                // A padding as wide as that leaves the first or the last window nothing else to see; without gaps, these two tell of all.
                let narrow =
                    window.before < window.reach() && window.after < window.reach().saturating_add(window.stride);
                let step = if window.dilation == 1 { (outputs - 1).max(1) } else { 1 };
                if narrow && (0..outputs).step_by(step).all(|o| slide.seen(o).count > 0) {
                    return Ok(outputs);
                }
                let received = format!("{input} with padding {} + {}", window.before, window.after);
                let help = "use less padding: less than the window's size on either side";
                Err(ShapeError::new("windows that each see at least one input", received, help))
            }
        }
    }

    /// The kernel's view of it.
    pub(crate) fn over(&self, input: usize, output: usize) -> instr::PoolAxis {
        match self {
            PoolAxis::Window(window) => instr::PoolAxis::Slide(window.slide(input, output)),
            PoolAxis::Bins(_) => instr::PoolAxis::Bins { input, output },
        }
    }

    /// The kernel's view of axes over `[B, ..inputs, C]` with `[B, ..outputs, C]`.
    pub(crate) fn all_over(axes: &[PoolAxis], inputs: &[usize], outputs: &[usize]) -> Vec<instr::PoolAxis> {
        axes.iter().zip(&inputs[1..]).zip(&outputs[1..]).map(|((axis, &i), &o)| axis.over(i, o)).collect()
    }

    /// `[B, ..inputs, C] -> [B, ..outputs, C]`
    pub(crate) fn pooled(axes: &[PoolAxis], x: &Shape) -> Result<Shape, ShapeError> {
        let mut dims = x.dims().to_vec();
        if dims.len() != axes.len() + 2 || !(1..=3).contains(&axes.len()) {
            let expected = format!("a batch, {} spatial axes (up to 3) and channels", axes.len());
            return Err(ShapeError::new(
                expected,
                x.to_string(),
                "give one window for each axis between the first and the last",
            ));
        }
        for (dim, axis) in dims[1..].iter_mut().zip(axes) {
            let Dim::Fixed(input) = *dim else {
                return Err(ShapeError::new("spatial axes of fixed size", x.to_string(), "put the batch first"));
            };
            *dim = Dim::Fixed(axis.outputs(input)?);
        }
        Ok(Shape::new(dims))
    }
}

impl From<Window> for PoolAxis {
    fn from(window: Window) -> PoolAxis {
        PoolAxis::Window(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_those_of_the_formula() {
        assert_eq!(Window::new(3).outputs(5), Ok(3));
        assert_eq!(Window::new(3).stride(2).pad(1, 1).outputs(5), Ok(3));
        assert_eq!(Window::new(3).dilation(2).outputs(5), Ok(1));
        for (size, stride, dilation, input) in [(3, 1, 1, 5), (3, 2, 1, 5), (2, 2, 1, 5), (3, 2, 2, 8), (1, 3, 1, 7)] {
            let window = Window::new(size).stride(stride).dilation(dilation);
            for lower in [false, true] {
                let same = window.same(input, lower);
                assert_eq!(same.outputs(input), Ok(input.div_ceil(stride)));
                assert!(if lower { same.before >= same.after } else { same.before <= same.after });
            }
        }
    }

    #[test]
    fn windows_of_padding_alone_are_refused() {
        assert_eq!(PoolAxis::from(Window::new(3).pad(2, 2)).outputs(1), Ok(3));
        let error = PoolAxis::from(Window::new(2).pad(2, 0)).outputs(4).unwrap_err();
        assert!(error.expected.contains("at least one input"), "{error:?}");
        let gaps = Window::new(2).dilation(5).pad(3, 3);
        assert!(gaps.outputs(1).is_ok() && PoolAxis::from(gaps).outputs(1).is_err());
        assert!(PoolAxis::Bins(0).outputs(4).is_err());
        assert_eq!(PoolAxis::Bins(7).outputs(4), Ok(7));
    }

    #[test]
    fn impossible_windows_are_refused() {
        assert!(Window::new(3).stride(0).outputs(5).unwrap_err().expected.contains("stride"));
        assert!(Window::new(0).outputs(5).is_err());
        assert!(Window::new(usize::MAX).dilation(3).outputs(5).is_err());
        let error = Window::new(4).pad(1, 0).outputs(2).unwrap_err();
        assert!(error.expected.contains('4') && error.received.contains("2 with padding 1 + 0"), "{error:?}");
    }
}
