//! The gate's bounds in one struct, so that tests can use milliseconds where clients get seconds.
//!
//! The defaults come from `types/limits`.

use std::time::Duration;

use crate::types::limits;

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
    pub reply_wait: Duration,
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
            reply_wait: limits::REPLY_WAIT,
            linger_wait: limits::LINGER_WAIT,
            linger_bytes_max: limits::LINGER_BYTES_MAX,
        }
    }
}
