//! Splits: parts held out of a data set by fraction, count or fold, stratified by class, groups kept whole, seeded.
//!
//! A stratified split is systematic sampling: the samples of each class are put into a random order and laid evenly on the
//! interval from 0 to 1, all classes together are sorted by place, and the parts are cut off from the front. So every part has
//! its exact size, and each class its share to within one sample per cut.
//!
//! If the data have groups, these stay whole, and sizes are as near as they allow: see [`Dataset::with_groups`].

mod groups;
mod k_fold;

pub use k_fold::{FoldRows, KFold, k_fold};

use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

/// The random stream that splits draw from.
pub const SPLIT_STREAM: u32 = 0xDA7A_0000;

/// A part to hold out, as a recipe writes it: `valid = { fraction = 0.1 }`, `test = { count = 1000 }` or
/// `valid = { fold = 2, of = 5 }`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdout {
    /// Its size as a fraction of all samples, above 0 and below 1. Either this, `count` or `fold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
    /// Its size in samples. Either this, `fraction` or `fold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Which of the folds that the samples not yet held out are dealt into, from 1 to `of`; with one seed all folds are of one
    /// dealing. See [`KFold`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// How many folds there are, at least 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<usize>,
    /// Whether every class has its share of the part. Only for class labels; without them it has no effect.
    #[serde(default = "yes")]
    pub stratified: bool,
    /// Whether samples are drawn at random; otherwise the part is the end of the data (for series in time), not stratified.
    #[serde(default = "yes")]
    pub shuffle: bool,
}

fn yes() -> bool {
    true
}

impl Holdout {
    /// A random, stratified part of this fraction.
    pub fn fraction(fraction: f64) -> Holdout {
        Holdout { fraction: Some(fraction), count: None, fold: None, of: None, stratified: true, shuffle: true }
    }

    /// A random, stratified part of this many samples.
    pub fn count(count: usize) -> Holdout {
        Holdout { count: Some(count), fraction: None, ..Holdout::fraction(0.0) }
    }

    /// One of `of` random, stratified folds, counted from 1.
    pub fn fold(fold: usize, of: usize) -> Holdout {
        Holdout { fold: Some(fold), of: Some(of), fraction: None, ..Holdout::fraction(0.0) }
    }

    /// How many of `len` samples the part has, unless groups that stay whole ask for another size. Fails if that is none or all.
    pub fn size(&self, len: usize) -> Result<usize, DataError> {
        let size = match (self.fraction, self.count, self.folds()?) {
            (Some(fraction), None, None) if fraction > 0.0 && fraction < 1.0 => {
                (len as f64 * fraction).round() as usize
            }
            (Some(fraction), None, None) => {
                let expected = "it must be above 0 and below 1".to_string();
                return Err(DataError::Option { option: "fraction", received: fraction.to_string(), expected });
            }
            (None, Some(count), None) => count,
            (None, None, Some((fold, of))) => len / of + usize::from(fold <= len % of),
            (None, None, None) => {
                return Err(DataError::Option {
                    option: "fraction",
                    received: "not given, nor count, nor fold".to_string(),
                    expected: "a part that is held out needs exactly one of them".to_string(),
                });
            }
            _ => {
                return Err(DataError::Option {
                    option: "fraction",
                    received: "not alone".to_string(),
                    expected: "a part that is held out needs exactly one of fraction, count and fold".to_string(),
                });
            }
        };
        let help = "change the size of the part that is held out, or give more data";
        let said = self.in_words();
        match size {
            0 => Err(DataError::unfit(format!("the split is empty: {said} of {len} samples is none"), help)),
            size if size >= len => {
                let problem = format!("the split leaves nothing to train on: {said} takes all of {len} samples");
                Err(DataError::unfit(problem, help))
            }
            size => Ok(size),
        }
    }

    /// The fold and the number of folds, if it is one.
    fn folds(&self) -> Result<Option<(usize, usize)>, DataError> {
        let wrong = |option, received: String, expected: &str| {
            Err(DataError::Option { option, received, expected: expected.to_string() })
        };
        match (self.fold, self.of) {
            (None, None) => Ok(None),
            (Some(_), None) => wrong("of", "not given".to_string(), "a fold needs the number of folds, at least 2"),
            (None, Some(_)) => wrong("fold", "not given".to_string(), "`of` says which number of folds; say which one"),
            (_, Some(of)) if of < 2 => wrong("of", of.to_string(), "there must be at least 2 folds"),
            (Some(fold), Some(of)) if fold == 0 || fold > of => {
                wrong("fold", fold.to_string(), &format!("it must be from 1 to {of}, the number of folds"))
            }
            (Some(fold), Some(of)) => Ok(Some((fold, of))),
        }
    }

    fn in_words(&self) -> String {
        match (self.fraction, self.count, self.fold, self.of) {
            (Some(fraction), ..) => format!("a fraction of {fraction}"),
            (_, Some(count), ..) => format!("a count of {count}"),
            (_, _, fold, of) => format!("fold {} of {}", fold.unwrap_or_default(), of.unwrap_or_default()),
        }
    }
}

/// The rows of each part, in ascending order: first of what is left, then of every part. Sizes are told from all samples, so
/// fractions of 0.2 and 0.2 leave 0.6; but a fold is one of what the parts before it leave.
///
/// ```
/// use gradus_data::readers::Embedded;
/// use gradus_data::split::{Holdout, hold_out_rows};
/// let iris = Embedded::Iris.read();
/// let parts = hold_out_rows(&iris, &[Holdout::fraction(0.2)], 7)?;
/// let test = iris.select(&parts[1])?;
/// assert_eq!(test.class_counts(), Some(vec![10, 10, 10]));
/// # Ok::<(), gradus_data::DataError>(())
/// ```
pub fn hold_out_rows(data: &Dataset, parts: &[Holdout], seed: u64) -> Result<Vec<Vec<usize>>, DataError> {
    let mut rows: Vec<usize> = (0..data.len()).collect();
    let mut held = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let mut rng = Rng::new(seed, SPLIT_STREAM, i as u64);
        let stratified = part.stratified && part.shuffle;
        if let Some((fold, of)) = part.folds()? {
            part.size(rows.len().max(of))?;
            let folds = KFold { folds: of, stratified, shuffle: part.shuffle };
            let fold_of = folds.deal(data, &rows, &mut rng)?;
            let mut folds = fold_of.iter();
            held.push(rows.extract_if(.., |_| folds.next() == Some(&(fold - 1))).collect());
            continue;
        }
        let size = part.size(data.len())?;
        if size >= rows.len() {
            let problem = format!("the splits together leave nothing to train on: {} samples in all", data.len());
            return Err(DataError::unfit(problem, "make the parts that are held out smaller"));
        }
        if let Some(ids) = data.groups() {
            let mut groups = groups::gather(data, ids, &rows, stratified);
            let totals = match rows.len() == data.len() {
                true => groups::totals(&groups),
                false => groups::totals(&groups::gather(data, ids, &(0..data.len()).collect::<Vec<_>>(), stratified)),
            };
            if part.shuffle {
                rng.shuffle(&mut groups);
            } else {
                groups.reverse();
            }
            let said = part.in_words();
            let mut taken = groups::take(&groups, &totals, (size, data.len()), !part.shuffle, &said)?;
            taken.sort_unstable();
            rows.retain(|row| taken.binary_search(row).is_err());
            held.push(taken);
        } else if part.shuffle {
            rng.shuffle(&mut rows);
            if let (true, Target::Classes { labels, classes }) = (part.stratified, data.target()) {
                interleave(&mut rows, labels, classes.len());
            }
            let mut taken: Vec<usize> = rows.drain(..size).collect();
            taken.sort_unstable();
            rows.sort_unstable();
            held.push(taken);
        } else {
            held.push(rows.split_off(rows.len() - size));
        }
    }
    held.insert(0, rows);
    Ok(held)
}

/// Splits off parts: what is left, and every part in turn. See [`hold_out_rows`].
///
/// Fails also if a class that has samples keeps none to train on.
pub fn hold_out(data: &Dataset, parts: &[Holdout], seed: u64) -> Result<(Dataset, Vec<Dataset>), DataError> {
    let rows = hold_out_rows(data, parts, seed)?;
    let mut sets = rows.iter().map(|rows| data.select(rows)).collect::<Result<Vec<_>, _>>()?;
    let rest = sets.remove(0);
    check_still_there(data, &rest)?;
    Ok((rest, sets))
}

/// Fails if a class that has samples in `data` has none in `rest`.
fn check_still_there(data: &Dataset, rest: &Dataset) -> Result<(), DataError> {
    let (Some(before), Some(after), Some(classes)) = (data.class_counts(), rest.class_counts(), data.classes()) else {
        return Ok(());
    };
    match (0..classes.len()).find(|&class| before[class] > 0 && after[class] == 0) {
        None => Ok(()),
        Some(class) => Err(DataError::unfit(
            format!(
                "the split leaves class {:?} without a training example: all {} of its samples are held out",
                classes[class], before[class]
            ),
            "hold out less, or give more data of this class",
        )),
    }
}

/// Sorts rows by their place within their own class, from 0 to 1; equal places go by class.
fn interleave(rows: &mut [usize], labels: &[u32], classes: usize) {
    let mut counts = vec![0usize; classes];
    rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
    let mut seen = vec![0usize; classes];
    let mut placed: Vec<(f64, u32, usize)> = rows
        .iter()
        .map(|&row| {
            let class = labels[row] as usize;
            seen[class] += 1;
            ((seen[class] as f64 - 0.5) / counts[class] as f64, labels[row], row)
        })
        .collect();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    rows.iter_mut().zip(placed).for_each(|(row, (_, _, placed))| *row = placed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Tensor;

    fn data(labels: &[f64]) -> Dataset {
        let x = Tensor::new([labels.len(), 1], (0..labels.len()).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
        Dataset::new(x, Target::from_numbers(labels, None).unwrap()).unwrap()
    }

    #[test]
    fn parts_are_exact_disjoint_and_stratified() {
        let labels: Vec<f64> = (0..1000)
            .map(|i| {
                if i % 100 < 70 {
                    0.0
                } else if i % 100 < 97 {
                    1.0
                } else {
                    2.0
                }
            })
            .collect();
        let data = data(&labels);
        for seed in 0..20 {
            let parts = hold_out_rows(&data, &[Holdout::fraction(0.2), Holdout::count(100)], seed).unwrap();
            assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [700, 200, 100]);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..1000).collect::<Vec<_>>());
            for (part, share) in parts.iter().zip([0.7, 0.2, 0.1]) {
                let counts = data.select(part).unwrap().class_counts().unwrap();
                for (count, of) in counts.iter().zip([700.0, 270.0, 30.0]) {
                    assert!((*count as f64 - share * of).abs() <= 1.0, "{counts:?}");
                }
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let data = data(&(0..100).map(|i| f64::from(i % 2)).collect::<Vec<_>>());
        let rows = |seed| hold_out_rows(&data, &[Holdout::fraction(0.3)], seed).unwrap();
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
        let last = Holdout { shuffle: false, ..Holdout::count(3) };
        assert_eq!(hold_out_rows(&data, &[last], 1).unwrap()[1], [97, 98, 99]);
    }

    #[test]
    fn messages() {
        let small = data(&[0.0, 0.0, 0.0, 1.0]);
        let error = |part: Holdout| hold_out(&small, &[part], 0).unwrap_err().to_string();
        assert_eq!(
            error(Holdout::fraction(0.1)),
            "the split is empty: a fraction of 0.1 of 4 samples is none; change the size of the part that is held out, or give \
             more data"
        );
        assert_eq!(error(Holdout::fraction(1.5)), "fraction is 1.5: it must be above 0 and below 1");
        assert_eq!(
            error(Holdout::count(4)),
            "the split leaves nothing to train on: a count of 4 takes all of 4 samples; change the size of the part that is held \
             out, or give more data"
        );
        assert_eq!(
            error(Holdout::count(3)),
            "the split leaves class \"1\" without a training example: all 1 of its samples are held out; hold out less, or give \
             more data of this class"
        );
        let neither = Holdout { fraction: None, ..Holdout::fraction(0.1) };
        assert_eq!(
            error(neither),
            "fraction is not given, nor count, nor fold: a part that is held out needs exactly one of them"
        );
    }
}
