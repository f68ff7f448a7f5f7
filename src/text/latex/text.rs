//! Words within a formula: `\text{ if }` and its relatives.
//!
//! In it blanks count and characters stand for themselves. Formulas between dollars and commands
//! are rendered as elsewhere.

use super::parse::{Inside, Parser};
use super::row::{Bind, FormulaRow, PieceClass, RowLayout, RowPiece, RowStart};
use super::symbols::{self, CommandKind};
use super::tokens::LatexToken;

impl Parser<'_> {
    /// Parses the argument of a text command.
    pub fn text(&mut self, setting: RowLayout) -> Option<RowPiece> {
        self.tokens.skip_blanks();
        if self.tokens.peek() != Some(LatexToken::Open) {
            return self.argument(setting);
        }
        let mut text = String::new();
        self.words(&mut text, RowLayout { breaks: " ", alone: false, ..setting });
        let words = text.trim_matches(' ');
        let bind = if words.contains(' ') { Bind::Loose } else { Bind::Atom };
        let lead = text.starts_with(' ') && !words.is_empty();
        let trail = text.ends_with(' ') && !words.is_empty();
        Some(RowPiece { bind, lead, trail, ..RowPiece::new(PieceClass::Text, words) })
    }

    /// Parses a group of words and adds them.
    fn words(&mut self, text: &mut String, setting: RowLayout) {
        let from = self.tokens.at;
        if self.is_deep() {
            self.tokens.skip_group();
            return text.push_str(self.tokens.since(from));
        }
        self.tokens.next();
        (self.depth, self.braces) = (self.depth + 1, self.braces + 1);
        while let Some(token) = self.tokens.peek() {
            if token == LatexToken::Close {
                self.tokens.next();
                break;
            }
            self.word(token, text, setting);
        }
        (self.depth, self.braces) = (self.depth - 1, self.braces - 1);
    }

    /// Returns whether this group contains another dollar.
    fn closes_dollar(&self) -> bool {
        let mut depth = 0_usize;
        for byte in self.tokens.rest().bytes() {
            match byte {
                b'$' => return true,
                b'{' => depth += 1,
                b'}' if depth == 0 => return false,
                b'}' => depth -= 1,
                _ => {}
            }
        }
        false
    }

    fn word(&mut self, token: LatexToken, text: &mut String, setting: RowLayout) {
        if token == LatexToken::Open {
            return self.words(text, setting);
        }
        let from = self.tokens.at;
        self.tokens.next();
        match token {
            LatexToken::Blank
            | LatexToken::Other('~')
            | LatexToken::Escape('\\' | ',' | ';' | ':' | ' ') => {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            }
            LatexToken::Escape(c @ ('%' | '$' | '&' | '#' | '_' | '{' | '}')) => text.push(c),
            LatexToken::Other('$') if self.closes_dollar() => {
                let row = self.row(Inside::Dollars, setting, RowStart::Fresh);
                self.tokens.accept('$');
                text.push_str(&row.into_piece().text);
            }
            LatexToken::Command(name) => match symbols::kind(name) {
                Some(CommandKind::Text) if self.tokens.peek() == Some(LatexToken::Open) => {
                    self.words(text, setting);
                }
                _ => {
                    let mut row = FormulaRow::new(setting, RowStart::Fresh);
                    self.command(name, from, &mut row, RowLayout { alone: true, ..setting });
                    text.push_str(&row.into_piece().text);
                }
            },
            _ => text.push_str(self.tokens.since(from)),
        }
    }
}
