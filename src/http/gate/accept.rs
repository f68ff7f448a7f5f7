//! The accept loop: gives each connection a permit and a thread, or rejects it.
//!
//! No error ends it: an accept error (no free descriptors, a client already gone) is logged once
//! per streak and retried after a pause, and nothing here blocks on a client.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::Shared;
use super::connection;
use super::connection_limit::Permit;
use super::rejected::Rejected;
use super::wire;
use crate::types::limits::{ACCEPT_PAUSE, CLOSING_CHECK_EVERY, STACK_BYTES};

/// Accepts from `listener` (in non-blocking mode) until `closing`.
pub fn run(listener: &TcpListener, shared: &Arc<Shared>, closing: &AtomicBool) {
    let mut acceptor = Acceptor { listener, errors: 0 };
    let mut rejected = Rejected::new(shared.bounds.clone());
    while !closing.load(Ordering::Relaxed) {
        let mut fds = vec![PollFd::new(listener, PollFlags::IN)];
        rejected.watch(&mut fds);
        let ready = wire::wait_any(&mut fds, Some(Instant::now() + CLOSING_CHECK_EVERY));
        let is_ready = !fds[0].revents().is_empty();
        drop(fds);
        rejected.serve();
        if ready.is_err() {
            thread::sleep(ACCEPT_PAUSE);
        }
        let client = if is_ready { acceptor.accept() } else { None };
        if let Some(client) = client.and_then(|(client, address)| permit(client, address, shared)) {
            rejected.add(client);
        }
    }
}

/// The listener and how many accepts in a row have failed.
pub(super) struct Acceptor<'a> {
    pub(super) listener: &'a TcpListener,
    pub(super) errors: u32,
}

impl Acceptor<'_> {
    /// Accepts one connection, if one is still waiting; pauses after an error.
    pub(super) fn accept(&mut self) -> Option<(TcpStream, IpAddr)> {
        match self.listener.accept() {
            Ok((client, address)) => {
                if self.errors > 0 {
                    log::info!("gate: accepting again, after {} errors", self.errors);
                    self.errors = 0;
                }
                // A dual-stack listener reports IPv4 clients as IPv6: count both forms as one
                // address.
                Some((client, address.ip().to_canonical()))
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock) => None,
            Err(e) => {
                if self.errors == 0 {
                    log::warn!("gate: cannot accept connections, retrying: {e}");
                }
                self.errors = self.errors.saturating_add(1);
                thread::sleep(ACCEPT_PAUSE);
                None
            }
        }
    }
}

/// Serves `client` on its own thread; returns it if no permit or no thread is available.
fn permit(client: TcpStream, address: IpAddr, shared: &Arc<Shared>) -> Option<TcpStream> {
    let Some(permit) = shared.connection_limit.take(address) else {
        return Some(client);
    };
    // Sent after the thread has started: a closure that cannot be spawned would drop the client.
    let (hand, handed) = mpsc::sync_channel(1);
    match spawn(handed, address, Arc::clone(shared)) {
        Ok(()) => hand.send((client, permit)).err().map(|unsent| unsent.0.0),
        Err(e) => {
            log::warn!("gate: cannot start a thread for a connection: {e}");
            Some(client)
        }
    }
}

fn spawn(
    handed: mpsc::Receiver<(TcpStream, Permit)>,
    address: IpAddr,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let serve = move || {
        if let Ok((client, permit)) = handed.recv() {
            // Dropped before the socket closes: a client that has seen its connection end must not
            // be refused the next one because of it.
            let _permit = permit;
            connection::serve(&client, address, &shared);
        }
    };
    thread::Builder::new().name("gate".into()).stack_size(STACK_BYTES).spawn(serve).map(drop)
}
