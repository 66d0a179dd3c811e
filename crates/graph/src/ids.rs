//! How many ids there are: what an embedding must have a vector for.
//!
//! Ids are whole numbers from 0. Whoever makes the input knows how many there are; the graph keeps that beside the node, as it keeps
//! masks, so that a layer over ids needs not be told.

use crate::Node;

impl Node {
    /// The same value, known to be ids from 0 to `count - 1`: those of a vocabulary, say. It takes the place of a count that was there.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// let words = Graph::new().index_input("words", [7]).with_ids(5000);
    /// assert_eq!(words.ids(), Some(5000));
    /// assert_eq!((&words + 1.0).ids(), None);
    /// ```
    #[track_caller]
    pub fn with_ids(&self, count: usize) -> Node {
        self.graph.0.borrow_mut().hooks.ids.insert(self.id, count);
        self.clone()
    }

    /// How many ids there are, if this value is ids and that is known.
    pub fn ids(&self) -> Option<usize> {
        self.graph.0.borrow().hooks.ids.get(&self.id).copied()
    }
}
