//! Names that are nearly right.

/// The names, nearest to `wrong` first; names equally near stay in their order.
///
/// ```
/// assert_eq!(gradus_cli::recipe::nearest::sorted("optimiser", &["epochs", "optimizer", "loss"])[0], "optimizer");
/// ```
pub fn sorted<'a>(wrong: &str, names: &[&'a str]) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.to_vec();
    // A name that holds the other one is nearer than its many other letters say.
    let part = |name: &str| wrong.len() > 2 && (name.contains(wrong) || wrong.contains(name));
    names.sort_by_key(|name| distance(wrong, name) / if part(name) { 2 } else { 1 });
    names
}

/// The nearest name, if it is near enough to be what was meant.
pub fn meant<'a>(wrong: &str, names: &[&'a str]) -> Option<&'a str> {
    let best = *sorted(wrong, names).first()?;
    let length = wrong.chars().count().max(best.chars().count());
    let part = wrong.len() > 2 && (best.contains(wrong) || wrong.contains(best));
    (part || distance(wrong, best) * 5 <= length * 2).then_some(best)
}

/// How many letters must be added, removed, changed, or swapped with their neighbour; case and `_` do not count. Damerau 1964, in the restricted form.
pub fn distance(a: &str, b: &str) -> usize {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' ', '_'], "").chars().collect::<Vec<char>>();
    let (a, b) = (plain(a), plain(b));
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let mut best =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in
            [("", "abc", 3), ("lr", "rl", 1), ("epoch", "epochs", 1), ("adamw", "adam_w", 0), ("sgd", "adam", 4)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        let names = ["epochs", "batch_size", "loss", "optimizer"];
        assert_eq!(meant("batchsize", &names), Some("batch_size"));
        assert_eq!(meant("batch", &names), Some("batch_size"));
        assert_eq!(meant("quite_another", &names), None);
    }
}
