//! From token bytes to pieces of text: whole characters, thinking split from answer, stop strings
//! cut.
//!
//! One `Text` serves one attempt. The three steps are pure and tested by themselves (`utf8`,
//! `think`, and the stop strings here); the engine's loop only pushes bytes in and sends pieces
//! out.

use super::think::{Splitter, undecided};
use super::utf8::Utf8;
use crate::types::answer::{Part, Piece};

/// The text of one attempt on its way to the desk.
#[derive(Debug)]
pub struct Text {
    utf8: Utf8,
    splitter: Splitter,
    stops: Vec<String>,
    held: String,
    stopped: bool,
}

impl Text {
    /// Starts in `part`; a stop string ends the text where the *answer* contains it.
    pub fn new(part: Part, stops: Vec<String>) -> Text {
        let splitter = Splitter::new(part);
        Text { utf8: Utf8::default(), splitter, stops, held: String::new(), stopped: false }
    }

    /// Returns the part the model is writing now.
    pub fn part(&self) -> Part {
        self.splitter.part()
    }

    /// Returns whether a stop string has been seen; nothing after it is ever returned.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Takes a token's bytes and returns the pieces that are decided now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let text = self.utf8.push(bytes);
        let pieces = self.splitter.push(&text);
        self.cut(pieces)
    }

    /// Ends the thinking in the model's place and returns what was held back of it.
    pub fn close_thinking(&mut self) -> Vec<Piece> {
        self.utf8.drop_half();
        let pieces = self.splitter.close();
        self.cut(pieces)
    }

    /// Ends the text and returns what was held back.
    pub fn finish(&mut self) -> Vec<Piece> {
        let pieces = self.splitter.finish();
        let mut pieces = self.cut(pieces);
        if !self.stopped {
            pieces.extend(self.take_held(self.held.len()));
        }
        pieces
    }

    fn cut(&mut self, pieces: Vec<Piece>) -> Vec<Piece> {
        if self.stops.is_empty() {
            return pieces;
        }
        let mut kept = Vec::new();
        for piece in pieces {
            match piece.part {
                _ if self.stopped => break,
                Part::Thinking => {
                    kept.extend(self.take_held(self.held.len()));
                    kept.push(piece);
                }
                Part::Answer => kept.extend(self.cut_answer(&piece.text)),
            }
        }
        kept
    }

    fn cut_answer(&mut self, text: &str) -> Option<Piece> {
        self.held.push_str(text);
        let hit = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        self.stopped = hit.is_some();
        let words = self.stops.iter().map(String::as_str);
        self.take_held(hit.unwrap_or_else(|| self.held.len() - undecided(&self.held, words)))
    }

    fn take_held(&mut self, bytes: usize) -> Option<Piece> {
        let text: String = self.held.drain(..bytes).collect();
        (!text.is_empty()).then_some(Piece { part: Part::Answer, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(parts: &[&str], stops: &[&str]) -> (String, bool) {
        let mut text = Text::new(Part::Answer, stops.iter().map(|s| s.to_string()).collect());
        let mut pieces: Vec<Piece> = parts.iter().flat_map(|p| text.push(p.as_bytes())).collect();
        pieces.extend(text.finish());
        let answers = pieces.into_iter().filter(|p| p.part == Part::Answer);
        (answers.map(|p| p.text).collect(), text.stopped())
    }

    #[test]
    fn a_stop_string_is_found_across_every_border_and_is_not_part_of_the_answer() {
        let whole = "<think>END</think>one two END three";
        for cut in 0..=whole.len() {
            let got = answer(&[&whole[..cut], &whole[cut..]], &["END", "never"]);
            assert_eq!(got, ("one two ".into(), true), "{cut}");
        }
    }

    #[test]
    fn the_earliest_of_several_stops_wins_and_a_half_one_is_given_back() {
        assert_eq!(answer(&["a b c"], &["c", "b"]), ("a ".into(), true));
        assert_eq!(answer(&["a EN"], &["END"]), ("a EN".into(), false));
    }

    #[test]
    fn a_stop_string_does_not_reach_across_a_thinking_part() {
        assert_eq!(answer(&["EN<think>x</think>D"], &["END"]), ("END".into(), false));
        let mut text = Text::new(Part::Answer, vec!["END".into()]);
        let parts: Vec<_> = text.push(b"EN<think>x").iter().map(|p| p.part).collect();
        assert_eq!(parts, [Part::Answer, Part::Thinking]);
    }

    #[test]
    fn thinking_closed_in_the_middle_of_a_character_shows_nothing_broken() {
        let mut text = Text::new(Part::Thinking, Vec::new());
        let mut pieces = text.push(b"so \xF0\x9F");
        pieces.extend(text.close_thinking());
        pieces.extend(text.push(b"\n\n4"));
        let pieces: Vec<_> = pieces.iter().map(|p| (p.part, p.text.as_str())).collect();
        assert_eq!(pieces, [(Part::Thinking, "so "), (Part::Answer, "4")]);
    }

    #[test]
    fn half_a_character_at_the_end_is_dropped() {
        let mut text = Text::new(Part::Answer, Vec::new());
        assert_eq!(text.push(b"ok \xF0\x9F")[0].text, "ok ");
        assert!(text.finish().is_empty());
    }
}
