//! Positions in a job's log: an offset with the number of the process start it refers to.
//!
//! A power cut can truncate a log, and the text generated again may differ. So a position says how
//! often the server had restarted since the job was submitted: `1234` before the first restart,
//! `1234.2` after the second. Pure; the doors read and write positions, the journal keeps the
//! truncations.

use std::fmt;
use std::str::FromStr;

use super::limits;

/// A reader's position in the log of one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Number of bytes before the position.
    pub offset: usize,
    /// Number of restarts since the job was submitted.
    pub start: u32,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start {
            0 => write!(f, "{}", self.offset),
            start => write!(f, "{}.{start}", self.offset),
        }
    }
}

/// The error for a text that is not a log position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPosition;

impl FromStr for LogPosition {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<LogPosition, NotAPosition> {
        let (offset, start) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
        if !is_number(offset) || !is_number(start) {
            return Err(NotAPosition);
        }
        let offset = offset.parse().map_err(|_| NotAPosition)?;
        Ok(LogPosition { offset, start: start.parse().map_err(|_| NotAPosition)? })
    }
}

/// How many bytes of a job's log survived each restart, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truncations {
    /// Restarts before those in `survived`, of which nothing is known any more.
    forgotten: u32,
    survived: Vec<usize>,
}

impl Truncations {
    /// Restores truncations from the [`parts`](Truncations::parts) that were stored.
    pub fn from_parts(forgotten: u32, survived: Vec<usize>) -> Truncations {
        Truncations { forgotten, survived }
    }

    /// Adds a restart that found `bytes` bytes of the log.
    pub fn push(&mut self, bytes: usize) {
        self.survived.push(bytes);
        if self.survived.len() > limits::TRUNCATIONS_KEPT {
            self.survived.remove(0);
            self.forgotten += 1;
        }
    }

    /// Returns the number of restarts no longer listed, and the surviving bytes of the others.
    pub fn parts(&self) -> (u32, &[usize]) {
        (self.forgotten, &self.survived)
    }

    /// Returns the position of an offset in the log as it is now.
    pub fn now(&self, offset: usize) -> LogPosition {
        LogPosition { offset, start: self.forgotten + self.survived.len() as u32 }
    }

    /// Returns how many of the bytes a reader at `position` has seen are still in the log: 0 if
    /// that was too many restarts ago to know.
    pub fn survived(&self, position: LogPosition) -> usize {
        match position.start.checked_sub(self.forgotten) {
            None => 0,
            Some(start) => {
                let later = self.survived.iter().skip(start as usize);
                later.copied().min().map_or(position.offset, |least| least.min(position.offset))
            }
        }
    }
}

impl FromIterator<usize> for Truncations {
    fn from_iter<I: IntoIterator<Item = usize>>(survived: I) -> Truncations {
        let mut truncations = Truncations::default();
        survived.into_iter().for_each(|bytes| truncations.push(bytes));
        truncations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_spelling() {
        for (text, offset, start) in [("0", 0, 0), ("1234", 1234, 0), ("1234.2", 1234, 2)] {
            let position = LogPosition { offset, start };
            assert_eq!((text.parse(), position.to_string().as_str()), (Ok(position), text));
        }
        for text in ["", ".", "1.", ".1", "-1", "+1", "1.2.3", "1 ", "99999999999999999999999"] {
            assert_eq!(text.parse::<LogPosition>(), Err(NotAPosition), "{text}");
        }
    }

    #[test]
    fn after_too_many_restarts_nothing_is_known_to_have_survived() {
        let truncations: Truncations =
            (0..limits::TRUNCATIONS_KEPT + 3).map(|start| 100 + start).collect();
        assert_eq!(truncations.survived(LogPosition { offset: 50, start: 2 }), 0);
        assert_eq!(truncations.survived(LogPosition { offset: 50, start: 3 }), 50);
        let now = truncations.now(500);
        assert_eq!(now.start as usize, limits::TRUNCATIONS_KEPT + 3);
        assert_eq!(truncations.survived(now), 500);
        let (forgotten, survived) = truncations.parts();
        assert_eq!(Truncations::from_parts(forgotten, survived.to_vec()), truncations);
    }
}
