//! Windows that slide along axes: what convolutions and poolings have in common.

use crate::ShapeError;
use gradus_kernels::instr::Slide;

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
        let total = (outputs.saturating_sub(1) * stride + self.reach()).saturating_sub(input);
        let half = total / 2;
        if lower { self.pad(total - half, half) } else { self.pad(half, total - half) }
    }

    /// How far it reaches: `(size - 1)·dilation + 1`.
    pub fn reach(&self) -> usize {
        (self.size.max(1) - 1) * self.dilation + 1
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
        let padded = self.before + input + self.after;
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
    fn impossible_windows_are_refused() {
        assert!(Window::new(3).stride(0).outputs(5).unwrap_err().expected.contains("stride"));
        assert!(Window::new(0).outputs(5).is_err());
        let error = Window::new(4).pad(1, 0).outputs(2).unwrap_err();
        assert!(error.expected.contains('4') && error.received.contains("2 with padding 1 + 0"), "{error:?}");
    }
}
