//! Paints the prompt and the line on a terminal in few bytes: a serial line carries about a
//! thousand per second.
//!
//! The session calls it after each edit and writes the bytes it returns. It remembers what is on
//! the screen and emits only the difference, relative to its last cursor position. It never moves
//! above its first row and creates rows with line feeds, so scrolling needs no special case. The
//! last column stays empty (see `rows`), because terminals differ in what they do after it. Of more
//! than six rows it shows the six around the cursor; a row of three dots stands for the rest.
//!
//! It does no I/O, knows no keys, and trusts the given width. On a terminal whose character widths
//! differ from wcwidth(3) the cursor is misplaced.

use std::fmt::Write;
use std::mem;

use super::keys::Key;
use super::line_editor::{Edit, LineEditor};

use rows::{CellPosition, Rows, ScreenCell};

mod rows;

/// Most rows shown at once; with the dots above and below they take a third of a screen.
const ROWS_MAX: usize = 6;
/// The narrowest supported terminal, in columns: each row has room for any cluster.
const WIDTH_MIN: usize = 10;
/// Up to this many single steps left take no more bytes than a carriage return and a move right.
const BACKSPACES_MAX: usize = 3;

/// The control sequences a terminal supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The sequences of ECMA-48: VT100, its successors and emulators.
    Ansi,
    /// Carriage return, line feed, backspace and bell only: printers, VT52, microcontrollers. The
    /// cursor stays at the line's end, see [`Painter::takes`].
    Plain,
}

/// Tracks the terminal's content and cursor, and paints the line.
#[derive(Debug)]
pub struct Painter {
    terminal: Terminal,
    laid: Rows,
    /// Bytes to write first.
    pending: String,
    /// The content of each row; empty if nothing is painted. A plain terminal has only the last
    /// row.
    rows: Vec<Vec<ScreenCell>>,
    /// The wrapped line's row that is shown first, not counting dots.
    top: usize,
    /// The cursor's position in these rows.
    at: CellPosition,
    /// The cursor's byte offset in prompt and text.
    cursor: usize,
}

impl Painter {
    /// Makes a painter for a terminal of `width` columns, 10 or more, whose cursor is at the
    /// beginning of an empty row.
    pub fn new(terminal: Terminal, width: usize) -> Painter {
        let laid = Rows::new(width.max(WIDTH_MIN));
        let (pending, rows, at) = (String::new(), Vec::new(), CellPosition::default());
        Painter { terminal, laid, pending, rows, top: 0, at, cursor: 0 }
    }

    /// Returns whether the terminal can show the effect of a key: without sequences the cursor
    /// cannot go back into the text. The caller rings the bell instead of applying other keys.
    pub fn takes(&self, key: Key) -> bool {
        use Key::{Home, Left, Right, WordLeft, WordRight};
        self.terminal == Terminal::Ansi
            || !matches!(key, Home | Left | Right | WordLeft | WordRight)
    }

    /// Returns the bytes that show the line after `edit`, with the bell if it was refused.
    ///
    /// Call it after each edit, or after several with [`Edit::Changed`]. LineEditor breaks in
    /// prompt and text start a row; other characters without a glyph are shown as `?`.
    pub fn paint(&mut self, prompt: &str, line: &LineEditor, edit: Edit) -> String {
        let one_more = edit == Edit::Appended && self.is_one_more(prompt, line.text());
        if one_more && let Some(shown) = self.append(prompt, line) {
            return shown;
        }
        let same = if one_more {
            // Comparing all of it for each character would make a long paste quadratic.
            prompt.len() + last_char(line.text())
        } else {
            self.laid.same(prompt, line.text())
        };
        let mut out = mem::take(&mut self.pending);
        if edit == Edit::Refused {
            out.push('\x07');
        }
        match self.terminal {
            Terminal::Ansi => self.paint_around_cursor(prompt, line, same, &mut out),
            Terminal::Plain => self.paint_end(prompt, line.text(), same, &mut out),
        }
        out
    }

    /// Returns the bytes that move the cursor to the start of an empty row below the line, which
    /// stays on the screen and is no longer tracked. Empty if nothing is painted.
    pub fn leave(&mut self) -> String {
        let mut out = mem::take(&mut self.pending);
        for _ in self.at.row..self.rows.len() {
            out.push_str("\r\n");
        }
        self.forget();
        out
    }

    /// Returns the bytes that erase prompt and line from the screen, with the cursor where the
    /// prompt began. A plain terminal cannot erase: there it does the same as [`Painter::leave`].
    pub fn erase(&mut self) -> String {
        if self.terminal == Terminal::Plain || self.rows.is_empty() {
            return self.leave();
        }
        let mut out = String::new();
        self.go(CellPosition::default(), &mut out);
        out.push_str("\x1b[J");
        self.forget();
        out
    }

    /// Changes the width and continues on a fresh row: where a resized terminal puts the old rows
    /// is unknown.
    pub fn set_width(&mut self, width: usize) {
        self.pending = self.leave();
        self.laid = Rows::new(width.max(WIDTH_MIN));
    }

    /// Changes the kind of terminal and continues on a fresh row.
    pub fn set_terminal(&mut self, terminal: Terminal) {
        self.pending = self.leave();
        self.terminal = terminal;
    }

    fn forget(&mut self) {
        self.rows.clear();
        self.at = CellPosition::default();
        self.top = 0;
    }

    /// Returns whether a text can be the painted one with one more character.
    fn is_one_more(&self, prompt: &str, text: &str) -> bool {
        !text.is_empty() && self.laid.holds(prompt, last_char(text))
    }

    /// Appends one character on the screen, if it is a cluster of its own, the cursor is at the end
    /// and the row has room.
    fn append(&mut self, prompt: &str, line: &LineEditor) -> Option<String> {
        let at = last_char(line.text());
        let cell = ScreenCell::of(&line.text()[at..]);
        let is_alone = line.before() == at && self.cursor == prompt.len() + at;
        if !is_alone || !self.laid.has_room(self.at.column, &cell) {
            return None;
        }
        let row = self.rows.last_mut()?;
        self.laid.append(&line.text()[at..]);
        self.at.column += cell.columns;
        self.cursor = prompt.len() + line.cursor();
        let shown = cell.shown.clone();
        row.push(cell);
        Some(shown)
    }

    fn paint_around_cursor(
        &mut self,
        prompt: &str,
        line: &LineEditor,
        same: usize,
        out: &mut String,
    ) {
        self.laid.lay(prompt, line.text(), same);
        self.cursor = prompt.len() + line.cursor();
        let (place, end) = (self.laid.place(self.cursor), self.laid.count());
        if end <= ROWS_MAX {
            self.top = 0;
        } else if !(self.top..self.top + ROWS_MAX).contains(&place.row) {
            // Scrolls by half of them, so that a long paste does not repaint all for each new row.
            self.top = place.row.saturating_sub(ROWS_MAX / 2);
        }
        let mut rows = Vec::new();
        if self.top > 0 {
            rows.push(dots());
        }
        let row = rows.len() + place.row - self.top;
        rows.extend((self.top..end).take(ROWS_MAX).map(|row| self.laid.row(row)));
        if self.top + ROWS_MAX < end {
            rows.push(dots());
        }
        self.put(rows, out);
        self.go(CellPosition { row, column: place.column }, out);
    }

    /// Shows a line by changing its last row only, or else all of it on fresh rows.
    fn paint_end(&mut self, prompt: &str, text: &str, same: usize, out: &mut String) {
        let start = self.laid.start(self.top);
        self.laid.lay(prompt, text, same);
        let goes_on = start == self.laid.start(self.top) && start <= Some(same);
        let mut rows = Vec::new();
        if self.rows.is_empty() || !goes_on {
            out.push_str(&self.leave());
            self.top = self.laid.count().saturating_sub(ROWS_MAX);
            if self.top > 0 {
                rows.push(dots());
            }
        }
        rows.extend((self.top..self.laid.count()).map(|row| self.laid.row(row)));
        self.put(rows, out);
        self.rows.drain(..self.rows.len() - 1);
        self.top = self.laid.count() - 1;
        self.at.row = 0;
        self.cursor = prompt.len() + text.len();
    }

    /// Makes the terminal show these rows, and leaves the cursor after the last change.
    fn put(&mut self, rows: Vec<Vec<ScreenCell>>, out: &mut String) {
        let old_rows = mem::take(&mut self.rows);
        for (number, row) in rows.iter().enumerate() {
            let old = old_rows.get(number);
            if old == Some(row) {
                continue;
            }
            let old = old.map_or(&[][..], |old| &old[..]);
            let same = row.iter().zip(old).take_while(|(new, old)| new == old).count();
            self.go(CellPosition { row: number, column: columns(&row[..same]) }, out);
            for cell in &row[same..] {
                out.push_str(&cell.shown);
                self.at.column += cell.columns;
            }
            let surplus = columns(old).saturating_sub(self.at.column);
            match self.terminal {
                Terminal::Ansi if surplus > 0 => out.push_str("\x1b[K"),
                Terminal::Ansi => {}
                Terminal::Plain => {
                    out.push_str(&" ".repeat(surplus));
                    out.push_str(&"\x08".repeat(surplus));
                }
            }
        }
        if let Some(last) = rows.last().filter(|_| rows.len() < old_rows.len()) {
            self.go(CellPosition { row: rows.len() - 1, column: columns(last) }, out);
            out.push_str("\x1b[J");
        }
        self.rows = rows;
    }

    /// Moves the cursor, downwards by line feeds, because the row may not exist yet.
    fn go(&mut self, to: CellPosition, out: &mut String) {
        sequence(self.at.row.saturating_sub(to.row), 'A', out);
        for _ in self.at.row..to.row {
            out.push_str("\r\n");
            self.at.column = 0;
        }
        let left = self.at.column.saturating_sub(to.column);
        if left > 0 {
            let far = self.terminal == Terminal::Ansi && left > BACKSPACES_MAX;
            if far || to.column == 0 {
                out.push('\r');
                self.at.column = 0;
            } else {
                out.push_str(&"\x08".repeat(left));
                self.at.column = to.column;
            }
        }
        sequence(to.column - self.at.column, 'C', out);
        self.at = to;
    }
}

/// Returns the start of the last character.
fn last_char(text: &str) -> usize {
    text.char_indices().next_back().map_or(0, |(at, _)| at)
}

/// Appends a cursor move of `count` steps, if not 0.
fn sequence(count: usize, letter: char, out: &mut String) {
    let written = match count {
        0 => Ok(()),
        1 => write!(out, "\x1b[{letter}"),
        _ => write!(out, "\x1b[{count}{letter}"),
    };
    written.expect("a String takes all that is written");
}

fn columns(cells: &[ScreenCell]) -> usize {
    cells.iter().map(|cell| cell.columns).sum()
}

/// The row that stands for hidden rows.
fn dots() -> Vec<ScreenCell> {
    vec![ScreenCell::of("."), ScreenCell::of("."), ScreenCell::of(".")]
}

#[cfg(test)]
mod tests;
