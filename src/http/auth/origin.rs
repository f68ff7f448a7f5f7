//! Which page sent a request, according to its browser: the box's own, another page of this
//! machine, or a foreign site's. This is the defence against cross-site request forgery.
//!
//! A browser on the box's network sends requests of any site that is open in it, so unsafe methods
//! are refused from foreign pages. Programs send no Origin and pass: `client` authenticates them.
//! `reply` decides which pages may read a response.

use tiny_http::Request;

use super::host::Authority;
use crate::http::reply::{header, is_loopback};

/// The kind of sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A program, or a browser that names no page.
    Program,
    /// A page of this box.
    OwnPage,
    /// A page served by this machine on another port.
    LoopbackPage,
    /// A page of another site, or one that hides its origin.
    ForeignPage,
}

/// Returns the sender of a request, whose `Host` must have been checked.
pub fn sender(request: &Request) -> Sender {
    let (host, origin) = (header(request, "Host"), header(request, "Origin"));
    judge(host, origin, header(request, "Sec-Fetch-Site"))
}

fn judge(host: Option<&str>, origin: Option<&str>, site: Option<&str>) -> Sender {
    match (origin, site) {
        (Some(origin), _) if is_own(origin, host) => Sender::OwnPage,
        (Some(origin), _) if is_loopback(origin) => Sender::LoopbackPage,
        (Some(_), _) => Sender::ForeignPage,
        // Sent without an Origin by a form's GET, a link, an image (W3C, Fetch Metadata).
        (None, Some("cross-site" | "same-site")) => Sender::ForeignPage,
        (None, _) => Sender::Program,
    }
}

/// Returns whether a page's origin is the host of its request. Either protocol is accepted, because
/// a proxy in front may terminate TLS.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let http = origin.strip_prefix("http://").map(|rest| (rest, 80));
    let https = || origin.strip_prefix("https://").map(|rest| (rest, 443));
    let Some((rest, usual_port)) = http.or_else(https) else { return false };
    let places = Authority::parse(rest).zip(host.and_then(Authority::parse));
    places.is_some_and(|(origin, host)| origin.is_same(&host, usual_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_recognized_by_its_origin() {
        for (host, origin, sender) in [
            ("192.168.1.7:7860", "http://192.168.1.7:7860", Sender::OwnPage),
            ("kiosk", "http://KIOSK", Sender::OwnPage),
            ("kiosk", "http://kiosk:80", Sender::OwnPage),
            ("kiosk", "https://kiosk", Sender::OwnPage),
            ("kiosk.", "http://kiosk", Sender::OwnPage),
            ("[::1]:7860", "http://[::1]:7860", Sender::OwnPage),
            ("192.168.1.7:7860", "http://192.168.1.7", Sender::ForeignPage),
            ("192.168.1.7:7860", "http://192.168.1.7:8080", Sender::ForeignPage),
            ("127.0.0.1:7860", "http://localhost:3000", Sender::LoopbackPage),
            ("localhost:7860", "http://localhost:3000", Sender::LoopbackPage),
            ("kiosk", "null", Sender::ForeignPage),
            ("kiosk", "", Sender::ForeignPage),
            ("kiosk", "kiosk", Sender::ForeignPage),
            ("kiosk", "http://", Sender::ForeignPage),
            ("kiosk", "ftp://kiosk", Sender::ForeignPage),
            ("kiosk", "http://kiosk.example.org", Sender::ForeignPage),
            ("kiosk", "http://kiosk/", Sender::ForeignPage),
            ("kiosk", "http://kiosk http://example.org", Sender::ForeignPage),
        ] {
            assert_eq!(judge(Some(host), Some(origin), None), sender, "{host} {origin}");
            assert_eq!(judge(Some(host), Some(origin), Some("cross-site")), sender);
        }
        assert_eq!(judge(None, Some("http://kiosk"), None), Sender::ForeignPage);
    }

    #[test]
    fn where_there_is_no_origin_the_browser_says_whether_it_is_another_sites() {
        for (site, sender) in [
            (None, Sender::Program),
            (Some("none"), Sender::Program),
            (Some("same-origin"), Sender::Program),
            (Some("same-site"), Sender::ForeignPage),
            (Some("cross-site"), Sender::ForeignPage),
        ] {
            assert_eq!(judge(Some("kiosk"), None, site), sender, "{site:?}");
        }
    }
}
