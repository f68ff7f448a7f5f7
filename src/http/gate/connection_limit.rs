//! The connection limit: how many connections may be open, in total and per address.
//!
//! A permit is taken before a connection gets its thread and is given back when it is dropped,
//! which a panic does too. The total is lowered to what the limit of open files allows, because
//! tiny_http's accept thread ends for good at the first failed accept.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::bounds::Bounds;
use crate::types::error::{Error, Kind};
use crate::types::limits::{DESCRIPTORS_PER_CONNECTION, DESCRIPTORS_RESERVED};

/// Counts the open connections of one gate and bounds them.
pub struct ConnectionLimit {
    in_all_max: usize,
    per_address_max: usize,
    loopback_max: usize,
    taken: Mutex<OpenConnections>,
}

#[derive(Default)]
struct OpenConnections {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Counts one connection as open until it is dropped.
pub struct Permit {
    connection_limit: Arc<ConnectionLimit>,
    address: IpAddr,
}

impl ConnectionLimit {
    /// Makes a limit with the bounds of `bounds`, with no connection open.
    pub fn new(bounds: Bounds) -> ConnectionLimit {
        ConnectionLimit {
            in_all_max: bounds.connections_max,
            per_address_max: bounds.connections_per_address_max,
            loopback_max: bounds.connections_loopback_max,
            taken: Mutex::default(),
        }
    }

    /// Takes a permit for `address`; `None` if the total or that address is at its limit.
    pub fn take(self: &Arc<ConnectionLimit>, address: IpAddr) -> Option<Permit> {
        let most = if address.is_loopback() { self.loopback_max } else { self.per_address_max };
        let mut taken = self.taken();
        let of_address = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.in_all >= self.in_all_max || of_address >= most {
            return None;
        }
        taken.in_all += 1;
        taken.by_address.insert(address, of_address + 1);
        Some(Permit { connection_limit: Arc::clone(self), address })
    }

    /// Nothing panics while this lock is held, so a poisoned one holds sound numbers.
    fn taken(&self) -> MutexGuard<'_, OpenConnections> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.connection_limit.taken();
        taken.in_all -= 1;
        let left = taken.by_address.get(&self.address).copied().unwrap_or(1) - 1;
        match left {
            0 => taken.by_address.remove(&self.address),
            _ => taken.by_address.insert(self.address, left),
        };
    }
}

/// Lowers `connections_max` to what the limit of open files allows, after raising its soft limit as
/// far as needed.
pub fn within_descriptors(bounds: &Bounds) -> Result<Bounds, Error> {
    let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    let elsewhere = open + DESCRIPTORS_RESERVED;
    let needed = elsewhere + bounds.connections_max as u64 * DESCRIPTORS_PER_CONNECTION;
    let limit = raise_descriptors(needed);
    let connections = connections_within(limit, elsewhere, bounds.connections_max);
    if connections == 0 {
        return Err(Error::new(
            Kind::Environment,
            format!("cannot serve with a limit of {limit} open files: {needed} are needed"),
            "Raise the limit, with `ulimit -n 1024` for instance, and start again.",
        ));
    }
    if connections < bounds.connections_max {
        log::warn!(
            "gate: the limit of {limit} open files allows {connections} connections instead of {}",
            bounds.connections_max
        );
    }
    Ok(Bounds { connections_max: connections, ..bounds.clone() })
}

/// Returns how many connections `limit` descriptors allow when `elsewhere` of them are in use.
fn connections_within(limit: u64, elsewhere: u64, most: usize) -> usize {
    let allowed = limit.saturating_sub(elsewhere) / DESCRIPTORS_PER_CONNECTION;
    usize::try_from(allowed).unwrap_or(most).min(most)
}

/// Raises the soft limit of open files towards `needed`, up to the hard limit; returns it.
fn raise_descriptors(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    let wanted = needed.min(limit.maximum.unwrap_or(u64::MAX));
    if soft >= wanted {
        return soft;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_allow_few_connections_and_many_no_more_than_asked() {
        assert_eq!(connections_within(1024, 110, 128), 128);
        assert_eq!(connections_within(256, 110, 128), 24);
        assert_eq!(connections_within(100, 110, 128), 0);
        assert_eq!(connections_within(u64::MAX, 110, 128), 128);
    }

    #[test]
    fn loopback_and_other_addresses_have_bounds_of_their_own() {
        let bounds = Bounds {
            connections_max: 5,
            connections_per_address_max: 1,
            connections_loopback_max: 2,
            ..Bounds::default()
        };
        let connection_limit = Arc::new(ConnectionLimit::new(bounds));
        let [here, there] =
            ["127.0.0.1", "192.0.2.1"].map(|a| a.parse::<IpAddr>().expect("address"));
        let kept = [
            connection_limit.take(here),
            connection_limit.take(here),
            connection_limit.take(there),
        ];
        assert!(kept.iter().all(Option::is_some));
        assert!(connection_limit.take(here).is_none() && connection_limit.take(there).is_none());
        drop(kept);
        assert!(connection_limit.take(there).is_some());
        assert!(
            connection_limit.taken().by_address.is_empty(),
            "an address without connections is forgotten"
        );
    }
}
