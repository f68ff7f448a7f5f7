//! Rejected clients: sends them the refusal and closes so that they can read it.
//!
//! A socket closed while the client still sends is reset, and a reset makes the client's kernel
//! discard the refusal unread. So a rejected client is closed gently: send the refusal, close our
//! half, discard what still arrives, within bounds. A connection thread does that for its own
//! client; the accept loop does it, without blocking, for those that never got a thread.

use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::bounds::Bounds;
use super::refusal::{Manner, Refusal};
use super::wire::{self, Gone};
use crate::types::limits::REJECTED_MAX;

/// Refuses `client` and closes it gently; takes `linger_wait` at most.
pub fn refuse(client: &TcpStream, refusal: &Refusal, manner: Manner, bounds: &Bounds) {
    log::debug!("gate: refused: {refusal:?}");
    let deadline = Instant::now() + bounds.linger_wait;
    if wire::send_all(client, &refusal.response(manner), deadline).is_ok() {
        close_gently(client, bounds);
    }
}

/// Closes our half of `client` and discards what it sends until it closes its own.
pub fn close_gently(client: &TcpStream, bounds: &Bounds) {
    let mut lingering = Lingering::begin(client, bounds);
    while wire::wait(client, PollFlags::IN, lingering.deadline) == Ok(true) {
        if lingering.discard(client).is_err() {
            return;
        }
    }
}

/// How long and how many bytes are still read from a client that is being closed.
struct Lingering {
    deadline: Instant,
    bytes_left: usize,
}

impl Lingering {
    fn begin(client: &TcpStream, bounds: &Bounds) -> Lingering {
        // A failure means that it is already closed: the first read will report it.
        let _ = client.shutdown(Shutdown::Write);
        let deadline = Instant::now() + bounds.linger_wait;
        Lingering { deadline, bytes_left: bounds.linger_bytes_max }
    }

    /// Reads and discards what has arrived.
    fn discard(&mut self, client: &TcpStream) -> Result<(), Gone> {
        let mut rest = [0; 16 << 10];
        let count = wire::receive(client, &mut rest)?;
        self.bytes_left = self.bytes_left.checked_sub(count).ok_or(Gone)?;
        Ok(())
    }
}

/// The rejected clients served by the accept loop.
pub struct Rejected {
    bounds: Bounds,
    clients: Vec<RejectedClient>,
}

struct RejectedClient {
    client: TcpStream,
    /// Deadline for the first bytes of its request, until the refusal is sent.
    deadline: Instant,
    lingering: Option<Lingering>,
}

impl Rejected {
    /// Makes an empty list.
    pub fn new(bounds: Bounds) -> Rejected {
        Rejected { bounds, clients: Vec::new() }
    }

    /// Takes over a client for which no connection is free.
    ///
    /// The refusal is sent once its request has begun: its shape depends on the path, and a browser
    /// takes a reply on a connection it opened in reserve for the reply to its next request. A
    /// silent client is closed silently. When too many are rejected at once, the rest are refused
    /// without reading their request.
    pub fn add(&mut self, client: TcpStream) {
        if self.clients.len() >= REJECTED_MAX {
            let _ = wire::send(&client, &Refusal::Busy.response(Manner::new("GET", "/")));
            return;
        }
        let deadline = Instant::now() + self.bounds.linger_wait;
        self.clients.push(RejectedClient { client, deadline, lingering: None });
    }

    /// Adds the clients' sockets to those the accept loop polls.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        fds.extend(self.clients.iter().map(|l| PollFd::new(&l.client, PollFlags::IN)));
    }

    /// Serves the clients that are ready, without blocking; drops those gone or past their
    /// deadline.
    pub fn serve(&mut self) {
        let now = Instant::now();
        self.clients.retain_mut(|rejected| {
            let deadline = rejected.lingering.as_ref().map_or(rejected.deadline, |f| f.deadline);
            now < deadline && rejected.step(&self.bounds).is_ok()
        });
    }
}

impl RejectedClient {
    fn step(&mut self, bounds: &Bounds) -> Result<(), Gone> {
        if let Some(lingering) = &mut self.lingering {
            return lingering.discard(&self.client);
        }
        let mut start = [0; 2 << 10];
        let count = wire::receive(&self.client, &mut start)?;
        if count > 0 {
            // A new connection's send buffer holds the whole refusal.
            wire::send(&self.client, &Refusal::Busy.response(Manner::of(&start[..count])))?;
            self.lingering = Some(Lingering::begin(&self.client, bounds));
        }
        Ok(())
    }
}
