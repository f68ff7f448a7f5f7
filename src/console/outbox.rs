//! What a console was told and is not sent yet: a bounded buffer between a session and its line.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What was said and is not sent yet; whole characters only.
pub struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    bytes_max: usize,
}

struct Waiting {
    bytes: VecDeque<u8>,
    /// Whether some of it is being sent.
    is_sending: bool,
    is_shut: bool,
}

impl Outbox {
    /// Makes an empty one that holds so many bytes at most.
    pub fn new(bytes_max: usize) -> Outbox {
        let waiting = Waiting { bytes: VecDeque::new(), is_sending: false, is_shut: false };
        Outbox { waiting: Mutex::new(waiting), changed: Condvar::new(), bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many more bytes it takes; none once it is shut.
    pub fn room(&self) -> usize {
        let waiting = self.lock();
        if waiting.is_shut { 0 } else { self.bytes_max - waiting.bytes.len() }
    }

    /// Takes as much of a text as it has room for, and returns how many bytes that is: all, once it
    /// is shut, for they go nowhere.
    pub fn put(&self, text: &str) -> usize {
        let mut waiting = self.lock();
        if waiting.is_shut {
            return text.len();
        }
        let taken = text.floor_char_boundary(self.bytes_max - waiting.bytes.len());
        waiting.bytes.extend(&text.as_bytes()[..taken]);
        self.changed.notify_all();
        taken
    }

    /// Drops what waits.
    pub fn clear(&self) {
        self.lock().bytes.clear();
        self.changed.notify_all();
    }

    /// Hands over up to `most` bytes, 4 at least, in whole characters; blocks while there are none.
    /// Returns whether there were any: not once it is shut.
    pub fn take(&self, most: usize, bytes: &mut Vec<u8>) -> bool {
        let mut waiting = self.lock();
        while waiting.bytes.is_empty() && !waiting.is_shut {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_shut {
            return false;
        }
        let mut count = most.max(4).min(waiting.bytes.len());
        while waiting.bytes.get(count).is_some_and(|byte| byte & 0xc0 == 0x80) {
            count -= 1;
        }
        bytes.clear();
        bytes.extend(waiting.bytes.drain(..count));
        waiting.is_sending = true;
        self.changed.notify_all();
        true
    }

    /// Notes that what was handed over last is sent.
    pub fn sent(&self) {
        self.lock().is_sending = false;
        self.changed.notify_all();
    }

    /// Blocks until all is sent or it is shut, or until `until`; returns whether nothing waits.
    pub fn wait_sent(&self, until: Instant) -> bool {
        let is_busy = |waiting: &mut Waiting| {
            !waiting.is_shut && (waiting.is_sending || !waiting.bytes.is_empty())
        };
        let patience = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Returns whether it is shut.
    pub fn is_shut(&self) -> bool {
        self.lock().is_shut
    }

    /// Drops what waits, and all that comes.
    pub fn shut(&self) {
        let mut waiting = self.lock();
        waiting.is_shut = true;
        waiting.bytes.clear();
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_waits_is_bounded_and_goes_out_in_whole_characters() {
        let outbox = Outbox::new(8);
        let text = "12345数67数90123456789";
        let (mut put, mut sent, mut bytes) = (0, String::new(), Vec::new());
        while sent.len() < text.len() {
            put += outbox.put(&text[put..]);
            assert!(put - sent.len() <= 8, "{put} bytes of which {} are sent", sent.len());
            assert!(outbox.take(4, &mut bytes) && bytes.len() <= 4);
            sent += std::str::from_utf8(&bytes).unwrap();
        }
        assert_eq!((sent.as_str(), outbox.room()), (text, 8));
    }

    #[test]
    fn what_was_said_and_not_sent_can_be_dropped() {
        let outbox = Outbox::new(100);
        outbox.put("a long text");
        outbox.clear();
        outbox.put("!");
        let mut bytes = Vec::new();
        assert!(outbox.take(100, &mut bytes));
        assert_eq!(bytes, b"!");
        let soon = Instant::now() + Duration::from_millis(10);
        assert!(!outbox.wait_sent(soon), "it is on its way");
        outbox.sent();
        assert!(outbox.wait_sent(soon));
    }

    #[test]
    fn nobody_waits_for_one_that_is_shut() {
        let outbox = Outbox::new(4);
        outbox.put("full");
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(outbox.wait_sent(Instant::now() + Duration::from_secs(60))));
            outbox.shut();
        });
        assert_eq!((outbox.room(), outbox.put("dropped")), (0, 7));
        assert!(!outbox.take(4, &mut Vec::new()));
    }
}
