//! Which instructions run image by image, together.
//!
//! A convolution, the map behind it and the next convolution may each walk over the whole batch, one after the other: what one leaves is
//! no longer in the cache when the next one reads it. Or all of them compute some images before any of them goes on to the next ones: a
//! strand. That is allowed where an image needs nothing of the other images, and where no image is written over what another one still
//! needs.
//!
//! Instructions that are not cut by images move out of the way where they can: before the strand if they need nothing of it, else behind
//! it. So do the sums over all images that a strand ends with, such as the gradients of weights.

use crate::instr::{Instr, Loc, Pooling, Side, Space};
use crate::map::fold_strides;
use crate::verify::Access;

/// Bytes of one operand that a part of a strand walks over: what the next instruction reads stays in the second-level cache.
const PART: usize = 512 * 1024;
/// The fewest elements of an image that pay for it.
const IMAGE: usize = 256;
/// The most elements that a map may sum up for every part.
const SUMS: usize = 4096;
/// The fewest parts: others would have nothing to help with.
const PARTS: usize = 8;

/// What runs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// One instruction, all of it.
    One(usize),
    /// Several, each on so many images before the next images are begun.
    Strand { instrs: Vec<usize>, images: usize },
    /// The end of an instruction of the strand before: its sums over all parts.
    Gather(usize),
}

/// What an instruction touches of image `i`: `len` elements from `start + i·step` on.
#[derive(Clone, Debug)]
struct Reach {
    space: Space,
    start: usize,
    step: usize,
    len: usize,
    write: bool,
}

/// An instruction that can be cut by images.
struct ByImage {
    batch: usize,
    reaches: Vec<Reach>,
    /// What is written when all images are done.
    after: Vec<Access>,
    /// Elements of its largest operand, for one image.
    largest: usize,
}

impl Reach {
    fn new(loc: Loc, step: usize, len: usize, write: bool) -> Reach {
        Reach { space: loc.space, start: loc.offset, step, len, write }
    }

    /// One image after the other, nothing between.
    fn images(loc: Loc, len: usize, write: bool) -> Reach {
        Reach::new(loc, len, len, write)
    }

    /// All that is touched of `batch` images.
    fn whole(&self, batch: usize) -> Access {
        let end = self.start + (batch - 1) * self.step + self.len;
        Access { space: self.space, range: self.start..end, write: self.write }
    }

    /// Whether an image of one conflicts with a different image of the other.
    fn tangles(&self, other: &Reach, batch: usize) -> bool {
        if !self.whole(batch).conflicts(&other.whole(batch)) {
            return false;
        }
        let (gap, step) = (other.start as isize - self.start as isize, self.step as isize);
        self.step != other.step
            || (1..batch as isize).flat_map(|d| [d, -d]).any(|d| {
                let apart = gap + d * step;
                -(other.len as isize) < apart && apart < self.len as isize
            })
    }
}

/// How an instruction is cut by images, if it can be.
fn by_image<T>(instr: &Instr<T>) -> Option<ByImage> {
    let (batch, reaches, after) = match instr {
        Instr::Conv(c) => {
            let positions: usize = c.slides.iter().map(|s| s.size).product();
            let x = c.slides.iter().map(|s| s.input).product::<usize>() * c.channels;
            let y = c.slides.iter().map(|s| s.output).product::<usize>() * c.filters;
            let weights = positions * c.channels / c.groups * c.filters;
            let images =
                vec![Reach::images(c.x, x, c.side == Side::Input), Reach::images(c.y, y, c.side == Side::Output)];
            let w = Reach::new(c.w, 0, weights, c.side == Side::Weight);
            match c.side {
                Side::Weight => (c.batch, images, vec![w.whole(1)]),
                _ => (c.batch, images.into_iter().chain([w]).collect(), vec![]),
            }
        }
        Instr::Pool(p) => {
            let size = |of: fn(&crate::instr::PoolAxis) -> usize| p.channels * p.axes.iter().map(of).product::<usize>();
            let (inputs, outputs) = (size(|a| a.input()), size(|a| a.output()));
            let (whole, reduced) = if p.pooling.is_transposed() { (outputs, inputs) } else { (inputs, outputs) };
            let x = if p.pooling == Pooling::Return { inputs } else { whole };
            let reaches = vec![Reach::images(p.x, x, false), Reach::images(p.y, reduced, true)];
            (p.batch, reaches.into_iter().chain(p.v.map(|v| Reach::images(v, whole, false))).collect(), vec![])
        }
        Instr::Map(map) => {
            let (&batch, inner) = map.dims.split_first()?;
            if map.dims.contains(&0) {
                return None;
            }
            let view = |loc: Loc, strides: &[usize], write: bool| {
                let span: usize = inner.iter().zip(&strides[1..]).map(|(&d, s)| (d - 1) * s).sum();
                Reach::new(loc, strides[0], span + 1, write)
            };
            let mut reaches: Vec<Reach> = map.inputs.iter().map(|x| view(x.loc, &x.strides, false)).collect();
            let mut after = vec![];
            for store in &map.stores {
                match store.reduce {
                    None => reaches.push(Reach::images(store.loc, inner.iter().product(), true)),
                    Some(reduce) => {
                        let reach = view(store.loc, &fold_strides(&map.dims, reduce), true);
                        if (reduce.from..reduce.to).contains(&0) {
                            after.push(reach.whole(1));
                        } else {
                            reaches.push(reach);
                        }
                    }
                }
            }
            (batch, reaches, after)
        }
        _ => return None,
    };
    let largest = reaches.iter().filter(|r| r.step > 0).map(|r| r.len).max()?;
    let sums = matches!(instr, Instr::Map(_)) && after.iter().any(|a| a.range.len() > SUMS);
    (batch >= PARTS && largest >= IMAGE && !sums).then_some(ByImage { batch, reaches, after, largest })
}

/// The strand that is being put together, and what moves out of its way.
#[derive(Default)]
struct Open {
    batch: usize,
    members: Vec<(usize, ByImage)>,
    before: Vec<usize>,
    behind: Vec<Item>,
    /// What stands behind touches this.
    later: Vec<Access>,
}

impl Open {
    /// Whether an instruction can run with the others, image by image.
    fn takes(&self, new: &ByImage) -> bool {
        let apart = |old: &ByImage| old.reaches.iter().all(|a| new.reaches.iter().all(|b| !a.tangles(b, new.batch)));
        let free = |access: &Access| self.later.iter().all(|l| !l.conflicts(access));
        self.members.is_empty()
            || self.batch == new.batch
                && new.reaches.iter().all(|r| free(&r.whole(new.batch)))
                && self.members.iter().all(|(_, old)| apart(old))
    }

    fn push(&mut self, instr: usize, new: ByImage) {
        self.batch = new.batch;
        if !new.after.is_empty() {
            self.later.extend(new.after.iter().cloned());
            self.behind.push(Item::Gather(instr));
        }
        self.members.push((instr, new));
    }

    /// Lets an instruction of one part pass, or puts it behind.
    fn pass(&mut self, instr: usize, touched: &[Access]) {
        let clash = |a: &Access| touched.iter().any(|b| a.conflicts(b));
        let mut reaches = self.members.iter().flat_map(|(_, m)| m.reaches.iter().map(|r| r.whole(m.batch)));
        if self.later.iter().any(clash) || reaches.any(|a| clash(&a)) {
            self.later.extend(touched.iter().cloned());
            self.behind.push(Item::One(instr));
        } else {
            self.before.push(instr);
        }
    }

    /// Ends the strand.
    fn close(&mut self, size: usize, items: &mut Vec<Item>) {
        let Open { batch, members, before, behind, .. } = std::mem::take(self);
        items.extend(before.into_iter().map(Item::One));
        if members.len() > 1 {
            let largest = members.iter().map(|(_, m)| m.largest).max().unwrap_or(1);
            let images = (PART / (largest * size)).clamp(1, batch.div_ceil(PARTS));
            items.push(Item::Strand { instrs: members.iter().map(|m| m.0).collect(), images });
            items.extend(behind);
        } else {
            items.extend(members.iter().map(|m| Item::One(m.0)));
            items.extend(behind.into_iter().filter(|b| matches!(b, Item::One(_))));
        }
    }
}

/// Puts instructions into strands. `parts` says into how many pieces each is cut by itself.
pub fn strands<T>(instrs: &[Instr<T>], touched: &[Vec<Access>], parts: &[usize]) -> Vec<Item> {
    let mut items = vec![];
    let mut open = Open::default();
    for (i, instr) in instrs.iter().enumerate() {
        let new = if parts[i] > 1 { by_image(instr) } else { None };
        match new {
            Some(new) => {
                if !open.takes(&new) {
                    open.close(size_of::<T>(), &mut items);
                }
                open.push(i, new);
            }
            None if parts[i] == 1
                && !open.members.is_empty()
                && !matches!(instr, Instr::Guard { .. } | Instr::Call(_)) =>
            {
                open.pass(i, &touched[i]);
            }
            None => {
                open.close(size_of::<T>(), &mut items);
                items.push(Item::One(i));
            }
        }
    }
    open.close(size_of::<T>(), &mut items);
    items
}
