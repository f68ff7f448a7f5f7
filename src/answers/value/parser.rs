//! Parses sums, products and powers by recursive descent; numbers, letters and commands are
//! `operand`'s.

use super::complex::Function;
use super::expression::Expr;
use super::operand::{decimal, function};
use super::token::{MathToken, Symbol};

/// Deepest nesting that is parsed.
pub(super) const DEPTH_MAX: u32 = 24;

/// Reads a formula's tokens from left to right.
pub struct FormulaParser<'t> {
    pub(super) tokens: &'t [MathToken],
    pub(super) at: usize,
    pub(super) depth: u32,
    /// Number of `|` that are open.
    bars: u32,
}

impl<'t> FormulaParser<'t> {
    /// Starts at the first token.
    pub fn new(tokens: &'t [MathToken]) -> FormulaParser<'t> {
        FormulaParser { tokens, at: 0, depth: 0, bars: 0 }
    }

    /// Parses all tokens; `None` if some are left.
    pub fn whole(&mut self) -> Option<Expr> {
        let expr = self.chosen()?;
        (self.at == self.tokens.len()).then_some(expr)
    }

    pub(super) fn peek(&self) -> Option<&'t MathToken> {
        self.tokens.get(self.at)
    }

    pub(super) fn next(&mut self) -> Option<&'t MathToken> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    pub(super) fn eats(&mut self, sign: char) -> bool {
        let is = self.peek().is_some_and(|token| token.is(sign));
        self.at += usize::from(is);
        is
    }

    /// A sum, or two with `\choose` or `\over` between them.
    fn chosen(&mut self) -> Option<Expr> {
        let above = self.sum()?;
        let is = |name| self.peek().is_some_and(|t| t.is_command(name));
        let (chooses, divides) = (is("choose"), is("over"));
        if !(chooses || divides) {
            return Some(above);
        }
        self.at += 1;
        let (above, below) = (Box::new(above), Box::new(self.sum()?));
        Some(if chooses { Expr::Binomial(above, below) } else { Expr::Quotient(above, below) })
    }

    fn sum(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut terms = Vec::new();
        loop {
            let mut sign = None;
            let mut signs = 0;
            while let Some(next) = self.peek().and_then(sign_of) {
                sign = Some(match (sign, next) {
                    (None, next) => next,
                    (Some('+'), '-') | (Some('-'), '+') => '-',
                    (Some('+'), '+') | (Some('-'), '-') => '+',
                    _ => return None,
                });
                signs += 1;
                self.at += 1;
            }
            if !terms.is_empty() && signs == 0 {
                break;
            }
            let term = self.product()?;
            terms.push(match sign {
                Some('-') => Expr::Negative(Box::new(term)),
                Some('±') => Expr::Either(Box::new(term), false),
                Some('∓') => Expr::Either(Box::new(term), true),
                _ => term,
            });
        }
        self.depth -= 1;
        Some(if terms.len() == 1 { terms.pop()? } else { Expr::Sum(terms) })
    }

    fn product(&mut self) -> Option<Expr> {
        let mut factors = vec![self.factor()?];
        // After a/b nothing may follow without a sign: a/bc has two readings.
        let mut after_slash = false;
        while let Some(token) = self.peek() {
            if token.is('×') {
                self.at += 1;
                let sign = self.eats('-');
                let factor = self.factor()?;
                factors.push(if sign { Expr::Negative(Box::new(factor)) } else { factor });
                after_slash = false;
            } else if token.is('/') || token.is('÷') {
                // a/b/c is left alone.
                if after_slash {
                    return None;
                }
                self.at += 1;
                let sign = self.eats('-');
                if matches!(self.peek().map(|t| &t.symbol), Some(Symbol::Word(_))) {
                    return None;
                }
                let below = self.factor()?;
                let below = if sign { Expr::Negative(Box::new(below)) } else { below };
                let above = product_of(factors)?;
                factors = vec![Expr::Quotient(Box::new(above), Box::new(below))];
                after_slash = true;
            } else if self.begins_factor(token) {
                // Digits may follow a factorial, as in 3!7!, and a bracket.
                let last = &self.tokens[self.at - 1];
                let is_apart = last.is('!') || last.is(')');
                if after_slash || matches!(token.symbol, Symbol::Digits(_)) && !is_apart {
                    return None;
                }
                factors.push(self.factor()?);
            } else {
                break;
            }
        }
        product_of(factors)
    }

    /// Returns whether a factor begins here without a sign.
    pub(super) fn begins_factor(&self, token: &MathToken) -> bool {
        match &token.symbol {
            Symbol::Digits(_) | Symbol::Letter(_) | Symbol::Word(_) => true,
            Symbol::Command(name) => {
                matches!(name.as_str(), "frac" | "sqrt" | "cbrt" | "binom" | "log" | "lg")
                    || function(name).is_some()
            }
            Symbol::Sign(sign) => {
                matches!(sign, '(' | '{' | '[' | 'π' | '⌊' | '⌈') || *sign == '|' && self.bars == 0
            }
        }
    }

    /// A base with what is set after it: powers, factorials, degrees.
    pub(super) fn factor(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut base = self.base()?;
        while let Some(token) = self.peek() {
            if token.is('!') {
                if self.tokens.get(self.at + 1).is_some_and(|next| next.is('!')) {
                    return None;
                }
                self.at += 1;
                base = Expr::Factorial(Box::new(base));
            } else if token.is('°') {
                self.at += 1;
                // 20 °C is a temperature, not an angle.
                if self
                    .peek()
                    .is_some_and(|t| matches!(&t.symbol, Symbol::Letter(l) if l == "C" || l == "F"))
                {
                    return None;
                }
                base = Expr::Degrees(Box::new(base));
            } else if token.is('^') {
                self.at += 1;
                base = Expr::Power(Box::new(base), Box::new(self.exponent()?));
            } else {
                break;
            }
        }
        self.depth -= 1;
        Some(base)
    }

    pub(super) fn exponent(&mut self) -> Option<Expr> {
        if self.eats('-') {
            return Some(Expr::Negative(Box::new(self.exponent()?)));
        }
        if let Some(token) = self.peek()
            && (token.is('{') || token.is('('))
        {
            let close = if token.is('{') { '}' } else { ')' };
            return self.enclosed(close);
        }
        // Not base(): x^2\frac{1}{2} is not a power of 2½.
        if let Some(MathToken { symbol: Symbol::Digits(digits), .. }) = self.peek() {
            self.at += 1;
            let exponent = decimal(digits).map(Expr::Number);
            return exponent.filter(|_| !self.peek().is_some_and(|t| t.is('^')));
        }
        let exponent = self.base()?;
        // x^y^z has two readings.
        (!self.peek().is_some_and(|t| t.is('^'))).then_some(exponent)
    }

    /// Reads an opening bracket, a sum and the closing bracket.
    pub(super) fn enclosed(&mut self, close: char) -> Option<Expr> {
        self.at += 1;
        let bars = std::mem::take(&mut self.bars);
        let expr = self.chosen()?;
        self.bars = bars;
        self.eats(close).then_some(expr)
    }

    pub(super) fn base(&mut self) -> Option<Expr> {
        let token = self.next()?;
        match &token.symbol {
            Symbol::Digits(digits) => self.number(digits),
            Symbol::Letter(name) => self.letter(name),
            Symbol::Word(word) => self.letters(word, token.as_text),
            Symbol::Command(name) => self.command(name),
            Symbol::Sign(sign) => {
                let close = match sign {
                    'π' => return Some(Expr::Pi),
                    '(' => ')',
                    '[' => ']',
                    '{' => '}',
                    '⌊' => '⌋',
                    '⌈' => '⌉',
                    '|' => {
                        self.bars += 1;
                        let inside = self.sum()?;
                        self.bars -= 1;
                        return self
                            .eats('|')
                            .then(|| Expr::Apply(Function::Abs, Box::new(inside)));
                    }
                    _ => return None,
                };
                self.at -= 1;
                let inside = self.enclosed(close)?;
                Some(match sign {
                    '⌊' => Expr::Apply(Function::Floor, Box::new(inside)),
                    '⌈' => Expr::Apply(Function::Ceil, Box::new(inside)),
                    _ => inside,
                })
            }
        }
    }
}

fn sign_of(token: &MathToken) -> Option<char> {
    match token.symbol {
        Symbol::Sign(sign @ ('+' | '-' | '±' | '∓')) => Some(sign),
        _ => None,
    }
}

/// Makes a product; of one factor the factor.
pub(super) fn product_of(mut factors: Vec<Expr>) -> Option<Expr> {
    if factors.len() == 1 { factors.pop() } else { Some(Expr::Product(factors)) }
}
