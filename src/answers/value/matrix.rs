//! Matrices and determinants, in any of LaTeX's environments.

use super::structure::whole;
use super::token::{MathToken, ROW_END, Symbol};
use super::{AnswerForm, Joined, MatrixKind, Value};

/// Parses an answer that is one matrix.
pub fn parse(tokens: &[MathToken], depth: usize) -> Option<Value> {
    let (kind, inside) = environment(tokens)?;
    let mut rows: Vec<Vec<Vec<MathToken>>> = vec![vec![Vec::new()]];
    let mut nested = 0_i32;
    for token in inside {
        nested += token.nesting();
        match token.symbol {
            Symbol::Sign(ROW_END) if nested == 0 => rows.push(vec![Vec::new()]),
            Symbol::Sign('&') if nested == 0 => rows.last_mut()?.push(Vec::new()),
            Symbol::Command(ref name) if name == "hline" => {}
            _ => rows.last_mut()?.last_mut()?.push(token.clone()),
        }
    }
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    let parsed = |row: &Vec<Vec<MathToken>>| {
        row.iter().map(|cell| whole(cell, depth + 1)).collect::<Option<Vec<Value>>>()
    };
    if kind == "cases" || kind == "aligned" || kind == "align" || kind == "gathered" {
        // A system's solution: x = 1 and y = 2, one a row.
        let rows: Vec<Vec<MathToken>> = rows.into_iter().map(|row| row.concat()).collect();
        let values = rows.iter().map(|row| whole(row, depth + 1)).collect::<Option<Vec<_>>>()?;
        return (kind != "cases" || values.iter().all(|value| value.label.is_some())).then(|| {
            let shown: Vec<&str> = values.iter().map(|value| value.shown.as_str()).collect();
            let shown = format!("\\{{{}\\}}", shown.join(", "));
            Value::of(shown, AnswerForm::List(Joined::Comma, values))
        });
    }
    let rows = rows.iter().map(parsed).collect::<Option<Vec<_>>>()?;
    let (kind, environment) = match kind {
        "vmatrix" => (MatrixKind::Determinant, "vmatrix"),
        _ => (MatrixKind::Matrix, "pmatrix"),
    };
    let row =
        |row: &Vec<Value>| row.iter().map(|v| v.shown.as_str()).collect::<Vec<_>>().join(" & ");
    let shown = rows.iter().map(row).collect::<Vec<_>>().join(" \\\\ ");
    let shown = format!("\\begin{{{environment}}}{shown}\\end{{{environment}}}");
    Some(Value::of(shown, AnswerForm::Matrix(kind, rows)))
}

/// Returns the environment that encloses all tokens, and its content.
fn environment(tokens: &[MathToken]) -> Option<(&str, &[MathToken])> {
    if let [first, inside @ .., last] = tokens {
        let brackets = first.is('(') && last.is(')') || first.is('[') && last.is(']');
        if brackets && inside.first()?.nesting() > 0 {
            return environment(inside).filter(|(name, _)| !matches!(*name, "vmatrix" | "cases"));
        }
        if first.is('|') && last.is('|') {
            return environment(inside)
                .filter(|(name, _)| matches!(*name, "matrix" | "array"))
                .map(|(_, i)| ("vmatrix", i));
        }
    }
    let [
        MathToken { symbol: Symbol::Command(first), .. },
        inside @ ..,
        MathToken { symbol: Symbol::Command(last), .. },
    ] = tokens
    else {
        return None;
    };
    let name = first.strip_prefix("begin ")?;
    let known = matches!(
        name,
        "pmatrix"
            | "bmatrix"
            | "Bmatrix"
            | "matrix"
            | "smallmatrix"
            | "array"
            | "vmatrix"
            | "cases"
            | "aligned"
            | "align"
            | "gathered"
    );
    let mut depth = 0_i32;
    for token in inside {
        depth += token.nesting();
        if depth < 0 {
            return None;
        }
    }
    (known && last.strip_prefix("end ") == Some(name)).then_some((name, inside))
}
