//! Finds lines, their sums and the objects in them in what a machine sends, over a wire that may
//! garble it.
//!
//! A UART has noise: NUL bytes of a break, halves of lines, a pin that floats. A bad byte costs
//! at most the line it is in, no line is held beyond [`limits::MACHINE_LINE_BYTES_MAX`], and noise
//! is answered less and less. `message` reads the objects that are found here; nothing here knows
//! what they say, and nothing reads a clock.

use crc::{CRC_32_ISO_HDLC, Crc};

use super::super::wire::Checksums;
use crate::types::error::Error;
use crate::types::limits;

/// Characters of `*` and the 8 digits of a sum.
pub const SUM_BYTES: usize = 9;

/// A line that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its bytes without its end, at most [`limits::MACHINE_LINE_BYTES_MAX`].
    Whole(Vec<u8>),
    /// It was longer, and is gone.
    TooLong,
}

/// Splits bytes that come in any cuts into lines.
#[derive(Debug, Default)]
pub struct Splitter {
    line: Vec<u8>,
    is_too_long: bool,
}

impl Splitter {
    /// Takes bytes from the front of `bytes` up to the end of a line and returns that line; `None`
    /// once all are taken. LF ends a line, and so does CR; those without a character of ASCII that
    /// can be seen are left out, for no object is in them: blank ones, breaks, an idle wire.
    pub fn line(&mut self, bytes: &mut &[u8]) -> Option<Line> {
        loop {
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            *bytes = rest.get(1..).unwrap_or_default();
            if self.line.len() + part.len() > limits::MACHINE_LINE_BYTES_MAX {
                self.is_too_long = true;
                self.line = Vec::new();
            }
            if !self.is_too_long {
                self.line.extend_from_slice(part);
            }
            end?;
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.is_too_long) {
                return Some(Line::TooLong);
            }
            if line.iter().any(u8::is_ascii_graphic) {
                return Some(Line::Whole(line));
            }
        }
    }
}

/// The table of the sum.
const SUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Returns the sum of an object's bytes: the CRC-32 of IEEE 802.3, as zlib's and MicroPython's
/// `binascii.crc32`.
pub fn sum(object: &[u8]) -> u32 {
    SUM.checksum(object)
}

/// Returns what in a line may be its object, the likeliest first and at least one: the whole line,
/// then what is from a later `{"` to its end, the last one first. Where the line has a sum, only
/// what has that sum.
///
/// # Errors
/// `bad_request` where the sum is wrong, or is missing and needed.
pub fn objects(line: &[u8], sums: Checksums) -> Result<Vec<&[u8]>, Error> {
    let (body, said) = split_sum(line);
    let candidates = candidates(body);
    let Some(said) = said else {
        return match sums {
            Checksums::Off => Ok(candidates),
            Checksums::On => Err(Error::bad_request(
                "the line has no sum",
                "Put * and the CRC-32 of the object behind it, as 8 digits of 0-9 and A-F.",
            )),
        };
    };
    let sound: Vec<&[u8]> = candidates.into_iter().filter(|object| sum(object) == said).collect();
    if sound.is_empty() {
        let made = sum(body);
        return Err(Error::bad_request(
            format!("the line's sum is wrong: it says {said:08X}, its bytes make {made:08X}"),
            "Send the line again.",
        ));
    }
    Ok(sound)
}

/// Splits a line into what is before its sum, and the sum. What cannot be seen at its end is noise.
fn split_sum(line: &[u8]) -> (&[u8], Option<u32>) {
    let end = line.iter().rposition(u8::is_ascii_graphic).map_or(0, |at| at + 1);
    let line = &line[..end];
    let split = || {
        let (body, [b'*', digits @ ..]) = line.split_at_checked(end.checked_sub(SUM_BYTES)?)?
        else {
            return None;
        };
        // Only the digits the box would write: with small letters too, a flipped bit could hide.
        let are_digits = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        let digits = std::str::from_utf8(digits).ok().filter(|_| are_digits)?;
        Some((body, u32::from_str_radix(digits, 16).ok()?))
    };
    split().map_or((line, None), |(body, sum)| (body, Some(sum)))
}

fn candidates(body: &[u8]) -> Vec<&[u8]> {
    let starts =
        (1..body.len()).rev().filter(|&at| begins(&body[at..])).take(limits::MACHINE_STARTS_MAX);
    std::iter::once(0).chain(starts).map(|at| &body[at..]).collect()
}

/// Returns whether an object may begin here: with `{` and, after blanks, the `"` of a name.
fn begins(bytes: &[u8]) -> bool {
    let Some((b'{', rest)) = bytes.split_first() else { return false };
    rest.iter().find(|byte| !matches!(byte, b' ' | b'\t')) == Some(&b'"')
}

/// Counts bad lines in a row, so that noise is not answered with a flood.
#[derive(Debug, Default)]
pub struct Noise {
    in_a_row: u64,
}

impl Noise {
    /// Counts a bad line and returns whether it is answered: the first
    /// [`limits::MACHINE_BAD_LINES_ANSWERED`] in a row are, and then those whose number is a power
    /// of two.
    pub fn another(&mut self) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row <= limits::MACHINE_BAD_LINES_ANSWERED || self.in_a_row.is_power_of_two()
    }

    /// Notes a line that made sense.
    pub fn ends(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests;
