//! Journals of other versions: one written by version 0.1 opens and goes on, one of a later version
//! is refused with a way out.
//!
//! `tests/data/journal-0.1` is what `kill -9` left of a box of version 0.1 that had answered two
//! questions and was writing the answer to a third; `secret` makes its client's cookie valid.

use std::path::Path;

use serde_json::Value;

use crate::support::{TestServer, agent, root, solverbox, text, wait_until, whole};

/// The cookie of the client that asked all three questions.
const COOKIE: &str = "solverbox=9f6d2b527ebe41f5b220d1813af0b57e.\
    cee2979f734c8e97c5f5787c03fc031a6871da2f7b27ad78200dace8a97fe5e4";
const PLAIN: &str = "2fcaff626c63fc0511191cc810663a8e";
const VOTED: &str = "e6852519adabc8109af2e49275e31528";
const UNFINISHED: &str = "538701faedd9ee12746b121dda9965ee";

/// Puts the old journal into an empty data folder.
fn restore(data: &Path) {
    for file in ["journal.sqlite", "secret"] {
        let from = root().join("tests/data/journal-0.1").join(file);
        std::fs::copy(from, data.join(file)).expect("the folder can be written");
    }
}

fn get(served: &TestServer, path: &str) -> Value {
    let request = agent().get(served.url(path)).header("Cookie", COOKIE);
    let (status, body) = whole(request.call().expect("an HTTP response"));
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

#[test]
fn a_journal_of_version_0_1_opens_and_its_unfinished_job_goes_on() {
    // The journal may be older than the default history.
    let args = ["--history-days", "36500"];
    let mut served = TestServer::start_with(Path::new("demo"), &args);
    served.end_by("KILL");
    for entry in std::fs::read_dir(served.data.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    restore(served.data.path());
    served.restart();

    let plain = get(&served, &format!("/api/jobs/{PLAIN}"));
    assert_eq!(plain["state"], "done");
    assert_eq!(plain["answer"], "The product is \\boxed{391}.");
    assert_eq!((&plain["value"], &plain["ended_at"]), (&"391".into(), &1_796_059_492.into()));
    assert_eq!((&plain["question"], &plain["previous"]), (&"What is 17*23?".into(), &Value::Null));
    let voted = get(&served, &format!("/api/jobs/{VOTED}"));
    assert_eq!((&voted["state"], &voted["votes"]["agreement"]), (&"done".into(), &1.0.into()));
    assert_eq!(voted["votes"]["votes"][0]["value"], "925");
    assert_eq!(voted["attempts"].as_array().map(Vec::len), Some(4));

    // The journal had no values: they are computed for the first list, and then stored.
    for _ in 0..2 {
        let listed = get(&served, "/api/jobs");
        let values = |id: &str| {
            let jobs = listed["jobs"].as_array().unwrap();
            jobs.iter().find(|job| job["id"] == id).map(|job| job["value"].clone())
        };
        assert_eq!([PLAIN, VOTED].map(values), [Some("391".into()), Some("925".into())]);
    }

    let job = || get(&served, &format!("/api/jobs/{UNFINISHED}"));
    let written = job()["thinking"].as_str().unwrap().to_string();
    assert!(!written.is_empty(), "what it had written before the kill is there at once");
    wait_until("the unfinished job to end", || job()["state"] == "done");
    let ended = job();
    assert!(ended["thinking"].as_str().unwrap().starts_with(written.trim_end()), "it went on");
    assert_eq!(ended["attempts"][0]["figures"]["completion_tokens"], 2500, "its whole budget");
}

#[test]
fn a_journal_of_a_later_version_is_refused_with_a_way_out() {
    let data = tempfile::tempdir().unwrap();
    restore(data.path());
    let file = data.path().join("journal.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    // SQLite keeps `user_version` there, big-endian (sqlite.org/fileformat.html, 1.3).
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&file, &bytes).unwrap();
    let mut serve = solverbox();
    serve.args(["serve", "--model", "demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    let output = serve.output().unwrap();
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("journal.sqlite") && said.contains("version 99"), "{said}");
    assert!(said.contains("--data DIR"), "it says what to do: {said}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "and leaves the journal alone");
}
