//! The delay after wrong PINs: 1 s, 2, 4, … 15 minutes, and an hour from the twentieth in a row.
//!
//! It applies to the whole box, because an attacker has many addresses. A PIN counts as wrong from
//! the moment it is tried until it is verified, and the count is on the disk before the PIN is
//! hashed: neither a restart nor a power cut gives a free guess. A new PIN starts at zero.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::http::auth::private;
use crate::types::limits;

/// The count of wrong PINs, and the time until which none is accepted.
pub struct Patience {
    file: PathBuf,
    /// Wrong PINs in a row.
    wrong: u32,
    /// On the caller's monotonic clock.
    until: Duration,
}

#[derive(Deserialize)]
struct SavedPatience {
    /// The ID of the PIN that the count belongs to.
    pin: String,
    wrong: u32,
    /// Seconds since 1970.
    until: u64,
}

impl Patience {
    /// Loads the record in `file` for the PIN with the ID `pin`, at `now`.
    ///
    /// The clock of a board without a battery may have gone back: then the whole delay starts over.
    pub fn load(file: PathBuf, pin: &str, now: Duration) -> Patience {
        let mut patience = Patience { file, wrong: 0, until: Duration::ZERO };
        let text = private::read_text(&patience.file, limits::PIN_FILE_BYTES_MAX);
        let kept = match text.map(|text| text.map(|text| toml::from_str::<SavedPatience>(&text))) {
            Ok(None) => return patience,
            Ok(Some(Ok(kept))) => kept,
            Ok(Some(Err(_))) | Err(_) => {
                log::warn!(
                    "'{}' is damaged: the count of wrong PINs starts at zero",
                    patience.file.display()
                );
                return patience;
            }
        };
        if kept.pin == pin {
            let left = Duration::from_secs(kept.until.saturating_sub(unix_seconds()));
            patience.wrong = kept.wrong;
            patience.until = now + left.min(wait_after(kept.wrong));
        }
        patience
    }

    /// Returns the time until a PIN is accepted; zero if it is now.
    pub fn left(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }

    /// Counts a PIN that is about to be verified as wrong; returns the number in a row and the
    /// delay after it.
    pub fn count(&mut self, pin: &str, now: Duration) -> (u32, Duration) {
        self.wrong = self.wrong.saturating_add(1);
        let wait = wait_after(self.wrong);
        self.until = now + wait;
        self.save(pin, wait);
        (self.wrong, wait)
    }

    /// Resets the count after a right PIN.
    pub fn forgive(&mut self, pin: &str, now: Duration) {
        (self.wrong, self.until) = (0, now);
        self.save(pin, Duration::ZERO);
    }

    fn save(&self, pin: &str, wait: Duration) {
        let until = unix_seconds().saturating_add(wait.as_secs());
        let text = format!("pin = \"{pin}\"\nwrong = {}\nuntil = {until}\n", self.wrong);
        // The owner must be able to sign in on a box with a full disk; memory still counts.
        if let Err(error) = private::write(&self.file, text.as_bytes()) {
            log::warn!("the count of wrong PINs will not survive a restart: {error}");
        }
    }
}

/// Returns the delay after `wrong` wrong PINs in a row.
fn wait_after(wrong: u32) -> Duration {
    if wrong >= limits::PIN_WRONG_MAX {
        return limits::PIN_LOCKED;
    }
    let Some(doublings) = wrong.checked_sub(1) else { return Duration::ZERO };
    let wait = limits::PIN_WAIT_FIRST.saturating_mul(2_u32.saturating_pow(doublings));
    wait.min(limits::PIN_WAIT_MAX)
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn each_wrong_pin_doubles_the_wait_up_to_a_quarter_of_an_hour_and_the_twentieth_locks() {
        let waits: Vec<u64> = (0..23).map(|wrong| wait_after(wrong).as_secs()).collect();
        let doubling = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
        assert_eq!(waits[..11], doubling);
        assert!(waits[11..20].iter().all(|wait| *wait == 900));
        assert!(waits[20..].iter().all(|wait| *wait == 3_600));
        assert_eq!(wait_after(u32::MAX), limits::PIN_LOCKED);
    }

    #[test]
    fn the_wait_lasts_over_a_restart_and_belongs_to_one_pin() {
        let folder = tempfile::tempdir().unwrap();
        let load = |pin: &str, now| Patience::load(folder.path().join("wrong.toml"), pin, now);
        let mut patience = load("a", S);
        assert_eq!(patience.left(S), Duration::ZERO);
        for wrong in 1..=20 {
            assert_eq!(patience.count("a", S), (wrong, wait_after(wrong)));
        }
        assert_eq!(patience.left(S), limits::PIN_LOCKED);
        assert_eq!(patience.left(S + limits::PIN_LOCKED), Duration::ZERO);
        let mut again = load("a", 5 * S);
        let left = again.left(5 * S);
        assert!(left > limits::PIN_LOCKED - 60 * S && left <= limits::PIN_LOCKED, "{left:?}");
        assert_eq!(load("b", S).left(S), Duration::ZERO, "a new PIN starts at zero");
        assert_eq!(again.count("a", S).0, 21);
        again.forgive("a", S);
        assert_eq!(load("a", S).left(S), Duration::ZERO);
        assert_eq!(load("a", S).count("a", S), (1, S));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_whole_wait() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wrong.toml");
        let load = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Patience::load(file.clone(), "a", S)
        };
        let far = load(&format!("pin = \"a\"\nwrong = 3\nuntil = {}", i64::MAX));
        assert_eq!((far.wrong, far.left(S)), (3, 4 * S));
        let past = load("pin = \"a\"\nwrong = 20\nuntil = 1000");
        assert_eq!((past.wrong, past.left(S)), (20, Duration::ZERO));
        for damaged in ["", "wrong", "pin = \"a\"\nwrong = -1\nuntil = 1", &"x".repeat(9_999)] {
            assert_eq!(load(damaged).wrong, 0);
        }
    }
}
