//! Initialisers: mean and spread of 10⁶ draws within 5 standard errors, and the Kolmogorov–Smirnov test of their distribution.

use gradus_graph::{Graph, Role, State};
use gradus_nn::init::{AnyInit, Auto, Constant, Distribution, Draw, FanIn, Fans, Msra, Normal, Uniform, Xavier, Zero};

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
        let (mut term, mut sum) = (x, x);
        for n in 1..80 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        0.5 - sum / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..60).rev().fold(x, |f, n| x + f64::from(n) / 2.0 / f);
        0.5 * (-x * x).exp() / fraction / std::f64::consts::PI.sqrt()
    };
    if z > 0.0 { 1.0 - upper } else { upper }
}

/// What a rule must give for the fans above: the mean, the standard deviation, and whether it is normal.
fn check(init: impl Into<AnyInit>, mean: f64, std: f64, normal: bool) {
    let init = init.into();
    let mut x = draws(&init);
    let n = x.len() as f64;
    let sample_mean = x.iter().sum::<f64>() / n;
    let sample_std = (x.iter().map(|v| (v - sample_mean).powi(2)).sum::<f64>() / n).sqrt();
    assert!((sample_mean - mean).abs() < 5.0 * std / n.sqrt(), "{init:?}: mean {sample_mean}, expected {mean}");
    // The standard error of a standard deviation: σ·√((κ - 1)/4n), with kurtosis κ 3 for a normal and 9/5 for a uniform.
    let kurtosis = if normal { 3.0 } else { 1.8 };
    let error = std * ((kurtosis - 1.0) / 4.0 / n).sqrt();
    assert!((sample_std - std).abs() < 5.0 * error, "{init:?}: standard deviation {sample_std}, expected {std}");
    x.sort_by(f64::total_cmp);
    let half = std * 3f64.sqrt();
    let cdf =
        |v: f64| if normal { normal_cdf((v - mean) / std) } else { ((v - mean + half) / (2.0 * half)).clamp(0.0, 1.0) };
    let distance = x.iter().enumerate().fold(0f64, |d, (i, &v)| {
        let f = cdf(v);
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
    check(Normal::default(), 0.0, 0.01, true);
    check(Normal { mean: 1.0, std: 0.5 }, 1.0, 0.5, true);
    check(Uniform::default(), 0.0, 0.1 / 12f64.sqrt(), false);
    check(Xavier::default(), 0.0, (2.0 / (n_in + n_out)).sqrt(), false);
    check(Xavier { distribution: normal, gain: 2.0 }, 0.0, 2.0 * (2.0 / (n_in + n_out)).sqrt(), true);
    check(Auto, 0.0, (2.0 / (n_in + n_out)).sqrt(), false);
    check(Msra::default(), 0.0, (2.0 / n_in).sqrt(), false);
    check(Msra { distribution: normal, slope: 0.2, gain: 1.0 }, 0.0, (2.0 / 1.04 / n_in).sqrt(), true);
    check(Msra { gain: 0.5, ..Msra::default() }, 0.0, 0.5 * (2.0 / n_in).sqrt(), false);
    check(FanIn { distribution: normal, ..FanIn::default() }, 0.0, 1.0 / n_in.sqrt(), true);
    check(FanIn::default(), 0.0, 1.0 / (3.0 * n_in).sqrt(), false);
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
}

#[test]
fn constants() {
    assert!(draws(&Zero.into()).iter().all(|&w| w == 0.0));
    assert!(draws(&Constant { value: 0.25 }.into()).iter().all(|&w| w == 0.25));
}
