//! Room for values in lanes: blocks that are not needed at the same time share it.

/// A piece of memory that is needed from one instruction to another one.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub len: usize,
    pub from: usize,
    pub to: usize,
}

/// Where each block starts, and the length of it all. A block comes as early as those let it that were placed before and are needed at the same
/// time.
pub fn place(blocks: &[Block]) -> (Vec<usize>, usize) {
    let mut starts: Vec<usize> = Vec::with_capacity(blocks.len());
    // Blocks come in the order of `from`: those that have ended never matter again.
    let mut alive: Vec<(usize, usize, usize)> = vec![];
    let mut end = 0;
    for block in blocks {
        alive.retain(|&(_, _, to)| to >= block.from);
        let mut start = 0;
        for &(at, len, _) in &alive {
            if start + block.len <= at {
                break;
            }
            start = start.max(at + len);
        }
        let position = alive.partition_point(|&(at, ..)| at < start);
        alive.insert(position, (start, block.len, block.to));
        starts.push(start);
        end = end.max(start + block.len);
    }
    (starts, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_one_time_lie_apart() {
        let block = |len, from, to| Block { len, from, to };
        let blocks =
            [block(16, 0, 1), block(32, 0, 0), block(16, 1, 3), block(48, 2, 2), block(16, 2, 4), block(16, 4, 4)];
        let (starts, len) = place(&blocks);
        for (i, a) in blocks.iter().enumerate() {
            for (j, b) in blocks.iter().enumerate().skip(i + 1) {
                let together = a.from <= b.to && b.from <= a.to;
                let apart = starts[i] + a.len <= starts[j] || starts[j] + b.len <= starts[i];
                assert!(apart || !together, "{i} and {j}: {starts:?}");
            }
        }
        assert_eq!(len, 80);
    }
}
