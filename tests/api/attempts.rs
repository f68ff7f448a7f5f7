//! Several attempts at one question, from end to end: the vote and its tally, all choices, what
//! stops them, and conversations that continue.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{TestServer, agent, chat, root, solve, text, wait_until, whole};

const CHAT: &str = "/v1/chat/completions";

/// Returns the JSON output of `solve`.
fn solved(args: &[&str]) -> Value {
    let output = solve(&[&["--json"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A chat request in mode math, which votes.
fn vote(extra: Value) -> String {
    let mut body = json!({"model": "solverbox:math", "temperature": 1.0, "seed": 3});
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    chat(body)
}

/// Checks a tally for consistency; returns how many attempts ended and how many votes lead.
fn check_tally(tally: &Value) -> (u64, u64) {
    let votes = tally["votes"].as_array().unwrap();
    let count = |vote: &Value| vote["count"].as_u64().unwrap();
    for vote in votes {
        assert_eq!(
            vote["attempt_indices"].as_array().unwrap().len() as u64,
            count(vote),
            "{tally}"
        );
        assert_eq!(vote["attempts"], vote["attempt_indices"], "{tally}");
    }
    assert!(votes.iter().map(count).is_sorted_by(|a, b| a >= b), "{tally}");
    let ended = tally["attempts_ended"].as_u64().unwrap();
    assert!(votes.iter().map(count).sum::<u64>() <= ended, "{tally}");
    (ended, votes.first().map_or(0, count))
}

#[test]
fn a_vote_on_an_easy_question_stops_early_and_reports_its_tally() {
    let args = ["--attempts", "8", "--seed", "1", "--sequences", "2", "--temperature", "0.5"];
    let answer = solved(&[&args[..], &["What is 3+5?"]].concat());
    assert_eq!(answer["attempts"], 8, "the number requested: {answer}");
    let (ended, leading) = check_tally(&answer);
    assert!(ended < 8 && leading >= 2, "{answer}");
    assert_eq!(answer["votes"][0]["value"], "8", "{answer}");
    assert_eq!(answer["boxed"], "8");
    assert!(answer["agreement"].as_f64().unwrap() > 0.5, "{answer}");
}

#[test]
fn a_vote_does_not_depend_on_the_number_of_sequences() {
    let ask = |sequences| {
        let args = ["--attempts", "4", "--seed", "5", "--sequences", sequences, "What is 3+5?"];
        solved(&args)["votes"][0]["value"].clone()
    };
    assert_eq!((ask("1"), ask("4")), (json!("8"), json!("8")));
}

#[test]
fn answers_without_a_value_still_end_in_one_of_them() {
    // Three tokens: no attempt reaches a boxed value.
    let answer = solved(&["--attempts", "3", "--budget-tokens", "3", "What is 2+2?"]);
    assert_eq!((&answer["attempts"], &answer["finish"]), (&json!(3), &json!("budget")));
    assert_eq!((&answer["votes"], &answer["agreement"]), (&json!([]), &json!(0.0)));
    assert!(!answer["thinking"].as_str().unwrap().is_empty(), "{answer}");
}

#[test]
fn modes_without_a_vote_refuse_one_and_still_give_choices() {
    let output = solve(&["--mode", "hint", "--attempts", "4", "2+2?"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("mode 'hint' does not vote"), "{stderr}");
    let served = TestServer::ready(&["--context-tokens", "2048"]);
    let hint = |extra: Value| {
        let mut body = json!({"model": "solverbox:hint", "max_tokens": 4});
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        served.post(CHAT, &chat(body))
    };
    let (status, reply) = hint(json!({"attempts": 4}));
    assert_eq!((status, &reply["error"]["param"]), (400, &json!("attempts")), "{reply}");
    let (status, reply) = hint(json!({"n": 3}));
    assert_eq!((status, reply["choices"].as_array().map(Vec::len)), (200, Some(3)), "{reply}");
}

#[test]
fn a_voted_answer_carries_its_tally_streamed_or_not() {
    let served = TestServer::ready(&["--context-tokens", "4096", "--sequences", "4"]);
    let (status, reply) = served.post(CHAT, &vote(json!({"attempts": 4})));
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["choices"].as_array().unwrap().len(), 1);
    let ours = &reply["solverbox"];
    check_tally(ours);
    assert_eq!((&ours["attempts"], &ours["votes"][0]["value"]), (&json!(4), &json!("4")));
    assert!(reply["choices"][0]["message"]["content"].as_str().unwrap().contains('4'));

    let events = served.stream(&vote(json!({"attempts": 4, "stream": true}))).events();
    let last = events.iter().rfind(|event| event.get("solverbox").is_some()).unwrap();
    check_tally(&last["solverbox"]);
    assert_eq!(last["solverbox"]["votes"][0]["value"], "4");
    assert!(crate::support::joined(&events, "content").contains('4'), "{events:?}");
}

#[test]
fn all_choices_are_the_same_streamed_or_not() {
    let served = TestServer::ready(&["--context-tokens", "4096", "--sequences", "4"]);
    let (_, reply) = served.post(CHAT, &vote(json!({"n": 3})));
    let choices = reply["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    assert!(reply["solverbox"].get("votes").is_none_or(Value::is_null), "{reply}");
    let events = served.stream(&vote(json!({"n": 3, "stream": true}))).events();
    for (index, choice) in choices.iter().enumerate() {
        let own: Vec<Value> =
            events.iter().filter(|event| event["choices"][0]["index"] == index).cloned().collect();
        let said = crate::support::joined(&own, "content");
        assert_eq!(said.trim(), choice["message"]["content"].as_str().unwrap());
        assert_eq!(own[own.len() - 1]["choices"][0]["finish_reason"], choice["finish_reason"]);
    }
    let distinct: std::collections::BTreeSet<String> =
        choices.iter().map(|choice| choice["message"].to_string()).collect();
    assert!(distinct.len() > 1, "each has a seed of its own");
}

#[test]
fn disconnecting_from_a_vote_stops_all_its_attempts() {
    let served = TestServer::ready(&["--sequences", "4", "--client-jobs-max", "1"]);
    let key = "Authorization: Bearer a\r\n";
    let endless = json!({"attempts": 4, "stream": true, "ignore_eos": true, "max_tokens": 9_000});
    let mut stream = served.stream_as(key, &vote(endless));
    stream.wait_for("running");
    let ask = || ask_as(&served, "a", &chat(json!({"max_tokens": 1}))).0;
    assert_eq!(ask(), 429);
    drop(stream);
    wait_until("the job to end", || ask() == 200);
}

fn ask_as(served: &TestServer, key: &str, body: &str) -> (u16, Value) {
    let post = agent().post(served.url(CHAT)).header("Authorization", format!("Bearer {key}"));
    let (status, body) = whole(post.send(body).unwrap());
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn a_conversation_continues_for_its_own_client_and_is_not_found_for_another() {
    let served = TestServer::ready(&["--context-tokens", "2048"]);
    let (_, first) = ask_as(&served, "a", &chat(json!({})));
    let job = first["solverbox"]["job"].as_str().unwrap();
    let message = |text: &str| json!([{"role": "user", "content": text}]);
    let on = chat(json!({"messages": message("And 3+3?"), "previous": job}));
    let (status, with) = ask_as(&served, "a", &on);
    assert_eq!(status, 200, "{with}");
    // The same as sending the whole conversation.
    let said = &first["choices"][0]["message"]["content"];
    let all = json!([
        {"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": said},
        {"role": "user", "content": "And 3+3?"},
    ]);
    let (_, sent) = ask_as(&served, "a", &chat(json!({"messages": all})));
    assert_eq!(with["usage"], sent["usage"]);
    assert_eq!(with["choices"][0]["message"], sent["choices"][0]["message"]);
    let (status, other) = ask_as(&served, "b", &on);
    assert_eq!((status, &other["error"]["code"]), (404, &json!("not_found")), "{other}");
    let bad = chat(json!({"previous": "yes"}));
    assert_eq!(ask_as(&served, "a", &bad).0, 400);
}

#[test]
fn the_official_python_client_gets_votes_and_choices() {
    let python = root().join("target/venv/bin/python");
    assert!(python.is_file(), "the Python client is missing: run `build/prepare.sh test`");
    let served = TestServer::start(&["--context-tokens", "4096", "--sequences", "4"]);
    let mut client = Command::new(python);
    client.arg(root().join("tests/clients/openai_votes.py")).arg(served.url("/v1"));
    let output = client.output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && stdout.ends_with("all good\n"), "{stdout}{stderr}");
}
