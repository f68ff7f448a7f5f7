//! The line that is being typed: its text, its cursor, and what each key does to them.
//!
//! The console's session hands it the keys, and the painter the [`Edit`] that comes back. The
//! cursor stands between extended grapheme clusters (UAX #29), what a person takes for one
//! character; words are runs of letters and digits, as in readline. Each edit looks only at the
//! clusters around the cursor, so a long paste at the end costs as much a character as a short one.
//!
//! It knows no history and no terminal, and keys that are not about the text do nothing here.

use std::mem;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::keys::Key;

/// Longest cluster, in bytes; a family of emoji has about 40. More combining marks are refused,
/// because each edit and each repaint scans all of them.
pub const CLUSTER_BYTES_MAX: usize = 64;

/// The effect of a key on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Neither text nor cursor changed.
    Nothing,
    /// A character was appended, and nothing else changed.
    Appended,
    /// The text changed in another way.
    Changed,
    /// Only the cursor moved.
    Moved,
    /// The edit was refused, for lack of room or text to erase: ring the bell.
    Refused,
}

/// An edit buffer of at most `bytes_max` bytes with a cursor.
#[derive(Debug)]
pub struct LineEditor {
    text: String,
    /// The cursor's byte offset, on a cluster boundary.
    cursor: usize,
    /// Start of the cluster left of the cursor; the cursor itself at the start of the text.
    before: usize,
    bytes_max: usize,
}

impl LineEditor {
    /// Makes an empty line of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> LineEditor {
        LineEditor { text: String::new(), cursor: 0, before: 0, bytes_max }
    }

    /// Returns the text; its only control characters are line breaks that were inserted.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the cursor's byte offset, on a cluster boundary.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Returns the start of the cluster left of the cursor; the cursor if there is none.
    pub fn before(&self) -> usize {
        self.before
    }

    /// Replaces the text, truncated to the bound, with the cursor at its end.
    pub fn set(&mut self, text: &str) {
        self.text.clear();
        for c in text.chars().filter(|&c| is_text(c)) {
            if self.text.len() + c.len_utf8() > self.bytes_max {
                break;
            }
            self.text.push(c);
        }
        self.place(self.text.len());
    }

    /// Takes the text and leaves an empty line.
    pub fn take(&mut self) -> String {
        (self.cursor, self.before) = (0, 0);
        mem::take(&mut self.text)
    }

    /// Applies a key. A Tab inserts one space.
    pub fn apply(&mut self, key: Key) -> Edit {
        let (cursor, end) = (self.cursor, self.text.len());
        match key {
            Key::Char(c) => self.insert(c),
            Key::Tab => self.insert(' '),
            Key::Left => self.go(self.before),
            Key::Right => self.go(self.after()),
            Key::Home => self.go(0),
            Key::End => self.go(end),
            Key::WordLeft => self.go(self.word_left()),
            Key::WordRight => self.go(self.word_right()),
            Key::Backspace => self.erase(self.before..cursor),
            Key::Delete => self.erase(cursor..self.after()),
            Key::EraseWord => self.erase(self.word_left()..cursor),
            Key::EraseWordRight => self.erase(cursor..self.word_right()),
            Key::EraseToStart => self.erase(0..cursor),
            Key::EraseToEnd => self.erase(cursor..end),
            Key::Enter
            | Key::Up
            | Key::Down
            | Key::Interrupt
            | Key::EndOfInput
            | Key::Redraw
            | Key::PasteBegin
            | Key::PasteEnd
            | Key::Escape => Edit::Nothing,
        }
    }

    /// Inserts a character at the cursor. The only control character accepted is a line break, for
    /// pasted text of several lines.
    pub fn insert(&mut self, c: char) -> Edit {
        if !is_text(c) || self.text.len() + c.len_utf8() > self.bytes_max {
            return Edit::Refused;
        }
        let (at, before) = (self.cursor, self.before);
        let at_end = at == self.text.len();
        self.text.insert(at, c);
        self.settle(before, at + c.len_utf8());
        if self.cursor - self.before > CLUSTER_BYTES_MAX {
            self.text.remove(at);
            (self.cursor, self.before) = (at, before);
            return Edit::Refused;
        }
        if at_end { Edit::Appended } else { Edit::Changed }
    }

    fn erase(&mut self, range: Range<usize>) -> Edit {
        if range.is_empty() {
            return Edit::Refused;
        }
        let start = range.start;
        self.text.drain(range);
        self.place(start);
        Edit::Changed
    }

    fn go(&mut self, byte: usize) -> Edit {
        if byte == self.cursor {
            return Edit::Nothing;
        }
        self.place(byte);
        Edit::Moved
    }

    /// Moves the cursor to a former boundary, or to the next boundary if it is none any more.
    fn place(&mut self, byte: usize) {
        let last = self.text[..byte].graphemes(true).next_back().unwrap_or("");
        self.settle(byte - last.len(), byte);
    }

    /// Moves the cursor to the first boundary at or after `byte`, scanning from the boundary
    /// before.
    ///
    /// Text left of a boundary does not affect later boundaries, so it need not be scanned.
    fn settle(&mut self, border: usize, byte: usize) {
        (self.before, self.cursor) = (border, border);
        for cluster in self.text[border..].graphemes(true) {
            if self.cursor >= byte {
                break;
            }
            self.before = self.cursor;
            self.cursor += cluster.len();
        }
    }

    /// Returns the end of the cluster right of the cursor.
    fn after(&self) -> usize {
        let next = self.text[self.cursor..].graphemes(true).next().unwrap_or("");
        self.cursor + next.len()
    }

    fn word_left(&self) -> usize {
        let clusters = self.text[..self.cursor].graphemes(true).rev();
        self.cursor - word_bytes(clusters)
    }

    fn word_right(&self) -> usize {
        self.cursor + word_bytes(self.text[self.cursor..].graphemes(true))
    }
}

/// Returns the number of bytes to the far end of the next word, including the text before it.
fn word_bytes<'a>(clusters: impl Iterator<Item = &'a str>) -> usize {
    let (mut bytes, mut in_word) = (0, false);
    for cluster in clusters {
        let of_word = cluster.starts_with(char::is_alphanumeric);
        if in_word && !of_word {
            break;
        }
        in_word |= of_word;
        bytes += cluster.len();
    }
    bytes
}

fn is_text(c: char) -> bool {
    !c.is_control() || c == '\n'
}

#[cfg(test)]
mod tests;
