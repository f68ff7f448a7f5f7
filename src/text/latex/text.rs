//! Words within a formula: `\text{ if }` and its relatives.
//!
//! In it blanks count and characters stand for themselves. Formulas between dollars and commands
//! are rendered as elsewhere.

use super::formula::is_money;
use super::parse::{Inside, Parser};
use super::row::{Bind, FormulaRow, PieceClass, RowLayout, RowPiece, RowStart};
use super::symbols::{self, CommandKind};
use super::tokens::LatexToken;

impl Parser<'_> {
    /// Parses the argument of a text command.
    pub fn text(&mut self, setting: RowLayout) -> Option<RowPiece> {
        self.tokens.accept('*');
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

    /// Returns whether the dollar just read opens a formula that ends in this group.
    fn closes_dollar(&self) -> bool {
        let (mut depth, mut escaped) = (0_usize, false);
        let rest = self.tokens.rest();
        for (at, byte) in rest.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'$' => {
                    let body = &rest[..at];
                    return !is_money(body) && !body.ends_with(' ') && !body.starts_with(' ');
                }
                b'{' => depth += 1,
                b'}' if depth == 0 => return false,
                b'}' => depth -= 1,
                _ => {}
            }
        }
        false
    }

    /// Parses a cell of a table of text, up to the token that ends it.
    pub fn cell_of_words(&mut self, setting: RowLayout) -> String {
        let mut text = String::new();
        while let Some(token) = self.tokens.peek() {
            if self.ends(token, Inside::Cell) {
                break;
            }
            self.word(token, &mut text, setting);
        }
        text.trim().to_string()
    }

    /// Renders a letter with an accent such as `\'e` or `\"{o}`.
    fn accent_in_text(&mut self, mark: char, text: &mut String) {
        let braced = self.tokens.accept('{');
        self.tokens.accept('\\');
        if let Some(c) = self.tokens.rest().chars().next().filter(|c| c.is_alphabetic()) {
            self.tokens.accept(c);
            text.extend([c, mark]);
        }
        if braced {
            self.tokens.accept('}');
        }
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
            LatexToken::Escape('(') => self.formula_in_text(text, setting),
            LatexToken::Escape('\'') => self.accent_in_text('\u{301}', text),
            LatexToken::Escape('`') => self.accent_in_text('\u{300}', text),
            LatexToken::Escape('"') => self.accent_in_text('\u{308}', text),
            LatexToken::Escape('^') => self.accent_in_text('\u{302}', text),
            LatexToken::Escape('~') => self.accent_in_text('\u{303}', text),
            LatexToken::Escape('=') => self.accent_in_text('\u{304}', text),
            LatexToken::Escape('.') => self.accent_in_text('\u{307}', text),
            LatexToken::Escape(')' | '!' | '/' | '-' | '@') => {}
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
