//! Threads that wait for work by spinning for a while, then by parking.
//!
//! A hand-over to a spinning thread costs a fraction of a microsecond, to a parked one some 25 µs.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long an idle thread spins before it parks.
const SPIN: Duration = Duration::from_micros(200);

/// A fixed number of threads, the caller's among them.
///
/// ```
/// use gradus_kernels::Pool;
/// assert_eq!(Pool::new(2).threads(), 2);
/// ```
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held during a run: the threads serve one caller at a time.
    busy: Mutex<()>,
}

type Job<'a> = dyn Fn(usize) + Sync + 'a;

struct Shared {
    /// Grows by one with every run.
    round: AtomicUsize,
    /// Workers that are not done with the round.
    working: AtomicUsize,
    quit: AtomicBool,
    panicked: AtomicBool,
    parked: Vec<AtomicBool>,
    /// Written by the caller before a round starts, read by workers during it.
    job: UnsafeCell<Option<*const Job<'static>>>,
}

// SAFETY: `job` is written only while no worker works (`working` is 0) and read only after the `round` that was released
// afterwards has been acquired.
unsafe impl Sync for Shared {}
// SAFETY: the job pointer is `Sync` to call and outlives the round.
unsafe impl Send for Shared {}

impl Pool {
    /// Starts `threads - 1` threads; 0 counts as 1.
    pub fn new(threads: usize) -> Pool {
        let workers = threads.max(1) - 1;
        let shared = Arc::new(Shared {
            round: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            parked: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            job: UnsafeCell::new(None),
        });
        let workers = (0..workers)
            .map(|i| {
                let shared = shared.clone();
                let name = format!("gradus-{}", i + 1);
                thread::Builder::new().name(name).spawn(move || shared.serve(i)).expect("a thread starts")
            })
            .collect();
        Pool { shared, workers, busy: Mutex::new(()) }
    }

    /// The number of threads, the caller's among them.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `job(0)` here and `job(i)` on worker `i`, for `i < threads`, and returns when all are done. Runs nothing and
    /// returns false if the threads are busy for another caller.
    pub(crate) fn run(&self, job: &Job<'_>) -> bool {
        let Ok(_busy) = self.busy.try_lock() else { return false };
        let shared = &*self.shared;
        // SAFETY: no worker works, so nobody reads; the lifetime is only lengthened until the end of this function, which
        // waits for all workers.
        unsafe {
            let job = std::mem::transmute::<*const Job<'_>, *const Job<'static>>(job);
            *shared.job.get() = Some(job);
        }
        shared.working.store(self.workers.len(), Ordering::Relaxed);
        shared.round.fetch_add(1, Ordering::SeqCst);
        for (worker, parked) in self.workers.iter().zip(&shared.parked) {
            if parked.load(Ordering::SeqCst) {
                worker.thread().unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        spin_until(|| shared.working.load(Ordering::Acquire) == 0);
        if let Err(panic) = own {
            shared.panicked.store(false, Ordering::Relaxed);
            drop(_busy);
            resume_unwind(panic);
        }
        if shared.panicked.swap(false, Ordering::Relaxed) {
            drop(_busy);
            panic!("a worker thread panicked");
        }
        true
    }
}

impl Shared {
    fn serve(&self, i: usize) {
        let mut done = 0;
        loop {
            let mut idle: Option<Instant> = None;
            while self.round.load(Ordering::Acquire) == done {
                for _ in 0..64 {
                    std::hint::spin_loop();
                }
                let since = *idle.get_or_insert_with(Instant::now);
                if since.elapsed() > SPIN {
                    self.parked[i].store(true, Ordering::SeqCst);
                    if self.round.load(Ordering::SeqCst) == done {
                        thread::park();
                    }
                    self.parked[i].store(false, Ordering::SeqCst);
                }
            }
            done += 1;
            if self.quit.load(Ordering::Acquire) {
                return;
            }
            // SAFETY: the caller wrote the job before it started this round and keeps it alive until `working` is 0.
            let job = unsafe { &*(*self.job.get()).expect("a round has a job") };
            if catch_unwind(AssertUnwindSafe(|| job(i + 1))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.working.fetch_sub(1, Ordering::Release);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Release);
        self.shared.round.fetch_add(1, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches every panic of a job, so that joining cannot fail.
            let _ = worker.join();
        }
    }
}

/// Spins, and after a while lets other threads have the core between looks.
#[inline]
pub(crate) fn spin_until(done: impl Fn() -> bool) {
    let mut looks = 0u32;
    while !done() {
        looks += 1;
        if looks < 4096 {
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// A meeting point of a fixed number of threads that can be given up.
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    pub(crate) fn new(threads: usize) -> Barrier {
        Barrier { threads, arrived: AtomicUsize::new(0), round: AtomicUsize::new(0), broken: AtomicBool::new(false) }
    }

    /// Waits until all threads are here; false if one gave up instead of coming.
    #[inline]
    pub(crate) fn wait(&self) -> bool {
        let round = self.round.load(Ordering::Relaxed);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return true;
        }
        spin_until(|| self.round.load(Ordering::Acquire) != round || self.broken.load(Ordering::Acquire));
        // A thread that gave up after it had been here does not undo the meeting.
        self.round.load(Ordering::Acquire) != round
    }

    /// Lets all threads go: none may rely on the others any more.
    pub(crate) fn give_up(&self) {
        self.broken.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_runs_every_round() {
        let pool = Pool::new(3);
        let counts: Vec<AtomicUsize> = (0..3).map(|_| AtomicUsize::new(0)).collect();
        for round in 0..50 {
            assert!(pool.run(&|i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            }));
            if round % 20 == 19 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 50));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_pool_usable() {
        let pool = Pool::new(2);
        for bad in 0..2 {
            let barrier = Barrier::new(2);
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.run(&|i| {
                    if i == bad {
                        barrier.give_up();
                        panic!("thread {i}");
                    }
                    assert!(!barrier.wait());
                })
            }));
            assert!(result.is_err());
        }
        assert!(pool.run(&|_| {}));
    }
}
