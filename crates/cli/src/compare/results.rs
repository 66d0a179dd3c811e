//! `results.json`: everything that the report says, for machines.

use crate::console::number;
use crate::report::comparison::{Compared, Comparison, RunRow};
use serde_json::{Map, Value, json};

/// The comparison as JSON; what is not finite is null.
pub fn json(comparison: &Comparison) -> Value {
    let recipes: Vec<Value> = comparison.recipes.iter().map(|recipe| compared(comparison, recipe)).collect();
    let pairs = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, text)| (name.clone(), text.clone().into())).collect::<Map<_, _>>()
    };
    json!({
        "title": comparison.title, "metric": comparison.metric, "part": comparison.part,
        "better": if comparison.direction() == gradus_metrics::Direction::Higher { "higher" } else { "lower" },
        "seeds": comparison.seeds, "confidence": comparison.confidence, "first": comparison.recipes.first().map(|r| &r.name),
        "best": comparison.best().map(|recipe| &recipe.name), "notes": comparison.notes,
        "method": pairs(&comparison.method), "environment": pairs(&comparison.environment), "recipes": recipes,
    })
}

fn compared(comparison: &Comparison, recipe: &Compared) -> Value {
    let scores = comparison.metrics.iter().zip(&recipe.scores).map(|(name, &(mean, deviation))| {
        (name.clone(), json!({ "mean": number(mean), "deviation": number(deviation) }))
    });
    let versus = recipe.versus.as_ref().map(|versus| {
        json!({
            "pairs": versus.pairs, "mean": number(versus.mean), "low": number(versus.interval[0]),
            "high": number(versus.interval[1]), "t": number(versus.t), "p": number(versus.p),
            "p_adjusted": number(versus.adjusted), "verdict": versus.verdict(comparison.direction()),
        })
    });
    let weights = recipe.weights.as_ref().map(|weights| {
        let layers = weights.layers.iter().map(
            |(path, weights, l1, l2)| json!({ "path": path, "weights": weights, "l1": number(*l1), "l2": number(*l2) }),
        );
        let [hundredth, fourth, fifth] = weights.below.map(number);
        json!({
            "weights": weights.weights, "absolute": number(weights.absolute),
            "below": { "1e-2": hundredth, "1e-4": fourth, "1e-5": fifth }, "layers": layers.collect::<Vec<_>>(),
        })
    });
    let runs: Vec<Value> = recipe.runs.iter().map(|row| run(comparison, row)).collect();
    let differs = recipe.differs.iter().map(|[key, first, own]| json!({ "key": key, "first": first, "own": own }));
    json!({
        "name": recipe.name, "differs": differs.collect::<Vec<_>>(), "scores": scores.collect::<Map<_, _>>(),
        "versus_first": versus, "weights": weights, "runs": runs,
    })
}

/// One run.
pub fn run(comparison: &Comparison, row: &RunRow) -> Value {
    let scores = comparison.metrics.iter().zip(&row.scores).map(|(name, &value)| (name.clone(), number(value)));
    let done = !row.scores.is_empty();
    let mut value =
        json!({ "seed": row.seed, "done": done, "diverged": row.diverged, "ended": row.ended, "folder": row.folder });
    if let (true, Some(object)) = (done, value.as_object_mut()) {
        object.insert("scores".into(), scores.collect::<Map<_, _>>().into());
        object.insert("epochs".into(), number(row.spent.0));
        object.insert("best_epoch".into(), row.best_epoch.map_or(Value::Null, number));
        object.insert("steps".into(), row.spent.1.into());
        object.insert("seconds".into(), number(row.spent.2));
    }
    value
}
