//! `/v1/responses` and `/v1/completions`; `clients` runs the official clients against them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{TestServer, agent, whole};

const RESPONSES: &str = "/v1/responses";
const COMPLETIONS: &str = "/v1/completions";

/// A question with more fields, under the name that the API has for it.
fn asked(name: &str, extra: Value) -> String {
    let mut body = json!({"model": "solverbox:math", "temperature": 0, name: "What is 348 + 577?"});
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

/// Reads a whole stream, as the kind and the data of each event.
fn streamed(served: &TestServer, path: &str, body: &str) -> Vec<(String, Value)> {
    let mut reply = served.post_raw(path, body);
    let text = reply.body_mut().read_to_string().unwrap();
    let events = text.split("\n\n").filter(|event| event.contains("data: {"));
    let field = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().to_string()
    };
    events
        .map(|event| {
            let data = serde_json::from_str(&field(event, "data: ")).unwrap();
            (field(event, "event: "), data)
        })
        .collect()
}

/// The text of an item, wherever its kind has it.
fn text_of(item: &Value) -> &str {
    let parts = ["summary", "content"].map(|name| item[name][0]["text"].as_str());
    parts.into_iter().flatten().next().unwrap()
}

#[test]
fn a_response_has_the_thinking_and_the_answer_as_items() {
    let served = TestServer::ready(&[]);
    let more = json!({"instructions": "Be brief.", "metadata": {"a": "b"}, "store": true});
    let (status, reply) = served.post(RESPONSES, &asked("input", more));
    assert_eq!(status, 200, "{reply}");
    assert_eq!((&reply["object"], &reply["status"]), (&"response".into(), &"completed".into()));
    let job = reply["solverbox"]["job"].as_str().unwrap();
    assert_eq!(reply["id"], format!("resp_{job}"));
    assert_eq!((&reply["metadata"]["a"], &reply["store"]), (&"b".into(), &false.into()));
    assert_eq!((&reply["instructions"], &reply["temperature"]), (&"Be brief.".into(), &0.0.into()));
    let [thinking, answer] = reply["output"].as_array().unwrap().as_slice() else {
        panic!("two items: {reply}")
    };
    assert_eq!((&thinking["type"], &answer["type"]), (&"reasoning".into(), &"message".into()));
    assert_eq!(thinking["content"][0]["type"], "reasoning_text");
    assert!(!text_of(thinking).is_empty() && text_of(answer).contains("925"), "{reply}");
    let usage = &reply["usage"];
    let count = |field: &Value| field.as_u64().unwrap();
    let output = count(&usage["output_tokens"]);
    assert_eq!(count(&usage["total_tokens"]), count(&usage["input_tokens"]) + output);
    let thought = count(&usage["output_tokens_details"]["reasoning_tokens"]);
    assert!(0 < thought && thought < output, "{usage}");

    let (status, cut) = served.post(RESPONSES, &asked("input", json!({"max_output_tokens": 5})));
    assert_eq!((status, &cut["status"]), (200, &"incomplete".into()));
    assert_eq!(cut["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn the_events_of_a_response_build_the_response() {
    let served = TestServer::ready(&[]);
    for (reasoning, part, text) in [
        (json!({}), "content_part", "reasoning_text"),
        (json!({"summary": "auto"}), "reasoning_summary_part", "reasoning_summary_text"),
    ] {
        let fields = json!({"reasoning": reasoning});
        let (_, whole) = served.post(RESPONSES, &asked("input", fields));
        let fields = json!({"reasoning": reasoning, "stream": true});
        let events = streamed(&served, RESPONSES, &asked("input", fields));
        for (at, (kind, data)) in events.iter().enumerate() {
            assert_eq!((&data["type"], &data["sequence_number"]), (&json!(kind), &json!(at)));
        }
        let mut kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
        kinds.dedup();
        let item = |part: &str, text: &str| {
            let names = ["output_item.added".to_string(), format!("{part}.added")];
            let done = [format!("{part}.done"), "output_item.done".to_string()];
            let grown = [format!("{text}.delta"), format!("{text}.done")];
            names.into_iter().chain(grown).chain(done)
        };
        let all = ["created".to_string(), "in_progress".to_string()].into_iter();
        let all = all.chain(item(part, text)).chain(item("content_part", "output_text"));
        let all = all.chain(["completed".to_string()]).map(|name| format!("response.{name}"));
        assert_eq!(kinds, all.collect::<Vec<_>>());

        let deltas = |index: u64| -> String {
            let of_item = events.iter().filter(|(_, data)| data["output_index"] == index);
            of_item.filter_map(|(_, data)| data["delta"].as_str()).collect()
        };
        let last = &events.last().unwrap().1["response"];
        for (index, item) in (0..).zip(last["output"].as_array().unwrap()) {
            assert_eq!(deltas(index), text_of(item));
            assert_eq!(text_of(item).trim(), text_of(&whole["output"][index as usize]));
        }
        assert_eq!(last["usage"], whole["usage"]);
        let names =
            |object: &Value| object.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(last), names(&whole));
    }
}

#[test]
fn a_response_continues_what_a_client_sends_back() {
    let served = TestServer::ready(&[]);
    let ask = |fields: Value| {
        let request = agent().post(served.url(RESPONSES)).header("Authorization", "Bearer mine");
        let (status, text) = whole(request.send(asked("input", fields)).unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let (_, first) = ask(json!({}));
    let mut input = vec![json!({"role": "user", "content": "What is 348 + 577?"})];
    input.extend(first["output"].as_array().unwrap().clone());
    input.push(json!({"role": "user", "content": "What is 12 + 30?"}));
    let (status, next) = ask(json!({"input": input}));
    assert_eq!(status, 200, "{next}");
    let prompt = |reply: &Value| reply["usage"]["input_tokens"].as_u64().unwrap();
    assert!(prompt(&next) > prompt(&first), "{next}");
    let fields = json!({"input": "What is 12 + 30?", "previous": first["solverbox"]["job"]});
    let (_, same) = ask(fields);
    assert_eq!(same["output"][1]["content"], next["output"][1]["content"]);
}

#[test]
fn a_response_that_is_looked_for_later_is_at_its_job() {
    let served = TestServer::ready(&[]);
    let (_, reply) = served.post(RESPONSES, &asked("input", json!({"durable": true})));
    let id = reply["id"].as_str().unwrap();
    let (status, refused) = served.get(&format!("{RESPONSES}/{id}"));
    assert_eq!(status, 404);
    assert!(refused.contains("`durable: true` is kept at /api/jobs/ID"), "{refused}");
    let job = reply["solverbox"]["job"].as_str().unwrap();
    assert_eq!(served.get(&format!("/api/jobs/{job}")).0, 200);
    let (status, refused) =
        served.post(RESPONSES, &asked("input", json!({"previous_response_id": id})));
    assert_eq!((status, &refused["error"]["param"]), (400, &"previous_response_id".into()));
    assert!(refused["error"]["message"].as_str().unwrap().contains("previous with"), "{refused}");
}

#[test]
fn a_text_completion_is_the_answer_without_the_thinking() {
    let served = TestServer::ready(&[]);
    let (status, reply) = served.post(COMPLETIONS, &asked("prompt", json!({})));
    assert_eq!((status, &reply["object"]), (200, &"text_completion".into()), "{reply}");
    let choice = &reply["choices"][0];
    let text = choice["text"].as_str().unwrap();
    assert!(text.contains("925") && !text.contains("think"), "{reply}");
    assert_eq!((&choice["finish_reason"], &choice["logprobs"]), (&"stop".into(), &Value::Null));
    let details = &reply["usage"]["completion_tokens_details"];
    assert!(details["reasoning_tokens"].as_u64().unwrap() > 0, "{reply}");

    let fields = json!({"stream": true, "stream_options": {"include_usage": true}});
    let events = streamed(&served, COMPLETIONS, &asked("prompt", fields));
    let texts = events.iter().filter_map(|(_, data)| data["choices"][0]["text"].as_str());
    assert_eq!(texts.collect::<String>().trim(), text);
    assert!(events.iter().all(|(_, data)| data["object"] == "text_completion"));
    assert_eq!(events[0].1["solverbox"]["job"].as_str().unwrap().len(), 32);
    assert_eq!(events.last().unwrap().1["usage"], reply["usage"]);

    let fields = json!({"echo": true, "n": 2, "stop": ["925"], "prompt": ["What is 348 + 577?"]});
    let (_, echoed) = served.post(COMPLETIONS, &asked("prompt", fields));
    for choice in echoed["choices"].as_array().unwrap() {
        let text = choice["text"].as_str().unwrap();
        assert!(text.starts_with("What is 348 + 577?") && !text.contains("925"), "{echoed}");
    }
}
