//! What the desk reports about the box: its health, its counters, and whether it makes progress.

use std::time::Instant;

use super::admission::Capacity;
use super::totals::Totals;
use crate::engine::protocol::Gauge;
use crate::types::error::Error;

/// A summary of what the box does now and has done since it was started.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Whether questions can be answered.
    pub health: Health,
    /// How full the engine is, as of its last step.
    pub gauge: Gauge,
    /// Counters since the start.
    pub totals: Totals,
    /// Unfinished jobs of which an attempt has started.
    pub running: usize,
    /// Unfinished jobs of which no attempt has started.
    pub waiting: usize,
    /// How many jobs the box accepts.
    pub capacity: Capacity,
}

/// Whether the box can answer questions.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// The model is being loaded.
    Loading {
        /// Bytes loaded so far.
        bytes_loaded: u64,
        /// Bytes of the model file.
        bytes_total: u64,
    },
    /// Questions are being answered.
    Ready {
        /// Bytes of the model file.
        bytes_total: u64,
    },
    /// The engine has stopped by itself, for this reason.
    Broken(Error),
    /// The desk is being closed.
    Closing,
}

impl Health {
    /// Returns the name that JSON and `/healthz` use.
    pub fn name(&self) -> &'static str {
        match self {
            Health::Loading { .. } => "loading",
            Health::Ready { .. } => "ready",
            Health::Broken(_) => "failed",
            Health::Closing => "closing",
        }
    }
}

/// When the engine last reported, and how much work it has: together they tell a slow engine from
/// a stuck one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// When the engine last sent an event.
    pub last_event: Instant,
    /// Jobs of which an attempt holds a slot.
    pub running: usize,
    /// Unfinished jobs without a slot.
    pub waiting: usize,
}
