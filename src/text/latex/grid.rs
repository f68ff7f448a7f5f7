//! Environments: matrices, arrays and cases, and those that only stack formulas.
//!
//! The parser calls this at each `\begin`. A matrix is rendered as `[1 2; 3 4]` and cases as `{ a
//! if x>0; b otherwise`. Both stay on their line, next to what precedes and follows them, such as
//! `f(x) =`. Of the others only the rows are rendered: their names are dropped, and `\\` is a line
//! break everywhere.

use super::parse::{Inside, Parser};
use super::row::{Bind, FormulaRow, PieceClass, RowLayout, RowPiece, RowStart};
use super::symbols::{self, Environment, Grid};
use super::tokens::LatexToken;

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
                self.scripted(piece, setting)
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
        if grid == Grid::Array {
            self.tokens.optional();
            if self.tokens.peek() == Some(LatexToken::Open) {
                self.tokens.skip_group();
            }
        }
        let rows = self.rows(RowLayout { tight: false, breaks: "; ", alone: setting.alone });
        let (open, close) = match grid {
            Grid::Cases => return cases(rows, bracketed),
            Grid::Matrix("[", _) | Grid::Array if bracketed => ("", ""),
            Grid::Array => ("[", "]"),
            Grid::Matrix(open, close) => (open, close),
        };
        let mut cells = rows.iter().flatten();
        let between = if cells.any(|cell| cell.text.is_empty() || cell.text.contains(' ')) {
            ", "
        } else {
            " "
        };
        let text = join(&rows, between);
        let bind = if open.is_empty() { Bind::Loose } else { Bind::Atom };
        RowPiece { bind, ..RowPiece::new(PieceClass::Group, format!("{open}{text}{close}")) }
    }

    /// Parses rows of cells up to the end of the environment.
    fn rows(&mut self, setting: RowLayout) -> Vec<Vec<GridCell>> {
        let setting = RowLayout { alone: false, ..setting };
        let mut rows = vec![Vec::new()];
        (self.depth, self.grids) = (self.depth + 1, self.grids + 1);
        loop {
            let row = self.row(Inside::Cell, setting, RowStart::Fresh);
            let first = row.first();
            let text = row.into_piece().text;
            rows.last_mut().expect("it begins with one").push(GridCell { text, first });
            match self.tokens.peek() {
                Some(LatexToken::Cell) => {
                    self.tokens.next();
                }
                Some(LatexToken::Escape('\\') | LatexToken::Command("cr")) => {
                    self.tokens.next();
                    self.line_break(&mut FormulaRow::new(setting, RowStart::Fresh));
                    rows.push(Vec::new());
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
        rows.retain(|row| row.iter().any(|cell| !cell.text.is_empty()));
        rows
    }
}

fn join(rows: &[Vec<GridCell>], between: &str) -> String {
    let rows = rows.iter().map(|row| {
        let cells: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
        cells.join(between)
    });
    rows.collect::<Vec<String>>().join("; ")
}

/// Renders each case with its condition.
fn cases(rows: Vec<Vec<GridCell>>, bracketed: bool) -> RowPiece {
    let lines = rows.into_iter().map(|row| {
        let mut cells = row.into_iter().filter(|cell| !cell.text.is_empty());
        let mut line = cells.next().map(|cell| cell.text).unwrap_or_default();
        for cell in cells {
            let is_condition =
                !matches!(cell.first, Some(PieceClass::Text | PieceClass::Rel | PieceClass::Bin));
            if is_condition || cell.first == Some(PieceClass::Text) {
                line.truncate(line.trim_end_matches(',').len());
            }
            line.push_str(if is_condition { " if " } else { " " });
            line.push_str(&cell.text);
        }
        line
    });
    let text = lines.collect::<Vec<String>>().join("; ");
    let text = if bracketed { text } else { format!("{{ {text}") };
    RowPiece { bind: Bind::Loose, ..RowPiece::new(PieceClass::Group, text) }
}
