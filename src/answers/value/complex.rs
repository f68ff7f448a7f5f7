//! Complex numbers and functions of them, for comparing answers. `evaluate` computes with these.
//!
//! Every operation refuses (`None`) what has no value, what would grow without bound and what would
//! lose too many digits, so that two different numbers are never taken for the same.

use astro_float_num::{BigFloat, Consts, Radix, Sign};
use num_bigint::{BigInt, BigUint};
use num_rational::BigRational;
use num_traits::{One, Pow, ToPrimitive, Zero};

use super::real::{
    BITS, EXACT_BITS_MAX, ROUNDING, Real, ZERO_BITS, exact_only, finite, near_rational, size,
};

/// Largest angle, as a power of two.
const ANGLE_BITS_MAX: i64 = 60;
/// Largest exponent of e, as a power of two.
const POWER_BITS_MAX: i64 = 14;
/// Digits of an irrational number that are compared.
const DIGITS: usize = 30;

#[derive(Clone, Debug)]
pub struct Complex {
    re: Real,
    im: Real,
}

/// The functions of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    Exp,
    Ln,
    Abs,
    /// Largest integer not above.
    Floor,
    /// Least integer not below.
    Ceil,
}

/// Computes with a cache of constants such as π.
pub struct Arithmetic {
    constants: Consts,
}

impl Arithmetic {
    /// Starts with an empty cache; `None` if memory cannot be allocated for it.
    pub fn new() -> Option<Arithmetic> {
        Some(Arithmetic { constants: Consts::new().ok()? })
    }

    pub fn pi(&mut self) -> Complex {
        Complex::real(Real::About(self.constants.pi(BITS, ROUNDING)))
    }

    pub fn e(&mut self) -> Complex {
        Complex::real(Real::About(self.constants.e(BITS, ROUNDING)))
    }

    /// Returns base^exponent: exactly if it is rational; for a negative base and an exponent with
    /// an odd denominator the real value, as schools define it; else the principal one.
    pub fn power(&mut self, base: &Complex, exponent: &Complex) -> Option<Complex> {
        if let Some(whole) = exponent.integer().filter(|n| n.unsigned_abs() <= EXACT_BITS_MAX) {
            return integer_power(base, whole);
        }
        if base.is_zero() {
            return exponent.re.is_positive().then(Complex::zero);
        }
        if let (Some(Real::Exact(exponent)), Some(real)) = (exponent.as_real(), base.as_real()) {
            let root = exponent.denom().to_u32()?;
            let times = exponent.numer().to_i64().filter(|n| n.unsigned_abs() <= EXACT_BITS_MAX)?;
            let root = self.root(&real, root)?;
            return integer_power(&root, times);
        }
        let log = self.function(Function::Ln, base)?;
        let product = log.times(exponent)?;
        self.function(Function::Exp, &product)
    }

    /// Returns the root of degree `degree`.
    fn root(&mut self, of: &Real, degree: u32) -> Option<Complex> {
        if degree == 0 || degree > 10_000 {
            return None;
        }
        let size = self.positive_root(&of.abs(), degree)?;
        Some(match (of.is_negative(), degree) {
            (false, _) => Complex::real(size),
            (true, 2) => Complex { re: Real::zero(), im: size },
            (true, degree) if degree % 2 == 1 => Complex::real(size.negated()),
            (true, degree) => {
                // The principal root of a negative number has the angle π / degree.
                let angle =
                    self.pi().times(&Complex::exact(BigRational::new(1.into(), degree.into())))?;
                let (cos, sin) =
                    (self.function(Function::Cos, &angle)?, self.function(Function::Sin, &angle)?);
                Complex { re: cos.re.times(&size)?, im: sin.re.times(&size)? }
            }
        })
    }

    fn positive_root(&mut self, of: &Real, degree: u32) -> Option<Real> {
        if let Real::Exact(ratio) = of {
            let (top, bottom) = (ratio.numer().nth_root(degree), ratio.denom().nth_root(degree));
            let root = BigRational::new(top, bottom);
            if Pow::pow(&root, degree) == *ratio {
                return Some(Real::Exact(root));
            }
        }
        let about = of.about();
        let root = match degree {
            2 => about.sqrt(BITS, ROUNDING),
            degree => {
                let exponent = BigFloat::from_u32(1, BITS).div(
                    &BigFloat::from_u32(degree, BITS),
                    BITS,
                    ROUNDING,
                );
                about.pow(&exponent, BITS, ROUNDING, &mut self.constants)
            }
        };
        finite(root)
    }

    /// Returns the value of a function; of the inverse ones and the floor only for real arguments.
    pub fn function(&mut self, function: Function, x: &Complex) -> Option<Complex> {
        let Some(real) = x.as_real() else { return self.complex_function(function, x) };
        match function {
            Function::Abs => return Some(Complex::real(real.abs())),
            Function::Floor => return real.rounded(false).map(Complex::exact),
            Function::Ceil => return real.rounded(true).map(Complex::exact),
            Function::Ln if real.is_negative() => {
                let size = self.function(Function::Ln, &Complex::real(real.abs()))?;
                return Some(Complex { re: size.re, im: self.pi().re });
            }
            _ => {}
        }
        if real.is_zero() {
            let whole = |n: u32| Some(Complex::exact(BigRational::from_integer(n.into())));
            match function {
                Function::Cos | Function::Sec | Function::Cosh | Function::Exp => return whole(1),
                Function::Sin | Function::Tan | Function::Sinh | Function::Tanh => return whole(0),
                Function::Arcsin | Function::Arctan => return whole(0),
                Function::Ln | Function::Cot | Function::Csc => return None,
                _ => {}
            }
        }
        self.irrational(function, &real.about())
    }

    /// Returns a function's value where it is not obvious.
    fn irrational(&mut self, function: Function, x: &BigFloat) -> Option<Complex> {
        use Function::{Cos, Cosh, Cot, Csc, Exp, Sec, Sin, Sinh, Tan};
        let is_angle = matches!(function, Sin | Cos | Tan | Cot | Sec | Csc);
        // An angle of many turns would lose the digits after the point, and e^x grows too fast.
        let is_power = matches!(function, Exp | Sinh | Cosh);
        if is_angle && size(x) > ANGLE_BITS_MAX || is_power && size(x) > POWER_BITS_MAX {
            return None;
        }
        let constants = &mut self.constants;
        let reciprocal = |x: BigFloat| BigFloat::from_u32(1, BITS).div(&x, BITS, ROUNDING);
        let value = match function {
            Sin => x.sin(BITS, ROUNDING, constants),
            Cos => x.cos(BITS, ROUNDING, constants),
            Tan => x.tan(BITS, ROUNDING, constants),
            Cot => reciprocal(x.tan(BITS, ROUNDING, constants)),
            Sec => reciprocal(x.cos(BITS, ROUNDING, constants)),
            Csc => reciprocal(x.sin(BITS, ROUNDING, constants)),
            Function::Arcsin => x.asin(BITS, ROUNDING, constants),
            Function::Arccos => x.acos(BITS, ROUNDING, constants),
            Function::Arctan => x.atan(BITS, ROUNDING, constants),
            Sinh => x.sinh(BITS, ROUNDING, constants),
            Cosh => x.cosh(BITS, ROUNDING, constants),
            Function::Tanh => x.tanh(BITS, ROUNDING, constants),
            Exp => x.exp(BITS, ROUNDING, constants),
            Function::Ln => x.ln(BITS, ROUNDING, constants),
            Function::Abs | Function::Floor | Function::Ceil => return None,
        };
        let about = finite(value)?;
        let bits = size(&about.about());
        // sin π is 0 but for the last digits, and 1 / sin π is not a number.
        if is_angle && bits.abs() > ZERO_BITS {
            return (matches!(function, Sin | Cos | Tan | Cot) && bits < 0).then(Complex::zero);
        }
        Some(Complex::real(about))
    }

    fn complex_function(&mut self, function: Function, x: &Complex) -> Option<Complex> {
        match function {
            Function::Abs => {
                let square = x.re.times(&x.re)?.plus(&x.im.times(&x.im)?)?;
                self.root(&square, 2)
            }
            Function::Exp => {
                let size = self.function(Function::Exp, &Complex::real(x.re.clone()))?;
                let angle = Complex::real(x.im.clone());
                let cos = self.function(Function::Cos, &angle)?;
                let sin = self.function(Function::Sin, &angle)?;
                Complex { re: cos.re, im: sin.re }.times(&size)
            }
            _ => None,
        }
    }

    /// Returns what is compared of a number: the exact rational if it is one or within 10^-50 of
    /// one with a small denominator, else 30 significant digits; for a complex number of both
    /// parts.
    pub fn key(&mut self, number: &Complex) -> Option<String> {
        let re = self.real_key(&number.re)?;
        if number.im.is_zero() {
            return Some(re);
        }
        let im = self.real_key(&number.im)?;
        Some(if im == "0" { re } else { format!("{re} + {im}i") })
    }

    fn real_key(&mut self, number: &Real) -> Option<String> {
        let about = match number {
            Real::Exact(ratio) => return Some(ratio.to_string()),
            Real::About(about) => about,
        };
        if about.is_zero() {
            return Some("0".into());
        }
        if let Some(ratio) = near_rational(about) {
            return Some(ratio.to_string());
        }
        let (sign, digits, exponent) =
            about.convert_to_radix(Radix::Dec, ROUNDING, &mut self.constants).ok()?;
        let mut digits: Vec<u8> = digits.into_iter().take(DIGITS + 1).collect();
        digits.resize(DIGITS + 1, 0);
        let rounds_up = digits.pop()? >= 5;
        let mut whole: BigUint = BigUint::from_radix_be(&digits, 10)?;
        whole += u32::from(rounds_up);
        Some(format!("{}{whole}e{exponent}", if sign == Sign::Neg { "-" } else { "" }))
    }
}

impl Complex {
    /// Makes a real number.
    pub fn real(re: Real) -> Complex {
        Complex { re, im: Real::zero() }
    }

    /// Makes a rational number.
    pub fn exact(ratio: BigRational) -> Complex {
        Complex::real(Real::Exact(ratio))
    }

    pub fn zero() -> Complex {
        Complex::real(Real::zero())
    }

    /// Returns the imaginary unit.
    pub fn i() -> Complex {
        Complex { re: Real::zero(), im: Real::Exact(BigRational::one()) }
    }

    /// Returns whether it is 0.
    pub fn is_zero(&self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }

    /// Returns the number if it is real.
    pub fn as_real(&self) -> Option<Real> {
        self.im.is_zero().then(|| self.re.clone())
    }

    /// Returns the number if it is an integer that fits.
    pub fn integer(&self) -> Option<i64> {
        match self.as_real()? {
            Real::Exact(ratio) if ratio.is_integer() => ratio.numer().to_i64(),
            _ => None,
        }
    }

    /// Returns the negated number.
    pub fn negated(&self) -> Complex {
        Complex { re: self.re.negated(), im: self.im.negated() }
    }

    pub fn plus(&self, other: &Complex) -> Option<Complex> {
        Some(Complex { re: self.re.plus(&other.re)?, im: self.im.plus(&other.im)? })
    }

    pub fn times(&self, other: &Complex) -> Option<Complex> {
        let real = |a: &Real, b: &Real, c: &Real, d: &Real| a.times(b)?.plus(&c.times(d)?);
        Some(Complex {
            re: real(&self.re, &other.re, &self.im.negated(), &other.im)?,
            im: real(&self.re, &other.im, &self.im, &other.re)?,
        })
    }

    /// Returns the quotient; `None` if the divisor is 0.
    pub fn over(&self, other: &Complex) -> Option<Complex> {
        if let Some(divisor) = other.as_real() {
            return Some(Complex { re: self.re.over(&divisor)?, im: self.im.over(&divisor)? });
        }
        let conjugate = Complex { re: other.re.clone(), im: other.im.negated() };
        let square = other.times(&conjugate)?.re;
        let product = self.times(&conjugate)?;
        Some(Complex { re: product.re.over(&square)?, im: product.im.over(&square)? })
    }
}

/// Raises to an integer power by squaring.
fn integer_power(base: &Complex, exponent: i64) -> Option<Complex> {
    let mut rest = exponent.unsigned_abs();
    let mut square = base.clone();
    let mut power = Complex::exact(BigRational::one());
    while rest > 0 {
        if rest & 1 == 1 {
            power = power.times(&square)?;
        }
        rest >>= 1;
        if rest > 0 {
            square = square.times(&square)?;
        }
    }
    if exponent < 0 { Complex::exact(BigRational::one()).over(&power) } else { Some(power) }
}

/// Returns n!; `None` if it has more digits than an exact number may have.
pub fn factorial(n: i64) -> Option<BigRational> {
    let n = u32::try_from(n).ok().filter(|&n| n <= 2_500)?;
    let product = (1..=n).fold(BigInt::one(), |product, i| product * i);
    exact_only(BigRational::from_integer(product))
}

/// Returns the number of ways to choose k of n.
pub fn binomial(n: i64, k: i64) -> Option<BigRational> {
    if !(0..=100_000).contains(&n) || k < 0 {
        return None;
    }
    if k > n {
        return Some(BigRational::zero());
    }
    let k = k.min(n - k);
    if k > 2_000 {
        return None;
    }
    let product = (0..k).fold(BigInt::one(), |product, i| product * (n - i) / (i + 1));
    exact_only(BigRational::from_integer(product))
}
