//! Running a map: what is done once, for every tile, and at the end of a part.

use super::layout::Tile;
use super::program::{Leaf, Source};
use super::{FoldPlan, MapPlan, StorePlan, walk};
use crate::context::{Context, Slot};
use crate::simd::{Kernel, Simd};
use crate::{Real, random};
use std::marker::PhantomData;

impl<T: Real> MapPlan<T> {
    /// What must be done before the first tile.
    #[inline(always)]
    unsafe fn begin<S: Simd<T = T>>(&self, context: &Context<T>) -> *mut Slot<T> {
        // SAFETY: the caller's.
        unsafe {
            let slots = context.slots.add(self.slot_base);
            for input in &self.inputs {
                let slot = slots.add(usize::from(input.slot));
                match input.source {
                    Source::Splat => S::store((*slot).at, S::splat(*context.at(input.place))),
                    Source::Buffer if input.repeated => {
                        let x = context.at(input.place);
                        let steps = self.layout.chunk.min(self.layout.dims[self.layout.axis]);
                        walk::gather::<S>((*slot).at, x, &self.layout, steps, &input.strides);
                    }
                    _ => {}
                }
            }
            if let Some(slot) = self.program.step {
                S::store((*slots.add(usize::from(slot))).at, S::number(context.step as f64));
            }
            for op in &self.program.prologue {
                (op.run)(slots, op, S::LANES);
            }
            slots
        }
    }

    /// Runs the program over a tile.
    #[inline(always)]
    unsafe fn tile<S: Simd<T = T>>(&self, context: &Context<T>, slots: *mut Slot<T>, t: Tile, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (start, steps) = if self.single { (0, self.layout.chunk) } else { self.layout.range(t) };
            let n = steps * self.layout.inner;
            for input in &self.inputs {
                let slot = slots.add(usize::from(input.slot));
                match input.source {
                    Source::Splat => {}
                    Source::Direct => {
                        let offset = if input.whole { start } else { self.offset(t, &input.strides) };
                        (*slot).at = context.at(input.place).add(offset);
                    }
                    Source::TileSplat => {
                        let x = context.at(input.place).add(self.offset(t, &input.strides));
                        S::store((*slot).at, S::splat(*x));
                    }
                    Source::Buffer if input.repeated || (input.repeated_in_row && t.c > 0) => {}
                    Source::Buffer => {
                        let x = context.at(input.place).add(self.offset(t, &input.strides));
                        walk::gather::<S>((*slot).at, x, &self.layout, steps, &input.strides);
                    }
                }
            }
            for store in &self.stores {
                let slot = slots.add(usize::from(store.slot));
                match &store.fold {
                    None => (*slot).at = context.at(store.place).add(start),
                    Some(fold) if fold.inside => {
                        (*slot).at = self.result(context, store, fold, part).add(self.offset(t, &fold.strides));
                    }
                    Some(_) => {}
                }
            }
            if !self.program.leaves.is_empty() {
                self.fill_leaves(context, slots, start, n);
            }
            for op in &self.program.body {
                (op.run)(slots, op, n);
            }
            for store in &self.stores[..if self.folds { self.stores.len() } else { 0 }] {
                if let Some(fold) = &store.fold
                    && !fold.inside
                {
                    let y = self.result(context, store, fold, part).add(self.offset(t, &fold.strides));
                    let x = (*slots.add(usize::from(store.slot))).at;
                    walk::fold::<S>(fold.fold, y, x, &self.layout, steps, &fold.strides);
                }
            }
            for op in &self.program.tail {
                (op.run)(slots, op, n);
            }
        }
    }

    /// Where a tile of a view starts.
    #[inline(always)]
    fn offset(&self, t: Tile, strides: &[usize]) -> usize {
        if self.single { 0 } else { self.layout.offset(t, strides) }
    }

    /// Where a part's result of a fold starts.
    #[inline(always)]
    unsafe fn result(&self, context: &Context<T>, store: &StorePlan, fold: &FoldPlan, part: usize) -> *mut T {
        // SAFETY: the caller's.
        unsafe {
            match fold.partial {
                Some(at) => context.shared.add(self.shared_base + at + part * fold.len),
                None => context.at(store.place),
            }
        }
    }

    #[inline(never)]
    unsafe fn fill_leaves(&self, context: &Context<T>, slots: *mut Slot<T>, start: usize, n: usize) {
        for &(slot, leaf) in &self.program.leaves {
            // SAFETY: the caller's: the slot is a register of at least `n` elements.
            let y = unsafe { std::slice::from_raw_parts_mut((*slots.add(usize::from(slot))).at, n) };
            match leaf {
                Leaf::Random(kind, stream) => {
                    let draw = random::Draw { kind, seed: context.seed, stream, step: context.step, start };
                    // SAFETY: as above.
                    unsafe { (self.fill)(y.as_mut_ptr(), &draw, n) };
                }
                Leaf::Index(d) => {
                    let (stride, size) = self.coordinates[usize::from(d)];
                    walk::coordinates(y, start, stride, size);
                }
            }
        }
    }

    /// The results of a fold that a part owns.
    #[inline(always)]
    unsafe fn share<S: Simd<T = T>>(
        &self,
        context: &Context<T>,
        store: &StorePlan,
        fold: &FoldPlan,
        part: usize,
        first: usize,
        last: usize,
    ) -> (*mut T, usize) {
        // SAFETY: the caller's.
        unsafe {
            let y = self.result(context, store, fold, part);
            if fold.partial.is_some() || self.parts == 1 {
                return (y, fold.len);
            }
            // Units are steps along the outermost dimension, or chunks of them.
            let steps = if self.layout.axis == 0 { self.layout.chunk } else { 1 };
            let from = first * steps * fold.strides[0];
            let to = (last * steps).min(self.layout.dims[0]) * fold.strides[0];
            (y.add(from), to - from)
        }
    }
}

/// A map of one tile without anything to gather or to fold.
pub struct RunPlain<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunPlain<T> {
    type A = MapPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const MapPlan<T>, context: *const Context<T>, _: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let slots = context.slots.add(plan.slot_base);
            for &(slot, place) in &plan.splats {
                S::store((*slots.add(usize::from(slot))).at, S::splat(*context.at(place)));
            }
            if let Some(slot) = plan.program.step {
                S::store((*slots.add(usize::from(slot))).at, S::number(context.step as f64));
            }
            for op in &plan.program.prologue {
                (op.run)(slots, op, S::LANES);
            }
            for &(slot, place) in &plan.moves {
                (*slots.add(usize::from(slot))).at = context.at(place);
            }
            let n = plan.layout.chunk * plan.layout.inner;
            for op in &plan.program.body {
                (op.run)(slots, op, n);
            }
            for op in &plan.program.tail {
                (op.run)(slots, op, n);
            }
        }
    }
}

pub struct RunMap<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunMap<T> {
    type A = MapPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const MapPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let first = part * plan.units_per_part;
            let last = (first + plan.units_per_part).min(plan.units);
            for store in &plan.stores {
                if let Some(fold) = &store.fold {
                    let (y, len) = plan.share::<S>(context, store, fold, part, first, last);
                    let start = T::from_f64(walk::neutral(fold.fold));
                    for i in 0..len {
                        *y.add(i) = start;
                    }
                }
            }
            if !plan.empty {
                let slots = plan.begin::<S>(context);
                let mut tile = plan.layout.tile_at(first * plan.tiles_per_unit);
                for _ in first * plan.tiles_per_unit..last * plan.tiles_per_unit {
                    plan.tile::<S>(context, slots, tile, part);
                    tile = plan.layout.next(tile);
                }
            }
            for store in &plan.stores {
                if let Some(fold) = &store.fold
                    && fold.partial.is_none()
                    && fold.scale != 1.0
                {
                    let (y, len) = plan.share::<S>(context, store, fold, part, first, last);
                    let scale = T::from_f64(fold.scale);
                    for i in 0..len {
                        *y.add(i) = *y.add(i) * scale;
                    }
                }
            }
        }
    }
}

pub struct BeginMap<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for BeginMap<T> {
    type A = MapPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const MapPlan<T>, context: *const Context<T>, _: usize) {
        // SAFETY: the caller's.
        unsafe {
            (*plan).begin::<S>(&*context);
        }
    }
}

pub struct RunTile<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunTile<T> {
    type A = MapPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const MapPlan<T>, context: *const Context<T>, t: usize) {
        // SAFETY: the caller's.
        unsafe {
            let plan = &*plan;
            plan.tile::<S>(&*context, (*context).slots.add(plan.slot_base), plan.layout.tile_at(t), 0);
        }
    }
}
