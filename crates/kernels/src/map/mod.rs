//! Fused maps: an expression over a domain, run tile by tile with every intermediate value in the first-level cache.

mod chain;
mod gathering;
mod layout;
mod loops;
mod ops;
mod program;
mod run;
mod stages;
mod walk;

use crate::context::{Context, Part, Place, Slot};
use crate::instr::{Fold, Map, Reduce};
use crate::simd::{Entry, entry, native_vectors};
use crate::verify::contiguous;
use crate::{Inst, Isa, Real, random};
use chain::sums_columns;
use layout::{Layout, merge_inner};
use loops::is_slow;
use run::{BeginMap, RunMap, RunPlain, RunTile};

pub use gathering::Gathering;
pub use layout::{RANK, merge};
pub use ops::TileOp;
pub use program::{Program, Sink, Source, Start};
pub use walk::combine;

/// Elements of a tile: few enough that a program's registers stay in the first-level cache.
const TILE: usize = 512;
/// Elements of a tile of a program without registers.
const LONG_TILE: usize = 8192;
/// The fewest elements of a tile that chains pay for.
const CHAIN: usize = 64;
/// Elements of a block of a product's result.
const BLOCK: usize = 1024;
/// Columns of a block, where it is not as wide as the result.
const BLOCK_COLS: usize = 256;
/// Loops over elements that a part is worth.
const PART: usize = 64 * 1024;
/// The most parts.
const PARTS: usize = 16;
/// Room after a register for a vector that is written too far.
const SLACK: usize = 16;

struct InputPlan {
    slot: u16,
    place: Place,
    source: Source,
    strides: Vec<usize>,
    whole: bool,
    /// All tiles of it are the same.
    repeated: bool,
    /// All tiles of a row are the same.
    repeated_in_row: bool,
}

struct StorePlan {
    slot: u16,
    place: Place,
    fold: Option<FoldPlan>,
}

struct FoldPlan {
    fold: Fold,
    scale: f64,
    /// 0 along the folded dimensions.
    strides: Vec<usize>,
    /// Elements of the whole result.
    len: usize,
    /// The program adds to it.
    inside: bool,
    /// Where the parts leave their results in the shared scratch memory, if the parts share results.
    partial: Option<usize>,
}

/// A map ready to run.
pub struct MapPlan<T> {
    program: Program<T>,
    layout: Layout,
    inputs: Vec<InputPlan>,
    stores: Vec<StorePlan>,
    /// For each dimension of the domain: its stride in elements and its size, to find coordinates.
    coordinates: Vec<(usize, usize)>,
    /// Nothing to compute: only start values to write.
    empty: bool,
    /// One tile is the whole domain.
    single: bool,
    folds: bool,
    tiles_per_unit: usize,
    /// Operands and results of a map of one tile, by slot; and operands of one number.
    moves: Vec<(u16, Place)>,
    splats: Vec<(u16, Place)>,
    units: usize,
    units_per_part: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    /// Elements of shared scratch memory.
    pub shared: usize,
    shared_base: usize,
    slot_base: usize,
    block_slot: Option<u16>,
    run: Part<MapPlan<T>, T>,
    fill: Entry<T, random::Draw>,
    begin: Entry<MapPlan<T>, Context<T>>,
    tile: Entry<MapPlan<T>, Context<T>>,
}

impl<T: Real> MapPlan<T> {
    /// A map over its whole domain; so many steps along its first dimension are one part, if that is given.
    pub fn new(map: &Map, isa: Isa, images: Option<usize>) -> MapPlan<T> {
        MapPlan::over(map, isa, None, images)
    }

    /// A map over `[batch, m, n]` whose first input is put into each tile by the caller. A tile is some rows, or a piece of one.
    pub fn block(map: &Map, isa: Isa) -> MapPlan<T> {
        let dims: Vec<usize> = map.dims.iter().map(|&d| d.max(1)).collect();
        let layout = if dims[2] <= BLOCK_COLS {
            let rows = BLOCK / dims[2];
            Layout::along(dims, 1, rows)
        } else {
            let chunks = dims[2].div_ceil(BLOCK_COLS);
            let chunk = dims[2].div_ceil(chunks).next_multiple_of(64).min(dims[2]);
            Layout { axis: 2, chunk, chunks: dims[2].div_ceil(chunk), inner: 1, dims }
        };
        MapPlan::over(map, isa, Some(layout), None)
    }

    /// The rows of a block's tile if its rows are whole, else the columns of its one row.
    pub fn block_shape(&self) -> Result<usize, usize> {
        if self.layout.axis == 1 { Ok(self.layout.chunk) } else { Err(self.layout.chunk) }
    }

    fn over(map: &Map, isa: Isa, fixed: Option<Layout>, images: Option<usize>) -> MapPlan<T> {
        let block = fixed.is_some().then_some(0);
        let used: Vec<usize> =
            (0..map.inputs.len()).filter(|&i| map.expr.insts().contains(&Inst::Input(i as u16))).collect();
        let empty = map.dims.contains(&0);
        let sizes: Vec<usize> = map.dims.iter().map(|&d| d.max(1)).collect();

        // Views: operands, then results of folds.
        let mut views: Vec<Vec<usize>> = used.iter().map(|&i| map.inputs[i].strides.clone()).collect();
        for reduce in map.stores.iter().filter_map(|s| s.reduce) {
            views.push(fold_strides(&sizes, reduce));
        }
        let coordinates = contiguous(&sizes).into_iter().zip(sizes.iter().copied()).collect();
        // Folded and kept dimensions never merge: the result's strides differ.
        let mut layout = match (fixed, images) {
            (Some(layout), _) => layout,
            (None, Some(_)) => Layout::of_images(sizes[0], merge_inner(&sizes, &mut views), TILE),
            (None, None) => Layout::new(merge(&sizes, &mut views), TILE),
        };
        let mut sources = vec![Source::Direct; map.inputs.len()];
        for (&i, strides) in used.iter().zip(&views) {
            sources[i] = if block == Some(i) || layout.is_contiguous(strides) {
                Source::Direct
            } else if strides.iter().zip(&layout.dims).all(|(&s, &d)| s == 0 || d == 1) {
                Source::Splat
            } else if layout.is_constant(strides) {
                Source::TileSplat
            } else {
                Source::Buffer
            };
        }
        let vectors = native_vectors::<T>(isa).filter(|_| layout.tile() >= CHAIN);
        // Rows that are the same again after one, two or four vectors.
        let mut periods = vec![0; map.inputs.len()];
        if let Some(v) = vectors {
            let period =
                (1..=v.lanes).map(|n| n * layout.inner).find(|n| n.is_multiple_of(v.lanes)).map(|n| n / v.lanes);
            for (&i, _) in used.iter().zip(&views).filter(|(_, strides)| layout.repeats_rows(strides)) {
                periods[i] = period.filter(|n| matches!(n, 1 | 2 | 4)).unwrap_or(0) as u8;
            }
        }
        let mut folds = views[used.len()..].iter();
        let sinks: Vec<_> = map
            .stores
            .iter()
            .map(|store| {
                let sink = match store.reduce {
                    Some(reduce) => {
                        let strides = folds.next().expect("one for each fold");
                        let columns = reduce.fold == Fold::Sum
                            && layout.repeats_rows(strides)
                            && sums_columns(vectors, layout.inner);
                        Sink::Fold(columns.then_some(layout.inner))
                    }
                    None => Sink::Write(
                        used.iter()
                            .copied()
                            .filter(|&i| sources[i] == Source::Direct && map.inputs[i].loc == store.loc)
                            .collect(),
                    ),
                };
                (store.value, sink)
            })
            .collect();
        let program = Program::compile(&map.expr, &sources, &periods, &sinks, vectors, isa);
        if program.registers == 0 && block.is_none() {
            match (&layout.dims[..], images) {
                (&[len], None) => layout = Layout::new(vec![len], LONG_TILE),
                (&[batch, len], Some(_)) => layout = Layout::of_images(batch, vec![len], LONG_TILE),
                _ => {}
            }
        }

        let inputs: Vec<InputPlan> = used
            .iter()
            .zip(&views)
            .filter_map(|(&i, strides)| {
                Some(InputPlan {
                    slot: program.inputs[i].filter(|_| block != Some(i))?,
                    place: map.inputs[i].loc.into(),
                    source: sources[i],
                    whole: layout.is_whole(strides),
                    repeated: layout.is_repeated(strides),
                    repeated_in_row: block.is_none() && layout.axis > 0 && strides[layout.axis] == 0,
                    strides: strides.clone(),
                })
            })
            .collect();
        let mut folds = views[used.len()..].iter();
        let mut stores: Vec<StorePlan> = map
            .stores
            .iter()
            .zip(program.sinks.iter().zip(&sinks))
            .map(|(store, (&slot, (_, sink)))| StorePlan {
                slot,
                place: store.loc.into(),
                fold: store.reduce.map(|r| FoldPlan {
                    fold: r.fold,
                    scale: r.scale,
                    strides: folds.next().expect("one for each fold").clone(),
                    len: map.dims[..r.from].iter().chain(&map.dims[r.to..]).product(),
                    inside: matches!(sink, Sink::Fold(Some(_))),
                    partial: None,
                }),
            })
            .collect();

        // Parts: equal numbers of steps along the outermost dimension, at least so much work each.
        let units = if layout.axis == 0 { layout.chunks } else { layout.dims[0] };
        let loops = (program.loops + inputs.len() + stores.len()) * 2 / 3
            + 8 * map.expr.insts().iter().filter(|i| is_slow(i)).count();
        let work = sizes.iter().product::<usize>().saturating_mul(loops.max(1));
        let mut parts = (work / PART).clamp(1, PARTS).min(units);
        let shared_len = |stores: &[StorePlan]| -> usize {
            stores.iter().filter_map(|s| s.fold.as_ref()).filter(|f| f.strides[0] == 0).map(|f| f.len).sum()
        };
        if empty || shared_len(&stores) * parts > PART {
            parts = 1;
        }
        let units_per_part = images.unwrap_or(units.div_ceil(parts));
        let parts = units.div_ceil(units_per_part);
        let mut shared = 0;
        if parts > 1 {
            for fold in stores.iter_mut().filter_map(|s| s.fold.as_mut()).filter(|f| f.strides[0] == 0) {
                fold.partial = Some(shared);
                shared += parts * fold.len;
            }
        }
        let block_slots = program.inputs.clone();
        let tiles_per_unit =
            if layout.axis == 0 { 1 } else { layout.dims[1..layout.axis].iter().product::<usize>() * layout.chunks };
        let tiles = units * tiles_per_unit;
        let folds = stores.iter().any(|s| s.fold.is_some());
        let moves = inputs.iter().filter(|i| i.source == Source::Direct).map(|i| (i.slot, i.place));
        let moves = moves.chain(stores.iter().map(|s| (s.slot, s.place))).collect();
        let splats = inputs.iter().filter(|i| i.source == Source::Splat).map(|i| (i.slot, i.place)).collect();
        let plain = tiles == 1
            && !folds
            && !empty
            && program.leaves.is_empty()
            && inputs.iter().all(|i| matches!(i.source, Source::Direct | Source::Splat));
        MapPlan {
            program,
            layout,
            inputs,
            stores,
            coordinates,
            empty,
            single: tiles == 1,
            folds,
            tiles_per_unit,
            moves,
            splats,
            units,
            units_per_part,
            parts,
            shared,
            shared_base: 0,
            slot_base: 0,
            block_slot: block.and_then(|i| block_slots[i]),
            run: if plain { entry::<T, RunPlain<T>>(isa) } else { entry::<T, RunMap<T>>(isa) },
            fill: entry::<T, random::Fill<T>>(isa),
            begin: entry::<T, BeginMap<T>>(isa),
            tile: entry::<T, RunTile<T>>(isa),
        }
    }

    /// What must run after all parts, if the parts share results.
    pub fn gathering(&self, isa: Isa) -> Option<Gathering<T>> {
        let stores: Vec<_> = self
            .stores
            .iter()
            .filter_map(|s| {
                let f = s.fold.as_ref()?;
                Some((s.place, f.fold, f.scale, f.len, self.shared_base + f.partial?))
            })
            .collect();
        (!stores.is_empty()).then(|| Gathering::new(stores, self.parts, isa))
    }

    /// Elements of scratch memory that a thread needs while it runs this map.
    pub fn scratch(&self) -> usize {
        self.program.splats * SLACK + self.program.registers * self.register()
    }

    fn register(&self) -> usize {
        self.layout.tile().next_multiple_of(SLACK) + SLACK
    }

    /// Sets where this map's shared scratch memory starts.
    pub fn place_shared(&mut self, at: usize) {
        self.shared_base = at;
    }

    /// Adds this map's slots to each thread's list.
    pub fn place_slots(&mut self, threads: &mut [(Vec<Slot<T>>, *mut T)], constant: &mut impl FnMut(f64) -> *mut T) {
        self.slot_base = threads[0].0.len();
        let register = self.register();
        for (slots, scratch) in threads {
            slots.extend(self.program.slots.iter().map(|start| match *start {
                Start::Constant(x) => Slot { at: constant(x), step: 0, exact: false },
                Start::Splat(i) => Slot { at: scratch.wrapping_add(i * SLACK), step: 0, exact: false },
                Start::Register(i) => {
                    let at = scratch.wrapping_add(self.program.splats * SLACK + i * register);
                    Slot { at, step: 1, exact: false }
                }
                Start::Moving => Slot { at: std::ptr::null_mut(), step: 1, exact: true },
            }));
        }
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The map was checked against the memory of the context; the slots and the scratch memory were placed.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, part) }
    }

    /// Prepares for tiles of a block; gives back the slots.
    ///
    /// # Safety
    /// As for [`MapPlan::run`].
    #[inline]
    pub unsafe fn begin_block(&self, context: &Context<T>) -> *mut Slot<T> {
        // SAFETY: the caller's.
        unsafe {
            (self.begin)(self, context, 0);
            context.slots.add(self.slot_base)
        }
    }

    /// Runs tile `t` with the first input at `x`.
    ///
    /// # Safety
    /// As for [`MapPlan::run`], with `x` valid for a tile.
    #[inline]
    pub unsafe fn run_block(&self, context: &Context<T>, slots: *mut Slot<T>, x: *mut T, t: usize) {
        // SAFETY: the caller's.
        unsafe {
            if let Some(slot) = self.block_slot {
                (*slots.add(usize::from(slot))).at = x;
            }
            (self.tile)(self, context, t);
        }
    }
}

/// The strides of a fold's result over the whole domain.
pub fn fold_strides(dims: &[usize], reduce: Reduce) -> Vec<usize> {
    let mut strides = vec![0; dims.len()];
    let mut stride = 1;
    for k in (0..dims.len()).rev().filter(|k| !(reduce.from..reduce.to).contains(k)) {
        strides[k] = stride;
        stride *= dims[k];
    }
    strides
}
