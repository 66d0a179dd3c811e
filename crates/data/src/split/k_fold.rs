//! k-fold cross-validation: the samples are dealt into k parts, and each is held out once.
//!
//! * Plain: sizes differ by at most 1.
//! * Stratified, for class labels: sizes, and the counts of each class, differ by at most 1.
//! * Grouped, if the data have groups ([`Dataset::with_groups`]): groups stay whole, sizes are as even as dealing the largest
//!   group first makes them; stratified as far as groups allow.

use super::groups;
use super::{SPLIT_STREAM, check_still_there};
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use gradus_tensor::Rng;

/// How to make folds.
///
/// ```
/// use gradus_data::readers::Embedded;
/// use gradus_data::split::KFold;
/// let iris = Embedded::Iris.read();
/// for (train, valid) in KFold::new(5).rows(&iris, 7)? {
///     assert_eq!((train.len(), valid.len()), (120, 30));
///     assert_eq!(iris.select(&valid)?.class_counts(), Some(vec![10, 10, 10]));
/// }
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KFold {
    /// How many, at least 2 and at most one per sample or group.
    pub folds: usize,
    /// Whether every class has its share of each fold. Only for class labels; without them it has no effect.
    pub stratified: bool,
    /// Whether samples are dealt at random; otherwise each fold is a piece of the data (for series in time), not stratified.
    /// Groups are dealt by size, so that this decides among groups of one size alone.
    pub shuffle: bool,
}

/// The rows to train on and the rows that are held out, both ascending.
pub type FoldRows = (Vec<usize>, Vec<usize>);

impl KFold {
    /// Random, stratified folds.
    pub fn new(folds: usize) -> KFold {
        KFold { folds, stratified: true, shuffle: true }
    }

    /// The rows of each fold.
    ///
    /// # Errors
    /// Fewer than 2 folds, or more than there are samples or groups.
    pub fn rows(&self, data: &Dataset, seed: u64) -> Result<Vec<FoldRows>, DataError> {
        let rows: Vec<usize> = (0..data.len()).collect();
        let fold_of = self.deal(data, &rows, &mut Rng::new(seed, SPLIT_STREAM, 0))?;
        let parts = (0..self.folds).map(|fold| rows.iter().partition(|&&row| fold_of[row] != fold));
        Ok(parts.collect())
    }

    /// For each fold the samples to train on and those that are held out. All are copies: for large data go by [`KFold::rows`]
    /// and [`Dataset::select`] one fold at a time.
    ///
    /// # Errors
    /// As [`KFold::rows`], and where a fold has all samples of a class.
    pub fn split(&self, data: &Dataset, seed: u64) -> Result<Vec<(Dataset, Dataset)>, DataError> {
        let pair = |(train, valid): FoldRows| {
            let train = data.select(&train)?;
            check_still_there(data, &train)?;
            Ok((train, data.select(&valid)?))
        };
        self.rows(data, seed)?.into_iter().map(pair).collect()
    }

    /// The fold of each of some ascending rows.
    pub(super) fn deal(&self, data: &Dataset, rows: &[usize], rng: &mut Rng) -> Result<Vec<usize>, DataError> {
        let KFold { folds, stratified, shuffle } = *self;
        if folds < 2 {
            let expected = "there must be at least 2".to_string();
            return Err(DataError::Option { option: "folds", received: folds.to_string(), expected });
        }
        let too_many = |count: usize, of: &str| {
            let problem = format!("there cannot be {folds} folds: there are only {count} {of}");
            DataError::unfit(problem, format!("ask for at most {count}, or give more data"))
        };
        let stratified = stratified && shuffle;
        if let Some(ids) = data.groups() {
            let mut groups = groups::gather(data, ids, rows, stratified);
            if groups.len() < folds {
                return Err(too_many(groups.len(), "groups"));
            }
            if shuffle {
                rng.shuffle(&mut groups);
            }
            let dealt = groups::deal(&groups, folds);
            let mut pairs: Vec<(usize, usize)> = groups
                .iter()
                .zip(&dealt)
                .flat_map(|(group, &fold)| group.rows.iter().map(move |&row| (row, fold)))
                .collect();
            pairs.sort_unstable();
            return Ok(pairs.into_iter().map(|(_, fold)| fold).collect());
        }
        if rows.len() < folds {
            return Err(too_many(rows.len(), "samples"));
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut fold_of = vec![0; rows.len()];
        if shuffle {
            rng.shuffle(&mut order);
            if let (true, Target::Classes { labels, .. }) = (stratified, data.target()) {
                order.sort_by_key(|&i| labels[rows[i]]);
            }
            order.iter().enumerate().for_each(|(place, &i)| fold_of[i] = place % folds);
        } else {
            let (each, more) = (rows.len() / folds, rows.len() % folds);
            // The first `more` folds have one sample more.
            let long = more * (each + 1);
            order.iter().for_each(|&i| fold_of[i] = if i < long { i / (each + 1) } else { more + (i - long) / each });
        }
        Ok(fold_of)
    }
}

/// Random folds, stratified for class labels, with groups kept whole if the data have some: for each fold the samples to train
/// on and those that are held out. See [`KFold::split`].
///
/// ```
/// use gradus_data::readers::Embedded;
/// use gradus_data::split::k_fold;
/// // All four flowers of a plant stay together.
/// let plants: Vec<usize> = (0..150).map(|flower| flower / 4).collect();
/// let iris = Embedded::Iris.read().with_groups(&plants)?;
/// let folds = k_fold(&iris, 5, 7)?;
/// assert_eq!(folds.iter().map(|(_, valid)| valid.len()).sum::<usize>(), 150);
/// let (train, valid) = &folds[0];
/// assert!(valid.groups().unwrap().iter().all(|plant| !train.groups().unwrap().contains(plant)));
/// # Ok::<(), gradus_data::DataError>(())
/// ```
///
/// # Errors
/// Fewer than 2 folds, more than there are samples or groups, a fold with all samples of a class.
pub fn k_fold(data: &Dataset, folds: usize, seed: u64) -> Result<Vec<(Dataset, Dataset)>, DataError> {
    KFold::new(folds).split(data, seed)
}
