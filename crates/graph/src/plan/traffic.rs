//! How much memory an instruction touches.

use gradus_kernels::instr::{Instr, Operand, PoolAxis, Slide, Store};

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
