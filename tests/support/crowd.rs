//! What the topics about many at once share: a desk in a process of its own, with an ear at the
//! engine that hears every token drawn.
//!
//! llama.cpp runs once in a process, and tests run side by side; so a test orders its work from this
//! very test program, started again. What a work finds wrong it says by panicking.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::engine::drafts;
use crate::reliability::{fair, schedules};
use crate::support::{deaf, not_checked, root, text};
use solverbox::desk::record::{Record, State, Whole};
use solverbox::desk::{Capacity, Desk, Durability, SubmitOptions, Ticket};
use solverbox::engine::kernels;
use solverbox::model::plan::{Wishes, plan};
use solverbox::model::{self as checked, adapter};
use solverbox::types::job::{Client, Question, Role, Turn};
use solverbox::types::kernels::SelfTest;
use solverbox::types::memory::Room;
use solverbox::types::mode::Modes;
use solverbox::types::plan::{Drafts, KvType, Pacing, Weights};

/// Names the work a process is to do.
const ORDER: &str = "CROWD_WORK";

/// The adapter every desk on the demo model has, as questions name it.
pub const ADAPTER: &str = "solverbox-demo-binary-f16";

/// Does what another process ordered; nothing otherwise.
#[test]
fn work_another_process_ordered() {
    let Ok(order) = std::env::var(ORDER) else { return };
    log::set_logger(&EAR).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    match order.split_once(' ').unwrap_or((&order, "")) {
        ("schedules", rest) => schedules::work(rest),
        ("again", _) => schedules::work_again(),
        ("lockstep", _) => schedules::work_in_lockstep(),
        ("overflow", _) => schedules::work_that_overflows(),
        ("fair", rest) => fair::work(rest),
        ("drafts", rest) => drafts::work(rest),
        ("dice", _) => drafts::work_with_dice(),
        (unknown, _) => panic!("no work is called {unknown:?}"),
    }
}

/// Orders work from a process of its own, waits for it, and returns what it said.
pub fn order(work: &str) -> String {
    let mut command = deaf(std::process::Command::new(std::env::current_exe().unwrap()));
    let me = "support::crowd::work_another_process_ordered";
    command.args([me, "--exact", "--nocapture", "--test-threads", "1"]);
    // One heap for all threads: with more, what the process holds says little of what is in use.
    command.env(ORDER, work).env("MALLOC_ARENA_MAX", "1");
    let output = command.output().unwrap();
    let (said, complaints) = (text(&output.stdout), text(&output.stderr));
    print!("{said}");
    assert!(output.status.success(), "{work}: {}\n{complaints}", output.status);
    said
}

/// SmolLM2 if it is there, which is said loudly where it is not.
pub fn smollm2() -> Option<PathBuf> {
    let file = root().join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    let is_there = file.is_file();
    if !is_there {
        not_checked("SmolLM2: it is not there; `make model-smollm2` gets it");
    }
    is_there.then_some(file)
}

/// How a desk is opened.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'p> {
    pub model: &'p Path,
    pub context_tokens: u32,
    pub sequences: u32,
    pub drafts: Drafts,
    pub capacity: Capacity,
}

/// Opens a desk on one thread, and forgets what was heard of the last one.
pub fn open(wish: &Wish) -> Desk {
    let header = checked::open(&Weights::model(wish.model)).unwrap();
    let adapters = if wish.model == crate::support::model() {
        let file = root().join(format!("models/bundled/{ADAPTER}.gguf"));
        vec![adapter::open(Weights::adapter(file), &header).unwrap()]
    } else {
        Vec::new()
    };
    let wishes = Wishes {
        pacing: Pacing { drafts: wish.drafts, ..Pacing::default() },
        context_tokens: Some(wish.context_tokens),
        sequences: Some(wish.sequences),
        kv: Some(KvType::F16),
        kernels: kernels::choose(None).unwrap(),
        threads: Some(1),
        question_tokens_max: 512,
    };
    let plan = plan(&header, &adapters, wishes, &Room::unknown()).unwrap();
    EAR.heard().clear();
    Desk::open(plan, wish.capacity, SelfTest::Skip, None, |error| panic!("{error}")).unwrap()
}

/// Nothing is kept of these questions.
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
    Client::of("crowd", &number.to_le_bytes())
}

pub fn has_ended(record: &Record) -> bool {
    matches!(record.read(usize::MAX).state, State::Ended(..))
}

/// Asks, and waits for the end.
pub fn answer(desk: &Desk, question: Question) -> (Ticket, Whole) {
    let ticket = desk.submit(Client::alone(), question, NEVER).unwrap();
    let whole = ticket.record.wait_ended();
    (ticket, whole)
}

/// The largest lead of a token that a pass of another size may put second. Attention adds values in
/// 16 bits, in the order of their cells, and activations are rounded to 8 bits: of the demo model's
/// leads half differ by 0.03, one in a hundred by 0.3.
pub const TIE_MAX: f32 = 0.5;
/// The same where nothing like the text was trained: behind an answer's own end, in other modes, of
/// another adapter's family. There single choices hang on a rounding: base 2 without its adapter in
/// mode `hint` leads by 1.44 for one or by 0.06 for the other, by nothing but how many tokens its
/// prompt's end was decoded with (44 and 16 of 60 tries), and all before it differs by 0.04.
pub const TIE_UNTRAINED_MAX: f32 = 2.0;
/// Tokens of a text that are judged: more than the demo model's longest answers. Texts that are made
/// to go on after their end are nonsense that repeats itself, and what leads differ by grows slowly
/// with it: at 200 tokens it is as at first, at 600 four times that, with single ones of 2.5.
const JUDGED_TOKENS: usize = 200;
/// What half of all leads may differ by.
const NOISE_MEDIAN_MAX: f32 = 0.1;
/// How seldom texts may part; measured: once in 400 tokens where a text goes on after its end.
const PARTING_TOKENS_MIN: usize = 100;

/// A token that was drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draw {
    pub token: u32,
    /// By how much its logit was before the second's; only where the likeliest is taken.
    pub before: f32,
    pub second: u32,
}

/// What was heard of one engine.
#[derive(Debug, Default)]
pub struct Heard {
    /// By job and attempt, in order.
    pub draws: BTreeMap<(u64, u32), Vec<Draw>>,
    /// The job of each draw there was, in order.
    pub order: Vec<u64>,
}

impl Heard {
    fn clear(&mut self) {
        *self = Heard::default();
    }

    /// Returns how many tokens each job drew of the draws from `from` to `to`.
    pub fn counts(&self, from: usize, to: usize) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        self.order[from..to].iter().for_each(|&job| *counts.entry(job).or_default() += 1);
        counts
    }

    /// Returns the place of a job's first draw.
    pub fn first(&self, job: u64) -> usize {
        self.order.iter().position(|&drawn| drawn == job).expect("it drew")
    }

    /// Returns the place after a job's last draw.
    pub fn end(&self, job: u64) -> usize {
        self.order.iter().rposition(|&drawn| drawn == job).expect("it drew") + 1
    }
}

/// Hears the engine's traces: who draws, and how close a greedy choice was.
pub struct Ear(Mutex<Heard>);

pub static EAR: Ear = Ear(Mutex::new(Heard { draws: BTreeMap::new(), order: Vec::new() }));

impl Ear {
    pub fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many draws there have been.
    pub fn now(&self) -> usize {
        self.heard().order.len()
    }
}

impl log::Log for Ear {
    fn enabled(&self, about: &log::Metadata) -> bool {
        about.target().starts_with("solverbox::engine") && about.level() == log::Level::Trace
    }

    fn log(&self, record: &log::Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = record.args().to_string();
        let numbers: Vec<f32> = line
            .split(|c: char| !(c.is_ascii_digit() || c == '.'))
            .filter_map(|word| word.parse().ok())
            .collect();
        let mut heard = self.heard();
        if let (true, [attempt, job]) = (line.ends_with("draws"), numbers.as_slice()) {
            heard.order.push(*job as u64);
            let draws = heard.draws.entry((*job as u64, *attempt as u32)).or_default();
            draws.push(Draw::default());
            // What follows from this thread is about this draw.
            CURRENT.set((*job as u64, *attempt as u32));
        } else if let (true, [token, before, second]) =
            (line.starts_with("greedy"), numbers.as_slice())
        {
            let draw = Draw { token: *token as u32, before: *before, second: *second as u32 };
            let draws = heard.draws.get_mut(&CURRENT.get());
            *draws.and_then(|draws| draws.last_mut()).expect("a draw was told of") = draw;
        }
    }

    fn flush(&self) {}
}

std::thread_local! {
    static CURRENT: std::cell::Cell<(u64, u32)> = const { std::cell::Cell::new((0, 0)) };
}

/// How greedy texts that should be the same compare.
#[derive(Debug, Default)]
pub struct Comparison {
    pub texts: usize,
    pub tokens: usize,
    /// Texts that part ways, with the lead the token drawn had over the other, the larger of both
    /// texts', each where they part.
    pub partings: Vec<f32>,
    /// What the same choice's lead differs by, sorted once it is checked.
    pub noise: Vec<f32>,
}

impl Comparison {
    /// Compares the draws of one text with those of the same made otherwise; a lead up to `tie_max`
    /// is a tie, `has_ended` says whether the other was let come to its end.
    pub fn add(&mut self, what: &str, tie_max: f32, [alone, other]: [&[Draw]; 2], has_ended: bool) {
        self.texts += 1;
        for (place, (a, b)) in alone.iter().zip(other).enumerate() {
            if place >= JUDGED_TOKENS && a.token != b.token {
                return;
            }
            if a.token != b.token {
                let lead = a.before.max(b.before);
                let is_tie = lead <= tie_max;
                assert!(is_tie, "{what}: at {place} {a:?} alone, {b:?} otherwise: that is no tie");
                self.partings.push(lead);
                return;
            }
            self.tokens += 1;
            if a.second == b.second && place < JUDGED_TOKENS {
                self.noise.push((a.before - b.before).abs());
            }
        }
        let (alone, other) = (alone.len(), other.len());
        assert!(other <= alone, "{what}: {other} tokens instead of {alone}");
        assert!(!has_ended || other == alone, "{what}: it ended at {other} of {alone} tokens");
    }

    /// Says what came out, and checks that texts part seldom, and leads differ little: were keys
    /// and values another text's, all leads would be other ones.
    pub fn check(mut self, what: &str) {
        self.noise.sort_by(f32::total_cmp);
        let noise = |share: usize| self.noise.get(self.noise.len() * share / 100).copied();
        let [median, most] = [50, 99].map(|share| noise(share).unwrap_or(0.0));
        let Comparison { texts, tokens, partings, .. } = &self;
        println!(
            "{what}: {texts} texts, {tokens} tokens the same, whose leads differ by {median:.3}, \
             1 in 100 by more than {most:.3}; {} texts part, at leads of {partings:?}",
            partings.len()
        );
        assert!(median <= NOISE_MEDIAN_MAX, "{what}: leads differ by {median}");
        assert!(partings.len() * PARTING_TOKENS_MIN <= *tokens, "{what}: too many ties");
    }
}

/// What this process holds in memory, in bytes.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// Questions of the sets that the demo model was measured with.
pub fn questions(set: &str) -> Vec<(String, String)> {
    let set = std::fs::read_to_string(root().join(format!("tests/data/{set}.jsonl"))).unwrap();
    let pair = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| line[name].as_str().unwrap().to_string();
        (field("question"), field("answer"))
    };
    set.lines().map(pair).collect()
}

/// Jobs a set of tickets stands for.
pub fn jobs(tickets: &[Ticket]) -> BTreeSet<u64> {
    tickets.iter().map(|ticket| ticket.job.0).collect()
}
