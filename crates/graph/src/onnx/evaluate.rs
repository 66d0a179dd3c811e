//! Values of nodes that depend on no input, found while a graph is being read: sizes, axes, repeats.

use crate::graph::Inner;
use crate::model::{Model, NodeId};
use crate::{Engine, Node, Op, Request, ShapeError, State};
use gradus_kernels::Pool;
use gradus_tensor::Dim;

/// A whole number that may grow with the batch: `fixed + batches·B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// What does not depend on the batch.
    pub fixed: i64,
    /// How many batches.
    pub batches: i64,
}

impl Extent {
    /// The number, if it does not depend on the batch.
    pub fn known(self) -> Option<i64> {
        (self.batches == 0).then_some(self.fixed)
    }

    /// The size of an axis, if it is one.
    pub fn dim(self) -> Option<Dim> {
        match self {
            Extent { fixed: 0, batches } if batches > 0 => Some(Dim::Batch(usize::try_from(batches).ok()?)),
            Extent { fixed, batches: 0 } => Some(Dim::Fixed(usize::try_from(fixed).ok()?)),
            _ => None,
        }
    }
}

/// Batch sizes with many divisors, so that quotients of multiples stay whole.
const BATCHES: [usize; 3] = [5040, 10080, 25200];

/// Numbers at a batch size.
type Numbers = (Vec<usize>, Vec<f64>);

/// The value of a node at a batch size, in double precision.
pub(super) fn at(node: &Node, batch: usize, most: usize) -> Result<Numbers, ShapeError> {
    let sizes = node.shape().at(batch);
    let error = |received: String| {
        let help = "bind the input that it depends on to a constant, or store it in the file";
        ShapeError::new("a value that is known when the graph is read", received, help)
    };
    if sizes.iter().product::<usize>() > most {
        return Err(error(format!("{sizes:?} numbers")));
    }
    let model = cone(node).map_err(error)?;
    let run = || {
        let mut state = State::<f64>::new(&model, 0);
        let mut engine = Engine::new(&model, Request::predicting(&["y"])).map_err(|e| e.to_string())?;
        engine.run(&mut state, &[], batch, 1, &Pool::new(1)).map_err(|e| e.to_string())?;
        Ok(engine.output("y").unwrap_or_default().to_vec())
    };
    Ok((sizes, run().map_err(error)?))
}

/// The value of a node as whole numbers that may grow with the batch.
pub(super) fn extents(node: &Node, most: usize) -> Result<Vec<Extent>, ShapeError> {
    let depends = mentions_batch(node);
    let (sizes, first) = at(node, BATCHES[0], most)?;
    if !depends {
        return Ok(first.iter().map(|&v| Extent { fixed: whole(v), batches: 0 }).collect());
    }
    let error = || {
        let help = "give the model's input a fixed batch size";
        ShapeError::new("sizes that are fixed or multiples of the batch", "a size that grows otherwise", help)
    };
    let [b0, b1, b2] = BATCHES.map(|b| b as i64);
    let (again, second) = at(node, BATCHES[1], most)?;
    let (_, third) = at(node, BATCHES[2], most)?;
    if sizes != again {
        return Err(error());
    }
    let of = |i: usize| {
        let [v0, v1, v2] = [&first, &second, &third].map(|v| whole(v[i]));
        let batches = (v1 - v0) / (b1 - b0);
        let extent = Extent { fixed: v0 - batches * b0, batches };
        (extent.fixed + batches * b1 == v1 && extent.fixed + batches * b2 == v2).then_some(extent)
    };
    (0..first.len()).map(|i| of(i).ok_or_else(error)).collect()
}

/// A number without its fraction; what lies beyond `i64` becomes its limit.
#[allow(clippy::cast_possible_truncation)]
fn whole(value: f64) -> i64 {
    value as i64
}

/// The nodes that a node is computed from, as a model of their own; or what it depends on that is not known.
fn cone(node: &Node) -> Result<Model, String> {
    let source = node.graph.0.borrow();
    let keep = ancestors(&source, node.id);
    let mut inner = Inner::default();
    let mut place = vec![usize::MAX; node.id + 1];
    for id in keep {
        let mut entry = source.nodes[id].clone();
        match entry.op {
            Op::Input(i) => return Err(format!("a value that depends on the input `{}`", source.inputs[i].name)),
            Op::Variable(v) => {
                inner.variables.push(source.variables[v].clone());
                entry.op = Op::Variable(inner.variables.len() - 1);
            }
            Op::Poison => return Err("a value that depends on what could not be read".into()),
            _ => {}
        }
        entry.inputs.iter_mut().for_each(|input| *input = place[*input]);
        inner.nodes.push(entry);
        place[id] = inner.nodes.len() - 1;
    }
    Ok(Model::new(&inner, vec![("y".into(), place[node.id])]))
}

/// The nodes that a node is computed from and itself, in order.
fn ancestors(graph: &Inner, id: NodeId) -> Vec<NodeId> {
    let mut wanted = vec![false; id + 1];
    wanted[id] = true;
    for i in (0..=id).rev() {
        if wanted[i] {
            graph.nodes[i].inputs.iter().for_each(|&input| wanted[input] = true);
        }
    }
    (0..=id).filter(|&i| wanted[i]).collect()
}

/// Whether some value on the way grows with the batch.
fn mentions_batch(node: &Node) -> bool {
    let graph = node.graph.0.borrow();
    ancestors(&graph, node.id).into_iter().any(|id| {
        let entry = &graph.nodes[id];
        entry.shape.has_batch() || matches!(&entry.op, Op::Count(count) if count.of.has_batch())
    })
}
