//! Puts the prompt and the line on a terminal, in few bytes: a serial line has a thousand a second.
//!
//! The console's session calls it after each edit and writes what it returns. It remembers what it
//! painted and writes only what differs, moving from where it left the cursor. It never moves above
//! its first row, and makes new rows with line feeds, so a screen that scrolls is no special case.
//! A row's last column stays empty (see `rows`): terminals differ in what they do after it. Of more
//! than six rows it shows the six around the cursor; a row of three dots stands for the rest.
//!
//! It does not write, knows no keys' meaning, and takes the terminal's width as told. A terminal
//! that joins or splits characters otherwise than wcwidth(3) shows the cursor beside its place.

use std::fmt::Write;
use std::mem;

use super::keys::Key;
use super::line_editor::{Edit, Line};

use rows::{Cell, Place, Rows};

mod rows;

/// Rows of the line shown at once; with the dots above and below that is a third of a screen.
const ROWS_MAX: usize = 6;
/// The narrowest terminal painted for, in columns: each row has room for any cluster.
const WIDTH_MIN: usize = 10;
/// So many steps left are no more bytes than a carriage return and a move right.
const BACKSPACES_MAX: usize = 3;

/// What a terminal understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The sequences of ECMA-48: VT100 and later, and all that imitate them.
    Ansi,
    /// Carriage return, line feed, backspace and bell only: printers, VT52, microcontrollers. The
    /// cursor stays at the line's end, see [`Painter::takes`].
    Plain,
}

/// What is on the terminal, and where its cursor is.
#[derive(Debug)]
pub struct Painter {
    terminal: Terminal,
    laid: Rows,
    /// To be written before anything else.
    pending: String,
    /// What each row shows; none where nothing is painted. What is not Ansi has only the last one.
    rows: Vec<Vec<Cell>>,
    /// The row of the wrapped line that is the first of these, not counting dots.
    top: usize,
    /// The cursor's place in these.
    at: Place,
    /// The byte of prompt and text it stands before.
    cursor: usize,
}

impl Painter {
    /// Makes a painter for a terminal of `width` columns, 10 or more, whose cursor is at the
    /// beginning of an empty row.
    pub fn new(terminal: Terminal, width: usize) -> Painter {
        let laid = Rows::new(width.max(WIDTH_MIN));
        let (pending, rows, at) = (String::new(), Vec::new(), Place::default());
        Painter { terminal, laid, pending, rows, top: 0, at, cursor: 0 }
    }

    /// Returns whether the terminal can show what a key does: without sequences the cursor cannot
    /// go back into the text. The caller answers others with a bell instead of applying them.
    pub fn takes(&self, key: Key) -> bool {
        use Key::{Home, Left, Right, WordLeft, WordRight};
        self.terminal == Terminal::Ansi
            || !matches!(key, Home | Left | Right | WordLeft | WordRight)
    }

    /// Returns the bytes that show the line as it is after `edit`, with the bell if it was refused.
    ///
    /// To be called after each edit, or after several with [`Edit::Changed`]. Prompt and text may
    /// hold line breaks, which begin a row; whatever else has no shape of its own is shown as `?`.
    pub fn paint(&mut self, prompt: &str, line: &Line, edit: Edit) -> String {
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

    /// Returns the bytes that bring the cursor to the beginning of an empty row below the line,
    /// which stays where it is and is the painter's no more. Nothing painted, nothing returned.
    pub fn leave(&mut self) -> String {
        let mut out = mem::take(&mut self.pending);
        for _ in self.at.row..self.rows.len() {
            out.push_str("\r\n");
        }
        self.forget();
        out
    }

    /// Returns the bytes that take prompt and line off the screen, with the cursor where the prompt
    /// began. What is not Ansi erases nothing: as [`Painter::leave`].
    pub fn erase(&mut self) -> String {
        if self.terminal == Terminal::Plain || self.rows.is_empty() {
            return self.leave();
        }
        let mut out = String::new();
        self.go(Place::default(), &mut out);
        out.push_str("\x1b[J");
        self.forget();
        out
    }

    /// Paints for another width from now on, on a fresh row: where a terminal that was resized has
    /// put the old ones is not known.
    pub fn set_width(&mut self, width: usize) {
        self.pending = self.leave();
        self.laid = Rows::new(width.max(WIDTH_MIN));
    }

    /// Paints for another terminal from now on, on a fresh row.
    pub fn set_terminal(&mut self, terminal: Terminal) {
        self.pending = self.leave();
        self.terminal = terminal;
    }

    fn forget(&mut self) {
        self.rows.clear();
        self.at = Place::default();
        self.top = 0;
    }

    /// Returns whether a text can be what was painted and one character more.
    fn is_one_more(&self, prompt: &str, text: &str) -> bool {
        !text.is_empty() && self.laid.holds(prompt, last_char(text))
    }

    /// Shows one more character behind the text, if it is a cluster of its own, the cursor is there
    /// and the row has room.
    fn append(&mut self, prompt: &str, line: &Line) -> Option<String> {
        let at = last_char(line.text());
        let cell = Cell::of(&line.text()[at..]);
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

    fn paint_around_cursor(&mut self, prompt: &str, line: &Line, same: usize, out: &mut String) {
        self.laid.lay(prompt, line.text(), same);
        self.cursor = prompt.len() + line.cursor();
        let (place, end) = (self.laid.place(self.cursor), self.laid.count());
        if end <= ROWS_MAX {
            self.top = 0;
        } else if !(self.top..self.top + ROWS_MAX).contains(&place.row) {
            // By half of them at once: a long paste does not repaint all for each new row.
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
        self.go(Place { row, column: place.column }, out);
    }

    /// Shows a line whose last row alone can still be changed, or else all of it on fresh rows.
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

    /// Makes the terminal show these rows, and leaves the cursor behind the last change.
    fn put(&mut self, rows: Vec<Vec<Cell>>, out: &mut String) {
        let old_rows = mem::take(&mut self.rows);
        for (number, row) in rows.iter().enumerate() {
            let old = old_rows.get(number);
            if old == Some(row) {
                continue;
            }
            let old = old.map_or(&[][..], |old| &old[..]);
            let same = row.iter().zip(old).take_while(|(new, old)| new == old).count();
            self.go(Place { row: number, column: columns(&row[..same]) }, out);
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
            self.go(Place { row: rows.len() - 1, column: columns(last) }, out);
            out.push_str("\x1b[J");
        }
        self.rows = rows;
    }

    /// Moves the cursor. Down is by line feeds, for the row may not be there yet.
    fn go(&mut self, to: Place, out: &mut String) {
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

/// Returns where the last character begins.
fn last_char(text: &str) -> usize {
    text.char_indices().next_back().map_or(0, |(at, _)| at)
}

/// Writes a cursor move of `count` steps, if there are any.
fn sequence(count: usize, letter: char, out: &mut String) {
    let written = match count {
        0 => Ok(()),
        1 => write!(out, "\x1b[{letter}"),
        _ => write!(out, "\x1b[{count}{letter}"),
    };
    written.expect("a String takes all that is written");
}

fn columns(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.columns).sum()
}

/// A row in place of those that are not shown.
fn dots() -> Vec<Cell> {
    vec![Cell::of("."), Cell::of("."), Cell::of(".")]
}

#[cfg(test)]
mod tests;
