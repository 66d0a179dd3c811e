//! Convolutions of channels-last images and their two adjoints, without patches: rows of the result that lie next to each other are
//! tiles of a product whose inner axis comes in pieces, one for each window position.
//!
//! * The output: a row of outputs × filters; pieces are the channels under each window position.
//! * The input (the transposed convolution): the same over `y` with weights transposed, once for each remainder of the stride.
//! * The weights: channels × filters; pieces are rows of outputs. Images are taken a few rows at a time.
//!
//! Where every channel has one filter of its own there is no product: see `depthwise`.

mod depthwise;
mod halo;
mod micro;
mod run;
mod winograd;

use crate::context::{Context, Part, Place};
use crate::instr::{Conv, Fold, Side, Slide};
use crate::map::Gathering;
use crate::simd::entry;
use crate::tiles::{Family, Strip};
use crate::{Isa, Real};
use depthwise::Depthwise;
use halo::Halo;
use micro::{Micro, Segment, kernels};
use run::RunConv;

pub use winograd::{Preparation, Winograd};

/// Floating-point operations that a part is worth.
const PART: usize = 1 << 20;
/// The most parts.
const PARTS: usize = 16;
/// Elements of both factors that a block of the weight's gradient reads.
const BLOCK: usize = 6 * 1024;

/// Results that are computed alike: their places are regular, and they see the same window positions.
struct Phase<K> {
    /// Rows of results, and results of a row.
    counts: [usize; 3],
    /// The first result, in elements.
    y_first: usize,
    /// From one result to the next.
    y_steps: [usize; 3],
    /// From what one result sees to what the next one sees.
    a_steps: [usize; 3],
    segments: Vec<Segment>,
    strips: Vec<Strip<K>>,
}

/// Rows of the weight's gradient that lie next to each other: channels under one window position, or under several.
struct Positions<K> {
    a: usize,
    y: usize,
    strips: Vec<Strip<K>>,
}

enum Work<K> {
    /// Outputs or inputs.
    Images(Vec<Phase<K>>),
    /// Weights: what is read of each image, in blocks.
    Weight { positions: Vec<Positions<K>>, segments: Vec<Segment>, block: usize, a_col: usize, partial: bool },
}

/// From one group to the next in each factor and the result.
#[derive(Clone, Copy)]
struct GroupSteps {
    a: usize,
    b: usize,
    y: usize,
}

/// A convolution ready to run.
pub struct ConvPlan<T> {
    batch: usize,
    groups: usize,
    /// What windows move over, and the elements of one image of it.
    a: (Place, usize),
    /// The other factor, and the elements of one image of it.
    b: (Place, usize),
    b_row: usize,
    /// The result, and the elements of one image of it.
    y: (Place, usize),
    y_len: usize,
    y_row: usize,
    group: GroupSteps,
    halo: Halo,
    work: Work<Micro<T>>,
    /// Set if every channel has one filter of its own.
    depthwise: Option<Depthwise<T>>,
    images_per_part: usize,
    /// In how many pieces the memory of the next image is fetched while one is computed.
    pieces: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    /// Elements of shared scratch memory.
    pub shared: usize,
    shared_base: usize,
    run: Part<ConvPlan<T>, T>,
}

impl<T: Real> ConvPlan<T> {
    /// The plan; `images` of them are one part, if that is given.
    pub fn new(c: &Conv, isa: Isa, images: Option<usize>) -> ConvPlan<T> {
        let family = kernels::<T>(isa);
        let (channels, filters) = (c.channels / c.groups, c.filters / c.groups);
        let inputs: usize = c.slides.iter().map(|s| s.input).product();
        let outputs: usize = c.slides.iter().map(|s| s.output).product();
        let positions: usize = c.slides.iter().map(|s| s.size).product();
        let (x, y) = ((c.x.into(), inputs * c.channels), (c.y.into(), outputs * c.filters));
        let weights = positions * channels * c.filters;
        let operations = 2 * c.batch * outputs * weights;
        let empty = c.batch * inputs * c.channels * outputs * c.filters == 0;
        let parts = (operations / PART).clamp(1, PARTS).min(c.batch.max(1));
        let images_per_part = images.unwrap_or(c.batch.div_ceil(parts)).max(1);
        let parts = c.batch.div_ceil(images_per_part).max(1);
        let mut plan = ConvPlan {
            batch: c.batch,
            groups: c.groups,
            a: x,
            b: (c.w.into(), 0),
            b_row: c.filters,
            y,
            y_len: outputs * c.filters,
            y_row: c.filters,
            group: GroupSteps { a: channels, b: filters, y: filters },
            halo: outputs_halo(c),
            work: Work::Images(vec![]),
            depthwise: (c.groups > 1 && channels == 1 && filters == 1).then(|| Depthwise::new(isa)),
            images_per_part,
            pieces: 1,
            parts: if empty && c.side != Side::Weight { 0 } else { parts },
            shared: 0,
            shared_base: 0,
            run: entry::<T, RunConv<T>>(isa),
        };
        match c.side {
            Side::Output => plan.work = Work::Images(vec![output_phase(c, &plan.halo, &family)]),
            Side::Input => {
                let (halo, phases) = input_phases(c, &family);
                plan.halo = halo;
                plan.work = Work::Images(phases);
                (plan.a, plan.y, plan.y_len) = (y, x, x.1);
                (plan.b_row, plan.y_row) = (channels, c.channels);
                plan.group = GroupSteps { a: filters, b: filters * channels, y: channels };
            }
            Side::Weight => {
                plan.work = weight_work(c, &plan.halo, &family, parts > 1);
                (plan.b, plan.y, plan.y_len) = (y, (c.w.into(), 0), weights);
                plan.shared = if parts > 1 { parts * weights } else { 0 };
            }
        }
        plan.pieces = match &plan.work {
            Work::Images(phases) => phases.iter().map(|phase| phase.counts[0] * phase.counts[1]).sum(),
            Work::Weight { segments, block, .. } => segments.len().div_ceil(*block),
        };
        plan.pieces = plan.pieces.max(1);
        plan
    }

    /// Elements of scratch memory that a thread needs while it runs this.
    pub fn scratch(&self) -> usize {
        self.halo.len().next_multiple_of(16)
    }

    /// Sets where this convolution's shared scratch memory starts.
    pub fn place_shared(&mut self, at: usize) {
        self.shared_base = at;
    }

    /// What must run after all parts, if each has sums of its own.
    pub fn gathering(&self, isa: Isa) -> Option<Gathering<T>> {
        (self.shared > 0)
            .then(|| Gathering::new(vec![(self.y.0, Fold::Sum, 1.0, self.y_len, self.shared_base)], self.parts, isa))
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The instruction was checked against the memory of the context; the scratch memory was placed.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, part) }
    }
}

/// The border around the inputs when outputs or weights are computed.
fn outputs_halo(c: &Conv) -> Halo {
    let reach = |s: &Slide| (s.output.max(1) - 1) * s.stride + (s.size - 1) * s.dilation + 1;
    Halo::new(c.slides.map(|s| s.input), c.channels, c.slides.map(|s| s.before), c.slides.map(|s| reach(&s)))
}

/// All window positions with their place in the padded image and in the weights: one segment each, joined where both go on.
fn segments(
    taps: [&[(usize, usize)]; 3],
    sizes: [usize; 3],
    strides: [usize; 3],
    len: usize,
    b_position: usize,
    b_row: usize,
) -> Vec<Segment> {
    let mut list: Vec<Segment> = Vec::new();
    for &(k0, a0) in taps[0] {
        for &(k1, a1) in taps[1] {
            for &(k2, a2) in taps[2] {
                let a = a0 * strides[0] + a1 * strides[1] + a2 * strides[2];
                let b = ((k0 * sizes[1] + k1) * sizes[2] + k2) * b_position;
                match list.last_mut() {
                    Some(last) if last.a + last.len == a && last.b + last.len * b_row == b => last.len += len,
                    _ => list.push(Segment { a, b, len }),
                }
            }
        }
    }
    list
}

fn output_phase<K: Copy>(c: &Conv, halo: &Halo, family: &Family<K>) -> Phase<K> {
    let strides = halo.strides();
    let taps = c.slides.map(|s| (0..s.size).map(|k| (k, k * s.dilation)).collect::<Vec<_>>());
    let taps = [&taps[0][..], &taps[1], &taps[2]];
    let (channels, filters) = (c.channels / c.groups, c.filters / c.groups);
    let sizes = c.slides.map(|s| s.size);
    let counts = c.slides.map(|s| s.output);
    Phase {
        counts,
        y_first: 0,
        y_steps: [counts[1] * counts[2] * c.filters, counts[2] * c.filters, c.filters],
        a_steps: std::array::from_fn(|k| c.slides[k].stride * strides[k]),
        segments: segments(taps, sizes, strides, channels, channels * c.filters, c.filters),
        strips: family.strips(counts[2], filters),
    }
}

/// Along one axis: the first input of a remainder, how many there are, and the window positions they are seen from, each with the
/// place of its output before the first one's border.
struct Remainder {
    first: usize,
    count: usize,
    taps: Vec<(usize, isize)>,
}

fn remainders(s: &Slide) -> Vec<Remainder> {
    (0..s.stride)
        .map(|r| {
            let first = (r + s.stride - s.before % s.stride) % s.stride;
            let count = s.input.saturating_sub(first).div_ceil(s.stride);
            let taps = (0..s.size).filter(|k| (k * s.dilation) % s.stride == r).map(|k| {
                let output = (first + s.before) as isize - (k * s.dilation) as isize;
                (k, output / s.stride as isize)
            });
            Remainder { first, count, taps: taps.collect() }
        })
        .filter(|r| r.count > 0)
        .collect()
}

fn input_phases<K: Copy>(c: &Conv, family: &Family<K>) -> (Halo, Vec<Phase<K>>) {
    let axes = [0, 1, 2].map(|k| remainders(&c.slides[k]));
    let before = [0, 1, 2].map(|k: usize| {
        let lowest = axes[k].iter().flat_map(|r| r.taps.iter().map(|t| t.1)).min().unwrap_or(0);
        lowest.min(0).unsigned_abs()
    });
    let padded = [0, 1, 2].map(|k: usize| {
        let ends = axes[k].iter().flat_map(|r| r.taps.iter().map(|t| t.1 + r.count as isize));
        (ends.max().unwrap_or(1).max(1) as usize) + before[k]
    });
    let halo = Halo::new(c.slides.map(|s| s.output), c.filters, before, padded);
    let strides = halo.strides();
    let (channels, filters) = (c.channels / c.groups, c.filters / c.groups);
    let sizes = c.slides.map(|s| s.size);
    let inputs = c.slides.map(|s| s.input);
    let y_strides = [inputs[1] * inputs[2] * c.channels, inputs[2] * c.channels, c.channels];
    let taps = |k: usize, r: &Remainder| -> Vec<(usize, usize)> {
        r.taps
            .iter()
            .map(|&(position, output)| (position, output.saturating_add_unsigned(before[k]) as usize))
            .collect()
    };
    let mut phases = vec![];
    for r0 in &axes[0] {
        for r1 in &axes[1] {
            for r2 in &axes[2] {
                let list = [taps(0, r0), taps(1, r1), taps(2, r2)];
                let list = [&list[0][..], &list[1], &list[2]];
                phases.push(Phase {
                    counts: [r0.count, r1.count, r2.count],
                    y_first: r0.first * y_strides[0] + r1.first * y_strides[1] + r2.first * y_strides[2],
                    y_steps: std::array::from_fn(|k| c.slides[k].stride * y_strides[k]),
                    a_steps: strides,
                    segments: segments(list, sizes, strides, filters, c.filters * channels, channels),
                    strips: family.strips(r2.count, channels),
                });
            }
        }
    }
    (halo, phases)
}

fn weight_work<K: Copy>(c: &Conv, halo: &Halo, family: &Family<K>, partial: bool) -> Work<K> {
    let strides = halo.strides();
    let (channels, filters) = (c.channels / c.groups, c.filters / c.groups);
    let [s0, s1, s2] = c.slides;
    let taps = c.slides.map(|s| (0..s.size).map(|k| (k, k * s.dilation)).collect::<Vec<_>>());
    let taps = [&taps[0][..], &taps[1], &taps[2]];
    // A row of the weights for every channel under a position.
    let rows = segments(taps, c.slides.map(|s| s.size), strides, channels, channels * c.filters, c.filters);
    let positions =
        rows.into_iter().map(|row| Positions { a: row.a, y: row.b, strips: family.strips(row.len, filters) }).collect();
    let mut list = vec![];
    for o0 in 0..s0.output {
        for o1 in 0..s1.output {
            let a = o0 * s0.stride * strides[0] + o1 * s1.stride * strides[1];
            list.push(Segment { a, b: (o0 * s1.output + o1) * s2.output * c.filters, len: s2.output });
        }
    }
    let row = s2.output * (c.filters + s2.stride * c.channels * s1.stride);
    let block = (BLOCK / row.max(1)).max(1);
    Work::Weight { positions, segments: list, block, a_col: s2.stride * strides[2], partial }
}
