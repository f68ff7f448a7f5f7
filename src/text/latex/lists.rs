//! Lists and blocks of text, as in `\begin{enumerate} \item …`.
//!
//! Prose calls this at `\begin`, `\item` and `\end`. An item begins a line with its number, label
//! or dash. A line that holds only a `\begin` or `\end` is dropped.

use super::parse::convert;
use super::row::RowStart;
use super::{Latex, OutputLine};

/// Most lists and blocks within each other; further ones are output unchanged.
const DEPTH_MAX: usize = 8;
/// Longest label or option, and most blanks dropped, in bytes.
const SKIPPED_BYTES_MAX: usize = 64;

/// An open list or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenBlock {
    /// A list, and the number of its last item.
    Numbered(usize),
    Dashed,
    Text,
}

impl Latex {
    /// Opens a list or block whose `\begin{…}` is `bytes` long at the current offset.
    pub(super) fn open_block(&mut self, block: OpenBlock, bytes: usize) -> Option<()> {
        if self.blocks.len() >= DEPTH_MAX {
            self.foreign_char('\\');
            return Some(());
        }
        let options = self.option(self.at + bytes)?.map_or(0, str::len);
        let options = if options > 0 { options + 2 } else { 0 };
        let end = self.after_blanks(self.at + bytes + options)?;
        self.drop_to(end);
        self.blocks.push(block);
        Some(())
    }

    /// Closes the innermost list or block at its `\end{…}`.
    pub(super) fn close_block(&mut self, bytes: usize) -> Option<()> {
        let end = self.after_blanks(self.at + bytes)?;
        self.drop_to(end);
        self.blocks.pop();
        self.prose.after_display = self.line == OutputLine::Written;
        Some(())
    }

    /// Begins an item; `\item` is `bytes` long.
    pub(super) fn item_of_list(&mut self, bytes: usize) -> Option<()> {
        let label = self.option(self.at + bytes)?.map(str::to_string);
        let length = label.as_ref().map_or(0, |label| label.len() + 2);
        let mut end = self.at + bytes + length;
        while end < self.at + SKIPPED_BYTES_MAX && matches!(self.peek(end)?, Some(' ' | '\t')) {
            end += 1;
        }
        self.end_line();
        if self.line == OutputLine::Written {
            self.emit("\n");
        }
        let own = match self.blocks.iter_mut().rev().find(|block| **block != OpenBlock::Text) {
            Some(OpenBlock::Numbered(number)) => {
                *number = number.saturating_add(1);
                format!("{number}.")
            }
            _ => "-".to_string(),
        };
        let shown =
            |label: String| convert(label.trim().trim_matches('$'), RowStart::Fresh, self.marks);
        let label = label.map(shown);
        self.emit(&format!("{} ", label.unwrap_or(own)));
        (self.start, self.at) = (end, end);
        self.prose.after(' ');
        Some(())
    }

    /// Returns whether a list is open.
    pub(super) fn is_in_list(&self) -> bool {
        self.blocks.iter().any(|block| *block != OpenBlock::Text)
    }

    /// Returns the text in square brackets at an offset, if there is any.
    fn option(&self, place: usize) -> Option<Option<&str>> {
        if self.peek(place)? != Some('[') {
            return Some(None);
        }
        let mut end = place + 1;
        while end < place + SKIPPED_BYTES_MAX {
            match self.peek(end)? {
                Some(']') => return Some(Some(&self.held[place + 1..end])),
                Some('\n') | None => break,
                Some(c) => end += c.len_utf8(),
            }
        }
        Some(None)
    }

    /// Returns the offset after blanks, and after the end of a line that would be empty.
    fn after_blanks(&self, place: usize) -> Option<usize> {
        let mut end = place;
        while end < place + SKIPPED_BYTES_MAX && matches!(self.peek(end)?, Some(' ' | '\t' | '\r'))
        {
            end += 1;
        }
        let ends_line = self.prose.leads && self.peek(end)? == Some('\n');
        Some(if ends_line { end + 1 } else { end })
    }

    /// Drops the source up to an offset.
    fn drop_to(&mut self, end: usize) {
        let leads = self.prose.leads;
        if leads {
            self.start = self.at;
        } else {
            self.end_line();
        }
        self.end_run();
        (self.start, self.at) = (end, end);
        self.prose.after('\n');
        self.prose.leads = leads;
    }
}
