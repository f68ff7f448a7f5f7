//! Computes what is compared of a formula: its value, or its values where its letters stand for
//! fixed numbers.
//!
//! Two formulas of variables that agree at three points, chosen once and for all like random ones,
//! are equal for all practical purposes (Schwartz 1980, Zippel 1979). At the third point every
//! letter but n, m and k is negative, so that √(x²) is |x| and not x.

use std::cell::Cell;

use num_rational::BigRational;

use super::complex::{Arithmetic, Complex, Function, binomial, factorial};
use super::expression::{Expr, has_letters};

/// The points at which a formula with letters is evaluated.
const POINTS: usize = 3;
/// Most steps of one evaluation.
const STEPS_MAX: u32 = 200;

/// The value of a formula: a key for each point, one if it has no letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueKey(Vec<String>);

impl ValueKey {
    /// Returns the key of a rational number, if the formula is one.
    pub fn rational(&self) -> Option<BigRational> {
        match &self.0[..] {
            [only] => only.parse().ok(),
            _ => None,
        }
    }

    /// Returns the value of a formula without letters approximately.
    pub fn approximate(&self) -> Option<f64> {
        let [only] = &self.0[..] else { return None };
        if let Some((digits, exponent)) = only.split_once('e') {
            let digits_after = digits.trim_start_matches('-').len() as i32;
            let power: i32 = exponent.parse().ok()?;
            return format!("{digits}e{}", power - digits_after).parse().ok();
        }
        let ratio: BigRational = only.parse().ok()?;
        num_traits::ToPrimitive::to_f64(&ratio).filter(|number| number.is_finite())
    }
}

/// The sign that `±` stands for.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Upper,
    Lower,
}

/// Returns the value of a formula; two for one with `±`. `None` if it has none, or if it cannot be
/// computed within the bounds.
pub fn keys(expr: &Expr) -> Option<Vec<ValueKey>> {
    with_evaluator(|evaluator| match signs(expr) {
        0 => Some(vec![evaluator.key(expr, Choice::Upper)?]),
        1 => {
            let upper = evaluator.key(expr, Choice::Upper)?;
            let lower = evaluator.key(expr, Choice::Lower)?;
            Some(if upper == lower { vec![upper] } else { vec![upper, lower] })
        }
        // Whether their signs belong together is not known.
        _ => None,
    })
}

/// Returns the key of an equation left = right, which does not change when it is rearranged or
/// multiplied by a number: the ratios of left − right at the points.
pub fn equation_key(left: &Expr, right: &Expr) -> Option<ValueKey> {
    let values = differences(left, right)?;
    let first = values.iter().find(|value| !value.is_zero())?.clone();
    ratios(&values, &first)
}

/// Returns the key of an inequality left > right: as that of an equation, but the number must be
/// positive.
pub fn inequality_key(left: &Expr, right: &Expr) -> Option<ValueKey> {
    let values = differences(left, right)?;
    let first = values.iter().find(|value| !value.is_zero())?;
    let size = with_evaluator(|evaluator| evaluator.arithmetic.function(Function::Abs, first))?;
    ratios(&values, &size)
}

/// Returns the key of values divided by one number.
fn ratios(values: &[Complex], divisor: &Complex) -> Option<ValueKey> {
    with_evaluator(|evaluator| {
        let ratio = |value: &Complex| evaluator.arithmetic.key(&value.over(divisor)?);
        Some(ValueKey(values.iter().map(ratio).collect::<Option<_>>()?))
    })
}

fn differences(left: &Expr, right: &Expr) -> Option<Vec<Complex>> {
    if signs(left) + signs(right) > 0 || !(has_letters(left) || has_letters(right)) {
        return None;
    }
    let difference = Expr::Sum(vec![left.clone(), Expr::Negative(Box::new(right.clone()))]);
    with_evaluator(|evaluator| {
        (0..POINTS).map(|point| evaluator.at(&difference, point, Choice::Upper)).collect()
    })
}

/// Returns an approximation of a formula without letters, for putting numbers in order.
pub fn approximate(expr: &Expr) -> Option<f64> {
    if has_letters(expr) || signs(expr) > 0 {
        return None;
    }
    let value = with_evaluator(|evaluator| evaluator.at(expr, 0, Choice::Upper))?;
    value.as_real().map(|real| real.to_f64()).filter(|number| number.is_finite())
}

/// Counts the signs ± and ∓ of a formula.
fn signs(expr: &Expr) -> usize {
    let own = usize::from(matches!(expr, Expr::Either(..)));
    own + expr.parts().into_iter().map(signs).sum::<usize>()
}

thread_local! {
    /// The calculator of the last evaluation: its constants cost more than most formulas.
    static SPARE: Cell<Option<Arithmetic>> = const { Cell::new(None) };
}

fn with_evaluator<T>(evaluate: impl FnOnce(&mut Evaluator) -> Option<T>) -> Option<T> {
    let arithmetic = SPARE.take().or_else(Arithmetic::new)?;
    let mut evaluator = Evaluator { arithmetic, steps: 0 };
    let result = evaluate(&mut evaluator);
    SPARE.set(Some(evaluator.arithmetic));
    result
}

struct Evaluator {
    arithmetic: Arithmetic,
    steps: u32,
}

impl Evaluator {
    fn key(&mut self, expr: &Expr, choice: Choice) -> Option<ValueKey> {
        if !has_letters(expr) {
            let value = self.at(expr, 0, choice)?;
            return Some(ValueKey(vec![self.arithmetic.key(&value)?]));
        }
        let mut parts = Vec::with_capacity(POINTS);
        let mut is_defined = false;
        for point in 0..POINTS {
            // Where a formula has no value, its equals have none either.
            let value = self.at(expr, point, choice);
            is_defined |= value.is_some();
            parts.push(match value {
                Some(value) => self.arithmetic.key(&value)?,
                None => "undefined".into(),
            });
        }
        // sin²x + cos²x is 1.
        if parts.iter().all(|part| *part == parts[0] && *part != "undefined") {
            parts.truncate(1);
        }
        // All must be undefined at the same points, and some point must say something.
        is_defined.then_some(ValueKey(parts))
    }

    fn at(&mut self, expr: &Expr, point: usize, choice: Choice) -> Option<Complex> {
        self.steps += 1;
        if self.steps > STEPS_MAX * POINTS as u32 {
            return None;
        }
        let mut of = |expr: &Expr| self.at(expr, point, choice);
        match expr {
            Expr::Number(ratio) => Some(Complex::exact(ratio.clone())),
            Expr::Letter(name) => Some(Complex::exact(letter(name, point))),
            Expr::Pi => Some(self.arithmetic.pi()),
            Expr::E => Some(self.arithmetic.e()),
            Expr::I => Some(Complex::i()),
            Expr::Sum(terms) => {
                terms.iter().try_fold(Complex::zero(), |sum, term| sum.plus(&of(term)?))
            }
            Expr::Negative(x) => Some(of(x)?.negated()),
            Expr::Either(x, opposite) => {
                let value = of(x)?;
                Some(if (choice == Choice::Upper) == *opposite { value.negated() } else { value })
            }
            Expr::Product(factors) => {
                let (first, others) = factors.split_first()?;
                let first = of(first)?;
                others.iter().try_fold(first, |product, factor| product.times(&of(factor)?))
            }
            Expr::Quotient(a, b) => of(a)?.over(&of(b)?),
            Expr::Power(base, exponent) => {
                if matches!(**base, Expr::E) {
                    let exponent = of(exponent)?;
                    return self.arithmetic.function(Function::Exp, &exponent);
                }
                let (base, exponent) = (of(base)?, of(exponent)?);
                self.arithmetic.power(&base, &exponent)
            }
            Expr::Factorial(x) => factorial(of(x)?.integer()?).map(Complex::exact),
            Expr::Binomial(n, k) => {
                binomial(of(n)?.integer()?, of(k)?.integer()?).map(Complex::exact)
            }
            Expr::Apply(function, x) => {
                let x = of(x)?;
                self.arithmetic.function(*function, &x)
            }
            Expr::Log(base, x) => {
                let (base, x) = (of(base)?, of(x)?);
                let x = self.arithmetic.function(Function::Ln, &x)?;
                x.over(&self.arithmetic.function(Function::Ln, &base)?)
            }
            Expr::Degrees(x) => {
                let half_turn = Complex::exact(BigRational::from_integer(180.into()));
                let x = of(x)?;
                x.times(&self.arithmetic.pi())?.over(&half_turn)
            }
        }
    }
}

/// Returns what a letter stands for at a point, always the same.
///
/// n, m and k are natural numbers, so that factorials, binomials and (−1)^n have values.
fn letter(name: &str, point: usize) -> BigRational {
    let natural: Option<[i32; 3]> = match name {
        "n" => Some([12, 17, 23]),
        "m" => Some([8, 13, 19]),
        "k" => Some([4, 5, 9]),
        _ => None,
    };
    if let Some(numbers) = natural {
        return BigRational::from_integer(numbers[point].into());
    }
    // FNV-1a, 64 bits, over the name and the point.
    let bytes = name.bytes().chain([point as u8]);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of a short text's hash hardly differ.
    let hash = hash ^ (hash >> 29);
    let hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let (top, bottom) = ((hash >> 40) % 9_000 + 1_000, (hash >> 20) % 4_000 + 1_001);
    let ratio = BigRational::new(top.into(), bottom.into());
    if point == 2 { -ratio } else { ratio }
}
