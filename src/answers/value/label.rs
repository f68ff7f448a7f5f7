//! What stands in front of an answer: `Answer:`, 答案是, `Option`, the letter of a choice. Names of
//! variables are `relation`'s.

use super::CHOICE;
use super::structure::trimmed;
use super::token::{MathToken, Symbol};

/// Words that announce an answer and say nothing themselves.
const ANNOUNCING: &str = " the final answer answers is are option choice therefore thus so hence \
    ans correct result solution solutions value equals be ";
/// The same in Chinese, as the beginnings of words.
const ANNOUNCING_CHINESE: [&str; 32] = [
    "最终答案",
    "最终结果",
    "正确答案",
    "正确选项",
    "本题答案",
    "所以",
    "因此",
    "故",
    "综上所述",
    "综上",
    "从而",
    "即",
    "答案",
    "结果",
    "选项",
    "选择",
    "应选",
    "选",
    "为",
    "為",
    "是",
    "等于",
    "答",
    "解集",
    "解",
    "得到",
    "得",
    "则",
    "应该",
    "应",
    "我们",
    "可得",
];

/// Drops the words that announce an answer; returns the letter of a choice, if one stands there.
pub fn without_label(tokens: &[MathToken]) -> (Option<String>, Vec<MathToken>) {
    let mut rest = tokens.to_vec();
    while let Some(shorter) = without_word(&rest) {
        rest = shorter;
    }
    if let [_, MathToken { symbol: Symbol::Word(word), .. }] = &rest[..]
        && matches!(word.as_str(), "选项" | "项")
    {
        rest.pop();
    }
    if let Some((letter, content)) = choice(&rest) {
        return (Some(format!("{CHOICE}{letter}")), content.to_vec());
    }
    (None, rest)
}

fn without_word(tokens: &[MathToken]) -> Option<Vec<MathToken>> {
    let (first, after) = tokens.split_first()?;
    let Symbol::Word(word) = &first.symbol else { return None };
    if ANNOUNCING.contains(&format!(" {} ", word.to_lowercase())) {
        let after = trimmed(after);
        return (!after.is_empty()).then(|| after.to_vec());
    }
    let label = ANNOUNCING_CHINESE.iter().find(|label| word.starts_with(**label))?;
    let left = &word[label.len()..];
    if left.is_empty() {
        let after = trimmed(after);
        return (!after.is_empty()).then(|| after.to_vec());
    }
    // 是的 is an answer, 是5 is not one word.
    let is_answer = matches!(word.as_str(), "是的" | "得数" | "解析" | "为零" | "即可" | "选修");
    (!is_answer).then(|| {
        let mut rest = tokens.to_vec();
        rest[0].symbol = Symbol::Word(left.to_string());
        rest
    })
}

/// Splits `(C) 45`, `C. 45`, `C: 45` into the letter and the content.
fn choice(tokens: &[MathToken]) -> Option<(char, &[MathToken])> {
    let letter = |token: &MathToken| match &token.symbol {
        Symbol::Letter(text) | Symbol::Word(text) => {
            text.chars().next().filter(|c| text.len() == 1 && ('A'..='E').contains(c))
        }
        _ => None,
    };
    match tokens {
        [open, name, close, content @ ..] if open.is('(') && close.is(')') => {
            let first = content.first()?;
            (first.spaced || close.as_text && !first.as_text).then_some((letter(name)?, content))
        }
        [name, mark, content @ ..] if mark.is('.') || mark.is(':') || mark.is(')') => {
            let is_content = content.first()?.spaced;
            is_content.then_some((letter(name)?, content))
        }
        _ => None,
    }
}
