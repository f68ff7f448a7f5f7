//! The kernel sets: listed, chosen, refused, and equal in their answers.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{model, model_q4_0, solve, solve_with, solverbox, text};
use solverbox::engine::kernels::missing;
use solverbox::model::open;
use solverbox::model::plan::{PlanRequirements, plan};
use solverbox::types::kernels::{KernelSet, SETS};
use solverbox::types::memory::Room;
use solverbox::types::plan::{KvType, Pacing, Weights};

fn runnable() -> impl Iterator<Item = &'static KernelSet> {
    SETS.iter().filter(|set| missing(set).is_empty())
}

#[test]
fn the_list_has_every_set_and_the_reason_for_the_one_that_runs() {
    let output = solverbox().arg("kernels").output().unwrap();
    let list = text(&output.stdout);
    assert!(output.status.success(), "{list}");
    for set in SETS {
        assert!(list.contains(set.name), "{list}");
    }
    let best = runnable().last().unwrap().name;
    let line = list.lines().find(|line| line.contains("runs: ")).unwrap();
    assert!(line.starts_with(best) && line.contains("the best that can run here"), "{list}");
    assert_eq!(list.matches("runs: ").count(), 1);
}

#[test]
fn the_environment_can_name_another_set() {
    let modest = SETS[0].name;
    let output = solverbox().arg("kernels").env("SOLVERBOX_KERNELS", modest).output().unwrap();
    let list = text(&output.stdout);
    let line = list.lines().find(|line| line.contains("runs: ")).unwrap();
    assert!(line.starts_with(modest) && line.contains("as requested"), "{list}");
}

#[test]
fn an_unknown_set_is_refused_with_the_known_ones() {
    for command in ["kernels", "selftest"] {
        let output = solverbox().args([command, "--kernels", "quipu"]).output().unwrap();
        assert_refused(&output, &["no set 'quipu'", SETS[0].name, SETS[2].name]);
    }
    assert_refused(&solve(&["--kernels", "quipu", "2+2?"]), &["no set 'quipu'", SETS[0].name]);
}

fn assert_refused(output: &Output, says: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    says.iter().for_each(|word| assert!(stderr.contains(word), "{word}: {stderr}"));
}

/// Returns a question's greedy answer with one set, and the log.
fn greedy(set: &str, question: &str) -> (String, String) {
    let args = ["--log", "info", "--json", "--mode", "plain", "--temperature", "0"];
    let mut command = solve_with(&model(), &args);
    command.args(["--budget-tokens", "200", "--kernels", set, question]);
    let output = command.output().unwrap();
    let (json, log) = (text(&output.stdout), text(&output.stderr));
    let answer: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}{log}"));
    (answer["answer"].as_str().unwrap().to_string(), log)
}

#[test]
fn every_set_that_runs_here_gives_the_same_greedy_answers() {
    let sets: Vec<&str> = runnable().map(|set| set.name).collect();
    for set in SETS.iter().filter(|set| !sets.contains(&set.name)) {
        println!("NOT CHECKED on this machine: {}, it lacks {:?}", set.name, missing(set));
    }
    for question in ["What is 17 + 25?", "What is 4821 + 3977?"] {
        let answers: BTreeSet<String> = sets
            .iter()
            .map(|set| {
                let (answer, log) = greedy(set, question);
                assert!(log.contains(&format!("kernels: {set}")), "{log}");
                assert!(!answer.is_empty());
                answer
            })
            .collect();
        assert_eq!(answers.len(), 1, "{sets:?}: {answers:?}");
    }
}

#[test]
fn the_self_test_prints_a_line_a_check_and_passes_with_every_set_that_runs_here() {
    for set in runnable() {
        let output = solverbox().args(["selftest", "--kernels", set.name]).output().unwrap();
        let list = text(&output.stdout);
        assert!(output.status.success(), "{list}");
        for check in ["q4_0 × 33 rows ", "q6_K × 1 row ", "f16 × 7 rows ", "RMS norm ", "tiles "]
        {
            let line = list.lines().find(|line| line.starts_with(check) || line.contains(check));
            assert!(line.is_some_and(|line| line.contains(" ok ")), "{check}: {list}");
        }
        assert_eq!(list.matches(" ok     the right answer\n").count(), 5, "{list}");
        assert_eq!(list.contains("q4_0 × 12 rows, repacked"), set.repacks("Q4_0"), "{list}");
        assert_eq!(list.contains("q6_K × 12 rows, repacked"), set.repacks("Q6_K"), "{list}");
    }
}

/// Returns the log of `serve` until the model is loaded, and its peak memory by then, in bytes.
fn start_of_serve(model: &Path, args: &[&str]) -> (String, u64) {
    let data = tempfile::tempdir().unwrap();
    let mut command = solverbox();
    command.arg("serve").arg("--model").arg(model).arg("--data").arg(data.path());
    command.args(["--listen", "127.0.0.1:0", "--threads", "1"]).args(args);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut log = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        log += &(line.unwrap() + "\n");
        if log.contains("the model is loaded") {
            break;
        }
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap_or_else(|| panic!("the server ended: {log}"));
    let kib: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    (log, kib * 1024)
}

#[test]
fn serve_checks_the_kernels_first_unless_disabled() {
    let (log, _) = start_of_serve(&model(), &[]);
    let checked = log.find("self-test: ").unwrap_or_else(|| panic!("{log}"));
    assert!(checked < log.find("the model is loaded").unwrap(), "{log}");
    let (log, _) = start_of_serve(&model(), &["--no-selftest"]);
    assert!(!log.contains("self-test") && log.contains("kernels: "), "{log}");
}

/// Repacked weights are not also kept in their original form.
#[test]
fn loading_takes_memory_for_the_weights_the_cache_and_the_buffers_only() {
    let file = model_q4_0();
    let header = open(&Weights::model(file)).unwrap();
    let head = header.tensors.iter().find(|t| t.name == "token_embd.weight").unwrap();
    for set in [&SETS[0], runnable().last().unwrap()] {
        let required = PlanRequirements {
            pacing: Pacing::default(),
            context_tokens: Some(1024),
            sequences: Some(1),
            kv: Some(KvType::F16),
            kernels: set,
            threads: Some(1),
            question_tokens_max: Some(2048),
        };
        let plan = plan(&header, &[], required, &Room::unknown()).unwrap();
        // The head is tied to the embedding: if repacked, it is in memory twice.
        let twice = if set.repacks(head.kind.name) { head.bytes } else { 0 };
        let memory = &plan.memory;
        let most = header.file_bytes + twice + memory.kv_bytes + memory.buffers_bytes();
        let args = ["--context-tokens", "1024", "--sequences", "1", "--kernels", set.name];
        let (log, peak) = start_of_serve(file, &args);
        assert!(peak <= most * 105 / 100, "{}: {peak} bytes, {most} at most: {log}", set.name);
        assert!(peak <= memory.total_bytes(), "{}: {peak} bytes, {plan:?}", set.name);
    }
}
