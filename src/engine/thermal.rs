//! How long the engine rests after a step, so that the firmware need not slow the whole board down
//! and programs beside the box get their turn.
//!
//! The engine's loop asks after every step. Of what the files of Linux say (`thermal/heat` reads
//! thermometers, `thermal/neighbours` the processor's load) one share of the time comes out; a step
//! is followed by a rest that makes up that share. And a pass takes fewer threads where others take
//! cores. It changes no clock.

mod heat;
mod neighbours;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::types::limits;
use heat::Heat;
use neighbours::Neighbours;

/// What the engine is to do after a step.
#[derive(Debug, Default, PartialEq)]
pub struct Advice {
    /// How long to rest: at most as long as the step was, and at most `REST_MAX`.
    pub rest: Duration,
    /// What is to be said; each change is said once.
    pub notes: Vec<Note>,
}

/// A change a person may want to know the reason of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note {
    /// It rests because of heat from now on.
    Hot {
        /// What the warmest thermometer says, in °C.
        celsius: f32,
        /// Where the firmware slows the processor down, in °C.
        limit_celsius: f32,
    },
    /// It does so no more.
    Cooled,
    /// It rests, or computes with fewer threads, because of other programs from now on.
    Crowded {
        /// What they take of all processors.
        percent: f32,
    },
    /// It does so no more.
    Alone,
}

/// Returns what the processor's warmest thermometer says now, in °C, if it has one.
pub fn celsius() -> Option<f32> {
    Heat::find(Path::new("/")).warmest()
}

impl Note {
    /// Returns whether it is about heat, and not about other programs.
    pub fn is_of_heat(&self) -> bool {
        matches!(self, Note::Hot { .. } | Note::Cooled)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Hot { celsius, limit_celsius } => write!(
                f,
                "the processor is at {celsius:.0} °C and would be slowed down at \
                 {limit_celsius:.0} °C: resting between steps; a fan or heat sink makes answers \
                 faster"
            ),
            Note::Cooled => write!(f, "the processor has cooled down: no more rests for its heat"),
            Note::Crowded { percent } => {
                write!(f, "other programs take {percent:.0} % of the processor: leaving it to them")
            }
            Note::Alone => {
                write!(f, "other programs hardly take anything of the processor any more")
            }
        }
    }
}

/// The state behind the advice.
pub struct Rests {
    heat: Heat,
    neighbours: Neighbours,
    looked: Option<Instant>,
    /// The share of the time to rest, 0 to 1/2.
    share: f64,
}

impl Rests {
    /// Finds the thermometers below `root`, which is `/`; finding none is normal.
    pub fn new(root: &Path) -> Rests {
        Rests {
            heat: Heat::find(root),
            neighbours: Neighbours::new(root),
            looked: None,
            share: 0.0,
        }
    }

    /// Says how long to rest after a step that took `step` and ended `now`.
    ///
    /// Reads a few small files of /sys and /proc, every `REST_CHECK_EVERY` at most; else it only
    /// computes.
    pub fn after(&mut self, step: Duration, now: Instant) -> Advice {
        let mut notes = Vec::new();
        let fresh = |at| now.saturating_duration_since(at) < limits::REST_CHECK_EVERY;
        if !self.looked.is_some_and(fresh) {
            self.looked = Some(now);
            self.share = self.heat.look(&mut notes).max(self.neighbours.look(&mut notes));
        }
        let rest = step.mul_f64(self.share / (1.0 - self.share)).min(limits::REST_MAX);
        Advice { rest, notes }
    }

    /// Returns how many of `threads` a pass should take beside other programs: at least one.
    pub fn threads(&self, threads: u32) -> u32 {
        self.neighbours.threads_beside(threads)
    }
}

/// Returns where `value` stands between `low` (0) and `high` (1).
fn ramp(value: f64, low: f64, high: f64) -> f64 {
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}
