//! A connection to whoever sits at a console: one thread reads, one writes, and a session hears
//! and speaks.
//!
//! All that can wait is bounded: what was read and not heard yet (then the line is not read, and
//! its flow control has the other side wait), and what was said and not sent yet. A session asks
//! how much room there is before it goes on with a text; the text itself waits in its record. What
//! it says of its own never has it wait, so that a Ctrl-C is heard whatever the line does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::outbox::Outbox;
use super::port::{Moved, Port};
use super::stdio::Standard;
use super::wire::Wire;
use crate::desk::Ticket;
use crate::desk::feed::{RecordChange, RecordChanges};
use crate::types::error::Error;
use crate::types::job::JobId;
use crate::types::limits;

/// What a session hears.
#[derive(Debug)]
pub enum Heard {
    /// What was typed, or sent by a machine.
    Bytes(Vec<u8>),
    /// A job that is followed has changed, or there is room to write again.
    Changed,
    /// Nothing within the time that was given.
    Nothing,
    /// Nothing more comes in; what is said is still heard.
    EndOfInput,
    /// Nobody is there any more.
    Gone,
    /// The box is being stopped.
    Closing,
}

/// Where bytes come from and go to.
#[derive(Debug)]
pub enum Ends {
    /// A serial port.
    Port(Port),
    /// This process's own.
    Standard(Standard),
}

/// Keeps [`Heard::Changed`] coming for a job; dropping all of a job's subscriptions ends that.
#[derive(Clone, Debug)]
pub struct Subscription {
    _kept: Arc<()>,
}

/// One connection.
pub struct Link {
    heard: Receiver<Heard>,
    teller: SyncSender<Heard>,
    outbox: Arc<Outbox>,
    closing: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    is_paused: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    ends: Ends,
    /// What was said and had no room in the outbox.
    unsaid: String,
    /// What was heard, and given back or not wanted yet.
    unheard: Vec<u8>,
    /// Which jobs are followed.
    followed: Vec<(JobId, Weak<()>)>,
    is_gone: bool,
}

impl Link {
    /// Begins to read and to write.
    ///
    /// # Errors
    /// `internal` where threads or descriptors cannot be had.
    pub fn open(wire: &Wire, ends: Ends, closing: &Arc<AtomicBool>) -> Result<Link, Error> {
        let internal = |cause: &dyn std::fmt::Display| {
            Error::internal(format!("cannot read the console at {}: {cause}", wire.place))
        };
        let second = || match &ends {
            Ends::Port(port) => port.second().map(Some).map_err(|e| internal(&e)),
            Ends::Standard(_) => Ok(None),
        };
        let (input, output) = (second()?, second()?);
        let (teller, heard) = sync_channel(limits::CONSOLE_READS_WAITING_MAX);
        let mut link = Link {
            heard,
            teller: teller.clone(),
            outbox: Arc::new(Outbox::new(wire.waiting_bytes_max())),
            closing: closing.clone(),
            ended: Arc::new(AtomicBool::new(false)),
            is_paused: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
            ends,
            unsaid: String::new(),
            unheard: Vec::new(),
            followed: Vec::new(),
            is_gone: false,
        };
        let (told, ended, is_paused) = (teller.clone(), link.ended.clone(), link.is_paused.clone());
        let read = move || read_on(input, &told, &ended, &is_paused);
        let (outbox, own) = (link.outbox.clone(), wire.clone());
        let send = move || send_on(output, &own, &outbox, &teller);
        let begun = link.start("console in", read).and_then(|()| link.start("console out", send));
        if let Err(error) = begun {
            // One of them may be at work, and would keep the port.
            link.ended.store(true, Ordering::Relaxed);
            link.outbox.shut();
            return Err(internal(&error));
        }
        Ok(link)
    }

    fn start(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }

    /// Returns where bytes come from and go to.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Blocks until something is heard, or `timeout` has passed.
    pub fn hear(&mut self, timeout: Option<Duration>) -> Heard {
        let until = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            self.say("");
            if self.is_gone || self.outbox.is_shut() {
                return Heard::Gone;
            }
            if self.closing.load(Ordering::Relaxed) {
                return Heard::Closing;
            }
            let is_paused = self.is_paused.load(Ordering::Relaxed);
            if !self.unheard.is_empty() && !is_paused {
                return Heard::Bytes(std::mem::take(&mut self.unheard));
            }
            // Often enough to notice that the box is being stopped.
            let wait = until.map_or(limits::CONSOLE_READ_WAIT, |until| {
                until.saturating_duration_since(Instant::now()).min(limits::CONSOLE_READ_WAIT)
            });
            match self.heard.recv_timeout(wait) {
                Ok(Heard::Gone) | Err(RecvTimeoutError::Disconnected) => self.is_gone = true,
                // As many as were read before the pause.
                Ok(Heard::Bytes(bytes)) if is_paused => self.unheard.extend(bytes),
                Ok(heard) => return heard,
                Err(RecvTimeoutError::Timeout) => {
                    if until.is_some_and(|until| Instant::now() >= until) {
                        return Heard::Nothing;
                    }
                }
            }
        }
    }

    /// Gives back what was heard, to be heard first another time.
    pub fn give_back(&mut self, bytes: &[u8]) {
        self.unheard.splice(0..0, bytes.iter().copied());
    }

    /// Has nothing more read, or again: what is not read waits where it comes from.
    pub fn pause(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }

    /// Returns how many bytes can be said at once; 0 where much waits to be sent.
    pub fn room(&self) -> usize {
        if self.unsaid.is_empty() { self.outbox.room() } else { 0 }
    }

    /// Says something. What has no room yet waits, within a bound beyond which it is dropped: only
    /// who types on at a line that stands still gets there.
    pub fn say(&mut self, text: &str) {
        if self.unsaid.len() + text.len() <= limits::CONSOLE_BACKLOG_BYTES_MAX {
            self.unsaid.push_str(text);
        }
        let taken = self.outbox.put(&self.unsaid);
        self.unsaid.drain(..taken);
    }

    /// Drops what was said and not sent yet.
    pub fn hush(&mut self) {
        self.unsaid.clear();
        self.outbox.clear();
    }

    /// Subscribes to a job: until it has ended, each of its changes is a [`Heard::Changed`].
    ///
    /// # Errors
    /// `internal` where no thread can be had.
    pub fn follow(&mut self, ticket: &Ticket) -> Result<Subscription, Error> {
        self.followed.retain(|(_, kept)| kept.strong_count() > 0);
        let known = self.followed.iter().find(|(job, _)| *job == ticket.job);
        if let Some(kept) = known.and_then(|(_, kept)| kept.upgrade()) {
            return Ok(Subscription { _kept: kept });
        }
        let kept = Arc::new(());
        let (changes, teller) = (RecordChanges::of(ticket), self.teller.clone());
        let wanted = Arc::downgrade(&kept);
        std::thread::Builder::new()
            .name("console follows".into())
            .spawn(move || follow_on(changes, &teller, &wanted))
            .map_err(|e| Error::internal(format!("cannot start a console's thread: {e}")))?;
        self.followed.push((ticket.job, Arc::downgrade(&kept)));
        Ok(Subscription { _kept: kept })
    }

    /// Ends the connection: what was said is sent first, unless the line stands still.
    pub fn close(mut self) {
        let mut until = Instant::now() + limits::CONSOLE_CLOSE_WAIT;
        while !self.is_gone && !self.outbox.is_shut() {
            self.say("");
            let soon = Instant::now() + limits::CONSOLE_READ_WAIT;
            let is_sent = self.outbox.wait_sent(soon.min(until)) && self.unsaid.is_empty();
            let is_out = match &self.ends {
                Ends::Port(port) => port.unsent_bytes() == 0,
                // Whoever reads a pipe takes the time it takes, unless the box is being stopped.
                Ends::Standard(_) => {
                    if !self.closing.load(Ordering::Relaxed) {
                        until = Instant::now() + limits::CONSOLE_CLOSE_WAIT;
                    }
                    true
                }
            };
            if (is_sent && is_out) || Instant::now() >= until {
                break;
            }
            if is_sent {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.ended.store(true, Ordering::Relaxed);
        self.outbox.shut();
        if let Ends::Port(port) = &self.ends {
            // Else the system would wait for a line that stands still.
            port.drop_unsent();
        }
        // Whoever wants to tell something finds nobody.
        drop(std::mem::replace(&mut self.heard, sync_channel(0).1));
        for thread in self.threads.drain(..) {
            // A panic on it was already reported.
            let _ = thread.join();
        }
    }
}

/// Reads to the end.
fn read_on(
    mut input: Option<Port>,
    teller: &SyncSender<Heard>,
    ended: &AtomicBool,
    is_paused: &AtomicBool,
) {
    let mut bytes = [0; limits::CONSOLE_READ_BYTES];
    while !ended.load(Ordering::Relaxed) {
        if is_paused.load(Ordering::Relaxed) {
            std::thread::sleep(limits::CONSOLE_READ_WAIT);
            continue;
        }
        let moved = match &mut input {
            Some(port) => port.read(&mut bytes),
            None => Standard::read(&mut bytes),
        };
        let told = match moved {
            Moved::Nothing => continue,
            Moved::Bytes(read) => teller.send(Heard::Bytes(bytes[..read].to_vec())),
            Moved::Gone => {
                let end = if input.is_some() { Heard::Gone } else { Heard::EndOfInput };
                // The session may be gone itself.
                let _ = teller.send(end);
                return;
            }
        };
        if told.is_err() {
            return;
        }
    }
}

/// Sends what is said to the end.
fn send_on(mut output: Option<Port>, wire: &Wire, outbox: &Outbox, teller: &SyncSender<Heard>) {
    // A tenth of a second at a time, and no more waits in the system: what is dropped after a
    // Ctrl-C is what was not given to it.
    let part = (wire.baud as usize / 100).clamp(16, *limits::CONSOLE_OUT_BYTES.end());
    let pause = Duration::from_secs_f64(wire.seconds(part) / 2.0).min(limits::CONSOLE_READ_WAIT);
    let mut bytes = Vec::new();
    while outbox.take(part, &mut bytes) {
        let mut from = 0;
        while from < bytes.len() {
            let moved = match &mut output {
                None => Standard::write(&bytes[from..]),
                Some(_) if outbox.is_shut() => return,
                Some(port) if port.unsent_bytes() > part => {
                    std::thread::sleep(pause);
                    Moved::Nothing
                }
                Some(port) => port.write(&bytes[from..]),
            };
            match moved {
                Moved::Bytes(written) => from += written,
                Moved::Nothing => {}
                // The session finds it shut.
                Moved::Gone => return outbox.shut(),
            }
        }
        outbox.sent();
        // Where the session has something to hear it will look anyway.
        let _ = teller.try_send(Heard::Changed);
    }
}

/// Sends each change of a job while somebody keeps its subscription.
fn follow_on(mut changes: RecordChanges, teller: &SyncSender<Heard>, wanted: &Weak<()>) {
    while wanted.strong_count() > 0 {
        let change = changes.wait(limits::CONSOLE_FOLLOW_WAIT);
        if change != RecordChange::None && teller.send(Heard::Changed).is_err() {
            return;
        }
        if change == RecordChange::Last {
            return;
        }
    }
}
