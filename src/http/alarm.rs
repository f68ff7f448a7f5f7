//! Logs refused requests: enough to notice, never enough to fill a log.
//!
//! The first few of each cause within a minute are logged as warnings; the rest are counted, and
//! the next line carries the count. Text from a request is quoted shortened and without control
//! characters.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::types::error::printable;
use crate::types::limits::{ALARM_WINDOW, ALARMS_MAX, QUOTED_CHARS_MAX};

/// The cause of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A cookie that this box did not issue.
    Cookie,
    /// An API key that is not on the list, or a missing one.
    Key,
    /// A Host that is not this box's.
    Host,
    /// A request by a page of another site.
    Origin,
    /// A wrong PIN, or one that came too soon.
    Pin,
}

/// Rate-limits the log lines about refusals.
#[derive(Default)]
pub struct Alarm {
    windows: Mutex<HashMap<Cause, Window>>,
}

/// The refusals of one cause within [`ALARM_WINDOW`].
struct Window {
    began: Instant,
    logged: u32,
    suppressed: u64,
}

impl Alarm {
    /// Logs that `address` was refused, unless the limit of its cause is used up.
    pub fn refused(&self, cause: Cause, address: IpAddr, what: &str) {
        match self.may_log(cause, Instant::now()) {
            Some(0) => log::warn!("refused {address}: {what}"),
            Some(suppressed) => {
                log::warn!("refused {address}: {what}; {suppressed} more since the last line");
            }
            None => log::debug!("refused {address}: {what}"),
        }
    }

    /// Returns whether to log one more, with the number suppressed since the last line.
    fn may_log(&self, cause: Cause, now: Instant) -> Option<u64> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Window { began: now, logged: 0, suppressed: 0 };
        let window = windows.entry(cause).or_insert(fresh);
        if now.duration_since(window.began) >= ALARM_WINDOW {
            (window.began, window.logged) = (now, 0);
        }
        if window.logged >= ALARMS_MAX {
            window.suppressed += 1;
            return None;
        }
        window.logged += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

/// Quotes text from a request, shortened and printable.
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
        let logged = |cause, at| alarm.may_log(cause, at);
        for _ in 0..ALARMS_MAX {
            assert_eq!(logged(Cause::Host, start), Some(0));
        }
        for _ in 0..1_000 {
            assert_eq!(logged(Cause::Host, start), None);
        }
        assert_eq!(logged(Cause::Cookie, start), Some(0), "of another cause it is still logged");
        assert_eq!(logged(Cause::Host, start + ALARM_WINDOW), Some(1_000));
        assert_eq!(logged(Cause::Host, start + ALARM_WINDOW), Some(0));
    }

    #[test]
    fn quoted_client_text_is_short_and_harmless() {
        assert_eq!(quoted("box.example"), "'box.example'");
        assert_eq!(quoted("a\x1b[2J\r\n"), r"'a\u{1b}[2J\r\n'");
        assert_eq!(quoted(&"é".repeat(16_000)).chars().count(), QUOTED_CHARS_MAX + 3);
    }
}
