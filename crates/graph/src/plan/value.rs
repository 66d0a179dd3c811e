//! Where values lie: a place with strides, so that views cost nothing.

use super::{Planner, text};
use crate::model::NodeId;
use crate::ops::contiguous;
use crate::{Kernel, Op};
use gradus_kernels::Real;
use gradus_kernels::instr::{Copy, Instr, Loc, Operand, Space};

/// Where a value lies and how it is walked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) loc: Loc,
    pub(super) sizes: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl Value {
    pub(super) fn contiguous(loc: Loc, sizes: Vec<usize>) -> Value {
        let strides = contiguous(&sizes);
        Value { loc, sizes, strides }
    }

    pub(super) fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    pub(super) fn is_contiguous(&self) -> bool {
        self.sizes.iter().zip(&self.strides).zip(contiguous(&self.sizes)).all(|((&n, &s), c)| n == 1 || s == c)
    }

    /// Whether it is the same elements in the same places.
    pub(super) fn is_same(&self, other: &Value) -> bool {
        let strides = self.strides.iter().zip(&other.strides);
        self.loc == other.loc
            && self.sizes == other.sizes
            && strides.zip(&self.sizes).all(|((a, b), &n)| n == 1 || a == b)
    }

    /// With the last two axes swapped.
    pub(super) fn transposed(mut self) -> Value {
        let last = self.sizes.len() - 1;
        self.sizes.swap(last - 1, last);
        self.strides.swap(last - 1, last);
        self
    }

    /// The view broadcast to a domain, aligned at the last axis.
    pub(super) fn over(&self, domain: &[usize]) -> Operand {
        let missing = domain.len() - self.sizes.len();
        let stride =
            |i: usize| i.checked_sub(missing).map_or(0, |j| if self.sizes[j] == 1 { 0 } else { self.strides[j] });
        Operand { loc: self.loc, strides: (0..domain.len()).map(stride).collect() }
    }
}

impl<T: Real> Planner<'_, T> {
    /// Where a node's value lies. May emit a copy where a reshape cannot be a view.
    pub(super) fn value(&mut self, id: NodeId) -> Value {
        let sizes = self.dag.sizes(id);
        if let Some(&loc) = self.places.get(&id) {
            return Value::contiguous(loc, sizes);
        }
        let node = &self.dag.nodes[id];
        match &node.op {
            Op::Input(i) => {
                let loc = Loc { space: Space::Input(*i as u8), offset: 0 };
                return Value::contiguous(loc, sizes);
            }
            Op::Variable(_) | Op::Flat(_) => {
                let offset = self.state_start(id).unwrap_or(0);
                return Value::contiguous(Loc { space: Space::State, offset }, sizes);
            }
            Op::Fill(fill) => {
                let bits = fill.value.to_bits();
                let known = self.consts.iter().position(|c| c.to_bits() == bits);
                let offset = known.unwrap_or_else(|| {
                    self.consts.push(fill.value);
                    self.consts.len() - 1
                });
                return Value { loc: Loc { space: Space::Const, offset }, strides: vec![0; sizes.len()], sizes };
            }
            _ => {}
        }
        let x = node.inputs[0];
        match self.kernels[id].clone() {
            Some(Kernel::View { axes, start }) => {
                let x = self.value(x);
                let offset: usize = start.iter().zip(&x.strides).map(|(a, s)| a * s).sum();
                let strides = axes.iter().map(|a| a.map_or(0, |(axis, step)| x.strides[axis] * step)).collect();
                Value { loc: Loc { offset: x.loc.offset + offset, ..x.loc }, sizes, strides }
            }
            Some(Kernel::Reshape) => {
                let x = self.value(x);
                let x = self.in_order(x);
                Value::contiguous(x.loc, sizes)
            }
            _ => unreachable!("`{}` is computed before it is read", node.op.name()),
        }
    }

    /// The value in row-major order, copied if it is not.
    pub(super) fn in_order(&mut self, value: Value) -> Value {
        if value.is_contiguous() {
            return value;
        }
        if let Some(known) = self.copies.iter().find(|(of, _)| *of == value) {
            return known.1.clone();
        }
        let loc = self.buffer(value.len(), false);
        let target = Value::contiguous(loc, value.sizes.clone());
        self.copy(&value, &target, "copy");
        // The state changes in the course of a step.
        if value.loc.space != Space::State {
            self.copies.push((value, target.clone()));
        }
        target
    }

    pub(super) fn copy(&mut self, from: &Value, to: &Value, why: &str) {
        let copy = Copy { dims: to.sizes.clone(), source: from.over(&to.sizes), target: to.over(&to.sizes) };
        self.emit(Instr::Copy(copy), format!("{why} {}", text(&to.sizes)));
    }

    /// An output must still be there after the run, in order: a value of the arena that nothing writes over.
    pub(super) fn output(&mut self, id: NodeId) -> Value {
        let value = self.value(id);
        if value.is_contiguous() && value.loc.space == Space::Arena {
            return value;
        }
        let loc = self.buffer(value.len(), false);
        let target = Value::contiguous(loc, value.sizes.clone());
        self.copy(&value, &target, "output");
        target
    }

    pub(super) fn contiguous_input(&mut self, id: NodeId) -> Value {
        let value = self.value(id);
        self.in_order(value)
    }
}
