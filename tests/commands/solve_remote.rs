//! `solve` while a solverbox is running: it asks that server, and reports the same as with a model
//! of its own.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::api::jobs::{ask, long};
use crate::support::{TestServer, send_signal, solve, solverbox, text, wait_until};

/// `solve` with the data folder of a running server.
fn solve_at(served: &TestServer, args: &[&str]) -> Command {
    let mut command = solverbox();
    command.arg("solve").arg("--data").arg(served.data.path()).args(args);
    command
}

fn sample(served: &TestServer, name: &str) -> String {
    let metrics = served.get("/metrics").1;
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    line.rsplit(' ').next().unwrap().to_string()
}

/// The newest job of the box's own programs.
fn newest(served: &TestServer) -> Value {
    let list: Value = serde_json::from_str(&served.get("/api/jobs").1).unwrap();
    list["jobs"][0].clone()
}

#[test]
fn a_running_server_is_asked_unless_a_model_is_named() {
    let served = TestServer::ready(&[]);
    let question = ["--mode", "plain", "--temperature", "0", "What is 17*23?"];
    let asked = solve_at(&served, &question).output().unwrap();
    let stderr = text(&asked.stderr);
    assert!(asked.status.success() && stderr.contains("asking http://127.0.0.1:"), "{stderr}");
    assert!(text(&asked.stdout).contains("391"), "{}", text(&asked.stdout));
    for part in ["prompt", "generated", "tokens/s", "first token after"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    assert_eq!(sample(&served, "solverbox_jobs_taken_total"), "1");
    let own = solve_at(&served, &[&["--model", "demo"], &question[..]].concat()).output().unwrap();
    assert!(own.status.success() && !text(&own.stderr).contains("asking"), "its own model");
    assert_eq!(sample(&served, "solverbox_jobs_taken_total"), "1");
}

#[test]
fn a_vote_is_reported_as_without_a_running_server() {
    let served = TestServer::ready(&["--context-tokens", "4096", "--sequences", "4"]);
    let question = ["--seed", "1", "--attempts", "4", "What is 348 + 577?"];
    let json_of = |output: std::process::Output| -> Value {
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let with_json = [&["--json"], &question[..]].concat();
    let remote = json_of(solve_at(&served, &with_json).output().unwrap());
    let own = json_of(solve(&with_json));
    let fields =
        |object: &Value| -> Vec<String> { object.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(fields(&remote), fields(&own));
    assert_eq!((&remote["attempts"], &remote["mode"]), (&json!(4), &json!("math")));
    assert_eq!((&remote["boxed"], &remote["votes"][0]["value"]), (&json!("925"), &json!("925")));
    let counts =
        remote["votes"].as_array().unwrap().iter().map(|vote| vote["count"].as_u64().unwrap());
    let (leading, ended) =
        (counts.clone().next().unwrap(), remote["attempts_ended"].as_u64().unwrap());
    assert!(counts.sum::<u64>() <= ended && ended <= 4, "{remote}");
    let share = leading as f64 / ended as f64;
    assert!((remote["agreement"].as_f64().unwrap() - share).abs() < 5.1e-4, "{remote}");
    assert!(!remote["model"].as_str().unwrap().is_empty());

    let shown = solve_at(&served, &question).output().unwrap();
    let stderr = text(&shown.stderr);
    let tally = stderr.lines().rfind(|line| line.contains(" of 4 attempts have ended: "));
    assert!(tally.is_some_and(|tally| tally.contains(": 925 ×")), "{stderr}");
    let stdout = text(&shown.stdout);
    assert_eq!(stdout.matches("\\boxed{925}").count(), 1, "the best attempt's alone: {stdout}");
}

#[test]
fn an_error_of_the_running_server_keeps_its_kind_message_and_remedy() {
    let served = TestServer::ready(&["--client-jobs-max", "1", "--question-tokens-max", "60"]);
    let hint = ["--mode", "hint", "--attempts", "4", "2+2?"];
    let (remote, own) = (solve_at(&served, &hint).output().unwrap(), solve(&hint));
    let last_two = |output: &std::process::Output| -> Vec<String> {
        let lines: Vec<String> = text(&output.stderr).lines().map(str::to_string).collect();
        lines[lines.len() - 2..].to_vec()
    };
    assert_eq!(last_two(&remote), last_two(&own));
    assert_eq!((remote.status.code(), own.status.code()), (Some(2), Some(2)));
    let unknown = solve_at(&served, &["--mode", "chess", "2+2?"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(8), "{}", text(&unknown.stderr));
    // Only the running server has this limit.
    let refused = solve_at(&served, &[&"7 ".repeat(100)]).output().unwrap();
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(7), String::new()));
    assert!(text(&refused.stderr).contains("at most 60 are allowed"), "{}", text(&refused.stderr));
    ask(&served, &long(1));
    let refused = solve_at(&served, &["2+2?"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(10), "{}", text(&refused.stderr));
    let (_, told) = served.post("/api/jobs", &json!({"question": "2+2?"}).to_string());
    let [message, remedy] = ["message", "remedy"].map(|part| told["error"][part].as_str().unwrap());
    assert_eq!(last_two(&refused), [format!("solverbox: {message}"), remedy.to_string()]);
}

/// A question that takes longer than the test.
const ENDLESS: [&str; 6] =
    ["--mode", "plain", "--ignore-eos", "--budget-tokens", "100000", "Count for ever."];

#[test]
fn ctrl_c_stops_the_job_on_the_running_server() {
    let served = TestServer::ready(&["--context-tokens", "16384"]);
    let mut command = solve_at(&served, &ENDLESS);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the job to run", || newest(&served)["state"] == "running");
    send_signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(" · stopped"), "{}", text(&output.stderr));
    assert_eq!(newest(&served)["state"], "stopped");
}

#[test]
fn a_reader_that_closes_the_pipe_early_stops_the_job() {
    let served = TestServer::ready(&["--context-tokens", "16384"]);
    let mut child =
        solve_at(&served, &ENDLESS).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    assert!(child.wait().unwrap().success());
    wait_until("the job to stop", || newest(&served)["state"] == "stopped");
}

#[test]
fn a_server_that_stops_meanwhile_is_reported_with_the_job_that_continues() {
    let mut served = TestServer::ready(&["--context-tokens", "16384"]);
    let mut command = solve_at(&served, &ENDLESS);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the job to run", || newest(&served)["state"] == "running");
    let id = newest(&served)["id"].as_str().unwrap().to_string();
    served.end_by("TERM");
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(
        stderr.contains("did not finish") && stderr.contains(&format!("history show {id}")),
        "{stderr}"
    );
}
