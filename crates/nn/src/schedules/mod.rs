//! Learning-rate schedules: formulas for the rate over time.
//!
//! A schedule is a formula over nodes, like an optimiser: it is computed in `f64` once a step, inside the compiled step. In a recipe:
//! `schedule = { cosine = {} }`; `gradus schedule RECIPE` draws it before anything runs.
//!
//! `r₀` is the optimiser's `lr`. `t` is the time since the start, from 0; `T` the length of the whole run, which most lengths have as their
//! default. [`Per`] says what `t` and all lengths count: epochs with their fractions, whole epochs, or steps. At a boundary the later value
//! holds. No schedule gives a rate below 0. Any schedule can be wrapped in [`WarmUp`], and several follow each other in a [`Chain`].

mod clock;
pub(crate) mod curve;

pub use clock::{Clock, Per};
pub use curve::{Curve, Point};

use gradus_graph::{Node, ShapeError};

/// A formula for the learning rate over time.
///
/// ```
/// use gradus_graph::Node;
/// use gradus_nn::schedules::{Clock, Curve, Per, Schedule};
///
/// /// `r₀/√(t + 1)`
/// struct InverseRoot;
///
/// impl Schedule for InverseRoot {
///     fn rate(&self, base: f64, clock: &Clock) -> Node {
///         base * (clock.t() + 1.0).rsqrt()
///     }
/// }
///
/// let mut curve = Curve::new(&InverseRoot, 0.1, Per::Step, 100, None, 0)?;
/// assert!((curve.at(3).rate - 0.05).abs() < 1e-12);
/// # Ok::<(), gradus_graph::GraphError>(())
/// ```
pub trait Schedule {
    /// The rate at the clock's time, a single number. `base` is r₀.
    fn rate(&self, base: f64, clock: &Clock) -> Node;

    /// The momentum (β₁ of Adam and its kin) at the clock's time, for schedules that move it.
    fn momentum(&self, _clock: &Clock) -> Option<Node> {
        None
    }

    /// The part that waits for a watched value, if there is one.
    fn plateau(&self) -> Option<&Plateau> {
        None
    }

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any schedule.
    pub enum AnySchedule: Schedule, "a schedule" {
        constant::Constant, step::StepDecay, multi_step::MultiStep, piecewise::Piecewise, inverse_time::InverseTime,
        exponential::Exponential, natural_exponential::NaturalExponential, polynomial::Polynomial, cosine::Cosine,
        linear_cosine::LinearCosine, noisy_linear_cosine::NoisyLinearCosine, warm_restarts::WarmRestarts,
        inverse_root::InverseRoot, linear::Linear, cyclic::Cyclic, one_cycle::OneCycle, plateau::Plateau, warm_up::WarmUp,
        chain::Chain,
    }
}

impl Default for AnySchedule {
    /// The same rate all the time.
    fn default() -> AnySchedule {
        Constant::default().into()
    }
}

impl Schedule for AnySchedule {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        (**self).rate(base, clock)
    }

    fn momentum(&self, clock: &Clock) -> Option<Node> {
        (**self).momentum(clock)
    }

    fn plateau(&self) -> Option<&Plateau> {
        (**self).plateau()
    }

    fn check(&self) -> Result<(), ShapeError> {
        (**self).check()
    }
}

/// The share of a cosine's fall that is left after the share `x` of its way: `½(1 + cos πx)`.
fn half_cosine(x: Node) -> Node {
    0.5 * (1.0 + (x * std::f64::consts::PI).cos())
}
