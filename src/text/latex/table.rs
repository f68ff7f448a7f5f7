//! Tables: a row a line, with the columns under each other.
//!
//! `grid` calls it for `tabular`, and for an `array` with lines or with empty cells, such as a sum
//! in columns. Widths count grapheme clusters, so a combining mark takes no column.

use unicode_width::UnicodeWidthStr;

/// The columns of an array, as in `{|c|rr|}`.
#[derive(Default)]
pub struct Columns {
    /// `l`, `c` or `r` for each column.
    aligned: Vec<char>,
    /// The columns before which there is a line.
    pub lines: Vec<usize>,
}

impl Columns {
    /// Reads the columns from their source in braces.
    pub fn new(source: &str) -> Columns {
        let mut columns = Columns::default();
        for c in source.chars() {
            match c {
                'l' | 'c' | 'r' => columns.aligned.push(c),
                '|' => columns.lines.push(columns.aligned.len()),
                _ => {}
            }
        }
        columns
    }
}

/// A row of a table: cells, or a line across.
pub enum TableRow {
    Cells(Vec<String>),
    Line,
}

/// Renders rows as lines of text.
pub fn rendered(rows: &[TableRow], columns: &Columns) -> String {
    let is_ruled = !columns.lines.is_empty();
    let between = if is_ruled { " | " } else { " " };
    let cells_most = rows.iter().filter_map(TableRow::cells).map(<[String]>::len).max();
    let mut widths: Vec<usize> = Vec::new();
    for cells in rows.iter().filter_map(TableRow::cells) {
        for (at, cell) in cells.iter().enumerate() {
            if at == widths.len() {
                widths.push(0);
            }
            // The only cell of a row reaches over all columns.
            if cells.len() > 1 || cells_most == Some(1) {
                widths[at] = widths[at].max(cell.width());
            }
        }
    }
    let whole = widths.iter().sum::<usize>() + between.len() * widths.len().saturating_sub(1);
    let mut lines = Vec::new();
    for row in rows {
        match row {
            // Where lines part the columns, lines between the rows only take room.
            TableRow::Line if is_ruled => {}
            TableRow::Line => lines.push("-".repeat(whole)),
            TableRow::Cells(cells) => {
                let padded = cells.iter().enumerate().map(|(at, cell)| {
                    let blanks = " ".repeat(widths[at].saturating_sub(cell.width()));
                    match columns.aligned.get(at) {
                        Some('r') => format!("{blanks}{cell}"),
                        Some('c') if !is_ruled => format!("{blanks}{cell}"),
                        _ => format!("{cell}{blanks}"),
                    }
                });
                let line = padded.collect::<Vec<String>>().join(between);
                lines.push(line.trim_end().to_string());
            }
        }
    }
    lines.join("\n")
}

impl TableRow {
    fn cells(&self) -> Option<&[String]> {
        match self {
            TableRow::Cells(cells) => Some(cells),
            TableRow::Line => None,
        }
    }
}
