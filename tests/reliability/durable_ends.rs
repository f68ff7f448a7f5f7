//! An end that a front end reports is on the disk, however slow the disk is.
//!
//! `strace` delays every sync of the server, and with it every commit of its journal. Another
//! connection sees a commit only after its sync, so an end that is reported while the journal does
//! not show it to this process would not survive a power cut.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::api::identity::{RawReply, send};
use crate::api::jobs::{all, ask, events, next, short};
use crate::api::owner;
use crate::support::terminal::TestTerminal;
use crate::support::{TestServer, model, not_checked, solverbox, wait_until};

/// How long each sync takes: long enough to be seen by the next of many requests.
const SYNC: Duration = Duration::from_millis(400);

/// About as long as an answer takes to end once it is asked for.
const SYNC_SHORT: Duration = Duration::from_millis(30);

/// A question that takes seconds, because many attempts have much to write.
fn long(attempts: u32) -> Value {
    json!({
        "question": "What is 98765*87654?", "mode": "math", "seed": 1, "attempts": attempts,
        "budget_tokens": 3000,
    })
}

/// The binary on a disk that takes long to sync.
fn on_a_slow_disk(sync: Duration) -> Command {
    let mut command = Command::new("strace");
    // With -D the server is our child, so that a signal to the child is one to the server.
    command.args(["-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]);
    command.args(["-e", "trace=fsync,fdatasync", "-e", "signal=none", "-e"]);
    command.arg(format!("inject=fsync,fdatasync:delay_enter={}", sync.as_micros()));
    let binary = solverbox();
    command.arg(binary.get_program());
    for (name, _) in binary.get_envs() {
        command.env_remove(name);
    }
    command
}

/// A server on such a disk; `None` and a note if processes cannot be traced here.
fn slow_server(sync: Duration, args: &[&str]) -> Option<TestServer> {
    let mut probe = Command::new("strace");
    probe.args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e"]);
    probe.args(["inject=fsync:delay_enter=1", "true"]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        not_checked("ends on a slow disk, because `strace -D --seccomp-bpf` fails here");
        return None;
    }
    let args = [&["--threads", "1", "--context-tokens", "16384"], args].concat();
    let served = TestServer::start_by(on_a_slow_disk(sync), &model(), &args);
    served.wait_ready();
    Some(served)
}

/// Returns whether the journal on the disk has the end of a job.
fn has_end(data: &Path, id: &str) -> bool {
    let journal = Connection::open(data.join("journal.sqlite")).unwrap();
    let name = u128::from_str_radix(id, 16).unwrap().to_be_bytes();
    let question = "SELECT ended_ms IS NOT NULL FROM job WHERE name = ?1";
    journal.query_row(question, [name], |row| row.get(0)).unwrap()
}

fn is_end(state: &Value) -> bool {
    ["done", "stopped", "failed"].contains(&state.as_str().unwrap_or_default())
}

/// Calls `state` until it is an end, and checks the disk at once.
fn check_end(served: &TestServer, id: &str, mut state: impl FnMut() -> Value) {
    wait_until("the job to end", || is_end(&state()));
    assert!(has_end(served.data.path(), id), "an end was reported that is not on the disk");
}

#[test]
fn an_end_reported_to_the_owner_is_on_the_disk() {
    let Some(served) = slow_server(SYNC, &[]) else { return };
    owner::set_pin(served.data.path(), "correct horse");
    let cookie = owner::cookie(&owner::sign_in(&served, "correct horse"));
    let id = ask(&served, &short());
    check_end(&served, &id, || {
        let RawReply { status, body, .. } =
            send(&served, &format!("GET /api/owner/jobs/{id}"), &cookie, "");
        // Some of many requests are rejected by the rate limit.
        if status == 429 { Value::Null } else { body["state"].clone() }
    });
}

#[test]
fn an_end_reported_to_a_machine_that_asks_for_the_last_job_is_on_the_disk() {
    let mut terminal = TestTerminal::new();
    let Some(served) = slow_server(SYNC, &["--serial", &format!("{},json", terminal.port())])
    else {
        return;
    };
    let send = |terminal: &mut TestTerminal, object: Value| {
        terminal.send(format!("{object}\n").as_bytes());
    };
    let line = |terminal: &TestTerminal, kind: &str| loop {
        let object: Value = serde_json::from_str(&terminal.wait("\n")).unwrap();
        if object["type"] == kind {
            return object;
        }
    };
    let mut asked = long(16);
    (asked["type"], asked["id"]) = (json!("ask"), json!(1));
    send(&mut terminal, asked);
    let id = line(&terminal, "accepted")["job"].as_str().unwrap().to_string();
    line(&terminal, "thinking");
    // Another session on the same line follows nothing, so its replies do not wait for the end.
    send(&mut terminal, json!({"type": "person"}));
    terminal.wait("math> ");
    terminal.enter("/json");
    terminal.wait("\"hello\"");
    terminal.wait("\n");
    check_end(&served, &id, || {
        send(&mut terminal, json!({"type": "last"}));
        let last = line(&terminal, "job");
        assert_eq!(last["job"], json!(id));
        last["state"].clone()
    });
}

#[test]
fn an_end_reported_to_a_repeated_key_is_on_the_disk() {
    let Some(served) = slow_server(SYNC, &[]) else { return };
    let body = short().to_string();
    let ask = || {
        let reply = send(&served, "POST /api/jobs", "Idempotency-Key: same\r\n", &body);
        assert!([202, 429].contains(&reply.status), "{}", reply.head);
        reply.body
    };
    let id = ask()["id"].as_str().unwrap().to_string();
    check_end(&served, &id, || ask()["state"].clone());
}

#[test]
fn an_end_reported_by_the_reply_to_finish_is_on_the_disk() {
    let Some(served) = slow_server(SYNC_SHORT, &[]) else { return };
    let is_over = AtomicBool::new(false);
    let ask_all_the_time = || {
        // Bounded, so that it also ends when an assertion below fails.
        for _ in (0..1_000).take_while(|_| !is_over.load(Ordering::Relaxed)) {
            // Keeps the journal busy, so that the order and the end reach it in the same order but
            // in different commits. Whether the question is accepted does not matter.
            served.post("/api/jobs", &short().to_string());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(ask_all_the_time);
        let reported: Vec<bool> = (0..8).map(|_| finish(&served)).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(reported.iter().all(|&is_durable| is_durable), "{reported:?}");
    });
}

/// Has a running job answer; returns whether the end that the reply reports, if any, is on the disk.
fn finish(served: &TestServer) -> bool {
    let id = ask(served, &long(4));
    let mut stream = events(served, &id, "");
    while next(&mut stream).unwrap().text().is_empty() {}
    let (status, reply) = served.post(&format!("/api/jobs/{id}/finish"), "");
    let is_durable = !is_end(&reply["state"]) || has_end(served.data.path(), &id);
    assert_eq!(status, 202, "{reply}");
    is_durable
}

#[test]
fn the_last_event_of_a_job_comes_when_its_end_is_on_the_disk() {
    let Some(served) = slow_server(SYNC, &[]) else { return };
    let id = ask(&served, &short());
    let told = all(&mut events(&served, &id, ""));
    assert_eq!(told.last().unwrap().kind, "done");
    assert!(has_end(served.data.path(), &id), "an end was reported that is not on the disk");
}
