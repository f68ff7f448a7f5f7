//! Wraps streamed text to the width of a terminal.
//!
//! Lines break at blanks, which are dropped there; a word wider than a line breaks anywhere, and so
//! does text between wide characters such as Chinese ones. Pure: the sender decides which bytes end
//! a line on the wire.

use unicode_width::UnicodeWidthChar;

/// Columns between tab stops.
const TAB_COLUMNS: usize = 4;

/// Wraps one stream of text.
#[derive(Clone, Debug)]
pub struct Wrap {
    /// Columns of a line; `usize::MAX` disables wrapping.
    width: usize,
    /// The column of the next character.
    column: usize,
    /// Columns of blanks before the next word, if it stays on this line.
    blanks: usize,
    /// The current word, not yet on the line.
    word: String,
    word_columns: usize,
}

impl Wrap {
    /// Makes a wrapper at the start of a line.
    pub fn new(width: usize) -> Wrap {
        Wrap { width, column: 0, blanks: 0, word: String::new(), word_columns: 0 }
    }

    /// Changes the width, from the next word on.
    pub fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    /// Returns whether the current line holds any text.
    pub fn is_in_line(&self) -> bool {
        self.column > 0
    }

    /// Notes that other output has started a new line.
    pub fn at_line_start(&mut self) {
        (self.column, self.blanks) = (0, 0);
    }

    /// Takes the next part of the text; returns what can be shown, with lines ended by `\n`.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\n' => {
                    self.put_word(&mut out);
                    self.blanks = 0;
                    self.column = 0;
                    out.push('\n');
                }
                ' ' => {
                    self.put_word(&mut out);
                    self.blanks += 1;
                }
                '\t' => {
                    self.put_word(&mut out);
                    let at = self.column + self.blanks;
                    self.blanks += TAB_COLUMNS - at % TAB_COLUMNS;
                }
                c if c.is_control() => {}
                c => self.put_char(c, &mut out),
            }
        }
        out
    }

    /// Returns the word that was held back.
    pub fn flush(&mut self) -> String {
        let mut out = String::new();
        self.put_word(&mut out);
        out
    }

    fn put_char(&mut self, c: char, out: &mut String) {
        let columns = c.width().unwrap_or(0);
        if columns == 0 && self.word.is_empty() && self.blanks == 0 {
            // It combines with the previous character, which is already on the line.
            out.push(c);
            return;
        }
        if columns > 1 {
            self.put_word(out);
        }
        self.word.push(c);
        self.word_columns += columns;
        if columns > 1 || self.word_columns >= self.width {
            self.put_word(out);
        }
    }

    /// Puts the word on this line or the next.
    fn put_word(&mut self, out: &mut String) {
        if self.word.is_empty() {
            return;
        }
        let fits = |from: usize, columns: usize| from.saturating_add(columns) <= self.width;
        if self.column > 0 && !fits(self.column + self.blanks, self.word_columns) {
            out.push('\n');
            self.column = 0;
        } else if fits(self.blanks, self.word_columns) {
            out.extend(std::iter::repeat_n(' ', self.blanks));
            self.column += self.blanks;
        }
        self.blanks = 0;
        self.column += self.word_columns;
        out.push_str(&self.word);
        self.word.clear();
        self.word_columns = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(width: usize, text: &str) -> String {
        let mut wrap = Wrap::new(width);
        wrap.push(text) + &wrap.flush()
    }

    #[test]
    fn lines_are_broken_at_blanks_and_long_words_anywhere() {
        for (width, text, shown) in [
            (10, "one two three", "one two\nthree"),
            (10, "one two th", "one two th"),
            (10, "one two thr", "one two\nthr"),
            (10, "  indented\n\n  twice", "  indented\n\n  twice"),
            (4, "abcdefghij k", "abcd\nefgh\nij k"),
            (4, "ab cdefgh", "ab\ncdef\ngh"),
            (6, "数学数学 x", "数学数\n学 x"),
            (5, "数学数学", "数学\n数学"),
            (20, "a\tb\tc\r\x1b[2Jd", "a   b   c[2Jd"),
            (8, "tail   ", "tail"),
            (4, "          x", "x"),
        ] {
            assert_eq!(wrapped(width, text), shown, "{text:?} in {width}");
        }
        assert_eq!(wrapped(usize::MAX, &"long ".repeat(500)).lines().count(), 1);
    }

    #[test]
    fn any_cuts_give_the_same_lines_none_too_wide_and_every_word() {
        let pieces =
            ["word", "a", " ", "  ", "\n", "数", "数学", "é", "e\u{301}", "\t", "longerword", "."];
        let mut state = 7_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..2_000 {
            let width = 2 + random(40);
            let text: String = (0..random(60)).map(|_| pieces[random(pieces.len())]).collect();
            let whole = wrapped(width, &text);
            let mut wrap = Wrap::new(width);
            let mut cut: String = text.chars().map(|c| wrap.push(&c.to_string())).collect();
            cut += &wrap.flush();
            assert_eq!(cut, whole, "{text:?} in {width}");
            for line in whole.lines() {
                let columns: usize = line.chars().map(|c| c.width().unwrap_or(0)).sum();
                assert!(columns <= width, "{line:?} in {width}");
            }
            let letters =
                |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(letters(&whole), letters(&text));
        }
    }
}
