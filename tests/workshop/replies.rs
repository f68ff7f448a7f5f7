//! The answer that counts in whole replies of models: boxes of all kinds, phrases without a box, and
//! replies that give none.

use serde_json::Value;
use solverbox::answers::value::{Value as Answer, of_attempt};

use crate::support::root;

/// Ends of replies with the answer that counts, as JSON lines.
const REPLIES: &str = "tests/data/answers/replies.jsonl";

#[test]
fn the_answer_of_a_reply_is_found() {
    let replies = std::fs::read_to_string(root().join(REPLIES)).unwrap();
    let mut wrong = Vec::new();
    for line in replies.lines() {
        let reply: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| reply[name].as_str().unwrap_or_default();
        let found = of_attempt(text("thinking"), text("reply"));
        if found != reply["value"].as_str().and_then(Answer::parse) {
            wrong.push((line.to_string(), found.map(|value| value.to_string())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(replies.lines().count() >= 80);
}
