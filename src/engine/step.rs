//! The loop: take orders, make one pass over the weights for everybody, hand out what it gave.
//!
//! Each step decodes one batch: the next token of every attempt that has a turn, and slices of the
//! prompts that wait (`aboard` says which). When all tokens of an attempt are decoded, the logits
//! say what comes next. No attempt's beginning, end or pause touches another's cells.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::aboard::{Aboard, Passenger};
use super::attempt::{Attempt, Voice};
use super::cache::Cache;
use super::llama::{Context, Model, crash};
use super::sample::Scratch;
use super::stock::Stock;
use super::thermal::Rests;
use super::wardrobe::{Outfit, Wardrobe};
use super::{Asked, Event, Gauge, Order, Prompt, Served, Step, prompt};
use crate::words::answer::{Gain, Outcome};
use crate::words::error::{Error, Kind};
use crate::words::job::{AttemptId, Client};
use crate::words::limits;
use crate::words::plan::Plan;

/// How long the engine waits for an order where nobody can go on: the desk is about to give one.
const STALLED_WAIT: Duration = Duration::from_millis(20);

/// The engine thread's state: all of llama.cpp it has, and the attempts it is running.
pub struct Steps<'a> {
    model: &'a Model,
    voice: Voice<'a>,
    cache: Cache<'a>,
    plan: &'a Plan,
    events: &'a Sender<Event>,
    closing: &'a Arc<AtomicBool>,
    attempts: Vec<Attempt>,
    aboard: Aboard,
    wardrobe: Wardrobe<'a>,
    stock: Stock<'a>,
    /// When what is worn was put on.
    changed: Instant,
    rests: Rests,
    scratch: Scratch,
    /// Questions to be prepared, in the order in which they came.
    asked: Vec<Asked>,
    /// Whose question was prepared last.
    heard: Option<Client>,
    passes: u64,
    drafted_tokens: u64,
    accepted_tokens: u64,
}

impl<'a> Steps<'a> {
    /// Makes the loop over a loaded model and a fresh context.
    pub fn new(
        model: &'a Model,
        context: Context<'a>,
        plan: &'a Plan,
        events: &'a Sender<Event>,
        closing: &'a Arc<AtomicBool>,
    ) -> Steps<'a> {
        Steps {
            model,
            voice: Voice::new(model),
            cache: Cache::new(context, plan),
            plan,
            events,
            closing,
            attempts: Vec::new(),
            aboard: Aboard::new(plan),
            wardrobe: Wardrobe::new(model, plan),
            stock: Stock::new(plan),
            changed: Instant::now(),
            rests: Rests::new(Path::new("/")),
            scratch: Scratch::default(),
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
                crash::board(std::iter::empty());
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
            let level = if note.is_of_heat() { log::Level::Warn } else { log::Level::Info };
            log::log!(level, "{note}");
        }
        advice.rest
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Prepare(asked) => self.asked.push(asked),
            Order::Start(start) => {
                self.stock.restore(&start.prompt, &mut self.cache, &self.wardrobe);
                let (table, room) = (&mut self.aboard.table, self.plan.context_tokens);
                let (attempt, outcome) = Attempt::begin(*start, &self.voice, table, room);
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
            crash::prepare(Some(job));
            let (most, room) = (self.plan.question_tokens_max, self.plan.context_tokens);
            let outfit = self.wardrobe.outfit(&question.adapters);
            let prompt = outfit.and_then(|outfit| {
                let prompt = prompt::prepare(self.model, &question, most, room)?;
                let stock_tokens = self.stock.tokens(self.model, &question, outfit, &prompt.tokens);
                Ok(Arc::new(Prompt { outfit, stock_tokens, ..prompt }))
            });
            crash::prepare(None);
            self.tell(Event::Prepared(job, prompt));
        }
    }

    /// One pass over the weights for all that have a turn; returns whether anybody went on.
    fn step(&mut self) -> bool {
        if self.attempts.is_empty() {
            return true;
        }
        let began = Instant::now();
        self.change_outfit(began);
        self.aboard.load(self.wardrobe.worn(), &mut self.attempts, &mut self.cache);
        let mut passengers = self.aboard.take_passengers();
        let stalled = self.aboard.take_stalled();
        let tokens = passengers.iter().map(|p| p.tokens + p.drafted.len()).sum();
        let threads = self.rests.threads(self.plan.threads_for(tokens));
        self.cache.context().use_threads(threads);
        crash::board(passengers.iter().map(|p| self.attempts[p.attempt].id.job));
        let decoded = match passengers.as_mut_slice() {
            [] => Ok(()),
            some => self.aboard.decode(some, &self.attempts, &mut self.cache),
        };
        let (mut served, mut over) = (Vec::new(), Vec::new());
        for passenger in &passengers {
            let (accepted, outcome) = match &decoded {
                Ok(()) => self.draw(passenger),
                Err(error) => (0, Some(Outcome::Failed(error.clone()))),
            };
            self.drafted_tokens += passenger.drafted.len() as u64;
            self.accepted_tokens += accepted as u64;
            let attempt = &mut self.attempts[passenger.attempt];
            self.stock.keep(attempt, &mut self.cache, &self.wardrobe);
            let (id, gain) = (attempt.id, attempt.gained());
            self.tell_gain(id, gain);
            let tokens = (passenger.tokens + accepted) as u32;
            // Where the logits were no numbers nothing was drawn, and the attempt is over anyway.
            let drawn = if passenger.rows.is_empty() { 0 } else { 1 + accepted as u32 };
            served.push(Served { attempt: id, tokens, drawn });
            over.extend(outcome.map(|outcome| (id, outcome)));
        }
        self.passes += u64::from(!passengers.is_empty());
        let (seconds, gauge) = (began.elapsed().as_secs_f64(), self.gauge());
        self.tell(Event::Step(Step { served, stalled, seconds, gauge }));
        self.end_all(over);
        !passengers.is_empty()
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

    /// Changes adapters where nobody with a turn wears these, or others have waited long enough.
    fn change_outfit(&mut self, now: Instant) {
        let with_turn = || self.attempts.iter().filter(|attempt| !attempt.is_parked);
        let worn = self.wardrobe.worn();
        // The next in a circle, so that each has its time; mostly there is none.
        let others = with_turn().map(|attempt| attempt.outfit).filter(|&outfit| outfit != worn);
        let Some(next) = others.min_by_key(|&outfit| (outfit < worn, outfit)) else { return };
        let pairs: BTreeSet<(Client, Outfit)> =
            with_turn().map(|attempt| (attempt.client, attempt.outfit)).collect();
        if now - self.changed < limits::ADAPTERS_TURN.mul_f64(time_of(worn, &pairs)) {
            return;
        }
        self.changed = now;
        if let Err(error) = self.wardrobe.wear(next, self.cache.context()) {
            let wearing = |attempt: &Attempt| attempt.outfit == next;
            while let Some(at) = self.attempts.iter().position(wearing) {
                self.end(at, Outcome::Failed(error.clone()));
            }
        }
    }

    /// Draws from the logits of a passenger who has arrived: a token, and one more for each drafted
    /// token that is what was drawn. Returns how many those were, and whether the attempt is over.
    fn draw(&mut self, passenger: &Passenger) -> (usize, Option<Outcome>) {
        let attempt = &mut self.attempts[passenger.attempt];
        let before = attempt.tokens.len();
        let (mut accepted, mut outcome) = (0, None);
        for (index, row) in passenger.rows.clone().enumerate() {
            let taken = match self.cache.context().logits(row) {
                Ok(logits) => attempt.take(logits, &self.voice, &mut self.scratch),
                Err(error) => {
                    outcome = Some(Outcome::Failed(error));
                    break;
                }
            };
            outcome = taken.unwrap_or_else(|_| Some(Outcome::Failed(not_a_number(self.plan))));
            let drawn = attempt.tokens.get(before + index..).unwrap_or_default();
            if outcome.is_some() || drawn != passenger.drafted.get(index..index + 1).unwrap_or(&[])
            {
                break;
            }
            accepted += 1;
        }
        attempt.drafter.extend(&attempt.tokens[before..], &mut self.aboard.table);
        if !passenger.drafted.is_empty() {
            self.cache.truncate(passenger.sequence, before + accepted);
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
        let (gain, figures) = attempt.finish();
        self.tell(Event::Ended(id, gain, outcome, figures));
    }

    fn gauge(&self) -> Gauge {
        let pool = self.cache.pool();
        Gauge {
            attempts: self.attempts.len(),
            cells: pool.total(),
            cells_free: pool.free(),
            sequences: pool.sequences().count(),
            sequences_kept: self.cache.kept(),
            passes: self.passes,
            drafted_tokens: self.drafted_tokens,
            accepted_tokens: self.accepted_tokens,
        }
    }

    fn tell_gain(&self, attempt: AttemptId, gain: Option<Gain>) {
        if let Some(gain) = gain {
            self.tell(Event::Gained(attempt, gain));
        }
    }

    fn tell(&self, event: Event) {
        // Fails only where the desk is gone; the loop then ends at its next look at the orders.
        let _ = self.events.send(event);
    }
}

/// Returns how long an outfit is worn, in times of what each would be if all were worn equally
/// long: clients share the time, and who asks for several outfits has not more of it.
fn time_of(outfit: Outfit, worn_by: &BTreeSet<(Client, Outfit)>) -> f64 {
    let clients: BTreeSet<Client> = worn_by.iter().map(|&(client, _)| client).collect();
    let outfits: BTreeSet<Outfit> = worn_by.iter().map(|&(_, outfit)| outfit).collect();
    let those_of = |client| worn_by.iter().filter(|&&(other, _)| other == client).count();
    let wearing = worn_by.iter().filter(|&&(_, other)| other == outfit);
    let share: f64 = wearing.map(|&(client, _)| 1.0 / those_of(client) as f64).sum();
    share * outfits.len() as f64 / clients.len().max(1) as f64
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
        let worn_by = |pairs: &[(u8, Outfit)]| -> BTreeSet<(Client, Outfit)> {
            pairs.iter().map(|&(name, outfit)| (client(name), outfit)).collect()
        };
        let equal = worn_by(&[(1, 0), (2, 1)]);
        assert_eq!((time_of(0, &equal), time_of(1, &equal)), (1.0, 1.0));
        let classroom = worn_by(&[(1, 0), (2, 0), (3, 0), (4, 1)]);
        assert_eq!((time_of(0, &classroom), time_of(1, &classroom)), (1.5, 0.5));
        let greedy = worn_by(&[(1, 0), (2, 1), (2, 2), (2, 3)]);
        assert_eq!(time_of(0, &greedy), 2.0, "half of the four");
        assert!((time_of(3, &greedy) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(time_of(7, &greedy), 0.0, "nobody wears it");
        assert_eq!(time_of(0, &BTreeSet::new()), 0.0);
    }
}
