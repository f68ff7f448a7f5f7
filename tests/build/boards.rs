//! The aarch64 file on emulated processors of the boards: it starts, chooses its kernels, answers.
//!
//! `make test` builds it first (cross/build.sh). QEMU refuses instructions that the emulated
//! processor lacks, so an answer proves that none was used.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::shape::{Quantized, with_layers};
use crate::support::{deaf, model, model_q4_0, root, solverbox, text};
use solverbox::types::kernels::AARCH64;

/// The processor of a Jetson Nano, without dot products.
const NANO: &str = "cortex-a57";
/// The processor of a Raspberry Pi 5.
const PI: &str = "cortex-a76";

/// Processors and the kernel sets they must choose; QEMU's `max` has every feature.
const SETS: [(&str, &str); 3] =
    [(NANO, "armv8.0"), (PI, "armv8.2-dotprod"), ("max", "armv8.6-i8mm")];

const QUESTIONS: [&str; 3] = ["What is 4821 + 3977?", "What is 902 - 417?", "What is 2+2?"];
/// Tokens of each answer that are compared.
const TOKENS: usize = 16;
/// Kernel sets round differently, mainly when activations become 8-bit: on tokens where the boards
/// agree, the gap between the two largest logits differs by up to 0.54. Below that, either token is
/// right.
const NEAR: f64 = 0.6;

/// Returns the built file; it must not be older than its sources.
pub fn binary() -> PathBuf {
    let binary = root().join("target/aarch64-unknown-linux-gnu/release/solverbox");
    let built = std::fs::metadata(&binary)
        .and_then(|m| m.modified())
        .unwrap_or_else(|e| panic!("'{}': {e}; run `make cross` or `make test`", binary.display()));
    let made_of = ["src", "build/kernels.rs", "build/objects.rs", "build.rs"];
    let settings = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "cross/build.sh"];
    for source in made_of.into_iter().chain(settings) {
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

/// The file on an emulated processor, without the suite's own settings.
fn on(processor: &str) -> Command {
    let mut command = Command::new("qemu-aarch64-static");
    command.args(["-cpu", processor]).arg(binary());
    deaf(command)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| {
        panic!("qemu-aarch64-static: {e}; install the Debian package qemu-user-static")
    })
}

/// One step of a greedy answer.
#[derive(Clone, Copy, Debug)]
struct Choice {
    token: u32,
    /// The second likeliest token, and how far its logit is below.
    second: u32,
    gap: f64,
}

/// Returns the greedy answer on a processor, whose kernels must be `set`.
fn greedy(processor: &str, set: &str, question: &str) -> Vec<Choice> {
    let mut command = on(processor);
    command.args(["solve", "--mode", "plain", "--temperature", "0", "--ignore-eos"]);
    command.args(["--log", "info,solverbox::engine::sample=trace", "--threads", "1"]);
    command.args(["--context-tokens", "256", "--budget-tokens", &TOKENS.to_string()]);
    let output = run(command.arg("--model").arg(model_q4_0()).arg(question));
    let log = text(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains(&format!("kernels: {set}\n")), "{log}");
    let lines = log.lines().filter_map(|line| line.split_once("greedy token "));
    let choices: Vec<Choice> = lines
        .map(|(_, line)| {
            let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
            let token = words.next().unwrap().parse().unwrap();
            let gap = words.next().unwrap().parse().unwrap();
            Choice { token, second: words.nth(1).unwrap().parse().unwrap(), gap }
        })
        .collect();
    assert_eq!(choices.len(), TOKENS, "{log}");
    choices
}

/// Asserts that two answers agree, or differ first where the two likeliest tokens nearly tie;
/// returns how many tokens agree.
fn agreed(question: &str, nano: &[Choice], pi: &[Choice]) -> usize {
    for (at, (nano, pi)) in nano.iter().zip(pi).enumerate() {
        if nano.token == pi.token {
            continue;
        }
        let swapped = nano.token == pi.second && nano.second == pi.token;
        let near = nano.gap < NEAR && pi.gap < NEAR;
        assert!(swapped && near, "{question}: token {at} is {nano:?} and {pi:?}");
        println!("{question}: from token {at} on nothing is compared: {nano:?} and {pi:?}");
        return at;
    }
    nano.len()
}

#[test]
fn each_board_answers_with_its_own_kernels_and_they_agree() {
    let answers = |processor, set| QUESTIONS.map(|question| greedy(processor, set, question));
    let (nano, pi) = std::thread::scope(|scope| {
        let pi = scope.spawn(|| answers(PI, "armv8.2-dotprod"));
        (answers(NANO, "armv8.0"), pi.join().unwrap())
    });
    let each = QUESTIONS.into_iter().zip(nano.iter().zip(&pi));
    let tokens: usize = each.map(|(question, (nano, pi))| agreed(question, nano, pi)).sum();
    assert!(tokens >= 2 * TOKENS, "only {tokens} of {} tokens agree", 3 * TOKENS);
}

#[test]
fn the_kernels_compute_correctly_on_each_board() {
    for (processor, set) in SETS {
        let output = run(on(processor).args(["selftest", "--threads", "1"]));
        let list = text(&output.stdout);
        assert!(output.status.success(), "{processor}: {list}{}", text(&output.stderr));
        let last = list.lines().last().unwrap();
        assert!(last.contains(&format!("checks of {set} passed")), "{processor}: {last}");
        assert_eq!(list.matches(" ok     the right answer\n").count(), 5, "{processor}: {list}");
        // As listed in types/kernels.rs, on which the memory plan relies.
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
    assert!(stderr.contains("use armv8.0, the best set here"), "{stderr}");
}

#[test]
fn the_list_names_the_features_each_board_lacks() {
    for (processor, runs) in SETS {
        let list = text(&run(on(processor).arg("kernels")).stdout);
        let line = list.lines().find(|line| line.contains("runs: ")).unwrap_or(&list);
        assert!(line.starts_with(runs), "{processor}: {list}");
    }
}

/// By llama.cpp's own count of its buffers on each processor: the plan must count a tied head twice
/// where the kernels repack it.
#[test]
fn the_plan_counts_weights_that_a_boards_kernels_keep_twice() {
    for (quantized, processors) in [(Quantized::Q8_0, &SETS[..2]), (Quantized::Q4KM, &SETS[1..2])] {
        let model = with_layers(quantized, 1);
        for (processor, set) in processors {
            let mut solve = on(processor);
            solve.args([
                "solve",
                "--log",
                "debug",
                "--mode",
                "plain",
                "--temperature",
                "0",
                "--threads",
                "1",
            ]);
            solve.args(["--context-tokens", "256", "--budget-tokens", "1", "--model"]).arg(&model);
            let log = text(&run(solve.arg("7")).stderr);
            let sizes = log.lines().filter_map(|line| line.split_once(" model buffer size ="));
            let sizes =
                sizes.map(|(_, size)| size.trim().trim_end_matches(" MiB").parse::<f64>().unwrap());
            let held = sizes.sum::<f64>() * 1048576.0;
            let mut plan = solverbox();
            plan.args(["plan", "--json", "--ram", "64G", "--kernels", set, "--model"]).arg(&model);
            let plan: serde_json::Value = serde_json::from_slice(&run(&mut plan).stdout).unwrap();
            let weights = plan["weights_bytes"]
                .as_object()
                .unwrap()
                .values()
                .map(|bytes| bytes.as_f64().unwrap());
            let twice = plan["repacked_head_bytes"].as_f64().unwrap();
            let planned = weights.sum::<f64>() + twice;
            assert!((held / planned - 1.0).abs() < 0.001, "{set}: {held} bytes held, {plan}");
            assert_eq!(twice > 0.0, *set != "armv8.0", "{set}: {plan}");
        }
    }
}
