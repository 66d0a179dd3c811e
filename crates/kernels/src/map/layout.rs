//! How a map's domain is walked: which dimensions merge, and which part of it is one tile.

use crate::verify::{contiguous, is_contiguous};

/// Elements that a cache line holds, of the smallest type.
const LINE: usize = 16;

/// The most dimensions that a domain may have after merging.
pub const RANK: usize = 12;

/// A domain whose dimensions have been merged where every view allows it, cut into tiles.
///
/// A tile is `chunk` steps along dimension `axis` and everything inside: a contiguous range of the domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    pub dims: Vec<usize>,
    pub axis: usize,
    pub chunk: usize,
    /// Tiles along `axis`.
    pub chunks: usize,
    /// Elements of one step along `axis`.
    pub inner: usize,
}

/// A tile's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// The place along all dimensions before `axis`, as one number.
    pub outer: usize,
    /// The place along `axis`, in chunks.
    pub c: usize,
}

/// Merges dimensions of a non-empty domain, in place in all `views` (lists of strides). Returns the sizes, at least one.
pub fn merge(dims: &[usize], views: &mut [Vec<usize>]) -> Vec<usize> {
    let mut sizes: Vec<usize> = Vec::new();
    let mut merged: Vec<Vec<usize>> = vec![Vec::new(); views.len()];
    for k in (0..dims.len()).filter(|&k| dims[k] != 1) {
        let joins = views.iter().zip(&merged).all(|(v, m)| m.last() == Some(&v[k].wrapping_mul(dims[k])));
        if joins && !sizes.is_empty() {
            *sizes.last_mut().expect("not empty") *= dims[k];
            for (v, m) in views.iter().zip(&mut merged) {
                *m.last_mut().expect("as long as the sizes") = v[k];
            }
        } else {
            sizes.push(dims[k]);
            views.iter().zip(&mut merged).for_each(|(v, m)| m.push(v[k]));
        }
    }
    if sizes.is_empty() {
        sizes.push(1);
        merged.iter_mut().for_each(|m| m.push(1));
    }
    views.iter_mut().zip(merged).for_each(|(v, m)| *v = m);
    sizes
}

/// [`merge`] of all dimensions but the first, which stays.
pub fn merge_inner(dims: &[usize], views: &mut [Vec<usize>]) -> Vec<usize> {
    let mut inner: Vec<Vec<usize>> = views.iter().map(|v| v[1..].to_vec()).collect();
    let sizes = merge(&dims[1..], &mut inner);
    for (view, inner) in views.iter_mut().zip(inner) {
        view.truncate(1);
        view.extend(inner);
    }
    sizes
}

impl Layout {
    /// Tiles of at most `tile` elements, none of which reaches over two steps of a first dimension of size `batch`.
    pub fn of_images(batch: usize, inner: Vec<usize>, tile: usize) -> Layout {
        let image = Layout::new(inner, tile);
        let dims = [&[batch], &image.dims[..]].concat();
        Layout { axis: image.axis + 1, dims, ..image }
    }

    /// Tiles of at most `tile` elements.
    pub fn new(dims: Vec<usize>, tile: usize) -> Layout {
        let mut axis = dims.len() - 1;
        let mut inner = 1;
        while axis > 0 && inner * dims[axis] <= tile {
            inner *= dims[axis];
            axis -= 1;
        }
        Layout::along(dims, axis, tile / inner)
    }

    /// Tiles of at most `most` steps along `axis`, of about equal size but for the last one.
    ///
    /// Tiles of single elements are whole cache lines: where one operand's tile starts within a line, every vector of it would
    /// touch two.
    pub fn along(dims: Vec<usize>, axis: usize, most: usize) -> Layout {
        let inner = dims[axis + 1..].iter().product();
        let most = most.clamp(1, dims[axis].max(1));
        let mut chunk = dims[axis].div_ceil(dims[axis].div_ceil(most).max(1)).max(1);
        if inner == 1 && most.is_multiple_of(LINE) {
            chunk = chunk.next_multiple_of(LINE).min(dims[axis].max(1));
        }
        let chunks = dims[axis].div_ceil(chunk);
        Layout { dims, axis, chunk, chunks, inner }
    }

    /// Elements of the largest tile.
    pub fn tile(&self) -> usize {
        self.chunk * self.inner
    }

    /// Sizes of the largest tile.
    pub fn tile_dims(&self) -> Vec<usize> {
        let mut dims = self.dims[self.axis..].to_vec();
        dims[0] = self.chunk;
        dims
    }

    /// Whether a tile of a view is contiguous.
    pub fn is_contiguous(&self, strides: &[usize]) -> bool {
        is_contiguous(&self.tile_dims(), &strides[self.axis..])
    }

    /// Whether a tile of a view is one element.
    pub fn is_constant(&self, strides: &[usize]) -> bool {
        self.tile_dims().iter().zip(&strides[self.axis..]).all(|(&d, &s)| d == 1 || s == 0)
    }

    /// Whether a tile of a view is several times one contiguous row.
    pub fn repeats_rows(&self, strides: &[usize]) -> bool {
        self.dims.len() - self.axis == 2 && strides[self.axis] == 0 && strides[self.axis + 1] == 1
    }

    /// Whether all tiles of a view are the same.
    pub fn is_repeated(&self, strides: &[usize]) -> bool {
        let outer = self.dims[..self.axis].iter().zip(strides).all(|(&d, &s)| d == 1 || s == 0);
        outer && (self.chunks == 1 || strides[self.axis] == 0)
    }

    /// Whether a view is the whole domain in order.
    pub fn is_whole(&self, strides: &[usize]) -> bool {
        let want = contiguous(&self.dims);
        (0..self.dims.len()).all(|k| self.dims[k] == 1 || strides[k] == want[k])
    }

    /// Tile number `t`.
    #[inline(always)]
    pub fn tile_at(&self, t: usize) -> Tile {
        if self.chunks == 1 { Tile { outer: t, c: 0 } } else { Tile { outer: t / self.chunks, c: t % self.chunks } }
    }

    /// The tile after another one.
    #[inline(always)]
    pub fn next(&self, tile: Tile) -> Tile {
        if tile.c + 1 < self.chunks { Tile { c: tile.c + 1, ..tile } } else { Tile { outer: tile.outer + 1, c: 0 } }
    }

    /// Where a tile of a view starts.
    #[inline(always)]
    pub fn offset(&self, tile: Tile, strides: &[usize]) -> usize {
        let mut at = tile.c * self.chunk * strides[self.axis];
        let mut outer = tile.outer;
        // No division for the first dimension: it takes what is left.
        for k in (1..self.axis).rev() {
            at += outer % self.dims[k] * strides[k];
            outer /= self.dims[k];
        }
        if self.axis > 0 { at + outer * strides[0] } else { at }
    }

    /// The first element of a tile and its steps along the axis.
    #[inline(always)]
    pub fn range(&self, tile: Tile) -> (usize, usize) {
        let size = self.dims[self.axis];
        let start = tile.c * self.chunk;
        ((tile.outer * size + start) * self.inner, self.chunk.min(size - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_what_every_view_allows() {
        let mut views = vec![vec![12, 4, 1], vec![0, 4, 1]];
        assert_eq!(merge(&[2, 3, 4], &mut views), [2, 12]);
        assert_eq!(views, [[12, 1], [0, 1]]);
        let mut views = vec![vec![7, 12, 5, 1]];
        assert_eq!(merge(&[1, 2, 1, 12], &mut views), [24]);
        assert_eq!(merge(&[], &mut [vec![]]), [1]);
    }

    #[test]
    fn tiles_cover_the_domain() {
        for dims in [vec![1], vec![1000], vec![7, 300], vec![5, 3, 2], vec![2, 700, 3], vec![3, 4, 600]] {
            let layout = Layout::new(dims.clone(), 512);
            let outer: usize = dims[..layout.axis].iter().product();
            let mut next = 0;
            let mut tile = layout.tile_at(0);
            for t in 0..outer * layout.chunks {
                assert_eq!(tile, layout.tile_at(t));
                let (start, rows) = layout.range(tile);
                assert_eq!(start, next);
                assert_eq!(start, layout.offset(tile, &contiguous(&dims)));
                tile = layout.next(tile);
                assert!(rows <= layout.chunk && layout.tile() <= 512);
                next += rows * layout.inner;
            }
            assert_eq!(next, dims.iter().product::<usize>());
        }
    }
}
