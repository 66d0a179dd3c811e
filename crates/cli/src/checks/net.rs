//! The net: its shapes, its loss before any step, and what a run costs.

use super::{Finding, Level};
use crate::failure::Result;
use crate::materials::Materials;
use crate::recipe::Recipe;
use crate::report::scale::duration;
use crate::session;
use gradus_data::{Dataset, Target};
use gradus_graph::{Engine, Model, Request, State};
use gradus_nn::AnyLoss;
use gradus_train::{Context, Event, Flow, Minutes, TrainError};
use serde_json::json;
use std::time::Instant;

/// How long a run is tried, in minutes.
const TRIAL: f64 = 0.012;

/// Shapes, the loss at the start, memory, time.
///
/// # Errors
/// Data that do not fit the net.
pub fn net(recipe: &Recipe, model: &Model, materials: &Materials) -> Result<Vec<Finding>> {
    let train = &materials.train;
    let mut trainer = session::trainer(recipe, model, train);
    let step = trainer.step(train)?;
    let shape = |list: Option<String>| list.unwrap_or_default();
    let input = shape(model.inputs().first().map(|input| input.shape.to_string()));
    let output = shape(model.output_shape(crate::network::OUTPUT).map(ToString::to_string));
    let parameters = model.parameters();
    let shapes = Finding::new(
        Level::Ok,
        "shapes",
        format!("{input} to {output}, {parameters} parameters"),
        json!({ "input": input, "output": output, "parameters": parameters }),
    );

    let initial = State::new(model, recipe.seed);
    let begun = Instant::now();
    let loss = trainer.evaluate(&initial, train)?.scores["loss"];
    let pass = begun.elapsed().as_secs_f64() / train.len() as f64;
    let start = start(recipe, train, loss);

    let engine: std::result::Result<Engine<f32>, _> = Engine::new(&step, Request::training(&["data_loss"]));
    let memory = engine?.memory(recipe.train.batch_size.min(train.len()))?;
    let parts = [Some(&**train), materials.valid.as_ref(), materials.test.as_ref()];
    let held: usize = parts.into_iter().flatten().map(|data| data.len() * (data.feature_len() + 1) * 4).sum();
    let room = Finding::new(
        Level::Ok,
        "memory",
        format!("{} for a step and its variables, {} for the data", size(memory.total()), size(held)),
        json!({ "step": memory.total(), "data": held }),
    );
    Ok(vec![shapes, start, room, time(recipe, model, materials, pass)?])
}

/// The loss of the initial weights beside that of a net that knows nothing.
fn start(recipe: &Recipe, train: &Dataset, loss: f64) -> Finding {
    let knows_nothing = match (&recipe.train.loss, train.target()) {
        (AnyLoss::CrossEntropy(_), target) => {
            let classes = match target {
                Target::Classes { classes, .. } => classes.len(),
                other => other.width(),
            };
            Some(((classes as f64).ln(), format!("ln {classes}")))
        }
        (AnyLoss::BinaryCrossEntropy(_), _) => Some((2f64.ln(), "ln 2".to_string())),
        _ => None,
    };
    let Some((expected, name)) = knows_nothing else {
        let figures = json!({ "loss": crate::console::number(loss) });
        return Finding::new(Level::Ok, "start", format!("the loss of the initial weights is {loss:.4}"), figures);
    };
    let figures = json!({ "loss": crate::console::number(loss), "expected": expected });
    let near = (loss - expected).abs() <= 0.5 * expected;
    let mut text =
        format!("the loss of the initial weights is {loss:.3}; one that knows nothing has {name} = {expected:.3}");
    if !near {
        text += ": initial weights or inputs may be too large";
    }
    Finding::new(if near { Level::Ok } else { Level::Note }, "start", text, figures)
}

/// Tries a few steps, and reckons what an epoch and the run take.
fn time(recipe: &Recipe, model: &Model, materials: &Materials, pass: f64) -> Result<Finding> {
    let train = &materials.train;
    let mut seen: Vec<(u64, Instant)> = vec![];
    let watch = |event: Event, context: &mut Context<'_>| {
        if event == Event::Steps {
            seen.push((context.step(), Instant::now()));
        }
        Ok(Flow::Continue)
    };
    let mut plain = recipe.clone();
    plain.train.stop.clear();
    let mut trainer = session::trainer(&plain, model, train).keep(gradus_train::Keep::Last).callback(watch);
    let tried = trainer.fit(train, None, Minutes(TRIAL));
    drop(trainer);
    let outcome = match tried {
        Ok(outcome) => outcome,
        Err(error @ (TrainError::Diverged { .. } | TrainError::Gradient { .. })) => {
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default().to_string();
            return Ok(Finding::new(Level::Failed, "time", text, json!({})));
        }
        Err(error) => return Err(error.into()),
    };
    let rate = match (&seen[..], seen.last()) {
        ([first, _, ..], Some(last)) => (last.0 - first.0) as f64 / (last.1 - first.1).as_secs_f64(),
        _ => outcome.steps as f64 / outcome.seconds,
    };
    let per_epoch = train.len().div_ceil(recipe.train.batch_size) as f64;
    let looked_at = materials.valid.as_ref().map_or(0, Dataset::len) as f64;
    let epoch = per_epoch / rate + looked_at * pass / recipe.train.validate_every;
    let (epochs, whole) = (recipe.train.epochs, epoch * recipe.train.epochs as f64);
    let text = format!(
        "{} an epoch ({rate:.0} steps/s), {} for all {epochs} epochs{}",
        duration(epoch),
        duration(whole),
        if recipe.train.stop.is_empty() { "" } else { " if nothing stops it before" }
    );
    let figures = json!({ "steps_per_second": rate, "epoch_seconds": epoch, "run_seconds": whole });
    Ok(Finding::new(Level::Ok, "time", text, figures))
}

/// `1.5 MiB`
fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
