//! MNIST-1D: 5000 signals of 40 points in 10 classes. Greydanus 2020, "Scaling down deep learning", arXiv:2011.14439.
//!
//! Ten hand-drawn curves of 12 points stand for the digits. Each signal is one of them: padded with 36 to 60 zeros and stretched to 72
//! points, scaled by 0.8 to 1.2, moved along by up to 47 points, with smoothed noise (σ = 0.25 before a Gaussian filter of width 2) where
//! nothing was drawn and white noise (σ = 0.02) everywhere, sheared, and sampled at 40 points. Last, all signals together are scaled to
//! mean 0 and standard deviation 1.
//!
//! The random numbers are those of NumPy's `RandomState(42)`, drawn in the order of the author's package `mnist1d`, so these are its very
//! data up to rounding: the first 4000 are to train on, the last 1000 to test with.

/// Signals, and the points of each.
const SIGNALS: usize = 5000;
const POINTS: usize = 40;

/// The points of a curve, and of a signal before it is sampled.
const CURVE: usize = 12;
const STRETCHED: usize = 72;

/// The heights of the ten curves, before each is scaled.
const CURVES: [[f64; CURVE]; 10] = [
    [5.0, 6.0, 6.5, 6.75, 7.0, 7.0, 7.0, 7.0, 6.75, 6.5, 6.0, 5.0],
    [5.0, 3.0, 3.0, 3.4, 3.8, 4.2, 4.6, 5.0, 5.4, 5.8, 5.0, 5.0],
    [5.0, 6.0, 6.5, 6.5, 6.0, 5.25, 4.75, 4.0, 3.5, 3.5, 4.0, 5.0],
    [5.0, 6.0, 6.5, 6.5, 6.0, 5.0, 5.0, 6.0, 6.5, 6.5, 6.0, 5.0],
    [5.0, 4.4, 3.8, 3.2, 2.6, 2.6, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0],
    [5.0, 3.0, 3.0, 3.0, 3.0, 5.0, 6.0, 6.5, 6.5, 6.0, 4.5, 5.0],
    [5.0, 4.0, 3.5, 3.25, 3.0, 3.0, 3.0, 3.0, 3.25, 3.5, 4.0, 5.0],
    [5.0, 7.0, 7.0, 6.6, 6.2, 5.8, 5.4, 5.0, 4.6, 4.2, 5.0, 5.0],
    [5.0, 4.0, 3.5, 3.5, 4.0, 5.0, 5.0, 4.0, 3.5, 3.5, 4.0, 5.0],
    [5.0, 4.0, 3.5, 3.5, 4.0, 5.0, 5.0, 5.0, 5.0, 4.7, 4.3, 5.0],
];

/// All signals, `[5000, 40]` row after row, and their digits.
pub(super) fn signals() -> (Vec<f32>, Vec<u32>) {
    let mut random = Twister::new(42);
    let curves = CURVES.map(|curve| {
        let (mean, deviation) = moments(&curve);
        let scaled = curve.map(|height| (height - mean) / deviation);
        scaled.map(|height| (height - scaled[0]) / 6.0)
    });
    let each = SIGNALS / curves.len();
    let sorted: Vec<Vec<f64>> = curves
        .iter()
        .flat_map(|curve| (0..each).map(|_| curve).collect::<Vec<_>>())
        .map(|c| signal(c, &mut random))
        .collect();
    let order = random.permutation(SIGNALS);
    let mut values: Vec<f64> = order.iter().flat_map(|&i| sorted[i].iter().copied()).collect();
    let (mean, deviation) = moments(&values);
    values.iter_mut().for_each(|x| *x = (*x - mean) / deviation);
    (values.into_iter().map(|x| x as f32).collect(), order.into_iter().map(|i| (i / each) as u32).collect())
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt())
}

/// One signal of a curve.
fn signal(curve: &[f64; CURVE], random: &mut Twister) -> Vec<f64> {
    let padding = 36 + (random.uniform() * 25.0) as usize;
    // A curve's own zeros are told from padding by this little.
    let mut padded: Vec<f64> = curve.iter().map(|height| height + 1e-8).collect();
    padded.resize(CURVE + padding, 0.0);
    let mut x = sampled(&padded, STRETCHED);
    let scale = 1.0 + 0.4 * (random.uniform() - 0.5);
    x.iter_mut().for_each(|x| *x *= scale);
    x.rotate_right(random.below(48) as usize);
    let noise: Vec<f64> = (0..STRETCHED).map(|_| 0.25 * random.normal()).collect();
    for (x, noise) in x.iter_mut().zip(smoothed(&noise)) {
        if *x == 0.0 {
            *x = noise;
        }
    }
    x.iter_mut().for_each(|x| *x += 0.02 * random.normal());
    let slope = 0.75 * (random.uniform() - 0.5);
    for (i, x) in x.iter_mut().enumerate() {
        *x -= slope * (i as f64 / (STRETCHED - 1) as f64 - 0.5);
    }
    sampled(&x, POINTS)
}

/// A curve at so many points, evenly from its first to its last, joined by straight lines.
fn sampled(x: &[f64], points: usize) -> Vec<f64> {
    let last = x.len() - 1;
    let at = |i: usize| {
        let place = i as f64 * last as f64 / (points - 1) as f64;
        let left = (place as usize).min(last - 1);
        x[left] + (place - left as f64) * (x[left + 1] - x[left])
    };
    (0..points).map(at).collect()
}

/// A Gaussian filter with a standard deviation of 2 points, cut off at 8, mirrored at the ends, which are repeated.
fn smoothed(x: &[f64]) -> Vec<f64> {
    let weights: Vec<f64> = (-8..=8).map(|i| (-f64::from(i * i) / 8.0).exp()).collect();
    let total: f64 = weights.iter().sum();
    let count = x.len() as isize;
    let mirrored = |i: isize| {
        let i = if i < 0 { -i - 1 } else { i };
        x[if i >= count { 2 * count - 1 - i } else { i } as usize]
    };
    let at = |i: isize| weights.iter().zip(i - 8..).map(|(weight, i)| weight * mirrored(i)).sum::<f64>() / total;
    (0..count).map(at).collect()
}

/// The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998) with the numbers that NumPy's `RandomState` makes of it.
struct Twister {
    state: [u32; 624],
    next: usize,
    spare: Option<f64>,
}

impl Twister {
    fn new(seed: u32) -> Twister {
        let mut state = [seed; 624];
        for i in 1..624 {
            let before = state[i - 1];
            state[i] = 1812433253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Twister { state, next: 624, spare: None }
    }

    fn word(&mut self) -> u32 {
        if self.next == 624 {
            for i in 0..624 {
                let joined = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ (joined >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number in [0, 1), with 53 random bits.
    fn uniform(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67108864.0 + f64::from(low)) / 9007199254740992.0
    }

    /// A standard normal number by the polar method (Marsaglia).
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// A whole number in `0..n`: bits are drawn until they make one.
    fn below(&mut self, n: u32) -> u32 {
        let mask = n.next_power_of_two() - 1;
        loop {
            let word = self.word() & mask;
            if word < n {
                return word;
            }
        }
    }

    fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            let j = self.below(i as u32 + 1) as usize;
            order.swap(i, j);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `r = numpy.random.RandomState(42)`; `r.random_sample(2)`, `r.randn(3)`, `r.choice(48)`, `r.permutation(5)`, `r.choice(48)`.
    #[test]
    fn numbers_are_those_of_numpy() {
        let mut random = Twister::new(42);
        let found = [random.uniform(), random.uniform()];
        assert_eq!(found, [0.3745401188473625, 0.9507143064099162]);
        let found = [random.normal(), random.normal(), random.normal()];
        for (found, expected) in found.into_iter().zip([0.6476885381006925, 1.5230298564080254, -0.23415337472333597]) {
            assert!((found - expected).abs() < 1e-15, "{found}");
        }
        assert_eq!((random.below(48), random.permutation(5), random.below(48)), (10, vec![4, 1, 0, 3, 2], 39));
    }
}
