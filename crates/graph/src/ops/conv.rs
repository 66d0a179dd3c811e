//! Convolution (in truth, correlation) of channels-last images, `y[o] = Σₖ x[o·stride + k·dilation - before]·w[k]`. LeCun et al. 1989.
//!
//! Together with its two adjoints ([`ConvInput`] and [`ConvWeight`]) it is closed under differentiation: each one's gradients are the
//! other two.

use super::{ConvInput, ConvWeight};
use crate::onnx::{Attribute, OnnxNode, OnnxOp, Refusal, Traced, Value, Windows, Writer, Written, channels_second};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, Role, Window};
use gradus_kernels::instr::{Side, Slide};
use gradus_tensor::{Dim, Shape};

/// Convolution, `x: [B, ..inputs, C] × w: [..sizes, C / groups, F] -> [B, ..outputs, F]` over one to three spatial axes.
#[derive(Clone, Debug)]
pub struct Conv {
    /// The windows along the spatial axes.
    pub windows: Vec<Window>,
    /// The filters of a group see its channels alone.
    pub groups: usize,
}

/// An image: its batch, spatial sizes and channels.
pub(super) struct Image {
    pub batch: Dim,
    pub sizes: Vec<usize>,
    pub channels: usize,
}

/// Reads `[B, ..sizes, channels]`.
pub(super) fn image(x: &Shape, axes: usize) -> Result<Image, ShapeError> {
    let fixed: Option<Vec<usize>> = x.dims().iter().skip(1).map(|d| d.fixed()).collect();
    let error = || {
        let help = "bring the input into this shape: a batch, the spatial axes, and the channels last";
        ShapeError::new(format!("[B, {}, C] with fixed sizes", ["size"; 3][..axes].join(", ")), x.to_string(), help)
    };
    match fixed {
        Some(mut sizes) if (1..=3).contains(&axes) && sizes.len() == axes + 1 => {
            let channels = sizes.pop().expect("as long as the axes and one more");
            Ok(Image { batch: x.dims()[0], sizes, channels })
        }
        _ => Err(error()),
    }
}

/// Checks the weights `[..sizes, C / groups, F]` and gives their channels (in all groups) and filters.
pub(super) fn weights(w: &Shape, windows: &[Window], groups: usize) -> Result<(usize, usize), ShapeError> {
    let fixed: Option<Vec<usize>> = w.dims().iter().map(|d| d.fixed()).collect();
    let sizes: Vec<usize> = windows.iter().map(|window| window.size).collect();
    let (channels, filters) = match fixed.as_deref() {
        Some([found @ .., channels, filters]) if found == sizes => (*channels, *filters),
        _ => {
            let expected = format!("weights of sizes {sizes:?}, then channels / groups, then filters");
            return Err(ShapeError::new(expected, w.to_string(), "give the weights the sizes of the windows"));
        }
    };
    divides("filters", filters, groups)?;
    Ok((channels * groups, filters))
}

/// Channels or filters must fall into equal groups.
pub(super) fn divides(what: &str, number: usize, groups: usize) -> Result<(), ShapeError> {
    if groups > 0 && number.is_multiple_of(groups) {
        return Ok(());
    }
    let expected = format!("{what} that can be divided by the {groups} groups");
    let help = format!("choose a number of groups that divides the {what}, 1 for an ordinary convolution");
    Err(ShapeError::new(expected, number.to_string(), help))
}

/// The sizes of the outputs.
pub(super) fn outputs(windows: &[Window], inputs: &[usize]) -> Result<Vec<usize>, ShapeError> {
    windows.iter().zip(inputs).map(|(window, &input)| window.outputs(input)).collect()
}

/// The shape of an image.
pub(super) fn shape_of(batch: Dim, sizes: &[usize], channels: usize) -> Shape {
    let rest = sizes.iter().chain([&channels]).map(|&size| Dim::Fixed(size));
    Shape::new(std::iter::once(batch).chain(rest).collect::<Vec<_>>())
}

/// The kernel for concrete sizes `[B, .., C]` of the inputs and outputs.
pub(super) fn kernel(side: Side, windows: &[Window], groups: usize, x: &[usize], y: &[usize]) -> Kernel {
    let mut slides = [Slide::NONE; 3];
    for (k, window) in windows.iter().enumerate() {
        slides[3 - windows.len() + k] = window.slide(x[k + 1], y[k + 1]);
    }
    Kernel::Conv { side, slides, groups }
}

impl OpDef for Conv {
    const NAME: &'static str = "conv";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Conv", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let input = image(x[0], self.windows.len())?;
        divides("channels", input.channels, self.groups)?;
        let (channels, filters) = weights(x[1], &self.windows, self.groups)?;
        if channels != input.channels {
            let help = "give the weights as many channels as the input has (divided by the groups)";
            return Err(ShapeError::new(format!("weights for {} channels", input.channels), x[1].to_string(), help));
        }
        Ok(shape_of(input.batch, &outputs(&self.windows, &input.sizes)?, filters))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let (windows, groups) = (self.windows.clone(), self.groups);
        let dx = dy.graph().apply(ConvInput::of(windows.clone(), groups, &x[0]), &[dy, &x[1]]);
        let dw = dy.graph().apply(ConvWeight { windows, groups }, &[&x[0], dy]);
        vec![Grad::Flow(dx), Grad::Flow(dw)]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        kernel(Side::Output, &self.windows, self.groups, &x[0], y)
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(written(w, "Conv", x, &self.windows, self.groups, vec![], y))
    }

    fn cases() -> Vec<Case> {
        cases().into_iter().map(|c| Case::new(Conv { windows: c.windows, groups: c.groups }, [c.x, c.w])).collect()
    }
}

/// A convolution or its transpose: the image with its channels second, the filters in front of the weights.
pub(super) fn written(
    w: &mut Writer,
    operator: &'static str,
    x: &[Written],
    windows: &[Window],
    groups: usize,
    more: Vec<(&'static str, Attribute)>,
    y: &Shape,
) -> Written {
    let rank = y.rank();
    let image = channels_second(rank);
    let filters: Vec<usize> = [rank - 1, rank - 2].into_iter().chain(0..rank - 2).collect();
    let pixels = w.real(&x[0]);
    let inputs = vec![w.ordered(&pixels, &image), w.ordered(&x[1], &filters)];
    let mut attributes = written_windows(windows);
    attributes.push(("group", Attribute::Int(groups as i64)));
    attributes.extend(more);
    w.node(operator, inputs, attributes, y, gradus_tensor::Kind::F32).in_order(image)
}

/// The attributes of windows.
pub(super) fn written_windows(windows: &[Window]) -> Vec<(&'static str, Attribute)> {
    let list = |f: fn(&Window) -> usize| Attribute::Ints(windows.iter().map(|window| f(window) as i64).collect());
    let pads = windows.iter().map(|w| w.before).chain(windows.iter().map(|w| w.after));
    vec![
        ("kernel_shape", list(|w| w.size)),
        ("strides", list(|w| w.stride)),
        ("dilations", list(|w| w.dilation)),
        ("pads", Attribute::Ints(pads.map(|pad| pad as i64).collect())),
    ]
}

/// Conv: `x: [B, C, ..sizes] × w: [F, C / groups, ..sizes] + b: [F]`.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let windows = Windows::of(n, Some(weight_sizes(n)?))?.padded();
    let rank = windows.len() + 2;
    let weight = n.weight(1, &(2..rank).chain([1, 0]).collect::<Vec<_>>(), Role::Weight)?;
    let x = n.image(0)?;
    let y = x.graph().apply(Conv { windows, groups: groups_of(n)? }, &[&x, &weight]);
    biased(n, y)
}

/// The sizes of the windows of the weights, operand 1.
pub(super) fn weight_sizes(n: &OnnxNode) -> Result<Vec<usize>, ShapeError> {
    let shape = n.shape(1)?;
    let fixed: Option<Vec<usize>> = shape.dims().iter().skip(2).map(|d| d.fixed()).collect();
    fixed.ok_or_else(|| ShapeError::new("weights of fixed size", shape.to_string(), "store them in the file"))
}

pub(super) fn groups_of(n: &OnnxNode) -> Result<usize, ShapeError> {
    let groups = n.int("group")?.unwrap_or(1);
    let error = || ShapeError::new("a `group` of at least 1", groups.to_string(), "write the file again");
    usize::try_from(groups).ok().filter(|&groups| groups > 0).ok_or_else(error)
}

/// The result with channels last, and the bias, operand 2, where there is one.
pub(super) fn biased(n: &OnnxNode, y: Node) -> Result<Vec<Value>, ShapeError> {
    let node = if n.optional(2).is_some() { y + n.weight(2, &[0], Role::Bias)? } else { y };
    Ok(vec![Value::Traced(Traced { node, kind: n.kind(0)?, last: true })])
}

/// The spatial sizes of an image.
pub(super) fn spatial(x: &Node) -> Vec<usize> {
    let shape = x.shape();
    shape.dims()[1..shape.rank() - 1].iter().map(|d| d.fixed().expect("checked by the shape rule")).collect()
}

/// A configuration for the checks of all three sides.
pub(super) struct Sides {
    pub windows: Vec<Window>,
    pub groups: usize,
    pub x: Shape,
    pub w: Shape,
    pub y: Shape,
}

/// One to three axes, with every setting.
pub(super) fn cases() -> Vec<Sides> {
    let w = Window::new;
    let list = [
        (vec![w(3)], 1, vec![5], 2, 3),
        (vec![w(3).stride(2).pad(1, 2)], 1, vec![6], 1, 2),
        (vec![w(2).dilation(3).pad(2, 0)], 2, vec![7], 4, 2),
        (vec![w(1), w(1)], 1, vec![2, 3], 3, 2),
        (vec![w(3).pad(1, 1), w(3).pad(1, 1)], 1, vec![4, 3], 2, 3),
        (vec![w(3).stride(2).pad(0, 1), w(2).stride(3).pad(1, 1)], 1, vec![5, 6], 2, 2),
        (vec![w(2).dilation(2), w(3).pad(2, 1)], 3, vec![5, 3], 3, 6),
        (vec![w(2).stride(2), w(2).pad(1, 0), w(1).stride(2)], 1, vec![4, 2, 3], 2, 2),
    ];
    list.into_iter()
        .map(|(windows, groups, inputs, channels, filters)| {
            let sizes: Vec<usize> = windows.iter().map(|window| window.size).collect();
            let outputs = outputs(&windows, &inputs).expect("the cases fit");
            Sides {
                groups,
                x: Shape::batched(&[&inputs[..], &[channels]].concat()),
                w: Shape::fixed(&[&sizes[..], &[channels / groups, filters]].concat()),
                y: Shape::batched(&[&outputs[..], &[filters]].concat()),
                windows,
            }
        })
        .collect()
}
