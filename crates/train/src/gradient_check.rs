//! Compiled gradients against central differences in `f64`.

use crate::error::{Result, TrainError};
use crate::objective::Objective;
use gradus_data::Dataset;
use gradus_graph::{Engine, Mode, Model, Request, State};
use gradus_kernels::Pool;
use gradus_tensor::Rng;
use serde::Serialize;
use std::fmt;

/// The random stream that elements are sampled from.
const STREAM: u32 = 0x6C4E_C700;

/// How gradients are checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientCheckOptions {
    /// The step of the difference, multiplied by `max(1, |θ|)`.
    pub step: f64,
    /// The largest relative error that passes.
    pub tolerance: f64,
    /// Gradients whose norms are both below this pass, and are marked: they are zero but for rounding.
    pub floor: f64,
    /// At most so many elements of a parameter are checked, drawn at random.
    pub samples: usize,
}

impl Default for GradientCheckOptions {
    fn default() -> GradientCheckOptions {
        GradientCheckOptions { step: 1e-6, tolerance: 1e-7, floor: 1e-9, samples: 200 }
    }
}

/// What the check of one parameter gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterCheck {
    /// Its path.
    pub path: String,
    /// How many elements it has.
    pub elements: usize,
    /// How many of them were checked.
    pub checked: usize,
    /// `‖a - n‖₂ / (‖a‖₂ + ‖n‖₂)` of analytic and numeric gradient.
    pub error: f64,
    /// The analytic gradient's norm, over the checked elements.
    pub norm: f64,
    /// Both norms are below the floor: the gradient is zero.
    pub zero: bool,
    /// Whether it passes.
    pub passed: bool,
}

/// What a gradient check gave: the parameters in order, and all together.
///
/// The loss is what is minimised, the regulariser's penalty included; random layers keep their masks, since the step counter stands
/// still. Everything is computed in `f64`, by the same passes, plan and kernels as training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradientCheck {
    /// Each parameter.
    pub parameters: Vec<ParameterCheck>,
    /// The relative error of all checked elements together.
    pub error: f64,
    /// The largest relative error that passes.
    pub tolerance: f64,
    /// Whether all of it passes.
    pub passed: bool,
}

impl GradientCheck {
    /// Checks the first `batch` samples of `data` at the initial weights.
    pub(crate) fn new(
        step: &Model,
        data: &Dataset,
        batch: usize,
        seed: u64,
        initial: Option<&State<f32>>,
        options: GradientCheckOptions,
    ) -> Result<GradientCheck> {
        let x: Vec<f64> = data.input_values()[..batch * data.feature_len()].iter().map(|&x| f64::from(x)).collect();
        let width = data.target().width();
        let mut row = vec![0.0; width];
        let mut y = Vec::with_capacity(batch * width);
        for i in 0..batch {
            data.target().write_row(i, &mut row);
            y.extend(row.iter().map(|&y| f64::from(y)));
        }
        let feeds: Vec<&[f64]> = Objective::is_target(step).iter().map(|&t| if t { &y[..] } else { &x[..] }).collect();
        let mut state = State::<f64>::new(step, seed);
        if let Some(initial) = initial {
            state.copy_from(initial);
        }
        GradientCheck::of(step, &mut state, &feeds, batch, options)
    }

    /// Checks the gradients of an extended model (see [`TrainStep`](gradus_nn::TrainStep)) at a state and one batch of inputs.
    pub fn of(
        step: &Model,
        state: &mut State<f64>,
        inputs: &[&[f64]],
        batch: usize,
        options: GradientCheckOptions,
    ) -> Result<GradientCheck> {
        let pool = Pool::new(1);
        let names: Vec<&str> =
            step.outputs().iter().map(|o| o.0.as_str()).filter(|n| n.starts_with("gradient/")).collect();
        let of = |outputs: &[&str]| -> Result<Engine<f64>> {
            Ok(Engine::new(step, Request { mode: Mode::Train, ..Request::predicting(outputs) })?)
        };
        let mut engine = of(&names)?;
        engine.run(state, inputs, batch, 1, &pool)?;
        let analytic: Vec<Vec<f64>> =
            names.iter().map(|name| engine.output(name).unwrap_or_default().to_vec()).collect();
        let mut engine = of(&["loss"])?;
        let mut loss = |state: &mut State<f64>| -> Result<f64> {
            engine.run(state, inputs, batch, 1, &pool)?;
            engine.output("loss").and_then(|y| y.first()).copied().ok_or_else(|| missing("loss"))
        };
        let mut parameters = vec![];
        let mut total = Norms::default();
        for (name, gradient) in names.iter().zip(&analytic) {
            let path = name.trim_start_matches("gradient/");
            let mut norms = Norms::default();
            let places = places(gradient.len(), options.samples, state.seed, path);
            for &i in &places {
                let value = state.variable(path).ok_or_else(|| missing(path))?[i];
                let h = options.step * value.abs().max(1.0);
                let mut at = |x: f64| -> Result<f64> {
                    state.variable_mut(path).ok_or_else(|| missing(path))?[i] = x;
                    loss(state)
                };
                let (up, down) = (value + h, value - h);
                let numeric = (at(up)? - at(down)?) / (up - down);
                at(value)?;
                norms.add(gradient[i], numeric);
            }
            let (error, zero) = (norms.error(), norms.analytic.sqrt().max(norms.numeric.sqrt()) < options.floor);
            total = total.with(&norms);
            parameters.push(ParameterCheck {
                path: path.into(),
                elements: gradient.len(),
                checked: places.len(),
                error: if zero { 0.0 } else { error },
                norm: norms.analytic.sqrt(),
                zero,
                passed: zero || error < options.tolerance,
            });
        }
        let passed = parameters.iter().all(|p| p.passed);
        Ok(GradientCheck { parameters, error: total.error(), tolerance: options.tolerance, passed })
    }
}

impl fmt::Display for GradientCheck {
    /// A table: parameter, elements checked, relative error, verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.parameters.iter().map(|p| p.path.len()).max().unwrap_or(0).max(9);
        writeln!(f, "{:width$}  {:>15}  {:>9}", "parameter", "checked", "error")?;
        for p in &self.parameters {
            let verdict = match (p.passed, p.zero) {
                (_, true) => "zero",
                (true, _) => "ok",
                (false, _) => "WRONG",
            };
            let checked = format!("{} of {}", p.checked, p.elements);
            writeln!(f, "{:width$}  {checked:>15}  {:>9.1e}  {verdict}", p.path, p.error)?;
        }
        let verdict = if self.passed { "ok" } else { "WRONG" };
        write!(f, "{:width$}  {:>15}  {:>9.1e}  {verdict} (tolerance {:.0e})", "all", "", self.error, self.tolerance)
    }
}

/// Squared norms of analytic and numeric gradient and of their difference.
#[derive(Clone, Copy, Debug, Default)]
struct Norms {
    analytic: f64,
    numeric: f64,
    difference: f64,
}

impl Norms {
    fn add(&mut self, analytic: f64, numeric: f64) {
        self.analytic += analytic * analytic;
        self.numeric += numeric * numeric;
        self.difference += (analytic - numeric) * (analytic - numeric);
    }

    fn with(self, other: &Norms) -> Norms {
        Norms {
            analytic: self.analytic + other.analytic,
            numeric: self.numeric + other.numeric,
            difference: self.difference + other.difference,
        }
    }

    fn error(&self) -> f64 {
        let scale = self.analytic.sqrt() + self.numeric.sqrt();
        if scale == 0.0 { 0.0 } else { self.difference.sqrt() / scale }
    }
}

/// Which elements to check, in ascending order.
fn places(len: usize, samples: usize, seed: u64, path: &str) -> Vec<usize> {
    let mut all: Vec<usize> = (0..len).collect();
    if len > samples {
        let key = path.bytes().fold(0u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Rng::new(seed, STREAM, key).shuffle(&mut all);
        all.truncate(samples.max(1));
        all.sort_unstable();
    }
    all
}

fn missing(name: &str) -> TrainError {
    TrainError::Internal(format!("the extended model lacks `{name}`"))
}
