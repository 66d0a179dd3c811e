//! The layout of images and sequences: people write `[B, C, H, W]`, ops over space take `[B, H, W, C]`.

use gradus_graph::{Node, ShapeError};
use std::ops::RangeInclusive;

/// An input over space with its channels last.
pub(crate) struct Spatial {
    /// `[B, ..sizes, C]`
    pub x: Node,
    /// The sizes of the spatial axes.
    pub sizes: Vec<usize>,
    /// The number of channels.
    pub channels: usize,
}

/// Brings the channels to the end: sequences `[B, T, C]` as they are, images `[B, C, H, W]` and volumes `[B, C, D, H, W]` turned. `name`
/// is the layer's, `axes` says how many spatial axes it can take.
///
/// # Errors
/// The poisoned node that reports another rank or an axis behind the batch that is not of fixed size.
#[track_caller]
pub(crate) fn channels_last(x: &Node, name: &'static str, axes: RangeInclusive<usize>) -> Result<Spatial, Node> {
    if x.is_poisoned() {
        return Err(x.clone());
    }
    let shape = x.shape();
    let rank = shape.rank();
    let sizes: Option<Vec<usize>> = shape.dims().iter().skip(1).map(|d| d.fixed()).collect();
    let Some(mut sizes) = sizes.filter(|_| rank >= 2 && axes.contains(&(rank - 2))) else {
        let layouts: Vec<&str> = axes.clone().map(layout).collect();
        let help = if layouts.len() == 1 && *axes.start() == 1 {
            "bring images to a sequence with a reshape, rows to [B, T, C]"
        } else {
            "the input must still have its height and width: put the layer before `flatten`, or give a grey image one channel"
        };
        let error = ShapeError::new(format!("{} of fixed sizes", layouts.join(" or ")), shape.to_string(), help);
        return Err(x.graph().refuse(name, error));
    };
    if rank == 3 {
        let channels = sizes.pop().unwrap_or(1);
        return Ok(Spatial { x: x.clone(), sizes, channels });
    }
    let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    let channels = sizes.remove(0);
    Ok(Spatial { x: x.permute(order), sizes, channels })
}

/// Brings the channels of `[B, ..sizes, C]` back to where [`channels_last`] took them from.
#[track_caller]
pub(crate) fn channels_first(y: &Node) -> Node {
    let rank = y.shape().rank();
    if y.is_poisoned() || rank <= 3 {
        return y.clone();
    }
    y.permute([0, rank - 1].into_iter().chain(1..rank - 1).collect::<Vec<_>>())
}

fn layout(axes: usize) -> &'static str {
    match axes {
        1 => "a sequence [B, T, C]",
        2 => "an image [B, C, H, W]",
        _ => "a volume [B, C, D, H, W]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_graph::Graph;

    #[test]
    fn channels_go_to_the_end_and_back() {
        let g = Graph::new();
        for (shape, last) in
            [(vec![5, 3], "[B, 5, 3]"), (vec![3, 5, 6], "[B, 5, 6, 3]"), (vec![3, 4, 5, 6], "[B, 4, 5, 6, 3]")]
        {
            let x = g.input(&format!("x{}", shape.len()), &shape);
            let spatial = channels_last(&x, "max_pool", 1..=3).ok().unwrap();
            assert_eq!(spatial.x.shape().to_string(), last);
            assert_eq!((spatial.channels, spatial.sizes.len()), (3, shape.len() - 1));
            assert_eq!(channels_first(&spatial.x).shape(), x.shape());
        }
    }

    #[test]
    fn rows_are_refused() {
        let g = Graph::new();
        let x = g.input("x", [7]);
        let y = channels_last(&x, "conv2d", 2..=2).err().unwrap();
        let error = g.model(&[("y", &y)]).unwrap_err().to_string();
        assert!(error.contains("expected: an image [B, C, H, W] of fixed sizes\n  received: [B, 7]"), "{error}");
    }
}
