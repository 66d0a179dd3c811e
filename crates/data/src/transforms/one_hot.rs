//! One-hot labels: class `k` of K becomes a row of K numbers, 1 at `k` and 0 elsewhere, for losses on real values.

use super::FittedTransform;
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Makes class labels into rows of 0 and 1.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHot {}

impl OneHot {
    pub(super) fn fit(&self, train: &Dataset) -> Result<FittedTransform, DataError> {
        match train.classes() {
            Some(classes) => Ok(FittedTransform::OneHot { classes: classes.to_vec() }),
            None => Err(DataError::unfit(
                "one_hot needs class labels, but the target is something else",
                "leave it out, or say task = \"classes\" where the data are read",
            )),
        }
    }
}

/// Data without a target stay as they are.
pub(super) fn apply(classes: &[String], data: Dataset) -> Result<Dataset, DataError> {
    let target = match &data.target {
        Target::None => Target::None,
        Target::Classes { labels, classes: found } if found == classes => {
            let mut values = vec![0f32; labels.len() * classes.len()];
            for (row, &label) in values.chunks_exact_mut(classes.len().max(1)).zip(labels) {
                row[label as usize] = 1.0;
            }
            let values = Tensor::new([labels.len(), classes.len()], values)?;
            Target::Values { values, names: classes.to_vec() }
        }
        _ => {
            return Err(DataError::Mismatch {
                expected: format!("labels of the classes {}", crate::error::list(classes)),
                received: "another target".to_string(),
                help: "read the data with the classes of the training data".to_string(),
            });
        }
    };
    Ok(Dataset { target, ..data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Transform};

    #[test]
    fn rows_of_labels() {
        let x = Tensor::new([3, 1], vec![0.0f32; 3]).unwrap();
        let data = Dataset::new(x, Target::from_labels(&["b", "a", "c"], None).unwrap()).unwrap();
        let (_, data) = Pipeline { steps: vec![Transform::OneHot(OneHot {})] }.fit_apply(data).unwrap();
        let Target::Values { values, names } = data.target() else { panic!("values") };
        assert_eq!(values.to_f32(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(names, &["a", "b", "c"]);
    }
}
