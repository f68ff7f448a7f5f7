//! Throttling: how long the engine pauses after a step, so that the firmware does not slow the CPU
//! down and other programs get CPU time.
//!
//! The engine's loop asks after every step. From files of the Linux kernel (`thermal/heat` reads
//! temperature sensors, `thermal/neighbours` the load) follows a share of the time, and each step
//! is followed by a pause of that share. A pass also uses fewer threads if other programs use
//! cores. No clock frequency is changed.

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

/// The throttling after one step.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Advice {
    /// The pause: at most as long as the step, and at most `REST_MAX`.
    pub(crate) rest: Duration,
    /// Changes to log, each once.
    pub(crate) notes: Vec<Note>,
}

/// A change of the throttling and its reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Note {
    /// Pauses because of heat begin.
    Hot {
        /// The reading of the warmest sensor, in °C.
        celsius: f32,
        /// The temperature at which the firmware slows the CPU down, in °C.
        limit_celsius: f32,
    },
    /// Pauses because of heat end.
    Cooled,
    /// Pauses, or fewer threads, because of other programs begin.
    Crowded {
        /// The share of all cores that other programs use.
        percent: f32,
    },
    /// Pauses and fewer threads because of other programs end.
    Alone,
}

/// Returns the reading of the CPU's warmest temperature sensor in °C, if it has one.
pub fn celsius() -> Option<f32> {
    Heat::find(Path::new("/")).warmest()
}

impl Note {
    /// Returns whether the reason is heat, not other programs.
    pub(crate) fn is_about_heat(&self) -> bool {
        matches!(self, Note::Hot { .. } | Note::Cooled)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Hot { celsius, limit_celsius } => write!(
                f,
                "the CPU is at {celsius:.0} °C and is slowed down at {limit_celsius:.0} °C: \
                 pausing between steps; a fan or a heat sink makes answers faster"
            ),
            Note::Cooled => write!(f, "the CPU has cooled down: no more pauses because of heat"),
            Note::Crowded { percent } => {
                write!(f, "other programs use {percent:.0} % of the CPU: leaving it to them")
            }
            Note::Alone => {
                write!(f, "other programs no longer use the CPU: using all of it again")
            }
        }
    }
}

/// Decides the throttling.
pub(crate) struct Throttle {
    heat: Heat,
    neighbours: Neighbours,
    measured: Option<Instant>,
    /// The share of the time to pause, 0 to 1/2.
    share: f64,
}

impl Throttle {
    /// Finds the temperature sensors below `root`, which is `/` except in tests. There may be none.
    pub(crate) fn new(root: &Path) -> Throttle {
        Throttle {
            heat: Heat::find(root),
            neighbours: Neighbours::new(root),
            measured: None,
            share: 0.0,
        }
    }

    /// Returns the throttling after a step that took `step` and ended `now`.
    ///
    /// Reads a few small files of /sys and /proc, at most once every `REST_CHECK_EVERY`.
    pub(crate) fn after(&mut self, step: Duration, now: Instant) -> Advice {
        let mut notes = Vec::new();
        let fresh = |at| now.saturating_duration_since(at) < limits::REST_CHECK_EVERY;
        if !self.measured.is_some_and(fresh) {
            self.measured = Some(now);
            self.share = self.heat.measure(&mut notes).max(self.neighbours.measure(&mut notes));
        }
        let rest = step.mul_f64(self.share / (1.0 - self.share)).min(limits::REST_MAX);
        Advice { rest, notes }
    }

    /// Returns how many of `threads` a pass should use given the load of other programs, at least
    /// 1.
    pub(crate) fn threads(&self, threads: u32) -> u32 {
        self.neighbours.threads_left(threads)
    }
}

/// Returns the position of `value` between `low` (0) and `high` (1).
fn ramp(value: f64, low: f64, high: f64) -> f64 {
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}
