//! Parameters shared by name: wherever a name occurs again, its parameters are found again instead of made.
//!
//! [`Graph::repeat`] shares between passes of one call; this shares between places that know nothing of each other.

use crate::graph::{Graph, Inner};
use crate::{Node, Role, ShapeError};
use gradus_tensor::Shape;

/// Which names have been used, and which are being built.
#[derive(Clone, Default)]
pub(crate) struct Names {
    done: Vec<String>,
    open: Vec<Open>,
}

#[derive(Clone)]
struct Open {
    name: String,
    /// How many scopes were open when it began.
    depth: usize,
    /// Whether the name was used before.
    again: bool,
}

impl Names {
    /// The name whose parameters are being built, with the number of scopes around it.
    pub(crate) fn innermost(&self) -> Option<(&str, usize)> {
        self.open.last().map(|open| (open.name.as_str(), open.depth))
    }
}

impl Graph {
    /// Runs `f`. The variables made in it stand under `name` instead of the scopes around the call, and where the name occurs again,
    /// they are found again, by path, shape and role. Random nodes draw anew in each use.
    ///
    /// A use that needs a parameter which the first did not make, or one of another shape, is an error.
    ///
    /// ```
    /// use gradus_graph::{Constant, Graph, Node, Role};
    /// let g = Graph::new();
    /// let encode = |x: &Node| g.shared("encoder", || x.matmul(&x.param("weight", [3, 2], Constant(1.0), Role::Weight)));
    /// let left = g.scope("left", || encode(&g.input("left", [3])));
    /// let right = g.scope("right", || encode(&g.input("right", [3])));
    /// let model = g.model(&[("left", &left), ("right", &right)])?;
    /// assert_eq!(model.variables().len(), 1);
    /// assert_eq!(model.variables()[0].path, "encoder/weight");
    /// # Ok::<(), gradus_graph::GraphError>(())
    /// ```
    pub fn shared<R>(&self, name: &str, f: impl FnOnce() -> R) -> R {
        {
            let g = &mut *self.0.borrow_mut();
            let again = g.shared.done.iter().any(|done| done == name);
            g.shared.open.push(Open { name: name.into(), depth: g.scopes.len(), again });
        }
        let result = f();
        let g = &mut *self.0.borrow_mut();
        if let Some(open) = g.shared.open.pop().filter(|open| !open.again) {
            g.shared.done.push(open.name);
        }
        result
    }

    /// Whether this name is being built: it cannot hold itself.
    pub fn is_sharing(&self, name: &str) -> bool {
        self.0.borrow().shared.open.iter().any(|open| open.name == name)
    }

    /// The variable that an earlier use of the name made, or the poisoned node that reports that there is none; nothing in a first use.
    #[track_caller]
    pub(crate) fn shared_before(&self, path: &str, shape: &[usize], role: Role) -> Option<Node> {
        let (name, found) = {
            let g: &Inner = &self.0.borrow();
            let open = g.shared.open.last().filter(|open| open.again)?;
            let found = g.variables.iter().position(|v| v.path == path);
            (open.name.clone(), found.map(|i| (i, g.variables[i].shape.clone(), g.variables[i].role)))
        };
        let received = format!("`{path}` {}", Shape::fixed(shape));
        let help = format!("give all uses of `{name}` the same layers and inputs of one size, or another name");
        match found {
            Some((index, made, as_role)) if made == shape && as_role == role => Some(self.variable_node(index)),
            Some((_, made, _)) => {
                let expected = format!("{}, as `{name}` was made where it was first used", Shape::fixed(&made));
                Some(self.refuse("shared", ShapeError::new(expected, received, help)))
            }
            None => {
                let expected = format!("the parameters that `{name}` has where it was first used");
                Some(self.refuse("shared", ShapeError::new(expected, received, help)))
            }
        }
    }
}
