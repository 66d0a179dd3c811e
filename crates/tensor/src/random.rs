//! Counter-based random numbers: a value depends only on (seed, stream, step, index), never on what was drawn before, so any
//! thread can make any element and a run can be stopped and resumed anywhere.
//!
//! The generator is Philox4x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".

/// Ten rounds of Philox4x32: four random words for a 128-bit counter and a 64-bit key.
#[inline(always)]
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// The four words at block `block` of (seed, stream, step): elements `4·block .. 4·block + 4` of a random tensor.
#[inline(always)]
pub fn block(seed: u64, stream: u32, step: u64, block: u32) -> [u32; 4] {
    philox([block, stream, step as u32, (step >> 32) as u32], [seed as u32, (seed >> 32) as u32])
}

/// A word as a number in the half-open interval [0, 1), with 24 random bits: exact in `f32`.
#[inline(always)]
pub fn unit(word: u32) -> f64 {
    f64::from(word >> 8) * (1.0 / 16777216.0)
}

/// How many words an [`Rng`] makes at a time: independent blocks overlap in the processor.
const AHEAD: usize = 16;

/// A sequence of random numbers on one (seed, stream, step), for host work such as shuffling and initial weights.
///
/// ```
/// use gradus_tensor::Rng;
/// let mut rng = Rng::new(7, 0, 0);
/// let (x, y) = (rng.uniform(), rng.uniform());
/// assert!(x != y && (0.0..1.0).contains(&x));
/// assert_eq!(Rng::new(7, 0, 0).uniform(), x);
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    stream: u32,
    step: u64,
    next: u64,
    words: [u32; AHEAD],
    spare: Option<f64>,
}

impl Rng {
    /// A generator at the start of its sequence. Different (seed, stream, step) give independent sequences.
    pub fn new(seed: u64, stream: u32, step: u64) -> Rng {
        Rng { seed, stream, step, next: 0, words: [0; AHEAD], spare: None }
    }

    /// The next 32 random bits.
    pub fn word(&mut self) -> u32 {
        let lane = self.next as usize % AHEAD;
        if lane == 0 {
            self.refill();
        }
        self.next += 1;
        self.words[lane]
    }

    fn refill(&mut self) {
        let first = (self.next / 4) as u32;
        let (words, _) = self.words.as_chunks_mut::<4>();
        for (words, i) in words.iter_mut().zip(0..) {
            *words = block(self.seed, self.stream, self.step, first.wrapping_add(i));
        }
    }

    /// A number in [0, 1), with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        let bits = (u64::from(self.word()) << 32 | u64::from(self.word())) >> 11;
        bits as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A standard normal number (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// A whole number in `0..n`, without bias (Lemire 2019). `n` must be at least 1.
    pub fn below(&mut self, n: u32) -> u32 {
        let mut product = u64::from(self.word()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.word()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// Puts the items into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(u32::try_from(i + 1).expect("fewer than 2^32 items")) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers published with Random123 (kat_vectors, philox4x32 10).
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn a_sequence_is_its_blocks_in_order() {
        let mut rng = Rng::new(7, 3, 1 << 40);
        for i in 0..20 {
            let words: [u32; 4] = std::array::from_fn(|_| rng.word());
            assert_eq!(words, block(7, 3, 1 << 40, i));
        }
    }

    #[test]
    fn moments() {
        let mut rng = Rng::new(1, 2, 3);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 5.0 / f64::from(n).sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / f64::from(n)).sqrt(), "{variance}");
    }
}
