//! Asking for memory before it is needed, where the processor does not see it coming: tiles jump from row to row, and results are written
//! where nothing was read.

/// Bytes that are fetched at once.
pub const LINE: usize = 64;

/// What the memory is fetched for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// It will be read.
    Reading,
    /// It will be written, and perhaps not read at all.
    Writing,
}

/// Memory to fetch, piece by piece while something else is computed.
#[derive(Clone, Copy)]
pub struct Ahead {
    next: usize,
    end: usize,
    lines_per_piece: usize,
    purpose: For,
}

impl Ahead {
    /// The elements `from..to` after `start`, in so many pieces.
    pub fn new<T>(start: *const T, from: usize, to: usize, pieces: usize, purpose: For) -> Ahead {
        let place = |at: usize| start.wrapping_add(at).addr() / LINE * LINE;
        let (next, end) = (place(from), place(to.max(from)));
        Ahead { next, end, lines_per_piece: ((end - next) / LINE).div_ceil(pieces), purpose }
    }

    /// Fetches the next piece.
    #[inline(always)]
    pub fn fetch(&mut self) {
        let stop = self.end.min(self.next + self.lines_per_piece * LINE);
        while self.next < stop {
            fetch(self.next, self.purpose);
            self.next += LINE;
        }
    }
}

/// Fetches a line. An address that is not there does no harm.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn fetch(at: usize, purpose: For) {
    use std::arch::asm;
    // SAFETY: the instructions change nothing but caches, and do not fault; the second one does nothing where it is not known.
    unsafe {
        match purpose {
            For::Reading => asm!("prefetcht1 [{0}]", in(reg) at, options(nostack, preserves_flags, readonly)),
            For::Writing => asm!("prefetchw [{0}]", in(reg) at, options(nostack, preserves_flags, readonly)),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn fetch(_: usize, _: For) {}
