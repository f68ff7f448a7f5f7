//! A console's connection: a reader thread, a writer thread, and the session between them.
//!
//! All buffers are bounded: input that was read and not handled (when it is full, reading stops and
//! flow control makes the peer pause) and output that was not sent. A session checks the free room
//! before it continues an answer, whose text stays in the job's record meanwhile. Its own notes
//! never block it, so that a Ctrl-C is handled whatever the line does.

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

/// An event for a session.
#[derive(Debug)]
pub enum LinkEvent {
    /// Input arrived, in any number of bytes.
    Bytes(Vec<u8>),
    /// A followed job has changed, or there is room for output again.
    Changed,
    /// No event within the timeout.
    Nothing,
    /// The input has ended; output is still possible.
    EndOfInput,
    /// The connection is gone.
    Gone,
    /// The box is stopping.
    Closing,
}

/// The two ends of a connection.
#[derive(Debug)]
pub enum Ends {
    /// An open serial port.
    Port(Port),
    /// Standard input and output.
    Standard(Standard),
}

/// Keeps [`LinkEvent::Changed`] coming for a job; dropping all of a job's subscriptions ends that.
#[derive(Clone, Debug)]
pub struct Subscription {
    _kept: Arc<()>,
}

/// A connection and its buffers.
pub struct Link {
    events: Receiver<LinkEvent>,
    sender: SyncSender<LinkEvent>,
    outbox: Arc<Outbox>,
    closing: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    is_paused: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    ends: Ends,
    /// Output that did not fit into the outbox.
    backlog: String,
    /// Input that was given back, or read before a pause.
    returned: Vec<u8>,
    /// The followed jobs.
    followed: Vec<(JobId, Weak<()>)>,
    is_gone: bool,
}

impl Link {
    /// Opens the connection and starts its threads.
    ///
    /// # Errors
    /// `internal` if no thread or descriptor is available.
    pub fn open(wire: &Wire, ends: Ends, closing: &Arc<AtomicBool>) -> Result<Link, Error> {
        let internal = |cause: &dyn std::fmt::Display| {
            Error::internal(format!("cannot read the console at {}: {cause}", wire.place))
        };
        let second = || match &ends {
            Ends::Port(port) => port.second().map(Some).map_err(|e| internal(&e)),
            Ends::Standard(_) => Ok(None),
        };
        let (input, output) = (second()?, second()?);
        let (sender, events) = sync_channel(limits::CONSOLE_READS_WAITING_MAX);
        let mut link = Link {
            events,
            sender: sender.clone(),
            outbox: Arc::new(Outbox::new(wire.waiting_bytes_max())),
            closing: closing.clone(),
            ended: Arc::new(AtomicBool::new(false)),
            is_paused: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
            ends,
            backlog: String::new(),
            returned: Vec::new(),
            followed: Vec::new(),
            is_gone: false,
        };
        let (events, ended, is_paused) =
            (sender.clone(), link.ended.clone(), link.is_paused.clone());
        let read = move || read_on(input, &events, &ended, &is_paused);
        let (outbox, own) = (link.outbox.clone(), wire.clone());
        let send = move || send_on(output, &own, &outbox, &sender);
        let begun = link.start("console in", read).and_then(|()| link.start("console out", send));
        if let Err(error) = begun {
            // One of them may be running, and would keep the port open.
            link.ended.store(true, Ordering::Relaxed);
            link.outbox.close();
            return Err(internal(&error));
        }
        Ok(link)
    }

    fn start(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.into()).spawn(work)?);
        Ok(())
    }

    /// Returns the ends of the connection.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Blocks until there is an event, or `timeout` has passed.
    pub fn next_event(&mut self, timeout: Option<Duration>) -> LinkEvent {
        let until = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            self.send("");
            if self.is_gone || self.outbox.is_closed() {
                return LinkEvent::Gone;
            }
            if self.closing.load(Ordering::Relaxed) {
                return LinkEvent::Closing;
            }
            let is_paused = self.is_paused.load(Ordering::Relaxed);
            if !self.returned.is_empty() && !is_paused {
                return LinkEvent::Bytes(std::mem::take(&mut self.returned));
            }
            // Short enough to notice that the box is stopping.
            let wait = until.map_or(limits::CONSOLE_READ_WAIT, |until| {
                until.saturating_duration_since(Instant::now()).min(limits::CONSOLE_READ_WAIT)
            });
            match self.events.recv_timeout(wait) {
                Ok(LinkEvent::Gone) | Err(RecvTimeoutError::Disconnected) => self.is_gone = true,
                // Bytes that were read before the pause.
                Ok(LinkEvent::Bytes(bytes)) if is_paused => self.returned.extend(bytes),
                Ok(event) => return event,
                Err(RecvTimeoutError::Timeout) => {
                    if until.is_some_and(|until| Instant::now() >= until) {
                        return LinkEvent::Nothing;
                    }
                }
            }
        }
    }

    /// Gives back input, to be returned first by the next event.
    pub fn give_back(&mut self, bytes: &[u8]) {
        self.returned.splice(0..0, bytes.iter().copied());
    }

    /// Pauses or resumes reading; unread input waits at its source.
    pub fn pause(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }

    /// Returns the free room for output in bytes; 0 while there is a backlog.
    pub fn room(&self) -> usize {
        if self.backlog.is_empty() { self.outbox.room() } else { 0 }
    }

    /// Queues output. Text that does not fit waits in a bounded backlog and is dropped beyond it,
    /// which takes a person who keeps typing on a stalled line.
    pub fn send(&mut self, text: &str) {
        if self.backlog.len() + text.len() <= limits::CONSOLE_BACKLOG_BYTES_MAX {
            self.backlog.push_str(text);
        }
        let taken = self.outbox.put(&self.backlog);
        self.backlog.drain(..taken);
    }

    /// Drops the unsent output.
    pub fn drop_output(&mut self) {
        self.backlog.clear();
        self.outbox.clear();
    }

    /// Subscribes to a job: until it has ended, each of its changes is a [`LinkEvent::Changed`].
    ///
    /// # Errors
    /// `internal` if no thread can be started.
    pub fn follow(&mut self, ticket: &Ticket) -> Result<Subscription, Error> {
        self.followed.retain(|(_, kept)| kept.strong_count() > 0);
        let known = self.followed.iter().find(|(job, _)| *job == ticket.job);
        if let Some(kept) = known.and_then(|(_, kept)| kept.upgrade()) {
            return Ok(Subscription { _kept: kept });
        }
        let kept = Arc::new(());
        let (changes, sender) = (RecordChanges::of(ticket), self.sender.clone());
        let wanted = Arc::downgrade(&kept);
        std::thread::Builder::new()
            .name("console follows".into())
            .spawn(move || follow_on(changes, &sender, &wanted))
            .map_err(|e| Error::internal(format!("cannot start a console's thread: {e}")))?;
        self.followed.push((ticket.job, Arc::downgrade(&kept)));
        Ok(Subscription { _kept: kept })
    }

    /// Closes the connection after the output is sent, unless the line is stalled.
    pub fn close(mut self) {
        let mut until = Instant::now() + limits::CONSOLE_CLOSE_WAIT;
        while !self.is_gone && !self.outbox.is_closed() {
            self.send("");
            let soon = Instant::now() + limits::CONSOLE_READ_WAIT;
            let is_sent = self.outbox.wait_sent(soon.min(until)) && self.backlog.is_empty();
            let is_out = match &self.ends {
                Ends::Port(port) => port.unsent_bytes() == 0,
                // The reader of a pipe may be slow, unless the box is stopping.
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
        self.outbox.close();
        if let Ends::Port(port) = &self.ends {
            // Otherwise closing the port would wait for a stalled line.
            port.drop_unsent();
        }
        // From here on the threads cannot send events.
        drop(std::mem::replace(&mut self.events, sync_channel(0).1));
        for thread in self.threads.drain(..) {
            // A panic on it was already reported.
            let _ = thread.join();
        }
    }
}

/// Reads until the input or the connection ends.
fn read_on(
    mut input: Option<Port>,
    sender: &SyncSender<LinkEvent>,
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
        let result = match moved {
            Moved::Nothing => continue,
            Moved::Bytes(read) => sender.send(LinkEvent::Bytes(bytes[..read].to_vec())),
            Moved::Gone => {
                let end = if input.is_some() { LinkEvent::Gone } else { LinkEvent::EndOfInput };
                // Fails only if the session has ended.
                let _ = sender.send(end);
                return;
            }
        };
        if result.is_err() {
            return;
        }
    }
}

/// Sends the output until the connection ends.
fn send_on(mut output: Option<Port>, wire: &Wire, outbox: &Outbox, sender: &SyncSender<LinkEvent>) {
    // A tenth of a second at a time, and no more in the system's queue: only what is not in that
    // queue can be dropped after a Ctrl-C.
    let part = (wire.baud as usize / 100).clamp(16, *limits::CONSOLE_OUT_BYTES.end());
    let pause = Duration::from_secs_f64(wire.seconds(part) / 2.0).min(limits::CONSOLE_READ_WAIT);
    let mut bytes = Vec::new();
    while outbox.take(part, &mut bytes) {
        let mut from = 0;
        while from < bytes.len() {
            let moved = match &mut output {
                None => Standard::write(&bytes[from..]),
                Some(_) if outbox.is_closed() => return,
                Some(port) if port.unsent_bytes() > part => {
                    std::thread::sleep(pause);
                    Moved::Nothing
                }
                Some(port) => port.write(&bytes[from..]),
            };
            match moved {
                Moved::Bytes(written) => from += written,
                Moved::Nothing => {}
                // The session will find the outbox closed.
                Moved::Gone => return outbox.close(),
            }
        }
        outbox.sent();
        // If the queue is full, the session is about to look anyway.
        let _ = sender.try_send(LinkEvent::Changed);
    }
}

/// Sends each change of a job while its subscription lives.
fn follow_on(mut changes: RecordChanges, sender: &SyncSender<LinkEvent>, wanted: &Weak<()>) {
    while wanted.strong_count() > 0 {
        let change = changes.wait(limits::CONSOLE_FOLLOW_WAIT);
        if change != RecordChange::None && sender.send(LinkEvent::Changed).is_err() {
            return;
        }
        if change == RecordChange::Last {
            return;
        }
    }
}
