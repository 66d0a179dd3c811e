//! What happens beside training: everything that is not the loop itself.

use crate::checkpoint::Best;
use crate::error::Result;
use crate::history::Record;
use gradus_graph::State;

/// Where the run stands when a callback is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Before the first step, or the first after a resumption.
    Start,
    /// Some steps were done in one go: after some 50 ms of work, and at the latest at an epoch's end. For progress displays.
    Steps,
    /// A [`Record`] was added to the history. `epoch_end` says whether it is that of a whole epoch.
    Record {
        /// Whether an epoch ended with it.
        epoch_end: bool,
    },
    /// The best value so far was found; comes after the record that it is in.
    Best,
    /// A checkpoint was written.
    Checkpoint,
    /// After the last step.
    End,
}

/// Whether to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    #[default]
    Continue,
    /// End the run; the text becomes `stopped_by`.
    Stop(String),
}

/// What a callback sees, and may change.
pub struct Context<'a> {
    /// Parameters, optimiser slots and counters. What is changed here is trained on.
    pub state: &'a mut State<f32>,
    /// The records so far.
    pub history: &'a [Record],
    /// The best value so far, unless the last weights are kept.
    pub best: Option<&'a Best>,
    /// The weights that gave it, in a state like `state`.
    pub best_state: Option<&'a State<f32>>,
    /// Warnings so far.
    pub warnings: &'a [String],
    /// Steps in an epoch.
    pub steps_per_epoch: u64,
    /// The step after which the run ends at the latest, if that is known.
    pub last_step: Option<u64>,
    /// The mean training loss over the epoch so far; NaN before its first step.
    pub train_loss: f64,
    /// Seconds since the run's start, those before a resumption included.
    pub seconds: f64,
}

impl Context<'_> {
    /// Steps done.
    pub fn step(&self) -> u64 {
        self.state.step
    }

    /// Epochs done, with their fraction.
    pub fn epoch(&self) -> f64 {
        self.state.step as f64 / self.steps_per_epoch.max(1) as f64
    }
}

/// Something that is called as a run goes on. A closure `FnMut(Event, &mut Context) -> Result<Flow>` is one.
///
/// ```
/// use gradus_train::{Callback, Context, Event, Flow, Result};
///
/// /// Ends a run once it has seen enough samples.
/// struct Budget { batch: u64, samples: u64 }
///
/// impl Callback for Budget {
///     fn on(&mut self, event: Event, context: &mut Context<'_>) -> Result<Flow> {
///         let spent = event == Event::Steps && context.step() * self.batch >= self.samples;
///         Ok(if spent { Flow::Stop("budget".into()) } else { Flow::Continue })
///     }
/// }
/// ```
pub trait Callback {
    /// Called at every [`Event`].
    fn on(&mut self, event: Event, context: &mut Context<'_>) -> Result<Flow>;
}

impl Callback for Box<dyn Callback + '_> {
    fn on(&mut self, event: Event, context: &mut Context<'_>) -> Result<Flow> {
        (**self).on(event, context)
    }
}

impl<F: FnMut(Event, &mut Context<'_>) -> Result<Flow>> Callback for F {
    fn on(&mut self, event: Event, context: &mut Context<'_>) -> Result<Flow> {
        self(event, context)
    }
}
