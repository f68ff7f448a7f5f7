//! Superscripts, subscripts and mathematical alphabets of the Unicode standard.
//!
//! Text that has no such form yields `None` and is rendered another way. Words are not raised or
//! lowered: three small letters in a row are hard to read on a terminal.

/// A mathematical alphabet, such as bold or script letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Font {
    /// Bold, italic and other styles that are not shown.
    Plain,
    DoubleStruck,
    Script,
    Fraktur,
}

/// Pairs of a character and its superscript.
const RAISED: &str = "0⁰1¹2²3³4⁴5⁵6⁶7⁷8⁸9⁹+⁺-⁻=⁼(⁽)⁾aᵃbᵇcᶜdᵈeᵉfᶠgᵍhʰiⁱjʲkᵏlˡmᵐ\
    nⁿoᵒpᵖrʳsˢtᵗuᵘvᵛwʷxˣyʸzᶻAᴬBᴮDᴰEᴱGᴳHᴴIᴵJᴶKᴷLᴸMᴹNᴺOᴼPᴾRᴿTᵀUᵁVⱽWᵂβᵝγᵞδᵟθᶿφᵠχᵡ′′";
/// Pairs of a character and its subscript.
const LOWERED: &str = "0₀1₁2₂3₃4₄5₅6₆7₇8₈9₉+₊-₋=₌(₍)₎aₐeₑhₕiᵢjⱼkₖlₗmₘnₙoₒpₚrᵣsₛtₜuᵤvᵥxₓβᵦγᵧρᵨφᵩχᵪ";

/// Returns the text in superscripts, if each character has one and it is not a word.
pub fn raised(text: &str) -> Option<String> {
    small(text, RAISED)
}

/// Returns the text in subscripts, if each character has one and it is not a word.
pub fn lowered(text: &str) -> Option<String> {
    small(text, LOWERED)
}

fn small(text: &str, table: &str) -> Option<String> {
    if holds_a_word(text) {
        return None;
    }
    text.chars()
        .map(|c| {
            let mut rest = table.chars();
            while let (Some(large), Some(small)) = (rest.next(), rest.next()) {
                if large == c {
                    return Some(small);
                }
            }
            None
        })
        .collect()
}

/// Returns whether three letters occur in a row, other than indices such as `ijk`.
fn holds_a_word(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| word.len() > 2 && !word.chars().all(|c| ('i'..='n').contains(&c)))
}

/// Returns a letter or digit in an alphabet, or the character itself if it has no such form.
pub fn in_font(c: char, font: Font) -> char {
    let exceptions = match font {
        Font::Plain => return c,
        Font::DoubleStruck => "CℂHℍNℕPℙQℚRℝZℤ",
        Font::Script => "BℬEℰFℱHℋIℐLℒMℳRℛ",
        Font::Fraktur => "CℭHℌIℑRℜZℨ",
    };
    let mut rest = exceptions.chars();
    while let (Some(plain), Some(own)) = (rest.next(), rest.next()) {
        if plain == c {
            return own;
        }
    }
    // The start of each alphabet in the block "Mathematical Alphanumeric Symbols".
    let (first, base) = match (c, font) {
        ('A'..='Z', Font::DoubleStruck) => ('A', 0x1D538),
        ('a'..='z', Font::DoubleStruck) => ('a', 0x1D552),
        ('0'..='9', Font::DoubleStruck) => ('0', 0x1D7D8),
        ('A'..='Z', Font::Script) => ('A', 0x1D49C),
        ('A'..='Z', Font::Fraktur) => ('A', 0x1D504),
        ('a'..='z', Font::Fraktur) => ('a', 0x1D51E),
        _ => return c,
    };
    char::from_u32(base + (u32::from(c) - u32::from(first))).unwrap_or(c)
}

/// Returns `count` primes in the fewest characters.
pub fn primes(count: usize) -> String {
    match count {
        2 => "″".to_string(),
        3 => "‴".to_string(),
        4 => "⁗".to_string(),
        _ => "′".repeat(count),
    }
}
