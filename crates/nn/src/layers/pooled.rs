//! What all poolings over space share: which number stands for a window, and from settings to windows.

use super::spatial::{channels_first, channels_last};
use super::window::windows;
use super::{Padding, PerAxis};
use crate::check;
use gradus_graph::{Node, PoolAxis, ShapeError};
use serde::{Deserialize, Serialize};

/// Which number stands for many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Their mean.
    #[default]
    Avg,
    /// The largest.
    Max,
    /// Their norm `(Σ|x|^p)^(1/p)`.
    Lp,
}

impl Over {
    /// Over windows of `[B, ..sizes, C]`; averages leave the padding out.
    pub(super) fn windows(self, x: &Node, axes: &[PoolAxis], p: f64) -> Node {
        match self {
            Over::Avg => x.mean_pool(axes),
            Over::Max => x.max_pool(axes),
            Over::Lp => root(&power(x, p).sum_pool(axes, 1.0), p),
        }
    }

    /// Over axes, which stay with size 1.
    pub(super) fn axes(self, x: &Node, axes: &[isize], p: f64) -> Node {
        match self {
            Over::Avg => x.mean(axes),
            Over::Max => x.max(axes),
            Over::Lp => root(&power(x, p).sum(axes), p),
        }
    }

    pub(super) fn check(self, p: f64) -> Result<(), ShapeError> {
        check::within("p", p, 1.0.., "of at least 1; the limit of large p is the maximum")
    }
}

/// `|x|^p`
fn power(x: &Node, p: f64) -> Node {
    match p {
        1.0 => x.abs(),
        2.0 => x.square(),
        _ => x.abs().pow(p),
    }
}

/// `s^(1/p)` for s ≥ 0, with the gradient 0 at 0.
fn root(s: &Node, p: f64) -> Node {
    if p == 1.0 {
        return s.clone();
    }
    // Not `s > 0`: a NaN must not become 0.
    let zero = s.eq(0.0);
    let safe = zero.select(1.0, s);
    zero.select(0.0, if p == 2.0 { safe.sqrt() } else { safe.pow(1.0 / p) })
}

/// Windows over `x: [B, C, H, W]`, also sequences `[B, T, C]` and volumes, through `f` over `[B, ..sizes, C]`.
#[track_caller]
pub(super) fn over_windows(
    x: &Node,
    name: &'static str,
    size: &PerAxis,
    stride: Option<&PerAxis>,
    dilation: &PerAxis,
    padding: &Padding,
    f: impl FnOnce(&Node, &[PoolAxis]) -> Node,
) -> Node {
    let spatial = match channels_last(x, name, 1..=3) {
        Ok(spatial) => spatial,
        Err(refused) => return refused,
    };
    let windows = windows(&spatial.sizes, size, stride.unwrap_or(size), dilation, padding);
    let axes: Result<Vec<PoolAxis>, ShapeError> = windows.map(|all| all.into_iter().map(PoolAxis::from).collect());
    match axes {
        Ok(axes) => channels_first(&f(&spatial.x, &axes)),
        Err(error) => x.graph().refuse(name, error),
    }
}
