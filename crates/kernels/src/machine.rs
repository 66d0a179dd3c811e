//! What this machine can do at most: multiply-adds a second, and bytes a second from each level of its memory. With these two a kernel's
//! least time is the longer one of its arithmetic and its traffic: the roofline. Williams, Waterman & Patterson 2009,
//! doi:10.1145/1498765.1498785.
//!
//! Arithmetic is measured by independent chains of multiply-adds in registers, traffic by McCalpin's triad `a = b + s·c`, its three
//! arrays counted once each, as large as half of a cache (or several times all caches, for main memory). The best of several runs
//! counts: other work on the machine can only make them slower.

use crate::simd::{Kernel, Simd, entry};
use crate::{Buffer, Isa, Pool};
use std::time::Instant;

/// The limits of some threads together, in single precision.
///
/// ```
/// use gradus_kernels::{Bound, Isa, Level, Machine};
/// let level = |name, capacity, rate| Level { name, capacity, rate };
/// let levels = vec![level("L1", Some(32 << 10), 200e9), level("memory", None, 20e9)];
/// let machine = Machine { isa: Isa::Portable, threads: 1, flops: 100e9, levels };
/// // 2·10⁶ operations over 1 MB: the arithmetic takes 20 µs, the traffic 50 µs.
/// let roof = machine.roof(2_000_000, 1_000_000);
/// assert_eq!((roof.seconds, roof.bound), (50e-6, Bound::Memory(1)));
/// // The same bytes a hundred times over, in the first cache: 16 KB take 0.08 µs.
/// assert_eq!(machine.roof(2_000_000, 16_000).bound, Bound::Arithmetic);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The instruction set.
    pub isa: Isa,
    /// The threads that the figures are of, together.
    pub threads: usize,
    /// Floating-point operations a second; a multiply-add is two.
    pub flops: f64,
    /// Caches from the nearest, main memory last.
    pub levels: Vec<Level>,
}

/// A level of the memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// `L1`, `L2`, `L3` or `memory`.
    pub name: &'static str,
    /// How many bytes it holds, of all threads together; main memory holds everything.
    pub capacity: Option<usize>,
    /// Bytes a second, read and written.
    pub rate: f64,
}

/// What keeps a kernel from being faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The processor's arithmetic.
    Arithmetic,
    /// The traffic from a level: its number in [`Machine::levels`].
    Memory(usize),
}

/// The least time for some work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roof {
    /// That time.
    pub seconds: f64,
    /// What it is made of.
    pub bound: Bound,
}

impl Machine {
    /// Measures what the threads of a pool reach together. It takes about a quarter of a second.
    ///
    /// # Panics
    /// If this processor lacks the instruction set ([`Isa::is_available`]).
    pub fn measure(isa: Isa, pool: &Pool) -> Machine {
        assert!(isa.is_available(), "this processor has no {isa}");
        let threads = pool.threads();
        let caches = caches();
        let beyond = caches.last().map_or(0, |last| 4 * last.bytes).clamp(64 << 20, 256 << 20);
        let mut levels = vec![];
        for cache in &caches {
            let own = if cache.shared { cache.bytes / threads } else { cache.bytes };
            let capacity = if cache.shared { cache.bytes } else { cache.bytes * threads };
            if let Some(rate) = triad(isa, pool, own / 2) {
                levels.push(Level { name: cache.name, capacity: Some(capacity), rate });
            }
        }
        let rate = (0..3).find_map(|i| triad(isa, pool, (beyond >> i) / threads)).unwrap_or(f64::INFINITY);
        levels.push(Level { name: "memory", capacity: None, rate });
        Machine { isa, threads, flops: multiply_adds(isa, pool), levels }
    }

    /// The nearest level that holds so many bytes.
    pub fn level(&self, bytes: usize) -> usize {
        let holds = |level: &Level| level.capacity.is_none_or(|capacity| bytes <= capacity);
        self.levels.iter().position(holds).unwrap_or(self.levels.len().saturating_sub(1))
    }

    /// The least time for a kernel: it cannot calculate faster than the processor, nor move what it touches faster than the nearest level
    /// that holds it all.
    pub fn roof(&self, operations: usize, bytes: usize) -> Roof {
        let level = self.level(bytes);
        let arithmetic = operations as f64 / self.flops;
        let traffic = self.levels.get(level).map_or(0.0, |level| bytes as f64 / level.rate);
        match arithmetic >= traffic {
            true => Roof { seconds: arithmetic, bound: Bound::Arithmetic },
            false => Roof { seconds: traffic, bound: Bound::Memory(level) },
        }
    }

    /// A bound in a word: `arithmetic`, or the name of the level.
    pub fn name(&self, bound: Bound) -> &'static str {
        match bound {
            Bound::Arithmetic => "arithmetic",
            Bound::Memory(level) => self.levels.get(level).map_or("memory", |level| level.name),
        }
    }
}

/// A cache of one core, or of several.
struct Cache {
    name: &'static str,
    bytes: usize,
    shared: bool,
}

/// The data caches from the nearest on, as Linux tells them; elsewhere what is usual.
fn caches() -> Vec<Cache> {
    let mut found: Vec<Cache> = (0..8).filter_map(cache).collect();
    found.sort_by_key(|cache| cache.name);
    found.dedup_by_key(|cache| cache.name);
    if found.is_empty() {
        let cache = |name, bytes| Cache { name, bytes, shared: false };
        found = vec![cache("L1", 32 << 10), cache("L2", 512 << 10)];
    }
    found
}

fn cache(index: usize) -> Option<Cache> {
    let read = |what: &str| {
        let text = std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{what}")).ok()?;
        Some(text.trim().to_string())
    };
    if read("type")? == "Instruction" {
        return None;
    }
    let (name, shared) = match &*read("level")? {
        "1" => ("L1", false),
        "2" => ("L2", false),
        "3" => ("L3", true),
        _ => return None,
    };
    let size = read("size")?;
    let number = |unit: char, factor: usize| size.strip_suffix(unit)?.parse::<usize>().ok()?.checked_mul(factor);
    let bytes = number('K', 1 << 10).or_else(|| number('M', 1 << 20)).or_else(|| size.parse().ok())?;
    (bytes >= 4096).then_some(Cache { name, bytes, shared })
}

/// Runs of a measurement.
const RUNS: usize = 8;
/// A run takes at least so many seconds.
const RUN: f64 = 4e-4;

/// The shortest time of `run(n)` for one of its `n` rounds.
fn best(mut run: impl FnMut(usize)) -> f64 {
    let mut time = |n: usize| {
        let start = Instant::now();
        run(n);
        start.elapsed().as_secs_f64()
    };
    // The shortest of three: an interruption must not pass for work.
    let mut n = 1;
    while (0..3).map(|_| time(n)).fold(f64::INFINITY, f64::min) < RUN && n < 1 << 30 {
        n *= 2;
    }
    (0..RUNS).map(|_| time(n)).fold(f64::INFINITY, f64::min) / n as f64
}

fn everywhere(pool: &Pool, job: &(dyn Fn(usize) + Sync)) {
    if !pool.run(job) {
        job(0);
    }
}

/// Chains of multiply-adds that do not wait for each other.
const CHAINS: usize = 12;

/// Operations a second.
fn multiply_adds(isa: Isa, pool: &Pool) -> f64 {
    let run = entry::<f32, Chains>(isa);
    let seeds: [[f32; 16]; CHAINS + 2] = std::array::from_fn(|i| match i {
        CHAINS => [0.999; 16],
        i if i > CHAINS => [0.001; 16],
        i => [1.0 + i as f32; 16],
    });
    // SAFETY: there is a vector for each chain, and the processor has the instruction set.
    let round = |n: usize| everywhere(pool, &|_| unsafe { run(&seeds, &(), n) });
    let lanes = match isa {
        Isa::Avx512 => 16,
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    };
    (2 * lanes * CHAINS * pool.threads()) as f64 / best(round)
}

struct Chains;

impl Kernel<f32> for Chains {
    /// Where each chain starts, the factor and the summand.
    type A = [[f32; 16]; CHAINS + 2];
    type B = ();
    #[inline(always)]
    unsafe fn run<S: Simd<T = f32>>(seeds: *const Self::A, _: *const (), rounds: usize) {
        // SAFETY: the caller's.
        unsafe {
            let mut x = [S::zero(); CHAINS];
            for i in 0..CHAINS {
                x[i] = S::load((*seeds)[i].as_ptr());
            }
            let (m, c) = (S::load((*seeds)[CHAINS].as_ptr()), S::load((*seeds)[CHAINS + 1].as_ptr()));
            for _ in 0..rounds {
                for i in 0..CHAINS {
                    x[i] = S::fma(x[i], m, c);
                }
            }
            let mut ends = [[0.0; 16]; CHAINS];
            for i in 0..CHAINS {
                S::store(ends[i].as_mut_ptr(), x[i]);
            }
            std::hint::black_box(&ends);
        }
    }
}

/// Three arrays of one thread.
struct Arrays {
    a: *mut f32,
    b: *const f32,
    c: *const f32,
    len: usize,
}

// SAFETY: each thread has arrays of its own.
unsafe impl Sync for Arrays {}

/// Bytes a second over arrays of so many bytes together, on each thread; none without memory for them.
fn triad(isa: Isa, pool: &Pool, bytes: usize) -> Option<f64> {
    let run = entry::<f32, Triad>(isa);
    // Multiples of the widest step, each array some lines further than a multiple of a page.
    let len = (bytes / 12 / Triad::STEP).max(1) * Triad::STEP;
    let stride = len.next_multiple_of(1024) + 80;
    let threads = pool.threads();
    let mut buffers = (0..threads).map(|_| Buffer::try_zeroed(3 * stride)).collect::<Option<Vec<Buffer<f32>>>>()?;
    let arrays: Vec<Arrays> = buffers
        .iter_mut()
        .map(|buffer| {
            let start = buffer.as_mut_ptr();
            // SAFETY: the three arrays lie within the buffer.
            unsafe { Arrays { a: start, b: start.add(stride), c: start.add(2 * stride), len } }
        })
        .collect();
    // SAFETY: thread `i` uses its own arrays alone, and the processor has the instruction set.
    let round = |n: usize| everywhere(pool, &|i| unsafe { run(&arrays[i], &(), n) });
    Some((3 * len * threads * size_of::<f32>()) as f64 / best(round))
}

struct Triad;

impl Triad {
    /// Elements of four of the widest vectors.
    const STEP: usize = 64;
}

impl Kernel<f32> for Triad {
    type A = Arrays;
    type B = ();
    #[inline(always)]
    unsafe fn run<S: Simd<T = f32>>(arrays: *const Arrays, _: *const (), rounds: usize) {
        // SAFETY: the caller's; the length is a multiple of the step, and that of four vectors.
        unsafe {
            let Arrays { a, b, c, len } = *arrays;
            let s = S::splat(0.5);
            for _ in 0..rounds {
                let mut i = 0;
                while i < len {
                    for lane in 0..4 {
                        let at = i + lane * S::LANES;
                        S::store(a.add(at), S::fma(S::load(c.add(at)), s, S::load(b.add(at))));
                    }
                    i += 4 * S::LANES;
                }
                // Each round starts anew.
                std::hint::black_box(a);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let level = |name, capacity, rate| Level { name, capacity, rate };
        let levels = vec![level("L1", Some(1000), 100.0), level("L2", Some(10_000), 50.0), level("memory", None, 10.0)];
        Machine { isa: Isa::Portable, threads: 1, flops: 200.0, levels }
    }

    #[test]
    fn the_longer_of_arithmetic_and_traffic_counts() {
        let machine = machine();
        // Intensity of 1 operation a byte from L1: traffic allows 100 of 200 operations a second.
        assert_eq!(machine.roof(1000, 1000), Roof { seconds: 10.0, bound: Bound::Memory(0) });
        // At the ridge, 2 operations a byte, both take as long.
        assert_eq!(machine.roof(2000, 1000), Roof { seconds: 10.0, bound: Bound::Arithmetic });
        assert_eq!(machine.roof(2000, 1001).bound, Bound::Memory(1));
        assert_eq!(machine.roof(1_000_000, 20_000), Roof { seconds: 5000.0, bound: Bound::Arithmetic });
        assert_eq!(machine.roof(0, 20_000), Roof { seconds: 2000.0, bound: Bound::Memory(2) });
        assert_eq!(machine.roof(0, 0).seconds, 0.0);
        assert_eq!([Bound::Arithmetic, Bound::Memory(2)].map(|bound| machine.name(bound)), ["arithmetic", "memory"]);
    }

    #[test]
    fn every_instruction_set_is_measured() {
        for isa in Isa::available() {
            for threads in [1, 2] {
                let machine = Machine::measure(isa, &Pool::new(threads));
                assert_eq!((machine.isa, machine.threads), (isa, threads));
                assert!(machine.flops > 1e8 && machine.flops < 1e13, "{machine:?}");
                assert!(machine.levels.len() >= 2, "{machine:?}");
                assert!(machine.levels.iter().all(|level| level.rate > 1e8 && level.rate < 1e13), "{machine:?}");
                assert!(machine.levels.windows(2).all(|pair| pair[0].capacity.is_some()), "{machine:?}");
            }
        }
    }
}
