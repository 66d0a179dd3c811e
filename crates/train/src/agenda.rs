//! At which steps a run looks up from its work, and how many steps it does in one go.

use crate::checkpoint::Every;
use std::time::Duration;

/// How much work is done between two looks at the clock and at interruptions.
const SLICE: Duration = Duration::from_millis(50);

/// The steps at which something is due.
#[derive(Clone, Debug)]
pub(crate) struct Agenda {
    pub steps_per_epoch: u64,
    /// Steps between records.
    pub record: u64,
    /// Steps between the checks of each watching stop.
    pub checks: Vec<u64>,
    /// The last step.
    pub last: Option<u64>,
    /// Steps between checkpoints.
    pub checkpoint: Option<u64>,
}

impl Agenda {
    /// How many steps an interval in epochs has.
    pub(crate) fn interval(epochs: f64, steps_per_epoch: u64) -> u64 {
        ((epochs * steps_per_epoch as f64).round() as u64).max(1)
    }

    /// The steps between checkpoints, unless they go by time.
    pub(crate) fn checkpoint(every: Every, steps_per_epoch: u64) -> Option<u64> {
        match every {
            Every::Steps(steps) => Some(steps.max(1)),
            Every::Epochs(epochs) => Some(Agenda::interval(epochs, steps_per_epoch)),
            Every::Minutes(_) => None,
        }
    }

    /// The first step after `step` at which something is due.
    pub(crate) fn next(&self, step: u64) -> u64 {
        let intervals = self.checks.iter().copied().chain([self.record, self.steps_per_epoch]).chain(self.checkpoint);
        let next = intervals.map(|n| (step / n + 1) * n).min().unwrap_or(u64::MAX);
        self.last.map_or(next, |last| next.min(last.max(step + 1)))
    }

    /// Whether a record is due at `step`.
    pub(crate) fn is_record(&self, step: u64) -> bool {
        let due = |n: u64| step.is_multiple_of(n);
        step > 0 && (due(self.record) || self.checks.iter().any(|&n| due(n)) || self.last == Some(step))
    }
}

/// Finds out how many steps make a slice of work.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    steps: u64,
}

impl Pace {
    /// Begins with one step.
    pub(crate) fn new() -> Pace {
        Pace { steps: 1 }
    }

    /// How many steps to do in one go.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Learns from `steps` steps that took `time`.
    pub(crate) fn learn(&mut self, steps: u64, time: Duration) {
        let fit = steps as f64 * SLICE.as_secs_f64() / time.as_secs_f64().max(1e-9);
        self.steps = (fit as u64).clamp(1, self.steps.saturating_mul(16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_event_cuts() {
        let agenda =
            Agenda { steps_per_epoch: 844, record: 844, checks: vec![42], last: Some(1000), checkpoint: Some(100) };
        let mut step = 0;
        let mut cuts = vec![];
        while step < 1000 {
            step = agenda.next(step);
            cuts.push(step);
        }
        assert_eq!(cuts[..5], [42, 84, 100, 126, 168]);
        assert!(cuts.contains(&844) && cuts.ends_with(&[966, 1000]));
        assert_eq!(cuts.iter().filter(|&&s| agenda.is_record(s)).count(), 1000 / 42 + 2);
        assert_eq!(Agenda::interval(0.05, 844), 42);
        assert_eq!(Agenda::interval(100.0, 16), 1600);
        assert_eq!(Agenda::interval(1e-9, 16), 1);
    }

    #[test]
    fn the_pace_follows_the_work() {
        let mut pace = Pace::new();
        for _ in 0..10 {
            pace.learn(pace.steps(), Duration::from_micros(10) * pace.steps() as u32);
        }
        assert_eq!(pace.steps(), 5000);
        pace.learn(5000, Duration::from_secs(1));
        assert_eq!(pace.steps(), 250);
    }
}
