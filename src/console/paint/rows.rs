//! Where the rows of a prompt and its line begin, and what each shows.
//!
//! The painter lays each new state of the line here; only what an edit can have moved is measured
//! again. A row ends before the cluster that would reach the terminal's last column, or behind a
//! line break. A cluster is as wide as its characters together, as wcwidth(3) has it and with it
//! the terminals at the end of most serial lines, which know nothing of clusters; one that has no
//! width or could upset a terminal is shown as `?`.
//!
//! It knows nothing of what is on the screen.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::super::line_editor::CLUSTER_BYTES_MAX;

/// The widest cluster shown as it is: a family of four, where it is shown as four people.
const CLUSTER_COLUMNS_MAX: usize = 8;

/// One cluster on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What is written for it.
    pub shown: String,
    /// How many columns that takes; a line break takes none.
    pub columns: usize,
}

impl Cell {
    /// Makes the cell of a cluster.
    pub fn of(cluster: &str) -> Cell {
        let (shown, columns) = shown(cluster);
        Cell { shown: shown.to_string(), columns }
    }
}

/// A row, and columns left of the place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Counted from 0.
    pub row: usize,
    /// Counted from 0.
    pub column: usize,
}

/// A prompt and a text, broken into rows. Bytes are counted through both.
#[derive(Debug)]
pub struct Rows {
    /// Columns of a row that are used.
    columns_max: usize,
    prompt: String,
    text: String,
    /// The byte each row begins with; the first row's is 0.
    starts: Vec<usize>,
}

impl Rows {
    /// Makes the single, empty row of an empty text on a terminal of `width` columns, at least 9.
    pub fn new(width: usize) -> Rows {
        let (prompt, text) = (String::new(), String::new());
        Rows { columns_max: width - 1, prompt, text, starts: vec![0] }
    }

    /// Returns how many bytes at the beginning are as in another prompt and text.
    pub fn same(&self, prompt: &str, text: &str) -> usize {
        if self.prompt == prompt { prompt.len() + common(&self.text, text) } else { 0 }
    }

    /// Takes another prompt and text, of which the first `same` bytes are as before.
    pub fn lay(&mut self, prompt: &str, text: &str, same: usize) {
        let same_text = same.saturating_sub(prompt.len());
        prompt.clone_into(&mut self.prompt);
        self.text.truncate(same_text);
        self.text.push_str(&text[same_text..]);

        // A row's beginning hangs on its first cluster, which is surely the same if the next row's
        // first character is.
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

    /// Returns whether this is the prompt and the text has so many bytes.
    pub fn holds(&self, prompt: &str, text_bytes: usize) -> bool {
        self.prompt == prompt && self.text.len() == text_bytes
    }

    /// Returns whether a cell fits into a row behind so many columns, and ends no row.
    pub fn has_room(&self, columns: usize, cell: &Cell) -> bool {
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

    /// Returns the byte a row begins with, if there is that row.
    pub fn start(&self, row: usize) -> Option<usize> {
        self.starts.get(row).copied()
    }

    /// Returns where the cluster at a byte is, or at the end would be if it had room.
    pub fn place(&self, byte: usize) -> Place {
        let row = self.starts.partition_point(|&start| start <= byte) - 1;
        let (mut column, mut at) = (0, self.starts[row]);
        for cluster in self.clusters(at) {
            if at >= byte {
                break;
            }
            at += cluster.len();
            column += shown(cluster).1;
        }
        Place { row, column }
    }

    /// Returns the cells of a row.
    pub fn row(&self, row: usize) -> Vec<Cell> {
        let start = self.starts[row];
        let mut bytes = self.start(row + 1).map_or(usize::MAX, |end| end - start);
        let of_row = self.clusters(start).take_while(|cluster| {
            let fits = bytes > 0;
            bytes = bytes.saturating_sub(cluster.len());
            fits
        });
        of_row.map(Cell::of).collect()
    }

    /// Returns the clusters from a border on. None reaches from the prompt into the text: its
    /// clusters are the line's own.
    fn clusters(&self, from: usize) -> impl Iterator<Item = &str> {
        let of_prompt = &self.prompt[from.min(self.prompt.len())..];
        let of_text = &self.text[from.saturating_sub(self.prompt.len())..];
        of_prompt.graphemes(true).chain(of_text.graphemes(true))
    }
}

/// Returns how many bytes two texts have in common, in whole characters.
fn common(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    one.floor_char_boundary(pairs.take_while(|(a, b)| a == b).count())
}

/// Returns what is written for a cluster, and the columns it takes.
fn shown(cluster: &str) -> (&str, usize) {
    if cluster == "\n" {
        return ("", 0);
    }
    let wide = |c: char| c.width().unwrap_or(0);
    let columns = cluster.chars().map(wide).sum();
    let is_strange = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let is_tame = cluster.len() <= CLUSTER_BYTES_MAX
        && columns <= CLUSTER_COLUMNS_MAX
        // What has no width of its own would join what is left of it on the screen.
        && cluster.chars().next().is_some_and(|first| wide(first) > 0)
        && !cluster.contains(is_strange);
    if is_tame { (cluster, columns) } else { ("?", 1) }
}

#[cfg(test)]
mod tests;
