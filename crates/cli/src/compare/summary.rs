//! What the runs of a comparison come to: means, paired tests, budgets, differences, weights.

use super::differences::differences;
use super::entry::{self, Entry, Judge};
use super::run::{Done, End, Finished};
use crate::report::comparison::{Compared, Comparison, RunRow, Versus, Weights};
use crate::report::data::Point;
use crate::report::scale::{count, duration};
use crate::report::svg::decimate;
use crate::report::tables::{metric_in_words, stop_words};
use gradus_metrics::TTest;
use gradus_metrics::t_test::{holm, mean_and_deviation};
use gradus_train::Record;

/// Points of a curve, at most.
const MOST_POINTS: usize = 400;
const CONFIDENCE: f64 = 0.95;

/// What was planned.
pub struct Plan<'a> {
    /// Name of the study.
    pub title: String,
    /// What takes part.
    pub entries: &'a [Entry],
    /// The seeds.
    pub seeds: &'a [u64],
    /// What judges.
    pub judge: Judge,
    /// What the recipes are compared by.
    pub metric: String,
    /// What all of them have figures for.
    pub metrics: Vec<String>,
    /// Of each, how many parameters start alike with the first's, of how many.
    pub shared: Vec<(usize, usize)>,
    /// Rows to learn from and to be judged by, of the first seed.
    pub rows: [usize; 2],
}

impl Plan<'_> {
    /// The report of the runs that have ended.
    pub fn summary(&self, runs: &[Finished], environment: Vec<(String, String)>) -> Comparison {
        let first = self.entries.first();
        let mut comparison = Comparison {
            title: self.title.clone(),
            description: first.map(|entry| entry.recipe.description.clone()).unwrap_or_default(),
            metric: self.metric.clone(),
            part: self.judge.part().into(),
            metrics: self.metrics.clone(),
            seeds: self.seeds.to_vec(),
            confidence: CONFIDENCE,
            environment,
            ..Comparison::default()
        };
        comparison.recipes = (0..self.entries.len()).map(|entry| self.compared(entry, runs)).collect();
        self.test(&mut comparison);
        comparison.method = self.method(&comparison);
        comparison.notes = self.notes(&comparison, runs);
        comparison
    }

    fn compared(&self, entry: usize, runs: &[Finished]) -> Compared {
        let of = |seed: u64| runs.iter().find(|run| run.entry == entry && run.seed == seed);
        let done: Vec<&Done> = self.seeds.iter().filter_map(|&seed| of(seed)?.done()).collect();
        let scores = |name: &String| {
            let values: Vec<f64> = done.iter().filter_map(|done| done.score(name)).collect();
            mean_and_deviation(&values)
        };
        Compared {
            name: self.entries[entry].name.clone(),
            differs: self.differs(entry),
            runs: self.seeds.iter().map(|&seed| self.row(seed, of(seed))).collect(),
            scores: self.metrics.iter().map(scores).collect(),
            versus: None,
            weights: weights(&done),
        }
    }

    fn row(&self, seed: u64, run: Option<&Finished>) -> RunRow {
        let mut row = RunRow { seed, ended: "not run".into(), ..RunRow::default() };
        let Some(run) = run else { return row };
        row.folder = run.folder.display().to_string();
        match &run.end {
            End::Interrupted => row.ended = "interrupted".into(),
            End::Diverged(message) => (row.ended, row.diverged) = (message.clone(), true),
            End::Done(done) => {
                row.ended = stop_words(&done.stopped_by).to_string();
                row.scores = self.metrics.iter().map(|name| done.score(name).unwrap_or(f64::NAN)).collect();
                row.spent = (done.epochs, done.steps, done.seconds);
                row.best_epoch = done.best_epoch;
                row.curves = [
                    curve(&done.history, |record| record.train.get("loss")),
                    curve(&done.history, |record| record.valid.as_ref()?.get("loss")),
                ];
            }
        }
        row
    }

    /// Settings that are not those of the first.
    fn differs(&self, entry: usize) -> Vec<[String; 3]> {
        let sections = |entry: &Entry| {
            let mut value = toml::Value::try_from(&entry.resolved).unwrap_or(toml::Value::Boolean(false));
            if let Some(table) = value.as_table_mut() {
                ["name", "description", "seed"].iter().for_each(|key| drop(table.remove(*key)));
            }
            value
        };
        let none = || "–".to_string();
        differences(&sections(&self.entries[0]), &sections(&self.entries[entry]))
            .into_iter()
            .map(|d| [d.key, d.first.unwrap_or_else(none), d.other.unwrap_or_else(none)])
            .collect()
    }

    /// Compares each with the first.
    fn test(&self, comparison: &mut Comparison) {
        let Some((first, others)) = comparison.recipes.split_first() else { return };
        let base: Vec<(u64, f64)> = comparison.values(first).collect();
        let mut found: Vec<Versus> = others
            .iter()
            .map(|other| {
                let pairs = comparison.values(other).filter_map(|(seed, value)| {
                    base.iter().find(|(known, _)| *known == seed).map(|(_, of_first)| value - of_first)
                });
                let differences: Vec<f64> = pairs.collect();
                let test = match self.judge.is_drawn() {
                    true => TTest::corrected(&differences, self.rows[1], self.rows[0]),
                    false => TTest::paired(&differences),
                };
                let interval = test.interval(CONFIDENCE);
                Versus { pairs: test.pairs, mean: test.mean, interval, t: test.t, p: test.p, adjusted: test.p }
            })
            .collect();
        let adjusted = holm(&found.iter().map(|versus| versus.p).collect::<Vec<_>>());
        found.iter_mut().zip(adjusted).for_each(|(versus, p)| versus.adjusted = p);
        for (recipe, versus) in comparison.recipes.iter_mut().skip(1).zip(found) {
            recipe.versus = Some(versus);
        }
    }

    fn method(&self, comparison: &Comparison) -> Vec<(String, String)> {
        let n = self.seeds.len();
        let [train, judged] = self.rows;
        let part = if self.judge.is_test() { "test" } else { "validation" };
        let test = match self.judge.is_drawn() {
            true => format!(
                "The corrected resampled t-test (Nadeau & Bengio 2003), on the differences of pairs of runs with the same seed. Every seed \
                 draws its own {part} data, so that the runs share most of their samples and the plain t-test would be too sure: the \
                 variance of the mean difference is s²·(1/{n} + {judged}/{train}), the second term being {part} rows over training rows."
            ),
            false => format!(
                "The plain paired t-test, on the differences of pairs of runs with the same seed. The {part} data are the same for every \
                 seed, so that the runs are independent but for what they share there; the result holds for these {judged} rows."
            ),
        };
        let several = match comparison.recipes.len() {
            0..=2 => String::new(),
            more => format!(
                " With {} comparisons against {}, p is also given as adjusted by Holm's method, and the verdict goes by that, at 0.05.",
                more - 1,
                comparison.recipes[0].name
            ),
        };
        let pairs = format!(
            "Seed s gives all recipes the same split, the same order of samples in each epoch, and the same first weights where layers agree in \
             name and shape and are initialised alike. {}",
            self.shared_start()
        );
        vec![("Test".into(), test + &several), ("Pairs".into(), pairs), ("Budget".into(), self.budget(comparison))]
    }

    fn shared_start(&self) -> String {
        let Some((&(all, of), others)) = self.shared.split_first() else { return String::new() };
        let mut sentences = vec![];
        if others.iter().all(|&(same, of)| same == of && of == all) {
            sentences.push(format!("Here all of the {of} parameter arrays start alike."));
        } else {
            let each = others.iter().zip(&self.entries[1..]);
            let each: Vec<String> = each.map(|((same, of), entry)| format!("{} {same} of {of}", entry.name)).collect();
            sentences.push(format!(
                "Parameter arrays that start as those of {}: {}.",
                self.entries[0].name,
                each.join(", ")
            ));
        }
        if self.entries.iter().any(|entry| entry.recipe.model.init.is_some()) {
            sentences.push("First weights come from a file in some of them (model.init).".into());
        }
        sentences.join(" ")
    }

    /// What the recipes may spend, and have spent.
    fn budget(&self, comparison: &Comparison) -> String {
        let limits: Vec<String> = self
            .entries
            .iter()
            .map(|entry| {
                let train = &entry.recipe.train;
                let steps = self.rows[0].div_ceil(train.batch_size) as u64 * train.epochs;
                let (epochs, batch) = (train.epochs, train.batch_size);
                let stops = if train.stop.is_empty() { "" } else { " unless a stop ends it" };
                format!("{} epochs in batches of {batch}, {} steps{stops}", count(epochs), count(steps))
            })
            .collect();
        let alike = limits.windows(2).all(|pair| pair[0] == pair[1]);
        let mut text = match (alike, limits.first()) {
            (true, Some(limit)) => format!("The same for all: {} training rows, {limit}.", count(self.rows[0] as u64)),
            _ => {
                let each = self.entries.iter().zip(&limits).map(|(entry, limit)| format!("{} {limit}", entry.name));
                format!(
                    "Not the same for all, on {} training rows: {}.",
                    count(self.rows[0] as u64),
                    each.collect::<Vec<_>>().join("; ")
                )
            }
        };
        let spent = comparison.recipes.iter().filter_map(|recipe| {
            let steps: Vec<u64> = recipe.done().map(|run| run.spent.1).collect();
            let seconds: Vec<f64> = recipe.done().map(|run| run.spent.2).collect();
            let (low, high) = (steps.iter().min()?, steps.iter().max()?);
            let steps = if low == high { count(*low) } else { format!("{}–{}", count(*low), count(*high)) };
            let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
            Some(format!("{} {steps} steps in {}", recipe.name, duration(mean)))
        });
        let spent: Vec<String> = spent.collect();
        if !spent.is_empty() {
            text += &format!(" Spent in a run: {}.", spent.join("; "));
        }
        text
    }

    fn notes(&self, comparison: &Comparison, runs: &[Finished]) -> Vec<String> {
        let mut notes = vec![];
        if !self.judge.is_test() {
            notes.push(
                "There are no test data: the recipes are compared on their validation data, which may also have chosen their weights. The \
                 figures are then too good, and most so for the recipe that looks at them most often."
                    .into(),
            );
        }
        if let Some(other) = self.entries.iter().find(|entry| !entry::same_loss(&self.entries[0], entry)) {
            notes.push(format!(
                "{} and {} have different losses: the values and curves of the loss do not compare between them.",
                self.entries[0].name, other.name
            ));
        }
        for recipe in &comparison.recipes {
            let diverged: Vec<String> =
                recipe.runs.iter().filter(|run| run.diverged).map(|run| run.seed.to_string()).collect();
            if !diverged.is_empty() {
                let word = if diverged.len() == 1 { "seed" } else { "seeds" };
                notes.push(format!(
                    "{} diverged with {word} {}: left out of means and tests, and its pairs with it. What is left is not a fair \
                     sample; a recipe that diverges is worse than its figures say.",
                    recipe.name,
                    diverged.join(", ")
                ));
            }
        }
        let planned = self.entries.len() * self.seeds.len();
        let ended = runs.iter().filter(|run| !matches!(run.end, End::Interrupted)).count();
        if ended < planned {
            notes.push(format!(
                "Not finished: {ended} of {planned} runs have ended. Tests go by the pairs that both have."
            ));
        }
        let same = comparison.recipes.iter().filter(|r| r.versus.as_ref().is_some_and(|v| v.p.is_nan() && v.pairs > 1));
        for recipe in same {
            notes.push(format!(
                "{} has the same {} as {} with every seed: there is nothing to test.",
                recipe.name,
                metric_in_words(&self.metric),
                comparison.recipes[0].name
            ));
        }
        notes
    }
}

fn curve(history: &[Record], value: impl Fn(&Record) -> Option<f64>) -> Vec<Point> {
    let points: Vec<[f64; 2]> = history.iter().filter_map(|record| Some([record.epoch, value(record)?])).collect();
    decimate(&points, MOST_POINTS).into_iter().map(|[epoch, value]| Point { epoch, value }).collect()
}

/// Means over runs.
fn weights(done: &[&Done]) -> Option<Weights> {
    let first = &done.first()?.weights;
    let mean = |of: &dyn Fn(&Done) -> f64| done.iter().map(|done| of(done)).sum::<f64>() / done.len() as f64;
    let layer = |i: usize| {
        let of = move |done: &Done, norm: fn(&gradus_train::LayerWeights) -> f64| {
            done.weights.layers.get(i).map_or(f64::NAN, norm)
        };
        let layer = &first.layers[i];
        (layer.path.clone(), layer.weights, mean(&|done| of(done, |l| l.l1)), mean(&|done| of(done, |l| l.l2)))
    };
    Some(Weights {
        weights: first.weights,
        absolute: mean(&|done| done.weights.absolute),
        below: [0, 1, 2].map(|k| mean(&|done| done.weights.below[k] as f64)),
        layers: (0..first.layers.len()).map(layer).collect(),
    })
}
