//! Lays out a prompt and its line in rows.
//!
//! The painter passes each new state of the line; only the part that an edit can have moved is
//! measured again. A row ends before the cluster that would reach the terminal's last column, or
//! after a line break. The width of a cluster is the sum of its characters' widths by wcwidth(3),
//! like on most serial terminals, which do not know clusters; a cluster without width, or one that
//! could upset a terminal, is shown as `?`.
//!
//! It does not know what is on the screen.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::super::line_editor::CLUSTER_BYTES_MAX;

/// The widest cluster shown as it is: a family of four, where it is shown as four people.
const CLUSTER_COLUMNS_MAX: usize = 8;

/// One cluster on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenCell {
    /// The text to write.
    pub shown: String,
    /// The width in columns; 0 for a line break.
    pub columns: usize,
}

impl ScreenCell {
    /// Makes the cell of a cluster.
    pub fn of(cluster: &str) -> ScreenCell {
        let (shown, columns) = shown(cluster);
        ScreenCell { shown: shown.to_string(), columns }
    }
}

/// A position: a row and a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellPosition {
    /// The row, counted from 0.
    pub row: usize,
    /// The column, counted from 0.
    pub column: usize,
}

/// A prompt and a text, wrapped into rows. Byte offsets count through both.
#[derive(Debug)]
pub struct Rows {
    /// Usable columns of a row.
    columns_max: usize,
    prompt: String,
    text: String,
    /// The byte offset of each row's start; 0 for the first.
    starts: Vec<usize>,
}

impl Rows {
    /// Makes the single, empty row of an empty text on a terminal of `width` columns, at least 9.
    pub fn new(width: usize) -> Rows {
        let (prompt, text) = (String::new(), String::new());
        Rows { columns_max: width - 1, prompt, text, starts: vec![0] }
    }

    /// Returns the length of the prefix shared with another prompt and text, in bytes.
    pub fn same(&self, prompt: &str, text: &str) -> usize {
        if self.prompt == prompt { prompt.len() + common(&self.text, text) } else { 0 }
    }

    /// Replaces prompt and text, of which the first `same` bytes are unchanged.
    pub fn lay(&mut self, prompt: &str, text: &str, same: usize) {
        let same_text = same.saturating_sub(prompt.len());
        prompt.clone_into(&mut self.prompt);
        self.text.truncate(same_text);
        self.text.push_str(&text[same_text..]);

        // The start of a row depends on its first cluster, which is certainly unchanged if the next
        // row's first character is.
        let known = self.starts.partition_point(|&start| start < same);
        self.starts.truncate(known.saturating_sub(1).max(1));
        let start = self.starts[self.starts.len() - 1];
        let (mut byte, mut columns) = (start, 0);
        let mut starts = Vec::new();
        for cluster in self.clusters(start) {
            let (_, wide) = shown(cluster);
            if columns + wide > self.columns_max {
                starts.push(byte);
                columns = 0;
            }
            byte += cluster.len();
            columns += wide;
            if cluster == "\n" {
                starts.push(byte);
                columns = 0;
            }
        }
        self.starts.extend(starts);
    }

    /// Returns whether the prompt is `prompt` and the text has `bytes` bytes.
    pub fn holds(&self, prompt: &str, text_bytes: usize) -> bool {
        self.prompt == prompt && self.text.len() == text_bytes
    }

    /// Returns whether a cell fits into a row after `columns` columns without ending it.
    pub fn has_room(&self, columns: usize, cell: &ScreenCell) -> bool {
        cell.columns > 0 && columns + cell.columns <= self.columns_max
    }

    /// Adds a cluster to the last row, which has room for it.
    pub fn append(&mut self, cluster: &str) {
        self.text.push_str(cluster);
    }

    /// Returns the number of rows, at least one.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// Returns the byte offset of a row's start, if the row exists.
    pub fn start(&self, row: usize) -> Option<usize> {
        self.starts.get(row).copied()
    }

    /// Returns the position of the cluster at a byte offset, or of the end of the text.
    pub fn place(&self, byte: usize) -> CellPosition {
        let row = self.starts.partition_point(|&start| start <= byte) - 1;
        let (mut column, mut at) = (0, self.starts[row]);
        for cluster in self.clusters(at) {
            if at >= byte {
                break;
            }
            at += cluster.len();
            column += shown(cluster).1;
        }
        CellPosition { row, column }
    }

    /// Returns the cells of a row.
    pub fn row(&self, row: usize) -> Vec<ScreenCell> {
        let start = self.starts[row];
        let mut bytes = self.start(row + 1).map_or(usize::MAX, |end| end - start);
        let of_row = self.clusters(start).take_while(|cluster| {
            let fits = bytes > 0;
            bytes = bytes.saturating_sub(cluster.len());
            fits
        });
        of_row.map(ScreenCell::of).collect()
    }

    /// Returns the clusters from a boundary on. No cluster spans the prompt and the text.
    fn clusters(&self, from: usize) -> impl Iterator<Item = &str> {
        let of_prompt = &self.prompt[from.min(self.prompt.len())..];
        let of_text = &self.text[from.saturating_sub(self.prompt.len())..];
        of_prompt.graphemes(true).chain(of_text.graphemes(true))
    }
}

/// Returns the length of the common prefix of two texts, in bytes of whole characters.
fn common(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    one.floor_char_boundary(pairs.take_while(|(a, b)| a == b).count())
}

/// Returns the text to write for a cluster, and its width in columns.
fn shown(cluster: &str) -> (&str, usize) {
    if cluster == "\n" {
        return ("", 0);
    }
    let wide = |c: char| c.width().unwrap_or(0);
    let columns = cluster.chars().map(wide).sum();
    let is_strange = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let is_tame = cluster.len() <= CLUSTER_BYTES_MAX
        && columns <= CLUSTER_COLUMNS_MAX
        // A character without width would combine with its left neighbour on the screen.
        && cluster.chars().next().is_some_and(|first| wide(first) > 0)
        && !cluster.contains(is_strange);
    if is_tame { (cluster, columns) } else { ("?", 1) }
}

#[cfg(test)]
mod tests;
