//! Test data that resembles a model's and is the same on every machine.
//!
//! Neighbouring blocks differ in amplitude, so a kernel that uses the wrong block or scale is far
//! off. Not for cryptography, and no seed comes from outside.

/// The number of elements that share an amplitude: a block with its own scale in most types.
const BLOCK: usize = 32;

/// A source of values, from SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct TestValues(u64);

impl TestValues {
    /// Starts a sequence of values; equal seeds give equal sequences.
    pub(crate) fn new(seed: u64) -> TestValues {
        TestValues(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns an integer from 0 to `below` - 1.
    fn below(&mut self, below: u64) -> u64 {
        self.bits() % below
    }

    /// Returns values uniformly distributed from -a to a, where a is 0.5, 1, 1.5 or 2 per block.
    pub(crate) fn values(&mut self, count: usize) -> Vec<f32> {
        let mut amplitude = 1.0;
        let mut value = |at: usize| {
            if at.is_multiple_of(BLOCK) {
                amplitude = (1 + self.below(4)) as f32 * 0.5;
            }
            // 24 bits: every value is exact.
            ((self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0) * amplitude
        };
        (0..count).map(&mut value).collect()
    }

    /// Returns values that neither f16 nor `Q8_0` rounds: each is k / 127 of its block's largest
    /// value, which is 127/128 of a power of two.
    pub(crate) fn exact_values(&mut self, count: usize) -> Vec<f32> {
        let mut unit = 1.0;
        let mut value = |at: usize| {
            if at.is_multiple_of(BLOCK) {
                unit = 1.0 / (64 << self.below(3)) as f32;
                return 127.0 * unit;
            }
            (self.below(255) as f32 - 127.0) * unit
        };
        (0..count).map(&mut value).collect()
    }
}
