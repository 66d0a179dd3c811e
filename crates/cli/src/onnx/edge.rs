//! Which data fit which input of a network from a file: as they are, with their axes in another order, or under another shape.

use gradus_graph::Node;
use gradus_onnx::inputs::Size;
use gradus_tensor::{Dim, Shape};

/// How samples become what an input takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// As they are.
    Direct,
    /// The last axis, the channels, comes first: `[H, W, C]` to `[C, H, W]`.
    ChannelsFirst,
    /// The first axis, the channels, comes last: `[C, H, W]` to `[H, W, C]`.
    ChannelsLast,
    /// The same numbers in the same order under this shape: one of the two is flat, or they differ in axes of size 1.
    Reshaped(Vec<usize>),
}

impl Edge {
    /// How samples of these sizes become what an input of those sizes takes, if they can. Sizes that are open take any.
    pub fn between(sample: &[usize], wanted: &[Size]) -> Option<Edge> {
        let fits = |sizes: &[usize]| {
            sizes.len() == wanted.len()
                && sizes.iter().zip(wanted).all(|(size, wanted)| wanted.fixed().is_none_or(|w| w == *size))
        };
        if fits(sample) {
            return Some(Edge::Direct);
        }
        if sample.len() == wanted.len() && (2..=4).contains(&sample.len()) {
            for edge in [Edge::ChannelsFirst, Edge::ChannelsLast] {
                if fits(&edge.sizes(sample)) {
                    return Some(edge);
                }
            }
        }
        let sizes: Vec<usize> = wanted.iter().map(Size::fixed).collect::<Option<_>>()?;
        let count = |sizes: &[usize]| sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        let longer = |sizes: &[usize]| sizes.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
        // Numbers that are in rows already must not be mixed up.
        let alike = sample.len() == 1 || sizes.len() == 1 || longer(sample) == longer(&sizes);
        (alike && count(&sizes) == count(sample)).then_some(Edge::Reshaped(sizes))
    }

    /// What becomes of samples of these sizes.
    pub fn sizes(&self, sample: &[usize]) -> Vec<usize> {
        match self {
            Edge::Reshaped(sizes) => sizes.clone(),
            _ => self.order(sample.len()).into_iter().map(|axis| sample[axis]).collect(),
        }
    }

    /// What becomes of a batch of samples.
    pub fn apply(&self, x: &Node) -> Node {
        match self {
            Edge::Direct => x.clone(),
            Edge::Reshaped(sizes) => {
                let first = x.shape().dims().first().copied();
                let sizes = first.into_iter().chain(sizes.iter().map(|&size| Dim::Fixed(size)));
                x.reshape(Shape::new(sizes.collect::<Vec<_>>()))
            }
            _ => {
                let axes = self.order(x.shape().rank() - 1).into_iter().map(|axis| axis + 1);
                x.permute([0].into_iter().chain(axes).collect::<Vec<_>>())
            }
        }
    }

    /// What it does to samples of these sizes, in words; nothing where they stay as they are.
    pub fn describe(&self, sample: &[usize]) -> Option<String> {
        let sizes = self.sizes(sample);
        match self {
            Edge::Direct => None,
            Edge::Reshaped(_) => Some(format!("samples {sample:?} are read as {sizes:?}")),
            _ => Some(format!("samples {sample:?} are transposed to {sizes:?}")),
        }
    }

    /// Axis `i` of the result is this axis of a sample.
    fn order(&self, rank: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rank).collect();
        match self {
            Edge::ChannelsFirst => order.rotate_right(1),
            Edge::ChannelsLast => order.rotate_left(1),
            _ => {}
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(sample: &[usize], wanted: &[i64]) -> Option<Edge> {
        let size = |&w: &i64| usize::try_from(w).map_or(Size::Open(None), Size::Fixed);
        Edge::between(sample, &wanted.iter().map(size).collect::<Vec<_>>())
    }

    #[test]
    fn layouts() {
        assert_eq!(between(&[3, 32, 32], &[3, 32, 32]), Some(Edge::Direct));
        assert_eq!(between(&[3, 32, 32], &[3, -1, -1]), Some(Edge::Direct));
        assert_eq!(between(&[32, 24, 3], &[3, 32, 24]), Some(Edge::ChannelsFirst));
        assert_eq!(between(&[32, 24, 3], &[3, -1, -1]), Some(Edge::ChannelsFirst));
        assert_eq!(between(&[3, 32, 24], &[32, 24, 3]), Some(Edge::ChannelsLast));
        assert_eq!(between(&[40, 2], &[2, 40]), Some(Edge::ChannelsFirst));
        assert_eq!(between(&[28, 28], &[1, 28, 28]), Some(Edge::Reshaped(vec![1, 28, 28])));
        assert_eq!(between(&[784], &[28, 28, 1]), Some(Edge::Reshaped(vec![28, 28, 1])));
        assert_eq!(between(&[28, 28], &[784]), Some(Edge::Reshaped(vec![784])));
        assert_eq!(between(&[32, 24, 3], &[3, 24, 32]), None);
        assert_eq!(between(&[30, 4], &[5]), None);
        assert_eq!(between(&[28, 28], &[3, -1, -1]), None);
        assert_eq!(between(&[28, 28], &[1, 32, 32]), None);
    }
}
