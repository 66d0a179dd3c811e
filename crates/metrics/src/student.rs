//! Student's t distribution with `n` degrees of freedom, `P(|T| > t) = I(n/(n + t²); n/2, 1/2)`.
//!
//! `I(x; a, b)` is the regularised incomplete beta function, by its continued fraction (Abramowitz & Stegun 1964, 26.5.8)
//! evaluated as Lentz 1976 does; the logarithm of the gamma function is that of Lanczos 1964.

use std::f64::consts::PI;

/// The probability that a t variable is at most `t`. Any `degrees` above 0; NaN otherwise.
///
/// ```
/// assert!((gradus_metrics::student::probability(2.015048, 5.0) - 0.95).abs() < 1e-6);
/// ```
pub fn probability(t: f64, degrees: f64) -> f64 {
    let tail = 0.5 * two_sided(t, degrees);
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The probability that a t variable is at least as far from 0 as `t`: the p of a two-sided test.
///
/// ```
/// assert!((gradus_metrics::student::two_sided(2.776445, 4.0) - 0.05).abs() < 1e-7);
/// ```
pub fn two_sided(t: f64, degrees: f64) -> f64 {
    if t.is_nan() || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    // Of x and 1 - x, each is computed by itself: neither loses digits.
    let squared = t * t;
    incomplete_beta(degrees / (degrees + squared), squared / (degrees + squared), 0.5 * degrees, 0.5)
}

/// The value that a t variable is at most with probability `p`: the inverse of [`probability`]. NaN where `p` is not from 0 to 1.
///
/// ```
/// assert!((gradus_metrics::student::quantile(0.975, 4.0) - 2.7764451052).abs() < 1e-9);
/// ```
pub fn quantile(p: f64, degrees: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    let (tail, sign) = if p < 0.5 { (p, -1.0) } else { (1.0 - p, 1.0) };
    if tail == 0.0 {
        return sign * f64::INFINITY;
    }
    let mut high = 1.0;
    while 0.5 * two_sided(high, degrees) > tail && high < f64::MAX / 4.0 {
        high *= 2.0;
    }
    let mut low = if high == 1.0 { 0.0 } else { high / 2.0 };
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return sign * middle;
        }
        if 0.5 * two_sided(middle, degrees) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// `I(x; a, b)` with `y = 1 - x`.
fn incomplete_beta(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * y.ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp();
    // The fraction converges fast on the near side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) { front * fraction(x, a, b) / a } else { 1.0 - front * fraction(y, b, a) / b }
}

/// The continued fraction of the incomplete beta function.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let away = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for m in 1..=10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            change *= c * d;
        }
        result *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function, for `x` above 0.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum = TERMS[0] + TERMS[1..].iter().zip(1..).map(|(term, i)| term / (x + f64::from(i))).sum::<f64>();
    let t = x + G + 0.5;
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_nonsense() {
        assert_eq!((probability(0.0, 3.0), quantile(0.5, 3.0)), (0.5, 0.0));
        assert_eq!((probability(f64::INFINITY, 3.0), probability(f64::NEG_INFINITY, 3.0)), (1.0, 0.0));
        assert_eq!((quantile(0.0, 3.0), quantile(1.0, 3.0)), (f64::NEG_INFINITY, f64::INFINITY));
        for nonsense in [probability(f64::NAN, 3.0), two_sided(1.0, 0.0), quantile(1.5, 3.0), quantile(0.5, -1.0)] {
            assert!(nonsense.is_nan());
        }
        assert!((ln_gamma(5.0) - 24.0_f64.ln()).abs() < 1e-14 && (ln_gamma(0.5) - PI.sqrt().ln()).abs() < 1e-14);
    }
}
