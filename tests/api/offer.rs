//! What the box offers before anything is asked: the modes, what its model can do in them, and when
//! a question would be answered.

use std::path::Path;

use serde_json::{Value, json};

use crate::api::identity::send;
use crate::api::jobs::{all, ask, events, get as job, short};
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

#[test]
fn the_demo_models_first_estimates_are_seconds_and_make_no_job() {
    let served = TestServer::start_with(Path::new("demo"), &[]);
    for (query, slowest) in [("", 10.0), ("?mode=plain", 10.0), ("?mode=math&attempts=8", 60.0)] {
        let told = get(&served, &format!("/api/estimate{query}"));
        let of = |name: &str| told["eta"][name].as_f64().unwrap();
        assert!(of("low") <= of("seconds") && of("seconds") <= of("high"), "{told}");
        assert!(of("high") < slowest && told["place"].is_u64(), "{query}: {told}");
    }
    assert_eq!(get(&served, "/api/jobs")["jobs"], json!([]));
    served.wait_ready();
    assert_eq!(get(&served, "/api/estimate")["place"], 0, "it would start at once");
}

#[test]
fn an_estimate_counts_the_queue_and_learns_from_what_was_answered() {
    let served = TestServer::ready(&["--sequences", "1"]);
    let first = get(&served, "/api/estimate?mode=plain")["eta"]["seconds"].as_f64().unwrap();
    let id = ask(&served, &short());
    all(&mut events(&served, &id, ""));
    // An estimate is reused for half a second.
    let now = || get(&served, "/api/estimate?mode=plain")["eta"]["seconds"].as_f64().unwrap();
    crate::support::wait_until("an estimate by what was answered", || now() < first);
    let later = now();
    let endless = json!({"question": "What is 9876*789?", "mode": "math", "budget_tokens": 30000,
        "ignore_eos": true});
    let jobs: Vec<String> = (0..3).map(|_| ask(&served, &endless)).collect();
    crate::support::wait_until("the first to start", || job(&served, &jobs[0])["place"] == 0);
    // The same client waits behind its own questions; another one gets the next turn.
    let ask_own = || get(&served, "/api/estimate?mode=plain");
    crate::support::wait_until("the place behind its own", || ask_own()["place"] == 3);
    let own = ask_own();
    let other =
        send(&served, "GET /api/estimate?mode=plain", "Authorization: Bearer b\r\n", "").body;
    assert_eq!((&own["place"], &other["place"]), (&json!(3), &json!(1)));
    let of = |told: &Value| told["eta"]["seconds"].as_f64().unwrap();
    assert!(of(&own) > of(&other) && of(&other) >= later, "{own} {other}");
}

#[test]
fn an_estimate_is_refused_like_its_question_would_be() {
    let served = TestServer::ready(&[]);
    for (query, status, kind, said) in [
        ("mode=chess", 404, "not_found", "chess"),
        ("attempts=0", 400, "bad_request", "attempts: 0"),
        ("attempts=17", 400, "bad_request", "attempts: 17"),
        ("attempts=x", 400, "bad_request", "attempts:"),
        ("mode=hint&attempts=2", 400, "bad_request", "does not vote"),
    ] {
        let refused = send(&served, &format!("GET /api/estimate?{query}"), "", "");
        let error = &refused.body["error"];
        assert_eq!((refused.status, &error["kind"]), (status, &json!(kind)), "{query}");
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
    let review = get(&served, "/api/estimate?mode=review&attempts=1&more=x");
    assert!(review["eta"]["seconds"].as_f64().unwrap() > 0.0);
}
