//! The value of an answer, and whether two answers mean the same.
//!
//! Formulas are compared by what they evaluate to, numbers exactly; tuples keep their order, lists
//! do not; inequalities and intervals are the same sets; everything else is normalized text.
//! `token` removes notation, `structure` finds lists and brackets, `relation` equations and
//! inequalities, `single`, `parser` and `evaluate` compute, `extract` finds the answer in a reply.
//! Pure, never panics; time and memory are bounded by [`PARSED_BYTES_MAX`] and the depths of the
//! parsers. When in doubt two answers are different:
//!
//! - A label, a unit, the name of a variable may be missing on one side: `x = 5`, `5` and `5 cm`
//!   are the same; `x = 5` and `y = 5`, `5 cm` and `5 kg` are not. So "the same" is not always
//!   transitive, and [`groups`] says which answers are all the same.
//! - A product of integers, `3 × 4`, may be a size and is not computed; sums, powers and factorials
//!   are.
//! - `50%` is the same as 50, as the graders of MATH have it (Hendrycks et al., arXiv 2103.03874),
//!   and the same as 1/2.
//! - Outside brackets `1,234` is one number and `1, 234` are two; inside a comma always separates.

mod complex;
mod evaluate;
mod expression;
mod extract;
mod grouping;
mod label;
mod matrix;
mod notation;
mod operand;
mod parser;
mod real;
mod region;
mod relation;
mod render;
mod single;
mod structure;
#[cfg(test)]
mod tests;
mod token;
mod unit;
mod words;

use std::fmt;

use evaluate::ValueKey;
pub use extract::{boxed, of_attempt, of_reply, shown_of_attempt};
use region::{Interval, region_of};

/// Longest answer that is parsed, in bytes; a longer one only has its white space collapsed.
const PARSED_BYTES_MAX: usize = 4096;
/// Most parts of a list whose order is ignored.
const PARTS_MAX: usize = 200;

/// An answer. It displays as LaTeX that parses to the same answer.
#[derive(Clone, Debug)]
pub struct Value {
    shown: String,
    /// What stood in front of it: the name of a variable, `f(10)`, the letter of a choice.
    label: Option<String>,
    /// What stood behind it; see `unit`.
    unit: Option<String>,
    form: AnswerForm,
}

/// What kind of answer it is.
#[derive(Clone, Debug)]
enum AnswerForm {
    /// A number or formula: its value, the value that its unit gives it (50 % is 1/2), and that of
    /// the equation in which its label stands on the other side.
    Formula { key: ValueKey, with_unit: Option<ValueKey>, equation: Option<ValueKey> },
    /// An ordered list in brackets, or an interval.
    Tuple(char, Vec<Value>, char),
    /// A list without order; equal parts count as often as they stand.
    List(Joined, Vec<Value>),
    /// A set of real numbers, and the sign and key of its inequality if it is one.
    Region(Vec<Interval>, Option<(char, ValueKey)>),
    /// An equation or inequality that names no region: its sign and its key.
    Relation(char, ValueKey),
    /// A matrix, by rows, or a determinant.
    Matrix(MatrixKind, Vec<Vec<Value>>),
    /// Anything else, as normalized text.
    Text(String),
}

/// The word or sign between the parts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joined {
    Comma,
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MatrixKind {
    Matrix,
    Determinant,
}

impl Value {
    /// Parses a bare answer, as in a question set; `None` if it is empty or a placeholder.
    pub fn parse(text: &str) -> Option<Value> {
        Value::parse_inside(boxed(text).unwrap_or(text))
    }

    /// Parses the content of a box.
    fn parse_inside(text: &str) -> Option<Value> {
        if text.len() > PARSED_BYTES_MAX {
            let words: Vec<&str> = text.split_whitespace().collect();
            return Some(Value::text(words.join(" "))).filter(|_| !words.is_empty());
        }
        structure::whole(&token::tokens(text), 0)
    }

    /// Returns whether both mean the same. Symmetric and reflexive, but not always transitive: see
    /// the module's rules for labels and units.
    pub fn is_same(&self, other: &Value) -> bool {
        if self.is_choice_of(other) || other.is_choice_of(self) {
            return true;
        }
        let agree = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => a == b || a.is_empty() || b.is_empty(),
            _ => true,
        };
        if self.equation().is_some() && self.equation() == other.equation() {
            return true;
        }
        if !agree(&self.label, &other.label) {
            return false;
        }
        if let (AnswerForm::Formula { key: a, .. }, AnswerForm::Formula { key: b, .. }) =
            (&self.form, &other.form)
        {
            return a == b && agree(&self.unit, &other.unit)
                || self.is_in_units_of(other)
                || other.is_in_units_of(self);
        }
        agree(&self.unit, &other.unit) && self.has_form_of(other)
    }

    fn has_form_of(&self, other: &Value) -> bool {
        match (&self.form, &other.form) {
            (AnswerForm::Tuple(a, left, b), AnswerForm::Tuple(c, right, d)) => {
                (a, b) == (c, d) && all_same(left, right)
            }
            (AnswerForm::List(a, left), AnswerForm::List(b, right)) => {
                (a == b || *a == Joined::Comma || *b == Joined::Comma)
                    && same_in_any_order(left, right)
            }
            (AnswerForm::Relation(a, left), AnswerForm::Relation(b, right)) => {
                a == b && left == right
            }
            (AnswerForm::Matrix(a, left), AnswerForm::Matrix(b, right)) => {
                let same = |(left, right): (&Vec<Value>, &Vec<Value>)| all_same(left, right);
                a == b && left.len() == right.len() && left.iter().zip(right).all(same)
            }
            (AnswerForm::Text(a), AnswerForm::Text(b)) if a == b => true,
            (AnswerForm::Region(_, Some((a, left))), AnswerForm::Region(_, Some((b, right))))
            | (AnswerForm::Region(_, Some((a, left))), AnswerForm::Relation(b, right))
            | (AnswerForm::Relation(a, left), AnswerForm::Region(_, Some((b, right))))
                if (a, left) == (b, right) =>
            {
                true
            }
            _ => match (region_of(self), region_of(other)) {
                (Some(left), Some(right)) => left == right,
                _ => assigns(self, other) || assigns(other, self),
            },
        }
    }

    /// Returns whether this is `(C) 45` and the other `C`.
    fn is_choice_of(&self, other: &Value) -> bool {
        let name = self.label.as_deref().and_then(|label| label.strip_prefix(CHOICE));
        name.is_some_and(|name| other.label.is_none() && other.shown == name)
    }

    /// Returns whether the unit's value, as of 50 %, is the other's plain value.
    fn is_in_units_of(&self, other: &Value) -> bool {
        match (&self.form, &other.form) {
            (
                AnswerForm::Formula { with_unit: Some(a), .. },
                AnswerForm::Formula { key: b, .. },
            ) => a == b && other.unit.is_none(),
            _ => false,
        }
    }

    fn equation(&self) -> Option<&ValueKey> {
        match &self.form {
            AnswerForm::Formula { equation, .. } => equation.as_ref(),
            AnswerForm::Relation('=', key) => Some(key),
            _ => None,
        }
    }

    fn text(text: String) -> Value {
        Value::of(text.clone(), AnswerForm::Text(text))
    }

    /// Makes an answer without label and unit.
    fn of(shown: String, form: AnswerForm) -> Value {
        Value { shown, label: None, unit: None, form }
    }
}

/// Groups answers that mean the same: the indices of each group, ascending.
///
/// Being the same is not always transitive, so an answer joins a group only if it is the same as
/// all in it: of several such the largest, of equally large ones the first.
pub fn groups<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Vec<&Value>, Vec<usize>)> = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        let fits = groups.iter_mut().rev().filter(|(all, _)| all.iter().all(|v| v.is_same(value)));
        // `max_by_key` takes the last of equals, here the first group.
        match fits.max_by_key(|(all, _)| all.len()) {
            Some((all, indices)) => {
                all.push(value);
                indices.push(at);
            }
            None => groups.push((vec![value], vec![at])),
        }
    }
    groups.into_iter().map(|(_, indices)| indices).collect()
}

/// Marks the label of a choice in front of its content.
const CHOICE: &str = "choice ";

/// Whether two answers mean the same: [`Value::is_same`].
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.is_same(other)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn all_same(left: &[Value], right: &[Value]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| a.is_same(b))
}

/// Returns whether each part of one list has its own in the other.
fn same_in_any_order(left: &[Value], right: &[Value]) -> bool {
    if left.len() != right.len() || left.len() > PARTS_MAX {
        return all_same(left, right);
    }
    // Where parts have names, each part of the other list must have the same.
    let mut free: Vec<&Value> = right.iter().collect();
    left.iter().all(|a| {
        let found = free.iter().position(|b| a.label == b.label && a.is_same(b));
        found.map(|at| free.swap_remove(at)).is_some()
    })
}

/// Returns whether `(x, y) = (1, 2)` assigns what `x = 1, y = 2` does.
fn assigns(tuple: &Value, list: &Value) -> bool {
    let (Some(names), AnswerForm::Tuple(_, parts, _), AnswerForm::List(_, assigned)) =
        (&tuple.label, &tuple.form, &list.form)
    else {
        return false;
    };
    let names: Vec<&str> = names.trim_matches(['(', ')']).split(',').collect();
    names.len() == parts.len()
        && parts.len() == assigned.len()
        && names.iter().zip(parts).all(|(name, part)| {
            let named = assigned.iter().find(|value| value.label.as_deref() == Some(*name));
            named.is_some_and(|value| value.is_same(part))
        })
}
