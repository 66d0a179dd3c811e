//! One block of memory for all intermediate values: how long each lives, which share a place, and where they lie.

use gradus_kernels::instr::{Instr, Loc, Operand, Space};
use std::collections::HashMap;

/// How long a buffer is used, in instruction numbers, both ends included.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) len: usize,
}

/// All places that an instruction names.
pub(crate) fn locs<T>(instr: &mut Instr<T>) -> Vec<&mut Loc> {
    match instr {
        Instr::Map(map) => {
            let inputs = map.inputs.iter_mut().map(|o| &mut o.loc);
            inputs.chain(map.stores.iter_mut().map(|s| &mut s.loc)).collect()
        }
        Instr::MatMul(p) => {
            let inputs = p.inputs.iter_mut().map(|o| &mut o.loc);
            inputs.chain(p.stores.iter_mut().map(|s| &mut s.loc)).chain([&mut p.a.loc, &mut p.b.loc]).collect()
        }
        Instr::Copy(copy) => vec![&mut copy.source.loc, &mut copy.target.loc],
        Instr::Fill { loc, .. } | Instr::Guard { loc, .. } => vec![loc],
        Instr::Conv(c) => vec![&mut c.x, &mut c.w, &mut c.y],
        Instr::Softmax(s) => vec![&mut s.x, &mut s.y],
        Instr::ArgMax(a) => vec![&mut a.x, &mut a.y],
        Instr::Gather(g) => vec![&mut g.x, &mut g.index, &mut g.y],
        Instr::ScatterAdd(s) => vec![&mut s.x, &mut s.index, &mut s.y],
        Instr::Pool(p) => [&mut p.x].into_iter().chain(&mut p.v).chain([&mut p.y]).collect(),
        Instr::RoiPool(p) => [&mut p.x, &mut p.boxes].into_iter().chain(&mut p.v).chain([&mut p.y]).collect(),
        Instr::Sample(s) => vec![&mut s.x, &mut s.at, &mut s.image, &mut s.y],
        Instr::StepScalars(s) => s.stores.iter_mut().map(|s| &mut s.1).collect(),
        Instr::Call(call) => call.inputs.iter_mut().map(|i| &mut i.0).chain([&mut call.output.0]).collect(),
    }
}

/// The first and last use of every buffer; `unit` is the distance of two buffers' offsets.
pub(crate) fn lives<T>(instrs: &mut [Instr<T>], buffers: usize, unit: usize) -> Vec<Life> {
    let mut lives = vec![Life { first: usize::MAX, last: 0, len: 0 }; buffers];
    for (i, instr) in instrs.iter_mut().enumerate() {
        for loc in locs(instr).into_iter().filter(|l| l.space == Space::Arena) {
            let life = &mut lives[loc.offset / unit];
            life.first = life.first.min(i);
            life.last = life.last.max(i);
        }
    }
    lives
}

/// Writes results over inputs that end with the same instruction, where element meets element. Returns the buffer that each
/// buffer has become.
pub(crate) fn share_in_place<T>(instrs: &mut [Instr<T>], lives: &mut [Life], unit: usize) -> Vec<usize> {
    let mut merged: HashMap<usize, usize> = HashMap::new();
    let find = |merged: &HashMap<usize, usize>, mut b: usize| {
        while let Some(&next) = merged.get(&b) {
            b = next;
        }
        b
    };
    for (i, instr) in instrs.iter_mut().enumerate() {
        for (from, to) in candidates(instr) {
            let (input, output) = (find(&merged, from.offset / unit), find(&merged, to.offset / unit));
            let starts = from.offset % unit == 0 && to.offset % unit == 0;
            let uses = locs(instr)
                .into_iter()
                .filter(|l| l.space == Space::Arena && find(&merged, l.offset / unit) == input)
                .count();
            let fits = lives[input].last == i && lives[output].first == i && lives[input].len == lives[output].len;
            if input != output && starts && fits && uses == 1 {
                lives[input].last = lives[output].last;
                lives[output].len = 0;
                merged.insert(output, input);
            }
        }
    }
    (0..lives.len()).map(|b| find(&merged, b)).collect()
}

/// Pairs of an input and a result that may be the same place.
fn candidates<T>(instr: &Instr<T>) -> Vec<(Loc, Loc)> {
    let over = |inputs: &[Operand], dims: &[usize], stores: Vec<Loc>| {
        let whole = crate::ops::contiguous(dims);
        let aligned = |o: &&Operand| {
            o.loc.space == Space::Arena && o.strides.iter().zip(&whole).zip(dims).all(|((s, w), &n)| n == 1 || s == w)
        };
        let inputs: Vec<Loc> = inputs.iter().filter(aligned).map(|o| o.loc).collect();
        stores.into_iter().flat_map(|s| inputs.iter().map(move |&x| (x, s)).collect::<Vec<_>>()).collect()
    };
    let full = |stores: &[gradus_kernels::instr::Store]| {
        stores.iter().filter(|s| s.reduce.is_none() && s.loc.space == Space::Arena).map(|s| s.loc).collect()
    };
    match instr {
        Instr::Map(map) => over(&map.inputs, &map.dims, full(&map.stores)),
        Instr::MatMul(p) => over(&p.inputs, &[p.batch, p.m, p.n], full(&p.stores)),
        Instr::Softmax(s) if s.x.space == Space::Arena && s.y.space == Space::Arena => vec![(s.x, s.y)],
        _ => vec![],
    }
}

/// Buffers with fewer elements lie apart from larger ones. In the memory of a large one that has just ended they would keep the instructions
/// that read it from running in another order.
const SMALL: usize = 4096;

/// An offset for every buffer, large ones first, each as low as it fits; and the size of the whole.
pub(crate) fn assign(lives: &[Life]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> =
        (0..lives.len()).filter(|&b| lives[b].len > 0 && lives[b].first != usize::MAX).collect();
    order.sort_by_key(|&b| (std::cmp::Reverse(lives[b].len), lives[b].first, b));
    let mut offsets = vec![0; lives.len()];
    let (large, small) = order.split_at(order.partition_point(|&b| lives[b].len >= SMALL));
    let total = place(large, lives, 0, &mut offsets);
    let total = place(small, lives, total, &mut offsets);
    (offsets, total)
}

/// Gives the buffers of a list offsets from `start` on. Returns where the last one ends.
fn place(order: &[usize], lives: &[Life], start: usize, offsets: &mut [usize]) -> usize {
    let mut placed: Vec<usize> = vec![];
    let mut total = start;
    for &b in order {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&p| lives[p].first <= lives[b].last && lives[b].first <= lives[p].last)
            .map(|&p| (offsets[p], offsets[p] + lives[p].len))
            .collect();
        taken.sort_unstable();
        let mut offset = start;
        for (start, end) in taken {
            if offset + lives[b].len <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[b] = offset;
        total = total.max(offset + lives[b].len);
        placed.push(b);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_live_together_do_not_overlap() {
        let life = |first, last, len| Life { first, last, len };
        let lives = [life(0, 1, 16), life(1, 2, 32), life(2, 3, 16), life(3, 4, 32)];
        let (offsets, total) = assign(&lives);
        assert_eq!(total, 48, "the first and third, the second and fourth take turns");
        assert_eq!((offsets[1], offsets[3]), (0, 0));
        assert_eq!((offsets[0], offsets[2]), (32, 32));
    }
}
