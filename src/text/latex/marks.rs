//! Marks over, under and through letters, and notes at braces.
//!
//! A mark is a combining character after each grapheme cluster, so that it takes no column. An
//! arrow or a hat extends over its letters only as a word, `vec(AB)`.

use unicode_segmentation::UnicodeSegmentation;

use super::AccentStyle;
use super::parse::Parser;
use super::row::{Bind, PieceClass, RowLayout, RowPiece, enclosed};
use super::tokens::LatexToken;

/// Returns whether a text is one grapheme cluster.
pub fn is_one(text: &str) -> bool {
    text.graphemes(true).count() == 1
}

/// Puts an accent on one letter, or names it before longer text.
pub fn accented(piece: RowPiece, mark: char, word: &str, marks: AccentStyle) -> RowPiece {
    let (class, text) = if is_one(&piece.text) && marks == AccentStyle::Combining {
        (piece.class, format!("{}{mark}", piece.text))
    } else {
        (PieceClass::Group, format!("{word}{}", enclosed(&piece.text)))
    };
    RowPiece { class, text, joined: None, bind: Bind::Atom, ..piece }
}

/// Draws a line over, under or through all letters of a piece.
pub fn lined(piece: RowPiece, mark: char, word: &str, marks: AccentStyle) -> RowPiece {
    let is_word = marks == AccentStyle::Words || is_one(&piece.text);
    if is_word || piece.text.is_empty() || piece.text.contains([' ', '\n']) {
        return accented(piece, mark, word, marks);
    }
    // A macron is as wide as one letter, an overline joins the next one.
    let mark = if mark == '\u{304}' { '\u{305}' } else { mark };
    let text: String = piece.text.graphemes(true).flat_map(|g| g.chars().chain([mark])).collect();
    let joined = Some(text.clone());
    RowPiece { class: PieceClass::Letter, text, joined, bind: Bind::Atom, ..piece }
}

impl Parser<'_> {
    /// Renders an underline: over nothing it is a line to write on.
    pub fn underlined(&mut self, setting: RowLayout) -> Option<RowPiece> {
        let piece = self.argument(RowLayout { tight: true, ..setting })?;
        let is_blank = piece.text.chars().all(|c| " _".contains(c));
        Some(match () {
            () if is_blank => RowPiece::new(PieceClass::Letter, BLANK_LINE),
            () if piece.text.contains([' ', '\n']) => piece,
            () if self.marks == AccentStyle::Words => piece,
            () => lined(piece, '\u{332}', "", self.marks),
        })
    }

    /// Renders a brace with its note as `(1+…+1: n times)`.
    pub fn brace(&mut self, setting: RowLayout) -> Option<RowPiece> {
        let of = self.argument(RowLayout { breaks: "; ", ..setting })?;
        let from = self.tokens.at;
        self.tokens.skip_blanks();
        if !matches!(self.tokens.next(), Some(LatexToken::Raise | LatexToken::Lower)) {
            self.tokens.at = from;
            return Some(of);
        }
        let note = self.argument(setting)?.text;
        let separator =
            if note.starts_with(['=', '≤', '≥', '≡', '<', '>']) { " " } else { ": " };
        let text =
            if note.is_empty() { of.text } else { format!("({}{separator}{note})", of.text) };
        Some(RowPiece::new(PieceClass::Group, text))
    }
}

/// A line to write on.
pub const BLANK_LINE: &str = "____";
