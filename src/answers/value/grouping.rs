//! Joins the tokens of one number or sign that notation splits: `1{,}234`, `1 234`, `90^\circ`.

use super::token::{GROUPING, MathToken, Symbol};

/// Joins the digits of numbers that separators or spaces split. A plain comma
/// stays: whether it separates depends on the brackets around it.
pub(super) fn grouped(tokens: Vec<MathToken>) -> Vec<MathToken> {
    let mut out: Vec<MathToken> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let is_group = |t: &MathToken| match &t.symbol {
            Symbol::Digits(digits) => digits.split('.').next().is_some_and(|w| w.len() == 3),
            _ => false,
        };
        if token.is(GROUPING) {
            let joins = !rest.peek().is_some_and(|t| t.spaced) && rest.peek().is_some_and(is_group);
            let Some(Symbol::Digits(last)) = out.last_mut().map(|t| &mut t.symbol) else {
                out.push(MathToken { symbol: Symbol::Sign(','), ..token });
                continue;
            };
            match rest.peek().map(|t| &t.symbol) {
                Some(Symbol::Digits(next)) if joins && !last.contains('.') => {
                    last.push_str(next);
                    rest.next();
                }
                _ => out.push(MathToken { symbol: Symbol::Sign(','), ..token }),
            }
            continue;
        }
        out.push(token);
    }
    spaced_groups(with_degrees(out))
}

/// Writes `^°` and `^{°}` as a degree sign alone.
fn with_degrees(tokens: Vec<MathToken>) -> Vec<MathToken> {
    let mut out: Vec<MathToken> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let length = match &tokens[at..] {
            [power, sign, ..] if power.is('^') && sign.is('°') => 2,
            [power, open, sign, close, ..]
                if power.is('^') && open.is('{') && sign.is('°') && close.is('}') =>
            {
                4
            }
            _ => 1,
        };
        let symbol = if length > 1 { Symbol::Sign('°') } else { tokens[at].symbol.clone() };
        out.push(MathToken { symbol, ..tokens[at].clone() });
        at += length;
    }
    out
}

/// Joins `1 234 567`, whose first group has at most three digits, unless it is a mixed number.
fn spaced_groups(tokens: Vec<MathToken>) -> Vec<MathToken> {
    let mut out: Vec<MathToken> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let mut token = tokens[at].clone();
        at += 1;
        let before = out.last().is_none_or(|t: &MathToken| !matches!(t.symbol, Symbol::Digits(_)));
        if let (true, Some(first)) = (before, token.whole())
            && first.len() <= 3
            && !first.starts_with('0')
        {
            let mut digits = first.to_string();
            while let Some(next) = tokens.get(at)
                && next.spaced
                && let Symbol::Digits(group) = &next.symbol
                && group.split('.').next().is_some_and(|whole| whole.len() == 3)
                && !digits.contains('.')
                && !tokens.get(at + 1).is_some_and(|t| t.is('/'))
            {
                digits.push_str(group);
                at += 1;
            }
            token.symbol = Symbol::Digits(digits);
        }
        out.push(token);
    }
    out
}
