//! The HTTP server from outside: page, health, predict, limits, bad requests, several clients at
//! once.

use std::io::Write;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{
    self, TestServer, agent, page_asset, said, send_signal, solverbox, text, wait_until, whole,
};

/// A chat request, streamed unless `extra` says otherwise.
fn chat(mut extra: Value) -> String {
    extra.as_object_mut().unwrap().entry("stream").or_insert(true.into());
    support::chat(extra)
}

/// Makes requests belong to one client, whose questions are answered in order.
const PUPIL: &str = "Authorization: Bearer pupil\r\n";

/// A request that would go on for minutes.
fn endless() -> String {
    chat(json!({"ignore_eos": true, "max_tokens": 8000}))
}

#[test]
fn requests_are_accepted_before_the_model_is_loaded_and_questions_wait() {
    // `start` reads the log up to the address; "loaded" would stand before it.
    let served = TestServer::start(&[]);
    assert!(!served.loaded_before_open, "it listens first");
    let mut stream = served.stream(&chat(json!({"max_tokens": 4})));
    let mut last = Value::Null;
    wait_until("the model", || {
        let (status, body) = served.get("/healthz");
        let health: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(health["state"], if status == 200 { "ready" } else { "loading" });
        assert!(health["bytes_loaded"].as_u64() <= health["bytes_total"].as_u64());
        assert!(last["bytes_loaded"].as_u64() <= health["bytes_loaded"].as_u64());
        last = health;
        status == 200
    });
    assert_eq!(last["bytes_total"], std::fs::metadata(support::model()).unwrap().len());
    assert!(!said(&stream.events()).is_empty());
}

#[test]
fn the_page_is_complete_and_loads_nothing_from_elsewhere() {
    let served = TestServer::ready(&[]);
    let response = agent().get(served.url("/")).call().unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_string();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let (status, page) = whole(response);
    assert_eq!(status, 200);
    for foreign in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let parts: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    for extension in [".js", ".css"] {
        assert!(parts.iter().any(|part| part.ends_with(extension)), "{page}");
    }
    for part in parts {
        assert_eq!(served.get(part).0, 200, "{part}");
    }
    assert!(page.contains("href=\"/basic\""), "until the script runs, and where it does not");
}

#[test]
fn predict_replies_in_gradios_format() {
    let served = TestServer::start(&[]);
    let (status, reply) = served.post("/api/predict", r#"{"data": ["What is 2+2?", "plain"]}"#);
    assert_eq!(status, 200);
    assert!(!reply["data"][0].as_str().unwrap().is_empty());
    assert!(reply["duration"].as_f64().unwrap() > 0.0);
}

#[test]
fn bad_requests_get_one_clear_error_each() {
    let served = TestServer::ready(&[]);
    let cases: [(&str, &str, u16, &str); 8] = [
        ("/api/predict", "{", 400, "not JSON"),
        ("/api/predict", "[1]", 400, "not a JSON object"),
        ("/api/predict", r#"{"data": ["q", "chess"]}"#, 404, "chess"),
        ("/api/predict", r#"{"data": ["  "]}"#, 400, "empty"),
        ("/v1/chat/completions", "", 400, "not JSON"),
        ("/v1/chat/completions", "{}", 400, "messages"),
        (
            "/v1/chat/completions",
            r#"{"model":"solverbox:chess","messages":[{"role":"user","content":"q"}]}"#,
            404,
            "chess",
        ),
        (
            "/v1/chat/completions",
            r#"{"messages":[{"role":"user","content":"q"}],"temperature":"x"}"#,
            400,
            "temperature",
        ),
    ];
    for (path, body, status, says) in cases {
        let (got, reply) = served.post(path, body);
        assert_eq!(got, status, "{body}: {reply}");
        let error = &reply["error"];
        assert!(error["message"].as_str().unwrap().contains(says), "{body}: {reply}");
        let kind = if path.starts_with("/v1") { &error["code"] } else { &error["kind"] };
        assert_eq!(kind, if status == 404 { "not_found" } else { "bad_request" });
    }
    let (status, reply) = served.get("/nothing");
    assert!(status == 404 && reply.contains("not_found"), "{reply}");
    assert_eq!(served.get("/api/predict").0, 405);
}

#[test]
fn a_body_that_is_not_utf8_or_far_too_large_is_refused() {
    let served = TestServer::ready(&[]);
    let body = b"{\"data\": [\"\xFF\xFE\"]}";
    let head = "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: ";
    let head = format!("{head}{}\r\n\r\n", body.len());
    let reply = served.raw(&[head.as_bytes(), body].concat());
    assert!(reply.starts_with("HTTP/1.1 400") && reply.contains("not JSON"), "{reply}");
    let (status, reply) = served.post("/api/predict", &"x".repeat(10_000_000));
    assert_eq!(status, 413);
    let message = reply["error"]["message"].as_str().unwrap();
    assert!(message.contains("10000000") && message.contains("1048576"), "{message}");
    let huge =
        b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n";
    assert!(served.raw(huge).starts_with("HTTP/1.1 413"));
    assert!(served.raw(b"rubbish\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert_eq!(served.get("/healthz").0, 200, "the server still runs");
}

#[test]
fn a_question_over_the_limit_is_refused_at_once_even_while_another_is_answered() {
    let served = TestServer::ready(&["--question-tokens-max", "30"]);
    let mut busy = served.stream(&endless());
    busy.wait_for_text();
    let long = json!([{"role": "user", "content": "7 ".repeat(200)}]);
    for stream in [false, true] {
        let body = chat(json!({"messages": long, "stream": stream}));
        let (status, reply) = served.post("/v1/chat/completions", &body);
        assert_eq!(status, 400, "{reply}");
        assert_eq!(reply["error"]["code"], "context_length_exceeded");
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("the question has ") && message.contains("at most 30"));
    }
    let turn = json!({"role": "user", "content": "What is 348 + 577?"});
    let answer = json!({"role": "assistant", "content": "925"});
    let turns = json!([turn, answer, turn, answer, turn, answer, turn]);
    let (status, reply) = served.post("/v1/chat/completions", &chat(json!({"messages": turns})));
    assert_eq!((status, &reply["error"]["code"]), (400, &json!("context_length_exceeded")));
    let message = reply["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("the conversation has ") && message.contains("first messages"));
    busy.wait_for_text();
}

#[test]
fn questions_of_one_client_are_answered_in_order_and_report_their_position() {
    let served = TestServer::ready(&["--sequences", "1"]);
    let ask = |body: &str| served.stream_as(PUPIL, body);
    let mut first = ask(&endless());
    first.wait_for_text();
    let mut second = ask(&endless());
    assert_eq!(second.wait_for(": place"), ": place 1");
    let mut third = ask(&chat(json!({"max_tokens": 3})));
    assert_eq!(third.wait_for(": place"), ": place 2");
    drop(first);
    third.wait_for(": place 1");
    second.wait_for_text();
    drop(second);
    assert!(!said(&third.events()).is_empty());
}

#[test]
fn the_page_gives_a_browser_one_cookie_and_keeps_it() {
    let served = TestServer::start(&[]);
    let cookie_of = |cookies: &str| {
        let request = agent().get(served.url("/")).header("Cookie", cookies);
        let response = request.call().unwrap();
        assert_eq!(response.status(), 200);
        response.headers().get("Set-Cookie").map(|value| value.to_str().unwrap().to_string())
    };
    let cookie = cookie_of("theme=dark").expect("a browser without a cookie gets one");
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000");
    let (id, seal) = pair.strip_prefix("solverbox=").unwrap().split_once('.').unwrap();
    assert!(id.len() == 32 && u128::from_str_radix(id, 16).is_ok() && seal.len() == 64, "{pair}");
    assert_eq!(cookie_of(&format!("theme=dark; {pair}")), None);
    let other = cookie_of("solverbox=forged").expect("a forged cookie is replaced");
    assert_ne!(other, cookie, "each browser gets its own");
    for path in [&page_asset("js"), "/healthz", "/v1/models"] {
        let response = agent().get(served.url(path)).call().unwrap();
        assert!(!response.headers().contains_key("Set-Cookie"), "{path}");
    }
}

/// Refusing a long question takes engine time, but must not starve a running answer.
#[test]
fn a_flood_of_refused_questions_slows_an_answer_but_does_not_stop_it() {
    let served = TestServer::ready(&[]);
    let mut running = served.stream(&endless());
    running.wait_for_text();
    let long = json!([{"role": "user", "content": "-+".repeat(16_000)}]);
    let body = chat(json!({"messages": long, "stream": false}));
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    assert_eq!(served.post("/v1/chat/completions", &body).0, 400);
                }
            });
        }
        (0..20).for_each(|_| running.wait_for_text());
        enough.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_full_queue_refuses_with_a_position_and_a_retry_time() {
    let served = TestServer::ready(&["--sequences", "1", "--queue-jobs-max", "2"]);
    let ask = |body: &str| served.stream_as(PUPIL, body);
    let mut running = ask(&endless());
    running.wait_for_text();
    // One after the other: concurrent requests may arrive in either order.
    let mut waiting = [": place 1", ": place 2"].map(|place| {
        let mut stream = ask(&chat(json!({"max_tokens": 3})));
        stream.wait_for(place);
        stream
    });
    let response = served.post_raw("/v1/chat/completions", &chat(json!({})));
    let retry = response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
    assert!((1..=600).contains(&retry));
    let (status, reply) = whole(response);
    assert_eq!(status, 503);
    assert!(reply.contains("busy") && reply.contains("3 questions are before yours"), "{reply}");
    drop(running);
    waiting.iter_mut().for_each(|stream| assert!(!said(&stream.events()).is_empty()));
}

#[test]
fn a_client_that_disconnects_frees_its_sequence_within_a_step() {
    let served = TestServer::ready(&["--sequences", "1"]);
    for hang_up in [Shutdown::Both, Shutdown::Write] {
        let mut leaving = served.connect();
        let body = chat(json!({"ignore_eos": true, "max_tokens": 8000, "stream": false}));
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n";
        let length = format!("Content-Length: {}\r\n\r\n", body.len());
        leaving.write_all(format!("{head}{PUPIL}{length}{body}").as_bytes()).unwrap();
        // A short question that has to wait proves that the long one is running.
        let mut waiting = None;
        wait_until("a question to wait", || {
            let mut next = served.stream_as(PUPIL, &chat(json!({"max_tokens": 2})));
            let mut told = std::iter::from_fn(|| next.line());
            let told = told.find(|line| line == ": place 1" || line == ": running");
            let waits = told.as_deref() == Some(": place 1");
            waiting = waits.then_some(next);
            waits
        });
        leaving.shutdown(hang_up).unwrap();
        // The first would have run for minutes: an answer now means that its job was stopped.
        waiting.unwrap().wait_for("\"finish_reason\":\"length\"");
    }
}

#[test]
fn only_pages_of_this_machine_may_read_replies() {
    let served = TestServer::ready(&[]);
    for (origin, allowed) in [
        ("http://localhost:3000", true),
        ("http://127.0.0.1:8080", true),
        ("http://example.org", false),
        ("null", false),
    ] {
        for request in [
            agent().get(served.url("/healthz")).header("Origin", origin).call().unwrap(),
            agent().options(served.url("/api/predict")).header("Origin", origin).call().unwrap(),
        ] {
            let header = request.headers().get("access-control-allow-origin");
            assert_eq!(header.map(|h| h.to_str().unwrap()), allowed.then_some(origin));
        }
    }
}

#[test]
fn a_page_of_another_site_cannot_ask_a_question() {
    let served = TestServer::ready(&[]);
    let own = format!("http://{}", served.address);
    let ask = |origin: &str| {
        let request = agent().post(served.url("/api/predict")).header("Origin", origin);
        request.send("{}").unwrap().status().as_u16()
    };
    assert_eq!((ask("http://example.org"), ask("null")), (403, 403));
    assert_eq!(
        (ask(&own), ask("http://localhost:3000")),
        (400, 400),
        "accepted, though not a question"
    );
}

#[test]
fn an_address_in_use_is_named_with_the_flag_that_changes_it() {
    let served = TestServer::ready(&[]);
    let address = served.address.to_string();
    let mut second = solverbox();
    let data = tempfile::tempdir().unwrap();
    second.args(["serve", "--listen", &address, "--data"]).arg(data.path());
    let output = second.arg("--model").arg(support::model()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains(&address) && stderr.contains("--listen"), "{stderr}");
}

#[test]
fn sigterm_ends_the_streams_and_then_the_server() {
    let served = TestServer::ready(&[]);
    let mut stream = served.stream(&endless());
    stream.wait_for_text();
    let folder = served.data.path().to_path_buf();
    send_signal(served.pid(), "TERM");
    assert_eq!(stream.wait_for("[DONE]"), "data: [DONE]");
    let left = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let lasts = ["prefixes", "secret", "lock", "crashed"];
    let is_meant = |name: &str| lasts.contains(&name) || name.starts_with("journal.sqlite");
    let left: Vec<_> = left.filter(|name| !is_meant(&name.to_string_lossy())).collect();
    assert!(left.is_empty(), "no temporary files: {left:?}");
    assert_eq!(served.exit_code(), Some(0));
}
