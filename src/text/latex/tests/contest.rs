//! Formulas in the style of contest statements: nothing of LaTeX is left in any of them.

use super::{in_cuts, readable};

const FORMULAS: &str = include_str!("../../../../tests/data/latex/contest.txt");

/// Returns how many braces of a source are signs of its mathematics.
fn shown_braces(source: &str) -> usize {
    let signs = [r"\{", r"\}", r"\lBrace", r"\rBrace", "{cases}", "{dcases}", "{rcases}"];
    signs.iter().map(|sign| source.matches(sign).count()).sum::<usize>()
        // The closing brace of `\left\{ … \right.` and the opening one of `\left. … \right\}`.
        + source.matches(r"\right.").count()
        + source.matches(r"\left.").count()
}

/// Returns what is wrong with the text of a source, if anything.
fn fault(source: &str) -> Option<String> {
    let text = readable(source);
    let (open, close) = (text.matches('{').count(), text.matches('}').count());
    let wrong = if text.contains('\\') {
        "a backslash"
    } else if open + close > shown_braces(source) || open != close {
        "a brace"
    } else if text.matches('$').count() > source.matches(r"\$").count() {
        "a dollar"
    } else if in_cuts(source, &[1, 3, 2]) != text {
        "other text in other cuts"
    } else {
        return None;
    };
    Some(format!("{wrong}: {source}\n  {text}"))
}

#[test]
fn no_command_brace_or_dollar_is_left_in_a_contest_statement() {
    let formulas: Vec<&str> = FORMULAS.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(formulas.len() >= 300, "{}", formulas.len());
    let mut faults = Vec::new();
    for formula in formulas {
        let is_statement = formula.starts_with("$$")
            || formula.starts_with(|c: char| c.is_uppercase()) && formula.contains(" $")
            || ["tabular", "enumerate", "itemize"].iter().any(|name| formula.contains(name));
        if is_statement {
            faults.extend(fault(formula));
            continue;
        }
        for (open, close) in [(r"\(", r"\)"), (r"\[", r"\]"), ("$", "$"), ("$$\n", "\n$$")] {
            faults.extend(fault(&format!("{open}{formula}{close}")));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}
