//! Images at real places, by linear interpolation in both directions: what deformable convolution and RoI align read.

use crate::onnx::{Attribute, Refusal, Writer, Written, channels_second};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Kind, Node};
use gradus_tensor::{Dim, Kind as Number, Shape, Tensor};

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

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        if self.slope != [false; 2] {
            return Err("it belongs to gradients alone".into());
        }
        let mut images = w.real(&x[0]);
        // Set r lies in image r: there is nothing to choose.
        let own = w.operator(&x[2]) == Some("Range") && x[0].shape.dims()[0] == y.dims()[0];
        if !own {
            let number = w.cast(&x[2], Number::I64);
            let inputs = vec![w.as_is(&images), w.plain(&number)];
            let mut dims = x[0].shape.dims().to_vec();
            dims[0] = y.dims()[0];
            let place = vec![("axis", Attribute::Int(images.place(0)))];
            images = w.node("Gather", inputs, place, &Shape::new(dims), Number::F32).ordered_as(&images);
        }
        let sizes = x[0].shape.at(1);
        let grid = written_grid(w, &x[1], [sizes[1], sizes[2]]);
        let mode = if w.version < 20 { "bilinear" } else { "linear" };
        let inputs = vec![w.ordered(&images, &channels_second(4)), grid];
        let [sets, points, channels] = [y.dims()[0], y.dims()[1], y.dims()[2]];
        let read = Shape::new(vec![sets, channels, Dim::Fixed(1), points]);
        let read = w.node("GridSample", inputs, vec![("mode", Attribute::Text(mode.into()))], &read, Number::F32);
        let inputs = vec![w.plain(&read), w.whole(&[2])];
        Ok(w.node("Squeeze", inputs, vec![], y, Number::F32).in_order(vec![0, 2, 1]))
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
            case(([false, false], [2, 3, 2].into()), shared(&[2, 3, 3, 2])),
            case(([true, false], [2, 4, 2].into()), shared(&[2, 2, 3, 1])),
            case(([false, true], [2, 4, 2].into()), shared(&[2, 2, 3, 1])),
        ]
    }
}

/// Places `[R, P, 2]` as GridSample has them, `[R, 1, P, 2]`: (column, row), the edges of an image at -1 and 1.
fn written_grid(w: &mut Writer, at: &Written, sizes: [usize; 2]) -> String {
    let pair = |f: fn(f64) -> f64| {
        let numbers: Vec<f32> = sizes.iter().map(|&size| f(size as f64) as f32).collect();
        Tensor::vector(numbers)
    };
    let shape = at.shape.clone();
    let (factor, shift) = (w.stored("grid_factor", pair(|n| 2.0 / n)), w.stored("grid_shift", pair(|n| 1.0 / n - 1.0)));
    let scaled = w.binary("Mul", &[at.clone(), factor], &shape);
    let shifted = w.binary("Add", &[scaled, shift], &shape);
    let inputs = vec![w.plain(&shifted), w.whole(&[1, 0])];
    let turned = w.node("Gather", inputs, vec![("axis", Attribute::Int(2))], &shape, Number::F32);
    let inputs = vec![w.plain(&turned), w.whole(&[1])];
    let mut dims = shape.dims().to_vec();
    dims.insert(1, Dim::Fixed(1));
    let grid = w.node("Unsqueeze", inputs, vec![], &Shape::new(dims), Number::F32);
    w.plain(&grid)
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
            let error = ShapeError::new(
                format!("one set of places for each image of {own}"),
                places.to_string(),
                "name the images",
            );
            return self.graph().refuse("sample", error);
        }
        let Some(&sets) = places.dims().first() else {
            return self.graph().apply(Sample { slope: [false; 2] }, &[self, at, at]);
        };
        let own = self.graph().apply(super::Iota { axis: 0, shape: Shape::new(vec![sets]) }, &[]);
        debug_assert_eq!(own.kind(), Kind::Index);
        self.graph().apply(Sample { slope: [false; 2] }, &[self, at, &own])
    }
}
