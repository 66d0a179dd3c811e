//! From values to places on paper, and to words: scales, ticks, numbers.

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Equal differences take equal lengths.
    Linear,
    /// Equal ratios take equal lengths; positive values only.
    Log,
}

/// Maps values from `low..high` to pixels from `start..end` (which may run upwards or downwards).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// How values are spread.
    pub spread: Spread,
    /// Value at `start`.
    pub low: f64,
    /// Value at `end`.
    pub high: f64,
    /// Pixel of `low`.
    pub start: f64,
    /// Pixel of `high`.
    pub end: f64,
}

/// Beyond this, values are drawn at the edge: the difference of two must not overflow.
const FARTHEST: f64 = 1e150;

impl Scale {
    /// A linear scale over `low..high`, widened where that is empty or not finite.
    pub fn linear([low, high]: [f64; 2], start: f64, end: f64) -> Self {
        let (mut low, mut high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
        (low, high) = (low.clamp(-FARTHEST, FARTHEST), high.clamp(-FARTHEST, FARTHEST));
        if high - low <= f64::EPSILON * 16.0 * low.abs().max(high.abs()) {
            let by = if low == 0.0 { 0.5 } else { low.abs() * 0.05 };
            (low, high) = (low - by, high + by);
        }
        Self { spread: Spread::Linear, low, high, start, end }
    }

    /// A logarithmic scale over `low..high`; linear where that is not all positive.
    pub fn log([low, high]: [f64; 2], start: f64, end: f64) -> Self {
        if !(low > 0.0 && high.is_finite() && high >= low) {
            return Self::linear([low, high], start, end);
        }
        let (mut low, mut high) = (low.clamp(1e-140, 1e140), high.clamp(1e-140, 1e140));
        if high / low < 1.01 {
            (low, high) = (low / 1.1, high * 1.1);
        }
        Self { spread: Spread::Log, low, high, start, end }
    }

    /// The same scale with `share` of its length added at both ends.
    #[must_use]
    pub fn padded(self, share: f64) -> Self {
        match self.spread {
            Spread::Linear => {
                let by = (self.high - self.low) * share;
                Self { low: self.low - by, high: self.high + by, ..self }
            }
            Spread::Log => {
                let by = (self.high / self.low).powf(share);
                Self { low: self.low / by, high: self.high * by, ..self }
            }
        }
    }

    /// The pixel of a value, within the scale's ends; NaN for NaN.
    pub fn at(&self, value: f64) -> f64 {
        let share = match self.spread {
            Spread::Linear => (value.clamp(-FARTHEST, FARTHEST) - self.low) / (self.high - self.low),
            Spread::Log if value <= 0.0 => 0.0,
            Spread::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// About `count` round values within the scale, with their labels.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.spread == Spread::Log {
            let ticks = self.log_ticks(count);
            if ticks.len() >= 2 {
                return ticks.into_iter().map(|value| (value, log_label(value))).collect();
            }
        }
        let step = round_step((self.high - self.low) / count.max(1) as f64);
        let first = (self.low / step - 1e-9).ceil();
        let mut values: Vec<f64> = (0..=2 * count.max(1))
            .map(|i| (first + i as f64) * step)
            .filter(|value| *value <= self.high + step * 1e-9 && *value >= self.low - step * 1e-9)
            .collect();
        values.dedup();
        let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        values.into_iter().map(|value| (value, label(value, step, largest))).collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let inside = |value: &f64| *value >= self.low * (1.0 - 1e-9) && *value <= self.high * (1.0 + 1e-9);
        let every = ((last - first) as usize).div_ceil(count.max(1)).max(1);
        let decades: Vec<f64> = (first..=last).step_by(every).map(|power| 10_f64.powi(power)).filter(inside).collect();
        for mantissas in [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0]] {
            let ticks: Vec<f64> = (first..=last)
                .flat_map(|power| mantissas.iter().map(move |m| m * 10_f64.powi(power)))
                .filter(inside)
                .collect();
            if every == 1 && ticks.len() > count / 2 && ticks.len() <= count + 2 {
                return ticks;
            }
        }
        decades
    }
}

/// Smallest and largest finite value; NaNs where there is none.
pub fn bounds(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values.filter(|value| value.is_finite()).fold([f64::NAN; 2], |[low, high], value| [low.min(value), high.max(value)])
}

/// The nearest of 1, 2, 2.5, 5 times a power of ten that is not below `raw`.
pub fn round_step(raw: f64) -> f64 {
    if !(raw > 0.0 && raw.is_finite()) {
        return 1.0;
    }
    let power = 10_f64.powf(raw.log10().floor());
    let mantissa = [1.0, 2.0, 2.5, 5.0].into_iter().find(|m| m * power >= raw * (1.0 - 1e-9)).unwrap_or(10.0);
    mantissa * power
}

fn label(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 || (largest > 0.0 && value.abs() < step * 1e-6) {
        return "0".into();
    }
    let decimals = |step: f64| (0..12).find(|&d| (step * 10_f64.powi(d) + 1e-9).fract() < 1e-6).unwrap_or(12) as usize;
    if !(1e-4..1e15).contains(&largest) {
        let power = largest.log10().floor() as i32;
        let unit = 10_f64.powi(power);
        format!("{:.*}·{}", decimals(step / unit), value / unit, ten_to(power)).replace('-', "−")
    } else {
        let (unit, suffix) = match largest {
            l if l >= 1e12 => (1e12, "T"),
            l if l >= 1e9 => (1e9, "G"),
            l if l >= 1e6 => (1e6, "M"),
            l if l >= 1e5 => (1e3, "k"),
            _ => (1.0, ""),
        };
        let text = format!("{:.*}", decimals(step / unit), value.abs() / unit);
        let sign = if value < 0.0 { "−" } else { "" };
        format!("{sign}{}{suffix}", separated_number(&text))
    }
}

fn log_label(value: f64) -> String {
    let power = (value.log10() + 1e-9).floor() as i32;
    let mantissa = (value / 10_f64.powi(power)).round();
    if (-3..4).contains(&power) {
        format!("{value:.*}", (-power).max(0) as usize)
    } else if mantissa == 1.0 {
        ten_to(power)
    } else {
        format!("{mantissa}·{}", ten_to(power))
    }
}

fn ten_to(power: i32) -> String {
    let power = power.to_string();
    let raised = power.chars().map(|digit| match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
    });
    format!("10{}", raised.collect::<String>())
}

/// A value to four significant digits: `0.1234`, `12.35`, `1,234`, `1.234e-7`; `–` for NaN.
pub fn figure(value: f64) -> String {
    if value.is_nan() {
        return "–".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞".into() } else { "−∞".into() };
    }
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e9).contains(&size) {
        format!("{value:.3e}")
    } else {
        let before = size.log10().floor() as i32;
        let decimals = (3 - before).max(0) as usize;
        let text = format!("{size:.decimals$}");
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", separated_number(&text))
    };
    text.replace('-', "−")
}

/// A share as a percentage: `97.25%`; `–` for NaN.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.2}%", share * 100.0).replace('-', "−") } else { figure(share) }
}

/// A count with separators: `1,234,567`.
pub fn count(value: u64) -> String {
    separated(&value.to_string())
}

/// A count in short: `931`, `12.4 k`, `3.1 M`.
pub fn short_count(value: u64) -> String {
    let value = value as f64;
    let (unit, suffix) = match value {
        v if v >= 999.5e9 => (1e12, " T"),
        v if v >= 999.5e6 => (1e9, " G"),
        v if v >= 999.5e3 => (1e6, " M"),
        v if v >= 1e4 => (1e3, " k"),
        _ => return count(value as u64),
    };
    let decimals = usize::from(value / unit < 99.95);
    format!("{:.decimals$}{suffix}", value / unit)
}

/// A time in words: `840 ms`, `3.42 s`, `2 min 05 s`, `1 h 03 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".into();
    }
    let whole = seconds.round() as u64;
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        _ if whole < 3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// An epoch: whole where it is whole, else to two places.
pub fn epoch(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let rounded = (value * 100.0).round() / 100.0;
    if rounded.fract() == 0.0 { separated(&format!("{rounded:.0}")) } else { format!("{rounded}") }
}

/// A positive decimal number with separators before its point.
fn separated_number(text: &str) -> String {
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    format!("{}{rest}", separated(whole))
}

fn separated(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, count: usize) -> Vec<String> {
        scale.ticks(count).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(Scale::linear([0.0, 40.0], 0.0, 1.0), 4), ["0", "10", "20", "30", "40"]);
        assert_eq!(labels(Scale::linear([0.11, 0.52], 0.0, 1.0), 4), ["0.2", "0.4"].map(String::from).to_vec());
        assert_eq!(labels(Scale::linear([-1.0, 1.0], 0.0, 1.0), 4), ["−1.0", "−0.5", "0", "0.5", "1.0"]);
        assert_eq!(labels(Scale::linear([0.0, 1.5e6], 0.0, 1.0), 3), ["0", "0.5M", "1.0M", "1.5M"]);
        assert_eq!(labels(Scale::linear([0.0, 2e-7], 0.0, 1.0), 2), ["0", "1·10⁻⁷", "2·10⁻⁷"]);
        assert_eq!(labels(Scale::log([0.009, 1.2], 0.0, 1.0), 4), ["0.01", "0.1", "1"]);
        assert_eq!(labels(Scale::log([1e-6, 1e-4], 0.0, 1.0), 4), ["10⁻⁶", "10⁻⁵", "10⁻⁴"]);
    }

    #[test]
    fn odd_ranges_still_make_a_scale() {
        for range in
            [[f64::NAN; 2], [3.0, 3.0], [0.0, 0.0], [f64::MIN, f64::MAX], [1e9, 1e9 + 1e-9], [-5.0, f64::INFINITY]]
        {
            for scale in [Scale::linear(range, 0.0, 100.0), Scale::log(range, 0.0, 100.0)] {
                let ticks = scale.padded(0.05).ticks(5);
                assert!(ticks.len() <= 12, "{range:?}: {ticks:?}");
                for value in range.into_iter().chain(ticks.iter().map(|tick| tick.0)).filter(|v| !v.is_nan()) {
                    assert!((0.0..=100.0).contains(&scale.at(value)), "{range:?}: {value}");
                }
            }
        }
    }

    #[test]
    fn numbers_read_well() {
        let figures = [0.123456, 12.3456, 1234.5, 1234567.8, 1.5e-7, -0.5, 0.0, f64::NAN, f64::INFINITY].map(figure);
        assert_eq!(figures, ["0.1235", "12.35", "1,234", "1,234,568", "1.500e−7", "−0.5000", "0", "–", "∞"]);
        assert_eq!([999, 1000, 12345, 1234567].map(short_count), ["999", "1,000", "12.3 k", "1.2 M"]);
        assert_eq!(
            [0.0004, 0.84, 3.416, 59.97, 125.2, 3780.0].map(duration),
            ["400 µs", "840 ms", "3.42 s", "1 min 00 s", "2 min 05 s", "1 h 03 min"]
        );
        assert_eq!([1.0, 0.05, 10000.0, 0.15000000000000002].map(epoch), ["1", "0.05", "10,000", "0.15"]);
        assert_eq!(percent(0.97251), "97.25%");
    }
}
