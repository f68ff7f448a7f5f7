//! What the box offers before anything is asked: the modes, and what its model can do in them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::TestServer;

fn get(served: &TestServer, path: &str) -> Value {
    let (status, body) = served.get(path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Returns a mode of the list by its name.
fn mode<'l>(list: &'l Value, name: &str) -> &'l Value {
    let modes = list["modes"].as_array().unwrap();
    modes.iter().find(|mode| mode["name"] == name).unwrap_or_else(|| panic!("{name}: {list}"))
}

#[test]
fn the_demo_model_offers_only_what_it_can_do() {
    let served = TestServer::start_with(Path::new("demo"), &["--question-tokens-max", "900"]);
    let list = get(&served, "/api/modes");
    assert_eq!((&list["is_demo"], &list["question_tokens_max"]), (&json!(true), &json!(900)));
    let names: Vec<&str> =
        list["modes"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["math", "code", "hint", "review", "proof", "plain"]);
    for name in names {
        let (mode, can) = (mode(&list, name), ["math", "plain"].contains(&name));
        assert_eq!(mode["is_supported"], can, "{name}");
        assert_eq!(mode["examples"].as_array().unwrap().is_empty(), !can, "{name}");
        assert_eq!(mode["is_default"], name == "math");
        assert_eq!(mode["student_attempt"], name == "review");
        assert_eq!(mode["votes"], can, "{name}");
    }
}

#[test]
fn a_real_model_offers_all_modes_and_an_owners_file_changes_the_offer() {
    let folder = tempfile::tempdir().unwrap();
    let owners = folder.path().join("owners.toml");
    let text = "[[mode]]\nname = \"proof\"\nsupported = false\n\
                [[mode]]\nname = \"chess\"\nsystem = \"Play.\"\nattempts = 3\nexamples = [\"e4\"]\n";
    std::fs::write(&owners, text).unwrap();
    let served = TestServer::start(&["--modes", owners.to_str().unwrap()]);
    let list = get(&served, "/api/modes");
    assert_eq!(list["is_demo"], false);
    let expected = json!({
        "name": "chess", "about": "", "is_default": false, "votes": true, "attempts": 3,
        "budget_tokens": 8192, "student_attempt": false, "is_supported": true, "examples": ["e4"],
    });
    assert_eq!(mode(&list, "chess"), &expected);
    assert_eq!(mode(&list, "proof")["is_supported"], false);
    for name in ["math", "code", "hint", "proof", "plain"] {
        assert!(!mode(&list, name)["examples"].as_array().unwrap().is_empty(), "{name}");
    }
    assert_eq!(served.post("/api/modes", "{}").0, 405);
}
