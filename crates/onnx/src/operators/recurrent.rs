//! RNN, GRU and LSTM: one step after the other, with the products of all inputs taken at once.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, Role, ShapeError};
use gradus_tensor::Dim;

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "RNN", read: |n| read(n, &Cell { gates: 1, usual: &["Tanh"], states: 1, step: simple }) },
    OnnxOp { name: "GRU", read: |n| read(n, &Cell { gates: 3, usual: &["Sigmoid", "Tanh"], states: 1, step: gated }) },
    OnnxOp {
        name: "LSTM",
        read: |n| read(n, &Cell { gates: 4, usual: &["Sigmoid", "Tanh", "Tanh"], states: 2, step: long }),
    },
];

type Result<T> = std::result::Result<T, ShapeError>;

/// A kind of cell.
struct Cell {
    /// Rows of weights for each unit.
    gates: usize,
    /// The functions it applies unless others are named.
    usual: &'static [&'static str],
    /// Values that go from step to step: the output, and what else it remembers.
    states: usize,
    step: fn(&Direction, &Node, &[Node]) -> Vec<Node>,
}

/// What one direction computes with.
struct Direction {
    units: usize,
    /// `[H, gates·H]`
    recurrent: Node,
    /// `[gates·H]` for the inputs and for the recurrence, if there are some.
    bias: Option<[Node; 2]>,
    /// `[3·H]`, for input, output and forget gate.
    peepholes: Option<Node>,
    activations: Vec<Activation>,
    clip: Option<f64>,
    couple_forget: bool,
    reset_after: bool,
}

#[derive(Clone, Debug)]
struct Activation {
    name: String,
    alpha: f64,
    beta: f64,
}

impl Activation {
    fn new(name: &str, alpha: Option<f64>, beta: Option<f64>) -> Result<Activation> {
        let lower = name.to_ascii_lowercase();
        let (usual_alpha, usual_beta) = match lower.as_str() {
            "tanh" | "sigmoid" | "relu" | "softsign" | "softplus" => (0.0, 0.0),
            "leakyrelu" => (0.01, 0.0),
            "thresholdedrelu" | "elu" => (1.0, 0.0),
            "hardsigmoid" => (0.2, 0.5),
            "scaledtanh" | "affine" => (1.0, 0.0),
            _ => {
                return Err(ShapeError::new(
                    "an activation of the standard",
                    format!("`{name}`"),
                    "write the file again",
                ));
            }
        };
        Ok(Activation { name: lower, alpha: alpha.unwrap_or(usual_alpha), beta: beta.unwrap_or(usual_beta) })
    }

    fn apply(&self, x: &Node) -> Node {
        let (alpha, beta) = (self.alpha, self.beta);
        match self.name.as_str() {
            "sigmoid" => x.sigmoid(),
            "relu" => x.relu(),
            "softsign" => x / (x.abs() + 1.0),
            "softplus" => x.softplus(),
            "leakyrelu" => x.leaky_relu(alpha),
            "thresholdedrelu" => x.gt(alpha).select(x, 0.0),
            "elu" => x.elu(alpha),
            "hardsigmoid" => (x * alpha + beta).clamp(0.0, 1.0),
            "scaledtanh" => (x * beta).tanh() * alpha,
            "affine" => x * alpha + beta,
            _ => x.tanh(),
        }
    }
}

impl Direction {
    fn apply(&self, i: usize, x: &Node) -> Node {
        let limited = self.clip.map_or_else(|| x.clone(), |limit| x.clamp(-limit, limit));
        self.activations[i].apply(&limited)
    }

    /// Gate `i` of `[B, gates·H]`.
    fn gate(&self, all: &Node, i: usize) -> Node {
        all.slice(-1, i * self.units..(i + 1) * self.units)
    }

    /// The inputs' part with both biases, and the recurrence's.
    fn sums(&self, x: &Node, h: &Node) -> Node {
        let sum = x + h.matmul(&self.recurrent);
        match &self.bias {
            Some([input, recurrent]) => sum + (input + recurrent),
            None => sum,
        }
    }
}

/// `h = f(x·Wᵀ + h·Rᵀ + b)`
fn simple(d: &Direction, x: &Node, states: &[Node]) -> Vec<Node> {
    vec![d.apply(0, &d.sums(x, &states[0]))]
}

/// Gates z, r, h. Cho et al. 2014; with `linear_before_reset` as in cuDNN.
fn gated(d: &Direction, x: &Node, states: &[Node]) -> Vec<Node> {
    let h = &states[0];
    let units = d.units;
    let hidden = d.recurrent.slice(-1, 2 * units..3 * units);
    let gates = d.recurrent.slice(-1, 0..2 * units);
    let bias = |range: std::ops::Range<usize>, i: usize| d.bias.as_ref().map(|b| b[i].slice(-1, range));
    let add = |x: Node, b: Option<Node>| match b {
        Some(b) => x + b,
        None => x,
    };
    let mut sums = x.slice(-1, 0..2 * units) + h.matmul(&gates);
    for i in 0..2 {
        sums = add(sums, bias(0..2 * units, i));
    }
    let update = d.apply(0, &d.gate(&sums, 0));
    let reset = d.apply(0, &d.gate(&sums, 1));
    let input = add(d.gate(x, 2), bias(2 * units..3 * units, 0));
    let inner = bias(2 * units..3 * units, 1);
    let candidate = if d.reset_after {
        input + reset * add(h.matmul(&hidden), inner)
    } else {
        add(input + (reset * h).matmul(&hidden), inner)
    };
    let candidate = d.apply(1, &candidate);
    vec![(1.0 - &update) * candidate + update * h]
}

/// Gates i, o, f, c, with peepholes from the cell. Hochreiter & Schmidhuber 1997; Gers & Schmidhuber 2000.
fn long(d: &Direction, x: &Node, states: &[Node]) -> Vec<Node> {
    let sums = d.sums(x, &states[0]);
    let cell = &states[1];
    let peek = |sum: Node, i: usize, cell: &Node| match &d.peepholes {
        Some(p) => sum + p.slice(-1, i * d.units..(i + 1) * d.units) * cell,
        None => sum,
    };
    let input = d.apply(0, &peek(d.gate(&sums, 0), 0, cell));
    let forget = if d.couple_forget { 1.0 - &input } else { d.apply(0, &peek(d.gate(&sums, 2), 2, cell)) };
    let cell = forget * cell + input * d.apply(1, &d.gate(&sums, 3));
    let output = d.apply(0, &peek(d.gate(&sums, 1), 1, &cell));
    vec![output * d.activations[2].apply(&cell), cell]
}

fn read(n: &OnnxNode, cell: &Cell) -> Result<Vec<Value>> {
    let again = "write the file again";
    let kind = n.kind(0)?;
    let batch_first = n.int("layout")?.unwrap_or(0) != 0;
    let turned = |x: Node| if batch_first { x.permute(with_batch_second(x.shape().rank())) } else { x };
    let x = turned(n.x(0)?);
    let shape = x.shape();
    let [Dim::Fixed(steps), batch, Dim::Fixed(_)] = shape.dims()[..] else {
        let help = "give the model's input a fixed number of steps";
        return Err(ShapeError::new("[steps, batch, features] with fixed steps and features", shape.to_string(), help));
    };
    let ways: &[bool] = match n.text("direction")?.unwrap_or("forward") {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return Err(ShapeError::new("forward, reverse or bidirectional", format!("`{other}`"), again)),
    };
    let weights = n.shape(2)?;
    let units = match weights.dims() {
        [Dim::Fixed(w), _, Dim::Fixed(units)] if *w == ways.len() && *units > 0 => *units,
        _ => return Err(ShapeError::new("weights [directions, gates·H, H]", weights.to_string(), again)),
    };
    let lengths = match n.optional(4) {
        Some(_) => Some(n.x(4)?),
        None => None,
    };
    let (input_weights, recurrent) = (n.weight(1, &[0, 2, 1], Role::Weight)?, n.weight(2, &[0, 2, 1], Role::Weight)?);
    let bias = match n.optional(3) {
        Some(_) => Some(n.weight(3, &[0, 1], Role::Bias)?),
        None => None,
    };
    let peepholes = match n.optional(7) {
        Some(_) if cell.states == 2 => Some(n.weight(7, &[0, 1], Role::Weight)?),
        _ => None,
    };
    let zeros = n.reader.graph().fill(0.0, vec![batch, Dim::Fixed(units)]);
    let mut outputs: Vec<Node> = vec![];
    let mut last: Vec<Vec<Node>> = vec![vec![]; cell.states];
    for (way, &backwards) in ways.iter().enumerate() {
        let one = |x: &Node| x.slice(0, way..way + 1).squeeze(0);
        let width = cell.gates * units;
        let direction = Direction {
            units,
            recurrent: one(&recurrent),
            bias: bias.as_ref().map(|b| [one(b).slice(-1, 0..width), one(b).slice(-1, width..2 * width)]),
            peepholes: peepholes.as_ref().map(one),
            activations: activations(n, cell, way)?,
            clip: n.float("clip")?,
            couple_forget: n.int("input_forget")?.unwrap_or(0) != 0,
            reset_after: n.int("linear_before_reset")?.unwrap_or(0) != 0,
        };
        let mut states = vec![];
        for i in 0..cell.states {
            states.push(match n.optional(5 + i) {
                Some(_) => one(&turned(n.x(5 + i)?)),
                None => zeros.clone(),
            });
        }
        let sums = x.matmul(&one(&input_weights));
        let mut made: Vec<Option<Node>> = vec![None; steps];
        for t in 0..steps {
            let at = if backwards { steps - 1 - t } else { t };
            let step = sums.slice(0, at..at + 1).squeeze(0);
            let new = (cell.step)(&direction, &step, &states);
            let mut output = new[0].clone();
            match &lengths {
                // Beyond a sequence's end its states stay as they are, and the output is 0.
                Some(lengths) => {
                    let inside = lengths.gt(at as f64).unsqueeze(1);
                    output = inside.select(&output, 0.0);
                    states = states.iter().zip(&new).map(|(old, new)| inside.select(new, old)).collect();
                }
                None => states = new,
            }
            made[at] = Some(output.unsqueeze(0));
        }
        let made: Vec<Node> = made.into_iter().flatten().collect();
        let all = Node::concat(&made.iter().collect::<Vec<_>>(), 0);
        outputs.push(all.unsqueeze(1));
        last.iter_mut().zip(states).for_each(|(all, state)| all.push(state.unsqueeze(0)));
    }
    let join = |list: &[Node], axis: isize| Node::concat(&list.iter().collect::<Vec<_>>(), axis);
    // [T, directions, B, H], or batch first [B, T, directions, H].
    let y = join(&outputs, 1);
    let y = if batch_first { y.permute([2, 0, 1, 3]) } else { y };
    let ends = last.iter().map(|states| {
        let state = join(states, 0);
        if batch_first { state.permute([1, 0, 2]) } else { state }
    });
    Ok(std::iter::once(y).chain(ends).map(|node| Value::traced(node, kind)).collect())
}

/// The first two axes exchanged.
fn with_batch_second(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(0, 1);
    order
}

/// The functions of one direction.
fn activations(n: &OnnxNode, cell: &Cell, way: usize) -> Result<Vec<Activation>> {
    use gradus_graph::onnx::Attribute;
    let names: Vec<String> = match n.attributes.get("activations") {
        Some(Attribute::Texts(names)) if names.len() >= cell.usual.len() * (way + 1) => {
            names[cell.usual.len() * way..][..cell.usual.len()].to_vec()
        }
        Some(Attribute::Texts(names)) => {
            let expected = format!("{} activations for each direction", cell.usual.len());
            return Err(ShapeError::new(expected, format!("{names:?}"), "write the file again"));
        }
        _ => cell.usual.iter().map(ToString::to_string).collect(),
    };
    let (alphas, betas) =
        (n.floats("activation_alpha")?.unwrap_or_default(), n.floats("activation_beta")?.unwrap_or_default());
    let at = |list: &[f64], i: usize| list.get(cell.usual.len() * way + i).copied();
    names.iter().enumerate().map(|(i, name)| Activation::new(name, at(&alphas, i), at(&betas, i))).collect()
}
