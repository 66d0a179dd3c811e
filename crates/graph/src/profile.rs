//! What the kernels of a compiled step cost.

use gradus_kernels::Span;
use std::time::{Duration, Instant};

/// A kernel of a compiled step, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelCost {
    /// The kernel with its shapes.
    pub label: String,
    /// The layer that it belongs to, as far as one is known; gradients of a layer end in `/gradient`.
    pub path: String,
    /// The time of the steps that were timed, less what reading the clock takes. Of several threads that share a kernel, the time of
    /// the longest.
    pub time: Duration,
    /// Floating-point operations of a step.
    pub operations: usize,
    /// Bytes that a step reads and writes, each place counted once.
    pub bytes: usize,
}

impl KernelCost {
    /// The kernels of several profiles of the same step, each with its median time.
    pub fn medians(profiles: &[Profile]) -> Vec<KernelCost> {
        let Some(last) = profiles.last() else { return vec![] };
        let median = |(i, kernel): (usize, &KernelCost)| {
            let mut times: Vec<Duration> =
                profiles.iter().filter_map(|profile| Some(profile.kernels.get(i)?.time)).collect();
            times.sort_unstable();
            KernelCost { time: times[times.len() / 2], ..kernel.clone() }
        };
        last.kernels.iter().enumerate().map(median).collect()
    }
}

/// Steps that were timed kernel by kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The kernels in the order of the plan; those that share a strand take turns, part by part.
    pub kernels: Vec<KernelCost>,
    /// What each thread did when, in order; [`Span::instr`] is a number in `kernels`.
    pub threads: Vec<Vec<Span>>,
}

impl Profile {
    /// Gives every kernel the time of its spans.
    pub(crate) fn new(mut kernels: Vec<KernelCost>, threads: Vec<Vec<Span>>) -> Profile {
        let clock = clock();
        for spans in &threads {
            let mut own = vec![Duration::ZERO; kernels.len()];
            for span in spans {
                own[span.instr] += span.end.duration_since(span.start).saturating_sub(clock);
            }
            kernels.iter_mut().zip(own).for_each(|(kernel, own)| kernel.time = kernel.time.max(own));
        }
        Profile { kernels, threads }
    }
}

/// What reading the clock once takes: the median of some readings.
fn clock() -> Duration {
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let start = Instant::now();
            Instant::now().duration_since(start)
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_thread_counts() {
        let start = Instant::now();
        let span = |instr, from: u64, to: u64| Span {
            instr,
            start: start + Duration::from_micros(from),
            end: start + Duration::from_micros(to),
        };
        let kernel = |label: &str| KernelCost {
            label: label.into(),
            path: String::new(),
            time: Duration::ZERO,
            operations: 1,
            bytes: 2,
        };
        let of = |last| {
            let threads = vec![vec![span(0, 0, 300), span(1, 300, last)], vec![span(0, 100, 600)]];
            Profile::new(vec![kernel("a"), kernel("b")], threads)
        };
        let near = |time: Duration, us: u64| {
            let (time, exact) = (time.as_nanos(), u128::from(us) * 1000);
            time <= exact && exact - time < 20_000
        };
        let profile = of(400);
        assert!(near(profile.kernels[0].time, 500) && near(profile.kernels[1].time, 100), "{profile:?}");
        let medians = KernelCost::medians(&[of(400), of(900), of(500)]);
        assert!(near(medians[1].time, 200) && medians[1].label == "b", "{medians:?}");
        assert!(KernelCost::medians(&[]).is_empty());
    }
}
