//! One rule for the fields of a request, whichever way it comes: `/api/jobs`, `/v1`, `/api/predict`
//! and a machine's serial line read numbers, strings and duplicates alike.

use serde_json::{Value, json};

use crate::console::machine::{line, machine, send};
use crate::support::TestServer;
use crate::support::terminal::TestTerminal;

const JOBS: &str = "/api/jobs";
const CHAT: &str = "/v1/chat/completions";
const PREDICT: &str = "/api/predict";

/// A chat request with more fields, as text, so that one can be there twice.
fn chat(fields: &str) -> String {
    format!(
        r#"{{"model": "solverbox:plain", "messages": [{{"role": "user", "content": "2+2?"}}], {fields}}}"#
    )
}

fn job(fields: &str) -> String {
    format!(r#"{{"question": "2+2?", "mode": "plain", {fields}}}"#)
}

/// Sends a question with these fields over the line; returns the first line that belongs to it.
fn asked(terminal: &mut TestTerminal, id: u32, fields: &str) -> Value {
    let ask =
        format!(r#"{{"type": "ask", "id": {id}, "question": "2+2?", "mode": "plain", {fields}}}"#);
    terminal.send(format!("{ask}\n").as_bytes());
    loop {
        let line = line(terminal);
        if line["id"] == id {
            return line;
        }
    }
}

#[test]
fn an_integer_may_be_written_with_a_fraction_of_zero() {
    let mut terminal = TestTerminal::new();
    let served = machine(&terminal, "", &[]);
    served.wait_ready();
    line(&terminal);
    let sent = |path: &str, body: &str| served.post(path, body);
    // The seed is the same number in both spellings. Compared before anything else runs: a batch of
    // another size rounds differently, and the demo model's guesses are close.
    let answer = |seed: &str| {
        let fields = format!(r#""seed": {seed}, "temperature": 1.0, "max_tokens": 40"#);
        let (status, reply) = sent(CHAT, &chat(&fields));
        assert_eq!(status, 200, "{reply}");
        reply["choices"][0]["message"].clone()
    };
    assert_eq!(answer("7"), answer("7.0"));
    for fields in [r#""seed": 1.0, "attempts": 1.0, "budget_tokens": 20.0"#, r#""seed": -1"#] {
        let (status, reply) = sent(JOBS, &job(fields));
        assert_eq!(status, 202, "{fields}: {reply}");
    }
    let fields = r#""seed": 1.0, "n": 1.0, "max_tokens": 20.0, "max_completion_tokens": 20.0"#;
    let (status, reply) = sent(CHAT, &chat(fields));
    assert_eq!(status, 200, "{reply}");
    let accepted =
        asked(&mut terminal, 1, r#""seed": 1.0, "attempts": 1.0, "budget_tokens": 20.0"#);
    assert_eq!(accepted["type"], "accepted", "{accepted}");
}

#[test]
fn a_field_that_is_given_twice_is_refused_by_name() {
    let mut terminal = TestTerminal::new();
    let served = machine(&terminal, "", &[]);
    served.wait_ready();
    line(&terminal);
    let twice = r#""seed": 1, "seed": 2"#;
    let (status, reply) = served.post(JOBS, &job(twice));
    assert_eq!((status, &reply["error"]["message"]), (400, &json!("seed: given twice")));
    let (status, reply) = served.post(CHAT, &chat(twice));
    assert_eq!((status, &reply["error"]["param"]), (400, &json!("seed")), "{reply}");
    assert!(reply["error"]["message"].as_str().unwrap().starts_with("seed: given twice. "));
    let (status, reply) = served.post(PREDICT, r#"{"data": ["2+2?"], "data": ["3+3?"]}"#);
    assert_eq!((status, &reply["error"]["message"]), (400, &json!("data: given twice")));
    let refused = asked(&mut terminal, 1, twice);
    assert_eq!(
        (&refused["type"], &refused["message"]),
        (&json!("error"), &json!("seed: given twice"))
    );
}

#[test]
fn a_number_is_not_a_string_and_each_refusal_says_what_to_do() {
    let mut terminal = TestTerminal::new();
    let served = machine(&terminal, "", &[]);
    served.wait_ready();
    line(&terminal);
    for (path, body, message) in [
        (JOBS, json!({"question": 5}), "question: must be a string"),
        (JOBS, json!({"question": "2+2?", "mode": 5}), "mode: must be a string"),
        (
            JOBS,
            json!({"question": "2+2?", "previous": "7"}),
            "previous: not a job ID: expected 32 hex digits",
        ),
        (JOBS, json!({"question": "2+2?", "temperature": "hot"}), "temperature: must be a number"),
        (JOBS, json!([]), "the body is not a JSON object"),
        (PREDICT, json!({"data": [5]}), "data[0]: must be a string"),
    ] {
        let (status, reply) = served.post(path, &body.to_string());
        assert_eq!((status, &reply["error"]["message"]), (400, &json!(message)), "{body}");
        assert!(reply["error"]["remedy"].as_str().unwrap().ends_with('.'), "{reply}");
    }
    let question = json!([{"role": "user", "content": "2+2?"}]);
    let body = json!({"model": 5, "messages": question});
    let (status, reply) = served.post(CHAT, &body.to_string());
    assert_eq!((status, &reply["error"]["param"]), (400, &json!("model")), "{reply}");
    send(&mut terminal, &json!({"type": "ask", "id": 1, "question": 5}));
    let refused = line(&terminal);
    assert_eq!(refused["message"], "question: must be a string", "{refused}");
    assert_eq!(refused["remedy"], "docs/serial.md says what is allowed.");
}

#[test]
fn unknown_fields_are_refused_by_the_box_and_ignored_for_clients_of_other_apis() {
    let served = TestServer::ready(&[]);
    let (status, reply) = served.post(JOBS, &job(r#""tempreature": 1"#));
    assert_eq!((status, &reply["error"]["message"]), (400, &json!("tempreature: unknown field")));
    assert!(reply["error"]["remedy"].as_str().unwrap().contains("temperature"), "{reply}");
    let (status, reply) = served.post(CHAT, &chat(r#""user": "x", "max_tokens": 3"#));
    assert_eq!(status, 200, "{reply}");
}
