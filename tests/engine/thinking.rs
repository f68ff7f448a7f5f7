//! Thinking from end to end: separated from the answer, and closed by the engine in time.

use serde_json::{Value, json};
use solverbox::model::write::GgufValue;

use crate::support::tiny::{self, TinyKind};
use crate::support::{TestServer, joined, solve_with, text, thinking_model};

/// Needs more than 32 tokens of thinking.
const LONG: &str = "What is 4821 + 3977?";

fn ask(budget: &str, more: &[&str]) -> Value {
    ask_about(LONG, budget, more)
}

fn ask_about(question: &str, budget: &str, more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let model = thinking_model(folder.path());
    let mut args = vec!["--json", "--temperature", "0", "--budget-tokens", budget];
    args.extend(more);
    args.push(question);
    let output = solve_with(&model, &args).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_budget_that_ends_during_the_thinking_still_gives_an_answer() {
    let answer = ask("32", &[]);
    assert!(!answer["thinking"].as_str().unwrap().is_empty(), "{answer}");
    assert!(!answer["answer"].as_str().unwrap().is_empty(), "{answer}");
    assert!(!answer.to_string().contains("think>"), "{answer}");
    assert!(answer["completion_tokens"].as_u64().unwrap() <= 32, "{answer}");
}

#[test]
fn a_thinking_that_is_cut_off_is_followed_by_a_box_where_the_prompt_asks_for_one() {
    let opened = "**Final Answer**\n\\boxed{";
    let answer = ask("112", &["--mode", "math"]);
    assert!(answer["answer"].as_str().unwrap().starts_with(opened), "{answer}");
    assert!(answer["completion_tokens"].as_u64().unwrap() <= 112, "{answer}");
    let answer = ask("112", &["--mode", "plain"]);
    assert!(!answer["answer"].as_str().unwrap().contains("Final Answer"), "{answer}");
    // A hint never gives the answer, whatever the question asks for.
    let question = format!("{LONG} Put it in \\boxed{{}}.");
    let answer = ask_about(&question, "112", &["--mode", "hint"]);
    assert!(!answer["answer"].as_str().unwrap().contains("Final Answer"), "{answer}");
    // Too few tokens for a box and a value in it.
    let answer = ask("32", &["--mode", "math"]);
    assert!(!answer["answer"].as_str().unwrap().contains("Final Answer"), "{answer}");
}

/// A random model that draws the likeliest token soon repeats itself.
#[test]
fn a_thinking_that_goes_in_a_loop_is_closed_long_before_its_budget_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    let mut tiny = tiny::model(TinyKind::Qwen2);
    let template = tiny.keys.iter_mut().find(|(key, _)| key == "tokenizer.chat_template").unwrap();
    template.1 = GgufValue::Text("{{ messages[0].content }}<think>".into());
    let model = folder.path().join("loops.gguf");
    std::fs::write(&model, tiny.bytes()).unwrap();
    let served = TestServer::start_with(&model, &[]);
    let question = json!([{"role": "user", "content": LONG}]);
    let body = json!({"messages": question, "max_tokens": 3_900, "temperature": 0});
    let (status, reply) = served.post("/v1/chat/completions", &body.to_string());
    let thinking = &reply["usage"]["completion_tokens_details"]["reasoning_tokens"];
    let is_closed = (2_048..3_000).contains(&thinking.as_u64().unwrap_or_default());
    assert!(status == 200 && is_closed, "{}", reply["usage"]);
}

#[test]
fn a_full_context_ends_with_an_answer_from_the_reserved_tokens() {
    // The question leaves too little context for its thinking; the budget would be enough.
    let question = format!("{}{LONG}", "1 + 1 = 2. ".repeat(8));
    let answer = ask_about(&question, "5000", &["--context-tokens", "256", "--sequences", "1"]);
    let tokens = |name: &str| answer[name].as_u64().unwrap();
    assert!((150..230).contains(&tokens("prompt_tokens")), "{answer}");
    assert!(!answer["thinking"].as_str().unwrap().is_empty(), "{answer}");
    assert!(!answer["answer"].as_str().unwrap().is_empty(), "{answer}");
    assert!(tokens("prompt_tokens") + tokens("completion_tokens") <= 257, "{answer}");
}

#[test]
fn ignore_eos_leaves_the_thinking_open() {
    let answer = ask("32", &["--ignore-eos"]);
    assert_eq!((&answer["answer"], &answer["completion_tokens"]), (&"".into(), &32.into()));
}

#[test]
fn thinking_streams_as_reasoning_content_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let served =
        TestServer::start_with(&thinking_model(folder.path()), &["--context-tokens", "1024"]);
    let body = json!({
        "messages": [{"role": "user", "content": LONG}],
        "stream": true, "stream_options": {"include_usage": true},
        "max_tokens": 32, "temperature": 0,
    });
    let events = served.stream(&body.to_string()).events();
    let (thinking, answer) = (joined(&events, "reasoning_content"), joined(&events, "content"));
    assert!(!thinking.trim().is_empty() && !answer.trim().is_empty(), "{events:?}");
    let usage = &events.last().unwrap()["usage"];
    let thought = usage["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap();
    assert!(thought > 20 && thought < 32, "{usage}");
}
