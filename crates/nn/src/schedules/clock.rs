//! The time that a schedule goes by.

use gradus_graph::{Graph, Node, ShapeError};
use serde::{Deserialize, Serialize};

/// What a schedule's time and its lengths count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Epochs with their fractions: the rate changes in every step.
    #[default]
    Fraction,
    /// Whole epochs: the rate changes where one begins.
    Epoch,
    /// Steps.
    Step,
}

/// The time that a schedule goes by.
#[derive(Clone, Debug)]
pub struct Clock {
    t: Node,
    /// What one step adds to the time.
    tick: f64,
    total: Option<f64>,
}

/// Times this close to a boundary have reached it: a fraction of an epoch is a rounded number.
pub(super) const CLOSE: f64 = 1e-9;

impl Clock {
    /// The time of a run with so many steps in an epoch, and so many in all, if that is known.
    pub fn new(graph: &Graph, per: Per, steps_per_epoch: u64, total_steps: Option<u64>) -> Clock {
        let epoch = steps_per_epoch.max(1) as f64;
        let (t, tick) = match per {
            Per::Step => (graph.step(), 1.0),
            Per::Fraction => (graph.step() / epoch, 1.0 / epoch),
            Per::Epoch => (((graph.step() + 0.5) / epoch).floor(), 1.0),
        };
        let total = total_steps.map(|steps| match per {
            Per::Step => steps as f64,
            Per::Fraction => steps as f64 / epoch,
            Per::Epoch => (steps as f64 / epoch - CLOSE).ceil(),
        });
        Clock { t, tick, total }
    }

    /// The time since the start, 0 in the first step.
    pub fn t(&self) -> &Node {
        &self.t
    }

    /// What one step (or epoch) adds to the time.
    pub fn tick(&self) -> f64 {
        self.tick
    }

    /// The time counted from 1, as warm-ups do: at the end of this step (or epoch).
    pub fn t_from_1(&self) -> Node {
        &self.t + self.tick
    }

    /// A length: the given one, or that of the whole run. A run of unknown length is refused.
    pub fn length(&self, given: Option<f64>) -> Node {
        match given.or(self.total) {
            Some(length) => self.graph().scalar(length),
            None => {
                let help = "give the schedule a length, or limit the run by epochs or steps";
                let error = ShapeError::new(
                    "a run whose number of steps is known, as the schedule ends with it",
                    "a run without such a limit",
                    help,
                );
                self.graph().refuse("schedule", error)
            }
        }
    }

    /// 1 from this time on, 0 before.
    pub fn reached(&self, time: f64) -> Node {
        (&self.t + CLOSE).ge(time)
    }

    /// How often this time has passed, a whole number: `⌊t/length⌋`.
    pub fn times(&self, length: f64) -> Node {
        (&self.t / length + CLOSE).floor()
    }

    /// The same time counted from a later start.
    pub fn after(&self, start: f64) -> Clock {
        Clock {
            t: (&self.t - start).maximum(0.0),
            tick: self.tick,
            total: self.total.map(|total| (total - start).max(0.0)),
        }
    }

    /// The same time for a part of the run that has this length.
    pub fn lasting(&self, length: f64) -> Clock {
        Clock { total: Some(length), ..self.clone() }
    }

    /// The graph of the step.
    pub fn graph(&self) -> &Graph {
        self.t.graph()
    }
}
