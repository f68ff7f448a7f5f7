//! The pace of requests: how many a second reach the server, whoever sends them.
//!
//! Each costs a few thread switches, which the engine would miss: one program that asks for the
//! page as fast as it can (4,000 times a second) halves everybody's tokens. So requests beyond a
//! burst wait their turn, in the order in which they were complete. As there are only so many
//! seats, none waits longer than those of all seats take: half a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Hands out turns.
pub struct Pace {
    gap: Duration,
    burst: u32,
    /// The turn given last.
    last: Mutex<Option<Instant>>,
}

impl Pace {
    /// Makes one of so many turns a second, and so many at once after a pause.
    pub fn new(per_second: u32, burst: u32) -> Pace {
        Pace { gap: Duration::from_secs(1) / per_second.max(1), burst, last: Mutex::default() }
    }

    /// Takes the next turn, and returns when it is; `now` at the earliest.
    pub fn turn(&self, now: Instant) -> Instant {
        // Nothing panics while this lock is held.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody took is saved up for a burst. A clock that began less than one ago has none.
        let saved = now.checked_sub(self.gap * self.burst).unwrap_or(now);
        let turn = last.map_or(saved, |last| last.max(saved)) + self.gap;
        *last = Some(turn);
        turn.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_what_comes_after_it_is_spread_out() {
        let (pace, now) = (Pace::new(100, 5), Instant::now() + Duration::from_secs(3_600));
        let waits: Vec<u128> = (0..8).map(|_| (pace.turn(now) - now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 10, 20, 30]);
        // After a pause there is a burst again, however long it was.
        for pause in [1, 1_000] {
            let later = now + Duration::from_secs(pause);
            let at_once = (0..8).filter(|_| pace.turn(later) == later).count();
            assert_eq!(at_once, 5);
        }
    }
}
