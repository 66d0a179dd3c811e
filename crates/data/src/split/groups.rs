//! Splits that keep groups whole: all samples of a patient, a speaker or a day are in one part.
//!
//! A part is filled group by group in random order. A group is taken if that brings the part nearer to its size; stratified, to
//! its share of each class, by `Σ (held - wanted)²/all` over the classes, and to its size where that makes no difference. So, not
//! stratified, a part misses its size by at most half a group. Folds are filled from the largest group to the smallest, each into
//! the fold that has least: stratified, least of the group's classes.

use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use std::cmp::{Ordering, Reverse};

/// Sums of class terms that differ by less are the same but for rounding.
const EVEN: f64 = 1e-9;

/// Some rows of one group.
pub(super) struct Group {
    pub rows: Vec<usize>,
    /// How many in all, and then, if classes matter, how many of each.
    counts: Vec<f64>,
}

/// The rows by group, in the order in which the groups first come.
pub(super) fn gather(data: &Dataset, ids: &[u32], rows: &[usize], stratified: bool) -> Vec<Group> {
    let (labels, classes) = match data.target() {
        Target::Classes { labels, classes } if stratified => (Some(labels), classes.len()),
        _ => (None, 0),
    };
    let mut places = vec![usize::MAX; ids.iter().max().map_or(0, |most| *most as usize + 1)];
    let mut groups: Vec<Group> = vec![];
    for &row in rows {
        let place = &mut places[ids[row] as usize];
        if *place == usize::MAX {
            *place = groups.len();
            groups.push(Group { rows: vec![], counts: vec![0.0; 1 + classes] });
        }
        let group = &mut groups[*place];
        group.rows.push(row);
        group.counts[0] += 1.0;
        if let Some(labels) = labels {
            group.counts[1 + labels[row] as usize] += 1.0;
        }
    }
    groups
}

/// The rows of a part of about `size` of `len` samples, `said` in words: groups in their order, and those that do not fit are
/// passed over, or end the part if it is `in_order`. `totals` are the counts over all samples.
pub(super) fn take(
    groups: &[Group],
    totals: &[f64],
    (size, len): (usize, usize),
    in_order: bool,
    said: &str,
) -> Result<Vec<usize>, DataError> {
    let share = size as f64 / len as f64;
    let mut held = vec![0.0; totals.len()];
    let (mut rows, mut taken) = (vec![], 0);
    for group in groups {
        let change = |k: usize| {
            let (held, more, all) = (held[k], group.counts[k], totals[k]);
            if all > 0.0 { more * (2.0 * (held - share * all) + more) / all } else { 0.0 }
        };
        let classes: f64 = (1..held.len()).map(change).sum();
        let nearer = classes < -EVEN || classes <= EVEN && change(0) < 0.0;
        if nearer && taken + 1 < groups.len() {
            held.iter_mut().zip(&group.counts).for_each(|(held, more)| *held += more);
            rows.extend_from_slice(&group.rows);
            taken += 1;
        } else if in_order {
            break;
        }
    }
    if taken > 0 {
        return Ok(rows);
    }
    let problem = match groups {
        [_] => "the split is empty: all samples that are left are of one group, which stays whole".to_string(),
        _ => {
            let sizes = || groups.iter().map(|group| group.rows.len());
            let (least, most) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
            format!(
                "the split is empty: {said} of {len} samples has no room for a whole group; there are {} groups of {least} to \
                 {most} samples",
                groups.len()
            )
        }
    };
    Err(DataError::unfit(problem, "hold out more, or group the samples more finely"))
}

/// The counts of some groups together.
pub(super) fn totals(groups: &[Group]) -> Vec<f64> {
    let classes = groups.first().map_or(0, |group| group.counts.len());
    (0..classes).map(|class| groups.iter().map(|group| group.counts[class]).sum()).collect()
}

/// The fold of each group; among groups of one size the order decides. There are at least as many groups as folds.
pub(super) fn deal(groups: &[Group], folds: usize) -> Vec<usize> {
    let totals = totals(groups);
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&i| Reverse(groups[i].rows.len()));
    let mut filled = vec![vec![0.0; totals.len()]; folds];
    let mut fold_of = vec![0; groups.len()];
    for i in order {
        let group = &groups[i];
        let share = |fold: usize, k: usize| {
            if totals[k] > 0.0 { filled[fold][k] * group.counts[k] / totals[k] } else { 0.0 }
        };
        let classes = |fold: usize| (1..totals.len()).map(|k| share(fold, k)).sum::<f64>();
        let order = |a: f64, b: f64| if (a - b).abs() <= EVEN { Ordering::Equal } else { a.total_cmp(&b) };
        let less = |a: usize, b: usize| order(classes(a), classes(b)).then(order(filled[a][0], filled[b][0]));
        let fold = (1..folds).fold(0, |least, fold| if less(fold, least).is_lt() { fold } else { least });
        filled[fold].iter_mut().zip(&group.counts).for_each(|(held, more)| *held += more);
        fold_of[i] = fold;
    }
    fold_of
}
