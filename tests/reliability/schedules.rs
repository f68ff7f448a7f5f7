//! Random schedules: many clients ask, stop and leave at random, with KV caches that are too small
//! for all of them. Every job ends as it should, nothing leaks, and each greedy answer is the one
//! the same question gets alone. `make schedules` runs 1,000 of them.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::draws::{DrawComparison, TIE_MAX, TIE_UNTRAINED_MAX};
use crate::support::local_desk::{self, ADAPTER, DeskOptions, NEVER, client, has_ended};
use crate::support::own_process::in_own_process;
use crate::support::tiny;
use crate::support::{PATIENCE, model, wait_until};
use solverbox::desk::record::FinishedAnswer;
use solverbox::desk::{Capacity, Desk, Ticket};
use solverbox::engine::Draw;
use solverbox::model::write::GgufValue;
use solverbox::types::answer::Outcome;
use solverbox::types::error::Kind;
use solverbox::types::job::{Choices, Ending, Question};
use solverbox::types::limits;
use solverbox::types::mode::AdapterRef;
use solverbox::types::plan::Drafts;

/// Set to run all schedules.
const TRIALS: &str = "SCHEDULE_TRIALS";
/// Clients of a schedule.
const CLIENTS: usize = 5;
/// How many jobs each of them may have, and all of them together.
const CAPACITY: Capacity = Capacity { line_jobs_max: 8, client_jobs_max: 3 };
/// Actions of a schedule.
const DEEDS: usize = 16;
/// Desks the schedules run on, in turn: cells, sequences, drafts.
const DESKS: [(u32, u32, Drafts); 5] = [
    (512, 4, Drafts::Auto),
    (1024, 8, Drafts::Off),
    (768, 1, Drafts::Always),
    (512, 16, Drafts::Always),
    (1024, 3, Drafts::Auto),
];
/// How much a process may grow once every desk has been open, in bytes.
const GROWTH_BYTES_MAX: u64 = 4 << 20;

#[test]
fn random_schedules_end_as_they_should_and_leak_nothing() {
    let trials = if std::env::var_os(TRIALS).is_some() { 1_000 } else { 50 };
    in_own_process(|| play_all(trials));
}

/// Twelve answers that each need most of the KV cache, and one that needs more than all of it.
#[test]
fn long_answers_in_a_small_kv_cache_all_get_their_whole_budgets() {
    in_own_process(|| {
        let model = model();
        let capacity = Capacity { line_jobs_max: 16, client_jobs_max: 16 };
        let (desk, log) =
            local_desk::open(&DeskOptions { capacity, ..options(&model, (512, 6, Drafts::Auto)) });
        let long = |text: &str| {
            let mut question = local_desk::question("plain", text, 0.0);
            (question.ending, question.budget_tokens) = (Ending::Budget, 300);
            question
        };
        let texts: Vec<String> = (1..=12).map(|n| format!("What is {n} + {n}{n}?")).collect();
        let ask =
            |(at, text): (usize, &String)| desk.submit(client(at % 4), long(text), NEVER).unwrap();
        let tickets: Vec<Ticket> = texts.iter().enumerate().map(ask).collect();
        let mut more = local_desk::question("plain", "What is 17 × 23?", 1.0);
        more.budget_tokens = 100_000;
        more.sampling.temperature = 5.0;
        let more = desk.submit(client(9), more, NEVER).unwrap();
        for ticket in &tickets {
            let whole = ticket.record.wait_ended();
            assert_eq!(whole.outcome, Outcome::Budget);
            assert_eq!(whole.figures.completion_tokens, 300);
        }
        let whole = more.record.wait_ended();
        println!("{whole:?}");
        assert!(matches!(whole.outcome, Outcome::Done | Outcome::Budget), "{:?}", whole.outcome);
        desk.close();
        let (alone, alone_log) = local_desk::open(&options(&model, (512, 1, Drafts::Off)));
        let mut all = DrawComparison::default();
        for (text, ticket) in texts.iter().zip(&tickets) {
            let job = local_desk::answer(&alone, long(text)).0.job;
            let (alone, together) = (alone_log.of(job), log.of(ticket.job));
            all.add(text, TIE_UNTRAINED_MAX, [&alone, &together], true);
        }
        all.check("overflow");
    });
}

/// One question in one mode: its prefix is cached once.
#[test]
fn repeating_a_question_fills_the_prefix_cache_no_further() {
    in_own_process(|| {
        let model = model();
        let (desk, _) = local_desk::open(&options(&model, (2_048, 4, Drafts::Auto)));
        let kept = |times: usize| {
            for _ in 0..times {
                local_desk::answer(&desk, local_desk::question("math", "What is 17 × 23?", 0.0));
            }
            wait_until("the engine to be idle", || desk.gauge().attempts == 0);
            let gauge = desk.gauge();
            (gauge.sequences_kept, gauge.cells_free)
        };
        let once = kept(2);
        assert_eq!(kept(30), once, "sequences kept and cells free");
        // The mode's prefix and the whole prompt.
        assert!((1..=2).contains(&once.0), "{once:?}");
    });
}

/// Closing the thinking adds many tokens: for sixteen attempts in one step more than a batch may
/// have.
#[test]
fn closing_the_thinking_of_sixteen_attempts_in_one_step_exceeds_a_batch_and_works() {
    in_own_process(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thinks.gguf");
        let mut tiny = tiny::model(tiny::TinyKind::Qwen2);
        for (key, value) in &mut tiny.keys {
            if let ("tokenizer.chat_template", GgufValue::Text(template)) = (key.as_str(), value) {
                template.push_str("<think>");
            }
        }
        std::fs::write(&file, tiny.bytes()).unwrap();
        let (desk, _) = local_desk::open(&options(&file, (2_048, 16, Drafts::Auto)));
        // Greedy, so that all attempts reach the same token together.
        let mut question = local_desk::question("plain", "2+2?", 0.0);
        (question.attempts, question.choices) = (16, Choices::All);
        question.budget_tokens = 64;
        let (ticket, whole) = local_desk::answer(&desk, question);
        assert!(!matches!(whole.outcome, Outcome::Failed(_)), "{:?}", whole.outcome);
        let ends: Vec<FinishedAnswer> = ticket.record.wait_choices();
        let cut = ends.iter().filter(|whole| whole.figures.thinking_was_cut_off).count();
        assert!(cut >= 13, "{cut} were closed, which fits into a batch");
    });
}

/// Runs `trials` schedules, a fifth of them on each desk, in several rounds.
fn play_all(trials: u64) {
    let mut all = DrawComparison::default();
    let mut resident = Vec::new();
    let rounds = (trials / 50).clamp(5, 10);
    for round in 0..rounds {
        for (at, desk) in (0..).zip(DESKS) {
            let share = trials / rounds / DESKS.len() as u64;
            let first = (round * DESKS.len() as u64 + at) * share;
            play(first..first + share, desk, &mut all);
        }
        resident.push(local_desk::resident_bytes());
    }
    // It differs by 2 MB from round to round, both ways; a leak only grows.
    let (early, late) = resident.split_at(resident.len() / 2);
    let grown = late.iter().min().unwrap().saturating_sub(*early.iter().max().unwrap());
    println!("{trials} schedules; resident after each round: {resident:?} bytes");
    assert!(grown <= GROWTH_BYTES_MAX, "it grew by {grown} bytes");
    assert!(all.texts as u64 >= trials, "only {} greedy answers were compared", all.texts);
    all.check("schedules");
}

fn options<'p>(
    model: &'p std::path::Path,
    (context_tokens, sequences, drafts): (u32, u32, Drafts),
) -> DeskOptions<'p> {
    DeskOptions { model, context_tokens, sequences, drafts, capacity: CAPACITY }
}

/// The parts of a question that determine its greedy answer.
type AnswerKey = (String, String, u32, bool, bool);

fn key(question: &Question) -> Option<AnswerKey> {
    let is_greedy = question.sampling.temperature == 0.0 && question.attempts == 1;
    is_greedy.then(|| {
        let text = question.turns[0].text.clone();
        let (ends, wears) = (question.ending == Ending::Budget, !question.adapters.is_empty());
        (question.mode.name.clone(), text, question.budget_tokens, ends, wears)
    })
}

/// Returns the largest lead that counts as a tie; `taught` has the adapter's questions.
fn tie_max(question: &Question, taught: &[(String, String)]) -> f32 {
    let text = &question.turns[0].text;
    let of_adapter = taught.iter().any(|(known, _)| known == text);
    let is_trained = question.mode.name == "math"
        && question.ending == Ending::EndOfGeneration
        && question.adapters.is_empty() != of_adapter;
    if is_trained { TIE_MAX } else { TIE_UNTRAINED_MAX }
}

/// An answer: the seed of its schedule, its draws, and whether it came to its end.
type DrawnAnswer = (u64, Vec<Draw>, bool);

/// Runs schedules on one desk, then asks all greedy questions alone.
fn play(seeds: std::ops::Range<u64>, form: (u32, u32, Drafts), all: &mut DrawComparison) {
    let model = model();
    let mut greedy: BTreeMap<AnswerKey, (Question, Vec<DrawnAnswer>)> = BTreeMap::new();
    let (desk, log) = local_desk::open(&options(&model, form));
    for seed in seeds {
        let mut schedule = Schedule::new(&desk, seed, form.0);
        (0..DEEDS).for_each(|_| schedule.deed());
        schedule.end();
        for asked in &schedule.asked {
            let Some(key) = key(&asked.question) else { continue };
            let draws = log.of(asked.ticket.job);
            let entry = greedy.entry(key).or_insert_with(|| (asked.question.clone(), Vec::new()));
            entry.1.push((seed, draws, !asked.stopped));
        }
        log.clear();
    }
    desk.close();
    let (alone, alone_log) = local_desk::open(&options(&model, (form.0, 1, Drafts::Off)));
    let taught = local_desk::questions("binary-heldout");
    for (key, (question, answers)) in greedy {
        let tie_max = tie_max(&question, &taught);
        let job = local_desk::answer(&alone, question).0.job;
        let expected = alone_log.of(job);
        for (seed, draws, has_ended) in answers {
            let what = format!("schedule {seed}, {form:?}, {key:?}");
            all.add(&what, tie_max, [&expected, &draws], has_ended);
        }
    }
}

struct ScheduledJob {
    ticket: Ticket,
    question: Question,
    client: usize,
    stopped: bool,
}

struct Schedule<'d> {
    desk: &'d Desk,
    seed: u64,
    context_tokens: u32,
    random: ChaCha8Rng,
    texts: Vec<String>,
    asked: Vec<ScheduledJob>,
}

impl<'d> Schedule<'d> {
    fn new(desk: &'d Desk, seed: u64, context_tokens: u32) -> Schedule<'d> {
        let known = local_desk::questions("arithmetic-heldout").into_iter().step_by(20);
        let taught = local_desk::questions("binary-heldout").into_iter().step_by(40);
        let mut texts: Vec<String> = known.chain(taught).map(|(question, _)| question).collect();
        texts.push(format!("What is {}1?", "1 + ".repeat(40)));
        let random = ChaCha8Rng::seed_from_u64(seed);
        Schedule { desk, seed, context_tokens, random, texts, asked: Vec::new() }
    }

    fn below(&mut self, most: usize) -> usize {
        self.random.next_u32() as usize % most
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// The jobs that had not ended when last seen.
    fn live(&self) -> Vec<usize> {
        let live = |&at: &usize| !has_ended(&self.asked[at].ticket.record);
        (0..self.asked.len()).filter(live).collect()
    }

    fn deed(&mut self) {
        let live = self.live();
        match (self.below(10), live.as_slice()) {
            (0..5, _) | (_, []) => self.ask(),
            (5, live) => {
                let at = self.one_of(live);
                self.stop(at);
            }
            (6, _) => {
                // A client leaves, and all its questions with it.
                let client = self.below(CLIENTS);
                let its = live.into_iter().filter(|&at| self.asked[at].client == client);
                its.collect::<Vec<_>>().into_iter().for_each(|at| self.stop(at));
            }
            (_, live) => {
                let (at, changes) = (self.one_of(live), 1 + self.below(30));
                let record = &self.asked[at].ticket.record;
                let mut view = record.read(usize::MAX);
                for _ in 0..changes {
                    if has_ended(record) {
                        break;
                    }
                    let seen = view.version;
                    view = record.wait(seen, usize::MAX, PATIENCE);
                    assert!(view.version != seen, "schedule {}: no progress", self.seed);
                }
            }
        }
    }

    fn stop(&mut self, at: usize) {
        self.desk.stop(self.asked[at].ticket.job);
        self.asked[at].stopped = true;
    }

    fn ask(&mut self) {
        let mode = self.one_of(&["math", "math", "plain", "hint"]);
        let at = self.below(self.texts.len());
        let text = self.texts[at].clone();
        let is_greedy = self.below(2) == 0;
        let mut question = local_desk::question(mode, &text, if is_greedy { 0.0 } else { 1.0 });
        question.seed = self.seed;
        question.budget_tokens = self.one_of(&[6, 6, 40, 40, 120, 120, 300, 2_000]);
        if self.below(4) == 0 {
            question.ending = Ending::Budget;
        }
        if !is_greedy {
            question.attempts = 1 + self.below(4) as u32;
            if mode == "hint" || self.below(3) == 0 {
                question.choices = Choices::All;
            }
        }
        if self.below(3) == 0 {
            question.adapters = vec![AdapterRef::as_trained(ADAPTER)];
        }
        let client = self.below(CLIENTS);
        let live = self.live();
        let own = live.iter().filter(|&&at| self.asked[at].client == client).count();
        match self.desk.submit(local_desk::client(client), question.clone(), NEVER) {
            Ok(ticket) => {
                self.asked.push(ScheduledJob { ticket, question, client, stopped: false })
            }
            Err(error) => {
                let full = match error.kind {
                    Kind::TooMany => own >= CAPACITY.client_jobs_max,
                    Kind::Busy => live.len() >= CAPACITY.line_jobs_max,
                    _ => false,
                };
                assert!(full, "schedule {}: {error}, with {own} of {live:?}", self.seed);
            }
        }
    }

    /// Waits for all jobs or stops all; then checks that nothing is left.
    fn end(&mut self) {
        if self.below(3) == 0 {
            self.live().into_iter().for_each(|at| self.stop(at));
        }
        for asked in &self.asked {
            self.check(asked);
        }
        let rests = || self.desk.gauge().attempts == 0;
        wait_until("the engine to be idle", rests);
        let gauge = self.desk.gauge();
        assert_eq!(gauge.sequences, gauge.sequences_kept, "schedule {}: {gauge:?}", self.seed);
        assert_eq!(gauge.cells, self.context_tokens as usize);
        let used = gauge.cells - gauge.cells_free;
        assert!(
            used <= gauge.cells / limits::KEPT_SHARE_OF_CACHE,
            "schedule {}: too much is kept: {gauge:?}",
            self.seed
        );
        assert!(gauge.sequences_kept <= used, "schedule {}: {gauge:?}", self.seed);
    }

    fn check(&self, asked: &ScheduledJob) {
        let whole = asked.ticket.record.wait_ended();
        let question = &asked.question;
        let what = format!("schedule {}: {:?} of {question:?}", self.seed, whole.outcome);
        let is_legitimate = match whole.outcome {
            Outcome::Done | Outcome::Budget => true,
            Outcome::Stopped => asked.stopped,
            Outcome::Failed(_) => false,
        };
        assert!(is_legitimate, "{what}");
        match (question.choices, question.attempts) {
            (Choices::Voted, 1) => self.check_length(asked, &whole, &what),
            // The vote ends some of them early.
            (Choices::Voted, _) => {
                let tally = whole.tally.as_ref().map_or(0, |tally| tally.ended());
                assert!(asked.stopped || tally > 0, "{what}: no attempt voted");
            }
            (Choices::All, _) => {
                let ends = asked.ticket.record.wait_choices().into_iter();
                ends.for_each(|whole| self.check_length(asked, &whole, &what));
            }
        }
    }

    /// Checks that no answer is cut short because of other clients.
    fn check_length(&self, asked: &ScheduledJob, whole: &FinishedAnswer, what: &str) {
        let (question, figures) = (&asked.question, &whole.figures);
        if whole.outcome == Outcome::Stopped {
            return assert!(asked.stopped, "{what}");
        }
        let room = self.context_tokens - figures.prompt_tokens + 1;
        let whole_budget = question.budget_tokens.min(room);
        // The end token may be the last of the budget.
        let is_spent = figures.completion_tokens == whole_budget;
        let by_budget = whole.outcome == Outcome::Budget;
        assert!(is_spent || !by_budget, "{what}: {figures:?}");
        assert!(by_budget || question.ending == Ending::EndOfGeneration, "{what}: {figures:?}");
    }
}
