//! The plainest execution of every instruction: one element at a time, in `f64`, rounded when stored.
//!
//! It says what an instruction means, and the kernels are tested against it. It allocates and is slow.

use crate::expr::Expr;
use crate::instr::*;
use crate::{Real, Tripped, random};

/// The memory of one step.
#[derive(Debug)]
pub struct Memory<'a, T> {
    /// The arena.
    pub arena: &'a mut [T],
    /// The constants.
    pub consts: &'a [T],
    /// The state.
    pub state: &'a mut [T],
    /// This step's inputs.
    pub inputs: &'a [&'a [T]],
}

impl<T: Real> Memory<'_, T> {
    /// The element `i` places after a location.
    pub fn read(&self, loc: Loc, i: usize) -> T {
        let memory = match loc.space {
            Space::Arena => &*self.arena,
            Space::Const => self.consts,
            Space::State => &*self.state,
            Space::Input(k) => self.inputs[usize::from(k)],
        };
        memory[loc.offset + i]
    }

    fn value(&self, loc: Loc, i: usize) -> f64 {
        self.read(loc, i).to_f64()
    }

    fn at(&self, x: &Operand, index: &[usize]) -> f64 {
        self.value(x.loc, dot(index, &x.strides))
    }

    fn write(&mut self, loc: Loc, i: usize, value: f64) {
        let memory = match loc.space {
            Space::Arena => &mut *self.arena,
            Space::State => &mut *self.state,
            Space::Const | Space::Input(_) => unreachable!("writes were checked"),
        };
        memory[loc.offset + i] = T::from_f64(value);
    }
}

/// Executes one instruction.
///
/// # Errors
/// If it is a guard and its element is not finite.
///
/// # Panics
/// If the instruction reaches outside the memory.
pub fn execute<T: Real>(instr: &Instr<T>, memory: &mut Memory<'_, T>, seed: u64, step: u64) -> Result<(), Tripped> {
    match instr {
        Instr::Map(map) => execute_map(map, memory, seed, step),
        Instr::MatMul(p) => matmul(p, memory, seed, step),
        Instr::Copy(copy) => each(&copy.dims, |index, _| {
            let x = memory.at(&copy.source, index);
            memory.write(copy.target.loc, dot(index, &copy.target.strides), x);
        }),
        Instr::Fill { loc, len, value } => (0..*len).for_each(|i| memory.write(*loc, i, *value)),
        Instr::Conv(c) => conv(c, memory),
        Instr::Softmax(s) => softmax(s, memory),
        Instr::ArgMax(a) => argmax(a, memory),
        Instr::Gather(g) => each(&[g.outer, g.count, g.inner], |at, y| {
            let row = whole(memory.value(g.index, at[1]), g.mid);
            let x = row.map_or(f64::NAN, |row| memory.value(g.x, (at[0] * g.mid + row) * g.inner + at[2]));
            memory.write(g.y, y, x);
        }),
        Instr::ScatterAdd(s) => {
            (0..s.outer * s.mid * s.inner).for_each(|i| memory.write(s.y, i, 0.0));
            each(&[s.outer, s.count, s.inner], |at, x| {
                if let Some(row) = whole(memory.value(s.index, at[1]), s.mid) {
                    let y = (at[0] * s.mid + row) * s.inner + at[2];
                    memory.write(s.y, y, memory.value(s.y, y) + memory.value(s.x, x));
                }
            });
        }
        Instr::Pool(p) => pool(p, memory),
        Instr::RoiPool(p) => roi_pool(p, memory),
        Instr::Sample(s) => sample(s, memory),
        Instr::StepScalars(s) => {
            let values = s.expr.eval(&[], step as f64, &[], |_, _| f64::NAN);
            s.stores.iter().for_each(|&(v, loc)| memory.write(loc, 0, values[usize::from(v)]));
        }
        Instr::Guard { loc, id } => {
            let value = memory.value(*loc, 0);
            if !value.is_finite() {
                return Err(Tripped { step, id: *id, value });
            }
        }
        Instr::Call(call) => {
            let x: Vec<Vec<T>> =
                call.inputs.iter().map(|&(loc, n)| (0..n).map(|i| memory.read(loc, i)).collect()).collect();
            let mut y: Vec<T> = (0..call.output.1).map(|i| memory.read(call.output.0, i)).collect();
            call.kernel.run(&x.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut y);
            y.iter().enumerate().for_each(|(i, v)| memory.write(call.output.0, i, v.to_f64()));
        }
    }
    Ok(())
}

/// A whole number in `0..n`, if it is one.
pub(crate) fn whole(x: f64, n: usize) -> Option<usize> {
    (x >= 0.0 && x < n as f64).then_some(x as usize)
}

fn dot(index: &[usize], strides: &[usize]) -> usize {
    index.iter().zip(strides).map(|(i, s)| i * s).sum()
}

/// Calls `f` with the coordinates and the linear index of every element.
fn each(dims: &[usize], mut f: impl FnMut(&[usize], usize)) {
    let mut index = vec![0; dims.len()];
    for linear in 0..dims.iter().product() {
        let mut rest = linear;
        for k in (0..dims.len()).rev() {
            index[k] = rest % dims[k];
            rest /= dims[k];
        }
        f(&index, linear);
    }
}

fn execute_map<T: Real>(map: &Map, memory: &mut Memory<'_, T>, seed: u64, step: u64) {
    let mut results: Vec<Vec<f64>> = map
        .stores
        .iter()
        .map(|store| {
            let (n, start) = match store.reduce {
                None => (map.dims.iter().product(), 0.0),
                Some(r) => (
                    map.dims[..r.from].iter().chain(&map.dims[r.to..]).product(),
                    match r.fold {
                        Fold::Sum => 0.0,
                        Fold::Max => f64::NEG_INFINITY,
                        Fold::Min => f64::INFINITY,
                    },
                ),
            };
            vec![start; n]
        })
        .collect();
    each(&map.dims, |index, linear| {
        let x: Vec<f64> = map.inputs.iter().map(|x| memory.at(x, index)).collect();
        let values = evaluate(&map.expr, &x, seed, step, index, linear);
        for (store, y) in map.stores.iter().zip(&mut results) {
            let value = values[usize::from(store.value)];
            let Some(r) = store.reduce else {
                y[linear] = value;
                continue;
            };
            let mut place = 0;
            for (k, &i) in index.iter().enumerate() {
                if !(r.from..r.to).contains(&k) {
                    place = place * map.dims[k] + i;
                }
            }
            let y = &mut y[place];
            *y = match r.fold {
                Fold::Sum => *y + value,
                Fold::Max => crate::Binary::Max.eval(*y, value),
                Fold::Min => crate::Binary::Min.eval(*y, value),
            };
        }
    });
    for (store, y) in map.stores.iter().zip(results) {
        let scale = store.reduce.map_or(1.0, |r| r.scale);
        y.iter().enumerate().for_each(|(i, v)| memory.write(store.loc, i, v * scale));
    }
}

fn evaluate(expr: &Expr, x: &[f64], seed: u64, step: u64, index: &[usize], linear: usize) -> Vec<f64> {
    expr.eval(x, step as f64, index, |kind, stream| random::element(kind, seed, stream, step, linear))
}

fn matmul<T: Real>(p: &MatMul, memory: &mut Memory<'_, T>, seed: u64, step: u64) {
    each(&[p.batch, p.m, p.n], |at, linear| {
        let (b, i, j) = (at[0], at[1], at[2]);
        let sum = (0..p.k)
            .map(|k| {
                memory.value(p.a.loc, b * p.a.batch + i * p.a.row + k * p.a.col)
                    * memory.value(p.b.loc, b * p.b.batch + k * p.b.row + j * p.b.col)
            })
            .sum();
        let x: Vec<f64> = std::iter::once(sum).chain(p.inputs.iter().map(|x| memory.at(x, at))).collect();
        let values = evaluate(&p.epilogue, &x, seed, step, at, linear);
        p.stores.iter().for_each(|s| memory.write(s.loc, linear, values[usize::from(s.value)]));
    });
}

fn conv<T: Real>(c: &Conv, memory: &mut Memory<'_, T>) {
    let [s0, s1, s2] = c.slides;
    let (channels, filters) = (c.channels / c.groups, c.filters / c.groups);
    let inputs = c.slides.map(|s| s.input);
    let outputs = c.slides.map(|s| s.output);
    let positions = c.slides.map(|s| s.size);
    let (target, len) = match c.side {
        Side::Output => (c.y, c.batch * outputs.iter().product::<usize>() * c.filters),
        Side::Input => (c.x, c.batch * inputs.iter().product::<usize>() * c.channels),
        Side::Weight => (c.w, positions.iter().product::<usize>() * channels * c.filters),
    };
    let mut sums = vec![0.0; len];
    each(&[c.batch, s0.output, s1.output, s2.output, c.filters], |o, y| {
        each(&[s0.size, s1.size, s2.size, channels], |k, _| {
            let seen: Option<Vec<usize>> = (0..3)
                .map(|a| {
                    let s = c.slides[a];
                    (o[a + 1] * s.stride + k[a] * s.dilation).checked_sub(s.before).filter(|&i| i < s.input)
                })
                .collect();
            let Some(i) = seen else { return };
            let group = o[4] / filters;
            let pixel = ((o[0] * inputs[0] + i[0]) * inputs[1] + i[1]) * inputs[2] + i[2];
            let x = pixel * c.channels + group * channels + k[3];
            let position = (k[0] * positions[1] + k[1]) * positions[2] + k[2];
            let w = match c.side {
                Side::Input => (position * c.filters + o[4]) * channels + k[3],
                _ => (position * channels + k[3]) * c.filters + o[4],
            };
            match c.side {
                Side::Output => sums[y] += memory.value(c.x, x) * memory.value(c.w, w),
                Side::Input => sums[x] += memory.value(c.y, y) * memory.value(c.w, w),
                Side::Weight => sums[w] += memory.value(c.x, x) * memory.value(c.y, y),
            }
        });
    });
    sums.into_iter().enumerate().for_each(|(i, sum)| memory.write(target, i, sum));
}

fn softmax<T: Real>(s: &Softmax, memory: &mut Memory<'_, T>) {
    for row in 0..s.rows {
        let x: Vec<f64> = (0..s.cols).map(|j| memory.value(s.x, row * s.cols + j)).collect();
        let max = x.iter().fold(f64::NEG_INFINITY, |m, &v| crate::Binary::Max.eval(m, v));
        let sum: f64 = x.iter().map(|v| (v - max).exp()).sum();
        for (j, v) in x.iter().enumerate() {
            let y = if s.log { v - max - sum.ln() } else { (v - max).exp() / sum };
            memory.write(s.y, row * s.cols + j, y);
        }
    }
}

fn pool<T: Real>(p: &Pool, memory: &mut Memory<'_, T>) {
    let inputs: Vec<usize> = p.axes.iter().map(PoolAxis::input).collect();
    let outputs: Vec<usize> = p.axes.iter().map(PoolAxis::output).collect();
    if p.pooling.is_transposed() {
        let len = p.batch * inputs.iter().product::<usize>() * p.channels;
        (0..len).for_each(|i| memory.write(p.y, i, 0.0));
    }
    let dims: Vec<usize> = [p.batch].into_iter().chain(outputs).chain([p.channels]).collect();
    each(&dims, |at, o| {
        // The places of the window, in order.
        let mut places = vec![at[0]];
        for (k, axis) in p.axes.iter().enumerate() {
            let seen = axis.seen(at[1 + k]);
            let along = |i: usize| seen.first + i * seen.step;
            let row = |place: usize| (0..seen.count).map(move |i| (place, i));
            places =
                places.iter().flat_map(|&place| row(place)).map(|(place, i)| place * inputs[k] + along(i)).collect();
        }
        places.iter_mut().for_each(|place| *place = *place * p.channels + at[1 + p.axes.len()]);
        let scale = if p.average { p.scale / places.len() as f64 } else { p.scale };
        let best = if p.pooling == Pooling::Spread { None } else { largest(p.x, &places, memory) };
        match (p.pooling, p.v, best) {
            (Pooling::Max, _, Some(i)) => memory.write(p.y, o, memory.value(p.x, i)),
            (Pooling::Pick, Some(v), Some(i)) => memory.write(p.y, o, memory.value(v, i)),
            (Pooling::Return, Some(v), Some(i)) => {
                memory.write(p.y, i, memory.value(p.y, i) + memory.value(v, o));
            }
            (Pooling::Sum, ..) => {
                let sum: f64 = places.iter().map(|&i| memory.value(p.x, i)).sum();
                memory.write(p.y, o, scale * sum);
            }
            (Pooling::Spread, ..) => {
                for &i in &places {
                    memory.write(p.y, i, memory.value(p.y, i) + scale * memory.value(p.x, o));
                }
            }
            _ => unreachable!("operands were checked"),
        }
    });
}

/// The first of the places at which the largest element lies.
fn largest<T: Real>(x: Loc, places: &[usize], memory: &Memory<'_, T>) -> Option<usize> {
    places.iter().copied().reduce(|best, i| {
        let (x, y) = (memory.value(x, best), memory.value(x, i));
        if !x.is_nan() && (y > x || y.is_nan()) { i } else { best }
    })
}

fn roi_pool<T: Real>(p: &RoiPool, memory: &mut Memory<'_, T>) {
    if p.pooling.is_transposed() {
        (0..p.images * p.height * p.width * p.channels).for_each(|i| memory.write(p.y, i, 0.0));
    }
    each(&[p.count, p.out[0], p.out[1], p.channels], |at, o| {
        let corner = |k: usize, memory: &Memory<'_, T>| memory.value(p.boxes, at[0] * 5 + k);
        let Some(image) = whole(corner(0, memory), p.images) else {
            if !p.pooling.is_transposed() {
                memory.write(p.y, o, f64::NAN);
            }
            return;
        };
        let rows = RoiPool::seen(corner(2, memory), corner(4, memory), p.scale, p.out[0], at[1], p.height);
        let cols = RoiPool::seen(corner(1, memory), corner(3, memory), p.scale, p.out[1], at[2], p.width);
        let place =
            |i: usize, j: usize| ((image * p.height + rows.first + i) * p.width + cols.first + j) * p.channels + at[3];
        let places: Vec<usize> = (0..rows.count).flat_map(|i| (0..cols.count).map(move |j| place(i, j))).collect();
        let best = largest(p.x, &places, memory);
        match (p.pooling, p.v) {
            (Pooling::Return, Some(v)) => {
                if let Some(i) = best {
                    memory.write(p.y, i, memory.value(p.y, i) + memory.value(v, o));
                }
            }
            (_, v) => memory.write(p.y, o, best.map_or(0.0, |i| memory.value(v.unwrap_or(p.x), i))),
        }
    });
}

fn sample<T: Real>(s: &Sample, memory: &mut Memory<'_, T>) {
    if s.spread {
        (0..s.images * s.height * s.width * s.channels).for_each(|i| memory.write(s.y, i, 0.0));
    }
    each(&[s.sets, s.points, s.channels], |at, o| {
        let place = (at[0] * s.points + at[1]) * 2;
        let rows = Sample::corners(memory.value(s.at, place), s.height, s.slope[0]);
        let cols = Sample::corners(memory.value(s.at, place + 1), s.width, s.slope[1]);
        let image = whole(memory.value(s.image, at[0]), s.images);
        let (Some(image), Some(rows), Some(cols)) = (image, rows, cols) else {
            if !s.spread {
                memory.write(s.y, o, f64::NAN);
            }
            return;
        };
        let mut sum = 0.0;
        for (row, a) in rows {
            for (col, b) in cols {
                let i = ((image * s.height + row) * s.width + col) * s.channels + at[2];
                if a * b == 0.0 {
                    continue;
                }
                if s.spread {
                    memory.write(s.y, i, memory.value(s.y, i) + a * b * memory.value(s.x, o));
                } else {
                    sum += a * b * memory.value(s.x, i);
                }
            }
        }
        if !s.spread {
            memory.write(s.y, o, sum);
        }
    });
}

fn argmax<T: Real>(a: &ArgMax, memory: &mut Memory<'_, T>) {
    each(&[a.outer, a.inner], |at, y| {
        let value = |i: usize| memory.value(a.x, (at[0] * a.mid + i) * a.inner + at[1]);
        let mut best = 0;
        for i in 1..a.mid {
            let better = value(i) > value(best) || value(i).is_nan();
            if better && !value(best).is_nan() {
                best = i;
            }
        }
        memory.write(a.y, y, best as f64);
    });
}
