//! What may follow a number without changing it: percent, degrees, currency, units.
//!
//! A letter directly after a number is a factor, `5x`, except for well-known units, `5cm`. A word
//! after a space, or one in `\text{…}`, is a unit unless it is known to continue the expression.

use super::clean::{WORDS_CLOSE, WORDS_OPEN};

/// Units that may follow a number directly.
const UNITS: &str = " mm cm dm km nm mg kg ml mL cl dl ms ns min hr hrs sec mph kph rpm Hz kHz MHz \
    GHz kW kWh kJ Pa kPa mol kB KB MB GB ";
/// Units of one letter, which count as such in a quotient: `m/s`.
const LETTERS: &str = "mshgLlNJWVA";
/// Words that continue the expression, or are numbers themselves.
const NO_UNITS: &str = " and or to mod if for when where sin cos tan cot log ln exp pi plus minus \
    times over choose factorial squared cubed dozen hundred thousand million billion trillion half \
    halves third thirds quarter quarters ";
/// Characters of Chinese numbers, and those that modify one.
const NUMERALS: &str = "零〇一二三四五六七八九十百千万亿兆半负加减乘除";

/// How the words follow the number.
#[derive(Clone, Copy, PartialEq)]
enum UnitSpacing {
    /// Directly after the number.
    Close,
    /// Separated from the number by a space.
    Apart,
    /// In `\text{…}` after the number.
    AsText,
}

/// Returns whether `rest`, which follows a number, leaves its value unchanged.
pub fn is_unit(rest: &str) -> bool {
    let marks = ['%', '°', '€', '£', '¥'];
    let is_mark = |c: char| marks.contains(&c) || matches!(c, ' ' | WORDS_OPEN | WORDS_CLOSE);
    let marked = rest.trim_start().starts_with('°');
    let bare = rest.trim_matches(is_mark);
    if bare.is_empty() || marked && matches!(bare, "C" | "F") {
        return true;
    }
    let standing = match rest {
        _ if rest.trim_start().starts_with(WORDS_OPEN) => UnitSpacing::AsText,
        _ if rest.trim_start_matches(marks).starts_with(' ') => UnitSpacing::Apart,
        _ => UnitSpacing::Close,
    };
    // A power may stand outside the text: \text{cm}^2.
    let bare = bare.replace("\u{E003}^", "^");
    let mut words = bare.split([' ', WORDS_OPEN, WORDS_CLOSE]).filter(|word| !word.is_empty());
    words.all(|word| is_quotient(word, standing))
}

/// `cm`, `km/h`, `m/s^2`.
fn is_quotient(word: &str, standing: UnitSpacing) -> bool {
    let letters = |part: &str| part.len() == 1 && LETTERS.contains(part);
    let parts: Option<Vec<&str>> = word.split(['/', '×']).map(without_power).collect();
    parts.is_some_and(|parts| match parts[..] {
        [word] => is_word(word, standing),
        ref parts => parts.iter().all(|part| letters(part) || is_word(part, standing)),
    })
}

/// Drops a unit's power; `None` if it is not a unit's.
fn without_power(word: &str) -> Option<&str> {
    let Some((stem, power)) = word.split_once('^') else { return Some(word) };
    let power = power.strip_prefix('{').and_then(|p| p.strip_suffix('}')).unwrap_or(power);
    matches!(power.trim_start_matches('-'), "1" | "2" | "3").then_some(stem)
}

fn is_word(word: &str, standing: UnitSpacing) -> bool {
    let is_cjk = |c: char| ('\u{4E00}'..='\u{9FFF}').contains(&c);
    if !word.is_empty() && word.chars().all(is_cjk) {
        return !word.contains(|c| NUMERALS.contains(c));
    }
    if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphabetic()) {
        return false;
    }
    let is_in = |list: &str, word: &str| list.contains(&format!(" {word} "));
    if is_in(UNITS, word) {
        return true;
    }
    // Euler's number and the imaginary unit are set as text too.
    let is_known = is_in(NO_UNITS, &word.to_ascii_lowercase()) || matches!(word, "e" | "i");
    match standing {
        _ if is_known => false,
        UnitSpacing::Close => false,
        UnitSpacing::Apart => word.len() > 2,
        UnitSpacing::AsText => true,
    }
}
