//! What many numbers look like: mean, spread, zeros, histogram.

use serde::Serialize;

/// Bars of a histogram.
pub const BINS: usize = 48;
/// Of more numbers than this, evenly spread ones make the histogram.
const MOST: usize = 1 << 17;

/// How often values fall into each of [`BINS`] equal parts of a range. Exact zeros are not in it: see [`Values::zeros`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the first part begins; of a logarithmic one its power of ten.
    pub low: f64,
    /// Where the last part ends.
    pub high: f64,
    /// Whether the parts are those of `log10 |x|`.
    pub log: bool,
    /// The share of all numbers in each part.
    pub shares: Vec<f64>,
}

/// Numbers in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Values {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub sd: f64,
    /// The root of the mean over samples of a sample's squared L2 norm.
    pub norm: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// The share of exact zeros.
    pub zeros: f64,
    /// Where they lie.
    pub histogram: Histogram,
    #[serde(skip)]
    thinned: Vec<f32>,
}

impl Values {
    /// Of `samples` samples' numbers, each multiplied by `factor`.
    pub(crate) fn new(x: &[f32], samples: usize, factor: f64) -> Values {
        let n = x.len().max(1) as f64;
        let values = || x.iter().map(|&x| f64::from(x) * factor);
        let mean = values().sum::<f64>() / n;
        let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        let stride = x.len().div_ceil(MOST).max(1);
        Values {
            mean,
            sd: variance.sqrt(),
            norm: (values().map(|x| x * x).sum::<f64>() / samples.max(1) as f64).sqrt(),
            low: values().fold(f64::INFINITY, f64::min),
            high: values().fold(f64::NEG_INFINITY, f64::max),
            zeros: x.iter().filter(|&&x| x == 0.0).count() as f64 / n,
            histogram: Histogram::default(),
            thinned: x.iter().step_by(stride).map(|&x| (f64::from(x) * factor) as f32).collect(),
        }
    }

    /// Whether all of them are finite.
    pub fn is_finite(&self) -> bool {
        self.norm.is_finite()
    }

    /// The numbers other than 0, as they lie on the histogram's axis.
    pub(crate) fn points(&self, log: bool) -> impl Iterator<Item = f64> {
        let points = self.thinned.iter().filter(|x| **x != 0.0 && x.is_finite()).map(|&x| f64::from(x));
        points.map(move |x| if log { x.abs().log10() } else { x })
    }

    /// Makes the histogram over a range.
    pub(crate) fn draw(&mut self, [low, high]: [f64; 2], log: bool) {
        let mut shares = vec![0.0; BINS];
        let each = 1.0 / self.thinned.len().max(1) as f64;
        let width = (high - low) / BINS as f64;
        for x in self.points(log).filter(|x| (low..=high).contains(x)) {
            shares[(((x - low) / width) as usize).min(BINS - 1)] += each;
        }
        self.histogram = Histogram { low, high, log, shares };
    }
}

/// The range that holds all points but the outermost half percent at either end; 0 is in it unless it is logarithmic.
pub(crate) fn range<'v>(values: impl Iterator<Item = &'v Values>, log: bool) -> [f64; 2] {
    let mut points: Vec<f64> = values.flat_map(|values| values.points(log)).collect();
    if points.is_empty() {
        return if log { [-1.0, 1.0] } else { [0.0, 1.0] };
    }
    points.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| points[((points.len() - 1) as f64 * share).round() as usize];
    let [low, high] =
        if log { [at(0.005).floor() + 0.0, at(0.995).ceil() + 0.0] } else { [at(0.005).min(0.0), at(0.995).max(0.0)] };
    if low < high { [low, high] } else { [low - 1.0, high + 1.0] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_short() {
        let mut values = Values::new(&[0.0, 1.0, -1.0, 4.0], 2, 2.0);
        assert_eq!((values.mean, values.low, values.high, values.zeros), (2.0, -2.0, 8.0, 0.25));
        assert!((values.sd - 14f64.sqrt()).abs() < 1e-12 && (values.norm - 36f64.sqrt()).abs() < 1e-12);
        values.draw([-2.0, 10.0], false);
        let bars = &values.histogram.shares;
        assert_eq!((bars[0], bars[16], bars[40]), (0.25, 0.25, 0.25));
        assert!((bars.iter().sum::<f64>() - 0.75).abs() < 1e-12, "the zero is not in it");
    }

    #[test]
    fn ranges_hold_what_matters() {
        let mut many: Vec<f32> = (1..=1000).map(|i| i as f32 / 1000.0).collect();
        many.push(1e9);
        let values = Values::new(&many, 1, 1.0);
        assert_eq!(range([&values].into_iter(), false), [0.0, f64::from(0.996f32)]);
        assert_eq!(range([&values].into_iter(), true), [-3.0, 0.0]);
        assert_eq!(range([&Values::new(&[0.0], 1, 1.0)].into_iter(), true), [-1.0, 1.0]);
    }
}
