//! A desk in the test's own process, whose engine reports each token it draws. Tests that open one
//! run through [`in_own_process`](super::own_process::in_own_process).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use super::draws::DrawLog;
use super::{not_checked, root};
use solverbox::desk::record::{FinishedAnswer, Record, State};
use solverbox::desk::{Capacity, Desk, Durability, SubmitOptions, Ticket};
use solverbox::engine::kernels;
use solverbox::model::plan::{PlanRequirements, plan};
use solverbox::model::{self as checked, adapter};
use solverbox::types::job::{Client, JobId, Question, Role, Turn};
use solverbox::types::memory::Room;
use solverbox::types::mode::Modes;
use solverbox::types::plan::{Drafts, KvType, Pacing, Weights};

/// The adapter every desk on the demo model has, as questions name it.
pub const ADAPTER: &str = "solverbox-demo-binary-f16";

/// Returns SmolLM2's file, or reports that it is missing.
pub fn smollm2() -> Option<PathBuf> {
    let file = root().join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let is_there = file.is_file();
    if !is_there {
        not_checked("SmolLM2: its file is missing; `make model-smollm2` fetches it");
    }
    is_there.then_some(file)
}

/// How a desk is opened.
#[derive(Clone, Copy, Debug)]
pub struct DeskOptions<'p> {
    pub model: &'p Path,
    pub context_tokens: u32,
    pub sequences: u32,
    pub drafts: Drafts,
    pub capacity: Capacity,
}

/// Opens a desk on one thread, and a log of what its engine draws.
pub fn open(options: &DeskOptions) -> (Desk, DrawLog) {
    let header = checked::open(&Weights::model(options.model)).unwrap();
    let adapters = if options.model == super::model() {
        let file = root().join(format!("models/bundled/{ADAPTER}.gguf"));
        vec![adapter::open(Weights::adapter(file), &header).unwrap()]
    } else {
        Vec::new()
    };
    let required = PlanRequirements {
        pacing: Pacing { drafts: options.drafts, ..Pacing::default() },
        context_tokens: Some(options.context_tokens),
        sequences: Some(options.sequences),
        kv: Some(KvType::F16),
        kernels: kernels::choose(None).unwrap(),
        threads: Some(1),
        question_tokens_max: Some(512),
    };
    let plan = plan(&header, &adapters, required, &Room::unknown()).unwrap();
    let (draws, inbox) = channel();
    let broken = |error| panic!("{error}");
    let desk = Desk::open_observed(plan, options.capacity, draws, broken).unwrap();
    (desk, DrawLog::new(inbox))
}

/// Submits a question that is not stored.
pub const NEVER: SubmitOptions =
    SubmitOptions { durability: Durability::Never, request: None, jobs_max: None };

/// A question in a built-in mode; greedy where `temperature` is 0.
pub fn question(mode: &str, text: &str, temperature: f32) -> Question {
    let turn = Turn { role: Role::User, text: text.into() };
    let mode = Modes::built_in().find(mode).unwrap();
    let mut question = Question::new(mode, vec![turn], 1);
    question.sampling.temperature = temperature;
    question
}

pub fn client(number: usize) -> Client {
    Client::of("test", &number.to_le_bytes())
}

pub fn has_ended(record: &Record) -> bool {
    matches!(record.read(usize::MAX).state, State::Ended(..))
}

/// Asks a question and waits for the end of its job.
pub fn answer(desk: &Desk, question: Question) -> (Ticket, FinishedAnswer) {
    let ticket = desk.submit(Client::alone(), question, NEVER).unwrap();
    let whole = ticket.record.wait_ended();
    (ticket, whole)
}

/// Returns the resident memory of this process, in bytes.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// Questions and answers of one of the sets the demo model was measured with.
pub fn questions(set: &str) -> Vec<(String, String)> {
    let set = std::fs::read_to_string(root().join(format!("tests/data/{set}.jsonl"))).unwrap();
    let pair = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| line[name].as_str().unwrap().to_string();
        (field("question"), field("answer"))
    };
    set.lines().map(pair).collect()
}

pub fn jobs(tickets: &[Ticket]) -> BTreeSet<JobId> {
    tickets.iter().map(|ticket| ticket.job).collect()
}
