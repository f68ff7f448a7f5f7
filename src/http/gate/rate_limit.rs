//! The rate limit: how many requests per second reach the server, per address and in total.
//!
//! Each request costs a few thread switches that the engine loses: one program that requests the
//! page as fast as it can (4,000 times a second) halves the token rate for everybody. So requests
//! beyond a burst wait for their slot, in the order in which they were complete. Each address has a
//! rate of its own, so that a flood delays only its sender; and as the number of connections is
//! limited, so is the wait. Questions do not wait behind reads: the gate keeps a limit for each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::types::limits::RATED_ADDRESSES_MAX;

/// A rate in requests per second, with the burst allowed after a pause.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// Assigns each request the earliest time at which it may proceed.
pub struct RateLimit {
    of_each: Rate,
    of_all: Rate,
    given: Mutex<LastSlots>,
}

/// The last slots assigned.
#[derive(Default)]
struct LastSlots {
    to_each: HashMap<IpAddr, Instant>,
    to_all: Option<Instant>,
}

impl Rate {
    /// Returns the slot after `last`. Unused slots accumulate up to a burst.
    fn next(self, last: Option<Instant>, now: Instant) -> Instant {
        let gap = Duration::from_secs(1) / self.per_second.max(1);
        // `Instant` may not reach back a whole burst shortly after boot.
        let saved = now.checked_sub(gap * self.burst).unwrap_or(now);
        last.map_or(saved, |last| last.max(saved)) + gap
    }
}

impl RateLimit {
    /// Makes a limit of `of_each` for each address and `of_all` in total.
    pub fn new(of_each: Rate, of_all: Rate) -> RateLimit {
        RateLimit { of_each, of_all, given: Mutex::default() }
    }

    /// Takes the next slot of `address` and returns its time, `now` at the earliest.
    pub fn next_slot(&self, address: IpAddr, now: Instant) -> Instant {
        // Nothing panics while this lock is held.
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.of_each.next(given.to_each.get(&address).copied(), now);
        let common = self.of_all.next(given.to_all, now);
        given.to_all = Some(common);
        if given.to_each.len() >= RATED_ADDRESSES_MAX {
            // An address with a whole burst saved up need not be remembered.
            let gone = self.of_each.next(None, now);
            given.to_each.retain(|_, last| *last >= gone);
        }
        given.to_each.insert(address, own);
        own.max(common).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        IpAddr::from(last.to_be_bytes())
    }

    #[test]
    fn a_burst_is_let_through_and_what_comes_after_it_is_spread_out() {
        let rate = Rate { per_second: 100, burst: 5 };
        let limit = RateLimit::new(rate, Rate { per_second: 1_000, burst: 1_000 });
        let now = Instant::now() + Duration::from_secs(3_600);
        let slot = |at| limit.next_slot(address(1), at);
        let waits: Vec<u128> = (0..8).map(|_| (slot(now) - now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 10, 20, 30]);
        // After a pause there is a burst again, however long it was.
        for pause in [1, 1_000] {
            let later = now + Duration::from_secs(pause);
            let at_once = (0..8).filter(|_| slot(later) == later).count();
            assert_eq!(at_once, 5);
        }
    }

    #[test]
    fn nobody_waits_for_the_flood_of_another_address() {
        let (each, all) = (Rate { per_second: 10, burst: 5 }, Rate { per_second: 100, burst: 100 });
        let (limit, now) = (RateLimit::new(each, all), Instant::now() + Duration::from_secs(3_600));
        let last = (0..55).map(|_| limit.next_slot(address(1), now)).last().unwrap();
        assert_eq!((last - now).as_secs(), 5);
        assert_eq!(limit.next_slot(address(2), now), now);
    }

    #[test]
    fn addresses_are_forgotten_and_all_of_them_have_a_pace_too() {
        let (each, all) =
            (Rate { per_second: 50, burst: 100 }, Rate { per_second: 250, burst: 250 });
        let (limit, start) =
            (RateLimit::new(each, all), Instant::now() + Duration::from_secs(3_600));
        let mut now = start;
        for number in 0..10_000 {
            now = limit.next_slot(address(number), now);
        }
        let seconds = (now - start).as_secs_f64();
        assert!((seconds - (10_000.0 - 250.0) / 250.0).abs() < 0.1, "{seconds}");
        let remembered = limit.given.lock().unwrap().to_each.len();
        assert!(remembered <= 2 * RATED_ADDRESSES_MAX, "{remembered}");
    }
}
