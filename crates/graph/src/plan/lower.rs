//! A group as an instruction.

use super::value::Value;
use super::{Planner, SCOPE, text};
use crate::model::{NodeId, padded};
use crate::passes::group::Work;
use crate::{Kernel, Op};
use gradus_kernels::Real;
use gradus_kernels::instr::{
    ArgMax, Call, Conv, Factor, Gather, Instr, Loc, Map, MatMul, Pool, RoiPool, Sample, ScatterAdd, Side, Softmax,
    Space, StepScalars,
};

impl<T: Real> Planner<'_, T> {
    pub(super) fn lower(&mut self, g: usize) {
        let group = &self.groups.groups[g];
        let names: Vec<&str> = group.nodes.iter().map(|&n| self.dag.nodes[n].op.name()).collect();
        // A product belongs to its own layer, whatever follows in its epilogue.
        let product = |&&n: &&NodeId| matches!(self.kernels[n], Some(Kernel::MatMul { .. }));
        let main = group.nodes.iter().find(product).or(group.nodes.last()).expect("groups have members");
        let path = &self.dag.nodes[*main].path;
        let scope = if path.is_empty() { String::new() } else { format!("{SCOPE}{path}") };
        match group.work {
            Work::Map => {
                let label = format!("map {} {}{scope}", text(&group.domain), names.join(" "));
                let (expr, inputs, stores) = self.formula(g, None);
                self.emit(Instr::Map(Map { dims: group.domain.clone(), expr, inputs, stores }), label);
            }
            Work::MatMul => self.lower_matmul(g, &scope),
            Work::StepScalars => {
                let (expr, _, stores) = self.formula(g, None);
                let stores = stores.into_iter().map(|s| (s.value, s.loc)).collect();
                self.emit(
                    Instr::StepScalars(StepScalars { expr, stores }),
                    format!("step scalars {}", names.join(" ")),
                );
            }
            Work::Single => {
                let label = format!("{} {}{scope}", names[0], text(&self.dag.sizes(group.nodes[0])));
                self.lower_single(group.nodes[0], label);
            }
        }
    }

    pub(super) fn lower_matmul(&mut self, g: usize, scope: &str) {
        let group = self.groups.groups[g].clone();
        let head = *group
            .nodes
            .iter()
            .find(|&&n| matches!(self.kernels[n], Some(Kernel::MatMul { .. })))
            .expect("the group of a product has one");
        let Some(Kernel::MatMul { transpose_a, transpose_b }) = self.kernels[head] else { unreachable!("found above") };
        let (batch_sizes, [m, n]) = group.domain.split_last_chunk().expect("a product has two axes");
        let (a, b) = (self.dag.nodes[head].inputs[0], self.dag.nodes[head].inputs[1]);
        let k = {
            let sizes = self.dag.sizes(a);
            sizes[sizes.len() - if transpose_a { 2 } else { 1 }]
        };
        let a = self.factor(a, batch_sizes, transpose_a);
        let b = self.right_factor(b, batch_sizes, transpose_b);
        let (epilogue, mut inputs, stores) = self.formula(g, Some(head));
        let batch = batch_sizes.iter().product();
        for operand in &mut inputs {
            while operand.strides.len() < 3 {
                operand.strides.insert(0, 0);
            }
        }
        let names: Vec<&str> =
            group.nodes.iter().filter(|&&n| n != head).map(|&n| self.dag.nodes[n].op.name()).collect();
        let with = if names.is_empty() { String::new() } else { format!(" then {}", names.join(" ")) };
        let label = format!("matmul {} k={k}{with}{scope}", text(&group.domain));
        self.emit(Instr::MatMul(MatMul { batch, m: *m, n: *n, k, a, b, epilogue, inputs, stores }), label);
    }

    /// A factor of a product, broadcast over the batch axes.
    pub(super) fn factor(&mut self, id: NodeId, batch: &[usize], transpose: bool) -> Factor {
        let mut value = self.value(id);
        let own = value.sizes.len() - 2;
        let whole = [batch, &value.sizes[own..]].concat();
        let mut operand = value.over(&whole);
        if collapsed(batch, &operand.strides[..batch.len()]).is_none() {
            value = Value { loc: value.loc, sizes: whole.clone(), strides: operand.strides };
            value = self.in_order(value);
            operand = value.over(&whole);
        }
        let stride = collapsed(batch, &operand.strides[..batch.len()]).unwrap_or(0);
        let [mut row, mut col] = [operand.strides[batch.len()], operand.strides[batch.len() + 1]];
        if transpose {
            std::mem::swap(&mut row, &mut col);
        }
        Factor { loc: operand.loc, batch: stride, row, col }
    }

    /// The right factor: a matrix that several products read transposed is turned once for all of them.
    fn right_factor(&mut self, id: NodeId, batch: &[usize], transpose: bool) -> Factor {
        let plain = self.dag.nodes[id].shape.rank() == 2 && self.transposed_reads[id] > 1;
        if !transpose || !plain {
            return self.factor(id, batch, transpose);
        }
        let turned = match self.turned.get(&id) {
            Some(known) => known.clone(),
            None => {
                let value = self.value(id).transposed();
                let turned = if value.is_contiguous() {
                    value
                } else {
                    let loc = self.buffer(value.len(), false);
                    let turned = Value::contiguous(loc, value.sizes.clone());
                    self.copy(&value, &turned, "transpose");
                    turned
                };
                self.turned.insert(id, turned.clone());
                turned
            }
        };
        Factor { loc: turned.loc, batch: 0, row: turned.strides[0], col: turned.strides[1] }
    }

    pub(super) fn lower_single(&mut self, id: NodeId, label: String) {
        let node = self.dag.nodes[id].clone();
        let sizes = self.dag.sizes(id);
        let y = self.value(id);
        if let Op::Pack(_) = node.op {
            let mut offset = y.loc.offset;
            for &x in &node.inputs {
                let value = self.value(x);
                let to = Loc { offset, ..y.loc };
                if value.loc != to {
                    self.copy(&value, &Value::contiguous(to, value.sizes.clone()), "gradient");
                }
                offset += padded(self.dag.nodes[x].shape.len_at(1));
            }
            return;
        }
        let around = |sizes: &[usize], axis: usize| {
            (sizes[..axis].iter().product::<usize>(), sizes[axis], sizes[axis + 1..].iter().product::<usize>())
        };
        match self.kernels[id].clone() {
            Some(Kernel::Concat { axis }) => {
                let mut start = 0;
                for &x in &node.inputs {
                    let x = self.value(x);
                    let loc = Loc { offset: y.loc.offset + start * y.strides[axis], ..y.loc };
                    start += x.sizes[axis];
                    let part = Value { loc, sizes: x.sizes.clone(), strides: y.strides.clone() };
                    // It may have been computed there.
                    if !x.is_same(&part) {
                        self.copy(&x, &part, "concat");
                    }
                }
            }
            Some(Kernel::Pad { before, value }) => {
                let x = self.value(node.inputs[0]);
                self.emit(Instr::Fill { loc: y.loc, len: y.len(), value }, label);
                let shift: usize = before.iter().zip(&y.strides).map(|(b, s)| b * s).sum();
                let loc = Loc { offset: y.loc.offset + shift, ..y.loc };
                self.copy(&x, &Value { loc, sizes: x.sizes.clone(), strides: y.strides.clone() }, "pad");
            }
            Some(Kernel::Conv { side, slides, groups }) => {
                let first = self.contiguous_input(node.inputs[0]);
                let mut second = self.value(node.inputs[1]);
                if side == Side::Input {
                    // The filters are summed over: next to each other they must be rows.
                    second = second.transposed();
                }
                if second.loc.space == Space::State && !second.is_contiguous() {
                    // Weights in a place of their own can be turned at any time.
                    let loc = self.buffer(second.len(), true);
                    let turned = Value::contiguous(loc, second.sizes.clone());
                    self.copy(&second, &turned, "transpose");
                    second = turned;
                }
                let second = self.in_order(second);
                let (x, w, z) = match side {
                    Side::Output => (&first, &second, &y),
                    Side::Input => (&y, &second, &first),
                    Side::Weight => (&first, &y, &second),
                };
                let last = |v: &Value| v.sizes[v.sizes.len() - 1];
                let (batch, channels, filters) = (x.sizes[0], last(x), last(z));
                let conv = Conv { side, batch, groups, channels, filters, slides, x: x.loc, w: w.loc, y: z.loc };
                self.emit(Instr::Conv(conv), label);
            }
            Some(Kernel::Softmax { log }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let cols = sizes[sizes.len() - 1];
                let rows = sizes[..sizes.len() - 1].iter().product();
                self.emit(Instr::Softmax(Softmax { rows, cols, x: x.loc, y: y.loc, log }), label);
            }
            Some(Kernel::ArgMax { axis }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let (outer, mid, inner) = around(&x.sizes, axis);
                self.emit(Instr::ArgMax(ArgMax { outer, mid, inner, x: x.loc, y: y.loc }), label);
            }
            Some(Kernel::Gather { axis }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let index = self.contiguous_input(node.inputs[1]);
                let (outer, mid, inner) = around(&x.sizes, axis);
                let gather = Gather { outer, mid, inner, count: index.len(), x: x.loc, index: index.loc, y: y.loc };
                self.emit(Instr::Gather(gather), label);
            }
            Some(Kernel::ScatterAdd { axis }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let index = self.contiguous_input(node.inputs[1]);
                let (outer, mid, inner) = around(&sizes, axis);
                let scatter =
                    ScatterAdd { outer, mid, inner, count: index.len(), x: x.loc, index: index.loc, y: y.loc };
                self.emit(Instr::ScatterAdd(scatter), label);
            }
            Some(Kernel::Pool { pooling, axes, scale, average }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let v = node.inputs.get(1).map(|&v| self.contiguous_input(v).loc);
                let (batch, channels) = (sizes[0], sizes[sizes.len() - 1]);
                let pool = Pool { pooling, batch, axes, channels, scale, average, x: x.loc, v, y: y.loc };
                self.emit(Instr::Pool(pool), label);
            }
            Some(Kernel::RoiPool { pooling, out, scale }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let boxes = self.contiguous_input(node.inputs[1]);
                let v = node.inputs.get(2).map(|&v| self.contiguous_input(v).loc);
                let [images, height, width, channels] = x.sizes[..] else { unreachable!("checked by the shape rule") };
                let (count, x, boxes) = (boxes.sizes[0], x.loc, boxes.loc);
                let pool =
                    RoiPool { pooling, images, height, width, channels, count, out, scale, x, boxes, v, y: y.loc };
                self.emit(Instr::RoiPool(pool), label);
            }
            Some(Kernel::Sample { spread, slope }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let at = self.contiguous_input(node.inputs[1]);
                let image = self.contiguous_input(node.inputs[2]).loc;
                let space = if spread { &sizes } else { &x.sizes };
                let [images, height, width, channels] = space[..] else { unreachable!("checked by the shape rule") };
                let (sets, points) = (at.sizes[0], at.sizes[1]);
                let (x, at, y) = (x.loc, at.loc, y.loc);
                let sample = Sample { spread, slope, images, height, width, channels, sets, points, at, image, x, y };
                self.emit(Instr::Sample(sample), label);
            }
            Some(Kernel::Host(op)) => {
                let x: Vec<Value> = node.inputs.iter().map(|&x| self.contiguous_input(x)).collect();
                let x_sizes: Vec<Vec<usize>> = x.iter().map(|v| v.sizes.clone()).collect();
                let kernel = crate::program::host_kernel::<T>(&*op, &x_sizes, &sizes);
                let inputs = x.iter().map(|v| (v.loc, v.len())).collect();
                self.emit(Instr::Call(Call { kernel, inputs, output: (y.loc, y.len()) }), label);
            }
            _ => unreachable!("`{}` is no kernel of its own", node.op.name()),
        }
    }
}

/// One stride that walks several batch axes, if there is one.
fn collapsed(sizes: &[usize], strides: &[usize]) -> Option<usize> {
    let axes: Vec<(usize, usize)> = sizes.iter().copied().zip(strides.iter().copied()).filter(|a| a.0 != 1).collect();
    let fits = axes.windows(2).all(|w| w[0].1 == w[1].1 * w[1].0);
    fits.then(|| axes.last().map_or(0, |a| a.1))
}
