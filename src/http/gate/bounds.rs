//! The gate's bounds in one struct, so that tests can wait milliseconds where people get seconds.
//!
//! The numbers are those of `words/limits`; those below are the gate's own plumbing.

use std::time::Duration;

use crate::words::limits;

/// Longest head of a response of our own server, in bytes; a longer one is a fault.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes a client may send after its request; they are thrown away, more of them end it.
pub const SURPLUS_BYTES_MAX: usize = 64 << 10;
/// Longest line of a chunked body (a chunk's size or a trailer), in bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 1 << 10;
/// Bytes the relay holds of a response on its way to the client.
pub const RELAY_BYTES: usize = 16 << 10;
/// Bytes the kernel may hold for one client that reads slowly; its own default is 4 MiB.
pub const SEND_BUFFER_BYTES: usize = 128 << 10;
/// Most refused connections kept a moment so that they can read why.
pub const TURNED_AWAY_MAX: usize = 32;
/// Stack of a connection thread, in bytes.
pub const STACK_BYTES: usize = 256 << 10;
/// Descriptors one connection may need: two here, two in tiny_http, two for a file it reads.
pub const DESCRIPTORS_PER_CONNECTION: u64 = 6;
/// Descriptors left to the rest of the process: model, journal, terminals, refused connections.
pub const DESCRIPTORS_RESERVED: u64 = 96;
/// Silence after which the kernel asks a client's machine whether it is still there.
pub const PROBE_AFTER: Duration = Duration::from_secs(15);
/// Time between two such questions.
pub const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How often the accept loop looks whether it is to end.
pub const CLOSING_LOOK: Duration = Duration::from_millis(100);

/// The bounds a gate works under.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub connections_loopback_max: usize,
    pub head_bytes_max: usize,
    pub head_wait: Duration,
    pub body_bytes_max: usize,
    pub body_wait: Duration,
    pub write_wait: Duration,
    pub linger_wait: Duration,
    pub linger_bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_address_max: limits::CONNECTIONS_PER_ADDRESS_MAX,
            connections_loopback_max: limits::CONNECTIONS_LOOPBACK_MAX,
            head_bytes_max: limits::HEAD_BYTES_MAX,
            head_wait: limits::HEAD_WAIT,
            body_bytes_max: limits::BODY_BYTES_MAX,
            body_wait: limits::BODY_WAIT,
            write_wait: limits::WRITE_WAIT,
            linger_wait: limits::LINGER_WAIT,
            linger_bytes_max: limits::LINGER_BYTES_MAX,
        }
    }
}
