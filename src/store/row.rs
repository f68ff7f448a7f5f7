//! One row of a job's log: what its attempts wrote in a few seconds, packed.
//!
//! Of each attempt's progress a row has only the latest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::types::answer::{AttemptProgress, Closing, Delta};

const SUM_BYTES: usize = 8;

/// A row being filled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    gains: Vec<(u32, Delta)>,
    taken: BTreeMap<u32, AttemptProgress>,
}

/// The bytes are not a valid row.
#[derive(Debug, PartialEq, Eq)]
pub struct DamagedRow;

impl Row {
    /// Adds what an attempt wrote, merged with what is before it if that is the same attempt's.
    pub fn add(&mut self, attempt: u32, delta: Delta) {
        self.taken.insert(attempt, delta.taken);
        match self.gains.last_mut() {
            Some((last, before)) if *last == attempt && before.closing == Closing::None => {
                before.tokens.extend(delta.tokens);
                before.closing = delta.closing;
                for piece in delta.pieces {
                    match before.pieces.last_mut() {
                        Some(end) if end.part == piece.part => end.text.push_str(&piece.text),
                        _ => before.pieces.push(piece),
                    }
                }
            }
            _ => self.gains.push((attempt, delta)),
        }
    }

    /// Returns whether the row is empty.
    pub fn is_empty(&self) -> bool {
        self.gains.is_empty()
    }

    /// Returns the number of tokens in the row.
    pub fn tokens(&self) -> usize {
        self.gains.iter().map(|(_, delta)| delta.tokens.len()).sum()
    }

    /// Packs the row, with a checksum at the end: a job must not continue with tokens that a
    /// failing SD card has changed.
    pub fn pack(&self) -> Vec<u8> {
        // Fails only without memory, or for types that postcard cannot represent; there are none.
        let mut bytes = postcard::to_stdvec(self).expect("a row can be packed");
        bytes.extend(sum(&bytes));
        bytes
    }

    /// Unpacks a row: what attempts wrote, in order, each with the attempt's index.
    ///
    /// # Errors
    /// [`DamagedRow`] if the bytes are not a row with a correct checksum.
    pub fn unpack(bytes: &[u8]) -> Result<Vec<(u32, Delta)>, DamagedRow> {
        let (bytes, end) = bytes.split_last_chunk::<SUM_BYTES>().ok_or(DamagedRow)?;
        if *end != sum(bytes) {
            return Err(DamagedRow);
        }
        let Row { mut gains, mut taken } = postcard::from_bytes(bytes).map_err(|_| DamagedRow)?;
        for (attempt, delta) in gains.iter_mut().rev() {
            delta.taken = taken.remove(attempt).unwrap_or_default();
        }
        Ok(gains)
    }
}

/// Returns the first bytes of the SHA-256.
fn sum(bytes: &[u8]) -> [u8; SUM_BYTES] {
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&Sha256::digest(bytes)[..SUM_BYTES]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::answer::{Part, Piece, Token};

    fn delta(tokens: &[i32], text: &str, seconds: f32) -> Delta {
        let piece = Piece { part: Part::Thinking, text: text.to_string() };
        let taken = AttemptProgress { decode_seconds: seconds, ..AttemptProgress::default() };
        let tokens = tokens.iter().copied().map(Token).collect();
        Delta { tokens, pieces: vec![piece], taken, closing: Closing::None }
    }

    #[test]
    fn what_is_packed_is_unpacked_with_the_last_of_what_was_taken() {
        let mut row = Row::default();
        row.add(0, delta(&[1, 151_643], "a", 1.0));
        row.add(1, delta(&[-1], "数", 2.0));
        row.add(0, delta(&[2], "b", 3.0));
        row.add(0, Delta { closing: Closing::Tag, ..delta(&[3], "c", 4.0) });
        row.add(0, delta(&[4], "d", 5.0));
        assert_eq!(row.tokens(), 6);
        let bytes = row.pack();
        let gains = Row::unpack(&bytes).unwrap();
        let texts: Vec<(u32, usize, &str, Closing, f32)> = gains
            .iter()
            .map(|(attempt, delta)| {
                let text = delta.pieces[0].text.as_str();
                let seconds = delta.taken.decode_seconds;
                (*attempt, delta.tokens.len(), text, delta.closing, seconds)
            })
            .collect();
        let expected = [
            (0, 2, "a", Closing::None, 0.0),
            (1, 1, "数", Closing::None, 2.0),
            (0, 2, "bc", Closing::Tag, 0.0),
            (0, 1, "d", Closing::None, 5.0),
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn how_a_thinking_was_closed_is_stored_as_earlier_versions_did() {
        let stored = |closing| postcard::to_stdvec(&closing).unwrap();
        assert_eq!(stored(Closing::None), postcard::to_stdvec(&false).unwrap());
        assert_eq!(stored(Closing::Tag), postcard::to_stdvec(&true).unwrap());
        assert_eq!(stored(Closing::TagAndBox), [2]);
    }

    #[test]
    fn damaged_bytes_are_rejected() {
        let mut row = Row::default();
        (0..40).for_each(|n| row.add(n % 3, delta(&[n as i32; 9], "some text", 1.0)));
        let bytes = row.pack();
        for at in 0..bytes.len() {
            assert_eq!(Row::unpack(&bytes[..at]), Err(DamagedRow), "cut at {at}");
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(Row::unpack(&damaged), Err(DamagedRow), "bit {bit} of {at}");
            }
        }
        assert_eq!(Row::unpack(&[bytes, vec![0]].concat()), Err(DamagedRow));
    }
}
