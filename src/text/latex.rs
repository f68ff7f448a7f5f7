//! Renders the LaTeX in a model's answer as Unicode text for a terminal.
//!
//! Consoles and `solve` push an answer through [`Latex`] as it is generated. Formulas become text
//! on one line: `x² + √(3)/2`. Other text and all code pass through unchanged. It is pure: it
//! neither queries the terminal nor writes escape sequences.
//!
//! `prose` detects formulas, `code` detects code, `formula` finds where a formula ends, and `parse`
//! renders it. They scan one character at a time and wait whenever the next one decides, so the
//! result does not depend on how the stream is cut.

mod chemistry;
mod code;
mod commands;
mod formula;
mod grid;
mod letters;
mod lists;
mod marks;
mod parse;
mod prose;
mod row;
mod shapes;
mod signs;
mod symbols;
mod table;
mod text;
mod tokens;

use code::Code;
use formula::{Dollars, Formula};
use lists::OpenBlock;
use prose::Prose;

use crate::types::limits;

/// Bytes of the buffer reserved for lookahead: the name of a command or an environment.
const AHEAD_BYTES: usize = 128;

/// Renders one stream of text, holding back only what later input could still change.
#[derive(Debug, Default)]
pub struct Latex {
    /// Input that was not output yet; its first `start` bytes were, until the call ends.
    held: String,
    start: usize,
    /// How far `held` was scanned.
    at: usize,
    /// Whether the input has ended.
    last: bool,
    mode: Scanning,
    prose: Prose,
    out: String,
    line: OutputLine,
    /// The open lists and blocks of text, outermost first.
    blocks: Vec<OpenBlock>,
    /// Up to this offset, dollars in the text of a formula were searched for its end in vain.
    plain_until: usize,
    marks: AccentStyle,
}

/// How accents and lines over letters are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccentStyle {
    /// As combining characters, `x̂`.
    #[default]
    Combining,
    /// As words, `hat(x)`, where only ASCII can be shown.
    Words,
}

/// The construct being scanned.
#[derive(Clone, Copy, Debug, Default)]
enum Scanning {
    #[default]
    Prose,
    Code(Code),
    /// A formula, if its closing dollar follows.
    Dollars(Dollars),
    Formula(Formula),
}

/// The state of the last line of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OutputLine {
    #[default]
    Blank,
    Written,
}

impl Latex {
    /// Makes a renderer at the start of a text.
    pub fn new() -> Latex {
        Latex::default()
    }

    /// Changes how marks are written, from the next formula on.
    pub fn set_marks(&mut self, marks: AccentStyle) {
        self.marks = marks;
    }

    /// Takes the next part of the text, cut anywhere, and returns the output that is certain.
    pub fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        self.work();
        self.held.drain(..self.start);
        self.at -= self.start;
        self.plain_until = self.plain_until.saturating_sub(self.start);
        self.start = 0;
        std::mem::take(&mut self.out)
    }

    /// Ends the text and returns the rest of the output; afterwards the renderer is as new.
    pub fn finish(&mut self) -> String {
        self.last = true;
        self.work();
        let out = std::mem::take(&mut self.out);
        *self = Latex { marks: self.marks, ..Latex::default() };
        out
    }

    fn work(&mut self) {
        loop {
            while self.at < self.held.len() {
                if self.step().is_none() {
                    return;
                }
                if self.at - self.start >= limits::LATEX_HELD_BYTES_MAX - AHEAD_BYTES {
                    self.overflow();
                }
            }
            let is_done =
                self.start == self.held.len() && !matches!(self.mode, Scanning::Formula(_));
            if !self.last || is_done {
                return;
            }
            self.end();
        }
    }

    /// Scans the next characters; `None` if the deciding ones have not arrived.
    fn step(&mut self) -> Option<()> {
        match self.mode {
            Scanning::Prose => self.step_prose(),
            Scanning::Code(code) => {
                self.step_code(code);
                Some(())
            }
            Scanning::Dollars(dollars) => self.step_dollars(dollars),
            Scanning::Formula(formula) => self.step_formula(formula),
        }
    }

    /// Outputs what is held, because the buffer is full.
    fn overflow(&mut self) {
        match self.mode {
            Scanning::Prose => self.settle_prose(),
            Scanning::Code(_) => {}
            Scanning::Dollars(dollars) => self.no_formula(dollars),
            Scanning::Formula(mut formula) => {
                self.settle(&mut formula, self.at);
                self.mode = Scanning::Formula(formula);
            }
        }
    }

    /// Outputs what is held, because the input has ended. Text after an unclosed dollar is scanned
    /// again as prose.
    fn end(&mut self) {
        match self.mode {
            Scanning::Formula(formula) => self.abandon(formula, self.at),
            _ => self.overflow(),
        }
    }

    /// Returns the current character.
    fn here(&self) -> char {
        self.held[self.at..].chars().next().expect("a step is made only where there is one")
    }

    /// Returns the character at an offset, or that the input ends there; `None` if that is unknown.
    fn peek(&self, place: usize) -> Option<Option<char>> {
        let c = self.held.get(place..).and_then(|rest| rest.chars().next());
        if c.is_none() && !self.last { None } else { Some(c) }
    }

    /// Returns the length in letters of the command name at an offset, up to the longest known
    /// name, and the character after it.
    fn name(&self, place: usize) -> Option<(usize, Option<char>)> {
        /// Longer than any known name.
        const NAME_BYTES_MAX: usize = 32;
        let rest = self.held[place..].bytes().take(NAME_BYTES_MAX);
        let length = rest.take_while(u8::is_ascii_alphabetic).count();
        Some((length, self.peek(place + length)?))
    }

    /// Returns the environment name in braces at an offset, if there is one, and its length with
    /// the braces.
    fn name_in_braces(&self, place: usize) -> Option<Option<(&str, usize)>> {
        if self.peek(place)? != Some('{') {
            return Some(None);
        }
        let (letters, mut next) = self.name(place + 1)?;
        let mut end = place + 1 + letters;
        if next == Some('*') {
            end += 1;
            next = self.peek(end)?;
        }
        let name = &self.held[place + 1..end];
        Some((next == Some('}')).then_some((name, end + 1 - place)))
    }

    /// Appends text to the output.
    fn emit(&mut self, text: &str) {
        let line = text.rsplit('\n').next().unwrap_or("");
        if line.len() < text.len() {
            self.line = OutputLine::Blank;
        }
        if !line.chars().all(is_blank) {
            self.line = OutputLine::Written;
        }
        self.out.push_str(text);
    }

    /// Outputs the held text up to an offset, unchanged.
    fn give(&mut self, end: usize) {
        let held = std::mem::take(&mut self.held);
        self.emit(&held[self.start..end]);
        self.held = held;
        self.start = end;
        self.at = self.at.max(end);
    }
}

/// Renders a whole text.
#[cfg(test)]
pub fn readable(text: &str) -> String {
    let mut latex = Latex::new();
    let mut out = latex.push(text);
    out.push_str(&latex.finish());
    out
}

/// Returns whether a character is a blank or a line end.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests;
