//! Turns the bytes of tokens into pieces of text: joins characters, separates thinking from answer,
//! and ends the text at a stop string.
//!
//! Each attempt has one `Detokenizer`. The three steps are pure and tested separately (`utf8`,
//! `think`, and the stop strings here).

use super::think::{ThinkSplitter, undecided};
use super::utf8::Utf8;
use crate::types::answer::{Part, Piece};

/// The state of one attempt's text.
#[derive(Debug)]
pub(crate) struct Detokenizer {
    utf8: Utf8,
    splitter: ThinkSplitter,
    stops: Vec<String>,
    held: String,
    stopped: bool,
}

impl Detokenizer {
    /// Starts in `part`. A stop string ends the text if the *answer* contains it.
    pub(crate) fn new(part: Part, stops: Vec<String>) -> Detokenizer {
        let splitter = ThinkSplitter::new(part);
        Detokenizer { utf8: Utf8::default(), splitter, stops, held: String::new(), stopped: false }
    }

    /// Returns the part that is being generated.
    pub(crate) fn part(&self) -> Part {
        self.splitter.part()
    }

    /// Returns whether a stop string has occurred; no text after it is returned.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Takes a token's bytes and returns the pieces that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let text = self.utf8.push(bytes);
        let pieces = self.splitter.push(&text);
        self.cut_at_stop(pieces)
    }

    /// Closes the thinking and returns the text of it that was held back.
    pub(crate) fn close_thinking(&mut self) -> Vec<Piece> {
        self.utf8.drop_incomplete();
        let pieces = self.splitter.close();
        self.cut_at_stop(pieces)
    }

    /// Ends the text and returns the pieces that were held back.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let pieces = self.splitter.finish();
        let mut pieces = self.cut_at_stop(pieces);
        if !self.stopped {
            pieces.extend(self.take_held(self.held.len()));
        }
        pieces
    }

    fn cut_at_stop(&mut self, pieces: Vec<Piece>) -> Vec<Piece> {
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
        let stops = self.stops.iter().map(String::as_str);
        self.take_held(hit.unwrap_or_else(|| self.held.len() - undecided(&self.held, stops)))
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
        let mut text =
            Detokenizer::new(Part::Answer, stops.iter().map(|s| s.to_string()).collect());
        let mut pieces: Vec<Piece> = parts.iter().flat_map(|p| text.push(p.as_bytes())).collect();
        pieces.extend(text.finish());
        let answers = pieces.into_iter().filter(|p| p.part == Part::Answer);
        (answers.map(|p| p.text).collect(), text.stopped())
    }

    #[test]
    fn a_stop_string_is_found_across_every_cut_and_is_not_part_of_the_answer() {
        let whole = "<think>END</think>one two END three";
        for cut in 0..=whole.len() {
            let got = answer(&[&whole[..cut], &whole[cut..]], &["END", "never"]);
            assert_eq!(got, ("one two ".into(), true), "{cut}");
        }
    }

    #[test]
    fn the_earliest_of_several_stops_wins_and_a_partial_one_is_returned() {
        assert_eq!(answer(&["a b c"], &["c", "b"]), ("a ".into(), true));
        assert_eq!(answer(&["a EN"], &["END"]), ("a EN".into(), false));
    }

    #[test]
    fn a_stop_string_does_not_reach_across_a_thinking_part() {
        assert_eq!(answer(&["EN<think>x</think>D"], &["END"]), ("END".into(), false));
        let mut text = Detokenizer::new(Part::Answer, vec!["END".into()]);
        let parts: Vec<_> = text.push(b"EN<think>x").iter().map(|p| p.part).collect();
        assert_eq!(parts, [Part::Answer, Part::Thinking]);
    }

    #[test]
    fn closing_the_thinking_in_the_middle_of_a_character_drops_it() {
        let mut text = Detokenizer::new(Part::Thinking, Vec::new());
        let mut pieces = text.push(b"so \xF0\x9F");
        pieces.extend(text.close_thinking());
        pieces.extend(text.push(b"\n\n4"));
        let pieces: Vec<_> = pieces.iter().map(|p| (p.part, p.text.as_str())).collect();
        assert_eq!(pieces, [(Part::Thinking, "so "), (Part::Answer, "4")]);
    }

    #[test]
    fn an_incomplete_character_at_the_end_is_dropped() {
        let mut text = Detokenizer::new(Part::Answer, Vec::new());
        assert_eq!(text.push(b"ok \xF0\x9F")[0].text, "ok ");
        assert!(text.finish().is_empty());
    }
}
