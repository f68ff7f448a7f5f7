//! Framing of machine input: finds lines, their checksums and the JSON objects in them, on a line
//! that may garble bytes.
//!
//! A UART receives noise: NUL bytes of a break, partial lines, a floating pin. A bad byte costs at
//! most the line that contains it, no line is buffered beyond [`limits::MACHINE_LINE_BYTES_MAX`],
//! and noise is answered ever more rarely. `message` parses the objects found here; nothing here
//! knows their fields or reads a clock.

use crc::{CRC_32_ISO_HDLC, Crc};

use super::super::wire::Checksums;
use crate::types::error::Error;
use crate::types::limits;

/// Length of a checksum with its mark: `*` and 8 digits.
pub const SUM_BYTES: usize = 9;

/// A complete line of input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceivedLine {
    /// The bytes without the line end, at most [`limits::MACHINE_LINE_BYTES_MAX`].
    Whole(Vec<u8>),
    /// The line was longer and was dropped.
    TooLong,
}

/// Splits a stream of bytes, cut anywhere, into lines.
#[derive(Debug, Default)]
pub struct LineSplitter {
    line: Vec<u8>,
    is_too_long: bool,
}

impl LineSplitter {
    /// Consumes `bytes` up to the end of a line and returns that line; `None` once all are
    /// consumed. LF or CR ends a line. Lines without a visible ASCII character (blank ones, breaks,
    /// an idle line) cannot hold an object and are skipped.
    pub fn line(&mut self, bytes: &mut &[u8]) -> Option<ReceivedLine> {
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
                return Some(ReceivedLine::TooLong);
            }
            if line.iter().any(u8::is_ascii_graphic) {
                return Some(ReceivedLine::Whole(line));
            }
        }
    }
}

/// The lookup table of the checksum.
const SUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Returns the checksum of an object's bytes: the CRC-32 of IEEE 802.3, as zlib's and MicroPython's
/// `binascii.crc32`.
pub fn sum(object: &[u8]) -> u32 {
    SUM.checksum(object)
}

/// Returns the parts of a line that may be its object, the likeliest first and at least one: the
/// whole line, then from each later `{"` to the end, the last one first. If the line has a
/// checksum, only the parts that match it.
///
/// # Errors
/// `bad_request` if the checksum is wrong, or is missing and required.
pub fn objects(line: &[u8], sums: Checksums) -> Result<Vec<&[u8]>, Error> {
    let (body, said) = split_sum(line);
    let candidates = candidates(body);
    let Some(said) = said else {
        return match sums {
            Checksums::Off => Ok(candidates),
            Checksums::On => Err(Error::bad_request(
                "the line lacks a checksum",
                "Append * and the CRC-32 of the object, as 8 digits of 0-9 and A-F.",
            )),
        };
    };
    let sound: Vec<&[u8]> = candidates.into_iter().filter(|object| sum(object) == said).collect();
    if sound.is_empty() {
        let made = sum(body);
        return Err(Error::bad_request(
            format!("the line's checksum is {said:08X}, but its bytes have {made:08X}"),
            "Send the line again.",
        ));
    }
    Ok(sound)
}

/// Splits a line into its content and its checksum. Invisible bytes at its end are noise.
fn split_sum(line: &[u8]) -> (&[u8], Option<u32>) {
    let end = line.iter().rposition(u8::is_ascii_graphic).map_or(0, |at| at + 1);
    let line = &line[..end];
    let split = || {
        let (body, [b'*', digits @ ..]) = line.split_at_checked(end.checked_sub(SUM_BYTES)?)?
        else {
            return None;
        };
        // Upper case only: accepting lower case would hide a flipped bit.
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

/// Returns whether an object may begin here: `{` and, after blanks, the `"` of a name.
fn begins(bytes: &[u8]) -> bool {
    let Some((b'{', rest)) = bytes.split_first() else { return false };
    rest.iter().find(|byte| !matches!(byte, b' ' | b'\t')) == Some(&b'"')
}

/// Limits the replies to consecutive bad lines, so that noise is not answered with a flood.
#[derive(Debug, Default)]
pub struct NoiseLimit {
    in_a_row: u64,
}

impl NoiseLimit {
    /// Counts a bad line and returns whether to answer it: the first
    /// [`limits::MACHINE_BAD_LINES_ANSWERED`] in a row, then those whose number is a power of two.
    pub fn another(&mut self) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row <= limits::MACHINE_BAD_LINES_ANSWERED || self.in_a_row.is_power_of_two()
    }

    /// Resets the count after a valid line.
    pub fn ends(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests;
