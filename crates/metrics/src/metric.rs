//! The metrics by name, as recipes, histories and reports call them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::MetricError;

/// Which way a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better, as of an accuracy.
    Higher,
    /// Less is better, as of a loss.
    Lower,
}

impl Direction {
    /// Whether `new` is better than `old`. NaN is never better; any number is better than NaN.
    pub fn is_better(self, new: f64, old: f64) -> bool {
        match self {
            _ if new.is_nan() => false,
            _ if old.is_nan() => true,
            Self::Higher => new > old,
            Self::Lower => new < old,
        }
    }
}

/// A metric that can be asked for by name.
///
/// In a recipe: `metrics = ["accuracy", { top_k = { k = 5 } }]`. `precision`, `recall` and `f1` are those of class 1
/// where there are two classes and plain means over classes where there are more; `…_macro` and `…_weighted` say it
/// outright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Metric {
    /// Share of rows predicted right.
    Accuracy,
    /// Mean recall over classes.
    BalancedAccuracy,
    /// Share of rows whose class is among the `k` best-scored.
    TopK {
        /// How many guesses each row has.
        #[serde(default = "five")]
        k: usize,
    },
    /// `-mean ln p(true class)`, in nats.
    LogLoss,
    /// Area under the ROC curve; with more than two classes the mean of each against the rest.
    Auc,
    /// Precision.
    Precision,
    /// Precision, plain mean over classes.
    PrecisionMacro,
    /// Precision, mean weighted by the rows of each class.
    PrecisionWeighted,
    /// Recall.
    Recall,
    /// Recall, plain mean over classes.
    RecallMacro,
    /// Recall, mean weighted by the rows of each class.
    RecallWeighted,
    /// Harmonic mean of precision and recall.
    F1,
    /// F1, plain mean over classes.
    F1Macro,
    /// F1, mean weighted by the rows of each class.
    F1Weighted,
    /// Cohen's kappa: agreement beyond chance.
    Kappa,
    /// Matthews correlation coefficient.
    Matthews,
    /// Mean squared error.
    Mse,
    /// Root of the mean squared error.
    Rmse,
    /// Mean absolute error.
    Mae,
    /// Coefficient of determination.
    R2,
    /// Largest absolute error.
    MaxError,
    /// Mean absolute error as a share of the true value.
    Mape,
}

fn five() -> usize {
    5
}

/// One line per metric: name, title, direction, shown as a percentage.
const TABLE: [(Metric, &str, &str, Direction, bool); 22] = {
    use Direction::{Higher, Lower};
    [
        (Metric::Accuracy, "accuracy", "Accuracy", Higher, true),
        (Metric::BalancedAccuracy, "balanced_accuracy", "Balanced accuracy", Higher, true),
        (Metric::TopK { k: 5 }, "top_k", "Top-k accuracy", Higher, true),
        (Metric::LogLoss, "log_loss", "Log loss", Lower, false),
        (Metric::Auc, "auc", "AUC", Higher, false),
        (Metric::Precision, "precision", "Precision", Higher, true),
        (Metric::PrecisionMacro, "precision_macro", "Precision (macro)", Higher, true),
        (Metric::PrecisionWeighted, "precision_weighted", "Precision (weighted)", Higher, true),
        (Metric::Recall, "recall", "Recall", Higher, true),
        (Metric::RecallMacro, "recall_macro", "Recall (macro)", Higher, true),
        (Metric::RecallWeighted, "recall_weighted", "Recall (weighted)", Higher, true),
        (Metric::F1, "f1", "F1", Higher, true),
        (Metric::F1Macro, "f1_macro", "F1 (macro)", Higher, true),
        (Metric::F1Weighted, "f1_weighted", "F1 (weighted)", Higher, true),
        (Metric::Kappa, "kappa", "Cohen’s kappa", Higher, false),
        (Metric::Matthews, "matthews", "Matthews correlation", Higher, false),
        (Metric::Mse, "mse", "MSE", Lower, false),
        (Metric::Rmse, "rmse", "RMSE", Lower, false),
        (Metric::Mae, "mae", "MAE", Lower, false),
        (Metric::R2, "r2", "R²", Higher, false),
        (Metric::MaxError, "max_error", "Largest error", Lower, false),
        (Metric::Mape, "mape", "MAPE", Lower, true),
    ]
};

impl Metric {
    /// Every metric, parameters at their defaults.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|line| line.0)
    }

    /// The name in recipes and histories: `accuracy`, `mse`, … (`top_k` for any k; [`fmt::Display`] writes `top_5`).
    pub fn name(self) -> &'static str {
        self.line().1
    }

    /// The name for people: `Accuracy`, `R²`, …
    pub fn title(self) -> String {
        match self {
            Self::TopK { k } => format!("Top-{k} accuracy"),
            _ => self.line().2.to_owned(),
        }
    }

    /// Which way it improves.
    pub fn direction(self) -> Direction {
        self.line().3
    }

    /// Whether people read it as a percentage.
    pub fn is_share(self) -> bool {
        self.line().4
    }

    /// Whether it needs classes (and not real values).
    pub fn is_classification(self) -> bool {
        !matches!(self, Self::Mse | Self::Rmse | Self::Mae | Self::R2 | Self::MaxError | Self::Mape)
    }

    /// The table's line of this kind of metric; every variant has one (a test holds it).
    fn line(self) -> &'static (Self, &'static str, &'static str, Direction, bool) {
        let kind = std::mem::discriminant(&self);
        TABLE.iter().find(|line| std::mem::discriminant(&line.0) == kind).unwrap_or(&TABLE[0])
    }
}

impl fmt::Display for Metric {
    /// The key in histories and tables: the name, with its parameter (`top_5`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TopK { k } => f.pad(&format!("top_{k}")),
            _ => f.pad(self.name()),
        }
    }
}

impl FromStr for Metric {
    type Err = MetricError;

    /// By name; `top_3` is the accuracy among the three best.
    fn from_str(name: &str) -> Result<Self, MetricError> {
        if let Some(metric) = Self::all().find(|metric| metric.name() == name) {
            return Ok(metric);
        }
        if let Some(k) = name.strip_prefix("top_").and_then(|k| k.parse().ok()).filter(|&k| k > 0) {
            return Ok(Self::TopK { k });
        }
        let nearest = Self::all()
            .map(|metric| (distance(name, metric.name()), metric.name()))
            .min()
            .filter(|(distance, near)| *distance <= near.len() / 3 + 1)
            .map(|(_, near)| near.to_owned());
        Err(MetricError::UnknownName { name: name.to_owned(), nearest, choices: list(Self::all()) })
    }
}

/// The names, comma-separated.
pub(crate) fn list(metrics: impl Iterator<Item = Metric>) -> String {
    metrics.map(Metric::name).collect::<Vec<_>>().join(", ")
}

/// Levenshtein distance of two short names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_equals_its_recipe_form() {
        for metric in Metric::all() {
            assert_eq!(metric.name().parse(), Ok(metric));
            assert_eq!(metric.line().0, metric);
            let json = serde_json::to_string(&metric).unwrap();
            let key = format!("\"{}\"", metric.name());
            assert!(json.contains(&key), "{json} lacks {key}");
            assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric);
        }
        assert_eq!(serde_json::from_str::<Metric>(r#"{"top_k":{}}"#).unwrap(), Metric::TopK { k: 5 });
        assert!(serde_json::from_str::<Metric>(r#"{"top_k":{"n":3}}"#).is_err());
        assert_eq!("top_3".parse(), Ok(Metric::TopK { k: 3 }));
        assert_eq!(Metric::TopK { k: 3 }.to_string(), "top_3");
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest() {
        let error = "acuracy".parse::<Metric>().unwrap_err().to_string();
        assert!(
            error.starts_with("`acuracy` is not a metric: did you mean `accuracy`?; choose from: accuracy"),
            "{error}"
        );
        let error = "zzzzzzzzzz".parse::<Metric>().unwrap_err().to_string();
        assert!(error.starts_with("`zzzzzzzzzz` is not a metric; choose from"), "{error}");
    }

    #[test]
    fn nan_never_wins() {
        assert!(Direction::Lower.is_better(1.0, f64::NAN));
        assert!(!Direction::Lower.is_better(f64::NAN, 1.0));
        assert!(!Direction::Higher.is_better(f64::NAN, f64::NAN));
        assert!(Direction::Higher.is_better(1.0, 0.5) && Direction::Lower.is_better(0.5, 1.0));
        assert!(!Direction::Higher.is_better(1.0, 1.0));
    }
}
