//! The output queue of a console: a bounded buffer between a session and its line.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Output that was not sent yet; whole characters only.
pub struct Outbox {
    waiting: Mutex<Unsent>,
    changed: Condvar,
    bytes_max: usize,
}

struct Unsent {
    bytes: VecDeque<u8>,
    /// Whether a part of it is being sent.
    is_sending: bool,
    is_closed: bool,
}

impl Outbox {
    /// Makes an empty outbox of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Outbox {
        let waiting = Unsent { bytes: VecDeque::new(), is_sending: false, is_closed: false };
        Outbox { waiting: Mutex::new(waiting), changed: Condvar::new(), bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Unsent> {
        // Every change leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the free space in bytes; 0 once it is closed.
    pub fn room(&self) -> usize {
        let waiting = self.lock();
        if waiting.is_closed { 0 } else { self.bytes_max - waiting.bytes.len() }
    }

    /// Accepts as much of a text as there is room for, and returns the number of bytes; once closed
    /// it accepts and drops everything.
    pub fn put(&self, text: &str) -> usize {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return text.len();
        }
        let taken = text.floor_char_boundary(self.bytes_max - waiting.bytes.len());
        waiting.bytes.extend(&text.as_bytes()[..taken]);
        self.changed.notify_all();
        taken
    }

    /// Drops the unsent output.
    pub fn clear(&self) {
        self.lock().bytes.clear();
        self.changed.notify_all();
    }

    /// Takes up to `most` bytes, at least 4, in whole characters; blocks while there are none.
    /// Returns false once it is closed.
    pub fn take(&self, most: usize, bytes: &mut Vec<u8>) -> bool {
        let mut waiting = self.lock();
        while waiting.bytes.is_empty() && !waiting.is_closed {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_closed {
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

    /// Notes that the bytes taken last were sent.
    pub fn sent(&self) {
        self.lock().is_sending = false;
        self.changed.notify_all();
    }

    /// Blocks until everything is sent, the outbox is closed, or `until`; returns whether it is
    /// empty.
    pub fn wait_sent(&self, until: Instant) -> bool {
        let is_busy = |waiting: &mut Unsent| {
            !waiting.is_closed && (waiting.is_sending || !waiting.bytes.is_empty())
        };
        let patience = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Returns whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Closes the outbox: drops the unsent output and all that follows.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.bytes.clear();
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_queue_is_bounded_and_drained_in_whole_characters() {
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
    fn unsent_output_can_be_dropped() {
        let outbox = Outbox::new(100);
        outbox.put("a long text");
        outbox.clear();
        outbox.put("!");
        let mut bytes = Vec::new();
        assert!(outbox.take(100, &mut bytes));
        assert_eq!(bytes, b"!");
        let soon = Instant::now() + Duration::from_millis(10);
        assert!(!outbox.wait_sent(soon), "a part is being sent");
        outbox.sent();
        assert!(outbox.wait_sent(soon));
    }

    #[test]
    fn a_closed_outbox_blocks_no_caller() {
        let outbox = Outbox::new(4);
        outbox.put("full");
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(outbox.wait_sent(Instant::now() + Duration::from_secs(60))));
            outbox.close();
        });
        assert_eq!((outbox.room(), outbox.put("dropped")), (0, 7));
        assert!(!outbox.take(4, &mut Vec::new()));
    }
}
