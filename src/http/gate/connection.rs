//! One connection, from its first byte to its last: head, body, relay, or a refusal.
//!
//! Runs on a thread of its own and ends with it. Everything it takes (permit, visitor, sockets) is
//! given back by being dropped, so that a panic gives it back as well.

use std::net::{IpAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io;
use rustix::net::sockopt;

use super::Shared;
use super::body;
use super::head::{self, Head};
use super::refusal::{Manner, Refusal, Stop};
use super::rejected::{close_gently, refuse};
use super::relay::{self, Asked, Outcome};
use super::wire;
use crate::types::limits::{PROBE_AFTER, PROBE_EVERY, SEND_BUFFER_BYTES};

/// Serves the one request of `client`.
pub fn serve(client: &TcpStream, address: IpAddr, shared: &Shared) {
    if let Err(e) = tune(client, shared.bounds.write_wait) {
        log::debug!("gate: a socket option was refused: {e}");
    }
    let mut arrived = Vec::new();
    let (manner, served) = match head::read(client, &mut arrived, &shared.bounds) {
        Ok(head) => (head.manner(), deliver(client, address, &head, arrived, shared)),
        Err(stop) => (Manner::of(&arrived), Err(stop)),
    };
    if let Err(Stop::Refused(refusal)) = served {
        refuse(client, &refusal, manner, &shared.bounds);
    }
}

/// Reads the body, hands the request to tiny_http, and stays until it is answered.
fn deliver(
    client: &TcpStream,
    address: IpAddr,
    head: &Head,
    arrived: Vec<u8>,
    shared: &Shared,
) -> Result<(), Stop> {
    let body = body::read(client, head, arrived, &shared.bounds)?;
    // A client that hangs up meanwhile has given its turn away, which makes nobody else later.
    let pace = if head.only_looks() { &shared.looks } else { &shared.questions };
    if wire::wait(client, PollFlags::RDHUP, pace.turn(address, Instant::now()))? {
        return Err(Stop::Gone);
    }
    let busy = |e| {
        // Said once for as long as it lasts.
        if !shared.is_cut_off.swap(true, Ordering::Relaxed) {
            log::error!("gate: cannot reach the server: {e}");
        }
        Refusal::Busy
    };
    // Declared before the visit, and thus closed after it: a server whose write fails because the
    // visitor left finds it marked so.
    let server = shared.backend_socket.connect().map_err(busy)?;
    let visit = shared.visitors.enter(address).map_err(busy)?;
    shared.is_cut_off.store(false, Ordering::Relaxed);
    let mut request = head.relayed(visit.id(), body.len());
    request.extend_from_slice(&body);
    drop(body);
    let asked = if head.asks_for_head_only() { Asked::HeadOnly } else { Asked::Everything };
    match relay::run(client, &server, request, asked, &shared.bounds) {
        Outcome::Served => visit.served(),
        Outcome::ServedSurplus => {
            visit.served();
            drop(server);
            close_gently(client, &shared.bounds);
        }
        Outcome::Left => drop(visit),
        Outcome::Unanswered => return Err(Refusal::Unanswered.into()),
    }
    Ok(())
}

/// Makes a socket send each event at once, and find out by itself that its other end has vanished
/// without a goodbye (power cut, radio gone).
fn tune(client: &TcpStream, write_wait: Duration) -> io::Result<()> {
    sockopt::set_tcp_nodelay(client, true)?;
    sockopt::set_socket_send_buffer_size(client, SEND_BUFFER_BYTES)?;
    sockopt::set_socket_keepalive(client, true)?;
    sockopt::set_tcp_keepidle(client, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(client, PROBE_EVERY)?;
    // Bounds unanswered probes and unacknowledged data alike.
    sockopt::set_tcp_user_timeout(client, u32::try_from(write_wait.as_millis()).unwrap_or(u32::MAX))
}
