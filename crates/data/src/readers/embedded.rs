//! Small data sets that are part of the program: they need no file and no network. Digits and irises are real and come with the
//! `smartcore` crate; the signals of MNIST-1D are made by its author's rule.

use super::mnist1d;
use crate::dataset::{Dataset, Target};
use crate::schema::{Column, Encoding};
use gradus_tensor::Tensor;
use serde::{Deserialize, Serialize};

/// An embedded data set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Embedded {
    /// 1797 handwritten digits of 8×8 grey values 0 to 16, 10 classes. UCI "Optical Recognition of Handwritten Digits", test
    /// part; Alpaydin and Kaynak 1998.
    Digits,
    /// 150 irises of 3 species with 4 measurements in cm, as Fisher 1936 printed them.
    Iris,
    /// 5000 signals of 40 points in 10 classes, the digits, with mean 0 and standard deviation 1: MNIST-1D of Greydanus 2020,
    /// arXiv:2011.14439, the same data up to rounding as those of his package. The first 4000 are to train on, the last 1000 to test with.
    /// The paper's accuracies: logistic 0.32, MLP 0.68, CNN 0.94, GRU 0.91.
    Mnist1d,
}

impl Embedded {
    /// All of them.
    pub const ALL: [Embedded; 3] = [Embedded::Digits, Embedded::Iris, Embedded::Mnist1d];

    /// The name that a recipe writes.
    pub fn name(self) -> &'static str {
        match self {
            Embedded::Digits => "digits",
            Embedded::Iris => "iris",
            Embedded::Mnist1d => "mnist1d",
        }
    }

    /// The data: digits `[1797, 8, 8]`, iris `[150, 4]`, MNIST-1D `[5000, 40]`.
    pub fn read(self) -> Dataset {
        let whole = "the embedded set is whole";
        match self {
            Embedded::Digits => {
                let set = smartcore::dataset::digits::load_dataset();
                let inputs = Tensor::new([set.num_samples, 8, 8], set.data).expect(whole);
                let labels = set.target.iter().map(|&digit| digit as u32).collect();
                let classes = (0..10).map(|digit| digit.to_string()).collect();
                Dataset::new(inputs, Target::Classes { labels, classes }).expect(whole)
            }
            Embedded::Mnist1d => {
                let (values, labels) = mnist1d::signals();
                let inputs = Tensor::new([labels.len(), values.len() / labels.len()], values).expect(whole);
                let classes = (0..10).map(|digit| digit.to_string()).collect();
                Dataset::new(inputs, Target::Classes { labels, classes }).expect(whole)
            }
            Embedded::Iris => {
                let mut set = smartcore::dataset::iris::load_dataset();
                // The UCI copy errs in two rows; Fisher's table has these.
                set.data[34 * 4..35 * 4].copy_from_slice(&[4.9, 3.1, 1.5, 0.2]);
                set.data[37 * 4..38 * 4].copy_from_slice(&[4.9, 3.6, 1.4, 0.1]);
                let inputs = Tensor::new([set.num_samples, 4], set.data).expect(whole);
                let target = Target::Classes { labels: set.target, classes: set.target_names };
                let number = |name| Column { name, encoding: Encoding::Number { fill: None } };
                let columns = set.feature_names.into_iter().map(number).collect();
                Dataset::new(inputs, target).and_then(|data| data.with_columns(columns)).expect(whole)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    /// The SHA-256 of scikit-learn's copy (1.7) of each set, as little-endian f32.
    #[test]
    fn the_numbers_are_the_published_ones() {
        for (set, expected) in [
            (Embedded::Digits, "a627aed550b0b29bf76a981bc1ecbab5ef775aac454c94154f20ec9f61a04c83"),
            (Embedded::Iris, "2374923a3acd29a63001946c3c216e2a5581864f01041c86c4b5211ec93885c2"),
        ] {
            let bytes = set.read().inputs().values().to_le_bytes();
            assert_eq!(sha256(&bytes[..]).unwrap(), expected, "{}", set.name());
        }
        let labels: Vec<u8> = Embedded::Digits.read().labels().unwrap().iter().flat_map(|y| y.to_le_bytes()).collect();
        let expected = "3a0e68456f9a3c609b399717dd9ca55bb9153be1bccf72e38e3319cb740c75cd";
        assert_eq!(sha256(&labels[..]).unwrap(), expected);
    }

    #[test]
    fn shapes_classes_and_names() {
        let digits = Embedded::Digits.read();
        assert_eq!(digits.inputs().shape(), [1797, 8, 8]);
        assert_eq!(digits.class_counts().unwrap(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert_eq!(digits.classes().unwrap(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        let iris = Embedded::Iris.read();
        assert_eq!(iris.inputs().shape(), [150, 4]);
        assert_eq!(iris.class_counts().unwrap(), [50, 50, 50]);
        assert_eq!(iris.classes().unwrap(), ["setosa", "versicolor", "virginica"]);
        assert_eq!(iris.feature_names().unwrap()[3], "petal width (cm)");
    }
}
