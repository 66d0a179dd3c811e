//! Pooling over time: from a sequence to one vector or a few. The k largest in order of time: Kalchbrenner et al. 2014,
//! arXiv:1404.2188; maxima of chunks: Chen et al. 2015; the first token: Devlin et al. 2019, arXiv:1810.04805.

use super::Layer;
use super::sequence::{LOWEST, Steps};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError, ops};
use gradus_tensor::{Dim, Shape};
use serde::{Deserialize, Serialize, de};

/// Pooling over time, `x: [B, T, D] -> [B, D]`, or `[B, k, D]` by the methods that keep k values of each feature.
///
/// * `first`, `last`: the first step (BERT's class token) or the last.
/// * `max`, `average`: the largest value or the mean of each feature over time.
/// * `k_max`: the k largest values of each feature in their order of time, `[B, k, D]`; `k_average`: their mean, `[B, D]`.
/// * `chunk_max`, `chunk_average`: the steps are cut into k chunks of equal length (from `⌊jT/k⌋` to `⌊(j+1)T/k⌋`), `[B, k, D]`.
///
/// Padding (a mask) never wins and never counts: a padded sequence gives what the sequence alone gives, chunks are those of the steps
/// that are there. What is missing, where fewer than k are there, is 0, and so is what comes of padding alone. Of equal values the first
/// wins and takes the gradient. In a recipe also by the method's name: `{ time_pooling = "max" }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimePooling {
    /// `"first"`, `"last"`, `"max"`, `"average"`, `"k_max"`, `"k_average"`, `"chunk_max"` or `"chunk_average"`.
    pub method: TimeMethod,
    /// How many values are kept, or how many chunks there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
}

/// What is kept of a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeMethod {
    /// The first step.
    First,
    /// The last step.
    Last,
    /// The largest value of each feature.
    #[default]
    Max,
    /// The mean of each feature.
    Average,
    /// The k largest values of each feature, in their order of time.
    KMax,
    /// The mean of each feature's k largest values.
    KAverage,
    /// The largest value of each feature in each of k chunks.
    ChunkMax,
    /// The mean of each feature in each of k chunks.
    ChunkAverage,
}

impl TimeMethod {
    fn counts(self) -> bool {
        use TimeMethod::{ChunkAverage, ChunkMax, KAverage, KMax};
        matches!(self, KMax | KAverage | ChunkMax | ChunkAverage)
    }
}

impl TimePooling {
    /// A method that needs no number.
    pub fn new(method: TimeMethod) -> TimePooling {
        TimePooling { method, k: None }
    }

    /// A method that keeps k values or has k chunks.
    pub fn of(method: TimeMethod, k: usize) -> TimePooling {
        TimePooling { method, k: Some(k) }
    }
}

impl Config for TimePooling {
    fn examples() -> Vec<TimePooling> {
        use TimeMethod::{Average, ChunkAverage, ChunkMax, First, KAverage, KMax, Last, Max};
        let plain = [Max, Average, First, Last].map(TimePooling::new);
        let counting = [KMax, KAverage, ChunkMax, ChunkAverage].map(|method| TimePooling::of(method, 2));
        plain.into_iter().chain(counting).collect()
    }

    fn from_name<E: de::Error>(name: &str) -> Result<TimePooling, E> {
        TimeMethod::deserialize(de::value::StrDeserializer::new(name)).map(TimePooling::new)
    }
}

impl Layer for TimePooling {
    fn build(&self, x: &Node) -> Node {
        let steps = match Steps::of(x, "time_pooling") {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let k = self.k.unwrap_or(1);
        if k > steps.length {
            let help = "lower `k`, or pad the sequences to a greater length";
            let expected = format!("`k` of at most the {} steps of {}", steps.length, x.shape());
            return x.graph().refuse("time_pooling", ShapeError::new(expected, k.to_string(), help));
        }
        let y = match self.method {
            TimeMethod::First => end(&steps, false),
            TimeMethod::Last => end(&steps, true),
            TimeMethod::Max => max(&steps.x, steps.mask.as_ref()).squeeze(1),
            TimeMethod::Average => (steps.filled(0.0).sum(1) / each(&steps.count())).squeeze(1),
            TimeMethod::KMax => in_order(&largest(&steps, k), steps.length),
            TimeMethod::KAverage => mean(&largest(&steps, k)).squeeze(1),
            TimeMethod::ChunkMax | TimeMethod::ChunkAverage => chunks(&steps, k, self.method == TimeMethod::ChunkMax),
        };
        steps.pooled(&y)
    }

    fn check(&self) -> Result<(), ShapeError> {
        match (self.method.counts(), self.k) {
            (true, k) => check::at_least_one("k", k.unwrap_or(0)),
            (false, None) => Ok(()),
            (false, Some(k)) => {
                let help = "leave `k` out, or choose a method that has one, such as \"k_max\"";
                Err(ShapeError::new("no `k` for this method", k.to_string(), help))
            }
        }
    }
}

/// A number of each sample, `[N, 1]` or a constant, under `[N, 1, 1]`.
fn each(number: &Node) -> Node {
    if number.shape().rank() == 0 { number.clone() } else { number.unsqueeze(2) }
}

/// The first step that is there, or the last: `[N, D]`.
fn end(steps: &Steps, last: bool) -> Node {
    let Some(mask) = &steps.mask else {
        let t = if last { steps.length - 1 } else { 0 };
        return steps.x.slice(1, t..t + 1).squeeze(1);
    };
    let times = mask.graph().apply(ops::Iota { axis: 0, shape: Shape::fixed(&[steps.length]) }, &[]);
    let score = if last { mask * (&times + 1.0) } else { mask.clone() };
    let chosen = times.eq(score.argmax(-1)) * mask;
    chosen.unsqueeze(2).select(&steps.x, 0.0).sum(1).squeeze(1)
}

/// The largest values over time among the steps that are there, `[N, 1, D]`; 0 where none is.
fn max(x: &Node, mask: Option<&Node>) -> Node {
    match mask {
        Some(mask) => mask.max(-1).unsqueeze(2).select(mask.unsqueeze(2).select(x, LOWEST).max(1), 0.0),
        None => x.max(1),
    }
}

/// One of the largest values of each feature, each `[N, 1, D]`.
struct Found {
    /// Where it is.
    place: Node,
    /// 0 where nothing was left.
    value: Node,
    /// 1, or 0 where nothing was left.
    there: Node,
}

/// The k largest values of each feature, the largest first.
fn largest(steps: &Steps, k: usize) -> Vec<Found> {
    let times = steps.x.graph().apply(ops::Iota { axis: 1, shape: steps.x.shape() }, &[]);
    let mut rest = steps.filled(LOWEST);
    let found = (0..k).map(|_| {
        let place = rest.argmax(1);
        let there = rest.max(1).gt(LOWEST);
        let hit = times.eq(&place);
        let value = (&hit * &there).select(&steps.x, 0.0).sum(1);
        rest = hit.select(LOWEST, &rest);
        Found { place, value, there }
    });
    found.collect()
}

/// The values found, in the order of their places: `[N, k, D]`. What is missing comes last.
fn in_order(found: &[Found], length: usize) -> Node {
    let beyond = length as f64;
    let places: Vec<Node> = found.iter().map(|f| f.there.select(&f.place, beyond)).collect();
    let places = Node::concat(&places.iter().collect::<Vec<_>>(), 1);
    let values = Node::concat(&found.iter().map(|f| &f.value).collect::<Vec<_>>(), 1);
    // How many of those found come before each.
    let rank = places.unsqueeze(1).lt(places.unsqueeze(2)).sum(2).squeeze(2);
    let slots = Shape::fixed(&[found.len(), 1, 1]);
    let slot = values.graph().apply(ops::Iota { axis: 0, shape: slots }, &[]);
    slot.eq(rank.unsqueeze(1)).select(values.unsqueeze(1), 0.0).sum(2).squeeze(2)
}

/// The mean of the values found, `[N, 1, D]`.
fn mean(found: &[Found]) -> Node {
    let sum = |part: fn(&Found) -> &Node| found[1..].iter().fold(part(&found[0]).clone(), |sum, f| sum + part(f));
    sum(|f| &f.value) / sum(|f| &f.there).maximum(1.0)
}

/// The maximum or mean of each of k chunks, `[N, k, D]`.
fn chunks(steps: &Steps, k: usize, maximum: bool) -> Node {
    let (x, length) = (&steps.x, steps.length);
    let join = |parts: Vec<Node>| Node::concat(&parts.iter().collect::<Vec<_>>(), 1);
    let Some(mask) = &steps.mask else {
        let chunk = |j: usize| x.slice(1, j * length / k..(j + 1) * length / k);
        return join((0..k).map(|j| if maximum { chunk(j).max(1) } else { chunk(j).mean(1) }).collect());
    };
    // The chunk of the step that has r others before it, of n that are there.
    let chunk = (((steps.places() + 1.0) * k as f64 - 1.0) / steps.count()).floor();
    if maximum {
        return join((0..k).map(|j| max(x, Some(&(chunk.eq(j as f64) * mask)))).collect());
    }
    let number = x.graph().apply(ops::Iota { axis: 0, shape: Shape::new([Dim::Fixed(k), Dim::Fixed(1)]) }, &[]);
    let member = number.eq(chunk.unsqueeze(1)) * mask.unsqueeze(1);
    member.matmul(&steps.filled(0.0)) / member.sum(-1).maximum(1.0)
}
