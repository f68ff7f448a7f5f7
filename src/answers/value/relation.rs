//! Equations and inequalities: `x = 5`, `f(10) = 70`, `x + y ≥ 2`.
//!
//! An equation whose left side only names something is its right side with a label. Inequalities
//! of one variable are `region`'s; others keep the sign and a key.

use super::evaluate::{self, equation_key};
use super::expression::{self, has_letters};
use super::region::{inequality, union};
use super::single::{single, text};
use super::structure::{depths, whole};
use super::token::{MathToken, Symbol};
use super::{AnswerForm, Value, render};

/// Parses an equation, an inequality or a union of intervals; `None` if it is none of them.
pub fn parse(tokens: &[MathToken], depth: usize) -> Option<Value> {
    if let Some(value) = union(tokens, depth) {
        return Some(value);
    }
    let (sides, signs) = sides(tokens);
    if signs.is_empty() || sides.iter().any(|side| side.is_empty()) {
        return None;
    }
    if signs == ['∈'] {
        let mut value = whole(sides[1], depth + 1)?;
        value.label = Some(name_of(sides[0])?);
        value.shown = format!("{}\\in {}", render::formula(sides[0]), value.shown);
        return Some(value);
    }
    if signs.iter().all(|sign| matches!(sign, '=' | '≈')) {
        return equation(&sides, &signs, depth).or_else(|| text(tokens));
    }
    inequality(&sides, &signs)
        .map(|mut value| {
            if value.shown.is_empty() {
                value.shown = render::formula(tokens);
            }
            value
        })
        .or_else(|| text(tokens))
}

/// Splits at the relations outside all brackets.
fn sides(tokens: &[MathToken]) -> (Vec<&[MathToken]>, Vec<char>) {
    let depths = depths(tokens);
    let (mut sides, mut signs, mut start) = (Vec::new(), Vec::new(), 0);
    for (at, token) in tokens.iter().enumerate() {
        if let Symbol::Sign(sign @ ('=' | '≈' | '<' | '>' | '≤' | '≥' | '≠' | '∈')) = token.symbol
            && depths[at] == 0
        {
            sides.push(&tokens[start..at]);
            signs.push(sign);
            start = at + 1;
        }
    }
    sides.push(&tokens[start..]);
    (sides, signs)
}

/// Parses `x = 5`, `S = 9π ≈ 28.27`, `348 + 577 = 925`, `y + x = 1`.
fn equation(sides: &[&[MathToken]], signs: &[char], depth: usize) -> Option<Value> {
    // What follows ≈ only approximates what stands before it.
    let exact = signs.iter().position(|&sign| sign == '≈').map_or(sides.len(), |at| at + 1);
    let first = *sides.first()?;
    // x ≈ 3.14 has nothing better.
    let last =
        if exact == 1 && name_of(first).is_some() { *sides.last()? } else { sides[exact - 1] };
    let parsed = |side: &[MathToken]| expression::parse(side);
    let number = |side: &[MathToken]| parsed(side).filter(|expr| !has_letters(expr));
    // B = C says something of both.
    let is_label = !(sides.len() == 2 && is_variable(first) && is_variable(last));
    if let Some(name) = name_of(first).filter(|_| is_label) {
        let names = sides[..sides.len() - 1].iter().filter(|side| is_variable(side)).count();
        if names > 1 {
            return None; // x = y = 5 says something of both
        }
        let mut value = whole(last, depth + 1)?;
        if value.label.is_some() {
            return None;
        }
        if let (Some(left), Some(right)) = (parsed(first), parsed(last))
            && let AnswerForm::Formula { equation, .. } = &mut value.form
        {
            *equation = equation_key(&left, &right);
        }
        value.shown = format!("{}={}", render::formula(first), value.shown);
        value.label = Some(name);
        return Some(value);
    }
    if sides[..exact].iter().all(|side| number(side).is_some()) {
        let keys = sides[..exact]
            .iter()
            .map(|side| evaluate::keys(&number(side)?))
            .collect::<Option<Vec<_>>>()?;
        let are_equal = keys.windows(2).all(|pair| pair[0] == pair[1]);
        return if are_equal { single(last) } else { None };
    }
    let [left, right] = sides else { return None };
    // 5 = x
    if name_of(right).is_some() && number(left).is_some() {
        return equation(&[right, left], signs, depth);
    }
    let key = equation_key(&parsed(left)?, &parsed(right)?)?;
    let shown = format!("{}={}", render::formula(left), render::formula(right));
    Some(Value::of(shown, AnswerForm::Relation('=', key)))
}

/// Commands that make what they stand in a name, not a number to compute.
const NAMING: [&str; 16] = [
    "overline",
    "lim",
    "sum",
    "int",
    "max",
    "min",
    "gcd",
    "lcm",
    "deg",
    "overrightarrow",
    "widehat",
    "hat",
    "vec",
    "prod",
    "det",
    "dim",
];

/// Returns the name that the left side of an equation is: a variable, several in brackets or added,
/// `f(10)`, `|S|`, words.
fn name_of(tokens: &[MathToken]) -> Option<String> {
    let shown = || Some(plain(tokens));
    if is_variable(tokens) {
        return shown();
    }
    if let [open, inside @ .., close] = tokens
        && (open.is('(') && close.is(')') || open.is('{') && close.is('}'))
    {
        let names = inside.split(|t| t.is(','));
        return names.clone().all(is_variable).then(|| plain(tokens));
    }
    if let [bar, inside @ .., end] = tokens
        && (bar.is('|') && end.is('|') || bar.is('[') && end.is(']'))
        && inside.iter().any(|t| matches!(t.symbol, Symbol::Letter(_) | Symbol::Word(_)))
    {
        return shown();
    }
    if is_sum_of_names(tokens) {
        return shown();
    }
    // f(10), P(A), sin θ
    let (first, rest) = tokens.split_first()?;
    let is_application = matches!(first.symbol, Symbol::Letter(_) | Symbol::Word(_))
        && rest.first().is_some_and(|t| t.is('(') || t.is('\'') || t.is('_'))
        && rest.last().is_some_and(|t| t.is(')'));
    let says = |t: &MathToken| match &t.symbol {
        Symbol::Sign('∠' | '△') => true,
        Symbol::Command(name) => NAMING.contains(&name.as_str()),
        Symbol::Word(word) => {
            word.chars().count() > 2 && (t.as_text || !word.is_ascii() || word.len() > 3)
        }
        _ => false,
    };
    let has_letter = || tokens.iter().any(|t| matches!(t.symbol, Symbol::Letter(_)));
    let is_function = ["sin", "cos", "tan", "cot"].iter().any(|name| first.is_command(name));
    (is_application || tokens.iter().any(says) || is_function && has_letter()).then(shown).flatten()
}

/// Returns whether tokens are names that are added, `100m + n`, or side by side, `AB`; but not the
/// left side of a line's equation, `2x + 3y`.
fn is_sum_of_names(tokens: &[MathToken]) -> bool {
    let names = |t: &MathToken| match &t.symbol {
        Symbol::Letter(name) | Symbol::Word(name) => Some(name.clone()),
        _ => None,
    };
    let has_coordinates = tokens.iter().filter_map(names).any(|n| n.contains(['x', 'y', 'z']));
    let parts: Vec<&[MathToken]> = tokens.split(|t| t.is('+') || t.is('-')).collect();
    let may_have_factors = parts.len() > 1 && !has_coordinates;
    let is_term = |part: &&[MathToken]| {
        let part = match part {
            [MathToken { symbol: Symbol::Digits(_), .. }, rest @ ..] if may_have_factors => rest,
            part => part,
        };
        let are_names = || part.iter().all(|t| names(t).is_some() || t.is('×'));
        !part.is_empty() && (is_variable(part) || are_names())
    };
    parts.iter().all(is_term)
}

/// Writes a name; `f(x) = …` is the usual y.
pub(super) fn plain(name: &[MathToken]) -> String {
    let mut text = render::formula(name).replace("\\text{", "").replace(['{', '}'], "");
    for mark in ["\\overline ", "\\overline", "\\overrightarrow", "\\vec"] {
        text = text.replace(mark, "");
    }
    let text = text.trim().to_string();
    if text == "f(x)" { "y".into() } else { text }
}

/// Returns whether tokens are a variable: `x`, `x_1`, `x_{12}`, `\alpha`, `x'`.
pub(super) fn is_variable(tokens: &[MathToken]) -> bool {
    let is_name = |t: &MathToken| match &t.symbol {
        Symbol::Letter(_) => true,
        Symbol::Word(word) => word.chars().count() == 1 || t.as_text && word.is_ascii(),
        _ => false,
    };
    match tokens {
        [name] => is_name(name),
        [name, prime] if prime.is('\'') => is_name(name),
        [name, bar, index] if bar.is('_') => {
            is_name(name) && !matches!(index.symbol, Symbol::Sign(_))
        }
        [name, bar, open, index @ .., close] if bar.is('_') && open.is('{') && close.is('}') => {
            is_name(name) && index.iter().all(|t| !matches!(t.symbol, Symbol::Command(_)))
        }
        _ => false,
    }
}
