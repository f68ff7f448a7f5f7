//! The job API from end to end: jobs are accepted, read from any position, finished, stopped,
//! deleted, listed, and continued after a restart.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Stream, TestServer, agent, model, send_signal, wait_until, whole};

/// A server-sent event of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct SseEvent {
    pub kind: String,
    pub id: String,
    pub data: Value,
}

impl SseEvent {
    pub fn text(&self) -> &str {
        match self.kind.as_str() {
            "thinking" | "answer" => self.data["text"].as_str().unwrap(),
            _ => "",
        }
    }
}

/// Submits a question; returns the job's ID.
pub fn ask(served: &TestServer, body: &Value) -> String {
    let (status, accepted) = served.post("/api/jobs", &body.to_string());
    assert_eq!(status, 202, "{accepted}");
    accepted["id"].as_str().unwrap().to_string()
}

/// A question with a short answer.
pub fn short() -> Value {
    json!({"question": "What is 17*23?", "mode": "plain", "seed": 1})
}

/// A question with long answers, from many concurrent attempts.
pub fn long(seed: u64) -> Value {
    json!({
        "question": "What is 9876*789?", "mode": "math", "seed": seed, "attempts": 8,
        "budget_tokens": 3000,
    })
}

pub fn get(served: &TestServer, id: &str) -> Value {
    let (status, text) = served.get(&format!("/api/jobs/{id}"));
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Opens a job's event stream from a position.
pub fn events(served: &TestServer, id: &str, from: &str) -> Stream {
    let mut socket = served.connect();
    let request = format!(
        "GET /api/jobs/{id}/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {from}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    Stream::of(socket)
}

/// Reads the next event; `None` at the end of the stream.
pub fn next(stream: &mut Stream) -> Option<SseEvent> {
    let (mut kind, mut id) = (String::new(), String::new());
    loop {
        let line = stream.line()?;
        if let Some(named) = line.strip_prefix("event: ") {
            kind = named.to_string();
        } else if let Some(named) = line.strip_prefix("id: ") {
            id = named.to_string();
        } else if let Some(data) = line.strip_prefix("data: ") {
            return Some(SseEvent { kind, id, data: serde_json::from_str(data).unwrap() });
        }
    }
}

pub fn all(stream: &mut Stream) -> Vec<SseEvent> {
    std::iter::from_fn(|| next(stream)).collect()
}

pub fn text_of(events: &[SseEvent]) -> String {
    events.iter().map(SseEvent::text).collect()
}

#[test]
fn a_job_is_accepted_answered_and_read_as_json_and_as_events() {
    let served = TestServer::ready(&[]);
    let (status, accepted) = served.post("/api/jobs", &short().to_string());
    assert_eq!(status, 202, "{accepted}");
    assert!(["queued", "running", "done"].contains(&accepted["state"].as_str().unwrap()));
    let id = accepted["id"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    let told = all(&mut events(&served, id, ""));
    let done = told.last().unwrap();
    assert_eq!(done.kind, "done");
    assert_eq!(done.data["state"], "done");
    let job = get(&served, id);
    assert_eq!((&job["state"], &job["finish"]), (&json!("done"), &json!("done")));
    assert_eq!(job["question"], "What is 17*23?");
    assert_eq!((&job["value"], &job["best_attempt"]), (&json!("391"), &json!(0)));
    assert_eq!((&job["previous"], &job["attempt_of_student"]), (&Value::Null, &Value::Null));
    assert!(job["ended_at"].as_u64() >= job["asked_at"].as_u64(), "{job}");
    assert_eq!(job["answer"], done.data["answer"]);
    assert_eq!(job["offset"].as_str().unwrap(), done.id);
    let of = |kind: &str| {
        let events: Vec<SseEvent> = told.iter().filter(|e| e.kind == kind).cloned().collect();
        text_of(&events)
    };
    assert_eq!(of("answer").trim(), job["answer"].as_str().unwrap());
    assert_eq!(of("thinking").trim(), job["thinking"].as_str().unwrap());
    assert!(job["figures"]["completion_tokens"].as_u64().unwrap() > 0);
    assert_eq!(text_of(&told).len().to_string(), done.id, "offsets count bytes");
}

#[test]
fn a_reader_from_any_position_gets_exactly_the_rest_of_all_attempts() {
    let served = TestServer::ready(&[]);
    let id = ask(&served, &long(5));
    let told = all(&mut events(&served, &id, "0"));
    let whole = text_of(&told);
    assert!(told.iter().any(|event| event.data["attempt"] == 1), "attempts are interleaved");
    assert!(told.iter().any(|event| event.kind == "vote"));
    for event in told.iter().filter(|event| !event.text().is_empty()).step_by(9) {
        let at: usize = event.id.parse().unwrap();
        let rest = all(&mut events(&served, &id, &event.id));
        assert_eq!(text_of(&rest), whole[at..], "from {at}");
        assert!(rest.iter().all(|event| event.kind != "rewind"));
    }
    let beyond = all(&mut events(&served, &id, "99999999"));
    assert_eq!((beyond[0].kind.as_str(), &beyond[0].data["to"]), ("rewind", &json!(whole.len())));
    let (status, text) = served.get(&format!("/api/jobs/{id}/events?from=x"));
    assert_eq!(status, 400, "{text}");
}

#[test]
fn an_idempotency_key_makes_one_job_however_often_it_is_sent() {
    let served = TestServer::ready(&[]);
    let send = |key: &str, question: &str| {
        let body = json!({"question": question, "mode": "plain"}).to_string();
        let request = agent().post(served.url("/api/jobs")).header("Idempotency-Key", key);
        let (status, text) = whole(request.send(&body).unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let (status, first) = send("k1", "1+1?");
    assert_eq!(status, 202);
    std::thread::scope(|scope| {
        let again: Vec<_> = (0..4).map(|_| scope.spawn(|| send("k1", "1+1?"))).collect();
        for reply in again {
            let (status, body) = reply.join().unwrap();
            assert_eq!((status, &body["id"]), (202, &first["id"]));
        }
    });
    assert_ne!(send("k2", "1+1?").1["id"], first["id"]);
    let (status, conflict) = send("k1", "2+2?");
    assert_eq!((status, &conflict["error"]["kind"]), (409, &json!("conflict")));
    assert_eq!(send("", "1+1?").0, 400);
    assert_eq!(send(&"x".repeat(257), "1+1?").0, 400);
}

#[test]
fn a_job_is_visible_to_its_own_client_only() {
    let served = TestServer::ready(&[]);
    let as_client = |key: &str| format!("Bearer {key}");
    let request = agent().post(served.url("/api/jobs")).header("Authorization", as_client("a"));
    let (status, text) = whole(request.send(short().to_string()).unwrap());
    assert_eq!(status, 202, "{text}");
    let id = serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_string();
    let url = served.url(&format!("/api/jobs/{id}"));
    let status = |key: &str, path: &str, method: &str| {
        let url = format!("{url}{path}");
        let reply = match method {
            "GET" => agent().get(url).header("Authorization", as_client(key)).call(),
            "DELETE" => agent().delete(url).header("Authorization", as_client(key)).call(),
            _ => agent().post(url).header("Authorization", as_client(key)).send(""),
        };
        reply.unwrap().status().as_u16()
    };
    for (path, method) in
        [("", "GET"), ("/events", "GET"), ("/finish", "POST"), ("/stop", "POST"), ("", "DELETE")]
    {
        assert_eq!(status("b", path, method), 404, "{method} {path}");
    }
    assert_eq!(status("a", "", "GET"), 200);
    let list = |key: &str| {
        let request = agent().get(served.url("/api/jobs")).header("Authorization", as_client(key));
        serde_json::from_str::<Value>(&whole(request.call().unwrap()).1).unwrap()
    };
    assert_eq!(list("a")["jobs"][0]["id"], id);
    assert_eq!(list("b")["jobs"], json!([]));
    assert_eq!(status("a", "", "DELETE"), 204);
    assert_eq!(status("a", "", "GET"), 404);
    wait_until("the list to lose it", || list("a")["jobs"] == json!([]));
}

#[test]
fn a_job_is_stopped_finished_and_continued() {
    let served = TestServer::ready(&["--context-tokens", "8192"]);
    let endless = json!({
        "question": "What is 2+2?", "mode": "math", "attempts": 1, "budget_tokens": 6000,
    });
    let id = ask(&served, &endless);
    let mut stream = events(&served, &id, "");
    while next(&mut stream).unwrap().text().is_empty() {}
    let (status, _) = served.post(&format!("/api/jobs/{id}/stop"), "");
    assert_eq!(status, 202);
    let told = all(&mut stream);
    assert!(["stopped", "done"].contains(&told.last().unwrap().data["state"].as_str().unwrap()));
    let id = ask(&served, &short());
    let first = all(&mut events(&served, &id, ""));
    assert_eq!(first.last().unwrap().kind, "done");
    let next = json!({"question": "And twice that?", "mode": "plain", "previous": id});
    let id = ask(&served, &next);
    assert_eq!(all(&mut events(&served, &id, "")).last().unwrap().kind, "done");
    let continued = get(&served, &id);
    assert_eq!(
        (&continued["previous"], &continued["question"]),
        (&next["previous"], &next["question"])
    );
    let foreign = json!({"question": "x", "previous": "0".repeat(32)});
    assert_eq!(served.post("/api/jobs", &foreign.to_string()).0, 404);
}

#[test]
fn jobs_continue_after_a_kill_and_readers_get_the_rest() {
    let mut served = TestServer::ready(&["--sync-seconds", "0"]);
    let ids: Vec<String> = (0..3).map(|seed| ask(&served, &long(seed))).collect();
    let mut stream = events(&served, &ids[0], "");
    let mut seen = Vec::new();
    while text_of(&seen).len() < 200 {
        seen.push(next(&mut stream).expect("the stream continues"));
    }
    served.kill_and_restart();
    served.wait_ready();
    let last = seen.iter().rev().find(|event| !event.text().is_empty()).unwrap().id.clone();
    let mut rest = all(&mut events(&served, &ids[0], &last));
    let mut text = text_of(&seen);
    if rest[0].kind == "rewind" {
        text.truncate(rest.remove(0).data["to"].as_u64().unwrap() as usize);
    }
    text += &text_of(&rest);
    assert_eq!(rest.last().unwrap().kind, "done");
    let again = all(&mut events(&served, &ids[0], "0"));
    assert_eq!(text, text_of(&again), "the reader has what the journal has");
    for id in &ids {
        wait_until("the job to end", || get(&served, id)["state"] == "done");
    }
    served.kill_and_restart();
    for id in &ids {
        assert_eq!(get(&served, id)["state"], "done", "and stays done");
    }
}

#[test]
fn a_job_continues_with_the_tokens_it_already_drew() {
    // One thread and a fixed seed: the reference is the answer of a server that was never killed.
    let question = json!({
        "question": "Tom has 17 apples and gives 9 away. How many are left?",
        "mode": "math", "seed": 11, "attempts": 1, "budget_tokens": 2000,
    });
    let mut served = TestServer::ready(&["--sync-seconds", "0", "--drafts", "off"]);
    let id = ask(&served, &question);
    let reference = text_of(&all(&mut events(&served, &id, "")));
    let id = ask(&served, &question);
    let mut stream = events(&served, &id, "");
    while text_of(&[next(&mut stream).unwrap()]).is_empty() {}
    served.kill_and_restart();
    let told = all(&mut events(&served, &id, "0"));
    assert_eq!(text_of(&told), reference);
}

#[test]
fn a_question_that_crashes_the_server_twice_fails_and_the_others_are_answered() {
    let mut served = TestServer::ready(&["--sync-seconds", "0", "--context-tokens", "16384"]);
    let guilty =
        ask(&served, &json!({"question": "What is 98765*87654?", "mode": "math", "attempts": 16}));
    let innocent = ask(&served, &long(3));
    for _ in 0..2 {
        // Text beyond what it had when the server was ready proves that it is in the batch.
        let offset = get(&served, &guilty)["offset"].as_str().unwrap().to_string();
        let mut stream = events(&served, &guilty, &offset);
        while next(&mut stream).expect("the job runs").text().is_empty() {}
        // As a failed assertion in llama.cpp ends the process.
        served.end_by("ABRT");
        served.restart();
        served.wait_ready();
    }
    let failed = get(&served, &guilty);
    assert_eq!(failed["state"], "failed", "{failed}");
    assert_eq!(failed["error"]["message"], "this question crashed the server twice");
    assert_eq!(all(&mut events(&served, &innocent, "0")).last().unwrap().kind, "done");
    let id = ask(&served, &short());
    assert_eq!(all(&mut events(&served, &id, "")).last().unwrap().kind, "done");
}

#[test]
fn a_stopped_job_stays_stopped_after_a_kill() {
    let mut served = TestServer::ready(&["--sync-seconds", "0"]);
    let many = json!({"question": "What is 98765*87654?", "mode": "math", "attempts": 16});
    let id = ask(&served, &many);
    let mut stream = events(&served, &id, "");
    while next(&mut stream).expect("the job runs").text().is_empty() {}
    assert_eq!(served.post(&format!("/api/jobs/{id}/stop"), "").0, 202);
    served.kill_and_restart();
    served.wait_ready();
    wait_until("the job to end", || get(&served, &id)["state"] != "queued");
    assert_eq!(get(&served, &id)["state"], "stopped");
}

#[test]
fn a_reader_that_continues_from_a_jobs_offset_misses_nothing() {
    let served = TestServer::ready(&[]);
    let one = json!({"question": "What is 98765*87654?", "mode": "plain", "seed": 5});
    let id = ask(&served, &one);
    let mut seen = Vec::new();
    loop {
        let job = get(&served, &id);
        let read = |part: &str| job[part].as_str().unwrap().to_string();
        let (state, offset) = (job["state"].clone(), read("offset"));
        seen.push((read("thinking") + &read("answer"), offset));
        if state == "done" {
            break;
        }
    }
    let told = all(&mut events(&served, &id, "0"));
    let whole = text_of(&told);
    for (read, offset) in &seen[..seen.len() - 1] {
        let rest = text_of(&all(&mut events(&served, &id, offset)));
        assert_eq!(read.clone() + &rest, whole, "at {offset}");
    }
}

#[test]
fn two_servers_do_not_share_a_data_folder() {
    let served = TestServer::start(&[]);
    let second = crate::support::solverbox()
        .arg("serve")
        .arg("--model")
        .arg(model())
        .arg("--data")
        .arg(served.data.path())
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(6));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another solverbox") && said.contains("--data DIR"), "{said}");
}

#[test]
fn a_stopped_server_asks_readers_to_reconnect_and_continues_later() {
    let mut served = TestServer::ready(&[]);
    let id = ask(&served, &long(3));
    let mut stream = events(&served, &id, "");
    while next(&mut stream).unwrap().text().is_empty() {}
    send_signal(served.pid(), "TERM");
    let rest = all(&mut stream);
    assert!(rest.iter().all(|event| event.kind != "failed"), "{rest:?}");
    served.wait_end(Duration::from_secs(5));
    served.restart();
    let told = all(&mut events(&served, &id, "0"));
    assert_eq!(told.last().unwrap().kind, "done");
}

#[test]
fn a_students_attempt_and_the_question_are_read_apart_and_a_review_has_no_value() {
    let served = TestServer::ready(&[]);
    let review = json!({
        "question": "What is 17*23?", "mode": "review", "attempt_of_student": " 17*23 = \\boxed{390} ",
        "budget_tokens": 200, "seed": 2,
    });
    let id = ask(&served, &review);
    all(&mut events(&served, &id, ""));
    let job = get(&served, &id);
    assert_eq!((&job["question"], &job["value"]), (&json!("What is 17*23?"), &Value::Null));
    assert_eq!(job["attempt_of_student"], "17*23 = \\boxed{390}");
}

#[test]
fn a_list_shows_values_and_ends_and_what_continues_what() {
    let served = TestServer::ready(&[]);
    let first = ask(&served, &short());
    let told = all(&mut events(&served, &first, ""));
    assert_eq!(told.last().unwrap().kind, "done");
    let voted = json!({
        "question": "What is 348 + 577?", "mode": "math", "seed": 3, "attempts": 4,
        "temperature": 0.1, "previous": first,
    });
    let second = ask(&served, &voted);
    let votes = all(&mut events(&served, &second, "")).last().unwrap().data["votes"].clone();
    let mut endless = long(1);
    endless["question"] = json!("What is 98765*87654?");
    endless["attempts"] = json!(16);
    let running = ask(&served, &endless);
    let (status, text) = served.get("/api/jobs");
    assert_eq!(status, 200);
    let listed: Value = serde_json::from_str(&text).unwrap();
    let entries: Vec<&Value> = listed["jobs"].as_array().unwrap().iter().collect();
    let ids: Vec<&str> = entries.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&running, &second, &first]);
    assert_eq!((&entries[0]["value"], &entries[0]["attempts_wanted"]), (&Value::Null, &json!(16)));
    assert_eq!(
        (&entries[1]["value"], &entries[1]["attempts_wanted"]),
        (&votes["votes"][0]["value"], &json!(4))
    );
    assert_eq!((&entries[1]["previous"], &entries[2]["previous"]), (&json!(first), &Value::Null));
    assert_eq!(
        (&entries[2]["value"], &entries[2]["question"]),
        (&json!("391"), &json!("What is 17*23?"))
    );
    for entry in &entries[1..] {
        let job = get(&served, entry["id"].as_str().unwrap());
        for field in ["state", "value", "ended_at", "asked_at", "previous", "attempts_wanted"] {
            assert_eq!(entry[field], job[field], "{field}");
        }
    }
}
