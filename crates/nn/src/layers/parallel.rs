//! Branches side by side over one input, and how their ends meet.

use super::held::{self, Held, chain, joined_axis, misfit};
use super::{AnyLayer, Layer};
use crate::AnyInit;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Branches side by side, `x: [B, ..] -> y`: each branch is a list of layers over the same input, and their ends are merged.
///
/// `concat` joins them along the channels (or `axis`), so that all other sizes must agree; the other merges go element by element and
/// need ends of one shape. An empty branch is the input itself. Parameters stand under `parallel/branch/…`, `parallel/branch_1/…`.
///
/// A network with several heads: join the heads with `concat`, and tell them apart by their columns. A recipe trains one output with
/// one loss; several outputs with a loss each are for programs in Rust ([`TrainStep::loss`](crate::TrainStep::loss)).
///
/// ```toml
/// { parallel = { branches = [
///     [ { conv = { filters = 100, size = 3, activation = "relu" } }, { global_pool = { over = "max" } } ],
///     [ { conv = { filters = 100, size = 5, activation = "relu" } }, { global_pool = { over = "max" } } ] ] } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    /// The branches, each a list of layers.
    pub branches: Vec<Vec<AnyLayer>>,
    /// How their ends meet: `concat`, `sum`, `mean`, `product` or `max`.
    #[serde(default)]
    pub merge: Merge,
    /// The axis that `concat` joins along; the channels' where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<isize>,
}

/// How the ends of branches meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// One after the other along an axis.
    #[default]
    Concat,
    /// Element by element their sum.
    Sum,
    /// Element by element their mean.
    Mean,
    /// Element by element their product: a branch that ends in a sigmoid is a gate of the other.
    Product,
    /// Element by element the largest. Of equal ones the first takes the gradient.
    Max,
}

impl Parallel {
    /// Branches joined along their channels.
    pub fn new(branches: impl IntoIterator<Item = Vec<AnyLayer>>) -> Parallel {
        Parallel { branches: branches.into_iter().collect(), merge: Merge::Concat, axis: None }
    }

    /// With another merge.
    pub fn merge(mut self, merge: Merge) -> Parallel {
        self.merge = merge;
        self
    }
}

impl Config for Parallel {
    fn examples() -> Vec<Parallel> {
        use super::Dense;
        let two = || vec![vec![Dense::new(3).tanh().into()], vec![Dense::new(3).into()]];
        let merges = [Merge::Sum, Merge::Mean, Merge::Product, Merge::Max];
        let mut all = vec![Parallel::new(two()), Parallel { axis: Some(-2), ..Parallel::new(two()) }];
        all.push(Parallel::new([vec![], vec![Dense::new(2).into()]]));
        all.extend(merges.map(|merge| Parallel::new(two()).merge(merge)));
        all
    }
}

impl Layer for Parallel {
    fn build(&self, x: &Node) -> Node {
        let ends: Vec<Node> = self.branches.iter().map(|layers| x.scope("branch", |x| chain(x, layers))).collect();
        if let Some(poisoned) = ends.iter().find(|end| end.is_poisoned()) {
            return poisoned.clone();
        }
        let Some(first) = ends.first() else { return x.clone() };
        if self.merge == Merge::Concat {
            let axis = match joined_axis(first, self.axis) {
                Ok(axis) => axis,
                Err(refused) => return refused,
            };
            return match misfit(&ends, axis) {
                Some(odd) => self.refuse(&ends, odd, &format!("branches that differ along axis {axis} alone")),
                None => {
                    let y = Node::concat(&ends.iter().collect::<Vec<_>>(), axis as isize);
                    y.inherit_masks(&ends);
                    y
                }
            };
        }
        if let Some(odd) = ends.iter().position(|end| end.shape() != first.shape()) {
            return self.refuse(&ends, odd, "branches that end in one shape");
        }
        let all = |f: fn(Node, Node) -> Node| ends.iter().cloned().reduce(f).unwrap_or_else(|| x.clone());
        let y = match self.merge {
            Merge::Sum => all(|a, b| a + b),
            Merge::Mean => all(|a, b| a + b) * (1.0 / ends.len() as f64),
            Merge::Product => all(|a, b| a * b),
            Merge::Max | Merge::Concat => all(|a, b| a.maximum(&b)),
        };
        y.inherit_masks(&ends);
        y
    }

    fn held(&self) -> Vec<Held<'_>> {
        let branches = self.branches.iter().enumerate();
        let held = branches.map(|(i, layers)| (format!("branches.{i}"), Cow::Borrowed(&layers[..])));
        held.map(|(setting, layers)| Held { setting, scope: Some("branch"), layers, times: 1 }).collect()
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        self.branches.iter_mut().for_each(|layers| held::set_default_init(layers, init));
    }

    fn check(&self) -> Result<(), ShapeError> {
        if self.branches.is_empty() {
            let help = "name the branches, `branches = [ [ { dense = { units = 8 } } ], [] ]`";
            return Err(ShapeError::new("`branches` of at least one branch", "none", help));
        }
        if let (Some(axis), true) = (self.axis, self.merge != Merge::Concat) {
            let help = "set `merge = \"concat\"`, or leave `axis` out";
            return Err(ShapeError::new(
                "no `axis` where branches are merged element by element",
                axis.to_string(),
                help,
            ));
        }
        self.branches.iter().try_for_each(|layers| held::check(layers))
    }
}

impl Parallel {
    /// The first and the odd branch do not fit.
    #[track_caller]
    fn refuse(&self, ends: &[Node], odd: usize, expected: &str) -> Node {
        let received = format!("{} from branch 1, {} from branch {}", ends[0].shape(), ends[odd].shape(), odd + 1);
        let help = "let all branches end in such shapes, or merge them in another way";
        ends[0].graph().refuse("parallel", ShapeError::new(expected, received, help))
    }
}
