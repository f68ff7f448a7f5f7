//! Splits generated text into thinking and answer at `<think>` and `</think>`.
//!
//! An opening tag inside the thinking is dropped. A closing tag in the answer is text: what is
//! before it was sent already. [`split_at_lone_close`] splits there, for readers of whole texts.
//!
//! A tag may span several pieces, so text that could be the start of the expected tag is held back
//! until that is decided. White space right after a tag, and before the first text, is layout and
//! is dropped.

use crate::types::answer::{Part, Piece};

/// The tag that opens thinking.
pub(crate) const OPEN: &str = "<think>";
/// The tag that closes thinking.
pub(crate) const CLOSE: &str = "</think>";

/// Splits one attempt's text as it arrives.
#[derive(Debug)]
pub(crate) struct ThinkSplitter {
    part: Part,
    held: String,
    at_start: bool,
    /// Set once the engine has closed the thinking: tags are text from then on.
    closed: bool,
}

impl ThinkSplitter {
    /// Starts in `part`, which is thinking if the prompt ends with `<think>`.
    pub(crate) fn new(part: Part) -> ThinkSplitter {
        ThinkSplitter { part, held: String::new(), at_start: true, closed: false }
    }

    /// Returns the part the next text belongs to.
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// Closes the thinking as if its tag had occurred; everything after it is answer.
    pub(crate) fn close(&mut self) -> Vec<Piece> {
        let pieces = self.finish();
        (self.part, self.at_start, self.closed) = (Part::Answer, true, true);
        pieces
    }

    /// Takes more text and returns the pieces that are decided.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        if self.closed {
            return self.finish();
        }
        let mut pieces = Vec::new();
        loop {
            let first = self.tags().iter().filter_map(|&tag| Some((self.held.find(tag)?, tag)));
            let Some((at, tag)) = first.min() else { break };
            self.emit(at, &mut pieces);
            self.held.drain(..tag.len());
            self.part = if tag == OPEN { Part::Thinking } else { Part::Answer };
            self.at_start = true;
        }
        let decided = self.held.len() - undecided(&self.held, self.tags().iter().copied());
        self.emit(decided, &mut pieces);
        pieces
    }

    /// Ends the text and returns what was held back, as ordinary text.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.emit(self.held.len(), &mut pieces);
        pieces
    }

    /// Returns the tags that are not text in this part.
    fn tags(&self) -> &'static [&'static str] {
        match self.part {
            Part::Thinking => &[OPEN, CLOSE],
            Part::Answer => &[OPEN],
        }
    }

    fn emit(&mut self, bytes: usize, pieces: &mut Vec<Piece>) {
        let text: String = self.held.drain(..bytes).collect();
        let text = if self.at_start { text.trim_start().to_string() } else { text };
        if !text.is_empty() {
            self.at_start = false;
            pieces.push(Piece { part: self.part, text });
        }
    }
}

/// Splits a whole text that closes a thinking without having opened it, as models write whose
/// template should have opened it.
pub(crate) fn split_at_lone_close(text: &str) -> Option<(&str, &str)> {
    text.split_once(CLOSE)
}

/// Returns the length in bytes of the longest suffix of `text` that is a proper prefix of one of
/// `words`.
pub(crate) fn undecided<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> usize {
    let longest = |word: &str| {
        (1..word.len()).rev().find(|&n| word.is_char_boundary(n) && text.ends_with(&word[..n]))
    };
    words.into_iter().filter_map(longest).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[&str], start: Part) -> (String, String) {
        let mut splitter = ThinkSplitter::new(start);
        let mut pieces: Vec<Piece> = parts.iter().flat_map(|p| splitter.push(p)).collect();
        pieces.extend(splitter.finish());
        assert!(pieces.iter().all(|p| !p.text.is_empty()));
        let join = |part| {
            pieces.iter().filter(|p| p.part == part).map(|p| p.text.as_str()).collect::<String>()
        };
        (join(Part::Thinking), join(Part::Answer))
    }

    #[test]
    fn every_pair_of_cuts_gives_the_same_split() {
        let text = "<think>\n17×23 < think> 340+51\n</think>\n\nIt is <b>391</b> </thin.";
        let expected = ("17×23 < think> 340+51\n".into(), "It is <b>391</b> </thin.".into());
        let cuts: Vec<usize> = (0..=text.len()).filter(|&i| text.is_char_boundary(i)).collect();
        for &a in &cuts {
            for &b in cuts.iter().filter(|&&b| b >= a) {
                let parts = [&text[..a], &text[a..b], &text[b..]];
                assert_eq!(split(&parts, Part::Answer), expected, "{a} {b}");
            }
        }
    }

    #[test]
    fn a_prompt_that_opens_the_thinking_starts_inside_it() {
        let expected = ("so 4".into(), "4".into());
        assert_eq!(split(&["so 4</thi", "nk>4"], Part::Thinking), expected);
    }

    #[test]
    fn unclosed_thinking_stays_thinking_and_a_lone_closing_tag_is_text() {
        assert_eq!(split(&["<think>hm", "m <"], Part::Answer), ("hmm <".into(), "".into()));
        assert_eq!(split(&["a</think>b"], Part::Answer), ("".into(), "a</think>b".into()));
        assert_eq!(split_at_lone_close("a</think>b"), Some(("a", "b")));
    }

    #[test]
    fn a_tag_that_opens_the_thinking_again_is_dropped() {
        let expected = ("so it is 4".into(), "4".into());
        for parts in [
            &["<think><think>so <think>it is 4</think>4"][..],
            &["<thi", "nk>\n<t", "hink>so it is 4</think>", "4"],
        ] {
            assert_eq!(split(parts, Part::Answer), expected, "{parts:?}");
        }
        assert_eq!(split(&["<think>so it is 4</think>4"], Part::Thinking), expected);
    }

    #[test]
    fn thinking_closed_by_the_engine_cannot_be_reopened() {
        let mut splitter = ThinkSplitter::new(Part::Thinking);
        let mut pieces = splitter.push("so 2+2 </th");
        pieces.extend(splitter.close());
        pieces.extend(splitter.push("\n<think>4"));
        let expected =
            [(Part::Thinking, "so 2+2 "), (Part::Thinking, "</th"), (Part::Answer, "<think>4")];
        let pieces: Vec<_> = pieces.iter().map(|p| (p.part, p.text.as_str())).collect();
        assert_eq!(pieces, expected);
    }

    #[test]
    fn text_is_held_back_only_while_it_could_be_a_tag() {
        let mut splitter = ThinkSplitter::new(Part::Answer);
        assert_eq!(splitter.push("1 <")[0].text, "1 ");
        assert_eq!(splitter.push(" 2")[0].text, "< 2");
    }
}
