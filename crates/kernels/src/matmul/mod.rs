//! Products with an epilogue.
//!
//! The result is cut into tiles that fit the registers (see `micro`). A right factor whose columns are not next to each other is
//! transposed, a panel of columns at a time, into scratch memory first. Simple epilogues run on the registers (see `epilogue`);
//! all others are maps over blocks of the result while they are in the first-level cache.

mod epilogue;
mod micro;
mod run;

use crate::context::{Context, Part, Place, Slot};
use crate::instr::{Factor, Loc, Map, MatMul, Operand, Space};
use crate::map::MapPlan;
use crate::simd::entry;
use crate::tiles::{Family, Strip};
use crate::{Isa, Real};
use epilogue::{Simple, recognise};
use micro::{Finish, Micro, kernels};
use run::{RunMatMul, RunTile};

/// Floating-point operations that a part is worth.
const PART: usize = 1 << 20;
/// The most parts.
const PARTS: usize = 16;
/// Rows that a part should have at least.
const PART_ROWS: usize = 24;
/// Rows that a block should have at least.
const BLOCK_ROWS: usize = 12;
/// Bytes of a block's rows of the left factor: they stay in the second-level cache, beside a panel of the right one.
const BLOCK_LEFT: usize = 256 << 10;
/// Bytes of a block's sums where a map finishes them.
const BLOCK_SUMS: usize = 64 << 10;

#[derive(Clone, Copy)]
struct FactorPlan {
    place: Place,
    batch: usize,
    row: usize,
    col: usize,
}

impl From<Factor> for FactorPlan {
    fn from(f: Factor) -> FactorPlan {
        FactorPlan { place: f.loc.into(), batch: f.batch, row: f.row, col: f.col }
    }
}

enum Ending<T> {
    Simple(Box<Simple>),
    Map(Box<MapPlan<T>>),
}

/// A product ready to run.
pub struct MatMulPlan<T> {
    m: usize,
    n: usize,
    k: usize,
    batches: usize,
    a: FactorPlan,
    b: FactorPlan,
    pack: bool,
    shapes: Vec<Shape<T>>,
    small: Option<Small<T>>,
    ending: Ending<T>,
    /// Columns that are finished together.
    segment: usize,
    /// Rows that are finished together, where a map does that.
    tile_rows: usize,
    /// Rows of a block.
    block_rows: usize,
    rows_per_part: usize,
    cols_per_part: usize,
    row_parts: usize,
    col_parts: usize,
    batches_per_part: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    /// The same for many threads.
    pub most_parts: usize,
    run: Part<MatMulPlan<T>, T>,
}

impl<T: Real> MatMulPlan<T> {
    pub fn new(p: &MatMul, isa: Isa, threads: usize) -> MatMulPlan<T> {
        let family = kernels(isa);
        let panel = family.panel_width();
        let pack = p.n > 1 && (p.b.col != 1 || is_scattered(p.b.row * size_of::<T>(), p.m, p.k));
        let (m, n) = (p.m.max(1), p.n.max(1));
        let ending = match recognise(p) {
            Some(simple) => Ending::Simple(Box::new(simple)),
            None => Ending::Map(Box::new(MapPlan::block(&block_map(p), isa))),
        };
        let (segment, tile_rows) = match &ending {
            Ending::Simple(_) => (panel, 1),
            Ending::Map(map) => match map.block_shape() {
                Ok(rows) => (n, rows),
                Err(cols) => (cols, 1),
            },
        };
        let work = 2usize.saturating_mul(p.batch).saturating_mul(m).saturating_mul(n).saturating_mul(p.k.max(1));
        let most_parts = (work / PART).clamp(1, PARTS);
        // How a result is cut changes none of its elements.
        let parts = if threads > 1 { most_parts } else { 1 };
        let batch_parts = parts.min(p.batch.max(1));
        let per_matrix = parts.div_ceil(batch_parts);
        let col_parts = match ending {
            Ending::Simple(_) => per_matrix.min(n.div_ceil(panel)),
            Ending::Map(_) => 1,
        };
        let row_parts = per_matrix.div_ceil(col_parts).min((m / PART_ROWS).max(1));
        let rows_per_part = m.div_ceil(row_parts).next_multiple_of(tile_rows);
        let most_rows = match ending {
            Ending::Simple(_) => m,
            Ending::Map(_) => {
                (BLOCK_SUMS / segment).min(BLOCK_LEFT / p.k.max(1)).div_ceil(size_of::<T>()).max(BLOCK_ROWS)
            }
        };
        let block_rows = rows_per_part.div_ceil(rows_per_part.div_ceil(most_rows)).next_multiple_of(tile_rows);
        let cols_per_part = if col_parts == 1 { n } else { n.div_ceil(panel).div_ceil(col_parts) * panel };
        let (row_parts, col_parts) = (m.div_ceil(rows_per_part), n.div_ceil(cols_per_part));
        let batches_per_part = p.batch.div_ceil(batch_parts).max(1);
        let empty = p.batch == 0 || p.m == 0 || p.n == 0;
        MatMulPlan {
            m: p.m,
            n: p.n,
            k: p.k,
            batches: p.batch,
            a: p.a.into(),
            b: p.b.into(),
            pack,
            shapes: Vec::new(),
            small: None,
            ending,
            segment,
            tile_rows,
            block_rows,
            rows_per_part,
            cols_per_part,
            row_parts,
            col_parts,
            batches_per_part,
            most_parts: if empty { 0 } else { most_parts },
            parts: if empty { 0 } else { row_parts * col_parts * p.batch.div_ceil(batches_per_part) },
            run: entry::<T, RunMatMul<T>>(isa),
        }
        .with_shapes(&family)
        .with_small(isa)
    }

    fn packed_row(&self) -> usize {
        self.segment.min(self.n.max(1)).next_multiple_of(16)
    }

    fn pack_len(&self) -> usize {
        if self.pack { self.k * self.packed_row() } else { 0 }
    }

    /// Elements of scratch memory that a thread needs while it runs this product.
    pub fn scratch(&self) -> usize {
        let ending = match &self.ending {
            Ending::Simple(_) => 0,
            Ending::Map(map) => {
                map.scratch().next_multiple_of(16) + (self.block_rows * self.segment).next_multiple_of(16)
            }
        };
        self.pack_len().next_multiple_of(16) + ending
    }

    /// Adds the slots of the epilogue to each thread's list.
    pub fn place_slots(&mut self, threads: &mut [(Vec<Slot<T>>, *mut T)], constant: &mut impl FnMut(f64) -> *mut T) {
        if let Ending::Map(map) = &mut self.ending {
            map.place_slots(threads, constant);
        }
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The product was checked against the memory of the context; the slots and the scratch memory were placed.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, part) }
    }

    /// Takes the short way if the result is one tile.
    fn with_small(mut self, isa: Isa) -> MatMulPlan<T> {
        let Ending::Simple(simple) = &self.ending else { return self };
        let one_tile = self.parts == 1
            && self.batches == 1
            && !self.pack
            && matches!(&self.shapes[0].strips[..], [strip] if strip.count == 1 && strip.taller == 0);
        if one_tile && simple.gate.is_none() && simple.linear.s.is_none() {
            self.small = Some(Small {
                finish: simple.finish(0.0),
                y: simple.y,
                add: simple.linear.x.map(|x| x.place),
                add_row: simple.linear.x.map_or(0, |x| x.row),
            });
            self.run = entry::<T, RunTile<T>>(isa);
        }
        self
    }

    /// Prepares the strips of every block that the parts consist of.
    fn with_shapes(mut self, family: &Family<Micro<T>>) -> MatMulPlan<T> {
        let pieces = |total: usize, part: usize, piece: usize| {
            let mut sizes = Vec::new();
            for start in (0..total).step_by(part.max(1)) {
                let part = part.min(total - start);
                for at in (0..part).step_by(piece.max(1)) {
                    let size = piece.min(part - at);
                    if !sizes.contains(&size) {
                        sizes.push(size);
                    }
                }
            }
            sizes
        };
        let whole = matches!(self.ending, Ending::Simple(_)) && !self.pack;
        let segment = if whole { self.n } else { self.segment };
        for rows in pieces(self.m, self.rows_per_part, self.block_rows) {
            for cols in pieces(self.n, self.cols_per_part, segment) {
                self.shapes.push(Shape { rows, cols, strips: family.strips(rows, cols) });
            }
        }
        self
    }
}

/// What a product of one tile needs to know.
struct Small<T> {
    finish: Finish<T>,
    y: Place,
    add: Option<Place>,
    add_row: usize,
}

/// A block of some size, and how it is computed.
struct Shape<T> {
    rows: usize,
    cols: usize,
    strips: Vec<Strip<Micro<T>>>,
}

/// Whether rows of the right factor, so many bytes apart, are better copied together: each lies on a page of its own, and they
/// compete for few places in the caches.
fn is_scattered(row: usize, m: usize, k: usize) -> bool {
    row >= 2048 && m >= 48 && k >= 256
}

/// The epilogue as a map over `[batch, m, n]` whose first operand is the sums.
fn block_map(p: &MatMul) -> Map {
    // Where the sums lie is told when they are there.
    let sums = Operand { loc: Loc { space: Space::Arena, offset: usize::MAX }, strides: vec![0; 3] };
    Map {
        dims: vec![p.batch, p.m, p.n],
        expr: p.epilogue.clone(),
        inputs: std::iter::once(sums).chain(p.inputs.iter().cloned()).collect(),
        stores: p.stores.clone(),
    }
}
