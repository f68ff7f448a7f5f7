//! Converts floats between widths like numpy, torch and ggml: rounding to nearest with ties to
//! even, keeping subnormals, infinities and NaN.
//!
//! The code is branch-free, so that the compiler vectorises it even for the architecture's oldest
//! CPU. Between two 16-bit formats, a lookup in a table of 65,536 results is twice as fast. Input
//! and output are little-endian.

use std::sync::LazyLock;

/// A floating-point storage format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Float {
    /// The 32-bit format of IEEE 754 (binary32).
    F32,
    /// The 16-bit format of IEEE 754 (binary16).
    F16,
    /// The upper half of a binary32 (bfloat16).
    Bf16,
}

impl Float {
    /// Returns the size of one number in bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Float::F32 => 4,
            Float::F16 | Float::Bf16 => 2,
        }
    }

    /// Returns ggml's number for the type.
    pub fn gguf(self) -> u32 {
        match self {
            Float::F32 => 0,
            Float::F16 => 1,
            Float::Bf16 => 30,
        }
    }

    /// Returns the format's name in messages and for `--type`.
    pub fn name(self) -> &'static str {
        match self {
            Float::F32 => "f32",
            Float::F16 => "f16",
            Float::Bf16 => "bf16",
        }
    }
}

/// Appends the numbers in `from` to `out` in format `to`; `from` must hold a whole number of them.
/// The same format is copied unchanged.
pub fn convert(from: &[u8], kind: Float, out: &mut Vec<u8>, to: Float) {
    match (kind, to) {
        (Float::F16, Float::F32) => widen(from, out, f16_to_f32),
        (Float::Bf16, Float::F32) => widen(from, out, bf16_to_f32),
        (Float::F32, Float::F16) => narrow(from, out, f32_to_f16),
        (Float::F32, Float::Bf16) => narrow(from, out, f32_to_bf16),
        (Float::Bf16, Float::F16) => turn(from, out, &BF16_TO_F16),
        (Float::F16, Float::Bf16) => turn(from, out, &F16_TO_BF16),
        _ => out.extend_from_slice(from),
    }
}

/// Returns whether all numbers in `bytes` are finite. For a number that is not, with the sign
/// cleared, adding the lowest bit of the exponent carries into the sign bit. The carries are
/// combined without branches, so that the loop is vectorised; a chunk just written is still in the
/// CPU cache.
pub fn is_finite(bytes: &[u8], kind: Float) -> bool {
    match kind {
        Float::F32 => {
            let numbers = bytes.as_chunks().0.iter().map(|&number| u32::from_le_bytes(number));
            let sized = numbers.map(|bits| (bits & 0x7FFF_FFFF) + 0x0080_0000);
            sized.fold(0, |all, bits| all | bits) >> 31 == 0
        }
        Float::F16 => are_finite(bytes, 0x0400),
        Float::Bf16 => are_finite(bytes, 0x0080),
    }
}

fn are_finite(bytes: &[u8], lowest: u16) -> bool {
    let numbers = bytes.as_chunks().0.iter().map(|&number| u16::from_le_bytes(number));
    numbers.map(|bits| (bits & 0x7FFF) + lowest).fold(0, |all, bits| all | bits) >> 15 == 0
}

fn widen(from: &[u8], out: &mut Vec<u8>, of: impl Fn(u16) -> u32) {
    let start = out.len();
    out.resize(start + from.len() / 2 * 4, 0);
    for (wide, half) in out[start..].chunks_exact_mut(4).zip(from.chunks_exact(2)) {
        wide.copy_from_slice(&of(u16::from_le_bytes([half[0], half[1]])).to_le_bytes());
    }
}

fn narrow(from: &[u8], out: &mut Vec<u8>, of: impl Fn(u32) -> u16) {
    let start = out.len();
    out.resize(start + from.len() / 4 * 2, 0);
    for (half, wide) in out[start..].chunks_exact_mut(2).zip(from.chunks_exact(4)) {
        let bits = u32::from_le_bytes([wide[0], wide[1], wide[2], wide[3]]);
        half.copy_from_slice(&of(bits).to_le_bytes());
    }
}

/// The conversion of every 16-bit number.
type HalfTable = Box<[u16; 1 << 16]>;

static BF16_TO_F16: LazyLock<HalfTable> =
    LazyLock::new(|| table(|half| f32_to_f16(bf16_to_f32(half))));
static F16_TO_BF16: LazyLock<HalfTable> =
    LazyLock::new(|| table(|half| f32_to_bf16(f16_to_f32(half))));

fn table(of: impl Fn(u16) -> u16) -> HalfTable {
    let mut table = Box::new([0; 1 << 16]);
    table.iter_mut().zip(0..=u16::MAX).for_each(|(result, half)| *result = of(half));
    table
}

fn turn(from: &[u8], out: &mut Vec<u8>, table: &[u16; 1 << 16]) {
    let start = out.len();
    out.resize(start + from.len() / 2 * 2, 0);
    for (to, half) in out[start..].chunks_exact_mut(2).zip(from.chunks_exact(2)) {
        let half = u16::from_le_bytes([half[0], half[1]]);
        to.copy_from_slice(&table[usize::from(half)].to_le_bytes());
    }
}

fn bf16_to_f32(half: u16) -> u32 {
    u32::from(half) << 16
}

/// A NaN becomes a quiet NaN, as in ggml.
fn f32_to_bf16(bits: u32) -> u16 {
    let rounded = bits.wrapping_add(0x7FFF + ((bits >> 16) & 1)) >> 16;
    let nan = (bits >> 16) | 0x40;
    (if bits & 0x7FFF_FFFF > 0x7F80_0000 { nan } else { rounded }) as u16
}

fn f16_to_f32(half: u16) -> u32 {
    let half = u32::from(half);
    let (sign, rest) = ((half & 0x8000) << 16, half & 0x7FFF);
    // The exponent bias is 15 in binary16 and 127 in binary32.
    let normal = (rest << 13).wrapping_add(112 << 23);
    // A subnormal is a multiple of 2^-24, which is exact in binary32.
    let small = (rest as f32 * f32::from_bits((127 - 24) << 23)).to_bits();
    let special = (rest << 13) | 0x7F80_0000;
    let value = if rest < 0x0400 { small } else { normal };
    sign | if rest >= 0x7C00 { special } else { value }
}

/// A NaN keeps the upper bits of its payload, as in numpy, and stays a NaN.
fn f32_to_f16(bits: u32) -> u16 {
    let (sign, rest) = ((bits >> 16) & 0x8000, bits & 0x7FFF_FFFF);
    let half = 0x0FFF + ((rest >> 13) & 1);
    let normal = rest.wrapping_add(half).wrapping_sub(112 << 23) >> 13;
    // 0.5 has the precision of a binary16 subnormal, 2^-24, so the addition itself rounds to it.
    let small = (f32::from_bits(rest) + 0.5).to_bits().wrapping_sub(0.5_f32.to_bits());
    let payload = (rest >> 13) & 0x03FF;
    let nan = 0x7C00 | payload | u32::from(payload == 0);
    let value = if rest < 0x3880_0000 { small } else { normal };
    let value = if rest >= 0x4780_0000 { 0x7C00 } else { value };
    (sign | if rest > 0x7F80_0000 { nan } else { value }) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bits: u32, to: Float) -> u16 {
        let mut out = Vec::new();
        convert(&bits.to_le_bytes(), Float::F32, &mut out, to);
        u16::from_le_bytes([out[0], out[1]])
    }

    /// The value of a finite binary16, from its definition.
    fn value(half: u16) -> f64 {
        let (exponent, mantissa) = (i32::from(half >> 10) & 31, f64::from(half & 0x3FF));
        let size = match exponent {
            0 => mantissa * 2_f64.powi(-24),
            _ => (1024.0 + mantissa) * 2_f64.powi(exponent - 25),
        };
        if half & 0x8000 == 0 { size } else { -size }
    }

    #[test]
    fn every_binary16_is_widened_to_its_value_and_comes_back() {
        for half in 0..=u16::MAX {
            let wide = f16_to_f32(half);
            let is_finite = half & 0x7C00 != 0x7C00;
            if is_finite {
                assert_eq!(f64::from(f32::from_bits(wide)), value(half), "{half:#x}");
            }
            assert_eq!(f32_to_f16(wide), half, "{half:#x}");
            assert_eq!(f32::from_bits(wide).is_nan(), !is_finite && half & 0x3FF != 0);
            assert_eq!(f32_to_bf16(bf16_to_f32(half)) & !0x40, half & !0x40);
        }
    }

    #[test]
    fn halfway_goes_to_the_even_neighbour() {
        for half in 0..0x7BFF_u16 {
            let (low, high) = (value(half), value(half + 1));
            let middle = ((low + high) / 2.0) as f32;
            assert_eq!(f64::from(middle), (low + high) / 2.0, "exact in a binary32");
            let even = half + (half & 1);
            assert_eq!(one(middle.to_bits(), Float::F16), even);
            assert_eq!(one(middle.to_bits() - 1, Float::F16), half, "just below");
            assert_eq!(one(middle.to_bits() + 1, Float::F16), half + 1, "just above");
            assert_eq!(one((-middle).to_bits(), Float::F16), even | 0x8000);
        }
        for (bits, expected) in [
            (0x3F80_8000, 0x3F80),
            (0x3F81_8000, 0x3F82),
            (0x3F80_8001, 0x3F81),
            (0x0000_8001, 0x0001),
            (0x7F7F_FFFF, 0x7F80),
            (0x7F80_0000, 0x7F80),
            (0x7F80_0001, 0x7FC0),
        ] {
            assert_eq!(one(bits, Float::Bf16), expected, "{bits:#x}");
        }
    }

    #[test]
    fn values_that_are_too_large_become_infinite_and_nan_stays_nan() {
        let half = |x: f32| one(x.to_bits(), Float::F16);
        assert_eq!((half(65519.996), half(65520.0), half(1e30)), (0x7BFF, 0x7C00, 0x7C00));
        assert_eq!((half(f32::INFINITY), half(f32::NEG_INFINITY)), (0x7C00, 0xFC00));
        assert_eq!((half(2_f32.powi(-25)), half(2_f32.powi(-25) * 1.001)), (0, 1));
        assert_eq!((half(f32::MIN_POSITIVE), half(-0.0)), (0, 0x8000));
        assert_eq!((one(0x7F80_0001, Float::F16), one(0x7FC0_0000, Float::F16)), (0x7C01, 0x7E00));
    }

    #[test]
    fn one_number_that_is_not_finite_is_found_among_many() {
        let cases = [
            (Float::F32, f32::MAX.to_bits(), 0xFF80_0000, 0x7F80_0001),
            (Float::F16, 0xFBFF, 0x7C00, 0xFE00),
            (Float::Bf16, 0xFF7F, 0xFF80, 0x7FC0),
        ];
        for (kind, finite, infinite, nan) in cases {
            let width = kind.bytes() as usize;
            for (last, expected) in [(finite, true), (infinite, false), (nan, false)] {
                for count in [1, 7, 100] {
                    let mut bytes = u32::to_le_bytes(finite)[..width].repeat(count);
                    bytes.extend(&u32::to_le_bytes(last)[..width]);
                    assert_eq!(is_finite(&bytes, kind), expected, "{kind:?} {last:#x}");
                }
            }
            assert!(is_finite(&[], kind));
        }
    }

    #[test]
    fn pairs_go_by_way_of_binary32() {
        let mut out = Vec::new();
        convert(&[0x80, 0x3F, 0x80, 0x47], Float::Bf16, &mut out, Float::F16);
        convert(&[0x00, 0x3C], Float::F16, &mut out, Float::Bf16);
        convert(&[1, 2], Float::F16, &mut out, Float::F16);
        assert_eq!(out, [0x00, 0x3C, 0x00, 0x7C, 0x80, 0x3F, 1, 2]);
    }
}
