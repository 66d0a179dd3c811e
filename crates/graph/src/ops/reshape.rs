//! The same elements in the same order under another shape. No work.

use crate::Node;
use crate::onnx::{Extent, OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// The same elements in the same order under another shape.
#[derive(Clone, Debug)]
pub struct Reshape {
    /// The new shape.
    pub shape: Shape,
}

impl OpDef for Reshape {
    const NAME: &'static str = "reshape";
    const ONNX: &'static [OnnxOp] = &[
        OnnxOp { name: "Reshape", read },
        OnnxOp { name: "Flatten", read: flatten },
        OnnxOp { name: "Squeeze", read: squeeze },
        OnnxOp { name: "Unsqueeze", read: unsqueeze },
    ];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        if volume(x[0]) == volume(&self.shape) {
            return Ok(self.shape.clone());
        }
        let expected = format!("as many elements as {}", x[0]);
        Err(ShapeError::new(expected, self.shape.to_string(), "choose sizes whose product stays the same"))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy.reshape(x[0].shape()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Reshape
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.reshape(&x[0], y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Reshape { shape: Shape::new([Dim::Batch(3), Dim::Fixed(4)]) }, [Shape::batched(&[3, 4])])
                .first_order(),
            Case::new(Reshape { shape: [6].into() }, [[2, 3].into()]).first_order(),
        ]
    }
}

fn reshaped(n: &OnnxNode, dims: Vec<Dim>) -> Result<Vec<Value>, ShapeError> {
    Ok(vec![Value::traced(n.x(0)?.reshape(dims), n.kind(0)?)])
}

/// Reshape: 0 keeps a size (unless `allowzero`), -1 takes what is left.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let old = n.shape(0)?;
    let zero_keeps = n.int("allowzero")?.unwrap_or(0) == 0;
    let wish = match n.ints("shape")? {
        Some(sizes) => sizes.into_iter().map(|fixed| Extent { fixed, batches: 0 }).collect(),
        None => n.extents(1)?,
    };
    let wrong = |i: usize| {
        let expected = "sizes, one of them at most -1".to_string();
        ShapeError::new(expected, format!("{:?}", wish[i]), "write the file again")
    };
    let mut open = None;
    let mut dims = vec![];
    for (i, extent) in wish.iter().enumerate() {
        dims.push(match extent {
            Extent { fixed: 0, batches: 0 } if zero_keeps => *old.dims().get(i).ok_or_else(|| wrong(i))?,
            Extent { fixed: -1, batches: 0 } if open.is_none() => {
                open = Some(i);
                Dim::Fixed(1)
            }
            extent => extent.dim().ok_or_else(|| wrong(i))?,
        });
    }
    if let Some(i) = open {
        dims[i] = rest(&old, &dims).ok_or_else(|| {
            let expected = format!("a number of elements that the sizes {} divide", Shape::new(dims.clone()));
            ShapeError::new(expected, old.to_string(), "write the file again")
        })?;
    }
    reshaped(n, dims)
}

/// What is left of a shape's elements beside other sizes.
fn rest(shape: &Shape, beside: &[Dim]) -> Option<Dim> {
    let product = |dims: &[Dim]| dims.iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d));
    let divide = |a: usize, b: usize| (b > 0 && a.is_multiple_of(b)).then(|| a / b);
    match (product(shape.dims())?, product(beside)?) {
        (Dim::Fixed(a), Dim::Fixed(b)) | (Dim::Batch(a), Dim::Batch(b)) => divide(a, b).map(Dim::Fixed),
        (Dim::Batch(a), Dim::Fixed(b)) => divide(a, b).map(Dim::Batch),
        (Dim::Fixed(_), Dim::Batch(_)) => None,
    }
}

/// Flatten: the axes before one and those from it on.
fn flatten(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let old = n.shape(0)?;
    let axis = match n.int("axis")?.unwrap_or(1) {
        axis if axis == old.rank() as i64 => old.rank(),
        axis => n.axis(axis, old.rank())?,
    };
    let product = |dims: &[Dim]| {
        let error = || ShapeError::new("one axis of batch size", old.to_string(), "give the input a fixed batch size");
        dims.iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d)).ok_or_else(error)
    };
    reshaped(n, vec![product(&old.dims()[..axis])?, product(&old.dims()[axis..])?])
}

/// Squeeze: the axes named, or all of size 1.
fn squeeze(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let old = n.shape(0)?;
    let axes = match n.axes()? {
        Some(axes) => axes.into_iter().map(|axis| n.axis(axis, old.rank())).collect::<Result<Vec<_>, _>>()?,
        None => (0..old.rank()).filter(|&axis| old.dims()[axis] == Dim::Fixed(1)).collect(),
    };
    if let Some(&axis) = axes.iter().find(|&&axis| old.dims()[axis] != Dim::Fixed(1)) {
        let received = format!("axis {axis} of {old}");
        return Err(ShapeError::new("axes of size 1", received, "write the file again"));
    }
    reshaped(n, (0..old.rank()).filter(|axis| !axes.contains(axis)).map(|axis| old.dims()[axis]).collect())
}

/// Unsqueeze: axes of size 1, counted in the result.
fn unsqueeze(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let old = n.shape(0)?;
    let axes = n.axes()?.unwrap_or_default();
    let rank = old.rank() + axes.len();
    let axes = axes.into_iter().map(|axis| n.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut kept = old.dims().iter();
    let dims = (0..rank).map(|i| if axes.contains(&i) { Some(Dim::Fixed(1)) } else { kept.next().copied() });
    let twice = || ShapeError::new("each axis once", format!("{axes:?}"), "write the file again");
    reshaped(n, dims.collect::<Option<_>>().ok_or_else(twice)?)
}

/// The number of elements: the fixed factor and the power of the batch size.
fn volume(shape: &Shape) -> (usize, usize) {
    shape.dims().iter().fold((1, 0), |(n, power), d| match *d {
        Dim::Fixed(k) => (n * k, power),
        Dim::Batch(k) => (n * k, power + 1),
    })
}
