//! What a person's terminal shows: answers in lines of its width, thinking dimmed, notes of the
//! box's own in lines of their own.
//!
//! Pure: text in, text out, ready for the wire.

use super::super::paint::Terminal;
use crate::text::latex::Latex;
use crate::text::wrap::Wrap;
use crate::types::answer::{Part, Piece};

/// How things are shown.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// What the terminal understands.
    pub terminal: Terminal,
    /// Its columns; `usize::MAX` where lines are not broken.
    pub columns: usize,
    /// What ends a line on the wire.
    pub line_end: &'static str,
    /// Which characters the wire takes.
    pub letters: Letters,
    /// Whether formulas are shown as they were written.
    pub formulas: Formulas,
}

/// Which characters a wire takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// All, in UTF-8.
    All,
    /// ASCII's: its bytes have 7 bits.
    Ascii,
}

/// How formulas are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formulas {
    /// To be read.
    Readable,
    /// As they were written.
    Source,
}

/// What is shown at the moment.
#[derive(Debug)]
pub struct Screen {
    looks: Looks,
    wrap: Wrap,
    latex: Latex,
    /// Which text is being shown, if one is.
    part: Option<Part>,
    /// Whether nothing of it was shown yet.
    is_fresh: bool,
    /// Whether the terminal dims what it is sent.
    is_dim: bool,
}

impl Screen {
    /// Begins at the start of a line.
    pub fn new(looks: Looks) -> Screen {
        let wrap = Wrap::new(looks.columns);
        Screen { looks, wrap, latex: Latex::new(), part: None, is_fresh: true, is_dim: false }
    }

    /// Returns how things are shown.
    pub fn looks(&self) -> Looks {
        self.looks
    }

    /// Changes that, from the next character on.
    pub fn set_looks(&mut self, looks: Looks) {
        self.looks = looks;
        self.wrap.set_width(looks.columns);
    }

    /// Shows text of an answer.
    pub fn text(&mut self, piece: &Piece) -> String {
        let mut out = self.begin(piece.part);
        let readable = match self.looks.formulas {
            Formulas::Readable => self.latex.push(&piece.text),
            Formulas::Source => self.latex.finish() + &piece.text,
        };
        // Models begin with empty lines, of which a terminal has too few.
        let trimmed = readable.trim_start_matches('\n');
        out += &self.wrap.push(if self.is_fresh { trimmed } else { &readable });
        self.is_fresh &= trimmed.is_empty();
        self.on_wire(&out)
    }

    /// Ends the text that is being shown, and its line.
    pub fn end_text(&mut self) -> String {
        let rest = self.latex.finish();
        let mut out = self.wrap.push(&rest) + &self.wrap.flush();
        out += &self.line_start();
        out += self.dim(false);
        self.part = None;
        self.on_wire(&out)
    }

    /// Says something of the box's own, in lines of their own.
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

    /// Begins anew where it is not known what has reached the terminal.
    pub fn cut(&mut self) -> String {
        self.latex.finish();
        self.wrap = Wrap::new(self.looks.columns);
        (self.part, self.is_dim) = (None, false);
        // CAN ends a sequence of which only the beginning has come.
        let reset = if self.looks.terminal == Terminal::Ansi { "\x18\x1b[0m" } else { "" };
        self.on_wire(&format!("{reset}\n"))
    }

    /// Leaves the text where it is, for a line to be typed.
    pub fn pause(&mut self) -> String {
        let out = self.line_start() + self.dim(false);
        self.on_wire(&out)
    }

    /// Begins the part a text belongs to, if it is another one than before.
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

    /// Goes to the start of a line, if it is not there.
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
            Letters::Ascii => text.chars().map(ascii).collect(),
        }
    }
}

/// Returns the character of ASCII that stands for another, as wide as that.
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

/// Returns a number of seconds as a person says it.
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

    fn screen(terminal: Terminal) -> Screen {
        let formulas = Formulas::Readable;
        let letters = Letters::All;
        Screen::new(Looks { terminal, columns: 20, line_end: "\r\n", letters, formulas })
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
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said: Vec<String> = [0.2, 59.0, 95.0, 3540.0, 8000.0].map(spoken).into();
        assert_eq!(said, ["1 s", "59 s", "2 min", "59 min", "2 h"]);
    }
}
