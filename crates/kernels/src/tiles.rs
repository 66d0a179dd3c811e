//! How a block of a result is cut into tiles that fit the registers.

use crate::simd::Simd;
use crate::{Isa, Real};

/// The tile kernels of one instruction set, by their vectors of columns and their rows.
pub struct Family<K> {
    pub lanes: usize,
    /// Kernels by vectors, then rows, from 1 on.
    pub wide: Vec<(usize, Vec<K>)>,
    /// One vector of which some columns are left out.
    pub edge: Vec<K>,
    /// One row of eight vectors.
    pub single: Option<K>,
    /// Half a vector of columns, as a whole vector of the narrower instruction set: as many products at once, none of them in vain.
    pub half: Option<Vec<K>>,
}

/// Columns that are computed together, in tiles of about equal height, from top to bottom.
pub struct Strip<K> {
    pub width: usize,
    pub count: usize,
    /// How many tiles, the first ones, have one row more.
    pub taller: usize,
    pub height: usize,
    pub tall: K,
    pub short: K,
}

/// The family of `$Block<ROWS, VECTORS, EDGE>`.
macro_rules! family {
    ($Block:ident, $T:ty, $isa:expr) => {{
        let isa = $isa;
        let many = isa == $crate::Isa::Avx512 && size_of::<$T>() == 4;
        let mut wide = if many {
            vec![
                (4, family!($Block, $T, isa, 4, false, 1 2 3 4 5 6)),
                (2, family!($Block, $T, isa, 2, false, 1 2 3 4 5 6 7 8 9 10 11 12)),
            ]
        } else {
            vec![(4, family!($Block, $T, isa, 4, false, 1 2)), (2, family!($Block, $T, isa, 2, false, 1 2 3 4 5 6))]
        };
        wide.push((1, family!($Block, $T, isa, 1, false, 1 2 3 4 5 6 7 8 9 10 11 12)));
        let edge = family!($Block, $T, isa, 1, true, 1 2 3 4 5 6 7 8 9 10 11 12);
        let single = many.then(|| $crate::simd::entry::<$T, $Block<1, 8, false>>(isa));
        let half = family!($Block, $T, isa, half 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        $crate::tiles::Family { lanes: $crate::tiles::lanes::<$T>(isa), wide, edge, single, half }
    }};
    ($Block:ident, $T:ty, $isa:expr, half $($rows:literal)*) => {
        [$($crate::simd::half_entry::<$T, $Block<$rows, 1, false>>($isa)),*].into_iter().collect::<Option<Vec<_>>>()
    };
    ($Block:ident, $T:ty, $isa:expr, $vectors:literal, $edge:literal, $($rows:literal)*) => {
        vec![$($crate::simd::entry::<$T, $Block<$rows, $vectors, $edge>>($isa)),*]
    };
}
pub(crate) use family;

impl<K: Copy> Family<K> {
    /// Cuts a block of the result.
    pub fn strips(&self, rows: usize, cols: usize) -> Vec<Strip<K>> {
        let mut strips = Vec::new();
        let mut j = 0;
        while j < cols {
            let (width, by_rows) = self.panel(rows, cols - j);
            let count = rows.div_ceil(by_rows.len());
            let (height, taller) = (rows / count, rows % count);
            let short = by_rows[height - 1];
            let tall = if taller > 0 { by_rows[height] } else { short };
            strips.push(Strip { width, count, taller, height, tall, short });
            j += width;
        }
        strips
    }

    /// The widest kernels that `cols` columns fill, for tiles of `rows` rows.
    fn panel(&self, rows: usize, cols: usize) -> (usize, &[K]) {
        if rows == 1
            && cols >= 8 * self.lanes
            && let Some(single) = &self.single
        {
            return (8 * self.lanes, std::slice::from_ref(single));
        }
        for (vectors, by_rows) in &self.wide {
            let width = vectors * self.lanes;
            if cols >= width && (*vectors < 4 || rows <= by_rows.len() || by_rows.len() >= 6) {
                return (width, by_rows);
            }
        }
        if let Some(half) = self.half.as_ref().filter(|_| 2 * cols == self.lanes) {
            return (cols, half);
        }
        (cols.min(self.lanes), &self.edge)
    }

    /// Columns of the panels that parts are cut into.
    pub fn panel_width(&self) -> usize {
        4 * self.lanes
    }
}

/// Lanes of a vector.
pub fn lanes<T: Real>(isa: Isa) -> usize {
    match isa {
        Isa::Portable => T::Portable::LANES,
        Isa::Avx2 => T::Avx2::LANES,
        Isa::Avx512 => T::Avx512::LANES,
    }
}
