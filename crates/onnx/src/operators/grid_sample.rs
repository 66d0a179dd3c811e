//! GridSample: images and volumes at real places, made of samples of images at places (row, column).

use gradus_graph::onnx::{OnnxNode, OnnxOp, Traced, Value};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::{Dim, Kind};

pub(super) const ONNX: &[OnnxOp] = &[OnnxOp { name: "GridSample", read }];

/// The slope of cubic interpolation at its neighbours, as PyTorch has it.
const CUBIC: f64 = -0.75;

/// What is read beyond the edges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Zeros,
    Border,
    Reflection,
}

/// How a value between elements is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Linear,
    Nearest,
    Cubic,
}

fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let mode = match n.text("mode")?.unwrap_or("linear") {
        "linear" | "bilinear" => Mode::Linear,
        "nearest" => Mode::Nearest,
        "cubic" | "bicubic" => Mode::Cubic,
        other => {
            let received = format!("`{other}`");
            return Err(ShapeError::new("mode linear, nearest or cubic", received, "choose another `mode`"));
        }
    };
    let beyond = match n.text("padding_mode")?.unwrap_or("zeros") {
        "zeros" => Beyond::Zeros,
        "border" => Beyond::Border,
        "reflection" => Beyond::Reflection,
        other => {
            let received = format!("`{other}`");
            return Err(ShapeError::new("padding_mode zeros, border or reflection", received, "write the file again"));
        }
    };
    let corners = n.int("align_corners")?.unwrap_or(0) != 0;
    let Grid { images, sizes, at, outputs, kind } = Grid::of(n)?;
    if mode == Mode::Cubic && sizes.len() == 3 {
        return Err(ShapeError::new("mode linear or nearest for volumes", "cubic", "choose another `mode`"));
    }
    let within = |place: &Node, size: usize| padded(place, size, beyond, corners);
    let places: Vec<Node> = at.iter().zip(&sizes).map(|(x, &size)| element(x, size, corners)).collect();
    let plane = sizes.len() - 2;
    let [height, width] = [sizes[plane], sizes[plane + 1]];
    let [row, column] = [&places[plane], &places[plane + 1]];
    let along = |place: &Node, size: usize| match mode {
        Mode::Nearest => within(&rounded(place), size),
        _ => within(place, size),
    };
    let y = match (mode, plane) {
        (Mode::Cubic, _) => {
            let (rows, columns) = (taps(row), taps(column));
            let columns: Vec<(Node, Node)> =
                columns.iter().map(|(x, weight)| (within(x, width), weight.clone())).collect();
            let line = |(y, weight): &(Node, Node)| {
                let y = within(y, height);
                let line = columns.iter().map(|(x, weight)| images.sample(&Node::concat(&[&y, x], -1), None) * weight);
                sum(line) * weight
            };
            sum(rows.iter().map(line))
        }
        (_, 0) => images.sample(&Node::concat(&[&along(row, height), &along(column, width)], -1), None),
        _ => {
            // Slice by slice, each with the share that linear interpolation gives it.
            let (depth, at) = (along(&places[0], sizes[0]), [&along(row, height), &along(column, width)]);
            let at = Node::concat(&at, -1);
            sum((0..sizes[0]).map(|slice| {
                let share = (1.0 - (&depth - slice as f64).abs()).maximum(0.0);
                images.slice(1, slice..slice + 1).squeeze(1).sample(&at, None) * share
            }))
        }
    };
    let shape: Vec<Dim> = outputs.into_iter().chain([Dim::Fixed(images.units())]).collect();
    Ok(vec![Value::Traced(Traced { node: y.reshape(shape), kind, last: true })])
}

/// What is sampled, and where.
struct Grid {
    /// `[N, (D,) H, W, C]`
    images: Node,
    /// The sizes of space.
    sizes: Vec<usize>,
    /// Places along each axis of space, -1 to 1, `[N, P, 1]`.
    at: Vec<Node>,
    /// `[N, (D',) H', W']`
    outputs: Vec<Dim>,
    kind: Kind,
}

impl Grid {
    fn of(n: &OnnxNode) -> Result<Grid, ShapeError> {
        let (images, grid, kind) = (n.image(0)?, n.x(1)?, n.kind(0)?);
        let (of_images, of_grid) = (images.shape(), grid.shape());
        let rank = of_images.rank();
        let refuse = |expected: &str, help: &str| {
            Err(ShapeError::new(expected, format!("{of_images} (channels last) and {of_grid}"), help))
        };
        let axes = rank.saturating_sub(2);
        if !(2..=3).contains(&axes) || of_grid.rank() != rank || of_grid.dims()[rank - 1] != Dim::Fixed(axes) {
            let expected = "images [N, C, H, W] and a grid [N, H', W', 2], or volumes [N, C, D, H, W] and a grid [N, D', H', W', 3]";
            return refuse(expected, "sample images or volumes");
        }
        let fixed = |dims: &[Dim]| dims.iter().map(|d| d.fixed()).collect::<Option<Vec<usize>>>();
        let (sizes, points) = (fixed(&of_images.dims()[1..rank - 1]), fixed(&of_grid.dims()[1..rank - 1]));
        let (Some(sizes), Some(points), true) = (sizes, points, of_images.dims()[0] == of_grid.dims()[0]) else {
            return refuse(
                "sizes that are known, and a grid for each image",
                "state the sizes of images; only the batch can stay open",
            );
        };
        let outputs = of_grid.dims()[..rank - 1].to_vec();
        let flat = vec![outputs[0], Dim::Fixed(points.iter().product()), Dim::Fixed(axes)];
        let grid = grid.reshape(flat);
        // A place names its column first.
        let at = (0..axes).rev().map(|place| grid.slice(-1, place..place + 1)).collect();
        Ok(Grid { images, sizes, at, outputs, kind })
    }
}

/// The element at a place of -1 to 1, between the edges or the middles of the outermost ones.
fn element(place: &Node, size: usize, corners: bool) -> Node {
    let (size, x) = (size as f64, place + 1.0);
    if corners { x * ((size - 1.0) / 2.0) } else { x * (size / 2.0) - 0.5 }
}

/// An element's place brought inside, if anything is read beyond the edges.
fn padded(x: &Node, size: usize, beyond: Beyond, corners: bool) -> Node {
    let last = size as f64 - 1.0;
    match beyond {
        Beyond::Zeros => x.clone(),
        Beyond::Border => x.clamp(0.0, last),
        Beyond::Reflection if corners => mirrored(x, 0.0, last),
        Beyond::Reflection => mirrored(x, -0.5, last + 0.5).clamp(0.0, last),
    }
}

/// The four elements around a place with their weights in cubic convolution. Keys 1981, eq. 15 with a = -¾.
fn taps(place: &Node) -> Vec<(Node, Node)> {
    let first = place.floor();
    let t = place - &first;
    let near = |d: &Node| (d * (CUBIC + 2.0) - (CUBIC + 3.0)) * d.square() + 1.0;
    let far = |d: &Node| ((d - 5.0) * d + 8.0) * d * CUBIC - 4.0 * CUBIC;
    let rest = 1.0 - &t;
    vec![
        (&first - 1.0, far(&(&t + 1.0))),
        (first.clone(), near(&t)),
        (&first + 1.0, near(&rest)),
        (first + 2.0, far(&(rest + 1.0))),
    ]
}

fn sum(terms: impl Iterator<Item = Node>) -> Node {
    terms.reduce(|sum, term| sum + term).expect("images have a size")
}

/// The nearest whole number, of two the even one.
fn rounded(x: &Node) -> Node {
    let up = (x + 0.5).floor();
    let odd = &up - (&up * 0.5).floor() * 2.0;
    let tie = (&up - x).eq(0.5);
    &up - odd * tie
}

/// What lies outside, mirrored at the edges until it lies inside.
fn mirrored(x: &Node, low: f64, high: f64) -> Node {
    let length = high - low;
    if length <= 0.0 {
        return x * 0.0 + low;
    }
    let way = (x - low).abs() * (1.0 / length);
    let turns = way.floor();
    let rest = (way - &turns) * length;
    let odd = &turns - (&turns * 0.5).floor() * 2.0;
    odd.gt(0.5).select(high - &rest, &rest + low)
}
