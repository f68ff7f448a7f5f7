//! Sets of real numbers: inequalities of one variable, intervals in every notation, unions, and
//! sets that are described, `{x | x > 3}`.

use super::evaluate::{self, ValueKey, equation_key, inequality_key};
use super::expression::{self, Expr, has_letters};
use super::relation::{is_variable, plain};
use super::single::single;
use super::structure::{depths, whole};
use super::token::{MathToken, Symbol};
use super::{AnswerForm, Value, render};

/// A set of real numbers between two bounds; `None` is infinity.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    low: Option<Endpoint>,
    high: Option<Endpoint>,
}

/// An end of an interval.
#[derive(Clone, Debug)]
struct Endpoint {
    key: ValueKey,
    /// For putting bounds in order.
    near: f64,
    is_inside: bool,
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Endpoint) -> bool {
        self.key == other.key && self.is_inside == other.is_inside
    }
}

/// Parses `x > 5`, `1 < x ≤ 3`, `x ≠ 2`, `x + y ≥ 2`.
pub(super) fn inequality(sides: &[&[MathToken]], signs: &[char]) -> Option<Value> {
    let value = |label: Option<String>, form| Value { label, ..Value::of(String::new(), form) };
    let region = |name: &[MathToken], intervals| {
        Some(value(Some(plain(name)), AnswerForm::Region(intervals, None)))
    };
    let relation = |above: &[MathToken], below: &[MathToken], is_inside| {
        let key = inequality_key(&expression::parse(above)?, &expression::parse(below)?)?;
        Some((if is_inside { '≥' } else { '>' }, key))
    };
    match (sides, signs) {
        ([left, right], ['≠']) => {
            let (name, bound) = if is_variable(left) { (left, right) } else { (right, left) };
            if is_variable(name)
                && let Some(bound) = bound_of(bound, false)?
            {
                let below = Interval { low: None, high: Some(bound.clone()) };
                return region(name, vec![below, Interval { low: Some(bound), high: None }]);
            }
            let key = equation_key(&expression::parse(left)?, &expression::parse(right)?)?;
            Some(value(None, AnswerForm::Relation('≠', key)))
        }
        ([left, right], [sign @ ('<' | '>' | '≤' | '≥')]) => {
            let is_inside = matches!(sign, '≤' | '≥');
            let less = matches!(sign, '<' | '≤');
            if let Some((name, intervals)) = distance(left, right, less, is_inside) {
                return region(name, intervals);
            }
            for (name, bound, below) in [(left, right, less), (right, left, !less)] {
                if is_variable(name)
                    && expression::parse(bound).is_none_or(|expr| !has_letters(&expr))
                    && let Some(bound) = bound_of(bound, is_inside)
                {
                    let (low, high) = if below { (None, bound) } else { (bound, None) };
                    let (above, below) = if less { (right, left) } else { (left, right) };
                    let form = AnswerForm::Region(
                        vec![Interval { low, high }],
                        relation(above, below, is_inside),
                    );
                    return Some(value(Some(plain(name)), form));
                }
            }
            let (above, below) = if less { (right, left) } else { (left, right) };
            let (sign, key) = relation(above, below, is_inside)?;
            Some(value(None, AnswerForm::Relation(sign, key)))
        }
        ([low, name, high], [a @ ('<' | '≤'), b @ ('<' | '≤')])
        | ([high, name, low], [b @ ('>' | '≥'), a @ ('>' | '≥')])
            if is_variable(name) =>
        {
            let low = bound_of(low, matches!(a, '≤' | '≥'))?;
            let high = bound_of(high, matches!(b, '≤' | '≥'))?;
            region(name, vec![Interval { low, high }])
        }
        _ => None,
    }
}

/// Parses `|x| < 3` and `|x - 1| ≥ 2`, whose left and right side these are: the variable and where
/// it may be.
fn distance<'t>(
    left: &'t [MathToken],
    right: &[MathToken],
    less: bool,
    is_inside: bool,
) -> Option<(&'t [MathToken], Vec<Interval>)> {
    let [bar, inside @ .., end] = left else { return None };
    let cut = inside.iter().position(|t| t.is('-') || t.is('+')).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(cut);
    if !(bar.is('|') && end.is('|') && is_variable(name)) {
        return None;
    }
    let distance = expression::parse(right).filter(|expr| !has_letters(expr))?;
    let middle = match rest {
        [] => Expr::Sum(Vec::new()),
        rest => Expr::Negative(Box::new(expression::parse(rest).filter(|e| !has_letters(e))?)),
    };
    let at = |distance: Expr| {
        let expr = Expr::Sum(vec![middle.clone(), distance]);
        let key = evaluate::keys(&expr)?.pop()?;
        Some(Endpoint { key, near: evaluate::approximate(&expr)?, is_inside })
    };
    if evaluate::approximate(&distance)? <= 0.0 {
        return None;
    }
    let (low, high) = (at(Expr::Negative(Box::new(distance.clone())))?, at(distance)?);
    let intervals = if less {
        vec![Interval { low: Some(low), high: Some(high) }]
    } else {
        vec![Interval { low: None, high: Some(low) }, Interval { low: Some(high), high: None }]
    };
    Some((name, intervals))
}

/// Returns a bound; `None` inside for infinity, `None` if it is neither a number nor a formula.
fn bound_of(tokens: &[MathToken], is_inside: bool) -> Option<Option<Endpoint>> {
    let value = single(tokens)?;
    bound(&value, is_inside, expression::parse(tokens).as_ref())
}

fn bound(value: &Value, is_inside: bool, expr: Option<&Expr>) -> Option<Option<Endpoint>> {
    match &value.form {
        AnswerForm::Formula { key, .. } => {
            let near =
                expr.and_then(evaluate::approximate).or_else(|| key.approximate()).unwrap_or(0.0);
            Some(Some(Endpoint { key: key.clone(), near, is_inside }))
        }
        AnswerForm::Text(text) if text.trim_start_matches(['+', '-']) == "\\infty" => Some(None),
        _ => None,
    }
}

/// Parses `(1, 3] ∪ (5, ∞)` and `ℝ ∖ {2}`.
pub(super) fn union(tokens: &[MathToken], depth: usize) -> Option<Value> {
    let depths = depths(tokens);
    let is_letter = |at: usize| matches!(&tokens[at].symbol, Symbol::Letter(l) if l == "U");
    let is_between = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let closes = before.is_some_and(|t| t.is(')') || t.is(']'));
        closes && tokens.get(at + 1).is_some_and(|t| t.is('(') || t.is('['))
    };
    let is_cup =
        |at: usize| depths[at] == 0 && (tokens[at].is('∪') || is_letter(at) && is_between(at));
    if (0..tokens.len()).any(is_cup) {
        let mut parts = Vec::new();
        let mut start = 0;
        for at in (0..tokens.len()).filter(|&at| is_cup(at)).chain([tokens.len()]) {
            parts.push(whole(&tokens[start..at], depth + 1)?);
            start = at + 1;
        }
        let mut value = joined_regions(true, false, &parts)?;
        value.shown = render::formula(tokens);
        return Some(value);
    }
    let cut = (0..tokens.len()).find(|&at| tokens[at].is('∖') && depths[at] == 0)?;
    let from = whole(&tokens[..cut], depth + 1)?;
    let without = whole(&tokens[cut + 1..], depth + 1)?;
    let whole_line = [Interval { low: None, high: None }];
    let points = match &without.form {
        AnswerForm::List(_, points) => points.clone(),
        _ => vec![without],
    };
    let mut bounds =
        points.iter().map(|p| bound(p, false, None).flatten()).collect::<Option<Vec<_>>>()?;
    if region_of(&from)? != whole_line {
        return None;
    }
    bounds.sort_by(|a, b| a.near.total_cmp(&b.near));
    let lows = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
    let highs = bounds.iter().cloned().map(Some).chain([None]);
    let intervals = lows.zip(highs).map(|(low, high)| Interval { low, high }).collect();
    Some(Value::of(render::formula(tokens), AnswerForm::Region(intervals, None)))
}

/// Returns whether the braces of a set hold a description, `x | x > 3`.
pub fn is_described(inside: &[MathToken]) -> bool {
    description(inside).is_some()
}

/// Splits `x | x > 3` into the condition alone.
fn description(inside: &[MathToken]) -> Option<&[MathToken]> {
    let depths = depths(inside);
    let is_bar = |at: usize| (inside[at].is('|') || inside[at].is(':')) && depths[at] == 0;
    let bar = (1..inside.len()).find(|&at| is_bar(at))?;
    let name = inside[..bar].split(|t| t.is('∈')).next()?;
    is_variable(name).then_some(&inside[bar + 1..])
}

/// Parses `x | x > 3`, what stands in the braces of a set that is described.
pub fn set_builder(inside: &[MathToken], depth: usize) -> Option<Value> {
    let value = whole(description(inside)?, depth + 1)?;
    matches!(value.form, AnswerForm::Region(..)).then_some(value)
}

/// Returns the region that a value is, if it is one: also an interval, and ℝ.
pub fn region_of(value: &Value) -> Option<Vec<Interval>> {
    match &value.form {
        AnswerForm::Region(intervals, _) => Some(intervals.clone()),
        AnswerForm::Tuple(open, parts, close) => {
            let [low, high] = &parts[..] else { return None };
            let low = bound(low, *open == '[', None)?;
            let high = bound(high, *close == ']', None)?;
            Some(vec![Interval { low, high }])
        }
        AnswerForm::Text(text) if text == "\\mathbb{R}" => {
            Some(vec![Interval { low: None, high: None }])
        }
        _ => None,
    }
}

/// Joins intervals that overlap, of a list sorted by their low bounds.
fn merged(sorted: Vec<Interval>) -> Vec<Interval> {
    let mut merged: Vec<Interval> = Vec::new();
    for next in sorted {
        let Some(last) = merged.last_mut() else {
            merged.push(next);
            continue;
        };
        let overlaps = match (&last.high, &next.low) {
            (Some(high), Some(low)) => low.near < high.near,
            _ => true,
        };
        if !overlaps {
            merged.push(next);
        } else if let Some(high) = &last.high
            && next.high.as_ref().is_none_or(|other| other.near > high.near)
        {
            last.high = next.high;
        }
    }
    merged
}

/// Joins regions of one variable by "or", or by "and"; `None` if one of the values is another kind
/// of answer.
pub fn joined_regions(is_or: bool, is_and: bool, values: &[Value]) -> Option<Value> {
    if !(is_or || is_and) {
        return None;
    }
    let regions = values.iter().map(region_of).collect::<Option<Vec<_>>>()?;
    let mut labels = values.iter().filter_map(|value| value.label.clone());
    let label = labels.next();
    if labels.any(|other| Some(other) != label) || is_and && label.is_none() {
        return None;
    }
    let near = |bound: &Option<Endpoint>, infinite: f64| {
        bound.as_ref().map_or(infinite, |bound| bound.near)
    };
    let intervals = if is_or {
        let mut all = regions.concat();
        all.sort_by(|a, b| {
            near(&a.low, f64::NEG_INFINITY).total_cmp(&near(&b.low, f64::NEG_INFINITY))
        });
        merged(all)
    } else {
        let single: Vec<Interval> = regions
            .iter()
            .map(|r| if let [only] = &r[..] { Some(only.clone()) } else { None })
            .collect::<Option<_>>()?;
        let low = single
            .iter()
            .map(|i| i.low.clone())
            .max_by(|a, b| near(a, f64::NEG_INFINITY).total_cmp(&near(b, f64::NEG_INFINITY)))?;
        let high = single
            .iter()
            .map(|i| i.high.clone())
            .min_by(|a, b| near(a, f64::INFINITY).total_cmp(&near(b, f64::INFINITY)))?;
        vec![Interval { low, high }]
    };
    let word = if is_or { " \\text{ or } " } else { " \\text{ and } " };
    let shown: Vec<&str> = values.iter().map(|value| value.shown.as_str()).collect();
    let region = Value::of(shown.join(word), AnswerForm::Region(intervals, None));
    Some(Value { label, ..region })
}
