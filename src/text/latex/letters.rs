//! Letters and digits raised, lowered and in other alphabets, as the Unicode standard has them.
//!
//! The parser asks here; what has no such letter gets `None` and is written another way. Words are
//! not spelled in small letters: three in a row are hard to read on a terminal.

/// An alphabet of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Font {
    /// Bold, italic and the like: only the looks.
    Plain,
    DoubleStruck,
    Script,
    Fraktur,
}

/// Characters and their superscripts in turn.
const RAISED: &str = "0⁰1¹2²3³4⁴5⁵6⁶7⁷8⁸9⁹+⁺-⁻=⁼(⁽)⁾aᵃbᵇcᶜdᵈeᵉfᶠgᵍhʰiⁱjʲkᵏlˡmᵐ\
    nⁿoᵒpᵖrʳsˢtᵗuᵘvᵛwʷxˣyʸzᶻAᴬBᴮDᴰEᴱGᴳHᴴIᴵJᴶKᴷLᴸMᴹNᴺOᴼPᴾRᴿTᵀUᵁVⱽWᵂβᵝγᵞδᵟθᶿφᵠχᵡ′′";
/// Characters and their subscripts in turn.
const LOWERED: &str = "0₀1₁2₂3₃4₄5₅6₆7₇8₈9₉+₊-₋=₌(₍)₎aₐeₑhₕiᵢjⱼkₖlₗmₘnₙoₒpₚrᵣsₛtₜuᵤvᵥxₓβᵦγᵧρᵨφᵩχᵪ";

/// Returns the text as superscripts, if each character has one and it is no word.
pub fn raised(text: &str) -> Option<String> {
    small(text, RAISED)
}

/// Returns the text as subscripts, if each character has one and it is no word.
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

/// Returns whether three letters stand in a row that are no row of indices such as `ijk`.
fn holds_a_word(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| word.len() > 2 && !word.chars().all(|c| ('i'..='n').contains(&c)))
}

/// Returns a letter or digit of an alphabet; what is not in it stays.
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
    // Where each alphabet begins in the block "Mathematical Alphanumeric Symbols".
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

/// Returns so many primes.
pub fn primes(count: usize) -> String {
    match count {
        2 => "″".to_string(),
        3 => "‴".to_string(),
        4 => "⁗".to_string(),
        _ => "′".repeat(count),
    }
}
