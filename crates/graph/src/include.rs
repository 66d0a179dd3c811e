//! A finished model as a part of a larger graph.

use crate::graph::Graph;
use crate::model::{Entry, Model, NodeId};
use crate::{GraphError, Node, Op, ShapeError};
use gradus_tensor::Shape;

impl Graph {
    /// A model's outputs by name, computed from `inputs`: one value for each input of the model, in its order and of its shape.
    ///
    /// Its variables come along under their own paths, each of which must be free here; updates do not. Values that do not fit, and paths that
    /// are taken, are errors that [`Graph::model`] reports.
    ///
    /// ```
    /// use gradus_graph::{Constant, Graph, Role};
    /// let g = Graph::new();
    /// let w = g.variable("w", [3], Constant(0.5), Role::Weight);
    /// let y = g.input("x", [3]) * w;
    /// let model = g.model(&[("y", &y)])?;
    ///
    /// let larger = Graph::new();
    /// let scaled = larger.input("raw", [3]) / 255.0;
    /// let outputs = larger.include(&model, &[&scaled]);
    /// let larger = larger.model(&[("y", &outputs[0].1)])?;
    /// assert_eq!(larger.inputs()[0].name, "raw");
    /// assert_eq!(larger.variables()[0].path, "w");
    /// # Ok::<(), gradus_graph::GraphError>(())
    /// ```
    #[track_caller]
    pub fn include(&self, model: &Model, inputs: &[&Node]) -> Vec<(String, Node)> {
        let shapes = |list: Vec<Shape>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let expected: Vec<Shape> = model.inputs().iter().map(|input| input.shape.clone()).collect();
        let received: Vec<Shape> = inputs.iter().map(|x| x.shape()).collect();
        if expected != received {
            let help = "give one value for each input of the model, in their order";
            let poison = self.refuse("include", ShapeError::new(shapes(expected), shapes(received), help));
            return model.outputs().iter().map(|(name, _)| (name.clone(), poison.clone())).collect();
        }
        let frozen = &model.inner;
        let mut own = self.0.borrow_mut();
        let (variables, flats) = (own.variables.len(), own.flats.len());
        for variable in &frozen.variables {
            if own.variables.iter().any(|v| v.path == variable.path) {
                own.errors.push(GraphError::Duplicate { what: "variable", name: variable.path.clone() });
            }
        }
        own.variables.extend(frozen.variables.iter().cloned());
        own.flats.extend(frozen.flats.iter().map(|flat| flat.iter().map(|v| v + variables).collect()));
        let mut place: Vec<NodeId> = vec![];
        for entry in &frozen.nodes {
            let op = match &entry.op {
                Op::Input(i) => {
                    place.push(inputs[*i].id);
                    continue;
                }
                Op::Variable(v) => Op::Variable(v + variables),
                Op::Flat(f) => Op::Flat(f + flats),
                Op::Pack(f) => Op::Pack(f + flats),
                op => op.clone(),
            };
            let from = entry.inputs.iter().map(|&x| place[x]).collect();
            own.nodes.push(Entry { op, inputs: from, ..entry.clone() });
            place.push(own.nodes.len() - 1);
        }
        drop(own);
        let node = |id: NodeId| Node { graph: self.clone(), id: place[id] };
        model.outputs().iter().map(|(name, id)| (name.clone(), node(*id))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Constant, Engine, Request, Role, State};
    use gradus_kernels::Pool;

    fn part() -> Model {
        let g = Graph::new();
        let w = g.variable("w", [2], Constant(3.0), Role::Weight);
        let (a, b) = (g.input("a", [2]), g.input("b", [2]));
        g.model(&[("sum", &(&a + &b)), ("scaled", &(&a * &w))]).unwrap()
    }

    #[test]
    fn the_part_computes_what_it_did() {
        let g = Graph::new();
        let other = g.variable("other", [2], Constant(10.0), Role::Weight);
        let x = g.input("x", [2]);
        let outputs = g.include(&part(), &[&(&x * &other), &x]);
        let names: Vec<&str> = outputs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["sum", "scaled"]);
        let model = g.model(&[("y", &(&outputs[0].1 - &outputs[1].1))]).unwrap();
        let mut state = State::<f32>::new(&model, 0);
        let mut engine = Engine::new(&model, Request::predicting(&["y"])).unwrap();
        engine.run(&mut state, &[&[1.0, 2.0]], 1, 1, &Pool::new(1)).unwrap();
        assert_eq!(engine.output("y").unwrap(), [10.0 + 1.0 - 30.0, 20.0 + 2.0 - 60.0]);
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let g = Graph::new();
        let x = g.input("x", [2]);
        let y = &g.include(&part(), &[&x])[0].1;
        let error = g.model(&[("y", y)]).unwrap_err().to_string();
        assert!(error.contains("[B, 2], [B, 2]") && error.contains("one value for each input"), "{error}");
        let g = Graph::new();
        let (x, _) = (g.input("x", [2]), g.variable("w", [1], Constant(0.0), Role::Weight));
        let y = &g.include(&part(), &[&x, &x])[0].1;
        assert!(matches!(g.model(&[("y", y)]), Err(GraphError::Duplicate { .. })));
    }
}
