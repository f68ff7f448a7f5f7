//! The kernel sets: listed, chosen, refused, and equal in what they answer.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;

use crate::fixture::{model, solve, solve_with, solverbox, text};
use solverbox::engine::kernels::missing;
use solverbox::words::kernels::{KernelSet, SETS};

fn runnable() -> impl Iterator<Item = &'static KernelSet> {
    SETS.iter().filter(|set| missing(set).is_empty())
}

#[test]
fn the_list_names_every_set_and_says_which_one_runs_and_why() {
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
    assert!(line.starts_with(modest) && line.contains("it was asked for"), "{list}");
}

#[test]
fn a_set_nobody_knows_is_refused_with_those_there_are() {
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

/// A question's greedy answer by one set, and what the log says of kernels.
fn greedy(set: &str, question: &str) -> (String, String) {
    let args = ["--log", "info", "--json", "--mode", "plain", "--temperature", "0"];
    let mut command = solve_with(&model(), &args);
    command.args(["--budget-tokens", "24", "--kernels", set, question]);
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
    for question in ["What is 17 × 23?", "Name the first four prime numbers."] {
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
