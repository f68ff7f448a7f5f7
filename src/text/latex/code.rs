//! Code in a text: between backticks in a line, and in fenced blocks of lines.
//!
//! Code contains no LaTeX, so it is output as it arrives; only its end is tracked, by CommonMark's
//! rules. Inline code ends at the end of its paragraph at the latest, or a stray backtick would
//! turn the rest of an answer into code.

use super::{Latex, Scanning};

/// The least number of marks in a fence.
const FENCE_MARKS_MIN: usize = 3;

/// Tracks the code being scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    /// A backtick or a tilde.
    mark: char,
    /// Number of marks that opened it.
    marks: usize,
    place: CodePosition,
    /// Number of marks just read in a row.
    run: usize,
    /// Whether the line holds only blanks so far.
    at_line_start: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CodePosition {
    /// In the opening marks, at the start of a line or within one.
    Opening {
        leads: bool,
    },
    /// In the line that opens a fence, after its marks.
    Info,
    Fence,
    Span,
}

impl Latex {
    /// Begins code at its first mark, the current character.
    pub(super) fn open_code(&mut self, mark: char, leads: bool) {
        let place = CodePosition::Opening { leads };
        let code = Code { mark, marks: 0, place, run: 0, at_line_start: false };
        self.mode = Scanning::Code(code);
    }

    pub(super) fn step_code(&mut self, mut code: Code) {
        let c = self.here();
        match code.place {
            CodePosition::Opening { leads } if c != code.mark => {
                let is_fence = leads && code.marks >= FENCE_MARKS_MIN;
                code.place = if is_fence { CodePosition::Info } else { CodePosition::Span };
                if code.mark == '~' && !is_fence {
                    return self.close_code(code);
                }
                self.mode = Scanning::Code(code);
                return;
            }
            CodePosition::Opening { .. } => code.marks += 1,
            CodePosition::Info if c == '\n' => {
                (code.place, code.at_line_start) = (CodePosition::Fence, true)
            }
            CodePosition::Info if c == '`' && code.mark == '`' => {
                (code.place, code.run) = (CodePosition::Span, 1);
            }
            CodePosition::Info => {}
            CodePosition::Fence => {
                if c == '\n' && code.run >= code.marks {
                    return self.close_code(code);
                }
                fence(&mut code, c);
            }
            CodePosition::Span => {
                if c != '`' && code.run == code.marks {
                    return self.close_code(code);
                }
                let ends_paragraph = c == '\n' && code.at_line_start;
                // A fence that does not start its line, as in a list, may contain blank lines too.
                if ends_paragraph && code.marks < FENCE_MARKS_MIN {
                    return self.close_code(code);
                }
                code.run = if c == '`' { code.run + 1 } else { 0 };
                code.at_line_start = c == '\n' || code.at_line_start && super::is_blank(c);
            }
        }
        self.mode = Scanning::Code(code);
        self.give(self.at + c.len_utf8());
    }

    /// Continues with prose at the current character.
    fn close_code(&mut self, code: Code) {
        self.mode = Scanning::Prose;
        self.prose.after(code.mark);
    }
}

/// Scans a character in a fence, which ends at marks that start a line with only blanks after them.
fn fence(code: &mut Code, c: char) {
    match c {
        '\n' => (code.run, code.at_line_start) = (0, true),
        _ if !code.at_line_start || super::is_blank(c) => {}
        c if c == code.mark => code.run += 1,
        _ => (code.run, code.at_line_start) = (0, false),
    }
}
