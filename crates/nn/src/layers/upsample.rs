//! Images and sequences made larger, by copies or by interpolation.

use super::{Layer, Sight};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError, ops};
use gradus_tensor::{Dim, Shape};
use serde::{Deserialize, Serialize};

/// Each pixel `factor` times along each axis of space, `x: [B, C, H, W] -> [B, C, factor·H, factor·W]`, also `[B, T, D]` along time.
///
/// `linear` interpolates between the centres of pixels and repeats the border (bilinear over images): PyTorch's `Upsample` with
/// `align_corners=False`, Keras' `UpSampling2D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upsample {
    /// How many times larger.
    pub factor: usize,
    /// `nearest` or `linear`.
    pub mode: UpsampleMode,
}

/// What stands between the old pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpsampleMode {
    /// Copies.
    #[default]
    Nearest,
    /// Values on the straight line between neighbours.
    Linear,
}

impl Default for Upsample {
    /// Twice the size by copies.
    fn default() -> Upsample {
        Upsample { factor: 2, mode: UpsampleMode::Nearest }
    }
}

impl Config for Upsample {
    fn examples() -> Vec<Upsample> {
        vec![Upsample::default(), Upsample { factor: 3, mode: UpsampleMode::Linear }]
    }
}

impl Layer for Upsample {
    fn build(&self, x: &Node) -> Node {
        let axes = match x.shape().rank() {
            3 => 1..2,
            rank @ 4.. => 2..rank,
            _ => {
                let help = "reshape the input to a sequence or an image first";
                let expected = "sequences [B, T, D] or images [B, C, H, W]";
                return x.graph().refuse("upsample", ShapeError::new(expected, x.shape().to_string(), help));
            }
        };
        axes.fold(x.clone(), |x, axis| match self.mode {
            UpsampleMode::Nearest => self.copies(&x, axis),
            UpsampleMode::Linear => self.lines(&x, axis),
        })
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        let factor = self.factor.max(1) as f64;
        let extent = match self.mode {
            UpsampleMode::Nearest => (factor - 1.0) / factor,
            UpsampleMode::Linear => 1.0,
        };
        Some(vec![Sight { extent, step: 1.0 / factor }; sizes.len()])
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("factor", self.factor)
    }
}

impl Upsample {
    fn copies(&self, x: &Node, axis: usize) -> Node {
        let mut dims = x.shape().dims().to_vec();
        let Some(larger) = dims[axis].times(Dim::Fixed(self.factor)) else { return x.clone() };
        let mut apart = dims.clone();
        apart.insert(axis + 1, Dim::Fixed(self.factor));
        dims[axis] = larger;
        x.unsqueeze(axis + 1).expand(apart).reshape(dims)
    }

    /// A product with the matrix of weights `[n, factor·n]`: `max(0, 1 - |j - s_i|)`, `s_i = (i + ½)/factor - ½` within the input.
    fn lines(&self, x: &Node, axis: usize) -> Node {
        let (shape, graph) = (x.shape(), x.graph());
        let (rank, Some(n)) = (shape.rank(), shape.dims()[axis].fixed()) else {
            let help = "upsample along axes of fixed size";
            return graph.refuse("upsample", ShapeError::new("a fixed size", shape.to_string(), help));
        };
        let count = |axis| graph.apply(ops::Iota { axis, shape: Shape::fixed(&[n, n * self.factor]) }, &[]);
        let source = ((count(1) + 0.5) * (1.0 / self.factor as f64) - 0.5).clamp(0.0, n as f64 - 1.0);
        let weights = (1.0 - (count(0) - source).abs()).relu();
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(axis, rank - 1);
        x.permute(&order[..]).matmul(&weights).permute(&order[..])
    }
}
