//! Environments: matrices, arrays and cases, and those that only set formulas one below the other.
//!
//! The parser comes here at each `\begin`. A matrix is `[1 2; 3 4]` and cases are
//! `{ a if x>0; b otherwise`. Both stay in their line, so that what stands before and after them,
//! such as `f(x) =`, stays beside them. Of the others only the rows are seen: their names are
//! dropped, and `\\` is a new line everywhere.

use super::parse::{Inside, Parser};
use super::row::{Bind, Class, Piece, Row, Setting, Start};
use super::symbols::{self, Environment, Grid};
use super::tokens::Token;

/// A cell, and what it begins with.
struct Cell {
    text: String,
    first: Option<Class>,
}

impl Parser<'_> {
    /// Reads an environment whose `\begin` was read.
    pub fn begin(&mut self, from: usize, row: &mut Row, setting: Setting) {
        let piece = match self.tokens.name().and_then(symbols::environment) {
            Some(Environment::Layout { wide }) => {
                if wide && self.tokens.peek() == Some(Token::Open) {
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
                let piece = self.grid(grid, row.left() == Some(Class::Open), setting);
                self.scripted(piece, setting)
            }
            _ => Piece::new(Class::Text, self.tokens.since(from)),
        };
        row.push(piece);
    }

    /// Reads an `\end` for which nobody waits.
    pub fn stray_end(&mut self, from: usize, row: &mut Row) {
        let name = self.tokens.name().and_then(symbols::environment);
        if !matches!(name, Some(Environment::Layout { .. })) {
            row.push(Piece::new(Class::Text, self.tokens.since(from)));
        }
    }

    fn grid(&mut self, grid: Grid, bracketed: bool, setting: Setting) -> Piece {
        if grid == Grid::Array {
            self.tokens.optional();
            if self.tokens.peek() == Some(Token::Open) {
                self.tokens.skip_group();
            }
        }
        let rows = self.rows(Setting { tight: false, breaks: "; ", alone: setting.alone });
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
        Piece { bind, ..Piece::new(Class::Group, format!("{open}{text}{close}")) }
    }

    /// Reads rows of cells up to the end of the environment.
    fn rows(&mut self, setting: Setting) -> Vec<Vec<Cell>> {
        let setting = Setting { alone: false, ..setting };
        let mut rows = vec![Vec::new()];
        (self.depth, self.grids) = (self.depth + 1, self.grids + 1);
        loop {
            let row = self.row(Inside::Cell, setting, Start::Fresh);
            let first = row.first();
            let text = row.into_piece().text;
            rows.last_mut().expect("it begins with one").push(Cell { text, first });
            match self.tokens.peek() {
                Some(Token::Cell) => {
                    self.tokens.next();
                }
                Some(Token::Escape('\\') | Token::Command("cr")) => {
                    self.tokens.next();
                    self.line_break(&mut Row::new(setting, Start::Fresh));
                    rows.push(Vec::new());
                }
                Some(Token::Command("end")) => {
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

fn join(rows: &[Vec<Cell>], between: &str) -> String {
    let rows = rows.iter().map(|row| {
        let cells: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
        cells.join(between)
    });
    rows.collect::<Vec<String>>().join("; ")
}

/// Returns each case with its condition.
fn cases(rows: Vec<Vec<Cell>>, bracketed: bool) -> Piece {
    let lines = rows.into_iter().map(|row| {
        let mut cells = row.into_iter().filter(|cell| !cell.text.is_empty());
        let mut line = cells.next().map(|cell| cell.text).unwrap_or_default();
        for cell in cells {
            let is_condition = !matches!(cell.first, Some(Class::Text | Class::Rel | Class::Bin));
            if is_condition || cell.first == Some(Class::Text) {
                line.truncate(line.trim_end_matches(',').len());
            }
            line.push_str(if is_condition { " if " } else { " " });
            line.push_str(&cell.text);
        }
        line
    });
    let text = lines.collect::<Vec<String>>().join("; ");
    let text = if bracketed { text } else { format!("{{ {text}") };
    Piece { bind: Bind::Loose, ..Piece::new(Class::Group, text) }
}
