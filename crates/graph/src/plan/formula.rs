//! The expression that a group computes for every element of its domain.

use super::Planner;
use crate::model::NodeId;
use crate::{Kernel, Op};
use gradus_kernels::instr::{Operand, Reduce, Store};
use gradus_kernels::{Expr, Inst, Real, ValueId};
use std::collections::HashMap;

/// An expression under construction over a domain.
struct Formula {
    expr: Expr,
    inputs: Vec<Operand>,
    values: HashMap<NodeId, ValueId>,
    domain: Vec<usize>,
}

impl<T: Real> Planner<'_, T> {
    /// The expression of a group over its domain, its operands, and what it stores. `head` is a member that is already there as
    /// input 0: a product.
    pub(super) fn formula(&mut self, g: usize, head: Option<NodeId>) -> (Expr, Vec<Operand>, Vec<Store>) {
        let group = self.groups.groups[g].clone();
        let mut f = Formula { expr: Expr::new(), inputs: vec![], values: HashMap::new(), domain: group.domain.clone() };
        if let Some(head) = head {
            f.values.insert(head, f.expr.push(Inst::Input(0)));
        }
        let mut stores = vec![];
        for &id in &group.nodes {
            let reduce = match self.kernels[id].clone() {
                Some(Kernel::Reduce { fold, axes, mean, scale }) => {
                    let x = self.dag.nodes[id].inputs[0];
                    let value = self.element(&mut f, x, head.is_some());
                    f.values.insert(id, value);
                    let (from, to) = (axes[0], axes[axes.len() - 1] + 1);
                    let count: usize = group.domain[from..to].iter().product();
                    Some(Reduce { fold, from, to, scale: if mean { scale / count as f64 } else { scale } })
                }
                _ => {
                    if Some(id) != head {
                        self.inline(&mut f, id, head.is_some());
                    }
                    None
                }
            };
            if let Some(&loc) = self.places.get(&id) {
                stores.push(Store { value: f.values[&id], loc, reduce });
            }
        }
        (f.expr, f.inputs, stores)
    }

    /// The value of a node for one element of a formula's domain.
    fn element(&mut self, f: &mut Formula, id: NodeId, epilogue: bool) -> ValueId {
        if let Some(&value) = f.values.get(&id) {
            return value;
        }
        if let Some(c) = self.dag.constant(id) {
            return f.expr.push(Inst::Const(c));
        }
        if matches!(self.dag.nodes[id].op, Op::Step) && !self.places.contains_key(&id) {
            return f.expr.push(Inst::Step);
        }
        if self.groups.free[id] && self.dag.sizes(id) == f.domain {
            return self.inline(f, id, epilogue);
        }
        let operand = self.value(id).over(&f.domain);
        let shift = usize::from(epilogue);
        let known = f.inputs.iter().position(|o| *o == operand);
        let index = known.unwrap_or_else(|| {
            f.inputs.push(operand);
            f.inputs.len() - 1
        });
        f.expr.push(Inst::Input((index + shift) as u16))
    }

    /// Adds a node's own expression to a formula.
    fn inline(&mut self, f: &mut Formula, id: NodeId, epilogue: bool) -> ValueId {
        let inputs = self.dag.nodes[id].inputs.clone();
        let args: Vec<ValueId> = inputs.iter().map(|&x| self.element(f, x, epilogue)).collect();
        let value = match self.kernels[id].clone() {
            Some(Kernel::Map(expr)) => {
                let mut renamed: Vec<ValueId> = vec![];
                for inst in expr.insts() {
                    renamed.push(match *inst {
                        Inst::Input(i) => args[usize::from(i)],
                        inst => f.expr.push(inst.renamed(|v| renamed[usize::from(v)])),
                    });
                }
                *renamed.last().expect("an expression has a result")
            }
            _ => f.expr.push(Inst::Step),
        };
        f.values.insert(id, value);
        value
    }
}
