//! Parses what a formula is made of: numbers with their repeating parts and fractions, variables,
//! and commands with their arguments.

use num_bigint::BigInt;
use num_rational::BigRational;

use super::complex::Function;
use super::expression::{Expr, has_letters};
use super::parser::{DEPTH_MAX, FormulaParser, product_of};
use super::token::{MathToken, Symbol};

impl FormulaParser<'_> {
    /// Digits with what belongs to a number: a repeating part, a mixed number's fraction.
    pub(super) fn number(&mut self, digits: &str) -> Option<Expr> {
        if let Some(number) = self.repeating(digits) {
            return number;
        }
        let number = decimal(digits)?;
        let is_whole = number.is_integer() && !digits.contains('.');
        if self.peek().is_some_and(|t| t.is('_')) {
            return None; // digits in another base
        }
        if let (true, Some(next)) = (is_whole, self.peek()) {
            if next.is_command("frac") {
                let start = (self.at, self.depth);
                self.at += 1;
                if let Some(Expr::Quotient(top, bottom)) = self.fraction()
                    && let (Expr::Number(top), Expr::Number(bottom)) = (*top, *bottom)
                    && top.is_integer()
                    && bottom.is_integer()
                {
                    return (bottom != BigRational::from_integer(0.into()))
                        .then(|| Expr::Number(number + top / bottom));
                }
                (self.at, self.depth) = start;
            } else if next.spaced
                && let [top, slash, bottom, ..] = &self.tokens[self.at..]
                && let (Some(top), true, Some(bottom)) =
                    (top.whole(), slash.is('/'), bottom.whole())
            {
                let (top, bottom) = (decimal(top)?, decimal(bottom)?);
                self.at += 3;
                return (bottom != BigRational::from_integer(0.into()))
                    .then(|| Expr::Number(number + top / bottom));
            }
        }
        Some(Expr::Number(number))
    }

    fn repeating(&mut self, digits: &str) -> Option<Option<Expr>> {
        let (_, fraction) = digits.split_once('.')?;
        let next = self.peek()?;
        let start = self.at;
        let mut period = String::new();
        if next.is_command("overline") {
            self.at += 1;
            period = self.braced_digits()?;
        } else if next.is_command("dot") {
            // A dot over the first and the last digit.
            self.at += 1;
            period = self.braced_digits()?;
            if let Some(Symbol::Digits(more)) = self.peek().map(|t| &t.symbol)
                && self.tokens.get(self.at + 1).is_some_and(|t| t.is_command("dot"))
            {
                period.push_str(more);
                self.at += 1;
            }
            if self.peek().is_some_and(|t| t.is_command("dot")) {
                self.at += 1;
                period.push_str(&self.braced_digits()?);
            }
        } else if digits.ends_with('.')
            && let [open, inside, close, ..] = &self.tokens[self.at..]
            && let (true, Some(inside), true) = (open.is('('), inside.whole(), close.is(')'))
        {
            period = inside.to_string();
            self.at += 3;
        }
        if period.is_empty() {
            self.at = start;
            return None;
        }
        let places = u32::try_from(fraction.len()).ok()?;
        let nines = BigInt::from(10).pow(u32::try_from(period.len()).ok()?) - 1;
        let repeated = BigRational::new(period.parse().ok()?, nines * BigInt::from(10).pow(places));
        Some(decimal(digits.trim_end_matches('.')).map(|number| Expr::Number(number + repeated)))
    }

    fn braced_digits(&mut self) -> Option<String> {
        if let Some(digits) = self.peek()?.whole() {
            self.at += 1;
            return (digits.len() == 1).then(|| digits.to_string());
        }
        let [open, digits, close, ..] = &self.tokens[self.at..] else { return None };
        let digits = digits.whole().filter(|_| open.is('{') && close.is('}'))?;
        self.at += 3;
        Some(digits.to_string())
    }

    pub(super) fn letter(&mut self, name: &str) -> Option<Expr> {
        if self.eats('_') {
            if let Some(number) = self.chosen_of(name) {
                return Some(number);
            }
            let index = self.index()?;
            return Some(Expr::Letter(format!("{name}_{index}")));
        }
        // f(x) is the application of an unknown function; f' its derivative.
        let next = self.peek();
        if next.is_some_and(|t| t.is('\'')) {
            return None;
        }
        let applies = matches!(name, "f" | "g" | "h" | "F" | "G" | "P" | "Q" | "C");
        if applies && next.is_some_and(|t| t.is('(')) {
            return None;
        }
        Some(match name {
            "e" => Expr::E,
            "i" => Expr::I,
            name => Expr::Letter(name.to_string()),
        })
    }

    /// The rest of `C_5^2`, the number of ways to choose 2 of 5, and of `A_5^2`, those to arrange
    /// them.
    fn chosen_of(&mut self, name: &str) -> Option<Expr> {
        let start = (self.at, self.depth);
        let mut numbers = || {
            let n = self.argument()?;
            let k = if self.eats('^') { self.argument()? } else { return None };
            match (n, k) {
                (Expr::Number(n), Expr::Number(k)) if n >= k => Some((n, k)),
                _ => None,
            }
        };
        let found = if matches!(name, "C" | "A" | "P") { numbers() } else { None };
        let Some((n, k)) = found else {
            (self.at, self.depth) = start;
            return None;
        };
        let number = |number| Box::new(Expr::Number(number));
        Some(if name == "C" {
            Expr::Binomial(number(n), number(k))
        } else {
            let left = Expr::Factorial(number(&n - k));
            Expr::Quotient(Box::new(Expr::Factorial(number(n))), Box::new(left))
        })
    }

    /// An index: digits, a letter, or a group of both.
    fn index(&mut self) -> Option<String> {
        let token = self.next()?;
        if !token.is('{') {
            return text_of(token);
        }
        let mut index = String::new();
        loop {
            let token = self.next()?;
            if token.is('}') {
                return (!index.is_empty()).then_some(index);
            }
            match token.symbol {
                Symbol::Sign(sign @ ('+' | '-')) => index.push(sign),
                _ => index.push_str(&text_of(token)?),
            }
        }
    }

    /// A run of letters is a product of variables if it is short and is not a word.
    pub(super) fn letters(&mut self, word: &str, as_text: bool) -> Option<Expr> {
        if as_text {
            return match word {
                "e" => Some(Expr::E),
                "i" => Some(Expr::I),
                _ => None,
            };
        }
        if !is_product(word) {
            return None;
        }
        let (last, before) =
            word.chars().rev().collect::<Vec<_>>().split_first().map(|(l, b)| (*l, b.to_vec()))?;
        let mut factors: Vec<Expr> = Vec::new();
        for letter in before.into_iter().rev() {
            factors.push(plain_letter(letter));
        }
        let mut last = self.letter(&last.to_string())?;
        // xy^2 squares y alone.
        if self.peek().is_some_and(|t| t.is('^')) {
            self.at += 1;
            last = Expr::Power(Box::new(last), Box::new(self.exponent()?));
        }
        factors.push(last);
        product_of(factors)
    }

    pub(super) fn command(&mut self, name: &str) -> Option<Expr> {
        match name {
            "frac" => self.fraction(),
            "binom" => {
                let (n, k) = (self.argument()?, self.argument()?);
                Some(Expr::Binomial(Box::new(n), Box::new(k)))
            }
            "cbrt" => {
                let inside = self.argument()?;
                let third = Expr::Number(BigRational::new(1.into(), 3.into()));
                Some(Expr::Power(Box::new(inside), Box::new(third)))
            }
            "sqrt" => {
                let mut degree = Expr::Number(BigRational::from_integer(2.into()));
                if self.peek().is_some_and(|t| t.is('[')) {
                    degree = self.enclosed(']')?;
                }
                let inside = self.argument()?;
                let one = Expr::Number(BigRational::from_integer(1.into()));
                let exponent = Expr::Quotient(Box::new(one), Box::new(degree));
                Some(Expr::Power(Box::new(inside), Box::new(exponent)))
            }
            "log" | "lg" => {
                let mut base = Expr::Number(BigRational::from_integer(10.into()));
                if self.eats('_') {
                    base = self.argument()?;
                }
                let x = self.function_argument()?;
                Some(Expr::Log(Box::new(base), Box::new(x)))
            }
            name => {
                let function = function(name)?;
                let power = if self.eats('^') { Some(self.exponent()?) } else { None };
                let x = Box::new(self.function_argument()?);
                Some(match power {
                    None => Expr::Apply(function, x),
                    Some(Expr::Negative(one)) if is_one(&one) => Expr::Apply(inverse(function)?, x),
                    Some(power) => Expr::Power(Box::new(Expr::Apply(function, x)), Box::new(power)),
                })
            }
        }
    }

    fn fraction(&mut self) -> Option<Expr> {
        let (top, bottom) = (self.argument()?, self.argument()?);
        Some(Expr::Quotient(Box::new(top), Box::new(bottom)))
    }

    /// The argument of a command: a group in braces or parentheses, one digit, one letter.
    fn argument(&mut self) -> Option<Expr> {
        let token = self.peek()?;
        if token.is('{') {
            return self.enclosed('}');
        }
        if token.is('(') {
            return self.enclosed(')');
        }
        if let Symbol::Digits(digits) = &token.symbol {
            self.at += 1;
            return decimal(digits).map(Expr::Number);
        }
        self.base()
    }

    /// The argument of a function: in parentheses, or the factors up to the next sign or function.
    pub(super) fn function_argument(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let is_group = self.peek().is_some_and(|t| t.is('(') || t.is('{'));
        let mut factors = vec![self.factor()?];
        while !is_group && let Some(token) = self.peek() {
            let is_function = match &token.symbol {
                Symbol::Command(name) => function(name).is_some() || name == "log",
                _ => false,
            };
            if is_function || token.is('(') || token.is('|') || !self.begins_factor(token) {
                break;
            }
            if matches!(token.symbol, Symbol::Digits(_)) {
                return None;
            }
            factors.push(self.factor()?);
        }
        let mut argument = product_of(factors)?;
        if !is_group && self.peek().is_some_and(|t| t.is('/')) {
            // sin x/2 has two readings, sin π/6 in practice one: the angle.
            if has_letters(&argument) {
                return None;
            }
            self.at += 1;
            let below = self.factor()?;
            argument = Expr::Quotient(Box::new(argument), Box::new(below));
        }
        self.depth -= 1;
        Some(argument)
    }
}

fn is_one(expr: &Expr) -> bool {
    matches!(expr, Expr::Number(one) if *one == BigRational::from_integer(1.into()))
}

fn plain_letter(letter: char) -> Expr {
    match letter {
        'e' => Expr::E,
        'i' => Expr::I,
        letter => Expr::Letter(letter.to_string()),
    }
}

fn text_of(token: &MathToken) -> Option<String> {
    match &token.symbol {
        Symbol::Digits(text) | Symbol::Letter(text) | Symbol::Word(text) => Some(text.clone()),
        _ => None,
    }
}

/// Returns whether a run of letters is a product of variables: two letters that are not a word, or
/// more of those that stand for numbers in most problems.
pub fn is_product(word: &str) -> bool {
    const WORDS: &str = " no is or if in of to at by as so we be an am pm AM PM cm mm km kg mg \
        ml mL ft hr \
        it on up us Hz dm kW ";
    let usual = |c: char| "abcdkmnpqrstuvwxyzABCDRS".contains(c);
    match word.chars().count() {
        2 => {
            word.is_ascii()
                && !WORDS.contains(&format!(" {word} "))
                && !WORDS.contains(&format!(" {} ", word.to_lowercase()))
        }
        3..=5 => {
            word.chars().all(|c| "abcxyzmnkpqrt".contains(c))
                && word != "cab"
                && word.chars().all(usual)
        }
        _ => false,
    }
}

pub fn decimal(digits: &str) -> Option<BigRational> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places = u32::try_from(fraction.len()).ok()?;
    let top: BigInt = format!("0{whole}{fraction}").parse().ok()?;
    Some(BigRational::new(top, BigInt::from(10).pow(places)))
}

/// Returns the function of a name.
pub(super) fn function(name: &str) -> Option<Function> {
    Some(match name {
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "tan" => Function::Tan,
        "cot" => Function::Cot,
        "sec" => Function::Sec,
        "csc" => Function::Csc,
        "arcsin" => Function::Arcsin,
        "arccos" => Function::Arccos,
        "arctan" => Function::Arctan,
        "sinh" => Function::Sinh,
        "cosh" => Function::Cosh,
        "tanh" => Function::Tanh,
        "exp" => Function::Exp,
        "ln" => Function::Ln,
        _ => return None,
    })
}

fn inverse(function: Function) -> Option<Function> {
    match function {
        Function::Sin => Some(Function::Arcsin),
        Function::Cos => Some(Function::Arccos),
        Function::Tan => Some(Function::Arctan),
        _ => None,
    }
}
