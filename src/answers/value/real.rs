//! Real numbers for comparing answers: exact rationals as long as they can be, floats of 320 bits
//! where a root, a logarithm or π comes in. `complex` builds on them and says what is refused.

use astro_float_num::{BigFloat, RoundingMode, Sign};
use num_bigint::{BigInt, Sign as IntSign};
use num_rational::BigRational;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

/// Precision of irrational numbers: 96 decimal digits, of which 26 may be lost.
pub(super) const BITS: usize = 320;
pub(super) const ROUNDING: RoundingMode = RoundingMode::None;
/// Longest numerator or denominator of an exact number.
pub(super) const EXACT_BITS_MAX: u64 = 20_000;
/// Terms of a sum may differ by this power of two, about 10^45; a larger one would swallow digits.
const SUM_BITS_APART_MAX: i64 = 150;
/// A difference smaller than its terms by this power of two, about 10^-60, is 0.
pub(super) const ZERO_BITS: i64 = 200;
/// Largest power of two of an approximate number, either way.
const SIZE_BITS_MAX: i64 = 1 << 20;
/// Largest denominator of a rational that an approximate number is taken for.
const DENOMINATOR_MAX: u32 = 1_000_000;

#[derive(Clone, Debug)]
pub enum Real {
    Exact(BigRational),
    /// An irrational, or a rational reached through one.
    About(BigFloat),
}

impl Real {
    pub(super) fn zero() -> Real {
        Real::Exact(BigRational::zero())
    }

    pub(super) fn is_zero(&self) -> bool {
        match self {
            Real::Exact(ratio) => ratio.is_zero(),
            Real::About(about) => about.is_zero(),
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        match self {
            Real::Exact(ratio) => ratio.is_negative(),
            Real::About(about) => about.is_negative() && !about.is_zero(),
        }
    }

    pub(super) fn is_positive(&self) -> bool {
        !self.is_zero() && !self.is_negative()
    }

    pub(super) fn negated(&self) -> Real {
        match self {
            Real::Exact(ratio) => Real::Exact(-ratio),
            Real::About(about) => Real::About(about.neg()),
        }
    }

    pub(super) fn abs(&self) -> Real {
        if self.is_negative() { self.negated() } else { self.clone() }
    }

    /// Returns the number as a float.
    pub(super) fn about(&self) -> BigFloat {
        match self {
            Real::Exact(ratio) => {
                integer(ratio.numer()).div(&integer(ratio.denom()), BITS, ROUNDING)
            }
            Real::About(about) => about.clone(),
        }
    }

    pub(super) fn rounded(&self, up: bool) -> Option<BigRational> {
        match self {
            Real::Exact(ratio) => Some(if up { ratio.ceil() } else { ratio.floor() }),
            Real::About(about) => {
                let near = near_rational(about);
                let ratio = near.or_else(|| exact(about))?;
                Some(if up { ratio.ceil() } else { ratio.floor() })
            }
        }
    }

    pub(super) fn plus(&self, other: &Real) -> Option<Real> {
        if let (Real::Exact(a), Real::Exact(b)) = (self, other) {
            return bounded(a + b);
        }
        if self.is_zero() {
            return Some(other.clone());
        }
        if other.is_zero() {
            return Some(self.clone());
        }
        let (a, b) = (self.about(), other.about());
        if (size(&a) - size(&b)).abs() > SUM_BITS_APART_MAX {
            return None;
        }
        let sum = a.add(&b, BITS, ROUNDING);
        if sum.is_zero() || size(&sum) < size(&a).max(size(&b)) - ZERO_BITS {
            return Some(Real::zero());
        }
        finite(sum)
    }

    pub(super) fn times(&self, other: &Real) -> Option<Real> {
        match (self, other) {
            (Real::Exact(a), Real::Exact(b)) => bounded(a * b),
            _ if self.is_zero() || other.is_zero() => Some(Real::zero()),
            _ => finite(self.about().mul(&other.about(), BITS, ROUNDING)),
        }
    }

    pub(super) fn over(&self, other: &Real) -> Option<Real> {
        match (self, other) {
            _ if other.is_zero() => None,
            (Real::Exact(a), Real::Exact(b)) => bounded(a / b),
            _ if self.is_zero() => Some(Real::zero()),
            _ => finite(self.about().div(&other.about(), BITS, ROUNDING)),
        }
    }

    /// Returns an approximation for putting numbers in order.
    pub fn to_f64(&self) -> f64 {
        match self {
            Real::Exact(ratio) => ratio.to_f64().unwrap_or(f64::NAN),
            Real::About(about) => exact(about).and_then(|r| r.to_f64()).unwrap_or(f64::NAN),
        }
    }
}

pub(super) fn exact_only(ratio: BigRational) -> Option<BigRational> {
    (ratio.numer().bits().max(ratio.denom().bits()) <= EXACT_BITS_MAX).then_some(ratio)
}

fn bounded(ratio: BigRational) -> Option<Real> {
    exact_only(ratio).map(Real::Exact)
}

pub(super) fn finite(number: BigFloat) -> Option<Real> {
    let is_number = !number.is_nan() && !number.is_inf() && size(&number).abs() < SIZE_BITS_MAX;
    (is_number || number.is_zero()).then_some(Real::About(number))
}

/// Returns the power of two that the number is near.
pub(super) fn size(number: &BigFloat) -> i64 {
    number.exponent().map_or(0, i64::from)
}

fn integer(n: &BigInt) -> BigFloat {
    let words = n.magnitude().to_u64_digits();
    let sign = if n.sign() == IntSign::Minus { Sign::Neg } else { Sign::Pos };
    if words.is_empty() {
        return BigFloat::from_u32(0, BITS);
    }
    let mut float = BigFloat::from_words(&words, sign, words.len() as i32 * 64);
    // Cannot fail: there is memory for less than there was.
    let _ = float.set_precision(BITS, ROUNDING);
    float
}

/// Returns the rational that a float is exactly.
fn exact(number: &BigFloat) -> Option<BigRational> {
    let (words, _, sign, exponent, _) = number.as_raw_parts()?;
    let mantissa = words.iter().rev().fold(BigInt::zero(), |sum, word| (sum << 64) + *word);
    let shift = i64::from(exponent) - words.len() as i64 * 64;
    if shift.unsigned_abs() > EXACT_BITS_MAX {
        return None;
    }
    let power = BigInt::one() << shift.unsigned_abs();
    let mantissa = if sign == Sign::Neg { -mantissa } else { mantissa };
    Some(if shift < 0 {
        BigRational::new(mantissa, power)
    } else {
        BigRational::from_integer(mantissa * power)
    })
}

/// Returns the rational with a small denominator within 10^-50 of a float, relative to it, by its
/// continued fraction.
pub(super) fn near_rational(number: &BigFloat) -> Option<BigRational> {
    let target = exact(number)?;
    let near = target.abs() / BigRational::from_integer(BigInt::from(10).pow(50_u32));
    let limit = BigInt::from(DENOMINATOR_MAX);
    let (mut before, mut last) = ((BigInt::one(), BigInt::zero()), (BigInt::zero(), BigInt::one()));
    let mut rest = target.clone();
    for _ in 0..64 {
        let whole = rest.floor().to_integer();
        let next = (&whole * &before.0 + &last.0, &whole * &before.1 + &last.1);
        (last, before) = (before, next);
        if before.1 > limit {
            return None;
        }
        let ratio = BigRational::new(before.0.clone(), before.1.clone());
        if (&ratio - &target).abs() <= near {
            return Some(ratio);
        }
        rest = (rest - BigRational::from_integer(whole)).recip();
    }
    None
}
