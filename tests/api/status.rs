//! Status and metrics, the owner's control over all jobs, and the history command while the server
//! runs.

use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::api::identity::{outside_address, send};
use crate::api::jobs::{all, ask, events, get, long, short, text_of};
use crate::api::owner::{actions, cookie, sign_in, with_pin};
use crate::support::small_disk::Disk;
use crate::support::{TestServer, agent, model, not_checked, solverbox, text, wait_until};

fn json_of(served: &TestServer, path: &str) -> Value {
    let (status, body) = served.get(path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Submits a question, waits for the answer and returns the job.
fn answered(served: &TestServer, question: &Value) -> Value {
    let id = ask(served, question);
    all(&mut events(served, &id, ""));
    get(served, &id)
}

#[test]
fn the_box_reports_its_model_queue_and_speed() {
    let served = TestServer::ready(&["--queue-jobs-max", "7"]);
    answered(&served, &short());
    let about = json_of(&served, "/api/box");
    assert_eq!((&about["state"], &about["model"]["demo"]), (&json!("ready"), &json!(false)));
    assert_eq!(about["model"]["bytes"], about["model"]["bytes_loaded"]);
    assert_eq!(about["queue"]["waiting_max"], 7);
    assert!(about["tokens_per_second"].as_f64().unwrap() > 0.0, "{about}");
    assert!(about["memory"]["resident_mib"].as_u64().unwrap() > 1);
    assert!(about["plan"]["context_tokens"].as_u64().unwrap() >= 256);
}

#[test]
fn the_box_names_the_addresses_at_which_other_devices_reach_it() {
    let served = TestServer::start(&[]);
    assert_eq!(json_of(&served, "/api/box")["addresses"], json!([]), "it listens on loopback");
    let served = TestServer::start(&["--listen", "0.0.0.0:0"]);
    let addresses = json_of(&served, "/api/box")["addresses"].as_array().unwrap().clone();
    for address in &addresses {
        let address = address.as_str().unwrap();
        assert!(address.ends_with(&format!(":{}", served.address.port())), "{address}");
        let page = agent().get(address).call().unwrap();
        assert_eq!(page.status(), 200, "{address}");
    }
    match outside_address() {
        Some(own) => assert!(
            addresses.contains(&json!(format!("http://{own}:{}", served.address.port()))),
            "{own} is not among {addresses:?}"
        ),
        None => not_checked("addresses of the box: this machine has none"),
    }
}

/// Returns the value of a metric.
fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("{name}: {metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn metrics_count_jobs_and_tokens_in_prometheus_format() {
    let served = TestServer::ready(&[]);
    let job = answered(&served, &short());
    let (status, metrics) = served.get("/metrics");
    assert_eq!(status, 200);
    let of = |name: &str| sample(&metrics, name);
    assert_eq!((of("solverbox_ready"), of("solverbox_jobs_taken_total")), (1.0, 1.0));
    assert_eq!(of("solverbox_jobs_ended_total{outcome=\"done\"}"), 1.0);
    let drawn = job["figures"]["completion_tokens"].as_f64().unwrap();
    assert_eq!(of("solverbox_tokens_total{kind=\"drawn\"}"), drawn);
    assert!(of("solverbox_tokens_total{kind=\"prompt\"}") >= 1.0);
    let steps = of("solverbox_step_seconds_count");
    assert!(steps >= 1.0 && of("solverbox_step_seconds_bucket{le=\"+Inf\"}") == steps);
    assert!(of("solverbox_kv_cells{state=\"free\"}") > 0.0);
    for family in metrics.split("# HELP ").skip(1) {
        let name = family.split(' ').next().unwrap();
        assert!(family.contains(&format!("\n# TYPE {name} ")), "{family}");
        let samples = family.lines().skip(2);
        samples.for_each(|line| assert!(line.starts_with(name), "{line}"));
    }
}

#[test]
fn an_owner_lists_moves_stops_and_deletes_all_jobs_and_each_action_is_recorded() {
    let served = with_pin("correct horse");
    served.wait_ready();
    let owner = cookie(&sign_in(&served, "correct horse"));
    let as_owner = |request: &str, body: &str| send(&served, request, &owner, body);
    for request in ["GET /api/owner/jobs", "DELETE /api/owner/jobs", "PUT /api/owner/limits"] {
        assert_eq!(send(&served, request, "", "{}").status, 401, "{request}");
    }
    let endless = json!({"question": "What is 9876*789?", "mode": "math", "attempts": 16});
    let asked: Vec<String> = (0..6).map(|_| ask(&served, &endless)).collect();
    let listed = as_owner("GET /api/owner/jobs", "").body;
    let listed: Vec<&Value> = listed["jobs"].as_array().unwrap().iter().collect();
    assert!(!listed.is_empty() && listed.iter().all(|job| job.get("question").is_none()));
    let last = &asked[5];
    assert_eq!(as_owner(&format!("POST /api/owner/jobs/{last}/move"), "").status, 202);
    assert_eq!(as_owner(&format!("POST /api/owner/jobs/{last}/stop"), "").status, 202);
    let ended =
        |id: &str| ["stopped", "done"].contains(&get(&served, id)["state"].as_str().unwrap());
    wait_until("the job to stop", || ended(last));
    let seen = as_owner(&format!("GET /api/owner/jobs/{last}"), "");
    assert_eq!((seen.status, &seen.body["question"]), (200, &json!("What is 9876*789?")));
    assert_eq!(as_owner("DELETE /api/owner/jobs", "").status, 204);
    asked.iter().for_each(|id| wait_until("all to stop", || ended(id)));
    assert_eq!(as_owner(&format!("DELETE /api/owner/jobs/{last}"), "").status, 204);
    assert_eq!(served.get(&format!("/api/jobs/{last}")).0, 404);
    let limits = as_owner("PUT /api/owner/limits", r#"{"client_jobs_max": 1}"#);
    assert_eq!((limits.status, &limits.body["client_jobs_max"]), (200, &json!(1)));
    ask(&served, &long(1));
    assert_eq!(served.post("/api/jobs", &long(2).to_string()).0, 429);
    assert_eq!(as_owner("PUT /api/owner/limits", r#"{"client_jobs_max": 0}"#).status, 400);
    let done = actions(served.data.path());
    assert_eq!(done[2..], ["move", "stop", "see", "clear", "forget", "limits"]);
}

#[test]
fn an_owner_sees_what_the_box_was_used_for_deleted_jobs_included_and_no_question() {
    let mut served = with_pin("correct horse");
    served.wait_ready();
    let before = seconds_since_1970();
    let jobs =
        [answered(&served, &short()), answered(&served, &short()), answered(&served, &long(4))];
    let deleted = answered(&served, &short());
    let path = format!("/api/jobs/{}", deleted["id"].as_str().unwrap());
    assert_eq!(send(&served, &format!("DELETE {path}"), "", "").status, 204);
    // Jobs that are deleted while they run or wait have not ended.
    let endless = json!({
        "question": "What is 17*23?", "mode": "math", "attempts": 8, "ignore_eos": true
    });
    let unfinished: Vec<String> = (0..4).map(|_| ask(&served, &endless)).collect();
    for id in unfinished.iter().rev() {
        assert_eq!(send(&served, &format!("DELETE /api/jobs/{id}"), "", "").status, 204);
    }
    served.kill_and_restart();
    served.wait_ready();
    let owner = cookie(&sign_in(&served, "correct horse"));
    assert_eq!(send(&served, "GET /api/owner/usage", "", "").status, 401);
    for query in ["?days=0", "?days=93", "?days=x"] {
        assert_eq!(send(&served, &format!("GET /api/owner/usage{query}"), &owner, "").status, 400);
    }
    let used = send(&served, "GET /api/owner/usage?days=1", &owner, "").body;
    assert_eq!(used["days"], 1);
    let hours = used["hours"].as_array().unwrap();
    // Two hours if one began meanwhile.
    let sum = |mode: &str, what: &str| {
        let of_mode = hours.iter().filter(|hour| hour["mode"] == mode);
        of_mode.map(|hour| hour[what].as_f64().unwrap()).sum::<f64>()
    };
    let tokens = |job: &Value| job["figures"]["completion_tokens"].as_f64().unwrap();
    assert_eq!((sum("plain", "jobs"), sum("math", "jobs")), (3.0, 1.0), "{used}");
    let plain = [&jobs[0], &jobs[1], &deleted];
    assert_eq!(sum("plain", "tokens"), plain.into_iter().map(tokens).sum::<f64>());
    assert_eq!(sum("math", "tokens"), tokens(&jobs[2]));
    assert!(sum("math", "seconds") > 0.0);
    for hour in hours {
        let at = hour["at"].as_u64().unwrap();
        assert!(at % 3_600 == 0 && at + 3_600 > before && at <= seconds_since_1970(), "{used}");
        let fields: Vec<&String> = hour.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["at", "mode", "jobs", "tokens", "seconds"]);
    }
    let all = send(&served, "GET /api/owner/usage", &owner, "").body;
    assert_eq!((&all["days"], &all["hours"]), (&json!(14), &used["hours"]));
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn history(served: &TestServer, args: &[&str]) -> Output {
    let mut command = solverbox();
    command.arg("history").args(args).arg("--data").arg(served.data.path());
    command.output().unwrap()
}

#[test]
fn history_is_listed_shown_exported_and_deleted_while_the_server_runs() {
    let served = TestServer::ready(&[]);
    let first = answered(&served, &short());
    let second = answered(&served, &long(4));
    let [first_id, second_id] = [&first, &second].map(|job| job["id"].as_str().unwrap());
    let list = text(&history(&served, &["list"]).stdout);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with(second_id) && lines[1].starts_with(first_id), "{list}");
    assert!(lines[1].contains("done") && lines[1].contains("What is 17*23?"));
    let shown = text(&history(&served, &["show", &first_id[..8]]).stdout);
    assert!(shown.contains(first["answer"].as_str().unwrap()) && shown.contains("<details>"));
    let export = text(&history(&served, &["export"]).stdout);
    let objects: Vec<Value> =
        export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&objects[0]["id"], &objects[1]["id"]), (&json!(first_id), &json!(second_id)));
    assert_eq!(objects[1]["answer"], second["answer"]);
    assert_eq!(objects[1]["votes"][0]["value"], second["votes"]["votes"][0]["value"]);
    let file = served.data.path().join("all.md");
    let file = file.to_str().unwrap();
    assert!(history(&served, &["export", "--format", "md", "--out", file]).status.success());
    assert_eq!(std::fs::read_to_string(file).unwrap().matches("## ").count(), 2);
    let wrong = history(&served, &["delete", first_id, "ffffffff"]);
    assert_eq!(wrong.status.code(), Some(8), "{}", text(&wrong.stderr));
    assert!(history(&served, &["delete", first_id]).status.success());
    assert_eq!(text(&history(&served, &["list"]).stdout).lines().count(), 1);
    assert_eq!(history(&served, &["delete"]).status.code(), Some(2));
    assert!(history(&served, &["delete", "--all"]).status.success());
    assert_eq!(text(&history(&served, &["list"]).stdout), "");
    let nowhere = solverbox().args(["history", "list", "--data", "/nowhere"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(8));
}

#[test]
fn a_chat_request_is_stored_and_a_durable_one_continues_without_its_client() {
    let served = TestServer::ready(&[]);
    let chat = |extra: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": "What is 17*23?"}], "model": "solverbox:plain"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body.to_string()
    };
    let key = "Authorization: Bearer someone\r\n";
    let told = send(&served, "POST /v1/chat/completions", key, &chat(json!({})));
    let id = told.body["solverbox"]["job"].as_str().unwrap().to_string();
    let kept = || send(&served, &format!("GET /api/jobs/{id}"), key, "");
    wait_until("the job to be stored", || kept().status == 200);
    assert_eq!(kept().body["answer"], told.body["choices"][0]["message"]["content"]);
    let mut stream =
        served.stream_as(key, &chat(json!({"stream": true, "durable": true, "attempts": 1})));
    stream.wait_for_text();
    drop(stream);
    let jobs = || send(&served, "GET /api/jobs", key, "").body["jobs"].as_array().unwrap().clone();
    wait_until("the durable job to end", || jobs().len() == 2 && jobs()[0]["state"] == "done");
    let id = jobs()[0]["id"].as_str().unwrap().to_string();
    let told = send(&served, &format!("GET /api/jobs/{id}"), key, "").body;
    assert!(told["answer"].as_str().unwrap().contains("boxed"), "{told}");
}

#[test]
fn with_a_full_disk_jobs_are_refused_and_stored_answers_still_served() {
    if !crate::support::has_disks() {
        return;
    }
    let disk = Disk::new("size=3M");
    let start = || {
        // The last `--data` counts.
        let args = ["--data", "/mnt", "--threads", "1", "--sync-seconds", "0"];
        let served = TestServer::start_by(disk.solverbox(), &model(), &args);
        served.wait_ready();
        served
    };
    let mut served = start();
    let kept = answered(&served, &short());
    let running = json!({"question": "What is 98765*87654?", "mode": "math", "attempts": 16});
    let running = ask(&served, &running);
    disk.fill();
    let refused = |served: &TestServer| {
        let (status, refused) = served.post("/api/jobs", &short().to_string());
        assert_eq!((status, &refused["error"]["kind"]), (507, &json!("no_space")), "{refused}");
    };
    let id = kept["id"].as_str().unwrap();
    let serves = |served: &TestServer| {
        assert_eq!(get(served, id)["answer"], kept["answer"]);
        assert!(!text_of(&all(&mut events(served, id, ""))).is_empty());
    };
    refused(&served);
    serves(&served);
    served.end_by("KILL");
    let served = start();
    serves(&served);
    refused(&served);
    assert_eq!(all(&mut events(&served, &running, "0")).last().unwrap().kind, "done");
    disk.empty();
    wait_until("jobs to be accepted again", || {
        served.post("/api/jobs", &short().to_string()).0 == 202
    });
}
