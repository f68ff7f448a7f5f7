//! Code in a text: between backticks in a line, and in fenced blocks of lines.
//!
//! Nothing in code is LaTeX, so all of it is given out as it comes; what is kept is only where it
//! ends, as CommonMark has it. Code in a line ends at the end of its paragraph at the latest, or a
//! stray backtick would make the rest of an answer code.

use super::{Latex, Mode};

/// The marks a fence has at least.
const FENCE_MARKS_MIN: usize = 3;

/// Code that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    /// A backtick or a tilde.
    mark: char,
    /// How many began it.
    marks: usize,
    place: Place,
    /// How many marks in a row were read last.
    run: usize,
    /// Whether the line has nothing but blanks so far.
    at_line_start: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the marks that begin it, at the start of a line or within one.
    Opening {
        leads: bool,
    },
    /// In the line that opens a fence.
    Info,
    Fence,
    Span,
}

impl Latex {
    /// Begins code whose first mark is looked at.
    pub(super) fn open_code(&mut self, mark: char, leads: bool) {
        let place = Place::Opening { leads };
        let code = Code { mark, marks: 0, place, run: 0, at_line_start: false };
        self.mode = Mode::Code(code);
    }

    pub(super) fn step_code(&mut self, mut code: Code) {
        let c = self.here();
        match code.place {
            Place::Opening { leads } if c != code.mark => {
                let is_fence = leads && code.marks >= FENCE_MARKS_MIN;
                code.place = if is_fence { Place::Info } else { Place::Span };
                if code.mark == '~' && !is_fence {
                    return self.close_code(code);
                }
                self.mode = Mode::Code(code);
                return;
            }
            Place::Opening { .. } => code.marks += 1,
            Place::Info if c == '\n' => (code.place, code.at_line_start) = (Place::Fence, true),
            Place::Info if c == '`' && code.mark == '`' => {
                (code.place, code.run) = (Place::Span, 1);
            }
            Place::Info => {}
            Place::Fence => {
                if c == '\n' && code.run >= code.marks {
                    return self.close_code(code);
                }
                fence(&mut code, c);
            }
            Place::Span => {
                if c != '`' && code.run == code.marks {
                    return self.close_code(code);
                }
                let ends_paragraph = c == '\n' && code.at_line_start;
                // A fence that does not begin its line, as in a list, has blank lines too.
                if ends_paragraph && code.marks < FENCE_MARKS_MIN {
                    return self.close_code(code);
                }
                code.run = if c == '`' { code.run + 1 } else { 0 };
                code.at_line_start = c == '\n' || code.at_line_start && super::is_blank(c);
            }
        }
        self.mode = Mode::Code(code);
        self.give(self.at + c.len_utf8());
    }

    /// Goes on with prose at the character that is looked at.
    fn close_code(&mut self, code: Code) {
        self.mode = Mode::Prose;
        self.prose.after(code.mark);
    }
}

/// Takes a character in a fence: marks at the start of a line, with only blanks after them, end it.
fn fence(code: &mut Code, c: char) {
    match c {
        '\n' => (code.run, code.at_line_start) = (0, true),
        _ if !code.at_line_start || super::is_blank(c) => {}
        c if c == code.mark => code.run += 1,
        _ => (code.run, code.at_line_start) = (0, false),
    }
}
