//! The loop: take orders, make one pass over the weights, hand out what it gave.
//!
//! An attempt is a list of tokens the context has not seen yet (`pending`): first its prompt, then
//! each token as it is sampled, and the end of the thinking where the engine closes it. A step
//! decodes a slice of them; when none are left, the logits say what comes next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use super::llama::{Context, Logits, Model, Written};
use super::sample::Sampler;
use super::text::Text;
use super::{Event, Order, Start, Token, prompt, think};
use crate::words::answer::{Figures, Outcome, Part, Piece};
use crate::words::error::{Error, Kind};
use crate::words::job::{Ending, JobId, Question};
use crate::words::limits;
use crate::words::plan::Plan;

/// The engine thread's state: all of llama.cpp it has, and the attempt it is running.
pub struct Steps<'a> {
    model: &'a Model,
    context: Context<'a>,
    plan: &'a Plan,
    events: &'a Sender<Event>,
    closing: &'a Arc<AtomicBool>,
    /// `\n</think>\n\n`, tokenised once.
    close_thinking: Vec<Token>,
    live: Option<Attempt>,
    /// Questions to be prepared, at most one of them between two steps.
    asked: VecDeque<(JobId, Arc<Question>)>,
}

/// One sampled chain of thought for a job.
struct Attempt {
    job: JobId,
    /// Tokens not decoded yet; the next is at `decoded`.
    pending: Vec<Token>,
    /// How many of `pending` are decoded.
    decoded: usize,
    /// The position the next decoded token gets.
    position: u32,
    budget_tokens: u32,
    /// Tokens kept back for an answer while the thinking is open; 0 once closed by the engine.
    reserve_tokens: u32,
    sampler: Sampler,
    text: Text,
    figures: Figures,
    asked: Instant,
    started: Instant,
    first_token: Option<Instant>,
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
        let close_thinking = model.tokenize(&close_text(), Written::ByTemplate);
        let (live, asked) = (None, VecDeque::new());
        Steps { model, context, plan, events, closing, close_thinking, live, asked }
    }

    /// Runs until the desk drops its end or `closing` is set.
    pub fn run(mut self, orders: &Receiver<Order>) {
        while !self.closing.load(Ordering::Relaxed) {
            let idle = self.live.is_none() && self.asked.is_empty();
            let first = if idle { orders.recv().ok() } else { None };
            if idle && first.is_none() {
                return;
            }
            // Orders cost nothing by themselves, so all that have come are heard before the step.
            first.into_iter().chain(orders.try_iter()).for_each(|order| self.obey(order));
            // Tokenising a question does cost: whoever floods the box with them slows an answer
            // down, and cannot stop it.
            self.prepare_one();
            self.step();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Prepare(job, question) => self.asked.push_back((job, question)),
            Order::Start(start) => {
                debug_assert!(self.live.is_none(), "the desk starts one attempt at a time");
                self.live = Some(Attempt::new(*start, self.model, self.plan.context_tokens));
            }
            Order::Stop(job) => {
                self.asked.retain(|(asked, _)| *asked != job);
                if self.live.as_ref().is_some_and(|attempt| attempt.job == job) {
                    self.end(Outcome::Stopped);
                }
            }
        }
    }

    fn prepare_one(&mut self) {
        if let Some((job, question)) = self.asked.pop_front() {
            let (most, room) = (self.plan.question_tokens_max, self.plan.context_tokens);
            let prompt = prompt::prepare(self.model, &question, most, room);
            self.tell(Event::Prepared(job, prompt));
        }
    }

    /// One pass over the weights for the live attempt.
    fn step(&mut self) {
        let Some(attempt) = &mut self.live else { return };
        let slice = attempt.next_slice();
        let wanted = if attempt.decoded + slice.len() < attempt.pending.len() {
            Logits::None
        } else {
            Logits::Last
        };
        let outcome = match self.context.decode(slice, attempt.position, wanted) {
            Err(error) => Some(Outcome::Failed(error)),
            Ok(()) => {
                let decoded = slice.len();
                attempt.advance(decoded);
                if attempt.is_prefilling() { None } else { self.take_token() }
            }
        };
        if let Some(outcome) = outcome {
            self.end(outcome);
        }
    }

    /// Samples a token, hands out its text, and says whether the attempt is over.
    fn take_token(&mut self) -> Option<Outcome> {
        let attempt = self.live.as_mut()?;
        let logits = match self.context.logits() {
            Ok(logits) => logits,
            Err(error) => return Some(Outcome::Failed(error)),
        };
        let Ok(token) = attempt.sampler.draw(logits) else {
            return Some(Outcome::Failed(not_a_number(self.plan)));
        };
        attempt.count(1);
        if self.model.is_end(token) {
            return Some(Outcome::Done);
        }
        attempt.queue(token);
        let mut pieces = attempt.text.push(&self.model.piece(token));
        if attempt.must_close_thinking(self.close_thinking.len()) {
            attempt.count(self.close_thinking.len() as u32);
            attempt.figures.thinking_was_cut_off = true;
            self.close_thinking.iter().for_each(|&token| attempt.queue(token));
            pieces.extend(attempt.text.close_thinking());
            attempt.reserve_tokens = 0;
        }
        let outcome = if attempt.text.stopped() {
            Some(Outcome::Done)
        } else {
            (attempt.figures.completion_tokens >= attempt.budget_tokens).then_some(Outcome::Budget)
        };
        let job = attempt.job;
        self.tell_pieces(job, pieces);
        outcome
    }

    fn end(&mut self, outcome: Outcome) {
        let Some(mut attempt) = self.live.take() else { return };
        self.context.forget();
        self.tell_pieces(attempt.job, attempt.text.finish());
        self.tell(Event::Ended(attempt.job, outcome, attempt.figures));
    }

    fn tell_pieces(&self, job: JobId, pieces: Vec<Piece>) {
        pieces.into_iter().for_each(|piece| self.tell(Event::Piece(job, piece)));
    }

    fn tell(&self, event: Event) {
        // Fails only where the desk is gone; the loop then ends at its next look at the orders.
        let _ = self.events.send(event);
    }
}

impl Attempt {
    fn new(start: Start, model: &Model, context_tokens: u32) -> Attempt {
        let Start { job, question, prompt, asked } = start;
        let prompt_tokens = prompt.tokens.len() as u32;
        // The last token drawn is never decoded, so the context holds one less than is generated.
        let room = context_tokens.saturating_sub(prompt_tokens) + 1;
        let budget_tokens = question.budget_tokens.min(room);
        let ends_itself = question.ending == Ending::EndOfGeneration;
        let banned = if ends_itself { Vec::new() } else { model.end_tokens() };
        let mut sampler = Sampler::new(question.sampling, question.seed, banned);
        prompt.tokens.iter().for_each(|&token| sampler.saw(token));
        Attempt {
            job,
            pending: prompt.tokens,
            decoded: 0,
            position: 0,
            budget_tokens,
            reserve_tokens: if ends_itself { reserve_tokens(budget_tokens) } else { 0 },
            sampler,
            text: Text::new(prompt.part, question.stops.clone()),
            figures: Figures { prompt_tokens, ..Figures::default() },
            asked,
            started: Instant::now(),
            first_token: None,
        }
    }

    /// Returns the next tokens to decode: at most a ubatch of the prompt, or what was just drawn.
    fn next_slice(&self) -> &[Token] {
        let end = self.pending.len().min(self.decoded + limits::UBATCH_TOKENS as usize);
        &self.pending[self.decoded..end]
    }

    fn advance(&mut self, tokens: usize) {
        self.decoded += tokens;
        self.position += tokens as u32;
        if self.decoded == self.pending.len() {
            self.pending.clear();
            self.decoded = 0;
        }
    }

    fn is_prefilling(&self) -> bool {
        !self.pending.is_empty()
    }

    fn queue(&mut self, token: Token) {
        self.sampler.saw(token);
        self.pending.push(token);
    }

    /// Counts generated tokens for the part being written, and looks at the clock.
    fn count(&mut self, tokens: u32) {
        let now = Instant::now();
        let first = *self.first_token.get_or_insert(now);
        let figures = &mut self.figures;
        figures.prompt_seconds = (first - self.started).as_secs_f64();
        figures.first_token_seconds = (first - self.asked).as_secs_f64();
        figures.decode_seconds = (now - first).as_secs_f64();
        figures.completion_tokens += tokens;
        if self.text.part() == Part::Thinking {
            figures.thinking_tokens += tokens;
        }
    }

    /// Returns whether the budget left is what was kept back, with the thinking still open.
    fn must_close_thinking(&self, closing_tokens: usize) -> bool {
        let left = self.budget_tokens.saturating_sub(self.figures.completion_tokens);
        self.reserve_tokens as usize > closing_tokens
            && left <= self.reserve_tokens
            && self.text.part() == Part::Thinking
    }
}

/// Returns how many tokens of a budget are kept for the answer while the model is thinking.
fn reserve_tokens(budget_tokens: u32) -> u32 {
    limits::RESERVE_TOKENS_MAX.min(budget_tokens / 4)
}

/// Returns what the engine writes to end the thinking.
pub fn close_text() -> String {
    format!("\n{}\n\n", think::CLOSE)
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
    fn a_quarter_of_the_budget_is_kept_for_the_answer_up_to_512_tokens() {
        let budgets = [0, 3, 4, 64, 2_048, 2_052, 100_000];
        assert_eq!(budgets.map(reserve_tokens), [0, 0, 1, 16, 512, 512, 512]);
    }
}
