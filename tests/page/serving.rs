//! The page's files over HTTP: encodings, revalidation, how long they may be kept.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::api::identity::RawReply;
use crate::support::{TestServer, agent, page_asset, root};

/// The bytes of a reply with its head in lower case.
fn get(served: &TestServer, path: &str, lines: &str) -> (RawReply, Vec<u8>) {
    request(served, &format!("GET {path}"), lines)
}

fn request(served: &TestServer, request: &str, lines: &str) -> (RawReply, Vec<u8>) {
    use std::io::Write;
    let mut socket = served.connect();
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = reply.split_off(end);
    (RawReply::of(&String::from_utf8(reply).unwrap()), body)
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn value<'r>(reply: &'r RawReply, name: &str) -> Option<&'r str> {
    reply.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn each_file_comes_gzipped_to_browsers_that_take_it_and_plain_to_others() {
    let served = TestServer::start(&[]);
    for (path, file) in [
        ("/", "index.html".to_string()),
        ("/owner", "index.html".into()),
        ("/licences.txt", "licences.txt".into()),
        (&page_asset("js"), page_asset("js")),
        (&page_asset("css"), page_asset("css")),
    ] {
        let on_disk = std::fs::read(root().join("page/dist").join(file.trim_start_matches('/')));
        let on_disk = on_disk.unwrap();
        for accepted in ["", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0, *;q=0.1\r\n"] {
            let (reply, body) = get(&served, path, accepted);
            assert!(reply.status == 200 && body == on_disk, "{path} {accepted}");
            assert_eq!(value(&reply, "content-encoding"), None);
            assert_eq!(value(&reply, "vary"), Some("origin, accept-encoding"));
        }
        let lists = ["gzip, deflate", "br, *;q=0.5", "identity;q=0.2, gzip;q=0.3", "X-GZIP"];
        for accepted in lists.map(|list| format!("Accept-Encoding: {list}\r\n")) {
            let (reply, body) = get(&served, path, &accepted);
            assert_eq!(value(&reply, "content-encoding"), Some("gzip"), "{path} {accepted}");
            assert_eq!(value(&reply, "vary"), Some("origin, accept-encoding"));
            assert_eq!(value(&reply, "content-length"), Some(body.len().to_string().as_str()));
            assert!(body.len() < on_disk.len() && unpacked(&body) == on_disk, "{path}");
        }
    }
    let (font, body) = get(&served, &page_asset("woff2"), "Accept-Encoding: gzip\r\n");
    assert_eq!(
        (value(&font, "content-type"), value(&font, "content-encoding")),
        (Some("font/woff2"), None)
    );
    assert!(body.starts_with(b"wOF2"));
    assert_eq!(value(&font, "vary"), Some("origin"), "there is one form of it");
}

#[test]
fn a_browser_that_has_a_file_is_told_so_in_either_encoding() {
    let served = TestServer::start(&[]);
    for path in [page_asset("js"), "/licences.txt".into(), "/basic.css".into(), "/".into()] {
        let mut tags = Vec::new();
        for encoding in ["", "Accept-Encoding: gzip\r\n"] {
            let (whole, body) = get(&served, &path, encoding);
            let tag = value(&whole, "etag").unwrap().to_string();
            for known in [tag.clone(), format!("W/{tag}"), format!("\"a\", {tag}"), "*".into()] {
                let lines = format!("{encoding}If-None-Match: {known}\r\n");
                let (reply, nothing) = get(&served, &path, &lines);
                assert_eq!((reply.status, nothing.len()), (304, 0), "{path} {known}");
                for name in ["etag", "cache-control", "vary"] {
                    assert_eq!(value(&reply, name), value(&whole, name), "{path}");
                }
                let length = value(&reply, "content-length");
                assert!(length.is_none_or(|n| n == body.len().to_string()), "{}", reply.head);
            }
            for other in ["\"a\"", tag.trim_matches('"'), ""] {
                let lines = format!("{encoding}If-None-Match: {other}\r\n");
                let (reply, again) = get(&served, &path, &lines);
                assert!(reply.status == 200 && again == body, "{path} {other}");
            }
            tags.push(tag);
        }
        assert_ne!(tags[0], tags[1], "a strong tag stands for one encoding");
    }
}

#[test]
fn assets_are_kept_for_a_year_and_the_page_never() {
    let served = TestServer::start(&[]);
    let caching = |path: &str| {
        let (reply, _) = get(&served, path, "");
        (reply.status, value(&reply, "cache-control").unwrap_or_default().to_string())
    };
    let [once, always, asked] = ["no-store", "public, max-age=31536000, immutable", "no-cache"]
        .map(|s| (200, s.to_string()));
    for extension in ["js", "css", "woff2"] {
        assert_eq!(caching(&page_asset(extension)), always);
    }
    for path in ["/", "/owner", "/basic"] {
        assert_eq!(caching(path), once, "{path}");
    }
    for path in ["/licences.txt", "/basic.css"] {
        assert_eq!(caching(path), asked, "{path}");
    }
    for path in ["/assets/main-AAAAAAAA.js", "/assets/", "/assets/../index.html", "/page.js"] {
        let (reply, body) = get(&served, path, "");
        let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((reply.status, &error["error"]["kind"]), (404, &"not_found".into()), "{path}");
        assert_eq!(value(&reply, "cache-control"), Some("no-store"), "{path}");
    }
}

#[test]
fn head_has_the_length_and_no_body_and_other_methods_are_refused() {
    let served = TestServer::start(&[]);
    for path in ["/".to_string(), page_asset("js"), "/basic".into()] {
        for encoding in ["", "Accept-Encoding: gzip\r\n"] {
            let (whole, body) = get(&served, &path, encoding);
            let (head, nothing) = request(&served, &format!("HEAD {path}"), encoding);
            assert_eq!((head.status, nothing.len()), (200, 0), "{path}");
            // The keys of a form differ each time, but not their lengths.
            assert_eq!(value(&head, "content-length"), Some(body.len().to_string().as_str()));
            assert_eq!(value(&head, "etag"), value(&whole, "etag"));
        }
    }
    let url = served.url(&page_asset("js"));
    let response = agent().post(url).send("").unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
}

/// The bar of the page's design: everything together.
#[test]
fn the_whole_page_is_small() {
    let mut bytes = 0;
    for folder in ["page/dist", "page/dist/assets"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let about = entry.unwrap().metadata().unwrap();
            bytes += if about.is_file() { about.len() } else { 0 };
        }
    }
    assert!(bytes <= 1 << 20, "page/dist has {bytes} bytes");
}
