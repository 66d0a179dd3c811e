//! The linear map behind min-max, z-score, robust and mean-absolute scaling: `y = (x - center)·factor + offset`, one set of numbers per feature, per channel
//! or for all.

use super::numbers;
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// What a transform works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// The inputs.
    #[default]
    Inputs,
    /// The real-valued target; predictions are scaled back.
    Target,
}

/// Which numbers share a fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Every feature has its own: the default for tables, samples of rank 1.
    Feature,
    /// Every channel has its own: the first axis of samples `[C, H, W]`, every feature of a table, and the one channel of
    /// grey pictures `[H, W]`.
    Channel,
    /// One for all, the whole array: the default for pictures, samples of rank 2 and more.
    #[serde(alias = "whole")]
    All,
}

/// A fitted linear map. A constant feature has the factor 0, so it maps to 0 and back to itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What it works on.
    pub on: On,
    /// How many neighbouring numbers of a sample share one fit: 1 per feature, H·W per channel, all of them for all.
    pub span: usize,
    /// Subtracted first; one number per fit.
    pub center: Vec<f64>,
    /// Multiplied then.
    pub factor: Vec<f64>,
    /// Added last.
    pub offset: f64,
}

impl Scale {
    /// Fits one (center, factor) per group of numbers: `fit` gets each group's values through a callback.
    pub(super) fn fit(
        data: &Dataset,
        on: On,
        per: Option<Per>,
        offset: f64,
        fit: impl Fn(&mut dyn Iterator<Item = f64>, &mut dyn Iterator<Item = f64>) -> (f64, f64),
    ) -> Result<Scale, DataError> {
        let (values, shape) = numbers(data, on)?;
        let width: usize = shape.iter().product();
        if values.is_empty() {
            return Err(DataError::unfit(
                "a transform has no data to be fitted to",
                "give a training set with samples",
            ));
        }
        let per = per.unwrap_or(if shape.len() <= 1 { Per::Feature } else { Per::All });
        let span = match (per, shape.len()) {
            (Per::Feature, _) | (Per::Channel, 1) => 1,
            (Per::All, _) | (Per::Channel, 0 | 2) => width,
            (Per::Channel, _) => width / shape[0],
        };
        let group =
            |at: usize| values.chunks_exact(width).flat_map(move |row| &row[at..at + span]).map(|&x| f64::from(x));
        let mut scale = Scale { on, span, center: Vec::new(), factor: Vec::new(), offset };
        for at in (0..width).step_by(span) {
            let (center, factor) = fit(&mut group(at), &mut group(at));
            if !center.is_finite() || !factor.is_finite() {
                let place = group(at).position(|x| !x.is_finite()).map_or(0, |found| found / span);
                return Err(DataError::unfit(
                    format!(
                        "a transform cannot be fitted: feature {at} of sample {place} or near it is not a finite number"
                    ),
                    "remove or fill such values first",
                ));
            }
            scale.center.push(center);
            scale.factor.push(factor);
        }
        Ok(scale)
    }

    /// Transforms data in place. A target scaling leaves data without a target as they are.
    pub(super) fn apply(&self, mut data: Dataset) -> Result<Dataset, DataError> {
        let tensor = match (self.on, &mut data.target) {
            (On::Inputs, _) => &mut data.inputs,
            (On::Target, Target::Values { values, .. }) => values,
            (On::Target, Target::None) => return Ok(data),
            (On::Target, Target::Classes { .. }) => return Err(self.misfit("class labels".to_string())),
        };
        let width = tensor.row_len();
        self.check(width)?;
        self.map(tensor.f32_mut().unwrap_or_default(), width, |x, center, factor| {
            if factor == 0.0 { 0.0 } else { (x - center) * factor + self.offset }
        });
        Ok(data)
    }

    /// Undoes the map on `values`, row after row of `width` numbers.
    pub(super) fn invert(&self, values: &mut [f32], width: usize) -> Result<(), DataError> {
        self.check(width)?;
        self.map(
            values,
            width,
            |y, center, factor| {
                if factor == 0.0 { center } else { (y - self.offset) / factor + center }
            },
        );
        Ok(())
    }

    /// The factor of number `k` of a row.
    pub(super) fn factor(&self, k: usize) -> f64 {
        self.factor.get(k / self.span.max(1)).copied().unwrap_or(1.0)
    }

    fn map(&self, values: &mut [f32], width: usize, f: impl Fn(f64, f64, f64) -> f64) {
        for row in values.chunks_exact_mut(width) {
            for ((piece, &center), &factor) in row.chunks_exact_mut(self.span).zip(&self.center).zip(&self.factor) {
                for x in piece {
                    *x = f(f64::from(*x), center, factor) as f32;
                }
            }
        }
    }

    fn check(&self, width: usize) -> Result<(), DataError> {
        let fits = self.span > 0
            && width > 0
            && self.center.len() == self.factor.len()
            && self.span.checked_mul(self.center.len()) == Some(width);
        if fits { Ok(()) } else { Err(self.misfit(format!("{width} a sample"))) }
    }

    fn misfit(&self, received: String) -> DataError {
        let part = match self.on {
            On::Inputs => "features",
            On::Target => "target values",
        };
        DataError::Mismatch {
            expected: format!(
                "{} {part} a sample, as the transform was fitted to,",
                self.span.saturating_mul(self.center.len())
            ),
            received,
            help: "give data like those the model was trained on".to_string(),
        }
    }
}
