//! What is odd about data, though nothing forbids it: samples in two parts, features that never change, features without scale.
//!
//! Everything here counts and judges nothing: a sample that occurs twice may be right, and a picture's corner is always black.

use crate::dataset::{Dataset, Target};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many samples of one part occur in another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// With the same inputs.
    pub inputs: usize,
    /// With the same inputs and the same target.
    pub samples: usize,
}

/// How many samples of `part` occur in `train`, too.
///
/// ```
/// use gradus_data::{audit, readers::Embedded};
/// let iris = Embedded::Iris.read();
/// let (first, last) = (iris.select(&[0, 1, 2])?, iris.select(&[2, 3])?);
/// assert_eq!(audit::overlap(&first, &last).samples, 1);
/// # Ok::<(), gradus_data::DataError>(())
/// ```
pub fn overlap(train: &Dataset, part: &Dataset) -> Overlap {
    let count = |with_target: bool| {
        let known: HashSet<Key> = keys(train, with_target).collect();
        keys(part, with_target).filter(|key| known.contains(key)).count()
    };
    Overlap { inputs: count(false), samples: count(true) }
}

/// How many samples repeat an earlier one, inputs and target.
pub fn duplicates(data: &Dataset) -> usize {
    let mut known = HashSet::new();
    keys(data, true).filter(|key| !known.insert(*key)).count()
}

/// The rows whose inputs no earlier row has, in their order.
pub fn distinct_inputs(data: &Dataset) -> Vec<usize> {
    let mut known = HashSet::new();
    keys(data, false).enumerate().filter(|(_, key)| known.insert(*key)).map(|(row, _)| row).collect()
}

/// Two hashes of a sample: together they do not collide by chance.
type Key = (u64, u64);

fn keys(data: &Dataset, with_target: bool) -> impl Iterator<Item = Key> {
    let mut target = vec![0.0; if with_target { data.target().width() } else { 0 }];
    (0..data.len()).map(move |row| {
        if with_target {
            data.target().write_row(row, &mut target);
        }
        let hash = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            // Adding 0 makes one zero of both.
            data.input_row(row).iter().chain(&target).for_each(|x| (x + 0.0).to_bits().hash(&mut hasher));
            hasher.finish()
        };
        (hash(0), hash(1))
    })
}

/// The spread of one feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation over the samples that are there.
    pub deviation: f64,
    /// Its least value.
    pub least: f32,
    /// Its greatest value.
    pub greatest: f32,
}

impl Spread {
    /// Whether it never changes.
    pub fn is_constant(&self) -> bool {
        self.least == self.greatest
    }
}

/// The spread of each feature, in the order of the numbers of a sample.
pub fn spreads(data: &Dataset) -> Vec<Spread> {
    let (width, count) = (data.feature_len(), data.len().max(1) as f64);
    let mut sums = vec![(0.0f64, f32::INFINITY, f32::NEG_INFINITY); width];
    for row in data.input_values().chunks_exact(width) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum = (sum.0 + f64::from(x), sum.1.min(x), sum.2.max(x));
        }
    }
    let mut squares = vec![0.0f64; width];
    for row in data.input_values().chunks_exact(width) {
        for ((square, sum), &x) in squares.iter_mut().zip(&sums).zip(row) {
            *square += (f64::from(x) - sum.0 / count).powi(2);
        }
    }
    let spread = |((sum, least, greatest), square): ((f64, f32, f32), f64)| Spread {
        mean: sum / count,
        deviation: (square / count).sqrt(),
        least,
        greatest,
    };
    sums.into_iter().zip(squares).map(spread).collect()
}

/// The classes of which a part has no example.
pub fn missing_classes(data: &Dataset) -> Vec<String> {
    let Target::Classes { classes, .. } = data.target() else { return vec![] };
    let counts = data.class_counts().unwrap_or_default();
    classes.iter().zip(counts).filter(|(_, count)| *count == 0).map(|(class, _)| class.clone()).collect()
}

/// The name of a feature: its column's, or its index.
pub fn feature_name(data: &Dataset, feature: usize) -> String {
    match data.feature_names() {
        Some(names) if feature < names.len() => names[feature].clone(),
        _ => crate::check::index_of(feature, data.feature_shape()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Tensor;

    fn data(x: [f32; 6], y: [f64; 3]) -> Dataset {
        let y = Target::from_numbers(&y, Some(&["0".into(), "1".into(), "2".into()])).unwrap();
        Dataset::new(Tensor::new([3, 2], x.to_vec()).unwrap(), y).unwrap()
    }

    #[test]
    fn samples_in_two_parts_are_counted() {
        let train = data([1.0, 2.0, 3.0, 4.0, 0.0, 1.0], [0.0, 1.0, 0.0]);
        let part = data([1.0, 2.0, 3.0, 4.0, -0.0, 1.0], [0.0, 0.0, 0.0]);
        assert_eq!(overlap(&train, &part), Overlap { inputs: 3, samples: 2 });
        assert_eq!(overlap(&train, &data([2.0, 1.0, 4.0, 3.0, 1.0, 0.0], [0.0; 3])), Overlap::default());
        let twice = data([1.0, 2.0, 1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 1.0]);
        assert_eq!((duplicates(&twice), distinct_inputs(&twice)), (1, vec![0]));
        assert_eq!(missing_classes(&train), ["2"]);
    }

    #[test]
    fn spreads_of_features() {
        let found = spreads(&data([1.0, 5.0, 3.0, 5.0, 5.0, 5.0], [0.0; 3]));
        assert_eq!((found[0].mean, found[0].least, found[0].greatest), (3.0, 1.0, 5.0));
        assert!((found[0].deviation - (8.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!(found[1].is_constant() && !found[0].is_constant());
    }
}
