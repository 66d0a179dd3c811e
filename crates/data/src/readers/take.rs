//! Some rows of another source: its first ones, or a random sample that a seed decides.
//!
//! ```toml
//! train = { take = { rows = 1000, from = { embedded = "digits" } } }
//! valid = { take = { rows = 100, skip = 1000, from = { embedded = "digits" } } }
//! train = { take = { rows = 1000, seed = 7, from = { csv = { path = "houses.csv", target = "price", task = "values" } } } }
//! ```

use super::Source;
use crate::dataset::Dataset;
use crate::error::DataError;
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

/// The random stream that samples of rows draw from.
const TAKE_STREAM: u32 = 0xDA7A_0001;

/// `rows` rows of another source, in their order there. Classes, categories and fill-in values are those of the whole source, so
/// that two parts of one source always fit each other.
///
/// ```
/// use gradus_data::{Locator, Source};
/// let text = r#"{ "take": { "rows": 20, "skip": 40, "from": { "embedded": "iris" } } }"#;
/// let source: Source = serde_json::from_str(text).unwrap();
/// let few = source.read(&Locator::default())?;
/// assert_eq!(few.class_counts(), Some(vec![10, 10, 0]));
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// How many rows, at least 1.
    pub rows: usize,
    /// How many rows are passed over first.
    #[serde(default)]
    pub skip: usize,
    /// Where given, the rows are drawn at random without repetition from all that are not skipped; otherwise they are the first.
    /// It does not follow the seed of the recipe, so that runs with several seeds see the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The source to take them from.
    pub from: Source,
}

impl Take {
    /// The first `rows` rows of a source.
    pub fn first(rows: usize, from: Source) -> Take {
        Take { rows, skip: 0, seed: None, from }
    }

    /// The places of the rows in a source of `len` rows, ascending. Fails if there are too few, or if none is asked for.
    pub fn places(&self, len: usize) -> Result<Vec<usize>, DataError> {
        let Take { rows, skip, seed, from } = self;
        if *rows == 0 {
            let expected = "it must be at least 1; leave `take` out to use every row".to_string();
            return Err(DataError::Option { option: "take.rows", received: "0".to_string(), expected });
        }
        if skip.checked_add(*rows).is_none_or(|end| end > len) {
            let after = if *skip > 0 { format!(" after the first {skip}") } else { String::new() };
            return Err(DataError::Table {
                file: from.name(),
                problem: format!("`take` asks for {rows} rows{after}, but there are {len} in all"),
                help: "take or skip fewer".to_string(),
            });
        }
        Ok(match seed {
            None => (*skip..skip + rows).collect(),
            Some(seed) => {
                let mut places: Vec<usize> = (*skip..len).collect();
                Rng::new(*seed, TAKE_STREAM, 0).shuffle(&mut places);
                places.truncate(*rows);
                places.sort_unstable();
                places
            }
        })
    }

    pub(super) fn of(&self, data: Dataset) -> Result<Dataset, DataError> {
        data.select(&self.places(data.len())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::Embedded;
    use crate::{Locator, Schema};

    fn iris() -> Source {
        Source::Embedded(Embedded::Iris)
    }

    #[test]
    fn rows_are_the_first_or_a_seeded_sample() {
        let places = |take: Take| take.places(150).unwrap();
        assert_eq!(places(Take::first(3, iris())), [0, 1, 2]);
        assert_eq!(places(Take { skip: 147, ..Take::first(3, iris()) }), [147, 148, 149]);
        let sample = |seed| places(Take { skip: 50, seed: Some(seed), ..Take::first(30, iris()) });
        assert_eq!(sample(1), sample(1));
        assert_ne!(sample(1), sample(2));
        let rows = sample(3);
        assert_eq!(rows.len(), 30);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows[0] >= 50 && rows[29] < 150, "{rows:?}");
        let all = Take { skip: 50, seed: Some(4), ..Take::first(100, iris()) };
        assert_eq!(places(all), (50..150).collect::<Vec<_>>());
    }

    #[test]
    fn parts_of_one_source_fit_each_other() {
        let locator = Locator::default();
        let whole = iris().read(&locator).unwrap();
        let setosa = Source::Take(Box::new(Take::first(50, iris()))).read(&locator).unwrap();
        assert_eq!(setosa.class_counts(), Some(vec![50, 0, 0]));
        assert_eq!(setosa.input_row(49), whole.input_row(49));
        let schema: Schema = setosa.schema();
        let last = Source::Take(Box::new(Take { skip: 140, ..Take::first(10, iris()) }));
        let last = last.read_like(&locator, &schema).unwrap();
        assert_eq!(last.class_counts(), Some(vec![0, 0, 10]));
        assert_eq!(last.input_row(0), whole.input_row(140));
        let nested = Take { skip: 5, ..Take::first(2, Source::Take(Box::new(Take::first(7, iris())))) };
        let nested = Source::Take(Box::new(nested)).read_inputs(&locator, &schema).unwrap();
        assert_eq!((nested.len(), nested.input_row(1)), (2, whole.input_row(6)));
        assert_eq!(nested.labels(), None);
    }

    #[test]
    fn messages() {
        let error = |take: Take| take.places(150).unwrap_err().to_string();
        assert_eq!(
            error(Take::first(151, iris())),
            "iris: `take` asks for 151 rows, but there are 150 in all; take or skip fewer"
        );
        assert_eq!(
            error(Take { skip: usize::MAX, ..Take::first(2, iris()) }),
            format!(
                "iris: `take` asks for 2 rows after the first {}, but there are 150 in all; take or skip fewer",
                usize::MAX
            )
        );
        assert_eq!(
            error(Take::first(0, iris())),
            "take.rows is 0: it must be at least 1; leave `take` out to use every row"
        );
    }
}
