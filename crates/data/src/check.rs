//! Checks before training, so that a run fails in its first second and says why.

use crate::dataset::{Dataset, Target};
use crate::error::DataError;

/// Checks the training data: not empty, all numbers finite, every class with an example, at least one batch.
pub fn check_training(train: &Dataset, batch: usize) -> Result<(), DataError> {
    check_part(train, "training")?;
    check_batch(train, batch)?;
    check_classes(train)
}

/// Checks data of any part, which `part` names ("validation"): not empty, all numbers finite.
pub fn check_part(data: &Dataset, part: &str) -> Result<(), DataError> {
    if data.is_empty() {
        return Err(DataError::unfit(format!("the {part} data are empty"), "give at least one sample"));
    }
    check_finite(data, part)
}

/// Checks that all inputs and targets are finite; the error names the first that is not by row and feature.
pub fn check_finite(data: &Dataset, part: &str) -> Result<(), DataError> {
    let help = "remove or fill such values (a CSV file can say on_missing = \"drop\" or \"fill\")";
    if let Some(at) = data.input_values().iter().position(|x| !x.is_finite()) {
        let (row, feature) = (at / data.feature_len(), at % data.feature_len());
        let place = match data.feature_names() {
            Some(names) => format!("{:?}", names[feature]),
            None => index_of(feature, data.feature_shape()),
        };
        let problem = format!("the {part} data have {} in row {row}, feature {place}", data.input_values()[at]);
        return Err(DataError::unfit(problem, help));
    }
    if let Target::Values { values, names } = data.target() {
        let list = values.slice::<f32>().unwrap_or_default();
        if let Some(at) = list.iter().position(|x| !x.is_finite()) {
            let (row, k) = (at / names.len(), at % names.len());
            let problem = format!("the {part} data have {} in row {row}, target {:?}", list[at], names[k]);
            return Err(DataError::unfit(problem, help));
        }
    }
    Ok(())
}

/// Checks that the batch size is at least 1 and at most the number of samples.
pub fn check_batch(data: &Dataset, batch: usize) -> Result<(), DataError> {
    if batch == 0 {
        let expected = "it must be at least 1".to_string();
        return Err(DataError::Option { option: "batch_size", received: "0".to_string(), expected });
    }
    if data.is_empty() {
        return Err(DataError::unfit("there are no samples to make batches of", "give at least one sample"));
    }
    if batch > data.len() {
        return Err(DataError::unfit(
            format!("the batch size is {batch}, but there are only {} samples", data.len()),
            format!("choose a batch size of at most {}", data.len()),
        ));
    }
    if u32::try_from(data.len()).is_err() {
        return Err(DataError::unfit(format!("there are {} samples", data.len()), "give fewer than 2^32"));
    }
    Ok(())
}

/// Checks that every class has an example.
pub fn check_classes(data: &Dataset) -> Result<(), DataError> {
    let (Some(counts), Some(classes)) = (data.class_counts(), data.classes()) else { return Ok(()) };
    let lacking: Vec<String> = classes.iter().zip(&counts).filter(|(_, n)| **n == 0).map(|(c, _)| c.clone()).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let noun = if lacking.len() == 1 { "class" } else { "classes" };
    Err(DataError::unfit(
        format!("the training data have no example of {noun} {}", crate::error::list(&lacking)),
        "add examples, hold out less, or remove the class",
    ))
}

/// A flat position as an index into a shape: `3`, or `[1, 2]`.
pub(crate) fn index_of(mut at: usize, shape: &[usize]) -> String {
    if let [_] = shape {
        return at.to_string();
    }
    let mut index = vec![0; shape.len()];
    for (place, &size) in index.iter_mut().zip(shape).rev() {
        *place = at % size;
        at /= size;
    }
    format!("{index:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Tensor;

    #[test]
    fn messages() {
        let picture = |x: f32| {
            let x = Tensor::new([2, 2, 2], vec![0.0f32, 0.0, 0.0, 0.0, 0.0, 0.0, x, 0.0]).unwrap();
            Dataset::new(x, Target::from_numbers(&[0.0, 1.0], None).unwrap()).unwrap()
        };
        check_training(&picture(1.0), 2).unwrap();
        assert_eq!(
            check_training(&picture(f32::NAN), 2).unwrap_err().to_string(),
            "the training data have NaN in row 1, feature [1, 0]; remove or fill such values (a CSV file can say on_missing = \
             \"drop\" or \"fill\")"
        );
        assert_eq!(
            check_part(&picture(f32::INFINITY), "test").unwrap_err().to_string(),
            "the test data have inf in row 1, feature [1, 0]; remove or fill such values (a CSV file can say on_missing = \
             \"drop\" or \"fill\")"
        );
        let lacking = picture(0.0).select(&[0, 0]).unwrap();
        assert_eq!(
            check_training(&lacking, 1).unwrap_err().to_string(),
            "the training data have no example of class \"1\"; add examples, hold out less, or remove the class"
        );
        let empty = picture(0.0).select(&[]).unwrap();
        assert_eq!(
            check_training(&empty, 1).unwrap_err().to_string(),
            "the training data are empty; give at least one sample"
        );
        let y = Target::from_values(Tensor::vector(vec![1.0f32, f32::NAN]), None).unwrap();
        let data = Dataset::new(Tensor::vector(vec![1.0f32, 2.0]), y).unwrap();
        assert_eq!(
            check_training(&data, 1).unwrap_err().to_string(),
            "the training data have NaN in row 1, target \"y\"; remove or fill such values (a CSV file can say on_missing = \
             \"drop\" or \"fill\")"
        );
    }
}
