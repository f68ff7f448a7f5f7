//! The aarch64 file on emulated processors of the boards: it starts, chooses its kernels, answers.
//!
//! `make test` builds it first (cross/build.sh). QEMU refuses instructions that the emulated
//! processor lacks, so an answer proves that none was used.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::draws::{self, DrawLog};
use crate::support::local_desk::{self, DeskOptions};
use crate::support::own_process::in_own_process;
use crate::support::shape::{Quantized, with_layers};
use crate::support::{deaf, model, model_q4_0, root, solverbox, text};
use solverbox::desk::{Capacity, Desk};
use solverbox::types::job::Ending;
use solverbox::types::kernels::AARCH64;
use solverbox::types::plan::Drafts;

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
const NEAR: f32 = 0.6;

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

/// Returns the greedy answer on a processor, whose kernels must be `set`.
fn greedy(processor: &str, set: &str, question: &str) -> String {
    let mut command = on(processor);
    command.args(["solve", "--mode", "plain", "--temperature", "0", "--ignore-eos"]);
    command.args(["--log", "info", "--threads", "1"]);
    command.args(["--context-tokens", "256", "--budget-tokens", &TOKENS.to_string()]);
    let output = run(command.arg("--model").arg(model_q4_0()).arg(question));
    let log = text(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains(&format!("kernels: {set}\n")), "{log}");
    text(&output.stdout)
}

/// The greedy answer to a question on this machine.
struct LocalAnswer {
    /// The text of its first tokens, for every number of tokens from 0 on.
    texts: Vec<String>,
    /// How far each token led the second likeliest, in logits.
    leads: Vec<f32>,
}

impl LocalAnswer {
    fn of(desk: &Desk, log: &DrawLog, text: &str) -> LocalAnswer {
        let ask = |budget: usize| {
            let mut question = local_desk::question("plain", text, 0.0);
            (question.ending, question.budget_tokens) = (Ending::Budget, budget as u32);
            local_desk::answer(desk, question)
        };
        let all = (1..=TOKENS).map(|budget| ask(budget).1.answer);
        let texts = std::iter::once(String::new()).chain(all).collect();
        let leads = log.of(ask(TOKENS).0.job).iter().map(draws::lead).collect();
        LocalAnswer { texts, leads }
    }

    /// Asserts that a board's answer is this one, or differs first where the two likeliest tokens
    /// nearly tie; returns how many tokens agree.
    fn agreed(&self, board: &str, text: &str) -> usize {
        let text = text.trim_end();
        let common = |known: &&String| text.starts_with(known.trim_end());
        let agreed = self.texts.iter().take_while(common).count() - 1;
        if let Some(lead) = self.leads.get(agreed) {
            let own = &self.texts[TOKENS];
            assert!(*lead < NEAR, "{board}: '{text}' instead of '{own}', where one led by {lead}");
            println!("{board}: from token {agreed} on nothing is compared: '{text}', '{own}'");
        }
        agreed
    }
}

#[test]
fn each_board_answers_with_its_own_kernels_as_this_machine_does() {
    in_own_process(|| {
        let capacity = Capacity::alone(100);
        let (model, drafts) = (model_q4_0(), Drafts::Off);
        let options = DeskOptions { model, context_tokens: 256, sequences: 1, drafts, capacity };
        let (desk, log) = local_desk::open(&options);
        let local = QUESTIONS.map(|question| LocalAnswer::of(&desk, &log, question));
        std::thread::scope(|scope| {
            for (processor, set) in &SETS[..2] {
                let local = &local;
                scope.spawn(move || {
                    let agreed = QUESTIONS.iter().zip(local).map(|(question, local)| {
                        local.agreed(processor, &greedy(processor, set, question))
                    });
                    let (tokens, all) = (agreed.sum::<usize>(), QUESTIONS.len() * TOKENS);
                    println!("{processor}: {tokens} of {all} tokens agree");
                    assert!(tokens >= all * 2 / 3, "{processor}: only {tokens} of {all} agree");
                });
            }
        });
    });
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
