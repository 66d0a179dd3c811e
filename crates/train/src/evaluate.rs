//! Loss and metrics over whole data sets: sums and counts of all batches, divided once. The last batch may be smaller.

use crate::error::Result;
use crate::history::Scores;
use crate::objective::{Objective, from_sum, sum_of};
use gradus_data::{Dataset, Target};
use gradus_graph::{Engine, Mode, Model, Request, State};
use gradus_kernels::{Isa, Pool};
use gradus_metrics::{ConfusionMatrix, Evaluator, Metric, Task};
use gradus_nn::Loss as _;

/// Rows in a batch of an evaluation.
const BATCH: usize = 256;

/// What a pass over data gave.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Loss and metrics.
    pub scores: Scores,
    /// What was taken for what, by the first output that is a classifier; a binary one at probability ½.
    pub confusion: Option<ConfusionMatrix>,
    /// How many samples there were.
    pub rows: usize,
}

/// Evaluates weights on one data set, as often as wanted.
pub(crate) struct Examiner<'d> {
    objective: Objective,
    inputs: &'d [f32],
    targets: Vec<f32>,
    rows: usize,
    batch: usize,
    is_target: Vec<bool>,
    engine: Engine<f32>,
    /// For each head: what collects its predictions, if a metric needs them.
    collectors: Vec<Option<Collector>>,
    /// Places of sums in the request.
    names: Vec<String>,
}

/// Collects the predictions of one head.
struct Collector {
    evaluator: Evaluator,
    /// Where they are.
    output: String,
    /// They are scores, whose sign says yes or no.
    scores: bool,
}

impl<'d> Examiner<'d> {
    /// `whole` collects the predictions of classifiers for the confusion matrix, whether or not a metric needs them. A loss that is
    /// a sum over the batch is evaluated in batches of the training's size, so that the two compare.
    pub(crate) fn new(
        objective: &Objective,
        step: &Model,
        data: &'d Dataset,
        batch_size: usize,
        whole: bool,
        isa: Isa,
        threads: usize,
    ) -> Result<Examiner<'d>> {
        let mut names = vec![];
        let mut add = |name: String| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        let mut collectors = vec![];
        for head in &objective.heads {
            ["loss_sum", "loss_count"].iter().for_each(|name| add(format!("{}/{name}", head.output)));
            for sum in head.metrics.iter().filter_map(|&m| sum_of(m)) {
                add(format!("{}/{sum}", head.output));
                add(format!("{}/count", head.output));
            }
            let task = objective.task(step, head);
            let own: Vec<Metric> = head.metrics.iter().copied().filter(|&m| sum_of(m).is_none()).collect();
            let classifier = !matches!(task, Task::Values(_));
            let scores = objective.is_score(step, head);
            let plain = !classifier || scores;
            let output = if plain { head.output.clone() } else { format!("{}/probabilities", head.output) };
            collectors.push(match own.is_empty() && !(whole && classifier) {
                true => None,
                false => Some(Collector { evaluator: Evaluator::new(task, &own)?, output, scores }),
            });
        }
        let request = Request {
            mode: Mode::Predict,
            outputs: collectors.iter().flatten().map(|c| c.output.clone()).collect(),
            scalars: names.clone(),
            isa,
            threads,
            ..Request::predicting(&[])
        };
        let by_batch = objective.heads.iter().any(|head| head.loss.depends_on_batch());
        let batch = if by_batch { batch_size } else { BATCH }.clamp(1, data.len().max(1));
        let mut targets = vec![0.0; data.len() * data.target().width()];
        if let width @ 1.. = data.target().width() {
            targets.chunks_exact_mut(width).enumerate().for_each(|(row, y)| data.target().write_row(row, y));
        }
        Ok(Examiner {
            objective: objective.clone(),
            inputs: data.input_values(),
            targets,
            rows: data.len(),
            batch,
            is_target: Objective::is_target(step),
            engine: Engine::new(step, request)?,
            collectors,
            names,
        })
    }

    /// Loss and metrics of these weights.
    pub(crate) fn examine(&mut self, state: &mut State<f32>, pool: &Pool) -> Result<Scores> {
        self.collectors.iter_mut().flatten().for_each(|c| c.evaluator.clear());
        let mut sums = vec![0.0; self.names.len()];
        let (whole, rest) = (self.rows / self.batch, self.rows % self.batch);
        let one_by_one = self.collectors.iter().any(Option::is_some);
        let at_once = if one_by_one { 1 } else { whole.max(1) };
        for first in (0..whole).step_by(at_once) {
            self.run(state, first * self.batch, self.batch, at_once.min(whole - first), &mut sums, pool)?;
        }
        if rest > 0 {
            self.run(state, whole * self.batch, rest, 1, &mut sums, pool)?;
        }
        self.scores(&sums)
    }

    /// The confusion matrix of the last pass.
    pub(crate) fn confusion(&self) -> Option<ConfusionMatrix> {
        self.collectors.iter().flatten().find_map(|c| c.evaluator.confusion())
    }

    fn run(
        &mut self,
        state: &mut State<f32>,
        row: usize,
        batch: usize,
        steps: usize,
        sums: &mut [f64],
        pool: &Pool,
    ) -> Result<()> {
        let part = |values: &'d [f32]| cut(values, row, batch * steps, self.rows);
        let (x, y) = (part(self.inputs), cut(&self.targets, row, batch * steps, self.rows));
        let feeds: Vec<&[f32]> = self.is_target.iter().map(|&t| if t { y } else { x }).collect();
        self.engine.run(state, &feeds, batch, steps, pool)?;
        sums.iter_mut().zip(self.engine.sums()).for_each(|(sum, own)| *sum += own);
        for Collector { evaluator: collector, output, scores } in self.collectors.iter_mut().flatten() {
            let predicted = self.engine.output(output).unwrap_or_default();
            match collector.task() {
                Task::Binary if *scores => {
                    let answers: Vec<f32> = predicted.iter().map(|&s| f32::from(u8::from(s > 0.0))).collect();
                    collector.add_binary(&answers, &y.iter().map(|&y| y > 0.5).collect::<Vec<_>>())?;
                }
                Task::Classes(classes) if y.len() == predicted.len() => {
                    let truth: Vec<usize> = y.chunks_exact(classes).map(gradus_metrics::argmax).collect();
                    collector.add_classes(predicted, &truth)?;
                }
                Task::Classes(_) => {
                    collector.add_classes(predicted, &y.iter().map(|&y| y as usize).collect::<Vec<_>>())?;
                }
                Task::Binary => collector.add_binary(predicted, &y.iter().map(|&y| y > 0.5).collect::<Vec<_>>())?,
                Task::Values(_) => collector.add_values(predicted, y)?,
            }
        }
        Ok(())
    }

    fn scores(&self, sums: &[f64]) -> Result<Scores> {
        let sum = |output: &str, name: &str| {
            let full = format!("{output}/{name}");
            self.names.iter().position(|n| *n == full).map_or(f64::NAN, |i| sums[i])
        };
        let mut scores = Scores::default();
        let mut total = 0.0;
        for (head, collector) in self.objective.heads.iter().zip(&self.collectors) {
            let count = sum(&head.output, "loss_count");
            let loss = if count == 0.0 { 0.0 } else { sum(&head.output, "loss_sum") / count };
            total += loss * head.weight;
            if self.objective.heads.len() > 1 {
                scores.insert(self.objective.name(head, "loss"), loss);
            }
            for &metric in &head.metrics {
                let value = match (sum_of(metric), collector) {
                    (Some(name), _) => from_sum(metric, sum(&head.output, name), sum(&head.output, "count")),
                    (None, Some(collector)) => collector.evaluator.value(metric)?,
                    (None, None) => f64::NAN,
                };
                scores.insert(self.objective.name(head, &metric.to_string()), value);
            }
        }
        scores.insert("loss".into(), total);
        Ok(scores)
    }
}

/// Some rows of an array of `all` rows.
fn cut(values: &[f32], row: usize, rows: usize, all: usize) -> &[f32] {
    let width = values.len() / all.max(1);
    &values[row * width..(row + rows) * width]
}

/// Whether data have a target at all.
pub(crate) fn has_target(data: &Dataset) -> bool {
    !matches!(data.target(), Target::None)
}
