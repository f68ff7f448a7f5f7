//! Parses formulas that have a value: numbers, letters, roots, powers, functions, binomials.
//!
//! Only what can be read in one way is parsed; `a/bc`, two numbers side by side, applications of
//! unknown functions and everything else give `None`, and the answer is compared as text.

use num_rational::BigRational;

use super::complex::Function;
use super::parser::FormulaParser;
use super::token::MathToken;

#[derive(Clone, Debug)]
pub enum Expr {
    /// A rational number as it was written.
    Number(BigRational),
    Letter(String),
    Pi,
    E,
    I,
    /// Terms that are added.
    Sum(Vec<Expr>),
    /// The negative of a term.
    Negative(Box<Expr>),
    /// A term with both signs; the flag says that its signs are the opposite of the others', `∓`.
    Either(Box<Expr>, bool),
    /// Factors that are multiplied.
    Product(Vec<Expr>),
    Quotient(Box<Expr>, Box<Expr>),
    Power(Box<Expr>, Box<Expr>),
    Factorial(Box<Expr>),
    /// The number of ways to choose the second of the first.
    Binomial(Box<Expr>, Box<Expr>),
    Apply(Function, Box<Expr>),
    /// A logarithm with its base.
    Log(Box<Expr>, Box<Expr>),
    /// An angle in degrees.
    Degrees(Box<Expr>),
}

/// Parses all of `tokens`.
pub fn parse(tokens: &[MathToken]) -> Option<Expr> {
    FormulaParser::new(tokens).whole()
}

/// Returns whether it is a product of plain integers, which may also be a size: `6 × 10`.
pub fn is_size(expr: &Expr) -> bool {
    let plain = |factor: &Expr| matches!(factor, Expr::Number(ratio) if ratio.is_integer());
    matches!(expr, Expr::Product(factors) if factors.iter().all(plain))
}

/// Returns whether the formula holds a variable.
pub fn has_letters(expr: &Expr) -> bool {
    matches!(expr, Expr::Letter(_)) || expr.parts().into_iter().any(has_letters)
}

impl Expr {
    /// Returns the formulas that it is made of.
    pub fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Expr::Letter(_) | Expr::Pi | Expr::E | Expr::I => Vec::new(),
            Expr::Sum(parts) | Expr::Product(parts) => parts.iter().collect(),
            Expr::Negative(x) | Expr::Either(x, _) | Expr::Factorial(x) => vec![x],
            Expr::Apply(_, x) | Expr::Degrees(x) => vec![x],
            Expr::Quotient(a, b) | Expr::Power(a, b) => vec![a, b],
            Expr::Binomial(a, b) | Expr::Log(a, b) => vec![a, b],
        }
    }
}
