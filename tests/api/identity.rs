//! Authentication: forged cookies, API keys, foreign host names and pages, and what replies and the
//! log report about them.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{self, TestServer, agent, solverbox, text, whole};

const CHAT: &str = "/v1/chat/completions";
const PREDICT: &str = "/api/predict";

/// A parsed HTTP reply.
pub struct RawReply {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Value,
}

impl RawReply {
    pub fn of(raw: &str) -> RawReply {
        let (head, body) = raw.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{raw:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        RawReply { status, head: head.to_lowercase(), body }
    }

    /// Status and error kind of a reply in the box's own format.
    fn error(&self) -> (u16, &str) {
        (self.status, self.body["error"]["kind"].as_str().unwrap_or_default())
    }
}

/// Sends a request with more header lines.
pub fn send(served: &TestServer, request: &str, lines: &str, body: &str) -> RawReply {
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n{lines}");
    RawReply::of(&served.raw(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()))
}

/// Sends a request that is allowed but not a question: status 400 proves that it was let in.
fn knock(served: &TestServer, lines: &str) -> RawReply {
    send(served, &format!("POST {PREDICT}"), lines, "{}")
}

/// Changes the cookie's last digit.
fn forged(cookie: &str) -> String {
    let (most, last) = cookie.split_at(cookie.len() - 1);
    format!("{most}{}", if last == "0" { "1" } else { "0" })
}

/// Counts the lines of a log that contain `what`.
fn count(log: &str, what: &str) -> usize {
    log.lines().filter(|line| line.contains(what)).count()
}

#[test]
fn a_forged_cookie_is_refused_and_the_page_replaces_it() {
    let data = tempfile::tempdir().unwrap();
    let start = || TestServer::start(&["--data", data.path().to_str().unwrap()]);
    let served = start();
    let own = served.cookie();
    let others = TestServer::start(&[]).cookie();
    let line = |cookie: &str| format!("Cookie: theme=dark; {cookie}\r\n");
    assert_eq!(knock(&served, &line(&own)).status, 400, "let in");
    for cookie in
        [&forged(&own), &others, "solverbox=", "solverbox=0123456789abcdef0123456789abcdef"]
    {
        let refused = knock(&served, &line(cookie));
        assert_eq!(refused.error(), (401, "unauthorized"), "{cookie}");
        let error = &refused.body["error"];
        assert!(error["message"].as_str().unwrap().contains("cookie"), "{error}");
        assert!(error["remedy"].as_str().unwrap().contains("Reload"), "{error}");
        let with_key = format!("{}Authorization: Bearer k\r\n", line(cookie));
        assert_eq!(send(&served, &format!("POST {CHAT}"), &with_key, "{}").status, 401);
        assert_eq!(send(&served, "GET /api/owner/session", &line(cookie), "").status, 401);
        let page = send(&served, "GET /", &line(cookie), "");
        assert!(
            page.status == 200 && page.head.contains("set-cookie: solverbox="),
            "{}",
            page.head
        );
    }
    served.wait_log("refused 127.0.0.1: the cookie was not issued by this box");
    for _ in 0..100 {
        knock(&served, &line(&forged(&own)));
    }
    let said = count(&served.log(), "the cookie was not issued");
    // Ten a minute, if this takes more than one.
    assert!((1..=20).contains(&said), "a flood is not logged line by line: {said}");
    drop(served);
    assert_eq!(knock(&start(), &line(&own)).status, 400, "a cookie survives a restart");
}

#[test]
fn a_damaged_secret_is_reported_and_replaced() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("secret"), "short").unwrap();
    let output = solverbox()
        .args(["serve", "--listen", "127.0.0.1:0", "--api-keys", "none.toml", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
    let served = TestServer::start(&["--data", data.path().to_str().unwrap()]);
    let cookie = served.cookie();
    assert_eq!(knock(&served, &format!("Cookie: {cookie}\r\n")).status, 400);
    assert_eq!(std::fs::read(data.path().join("secret")).unwrap().len(), 32);
    assert_eq!(std::fs::read(data.path().join("secret.damaged")).unwrap(), b"short");
}

#[test]
fn a_foreign_host_name_is_misdirected_on_every_route() {
    let served = TestServer::start(&["--host-name", "Kiosk.example,lab.example"]);
    let port = served.address.port();
    let raw = |request: &str| RawReply::of(&served.raw(request.as_bytes()));
    let get = |host: &str| raw(&format!("GET /basic.css HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for host in [
        "localhost",
        "LocalHost.",
        "127.0.0.1",
        "[::1]:80",
        "192.168.1.7:7860",
        "kiosk.EXAMPLE",
        "lab.example.:80",
        machine.trim(),
        &format!("localhost:{port}"),
        &format!("{}.local:{port}", machine.trim().split('.').next().unwrap()),
    ] {
        assert_eq!(get(host).status, 200, "{host}");
    }
    for host in ["attacker.example", "example", "kiosk.example.attacker.example:80", "127.0.0.1.x"]
    {
        let refused = get(host);
        assert_eq!(refused.error(), (421, "misdirected"), "{host}");
        let error = &refused.body["error"];
        assert!(error["message"].as_str().unwrap().contains(host), "{error}");
        assert!(error["remedy"].as_str().unwrap().contains("--host-name"), "{error}");
        for line in [
            "GET / ",
            "GET /healthz ",
            "GET /nothing ",
            "OPTIONS /api/predict ",
            "GET http://localhost/ ",
        ] {
            let absolute = line.replace("localhost", host);
            let reply = raw(&format!("{absolute}HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert_eq!(reply.status, 421, "{line}");
            assert!(!reply.head.contains("set-cookie"), "{line}");
        }
        let ask = format!(
            "POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        let reply = raw(&ask);
        assert_eq!((reply.status, &reply.body["error"]["code"]), (421, &"misdirected".into()));
    }
    assert_eq!(raw("GET / HTTP/1.1\r\n\r\n").error(), (400, "bad_request"));
    assert_eq!(raw("GET / HTTP/1.0\r\n\r\n").status, 200, "no browser sends HTTP/1.0");
    served.wait_log("refused 127.0.0.1: a request for 'attacker.example'");
}

#[test]
fn a_page_of_another_site_changes_nothing_and_is_logged() {
    let served = TestServer::start(&[]);
    let own = format!("Host: {}\r\n", served.address);
    let raw = |lines: &str| {
        let head = format!("POST {PREDICT} HTTP/1.1\r\n{own}{lines}Content-Length: 2\r\n\r\n{{}}");
        RawReply::of(&served.raw(head.as_bytes()))
    };
    for lines in [
        "",
        "Sec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Site: none\r\n",
        &format!("Origin: http://{}\r\n", served.address),
        "Origin: http://localhost:3000\r\nSec-Fetch-Site: cross-site\r\n",
    ] {
        assert_eq!(raw(lines).status, 400, "let in: {lines}");
    }
    for lines in [
        "Origin: http://attacker.example\r\n",
        "Origin: null\r\n",
        &format!("Origin: http://{}0\r\n", served.address),
        "Origin: http://localhost.attacker.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        let refused = raw(lines);
        assert_eq!(refused.error(), (403, "forbidden"), "{lines}");
        assert!(!refused.head.contains("access-control"), "{}", refused.head);
        for request in ["DELETE /api/owner/session", "POST /api/owner/session", "PUT /nothing"] {
            assert_eq!(send(&served, request, lines, "{}").status, 403, "{request} {lines}");
        }
        assert_eq!(send(&served, "GET /basic.css", lines, "").status, 200, "reading is allowed");
    }
    let loopback = "Origin: http://localhost:3000\r\n";
    let owner = send(&served, "POST /api/owner/session", loopback, "{}");
    assert_eq!(owner.status, 403, "only the box's own page may act as its owner");
    served.wait_log("refused 127.0.0.1: POST /api/predict by a page of 'http://attacker.example'");
}

/// Makes a key with `api-key`; returns the header line that presents it.
fn key(name: &str, file: &Path) -> String {
    let made = solverbox().args(["api-key", name, "--file"]).arg(file).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    format!("Authorization: Bearer {}\r\n", text(&made.stdout).trim())
}

#[test]
fn a_key_must_be_on_the_list_and_its_limits_hold() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let (anna, ben) = (key("anna", &file), key("ben", &file));
    let limits = "jobs_max = 2\nattempts_max = 2\nbudget_tokens_max = 20\n";
    let list = std::fs::read_to_string(&file).unwrap() + limits;
    std::fs::write(&file, list).unwrap();
    let served = TestServer::ready(&["--api-keys", file.to_str().unwrap()]);
    let chat = |key: &str, extra: Value| {
        send(&served, &format!("POST {CHAT}"), key, &support::chat(extra))
    };
    let wrong = "Authorization: Bearer sk-1234\r\n";
    let cookie = format!("{wrong}Cookie: {}\r\n", served.cookie());
    for lines in [wrong, &cookie, &anna.replace(" sbox-", " sbox-0")] {
        let refused = chat(lines, json!({"max_tokens": 2}));
        let error = &refused.body["error"];
        assert_eq!((refused.status, &error["code"]), (401, &"invalid_api_key".into()), "{error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(refused.head.contains("www-authenticate: bearer"), "{}", refused.head);
        assert_eq!(knock(&served, lines).error(), (401, "unauthorized"));
        assert_eq!(send(&served, "GET /v1/models", lines, "").status, 401);
    }
    let cookie = format!("Cookie: {}\r\n", served.cookie());
    assert_eq!(
        knock(&served, "X-Forwarded-For: 198.51.100.7\r\n").status,
        401,
        "forwarded by a proxy"
    );
    for lines in ["", &anna, &ben, &cookie] {
        assert_eq!(knock(&served, lines).status, 400, "let in: {lines}");
    }
    let first = chat(&anna, json!({"max_tokens": 4}));
    assert_eq!(first.status, 200);
    let previous = json!({"previous": first.body["solverbox"]["job"], "max_tokens": 4});
    assert_eq!(chat(&ben, previous.clone()).status, 404, "anna's answers are her own");
    assert_eq!(chat(&anna, previous).status, 200);
    for (extra, field) in [
        (json!({"max_tokens": 21}), "max_tokens: 21"),
        (json!({"model": "solverbox:math", "attempts": 3}), "attempts: 3"),
        (json!({"n": 3}), "n: 3"),
    ] {
        let refused = chat(&ben, extra);
        let message = refused.body["error"]["message"].as_str().unwrap_or_default();
        assert!(refused.status == 403 && message.starts_with(field), "{}", refused.body);
        assert!(message.contains("'ben'"), "{message}");
    }
    let cut = chat(&ben, json!({"ignore_eos": true}));
    assert_eq!((cut.status, &cut.body["usage"]["completion_tokens"]), (200, &20.into()));
    served.wait_log("refused 127.0.0.1: the API key is not valid on this box");
    assert!(
        !served.log().contains("sk-1234") && !served.log().contains("sbox-"),
        "no key is logged"
    );
}

#[test]
fn without_a_key_list_any_key_only_distinguishes_clients() {
    let served = TestServer::start(&[]);
    assert_eq!(knock(&served, "Authorization: Bearer anything\r\n").status, 400);
}

#[test]
fn an_invalid_key_list_is_reported_before_the_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let serve = |extra: &[&str]| {
        let mut command = solverbox();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
        let output = command.args(extra).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let listed = ["--api-keys", file.to_str().unwrap()];
    let (code, said) = serve(&listed);
    assert!(code == Some(8) && said.contains("api-key NAME"), "{said}");
    std::fs::write(&file, "[[key]]\nname = 'anna'\nsha256 = 'abc'\n").unwrap();
    let (code, said) = serve(&listed);
    assert!(code == Some(2) && said.contains("keys.toml': key 'anna': sha256"), "{said}");
    let made = solverbox().args(["api-key", "ben", "--file"]).arg(&file).output().unwrap();
    assert_eq!(made.status.code(), Some(2), "nothing is added to a broken list");
    let (code, said) = serve(&["--host-name", "box.example:80"]);
    assert!(code == Some(2) && said.contains("--host-name"), "{said}");
    let printed = solverbox().args(["api-key", "ben"]).output().unwrap();
    let printed = text(&printed.stdout);
    assert!(
        printed.starts_with("sbox-") && printed.contains("[[key]]\nname = \"ben\""),
        "{printed}"
    );
}

/// An address of this machine that is not loopback, from the routing table; sends nothing.
pub fn outside_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn with_a_key_list_other_machines_need_a_key_or_the_page() {
    let Some(address) = outside_address() else {
        return support::not_checked("requests over the network: this machine has no address");
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let anna = key("anna", &file);
    let keys = ["--api-keys", file.to_str().unwrap()];
    let mut served = TestServer::start(&[&["--listen", "0.0.0.0:0"][..], &keys].concat());
    assert_eq!(knock(&served, "").status, 400, "programs on the same machine need none");
    served.address = SocketAddr::new(address, served.address.port());
    let refused = knock(&served, "");
    assert_eq!(refused.error(), (401, "unauthorized"));
    assert!(refused.body["error"]["remedy"].as_str().unwrap().contains("API key"));
    for path in ["/", "/healthz", "/v1/models"] {
        let (status, _) = served.get(path);
        assert_ne!(status, 401, "{path} is public");
    }
    assert_eq!(knock(&served, &anna).status, 400);
    assert_eq!(knock(&served, &format!("Cookie: {}\r\n", served.cookie())).status, 400);
    served.wait_log(&format!("refused {address}: authentication required"));
}

#[test]
fn every_reply_carries_the_security_headers() {
    let served = TestServer::ready(&[]);
    let chat = |extra: Value| support::chat(extra);
    let post = |lines: &str, body: String| {
        let length = body.len();
        format!(
            "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let options =
        "OPTIONS /api/predict HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n\r\n";
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_string(),
        "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /api/predict HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET /api/owner/session HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        options.into(),
        "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".into(),
        "GET / HTTP/1.1\r\n\r\n".into(),
        "rubbish\r\n\r\n".into(),
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n".into(),
        post("", "{".into()),
        post("", chat(json!({"max_tokens": 2}))),
        post("", chat(json!({"max_tokens": 2, "stream": true}))),
        post("Origin: http://a.example\r\n", "{}".into()),
    ] {
        let reply = RawReply::of(&served.raw(request.as_bytes()));
        for header in [
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
        ] {
            assert!(reply.head.contains(header), "{request} lacks {header}: {}", reply.head);
        }
        assert!(!reply.head.contains("access-control-allow-origin"), "{request}");
    }
}

#[test]
fn no_part_of_a_question_is_logged_above_debug_level() {
    let served = TestServer::ready(&["--client-jobs-max", "1"]);
    let marked = |extra: Value| {
        let mut body: Value = serde_json::from_str(&support::chat(extra)).unwrap();
        let content = "What is 2+2? Xylophon-4711";
        body["messages"] = json!([{"role": "user", "content": content}]);
        body.to_string()
    };
    let ask = |path: &str, body: &str| whole(agent().post(served.url(path)).send(body).unwrap()).0;
    assert_eq!(ask(CHAT, &marked(json!({"max_tokens": 3}))), 200);
    assert_eq!(ask(CHAT, &marked(json!({"max_tokens": 3, "stream": true}))), 200);
    assert_eq!(ask(CHAT, &marked(json!({"max_tokens": 3, "n": 2}))), 200);
    assert_eq!(ask(CHAT, &marked(json!({"max_tokens": 3, "stop": ["Xylophon"]}))), 200);
    assert_eq!(ask(CHAT, &marked(json!({"temperature": "Xylophon"}))), 400);
    assert_eq!(ask(CHAT, &marked(json!({"previous": "Xylophon"}))), 400);
    assert_eq!(ask(PREDICT, r#"{"data": ["2+2? Xylophon", "plain"]}"#), 200);
    assert_eq!(ask(PREDICT, r#"{"data": ["2+2? Xylophon", "review"]}"#), 400);
    assert_eq!(ask(PREDICT, r#"{"data": ["2+2?", "review", "Xylophon"]}"#), 200);
    assert_eq!(ask(PREDICT, r#"{"data": "Xylophon"}"#), 400);
    assert_eq!(ask(PREDICT, "Xylophon"), 400);
    assert_eq!(ask("/Xylophon?Xylophon", "Xylophon"), 404);
    assert_eq!(ask(CHAT, &marked(json!({"stop": vec!["Xylophon"; 99]}))), 400);
    let long = json!({"data": ["Xylophon ".repeat(9_000), "plain"]}).to_string();
    assert_eq!(ask(PREDICT, &long), 413);
    // One that is stopped in the middle, because its client disconnects.
    let mut leaving = served.connect();
    let body = marked(json!({"ignore_eos": true, "max_tokens": 8000}));
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    leaving.write_all((head + &body).as_bytes()).unwrap();
    drop(leaving);
    // The log is in order: this line comes after all the others.
    send(&served, "GET /", "", "");
    served.raw(b"GET / HTTP/1.1\r\nHost: end.example\r\n\r\n");
    served.wait_log("end.example");
    assert!(!served.log().to_lowercase().contains("xylophon"), "{}", served.log());
}
