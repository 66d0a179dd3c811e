//! What a schedule gives, step by step, without a run.

use super::{Clock, Per, Schedule};
use gradus_graph::{Engine, Graph, GraphError, Request, State};
use gradus_kernels::Pool;

/// A schedule as a function of the step. It is computed by the same nodes as in training.
///
/// ```
/// use gradus_nn::schedules::{Cosine, Curve, Per};
/// let mut curve = Curve::new(&Cosine::default(), 0.1, Per::Step, 100, Some(1000), 0)?;
/// assert_eq!(curve.at(0).rate, 0.1);
/// assert!((curve.at(500).rate - 0.05).abs() < 1e-12);
/// # Ok::<(), gradus_graph::GraphError>(())
/// ```
pub struct Curve {
    engine: Engine<f64>,
    state: State<f64>,
    moves_momentum: bool,
    pool: Pool,
}

/// A schedule at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The learning rate.
    pub rate: f64,
    /// The momentum, where the schedule moves it.
    pub momentum: Option<f64>,
}

/// The scope of a schedule's nodes: what is random in it draws the same numbers here and in training.
pub(crate) const SCOPE: &str = "schedule";

impl Curve {
    /// The schedule for a base rate and a run of this size. `seed` is the run's, for schedules with noise.
    ///
    /// # Errors
    /// Settings out of range, or a schedule that ends with the run where its length is not known.
    pub fn new(
        schedule: &dyn Schedule,
        base: f64,
        per: Per,
        steps_per_epoch: u64,
        total_steps: Option<u64>,
        seed: u64,
    ) -> Result<Curve, GraphError> {
        let graph = Graph::new();
        if let Err(error) = schedule.check() {
            graph.refuse("schedule", error);
        }
        let clock = Clock::new(&graph, per, steps_per_epoch, total_steps);
        let (rate, momentum) = graph.scope(SCOPE, || (schedule.rate(base, &clock), schedule.momentum(&clock)));
        let moves_momentum = momentum.is_some();
        let momentum = momentum.unwrap_or_else(|| graph.scalar(0.0));
        let model = graph.model(&[("rate", &rate), ("momentum", &momentum)])?;
        let engine = Engine::new(&model, Request::predicting(&["rate", "momentum"]))?;
        Ok(Curve { engine, state: State::new(&model, seed), moves_momentum, pool: Pool::new(1) })
    }

    /// The schedule at a step, counted from 0.
    pub fn at(&mut self, step: u64) -> Point {
        self.state.step = step;
        let run = self.engine.run(&mut self.state, &[], 1, 1, &self.pool);
        let number = |name| {
            self.engine.output(name).and_then(|x| x.first()).copied().filter(|_| run.is_ok()).unwrap_or(f64::NAN)
        };
        Point { rate: number("rate"), momentum: self.moves_momentum.then(|| number("momentum")) }
    }

    /// Takes over what the schedule carries in a run's state: the reductions of a [`Plateau`](super::Plateau).
    pub fn follow(&mut self, state: &State<f32>) {
        self.state.copy_from(state);
    }
}
