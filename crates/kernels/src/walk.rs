//! A run: every thread goes through the nodes of every step and takes its parts.

use crate::code::{Span, Thread, Tripped};
use crate::context::{Context, FIRST_INPUT, Place};
use crate::node::Node;
use crate::pool::Barrier;
use crate::{Pool, Real};
use std::cell::UnsafeCell;
use std::time::Instant;

/// A run, shared by its threads.
pub(crate) struct Walk<'a, T> {
    pub(crate) nodes: &'a [Node<T>],
    pub(crate) inputs: &'a [usize],
    pub(crate) scalars: &'a [Place],
    pub(crate) wait_last: bool,
    pub(crate) seed: u64,
    pub(crate) first_step: u64,
    pub(crate) steps: usize,
    pub(crate) shared: *mut T,
    pub(crate) threads: *mut Thread<T>,
    pub(crate) barrier: Barrier,
    pub(crate) sums: *mut f64,
    pub(crate) tripped: UnsafeCell<Option<Tripped>>,
    /// For every thread what it did, if that is written down.
    pub(crate) spans: *mut Vec<Span>,
}

// SAFETY: thread `i` uses element `i` of `threads` and `spans`; the first thread alone writes `sums` and `tripped`; the rest is read, or
// written by nodes that keep apart by their parts and by meetings.
unsafe impl<T: Real> Sync for Walk<'_, T> {}

/// Lets the other threads go if this one panics.
struct GiveUp<'a>(&'a Barrier);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

impl<T: Real> Walk<'_, T> {
    /// Runs all threads' shares. The memory was compared with the sizes that every instruction was checked against.
    #[inline(always)]
    pub(crate) fn all<const TRACED: bool>(self, threads: usize, pool: &Pool) -> Result<(), Tripped> {
        if threads > 1 {
            let job = |i: usize| {
                if i < threads {
                    let _leave = GiveUp(&self.barrier);
                    // SAFETY: every thread below `threads` walks once, and they meet where they must.
                    unsafe { self.steps::<true, TRACED>(i, threads) };
                }
            };
            if pool.run(&job) {
                return self.outcome();
            }
        }
        // SAFETY: one thread walks.
        unsafe { self.steps::<false, TRACED>(0, 1) };
        self.outcome()
    }

    /// Runs this thread's share of all steps.
    ///
    /// # Safety
    /// Each thread below `threads` calls this once; the bases are those of memory that fits the code.
    unsafe fn steps<const MEET: bool, const TRACED: bool>(&self, thread: usize, threads: usize) {
        // SAFETY: this thread's own element.
        let own = unsafe { &mut *self.threads.add(thread) };
        let mut context = Context {
            bases: own.bases.as_ptr(),
            seed: self.seed,
            step: self.first_step,
            slots: own.slots.as_mut_ptr(),
            scratch: own.scratch.as_mut_ptr(),
            shared: self.shared,
        };
        for step in 0..self.steps {
            context.step = self.first_step.wrapping_add(step as u64);
            let mut at = 0;
            while let Some(node) = self.nodes.get(at) {
                if MEET && node.wait && !self.barrier.wait() {
                    return;
                }
                let end = at + node.together;
                let mut part = thread;
                while part < node.parts {
                    // A strand: every part goes through all of its nodes before the next part does. Most nodes are alone.
                    let mut member = at;
                    loop {
                        let node = &self.nodes[member];
                        let start = TRACED.then(Instant::now);
                        // SAFETY: the caller's; parts of a strand keep apart, and `wait` keeps strands apart.
                        if let Err(stopped) = unsafe { node.op.run(&context, part) } {
                            // SAFETY: guards have one part: this is the first thread.
                            unsafe {
                                *self.tripped.get() =
                                    Some(Tripped { step: context.step, id: stopped.id, value: stopped.value });
                            }
                            self.barrier.give_up();
                            return;
                        }
                        if let Some(start) = start {
                            let span = Span { instr: node.instr, start, end: Instant::now() };
                            // SAFETY: there is a list for every thread, and this is the thread's own.
                            unsafe { (*self.spans.add(thread)).push(span) };
                        }
                        member += 1;
                        if member == end {
                            break;
                        }
                    }
                    part += threads;
                }
                at = end;
            }
            if MEET && self.wait_last && !self.barrier.wait() {
                return;
            }
            if thread == 0 {
                for (i, &place) in self.scalars.iter().enumerate() {
                    // SAFETY: the place was checked; there is a sum for every scalar, and only this thread uses them.
                    unsafe { *self.sums.add(i) += (*context.at(place)).to_f64() };
                }
            }
            for (base, n) in own.bases[FIRST_INPUT..].iter_mut().zip(self.inputs) {
                *base = base.wrapping_add(*n);
            }
            context.bases = own.bases.as_ptr();
        }
    }

    fn outcome(self) -> Result<(), Tripped> {
        self.tripped.into_inner().map_or(Ok(()), Err)
    }
}
