//! Windows over the middle axes of `[batch, ..inputs, channels]`: their largest elements, their sums, and the transposes of both.
//!
//! Channels lie in the lanes. Windows that move by one along the last axis lie in them side by side, as if each had channels of its own:
//! what one sees lies right behind what the one before sees. Nothing is stored between the passes: where a window's largest element
//! lies is found again.

use crate::context::{Context, Part, Place};
use crate::instr::{Pool, PoolAxis, Pooling, Seen, Slide};
use crate::simd::{Kernel, Simd, entry_of};
use crate::tiles::lanes;
use crate::{Isa, Real};
use std::marker::PhantomData;

/// Elements that a part is worth.
const PART: usize = 16 * 1024;
/// Channels that are walked together.
const BLOCK: usize = 64;

/// For every place that a window sees, in order. A closure would not share the instruction set of the function that this stands in.
macro_rules! each {
    ($window:expr, |$i:ident| $body:expr) => {{
        let window: &Window = $window;
        for k0 in 0..window.counts[0] {
            for k1 in 0..window.counts[1] {
                let row = window.base + k0 * window.steps[0] + k1 * window.steps[1];
                for k2 in 0..window.counts[2] {
                    let $i = row + k2 * window.steps[2];
                    $body;
                }
            }
        }
    }};
}
pub(crate) use each;

/// A pooling ready to run.
pub struct PoolPlan<T> {
    batch: usize,
    channels: usize,
    blocks: usize,
    inputs: [usize; 3],
    /// What each window sees, along the first two axes.
    seen: [Vec<Seen>; 2],
    /// What windows see along the last axis, and how many there are that move by one from this one on.
    runs: Vec<(Seen, usize)>,
    /// Windows along the last axis.
    columns: usize,
    /// Bands of rows that an image is cut into.
    bands: usize,
    scale: f64,
    average: bool,
    x: Place,
    v: Place,
    y: Place,
    units_per_part: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    run: Part<PoolPlan<T>, T>,
}

impl<T: Real> PoolPlan<T> {
    /// The plan; `images` of them are one part, if that is given.
    pub fn new(p: &Pool, isa: Isa, images: Option<usize>) -> PoolPlan<T> {
        let one = PoolAxis::Slide(Slide { input: 1, output: 1, size: 1, stride: 1, dilation: 1, before: 0 });
        let axis = |k: usize| (k + p.axes.len()).checked_sub(3).map_or(one, |k| p.axes[k]);
        let axes = [axis(0), axis(1), axis(2)];
        let seen = axes.map(|axis| (0..axis.output()).map(|o| axis.seen(o)).collect::<Vec<Seen>>());
        let inputs = axes.map(|axis| axis.input());
        let tiles = seen.iter().zip(inputs).all(|(seen, n)| {
            let mut times = vec![0u32; n];
            seen.iter().for_each(|s| (0..s.count).for_each(|k| times[s.first + k * s.step] += 1));
            times.iter().all(|&n| n == 1)
        });
        let blocks = p.channels.div_ceil(BLOCK);
        let [s0, s1, s2] = seen;
        let (rows, columns) = (s0.len() * s1.len(), s2.len());
        let runs = if blocks == 1 { runs(&s2) } else { s2.into_iter().map(|s| (s, 1)).collect() };
        // Where the channels of a window fill half vectors alone, no lane of those is left out.
        let half = !p.channels.is_multiple_of(lanes::<T>(isa))
            && p.channels.is_multiple_of(lanes::<T>(isa) / 2)
            && runs.iter().all(|run| run.1 == 1);
        let side = side(&s0, &s1, &runs);
        let total = p.batch * p.channels * inputs.iter().product::<usize>();
        let wanted = (total / PART).clamp(1, 16);
        // Windows that overlap add to the same elements: their rows stay together.
        let apart = images.is_none() && (tiles || !matches!(p.pooling, Pooling::Return | Pooling::Spread));
        let bands = if apart { wanted.div_ceil((p.batch * blocks).max(1)).min(rows).max(1) } else { 1 };
        let units = p.batch * blocks * bands;
        let parts = wanted.min(units);
        let units_per_part = images.map_or(units.div_ceil(parts.max(1)), |images| images * blocks);
        PoolPlan {
            batch: p.batch,
            channels: p.channels,
            blocks,
            inputs,
            seen: [s0, s1],
            runs,
            columns,
            bands,
            scale: p.scale,
            average: p.average,
            x: p.x.into(),
            v: p.v.unwrap_or(p.x).into(),
            y: p.y.into(),
            units_per_part,
            parts: if parts == 0 { 0 } else { units.div_ceil(units_per_part) },
            run: match p.pooling {
                Pooling::Max => windows::<T, { MAX }>(isa, half, side, tiles),
                Pooling::Pick => windows::<T, { PICK }>(isa, half, side, tiles),
                Pooling::Return => windows::<T, { RETURN }>(isa, half, side, tiles),
                Pooling::Sum => windows::<T, { SUM }>(isa, half, side, tiles),
                Pooling::Spread => windows::<T, { SPREAD }>(isa, half, side, tiles),
            },
        }
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The instruction was checked against the memory of the context.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, part) }
    }
}

const MAX: u8 = 0;
const PICK: u8 = 1;
const RETURN: u8 = 2;
const SUM: u8 = 3;
const SPREAD: u8 = 4;

/// The kernel for squares of that side, 0 if windows are none; `tiles` if each input is seen once. For half vectors if they are wanted and there.
fn windows<T: Real, const POOLING: u8>(isa: Isa, half: bool, side: usize, tiles: bool) -> Part<PoolPlan<T>, T> {
    match (side, tiles && matches!(POOLING, RETURN | SPREAD)) {
        (2, false) => entry_of::<T, Windows<T, POOLING, 2, false>>(isa, half),
        (2, true) => entry_of::<T, Windows<T, POOLING, 2, true>>(isa, half),
        (3, false) => entry_of::<T, Windows<T, POOLING, 3, false>>(isa, half),
        (3, true) => entry_of::<T, Windows<T, POOLING, 3, true>>(isa, half),
        (_, false) => entry_of::<T, Windows<T, POOLING, 0, false>>(isa, half),
        (_, true) => entry_of::<T, Windows<T, POOLING, 0, true>>(isa, half),
    }
}

/// The side of the squares in the last two axes that all windows are, or 0.
fn side(s0: &[Seen], s1: &[Seen], runs: &[(Seen, usize)]) -> usize {
    let size = s1.first().map_or(0, |s| s.count);
    let square = s0.iter().all(|s| s.count == 1)
        && s1.iter().all(|s| s.count == size)
        && runs.iter().all(|(s, _)| s.count == size);
    if square { size } else { 0 }
}

/// Windows of `SIDE`×`SIDE`, or of any size if that is 0; `TILES` if what is written lies in one window exactly.
struct Windows<T, const POOLING: u8, const SIDE: usize, const TILES: bool>(PhantomData<T>);

impl<T: Real, const POOLING: u8, const SIDE: usize, const TILES: bool> Kernel<T> for Windows<T, POOLING, SIDE, TILES> {
    type A = PoolPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const PoolPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's; what the windows see lies inside the axes.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let [n0, n1, n2] = plan.inputs;
            let c = plan.channels;
            let inputs = n0 * n1 * n2 * c;
            let rows = plan.seen[0].len() * plan.seen[1].len();
            let outputs = rows * plan.columns * c;
            let first = part * plan.units_per_part;
            let transposed = POOLING == RETURN || POOLING == SPREAD;
            for unit in first..(first + plan.units_per_part).min(plan.batch * plan.blocks * plan.bands) {
                let (image, band) = (unit / plan.bands, unit % plan.bands);
                let (b, from) = (image / plan.blocks, image % plan.blocks * BLOCK);
                let to = (from + BLOCK).min(c);
                let whole = context.at(plan.y).add(b * if transposed { inputs } else { outputs });
                if transposed && !TILES {
                    let (count, len) = if plan.blocks == 1 { (1, inputs) } else { (n0 * n1 * n2, to - from) };
                    (0..count).for_each(|i| whole.add(i * c + from).write_bytes(0, len));
                }
                let values = Values {
                    // Where the windows lie, and their own elements.
                    x: context.at(plan.x).add(b * if POOLING == SPREAD { outputs } else { inputs }).cast_const(),
                    v: context.at(plan.v).add(b * if POOLING == PICK { inputs } else { outputs }).cast_const(),
                    y: whole,
                };
                for row in band * rows / plan.bands..(band + 1) * rows / plan.bands {
                    let (s0, s1) = (&plan.seen[0][row / plan.seen[1].len()], &plan.seen[1][row % plan.seen[1].len()]);
                    let mut o = row * plan.columns * c;
                    for (s2, run) in &plan.runs {
                        let window = Window {
                            base: ((s0.first * n1 + s1.first) * n2 + s2.first) * c,
                            counts: if SIDE > 0 { [1, SIDE, SIDE] } else { [s0.count, s1.count, s2.count] },
                            steps: [s0.step * n1 * n2 * c, s1.step * n2 * c, s2.step * c],
                        };
                        let end = to + (run - 1) * c;
                        let mut j = from;
                        while j < end {
                            let n = (end - j).min(S::LANES);
                            if n == S::LANES {
                                plan.cell::<S, POOLING, TILES, true>(&window, Lanes { j, o, n }, values);
                            } else {
                                plan.cell::<S, POOLING, TILES, false>(&window, Lanes { j, o, n }, values);
                            }
                            j += S::LANES;
                        }
                        o += run * c;
                    }
                }
            }
        }
    }
}

/// Windows with how many there are from each on that see as much and each lie one further than the one before.
fn runs(seen: &[Seen]) -> Vec<(Seen, usize)> {
    let mut runs: Vec<(Seen, usize)> = vec![];
    for &s in seen {
        match runs.last_mut() {
            Some((first, n)) if s.first == first.first + *n && s.count == first.count && s.step == first.step => {
                *n += 1
            }
            _ => runs.push((s, 1)),
        }
    }
    runs
}

/// Some channels of a window: `n` from `j` on, their results from `o + j` on.
#[derive(Clone, Copy)]
struct Lanes {
    j: usize,
    o: usize,
    n: usize,
}

/// An image, the second operand beside it, and the result.
struct Values<T> {
    x: *const T,
    v: *const T,
    y: *mut T,
}

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Values<T> {}

impl<T: Real> PoolPlan<T> {
    /// One window, or as many side by side as the lanes hold.
    #[inline(always)]
    unsafe fn cell<S: Simd<T = T>, const POOLING: u8, const TILES: bool, const FULL: bool>(
        &self,
        window: &Window,
        Lanes { j, o, n }: Lanes,
        Values { x, v, y }: Values<T>,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match POOLING {
                MAX => {
                    let mut best = load::<S, FULL>(x.add(window.base + j), n);
                    each!(window, |i| best = S::max(best, load::<S, FULL>(x.add(i + j), n)));
                    store::<S, FULL>(y.add(o + j), best, n);
                }
                PICK => {
                    let mut best = load::<S, FULL>(x.add(window.base + j), n);
                    let mut picked = load::<S, FULL>(v.add(window.base + j), n);
                    each!(window, |i| {
                        let (x, v) = (load::<S, FULL>(x.add(i + j), n), load::<S, FULL>(v.add(i + j), n));
                        (best, picked) = better::<S>(best, x, picked, v);
                    });
                    store::<S, FULL>(y.add(o + j), picked, n);
                }
                RETURN => {
                    let dy = load::<S, FULL>(v.add(o + j), n);
                    window.put_back::<S, FULL>(x.add(j), dy, y.add(j), n, TILES);
                }
                SUM => {
                    let mut sum = S::zero();
                    each!(window, |i| sum = S::add(sum, load::<S, FULL>(x.add(i + j), n)));
                    store::<S, FULL>(y.add(o + j), S::mul(sum, S::number(self.factor(window))), n);
                }
                _ => {
                    let dy = S::mul(load::<S, FULL>(x.add(o + j), n), S::number(self.factor(window)));
                    each!(window, |i| {
                        let y = y.add(i + j);
                        let old = if TILES { S::zero() } else { load::<S, FULL>(y, n) };
                        store::<S, FULL>(y, S::add(old, dy), n);
                    });
                }
            }
        }
    }

    #[inline(always)]
    fn factor(&self, window: &Window) -> f64 {
        if self.average { self.scale / window.counts.iter().product::<usize>() as f64 } else { self.scale }
    }
}

/// The places that a window sees: `base + Σ kᵢ·steps[i]` for `kᵢ < counts[i]`.
pub(crate) struct Window {
    pub base: usize,
    pub counts: [usize; 3],
    pub steps: [usize; 3],
}

impl Window {
    /// Adds `dy` to `y` where `x` is largest in the window; with `tiles`, writes it there and 0 everywhere else.
    ///
    /// # Safety
    /// The window lies inside both.
    #[inline(always)]
    pub unsafe fn put_back<S: Simd, const FULL: bool>(
        &self,
        x: *const S::T,
        dy: S::V,
        y: *mut S::T,
        n: usize,
        tiles: bool,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let one = S::number(1.0);
            let mut best = load::<S, FULL>(x.add(self.base), n);
            let (mut place, mut count) = (S::zero(), S::zero());
            each!(self, |i| {
                (best, place) = better::<S>(best, load::<S, FULL>(x.add(i), n), place, count);
                count = S::add(count, one);
            });
            count = S::zero();
            each!(self, |i| {
                let own = S::select(S::eq(count, place), dy, S::zero());
                let old = if tiles { S::zero() } else { load::<S, FULL>(y.add(i), n) };
                store::<S, FULL>(y.add(i), S::add(old, own), n);
                count = S::add(count, one);
            });
        }
    }
}

/// The larger of two, the first one if they are equal and a NaN before all else, with what belongs to it.
#[inline(always)]
pub(crate) unsafe fn better<S: Simd>(best: S::V, x: S::V, own: S::V, other: S::V) -> (S::V, S::V) {
    // SAFETY: the caller's.
    unsafe {
        let (stays, valid) = (S::le(x, best), S::eq(best, best));
        (S::select(stays, best, S::select(valid, x, best)), S::select(stays, own, S::select(valid, other, own)))
    }
}

#[inline(always)]
pub(crate) unsafe fn load<S: Simd, const FULL: bool>(x: *const S::T, n: usize) -> S::V {
    // SAFETY: the caller's: `n` lanes may be read, and that is all of them if `FULL`.
    unsafe { if FULL { S::load(x) } else { S::load_some(x, S::first(n)) } }
}

#[inline(always)]
pub(crate) unsafe fn store<S: Simd, const FULL: bool>(y: *mut S::T, v: S::V, n: usize) {
    // SAFETY: the caller's: `n` lanes may be written, and that is all of them if `FULL`.
    unsafe { if FULL { S::store(y, v) } else { S::store_some(y, v, S::first(n)) } }
}
