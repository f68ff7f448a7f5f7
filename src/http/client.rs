//! Who asks: the box's own cookie, else an API key, else the address.
//!
//! The page brings its cookie to the browser. On loopback all programs have one address, so there
//! each connection without cookie and key is a client of its own. None of these marks proves
//! anything: who makes them up shares turns as several clients, and is held by what bounds
//! connections and the line. `routes` and the handlers ask; what a client may do is the desk's
//! business.

use std::net::IpAddr;

use tiny_http::Request;

use super::gate::{VISITOR_HEADER, Visitor, Visitors};
use super::reply::header;
use crate::words::job::Client;

const COOKIE: &str = "solverbox";
/// 128 bits in hexadecimal.
const COOKIE_DIGITS: usize = 32;
const YEAR_SECONDS: u32 = 31_536_000;

/// Returns the client that a request is from.
pub fn of(request: &Request, visitor: &Visitor) -> Client {
    let (cookies, authorization) = (header(request, "Cookie"), header(request, "Authorization"));
    let connection = header(request, VISITOR_HEADER).unwrap_or_default();
    known_by(cookies, authorization, visitor.address(), connection)
}

/// Returns the client whose a job that lasts is: a program of this machine without any mark comes
/// back over another connection, so all of them are one.
pub fn lasting(request: &Request, visitor: &Visitor) -> Client {
    let (cookies, authorization) = (header(request, "Cookie"), header(request, "Authorization"));
    match visitor.address() {
        address if address.is_loopback() => {
            known_by(cookies, authorization, address, &address.to_string())
        }
        address => known_by(cookies, authorization, address, ""),
    }
}

/// Returns the `Set-Cookie` that makes a browser without a cookie known; `None` where it has one,
/// or where no random number can be had: it is then known by its address.
pub fn cookie_for(request: &Request, visitors: &Visitors) -> Option<String> {
    if header(request, "Cookie").and_then(own_cookie).is_some() {
        return None;
    }
    match visitors.random() {
        Ok(random) => Some(format!(
            "{COOKIE}={random:032x}; HttpOnly; SameSite=Strict; Path=/; Max-Age={YEAR_SECONDS}"
        )),
        Err(error) => {
            log::warn!("cannot make a cookie: {error}");
            None
        }
    }
}

fn known_by(
    cookies: Option<&str>,
    authorization: Option<&str>,
    address: IpAddr,
    connection: &str,
) -> Client {
    if let Some(cookie) = cookies.and_then(own_cookie) {
        Client::of("cookie", cookie.as_bytes())
    } else if let Some(key) = authorization.and_then(api_key) {
        Client::of("key", key.as_bytes())
    } else if address.is_loopback() {
        Client::of("connection", connection.as_bytes())
    } else {
        Client::of("address", address.to_string().as_bytes())
    }
}

/// Returns the value of our cookie in a `Cookie` header (RFC 6265, 4.2.1); one that cannot be ours
/// counts as none, however long it is.
fn own_cookie(cookies: &str) -> Option<&str> {
    let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value);
    let digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    own.find(|value| value.len() == COOKIE_DIGITS && value.chars().all(digit))
}

/// Returns the key of `Authorization: Bearer KEY`; the scheme has no case (RFC 9110, 11.1).
fn api_key(authorization: &str) -> Option<&str> {
    let (scheme, key) = authorization.trim().split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIES: &str = "theme=dark; solverbox=0123456789abcdef0123456789abcdef; x=y";
    const OTHER: &str = "solverbox=ffffffffffffffffffffffffffffffff";

    fn known(cookies: Option<&str>, authorization: Option<&str>, address: &str) -> Client {
        known_by(cookies, authorization, address.parse().unwrap(), "connection 1")
    }

    #[test]
    fn a_cookie_comes_before_a_key_and_a_key_before_the_address() {
        let [here, there] = ["192.168.1.7", "192.168.1.8"];
        let cookie = known(Some(COOKIES), None, here);
        assert_eq!(cookie, known(Some(COOKIES), Some("Bearer k"), there));
        assert_ne!(cookie, known(Some(OTHER), None, here));
        let key = known(None, Some("Bearer k"), here);
        assert_eq!(key, known(Some("theme=dark"), Some("bearer  k "), there));
        assert_ne!(key, known(None, Some("Bearer K"), here));
        let address = known(None, None, here);
        assert_eq!(address, known(None, Some("Basic dTpw"), here));
        assert_ne!(address, known(None, None, there));
        assert_ne!(known(None, None, "fe80::1"), known(None, None, "fe80::2"));
    }

    #[test]
    fn on_loopback_each_connection_without_a_mark_is_a_client_of_its_own() {
        for address in ["127.0.0.1", "127.8.8.8", "::1"] {
            let address = address.parse().unwrap();
            let of = |connection| known_by(None, None, address, connection);
            assert_eq!(of("1"), of("1"));
            assert_ne!(of("1"), of("2"));
            let marked = |connection| known_by(Some(OTHER), None, address, connection);
            assert_eq!(marked("1"), marked("2"));
        }
    }

    #[test]
    fn a_cookie_that_cannot_be_ours_counts_as_none() {
        let long = format!("solverbox={}", "a".repeat(16 << 10));
        for cookies in [
            "",
            "=",
            ";;;",
            "solverbox",
            "solverbox=",
            "solverbox=0123",
            "solverbox=0123456789ABCDEF0123456789ABCDEF",
            "solverbox=0123456789abcdef0123456789abcdeg",
            "solverbox=0123456789abcdef0123456789abcdef0",
            "solverbox=\"123456789abcdef0123456789abcde\"",
            "Solverbox=0123456789abcdef0123456789abcdef",
            "solverbox2=0123456789abcdef0123456789abcdef",
            &long,
        ] {
            assert_eq!(own_cookie(cookies), None, "{cookies}");
        }
        let second = format!("solverbox=forged;{OTHER}");
        assert_eq!(own_cookie(&second), Some("f".repeat(32).as_str()));
    }

    #[test]
    fn what_is_no_bearer_key_is_none() {
        for authorization in ["", "Bearer", "Bearer ", "Basic dTpw", "Bearerk", "k"] {
            assert_eq!(api_key(authorization), None, "{authorization}");
        }
    }
}
