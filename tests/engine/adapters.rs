//! Adapters under mixed traffic: questions with and without an adapter on one server at the same
//! time, each answered as when asked alone.

use serde_json::{Value, json};

use crate::support::local_desk::questions;
use crate::support::{TestServer, chat, root};
use solverbox::answers::value::{Value as Answer, of_reply};
use solverbox::types::mode::Modes;

const CHAT: &str = "/v1/chat/completions";

fn ask(served: &TestServer, model: &str, question: &str) -> (u16, Value) {
    let messages = json!([{"role": "user", "content": question}]);
    let body = json!({"model": model, "temperature": 0, "max_tokens": 400, "messages": messages});
    served.post(CHAT, &body.to_string())
}

/// Sends a request that is refused; returns the status, the error's kind and its message.
fn refused(served: &TestServer, model: &str) -> (u16, String, String) {
    let (status, reply) = ask(served, model, "2+2?");
    let text = |field: &str| reply["error"][field].as_str().unwrap().to_string();
    (status, text("code"), text("message"))
}

/// Returns whether a reply has this boxed answer.
fn is_right(reply: &Value, answer: &str) -> bool {
    let said = reply["choices"][0]["message"]["content"].as_str().unwrap();
    of_reply(said) == Answer::parse(answer)
}

/// Asks questions, `at_a_time` at once; returns which answers were right.
fn all(served: &TestServer, asked: &[(&str, &(String, String))], at_a_time: usize) -> Vec<bool> {
    let mut right = Vec::new();
    for some in asked.chunks(at_a_time) {
        right.extend(std::thread::scope(|scope| {
            let running: Vec<_> = some
                .iter()
                .map(|&(model, (question, answer))| {
                    scope.spawn(move || {
                        let (status, reply) = ask(served, model, question);
                        assert_eq!(status, 200, "{reply}");
                        is_right(&reply, answer)
                    })
                })
                .collect();
            running.into_iter().map(|one| one.join().unwrap()).collect::<Vec<bool>>()
        }));
    }
    right
}

#[test]
fn questions_with_and_without_an_adapter_are_answered_as_well_together_as_alone() {
    let args = ["--adapter", "demo-binary", "--context-tokens", "8192", "--sequences", "6"];
    let served = TestServer::ready(&args);
    let binary: Vec<_> = questions("binary-heldout").into_iter().step_by(2).take(24).collect();
    let base: Vec<_> = questions("arithmetic-heldout").into_iter().step_by(8).take(24).collect();
    let mixed: Vec<(&str, &(String, String))> = binary
        .iter()
        .zip(&base)
        .flat_map(|(b, a)| [("solverbox:math+demo-binary", b), ("solverbox:math", a)])
        .collect();
    let alone = all(&served, &mixed, 1);
    let together = all(&served, &mixed, 8);
    let count = |right: &[bool], family| {
        right.iter().skip(family).step_by(2).filter(|&&is_right| is_right).count()
    };
    let [alone, together] = [alone, together].map(|right| [count(&right, 0), count(&right, 1)]);
    assert_eq!(mixed.len(), 48);
    println!("binary and base of 24 each: {alone:?} right alone, {together:?} together");
    assert!(alone[0] >= 18 && alone[1] >= 20, "{alone:?}");
    // Ties in the logits may change single answers.
    assert!((0..2).all(|family| together[family] + 2 >= alone[family]), "{alone:?} {together:?}");
    // The adapter makes the difference.
    let without: Vec<_> = binary.iter().take(8).map(|b| ("solverbox:math", b)).collect();
    assert!(all(&served, &without, 8).iter().filter(|&&right| right).count() <= 1);
}

#[test]
fn a_question_with_an_adapter_is_answered_while_another_runs_without() {
    let args = ["--adapter", "demo-binary", "--context-tokens", "8192", "--sequences", "4"];
    let served = TestServer::ready(&args);
    let endless = json!({"stream": true, "ignore_eos": true, "max_tokens": 100_000});
    let mut other = served.stream(&chat(endless));
    other.wait_for_text();
    let asked = questions("binary-heldout");
    let right = asked.iter().take(4).filter(|(question, answer)| {
        let (status, reply) = ask(&served, "solverbox:math+demo-binary", question);
        assert_eq!(status, 200, "{reply}");
        is_right(&reply, answer)
    });
    assert!(right.count() >= 2);
    other.wait_for_text();
}

#[test]
fn an_adapter_named_twice_and_too_many_adapters_are_refused() {
    let served = TestServer::ready(&["--adapter", "demo-binary", "--context-tokens", "2048"]);
    let (status, code, message) = refused(&served, "solverbox:math+demo-binary+demo-binary");
    assert_eq!((status, code.as_str()), (400, "bad_request"), "{message}");
    assert!(message.contains("'demo-binary' is named twice"), "{message}");
    let (status, _, message) = refused(&served, "solverbox:math+a+b+c+d+e");
    assert_eq!(status, 400, "{message}");
    assert!(message.contains("at most 4"), "{message}");
}

#[test]
fn an_unknown_adapter_is_not_found_and_the_known_ones_are_listed_without_paths() {
    let served = TestServer::ready(&["--adapter", "demo-binary", "--context-tokens", "2048"]);
    let (status, code, message) = refused(&served, "solverbox:math+chess");
    assert_eq!((status, code.as_str()), (404, "not_found"), "{message}");
    assert!(message.contains("'chess'") && message.contains("demo-binary"), "{message}");
    assert!(!message.contains('/'), "{message}");
}

#[test]
fn an_adapter_from_a_file_is_named_without_its_path() {
    let file = root().join("models/bundled/solverbox-demo-binary-f16.gguf");
    let served =
        TestServer::ready(&["--adapter", file.to_str().unwrap(), "--context-tokens", "2048"]);
    let (status, _, message) = refused(&served, "solverbox:math+chess");
    assert!(status == 404 && message.contains("solverbox-demo-binary-f16"), "{message}");
    assert!(!message.contains('/'), "a pupil never sees a path: {message}");
}

#[test]
fn a_mode_may_have_an_adapter_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let modes = folder.path().join("modes.toml");
    let system = &Modes::built_in().find("math").unwrap().system;
    let binary = format!(
        "[[mode]]\nname = 'binary'\nabout = 'Writes numbers in base 2'\nsystem = '''{system}'''\n\
         adapters = [{{ file = 'demo-binary', scale = 1.0 }}]\n"
    );
    std::fs::write(&modes, binary).unwrap();
    let args = ["--modes", modes.to_str().unwrap(), "--context-tokens", "4096"];
    let served = TestServer::ready(&args);
    let asked: Vec<_> = questions("binary-heldout").into_iter().step_by(7).take(12).collect();
    let of = |mode: &'static str| asked.iter().map(|pair| (mode, pair)).collect::<Vec<_>>();
    let right = |mode| all(&served, &of(mode), 4).into_iter().filter(|&right| right).count();
    let (with, without) = (right("solverbox:binary"), right("solverbox:math"));
    assert!(with >= 6 && without <= 1, "{with} right with the adapter, {without} without");
}
