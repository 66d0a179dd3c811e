//! The largest elements of the bins of boxes, and the transposed.

use crate::context::{Context, Part, Place};
use crate::instr::{Pooling, RoiPool};
use crate::pooling::{Window, better, each, load, store};
use crate::reference::whole;
use crate::simd::{Kernel, Simd, entry};
use crate::{Isa, Real};
use std::marker::PhantomData;

/// Elements that a part is worth.
const PART: usize = 8 * 1024;

/// A pooling of boxes ready to run.
pub struct RoiPlan<T> {
    pooling: Pooling,
    images: usize,
    height: usize,
    width: usize,
    channels: usize,
    count: usize,
    out: [usize; 2],
    scale: f64,
    x: Place,
    boxes: Place,
    v: Place,
    y: Place,
    /// Boxes, or images for the transposed.
    units: usize,
    units_per_part: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    run: Part<RoiPlan<T>, T>,
}

impl<T: Real> RoiPlan<T> {
    pub fn new(p: &RoiPool, isa: Isa) -> RoiPlan<T> {
        let units = if p.pooling.is_transposed() { p.images } else { p.count };
        let total = p.count * p.out[0] * p.out[1] * p.channels;
        let parts = if units == 0 { 0 } else { (total / PART).clamp(1, 16).min(units) };
        let units_per_part = units.div_ceil(parts.max(1));
        RoiPlan {
            pooling: p.pooling,
            images: p.images,
            height: p.height,
            width: p.width,
            channels: p.channels,
            count: p.count,
            out: p.out,
            scale: p.scale,
            x: p.x.into(),
            boxes: p.boxes.into(),
            v: p.v.unwrap_or(p.x).into(),
            y: p.y.into(),
            units,
            units_per_part,
            parts: if parts == 0 { 0 } else { units.div_ceil(units_per_part) },
            run: entry::<T, Boxes<T>>(isa),
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

struct Boxes<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for Boxes<T> {
    type A = RoiPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const RoiPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's; bins lie inside the images.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let (n, size) = (plan.channels, plan.height * plan.width * plan.channels);
            let first = part * plan.units_per_part;
            let own = first..(first + plan.units_per_part).min(plan.units);
            let transposed = plan.pooling.is_transposed();
            let (x, v, y) = (context.at(plan.x).cast_const(), context.at(plan.v).cast_const(), context.at(plan.y));
            if transposed {
                y.add(own.start * size).write_bytes(0, own.len() * size);
            }
            for r in if transposed { 0..plan.count } else { own.clone() } {
                let corner = |k: usize| (*context.at(plan.boxes).add(5 * r + k)).to_f64();
                let image = whole(corner(0), plan.images);
                if transposed && !image.is_some_and(|image| own.contains(&image)) {
                    continue;
                }
                for bin in 0..plan.out[0] * plan.out[1] {
                    let (i, j) = (bin / plan.out[1], bin % plan.out[1]);
                    let o = (r * plan.out[0] * plan.out[1] + bin) * n;
                    let Some(image) = image else {
                        (0..n).for_each(|c| *y.add(o + c) = T::from_f64(f64::NAN));
                        continue;
                    };
                    let rows = RoiPool::seen(corner(2), corner(4), plan.scale, plan.out[0], i, plan.height);
                    let cols = RoiPool::seen(corner(1), corner(3), plan.scale, plan.out[1], j, plan.width);
                    let window = Window {
                        base: image * size + (rows.first * plan.width + cols.first) * n,
                        counts: [1, rows.count, cols.count],
                        steps: [0, plan.width * n, n],
                    };
                    if rows.count * cols.count == 0 {
                        if !transposed {
                            y.add(o).write_bytes(0, n);
                        }
                        continue;
                    }
                    let mut c = 0;
                    while c < n {
                        let some = (n - c).min(S::LANES);
                        if transposed {
                            let dy = load::<S, false>(v.add(o + c), some);
                            window.put_back::<S, false>(x.add(c), dy, y.add(c), some, false);
                        } else {
                            let mut best = load::<S, false>(x.add(window.base + c), some);
                            let mut picked = load::<S, false>(v.add(window.base + c), some);
                            each!(&window, |at| {
                                let x = load::<S, false>(x.add(at + c), some);
                                let v = load::<S, false>(v.add(at + c), some);
                                (best, picked) = better::<S>(best, x, picked, v);
                            });
                            store::<S, false>(y.add(o + c), picked, some);
                        }
                        c += S::LANES;
                    }
                }
            }
        }
    }
}
