//! Whether the net can learn a handful of samples by heart, with everything off that is there to keep it from that.

use super::{Finding, Level};
use crate::failure::{Failure, Result};
use crate::materials::Materials;
use crate::recipe::{Document, Recipe, render};
use crate::{network, session};
use gradus_nn::optimizers::Adam;
use gradus_train::OverfitOptions;
use toml::Value;

/// The learning rate of the optimiser that is tried where the recipe's does not do.
const ADAM: f64 = 0.01;

/// Trains on a few samples until they are learnt, or it is clear that they are not.
///
/// # Errors
/// A net that cannot be built.
pub fn overfit(recipe: &Recipe, materials: &Materials, options: OverfitOptions) -> Result<Finding> {
    let (plain, document) = without_regularization(recipe)?;
    let model = network::build(&plain, &document, materials)?.model;
    let trainer = session::trainer(&plain, &model, &materials.train);
    let check = trainer.overfit(&materials.train, options)?;
    let figures = serde_json::to_value(&check).unwrap_or_default();
    let (samples, share) = (check.samples, 100.0 * options.share);
    if let Some(error) = &check.error {
        let text = format!("{samples} samples cannot be learnt: {error}; lower the learning rate");
        return Ok(Finding::new(Level::Failed, "overfit", text, figures));
    }
    let course = format!("loss {:.4} to {:.4} in {} steps", check.start, check.lowest, check.steps);
    let of =
        if check.bound < 0.999 * options.share * check.start { "what their mean alone gives" } else { "its start" };
    let bound = format!("{:.4}, {share}% of {of}", check.bound);
    if check.passed {
        let text = format!("{samples} samples are learnt by heart: {course}, under {bound}");
        return Ok(Finding::new(Level::Ok, "overfit", text, figures));
    }
    // Is it the net, or how it is trained?
    let adam = Adam { lr: ADAM, ..Adam::default() };
    let again =
        session::trainer(&plain, &model, &materials.train).optimizer(adam).overfit(&materials.train, options)?;
    let reached = format!("Adam at {ADAM} comes to {:.4} in {} steps", again.lowest, again.steps);
    let reference = check.bound / options.share;
    let course = format!("{course}, not under {bound}");
    let (level, text) = match (again.passed, check.lowest < 0.5 * reference) {
        (true, true) => (
            Level::Warning,
            format!(
                "{samples} samples are learnt slowly: {course}; {reached}: another optimiser or learning rate is faster"
            ),
        ),
        (true, false) => (
            Level::Failed,
            format!(
                "{samples} samples are not learnt by heart: {course}; {reached}: try another optimiser or learning rate"
            ),
        ),
        (false, slow) => (
            if slow { Level::Warning } else { Level::Failed },
            format!(
                "{samples} samples are not learnt by heart: {course}; {reached}: try a larger net, another initialisation or scaling \
                 of the inputs, and look whether the targets belong to the inputs"
            ),
        ),
    };
    Ok(Finding::new(level, "overfit", text, figures))
}

/// The recipe without dropout, noise, penalties, weight decay, smoothed labels, stops and schedule.
fn without_regularization(recipe: &Recipe) -> Result<(Recipe, Document)> {
    let mut plain = recipe.clone();
    plain.model.layers = plain.model.layers.iter().filter_map(without_dropout).collect();
    if plain.model.layers.is_empty() {
        plain.model.layers.clone_from(&recipe.model.layers);
    }
    let train = &mut plain.train;
    (train.regularizer, train.max_norm) = (None, None);
    train.tying.clear();
    train.groups.clear();
    train.stop.clear();
    (train.schedule, train.retrain) = (Default::default(), Default::default());
    if let Some(optimizer) = zeroed(&train.optimizer, &["weight_decay"]) {
        train.optimizer = optimizer;
    }
    if let Some(loss) = zeroed(&train.loss, &["label_smoothing"]) {
        train.loss = loss;
    }
    let document = Document::new("the recipe without regularisation", &render(&plain), &[]);
    let again = Recipe::of(&document, &plain.name).map_err(Failure::from)?;
    Ok((again, document))
}

/// A layer with every dropout rate in it 0; nothing if it is there for regularisation alone.
fn without_dropout(layer: &gradus_nn::AnyLayer) -> Option<gradus_nn::AnyLayer> {
    let key = layer.key();
    let alone = key == "dropout" || key == "activity_penalty";
    if alone {
        return None;
    }
    Some(zeroed(layer, &["rate"]).unwrap_or_else(|| layer.clone()))
}

/// The same settings with these numbers 0, at any depth; nothing if that is not allowed.
fn zeroed<T: serde::Serialize + serde::de::DeserializeOwned>(settings: &T, keys: &[&str]) -> Option<T> {
    fn walk(value: &mut Value, keys: &[&str]) {
        match value {
            Value::Table(table) => table.iter_mut().for_each(|(key, value)| match value {
                Value::Float(x) if keys.contains(&key.as_str()) => *x = 0.0,
                Value::Integer(x) if keys.contains(&key.as_str()) => *x = 0,
                value => walk(value, keys),
            }),
            Value::Array(list) => list.iter_mut().for_each(|value| walk(value, keys)),
            _ => {}
        }
    }
    let mut value = Value::try_from(settings).ok()?;
    walk(&mut value, keys);
    value.try_into().ok()
}
