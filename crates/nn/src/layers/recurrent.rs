//! Recurrence: what the recurrent layers share. A cell says how one step follows from the one before; this file walks it over time, in
//! both directions and in several layers.
//!
//! The inputs of all steps are projected by one product. A step of padding leaves the state as it was.

use super::sequence::Steps;
use super::{Dropout, Layer, Merge};
use crate::init::{Fans, Orthogonal, Zero};
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Init, Node, Random, Role, ShapeError};
use gradus_tensor::{Dim, Rng};
use std::ops::Range;

/// A cell's parameters in one direction of one layer.
pub(super) struct Weights {
    /// Of the states, `[units, gates·units]`.
    pub(super) recurrent: Node,
    /// What only some cells have.
    pub(super) extra: Option<Node>,
}

/// How one step follows from the one before.
pub(super) trait Cell {
    /// How many blocks of `units` columns the weights have.
    const GATES: usize;

    /// How many states there are; the first is the output.
    const STATES: usize;

    /// The new states from the projected input `p: [N, gates·units]`, the old `states`, each `[N, units]`, and the first of them as the
    /// products shall see it.
    fn step(&self, p: &Node, states: &[Node], h: &Node, weights: &Weights) -> Vec<Node>;

    /// A further parameter.
    fn extra(&self, _x: &Node, _units: usize) -> Option<Node> {
        None
    }

    /// What is added to some of the first biases.
    fn bias_shift(&self) -> Option<(Range<usize>, f64)> {
        None
    }
}

/// What all recurrent layers can be told.
pub(super) struct Settings<'a> {
    pub(super) name: &'static str,
    pub(super) units: usize,
    pub(super) layers: usize,
    pub(super) bidirectional: bool,
    pub(super) merge: Merge,
    pub(super) return_sequence: bool,
    pub(super) dropout: f64,
    pub(super) recurrent_dropout: f64,
    pub(super) bias: bool,
    pub(super) weight_init: &'a AnyInit,
    pub(super) recurrent_init: &'a AnyInit,
    pub(super) bias_init: &'a AnyInit,
}

pub(super) fn one() -> usize {
    1
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn zero() -> AnyInit {
    Zero.into()
}

pub(super) fn orthogonal() -> AnyInit {
    Orthogonal::default().into()
}

/// One direction's outputs at all steps, `[T, N, units]`, and its last one, `[N, units]`.
struct Run {
    outputs: Node,
    last: Node,
}

impl Settings<'_> {
    pub(super) fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("units", self.units)?;
        check::at_least_one("layers", self.layers)?;
        check::below_one("dropout", self.dropout)?;
        check::below_one("recurrent_dropout", self.recurrent_dropout)?;
        self.weight_init.check()?;
        self.recurrent_init.check()?;
        self.bias_init.check()?;
        if self.dropout > 0.0 && self.layers == 1 {
            let help = "it acts between layers: set `layers = 2`, or put a `dropout` layer behind this one";
            return Err(ShapeError::new("no `dropout` in a single layer", self.dropout.to_string(), help));
        }
        if self.merge != Merge::Concat && !self.bidirectional {
            let help = "set `bidirectional = true`, or leave `merge` out";
            return Err(ShapeError::new("two directions to `merge`", "one direction", help));
        }
        Ok(())
    }

    /// The layer over `x: [.., T, D]`.
    #[track_caller]
    pub(super) fn build<C: Cell>(&self, cell: &C, x: &Node) -> Node {
        let steps = match Steps::of(x, self.name) {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let graph = x.graph();
        // Time first: the slice of a step lies in one piece.
        let mask = steps
            .mask
            .as_ref()
            .map(|mask| mask.permute([1, 0]).reshape(vec![Dim::Fixed(steps.length), steps.batch, Dim::Fixed(1)]));
        let mut y = steps.x.permute([1, 0, 2]);
        let mut last = y.clone();
        for layer in 0..self.layers {
            if layer > 0 && self.dropout > 0.0 {
                y = y.scope("dropout", |y| Dropout::new(self.dropout).build(y));
            }
            let directions = || {
                if !self.bidirectional {
                    return self.run(cell, &y, mask.as_ref(), false);
                }
                let forward = graph.scope("forward", || self.run(cell, &y, mask.as_ref(), false));
                let backward = graph.scope("backward", || self.run(cell, &y, mask.as_ref(), true));
                let outputs = merge(self.merge, &forward.outputs, &backward.outputs);
                Run { outputs, last: merge(self.merge, &forward.last, &backward.last) }
            };
            let merged = if self.layers > 1 { graph.scope(&format!("layer{layer}"), directions) } else { directions() };
            (y, last) = (merged.outputs, merged.last);
        }
        if self.return_sequence { steps.unfold(&y.permute([1, 0, 2])) } else { steps.pooled(&last) }
    }

    /// One direction of one layer, `x: [T, N, D]`.
    fn run<C: Cell>(&self, cell: &C, x: &Node, mask: Option<&Node>, backward: bool) -> Run {
        let (graph, shape, units) = (x.graph(), x.shape(), self.units);
        let (length, batch, inputs) = (shape.dims()[0].fixed().unwrap_or(1), shape.dims()[1], x.units());
        let width = C::GATES * units;
        let init = self.weight_init.resolve(&AnyActivation::from(crate::activations::Tanh));
        let weight = x.param("weight", [inputs, width], init.with(Fans { inputs, outputs: units }), Role::Weight);
        let fans = Fans { inputs: units, outputs: units };
        let recurrent = x.param("recurrent_weight", [units, width], self.recurrent_init.with(fans), Role::Weight);
        let mut projected = x.matmul(&weight);
        if self.bias {
            let start = Shifted { start: Box::new(self.bias_init.with(fans)), shift: cell.bias_shift() };
            projected = projected + x.param("bias", [width], start, Role::Bias);
        }
        let extra = if self.bias { cell.extra(x, units) } else { None };
        let weights = Weights { recurrent, extra };
        let state = vec![batch, Dim::Fixed(units)];
        let dropped = (self.recurrent_dropout > 0.0).then(|| {
            let keep = 1.0 - self.recurrent_dropout;
            let kept = graph.random(Random::Bernoulli(keep), state.clone()) * (1.0 / keep);
            kept.when_training(&graph.fill(1.0, state.clone()))
        });
        let mut states = vec![graph.fill(0.0, state.clone()); C::STATES];
        let mut outputs = vec![];
        for step in 0..length {
            let t = if backward { length - 1 - step } else { step };
            let p = projected.slice(0, t..t + 1).reshape(vec![batch, Dim::Fixed(width)]);
            let h = dropped.as_ref().map_or_else(|| states[0].clone(), |dropped| &states[0] * dropped);
            let mut new = cell.step(&p, &states, &h, &weights);
            if let Some(mask) = mask {
                let there = mask.slice(0, t..t + 1).reshape(vec![batch, Dim::Fixed(1)]);
                new = new.iter().zip(&states).map(|(new, old)| there.select(new, old)).collect();
            }
            states = new;
            outputs.push(states[0].reshape(vec![Dim::Fixed(1), batch, Dim::Fixed(units)]));
        }
        if backward {
            outputs.reverse();
        }
        let outputs = Node::concat(&outputs.iter().collect::<Vec<_>>(), 0);
        let outputs = match mask {
            Some(mask) => mask.select(outputs, 0.0),
            None => outputs,
        };
        Run { outputs, last: states[0].clone() }
    }
}

/// Two directions' values as one, the forward one first.
#[track_caller]
fn merge(how: Merge, forward: &Node, backward: &Node) -> Node {
    match how {
        Merge::Concat => Node::concat(&[forward, backward], -1),
        Merge::Sum => forward + backward,
        Merge::Mean => (forward + backward) * 0.5,
        Merge::Product => forward * backward,
        Merge::Max => forward.maximum(backward),
    }
}

/// The columns of one gate.
#[track_caller]
pub(super) fn gate(x: &Node, gate: usize, units: usize) -> Node {
    x.slice(-1, gate * units..(gate + 1) * units)
}

/// First values of a bias, some of them shifted.
#[derive(Debug)]
struct Shifted {
    start: Box<dyn Init>,
    shift: Option<(Range<usize>, f64)>,
}

impl Init for Shifted {
    fn values(&self, shape: &[usize], rng: &mut Rng) -> Vec<f64> {
        let mut values = self.start.values(shape, rng);
        if let Some((range, by)) = &self.shift {
            values[range.clone()].iter_mut().for_each(|x| *x += by);
        }
        values
    }
}
