//! What is said of strangers who were refused: enough to notice, never enough to fill a log.
//!
//! Of each cause the first few within a minute are logged as warnings; the others are counted, and
//! the count is said with the next one that is logged. What a stranger sent is quoted shortened and
//! with nothing in it that a terminal would obey.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::types::error::printable;
use crate::types::limits::{ALARM_WINDOW, ALARMS_MAX, QUOTED_CHARS_MAX};

/// Why somebody was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A cookie that this box has not made.
    Cookie,
    /// An API key that is not on the list, or none where one is needed.
    Key,
    /// A name that is not this box's.
    Host,
    /// A page of another site.
    Origin,
    /// A wrong PIN, or one that came too soon.
    Pin,
}

/// The refusals of a box.
#[derive(Default)]
pub struct Alarm {
    windows: Mutex<HashMap<Cause, Window>>,
}

/// The refusals of one cause within [`ALARM_WINDOW`].
struct Window {
    began: Instant,
    said: u32,
    unsaid: u64,
}

impl Alarm {
    /// Logs that `address` was refused, unless as much as may be was said already.
    pub fn refused(&self, cause: Cause, address: IpAddr, what: &str) {
        match self.may_say(cause, Instant::now()) {
            Some(0) => log::warn!("refused {address}: {what}"),
            Some(unsaid) => {
                log::warn!("refused {address}: {what}; and {unsaid} more since the last said");
            }
            None => log::debug!("refused {address}: {what}"),
        }
    }

    /// Returns whether one more may be said, with how many were not since one was.
    fn may_say(&self, cause: Cause, now: Instant) -> Option<u64> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Window { began: now, said: 0, unsaid: 0 };
        let window = windows.entry(cause).or_insert(fresh);
        if now.duration_since(window.began) >= ALARM_WINDOW {
            (window.began, window.said) = (now, 0);
        }
        if window.said >= ALARMS_MAX {
            window.unsaid += 1;
            return None;
        }
        window.said += 1;
        Some(std::mem::take(&mut window.unsaid))
    }
}

/// Quotes what a stranger sent.
pub fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("'{}'", printable(&short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_its_sum_is_said_later() {
        let alarm = Alarm::default();
        let start = Instant::now();
        let said = |cause, at| alarm.may_say(cause, at);
        for _ in 0..ALARMS_MAX {
            assert_eq!(said(Cause::Host, start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(said(Cause::Host, start), None);
        }
        assert_eq!(said(Cause::Cookie, start), Some(0), "of another cause it is still said");
        assert_eq!(said(Cause::Host, start + ALARM_WINDOW), Some(1_000));
        assert_eq!(said(Cause::Host, start + ALARM_WINDOW), Some(0));
    }

    #[test]
    fn what_a_stranger_sent_is_short_and_harmless() {
        assert_eq!(quoted("box.example"), "'box.example'");
        assert_eq!(quoted("a\x1b[2J\r\n"), r"'a\u{1b}[2J\r\n'");
        assert_eq!(quoted(&"é".repeat(16_000)).chars().count(), QUOTED_CHARS_MAX + 3);
    }
}
