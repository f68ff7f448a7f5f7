//! Thousands of damaged models and adapters: each is refused with a clean error, or answers.
//!
//! A failed assertion in llama.cpp ends the process, so the cases run in child processes: this test
//! program, started again. A child reports each case and its result. A case that crashes, hangs or
//! takes too much memory is reported by its seed, and the others continue. `make trials` runs all.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::damage::Damage;
use crate::support::local_desk::NEVER;
use crate::support::tiny::{self, Form, KINDS, Tiny, TinyKind};
use crate::support::{deaf, model};
use solverbox::desk::{Capacity, Desk};
use solverbox::engine::kernels;
use solverbox::model::plan::{PlanRequirements, plan};
use solverbox::model::types::TYPES;
use solverbox::model::{self as checked, adapter};
use solverbox::types::answer::Outcome;
use solverbox::types::error::{self, Error};
use solverbox::types::job::{Client, Question, Role, Turn};
use solverbox::types::kernels::SelfTest;
use solverbox::types::memory::Room;
use solverbox::types::mode::Modes;
use solverbox::types::plan::{KvType, Pacing, Weights};

/// Tells a child which cases to run: `SUBJECT FIRST END STEP`.
const ORDER: &str = "CORRUPTION_CASES";
/// Set to run all cases.
const TRIALS: &str = "CORRUPTION_TRIALS";
/// Memory a case may take in addition to what the process had, in bytes.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Time a case may take; a thousand times what it takes.
const CASE_WAIT: Duration = Duration::from_secs(30);
/// Processes at a time.
const PROCESSES: u64 = 2;
/// The question for damaged models, with all kinds of bytes.
const QUESTION: &str = "2+2? \u{1}\t\r\n the én 数学🧮 <|im_end|> </s> <0x0A> ▁ \u{2003}";

#[test]
fn damaged_models_are_refused_or_answer() {
    run("models", cases(4_000, 20_000));
}

#[test]
fn damaged_adapters_are_refused_or_work() {
    run("adapters", cases(1_000, 5_000));
}

/// llama.cpp must be able to run what the check accepts: every type of weights in many shapes.
#[test]
fn sound_models_of_any_form_answer() {
    run("forms", cases(300, 3_000));
}

/// Runs the cases given by a parent process; does nothing otherwise.
#[test]
fn cases_of_a_parent_process() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let words: Vec<&str> = order.split(' ').collect();
    let number = |at: usize| words[at].parse::<u64>().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::of(words[0], folder.path());
    for seed in (number(1)..number(2)).step_by(number(3) as usize) {
        say(&format!("case {seed} begins"));
        let before = peak_bytes();
        let ended = subject.case(seed);
        let took = peak_bytes().saturating_sub(before);
        // Some of the valid models are large files.
        if took > MEMORY_BYTES_MAX && words[0] != "forms" {
            say(&format!("case {seed} greedy: it took {} MiB", took >> 20));
        }
        say(&format!("case {seed} {ended}"));
    }
}

fn cases(few: u64, all: u64) -> u64 {
    if std::env::var_os(TRIALS).is_some() { all } else { few }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

/// Returns the peak of resident memory since the last call, and resets it.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    // "5" resets the peak to the current value.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak << 10
}

fn this_program(order: &str) -> Command {
    let mut command = deaf(Command::new(std::env::current_exe().unwrap()));
    let me = "reliability::corruption::cases_of_a_parent_process";
    command.args([me, "--exact", "--nocapture", "--test-threads", "1"]);
    command.env(ORDER, order);
    command
}

/// Runs all cases of a subject, and fails with the seeds of the bad ones.
fn run(subject: &str, cases: u64) {
    let workers: Vec<_> = (0..PROCESSES)
        .map(|worker| {
            let subject = subject.to_string();
            std::thread::spawn(move || {
                let mut found = CaseResults::default();
                let mut next = worker;
                while next < cases {
                    next = found.process(&subject, next, cases);
                }
                found
            })
        })
        .collect();
    let mut all = CaseResults::default();
    for worker in workers {
        let found = worker.join().unwrap();
        all.bad.extend(found.bad);
        all.refused += found.refused;
        all.answered += found.answered;
    }
    println!("{subject}: {} refused, {} answered", all.refused, all.answered);
    all.bad.sort();
    let list: Vec<String> = all.bad.iter().map(|(seed, why)| format!("{seed}: {why}")).collect();
    assert!(list.is_empty(), "{} of {cases} {subject}:\n{}", list.len(), list.join("\n"));
    assert_eq!(all.refused + all.answered, cases);
    let answers = if subject == "forms" { cases } else { cases / 50 };
    assert!(all.answered >= answers, "{} of {cases} answered", all.answered);
}

#[derive(Default)]
struct CaseResults {
    bad: Vec<(u64, String)>,
    refused: u64,
    answered: u64,
}

impl CaseResults {
    /// Runs cases from `first` on in one process; returns the case to continue with.
    fn process(&mut self, subject: &str, first: u64, end: u64) -> u64 {
        let mut command = this_program(&format!("{subject} {first} {end} {PROCESSES}"));
        let complaints = tempfile::NamedTempFile::new().unwrap();
        command.stdout(Stdio::piped()).stderr(complaints.reopen().unwrap());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|l| sender.send(l)));
        let mut running = None;
        let why = loop {
            match receiver.recv_timeout(CASE_WAIT) {
                Ok(line) => self.hear(&line, &mut running),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    break "it hangs".to_string();
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.wait().unwrap();
                    let words = std::fs::read(complaints.path()).unwrap();
                    let words = String::from_utf8_lossy(&words).into_owned();
                    break format!("{status}; {}", words.trim().replace('\n', " | "));
                }
            }
        };
        let _ = child.wait();
        match running {
            Some(seed) => {
                self.bad.push((seed, why));
                seed + PROCESSES
            }
            None => end,
        }
    }

    fn hear(&mut self, line: &str, running: &mut Option<u64>) {
        let words = line.strip_prefix("case ").and_then(|rest| rest.split_once(' '));
        let Some((seed, words)) = words else { return };
        let seed: u64 = seed.parse().unwrap();
        match words {
            "begins" => {
                *running = Some(seed);
                return;
            }
            "answered" => self.answered += 1,
            _ if words.starts_with("refused") => self.refused += 1,
            _ => {
                self.bad.push((seed, words.to_string()));
                return;
            }
        }
        *running = None;
    }
}

/// What the cases damage.
struct Subject<'f> {
    name: &'f str,
    folder: &'f Path,
    models: Vec<Tiny>,
    adapter: Tiny,
    demo: Vec<u8>,
}

impl Subject<'_> {
    fn of<'f>(name: &'f str, folder: &'f Path) -> Subject<'f> {
        let base = tiny::model(TinyKind::Qwen2).bytes();
        std::fs::write(folder.join("base.gguf"), base).unwrap();
        Subject {
            name,
            folder,
            models: KINDS.map(tiny::model).to_vec(),
            adapter: tiny::adapter(),
            demo: std::fs::read(model()).unwrap(),
        }
    }

    /// Makes the file of a seed, tries it and describes the result.
    fn case(&self, seed: u64) -> String {
        let file = self.folder.join("damaged.gguf");
        let mut damage = Damage::of_seed(seed);
        let bytes = match self.name {
            "forms" => sound(seed).bytes(),
            "adapters" => damage.tiny(&self.adapter),
            // The demo model's header has 20 KB.
            _ if seed.is_multiple_of(20) => damage.bytes(self.demo.clone(), 20_000),
            _ => damage.tiny(&self.models[(seed / 3) as usize % self.models.len()]),
        };
        std::fs::write(&file, bytes).unwrap();
        let tried = match self.name {
            "adapters" => answer(&self.folder.join("base.gguf"), Some(&file)),
            _ => answer(&file, None),
        };
        match tried {
            Ok(()) => "answered".to_string(),
            // Random weights may compute values that are not numbers.
            Err(error) if self.name == "forms" && error.message.contains("not numbers") => {
                "answered".to_string()
            }
            Err(error) if error.kind == error::Kind::Internal => format!("broken: {error}"),
            Err(error) => format!("refused: {}", error.message.escape_debug()),
        }
    }
}

/// Returns a valid model whose shape the seed chooses.
fn sound(seed: u64) -> Tiny {
    if let Some(&kind) = KINDS.get(seed as usize) {
        return tiny::model(kind);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut one = |of: &[u64]| of[random.next_u32() as usize % of.len()];
    let kinds: Vec<u32> = TYPES.iter().filter(|t| t.has_kernels()).map(|t| t.id).collect();
    let kind = KINDS[one(&[0, 1, 2, 3]) as usize];
    let head = one(&[2, 4, 6, 8, 10, 32, 64, 80, 96, 100, 128, 160, 192, 256, 512]);
    let kv_heads = one(&[1, 1, 2, 3]);
    let heads = kv_heads * one(&[1, 1, 2, 3, 7]);
    let wide = one(&[2, 31, 32, 48, 256, 512]);
    let form = Form {
        hidden: if kind == TinyKind::Qwen2 { head * heads } else { wide },
        heads,
        kv_heads,
        head,
        inner: one(&[2, 31, 32, 40, 256]),
        layers: one(&[1, 1, 2]),
        experts: one(&[1, 2, 3]),
        matrix: kinds[seed as usize % kinds.len()],
    };
    tiny::model_of(kind, form)
}

/// Asks a model a question, as the front ends do.
fn answer(file: &Path, adapter: Option<&Path>) -> Result<(), Error> {
    let header = checked::open(&Weights::model(file))?;
    let adapter = adapter.map(|file| adapter::open(Weights::adapter(file), &header)).transpose()?;
    let context = u32::try_from(header.shape.context_tokens).unwrap_or(u32::MAX).min(512);
    let required = PlanRequirements {
        pacing: Pacing::default(),
        context_tokens: Some(context),
        sequences: Some(1),
        kv: Some(KvType::F16),
        kernels: kernels::choose(None)?,
        threads: Some(1),
        question_tokens_max: Some(512),
    };
    let plan = plan(&header, adapter.as_slice(), required, &Room::unknown())?;
    let desk = Desk::open(plan, Capacity::alone(1), SelfTest::Skip, None, |_| {})?;
    let turn = Turn { role: Role::User, text: QUESTION.into() };
    let mut question = Question::new(Modes::built_in().find("plain")?, vec![turn], 1);
    question.budget_tokens = 4;
    let whole = desk.submit(Client::alone(), question, NEVER)?.record.wait_ended();
    desk.close();
    match whole.outcome {
        Outcome::Failed(error) => Err(error),
        Outcome::Done | Outcome::Budget | Outcome::Stopped => Ok(()),
    }
}
