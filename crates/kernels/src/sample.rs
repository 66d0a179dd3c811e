//! Images at real places by linear interpolation, and the transposed: what is read from four neighbours is shared out among them.

use crate::context::{Context, Part, Place};
use crate::instr::Sample;
use crate::pooling::{load, store};
use crate::reference::whole;
use crate::simd::{Kernel, Simd, entry};
use crate::{Isa, Real};
use std::marker::PhantomData;

/// Elements that a part is worth.
const PART: usize = 8 * 1024;

/// A sampling ready to run.
pub struct SamplePlan<T> {
    slope: [bool; 2],
    images: usize,
    height: usize,
    width: usize,
    channels: usize,
    sets: usize,
    points: usize,
    at: Place,
    image: Place,
    x: Place,
    y: Place,
    /// Points, or images for the transposed.
    units: usize,
    units_per_part: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    run: Part<SamplePlan<T>, T>,
}

impl<T: Real> SamplePlan<T> {
    pub fn new(s: &Sample, isa: Isa) -> SamplePlan<T> {
        let units = if s.spread { s.images } else { s.sets * s.points };
        let total = s.sets * s.points * s.channels;
        let parts = if units == 0 { 0 } else { (total / PART).clamp(1, 16).min(units) };
        let units_per_part = units.div_ceil(parts.max(1));
        SamplePlan {
            slope: s.slope,
            images: s.images,
            height: s.height,
            width: s.width,
            channels: s.channels,
            sets: s.sets,
            points: s.points,
            at: s.at.into(),
            image: s.image.into(),
            x: s.x.into(),
            y: s.y.into(),
            units,
            units_per_part,
            parts: if parts == 0 { 0 } else { units.div_ceil(units_per_part) },
            run: if s.spread { entry::<T, Points<T, true>>(isa) } else { entry::<T, Points<T, false>>(isa) },
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

    /// The four neighbours of a point, as places in all images, with what each counts.
    #[inline(always)]
    unsafe fn corners(&self, context: &Context<T>, image: Option<usize>, point: usize) -> Option<[(usize, f64); 4]> {
        // SAFETY: the caller's.
        let at = unsafe {
            let at = context.at(self.at).add(2 * point);
            [(*at).to_f64(), (*at.add(1)).to_f64()]
        };
        let rows = Sample::corners(at[0], self.height, self.slope[0])?;
        let cols = Sample::corners(at[1], self.width, self.slope[1])?;
        let first = image? * self.height;
        let corner = |(row, a): (usize, f64), (col, b): (usize, f64)| {
            (((first + row) * self.width + col) * self.channels, a * b)
        };
        Some([corner(rows[0], cols[0]), corner(rows[0], cols[1]), corner(rows[1], cols[0]), corner(rows[1], cols[1])])
    }
}

struct Points<T, const SPREAD: bool>(PhantomData<T>);

impl<T: Real, const SPREAD: bool> Kernel<T> for Points<T, SPREAD> {
    type A = SamplePlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const SamplePlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's; the neighbours lie inside the images, and what counts 0 is not touched.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let n = plan.channels;
            let first = part * plan.units_per_part;
            let own = first..(first + plan.units_per_part).min(plan.units);
            let (x, y) = (context.at(plan.x).cast_const(), context.at(plan.y));
            let image = |set: usize| whole((*context.at(plan.image).add(set)).to_f64(), plan.images);
            if SPREAD {
                let size = plan.height * plan.width * n;
                y.add(own.start * size).write_bytes(0, own.len() * size);
                for set in 0..plan.sets {
                    let image = image(set).filter(|image| own.contains(image));
                    if image.is_none() {
                        continue;
                    }
                    for point in set * plan.points..(set + 1) * plan.points {
                        let Some(corners) = plan.corners(context, image, point) else { continue };
                        for (place, part) in corners.into_iter().filter(|c| c.1 != 0.0) {
                            let part = S::number(part);
                            let mut c = 0;
                            while c < n {
                                let some = (n - c).min(S::LANES);
                                let (y, x) = (y.add(place + c), x.add(point * n + c));
                                let sum = S::fma(part, load::<S, false>(x, some), load::<S, false>(y, some));
                                store::<S, false>(y, sum, some);
                                c += S::LANES;
                            }
                        }
                    }
                }
                return;
            }
            for point in own {
                let y = y.add(point * n);
                let Some(corners) = plan.corners(context, image(point / plan.points), point) else {
                    (0..n).for_each(|c| *y.add(c) = T::from_f64(f64::NAN));
                    continue;
                };
                let mut c = 0;
                while c < n {
                    let some = (n - c).min(S::LANES);
                    let mut sum = S::zero();
                    for (place, part) in corners {
                        if part != 0.0 {
                            sum = S::fma(S::number(part), load::<S, false>(x.add(place + c), some), sum);
                        }
                    }
                    store::<S, false>(y.add(c), sum, some);
                    c += S::LANES;
                }
            }
        }
    }
}
