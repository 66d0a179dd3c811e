//! One line for each epoch: live on a terminal, now and then elsewhere.

use crate::console;
use crate::report::scale::duration;
use crate::report::tables::{metric_in_words, metric_value};
use gradus_train::{Context, Record, Scores};
use std::time::{Duration, Instant};

/// Shows how a run goes on standard error.
pub struct Progress {
    live: bool,
    /// The last line that stays.
    last: Option<Instant>,
    /// The last time the live line was drawn.
    drawn: Instant,
    begun: Instant,
    first_step: u64,
    pending: bool,
    epochs: u64,
    /// From scaled errors to the units of the data.
    factor: Option<f64>,
}

impl Progress {
    /// For a run of so many epochs.
    pub fn new(epochs: u64, factor: Option<f64>) -> Progress {
        let now = Instant::now();
        Progress {
            live: console::watched(),
            last: None,
            drawn: now,
            begun: now,
            first_step: 0,
            pending: false,
            epochs,
            factor,
        }
    }

    /// The first step is next.
    pub fn start(&mut self, context: &Context<'_>) {
        (self.begun, self.first_step) = (Instant::now(), context.step());
    }

    /// Some steps were done.
    pub fn steps(&mut self, context: &Context<'_>) {
        if !self.live || self.drawn.elapsed() < Duration::from_millis(80) {
            return;
        }
        self.drawn = Instant::now();
        let loss = format!("train loss {}", metric_value("loss", context.train_loss));
        let valid =
            context.history.last().and_then(|record| record.valid.as_ref()).map(|scores| self.scores("valid", scores));
        let line = [Some(self.head(context)), Some(loss), valid, Some(self.pace(context))];
        self.draw(&line.into_iter().flatten().collect::<Vec<_>>().join("  "));
    }

    /// A record was made.
    pub fn record(&mut self, context: &Context<'_>, epoch_end: bool) {
        let Some(record) = context.history.last() else { return };
        if !epoch_end {
            return;
        }
        // Epochs that fly by share a line.
        let pause = Duration::from_millis(if self.live { 150 } else { 1000 });
        let is_last = context.last_step.is_some_and(|last| context.step() >= last);
        if self.last.is_none_or(|last| last.elapsed() >= pause) || is_last {
            self.last = Some(Instant::now());
            self.stay(&self.line(record, context));
        } else {
            self.pending = true;
        }
    }

    /// The run ended.
    pub fn end(&mut self, context: &Context<'_>) {
        if self.live {
            console::say("\r\x1b[K");
        }
        if let Some(record) = context.history.last().filter(|_| self.pending) {
            self.stay(&self.line(record, context));
        }
    }

    fn line(&self, record: &Record, context: &Context<'_>) -> String {
        let valid = record.valid.as_ref().map(|scores| self.scores("valid", scores));
        let line =
            [Some(self.head(context)), Some(self.scores("train", &record.train)), valid, Some(self.pace(context))];
        line.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }

    fn head(&self, context: &Context<'_>) -> String {
        let all = self.epochs.to_string();
        let epoch = context.epoch();
        let digits = if epoch.fract() == 0.0 { format!("{epoch:.0}") } else { format!("{epoch:.1}") };
        format!("epoch {digits:>width$}/{all}", width = all.len())
    }

    fn scores(&self, part: &str, scores: &Scores) -> String {
        let mut text = String::from(part);
        for name in ["loss", "accuracy", "mae", "r2"] {
            if let Some(value) = scores.get(name) {
                let value = self.factor.map_or(value, |factor| crate::session::in_units(name, value, factor));
                text += &format!(" {} {}", metric_in_words(name), metric_value(name, value));
            }
        }
        text
    }

    fn pace(&self, context: &Context<'_>) -> String {
        let done = context.step().saturating_sub(self.first_step);
        let rate = done as f64 / self.begun.elapsed().as_secs_f64();
        let mut text = format!("{rate:.0} steps/s");
        if let Some(left) =
            context.last_step.map(|last| last.saturating_sub(context.step())).filter(|&left| left > 0 && rate > 0.0)
        {
            text += &format!("  {} left", duration(left as f64 / rate));
        }
        text
    }

    fn draw(&mut self, line: &str) {
        let width = console::width() - 1;
        let line: String = line.chars().take(width).collect();
        console::say(&format!("\r\x1b[K{line}"));
    }

    fn stay(&mut self, line: &str) {
        self.pending = false;
        if self.live {
            console::say("\r\x1b[K");
        }
        console::say(&format!("{line}\n"));
    }
}
