//! The loop: take orders, make one pass over the weights for everybody, hand out what it gave.
//!
//! Each step decodes one batch: the next token of every attempt that has a turn, and slices of the
//! prompts that wait (`batch_builder` says which). When all tokens of an attempt are decoded, the logits
//! say what comes next. No attempt's beginning, end or pause touches another's cells.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::adapter_sets::{AdapterSetId, AdapterSets};
use super::attempt::{Attempt, ModelTokens};
use super::batch_builder::{BatchBuilder, BatchEntry};
use super::kv_cache::KvCache;
use super::llama::{Context, Model, crash};
use super::prefix_cache::PrefixCache;
use super::sample::Scratch;
use super::thermal::Throttle;
use super::{Asked, Draw, Event, Gauge, Order, Prompt, Served, Step, prompt};
use crate::types::answer::{Delta, Outcome};
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, Client};
use crate::types::limits;
use crate::types::plan::Plan;

/// How long the engine waits for an order where nobody can go on: the desk is about to give one.
const STALLED_WAIT: Duration = Duration::from_millis(20);

/// The engine thread's state: all of llama.cpp it has, and the attempts it is running.
pub struct EngineLoop<'a> {
    model: &'a Model,
    model_tokens: ModelTokens<'a>,
    cache: KvCache<'a>,
    plan: &'a Plan,
    events: &'a Sender<Event>,
    closing: &'a Arc<AtomicBool>,
    attempts: Vec<Attempt>,
    batch_builder: BatchBuilder,
    adapter_sets: AdapterSets<'a>,
    prefix: PrefixCache<'a>,
    /// When what is active was put on.
    changed: Instant,
    rests: Throttle,
    scratch: Scratch,
    /// Gets each token drawn; only in tests.
    observer: Option<Sender<Draw>>,
    /// Questions to be prepared, in the order in which they came.
    asked: Vec<Asked>,
    /// Whose question was prepared last.
    heard: Option<Client>,
    passes: u64,
    drafted_tokens: u64,
    accepted_tokens: u64,
}

impl<'a> EngineLoop<'a> {
    /// Makes the loop over a loaded model and a fresh context.
    pub fn new(
        model: &'a Model,
        context: Context<'a>,
        plan: &'a Plan,
        events: &'a Sender<Event>,
        closing: &'a Arc<AtomicBool>,
        observer: Option<Sender<Draw>>,
    ) -> EngineLoop<'a> {
        EngineLoop {
            model,
            model_tokens: ModelTokens::new(model),
            cache: KvCache::new(context, plan),
            plan,
            events,
            closing,
            attempts: Vec::new(),
            batch_builder: BatchBuilder::new(plan),
            adapter_sets: AdapterSets::new(model, plan),
            prefix: PrefixCache::new(plan),
            changed: Instant::now(),
            rests: Throttle::new(Path::new("/")),
            scratch: Scratch::default(),
            observer,
            asked: Vec::new(),
            heard: None,
            passes: 0,
            drafted_tokens: 0,
            accepted_tokens: 0,
        }
    }

    /// Runs until the desk drops its end or `closing` is set.
    pub fn run(mut self, orders: &Receiver<Order>) {
        while !self.closing.load(Ordering::Relaxed) {
            let has_turn = self.attempts.iter().any(|attempt| !attempt.is_parked);
            if !has_turn && self.asked.is_empty() {
                crash::set_jobs_in_batch(std::iter::empty());
                self.tell(Event::Rest(self.gauge()));
                let Ok(order) = orders.recv() else { return };
                self.obey(order);
            }
            // Orders cost nothing by themselves, so all that have come are heard before the step.
            orders.try_iter().for_each(|order| self.obey(order));
            self.prepare_some();
            let began = Instant::now();
            let went_on = self.step();
            let rest = if went_on { self.rest(began) } else { STALLED_WAIT };
            if !rest.is_zero()
                && let Ok(order) = orders.recv_timeout(rest)
            {
                self.obey(order);
            }
        }
    }

    /// Returns how long to rest after a step, and says why where that changes.
    fn rest(&mut self, began: Instant) -> Duration {
        let now = Instant::now();
        let advice = self.rests.after(now - began, now);
        for note in advice.notes {
            // Heat is for a person to mend; what else runs on a machine is known to its owner.
            let level = if note.is_about_heat() { log::Level::Warn } else { log::Level::Info };
            log::log!(level, "{note}");
        }
        advice.rest
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Prepare(asked) => self.asked.push(asked),
            Order::Start(start) => {
                self.prefix.restore(&start.prompt, &mut self.cache, &self.adapter_sets);
                crash::set_job_in_preparation(Some(start.attempt.job));
                let (table, room) = (&mut self.batch_builder.table, self.plan.context_tokens);
                let (attempt, outcome) = Attempt::begin(*start, &self.model_tokens, table, room);
                crash::set_job_in_preparation(None);
                self.attempts.push(attempt);
                if let Some(outcome) = outcome {
                    self.end(self.attempts.len() - 1, outcome);
                }
            }
            Order::Park(attempt) => self.park(attempt, true),
            Order::Resume(attempt) => self.park(attempt, false),
            Order::AnswerNow(job) => {
                let of_job = self.attempts.iter_mut().filter(|attempt| attempt.id.job == job);
                of_job.for_each(Attempt::answer_now);
            }
            Order::Stop(job) => {
                self.asked.retain(|asked| asked.job != job);
                while let Some(at) = self.attempts.iter().position(|a| a.id.job == job) {
                    self.end(at, Outcome::Stopped);
                }
            }
        }
    }

    fn park(&mut self, attempt: AttemptId, is_parked: bool) {
        if let Some(found) = self.attempts.iter_mut().find(|found| found.id == attempt) {
            found.is_parked = is_parked;
        }
    }

    /// Prepares questions for a moment, one of each client in a circle: whoever floods the box with
    /// them slows answers down a little, and keeps nobody's question waiting.
    fn prepare_some(&mut self) {
        let began = Instant::now();
        while began.elapsed() < limits::PREPARE_WITHIN {
            let order = |asked: &Asked| (Some(asked.client) <= self.heard, asked.client);
            let next = (0..self.asked.len()).min_by_key(|&at| order(&self.asked[at]));
            let Some(at) = next else { return };
            let Asked { job, client, question } = self.asked.remove(at);
            self.heard = Some(client);
            crash::set_job_in_preparation(Some(job));
            let (most, room) = (self.plan.question_tokens_max, self.plan.context_tokens);
            let adapter_set = self.adapter_sets.adapter_set(&question.adapters);
            let prompt = adapter_set.and_then(|adapter_set| {
                let prompt = prompt::prepare(self.model, &question, most, room)?;
                let prefix_tokens =
                    self.prefix.tokens(self.model, &question, adapter_set, &prompt.tokens);
                Ok(Arc::new(Prompt { adapter_set, prefix_tokens, ..prompt }))
            });
            crash::set_job_in_preparation(None);
            self.tell(Event::Prepared(job, prompt));
        }
    }

    /// One pass over the weights for all that have a turn; returns whether anybody went on.
    fn step(&mut self) -> bool {
        if self.attempts.is_empty() {
            return true;
        }
        let began = Instant::now();
        let with_turn = self.attempts.iter().filter(|attempt| !attempt.is_parked);
        crash::set_jobs_in_batch(with_turn.map(|attempt| attempt.id.job));
        self.change_outfit(began);
        self.batch_builder.load(self.adapter_sets.active(), &mut self.attempts, &mut self.cache);
        let mut entries = self.batch_builder.take_entries();
        let stalled = self.batch_builder.take_stalled();
        let tokens = entries.iter().map(|p| p.tokens + p.drafted.len()).sum();
        let threads = self.rests.threads(self.plan.threads_for(tokens));
        self.cache.context().use_threads(threads);
        let decoded = match entries.as_mut_slice() {
            [] => Ok(()),
            some => self.batch_builder.decode(some, &self.attempts, &mut self.cache),
        };
        let (mut served, mut over) = (Vec::new(), Vec::new());
        for entry in &entries {
            let (accepted, outcome) = match &decoded {
                Ok(()) => self.draw(entry),
                Err(error) => (0, Some(Outcome::Failed(error.clone()))),
            };
            self.drafted_tokens += entry.drafted.len() as u64;
            self.accepted_tokens += accepted as u64;
            let attempt = &mut self.attempts[entry.attempt];
            self.prefix.keep(attempt, &mut self.cache, &self.adapter_sets);
            let (id, delta) = (attempt.id, attempt.gained());
            self.tell_gain(id, delta);
            let tokens = (entry.tokens + accepted) as u32;
            // Where the logits were no numbers nothing was drawn, and the attempt is over anyway.
            let drawn = if entry.rows.is_empty() { 0 } else { 1 + accepted as u32 };
            served.push(Served { attempt: id, tokens, drawn });
            over.extend(outcome.map(|outcome| (id, outcome)));
        }
        self.passes += u64::from(!entries.is_empty());
        let (seconds, gauge) = (began.elapsed().as_secs_f64(), self.gauge());
        self.tell(Event::Step(Step { served, stalled, seconds, gauge }));
        self.end_all(over);
        !entries.is_empty()
    }

    fn end_all(&mut self, over: Vec<(AttemptId, Outcome)>) {
        let is_spoiled = |outcome: &Outcome| match outcome {
            Outcome::Failed(error) => error.kind == Kind::BadModel,
            _ => false,
        };
        let spoiled = over.iter().any(|(_, outcome)| is_spoiled(outcome));
        for (id, outcome) in over {
            if let Some(at) = self.attempts.iter().position(|attempt| attempt.id == id) {
                self.end(at, outcome);
            }
        }
        if spoiled {
            self.cache.clear();
            self.attempts.iter_mut().for_each(|attempt| attempt.sequence = None);
        }
    }

    /// Changes adapters where nobody with a turn uses these, or others have waited long enough.
    fn change_outfit(&mut self, now: Instant) {
        let with_turn = || self.attempts.iter().filter(|attempt| !attempt.is_parked);
        let active = self.adapter_sets.active();
        // The next in a circle, so that each has its time; mostly there is none.
        let others = with_turn()
            .map(|attempt| attempt.adapter_set)
            .filter(|&adapter_set| adapter_set != active);
        let Some(next) = others.min_by_key(|&adapter_set| (adapter_set < active, adapter_set))
        else {
            return;
        };
        let pairs: BTreeSet<(Client, AdapterSetId)> =
            with_turn().map(|attempt| (attempt.client, attempt.adapter_set)).collect();
        if now - self.changed < limits::ADAPTERS_TURN.mul_f64(time_of(active, &pairs)) {
            return;
        }
        self.changed = now;
        if let Err(error) = self.adapter_sets.activate(next, self.cache.context()) {
            let wearing = |attempt: &Attempt| attempt.adapter_set == next;
            while let Some(at) = self.attempts.iter().position(wearing) {
                self.end(at, Outcome::Failed(error.clone()));
            }
        }
    }

    /// Draws from the logits of an entry that has arrived: a token, and one more for each drafted
    /// token that is what was drawn. Returns how many those were, and whether the attempt is over.
    fn draw(&mut self, entry: &BatchEntry) -> (usize, Option<Outcome>) {
        let attempt = &mut self.attempts[entry.attempt];
        let before = attempt.tokens.len();
        let (mut accepted, mut outcome) = (0, None);
        for (index, row) in entry.rows.clone().enumerate() {
            let taken = match self.cache.context().logits(row) {
                Ok(logits) => {
                    let observer = self.observer.as_ref();
                    attempt.take(logits, &self.model_tokens, &mut self.scratch, observer)
                }
                Err(error) => {
                    outcome = Some(Outcome::Failed(error));
                    break;
                }
            };
            outcome = taken.unwrap_or_else(|_| Some(Outcome::Failed(not_a_number(self.plan))));
            let drawn = attempt.tokens.get(before + index..).unwrap_or_default();
            if outcome.is_some() || drawn != entry.drafted.get(index..index + 1).unwrap_or(&[]) {
                break;
            }
            accepted += 1;
        }
        attempt.drafter.extend(&attempt.tokens[before..], &mut self.batch_builder.table);
        if !entry.drafted.is_empty() {
            self.cache.truncate(entry.sequence, before + accepted);
        }
        (accepted, outcome)
    }

    fn end(&mut self, at: usize, outcome: Outcome) {
        let attempt = self.attempts.swap_remove(at);
        let (id, lasting) = (attempt.id, attempt.lasting_tokens());
        if let Some(sequence) = attempt.sequence {
            match outcome {
                Outcome::Failed(_) => self.cache.close(sequence),
                _ => self.cache.keep(sequence, lasting),
            }
        }
        let (delta, figures) = attempt.finish();
        self.tell(Event::Ended(id, delta, outcome, figures));
    }

    fn gauge(&self) -> Gauge {
        let cells = self.cache.cells();
        Gauge {
            attempts: self.attempts.len(),
            cells: cells.total(),
            cells_free: cells.free(),
            sequences: cells.sequences().count(),
            sequences_kept: self.cache.kept(),
            passes: self.passes,
            drafted_tokens: self.drafted_tokens,
            accepted_tokens: self.accepted_tokens,
        }
    }

    fn tell_gain(&self, attempt: AttemptId, delta: Option<Delta>) {
        if let Some(delta) = delta {
            self.tell(Event::Gained(attempt, delta));
        }
    }

    fn tell(&self, event: Event) {
        // Fails only where the desk is gone; the loop then ends at its next look at the orders.
        let _ = self.events.send(event);
    }
}

/// Returns how long an adapter set is active, in times of what each would be if all were active equally
/// long: clients share the time, and who asks for several sets has not more of it.
fn time_of(adapter_set: AdapterSetId, worn_by: &BTreeSet<(Client, AdapterSetId)>) -> f64 {
    let clients: BTreeSet<Client> = worn_by.iter().map(|&(client, _)| client).collect();
    let sets: BTreeSet<AdapterSetId> =
        worn_by.iter().map(|&(_, adapter_set)| adapter_set).collect();
    let those_of = |client| worn_by.iter().filter(|&&(other, _)| other == client).count();
    let wearing = worn_by.iter().filter(|&&(_, other)| other == adapter_set);
    let share: f64 = wearing.map(|&(client, _)| 1.0 / those_of(client) as f64).sum();
    share * sets.len() as f64 / clients.len().max(1) as f64
}

/// Makes the error for logits that are not numbers.
pub fn not_a_number(plan: &Plan) -> Error {
    Error::new(
        Kind::BadModel,
        format!("{} computed values that are not numbers", plan.model),
        "The model file is damaged or does not suit these kernels: use another file.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_share_the_time_whatever_adapters_they_ask_for() {
        let client = |name: u8| Client::of("test", &[name]);
        let worn_by = |pairs: &[(u8, AdapterSetId)]| -> BTreeSet<(Client, AdapterSetId)> {
            pairs.iter().map(|&(name, adapter_set)| (client(name), adapter_set)).collect()
        };
        let equal = worn_by(&[(1, 0), (2, 1)]);
        assert_eq!((time_of(0, &equal), time_of(1, &equal)), (1.0, 1.0));
        let classroom = worn_by(&[(1, 0), (2, 0), (3, 0), (4, 1)]);
        assert_eq!((time_of(0, &classroom), time_of(1, &classroom)), (1.5, 0.5));
        let greedy = worn_by(&[(1, 0), (2, 1), (2, 2), (2, 3)]);
        assert_eq!(time_of(0, &greedy), 2.0, "half of the four");
        assert!((time_of(3, &greedy) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(time_of(7, &greedy), 0.0, "nobody uses it");
        assert_eq!(time_of(0, &BTreeSet::new()), 0.0);
    }
}
