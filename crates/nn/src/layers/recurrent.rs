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

    /// What is wrong with the settings that this cell alone has.
    fn check_own(&self) -> Result<(), ShapeError> {
        Ok(())
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

/// Gives a config with the settings of [`Settings`] its builder methods and makes it a layer.
macro_rules! recurrent_layer {
    ($layer:ident, $name:literal) => {
        impl $layer {
            /// Several of them, one on the other.
            pub fn layers(mut self, layers: usize) -> $layer {
                self.layers = layers;
                self
            }

            /// Reads each sequence from both ends, the outputs side by side.
            pub fn bidirectional(mut self) -> $layer {
                self.bidirectional = true;
                self
            }

            /// Returns the outputs of all steps.
            pub fn return_sequence(mut self) -> $layer {
                self.return_sequence = true;
                self
            }

            /// The layer from given states on, and the states that it ends in: to go on with a sequence cut in parts, or to start a
            /// decoder where an encoder ended.
            ///
            /// `x: [B, T, D]`; `start` and the result's second part have one `[B, units]` for each state of each direction of each
            /// layer: `h` (and `c` of an LSTM) of `layer0/forward`, then of `layer0/backward`, of `layer1/forward`, … An empty `start` means zeros. A backward direction starts at the end of the sequence and ends at its
            /// first step. PyTorch keeps the same states as `h_0` and `c_0`, `[layers·directions, B, units]` each.
            ///
            /// Parameters are made in the scope that is open: `graph.scope("encoder", || layer.steps(&x, &[]))`.
            ///
            /// # Errors
            /// A poisoned node for settings or states that do not fit; [`Graph::model`](gradus_graph::Graph::model) reports it.
            ///
            /// ```
            /// use gradus_graph::Graph;
            #[doc = concat!("use gradus_nn::layers::", stringify!($layer), ";")]
            /// let g = Graph::new();
            #[doc = concat!("let layer = ", stringify!($layer), "::new(8).return_sequence();")]
            /// let (_, ends) = g.scope("encoder", || layer.steps(&g.input("question", [9, 3]), &[]));
            /// let (y, _) = g.scope("decoder", || layer.steps(&g.input("answer", [5, 2]), &ends));
            /// assert_eq!((y.shape().to_string(), ends[0].shape().to_string()), ("[B, 5, 8]".into(), "[B, 8]".into()));
            /// ```
            #[track_caller]
            pub fn steps(&self, x: &Node, start: &[Node]) -> (Node, Vec<Node>) {
                let checked = match Layer::check(self) {
                    Ok(()) => self.settings().build(self, x, start),
                    Err(error) => Err(x.graph().refuse($name, error)),
                };
                checked.unwrap_or_else(|refused| {
                    let count = self.settings().states::<$layer>();
                    (refused.clone(), vec![refused; count])
                })
            }

            fn settings(&self) -> Settings<'_> {
                Settings {
                    name: $name,
                    units: self.units,
                    layers: self.layers,
                    bidirectional: self.bidirectional,
                    merge: self.merge,
                    return_sequence: self.return_sequence,
                    dropout: self.dropout,
                    recurrent_dropout: self.recurrent_dropout,
                    bias: self.bias,
                    weight_init: &self.weight_init,
                    recurrent_init: &self.recurrent_init,
                    bias_init: &self.bias_init,
                }
            }
        }

        impl Layer for $layer {
            fn build(&self, x: &Node) -> Node {
                self.settings().build(self, x, &[]).map_or_else(|refused| refused, |(y, _)| y)
            }

            fn set_default_init(&mut self, init: &AnyInit) {
                if matches!(self.weight_init, AnyInit::Auto(_)) {
                    self.weight_init = init.clone();
                }
            }

            fn check(&self) -> Result<(), ShapeError> {
                self.settings().check()?;
                self.check_own()
            }
        }
    };
}
pub(super) use recurrent_layer;

/// One direction's outputs at all steps, `[T, N, units]`, and the states it ends in, `[N, units]` each.
struct Run {
    outputs: Node,
    states: Vec<Node>,
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

    /// How many states there are in all.
    pub(super) fn states<C: Cell>(&self) -> usize {
        C::STATES * self.layers * if self.bidirectional { 2 } else { 1 }
    }

    /// The layer over `x: [.., T, D]` from states `[.., units]` on, and those it ends in.
    ///
    /// # Errors
    /// The poisoned node that reports what does not fit.
    #[track_caller]
    pub(super) fn build<C: Cell>(&self, cell: &C, x: &Node, start: &[Node]) -> Result<(Node, Vec<Node>), Node> {
        let steps = Steps::of(x, self.name)?;
        let graph = x.graph();
        let start = self.start::<C>(&steps, start)?;
        // Time first: the slice of a step lies in one piece.
        let mask = steps
            .mask
            .as_ref()
            .map(|mask| mask.permute([1, 0]).reshape(vec![Dim::Fixed(steps.length), steps.batch, Dim::Fixed(1)]));
        let mut y = steps.x.permute([1, 0, 2]);
        let mut last = y.clone();
        let mut ends = vec![];
        for layer in 0..self.layers {
            if layer > 0 && self.dropout > 0.0 {
                y = y.scope("dropout", |y| Dropout::new(self.dropout).build(y));
            }
            let (first, second) = start[ends.len()..].split_at(C::STATES);
            let directions = || {
                if !self.bidirectional {
                    return vec![self.run(cell, &y, mask.as_ref(), first, false)];
                }
                let forward = graph.scope("forward", || self.run(cell, &y, mask.as_ref(), first, false));
                let backward =
                    graph.scope("backward", || self.run(cell, &y, mask.as_ref(), &second[..C::STATES], true));
                vec![forward, backward]
            };
            let runs = if self.layers > 1 { graph.scope(&format!("layer{layer}"), directions) } else { directions() };
            if let Some(refused) = runs.iter().find(|run| run.outputs.is_poisoned()) {
                return Err(refused.outputs.clone());
            }
            (y, last) = match &runs[..] {
                [forward, backward] => {
                    let last = merge(self.merge, &forward.states[0], &backward.states[0]);
                    (merge(self.merge, &forward.outputs, &backward.outputs), last)
                }
                runs => (runs[0].outputs.clone(), runs[0].states[0].clone()),
            };
            ends.extend(runs.into_iter().flat_map(|run| run.states));
        }
        let y = if self.return_sequence { steps.unfold(&y.permute([1, 0, 2])) } else { steps.pooled(&last) };
        Ok((y, ends.iter().map(|end| steps.unfold(end)).collect()))
    }

    /// The states to start from, `[N, units]`.
    #[track_caller]
    fn start<C: Cell>(&self, steps: &Steps, given: &[Node]) -> Result<Vec<Node>, Node> {
        let graph = steps.x.graph();
        let state = vec![steps.batch, Dim::Fixed(self.units)];
        let count = self.states::<C>();
        if given.is_empty() {
            return Ok(vec![graph.fill(0.0, state); count]);
        }
        let refuse = |expected, received| {
            let help = "give the states of each direction of each layer in order, or none to start from zeros";
            Err(graph.refuse(self.name, ShapeError::new(expected, received, help)))
        };
        if given.len() != count {
            return refuse(format!("{count} states to start from, or none"), given.len().to_string());
        }
        let expected = steps.unfold(&graph.fill(0.0, state.clone())).shape();
        for own in given {
            if own.is_poisoned() {
                return Err(own.clone());
            }
            if own.shape() != expected {
                return refuse(format!("states {expected} to start from"), own.shape().to_string());
            }
        }
        Ok(given.iter().map(|own| own.reshape(state.clone())).collect())
    }

    /// One direction of one layer, `x: [T, N, D]`.
    fn run<C: Cell>(&self, cell: &C, x: &Node, mask: Option<&Node>, start: &[Node], backward: bool) -> Run {
        let (graph, shape, units) = (x.graph(), x.shape(), self.units);
        let (length, batch, inputs) = (shape.dims()[0].fixed().unwrap_or(1), shape.dims()[1], x.units());
        let width = C::GATES * units;
        let init = self.weight_init.resolve(&AnyActivation::from(crate::activations::Tanh));
        let weight = x.param("weight", [inputs, width], init.with(Fans { inputs, outputs: units }), Role::Weight);
        let fans = Fans { inputs: units, outputs: units };
        let recurrent = x.param("recurrent_weight", [units, width], self.recurrent_init.with(fans), Role::Weight);
        // All steps as the rows of one matrix: the bias is added where the product is made.
        let rows = batch.times(Dim::Fixed(length)).unwrap_or(batch);
        let mut projected = x.reshape(vec![rows, Dim::Fixed(inputs)]).matmul(&weight);
        if self.bias {
            let start = Shifted { start: Box::new(self.bias_init.with(fans)), shift: cell.bias_shift() };
            projected = projected + x.param("bias", [width], start, Role::Bias);
        }
        let projected = projected.reshape(vec![Dim::Fixed(length), batch, Dim::Fixed(width)]);
        let extra = if self.bias { cell.extra(x, units) } else { None };
        let weights = Weights { recurrent, extra };
        let state = vec![batch, Dim::Fixed(units)];
        let dropped = (self.recurrent_dropout > 0.0).then(|| {
            let keep = 1.0 - self.recurrent_dropout;
            let kept = graph.random(Random::Bernoulli(keep), state.clone()) * (1.0 / keep);
            kept.when_training(&graph.fill(1.0, state.clone()))
        });
        let (mut states, mut outputs) = (start.to_vec(), vec![]);
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
        Run { outputs, states }
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
