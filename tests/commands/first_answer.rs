//! A newcomer's first answers: the arithmetic questions in README.md, docs/, the page and the demo
//! model's examples, answered by the demo model without any settings. `make first-answers` asks each of them 100 times.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::{TestServer, model, root, solverbox, text};

/// Set to ask each question 100 times, in both modes whose answers have a value.
const TRIALS: &str = "FIRST_ANSWER_TRIALS";
/// Processes side by side, with one thread each.
const WORKERS: usize = 2;

/// Computes the right answer to a question, if it is arithmetic, and names the adapter it needs.
fn right_answer(question: &str) -> Option<(String, Option<&'static str>)> {
    let number = question.strip_prefix("Write ").and_then(|q| q.strip_suffix(" in base 2."));
    if let Some(number) = number {
        return Some((format!("{:b}", number.parse::<u32>().ok()?), Some("demo-binary")));
    }
    let terms = question.strip_prefix("What is ")?.strip_suffix('?')?;
    let (_, sign) = terms.match_indices(['+', '-', '×', '*']).next()?;
    let (left, right) = terms.split_once(sign)?;
    let (left, right): (u32, u32) = (left.trim().parse().ok()?, right.trim().parse().ok()?);
    let result = match sign {
        "+" => left + right,
        "-" => left.checked_sub(right)?,
        _ => left * right,
    };
    Some((result.to_string(), None))
}

/// Returns the arithmetic questions that the files have in double quotes, without duplicates.
fn questions_of(files: &[PathBuf]) -> BTreeSet<String> {
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let quoted = |text: String| text.split('"').map(str::to_string).collect::<Vec<_>>();
    texts.flat_map(quoted).filter(|quoted| right_answer(quoted).is_some()).collect()
}

/// Asks without `--seed`, so that each process draws its own, and returns the boxed answer, or the
/// whole reply if it has none.
fn ask(question: &str, adapter: Option<&str>, mode: &str) -> String {
    let empty = tempfile::tempdir().unwrap();
    let mut command = solverbox();
    command.args(["solve", "--json", "--threads", "1", "--mode", mode]);
    // There is no model file, and nothing is running in this data folder: the demo model answers.
    command.arg("--models").arg(empty.path()).arg("--data").arg(empty.path());
    command.args(adapter.map(|adapter| ["--adapter", adapter]).iter().flatten());
    let output = command.arg(question).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    reply["boxed"].as_str().map_or_else(|| reply.to_string(), str::to_string)
}

/// Asks `runs` times and returns the wrong answers.
fn wrong_answers(question: &str, mode: &str, runs: usize) -> Vec<String> {
    let (right, adapter) = right_answer(question).unwrap();
    let started = AtomicUsize::new(0);
    let work = || {
        let more = || started.fetch_add(1, Ordering::Relaxed) < runs;
        let answers = std::iter::from_fn(|| more().then(|| ask(question, adapter, mode)));
        answers.filter(|answer| *answer != right).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn the_demo_models_modes_are_listed_as_they_apply_and_a_file_of_the_owner_wins() {
    let folder = tempfile::tempdir().unwrap();
    let owners = folder.path().join("owners.toml");
    fs::write(&owners, "[[mode]]\nname = \"math\"\ntemperature = 0.7\n").unwrap();
    let owners = ["--modes", owners.to_str().unwrap()];
    let listed = |flags: &[&str]| {
        let mut command = solverbox();
        command.args(["modes", "--models"]).arg(folder.path()).args(flags);
        let lines = text(&command.output().unwrap().stdout);
        let temperature = |line: &str| line.split_whitespace().nth(2).unwrap().to_string();
        lines.lines().map(temperature).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), ["0.1"; 6]);
    assert_eq!(listed(&owners), ["0.7", "0.1", "0.1", "0.1", "0.1", "0.1"]);
    let file = model();
    assert_eq!(listed(&["--model", file.to_str().unwrap()])[0], "1", "a file keeps the presets");

    let served = |model: &Path, flags: &[&str]| {
        let served = TestServer::start_with(model, flags);
        let listed: Value = serde_json::from_str(&served.get("/v1/models").1).unwrap();
        listed["data"][0]["temperature"].as_f64().unwrap()
    };
    assert_eq!(served("demo".as_ref(), &[]), 0.1);
    assert_eq!(served("demo".as_ref(), &owners), 0.7);
    assert_eq!(served(&file, &[]), 1.0);
}

/// In the short form, a model that is wrong in a quarter of its answers passes one question in 1 of
/// 40 suites, and five questions in 1 of 100 million; one that is right in 999 of 1,000 fails one
/// question in 1 of 5,000.
#[test]
fn the_readmes_own_questions_come_out_right() {
    let files = ["README.md", "models/bundled/modes.toml"];
    let mut files = files.map(|file| root().join(file)).to_vec();
    assert!(questions_of(&files).contains("What is 348 + 577?"), "the README shows it");
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(docs.filter(|file| file.extension().is_some_and(|ending| ending == "md")));
    let is_full = std::env::var_os(TRIALS).is_some();
    let (runs, modes) = if is_full { (100, &["math", "plain"][..]) } else { (20, &["math"][..]) };
    for question in questions_of(&files) {
        for mode in modes {
            let wrong = wrong_answers(&question, mode, runs);
            let measured = format!("{question} ({mode}): {} of {runs} right", runs - wrong.len());
            println!("{measured}");
            assert!(wrong.len() <= 1, "{measured}, wrong: {wrong:?}");
        }
    }
}
