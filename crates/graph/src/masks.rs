//! Masks: which positions of a sequence are there, and which are padding.
//!
//! A batch holds sequences of one length; shorter ones are filled up. A mask `[B, T]` of `x: [B, T, D]` is 1 where there is something and
//! 0 where there is padding. The graph keeps it beside the node: formulas do not see it, layers ask for it. Whoever applies a layer
//! hands the mask on ([`Node::inherit_mask`]), so that it travels from an embedding through any number of layers to a pooling, which takes
//! it off.

use crate::{Node, ShapeError};

impl Node {
    /// The same value with a mask: 1 where there is something, 0 where there is padding. The mask's axes are the value's first ones:
    /// `[B, T]` for sequences `[B, T, D]`, `[B, S, T]` for documents `[B, S, T, D]`. It takes the place of a mask that was there.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.input("x", [7, 3]).with_mask(&g.input("mask", [7]));
    /// assert_eq!(x.mask().unwrap().shape().to_string(), "[B, 7]");
    /// assert!((&x * 2.0).mask().is_none(), "a formula's result has none of its own");
    /// ```
    #[track_caller]
    pub fn with_mask(&self, mask: &Node) -> Node {
        if self.is_poisoned() || mask.is_poisoned() {
            return if self.is_poisoned() { self.clone() } else { mask.clone() };
        }
        let (own, given) = (self.shape(), mask.shape());
        if given.rank() == 0 || own.dims().get(..given.rank()) != Some(given.dims()) {
            let expected = match own.rank() {
                0 | 1 => "a sequence, [B, T, D], to mask".to_string(),
                rank => format!("a mask of its first axes, {}", gradus_tensor::Shape::new(&own.dims()[..rank - 1])),
            };
            let received = format!("a mask {given} for {own}");
            let help = "give one number for each position: 1 where there is something, 0 where there is padding";
            return self.graph.refuse("with_mask", ShapeError::new(expected, received, help));
        }
        let masked = self.reshape(own);
        self.graph.0.borrow_mut().hooks.masks.insert(masked.id, Some(mask.id));
        masked
    }

    /// The mask of this sequence, if it has one.
    pub fn mask(&self) -> Option<Node> {
        let id = self.graph.0.borrow().hooks.masks.get(&self.id).copied().flatten()?;
        Some(Node { graph: self.graph.clone(), id })
    }

    /// The same value without a mask, and none is handed on to it: for results that are no longer the sequence they come from.
    #[track_caller]
    pub fn without_mask(&self) -> Node {
        let known = self.graph.0.borrow().hooks.masks.get(&self.id).copied();
        let plain = if known.flatten().is_some() { self.reshape(self.shape()) } else { self.clone() };
        self.graph.0.borrow_mut().hooks.masks.insert(plain.id, None);
        plain
    }

    /// Takes over the mask of `x`, from which this value was made, if it still has the axes that the mask is of and a further one, and if
    /// nothing was said about its mask before.
    pub fn inherit_mask(&self, x: &Node) {
        let Some(mask) = x.mask().filter(|_| !self.is_poisoned() && self.id != x.id) else { return };
        let (own, given) = (self.shape(), mask.shape());
        if own.rank() > given.rank() && own.dims()[..given.rank()] == *given.dims() {
            self.graph.0.borrow_mut().hooks.masks.entry(self.id).or_insert(Some(mask.id));
        }
    }

    /// Takes over the masks of several values that were merged into this one, in the way of [`Node::inherit_mask`]: a position is there
    /// where it is there in all of them. Values without a mask do not count.
    #[track_caller]
    pub fn inherit_masks(&self, merged: &[Node]) {
        let own = self.shape();
        let fits = |mask: &Node| own.rank() > mask.shape().rank() && own.dims().starts_with(mask.shape().dims());
        let mut masks: Vec<Node> =
            merged.iter().filter(|x| x.id != self.id).filter_map(Node::mask).filter(fits).collect();
        masks.sort_by_key(|mask| mask.id);
        masks.dedup_by_key(|mask| mask.id);
        let same_rank = masks.windows(2).all(|pair| pair[0].shape() == pair[1].shape());
        let Some(mask) = masks.into_iter().reduce(|a, b| a * b).filter(|_| same_rank && !self.is_poisoned()) else {
            return;
        };
        self.graph.0.borrow_mut().hooks.masks.entry(self.id).or_insert(Some(mask.id));
    }
}
