//! Arithmetic on nodes: `&a + &b`, `a * 2.0`, `1.0 - a`, `-a`.

use crate::{Node, ops};
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operators {
    ($($Trait:ident $method:ident),*) => { $(
        impl $Trait<&Node> for &Node {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: &Node) -> Node { self.graph.apply(ops::$Trait, &[self, other]) }
        }
        impl $Trait<Node> for &Node {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: Node) -> Node { self.graph.apply(ops::$Trait, &[self, &other]) }
        }
        impl $Trait<&Node> for Node {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: &Node) -> Node { self.graph.apply(ops::$Trait, &[&self, other]) }
        }
        impl $Trait<Node> for Node {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: Node) -> Node { self.graph.apply(ops::$Trait, &[&self, &other]) }
        }
        impl $Trait<f64> for &Node {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: f64) -> Node { self.graph.apply(ops::$Trait, &[self, &self.graph.scalar(other)]) }
        }
        impl $Trait<f64> for Node {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: f64) -> Node { self.graph.apply(ops::$Trait, &[&self, &self.graph.scalar(other)]) }
        }
        impl $Trait<&Node> for f64 {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: &Node) -> Node { other.graph.apply(ops::$Trait, &[&other.graph.scalar(self), other]) }
        }
        impl $Trait<Node> for f64 {
            type Output = Node;
            #[track_caller]
            fn $method(self, other: Node) -> Node { other.graph.apply(ops::$Trait, &[&other.graph.scalar(self), &other]) }
        }
    )* };
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl Neg for &Node {
    type Output = Node;
    #[track_caller]
    fn neg(self) -> Node {
        self.graph.apply(ops::Neg, &[self])
    }
}

impl Neg for Node {
    type Output = Node;
    #[track_caller]
    fn neg(self) -> Node {
        self.graph.apply(ops::Neg, &[&self])
    }
}
