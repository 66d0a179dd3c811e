//! Running a convolution: image by image, tile by tile.

use super::depthwise::{self, Depthwise};
use super::micro::{Micro, Segment, Tile};
use super::{ConvPlan, Phase, Work};
use crate::Real;
use crate::context::Context;
use crate::prefetch::{Ahead, For};
use crate::simd::{Kernel, Simd};
use crate::tiles::Strip;
use std::marker::PhantomData;

pub struct RunConv<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunConv<T> {
    type A = ConvPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const ConvPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (p, context) = (&*plan, &*context);
            let first = part * p.images_per_part;
            let last = (first + p.images_per_part).min(p.batch);
            let halo = !p.halo.is_none();
            if halo {
                p.halo.clear(context.scratch);
            }
            let mut target = context.at(p.y.0);
            if let Work::Weight { partial, .. } = p.work {
                if partial {
                    target = context.shared.add(p.shared_base + part * p.y_len);
                }
                std::slice::from_raw_parts_mut(target, p.y_len).fill(T::from_f64(0.0));
            }
            for image in first..last {
                let mut a = context.at(p.a.0).add(image * p.a.1).cast_const();
                let images = if image + 1 < last { 1..2 } else { 1..1 };
                let next = |start: *const T, len: usize, purpose| {
                    Ahead::new(start, images.start * len, images.end * len, p.pieces, purpose)
                };
                let inputs = next(a, p.a.1, For::Reading);
                if halo {
                    p.halo.fill::<S>(context.scratch, a);
                    a = context.scratch;
                }
                let b = context.at(p.b.0).add(image * p.b.1).cast_const();
                let y = target.add(image * p.y.1);
                let second = match p.work {
                    Work::Images(_) => next(y, p.y.1, For::Writing),
                    Work::Weight { .. } => next(b, p.b.1, For::Reading),
                };
                let mut ahead = [inputs, second];
                match &p.work {
                    Work::Images(phases) => {
                        for phase in phases {
                            match &p.depthwise {
                                Some(depthwise) => p.depthwise_phase(depthwise, phase, a, b, y),
                                None => p.phase(phase, a, b, y, &mut ahead),
                            }
                        }
                    }
                    Work::Weight { positions, segments, block, a_col, .. } => {
                        for block in segments.chunks(*block) {
                            ahead.iter_mut().for_each(Ahead::fetch);
                            if let Some(depthwise) = &p.depthwise {
                                for position in positions {
                                    let sum = depthwise::Position {
                                        a: a.add(position.a),
                                        a_row: *a_col,
                                        b,
                                        b_row: p.b_row,
                                        y: y.add(position.y),
                                        segments: block.len(),
                                    };
                                    (depthwise.position)(&sum, block.as_ptr(), p.groups);
                                }
                                continue;
                            }
                            for group in 0..p.groups {
                                for position in positions {
                                    let tile = Tile {
                                        a: a.add(group * p.group.a + position.a),
                                        a_row: 1,
                                        a_col: *a_col,
                                        b: b.add(group * p.group.b),
                                        b_row: p.b_row,
                                        y: y.add(group * p.group.y + position.y),
                                        y_row: p.y_row,
                                        segments: block.len(),
                                        add: true,
                                    };
                                    strips(&position.strips, tile, block);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl<T: Real> ConvPlan<T> {
    #[inline(always)]
    unsafe fn phase(&self, phase: &Phase<Micro<T>>, a: *const T, b: *const T, y: *mut T, ahead: &mut [Ahead; 2]) {
        // SAFETY: the caller's.
        unsafe {
            for group in 0..self.groups {
                let tile = Tile {
                    a: a.add(group * self.group.a),
                    a_row: phase.a_steps[2],
                    a_col: 1,
                    b: b.add(group * self.group.b),
                    b_row: self.b_row,
                    y: y.add(group * self.group.y + phase.y_first),
                    y_row: phase.y_steps[2],
                    segments: phase.segments.len(),
                    add: false,
                };
                for i in 0..phase.counts[0] {
                    for j in 0..phase.counts[1] {
                        let a = tile.a.add(i * phase.a_steps[0] + j * phase.a_steps[1]);
                        let y = tile.y.add(i * phase.y_steps[0] + j * phase.y_steps[1]);
                        if group == 0 {
                            ahead.iter_mut().for_each(Ahead::fetch);
                        }
                        strips(&phase.strips, Tile { a, y, ..tile }, &phase.segments);
                    }
                }
            }
        }
    }
}

impl<T: Real> ConvPlan<T> {
    #[inline(always)]
    unsafe fn depthwise_phase(
        &self,
        depthwise: &Depthwise<T>,
        phase: &Phase<Micro<T>>,
        a: *const T,
        w: *const T,
        y: *mut T,
    ) {
        // SAFETY: the caller's.
        unsafe {
            for i in 0..phase.counts[0] {
                for j in 0..phase.counts[1] {
                    let row = depthwise::Row {
                        a: a.add(i * phase.a_steps[0] + j * phase.a_steps[1]),
                        a_row: phase.a_steps[2],
                        w,
                        y: y.add(phase.y_first + i * phase.y_steps[0] + j * phase.y_steps[1]),
                        y_row: phase.y_steps[2],
                        pixels: phase.counts[2],
                        segments: phase.segments.len(),
                    };
                    (depthwise.row)(&row, phase.segments.as_ptr(), self.groups);
                }
            }
        }
    }
}

/// Computes a block of the result whose upper left corner is given.
#[inline(always)]
pub(super) unsafe fn strips<T: Real>(strips: &[Strip<Micro<T>>], mut tile: Tile<T>, segments: &[Segment]) {
    // SAFETY: the caller's.
    unsafe {
        for strip in strips {
            let mut t = tile;
            for i in 0..strip.count {
                let tall = i < strip.taller;
                let (run, height) = if tall { (strip.tall, strip.height + 1) } else { (strip.short, strip.height) };
                run(&t, segments.as_ptr(), strip.width);
                t.a = t.a.wrapping_add(height * t.a_row);
                t.y = t.y.wrapping_add(height * t.y_row);
            }
            tile.b = tile.b.wrapping_add(strip.width);
            tile.y = tile.y.wrapping_add(strip.width);
        }
    }
}
