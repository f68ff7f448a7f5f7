//! Environments: matrices, arrays and cases, and those that only stack formulas.
//!
//! The parser calls this at each `\begin`. A matrix is rendered as `[1 2; 3 4]` and cases as `{ a
//! if x>0; b otherwise }`. Both stay on their line, next to what precedes and follows them, such as
//! `f(x) =`. Of the others only the rows are rendered: their names are dropped, and `\\` is a line
//! break everywhere.

use super::parse::{Inside, Parser};
use super::row::{Bind, FormulaRow, Gap, PieceClass, RowLayout, RowPiece, RowStart};
use super::symbols::{self, Environment, Grid};
use super::table::{self, Columns, TableRow};
use super::tokens::LatexToken;

/// A row, and whether a line precedes it.
struct GridRow {
    ruled: bool,
    cells: Vec<GridCell>,
}

/// A cell, and what it begins with.
struct GridCell {
    text: String,
    first: Option<PieceClass>,
}

impl Parser<'_> {
    /// Parses an environment whose `\begin` was read.
    pub fn begin(&mut self, from: usize, row: &mut FormulaRow, setting: RowLayout) {
        let piece = match self.tokens.name().and_then(symbols::environment) {
            Some(Environment::Layout { wide }) => {
                if wide && self.tokens.peek() == Some(LatexToken::Open) {
                    self.tokens.skip_group();
                }
                for place in ["[t]", "[b]", "[c]"] {
                    if self.tokens.rest().starts_with(place) {
                        self.tokens.optional();
                    }
                }
                return;
            }
            Some(Environment::Grid(grid)) if !self.is_deep() => {
                let piece = self.grid(grid, row.left() == Some(PieceClass::Open), setting);
                let piece = self.scripted(piece, setting);
                if piece.text.contains('\n') {
                    row.gap(Gap::Break);
                    row.push(piece);
                    return row.gap(Gap::Break);
                }
                piece
            }
            _ => RowPiece::new(PieceClass::Text, self.tokens.since(from)),
        };
        row.push(piece);
    }

    /// Parses an `\end` without its `\begin`.
    pub fn stray_end(&mut self, from: usize, row: &mut FormulaRow) {
        let name = self.tokens.name().and_then(symbols::environment);
        if !matches!(name, Some(Environment::Layout { .. })) {
            row.push(RowPiece::new(PieceClass::Text, self.tokens.since(from)));
        }
    }

    fn grid(&mut self, grid: Grid, bracketed: bool, setting: RowLayout) -> RowPiece {
        let mut columns = Columns::default();
        let is_cases = std::mem::take(&mut self.opens_cases);
        if matches!(grid, Grid::Array | Grid::Table | Grid::Stack) {
            self.tokens.optional();
            if self.tokens.peek() == Some(LatexToken::Open) {
                let from = self.tokens.at;
                self.tokens.skip_group();
                columns = Columns::new(self.tokens.since(from));
            }
        } else {
            self.tokens.optional();
        }
        let cell = RowLayout { tight: false, breaks: "; ", alone: setting.alone };
        let rows = self.rows(grid, cell);
        let can_stack = setting.breaks == "\n" && !setting.alone && !bracketed;
        let (open, close) = match grid {
            Grid::Cases => return cases(&rows, bracketed),
            Grid::Array | Grid::Plain if is_cases => return cases(&rows, bracketed),
            Grid::Stack => return RowPiece::new(PieceClass::Group, join(&rows, " ", ", ", &[])),
            Grid::Table if can_stack => return stacked(&rows, &columns),
            Grid::Array if can_stack && is_table(&rows, &columns) => {
                return stacked(&rows, &columns);
            }
            Grid::Plain | Grid::Array if bracketed => ("", ""),
            Grid::Plain | Grid::Array | Grid::Table => ("[", "]"),
            Grid::Matrix(open, close) => (open, close),
        };
        let mut cells = rows.iter().flat_map(|row| &row.cells);
        let between = if cells.any(|cell| cell.text.is_empty() || cell.text.contains(' ')) {
            ", "
        } else {
            " "
        };
        let text = join(&rows, between, "; ", &columns.lines);
        let bind = if open.is_empty() { Bind::Loose } else { Bind::Atom };
        RowPiece { bind, ..RowPiece::new(PieceClass::Group, format!("{open}{text}{close}")) }
    }

    /// Parses rows of cells up to the end of the environment.
    fn rows(&mut self, grid: Grid, setting: RowLayout) -> Vec<GridRow> {
        let setting = RowLayout { alone: false, ..setting };
        let mut rows = vec![GridRow { ruled: self.rules(), cells: Vec::new() }];
        (self.depth, self.grids) = (self.depth + 1, self.grids + 1);
        loop {
            let cell = if grid == Grid::Table {
                GridCell { text: self.cell_of_words(setting), first: None }
            } else {
                let row = self.row(Inside::Cell, setting, RowStart::Fresh);
                let first = row.first();
                GridCell { text: row.into_piece().text, first }
            };
            rows.last_mut().expect("it begins with one").cells.push(cell);
            match self.tokens.peek() {
                Some(LatexToken::Cell) => {
                    self.tokens.next();
                }
                Some(LatexToken::Escape('\\') | LatexToken::Command("cr")) => {
                    self.tokens.next();
                    self.line_break(&mut FormulaRow::new(setting, RowStart::Fresh));
                    rows.push(GridRow { ruled: self.rules(), cells: Vec::new() });
                }
                Some(LatexToken::Command("end")) => {
                    self.tokens.next();
                    self.tokens.name();
                    break;
                }
                _ => break,
            }
        }
        (self.depth, self.grids) = (self.depth - 1, self.grids - 1);
        rows.retain(|row| row.cells.iter().any(|cell| !cell.text.is_empty()));
        rows
    }

    /// Skips lines between rows; returns whether there are any.
    fn rules(&mut self) -> bool {
        let mut found = false;
        loop {
            let mut ahead = self.tokens.clone();
            ahead.skip_blanks();
            match ahead.next() {
                Some(LatexToken::Command(
                    "hline" | "hdashline" | "toprule" | "midrule" | "bottomrule",
                )) => {}
                Some(LatexToken::Command("cline" | "cmidrule" | "cdashline")) => {
                    if ahead.peek() == Some(LatexToken::Open) {
                        ahead.skip_group();
                    }
                }
                _ => return found,
            }
            (self.tokens, found) = (ahead, true);
        }
    }

    /// Renders two lines in parentheses as a binomial, if they look like one.
    pub fn stacked_binomial(source: &str, left: &str, right: &str, text: &str) -> Option<RowPiece> {
        let body = source.trim_start().strip_prefix("\\begin{")?;
        let is_plain = ["array}", "matrix}", "smallmatrix}"].iter().any(|n| body.starts_with(n));
        let (above, below) = text.split_once("; ")?;
        if !is_plain || (left, right) != ("(", ")") {
            return None;
        }
        let is_index =
            |text: &str| text.chars().all(|c| c.is_ascii_digit() || "nmkrNMpqij+-".contains(c));
        if !is_index(above) || !is_index(below) {
            return None;
        }
        let numbers = above.parse::<u64>().ok().zip(below.parse::<u64>().ok());
        numbers.is_none_or(|(above, below)| above >= below).then(|| Self::binomial(above, below))
    }
}

/// Returns whether an array is a table and not a matrix.
fn is_table(rows: &[GridRow], columns: &Columns) -> bool {
    let is_empty = |row: &GridRow| row.cells.len() > 1 && row.cells[0].text.is_empty();
    let is_ruled = rows.iter().skip(1).any(|row| row.ruled);
    !columns.lines.is_empty()
        || rows.iter().any(is_empty)
        || is_ruled && rows.iter().any(|row| row.cells.len() == 1)
}

/// Renders rows as lines.
fn stacked(rows: &[GridRow], columns: &Columns) -> RowPiece {
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if row.ruled && at > 0 {
            lines.push(TableRow::Line);
        }
        lines.push(TableRow::Cells(row.cells.iter().map(|cell| cell.text.clone()).collect()));
    }
    let text = table::rendered(&lines, columns);
    RowPiece { bind: Bind::Loose, ..RowPiece::new(PieceClass::Group, text) }
}

/// Joins cells and rows on one line; `lines` are the columns before which there is a line.
fn join(rows: &[GridRow], between: &str, ends: &str, lines: &[usize]) -> String {
    let rows = rows.iter().map(|row| {
        let mut text = String::new();
        for (at, cell) in row.cells.iter().enumerate() {
            if at > 0 {
                text.push_str(if lines.contains(&at) { " | " } else { between });
            }
            text.push_str(&cell.text);
        }
        text
    });
    rows.collect::<Vec<String>>().join(ends)
}

/// Renders each case with its condition, between braces that show where the cases end.
fn cases(rows: &[GridRow], bracketed: bool) -> RowPiece {
    let lines = rows.iter().map(|row| {
        let cells: Vec<&GridCell> = row.cells.iter().filter(|c| !c.text.is_empty()).collect();
        let mut line = cells.first().map(|cell| cell.text.clone()).unwrap_or_default();
        // A condition that comes first, or an equation in columns.
        let is_plain = cells.first().is_some_and(|cell| links(cell));
        for cell in cells.iter().skip(1) {
            let is_operator = matches!(cell.first, Some(PieceClass::Rel | PieceClass::Bin));
            let is_column = cells.len() > 2 && !line.ends_with(',');
            let is_condition = !is_operator && !is_plain && !is_column && !links(cell);
            if !is_operator && !is_column {
                line.truncate(line.trim_end_matches(',').len());
            }
            line.push_str(if is_condition { " if " } else { " " });
            line.push_str(&cell.text);
        }
        line.truncate(line.trim_end_matches([',', ';', '.']).len());
        line
    });
    let text = lines.collect::<Vec<String>>().join("; ");
    let text = if bracketed { text } else { format!("{{ {text} }}") };
    RowPiece { bind: Bind::Loose, ..RowPiece::new(PieceClass::Group, text) }
}

/// Returns whether a cell begins with a word that links it to the other one.
fn links(cell: &GridCell) -> bool {
    const WORDS: &str = "if when where whenever for otherwise else elsewhere or and as unless with \
        provided on in at iff 当 若 如果 其他 其它 否则";
    if cell.first != Some(PieceClass::Text) {
        return false;
    }
    let text = cell.text.to_lowercase();
    let word = text.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
    WORDS.split_whitespace().any(|link| link == word || !link.is_ascii() && word.starts_with(link))
}
