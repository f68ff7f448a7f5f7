//! The owner's PIN: set, typed, guessed at, changed; and the record of what owners did.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::api::identity::{RawReply, send};
use crate::support::{TestServer, chat, said, solverbox, text};

const SESSION: &str = "/api/owner/session";

/// Runs `solverbox owner …` with a line of standard input.
fn owner(action: &str, data: &Path, line: &str) -> Output {
    let mut command = solverbox();
    command.args(["owner", action, "--data"]).arg(data).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may exit before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(line.as_bytes());
    child.wait_with_output().unwrap()
}

pub fn set_pin(data: &Path, pin: &str) {
    let set = owner("set-pin", data, &format!("{pin}\n"));
    assert!(set.status.success(), "{}", text(&set.stderr));
}

pub fn with_pin(pin: &str) -> TestServer {
    let served = TestServer::start(&[]);
    set_pin(served.data.path(), pin);
    served
}

pub fn sign_in(served: &TestServer, pin: &str) -> RawReply {
    let body = serde_json::json!({"pin": pin}).to_string();
    send(served, &format!("POST {SESSION}"), "", &body)
}

/// Returns the session cookie of a sign-in as a header line.
pub fn cookie(reply: &RawReply) -> String {
    assert_eq!(reply.status, 204, "{}", reply.head);
    let set = reply.head.split("set-cookie: ").nth(1).unwrap();
    format!("Cookie: {}\r\n", set.split(';').next().unwrap())
}

fn session(served: &TestServer, cookie: &str) -> (bool, bool) {
    let body = send(served, &format!("GET {SESSION}"), cookie, "").body;
    (body["signed_in"].as_bool().unwrap(), body["has_pin"].as_bool().unwrap())
}

fn retry_after(reply: &RawReply) -> u64 {
    let line = reply.head.split("retry-after: ").nth(1).expect("it says when to try again");
    line.lines().next().unwrap().parse().unwrap()
}

/// Returns the actions in the owner's log, in order.
pub fn actions(data: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(data.join("owner.log")).unwrap();
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    log.lines().map(|text| line(text)["action"].as_str().unwrap().to_string()).collect()
}

#[test]
fn an_owners_sign_in_and_sign_out_are_recorded() {
    let served = TestServer::start(&[]);
    let data = served.data.path();
    assert_eq!(session(&served, ""), (false, false));
    let refused = sign_in(&served, "correct horse");
    assert_eq!(refused.status, 403);
    assert!(refused.body["error"]["remedy"].as_str().unwrap().contains("solverbox owner set-pin"));
    set_pin(data, "correct horse");
    let reply = sign_in(&served, "correct horse");
    let attributes = "; httponly; samesite=strict; path=/api/owner\r\n";
    assert!(reply.head.contains(attributes), "{}", reply.head);
    let first = cookie(&reply);
    let token = first.split('=').nth(1).unwrap().trim();
    assert_eq!(token.len(), 64, "256 bits");
    assert_eq!((session(&served, &first), session(&served, "")), ((true, true), (false, true)));
    let second = cookie(&sign_in(&served, "correct horse"));
    let forged = first.replace(token, &"0".repeat(64));
    assert_eq!(session(&served, &forged), (false, true));
    let delete = |cookie: &str| send(&served, &format!("DELETE {SESSION}"), cookie, "").status;
    assert_eq!((delete(""), delete(&forged), delete(&first)), (401, 401, 204));
    assert_eq!(
        (session(&served, &first), session(&served, &second)),
        ((false, true), (true, true))
    );
    set_pin(data, "battery staple");
    assert_eq!(session(&served, &second), (false, true), "a new PIN ends all sessions");
    assert_eq!(sign_in(&served, "correct horse").status, 401);
    assert!(owner("remove-pin", data, "").status.success());
    assert_eq!(session(&served, ""), (false, false));
    let done =
        ["set_pin", "sign_in", "sign_in", "sign_out", "set_pin", "sign_in_failed", "remove_pin"];
    assert_eq!(actions(data), done);
    served.wait_log("refused 127.0.0.1: a wrong PIN");
    let log = served.log() + &std::fs::read_to_string(data.join("owner.log")).unwrap();
    for secret in ["horse", "staple", token] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn an_unsuitable_pin_is_refused_with_the_bounds() {
    let data = tempfile::tempdir().unwrap();
    for line in ["", "\n", "12345\n", &"x".repeat(100_000), "\u{1F600}\u{1F600}\u{1F600}"] {
        let refused = owner("set-pin", data.path(), line);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("6 to 64 characters"), "{}", text(&refused.stderr));
    }
    assert!(!data.path().join("owner.toml").exists());
    assert!(text(&owner("remove-pin", data.path(), "").stderr).contains("no PIN was set"));
    set_pin(data.path(), "123456\r");
    let text = std::fs::read_to_string(data.path().join("owner.toml")).unwrap();
    assert!(text.starts_with("pin = \"$argon2id$") && !text.contains("123456"), "{text}");
}

/// Types each line at a terminal once its prompt shows; returns success and what the screen shows.
fn type_pins(data: &Path, lines: [&str; 2]) -> (bool, String) {
    let command =
        format!("{} owner set-pin --data {}", env!("CARGO_BIN_EXE_solverbox"), data.display());
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script(1) of util-linux is installed");
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = String::new();
    for (question, line) in ["characters: ", "again: "].into_iter().zip(lines) {
        while !shown.ends_with(question) {
            let mut piece = [0; 256];
            let count = screen.read(&mut piece).unwrap();
            assert_ne!(count, 0, "{shown}");
            shown.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
        keys.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().success(), shown + &rest)
}

#[test]
fn on_a_terminal_a_pin_is_typed_twice_and_not_shown() {
    let data = tempfile::tempdir().unwrap();
    let (set, shown) = type_pins(data.path(), ["open sesame", "open sesami"]);
    assert!(!set && shown.contains("the two PINs differ") && !shown.contains("sesam"), "{shown}");
    let (set, shown) = type_pins(data.path(), ["open sesame", "open sesame"]);
    assert!(set && shown.contains("the PIN is set") && !shown.contains("sesam"), "{shown}");
    let served = TestServer::start(&["--data", data.path().to_str().unwrap()]);
    assert_eq!(sign_in(&served, "open sesame").status, 204);
}

#[test]
fn guessing_ten_thousand_pins_finds_nothing_and_does_not_stop_answers() {
    let served = with_pin("004711-x");
    served.wait_ready();
    let mut running = served.stream(&chat(serde_json::json!({
        "stream": true, "ignore_eos": true, "max_tokens": 8000
    })));
    running.wait_for_text();
    let (next, tried) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= 10_000 {
                        return;
                    }
                    let status = sign_in(&served, &format!("{number:06}")).status;
                    assert!(status == 401 || status == 429, "{status}");
                    if status == 401 {
                        tried.lock().unwrap().push(number);
                    }
                }
            });
        }
        // The stream is read while the PINs arrive.
        (0..5).for_each(|_| running.wait_for_text());
        assert_eq!(served.get("/healthz").0, 200);
    });
    let (seconds, tried) = (start.elapsed().as_secs_f64(), tried.into_inner().unwrap());
    // One at once, then after 1 s, 2 s, 4 s …: the number of verified PINs grows logarithmically.
    let most = (seconds + 1.0).log2() as usize + 2;
    assert!((1..=most).contains(&tried.len()), "{tried:?} in {seconds} s");
    let data = served.data.path();
    let failed = actions(data).into_iter().filter(|action| action == "sign_in_failed").count();
    assert_eq!(failed, tried.len());
    let lines = served.log().lines().filter(|line| line.contains("PIN")).count();
    assert!(lines <= 20 + 10 * (seconds / 60.0) as usize, "{lines} lines");
    drop(running);
    let body = chat(serde_json::json!({"stream": true, "max_tokens": 4}));
    assert!(!said(&served.stream(&body).events()).is_empty());
}

#[test]
fn twenty_wrong_pins_lock_the_sign_in_for_an_hour_across_restarts() {
    let data = tempfile::tempdir().unwrap();
    set_pin(data.path(), "right pin");
    let start = || TestServer::start(&["--data", data.path().to_str().unwrap()]);
    // The state after nineteen wrong PINs, hours of waiting later.
    let id = Sha256::digest(std::fs::read(data.path().join("owner.toml")).unwrap());
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let wrong = format!("pin = \"{id}\"\nwrong = 19\nuntil = 1000\n");
    std::fs::write(data.path().join("owner-wrong.toml"), wrong).unwrap();
    let served = start();
    let twentieth = sign_in(&served, "wrong pin");
    assert_eq!((twentieth.status, retry_after(&twentieth)), (401, 3_600));
    for _ in 0..2 {
        let refused = sign_in(&served, "right pin");
        assert_eq!(refused.status, 429);
        assert!((3_000..=3_600).contains(&retry_after(&refused)), "{}", refused.head);
    }
    // Killed, not closed: the count was on the disk before the PIN was verified.
    drop(served);
    let served = start();
    let refused = sign_in(&served, "right pin");
    assert_eq!(refused.status, 429);
    assert!((3_000..=3_600).contains(&retry_after(&refused)), "{}", refused.head);
    // Access to the machine itself is enough to set a new PIN.
    set_pin(data.path(), "right pin");
    assert_eq!(sign_in(&served, "right pin").status, 204);
}
