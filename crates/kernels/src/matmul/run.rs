//! Running a product: strips of register tiles, with packing before and epilogues after.

use super::epilogue::{Matrix, Simple};
use super::micro::{Finish, Tile};
use super::{Ending, MatMulPlan};
use crate::Real;
use crate::context::{Context, Slot};
use crate::copy::{row_copy, transpose};
use crate::map::MapPlan;
use crate::simd::{Kernel, Simd};
use std::marker::PhantomData;
use std::ops::Range;

impl<T: Real> MatMulPlan<T> {
    /// Transposes columns `j .. j + width` of the right factor into scratch memory.
    #[inline(always)]
    unsafe fn pack<S: Simd<T = T>>(&self, y: *mut T, b: *const T, j: usize, width: usize) {
        // SAFETY: the caller's.
        unsafe {
            let row = self.packed_row();
            let x = b.add(j * self.b.col);
            if self.b.col == 1 {
                for k in 0..self.k {
                    row_copy::<S>(y.add(k * row), x.add(k * self.b.row), width);
                }
            } else if self.b.row == 1 {
                transpose::<S>(y, row, x, self.b.col, self.k, width);
            } else {
                for k in 0..self.k {
                    for j in 0..width {
                        *y.add(k * row + j) = *x.add(k * self.b.row + j * self.b.col);
                    }
                }
            }
        }
    }

    /// Computes a block of the result whose upper left corner is given.
    #[inline(always)]
    unsafe fn block(&self, mut tile: Tile<T>, finish: &Finish<T>, rows: usize, cols: usize) {
        // SAFETY: the caller's.
        unsafe {
            let mut shape = self.shapes.as_ptr();
            while (*shape).rows != rows || (*shape).cols != cols {
                shape = shape.add(1);
            }
            for strip in &(*shape).strips {
                let mut t = tile;
                for i in 0..strip.count {
                    let tall = i < strip.taller;
                    let (run, height) = if tall { (strip.tall, strip.height + 1) } else { (strip.short, strip.height) };
                    run(&t, finish, strip.width);
                    t = t.down(height);
                }
                tile = tile.right(strip.width);
            }
        }
    }

    /// Computes some columns of the result, a block of rows after the other.
    #[inline(always)]
    unsafe fn blocks(&self, tile: Tile<T>, finish: &Finish<T>, rows: usize, cols: usize) {
        let mut i = 0;
        while i < rows {
            let height = self.block_rows.min(rows - i);
            // SAFETY: the caller's.
            unsafe { self.block(tile.down(i), finish, height, cols) };
            i += height;
        }
    }

    #[inline(always)]
    unsafe fn simple<S: Simd<T = T>>(
        &self,
        context: &Context<T>,
        simple: &Simple,
        a: *const T,
        b: *const T,
        batch: usize,
        rows: Range<usize>,
        cols: Range<usize>,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let place = |x: &Option<Matrix>| match x {
                Some(x) => {
                    (context.at(x.place).add(batch * x.batch + rows.start * x.row + cols.start).cast_const(), x.row)
                }
                None => (std::ptr::null(), 0),
            };
            let s = simple.linear.s.map_or(0.0, |s| (*context.at(s)).to_f64());
            let finish = simple.finish(s);
            let (add, add_row) = place(&simple.linear.x);
            let (gate, gate_row) = place(&simple.gate.map(|g| g.on));
            let tile = Tile {
                a,
                a_row: self.a.row,
                a_col: self.a.col,
                b: b.wrapping_add(cols.start),
                b_row: self.b.row,
                k: self.k,
                y: context.at(simple.y).add((batch * self.m + rows.start) * self.n + cols.start),
                y_row: self.n,
                add,
                add_row,
                gate,
                gate_row,
            };
            if !self.pack {
                self.blocks(tile, &finish, rows.len(), cols.len());
                return;
            }
            let mut j = 0;
            while j < cols.len() {
                let width = self.segment.min(cols.len() - j);
                self.pack::<S>(context.scratch, b, cols.start + j, width);
                let tile = Tile { b: context.scratch, b_row: self.packed_row(), ..tile.right(j) };
                self.blocks(tile, &finish, rows.len(), width);
                j += width;
            }
        }
    }

    #[inline(always)]
    unsafe fn mapped<S: Simd<T = T>>(
        &self,
        context: &Context<T>,
        map: &MapPlan<T>,
        a: *const T,
        b: *const T,
        batch: usize,
        rows: Range<usize>,
    ) {
        // SAFETY: the caller's.
        unsafe {
            let finish = Finish::nothing();
            let block = context.scratch.add(map.scratch().next_multiple_of(16));
            let packed = block.add((self.block_rows * self.segment).next_multiple_of(16));
            let slots = map.begin_block(context);
            let mut j = 0;
            while j < self.n {
                let width = self.segment.min(self.n - j);
                let (b, b_row) = if self.pack {
                    self.pack::<S>(packed, b, j, width);
                    (packed.cast_const(), self.packed_row())
                } else {
                    (b.wrapping_add(j), self.b.row)
                };
                let mut i = rows.start;
                while i < rows.end {
                    let height = self.block_rows.min(rows.end - i);
                    let tile = Tile {
                        a: a.wrapping_add((i - rows.start) * self.a.row),
                        a_row: self.a.row,
                        a_col: self.a.col,
                        b,
                        b_row,
                        k: self.k,
                        y: block,
                        y_row: width,
                        add: std::ptr::null(),
                        add_row: 0,
                        gate: std::ptr::null(),
                        gate_row: 0,
                    };
                    self.block(tile, &finish, height, width);
                    self.finish(context, map, slots, block, batch, i..i + height, j..j + width);
                    i += height;
                }
                j += width;
            }
        }
    }
    /// Runs the map over a block's sums, tile by tile: whole rows, or a piece of one.
    #[inline(always)]
    unsafe fn finish(
        &self,
        context: &Context<T>,
        map: &MapPlan<T>,
        slots: *mut Slot<T>,
        block: *mut T,
        batch: usize,
        rows: Range<usize>,
        cols: Range<usize>,
    ) {
        // Tiles of a row, tiles of a column.
        let (across, down) = (self.n.div_ceil(self.segment), self.m.div_ceil(self.tile_rows));
        for i in rows.clone().step_by(self.tile_rows) {
            let tile = (batch * down + i / self.tile_rows) * across + cols.start / self.segment;
            // SAFETY: the caller's.
            unsafe { map.run_block(context, slots, block.add((i - rows.start) * cols.len()), tile) };
        }
    }
}

pub struct RunMatMul<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunMatMul<T> {
    type A = MatMulPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const MatMulPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (p, context) = (&*plan, &*context);
            let (rest, col_part) = (part / p.col_parts, part % p.col_parts);
            let (batch_part, row_part) = (rest / p.row_parts, rest % p.row_parts);
            let rows = row_part * p.rows_per_part..((row_part + 1) * p.rows_per_part).min(p.m);
            let cols = col_part * p.cols_per_part..((col_part + 1) * p.cols_per_part).min(p.n);
            let first = batch_part * p.batches_per_part;
            for batch in first..(first + p.batches_per_part).min(p.batches) {
                let a = context.at(p.a.place).add(batch * p.a.batch + rows.start * p.a.row);
                let b = context.at(p.b.place).add(batch * p.b.batch);
                match &p.ending {
                    Ending::Simple(simple) => p.simple::<S>(context, simple, a, b, batch, rows.clone(), cols.clone()),
                    Ending::Map(map) => p.mapped::<S>(context, map, a, b, batch, rows.clone()),
                }
            }
        }
    }
}

/// A product of one tile with nothing after it but a constant factor, a sum, a rectifier.
pub struct RunTile<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunTile<T> {
    type A = MatMulPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const MatMulPlan<T>, context: *const Context<T>, _: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (p, context) = (&*plan, &*context);
            let (strip, small) = (&p.shapes.get_unchecked(0).strips, p.small.as_ref().unwrap_unchecked());
            let strip = strip.get_unchecked(0);
            let tile = Tile {
                a: context.at(p.a.place),
                a_row: p.a.row,
                a_col: p.a.col,
                b: context.at(p.b.place),
                b_row: p.b.row,
                k: p.k,
                y: context.at(small.y),
                y_row: p.n,
                add: match small.add {
                    Some(place) => context.at(place),
                    None => std::ptr::null(),
                },
                add_row: small.add_row,
                gate: std::ptr::null(),
                gate_row: 0,
            };
            (strip.short)(&tile, &small.finish, strip.width);
        }
    }
}
