//! One connection, from its first byte to its last: head, body, relay, or a refusal.
//!
//! Runs on a thread of its own. All it acquires (permit, visitor, sockets) is released on drop, so
//! a panic releases it as well.

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
use super::relay::{self, RelayOutcome, ResponseScope};
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
    // A client that hangs up while it waits has spent its slot; nobody else is delayed by that.
    let rate_limit = if head.is_safe() { &shared.reads } else { &shared.writes };
    if wire::wait(client, PollFlags::RDHUP, rate_limit.next_slot(address, Instant::now()))? {
        return Err(Stop::Gone);
    }
    let busy = |e| {
        // Logged once per outage.
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
    let scope =
        if head.asks_for_head_only() { ResponseScope::HeadOnly } else { ResponseScope::Everything };
    match relay::run(client, &server, request, scope, &shared.bounds) {
        RelayOutcome::Served => visit.served(),
        RelayOutcome::ServedSurplus => {
            visit.served();
            drop(server);
            close_gently(client, &shared.bounds);
        }
        RelayOutcome::Left => drop(visit),
        RelayOutcome::Unanswered => return Err(Refusal::Unanswered.into()),
    }
    Ok(())
}

/// Makes a socket send each event at once, and detect by itself a peer that vanished without
/// closing (power cut, lost radio link).
fn tune(client: &TcpStream, write_wait: Duration) -> io::Result<()> {
    sockopt::set_tcp_nodelay(client, true)?;
    sockopt::set_socket_send_buffer_size(client, SEND_BUFFER_BYTES)?;
    sockopt::set_socket_keepalive(client, true)?;
    sockopt::set_tcp_keepidle(client, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(client, PROBE_EVERY)?;
    // Bounds unanswered probes and unacknowledged data alike.
    sockopt::set_tcp_user_timeout(client, u32::try_from(write_wait.as_millis()).unwrap_or(u32::MAX))
}
