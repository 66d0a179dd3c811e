//! Settings out of range, found before any data are read.

use super::document::Document;
use super::error::RecipeError;
use super::{Part, Recipe};
use crate::layers::{places, too_many};
use gradus_data::{Augment, DataError, Source};
use gradus_nn::{Layer as _, Loss as _, Optimizer as _, Schedule as _, regularizers::Regularizer as _};
use gradus_train::{Every, Retrain, TrainError};

/// Checks everything that can be checked without data.
pub(super) fn check(recipe: &Recipe, document: &Document) -> Result<(), RecipeError> {
    let at = |path: &str, problem: String, label: &str, help: &str| {
        Err(RecipeError::at_path(document, path, problem, label, help))
    };
    let model = &recipe.model;
    if model.onnx.is_none() {
        if model.layers.is_empty() {
            let help = "name the layers in order: layers = [ { dense = { units = 10 } } ]";
            return at("model.layers", "the network has no layers".into(), "at least one is needed", help);
        }
        let (bind, freeze) = (!model.bind.is_empty(), !model.freeze.is_empty());
        let given =
            [("input", model.input.is_some()), ("output", model.output.is_some()), ("bind", bind), ("freeze", freeze)];
        if let Some((key, _)) = given.iter().find(|(_, given)| *given) {
            let problem = format!("`model.{key}` is about a network from a file, but there is no `model.onnx`");
            let help = match *key {
                "freeze" => {
                    "name the file, onnx = \"FILE\"; layers of the recipe are frozen by train.groups = [{ pattern = \"dense/*\", frozen = true }]"
                }
                _ => "name the file, onnx = \"FILE\", or leave this out",
            };
            return at(&format!("model.{key}"), problem, "of which network?", help);
        }
    }
    if let Some((path, error)) = too_many(&recipe.model.layers, "model.layers") {
        return Err(RecipeError::setting(document, &path, &error));
    }
    let mut layers = vec![];
    let places = places(&recipe.model);
    places.iter().for_each(|place| place.inside_out(&mut layers));
    for place in layers.iter().filter(|place| !place.setting.is_empty()) {
        let path = format!("{}.{}", place.setting, place.key());
        place.layer.check().map_err(|error| RecipeError::setting(document, &path, &error))?;
    }
    for (key, part) in [("valid", &recipe.data.valid), ("test", &recipe.data.test)] {
        if let Some(Part::Held(held)) = part {
            if held.fraction.is_some_and(|fraction| !(fraction > 0.0 && fraction < 1.0)) {
                let fraction = held.fraction.unwrap_or_default();
                let problem = format!("`data.{key}.fraction` is {fraction}, but must be above 0 and below 1");
                let help = "0.1 holds out every tenth sample";
                return at(&format!("data.{key}.fraction"), problem, "expected above 0 and below 1", help);
            }
            if held.count == Some(0) {
                let problem = format!("`data.{key}.count` is 0, but must be at least 1");
                return at(
                    &format!("data.{key}.count"),
                    problem,
                    "expected at least 1",
                    "leave the part out to do without it",
                );
            }
            if let (Some(fold), Some(of)) = (held.fold, held.of) {
                if of < 2 {
                    let problem = format!("`data.{key}.of` is {of}, but must be at least 2");
                    let help = "it is the number of folds: { fold = 2, of = 5 }";
                    return at(&format!("data.{key}.of"), problem, "expected at least 2", help);
                }
                if !(1..=of).contains(&fold) {
                    let problem = format!("`data.{key}.fold` is {fold}, but must be from 1 to {of}");
                    let help = "it says which of the folds is held out, counted from 1";
                    return at(&format!("data.{key}.fold"), problem, &format!("expected 1 to {of}"), help);
                }
            }
        }
    }
    let augment = |place: &str, steps: &[Augment]| -> Result<(), RecipeError> {
        for (i, step) in steps.iter().enumerate() {
            if let Err(DataError::Option { option, received, expected }) = step.member().check(None) {
                let path = format!("{place}.{i}.{option}");
                let problem = format!("`{path}` is {received}");
                return at(&path, problem, &expected, "correct the setting, or leave this augmentation out");
            }
        }
        Ok(())
    };
    augment("data.augment", &recipe.data.augment)?;
    let mut sources = vec![("train", &recipe.data.train)];
    for (key, part) in [("valid", &recipe.data.valid), ("test", &recipe.data.test)] {
        if let Some(Part::Source(source)) = part {
            sources.push((key, source));
        }
    }
    for (key, mut source) in sources {
        let mut path = format!("data.{key}");
        loop {
            source = match source {
                Source::Take(take) => {
                    path.push_str(".take");
                    if take.rows == 0 {
                        let problem = format!("`{path}.rows` is 0, but must be at least 1");
                        let help = "give the source alone, without `take`, to use every row";
                        return at(&format!("{path}.rows"), problem, "expected at least 1", help);
                    }
                    &take.from
                }
                Source::Augmented(augmented) => {
                    path.push_str(".augmented");
                    augment(&format!("{path}.by"), &augmented.by)?;
                    &augmented.from
                }
                _ => break,
            };
            path.push_str(".from");
        }
        if let Source::Text(text) = source
            && let Err(DataError::Option { option, received, expected }) = text.options().check()
        {
            let path = format!("{path}.{option}");
            let problem = format!("`{path}` is {received}");
            return at(&path, problem, &expected, "correct the setting");
        }
    }
    let train = &recipe.train;
    for (key, value) in [("epochs", train.epochs), ("batch_size", train.batch_size as u64)] {
        if value == 0 {
            let problem = format!("`train.{key}` is 0, but must be at least 1");
            return at(&format!("train.{key}"), problem, "expected at least 1", "give a whole number of at least 1");
        }
    }
    if !(train.validate_every > 0.0 && train.validate_every.is_finite()) {
        let problem = format!("`train.validate_every` is {}, but must be above 0", train.validate_every);
        let help = "it counts epochs: 1 looks at the end of each, 0.1 ten times in each";
        return at("train.validate_every", problem, "expected above 0", help);
    }
    let every = match train.checkpoint {
        Every::Steps(steps) => ("steps", steps as f64),
        Every::Epochs(epochs) => ("epochs", epochs),
        Every::Minutes(minutes) => ("minutes", minutes),
    };
    if !(every.1 > 0.0 && every.1.is_finite()) {
        let problem = format!("`train.checkpoint.{}` is {}, but must be above 0", every.0, every.1);
        return at(
            &format!("train.checkpoint.{}", every.0),
            problem,
            "expected above 0",
            "{ minutes = 1 } saves every minute",
        );
    }
    for (i, stop) in train.stop.iter().enumerate() {
        if let Err(error) = stop.check() {
            let path = format!("train.stop.{i}.{}", stop.key());
            return match error {
                TrainError::Option { option, received, expected } => {
                    let problem = format!("`{path}.{option}` is {received}, but must be {expected}");
                    at(&format!("{path}.{option}"), problem, &format!("expected {expected}"), "correct the setting")
                }
                other => at(&path, other.to_string(), "here", "correct the setting"),
            };
        }
    }
    if let Err(TrainError::Option { option, received, expected }) = train.retrain.check() {
        let path = format!("train.retrain.{}.{option}", train.retrain.key());
        let problem = format!("`{path}` is {received}, but must be {expected}");
        return at(&path, problem, &format!("expected {expected}"), "correct the setting");
    }
    if train.retrain != Retrain::None && recipe.data.valid.is_none() {
        let problem = format!("`train.retrain` is `{}`, but there are no validation data", train.retrain.key());
        let help = "hold some out, as in valid = { fraction = 0.1 }, or leave `retrain` out";
        return at("train.retrain", problem, "what would it train on again?", help);
    }
    if let Err((key, value, expected)) = recipe.verdict.check() {
        let problem = format!("`verdict.{key}` is {value}, but must be {expected}");
        return at(&format!("verdict.{key}"), problem, &format!("expected {expected}"), "correct the threshold");
    }
    let setting =
        |family: &str, key: &str, error: &_| RecipeError::setting(document, &format!("train.{family}.{key}"), error);
    train.loss.check().map_err(|error| setting("loss", train.loss.key(), &error))?;
    train.optimizer.check().map_err(|error| setting("optimizer", train.optimizer.key(), &error))?;
    if let Some(regularizer) = &train.regularizer {
        regularizer.check().map_err(|error| setting("regularizer", regularizer.key(), &error))?;
    }
    if let Some(clip) = &train.clip {
        clip.check().map_err(|error| setting("clip", clip.key(), &error))?;
    }
    train.schedule.check().map_err(|error| setting("schedule", train.schedule.key(), &error))?;
    for (i, group) in train.groups.iter().enumerate() {
        let place = format!("train.groups.{i}");
        group.check().map_err(|error| RecipeError::setting(document, &place, &error))?;
    }
    for (i, tying) in train.tying.iter().enumerate() {
        tying.check().map_err(|error| RecipeError::setting(document, &format!("train.tying.{i}"), &error))?;
    }
    if train.max_norm.is_some_and(|limit| !(limit > 0.0 && limit.is_finite())) {
        let problem = format!("`train.max_norm` is {}, but must be above 0", train.max_norm.unwrap_or_default());
        return at("train.max_norm", problem, "expected above 0", "3 or 4 suit layers with dropout");
    }
    Ok(())
}
