//! Which page sent a request, according to its browser: the box's own, another page of this
//! machine, one that the owner allows, or a foreign site's. This is the defence against cross-site
//! request forgery.
//!
//! A browser on the box's network sends requests of any site that is open in it, so unsafe methods
//! are refused from foreign pages. Programs send no Origin and pass: `client` authenticates them.
//! `reply` decides which pages may read a response.

use std::sync::OnceLock;

use tiny_http::Request;

use super::host::Authority;
use crate::http::reply::{header, is_loopback};

/// The origins that the owner allows. One list for the process, because replies, which name the
/// origin, are sent from many places that know only their request.
static ALLOWED: OnceLock<Vec<String>> = OnceLock::new();

/// The kind of sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A program, or a browser that names no page.
    Program,
    /// A page of this box.
    OwnPage,
    /// A page served by this machine on another port.
    LoopbackPage,
    /// A page or an app that the owner allows with `--allow-origin`, at a path of the APIs.
    AllowedPage,
    /// A page of another site, or one that hides its origin.
    ForeignPage,
}

/// Returns the sender of a request, whose `Host` must have been checked.
pub fn sender(request: &Request) -> Sender {
    let (host, origin) = (header(request, "Host"), header(request, "Origin"));
    let site = header(request, "Sec-Fetch-Site");
    match judge(host, origin, site) {
        Sender::ForeignPage if is_allowed(request) => match site {
            // The box's own page behind a proxy that changes the Host: no page can set this header.
            Some("same-origin") => Sender::OwnPage,
            _ => Sender::AllowedPage,
        },
        sender => sender,
    }
}

/// Sets the origins that the owner allows, in the form of [`allowed_origin`]; the first call
/// decides.
pub fn allow(origins: &[String]) {
    ALLOWED.get_or_init(|| origins.to_vec());
}

/// Returns whether a request is for the APIs, but not the owner's, and by a page that the owner
/// allows.
pub fn is_allowed(request: &Request) -> bool {
    let allowed = ALLOWED.get().map(Vec::as_slice).unwrap_or_default();
    let is_listed = |origin| allowed.iter().any(|pattern| is_match(pattern, origin));
    origin_at_api(request).is_some_and(is_listed)
}

/// Returns whether the owner could allow the page that sent a request to send it.
pub fn can_be_allowed(request: &Request) -> bool {
    origin_at_api(request).is_some_and(|origin| allowed_origin(origin).is_ok())
}

/// Returns the origin of a request for the APIs, but not the owner's.
fn origin_at_api(request: &Request) -> Option<&str> {
    let url = request.url();
    let is_api = url.starts_with("/v1/") || url.starts_with("/api/");
    header(request, "Origin").filter(|_| is_api && !url.starts_with("/api/owner"))
}

/// Normalizes an origin for comparison, such as `app://obsidian.md`, `http://teacher.lan:3000` or,
/// of an app whose pages have changing names, `vscode-webview://*`; the error is the cause.
pub fn allowed_origin(text: &str) -> Result<String, String> {
    let wrong = "an origin is needed, such as app://obsidian.md or http://teacher.lan:3000";
    let text = text.to_ascii_lowercase();
    let (scheme, host) = text.split_once("://").ok_or(wrong)?;
    let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(usual) {
        return Err(wrong.into());
    }
    let usual_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    match host {
        "*" if usual_port.is_empty() => Ok(text),
        "*" => Err(format!("{scheme}://* would allow every site; name the ones you mean")),
        _ if Authority::parse(host).is_none() => Err(wrong.into()),
        // Browsers leave it out.
        _ if usual_port.is_empty() => Ok(text),
        _ => Ok(text.strip_suffix(usual_port).unwrap_or(&text).to_string()),
    }
}

fn is_match(pattern: &str, origin: &str) -> bool {
    let is_any = |scheme: &str| {
        let host = origin.strip_prefix(scheme).unwrap_or_default();
        Authority::parse(host).is_some()
    };
    pattern.strip_suffix('*').map_or(pattern.eq_ignore_ascii_case(origin), is_any)
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
    fn an_allowed_origin_is_exact_and_a_star_is_a_whole_host() {
        for (text, kept) in [
            ("app://obsidian.md", "app://obsidian.md"),
            ("tauri://localhost", "tauri://localhost"),
            ("HTTP://Teacher.lan:3000", "http://teacher.lan:3000"),
            ("https://teacher.lan:443", "https://teacher.lan"),
            ("vscode-webview://*", "vscode-webview://*"),
        ] {
            assert_eq!(allowed_origin(text).as_deref(), Ok(kept), "{text}");
        }
        for text in [
            "",
            "null",
            "*",
            "://x",
            "1a://x",
            "app://",
            "app://*.md",
            "app://x/",
            "app://x y",
            "app://a*",
            "obsidian.md",
            "http://*",
            "https://*",
            "http://x:y",
            "http://u@x",
        ] {
            assert!(allowed_origin(text).is_err(), "{text}");
        }
        assert!(is_match("app://obsidian.md", "app://obsidian.md"));
        assert!(is_match("vscode-webview://*", "vscode-webview://1d7f3o4v"));
        for (pattern, origin) in [
            ("app://obsidian.md", "app://obsidian.md.example"),
            ("app://obsidian.md", "http://obsidian.md"),
            ("http://teacher.lan:3000", "http://teacher.lan"),
            ("vscode-webview://*", "vscode-webview://"),
            ("vscode-webview://*", "vscode-webview://a/b"),
            ("vscode-webview://*", "vscode-webviewx://a"),
            ("vscode-webview://*", "null"),
        ] {
            assert!(!is_match(pattern, origin), "{pattern} {origin}");
        }
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
