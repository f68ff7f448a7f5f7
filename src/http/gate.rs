//! The gate: the public listener in front of tiny_http, which is not safe to expose.
//!
//! tiny_http 0.12 allocates what a `Content-Length` claims, stops accepting at the first error, has
//! no time-outs and notices a vanished client only when it writes to it. So the gate accepts TCP,
//! limits connections and requests per second, reads one request per connection under bounds and
//! deadlines, and relays it over a private Unix socket to tiny_http, which therefore sees only
//! well-formed, complete requests. A client that hangs up is reported at once
//! ([`Visitor::on_leave`]).
//!
//! `http/mod.rs` binds a gate, starts tiny_http on the listener it gets, and calls [`Gate::run`] on
//! a thread of its own. The gate knows no routes and keeps no connection alive: one request each.

mod accept;
mod backend_socket;
mod body;
mod bounds;
mod connection;
mod connection_limit;
mod connections;
mod head;
mod rate_limit;
mod refusal;
mod rejected;
mod relay;
mod wire;

#[cfg(test)]
mod tests;

pub use connections::{Connections, Visitor};

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;
use backend_socket::BackendSocket;
use bounds::Bounds;
use connection_limit::ConnectionLimit;
use rate_limit::{Rate, RateLimit};

/// The request header that carries a client's connection ID for [`Connections::find`]; the gate
/// sets it and strips any a client sends.
pub const VISITOR_HEADER: &str = "X-Solverbox-Visitor";

/// The public listener and everything its connections share.
pub struct Gate {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connection threads share; it outlives the gate while one of them runs.
struct Shared {
    bounds: Bounds,
    /// For safe methods (GET, HEAD, OPTIONS), limited apart from the others so that a question does
    /// not wait behind a flood of reads.
    reads: RateLimit,
    writes: RateLimit,
    backend_socket: BackendSocket,
    connection_limit: Arc<ConnectionLimit>,
    visitors: Arc<Connections>,
    /// Whether tiny_http could not be reached last time, so that this is logged once.
    is_cut_off: AtomicBool,
}

impl Gate {
    /// Binds the public `address` and a private socket in `private_dir`.
    ///
    /// Returns the gate and the listener that tiny_http is to be started on. The socket is already
    /// unlinked when this returns, so nothing is left on disk however the process ends. Raises the
    /// soft limit of open files if needed, and admits fewer connections if it cannot.
    ///
    /// # Errors
    /// `environment` if the address cannot be listened on, the directory cannot hold a socket, or
    /// the limit of open files leaves no room; `internal` if `/proc` is not mounted.
    pub fn bind(address: SocketAddr, private_dir: &Path) -> Result<(Gate, UnixListener), Error> {
        Gate::bind_within(address, private_dir, Bounds::default())
    }

    fn bind_within(
        address: SocketAddr,
        private_dir: &Path,
        bounds: Bounds,
    ) -> Result<(Gate, UnixListener), Error> {
        let listener = TcpListener::bind(address).map_err(|e| cannot_listen(address, &e))?;
        // The accept loop polls; a connection that is gone when it accepts must not block it.
        listener.set_nonblocking(true).map_err(|e| cannot_listen(address, &e))?;
        let address = listener.local_addr().map_err(|e| cannot_listen(address, &e))?;
        let visitors = Arc::new(Connections::default());
        let (backend_socket, private) = BackendSocket::open(private_dir)?;
        let connection_limit =
            Arc::new(ConnectionLimit::new(connection_limit::within_descriptors(&bounds)?));
        let (reads, writes) = (rate_limit(), rate_limit());
        let is_cut_off = AtomicBool::new(false);
        let shared = Arc::new(Shared {
            bounds,
            reads,
            writes,
            backend_socket,
            connection_limit,
            visitors,
            is_cut_off,
        });
        Ok((Gate { listener, address, shared }, private))
    }

    /// Returns the address the gate listens on, with the assigned port if 0 was requested.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the table of clients whose requests are being answered.
    pub fn visitors(&self) -> Arc<Connections> {
        Arc::clone(&self.shared.visitors)
    }

    /// Accepts connections until `closing` is set, then stops listening and returns.
    ///
    /// Blocks; notices `closing` within 200 ms. No accept error ends it. Open connections
    /// continue on their own threads.
    pub fn run(self, closing: &AtomicBool) {
        accept::run(&self.listener, &self.shared, closing);
    }
}

fn rate_limit() -> RateLimit {
    let of_each = Rate {
        per_second: limits::ADDRESS_REQUESTS_PER_SECOND,
        burst: limits::ADDRESS_REQUESTS_BURST,
    };
    let of_all = Rate { per_second: limits::REQUESTS_PER_SECOND, burst: limits::REQUESTS_BURST };
    RateLimit::new(of_each, of_all)
}

/// Returns the request that tiny_http would receive if a client sent `bytes` and hung up, or `None`
/// if it would be refused or is incomplete. Used by the fuzz targets.
pub fn relayed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, length) = head::parse(bytes).ok()??;
    let (client, gone) = std::os::unix::net::UnixStream::pair().ok()?;
    drop(gone);
    let body = body::read(&client, &head, bytes[length..].to_vec(), &Bounds::default()).ok()?;
    Some([head.relayed("visitor", body.len()), body].concat())
}

fn cannot_listen(address: SocketAddr, e: &io::Error) -> Error {
    let remedy = match e.kind() {
        ErrorKind::AddrInUse => "Stop the other program or choose another port with --listen.",
        ErrorKind::PermissionDenied => "Choose a port above 1023 with --listen.",
        ErrorKind::AddrNotAvailable => {
            "Choose an address of this machine with --listen; 0.0.0.0 means all of them."
        }
        _ => "Choose another address with --listen.",
    };
    Error::new(Kind::Environment, format!("cannot listen on '{address}': {}", io_cause(e)), remedy)
}
