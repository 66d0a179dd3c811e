//! Held-out parts and folds: disjoint, covering, balanced, groups whole. The sizes of grouped folds are those of scikit-learn,
//! made by `fixtures/make_scalers.py`.

use gradus_data::readers::Embedded;
use gradus_data::split::{FoldRows, KFold, hold_out_rows};
use gradus_data::{Dataset, Holdout, Locator, Source, Target, hold_out, k_fold};
use gradus_tensor::{Rng, Tensor};
use std::collections::HashSet;

fn data(labels: Option<&[f64]>, len: usize) -> Dataset {
    let x = Tensor::new([len, 1], (0..len).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
    let target = labels.map_or(Target::None, |labels| Target::from_numbers(labels, None).unwrap());
    Dataset::new(x, target).unwrap()
}

/// Every row is held out once, and trained on in all other folds.
fn check_cover(folds: &[FoldRows], len: usize) {
    let mut held: Vec<usize> = folds.iter().flat_map(|(_, valid)| valid.clone()).collect();
    held.sort_unstable();
    assert_eq!(held, (0..len).collect::<Vec<_>>());
    for (train, valid) in folds {
        let mut both = [&train[..], &valid[..]].concat();
        assert!(train.is_sorted() && valid.is_sorted());
        both.sort_unstable();
        assert_eq!(both, (0..len).collect::<Vec<_>>());
    }
}

fn within_one(counts: impl Iterator<Item = usize>) -> bool {
    let counts: Vec<usize> = counts.collect();
    counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1
}

#[test]
fn plain_folds_cover_and_are_even() {
    for (len, folds) in [(10, 2), (23, 5), (7, 7), (101, 10)] {
        for shuffle in [true, false] {
            let data = data(None, len);
            let k_fold = KFold { shuffle, ..KFold::new(folds) };
            let rows = k_fold.rows(&data, 3).unwrap();
            assert_eq!(rows.len(), folds);
            check_cover(&rows, len);
            assert!(within_one(rows.iter().map(|(_, valid)| valid.len())));
            assert_eq!(rows, k_fold.rows(&data, 3).unwrap());
            let pieces = rows.iter().all(|(_, valid)| valid.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert_eq!(pieces, !shuffle || len == folds);
        }
    }
    let seeded = |seed| KFold::new(5).rows(&data(None, 50), seed).unwrap();
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn stratified_folds_share_out_each_class() {
    let labels: Vec<f64> = (0..97).map(|i| f64::from(u8::from(i % 3 == 0) + 2 * u8::from(i % 10 == 7))).collect();
    for (data, folds) in [(Embedded::Digits.read(), 10), (Embedded::Iris.read(), 7), (data(Some(&labels), 97), 5)] {
        let rows = KFold::new(folds).rows(&data, 11).unwrap();
        check_cover(&rows, data.len());
        assert!(within_one(rows.iter().map(|(_, valid)| valid.len())));
        let counts: Vec<Vec<usize>> =
            rows.iter().map(|(_, valid)| data.select(valid).unwrap().class_counts().unwrap()).collect();
        for class in 0..counts[0].len() {
            assert!(within_one(counts.iter().map(|counts| counts[class])), "{counts:?}");
        }
        let plain = KFold { stratified: false, ..KFold::new(folds) }.rows(&data, 11).unwrap();
        check_cover(&plain, data.len());
        assert_ne!(plain, rows);
    }
}

fn sizes() -> (Vec<usize>, serde_json::Value) {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("fixtures/scalers.json")).unwrap();
    (serde_json::from_value(fixture["group_sizes"].clone()).unwrap(), fixture["group_folds"].clone())
}

/// Samples in groups of these sizes, strewn over the data.
fn grouped(sizes: &[usize], labels: Option<&[f64]>, seed: u64) -> Dataset {
    let mut ids: Vec<usize> = sizes.iter().enumerate().flat_map(|(id, &size)| vec![id; size]).collect();
    Rng::new(seed, 0, 0).shuffle(&mut ids);
    data(labels, ids.len()).with_groups(&ids).unwrap()
}

fn groups_of(data: &Dataset, rows: &[usize]) -> HashSet<u32> {
    rows.iter().map(|&row| data.groups().unwrap()[row]).collect()
}

#[test]
fn grouped_folds_are_whole_and_as_even_as_scikit_learns() {
    let (sizes, expected) = sizes();
    for folds in [2, 3, 5, 10] {
        for shuffle in [true, false] {
            let data = grouped(&sizes, None, 5);
            let rows = KFold { shuffle, ..KFold::new(folds) }.rows(&data, 9).unwrap();
            check_cover(&rows, data.len());
            for (train, valid) in &rows {
                assert!(groups_of(&data, train).is_disjoint(&groups_of(&data, valid)));
            }
            let mut found: Vec<usize> = rows.iter().map(|(_, valid)| valid.len()).collect();
            found.sort_unstable();
            let expected: Vec<usize> = serde_json::from_value(expected[folds.to_string()].clone()).unwrap();
            assert_eq!(found, expected);
        }
    }
    let even = grouped(&[3; 20], None, 1);
    let seeded = |seed| KFold::new(4).rows(&even, seed).unwrap();
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn grouped_folds_can_be_stratified() {
    // Every group has one class; every third group is of the rare one.
    let labels: Vec<f64> = (0..600).map(|i| f64::from(u8::from(i / 6 % 3 == 0))).collect();
    let ids: Vec<usize> = (0..600).map(|i| i / 6).collect();
    let data = data(Some(&labels), 600).with_groups(&ids).unwrap();
    let shares = |stratified| -> Vec<usize> {
        let rows = KFold { stratified, ..KFold::new(5) }.rows(&data, 2).unwrap();
        check_cover(&rows, 600);
        rows.iter().map(|(_, valid)| data.select(valid).unwrap().class_counts().unwrap()[1]).collect()
    };
    // 34 groups of 6 in 5 folds.
    assert!(shares(true).iter().all(|&count| count == 36 || count == 42), "{:?}", shares(true));
    assert!(shares(false).iter().any(|&count| count != 36 && count != 42), "{:?}", shares(false));
}

#[test]
fn grouped_parts_are_whole_and_near_their_size() {
    let (sizes, _) = sizes();
    let most = *sizes.iter().max().unwrap();
    let mut seen = HashSet::new();
    for seed in 0..30 {
        let data = grouped(&sizes, None, 5);
        let parts = hold_out_rows(&data, &[Holdout::fraction(0.2), Holdout::count(60)], seed).unwrap();
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, (0..data.len()).collect::<Vec<_>>());
        for (i, part) in parts.iter().enumerate() {
            assert!(part.is_sorted());
            for other in &parts[i + 1..] {
                assert!(groups_of(&data, part).is_disjoint(&groups_of(&data, other)));
            }
        }
        let wanted = Holdout::fraction(0.2).size(data.len()).unwrap();
        assert!(parts[1].len().abs_diff(wanted) <= most / 2, "{} of {wanted}", parts[1].len());
        assert!(parts[2].len().abs_diff(60) <= most / 2, "{}", parts[2].len());
        seen.insert(parts[1].clone());
    }
    assert!(seen.len() > 20, "{}", seen.len());
    let in_order = data(None, 12).with_groups(&["a", "a", "a", "b", "b", "b", "c", "c", "c", "c", "d", "d"]).unwrap();
    let last = Holdout { shuffle: false, ..Holdout::count(5) };
    assert_eq!(hold_out_rows(&in_order, &[last], 1).unwrap()[1], [6, 7, 8, 9, 10, 11]);
}

#[test]
fn grouped_parts_can_be_stratified() {
    let labels: Vec<f64> = (0..600).map(|i| f64::from(u8::from(i / 6 % 5 == 0))).collect();
    let ids: Vec<usize> = (0..600).map(|i| i / 6).collect();
    let data = data(Some(&labels), 600).with_groups(&ids).unwrap();
    for seed in 0..10 {
        let part = &hold_out_rows(&data, &[Holdout::fraction(0.25)], seed).unwrap()[1];
        let counts = data.select(part).unwrap().class_counts().unwrap();
        assert!(counts[0].abs_diff(120) <= 3 && counts[1].abs_diff(30) <= 3, "{counts:?}");
    }
}

#[test]
fn a_fold_is_a_part() {
    let iris = Embedded::Iris.read();
    let folds = KFold::new(4).rows(&iris, 5).unwrap();
    for (fold, expected) in (1..).zip(&folds) {
        let parts = hold_out_rows(&iris, &[Holdout::fold(fold, 4)], 5).unwrap();
        assert_eq!((&parts[0], &parts[1]), (&expected.0, &expected.1));
        assert!(parts[1].len().abs_diff(Holdout::fold(fold, 4).size(150).unwrap()) <= 1);
    }
    // A test part first: the folds share out what it leaves.
    let mut held = vec![];
    for fold in 1..=5 {
        let parts = hold_out_rows(&iris, &[Holdout::count(30), Holdout::fold(fold, 5)], 5).unwrap();
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [96, 30, 24]);
        held.extend(parts[2].clone());
        if fold == 5 {
            held.extend(parts[1].clone());
        }
    }
    held.sort_unstable();
    assert_eq!(held, (0..150).collect::<Vec<_>>());
}

#[test]
fn a_column_of_a_table_makes_groups() {
    let path = std::env::temp_dir().join(format!("gradus-splits-{}.csv", std::process::id()));
    let rows: String =
        (0..60).map(|i| format!("p{},{},{}\n", i % 12, i, if i % 12 < 6 { "ill" } else { "well" })).collect();
    std::fs::write(&path, format!("patient,pulse,state\n{rows}")).unwrap();
    let read = |more: &str| {
        let text = format!("csv = {{ path = {:?}, target = \"state\", {more} }}", path.display().to_string());
        toml::from_str::<Source>(&text).unwrap().read(&Locator::default())
    };
    let data = read("group = \"patient\"").unwrap();
    assert_eq!(data.feature_names().unwrap(), ["pulse"]);
    assert_eq!(data.groups().unwrap()[10..14], [10, 11, 0, 1]);
    let (train, parts) = hold_out(&data, &[Holdout::fraction(0.25)], 0).unwrap();
    assert_eq!((train.len(), parts[0].len()), (45, 15));
    let held: HashSet<u32> = parts[0].groups().unwrap().iter().copied().collect();
    assert_eq!(held.len(), 3);
    assert!(train.groups().unwrap().iter().all(|group| !held.contains(group)));
    let kept = read("group = 0, group_is_input = true").unwrap();
    assert_eq!((kept.feature_len(), kept.groups()), (13, data.groups()));
    assert_eq!(read("").unwrap().groups(), None);
    let error = read("group = \"person\"").unwrap_err().to_string();
    assert!(
        error.contains("there is no column named \"person\"; there are \"patient\", \"pulse\", \"state\""),
        "{error}"
    );
    std::fs::write(&path, "patient,pulse,state\na,1,ill\n,2,well\n").unwrap();
    let error = read("group = \"patient\"").unwrap_err().to_string();
    assert!(error.contains("line 3, column \"patient\" (field 1): the value is missing"), "{error}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn messages() {
    let iris = Embedded::Iris.read();
    let error = |data: &Dataset, folds| k_fold(data, folds, 0).unwrap_err().to_string();
    assert_eq!(error(&iris, 1), "folds is 1: there must be at least 2");
    assert_eq!(
        error(&iris, 151),
        "there cannot be 151 folds: there are only 150 samples; ask for at most 150, or give more data"
    );
    let few = iris.clone().with_groups(&(0..150).map(|i| i / 50).collect::<Vec<_>>()).unwrap();
    assert_eq!(
        error(&few, 4),
        "there cannot be 4 folds: there are only 3 groups; ask for at most 3, or give more data"
    );
    assert_eq!(
        error(&few, 3),
        "the split leaves class \"virginica\" without a training example: all 50 of its samples are held out; hold out less, or \
         give more data of this class"
    );
    let part = |data: &Dataset, part: Holdout| hold_out(data, &[part], 0).unwrap_err().to_string();
    assert_eq!(
        part(&few, Holdout::fraction(0.1)),
        "the split is empty: a fraction of 0.1 of 150 samples has no room for a whole group; there are 3 groups of 50 to 50 \
         samples; hold out more, or group the samples more finely"
    );
    let one = iris.clone().with_groups(&[0; 150]).unwrap();
    assert_eq!(
        part(&one, Holdout::fraction(0.5)),
        "the split is empty: all samples that are left are of one group, which stays whole; hold out more, or group the samples \
         more finely"
    );
    assert_eq!(part(&iris, Holdout::fold(6, 5)), "fold is 6: it must be from 1 to 5, the number of folds");
    assert_eq!(part(&iris, Holdout::fold(1, 1)), "of is 1: there must be at least 2 folds");
    let both = Holdout { count: Some(3), ..Holdout::fold(1, 5) };
    assert_eq!(
        part(&iris, both),
        "fraction is not alone: a part that is held out needs exactly one of fraction, count and fold"
    );
    let error = iris.with_groups(&[1, 2]).unwrap_err().to_string();
    assert_eq!(
        error,
        "the data do not fit: one group id for each of 150 samples expected, but 2 received; give every sample the id of its group"
    );
}
