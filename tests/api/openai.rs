//! `/v1` in OpenAI's format; `clients` runs the official clients against it.

use std::io::Read;

use serde_json::{Value, json};

use crate::support::{TestServer, agent, chat, joined, wait_until, whole};

const CHAT: &str = "/v1/chat/completions";

#[test]
fn streamed_and_complete_answers_have_the_same_text_and_usage() {
    let served = TestServer::ready(&[]);
    let (status, reply) = served.post(CHAT, &chat(json!({})));
    assert_eq!(status, 200);
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["model"], "solverbox:plain");
    let choice = &reply["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["role"]),
        (&"stop".into(), &"assistant".into())
    );
    let usage = &reply["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));

    let streamed = json!({"stream": true, "stream_options": {"include_usage": true}});
    let mut stream = served.stream(&chat(streamed));
    let head = stream.line().unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK");
    stream.wait_for("Content-Type: text/event-stream");
    let events = stream.events();
    assert!(
        events.iter().all(|e| e["object"] == "chat.completion.chunk" && e["id"] == events[0]["id"])
    );
    assert_eq!(joined(&events, "content"), choice["message"]["content"].as_str().unwrap());
    let last = &events[events.len() - 1];
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), usage));
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert!(events.len() > 5, "the answer came in pieces");
}

#[test]
fn a_stream_ends_in_done_and_has_usage_only_on_request() {
    let served = TestServer::ready(&[]);
    let mut stream = served.stream(&chat(json!({"stream": true, "max_tokens": 3})));
    stream.wait_for("\"finish_reason\":\"length\"");
    assert_eq!(stream.line().as_deref(), Some("data: [DONE]"));
    assert_eq!(stream.line(), None);
}

#[test]
fn budgets_stops_seeds_and_ignore_eos_take_effect() {
    let served = TestServer::ready(&[]);
    let ask = |extra: Value| served.post(CHAT, &chat(extra)).1;
    let tokens = |reply: &Value| reply["usage"]["completion_tokens"].as_u64().unwrap();
    let answer =
        |reply: &Value| reply["choices"][0]["message"]["content"].as_str().unwrap().to_string();

    let short = ask(json!({"max_completion_tokens": 3, "max_tokens": 50}));
    assert_eq!((tokens(&short), &short["choices"][0]["finish_reason"]), (3, &"length".into()));

    let whole = answer(&ask(json!({})));
    let word = whole.split(' ').nth(3).unwrap();
    let stopped = ask(json!({"stop": word}));
    assert_eq!(answer(&stopped), whole.split(word).next().unwrap().trim());
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");

    let endless = ask(json!({"ignore_eos": true, "max_tokens": 60}));
    assert_eq!(tokens(&endless), 60);

    let seeded = |seed: i64| {
        let reply = ask(json!({"temperature": 5, "seed": seed, "max_tokens": 200}));
        reply["choices"][0]["message"].clone()
    };
    assert_eq!(seeded(-7), seeded(-7));
    assert_ne!(seeded(-7), seeded(8));
}

#[test]
fn a_clients_system_message_replaces_that_of_the_mode() {
    let served = TestServer::ready(&[]);
    let prompt = |messages: Value| {
        let reply = served.post(CHAT, &chat(json!({"messages": messages, "max_tokens": 1}))).1;
        reply["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    let user = json!({"role": "user", "content": "2+2?"});
    let own = prompt(json!([{"role": "system", "content": "Hi."}, user]));
    assert!(own < prompt(json!([user])));
    let turns =
        json!([user, {"role": "assistant", "content": "4"}, {"role": "user", "content": "Sure?"}]);
    assert!(prompt(turns) > prompt(json!([user])));
}

#[test]
fn the_models_are_the_modes() {
    let served = TestServer::ready(&[]);
    let (status, list) = served.get("/v1/models");
    let list: Value = serde_json::from_str(&list).unwrap();
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(status, 200);
    assert_eq!(ids[..2], ["solverbox", "solverbox:math"]);
    assert!(ids.contains(&"solverbox:review"));
    let of = |mode: &str| {
        let entry = list["data"].as_array().unwrap().iter().find(|m| m["id"] == mode).unwrap();
        (entry["votes"].as_bool().unwrap(), entry["attempts"].as_u64().unwrap())
    };
    assert_eq!((of("solverbox:math"), of("solverbox:hint")), ((true, 1), (false, 1)));
    assert_eq!(served.get("/v1/models/solverbox:code").0, 200);
    assert_eq!(served.get("/v1/models/solverbox:chess").0, 404);
}

#[test]
fn paths_as_clients_write_them_are_understood() {
    let served = TestServer::ready(&[]);
    for path in ["/v1/models/", "/v1/models/solverbox%3Acode", "/v1/models/solverbox:code/"] {
        assert_eq!(served.get(path).0, 200, "{path}");
    }
    for path in ["/models", "/chat/completions", "/responses"] {
        let (status, said) = served.get(path);
        assert_eq!(status, 404, "{path}");
        assert!(said.contains("/v1 at the end of the base URL"), "{path}: {said}");
    }
}

#[test]
fn the_head_of_a_slow_answer_and_white_space_do_not_wait_for_it() {
    let served = TestServer::ready(&["--context-tokens", "32768"]);
    // More than ten seconds on any machine; nobody waits for the end.
    let endless = chat(json!({"ignore_eos": true, "max_tokens": 30_000}));
    let reply = served.post_raw(CHAT, &endless);
    assert_eq!(reply.status(), 200);
    let mut first = [0];
    reply.into_body().into_reader().read_exact(&mut first).unwrap();
    assert_eq!(&first, b" ", "white space, which JSON allows before the answer");
    wait_until("the answer that nobody reads to stop", || {
        let state: Value = serde_json::from_str(&served.get("/api/box").1).unwrap();
        state["queue"]["running"] == 0
    });
}

#[test]
fn a_vote_ends_with_its_tally_streamed_or_not() {
    let served = TestServer::ready(&[]);
    let vote = |stream: bool| json!({"model": "solverbox:math", "attempts": 4, "temperature": 1, "seed": 3, "stream": stream});
    let check = |ours: &Value| {
        let count = |field: &Value| field.as_u64().unwrap();
        assert_eq!(count(&ours["attempts"]), 4);
        let votes = ours["votes"].as_array().unwrap();
        let counts: Vec<u64> = votes.iter().map(|vote| count(&vote["count"])).collect();
        let (ended, led) = (count(&ours["ended"]), counts.first().copied().unwrap_or(0));
        assert!(ended <= 4 && counts.iter().sum::<u64>() <= ended, "{ours}");
        assert!(counts.is_sorted_by(|a, b| a >= b), "{ours}");
        assert!((ours["agreement"].as_f64().unwrap() - led as f64 / ended as f64).abs() < 5.1e-4);
        let best = &ours["best_attempt"];
        let leads = |vote: &Value| vote["attempts"].as_array().unwrap().contains(best);
        assert!(votes.first().is_none_or(leads) && count(best) < 4, "{ours}");
        assert_eq!(ours["job"].as_str().unwrap().len(), 32);
    };
    let (status, reply) = served.post(CHAT, &chat(vote(false)));
    assert_eq!((status, reply["choices"].as_array().unwrap().len()), (200, 1));
    check(&reply["solverbox"]);
    let events = served.stream(&chat(vote(true))).events();
    check(&events.last().unwrap()["solverbox"]);
    assert!(events.iter().all(|event| event["choices"][0]["index"] == 0));
    let answers = events.iter().filter(|e| e["choices"][0]["delta"]["content"].as_str() > Some(""));
    assert_eq!(answers.count(), 1, "the winner's answer comes in one event");
}

#[test]
fn a_client_continues_its_own_conversation_and_no_other() {
    let served = TestServer::ready(&[]);
    let [one, other] = [(); 2].map(|()| served.cookie());
    let ask = |cookie: &str, extra: Value| {
        let request = agent().post(served.url(CHAT)).header("Cookie", cookie);
        let (status, text) = whole(request.send(chat(extra)).unwrap());
        (status, serde_json::from_str::<Value>(&text).unwrap())
    };
    let prompt = |reply: &Value| reply["usage"]["prompt_tokens"].as_u64().unwrap();
    let (_, first) = ask(&one, json!({}));
    let previous = json!({"previous": first["solverbox"]["job"]});
    let (status, next) = ask(&one, previous.clone());
    assert_eq!(status, 200, "{next}");
    assert!(prompt(&next) > prompt(&first), "{next}");
    let (status, third) = ask(&one, json!({"previous": next["solverbox"]["job"]}));
    assert!(status == 200 && prompt(&third) > prompt(&next), "{third}");
    let (status, refused) = ask(&other, previous);
    assert_eq!((status, &refused["error"]["code"]), (404, &"not_found".into()));
}
