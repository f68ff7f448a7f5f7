//! What a terminal shows, by the vt100 crate, a terminal in memory; and in how many bytes.
//!
//! vt100 is as wide as unicode-width's characters but for variation selectors, which widen there
//! what is before them: none are typed here.

use std::num::NonZeroU16;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::*;

const HEIGHT: usize = 24;
const TEXTS: [&str; 12] = [
    "a",
    "b",
    " ",
    "x = 17*23",
    "e\u{301}",
    "数",
    "🧮",
    "👨\u{200d}👩\u{200d}👧",
    "🇩🇪",
    "🇫",
    "\u{301}",
    "각",
];
const KEYS: [Key; 12] = [
    Key::Left,
    Key::Right,
    Key::Backspace,
    Key::Delete,
    Key::Home,
    Key::End,
    Key::WordLeft,
    Key::WordRight,
    Key::EraseWord,
    Key::EraseWordRight,
    Key::EraseToStart,
    Key::EraseToEnd,
];

/// A user who types at random, and the screen in front of them.
struct Typist {
    screen: vt100::Parser,
    painter: Painter,
    prompt: &'static str,
    line: LineEditor,
    /// Columns the painter has been told.
    width: usize,
    /// What has been written before, and stays above.
    above: Vec<String>,
    /// The screen's row with the prompt.
    first: usize,
    random: ChaCha8Rng,
}

/// The rows as they should be, and the cursor's place: measured plainly, from the beginning.
fn expected(prompt: &str, line: &LineEditor, width: usize) -> (Vec<String>, CellPosition) {
    let (mut rows, mut column, mut byte) = (vec![String::new()], 0, 0);
    let mut place = CellPosition::default();
    let text = line.text().graphemes(true);
    for (cluster, of_text) in
        prompt.graphemes(true).map(|c| (c, false)).chain(text.map(|c| (c, true)))
    {
        let wide = |c: char| c.width().unwrap_or(0);
        let is_shown = cluster.chars().next().is_some_and(|first| wide(first) > 0);
        let shown = if is_shown || cluster == "\n" { cluster } else { "?" };
        let columns: usize = shown.chars().map(wide).sum();
        if column + columns >= width {
            rows.push(String::new());
            column = 0;
        }
        if of_text && byte == line.cursor() {
            place = CellPosition { row: rows.len() - 1, column };
        }
        if cluster == "\n" {
            rows.push(String::new());
            column = 0;
        } else {
            rows.last_mut().unwrap().push_str(shown);
            column += columns;
        }
        byte += if of_text { cluster.len() } else { 0 };
    }
    if line.cursor() == line.text().len() {
        place = CellPosition { row: rows.len() - 1, column };
    }
    (rows, place)
}

impl Typist {
    fn new(terminal: Terminal, width: usize, first: usize, seed: u64) -> Typist {
        let size = |number: usize| NonZeroU16::new(u16::try_from(number).unwrap()).unwrap();
        let mut typist = Typist {
            screen: vt100::Parser::new(size(HEIGHT), size(width), 0),
            painter: Painter::new(terminal, width),
            prompt: "math> ",
            line: LineEditor::new(4_000),
            width,
            above: Vec::new(),
            first: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        };
        for number in 0..first {
            typist.say(number);
        }
        typist
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.next_u32() as usize % end
    }

    /// Somebody else writes, while nothing is painted.
    fn say(&mut self, number: usize) {
        let words = format!("above {}", number % 1_000);
        self.screen.process(format!("{words}\r\n").as_bytes());
        self.above.push(words);
        self.first = (self.first + 1).min(HEIGHT - 1);
    }

    fn shown_row(&self, row: usize) -> String {
        let mut text = String::new();
        for column in 0..self.screen.screen().size().1.get() {
            let cell = self.screen.screen().cell(u16::try_from(row).unwrap(), column).unwrap();
            if !cell.is_wide_continuation() {
                text.push_str(if cell.has_contents() { cell.contents() } else { " " });
            }
        }
        text.trim_end().to_string()
    }

    fn cursor(&self) -> CellPosition {
        let (row, column) = self.screen.screen().cursor_position();
        CellPosition { row: row.into(), column: column.into() }
    }

    fn paint(&mut self, edit: Edit) -> String {
        let out = self.painter.paint(self.prompt, &self.line, edit);
        self.screen.process(out.as_bytes());
        out
    }

    fn press(&mut self, key: Key) -> String {
        let edit = self.line.apply(key);
        self.paint(edit)
    }

    /// Types a text character by character and returns all that was written.
    fn type_text(&mut self, text: &str) -> String {
        text.chars().map(|c| self.press(Key::Char(c))).collect()
    }

    /// The rows that should be on the screen, with dots, and the cursor's place in them.
    fn window(&self) -> (Vec<String>, CellPosition) {
        let (rows, place) = expected(self.prompt, &self.line, self.width);
        let top = self.painter.top;
        if rows.len() <= ROWS_MAX {
            assert_eq!(top, 0, "all rows have room");
            return (rows, place);
        }
        assert!((top..top + ROWS_MAX).contains(&place.row), "the cursor is among the rows shown");
        let mut shown = Vec::new();
        if top > 0 {
            shown.push("...".to_string());
        }
        let place = CellPosition { row: place.row - top + shown.len(), column: place.column };
        shown.extend(rows[top..].iter().take(ROWS_MAX).cloned());
        if top + ROWS_MAX < rows.len() {
            shown.push("...".to_string());
        }
        (shown, place)
    }

    /// Asserts that the screen shows what it should, from its first row to its last.
    fn check(&mut self) {
        let (rows, place) = self.window();
        // A screen that has scrolled does not scroll back.
        self.first = self.first.min(HEIGHT - rows.len());
        let case = format!("{}{:?} at {}", self.prompt, self.line.text(), self.line.cursor());
        assert_eq!(self.cursor(), CellPosition { row: self.first + place.row, ..place }, "{case}");
        for row in 0..HEIGHT {
            let wanted = match row.checked_sub(self.first) {
                None => &self.above[self.above.len() - self.first + row],
                Some(row) => rows.get(row).map_or("", |row| row.trim_end()),
            };
            assert_eq!(self.shown_row(row), wanted, "row {row} of {case}");
        }
    }

    /// What is on the screen stays there, above.
    fn keep_rows(&mut self) {
        let (rows, _) = self.window();
        self.first = (self.first + rows.len()).min(HEIGHT - 1);
        self.above.extend(rows.into_iter().map(|row| row.trim_end().to_string()));
    }

    fn leave(&mut self) {
        self.keep_rows();
        let out = self.painter.leave();
        self.screen.process(out.as_bytes());
        assert_eq!(self.cursor(), CellPosition { row: self.first, column: 0 });
    }

    fn erase(&mut self) {
        let out = self.painter.erase();
        self.screen.process(out.as_bytes());
        assert_eq!(self.cursor(), CellPosition { row: self.first, column: 0 });
        assert!((self.first..HEIGHT).all(|row| self.shown_row(row).is_empty()));
    }

    /// Does something of all that can happen, and paints it.
    fn act(&mut self) {
        match self.below(40) {
            0 => {
                self.leave();
                self.line.take();
                self.prompt = ["> ", "math> ", "数> ", ""][self.below(4)];
                for number in 0..self.below(4) {
                    self.say(number);
                }
                self.paint(Edit::Changed);
            }
            1 => {
                self.erase();
                let number = self.random.next_u32() as usize;
                self.say(number);
                self.paint(Edit::Changed);
            }
            2 => {
                self.keep_rows();
                let most = usize::from(self.screen.screen().size().1.get());
                self.width = 10 + self.below(most - 9);
                self.painter.set_width(self.width);
                self.paint(Edit::Changed);
            }
            3 => {
                let texts: Vec<&str> =
                    (0..self.below(400)).map(|_| TEXTS[self.below(TEXTS.len())]).collect();
                self.line.set(&texts.concat());
                self.paint(Edit::Changed);
            }
            4 => {
                // Several keys at once.
                for _ in 0..self.below(9) {
                    let key = KEYS[self.below(KEYS.len())];
                    self.line.apply(key);
                    self.line.insert('z');
                }
                self.paint(Edit::Changed);
            }
            5 => {
                let edit = self.line.insert('\n');
                self.paint(edit);
            }
            6..16 => {
                let key = KEYS[self.below(KEYS.len())];
                self.press(key);
            }
            16..24 => {
                let key = KEYS[self.below(4)];
                self.press(key);
            }
            _ => {
                for c in TEXTS[self.below(TEXTS.len())].chars() {
                    self.press(Key::Char(c));
                    self.check();
                }
            }
        }
    }
}

#[test]
fn the_screen_shows_the_line_after_each_key_at_every_width() {
    for width in 10..=80 {
        for seed in 0..2 {
            let first = (width * 7 + seed * 6) % HEIGHT;
            let mut typist = Typist::new(Terminal::Ansi, width, first, (width * 10 + seed) as u64);
            typist.paint(Edit::Changed);
            typist.check();
            for _ in 0..60 {
                typist.act();
                typist.check();
            }
        }
    }
}

#[test]
fn without_sequences_the_line_stands_above_the_cursor_at_every_width() {
    for width in 10..=80 {
        let first = width % HEIGHT;
        let mut typist = Typist::new(Terminal::Plain, width, first, width as u64);
        typist.paint(Edit::Changed);
        for _ in 0..200 {
            let out = match typist.below(20) {
                0 => {
                    let texts: Vec<&str> =
                        (0..typist.below(200)).map(|_| TEXTS[typist.below(TEXTS.len())]).collect();
                    typist.line.set(&texts.concat());
                    typist.paint(Edit::Changed)
                }
                kind @ (1 | 2) => {
                    let out =
                        if kind == 1 { typist.painter.leave() } else { typist.painter.erase() };
                    typist.screen.process(out.as_bytes());
                    out + &typist.paint(Edit::Changed)
                }
                3 => {
                    // The last row can be the same where the first is not.
                    let first = ['q', 'w'][typist.below(2)];
                    let rest = typist.line.text().chars().skip(1);
                    let text: String = std::iter::once(first).chain(rest).collect();
                    typist.line.set(&text);
                    typist.paint(Edit::Changed)
                }
                4 => {
                    let edit = typist.line.insert('\n');
                    typist.paint(edit)
                }
                5..10 => {
                    let key = KEYS[typist.below(KEYS.len())];
                    if typist.painter.takes(key) { typist.press(key) } else { String::new() }
                }
                _ => {
                    let text = TEXTS[typist.below(TEXTS.len())];
                    typist.type_text(text)
                }
            };
            let is_plain = |c: char| !c.is_control() || "\r\n\x08\x07".contains(c);
            assert!(out.chars().all(is_plain), "{out:?}");
            let (rows, place) = expected(typist.prompt, &typist.line, width);
            let cursor = typist.cursor();
            assert_eq!(cursor.column, place.column, "{:?}", typist.line.text());
            for (back, row) in rows.iter().rev().take(ROWS_MAX).enumerate() {
                assert_eq!(typist.shown_row(cursor.row - back), row.trim_end());
            }
        }
    }
}

#[test]
fn each_key_costs_a_few_bytes() {
    let mut typist = Typist::new(Terminal::Ansi, 20, 0, 0);
    assert_eq!(typist.paint(Edit::Changed), "math> ");
    assert_eq!(typist.type_text("ab数"), "ab数");
    assert_eq!(typist.press(Key::Left), "\x08\x08");
    assert_eq!(typist.press(Key::Backspace), "\x08数\x1b[K\x08\x08");
    assert_eq!(typist.press(Key::Delete), "\x1b[K");
    assert_eq!(typist.press(Key::Delete), "\x07");
    assert_eq!(typist.press(Key::Home), "\x08");
    assert_eq!(typist.press(Key::Home), "");
    assert_eq!(typist.press(Key::End), "\x1b[C");
    assert_eq!(typist.type_text("bcde"), "bcde");
    assert_eq!(typist.press(Key::Home), "\r\x1b[6C");
    assert_eq!(typist.press(Key::End), "\x1b[5C");
    // The mark joins the e, which is written again.
    assert_eq!(typist.type_text("\u{301}"), "\x08e\u{301}");
    assert_eq!(typist.type_text("12345678"), "12345678");
    assert_eq!(typist.type_text("9"), "\r\n9");
    assert_eq!(typist.press(Key::Home), "\x1b[A\x1b[5C");
    assert_eq!(typist.painter.leave(), "\r\n\r\n");
    assert_eq!(typist.painter.leave(), "");
    assert_eq!(typist.painter.erase(), "");
}

#[test]
fn without_sequences_only_the_end_is_changed_in_place() {
    let mut typist = Typist::new(Terminal::Plain, 20, 0, 0);
    assert_eq!(typist.paint(Edit::Changed), "math> ");
    assert_eq!(typist.type_text("ab数"), "ab数");
    assert_eq!(typist.press(Key::Backspace), "\x08\x08  \x08\x08");
    assert_eq!(typist.press(Key::Backspace), "\x08 \x08");
    assert_eq!(typist.press(Key::EraseToEnd), "\x07");
    assert_eq!(typist.type_text("bcde 12345678"), "bcde 1234567\r\n8");
    assert_eq!(typist.press(Key::Backspace), "\r\nmath> abcde 1234567");
    assert_eq!(
        typist.press(Key::EraseWord),
        "\x08\x08\x08\x08\x08\x08\x08       \x08\x08\x08\x08\x08\x08\x08"
    );
    assert_eq!(typist.painter.leave(), "\r\n");
    assert_eq!(typist.painter.erase(), "");
    for key in KEYS {
        if typist.painter.takes(key) {
            assert_ne!(typist.line.apply(key), Edit::Moved, "{key:?}");
        }
    }
}

#[test]
fn a_long_paste_is_written_a_few_times_at_most() {
    for terminal in [Terminal::Ansi, Terminal::Plain] {
        for piece in ["plain text, ", "数学", "🇩🇪", "one\ntwo\n", "e\u{301}"] {
            let mut line = LineEditor::new(1 << 20);
            let mut painter = Painter::new(terminal, 80);
            let mut written = 0;
            for c in piece.chars().cycle().take(1 << 14) {
                let edit = line.insert(c);
                written += painter.paint("math> ", &line, edit).len();
            }
            let bytes = line.text().len();
            assert!(written < 6 * bytes, "{piece}: {written} bytes for {bytes}");
        }
    }
}

#[test]
fn a_terminal_that_changes_goes_on_below() {
    let mut typist = Typist::new(Terminal::Ansi, 40, 3, 0);
    typist.paint(Edit::Changed);
    typist.type_text("a question");
    typist.press(Key::WordLeft);
    typist.painter.set_terminal(Terminal::Plain);
    assert_eq!(typist.paint(Edit::Nothing), "\r\nmath> a question");
    typist.painter.set_terminal(Terminal::Ansi);
    typist.painter.set_width(12);
    assert_eq!(typist.painter.erase(), "\r\n");
    assert_eq!(typist.paint(Edit::Nothing), "math> a que\r\nstion\x1b[A\x1b[3C");
}
