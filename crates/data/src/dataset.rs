//! Inputs and targets in memory.

use crate::augment::Augment;
use crate::error::DataError;
use crate::schema::{Column, Schema, TargetSchema};
use crate::text::{Encoded, TextSchema};
use gradus_tensor::{Element, Tensor};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// A table of samples: inputs `[N, features…]` as `f32`, and what is to be predicted of each.
///
/// ```
/// use gradus_data::{Dataset, Target};
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([3, 2], vec![0.0f32, 1.0, 2.0, 3.0, 4.0, 5.0])?;
/// let y = Target::from_labels(&["cat", "dog", "cat"], None)?;
/// let data = Dataset::new(x, y)?;
/// assert_eq!((data.len(), data.feature_shape()), (3, &[2][..]));
/// assert_eq!(data.class_counts(), Some(vec![2, 1]));
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Dataset {
    pub(crate) inputs: Tensor,
    pub(crate) columns: Option<Vec<Column>>,
    pub(crate) target: Target,
    /// The group of each sample, which splits keep whole.
    pub(crate) groups: Option<Vec<u32>>,
    /// What the loader does to each sample in each epoch.
    pub(crate) augment: Vec<Augment>,
    /// The words, if the inputs are ids of them.
    pub(crate) text: Option<Arc<TextSchema>>,
}

/// What is to be predicted.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// Nothing: inputs only.
    None,
    /// One class per sample.
    Classes {
        /// An index into `classes` for every sample.
        labels: Vec<u32>,
        /// The names of the classes.
        classes: Vec<String>,
    },
    /// Real numbers.
    Values {
        /// `[N, K]`, `f32`.
        values: Tensor,
        /// One name for each of the K.
        names: Vec<String>,
    },
}

impl Dataset {
    /// Inputs `[N, features…]` of any kind, with their target; inputs `[N]` become `[N, 1]`.
    ///
    /// Fails on a scalar, on a feature shape with a 0 in it, and if inputs and target differ in length.
    pub fn new(inputs: Tensor, target: Target) -> Result<Dataset, DataError> {
        let inputs = match *inputs.shape() {
            [] => {
                let help = "put samples along the first axis";
                return Err(DataError::unfit("the inputs are a single number, not a list of samples", help));
            }
            [rows] => inputs.reshape([rows, 1])?,
            _ => inputs,
        };
        if inputs.row_len() == 0 {
            let problem = format!("the inputs of shape {:?} have no features", inputs.shape());
            return Err(DataError::unfit(problem, "every sample needs at least one number"));
        }
        if let Some(targets) = target.rows().filter(|&targets| targets != inputs.rows()) {
            return Err(DataError::Lengths { file: "data".to_string(), inputs: inputs.rows(), targets });
        }
        Ok(Dataset { inputs: inputs.into_f32(), columns: None, target, groups: None, augment: vec![], text: None })
    }

    /// Texts as ids, with the words that these are.
    ///
    /// # Errors
    /// Texts and targets that differ in number.
    pub fn of_texts(text: TextSchema, encoded: Encoded, target: Target) -> Result<Dataset, DataError> {
        let rows = encoded.ids.len() / encoded.shape.iter().product::<usize>().max(1);
        let shape: Vec<usize> = std::iter::once(rows).chain(encoded.shape).collect();
        let ids: Vec<f32> = encoded.ids.iter().map(|&id| id as f32).collect();
        let data = Dataset::new(Tensor::new(shape, ids)?, target)?;
        Ok(Dataset { text: Some(Arc::new(text)), ..data })
    }

    /// The words, if the inputs are ids of words.
    pub fn text(&self) -> Option<&TextSchema> {
        self.text.as_deref()
    }

    /// The same data with its table columns named. Fails unless the columns make exactly the features there are.
    pub fn with_columns(mut self, columns: Vec<Column>) -> Result<Dataset, DataError> {
        let width: usize = columns.iter().map(Column::width).sum();
        if self.inputs.rank() != 2 || self.inputs.row_len() != width {
            return Err(DataError::Mismatch {
                expected: format!("columns for inputs of shape {:?}", self.feature_shape()),
                received: format!("columns that make {width} features"),
                help: "name every column once".to_string(),
            });
        }
        self.columns = Some(columns);
        Ok(self)
    }

    /// The same data in groups that splits keep whole: one id per sample, of any kind; equal ids are one group.
    ///
    /// ```
    /// use gradus_data::{Holdout, hold_out, readers::Embedded};
    /// let plants: Vec<String> = (0..150).map(|flower| format!("plant {}", flower / 5)).collect();
    /// let iris = Embedded::Iris.read().with_groups(&plants)?;
    /// let (train, parts) = hold_out(&iris, &[Holdout::fraction(0.2)], 7)?;
    /// assert_eq!((train.len(), parts[0].len()), (120, 30));
    /// let plants = parts[0].groups().unwrap();
    /// assert!(plants.chunks(5).all(|flowers| flowers.iter().all(|plant| *plant == flowers[0])));
    /// # Ok::<(), gradus_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// More or fewer ids than samples.
    pub fn with_groups<G: Eq + Hash>(mut self, ids: &[G]) -> Result<Dataset, DataError> {
        if ids.len() != self.len() {
            return Err(DataError::Mismatch {
                expected: format!("one group id for each of {} samples", self.len()),
                received: ids.len().to_string(),
                help: "give every sample the id of its group".to_string(),
            });
        }
        let mut known = HashMap::new();
        let mut number = |id| {
            let next = known.len() as u32;
            *known.entry(id).or_insert(next)
        };
        self.groups = Some(ids.iter().map(&mut number).collect());
        Ok(self)
    }

    /// The group of each sample as a number, if the data have groups.
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups.as_deref()
    }

    /// The same data for training: the [`Loader`](crate::Loader) changes each sample in each epoch as `augment` says, one step
    /// after the other. The data themselves stay as they are, and so does everything that does not come from a loader.
    ///
    /// ```
    /// use gradus_data::augment::{Augment, Flip, Shift};
    /// use gradus_data::readers::Embedded;
    /// let steps = [Augment::Flip(Flip::default()), Augment::Shift(Shift::new(1))];
    /// let digits = Embedded::Digits.read().with_augmentation(&steps)?;
    /// assert_eq!(digits.augmentation().len(), 2);
    /// assert!(Embedded::Iris.read().with_augmentation(&steps).is_err());
    /// # Ok::<(), gradus_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// Samples that are no pictures, `[C, H, W]` or `[H, W]`; settings out of range.
    pub fn with_augmentation(mut self, augment: &[Augment]) -> Result<Dataset, DataError> {
        crate::augment::check(augment, self.feature_shape())?;
        self.augment = augment.to_vec();
        Ok(self)
    }

    /// What the loader does to each sample in each epoch.
    pub fn augmentation(&self) -> &[Augment] {
        &self.augment
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.inputs.rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs: `[N, features…]`, always `f32`.
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// The inputs' numbers, sample after sample.
    pub fn input_values(&self) -> &[f32] {
        self.inputs.slice().unwrap_or_default()
    }

    /// The inputs of sample `row`. Panics if there is no such row.
    pub fn input_row(&self, row: usize) -> &[f32] {
        let width = self.feature_len();
        &self.input_values()[row * width..(row + 1) * width]
    }

    /// The shape of one sample's inputs.
    pub fn feature_shape(&self) -> &[usize] {
        &self.inputs.shape()[1..]
    }

    /// How many numbers one sample's inputs have.
    pub fn feature_len(&self) -> usize {
        self.inputs.row_len()
    }

    /// The table's columns, if the data came from a table.
    pub fn columns(&self) -> Option<&[Column]> {
        self.columns.as_deref()
    }

    /// The names of the features, if the data came from a table.
    pub fn feature_names(&self) -> Option<Vec<String>> {
        self.columns.as_ref().map(|columns| columns.iter().flat_map(Column::feature_names).collect())
    }

    /// What is to be predicted.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The class labels, if the target is one.
    pub fn labels(&self) -> Option<&[u32]> {
        match &self.target {
            Target::Classes { labels, .. } => Some(labels),
            _ => None,
        }
    }

    /// The names of the classes, if the target is one.
    pub fn classes(&self) -> Option<&[String]> {
        match &self.target {
            Target::Classes { classes, .. } => Some(classes),
            _ => None,
        }
    }

    /// The target values `[N, K]`, if the target is real numbers.
    pub fn values(&self) -> Option<&Tensor> {
        match &self.target {
            Target::Values { values, .. } => Some(values),
            _ => None,
        }
    }

    /// The targets as the engine takes them, `[N, K]` sample after sample: a class is the number of its index, with K = 1.
    pub fn target_values(&self) -> Vec<f32> {
        match &self.target {
            Target::None => Vec::new(),
            Target::Classes { labels, .. } => labels.iter().map(|&label| label as f32).collect(),
            Target::Values { values, .. } => values.to_f32(),
        }
    }

    /// How many samples each class has, if the target is one.
    pub fn class_counts(&self) -> Option<Vec<usize>> {
        let Target::Classes { labels, classes } = &self.target else { return None };
        let mut counts = vec![0; classes.len()];
        labels.iter().for_each(|&label| counts[label as usize] += 1);
        Some(counts)
    }

    /// The samples at `indices`, in their order. Fails if one is not there.
    pub fn select(&self, indices: &[usize]) -> Result<Dataset, DataError> {
        let inputs = self.inputs.select(indices)?;
        let target = match &self.target {
            Target::None => Target::None,
            Target::Classes { labels, classes } => {
                Target::Classes { labels: indices.iter().map(|&i| labels[i]).collect(), classes: classes.clone() }
            }
            Target::Values { values, names } => {
                Target::Values { values: values.select(indices)?, names: names.clone() }
            }
        };
        let groups = self.groups.as_ref().map(|groups| indices.iter().map(|&i| groups[i]).collect());
        Ok(Dataset {
            inputs,
            columns: self.columns.clone(),
            target,
            groups,
            augment: self.augment.clone(),
            text: self.text.clone(),
        })
    }

    /// The samples of several data sets one after the other, `[N₁ + N₂ + …, features…]`.
    ///
    /// Nothing is scaled anew: parts that were transformed alike stay so. Groups are dropped, since one number may mean another
    /// group in each.
    ///
    /// ```
    /// use gradus_data::{Dataset, readers::Embedded};
    /// let iris = Embedded::Iris.read();
    /// let (first, rest) = (iris.select(&[0, 1])?, iris.select(&[50, 100, 149])?);
    /// let joined = Dataset::concat(&[&first, &rest])?;
    /// assert_eq!(joined, iris.select(&[0, 1, 50, 100, 149])?);
    /// # Ok::<(), gradus_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// No parts, or parts that differ in features, classes, columns or the names of targets.
    pub fn concat(parts: &[&Dataset]) -> Result<Dataset, DataError> {
        let Some((first, rest)) = parts.split_first() else {
            return Err(DataError::unfit("there are no data sets to join", "give at least one"));
        };
        if let Some(other) = rest.iter().find(|part| part.schema() != first.schema()) {
            let (expected, received) = (first.schema().in_short(), other.schema().in_short());
            let received = if expected == received { format!("other columns than {expected}") } else { received };
            return Err(DataError::Mismatch {
                expected: format!("data sets of one kind to join: {expected}"),
                received,
                help: "read and transform them alike".to_string(),
            });
        }
        let rows: usize = parts.iter().map(|part| part.len()).sum();
        let joined = |width: usize, values: &dyn Fn(&Dataset) -> Vec<f32>| {
            let mut all = Vec::with_capacity(rows * width);
            parts.iter().for_each(|part| all.extend(values(part)));
            all
        };
        let shape: Vec<usize> = std::iter::once(rows).chain(first.feature_shape().iter().copied()).collect();
        let inputs = Tensor::new(shape, joined(first.feature_len(), &|part| part.input_values().to_vec()))?;
        let target = match &first.target {
            Target::None => Target::None,
            Target::Classes { classes, .. } => {
                let labels = parts.iter().flat_map(|part| part.labels().unwrap_or_default()).copied().collect();
                Target::Classes { labels, classes: classes.clone() }
            }
            Target::Values { names, .. } => {
                let values = joined(names.len(), &|part| part.target_values());
                Target::Values { values: Tensor::new([rows, names.len()], values)?, names: names.clone() }
            }
        };
        Ok(Dataset {
            inputs,
            columns: first.columns.clone(),
            target,
            groups: None,
            augment: first.augment.clone(),
            text: first.text.clone(),
        })
    }

    /// What a model must remember of this data.
    pub fn schema(&self) -> Schema {
        let target = match &self.target {
            Target::None => TargetSchema::None,
            Target::Classes { classes, .. } => TargetSchema::Classes(classes.clone()),
            Target::Values { names, .. } => TargetSchema::Values(names.clone()),
        };
        let text = self.text.as_deref().cloned();
        Schema { features: self.feature_shape().to_vec(), columns: self.columns.clone(), text, target }
    }

    /// The SHA-256 of shape, inputs, classes, targets and augmentation, as 64 hexadecimal digits: two data sets agree exactly when their
    /// contents do.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let part = |hash: &mut Sha256, x: &Tensor| {
            hash.update(format!("{:?}", x.shape()));
            hash_floats(hash, x.slice().unwrap_or_default());
        };
        part(&mut hash, &self.inputs);
        match &self.target {
            Target::None => hash.update("none"),
            Target::Classes { labels, classes } => {
                hash.update(format!("classes {classes:?}"));
                labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
            }
            Target::Values { values, names } => {
                hash.update(format!("values {names:?}"));
                part(&mut hash, values);
            }
        }
        if let Some(text) = &self.text {
            hash.update(format!("{:?}", text.words));
        }
        if !self.augment.is_empty() {
            hash.update(format!("{:?}", self.augment));
        }
        crate::digest::hex(&hash.finalize())
    }
}

fn hash_floats(hash: &mut Sha256, values: &[f32]) {
    let mut bytes = Vec::with_capacity(1 << 14);
    for piece in values.chunks(1 << 12) {
        bytes.clear();
        piece.iter().for_each(|x| x.push_le(&mut bytes));
        hash.update(&bytes);
    }
}

impl Target {
    /// How many samples there are, unless there is no target.
    pub fn rows(&self) -> Option<usize> {
        match self {
            Target::None => None,
            Target::Classes { labels, .. } => Some(labels.len()),
            Target::Values { values, .. } => Some(values.rows()),
        }
    }

    /// How many numbers one sample's target is to the engine: 0 for none, 1 for a class (its index), K for values.
    pub fn width(&self) -> usize {
        match self {
            Target::None => 0,
            Target::Classes { .. } => 1,
            Target::Values { values, .. } => values.row_len(),
        }
    }

    /// Writes the target of sample `row` into `out`, which has [`Target::width`] places. Panics if there is no such row.
    pub fn write_row(&self, row: usize, out: &mut [f32]) {
        match self {
            Target::None => {}
            Target::Classes { labels, .. } => out[0] = labels[row] as f32,
            Target::Values { values, .. } => {
                let width = values.row_len();
                out.copy_from_slice(&values.slice::<f32>().unwrap_or_default()[row * width..(row + 1) * width]);
            }
        }
    }

    /// Real numbers `[N]` or `[N, K]`, named `names`, or `y` (`y0`, `y1`, … if there are several).
    pub fn from_values(values: Tensor, names: Option<Vec<String>>) -> Result<Target, DataError> {
        let rows = if values.rank() == 0 { 1 } else { values.rows() };
        let width = values.row_len();
        let values = values.into_f32().reshape([rows, width])?;
        let names = names.unwrap_or_else(|| match width {
            1 => vec!["y".to_string()],
            _ => (0..width).map(|k| format!("y{k}")).collect(),
        });
        if names.len() != width {
            return Err(DataError::Mismatch {
                expected: format!("{width} target names"),
                received: names.len().to_string(),
                help: "name every target once".to_string(),
            });
        }
        Ok(Target::Values { values, names })
    }

    /// Class labels as text. Without `known`, the classes are the labels that occur: sorted as numbers if all are numbers, else
    /// as text. With `known`, every label must be one of them.
    pub fn from_labels<S: AsRef<str>>(labels: &[S], known: Option<&[String]>) -> Result<Target, DataError> {
        let classes = match known {
            Some(known) => known.to_vec(),
            None => class_list(labels),
        };
        let index: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        let mut list = Vec::with_capacity(labels.len());
        for (row, label) in labels.iter().enumerate() {
            match index.get(label.as_ref()) {
                Some(&label) => list.push(label),
                None => return Err(unknown_label(label.as_ref(), row, &classes)),
            }
        }
        Ok(Target::Classes { labels: list, classes })
    }

    /// Class labels as whole numbers, which need not start at 0. `known` as in [`Target::from_labels`].
    pub fn from_numbers(labels: &[f64], known: Option<&[String]>) -> Result<Target, DataError> {
        if let Some((row, label)) = labels.iter().enumerate().find(|(_, label)| label.fract() != 0.0) {
            return Err(DataError::unfit(
                format!("the label of row {row} is {label}, but class labels are whole numbers"),
                "for real-valued targets say task = \"values\"",
            ));
        }
        let mut distinct = labels.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let names: Vec<String> = distinct.iter().map(|&label| number_name(label)).collect();
        let classes = known.map_or_else(|| names.clone(), <[String]>::to_vec);
        let index: Vec<Option<u32>> =
            names.iter().map(|name| classes.iter().position(|class| class == name).map(|i| i as u32)).collect();
        let mut list = Vec::with_capacity(labels.len());
        for (row, label) in labels.iter().enumerate() {
            let place = distinct.partition_point(|x| x < label);
            match index[place] {
                Some(class) => list.push(class),
                None => return Err(unknown_label(&names[place], row, &classes)),
            }
        }
        Ok(Target::Classes { labels: list, classes })
    }
}

fn unknown_label(label: &str, row: usize, classes: &[String]) -> DataError {
    DataError::UnknownLabel {
        file: "data".to_string(),
        label: label.to_string(),
        row,
        classes: classes.to_vec(),
        help: "correct the label, or train on data that have this class".to_string(),
    }
}

/// A label's number as the name of its class: `3`, not `3.0`.
pub(crate) fn number_name(label: f64) -> String {
    format!("{}", if label == 0.0 { 0.0 } else { label })
}

fn class_list<S: AsRef<str>>(labels: &[S]) -> Vec<String> {
    let mut classes: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
    classes.sort_unstable();
    classes.dedup();
    let numbers: Option<Vec<f64>> = classes.iter().map(|class| class.parse().ok()).collect();
    let mut order: Vec<usize> = (0..classes.len()).collect();
    if let Some(numbers) = numbers {
        order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    }
    order.into_iter().map(|i| classes[i].to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_sort_as_numbers_or_text() {
        let target = |labels: &[&str]| Target::from_labels(labels, None).unwrap();
        assert_eq!(
            target(&["10", "9", "10"]),
            Target::Classes { labels: vec![1, 0, 1], classes: vec!["9".into(), "10".into()] }
        );
        assert_eq!(
            target(&["b", "10", "a"]),
            Target::Classes { labels: vec![2, 0, 1], classes: vec!["10".into(), "a".into(), "b".into()] }
        );
        assert_eq!(
            Target::from_numbers(&[3.0, 1.0, -0.0, 3.0], None).unwrap(),
            Target::Classes { labels: vec![2, 1, 0, 2], classes: vec!["0".into(), "1".into(), "3".into()] }
        );
    }

    #[test]
    fn known_classes_are_imposed() {
        let known = ["1".to_string(), "2".to_string(), "3".to_string()];
        assert_eq!(
            Target::from_numbers(&[3.0, 3.0], Some(&known)).unwrap(),
            Target::Classes { labels: vec![2, 2], classes: known.to_vec() }
        );
        let message = "data: label \"4\" of row 1 is none of the known classes \"1\", \"2\", \"3\"; correct the label, or train \
                       on data that have this class";
        assert_eq!(Target::from_numbers(&[1.0, 4.0], Some(&known)).unwrap_err().to_string(), message);
        assert_eq!(Target::from_labels(&["1", "4"], Some(&known)).unwrap_err().to_string(), message);
        assert_eq!(
            Target::from_numbers(&[1.0, 0.5], None).unwrap_err().to_string(),
            "the label of row 1 is 0.5, but class labels are whole numbers; for real-valued targets say task = \"values\""
        );
        assert!(Target::from_numbers(&[f64::NAN], None).is_err());
        assert!(Target::from_numbers(&[f64::INFINITY], None).is_err());
    }

    #[test]
    fn lengths_must_agree() {
        let x = Tensor::new([3, 1], vec![0.0f32; 3]).unwrap();
        let y = Target::from_numbers(&[0.0, 1.0], None).unwrap();
        assert_eq!(
            Dataset::new(x, y).unwrap_err().to_string(),
            "data: there are 3 inputs but 2 targets; every input needs exactly one"
        );
    }

    #[test]
    fn parts_are_joined_if_they_are_alike() {
        let values = |y: [f32; 2], name: &str| {
            let x = Tensor::new([2, 1, 2], vec![0.0f32, 1.0, 2.0, y[1]]).unwrap();
            Dataset::new(x, Target::from_values(Tensor::vector(y.to_vec()), Some(vec![name.into()])).unwrap()).unwrap()
        };
        let joined = Dataset::concat(&[&values([1.0, 2.0], "y"), &values([3.0, 4.0], "y")]).unwrap();
        assert_eq!((joined.len(), joined.feature_shape()), (4, &[1, 2][..]));
        assert_eq!((joined.target_values(), joined.input_row(3)), (vec![1.0, 2.0, 3.0, 4.0], &[2.0, 4.0][..]));
        assert_eq!(
            Dataset::concat(&[&values([1.0, 2.0], "y"), &values([3.0, 4.0], "z")]).unwrap_err().to_string(),
            "the data do not fit: data sets of one kind to join: [1, 2] features, values \"y\" expected, but [1, 2] \
             features, values \"z\" received; read and transform them alike"
        );
        assert!(Dataset::concat(&[]).is_err());
    }

    #[test]
    fn a_fingerprint_tells_contents() {
        let data = |last: f32| {
            let x = Tensor::new([2, 2], vec![0.0f32, 1.0, 2.0, last]).unwrap();
            Dataset::new(x, Target::from_numbers(&[0.0, 1.0], None).unwrap()).unwrap()
        };
        assert_eq!(data(3.0).fingerprint(), data(3.0).fingerprint());
        assert_ne!(data(3.0).fingerprint(), data(4.0).fingerprint());
        assert_ne!(data(3.0).fingerprint(), data(3.0).select(&[0]).unwrap().fingerprint());
        assert_eq!(data(3.0).fingerprint().len(), 64);
    }
}
