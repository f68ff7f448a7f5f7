//! Joins bytes into text: a token may end in the middle of a character.
//!
//! An incomplete character is held back until it is complete; bytes that cannot become one turn
//! into U+FFFD. A character that is still incomplete at the end of the text is dropped.

/// Holds the start of an incomplete character, at most 3 bytes.
#[derive(Debug, Default)]
pub(crate) struct Utf8 {
    held: Vec<u8>,
}

impl Utf8 {
    /// Takes more bytes and returns the characters that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        let mut at = 0;
        loop {
            match std::str::from_utf8(&self.held[at..]) {
                Ok(rest) => {
                    text.push_str(rest);
                    at = self.held.len();
                    break;
                }
                Err(error) => {
                    let good = at + error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.held[at..good]));
                    at = good;
                    let Some(bad) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    at += bad;
                }
            }
        }
        self.held.drain(..at);
        text
    }

    /// Drops an incomplete character that will not be completed.
    pub(crate) fn drop_incomplete(&mut self) {
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "a é 17×23 数学 🧮 e\u{301} \u{10FFFF}!";

    #[test]
    fn every_cut_gives_the_same_text() {
        let bytes = SAMPLE.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut utf8 = Utf8::default();
                let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let text: String = parts.iter().map(|part| utf8.push(part)).collect();
                assert_eq!(text, SAMPLE);
            }
        }
    }

    #[test]
    fn characters_that_arrive_byte_by_byte_are_never_replaced() {
        let mut utf8 = Utf8::default();
        for byte in SAMPLE.bytes() {
            assert!(!utf8.push(&[byte]).contains(char::REPLACEMENT_CHARACTER));
        }
    }

    #[test]
    fn invalid_bytes_become_replacement_characters_and_the_rest_survives() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(b"a\xFFb\xC3("), "a\u{FFFD}b\u{FFFD}(");
        assert_eq!(utf8.push(b"\xE2\x82"), "");
        assert_eq!(utf8.push(b"\xAC"), "€");
    }

    #[test]
    fn random_bytes_agree_with_the_standard_librarys_lossy_conversion() {
        use rand_chacha::rand_core::{Rng, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for _ in 0..2_000 {
            let bytes: Vec<u8> = (0..24).map(|_| random.next_u32() as u8 | 0x80).collect();
            let mut utf8 = Utf8::default();
            let mut text: String = bytes.chunks(5).map(|part| utf8.push(part)).collect();
            text.push_str(&utf8.push(b"."));
            let mut whole = bytes.clone();
            whole.push(b'.');
            assert_eq!(text, String::from_utf8_lossy(&whole));
        }
    }
}
