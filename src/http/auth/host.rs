//! Checks the Host header against DNS rebinding.
//!
//! A foreign site can make its own name resolve to this box's address and then read replies as its
//! own. Its requests still carry that name in `Host`. So the box answers only to names that no
//! other site can have: addresses, `localhost`, its own host name, that of a container's host, and
//! those the owner gives it (`--host-name`). `identity` checks every request; `origin` compares a
//! page's host with it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::http::alarm::quoted;
use crate::types::error::{Error, Kind};
use crate::types::limits::HOST_NAME_BYTES_MAX;

/// Where Linux keeps the host name. Read each time: a board may get its name from the network after
/// the box has started.
const MACHINE_NAME: &str = "/proc/sys/kernel/hostname";

/// The name by which programs in a container reach the machine that runs it (Docker, Podman).
const CONTAINER_HOST: &str = "host.docker.internal";

/// Domains of local networks, which nobody can register: multicast DNS (RFC 6762), many routers'
/// own, and that of home networks (RFC 8375).
const LOCAL_DOMAINS: [&str; 3] = ["local", "lan", "home.arpa"];

/// A host and a port, as `Host` and `Origin` name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// In lower case, without a trailing dot.
    Name(String),
}

impl Authority {
    /// Reads `name`, `name:port`, `192.168.1.7:80`, `[::1]:80`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Authority> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (text, ""),
        };
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        let port = match port {
            "" => None,
            port => Some(port.parse().ok().filter(|_| digits)?),
        };
        Some(Authority { host: Host::parse(host)?, port })
    }

    /// Returns whether both name the same host and port, given the protocol's default port.
    pub fn is_same(&self, other: &Authority, usual_port: u16) -> bool {
        let port = |authority: &Authority| authority.port.unwrap_or(usual_port);
        self.host == other.host && port(self) == port(other)
    }
}

impl Host {
    fn parse(text: &str) -> Option<Host> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse().ok().map(Host::V6);
        }
        if let Ok(address) = text.parse() {
            return Some(Host::V4(address));
        }
        name(text).map(Host::Name)
    }
}

/// Normalizes a host name for comparison; `None` if it is not a valid one.
pub fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(usual);
    let fits = text.len() <= HOST_NAME_BYTES_MAX && text.split('.').all(is_label);
    fits.then(|| text.to_ascii_lowercase())
}

/// The host names a box answers to.
pub struct Hosts {
    /// Normalized by [`name`].
    named: Vec<String>,
}

impl Hosts {
    /// Makes the set of names, with the owner's own in `named`.
    pub fn new(named: &[String]) -> Hosts {
        Hosts { named: named.iter().filter_map(|text| name(text)).collect() }
    }

    /// Checks the `Host` of a request.
    ///
    /// # Errors
    /// `misdirected` for another host's name; `bad_request` if the header is missing.
    pub fn check(&self, host: Option<&str>) -> Result<(), Error> {
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            return Err(Error::bad_request(
                "the request lacks a Host header",
                "Send one, as HTTP/1.1 requires.",
            ));
        };
        let allowed = match Authority::parse(host) {
            Some(Authority { host: Host::V4(_) | Host::V6(_), .. }) => true,
            Some(Authority { host: Host::Name(name), .. }) => self.answers_to(&name),
            None => false,
        };
        if allowed {
            return Ok(());
        }
        Err(Error::new(
            Kind::Misdirected,
            format!("this box does not answer to the name {}", quoted(host)),
            "Open it by its address, or start it with --host-name and this name.",
        ))
    }

    fn answers_to(&self, name: &str) -> bool {
        name == "localhost"
            || name == CONTAINER_HOST
            || self.named.iter().any(|named| named == name)
            || machine_name().is_some_and(|machine| is_machine(name, &machine))
    }
}

/// Returns whether `name` means the machine named `machine`, which may include its domain.
fn is_machine(name: &str, machine: &str) -> bool {
    let short = machine.split('.').next().unwrap_or(machine);
    let rest = name.strip_prefix(short).unwrap_or_default();
    let domain = rest.strip_prefix('.').unwrap_or_default();
    name == machine || name == short || LOCAL_DOMAINS.contains(&domain)
}

/// Returns the machine's host name, normalized by [`name`].
pub fn machine_name() -> Option<String> {
    // The kernel keeps 64 bytes of it.
    std::fs::read_to_string(MACHINE_NAME).ok().and_then(|text| name(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(&["Solver.School.example.".into(), "kiosk".into()])
    }

    #[test]
    fn addresses_and_the_boxs_own_names_are_answered_whatever_their_spelling() {
        let machine = machine_name().expect("Linux says how this machine is called");
        let short = machine.split('.').next().unwrap().to_uppercase();
        for host in [
            "127.0.0.1",
            "192.168.1.7:7860",
            "[::1]",
            "[fe80::1]:80",
            "[::ffff:10.0.0.1]:80",
            "0.0.0.0:1",
            "localhost",
            "LOCALHOST:7860",
            "localhost.",
            "localhost.:80",
            "localhost:",
            "solver.school.example",
            "SOLVER.school.example.:443",
            "Kiosk:80",
            &machine,
            &format!("{machine}:7860"),
            &format!("{short}.LOCAL"),
            &format!("{short}.local.:80"),
            &format!("{short}.lan:7860"),
            &format!("{short}.home.arpa"),
            "host.docker.internal:7860",
        ] {
            assert_eq!(hosts().check(Some(host)), Ok(()), "{host}");
        }
    }

    #[test]
    fn any_other_name_is_misdirected_and_the_way_out_is_said() {
        let long = "a".repeat(16_000);
        for host in [
            "attacker.example",
            "attacker.example:7860",
            "localhost.attacker.example",
            "host.docker.internal.attacker.example",
            "docker.internal",
            "attacker.lan",
            "attacker.home.arpa",
            "127.0.0.1.attacker.example",
            "school.example",
            "local",
            ".local",
            "solver.school.example..",
            "127.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "::1",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "[127.0.0.1]",
            "localhost:80:80",
            "localhost:+80",
            "localhost:65536",
            "localhost:http",
            "localhost, attacker.example",
            "user@localhost",
            "localhost/",
            " localhost",
            "http://localhost",
            ".",
            ":",
            ":80",
            &long,
        ] {
            let error = hosts().check(Some(host)).expect_err(host);
            assert_eq!(error.kind, Kind::Misdirected, "{host}");
            assert!(error.remedy.contains("--host-name") && error.message.len() < 400, "{error}");
        }
        for none in [None, Some("")] {
            assert_eq!(hosts().check(none).unwrap_err().kind, Kind::BadRequest);
        }
    }

    #[test]
    fn a_machine_with_a_domain_is_known_with_it_without_it_and_in_local_domains() {
        for name in ["box", "box.school.lan", "box.local", "box.lan", "box.home.arpa"] {
            assert!(is_machine(name, "box.school.lan"), "{name}");
        }
        for name in
            ["box.school", "box.arpa", "school.lan", "local", "lan", "xbox.local", "x.box.lan"]
        {
            assert!(!is_machine(name, "box.school.lan"), "{name}");
        }
    }

    #[test]
    fn a_port_left_out_is_the_usual_one() {
        let at = |text| Authority::parse(text).unwrap();
        assert!(at("box").is_same(&at("BOX.:80"), 80));
        assert!(at("[::1]:443").is_same(&at("[0:0::1]"), 443));
        assert!(!at("box").is_same(&at("box:8080"), 80));
        assert!(!at("box").is_same(&at("box2"), 80));
        assert!(!at("127.0.0.1").is_same(&at("localhost"), 80));
    }
}
