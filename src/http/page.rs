//! The page's files, which build/page.rs packs into the program, and how they are served.
//!
//! `routes` finds a file by the path of its address. The rest are HTTP's own rules (RFC 9110):
//! which encodings the browser accepts (12.5.3), whether it has the file already (13.1.2), and how
//! long it may keep it. The bytes are static, so that no request copies them. What the page does is
//! in page/src.

use tiny_http::Request;

use super::preference::weighted;
use super::reply::{Reply, headers};
use crate::types::limits::ASSET_SECONDS;

include!(concat!(env!("OUT_DIR"), "/page/files.rs"));

/// The address of the owner's view, which the page itself shows.
const OWNER_PATH: &str = "/owner";

/// A file that is part of the program.
#[derive(Debug, PartialEq, Eq)]
pub struct PageFile {
    /// The path of its address.
    path: &'static str,
    content_type: &'static str,
    caching: Caching,
    plain: Encoded,
    /// The file gzipped, if that is smaller.
    gzipped: Option<Encoded>,
}

/// One encoding of a file.
#[derive(Debug, PartialEq, Eq)]
struct Encoded {
    /// A strong ETag, with its quotes.
    tag: &'static str,
    bytes: &'static [u8],
}

/// How long a browser may use a file without asking for it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caching {
    /// Not at all: the page itself, which names its assets.
    Never,
    /// Only after it has asked whether the file has changed.
    Revalidated,
    /// For as long as it likes: another content has another name.
    Forever,
}

impl PageFile {
    /// Finds the file at an address.
    pub fn at(path: &str) -> Option<&'static PageFile> {
        let path = if path == OWNER_PATH { "/" } else { path };
        FILES.iter().find(|file| file.path == path)
    }

    /// Returns whether the file is the page itself, which gives a new browser its cookie.
    pub fn is_page(&self) -> bool {
        self.path == "/"
    }

    /// Returns the reply to a GET or HEAD request: the file in the encoding that the browser
    /// prefers, or status 304 if the browser has it.
    pub fn reply(&self, request: &Request) -> Reply {
        let wants_gzip = prefers_gzip(headers(request, "Accept-Encoding"));
        let gzipped = self.gzipped.as_ref().filter(|_| wants_gzip);
        let form = gzipped.unwrap_or(&self.plain);
        let caching = match self.caching {
            Caching::Never => "no-store".into(),
            Caching::Revalidated => "no-cache".into(),
            Caching::Forever => format!("public, max-age={ASSET_SECONDS}, immutable"),
        };
        let mut reply = Reply::of_static(self.content_type, form.bytes)
            .with("Cache-Control", caching)
            .with("ETag", form.tag);
        if self.gzipped.is_some() {
            reply = reply.with("Vary", "Accept-Encoding");
        }
        if is_known(headers(request, "If-None-Match"), form.tag) {
            return reply.with_status(304);
        }
        if gzipped.is_some() { reply.with("Content-Encoding", "gzip") } else { reply }
    }
}

/// Returns whether a browser that accepts these encodings is better served with gzip than with the
/// file as it is.
fn prefers_gzip<'h>(accepted: impl Iterator<Item = &'h str>) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for (coding, weight) in weighted(accepted) {
        let coding = coding.to_ascii_lowercase();
        match coding.as_str() {
            "gzip" | "x-gzip" => gzip = gzip.or(Some(weight)),
            "identity" => identity = identity.or(Some(weight)),
            "*" => any = any.or(Some(weight)),
            _ => {}
        }
    }
    // Where neither is named, no encoding is acceptable but less welcome than one that is named.
    let weight = |named: Option<f32>| named.or(any).unwrap_or(0.0);
    weight(gzip) > 0.0 && weight(gzip) >= weight(identity)
}

/// Returns whether the tags that a browser has include `tag`, by weak comparison.
fn is_known<'h>(mut tags: impl Iterator<Item = &'h str>, tag: &str) -> bool {
    // A tag may have commas but no quotes, so no part of another tag equals ours.
    tags.any(|list| {
        list.split(',')
            .map(str::trim)
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    })
}

/// Returns the address of an asset, for tests.
#[cfg(test)]
pub fn an_asset() -> &'static str {
    let asset = FILES.iter().find(|file| file.caching == Caching::Forever);
    asset.expect("the page has assets").path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_where_it_is_at_least_as_welcome_as_the_file_as_it_is() {
        let prefers = |line| prefers_gzip(std::iter::once(line));
        for line in [
            "gzip",
            "gzip, deflate, br",
            "GZIP;q=0.1",
            "x-gzip",
            "*",
            "br;q=1.0, *;q=0.2",
            "identity;q=0.5, gzip;q=0.5",
            "identity;q=0, *",
            "br, gzip;q=0.8, *;q=0",
        ] {
            assert!(prefers(line), "{line}");
        }
        for line in [
            "",
            "identity",
            "br, deflate",
            "gzip;q=0",
            "gzip;q=0.000, *",
            "*;q=0",
            "identity, gzip;q=0.5",
            "gzip;q=0.3, *;q=0.8",
            "gzip;q=many",
            "gzip2",
        ] {
            assert!(!prefers(line), "{line}");
        }
        assert!(!prefers_gzip(std::iter::empty()));
        assert!(prefers_gzip(["br", "gzip"].into_iter()), "several headers are one list");
    }

    #[test]
    fn a_tag_is_found_in_lists_whether_weak_or_strong() {
        let known = |line| is_known(std::iter::once(line), "\"ab\"");
        for line in ["\"ab\"", "W/\"ab\"", "*", "\"x\", \"ab\"", "\"x,y\" ,W/\"ab\",\"z\""] {
            assert!(known(line), "{line}");
        }
        for line in ["", "ab", "\"abc\"", "\"a\"", "W/ab", "\"x, ab\"", "w/\"ab\""] {
            assert!(!known(line), "{line}");
        }
    }

    #[test]
    fn the_page_is_never_cached_and_assets_are_kept() {
        let page = PageFile::at("/").unwrap();
        assert!(page.is_page() && page.caching == Caching::Never);
        assert_eq!(PageFile::at(OWNER_PATH), Some(page));
        for file in FILES {
            let is_asset = file.path.starts_with("/assets/");
            assert_eq!(file.caching == Caching::Forever, is_asset, "{}", file.path);
            assert!(!file.plain.bytes.is_empty(), "{}", file.path);
            let smaller =
                file.gzipped.as_ref().is_none_or(|f| f.bytes.len() < file.plain.bytes.len());
            assert!(smaller, "{}", file.path);
            assert_eq!(PageFile::at(file.path), Some(file));
        }
        for none in ["", "/index.html", "/assets", "/assets/", "/assets/../", "/page.js"] {
            assert_eq!(PageFile::at(none), None, "{none}");
        }
    }
}
