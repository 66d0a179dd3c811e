//! Sequences with their masks: what the layers over time share.

use gradus_graph::{Node, ShapeError, ops};
use gradus_tensor::{Dim, Shape};

/// Stands for -∞ where padding must lose: far below any value, and finite in `f32`.
pub(super) const LOWEST: f64 = -1e30;

/// Sequences `[.., T, D]` with the leading axes folded into one batch of N.
pub(super) struct Steps {
    /// `[N, T, D]`
    pub(super) x: Node,
    /// `[N, T]`, 1 where there is something; none where all is there.
    pub(super) mask: Option<Node>,
    /// N.
    pub(super) batch: Dim,
    /// T.
    pub(super) length: usize,
    /// D.
    pub(super) units: usize,
    /// The axes before T.
    leading: Vec<Dim>,
}

impl Steps {
    /// Folds `x: [.., T, D]`.
    ///
    /// # Errors
    /// The poisoned node that reports a value that is no sequence, or an empty one.
    #[track_caller]
    pub(super) fn of(x: &Node, layer: &'static str) -> Result<Steps, Node> {
        if x.is_poisoned() {
            return Err(x.clone());
        }
        let shape = x.shape();
        let refuse =
            |expected: &str, help: &str| x.graph().refuse(layer, ShapeError::new(expected, shape.to_string(), help));
        let folded = shape.dims().split_last_chunk::<2>().and_then(|(leading, &[time, units])| {
            let batch = leading.iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d))?;
            (!leading.is_empty()).then_some((leading, batch, time.fixed()?, units.fixed()?))
        });
        let Some((leading, batch, length, units)) = folded else {
            let help = "a recurrent layer before it must return its sequence (`return_sequence = true`); ids need an `embedding`";
            return Err(refuse("sequences, [B, T, D]", help));
        };
        if length == 0 || units == 0 {
            return Err(refuse(
                "sequences of at least one step and one feature",
                "leave empty sequences out of the data",
            ));
        }
        let mask = x.mask().map(|mask| {
            let mut dims = mask.shape().dims().to_vec();
            dims.resize(shape.rank() - 1, Dim::Fixed(1));
            let whole = Shape::new(&shape.dims()[..shape.rank() - 1]);
            mask.reshape(dims).expand(whole).reshape(vec![batch, Dim::Fixed(length)])
        });
        let folded = x.reshape(vec![batch, Dim::Fixed(length), Dim::Fixed(units)]);
        Ok(Steps { x: folded, mask, batch, length, units, leading: leading.to_vec() })
    }

    /// `[N, ..] -> [.., ..]`: the leading axes as they were.
    #[track_caller]
    pub(super) fn unfold(&self, y: &Node) -> Node {
        y.reshape([&self.leading[..], &y.shape().dims()[1..]].concat())
    }

    /// As [`Steps::unfold`], for a result that has no time axis any more: a sequence of sequences becomes one sequence, in which those
    /// that were padding all through are padding.
    #[track_caller]
    pub(super) fn pooled(&self, y: &Node) -> Node {
        let y = self.unfold(y);
        match self.present() {
            Some(present) if self.leading.len() > 1 => y.with_mask(&present.reshape(self.leading.clone())),
            _ => y.without_mask(),
        }
    }

    /// `[N, 1]`: 1 where at least one step is there.
    #[track_caller]
    pub(super) fn present(&self) -> Option<Node> {
        self.mask.as_ref().map(|mask| mask.max(-1))
    }

    /// The mask as `[N, T, 1]`.
    #[track_caller]
    pub(super) fn mask_of_steps(&self) -> Option<Node> {
        self.mask.as_ref().map(|mask| mask.unsqueeze(2))
    }

    /// The values with padding replaced.
    #[track_caller]
    pub(super) fn filled(&self, padding: f64) -> Node {
        match self.mask_of_steps() {
            Some(mask) => mask.select(&self.x, padding),
            None => self.x.clone(),
        }
    }

    /// How many steps are there, `[N, 1]`, at least 1; a number where all are.
    #[track_caller]
    pub(super) fn count(&self) -> Node {
        match &self.mask {
            Some(mask) => mask.sum(-1).maximum(1.0),
            None => self.x.graph().scalar(self.length as f64),
        }
    }

    /// For each of the steps that are there, how many are there before it: `[N, T]`.
    #[track_caller]
    pub(super) fn places(&self) -> Node {
        let graph = self.x.graph();
        let square = || Shape::fixed(&[self.length, self.length]);
        let count = |axis| graph.apply(ops::Iota { axis, shape: square() }, &[]);
        match &self.mask {
            Some(mask) => mask.matmul(&count(0).lt(count(1))),
            None => graph.apply(ops::Iota { axis: 0, shape: Shape::fixed(&[self.length]) }, &[]),
        }
    }
}

/// Softmax over the last axis among what is `allowed` (1, the rest 0; broadcast): the others get 0. Where nothing is allowed, all get 0.
#[track_caller]
pub(super) fn softmax_among(scores: &Node, allowed: Option<&Node>) -> Node {
    match allowed {
        Some(allowed) => allowed.select(allowed.select(scores, LOWEST).softmax(), 0.0),
        None => scores.softmax(),
    }
}
