//! The range test of learning rates: which rates a network learns at, before a run. Smith 2017, arXiv:1506.01186; the rising form and
//! its stop as in fastai (Howard & Gugger 2020, arXiv:2002.04688).
//!
//! A copy of the initial weights is trained for some steps while the rate rises exponentially, by the recipe's own optimiser. The loss of
//! each mini-batch is taken before its step. It ends early where the running mean of the loss (of about ten steps) is more than
//! [`RISE`] times its lowest, or where a loss is not finite.
//!
//! The losses are then smoothed to both sides, by a Gaussian over [`WINDOW`] of the steps, so that the curve is not shifted. Two rates are
//! read from it, and the smaller one is proposed:
//!
//! | rule | rate |
//! |---|---|
//! | steepest descent | where the smoothed loss falls fastest over the logarithm of the rate, before its lowest point |
//! | a tenth of the minimum's | where the smoothed loss is lowest, divided by 10 |
//!
//! None stands out, and none is proposed, where the smoothed loss falls by less than [`FALL`] of its value at the start (a flat curve), or by
//! less than [`NOISE`] times the standard deviation of the losses about it (a noisy one), or where it is still at its lowest at
//! the highest rate.

use crate::error::{Result, TrainError};
use crate::objective::{Objective, SharedOptimizer};
use crate::run::loader_options;
use crate::trainer::Trainer;
use gradus_data::Dataset;
use gradus_data::loader::{Loader, LoaderMode, LoaderOptions};
use gradus_graph::{Engine, Node, Request, RunError, ShapeError, State};
use gradus_kernels::Pool;
use gradus_nn::optimizers::{Optimizer, Step};
use serde::Serialize;
use std::sync::Arc;

/// So many times its lowest value ends the test.
pub const RISE: f64 = 4.0;
/// The smoothing's standard deviation, as a share of the steps.
pub const WINDOW: f64 = 0.03;
/// A fall by less than this share of the first value is flat.
pub const FALL: f64 = 0.05;
/// A fall by less than so many standard deviations of single losses is noise.
pub const NOISE: f64 = 2.0;
/// The weight of the past in the running mean that ends the test.
const MOMENTUM: f64 = 0.9;

/// Which rates are tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrFindOptions {
    /// The rate of the first step.
    pub low: f64,
    /// The rate of the last step.
    pub high: f64,
    /// How many steps: mini-batches.
    pub steps: u64,
}

impl Default for LrFindOptions {
    fn default() -> LrFindOptions {
        LrFindOptions { low: 1e-7, high: 10.0, steps: 200 }
    }
}

/// One step of the test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LrPoint {
    /// Its rate.
    pub lr: f64,
    /// The loss of its mini-batch, before the step.
    pub loss: f64,
    /// The loss smoothed over its neighbours.
    pub smoothed: f64,
}

/// What the curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LrVerdict {
    /// It falls, then rises: a rate stands out.
    Clear,
    /// It hardly falls.
    Flat,
    /// What it falls by is lost in the noise.
    Noisy,
    /// It still falls at the highest rate.
    Falling,
}

/// What the range test gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LrFind {
    /// The steps done.
    pub points: Vec<LrPoint>,
    /// What the curve shows.
    pub verdict: LrVerdict,
    /// Where the smoothed loss falls fastest.
    pub steepest: Option<f64>,
    /// A tenth of the rate with the lowest smoothed loss.
    pub tenth: Option<f64>,
    /// The smaller of the two, where one stands out.
    pub proposed: Option<f64>,
    /// By how much the smoothed loss falls, as a share of its first value.
    pub fall: f64,
    /// The same as multiples of the standard deviation of single losses about the smoothed ones.
    pub signal: f64,
    /// The rate at which the test ended early.
    pub ended_at: Option<f64>,
}

impl LrFind {
    /// Reads a curve: `(rate, loss)` of each step, rates rising.
    ///
    /// ```
    /// use gradus_train::{LrFind, LrVerdict};
    /// // A valley: flat, a fall around 1e-3, a rise from 1 on.
    /// let loss = |lr: f64| 2.0 / (1.0 + lr / 1e-3) + 0.1 * lr;
    /// let found = LrFind::read((0..200).map(|i| 1e-7 * 1e8f64.powf(i as f64 / 199.0)).map(|lr| (lr, loss(lr))).collect());
    /// assert_eq!(found.verdict, LrVerdict::Clear);
    /// assert!((0.0005..0.002).contains(&found.steepest.unwrap()));
    /// ```
    pub fn read(curve: Vec<(f64, f64)>) -> LrFind {
        let finite = curve.iter().position(|(_, loss)| !loss.is_finite()).unwrap_or(curve.len());
        let smoothed = smooth(&curve[..finite].iter().map(|point| point.1).collect::<Vec<_>>(), curve.len());
        let points: Vec<LrPoint> =
            curve.iter().zip(&smoothed).map(|(&(lr, loss), &smoothed)| LrPoint { lr, loss, smoothed }).collect();
        let none = |verdict, points| LrFind {
            points,
            verdict,
            steepest: None,
            tenth: None,
            proposed: None,
            fall: 0.0,
            signal: 0.0,
            ended_at: None,
        };
        if points.len() < 8 {
            return none(LrVerdict::Flat, points);
        }
        // At the ends little is smoothed: the lowest point is looked for before, the first value is a mean of several.
        let edge = ((curve.len() as f64 * WINDOW).ceil() as usize).clamp(1, points.len() / 4);
        let inner = 0..points.len() - edge;
        let lowest = inner.min_by(|&a, &b| points[a].smoothed.total_cmp(&points[b].smoothed)).unwrap_or(0);
        let several = (points.len() / 10).max(4);
        let first = points[..several].iter().map(|p| p.loss).sum::<f64>() / several as f64;
        let fall = first - points[lowest].smoothed;
        // The noise of what lies before the lowest point: after it the loss jumps.
        let before = &points[..=lowest.max(7)];
        let noise = before.iter().map(|p| (p.loss - p.smoothed).powi(2)).sum::<f64>() / before.len() as f64;
        let (share, signal) = (fall / first.abs().max(f64::MIN_POSITIVE), fall / noise.sqrt().max(f64::MIN_POSITIVE));
        let slope = |i: usize| {
            let (a, b) = (&points[i - 1], &points[i + 1]);
            (b.smoothed - a.smoothed) / (b.lr / a.lr).ln()
        };
        let steepest = (1..lowest).min_by(|&a, &b| slope(a).total_cmp(&slope(b))).map(|i| points[i].lr);
        let tenth = Some(points[lowest].lr / 10.0).filter(|_| lowest > 0);
        let verdict = match () {
            () if share < FALL => LrVerdict::Flat,
            () if signal < NOISE => LrVerdict::Noisy,
            // A curve that ended because the loss rose has its lowest point before; one that went to the end may still fall.
            () if lowest + 1 + edge == points.len() && finite == curve.len() => LrVerdict::Falling,
            () => LrVerdict::Clear,
        };
        let smaller = steepest.zip(tenth).map(|(a, b)| a.min(b));
        let proposed = smaller.filter(|_| verdict == LrVerdict::Clear);
        LrFind { points, verdict, steepest, tenth, proposed, fall: share, signal, ended_at: None }
    }

    /// What the curve shows, in one sentence.
    pub fn words(&self) -> String {
        let last = self.points.last().map_or(f64::NAN, |p| p.lr);
        match self.verdict {
            LrVerdict::Clear => format!(
                "the smoothed loss falls by {:.0} % of its first value, {:.1} times the noise of single mini-batches",
                100.0 * self.fall,
                self.signal
            ),
            LrVerdict::Flat => format!(
                "no rate stands out: the smoothed loss falls by {:.1} % of its first value at most (flat is below {:.0} %); \
                 try other first weights, other rates, or more steps",
                100.0 * self.fall.max(0.0),
                100.0 * FALL
            ),
            LrVerdict::Noisy => format!(
                "no rate stands out: the smoothed loss falls by {:.1} times the noise of single mini-batches (noisy is below {NOISE}); \
                 try larger batches or more steps",
                self.signal
            ),
            LrVerdict::Falling => {
                format!("no rate stands out: the loss still falls at the highest rate, {last:.2e}; try higher rates")
            }
        }
    }
}

impl Trainer<'_> {
    /// The range test on a copy of the initial weights; nothing of the trainer changes. Schedule and stops take no part, and groups keep
    /// the ratio of their rates.
    ///
    /// # Errors
    /// Everything that [`Trainer::fit`] refuses before its first step; rates that are not positive and rising; less than 20 steps.
    ///
    /// ```
    /// use gradus_data::readers::Embedded;
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, layers::Dense, losses::CrossEntropy, optimizers::Sgd};
    /// use gradus_train::{LrFindOptions, Trainer};
    /// let g = Graph::new();
    /// let y = g.input("x", [4]).layer(Dense::new(16).tanh()).layer(Dense::new(3));
    /// let model = g.model(&[("species", &y)])?;
    /// let trainer = Trainer::new(&model).loss("species", CrossEntropy::default()).optimizer(Sgd::default());
    /// let found = trainer.lr_find(&Embedded::Iris.read(), LrFindOptions::default())?;
    /// assert!(found.proposed.is_some(), "{}", found.words());
    /// # Ok::<(), gradus_train::TrainError>(())
    /// ```
    pub fn lr_find(&self, data: &Dataset, options: LrFindOptions) -> Result<LrFind> {
        let LrFindOptions { low, high, steps } = options;
        let refused = |option, received: String, expected: &str| {
            Err(TrainError::Option { option, received, expected: expected.into() })
        };
        if !(low > 0.0 && low.is_finite()) {
            return refused("low", low.to_string(), "a rate above 0");
        }
        if !(high > low && high.is_finite()) {
            return refused("high", high.to_string(), "a rate above `low`");
        }
        if !(20..=1_000_000).contains(&steps) {
            return refused("steps", steps.to_string(), "20 to 1,000,000");
        }
        gradus_data::check::check_training(data, self.batch_size)?;
        let growth = (high / low).powf(1.0 / (steps - 1) as f64);
        let rising = Rising { rule: self.objective.optimizer.clone(), low, growth };
        let objective = Objective { optimizer: SharedOptimizer(Arc::new(rising)), ..self.objective.clone() };
        let step = objective.step(data, None)?;
        objective.check(&step, data, "training")?;
        let request = Request { isa: self.isa, threads: self.threads, ..Request::training(&["data_loss"]) };
        let mut engine = Engine::new(&step, request)?;
        let mut state = State::<f32>::new(&step, self.seed);
        if let Some(initial) = &self.initial {
            state.copy_from(initial);
        }
        let is_target = Objective::is_target(&step);
        let own = LoaderOptions { mode: LoaderMode::Inline, drop_last: true, ..loader_options(self) };
        let mut loader = Loader::new(Arc::new(data.clone()), own)?;
        let per_epoch = loader.steps_per_epoch() as u64;
        let pool = Pool::new(self.threads);
        let mut curve = vec![];
        let mut ended_at = None;
        let (mut mean, mut lowest) = (0.0, f64::INFINITY);
        for i in 0..steps {
            let place = (i % per_epoch) as usize;
            let mut chunks = loader.steps(i / per_epoch, place..place + 1);
            let Some(chunk) = chunks.next_chunk() else { break };
            let feeds: Vec<&[f32]> =
                is_target.iter().map(|&t| if t { chunk.targets() } else { chunk.inputs() }).collect();
            let lr = low * growth.powf(i as f64);
            let loss = match engine.run(&mut state, &feeds, chunk.batch(), 1, &pool) {
                Ok(()) => engine.sums()[0],
                Err(RunError::Halt(_)) => f64::NAN,
                Err(other) => return Err(other.into()),
            };
            mean = MOMENTUM * mean + (1.0 - MOMENTUM) * loss;
            let corrected = mean / (1.0 - MOMENTUM.powf((i + 1) as f64));
            lowest = corrected.min(lowest);
            if !loss.is_finite() || corrected > RISE * lowest.abs() {
                ended_at = Some(lr);
            }
            if loss.is_finite() {
                curve.push((lr, loss));
            }
            if ended_at.is_some() {
                break;
            }
        }
        let mut found = LrFind::read(curve);
        if found.verdict == LrVerdict::Falling && ended_at.is_some() {
            // The loss went from its lowest to no number in one step.
            found.verdict = LrVerdict::Clear;
            found.proposed = found.steepest.zip(found.tenth).map(|(a, b)| a.min(b));
        }
        Ok(LrFind { ended_at, ..found })
    }
}

/// An optimiser whose rate rises exponentially from `low`.
struct Rising {
    rule: SharedOptimizer,
    low: f64,
    growth: f64,
}

impl Optimizer for Rising {
    fn lr(&self) -> f64 {
        self.rule.lr()
    }

    fn weight_decay(&self) -> f64 {
        self.rule.weight_decay()
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let graph = w.graph();
        let factor = self.low / self.rule.lr() * graph.scalar(self.growth).pow(graph.step());
        let mut own = step.without_decay();
        (own.lr, own.decay) = (&step.lr * factor, step.decay);
        self.rule.update(w, g, &own)
    }

    fn check(&self) -> std::result::Result<(), ShapeError> {
        self.rule.check()
    }
}

/// Means weighted by a Gaussian, whose width is a share of all steps.
fn smooth(losses: &[f64], steps: usize) -> Vec<f64> {
    let sd = (steps as f64 * WINDOW).max(1.0);
    let reach = (3.0 * sd).ceil() as usize;
    let at = |i: usize| {
        // As far to one side as to the other, so that the ends are not pulled inwards.
        let reach = reach.min(i).min(losses.len() - 1 - i);
        let weight = |j: usize| (-0.5 * ((j as f64 - i as f64) / sd).powi(2)).exp();
        let near = i - reach..=i + reach;
        near.clone().map(|j| weight(j) * losses[j]).sum::<f64>() / near.map(weight).sum::<f64>()
    };
    (0..losses.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> impl Iterator<Item = f64> {
        (0..200).map(|i| 1e-7 * 1e8f64.powf(f64::from(i) / 199.0))
    }

    /// Numbers like noise, always the same.
    fn noise(i: usize) -> f64 {
        let x = (i as f64 * 12.9898).sin() * 43758.5453;
        2.0 * (x - x.floor()) - 1.0
    }

    #[test]
    fn a_valley_stands_out() {
        let loss = |lr: f64| 2.3 / (1.0 + lr / 1e-3) + 0.5 * lr * lr;
        let found = LrFind::read(rates().enumerate().map(|(i, lr)| (lr, loss(lr) + 0.01 * noise(i))).collect());
        assert_eq!(found.verdict, LrVerdict::Clear, "{}", found.words());
        let (steepest, tenth) = (found.steepest.unwrap(), found.tenth.unwrap());
        assert!((3e-4..3e-3).contains(&steepest), "{steepest}");
        let lowest = rates().min_by(|&a, &b| loss(a).total_cmp(&loss(b))).unwrap();
        assert!((0.3..3.0).contains(&(tenth / (lowest / 10.0))), "{tenth} {lowest}");
        assert_eq!(found.proposed, Some(steepest.min(tenth)));
    }

    #[test]
    fn none_stands_out() {
        let flat = LrFind::read(rates().enumerate().map(|(i, lr)| (lr, 2.3 + 0.01 * noise(i))).collect());
        assert_eq!((flat.verdict, flat.proposed), (LrVerdict::Flat, None));
        let noisy = |lr: f64, i: usize| 2.0 - 0.3 * (1.0 / (1.0 + 1e-3 / lr)) + 2.0 * lr * lr + 1.5 * noise(i);
        let noisy = LrFind::read(rates().enumerate().map(|(i, lr)| (lr, noisy(lr, i))).collect());
        assert_eq!((noisy.verdict, noisy.proposed), (LrVerdict::Noisy, None), "{}", noisy.signal);
        let falling = LrFind::read(rates().map(|lr| (lr, 2.3 / (1.0 + lr))).collect());
        assert_eq!((falling.verdict, falling.proposed), (LrVerdict::Falling, None));
        assert!(falling.words().contains("try higher rates"));
        assert_eq!(LrFind::read(vec![]).verdict, LrVerdict::Flat);
    }

    #[test]
    fn smoothing_does_not_shift() {
        let line: Vec<f64> = (0..100).map(|i| 3.0 - 0.02 * f64::from(i)).collect();
        assert!(smooth(&line, 100).iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
