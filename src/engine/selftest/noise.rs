//! Data for the self-test that looks like a model's and is the same on every machine.
//!
//! Used by its cases. Neighbouring blocks differ in size, so that a kernel that takes the scale or
//! the block next door is far off. No cryptography, no seed from outside.

/// Elements that share an amplitude: the smallest block with a scale of its own in most kinds.
const BLOCK: usize = 32;

/// SplitMix64 (Steele, Lea, Flood 2014): a full-period generator in five lines.
pub struct Noise(u64);

impl Noise {
    /// Starts a stream; equal seeds make equal streams.
    pub fn new(seed: u64) -> Noise {
        Noise(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a whole number of 0 to `below` - 1.
    fn below(&mut self, below: u64) -> u64 {
        self.bits() % below
    }

    /// Returns values spread evenly over -a to a, where a is 0.5, 1, 1.5 or 2 for each block.
    pub fn values(&mut self, count: usize) -> Vec<f32> {
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

    /// Returns values that neither f16 nor `Q8_0` rounds: in each block k / 127 of its largest,
    /// which is 127/128 of a power of two.
    pub fn exact_values(&mut self, count: usize) -> Vec<f32> {
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
