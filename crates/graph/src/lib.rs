//! The symbolic graph.
