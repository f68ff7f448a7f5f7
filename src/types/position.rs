//! Where a reader of a job's log is: an offset, and in which life of the box it was read.
//!
//! What a power cut takes from the end of a log is written anew, perhaps otherwise. So a place says
//! how often the box had been started anew for the job when it was told: `1234` before the first
//! such start, `1234.2` after the second. Pure; `http` reads and writes it, the journal keeps the
//! cuts.

use std::fmt;
use std::str::FromStr;

use super::limits;

/// A place in the log of one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Bytes of the log before it.
    pub offset: usize,
    /// How often the box had been started anew since the job was asked.
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

/// What was read is no place.
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

/// How much of a job's log survived each stop of the box, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truncations {
    /// Starts whose cuts are forgotten.
    forgotten: u32,
    survived: Vec<usize>,
}

impl Truncations {
    /// Takes them as they were kept.
    pub fn kept(forgotten: u32, survived: Vec<usize>) -> Truncations {
        Truncations { forgotten, survived }
    }

    /// Adds a start that found so many bytes.
    pub fn push(&mut self, bytes: usize) {
        self.survived.push(bytes);
        if self.survived.len() > limits::TRUNCATIONS_KEPT {
            self.survived.remove(0);
            self.forgotten += 1;
        }
    }

    /// Returns how many starts are forgotten, and the bytes that survived the others.
    pub fn parts(&self) -> (u32, &[usize]) {
        (self.forgotten, &self.survived)
    }

    /// Returns the place of an offset that is told now.
    pub fn now(&self, offset: usize) -> LogPosition {
        LogPosition { offset, start: self.forgotten + self.survived.len() as u32 }
    }

    /// Returns how much of what a reader at `place` has seen is still the log's; nothing where that
    /// was too many starts ago to know.
    pub fn survived(&self, place: LogPosition) -> usize {
        match place.start.checked_sub(self.forgotten) {
            None => 0,
            Some(start) => {
                let later = self.survived.iter().skip(start as usize);
                later.copied().min().map_or(place.offset, |least| least.min(place.offset))
            }
        }
    }
}

impl FromIterator<usize> for Truncations {
    fn from_iter<I: IntoIterator<Item = usize>>(survived: I) -> Truncations {
        let mut cuts = Truncations::default();
        survived.into_iter().for_each(|bytes| cuts.push(bytes));
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_and_read_in_one_way() {
        for (text, offset, start) in [("0", 0, 0), ("1234", 1234, 0), ("1234.2", 1234, 2)] {
            let place = LogPosition { offset, start };
            assert_eq!((text.parse(), place.to_string().as_str()), (Ok(place), text));
        }
        for text in ["", ".", "1.", ".1", "-1", "+1", "1.2.3", "1 ", "99999999999999999999999"] {
            assert_eq!(text.parse::<LogPosition>(), Err(NotAPosition), "{text}");
        }
    }

    #[test]
    fn too_many_starts_ago_nothing_is_known_to_have_survived() {
        let cuts: Truncations =
            (0..limits::TRUNCATIONS_KEPT + 3).map(|start| 100 + start).collect();
        assert_eq!(cuts.survived(LogPosition { offset: 50, start: 2 }), 0);
        assert_eq!(cuts.survived(LogPosition { offset: 50, start: 3 }), 50);
        let now = cuts.now(500);
        assert_eq!(now.start as usize, limits::TRUNCATIONS_KEPT + 3);
        assert_eq!(cuts.survived(now), 500);
        let (forgotten, survived) = cuts.parts();
        assert_eq!(Truncations::kept(forgotten, survived.to_vec()), cuts);
    }
}
