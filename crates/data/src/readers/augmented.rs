//! Another source, its pictures changed at random once and for all: to test with what the world may do to them.
//!
//! ```toml
//! test = { augmented = { by = [ { zoom = { low = 0.5, high = 1.5 } } ], from = { embedded = "digits" } } }
//! ```

use super::Source;
use crate::augment::{Augment, Augmenter, check};
use crate::dataset::Dataset;
use crate::error::DataError;
use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

/// The pictures of another source, each changed as `by` says, one step after the other. A picture's change depends on `seed` and on its
/// row there alone: every reading gives the same data, for every seed of the recipe. Changes come before the transforms, so that numbers
/// such as a fill are those of the file.
///
/// ```
/// use gradus_data::{Locator, Source};
/// let text = r#"{ "augmented": { "by": [{ "shift": { "pixels": 2 } }], "seed": 3, "from": { "embedded": "digits" } } }"#;
/// let moved: Source = serde_json::from_str(text).unwrap();
/// let (first, again) = (moved.read(&Locator::default())?, moved.read(&Locator::default())?);
/// assert_eq!(first.input_values(), again.input_values());
/// let digits = moved.origin().read(&Locator::default())?;
/// assert_ne!(first.input_values(), digits.input_values());
/// assert_eq!(first.labels(), digits.labels());
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmented {
    /// What is done to each picture.
    #[serde(deserialize_with = "crate::augment::list")]
    pub by: Vec<Augment>,
    /// What the changes are drawn from.
    #[serde(default)]
    pub seed: u64,
    /// The source of the pictures.
    pub from: Source,
}

impl Augmented {
    pub(super) fn of(&self, mut data: Dataset) -> Result<Dataset, DataError> {
        check(&self.by, data.feature_shape())?;
        let (shape, width) = (data.feature_shape().to_vec(), data.feature_len());
        let Some(mut augmenter) = Augmenter::new(&self.by, &shape, self.seed) else { return Ok(data) };
        let mut changed = vec![0.0; data.input_values().len()];
        let rows = data.input_values().chunks_exact(width).zip(changed.chunks_exact_mut(width));
        for (row, (x, y)) in (0..).zip(rows) {
            augmenter.apply(0, row, x, y);
        }
        data.inputs = Tensor::new(data.inputs.shape().to_vec(), changed)?;
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locator;
    use crate::augment::Shift;
    use crate::readers::{Embedded, Take};

    fn moved(seed: u64, from: Source) -> Source {
        Source::Augmented(Box::new(Augmented { by: vec![Augment::Shift(Shift::new(3))], seed, from }))
    }

    #[test]
    fn pictures_change_by_seed_and_row() {
        let locator = Locator::default();
        let digits = Source::Embedded(Embedded::Digits);
        let read = |source: &Source| source.read(&locator).unwrap();
        let (plain, one, two) = (read(&digits), read(&moved(1, digits.clone())), read(&moved(2, digits.clone())));
        let changed = |a: &Dataset, b: &Dataset| (0..100).filter(|&i| a.input_row(i) != b.input_row(i)).count();
        assert!(changed(&plain, &one) > 80 && changed(&one, &two) > 80);
        assert_eq!((one.labels(), one.feature_shape()), (plain.labels(), plain.feature_shape()));
        let first = read(&Source::Take(Box::new(Take::first(10, moved(1, digits.clone())))));
        assert_eq!(first.input_values(), &one.input_values()[..first.input_values().len()]);
        let schema = plain.schema();
        let inputs = moved(1, digits).read_inputs(&locator, &schema).unwrap();
        assert_eq!((inputs.input_values(), inputs.labels()), (one.input_values(), None));
    }

    #[test]
    fn tables_have_no_pictures() {
        let error = moved(1, Source::Embedded(Embedded::Iris)).read(&Locator::default()).unwrap_err().to_string();
        assert!(error.contains("pictures to augment"), "{error}");
    }
}
