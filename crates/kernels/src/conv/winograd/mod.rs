//! Convolutions of 3×3 windows by Winograd's minimal filtering F(4×4, 3×3): tiles of 4×4 results cost 36 products of channels by filters
//! instead of 144. Lavin & Gray 2016, Fast algorithms for convolutional neural networks.
//!
//! * The output: inputs, 6×6 for each tile, and weights are transformed; then for each of the 36 points a product tiles × channels ×
//!   filters; then the results are transformed back.
//! * The input (stride 1): the same over `y` with weights turned around.
//! * The weights: the exact adjoint: transformed inputs times transformed gradients, summed over all tiles, then transformed back.
//!
//! Rounding: against a direct sum the results carry about 1e-6 of their root mean square more (weights' gradients 1e-5), so this is for
//! single precision alone.

mod run;
mod transforms;

use super::micro::{Micro, kernels};
use crate::context::{Context, Part, Place};
use crate::instr::{Conv, Fold, Side, Slide};
use crate::map::Gathering;
use crate::simd::{entry_of, least_lanes};
use crate::tiles::Strip;
use crate::{Isa, Real};
use run::{RunImages, RunPrepare, RunWeight};
use transforms::{POINTS, SIZE, TILE};

/// Places of a transformed tile.
const POINTS2: usize = POINTS * POINTS;
/// The most tiles of a block: enough to read each transformed weight from the second-level cache seldom.
const BLOCK: usize = 36;
/// From one point of a block to the next, in elements, for few channels and for many: known when this is compiled, so that a tile's places are
/// at hand. One vector more than a block needs, so that points do not share cache sets.
const NARROW: usize = BLOCK * 64 + 16;
const WIDE: usize = BLOCK * 512 + 16;
/// Bytes of transformed weights that stay in the second-level cache.
const NEAR: usize = 1 << 20;
/// Floating-point operations, counted as a direct sum's, that a part is worth.
const PART: usize = 1 << 21;
/// The most parts.
const PARTS: usize = 16;
/// Tiles that each part of a weight's gradient sums at least.
const TILES: usize = 64;

/// A convolution by tiles, ready to run.
pub struct Winograd<T> {
    batch: usize,
    /// What tiles are cut from: its place, the elements of one image, its rows and columns.
    a: (Place, usize, [usize; 2]),
    /// Results, or their gradient: place, the elements of one image, rows and columns.
    y: (Place, usize, [usize; 2]),
    /// The weights or their gradient.
    w: Place,
    /// Channels of `a` and of `y`.
    channels: usize,
    filters: usize,
    before: [usize; 2],
    /// Tiles of an image along both axes.
    tiles: [usize; 2],
    /// Tiles that are transformed together.
    block: usize,
    /// From one point of them to the next.
    point: usize,
    /// How products are cut, for each number of tiles that a block may have; for the weights' gradient that of channels.
    strips: Vec<(usize, Vec<Strip<Micro<T>>>)>,
    images_per_part: usize,
    side: Side,
    /// How many pieces that may run side by side.
    pub parts: usize,
    /// Elements of shared scratch memory: transformed weights, or each part's gradient.
    pub shared: usize,
    shared_base: usize,
    run: Part<Winograd<T>, T>,
    prepare: Option<Part<Preparation<T>, T>>,
}

impl<T: Real> Winograd<T> {
    /// The plan, where tiles pay; `images` of them are one part, if that is given.
    pub fn new(c: &Conv, isa: Isa, images: Option<usize>) -> Option<Winograd<T>> {
        if !pays::<T>(c, isa) {
            return None;
        }
        let [_, down, right] = c.slides;
        let (x, y) = ((Place::from(c.x), [down.input, right.input]), (Place::from(c.y), [down.output, right.output]));
        let (mut channels, mut filters) = (c.channels, c.filters);
        let (mut a, mut result, mut before) = (x, y, [down.before, right.before]);
        if c.side == Side::Input {
            std::mem::swap(&mut a, &mut result);
            std::mem::swap(&mut channels, &mut filters);
            before = before.map(|before| SIZE - 1 - before);
        }
        let area = |sizes: [usize; 2]| sizes[0] * sizes[1];
        let tiles = result.1.map(|size| size.div_ceil(TILE));
        let (batch, per_image) = (c.batch, area(tiles));
        let worth = 2 * batch * area(result.1) * SIZE * SIZE * channels * filters / PART;
        let sums = if c.side == Side::Weight { batch * per_image / TILES } else { PARTS };
        let parts = worth.min(sums).clamp(1, PARTS).min(batch);
        let images_per_part = images.unwrap_or(batch.div_ceil(parts));
        let parts = batch.div_ceil(images_per_part);
        let in_part = images_per_part * per_image;
        let widest = channels.max(filters);
        let point = if widest * BLOCK < NARROW { NARROW } else { WIDE };
        let most = BLOCK.min(point / widest);
        let block = in_part.div_ceil(in_part.div_ceil(most));
        debug_assert!(block * widest <= point, "points keep apart");
        let family = kernels::<T>(isa);
        let half = !c.channels.is_multiple_of(family.lanes) || !c.filters.is_multiple_of(family.lanes);
        let mut rows = match c.side {
            Side::Weight => vec![channels],
            _ => {
                let in_last = (batch - (parts - 1) * images_per_part) * per_image;
                vec![block.min(in_last), block, in_part % block, in_last % block]
            }
        };
        rows.retain(|&rows| rows > 0);
        rows.dedup();
        Some(Winograd {
            batch,
            a: (a.0, area(a.1) * channels, a.1),
            y: (result.0, area(result.1) * filters, result.1),
            w: c.w.into(),
            channels,
            filters,
            before,
            tiles,
            block,
            point,
            strips: rows.into_iter().map(|rows| (rows, family.strips(rows, filters))).collect(),
            images_per_part,
            side: c.side,
            parts,
            shared: match c.side {
                Side::Weight if parts == 1 => 0,
                Side::Weight => parts * SIZE * SIZE * channels * filters,
                _ => POINTS2 * channels * filters,
            },
            shared_base: 0,
            run: match c.side {
                Side::Weight if point == WIDE => entry_of::<T, RunWeight<T, WIDE>>(isa, half),
                Side::Weight => entry_of::<T, RunWeight<T, NARROW>>(isa, half),
                _ if point == WIDE => entry_of::<T, RunImages<T, WIDE>>(isa, half),
                _ => entry_of::<T, RunImages<T, NARROW>>(isa, half),
            },
            prepare: (c.side != Side::Weight).then(|| entry_of::<T, RunPrepare<T>>(isa, half)),
        })
    }

    /// Elements of scratch memory that a thread needs while it runs this.
    pub fn scratch(&self) -> usize {
        let sums = if self.side == Side::Weight { self.channels * self.filters } else { 0 };
        POINTS2 * (2 * self.point + sums)
    }

    /// Sets where this convolution's shared scratch memory starts.
    pub fn place_shared(&mut self, at: usize) {
        self.shared_base = at;
    }

    /// What must run before all parts.
    pub fn preparation(&self) -> Option<Preparation<T>> {
        let run = self.prepare?;
        Some(Preparation {
            w: self.w,
            channels: self.channels,
            filters: self.filters,
            turned: self.side == Side::Input,
            shared_base: self.shared_base,
            run,
        })
    }

    /// What must run after all parts, if each has sums of its own.
    pub fn gathering(&self, isa: Isa) -> Option<Gathering<T>> {
        let len = SIZE * SIZE * self.channels * self.filters;
        (self.side == Side::Weight && self.parts > 1)
            .then(|| Gathering::new(vec![(self.w, Fold::Sum, 1.0, len, self.shared_base)], self.parts, isa))
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The instruction was checked against the memory of the context; the scratch memory was placed; the preparation ran.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, part) }
    }
}

/// The weights of a convolution, to be transformed into its shared scratch memory.
pub struct Preparation<T> {
    w: Place,
    channels: usize,
    filters: usize,
    /// Window positions count from the last one.
    turned: bool,
    shared_base: usize,
    run: Part<Preparation<T>, T>,
}

impl<T: Real> Preparation<T> {
    /// Runs it, in one piece.
    ///
    /// # Safety
    /// The instruction was checked against the memory of the context; the scratch memory was placed.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, 0) }
    }
}

/// Whether tiles are possible, and faster than a direct sum. Costs are in vector instructions for a vector of one channel.
fn pays<T: Real>(c: &Conv, isa: Isa) -> bool {
    let [depth, down, right] = c.slides;
    let three = |s: Slide| s.size == SIZE && s.stride == 1 && s.dilation == 1 && s.before < SIZE;
    let whole = |n: usize| n > 0 && n.is_multiple_of(least_lanes::<T>(isa));
    if size_of::<T>() != 4 || c.groups != 1 || depth != Slide::NONE || !three(down) || !three(right) {
        return false;
    }
    if !whole(c.channels) || !whole(c.filters) || c.channels.max(c.filters) > WIDE {
        return false;
    }
    let result = if c.side == Side::Input { [down.input, right.input] } else { [down.output, right.output] };
    let tiles: usize = c.batch * result.iter().map(|size| size.div_ceil(TILE)).product::<usize>();
    let outputs: usize = c.batch * result.iter().product::<usize>();
    let products = c.channels * c.filters;
    // Transformed weights that the second-level cache does not hold go through memory and back.
    let weight = if POINTS2 * products * size_of::<T>() > NEAR { 600 } else { 120 };
    let by_tiles = tiles * (POINTS2 * (products + 48) + 200 * c.channels + 150 * c.filters) + weight * products;
    let direct = outputs * SIZE * SIZE * products;
    by_tiles + by_tiles / 4 < direct
}
