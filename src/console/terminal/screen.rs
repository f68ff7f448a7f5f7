//! Formats output for a terminal session: answers wrapped to its width, thinking dimmed, the box's
//! own notes on separate lines.
//!
//! Pure: it returns the text to send.

use unicode_width::UnicodeWidthChar;

use super::super::paint::Terminal;
use crate::text::latex::{AccentStyle, Latex};
use crate::text::wrap::Wrap;
use crate::types::answer::{Part, Piece};

/// The display settings of a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// The control sequences the terminal supports.
    pub terminal: Terminal,
    /// The width in columns; `usize::MAX` disables wrapping.
    pub columns: usize,
    /// The bytes that end a line on the wire.
    pub line_end: &'static str,
    /// The characters the wire can carry.
    pub letters: Letters,
    /// How formulas are shown.
    pub formulas: Formulas,
}

/// The characters a wire can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// All characters, as UTF-8.
    All,
    /// ASCII only, because its bytes have 7 bits.
    Ascii,
}

/// How formulas are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formulas {
    /// Rendered as Unicode text.
    Readable,
    /// Unchanged, as LaTeX source.
    Source,
}

/// Tracks the text on the terminal and formats what follows.
#[derive(Debug)]
pub struct TerminalScreen {
    looks: Looks,
    wrap: Wrap,
    latex: Latex,
    /// The part of the answer being shown, if any.
    part: Option<Part>,
    /// Whether none of it was shown yet.
    is_fresh: bool,
    /// Whether the terminal is set to dim text.
    is_dim: bool,
}

impl TerminalScreen {
    /// Makes a screen whose cursor is at the start of a line.
    pub fn new(looks: Looks) -> TerminalScreen {
        let wrap = Wrap::new(looks.columns);
        let mut latex = Latex::new();
        latex.set_marks(marks(looks.letters));
        TerminalScreen { looks, wrap, latex, part: None, is_fresh: true, is_dim: false }
    }

    /// Returns the display settings.
    pub fn looks(&self) -> Looks {
        self.looks
    }

    /// Changes the display settings, from the next character on.
    pub fn set_looks(&mut self, looks: Looks) {
        self.looks = looks;
        self.wrap.set_width(looks.columns);
        self.latex.set_marks(marks(looks.letters));
    }

    /// Formats text of an answer.
    pub fn text(&mut self, piece: &Piece) -> String {
        let mut out = self.begin(piece.part);
        let readable = match self.looks.formulas {
            Formulas::Readable => self.latex.push(&piece.text),
            Formulas::Source => self.latex.finish() + &piece.text,
        };
        // Models begin with empty lines, which waste a terminal's few rows.
        let trimmed = readable.trim_start_matches('\n');
        out += &self.wrap.push(if self.is_fresh { trimmed } else { &readable });
        self.is_fresh &= trimmed.is_empty();
        self.on_wire(&out)
    }

    /// Ends the current text and its line.
    pub fn end_text(&mut self) -> String {
        let rest = self.latex.finish();
        let mut out = self.wrap.push(&rest) + &self.wrap.flush();
        out += &self.line_start();
        out += self.dim(false);
        self.part = None;
        self.on_wire(&out)
    }

    /// Formats a note of the box on lines of its own.
    pub fn note(&mut self, text: &str) -> String {
        let mut out = self.line_start();
        out += self.dim(true);
        let mut wrap = Wrap::new(self.looks.columns);
        out += &wrap.push(text);
        out += &wrap.flush();
        let goes_on = self.part == Some(Part::Thinking);
        if !goes_on {
            out += self.dim(false);
        }
        out.push('\n');
        self.on_wire(&out)
    }

    /// Resets the terminal when it is unknown what has reached it.
    pub fn cut(&mut self) -> String {
        self.latex.finish();
        self.wrap = Wrap::new(self.looks.columns);
        (self.part, self.is_dim) = (None, false);
        // CAN cancels a sequence that arrived only in part.
        let reset = if self.looks.terminal == Terminal::Ansi { "\x18\x1b[0m" } else { "" };
        self.on_wire(&format!("{reset}\n"))
    }

    /// Interrupts the text, for a line to be typed.
    pub fn pause(&mut self) -> String {
        let out = self.line_start() + self.dim(false);
        self.on_wire(&out)
    }

    /// Begins the part that a text belongs to, if it differs from the current one.
    fn begin(&mut self, part: Part) -> String {
        let mut out = String::new();
        if self.part != Some(part) {
            if self.part.is_some() {
                let rest = self.latex.finish();
                out += &self.wrap.push(&rest);
                out += &self.wrap.flush();
                out += &self.line_start();
            }
            if self.looks.terminal == Terminal::Plain {
                out += match part {
                    Part::Thinking => "[thinking]\n",
                    Part::Answer if self.part.is_some() => "[answer]\n",
                    Part::Answer => "",
                };
            }
            self.part = Some(part);
            self.is_fresh = true;
        }
        out += self.dim(part == Part::Thinking);
        out
    }

    /// Moves to the start of a line, unless it is there.
    fn line_start(&mut self) -> String {
        let is_within = self.wrap.is_in_line();
        self.wrap.at_line_start();
        if is_within { "\n".to_string() } else { String::new() }
    }

    fn dim(&mut self, wanted: bool) -> &'static str {
        if self.looks.terminal == Terminal::Plain || self.is_dim == wanted {
            return "";
        }
        self.is_dim = wanted;
        if wanted { "\x1b[2m" } else { "\x1b[0m" }
    }

    fn on_wire(&self, text: &str) -> String {
        let text = text.replace('\n', self.looks.line_end);
        match self.looks.letters {
            Letters::All => text,
            // A combining character takes no column, so its replacement must not take one.
            Letters::Ascii => text.chars().filter(|c| c.width() != Some(0)).map(ascii).collect(),
        }
    }
}

fn marks(letters: Letters) -> AccentStyle {
    match letters {
        Letters::All => AccentStyle::Combining,
        Letters::Ascii => AccentStyle::Words,
    }
}

/// Returns the ASCII replacement of a character, of the same width.
fn ascii(c: char) -> char {
    match c {
        '×' => 'x',
        '·' | '•' => '*',
        '÷' | '∕' => '/',
        '−' | '–' | '—' => '-',
        '‘' | '’' | '′' => '\'',
        '“' | '”' | '″' => '"',
        '…' => '.',
        c if c.is_ascii() => c,
        _ => '?',
    }
}

/// Formats a duration in seconds for a person.
pub fn spoken(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 90.0 {
        format!("{} s", seconds.ceil())
    } else if seconds < 90.0 * 60.0 {
        format!("{} min", (seconds / 60.0).round())
    } else {
        format!("{} h", (seconds / 3600.0).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(terminal: Terminal) -> TerminalScreen {
        let formulas = Formulas::Readable;
        let letters = Letters::All;
        TerminalScreen::new(Looks { terminal, columns: 20, line_end: "\r\n", letters, formulas })
    }

    fn piece(part: Part, text: &str) -> Piece {
        Piece { part, text: text.into() }
    }

    #[test]
    fn thinking_is_dim_and_the_answer_is_not() {
        let mut screen = screen(Terminal::Ansi);
        let mut out = screen.text(&piece(Part::Thinking, "\nI think of a long line\n\n"));
        out += &screen.text(&piece(Part::Answer, "\n\nIt is \\boxed{4}."));
        out += &screen.end_text();
        assert_eq!(out, "\x1b[2mI think of a long\r\nline\r\n\r\n\x1b[0mIt is [ 4 ].\r\n");
    }

    #[test]
    fn a_plain_terminal_gets_no_escape_sequence_and_a_word_instead() {
        let mut screen = screen(Terminal::Plain);
        let mut out = screen.text(&piece(Part::Thinking, "hm"));
        out += &screen.note("(one of two)");
        out += &screen.text(&piece(Part::Thinking, " so"));
        out += &screen.text(&piece(Part::Answer, "4"));
        out += &screen.end_text();
        assert_eq!(out, "[thinking]\r\n(one of two)\r\nhm so\r\n[answer]\r\n4\r\n");
        let mut screen = self::screen(Terminal::Plain);
        assert_eq!(screen.text(&piece(Part::Answer, "4 ")) + &screen.end_text(), "4\r\n");
    }

    #[test]
    fn a_line_that_is_typed_leaves_the_text_whole() {
        let mut screen = screen(Terminal::Ansi);
        let mut out = screen.text(&piece(Part::Thinking, "one two th"));
        out += &screen.pause();
        out += "math> /queue\r\n";
        out += &screen.text(&piece(Part::Thinking, "ree four"));
        out += &screen.end_text();
        assert_eq!(out, "\x1b[2mone two\r\n\x1b[0mmath> /queue\r\n\x1b[2mthree four\r\n\x1b[0m");
    }

    #[test]
    fn a_wire_of_seven_bits_gets_ascii() {
        let mut screen = screen(Terminal::Plain);
        screen.set_looks(Looks { letters: Letters::Ascii, ..screen.looks() });
        let shown = screen.text(&piece(Part::Answer, "6×7 — “数” é")) + &screen.end_text();
        assert_eq!(shown, "6x7 - \"?\" ?\r\n");
        let formula = piece(Part::Answer, "e\u{301} \\(\\overline{AB}\\)");
        assert_eq!(screen.text(&formula) + &screen.end_text(), "e overline(AB)\r\n");
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said: Vec<String> = [0.2, 59.0, 95.0, 3540.0, 8000.0].map(spoken).into();
        assert_eq!(said, ["1 s", "59 s", "2 min", "59 min", "2 h"]);
    }
}
