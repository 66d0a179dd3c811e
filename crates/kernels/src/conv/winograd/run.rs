//! Running a convolution by tiles: block after block of tiles, each transformed, multiplied point by point, and transformed back.

use super::transforms::{POINTS, SIZE, TILE, both, input, output, output_adjoint, row, weight, weight_adjoint};
use super::{POINTS2, Preparation, Winograd};
use crate::Real;
use crate::context::{Context, Place};
use crate::conv::micro::{Micro, Segment, Tile};
use crate::conv::run::strips;
use crate::prefetch::{Ahead, For};
use crate::simd::{Kernel, Simd};
use crate::tiles::Strip;
use std::marker::PhantomData;
use std::ops::Range;

/// Transforms `$N × $N` pixels of an image from a corner on, which may lie outside, all channels of each, to points that are `$POINT` elements apart.
macro_rules! transform_window {
    ($S:ident, $N:ident by $way:ident, $image:expr, $sizes:expr, $channels:expr, $corner:expr, $to:expr, $POINT:ident) => {{
        let ([rows, columns], [row, column], channels, to) = ($sizes, $corner, $channels, $to);
        let line = columns * channels;
        let from = $image.wrapping_add(row.wrapping_mul(columns).wrapping_add(column).wrapping_mul(channels));
        macro_rules! transform {
            ($i:ident, $c:ident => $row:expr) => {{
                let mut $c = 0;
                while $c < channels {
                    both!($S, $N -> POINTS by $way,
                        from |$i| $row,
                        to |i, j, v| $S::store(to.add($c).add((i * POINTS + j) * $POINT), v));
                    $c += $S::LANES;
                }
            }};
        }
        // Where all of a tile lies inside, its elements are loads without a condition.
        let inside = |first: usize, size: usize| first < size && first + $N <= size;
        if inside(row, rows) && inside(column, columns) {
            transform!(i, c => row!($S, $N, |j| $S::load(from.add(i * line + j * channels + c))));
        } else {
            let seen = Self::columns::<$S, $N>(column, columns);
            transform!(i, c => match row.wrapping_add(i) < rows {
                true => row!($S, $N, |j| $S::load_some(from.wrapping_add(i * line + j * channels + c), seen[j])),
                false => [$S::zero(); $N],
            });
        }
    }};
}

/// Outputs and inputs; from one point of a block to the next there are so many elements.
pub struct RunImages<T, const POINT: usize>(PhantomData<T>);
/// Weights' gradients, likewise.
pub struct RunWeight<T, const POINT: usize>(PhantomData<T>);
/// Transformed weights.
pub struct RunPrepare<T>(PhantomData<T>);

impl<T: Real, const POINT: usize> Kernel<T> for RunImages<T, POINT> {
    type A = Winograd<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const Winograd<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (p, context) = (&*plan, &*context);
            let (a, y) = (context.at(p.a.0).cast_const(), context.at(p.y.0));
            let weights = context.shared.add(p.shared_base).cast_const();
            let points = Points::of::<POINT>(context.scratch);
            let (mut tile, last) = p.part(part);
            while tile < last {
                let count = p.block.min(last - tile);
                for i in 0..count {
                    p.transform_inputs::<S, POINT>(a, p.corner(tile + i), points.a.add(i * p.channels));
                }
                let mut inputs = p.ahead(a, p.a, p.channels, tile + count..(tile + 2 * count).min(last), For::Reading);
                let mut results = p.ahead(y, p.y, p.filters, tile..tile + count, For::Writing);
                for k in 0..POINTS2 {
                    inputs.fetch();
                    results.fetch();
                    let product = Tile {
                        a: points.a.add(k * POINT).cast_const(),
                        a_row: p.channels,
                        a_col: 1,
                        b: weights.add(k * p.channels * p.filters),
                        b_row: p.filters,
                        y: points.y.add(k * POINT),
                        y_row: p.filters,
                        segments: 1,
                        add: false,
                    };
                    strips(p.strips_of(count), product, &[Segment { a: 0, b: 0, len: p.channels }]);
                }
                for i in 0..count {
                    p.transform_results::<S, POINT>(points.y.add(i * p.filters), p.corner(tile + i), y);
                }
                tile += count;
            }
        }
    }
}

impl<T: Real, const POINT: usize> Kernel<T> for RunWeight<T, POINT> {
    type A = Winograd<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const Winograd<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (p, context) = (&*plan, &*context);
            let (a, y) = (context.at(p.a.0).cast_const(), context.at(p.y.0).cast_const());
            let points = Points::of::<POINT>(context.scratch);
            let weights = p.channels * p.filters;
            std::slice::from_raw_parts_mut(points.sums, POINTS2 * weights).fill(T::default());
            let (mut tile, last) = p.part(part);
            while tile < last {
                let count = p.block.min(last - tile);
                for i in 0..count {
                    p.transform_inputs::<S, POINT>(a, p.corner(tile + i), points.a.add(i * p.channels));
                    p.transform_gradients::<S, POINT>(y, p.corner(tile + i), points.y.add(i * p.filters));
                }
                let next = tile + count..(tile + 2 * count).min(last);
                let mut inputs = p.ahead(a, p.a, p.channels, next.clone(), For::Reading);
                let mut gradients = p.ahead(y, p.y, p.filters, next, For::Reading);
                for k in 0..POINTS2 {
                    inputs.fetch();
                    gradients.fetch();
                    let product = Tile {
                        a: points.a.add(k * POINT).cast_const(),
                        a_row: 1,
                        a_col: p.channels,
                        b: points.y.add(k * POINT).cast_const(),
                        b_row: p.filters,
                        y: points.sums.add(k * weights),
                        y_row: p.filters,
                        segments: 1,
                        add: true,
                    };
                    strips(p.strips_of(p.channels), product, &[Segment { a: 0, b: 0, len: count }]);
                }
                tile += count;
            }
            let target = match p.parts {
                1 => context.at(p.w),
                _ => context.shared.add(p.shared_base + part * SIZE * SIZE * weights),
            };
            let mut at = 0;
            while at < weights {
                both!(S, POINTS -> SIZE by weight_adjoint,
                    from |i| row!(S, POINTS, |j| S::load(points.sums.add((i * POINTS + j) * weights + at))),
                    to |i, j, v| S::store(target.add((i * SIZE + j) * weights + at), v));
                at += S::LANES;
            }
        }
    }
}

impl<T: Real> Kernel<T> for RunPrepare<T> {
    type A = Preparation<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(prepare: *const Preparation<T>, context: *const Context<T>, _: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (p, context) = (&*prepare, &*context);
            let (from, to) = (context.at(p.w).cast_const(), context.shared.add(p.shared_base));
            let weights = p.channels * p.filters;
            let turn = if p.turned { SIZE * SIZE - 1 } else { 0 };
            let mut at = 0;
            while at < weights {
                both!(S, SIZE -> POINTS by weight,
                    from |i| row!(S, SIZE, |j| S::load(from.add(turn.abs_diff(i * SIZE + j) * weights + at))),
                    to |i, j, v| S::store(to.add((i * POINTS + j) * weights + at), v));
                at += S::LANES;
            }
        }
    }
}

/// Where the scratch memory has what.
struct Points<T> {
    /// Transformed inputs, `[points][tiles][channels]`.
    a: *mut T,
    /// Results or transformed gradients, `[points][tiles][filters]`.
    y: *mut T,
    /// Sums of the weights' gradient, `[points][channels][filters]`.
    sums: *mut T,
}

impl<T: Real> Points<T> {
    fn of<const POINT: usize>(scratch: *mut T) -> Points<T> {
        let y = scratch.wrapping_add(POINTS2 * POINT);
        Points { a: scratch, y, sums: y.wrapping_add(POINTS2 * POINT) }
    }
}

/// A tile: its image, and its first row and column of results.
#[derive(Clone, Copy)]
struct Corner {
    image: usize,
    row: usize,
    column: usize,
}

impl<T: Real> Winograd<T> {
    /// The first tile of a part, and one past its last.
    fn part(&self, part: usize) -> (usize, usize) {
        let per_image = self.tiles[0] * self.tiles[1];
        let image = part * self.images_per_part;
        (image * per_image, (image + self.images_per_part).min(self.batch) * per_image)
    }

    /// How a product of so many rows is cut.
    fn strips_of(&self, rows: usize) -> &[Strip<Micro<T>>] {
        self.strips.iter().find(|strips| strips.0 == rows).map_or(&[], |strips| &strips.1)
    }

    fn corner(&self, tile: usize) -> Corner {
        let (line, column) = (tile / self.tiles[1], tile % self.tiles[1]);
        Corner { image: line / self.tiles[0], row: line % self.tiles[0] * TILE, column: column * TILE }
    }

    /// What some tiles touch, to be fetched while the products of the block before are computed.
    fn ahead(
        &self,
        start: *const T,
        of: (Place, usize, [usize; 2]),
        channels: usize,
        tiles: Range<usize>,
        purpose: For,
    ) -> Ahead {
        // About where a tile's elements lie: rows of tiles one after the other, and the tiles of one row as if they had equal shares of it.
        let at = |tile: usize| {
            let (line, column) = (tile / self.tiles[1], tile % self.tiles[1]);
            let row = TILE * of.2[1] * channels;
            line / self.tiles[0] * of.1 + line % self.tiles[0] * row + column * row / self.tiles[1]
        };
        Ahead::new(start, at(tiles.start), at(tiles.end), POINTS2, purpose)
    }

    /// `Bᵀ·d·B` of one tile's inputs, zeros outside the image.
    #[inline(always)]
    unsafe fn transform_inputs<S: Simd<T = T>, const POINT: usize>(&self, a: *const T, tile: Corner, to: *mut T) {
        // SAFETY: the caller's; nothing outside the image is touched.
        unsafe {
            let a = a.add(tile.image * self.a.1);
            let corner = [tile.row.wrapping_sub(self.before[0]), tile.column.wrapping_sub(self.before[1])];
            transform_window!(S, POINTS by input, a, self.a.2, self.channels, corner, to, POINT);
        }
    }

    /// All lanes or none for each column from this one on, as it lies in the image or not.
    #[inline(always)]
    unsafe fn columns<S: Simd<T = T>, const N: usize>(first: usize, columns: usize) -> [S::M; N] {
        // SAFETY: the caller's.
        unsafe {
            let mut seen = [S::first(0); N];
            for j in 0..N {
                seen[j] = S::first(if first.wrapping_add(j) < columns { S::LANES } else { 0 });
            }
            seen
        }
    }

    /// `A·dy·Aᵀ` of one tile's gradients, zeros outside the image.
    #[inline(always)]
    unsafe fn transform_gradients<S: Simd<T = T>, const POINT: usize>(&self, y: *const T, tile: Corner, to: *mut T) {
        // SAFETY: the caller's; nothing outside the image is touched.
        unsafe {
            let y = y.add(tile.image * self.y.1);
            transform_window!(S, TILE by output_adjoint, y, self.y.2, self.filters, [tile.row, tile.column], to, POINT);
        }
    }

    /// `Aᵀ·m·A` of one tile's products: its results, as far as they lie in the image.
    #[inline(always)]
    unsafe fn transform_results<S: Simd<T = T>, const POINT: usize>(&self, from: *const T, tile: Corner, y: *mut T) {
        // SAFETY: the caller's; nothing outside the image is touched.
        unsafe {
            let [rows, columns] = self.y.2;
            let to = y.add(tile.image * self.y.1 + (tile.row * columns + tile.column) * self.filters);
            let line = columns * self.filters;
            let (rows, columns) = (rows - tile.row, columns - tile.column);
            macro_rules! transform {
                ($i:ident, $j:ident => $wanted:expr) => {{
                    let mut f = 0;
                    while f < self.filters {
                        both!(S, POINTS -> TILE by output,
                            from |i| row!(S, POINTS, |j| S::load(from.add(f).add((i * POINTS + j) * POINT))),
                            to |$i, $j, v| if $wanted {
                                S::store(to.add($i * line + $j * self.filters + f), v);
                            });
                        f += S::LANES;
                    }
                }};
            }
            if rows >= TILE && columns >= TILE {
                transform!(i, j => true);
            } else {
                transform!(i, j => i < rows && j < columns);
            }
        }
    }
}
