//! The addresses at which other devices reach the box, for `/api/box`.
//!
//! The page shows them to people who want to open it on another device. They are read from /proc
//! and /sys each time, because a board may get an address after the box has started. Nothing is
//! sent.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::auth::host::machine_name;
use crate::types::limits;

/// Where avahi-daemon listens, which answers for the machine's `.local` name.
const MDNS_SOCKET: &str = "run/avahi-daemon/socket";

/// Flags of an IPv6 address that is not for others to use (if_addr.h): temporary, failed the check
/// for duplicates, deprecated, or not checked yet.
const UNSUITABLE_FLAGS: u32 = 0x01 | 0x08 | 0x20 | 0x40;

/// Returns where other devices reach a box that listens on `listen`, the best first: its numeric
/// addresses as `http://ADDRESS:PORT`, then its `.local` name if something answers for that.
pub fn reachable(listen: SocketAddr) -> Vec<String> {
    reachable_from(Path::new("/"), listen)
}

fn reachable_from(root: &Path, listen: SocketAddr) -> Vec<String> {
    let port = listen.port();
    let listened = listen.ip().to_canonical();
    if listened.is_loopback() {
        return Vec::new();
    }
    if !listened.is_unspecified() {
        let own = Some(listened).filter(|ip| !is_link_local_v6(*ip));
        return own.map(|ip| url(ip, port)).into_iter().collect();
    }
    // A socket for all IPv6 addresses accepts IPv4 too.
    let mut found = ipv4(root);
    if listened.is_ipv6() {
        found.extend(ipv6(root));
    }
    found.sort_by_key(|(rank, _)| *rank);
    let name = Some(root.join(MDNS_SOCKET)).filter(|socket| socket.exists());
    let name = name.and_then(|_| machine_name());
    let name = name.map(|name| {
        let short = name.split('.').next().unwrap_or(&name);
        format!("http://{short}.local:{port}")
    });
    let numeric = found.into_iter().map(|(_, ip)| url(ip, port));
    numeric.take(limits::ADDRESSES_MAX).chain(name).collect()
}

fn url(ip: IpAddr, port: u16) -> String {
    format!("http://{}", SocketAddr::new(ip, port))
}

/// Browsers cannot open these: they need the name of an interface.
fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// How likely an address is to be the one that others use; the best comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Of an interface that leads to the rest of the network.
    DefaultRoute,
    /// Of another interface, such as a board's own access point.
    OtherInterface,
    Ipv6,
    /// Self-assigned, over a cable without a router.
    LinkLocal,
}

fn ipv4(root: &Path) -> Vec<(Rank, IpAddr)> {
    let routes = read(&root.join("proc/net/route"));
    let routes: Vec<KernelRoute> = routes.lines().filter_map(KernelRoute::parse).collect();
    let leads_out =
        |name: &str| routes.iter().any(|route| route.interface == name && route.is_default());
    let ranked = |ip: Ipv4Addr| {
        let route = routes.iter().filter(|route| route.connects(ip)).max_by_key(|r| r.mask);
        let interface = route.map(|route| route.interface.as_str());
        let rank = match interface {
            _ if ip.is_link_local() => Rank::LinkLocal,
            Some(name) if leads_out(name) => Rank::DefaultRoute,
            _ => Rank::OtherInterface,
        };
        interface.is_none_or(|name| is_in_use(root, name)).then_some((rank, IpAddr::V4(ip)))
    };
    local_ipv4(&read(&root.join("proc/net/fib_trie"))).into_iter().filter_map(ranked).collect()
}

/// Returns the machine's IPv4 addresses but loopback, from the kernel's routing tables. They list
/// an address of the machine as `|-- ADDRESS`, followed by `/32 host LOCAL`, once in each table.
fn local_ipv4(trie: &str) -> Vec<Ipv4Addr> {
    let (mut found, mut last) = (Vec::new(), None);
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL"
            && let Some(address) = last.filter(|ip| !ip.is_loopback() && !found.contains(ip))
        {
            found.push(address);
        }
    }
    found
}

/// A line of /proc/net/route.
struct KernelRoute {
    interface: String,
    destination: u32,
    gateway: u32,
    mask: u32,
}

impl KernelRoute {
    fn parse(line: &str) -> Option<KernelRoute> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // The kernel writes the bytes of an address as if they were a number of this machine.
        let number = |at: usize| {
            let number = u32::from_str_radix(fields.get(at)?, 16).ok()?;
            Some(u32::from_be_bytes(number.to_ne_bytes()))
        };
        Some(KernelRoute {
            interface: fields.first()?.to_string(),
            destination: number(1)?,
            gateway: number(2)?,
            mask: number(7)?,
        })
    }

    fn is_default(&self) -> bool {
        self.mask == 0
    }

    /// Returns whether the address is in the interface's own network.
    fn connects(&self, ip: Ipv4Addr) -> bool {
        self.gateway == 0 && self.mask != 0 && ip.to_bits() & self.mask == self.destination
    }
}

fn ipv6(root: &Path) -> Vec<(Rank, IpAddr)> {
    let lines = read(&root.join("proc/net/if_inet6"));
    let address = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [digits, _, _, scope, flags, interface] = fields.as_slice() else { return None };
        let ip = Ipv6Addr::from_bits(u128::from_str_radix(digits, 16).ok()?);
        let is_suitable = u32::from_str_radix(flags, 16).ok()? & UNSUITABLE_FLAGS == 0;
        let is_global = *scope == "00" && !is_link_local_v6(ip.into()) && !ip.is_loopback();
        let serves = is_suitable && is_global && is_in_use(root, interface);
        serves.then_some((Rank::Ipv6, ip.into()))
    };
    lines.lines().filter_map(address).collect()
}

/// Returns whether an interface connects to other devices: it is not down, and not a bridge between
/// the containers of this machine alone.
fn is_in_use(root: &Path, name: &str) -> bool {
    let interface = root.join("sys/class/net").join(name);
    let is_down = read(&interface.join("operstate")).trim() == "down";
    !is_down && (!interface.join("bridge").exists() || has_device(root, name))
}

/// Returns whether a device is behind one of a bridge's interfaces.
fn has_device(root: &Path, bridge: &str) -> bool {
    let interfaces = root.join("sys/class/net");
    let Ok(ports) = std::fs::read_dir(interfaces.join(bridge).join("brif")) else { return false };
    let mut ports = ports.filter_map(Result::ok);
    ports.any(|port| interfaces.join(port.file_name()).join("device").exists())
}

/// Reads the beginning of a file; one that cannot be read is empty.
fn read(file: &Path) -> String {
    let mut text = Vec::new();
    let opened = File::open(file).map(|opened| opened.take(limits::NETWORK_FILE_BYTES_MAX));
    // What was read before an error counts.
    let _ = opened.and_then(|mut opened| opened.read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 10.42.0.0/24 2 0 2
           |-- 10.42.0.1
              /32 host LOCAL
     |-- 169.254.7.7
        /32 host LOCAL
     |-- 172.17.0.1
        /32 host LOCAL
     |-- 172.18.0.1
        /32 host LOCAL
     +-- 192.168.1.0/24 2 0 2
           |-- 192.168.1.7
              /32 host LOCAL
        |-- 192.168.1.255
           /32 link BROADCAST
Local:
           |-- 192.168.1.7
              /32 host LOCAL
";

    /// A route as the kernel of this machine writes it.
    fn route(interface: &str, destination: [u8; 4], gateway: [u8; 4], mask: [u8; 4]) -> String {
        let hex = |bytes| format!("{:08X}", u32::from_ne_bytes(bytes));
        let [destination, gateway, mask] = [destination, gateway, mask].map(hex);
        format!("{interface}\t{destination}\t{gateway}\t0003\t0\t0\t0\t{mask}\t0\t0\t0\n")
    }

    /// A board on a cabled network that is an access point too, with two bridges for containers.
    fn board() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write("proc/net/fib_trie", TRIE);
        let routes = [
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n".to_string(),
            route("eth0", [0; 4], [192, 168, 1, 1], [0; 4]),
            route("eth0", [192, 168, 1, 0], [0; 4], [255, 255, 255, 0]),
            route("br0", [10, 42, 0, 0], [0; 4], [255, 255, 255, 0]),
            route("docker0", [172, 17, 0, 0], [0; 4], [255, 255, 0, 0]),
            route("docker1", [172, 18, 0, 0], [0; 4], [255, 255, 0, 0]),
        ];
        write("proc/net/route", &routes.concat());
        write(
            "proc/net/if_inet6",
            "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n\
             fd000000000000000000000000000002 04 40 00 82     eth0\n\
             fd000000000000000000000000000003 04 40 00 01     eth0\n\
             00000000000000000000000000000001 01 80 10 80       lo\n",
        );
        write("sys/class/net/eth0/operstate", "up\n");
        write("sys/class/net/eth0/device/vendor", "");
        write("sys/class/net/wlan0/device/vendor", "");
        write("sys/class/net/br0/operstate", "up\n");
        write("sys/class/net/br0/bridge/bridge_id", "");
        write("sys/class/net/br0/brif/wlan0", "");
        write("sys/class/net/docker0/operstate", "up\n");
        write("sys/class/net/docker0/bridge/bridge_id", "");
        write("sys/class/net/docker0/brif/veth1", "");
        write("sys/class/net/docker1/operstate", "down\n");
        folder
    }

    fn found(folder: &Path, listen: &str) -> Vec<String> {
        reachable_from(folder, listen.parse().unwrap())
    }

    #[test]
    fn addresses_are_listed_the_likeliest_first_and_those_of_containers_left_out() {
        let board = board();
        let v4 = ["http://192.168.1.7:80", "http://10.42.0.1:80", "http://169.254.7.7:80"];
        assert_eq!(found(board.path(), "0.0.0.0:80"), v4);
        let both = [v4[0], v4[1], "http://[fd00::2]:80", v4[2]];
        assert_eq!(found(board.path(), "[::]:80"), both);
    }

    #[test]
    fn a_name_comes_last_if_something_answers_for_it() {
        let board = board();
        std::fs::create_dir_all(board.path().join("run/avahi-daemon")).unwrap();
        std::fs::write(board.path().join(MDNS_SOCKET), "").unwrap();
        let all = found(board.path(), "0.0.0.0:80");
        let machine = machine_name().unwrap();
        let short = machine.split('.').next().unwrap();
        assert_eq!(all.last().unwrap(), &format!("http://{short}.local:80"));
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn a_box_that_listens_on_one_address_has_no_other() {
        let board = board();
        for listen in ["127.0.0.1:80", "127.5.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(found(board.path(), listen), [""; 0], "{listen}");
        }
        assert_eq!(found(board.path(), "10.42.0.1:7860"), ["http://10.42.0.1:7860"]);
        assert_eq!(found(board.path(), "[fd00::2]:80"), ["http://[fd00::2]:80"]);
        assert_eq!(found(board.path(), "[fe80::1]:80"), [""; 0]);
    }

    #[test]
    fn what_cannot_be_read_or_makes_no_sense_is_left_out() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(found(empty.path(), "0.0.0.0:80"), [""; 0]);
        let folder = empty.path().join("proc/net");
        std::fs::create_dir_all(&folder).unwrap();
        for file in ["fib_trie", "route", "if_inet6"] {
            std::fs::write(folder.join(file), b"\xff |-- x\n/32 host LOCAL\n a b c\n").unwrap();
        }
        assert_eq!(found(empty.path(), "[::]:80"), [""; 0]);
    }
}
