//! Predictions for any number of rows.

use crate::error::{Result, TrainError};
use crate::objective::predicting;
use gradus_graph::{Engine, Model, Request, State, fold};
use gradus_kernels::Pool;
use gradus_nn::losses::{Loss, Task};

/// Rows in a batch.
const BATCH: usize = 256;

/// A model with weights that predicts: probabilities for a classifier, values for a regression.
///
/// Rows go in as the model was trained, transformed; values come out as they were trained, and the data's transforms undo the
/// scaling of targets. The model is folded first (see [`fold`]): normalisations with running statistics cost nothing.
///
/// ```
/// use gradus_graph::{Graph, State};
/// use gradus_nn::{LayerExt, layers::Dense, losses::CrossEntropy};
/// use gradus_train::Predictor;
/// let g = Graph::new();
/// let y = g.input("x", [2]).layer(Dense::new(3));
/// let model = g.model(&[("class", &y)])?;
/// let mut predictor = Predictor::new(&model, "class", Some(&CrossEntropy::default()), &State::new(&model, 7))?;
/// let probabilities = predictor.predict(&[0.0, 1.0, 2.0, 3.0])?;
/// assert_eq!((probabilities.len(), predictor.width()), (6, 3));
/// assert!((probabilities[..3].iter().sum::<f32>() - 1.0).abs() < 1e-6);
/// # Ok::<(), gradus_train::TrainError>(())
/// ```
pub struct Predictor {
    engine: Engine<f32>,
    state: State<f32>,
    model: Model,
    output: String,
    pool: Pool,
    features: usize,
    width: usize,
    /// The sign of a number says yes or no.
    scores: bool,
}

impl Predictor {
    /// A predictor of one output. `loss` says what it means (a classifier's logits become probabilities); without one the output
    /// itself is predicted. Weights are taken from `state` by their paths.
    ///
    /// # Errors
    /// An output that does not exist, a model with several inputs, and a state that lacks a parameter.
    pub fn new(model: &Model, output: &str, loss: Option<&dyn Loss>, state: &State<f32>) -> Result<Predictor> {
        let task = model.output_shape(output).zip(loss).map(|(y, loss)| loss.task(y));
        let (model, output) = predicting(model, output, loss)?;
        let mut own = State::new(&model, state.seed);
        own.copy_from(state);
        for variable in model.variables() {
            let found = state.variables().find(|(v, _)| v.path == variable.path).map(|(v, _)| v.shape.clone());
            if found.as_ref() != Some(&variable.shape) {
                return Err(TrainError::Fit {
                    what: format!("the state does not fit the model's parameter `{}`", variable.path),
                    expected: format!("shape {:?}", variable.shape),
                    received: found.map_or_else(|| "none".into(), |shape| format!("shape {shape:?}")),
                    help: "give the state of this model".into(),
                });
            }
        }
        let [input] = model.inputs() else {
            return Err(TrainError::Fit {
                what: "a predictor feeds one input of a model".into(),
                expected: "a model with one input".into(),
                received: format!("{} inputs", model.inputs().len()),
                help: "run an engine yourself, or join the inputs".into(),
            });
        };
        let features = input.shape.len_at(1);
        let (model, own) = fold(&model, &own)?;
        let width = model.output_shape(&output).map_or(1, |shape| shape.len_at(1));
        let engine = Engine::new(&model, Request::predicting(&[&output]))?;
        Ok(Predictor {
            engine,
            state: own,
            model,
            output,
            pool: Pool::new(1),
            features,
            width,
            scores: task == Some(Task::Sign),
        })
    }

    /// The most threads to use; one by default. The result does not depend on it.
    pub fn threads(mut self, threads: usize) -> Result<Predictor> {
        self.engine = Engine::new(&self.model, Request { threads, ..Request::predicting(&[&self.output]) })?;
        self.pool = Pool::new(threads);
        Ok(self)
    }

    /// The folded model that runs, with one input and one output.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The values of the folded model.
    pub fn state(&self) -> &State<f32> {
        &self.state
    }

    /// The name of the folded model's output.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// Whether a prediction is a score whose sign says yes or no, and no probability.
    pub fn gives_scores(&self) -> bool {
        self.scores
    }

    /// How many numbers a row's prediction has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many numbers a row has.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The class that a classifier's prediction for one row says: the one with the largest number; of a single number whether it is a
    /// probability of at least ½, or a score above 0.
    pub fn class_of(&self, row: &[f32]) -> usize {
        match row {
            [score] if self.scores => usize::from(*score > 0.0),
            [yes] => usize::from(*yes >= 0.5),
            several => gradus_metrics::argmax(several),
        }
    }

    /// Predictions `[N, width]` for rows `[N, features]`, one after the other.
    ///
    /// # Errors
    /// Numbers that make no whole rows.
    pub fn predict(&mut self, rows: &[f32]) -> Result<Vec<f32>> {
        if !rows.len().is_multiple_of(self.features) {
            return Err(TrainError::Fit {
                what: "the numbers make no whole rows".into(),
                expected: format!("a multiple of {}", self.features),
                received: rows.len().to_string(),
                help: "give every row all of its features".into(),
            });
        }
        let mut predicted = Vec::with_capacity(rows.len() / self.features * self.width);
        for part in rows.chunks(BATCH * self.features) {
            self.engine.run(&mut self.state, &[part], part.len() / self.features, 1, &self.pool)?;
            predicted.extend_from_slice(self.engine.output(&self.output).unwrap_or_default());
        }
        Ok(predicted)
    }
}
