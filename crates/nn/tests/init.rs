//! Initialisers: mean and spread of 10⁶ draws within 5 standard errors, and the Kolmogorov–Smirnov test of their distribution.

use gradus_graph::{Graph, Role, State};
use gradus_nn::init::{
    AnyInit, Auto, Constant, Distribution, Draw, FanIn, Fans, Lecun, Msra, Normal, Orthogonal, TruncatedNormal,
    Uniform, Xavier, Zero,
};

const FANS: Fans = Fans { inputs: 800, outputs: 1250 };

/// 10⁶ first values of a weight with these fans.
fn draws(init: &AnyInit) -> Vec<f64> {
    let g = Graph::new();
    let w = g.variable("w", [FANS.inputs, FANS.outputs], init.with(FANS), Role::Weight);
    State::<f64>::new(&g.model(&[("w", &w)]).unwrap(), 3).variable("w").unwrap().to_vec()
}

/// The standard normal distribution function, by the series of erf near 0 and the continued fraction of erfc beyond.
fn normal_cdf(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let upper = if x < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term.abs() > 1e-17 {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        0.5 - sum / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..60).rev().fold(x, |f, n| x + f64::from(n) / 2.0 / f);
        0.5 * (-x * x).exp() / fraction / std::f64::consts::PI.sqrt()
    };
    if z > 0.0 { 1.0 - upper } else { upper }
}

/// A distribution of one value.
#[derive(Clone, Copy)]
enum Shape {
    Uniform,
    Normal,
    /// Normal between these numbers of standard deviations before the cut.
    Truncated(f64, f64),
}

impl Shape {
    /// The distribution function, and the mean, the standard deviation and the kurtosis, for a spread of 1 around 0.
    fn cdf(self, z: f64) -> f64 {
        match self {
            Shape::Uniform => ((z / 3f64.sqrt() + 1.0) / 2.0).clamp(0.0, 1.0),
            Shape::Normal => normal_cdf(z),
            Shape::Truncated(low, high) => {
                let below = normal_cdf(low);
                (normal_cdf(z) - below) / (normal_cdf(high) - below)
            }
        }
    }

    fn moments(self) -> (f64, f64, f64) {
        let Shape::Truncated(low, high) = self else {
            return (0.0, 1.0, if matches!(self, Shape::Normal) { 3.0 } else { 1.8 });
        };
        // By Simpson's rule over the density.
        const PARTS: usize = 4000;
        let width = (high - low) / PARTS as f64;
        let raw = |power: i32, center: f64| {
            let term = |i: usize| {
                let z = low + width * i as f64;
                let weight = if i == 0 || i == PARTS { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
                weight * (z - center).powi(power) * (-z * z / 2.0).exp()
            };
            (0..=PARTS).map(term).sum::<f64>() * width / 3.0
        };
        let mass = raw(0, 0.0);
        let mean = raw(1, 0.0) / mass;
        let variance = raw(2, mean) / mass;
        (mean, variance.sqrt(), raw(4, mean) / mass / (variance * variance))
    }
}

/// What a rule must give for the fans above: the center and spread of a distribution of this shape, before any cut.
fn check(init: impl Into<AnyInit>, center: f64, spread: f64, shape: Shape) {
    let init = init.into();
    let (mean, std, kurtosis) = shape.moments();
    let mut z: Vec<f64> = draws(&init).into_iter().map(|x| (x - center) / spread).collect();
    let n = z.len() as f64;
    let sample_mean = z.iter().sum::<f64>() / n;
    let sample_std = (z.iter().map(|v| (v - sample_mean).powi(2)).sum::<f64>() / n).sqrt();
    assert!((sample_mean - mean).abs() < 5.0 * std / n.sqrt(), "{init:?}: mean {sample_mean}, expected {mean}");
    let error = std * ((kurtosis - 1.0) / 4.0 / n).sqrt();
    assert!((sample_std - std).abs() < 5.0 * error, "{init:?}: standard deviation {sample_std}, expected {std}");
    z.sort_by(f64::total_cmp);
    let distance = z.iter().enumerate().fold(0f64, |d, (i, &z)| {
        let f = shape.cdf(z);
        d.max(f - i as f64 / n).max((i + 1) as f64 / n - f)
    });
    // Passed with probability 0.999 by draws from the right distribution.
    assert!(distance * n.sqrt() < 1.95, "{init:?}: Kolmogorov–Smirnov {}", distance * n.sqrt());
}

#[test]
fn the_reference_distribution_is_right() {
    for (z, p) in
        [(0.0, 0.5), (1.0, 0.841_344_746_068_542_9), (-1.96, 0.024_997_895_148_220_4), (4.0, 0.999_968_328_758_166_9)]
    {
        assert!((normal_cdf(z) - p).abs() < 1e-12, "{z}: {}", normal_cdf(z));
    }
}

#[test]
fn moments_and_distributions() {
    let (n_in, n_out) = (800f64, 1250f64);
    let normal = Distribution::Normal;
    check(Normal::default(), 0.0, 0.01, Shape::Normal);
    check(Normal { mean: 1.0, std: 0.5 }, 1.0, 0.5, Shape::Normal);
    check(Uniform::default(), 0.0, 0.1 / 12f64.sqrt(), Shape::Uniform);
    check(Xavier::default(), 0.0, (2.0 / (n_in + n_out)).sqrt(), Shape::Uniform);
    check(Xavier { distribution: normal, gain: 2.0 }, 0.0, 2.0 * (2.0 / (n_in + n_out)).sqrt(), Shape::Normal);
    check(Auto, 0.0, (2.0 / (n_in + n_out)).sqrt(), Shape::Uniform);
    check(Msra::default(), 0.0, (2.0 / n_in).sqrt(), Shape::Uniform);
    check(Msra { distribution: normal, slope: 0.2, gain: 1.0 }, 0.0, (2.0 / 1.04 / n_in).sqrt(), Shape::Normal);
    check(Msra { gain: 0.5, ..Msra::default() }, 0.0, 0.5 * (2.0 / n_in).sqrt(), Shape::Uniform);
    check(FanIn { distribution: normal, ..FanIn::default() }, 0.0, 1.0 / n_in.sqrt(), Shape::Normal);
    check(FanIn::default(), 0.0, 1.0 / (3.0 * n_in).sqrt(), Shape::Uniform);
    check(Lecun::default(), 0.0, 1.0 / n_in.sqrt(), Shape::Uniform);
    check(Lecun { distribution: normal, gain: 3.0 }, 0.0, 3.0 / n_in.sqrt(), Shape::Normal);
}

#[test]
fn truncated_normals() {
    check(TruncatedNormal::default(), 0.0, 0.02, Shape::Truncated(-2.0, 2.0));
    let cut = |low, high| TruncatedNormal { mean: 1.0, std: 0.5, low, high };
    // Every way of drawing: by a normal, by a uniform, by an exponential distribution, and turned around.
    for (low, high) in [(-0.5, 4.0), (-0.5, 1.0), (0.0, 0.25), (0.5, 60.0), (5.0, 6.0), (-9.0, -4.0)] {
        check(cut(low, high), 1.0, 0.5, Shape::Truncated(low, high));
    }
    let truncated = Distribution::Truncated;
    let std = (2.0 / 800f64).sqrt();
    let init = AnyInit::from(Msra { distribution: truncated, ..Msra::default() });
    check(init.clone(), 0.0, std / 0.879_625_661_034_24, Shape::Truncated(-2.0, 2.0));
    let draws = draws(&init);
    let found = (draws.iter().map(|w| w * w).sum::<f64>() / draws.len() as f64).sqrt();
    assert!((found / std - 1.0).abs() < 2e-3, "the cut keeps the rule's spread: {found} {std}");
}

/// The scalar products of a matrix's rows, or of its columns.
fn assert_orthogonal(x: &[f64], rows: usize, columns: usize, gain: f64) {
    let (count, len) = (rows.min(columns), rows.max(columns));
    let at = |i: usize, k: usize| if rows <= columns { x[i * columns + k] } else { x[k * columns + i] };
    for i in 0..count {
        for j in 0..=i {
            let product: f64 = (0..len).map(|k| at(i, k) * at(j, k)).sum();
            let expected = if i == j { gain * gain } else { 0.0 };
            assert!((product - expected).abs() < 1e-13 * gain * gain, "[{rows}, {columns}]: {i}, {j}: {product}");
        }
    }
}

#[test]
fn orthogonal_matrices() {
    let values = |shape: &[usize], gain: f64| {
        let g = Graph::new();
        let w = g.variable("w", shape, AnyInit::from(Orthogonal { gain }).with(FANS), Role::Weight);
        State::<f64>::new(&g.model(&[("w", &w)]).unwrap(), 9).variable("w").unwrap().to_vec()
    };
    for (rows, columns) in [(1, 1), (5, 5), (64, 40), (40, 64), (33, 33), (130, 130), (17, 200)] {
        assert_orthogonal(&values(&[rows, columns], 1.0), rows, columns, 1.0);
    }
    assert_orthogonal(&values(&[8, 3, 5], 1.5), 8, 15, 1.5);
    assert_orthogonal(&values(&[7], 2.0), 7, 1, 2.0);
}

#[test]
fn orthogonal_matrices_are_all_equally_likely() {
    // A matrix of order 2 turns by an angle or mirrors: the angle is uniform and both kinds are equally common only if the signs
    // of R are mended.
    const N: usize = 20_000;
    let mut rng = gradus_tensor::Rng::new(4, 0, 0);
    let (mut angles, mut turns) = (vec![], 0);
    for _ in 0..N {
        let m = Draw::Orthogonal { gain: 1.0 }.values(&[2, 2], &mut rng);
        turns += usize::from(m[0] * m[3] - m[1] * m[2] > 0.0);
        angles.push(m[1].atan2(m[0]) / std::f64::consts::TAU + 0.5);
    }
    assert!((turns as f64 - N as f64 / 2.0).abs() < 5.0 * (N as f64 / 4.0).sqrt(), "{turns}");
    angles.sort_by(f64::total_cmp);
    let distance = angles.iter().enumerate().fold(0f64, |d, (i, a)| d.max((a - i as f64 / N as f64).abs()));
    assert!(distance * (N as f64).sqrt() < 1.95, "{distance}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |init: AnyInit| init.check().unwrap_err().expected;
    assert_eq!(refused(Orthogonal { gain: 0.0 }.into()), "`gain` above 0");
    assert_eq!(refused(Lecun { gain: f64::NAN, ..Lecun::default() }.into()), "`gain` above 0");
    assert_eq!(refused(TruncatedNormal { low: 2.0, ..TruncatedNormal::default() }.into()), "`high - low` above 0");
    assert_eq!(
        refused(TruncatedNormal { high: f64::INFINITY, ..TruncatedNormal::default() }.into()),
        "`high` that is finite"
    );
}

#[test]
fn bounds_of_uniform_rules() {
    let bound = |init: AnyInit| match init.draw(FANS) {
        Draw::Uniform(low, high) if low == -high => high,
        other => panic!("{other:?}"),
    };
    let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-15, "{x} {y}");
    near(bound(Xavier::default().into()), (6.0 / 2050f64).sqrt());
    near(bound(Msra::default().into()), (6.0 / 800f64).sqrt());
    near(bound(FanIn::default().into()), 1.0 / 800f64.sqrt());
    near(bound(Lecun::default().into()), (3.0 / 800f64).sqrt());
}

#[test]
fn constants() {
    assert!(draws(&Zero.into()).iter().all(|&w| w == 0.0));
    assert!(draws(&Constant { value: 0.25 }.into()).iter().all(|&w| w == 0.25));
}
