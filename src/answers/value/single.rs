//! Parses one answer without brackets or commas: a formula with its unit, a number in another base,
//! or words.

use num_rational::BigRational;

use super::evaluate::{self, ValueKey};
use super::expression::{self, Expr};
use super::structure::{list_of, trimmed};
use super::token::{MathToken, Symbol};
use super::{AnswerForm, Joined, Value, render, unit, words};

/// Parses one answer: a formula with an optional unit, or words.
pub fn single(tokens: &[MathToken]) -> Option<Value> {
    let tokens = trimmed(tokens);
    // \text{A} is the choice A; the letter of a variable is the same.
    if let [MathToken { symbol: Symbol::Word(word), .. }] = tokens
        && word.chars().count() == 1
        && word.is_ascii()
    {
        return single(&[MathToken::plain(Symbol::Letter(word.clone()))]);
    }
    if let [MathToken { symbol: Symbol::Word(word), .. }, rest @ ..] = tokens
        && let Some(digits) = words::digits(word)
        && !rest.iter().any(|t| matches!(t.symbol, Symbol::Sign(_)))
    {
        return single(&[&[MathToken::plain(Symbol::Digits(digits))], rest].concat());
    }
    if let Some(ratio) = ratio(tokens) {
        return Some(ratio);
    }
    if let Some(value) = numerals(tokens).or_else(|| in_base(tokens)) {
        return Some(value);
    }
    if let Some(value) = speed(tokens).or_else(|| formula(tokens, None)) {
        return Some(value);
    }
    // Money has its sign in front.
    if let [currency, rest @ ..] = tokens
        && let Symbol::Sign(sign @ ('$' | '€' | '£' | '¥')) = currency.symbol
    {
        let mut value = single(rest)?;
        if value.unit.is_none() {
            value.unit = Some(sign.to_string());
            let sign = if sign == '$' { "\\$".into() } else { sign.to_string() };
            value.shown = format!("{sign}{}", render::formula(rest));
        }
        return Some(value);
    }
    let has_words =
        |tokens: &[MathToken]| tokens.iter().any(|t| matches!(t.symbol, Symbol::Word(_)));
    for (at, name) in unit::endings(tokens).into_iter().filter(|(at, _)| !has_words(&tokens[..*at]))
    {
        if let Some(value) = formula(&tokens[..at], Some((&tokens[at..], name))) {
            return Some(value);
        }
    }
    text(tokens)
}

/// Parses the numbers of statements side by side, `①②`, and the letters of several choices, `ABD`,
/// as a list.
fn numerals(tokens: &[MathToken]) -> Option<Value> {
    if let [MathToken { symbol: Symbol::Word(word), .. }] = tokens
        && word.chars().all(|c| ('A'..='F').contains(&c))
        && word.as_bytes().is_sorted_by(|a, b| a < b)
    {
        let letter = |c: char| single(&[MathToken::plain(Symbol::Letter(c.into()))]);
        let letters = word.chars().map(letter).collect::<Option<Vec<_>>>()?;
        return Some(Value { shown: word.clone(), ..list_of(Joined::Comma, None, letters) });
    }
    let part = |token: &MathToken| match token.symbol {
        Symbol::Sign(sign @ '①'..='⑳') => Some(Value::text(sign.to_string())),
        _ => None,
    };
    let parts = tokens.iter().map(part).collect::<Option<Vec<_>>>()?;
    (parts.len() > 1).then(|| list_of(Joined::Comma, None, parts))
}

/// Parses a ratio of integers, `6:4`, in lowest terms; `10:30` may be a time and is left alone.
fn ratio(tokens: &[MathToken]) -> Option<Value> {
    let digits: Vec<&str> =
        tokens.iter().step_by(2).map(MathToken::whole).collect::<Option<_>>()?;
    let colons = tokens.iter().skip(1).step_by(2).all(|t| t.is(':'));
    if !colons || digits.len() < 2 || tokens.len().is_multiple_of(2) || digits[1].len() == 2 {
        return None;
    }
    let numbers = digits.iter().map(|d| d.parse().ok()).collect::<Option<Vec<u64>>>()?;
    let shared = numbers.iter().fold(0, |a, &b| gcd(a, b));
    let shown = numbers.iter().map(|n| (n / shared.max(1)).to_string()).collect::<Vec<_>>();
    Some(Value::text(shown.join(":")))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Parses digits in another base: `101_2`, `(101)_{2}`.
fn in_base(tokens: &[MathToken]) -> Option<Value> {
    let bar = tokens.iter().position(|t| t.is('_'))?;
    let digits = match &tokens[..bar] {
        [digits] => digits,
        [open, digits, close] if open.is('(') && close.is(')') => digits,
        _ => return None,
    };
    let text = |token: &MathToken| match &token.symbol {
        Symbol::Digits(text) | Symbol::Word(text) | Symbol::Letter(text) => Some(text.clone()),
        _ => None,
    };
    let marks = |t: &&MathToken| !['{', '}', '(', ')'].iter().any(|&mark| t.is(mark));
    let base: Vec<&MathToken> = tokens[bar + 1..].iter().filter(marks).collect();
    let [base] = base[..] else { return None };
    let base = match text(base)?.as_str() {
        "two" => "2".to_string(),
        "three" => "3".into(),
        "eight" => "8".into(),
        "ten" => "10".into(),
        base => base.to_string(),
    };
    let digits = digits.whole()?.trim_start_matches('0');
    if base == "10" {
        return single(&[MathToken::plain(Symbol::Digits(digits.into()))]);
    }
    base.parse::<u8>().ok().map(|base| Value::text(format!("{digits}_{{{base}}}")))
}

/// Parses a number with a unit whose letters could be variables: `5 m/s`.
fn speed(tokens: &[MathToken]) -> Option<Value> {
    let at = tokens.iter().position(|t| matches!(t.symbol, Symbol::Letter(_) | Symbol::Word(_)))?;
    if at == 0 || !tokens[at].spaced || !tokens[at..].iter().any(|t| t.is('/')) {
        return None;
    }
    let (_, name) = unit::endings(tokens).into_iter().find(|(start, _)| *start == at)?;
    formula(&tokens[..at], Some((&tokens[at..], name)))
}

/// Parses a formula that can be computed, with the unit behind it.
fn formula(tokens: &[MathToken], unit: Option<(&[MathToken], String)>) -> Option<Value> {
    let scaled = with_scale(tokens);
    let tokens = scaled.as_deref().unwrap_or(tokens);
    let expr = expression::parse(tokens)?;
    if expression::is_size(&expr) && scaled.is_none() {
        return None;
    }
    if let (Expr::Degrees(_), None) = (&expr, &unit) {
        return None; // an angle is a number with a unit
    }
    let mut keys = evaluate::keys(&expr)?;
    if keys.len() > 1 {
        let part = |(key, signs): (ValueKey, [char; 2])| {
            let form = AnswerForm::Formula { key, with_unit: None, equation: None };
            Value::of(render::formula(&with_signs(tokens, signs)), form)
        };
        let parts = keys.into_iter().zip([['+', '-'], ['-', '+']]).map(part).collect();
        let list = Value::of(render::formula(tokens), AnswerForm::List(Joined::Comma, parts));
        return Some(Value { unit: unit.map(|(_, name)| name), ..list });
    }
    let key = keys.pop()?;
    let mut shown = match key.rational() {
        Some(ratio) if is_number(&expr) && (unit.is_none() || ratio.is_integer()) => {
            ratio.to_string()
        }
        _ => render::formula(tokens),
    };
    let with_unit = unit.as_ref().and_then(|(_, name)| match name.as_str() {
        "%" => {
            let hundred = Expr::Number(BigRational::from_integer(100.into()));
            evaluate::keys(&Expr::Quotient(Box::new(expr.clone()), Box::new(hundred)))?.pop()
        }
        "°" => evaluate::keys(&Expr::Degrees(Box::new(expr.clone())))?.pop(),
        _ => None,
    });
    let unit = unit.map(|(written, name)| {
        let space = if matches!(name.as_str(), "%" | "°") { "" } else { "\\," };
        shown = format!("{shown}{space}{}", render::formula(written));
        name
    });
    let unit = unit.filter(|name| !name.is_empty());
    let form = AnswerForm::Formula { key, with_unit, equation: None };
    Some(Value { unit, ..Value::of(shown, form) })
}

/// Writes these signs for ± and ∓.
fn with_signs(tokens: &[MathToken], signs: [char; 2]) -> Vec<MathToken> {
    let written = |token: &MathToken| match token.symbol {
        Symbol::Sign('±') => MathToken { symbol: Symbol::Sign(signs[0]), ..token.clone() },
        Symbol::Sign('∓') => MathToken { symbol: Symbol::Sign(signs[1]), ..token.clone() },
        _ => token.clone(),
    };
    tokens.iter().map(written).collect()
}

/// Returns whether a formula is a number as it is written: its value is its shortest form.
fn is_number(expr: &Expr) -> bool {
    let is_integer = |expr: &Expr| matches!(expr, Expr::Number(ratio) if ratio.is_integer());
    match expr {
        Expr::Number(_) => true,
        Expr::Negative(x) => is_number(x),
        Expr::Quotient(a, b) => is_number(a) && is_number(b),
        // Powers of ten, and what they multiply.
        Expr::Product(parts) => parts.iter().all(is_number) && parts.len() == 2,
        Expr::Power(base, exponent) => {
            let ten = BigRational::from_integer(10.into());
            let is_ten = matches!(&**base, Expr::Number(base) if *base == ten);
            is_ten
                && (is_integer(exponent)
                    || matches!(&**exponent, Expr::Negative(x) if is_integer(x)))
        }
        _ => false,
    }
}

/// Writes `5 million` and `5万` as products.
fn with_scale(tokens: &[MathToken]) -> Option<Vec<MathToken>> {
    let (last, before) = tokens.split_last()?;
    let Symbol::Word(word) = &last.symbol else { return None };
    let zeros = match word.as_str() {
        "hundred" => 2,
        "thousand" => 3,
        "million" => 6,
        "billion" => 9,
        "trillion" => 12,
        "万" => 4,
        "亿" => 8,
        _ => return None,
    };
    let [MathToken { symbol: Symbol::Digits(_), .. }] = before else { return None };
    let scale = Symbol::Digits(format!("1{}", "0".repeat(zeros)));
    Some([before, &[Symbol::Sign('×'), scale].map(MathToken::plain)].concat())
}

/// Normalizes an answer that cannot be computed.
pub fn text(tokens: &[MathToken]) -> Option<Value> {
    let text = match render::prose(tokens) {
        Some(phrase) => words::canonical(&phrase),
        None => render::formula(tokens),
    };
    (!text.is_empty()).then(|| Value::text(text))
}
