//! The aarch64 file on the boards' processors, emulated: it starts, chooses its kernels, answers.
//!
//! `make test` builds it first (cross/build.sh). QEMU refuses an instruction the processor it plays
//! has not, so an answer here is a proof that none was used.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::fixture::{model, root, text};
use solverbox::words::kernels::AARCH64;

/// A Jetson Nano's processor, without dot products.
const NANO: &str = "cortex-a57";
/// A Raspberry Pi 5's.
const PI: &str = "cortex-a76";

/// Processors with the sets they must choose; QEMU's `max` has everything.
const SETS: [(&str, &str); 3] =
    [(NANO, "armv8.0"), (PI, "armv8.2-dotprod"), ("max", "armv8.6-i8mm")];

/// The model is so small that sets, which round differently, part ways where two tokens are nearly as
/// likely ("What is 2+2?" at once, on x86-64 too). On these, the sets of both architectures agree.
const QUESTIONS: [&str; 3] = [
    "What is the capital of France?",
    "Name the first four prime numbers.",
    "How many days are in a week?",
];

/// The file as built; it must not be older than what it is made of.
pub fn binary() -> PathBuf {
    let binary = root().join("target/aarch64-unknown-linux-gnu/release/solverbox");
    let built = std::fs::metadata(&binary)
        .and_then(|m| m.modified())
        .unwrap_or_else(|e| panic!("'{}': {e}; run `make cross` or `make test`", binary.display()));
    for source in ["src", "build/kernels.rs", "build/objects.rs", "build.rs", "Cargo.lock"] {
        newest(&root().join(source), &mut |file, changed| {
            assert!(
                changed <= built,
                "'{}' is newer than the aarch64 file: run `make cross`",
                file.display()
            );
        });
    }
    binary
}

fn newest(path: &Path, look: &mut dyn FnMut(&Path, std::time::SystemTime)) {
    let about = std::fs::metadata(path).unwrap();
    if about.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| newest(&entry.unwrap().path(), look));
    } else {
        look(path, about.modified().unwrap());
    }
}

/// The file on an emulated processor, deaf to the environment of whoever runs the suite.
fn on(processor: &str) -> Command {
    let mut command = Command::new("qemu-aarch64-static");
    command.args(["-cpu", processor]).arg(binary()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SOLVERBOX_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| {
        panic!("qemu-aarch64-static: {e}; install the Debian package qemu-user-static")
    })
}

/// The greedy answer to a question and the log.
fn greedy(processor: &str, question: &str) -> (String, String) {
    let mut command = on(processor);
    command.args(["solve", "--log", "info", "--json", "--mode", "plain", "--temperature", "0"]);
    command.args(["--threads", "1", "--context-tokens", "256", "--budget-tokens", "16"]);
    let output = run(command.arg("--model").arg(model()).arg(question));
    let (json, log) = (text(&output.stdout), text(&output.stderr));
    let answer: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}{log}"));
    (answer["answer"].as_str().unwrap().to_string(), log)
}

#[test]
fn each_board_answers_with_its_own_kernels_and_they_agree() {
    let answers = |processor: &str, set: &str| {
        QUESTIONS.map(|question| {
            let (answer, log) = greedy(processor, question);
            assert!(log.contains(&format!("kernels: {set}\n")), "{log}");
            assert!(!answer.is_empty());
            answer
        })
    };
    let (nano, pi) = std::thread::scope(|scope| {
        let pi = scope.spawn(|| answers(PI, "armv8.2-dotprod"));
        (answers(NANO, "armv8.0"), pi.join().unwrap())
    });
    assert_eq!(nano, pi);
}

#[test]
fn the_kernels_compute_correctly_on_each_board() {
    for (processor, set) in SETS {
        let output = run(on(processor).args(["selftest", "--threads", "1"]));
        let list = text(&output.stdout);
        assert!(output.status.success(), "{processor}: {list}{}", text(&output.stderr));
        let last = list.lines().last().unwrap();
        assert!(last.contains(&format!("checks of {set} passed")), "{processor}: {last}");
        // As words/kernels.rs has it, which the memory plan goes by.
        let repacked = list.contains("q6_K × 33 rows, repacked");
        let planned = AARCH64.iter().find(|known| known.name == set).unwrap().repacks("Q6_K");
        assert_eq!(repacked, planned, "{processor}: {list}");
    }
}

#[test]
fn kernels_a_board_cannot_run_are_refused_with_the_reason() {
    let mut command = on(NANO);
    command.args(["solve", "--model"]).arg(model()).arg("2+2?");
    let output = run(command.env("SOLVERBOX_KERNELS", "armv8.2-dotprod"));
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("'armv8.2-dotprod' needs") && stderr.contains("dotprod, which"),
        "{stderr}"
    );
    assert!(stderr.contains("the best set here, armv8.0"), "{stderr}");
}

#[test]
fn the_list_says_what_each_board_lacks() {
    for (processor, runs) in SETS {
        let list = text(&run(on(processor).arg("kernels")).stdout);
        let line = list.lines().find(|line| line.contains("runs: ")).unwrap_or(&list);
        assert!(line.starts_with(runs), "{processor}: {list}");
    }
}
