//! An end that a front end reports is on the disk, however slow the disk is.
//!
//! `strace` delays every sync of the server, and with it every commit of its journal. Another
//! connection sees a commit only after its sync, so an end that is reported while the journal does
//! not show it to this process would not survive a power cut.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::api::identity::{RawReply, send};
use crate::api::jobs::{all, ask, events, get, next, short};
use crate::api::owner;
use crate::support::terminal::TestTerminal;
use crate::support::{TestServer, model, not_checked, solverbox, wait_until};

/// How long each sync takes, in microseconds.
const SYNC_MICROSECONDS: u32 = 400_000;

/// A question that takes seconds, because many attempts have much to write.
fn long(attempts: u32) -> Value {
    json!({
        "question": "What is 98765*87654?", "mode": "math", "seed": 1, "attempts": attempts,
        "budget_tokens": 3000,
    })
}

/// The binary on a disk that takes long to sync.
fn on_a_slow_disk() -> Command {
    let mut command = Command::new("strace");
    // With -D the server is our child, so that a signal to the child is one to the server.
    command.args(["-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]);
    command.args(["-e", "trace=fsync,fdatasync", "-e", "signal=none", "-e"]);
    command.arg(format!("inject=fsync,fdatasync:delay_enter={SYNC_MICROSECONDS}"));
    let binary = solverbox();
    command.arg(binary.get_program());
    for (name, _) in binary.get_envs() {
        command.env_remove(name);
    }
    command
}

/// A server on such a disk; `None` and a note if processes cannot be traced here.
fn slow_server(args: &[&str]) -> Option<TestServer> {
    let mut probe = Command::new("strace");
    probe.args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e"]);
    probe.args(["inject=fsync:delay_enter=1", "true"]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        not_checked("ends on a slow disk, because `strace -D --seccomp-bpf` fails here");
        return None;
    }
    let args = [&["--threads", "1", "--context-tokens", "16384"], args].concat();
    let served = TestServer::start_by(on_a_slow_disk(), &model(), &args);
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
    let Some(served) = slow_server(&[]) else { return };
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
    let Some(served) = slow_server(&["--serial", &format!("{},json", terminal.port())]) else {
        return;
    };
    let send = |terminal: &mut TestTerminal, object: Value| {
        terminal.send(format!("{object}\n").as_bytes());
    };
    let line = |terminal: &TestTerminal, kind: &str| loop {
        // A person's session in between shows other lines.
        let object = serde_json::from_str(&terminal.wait("\n")).unwrap_or(Value::Null);
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
    line(&terminal, "hello");
    send(&mut terminal, json!({"type": "stop", "job": id}));
    check_end(&served, &id, || {
        send(&mut terminal, json!({"type": "last"}));
        let last = line(&terminal, "job");
        assert_eq!(last["job"], json!(id));
        last["state"].clone()
    });
}

#[test]
fn an_end_reported_to_a_repeated_key_is_on_the_disk() {
    let Some(served) = slow_server(&[]) else { return };
    let body = short().to_string();
    let ask = || {
        let reply = send(&served, "POST /api/jobs", "Idempotency-Key: same\r\n", &body);
        assert!([202, 429].contains(&reply.status), "{}", reply.head);
        reply.body
    };
    let id = ask()["id"].as_str().unwrap().to_string();
    check_end(&served, &id, || ask()["state"].clone());
}

/// Sends an order that ends a running job; its reply comes while the end is being written.
fn order(served: &TestServer, id: &str, order: &str) {
    let mut stream = events(served, id, "");
    while next(&mut stream).unwrap().text().is_empty() {}
    let (status, reply) = served.post(&format!("/api/jobs/{id}/{order}"), "");
    assert_eq!(status, 202, "{reply}");
    let state = reply["state"].clone();
    assert!(!is_end(&state) || has_end(served.data.path(), id), "{state} is not on the disk");
    check_end(served, id, || get(served, id)["state"].clone());
}

#[test]
fn an_end_reported_by_the_reply_to_finish_or_stop_is_on_the_disk() {
    let Some(served) = slow_server(&[]) else { return };
    let id = ask(&served, &long(2));
    order(&served, &id, "finish");
    let id = ask(&served, &long(16));
    order(&served, &id, "stop");
}

#[test]
fn the_last_event_of_a_job_comes_when_its_end_is_on_the_disk() {
    let Some(served) = slow_server(&[]) else { return };
    let id = ask(&served, &short());
    let told = all(&mut events(&served, &id, ""));
    assert_eq!(told.last().unwrap().kind, "done");
    assert!(has_end(served.data.path(), &id), "an end was reported that is not on the disk");
}
