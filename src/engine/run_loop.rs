//! The engine loop: handle orders, decode one batch, draw tokens, emit events.
//!
//! Each step decodes one batch, which `batch_builder` makes: the next token of every attempt that
//! holds a slot, and slices of waiting prompts. Once all tokens of an attempt are decoded, its next
//! token is drawn from the logits. Starting, ending or parking an attempt never affects the cells
//! of another.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::adapter_sets::AdapterSets;
use super::attempt::{Attempt, ModelTokens};
use super::batch_builder::{BatchBuilder, BatchEntry};
use super::draws::Draw;
use super::kv_cache::KvCache;
use super::llama::{Context, Model, crash};
use super::prefix_cache::PrefixCache;
use super::prompt;
use super::protocol::{
    AdapterSetId, Event, Gauge, Order, PrepareRequest, Prompt, Served, StartRequest, StepReport,
};
use super::sample::{Scratch, not_a_number};
use super::thermal::Throttle;
use crate::types::answer::Outcome;
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, Client, Question};
use crate::types::limits;
use crate::types::plan::Plan;

/// How long the engine waits for an order if no attempt can proceed; the desk is about to send one.
const STALLED_WAIT: Duration = Duration::from_millis(20);

/// The state of the engine thread: the model, the cache and the running attempts.
pub(crate) struct EngineLoop<'a> {
    model: &'a Model,
    model_tokens: ModelTokens<'a>,
    cache: KvCache<'a>,
    plan: &'a Plan,
    events: &'a Sender<Event>,
    closing: &'a Arc<AtomicBool>,
    attempts: Vec<Attempt>,
    batch_builder: BatchBuilder,
    adapter_sets: AdapterSets<'a>,
    prefix_cache: PrefixCache<'a>,
    /// When the active adapter set was activated.
    activated: Instant,
    throttle: Throttle,
    scratch: Scratch,
    /// Receives each token drawn; only in tests.
    observer: Option<Sender<Draw>>,
    /// Questions to prepare, in order of arrival.
    requests: Vec<PrepareRequest>,
    /// The client whose question was prepared last.
    prepared_last: Option<Client>,
    passes: u64,
    drafted_tokens: u64,
    accepted_tokens: u64,
}

impl<'a> EngineLoop<'a> {
    /// Makes the loop for a loaded model and an empty context.
    pub(crate) fn new(
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
            prefix_cache: PrefixCache::new(plan),
            activated: Instant::now(),
            throttle: Throttle::new(Path::new("/")),
            scratch: Scratch::default(),
            observer,
            requests: Vec::new(),
            prepared_last: None,
            passes: 0,
            drafted_tokens: 0,
            accepted_tokens: 0,
        }
    }

    /// Runs until the desk drops its sender or `closing` is set.
    pub(crate) fn run(mut self, orders: &Receiver<Order>) {
        while !self.closing.load(Ordering::Relaxed) {
            let has_work = self.attempts.iter().any(|attempt| !attempt.is_parked);
            if !has_work && self.requests.is_empty() {
                crash::set_jobs_in_batch(std::iter::empty());
                self.emit(Event::Idle(self.gauge()));
                let Ok(order) = orders.recv() else { return };
                self.handle(order);
            }
            // Orders are cheap, so all that are pending are handled before the step.
            orders.try_iter().for_each(|order| self.handle(order));
            self.prepare_some();
            let began = Instant::now();
            let progressed = self.step();
            let rest = if progressed { self.rest(began) } else { STALLED_WAIT };
            if !rest.is_zero()
                && let Ok(order) = orders.recv_timeout(rest)
            {
                self.handle(order);
            }
        }
    }

    /// Returns how long to pause after a step, and logs the reason when it changes.
    fn rest(&mut self, began: Instant) -> Duration {
        let now = Instant::now();
        let advice = self.throttle.after(now - began, now);
        for note in advice.notes {
            // Heat needs attention; other programs were started on purpose.
            let level = if note.is_about_heat() { log::Level::Warn } else { log::Level::Info };
            log::log!(level, "{note}");
        }
        advice.rest
    }

    fn handle(&mut self, order: Order) {
        match order {
            Order::Prepare(request) => self.requests.push(request),
            Order::Start(request) => self.start(*request),
            Order::Park(attempt) => self.set_parked(attempt, true),
            Order::Resume(attempt) => self.set_parked(attempt, false),
            Order::AnswerNow(job) => {
                let of_job = self.attempts.iter_mut().filter(|attempt| attempt.id.job == job);
                of_job.for_each(Attempt::answer_now);
            }
            Order::Stop(job) => {
                self.requests.retain(|request| request.job != job);
                while let Some(at) = self.attempts.iter().position(|a| a.id.job == job) {
                    self.end(at, Outcome::Stopped);
                }
            }
        }
    }

    fn start(&mut self, request: StartRequest) {
        self.prefix_cache.restore(&request.prompt, &mut self.cache, &self.adapter_sets);
        crash::set_job_in_preparation(Some(request.attempt.job));
        let (ngrams, room) = (&mut self.batch_builder.ngrams, self.plan.context_tokens);
        let (attempt, outcome) = Attempt::start(request, &self.model_tokens, ngrams, room);
        crash::set_job_in_preparation(None);
        self.attempts.push(attempt);
        if let Some(outcome) = outcome {
            self.end(self.attempts.len() - 1, outcome);
        }
    }

    fn set_parked(&mut self, attempt: AttemptId, is_parked: bool) {
        if let Some(found) = self.attempts.iter_mut().find(|found| found.id == attempt) {
            found.is_parked = is_parked;
        }
    }

    /// Prepares questions for at most `PREPARE_WITHIN`, one of each client in turn: a client that
    /// sends very many slows answers down a little, but does not delay other clients' questions.
    fn prepare_some(&mut self) {
        let began = Instant::now();
        while began.elapsed() < limits::PREPARE_WITHIN {
            let turn = |request: &PrepareRequest| {
                (Some(request.client) <= self.prepared_last, request.client)
            };
            let next = (0..self.requests.len()).min_by_key(|&at| turn(&self.requests[at]));
            let Some(at) = next else { return };
            let PrepareRequest { job, client, question } = self.requests.remove(at);
            self.prepared_last = Some(client);
            crash::set_job_in_preparation(Some(job));
            let prompt = self.prepare(&question);
            crash::set_job_in_preparation(None);
            self.emit(Event::Prepared(job, prompt));
        }
    }

    fn prepare(&mut self, question: &Question) -> Result<Arc<Prompt>, Error> {
        let (most, room) = (self.plan.question_tokens_max, self.plan.context_tokens);
        let adapter_set = self.adapter_sets.resolve(&question.adapters)?;
        let prompt = prompt::prepare(self.model, question, most, room)?;
        let prefix_tokens =
            self.prefix_cache.prefix_tokens(self.model, question, adapter_set, &prompt.tokens);
        Ok(Arc::new(Prompt { adapter_set, prefix_tokens, ..prompt }))
    }

    /// Decodes one batch and draws from its logits; returns whether any attempt progressed.
    fn step(&mut self) -> bool {
        if self.attempts.is_empty() {
            return true;
        }
        let began = Instant::now();
        let due = self.attempts.iter().filter(|attempt| !attempt.is_parked);
        crash::set_jobs_in_batch(due.map(|attempt| attempt.id.job));
        self.switch_adapter_set(began);
        self.batch_builder.build(self.adapter_sets.active(), &mut self.attempts, &mut self.cache);
        let mut entries = self.batch_builder.take_entries();
        let stalled = self.batch_builder.take_stalled();
        let tokens = entries.iter().map(|entry| entry.tokens + entry.drafted.len()).sum();
        let threads = self.throttle.threads(self.plan.threads_for(tokens));
        self.cache.context().use_threads(threads);
        let decoded = match entries.as_mut_slice() {
            [] => Ok(()),
            some => self.batch_builder.decode(some, &self.attempts, &mut self.cache),
        };
        let (mut served, mut ended) = (Vec::new(), Vec::new());
        for entry in &entries {
            let (accepted, outcome) = match &decoded {
                Ok(()) => self.sample(entry),
                Err(error) => (0, Some(Outcome::Failed(error.clone()))),
            };
            self.drafted_tokens += entry.drafted.len() as u64;
            self.accepted_tokens += accepted as u64;
            let attempt = &mut self.attempts[entry.attempt.0];
            self.prefix_cache.keep(attempt, &mut self.cache, &self.adapter_sets);
            let (id, delta) = (attempt.id, attempt.take_delta());
            if let Some(delta) = delta {
                self.emit(Event::Delta(id, delta));
            }
            let tokens = (entry.tokens + accepted) as u32;
            // With logits that are not numbers nothing was drawn, but then the attempt ends anyway.
            let drawn = if entry.rows.is_empty() { 0 } else { 1 + accepted as u32 };
            served.push(Served { attempt: id, tokens, drawn });
            ended.extend(outcome.map(|outcome| (id, outcome)));
        }
        self.passes += u64::from(!entries.is_empty());
        let (seconds, gauge) = (began.elapsed().as_secs_f64(), self.gauge());
        self.emit(Event::Step(StepReport { served, stalled, seconds, gauge }));
        self.end_all(ended);
        !entries.is_empty()
    }

    fn end_all(&mut self, ended: Vec<(AttemptId, Outcome)>) {
        let is_bad_model = |outcome: &Outcome| match outcome {
            Outcome::Failed(error) => error.kind == Kind::BadModel,
            _ => false,
        };
        // Then the cells may contain NaN, which would spoil all later passes.
        let must_clear = ended.iter().any(|(_, outcome)| is_bad_model(outcome));
        for (id, outcome) in ended {
            if let Some(at) = self.attempts.iter().position(|attempt| attempt.id == id) {
                self.end(at, outcome);
            }
        }
        if must_clear {
            self.cache.clear();
            self.attempts.iter_mut().for_each(|attempt| attempt.sequence = None);
        }
    }

    /// Activates another adapter set if no attempt that is due uses the active one, or if its time
    /// slice is over.
    fn switch_adapter_set(&mut self, now: Instant) {
        let due = || self.attempts.iter().filter(|attempt| !attempt.is_parked);
        let active = self.adapter_sets.active();
        // In circular order, so that each set gets its time. Usually there is no other set.
        let others =
            due().map(|attempt| attempt.adapter_set).filter(|&adapter_set| adapter_set != active);
        let Some(next) = others.min_by_key(|&adapter_set| (adapter_set < active, adapter_set))
        else {
            return;
        };
        let pairs: BTreeSet<(Client, AdapterSetId)> =
            due().map(|attempt| (attempt.client, attempt.adapter_set)).collect();
        if now - self.activated < limits::ADAPTERS_TURN.mul_f64(time_slice(active, &pairs)) {
            return;
        }
        self.activated = now;
        if let Err(error) = self.adapter_sets.activate(next, self.cache.context()) {
            let needs_it = |attempt: &Attempt| attempt.adapter_set == next;
            while let Some(at) = self.attempts.iter().position(needs_it) {
                self.end(at, Outcome::Failed(error.clone()));
            }
        }
    }

    /// Draws from the logits of an entry whose tokens are all decoded: one token, and another for
    /// each drafted token that equals the token drawn. Returns how many drafted tokens were
    /// accepted, and the outcome if the attempt has ended.
    fn sample(&mut self, entry: &BatchEntry) -> (usize, Option<Outcome>) {
        let attempt = &mut self.attempts[entry.attempt.0];
        let before = attempt.tokens.len();
        let (mut accepted, mut outcome) = (0, None);
        for (index, row) in entry.rows.clone().enumerate() {
            let sampled = match self.cache.context().logits(row) {
                Ok(logits) => {
                    let observer = self.observer.as_ref();
                    attempt.sample_next(logits, &self.model_tokens, &mut self.scratch, observer)
                }
                Err(error) => {
                    outcome = Some(Outcome::Failed(error));
                    break;
                }
            };
            outcome = sampled.unwrap_or_else(|_| Some(Outcome::Failed(not_a_number(self.plan))));
            let drawn = attempt.tokens.get(before + index..).unwrap_or_default();
            if outcome.is_some() || drawn != entry.drafted.get(index..index + 1).unwrap_or(&[]) {
                break;
            }
            accepted += 1;
        }
        attempt.drafter.extend(&attempt.tokens[before..], &mut self.batch_builder.ngrams);
        if !entry.drafted.is_empty() {
            self.cache.truncate(entry.sequence, before + accepted);
        }
        (accepted, outcome)
    }

    fn end(&mut self, at: usize, outcome: Outcome) {
        let attempt = self.attempts.swap_remove(at);
        let (id, reusable) = (attempt.id, attempt.reusable_tokens());
        if let Some(sequence) = attempt.sequence {
            match outcome {
                Outcome::Failed(_) => self.cache.close(sequence),
                _ => self.cache.keep(sequence, reusable),
            }
        }
        let (delta, figures) = attempt.finish();
        self.emit(Event::Ended(id, delta, outcome, figures));
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

    fn emit(&self, event: Event) {
        // Fails only if the desk is gone, and then receiving orders ends the loop.
        let _ = self.events.send(event);
    }
}

/// Returns an adapter set's time slice relative to an equal share of all sets in use. Clients, not
/// sets, share the time: a client that uses several sets gets no more of it.
fn time_slice(adapter_set: AdapterSetId, used: &BTreeSet<(Client, AdapterSetId)>) -> f64 {
    let clients: BTreeSet<Client> = used.iter().map(|&(client, _)| client).collect();
    let sets: BTreeSet<AdapterSetId> = used.iter().map(|&(_, other)| other).collect();
    let sets_of = |client| used.iter().filter(|&&(other, _)| other == client).count();
    let users = used.iter().filter(|&&(_, other)| other == adapter_set);
    let share: f64 = users.map(|&(client, _)| 1.0 / sets_of(client) as f64).sum();
    share * sets.len() as f64 / clients.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_share_the_time_regardless_of_the_number_of_their_adapter_sets() {
        let client = |name: u8| Client::of("test", &[name]);
        let used = |pairs: &[(u8, usize)]| -> BTreeSet<(Client, AdapterSetId)> {
            pairs.iter().map(|&(name, set)| (client(name), AdapterSetId(set))).collect()
        };
        let slice = |set: usize, used: &_| time_slice(AdapterSetId(set), used);
        let equal = used(&[(1, 0), (2, 1)]);
        assert_eq!((slice(0, &equal), slice(1, &equal)), (1.0, 1.0));
        let classroom = used(&[(1, 0), (2, 0), (3, 0), (4, 1)]);
        assert_eq!((slice(0, &classroom), slice(1, &classroom)), (1.5, 0.5));
        let greedy = used(&[(1, 0), (2, 1), (2, 2), (2, 3)]);
        assert_eq!(slice(0, &greedy), 2.0, "half of the four");
        assert!((slice(3, &greedy) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(slice(7, &greedy), 0.0, "no client uses it");
        assert_eq!(slice(0, &BTreeSet::new()), 0.0);
    }
}
