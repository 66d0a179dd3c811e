//! Values shared out among the four neighbours of real places: the gradient of reading there.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// Values at real places shared out among their neighbours, `[R, P, C], at: [R, P, 2], image: [R] -> [N, H, W, C]`: the transposed of
/// [`Sample`](super::Sample).
#[derive(Clone, Debug)]
pub struct SampleSpread {
    /// Along height or width the transposed of the slope.
    pub slope: [bool; 2],
    /// Number, height and width of the images.
    pub images: Vec<Dim>,
}

impl OpDef for SampleSpread {
    const NAME: &'static str = "sample_spread";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let (sets, points) = super::sample::places(x[1], x[2])?;
        let &[r, p, channels @ Dim::Fixed(_)] = x[0].dims() else {
            return Err(ShapeError::new("values [R, P, C]", x[0].to_string(), "give a row of channels for each place"));
        };
        if (r, p) != (sets, points) || self.images.len() != 3 {
            let expected = format!("a row for each place of {}", x[1]);
            return Err(ShapeError::new(expected, x[0].to_string(), "give as many places as values"));
        }
        Ok(Shape::new([&self.images[..], &[channels]].concat()))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let back = dy.graph().apply(super::Sample { slope: self.slope }, &[dy, &x[1], &x[2]]);
        let at = super::sample::steps(self.slope, dy, &x[0], &x[1], &x[2]);
        vec![Grad::Flow(back), at, Grad::Stop("an image's number is constant")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Sample { spread: true, slope: self.slope }
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("it belongs to gradients alone".into())
    }

    fn cases() -> Vec<Case> {
        let case = |slope, values: Shape, images: Vec<Dim>| {
            let at = Shape::new([&values.dims()[..2], &[Dim::Fixed(2)]].concat());
            let sets = Shape::new(vec![values.dims()[0]]);
            let case = Case::new(SampleSpread { slope, images }, [values, at, sets]).index(2, 2);
            super::sample::off_the_grid(case)
        };
        let fixed = |sizes: [usize; 3]| sizes.map(Dim::Fixed).to_vec();
        vec![
            case([false, false], Shape::batched(&[4, 2]), fixed([2, 3, 2])),
            case([false, true], [3, 4, 1].into(), fixed([2, 2, 3])),
        ]
    }
}
