//! Images at real places, by linear interpolation in both directions: what deformable convolution and RoI align read.

use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Kind, Node};
use gradus_tensor::{Dim, Shape};

/// Images at real places (row, column), `x: [N, H, W, C], at: [R, P, 2], image: [R] -> [R, P, C]`; set r of points lies in `image[r]`.
///
/// `y = Σ x[i, j]·max(0, 1 - |row - i|)·max(0, 1 - |column - j|)`, 0 outside; NaN where an image does not exist. On a grid line, where the
/// slope along `at` jumps, its gradient is the one that follows.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Along height or width take the slope there instead of the value.
    pub slope: [bool; 2],
}

impl OpDef for Sample {
    const NAME: &'static str = "sample";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let fits = x[0].rank() == 4 && x[0].dims()[1..].iter().all(|d| d.fixed().is_some());
        let (&[_, _, _, channels], true) = (x[0].dims(), fits) else {
            return Err(ShapeError::new("images [N, H, W, C]", x[0].to_string(), "bring the channels to the end"));
        };
        let (sets, points) = places(x[1], x[2])?;
        Ok(Shape::new(vec![sets, points, channels]))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let spread = super::SampleSpread { slope: self.slope, images: x[0].shape().dims()[..3].to_vec() };
        let dx = dy.graph().apply(spread, &[dy, &x[1], &x[2]]);
        vec![Grad::Flow(dx), steps(self.slope, &x[0], dy, &x[1], &x[2]), Grad::Stop("an image's number is constant")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Sample { spread: false, slope: self.slope }
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("reading at real places is not written".into())
    }

    fn cases() -> Vec<Case> {
        let case = |(slope, at): ([bool; 2], Shape), images: Shape| {
            let sets = Shape::new(vec![at.dims()[0]]);
            off_the_grid(Case::new(Sample { slope }, [images, at, sets]).index(2, 2))
        };
        let shared = |images: &[usize]| Shape::fixed(images);
        vec![
            case(([false, false], [3, 4, 2].into()), shared(&[2, 3, 2, 2])),
            case(([false, false], Shape::batched(&[5, 2])), shared(&[2, 1, 3, 17])),
            case(([true, false], [2, 4, 2].into()), shared(&[2, 2, 3, 1])),
            case(([false, true], [2, 4, 2].into()), shared(&[2, 2, 3, 1])),
        ]
    }
}

/// Sets and points of places, if there is an image for each set.
pub(super) fn places(at: &Shape, image: &Shape) -> Result<(Dim, Dim), ShapeError> {
    let &[sets, points @ Dim::Fixed(_), Dim::Fixed(2)] = at.dims() else {
        return Err(ShapeError::new("places [R, P, 2]", at.to_string(), "a place is (row, column)"));
    };
    if image.dims() == [sets] {
        return Ok((sets, points));
    }
    Err(ShapeError::new(format!("one image for each set, [{sets}]"), image.to_string(), "number the image of each set"))
}

/// The gradient of `Σ dy·sample(x, at, image)` with respect to `at`.
pub(super) fn steps(slope: [bool; 2], x: &Node, dy: &Node, at: &Node, image: &Node) -> Grad {
    if slope == [true, true] {
        return Grad::Stop("the slope of a slope is piecewise constant");
    }
    let along = |axis: usize| {
        let mut along = slope;
        along[axis] = true;
        let step = (x.graph().apply(Sample { slope: along }, &[x, at, image]) * dy).sum(-1);
        if slope[axis] { x.graph().fill(0.0, step.shape()) } else { step }
    };
    Grad::Flow(Node::concat(&[&along(0), &along(1)], -1))
}

/// Keeps places away from where slopes jump.
pub(super) fn off_the_grid(case: Case) -> Case {
    [-1.0, 0.0, 1.0, 2.0].into_iter().fold(case, Case::avoiding)
}

impl Node {
    /// These images `[N, H, W, C]` at real places `at: [R, P, 2]` (row, column) `-> [R, P, C]`; set r lies in `image[r]`, or with `None`
    /// in image r. Linear interpolation in both directions, 0 outside; exact gradients for images and places.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// let g = Graph::new();
    /// let y = g.input("x", [8, 8, 3]).sample(&g.input("at", [20, 2]), None);
    /// assert_eq!(y.shape().to_string(), "[B, 20, 3]");
    /// ```
    #[track_caller]
    pub fn sample(&self, at: &Node, image: Option<&Node>) -> Node {
        if let Some(image) = image {
            return self.graph().apply(Sample { slope: [false; 2] }, &[self, at, image]);
        }
        let (own, places) = (self.shape(), at.shape());
        if !self.is_poisoned() && !at.is_poisoned() && own.dims().first() != places.dims().first() {
            let error = ShapeError::new(format!("one set of places for each image of {own}"), places.to_string(), "name the images");
            return self.graph().refuse("sample", error);
        }
        let Some(&sets) = places.dims().first() else { return self.graph().apply(Sample { slope: [false; 2] }, &[self, at, at]) };
        let own = self.graph().apply(super::Iota { axis: 0, shape: Shape::new(vec![sets]) }, &[]);
        debug_assert_eq!(own.kind(), Kind::Index);
        self.graph().apply(Sample { slope: [false; 2] }, &[self, at, &own])
    }
}
