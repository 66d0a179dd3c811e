//! What an instruction costs: the memory that it touches and the operations that it carries out.

use gradus_kernels::instr::{Instr, Operand, PoolAxis, Slide, Store};
use gradus_kernels::{Expr, Inst};

/// The elements that an instruction reads and writes, each counted once: what is broadcast is read once.
pub(crate) fn traffic<T>(instr: &Instr<T>) -> usize {
    match instr {
        Instr::Map(map) => read(&map.inputs, &map.dims) + written(&map.stores, &map.dims),
        Instr::MatMul(p) => {
            let dims = [p.batch, p.m, p.n];
            let matrices = |stride: usize| if stride == 0 { 1 } else { p.batch };
            let factors = matrices(p.a.batch) * p.m * p.k + matrices(p.b.batch) * p.k * p.n;
            factors + read(&p.inputs, &dims) + written(&p.stores, &dims)
        }
        Instr::Copy(copy) => 2 * copy.dims.iter().product::<usize>(),
        Instr::Fill { len, .. } => *len,
        Instr::Conv(c) => {
            let image = |size: fn(&Slide) -> usize| c.batch * c.slides.iter().map(size).product::<usize>();
            let weights = c.slides.iter().map(|s| s.size).product::<usize>() * c.channels / c.groups * c.filters;
            image(|s| s.input) * c.channels + weights + image(|s| s.output) * c.filters
        }
        Instr::Softmax(s) => 2 * s.rows * s.cols,
        Instr::ArgMax(a) => a.outer * (a.mid + 1) * a.inner,
        Instr::Gather(g) => g.count * (1 + 2 * g.outer * g.inner),
        Instr::ScatterAdd(s) => s.count * (1 + s.outer * s.inner) + s.outer * s.mid * s.inner,
        Instr::Pool(p) => {
            let count = |f: fn(&PoolAxis) -> usize| p.batch * p.channels * p.axes.iter().map(f).product::<usize>();
            let (inputs, outputs) = (count(PoolAxis::input), count(PoolAxis::output));
            inputs + outputs + if p.pooling.has_second() { inputs } else { 0 }
        }
        Instr::RoiPool(p) => {
            let images = p.images * p.height * p.width * p.channels;
            images * if p.pooling.has_second() { 2 } else { 1 } + p.count * (5 + p.out[0] * p.out[1] * p.channels)
        }
        Instr::Sample(s) => {
            let samples = s.sets * s.points;
            let images = s.images * s.height * s.width * s.channels;
            samples * (2 + s.channels) + s.sets + images
        }
        Instr::StepScalars(s) => s.stores.len(),
        Instr::Guard { .. } => 1,
        Instr::Call(call) => call.inputs.iter().map(|i| i.1).sum::<usize>() + call.output.1,
    }
}

/// Floating-point operations: two for each product with its sum, one for each other function of an element, five for each element of a
/// softmax.
pub(crate) fn operations<T>(instr: &Instr<T>) -> usize {
    match instr {
        Instr::Map(map) => {
            let reduced = map.stores.iter().filter(|store| store.reduce.is_some()).count();
            map.dims.iter().product::<usize>() * (computed(&map.expr) + reduced)
        }
        Instr::MatMul(p) => p.batch * p.m * p.n * (2 * p.k + computed(&p.epilogue)),
        Instr::Conv(c) => {
            let positions: usize = c.slides.iter().map(|s| s.size * s.output).product();
            2 * c.batch * positions * c.channels / c.groups * c.filters
        }
        Instr::Softmax(s) => 5 * s.rows * s.cols,
        Instr::Pool(p) => {
            let seen = |axis: &PoolAxis| match axis {
                PoolAxis::Slide(slide) => slide.size * slide.output,
                PoolAxis::Bins { input, .. } => *input,
            };
            p.batch * p.channels * p.axes.iter().map(seen).product::<usize>()
        }
        Instr::ArgMax(a) => a.outer * a.mid * a.inner,
        Instr::ScatterAdd(s) => s.outer * s.count * s.inner,
        Instr::RoiPool(p) => p.images * p.height * p.width * p.channels,
        Instr::Sample(s) => 8 * s.sets * s.points * s.channels,
        Instr::Copy(_) | Instr::Fill { .. } | Instr::Gather(_) => 0,
        Instr::StepScalars(s) => computed(&s.expr),
        Instr::Guard { .. } | Instr::Call(_) => 0,
    }
}

fn computed(expr: &Expr) -> usize {
    let leaf = |inst: &Inst| matches!(inst, Inst::Input(_) | Inst::Const(_) | Inst::Step | Inst::Index(_));
    expr.insts().iter().filter(|inst| !leaf(inst)).count()
}

fn read(inputs: &[Operand], dims: &[usize]) -> usize {
    let elements =
        |o: &Operand| o.strides.iter().zip(dims).filter(|(s, _)| **s != 0).map(|(_, n)| n).product::<usize>();
    inputs.iter().map(elements).sum()
}

fn written(stores: &[Store], dims: &[usize]) -> usize {
    let kept = |s: &Store, axis: usize| s.reduce.is_none_or(|r| axis < r.from || axis >= r.to);
    let elements = |s: &Store| (0..dims.len()).filter(|&a| kept(s, a)).map(|a| dims[a]).product::<usize>();
    stores.iter().map(elements).sum()
}
