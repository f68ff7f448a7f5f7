//! Jobs shared by a token: read and followed by anybody, withdrawn, gone with the job.

use std::io::Write;

use serde_json::{Value, json};

use crate::api::identity::{RawReply, send};
use crate::api::jobs::{all, ask, events, get, next, short, text_of};
use crate::support::{Stream, TestServer};

/// Credentials of another client than the one that asked.
const OTHER: &str = "Authorization: Bearer other\r\n";

/// Shares a job; returns the token.
fn share(served: &TestServer, id: &str) -> String {
    let shared = send(served, &format!("POST /api/jobs/{id}/share"), "", "");
    assert_eq!(shared.status, 201, "{}", shared.body);
    let token = shared.body["token"].as_str().unwrap().to_string();
    assert!(token.len() == 32 && token.bytes().all(|digit| digit.is_ascii_hexdigit()), "{token}");
    assert_eq!(shared.body["path"], format!("/#shared/{token}"));
    token
}

fn read(served: &TestServer, token: &str) -> RawReply {
    send(served, &format!("GET /api/shared/{token}"), OTHER, "")
}

/// Follows a shared job as another client.
fn follow(served: &TestServer, token: &str, from: &str) -> Stream {
    let mut socket = served.connect();
    let request = format!(
        "GET /api/shared/{token}/events?from={from} HTTP/1.1\r\nHost: localhost\r\n{OTHER}\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    Stream::of(socket)
}

#[test]
fn a_shared_job_is_read_and_followed_by_anybody_and_changed_by_nobody_else() {
    let served = TestServer::ready(&[]);
    let id = ask(&served, &short());
    let own = all(&mut events(&served, &id, ""));
    let token = share(&served, &id);
    assert_eq!(send(&served, &format!("GET /api/jobs/{id}"), OTHER, "").status, 404);
    let shared = read(&served, &token);
    assert_eq!((shared.status, &shared.body), (200, &get(&served, &id)));
    // No credentials are needed, and wrong ones do not matter.
    let forged = "Cookie: solverbox=0123\r\n";
    assert_eq!(send(&served, &format!("GET /api/shared/{token}"), forged, "").status, 200);
    let followed = all(&mut follow(&served, &token, "0"));
    assert_eq!(text_of(&followed), text_of(&own));
    assert_eq!(followed.last().unwrap().data, own.last().unwrap().data);
    let half = own[own.len() / 2].id.clone();
    let rest = all(&mut follow(&served, &token, &half));
    assert_eq!(text_of(&rest), text_of(&own)[half.parse().unwrap()..]);
    for request in [
        format!("POST /api/shared/{token}"),
        format!("DELETE /api/shared/{token}"),
        format!("POST /api/shared/{token}/events"),
        format!("GET /api/jobs/{id}/share"),
    ] {
        assert_eq!(send(&served, &request, "", "").status, 405, "{request}");
    }
    for request in [format!("POST /api/jobs/{id}/share"), format!("DELETE /api/jobs/{id}/share")] {
        assert_eq!(send(&served, &request, OTHER, "").status, 404, "{request}");
    }
    assert_eq!(send(&served, &format!("GET /api/shared/{token}/stop"), "", "").status, 404);
    assert_eq!(read(&served, &token).status, 200);
}

#[test]
fn a_new_token_replaces_the_old_one_and_both_are_gone_with_the_job() {
    let mut served = TestServer::ready(&[]);
    let id = ask(&served, &short());
    all(&mut events(&served, &id, ""));
    let (first, second) = (share(&served, &id), share(&served, &id));
    assert_eq!((read(&served, &first).status, read(&served, &second).status), (404, 200));
    served.kill_and_restart();
    assert_eq!(read(&served, &second).body["answer"], get(&served, &id)["answer"]);
    let journal = std::fs::read(served.data.path().join("journal.sqlite")).unwrap();
    let log = std::fs::read(served.data.path().join("journal.sqlite-wal")).unwrap_or_default();
    let holds = |token: &str| {
        let token = token.as_bytes();
        [&journal, &log].iter().any(|file| file.windows(token.len()).any(|part| part == token))
    };
    assert!(!holds(&first) && !holds(&second), "only hashes are stored");
    let withdrawn = send(&served, &format!("DELETE /api/jobs/{id}/share"), "", "");
    assert_eq!((withdrawn.status, read(&served, &second).status), (204, 404));
    assert_eq!(send(&served, &format!("DELETE /api/jobs/{id}/share"), "", "").status, 204);
    let third = share(&served, &id);
    assert_eq!(send(&served, &format!("DELETE /api/jobs/{id}"), "", "").status, 204);
    assert_eq!(read(&served, &third).status, 404);
}

#[test]
fn a_wrong_token_finds_nothing_whatever_it_looks_like() {
    let served = TestServer::ready(&[]);
    let id = ask(&served, &short());
    all(&mut events(&served, &id, ""));
    let token = share(&served, &id);
    let long = "0".repeat(8_000);
    for wrong in ["0", &id, &token[..31], &format!("0{token}"), &format!("{token}0"), "%00", &long]
    {
        for path in [format!("/api/shared/{wrong}"), format!("/api/shared/{wrong}/events")] {
            assert_eq!(send(&served, &format!("GET {path}"), "", "").status, 404, "{path}");
        }
    }
    let error = read(&served, "0").body["error"].clone();
    assert_eq!(error["kind"], "not_found");
    assert!(error["remedy"].as_str().unwrap().contains("new link"), "{error}");
}

#[test]
fn readers_of_a_running_job_are_cut_off_when_it_is_withdrawn() {
    let served = TestServer::ready(&[]);
    let endless = json!({
        "question": "What is 9876*789?", "mode": "math", "budget_tokens": 100000, "ignore_eos": true,
    });
    let id = ask(&served, &endless);
    let token = share(&served, &id);
    let mut reader = follow(&served, &token, "0");
    while next(&mut reader).unwrap().text().is_empty() {}
    assert_eq!(send(&served, &format!("DELETE /api/jobs/{id}/share"), "", "").status, 204);
    let rest = all(&mut reader);
    assert!(rest.iter().all(|event| event.kind != "done"), "the stream ends before the job does");
    assert_eq!(get(&served, &id)["state"], "running");
}

#[test]
fn a_chat_question_can_be_shared_once_it_is_kept() {
    let served = TestServer::ready(&[]);
    let key = "Authorization: Bearer a\r\n";
    let body = crate::support::chat(json!({
        "stream": true, "ignore_eos": true, "max_tokens": 60000,
    }));
    let mut stream = served.stream_as(key, &body);
    let line = stream.wait_for("\"job\"");
    let event: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
    let id = event["solverbox"]["job"].as_str().unwrap();
    let refused = send(&served, &format!("POST /api/jobs/{id}/share"), key, "");
    assert_eq!((refused.status, &refused.body["error"]["kind"]), (409, &json!("conflict")));
}
