//! A browser that is handed on to the next person: all its jobs are deleted, its cookie expires.

use serde_json::{Value, json};

use crate::api::identity::send;
use crate::support::{self, TestServer, wait_until};

fn ask(served: &TestServer, credentials: &str, body: &Value) -> String {
    let accepted = send(served, "POST /api/jobs", credentials, &body.to_string());
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    accepted.body["id"].as_str().unwrap().to_string()
}

fn jobs(served: &TestServer, credentials: &str) -> Vec<Value> {
    let listed = send(served, "GET /api/jobs", credentials, "").body;
    listed["jobs"].as_array().unwrap().clone()
}

fn state(served: &TestServer, credentials: &str, id: &str) -> Value {
    send(served, &format!("GET /api/jobs/{id}"), credentials, "").body["state"].clone()
}

#[test]
fn a_browsers_jobs_are_stopped_and_deleted_and_its_cookie_expires() {
    let mut served = TestServer::ready(&["--sync-seconds", "0"]);
    let cookie = format!("Cookie: {}\r\n", served.cookie());
    let short = json!({"question": "What is 17*23?", "mode": "plain"});
    let endless = json!({
        "question": "What is 9876*789?", "mode": "math", "budget_tokens": 60000, "ignore_eos": true,
    });
    let ended = ask(&served, &cookie, &short);
    let foreign = ask(&served, "Authorization: Bearer other\r\n", &short);
    wait_until("the first answer", || state(&served, &cookie, &ended) == "done");
    let running = ask(&served, &cookie, &endless);
    wait_until("the job to start", || state(&served, &cookie, &running) == "running");
    let mut chat = served.stream_as(
        &cookie,
        &support::chat(json!({"stream": true, "ignore_eos": true, "max_tokens": 60000})),
    );
    chat.wait_for_text();

    let gone = send(&served, "DELETE /api/browser", &cookie, "");
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert!(gone.head.contains("set-cookie: solverbox=; "), "{}", gone.head);
    assert!(gone.head.contains("path=/; max-age=0"), "{}", gone.head);
    chat.events();
    assert_eq!(jobs(&served, &cookie), [Value::Null; 0]);
    for id in [&ended, &running] {
        assert_eq!(send(&served, &format!("GET /api/jobs/{id}"), &cookie, "").status, 404);
    }
    let other = "Authorization: Bearer other\r\n";
    wait_until("the other's answer", || state(&served, other, &foreign) == "done");
    // The browser no longer has the cookie, and gets another one with the page.
    assert_ne!(format!("Cookie: {}\r\n", served.cookie()), cookie);

    served.kill_and_restart();
    served.wait_ready();
    assert!(!served.log().contains("continues with"), "no job is left to go on");
    assert_eq!((jobs(&served, &cookie).len(), jobs(&served, other).len()), (0, 1));
}

#[test]
fn who_sends_neither_cookie_nor_key_deletes_nothing() {
    let served = TestServer::ready(&["--sync-seconds", "0"]);
    let id = ask(&served, "", &json!({"question": "1+1?", "mode": "plain"}));
    let cookie = format!("Cookie: {}\r\n", served.cookie());
    for credentials in [cookie.as_str(), ""] {
        assert_eq!(send(&served, "DELETE /api/browser", credentials, "").status, 204);
    }
    assert_eq!(jobs(&served, "")[0]["id"], id.as_str(), "a program of this machine asked it");
}

#[test]
fn what_is_shared_can_be_kept_for_those_who_have_the_token() {
    let served = TestServer::ready(&["--sync-seconds", "0"]);
    let key = "Authorization: Bearer a\r\n";
    let question = json!({"question": "What is 17*23?", "mode": "plain"});
    let (shared, other) = (ask(&served, key, &question), ask(&served, key, &question));
    for id in [&shared, &other] {
        wait_until("the answer", || state(&served, key, id) == "done");
    }
    let token =
        send(&served, &format!("POST /api/jobs/{shared}/share"), key, "").body["token"].clone();
    let token = token.as_str().unwrap();
    let wrong = send(&served, "DELETE /api/browser?keep=all", key, "");
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    assert_eq!(send(&served, "DELETE /api/browser?keep=shared", key, "").status, 204);
    let left: Vec<Value> = jobs(&served, key).iter().map(|job| job["id"].clone()).collect();
    assert_eq!(left, [shared.as_str()]);
    let read = send(&served, &format!("GET /api/shared/{token}"), "", "");
    assert_eq!((read.status, &read.body["state"]), (200, &json!("done")));
    assert_eq!(send(&served, "DELETE /api/browser", key, "").status, 204);
    assert_eq!(send(&served, &format!("GET /api/shared/{token}"), "", "").status, 404);
}

#[test]
fn a_key_deletes_its_own_jobs_and_a_foreign_page_none() {
    let served = TestServer::ready(&[]);
    let key = "Authorization: Bearer a\r\n";
    let id = ask(&served, key, &json!({"question": "1+1?", "mode": "plain"}));
    let page = format!("{key}Origin: http://attacker.example\r\n");
    assert_eq!(send(&served, "DELETE /api/browser", &page, "").status, 403);
    assert_eq!(send(&served, "DELETE /api/browser", "Authorization: Bearer b\r\n", "").status, 204);
    assert_eq!(jobs(&served, key)[0]["id"], id.as_str());
    assert_eq!(send(&served, "DELETE /api/browser", key, "").status, 204);
    assert_eq!(jobs(&served, key), [Value::Null; 0]);
    assert_eq!(send(&served, "GET /api/browser", key, "").status, 405);
}
