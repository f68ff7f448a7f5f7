//! Clients that are turned away, and time for them to read why.
//!
//! A socket closed while the client still sends is reset, and a reset makes the client's kernel
//! throw away the refusal unread. So a refused client is closed gently: say it, close our half,
//! discard what still comes, within bounds. A connection thread does that for its own client; those
//! that never got a thread are all looked after by the accept loop, which must not block for them.

use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::bounds::Bounds;
use super::refusal::{Manner, Refusal};
use super::wire::{self, Gone};
use crate::types::limits::TURNED_AWAY_MAX;

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
    let mut farewell = Farewell::begin(client, bounds);
    while wire::wait(client, PollFlags::IN, farewell.deadline) == Ok(true) {
        if farewell.discard(client).is_err() {
            return;
        }
    }
}

/// How long and how much a closing client is still listened to.
struct Farewell {
    deadline: Instant,
    bytes_left: usize,
}

impl Farewell {
    fn begin(client: &TcpStream, bounds: &Bounds) -> Farewell {
        // A failure means that it is closed already, which the first read tells.
        let _ = client.shutdown(Shutdown::Write);
        let deadline = Instant::now() + bounds.linger_wait;
        Farewell { deadline, bytes_left: bounds.linger_bytes_max }
    }

    /// Discards what is there.
    fn discard(&mut self, client: &TcpStream) -> Result<(), Gone> {
        let mut rest = [0; 16 << 10];
        let count = wire::receive(client, &mut rest)?;
        self.bytes_left = self.bytes_left.checked_sub(count).ok_or(Gone)?;
        Ok(())
    }
}

/// The refused clients the accept loop looks after.
pub struct Rejected {
    bounds: Bounds,
    clients: Vec<Leaving>,
}

struct Leaving {
    client: TcpStream,
    /// Until when its request is waited for, as long as there is no farewell.
    deadline: Instant,
    farewell: Option<Farewell>,
}

impl Rejected {
    /// Makes an empty list.
    pub fn new(bounds: Bounds) -> Rejected {
        Rejected { bounds, clients: Vec::new() }
    }

    /// Takes over a client for which there is no room.
    ///
    /// It is told so once its request has begun: how depends on what it asks for, and a browser
    /// takes an answer on a connection it opened in reserve for that to its next request. Silent
    /// ones are closed silently. When too many are turned away at once, they are told bluntly.
    pub fn add(&mut self, client: TcpStream) {
        if self.clients.len() >= TURNED_AWAY_MAX {
            let _ = wire::send(&client, &Refusal::Busy.response(Manner::new("GET", "/")));
            return;
        }
        let deadline = Instant::now() + self.bounds.linger_wait;
        self.clients.push(Leaving { client, deadline, farewell: None });
    }

    /// Adds the clients to what the accept loop waits for.
    pub fn watch<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        fds.extend(self.clients.iter().map(|l| PollFd::new(&l.client, PollFlags::IN)));
    }

    /// Does what can be done without waiting, and forgets who is gone or out of time.
    pub fn attend(&mut self) {
        let now = Instant::now();
        self.clients.retain_mut(|leaving| {
            let deadline = leaving.farewell.as_ref().map_or(leaving.deadline, |f| f.deadline);
            now < deadline && leaving.step(&self.bounds).is_ok()
        });
    }
}

impl Leaving {
    fn step(&mut self, bounds: &Bounds) -> Result<(), Gone> {
        if let Some(farewell) = &mut self.farewell {
            return farewell.discard(&self.client);
        }
        let mut start = [0; 2 << 10];
        let count = wire::receive(&self.client, &mut start)?;
        if count > 0 {
            // A fresh connection's send buffer takes the whole of it.
            wire::send(&self.client, &Refusal::Busy.response(Manner::of(&start[..count])))?;
            self.farewell = Some(Farewell::begin(&self.client, bounds));
        }
        Ok(())
    }
}
