//! One attempt: its tokens, its text, and when it is over.
//!
//! An attempt is a list of tokens, of which the cache holds the first so many: its prompt, then
//! each token as it is drawn, and the end of the thinking where the engine closes it. It knows
//! nothing of batches and of other attempts; where its tokens are decoded is `run_loop`'s business.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use super::adapter_sets::AdapterSetId;
use super::cells::Sequence;
use super::draft::{Drafter, NgramTable};
use super::llama::{Model, Written};
use super::observe::Draw;
use super::sample::{NotANumber, Sampler, Scratch, log_probability};
use super::detokenizer::Detokenizer;
use super::{Start, Token, think};
use crate::types::answer::{AttemptProgress, Delta, Figures, Outcome, Part};
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, Client, Ending};
use crate::types::limits;

/// What attempts need of the model, made once.
pub struct ModelTokens<'m> {
    model: &'m Model,
    /// `\n</think>\n\n`.
    close_thinking: Vec<Token>,
    /// Tokens that end a generation.
    ends: Arc<[Token]>,
}

impl<'m> ModelTokens<'m> {
    /// Asks the model.
    pub fn new(model: &'m Model) -> ModelTokens<'m> {
        let close_thinking = model.tokenize(&close_text(), Written::ByTemplate);
        ModelTokens { model, close_thinking, ends: model.end_tokens().into() }
    }
}

/// One sampled chain of thought for a job.
pub struct Attempt {
    /// Which.
    pub id: AttemptId,
    /// Whose.
    pub client: Client,
    /// The prompt and all that came after it; never shortened.
    pub tokens: Vec<Token>,
    /// Guesses what it writes next.
    pub drafter: Drafter,
    /// Its place in the cache; none while it has no cells.
    pub sequence: Option<Sequence>,
    /// Whether it waits for another turn.
    pub is_parked: bool,
    /// How many of its first tokens are to be kept for its mode, once they are decoded.
    pub prefix_tokens: usize,
    /// The adapters it is computed with.
    pub adapter_set: AdapterSetId,
    budget_tokens: u32,
    /// Tokens kept back for an answer while the thinking is open; 0 once closed by the engine.
    reserve_tokens: u32,
    sampler: Sampler,
    text: Detokenizer,
    /// What it gained and did not hand out yet.
    delta: Delta,
    figures: Figures,
    /// Sum of the drawn tokens' log-probabilities; only where attempts are compared.
    log_probabilities: Option<f64>,
    drawn_tokens: u32,
    asked: Instant,
    started: Instant,
    /// When its first token of this life of the box came.
    first_token: Option<Instant>,
    /// Seconds of decoding before that.
    decode_seconds_before: f64,
}

impl Attempt {
    /// Begins one, or goes on with one; `context_tokens` is all the room there is. Says how it
    /// ended where all of it was written already.
    pub fn begin(
        mut start: Start,
        model_tokens: &ModelTokens,
        table: &mut NgramTable,
        context_tokens: u32,
    ) -> (Attempt, Option<Outcome>) {
        let written = std::mem::take(&mut start.written);
        let mut attempt = Attempt::new(start, model_tokens, table, context_tokens);
        let prompt_tokens = attempt.tokens.len();
        let outcome = attempt.go_on(&written, model_tokens);
        attempt.drafter.extend(&attempt.tokens[prompt_tokens..], table);
        (attempt, outcome)
    }

    fn new(
        start: Start,
        model_tokens: &ModelTokens,
        table: &mut NgramTable,
        context_tokens: u32,
    ) -> Attempt {
        let Start { attempt, client, question, prompt, asked, written: _ } = start;
        let prompt_tokens = prompt.tokens.len() as u32;
        // The last token drawn is never decoded, so the context holds one less than is generated.
        let room = context_tokens.saturating_sub(prompt_tokens) + 1;
        let budget_tokens = question.budget_tokens.min(room);
        let ends_itself = question.ending == Ending::EndOfGeneration;
        let banned = if ends_itself { Arc::default() } else { model_tokens.ends.clone() };
        let seed = question.seed_of_attempt(attempt.number);
        let mut sampler = Sampler::new(question.sampling, seed, banned);
        prompt.tokens.iter().for_each(|&token| sampler.saw(token));
        Attempt {
            id: attempt,
            client,
            drafter: Drafter::new(&prompt.tokens, table),
            tokens: prompt.tokens.clone(),
            sequence: None,
            is_parked: false,
            prefix_tokens: prompt.prefix_tokens,
            adapter_set: prompt.adapter_set,
            budget_tokens,
            reserve_tokens: if ends_itself { reserve_tokens(budget_tokens) } else { 0 },
            sampler,
            text: Detokenizer::new(prompt.part, question.stops.clone()),
            delta: Delta::default(),
            figures: Figures { prompt_tokens, ..Figures::default() },
            log_probabilities: question.is_voted().then_some(0.0),
            drawn_tokens: 0,
            asked,
            started: Instant::now(),
            first_token: None,
            decode_seconds_before: 0.0,
        }
    }

    /// Follows the tokens it drew before the box was stopped, whose text is known already, to the
    /// very state it was in.
    fn go_on(&mut self, written: &[Delta], model_tokens: &ModelTokens) -> Option<Outcome> {
        let Delta { taken, .. } = written.last()?;
        let mut outcome = None;
        for delta in written {
            for &token in &delta.tokens {
                if !model_tokens.model.has(token) {
                    return Some(Outcome::Failed(foreign_token()));
                }
                self.sampler.skip();
                outcome = self.follow(token, model_tokens);
            }
            if delta.closed_thinking {
                self.close_thinking(model_tokens);
            }
        }
        self.delta = Delta::default();
        self.first_token = None;
        self.decode_seconds_before = taken.decode_seconds.into();
        self.figures.decode_seconds = self.decode_seconds_before;
        self.figures.prompt_seconds = taken.prompt_seconds.into();
        self.figures.first_token_seconds = taken.first_token_seconds.into();
        self.log_probabilities = self.log_probabilities.map(|_| taken.log_probability.into());
        outcome.or_else(|| self.is_over())
    }

    /// Draws the next token from its logits, reports it to `observer` and returns how the attempt
    /// ended, if it did.
    ///
    /// # Errors
    /// [`NotANumber`], as [`Sampler::draw`].
    pub fn take(
        &mut self,
        logits: &[f32],
        model_tokens: &ModelTokens,
        scratch: &mut Scratch,
        observer: Option<&Sender<Draw>>,
    ) -> Result<Option<Outcome>, NotANumber> {
        let token = self.sampler.draw(logits, scratch)?;
        if let Some(observer) = observer {
            let runner_up = self.sampler.runner_up(logits, token, scratch);
            // Fails only where the observer is gone.
            let _ = observer.send(Draw { attempt: self.id, token, runner_up });
        }
        self.delta.tokens.push(token);
        if let Some(sum) = &mut self.log_probabilities {
            *sum += log_probability(logits, token);
        }
        if let Some(outcome) = self.follow(token, model_tokens) {
            return Ok(Some(outcome));
        }
        if self.must_close_thinking(model_tokens.close_thinking.len()) {
            self.delta.closed_thinking = true;
            self.close_thinking(model_tokens);
        }
        Ok(self.is_over())
    }

    /// Takes a token that was drawn; says so where it is the end.
    fn follow(&mut self, token: Token, model_tokens: &ModelTokens) -> Option<Outcome> {
        self.count(1);
        self.drawn_tokens += 1;
        if model_tokens.model.is_end(token) {
            return Some(Outcome::Done);
        }
        self.add(token);
        let pieces = self.text.push(&model_tokens.model.piece(token));
        self.delta.pieces.extend(pieces);
        None
    }

    /// Ends the thinking in the model's place.
    fn close_thinking(&mut self, model_tokens: &ModelTokens) {
        self.count(model_tokens.close_thinking.len() as u32);
        model_tokens.close_thinking.iter().for_each(|&token| self.add(token));
        let pieces = self.text.close_thinking();
        self.delta.pieces.extend(pieces);
        self.figures.thinking_was_cut_off = true;
        self.reserve_tokens = 0;
    }

    /// Says how it is over, if it is.
    fn is_over(&self) -> Option<Outcome> {
        if self.text.stopped() {
            return Some(Outcome::Done);
        }
        let is_spent = self.figures.completion_tokens >= self.budget_tokens;
        is_spent.then_some(Outcome::Budget)
    }

    /// Has it end its thinking at its next token, if it is thinking or begins to.
    pub fn answer_now(&mut self) {
        if !self.figures.thinking_was_cut_off {
            self.reserve_tokens = u32::MAX;
        }
    }

    /// Returns what it gained since the last call, if it gained anything.
    pub fn gained(&mut self) -> Option<Delta> {
        let Delta { tokens, pieces, closed_thinking, .. } = &self.delta;
        if tokens.is_empty() && pieces.is_empty() && !closed_thinking {
            return None;
        }
        let mut delta = std::mem::take(&mut self.delta);
        delta.taken = AttemptProgress {
            prompt_seconds: self.figures.prompt_seconds as f32,
            first_token_seconds: self.figures.first_token_seconds as f32,
            decode_seconds: self.figures.decode_seconds as f32,
            log_probability: self.log_probabilities.unwrap_or(0.0) as f32,
        };
        Some(delta)
    }

    /// Ends it: returns what it gained since, text that was held back included, and what it took.
    pub fn finish(mut self) -> (Option<Delta>, Figures) {
        let held_back = self.text.finish();
        self.delta.pieces.extend(held_back);
        let delta = self.gained();
        if let Some(sum) = self.log_probabilities {
            self.figures.mean_log_probability = sum / f64::from(self.drawn_tokens.max(1));
        }
        (delta, self.figures)
    }

    /// Returns how many tokens of the prompt and of an answer without thinking may serve another
    /// question: chat templates leave thinking out of what came before.
    pub fn lasting_tokens(&self) -> usize {
        match self.figures.thinking_tokens {
            0 => self.tokens.len(),
            _ => self.figures.prompt_tokens as usize,
        }
    }

    /// Returns how many tokens of the budget are left.
    pub fn tokens_left(&self) -> u32 {
        self.budget_tokens.saturating_sub(self.figures.completion_tokens)
    }

    fn add(&mut self, token: Token) {
        self.sampler.saw(token);
        self.tokens.push(token);
    }

    /// Counts generated tokens for the part being written, and looks at the clock.
    fn count(&mut self, tokens: u32) {
        let now = Instant::now();
        let figures = &mut self.figures;
        let has_drawn = self.drawn_tokens > 0;
        let first = *self.first_token.get_or_insert_with(|| {
            if has_drawn {
                // In an earlier life of the box, which measured these.
                return now;
            }
            figures.prompt_seconds = (now - self.started).as_secs_f64();
            figures.first_token_seconds = (now - self.asked).as_secs_f64();
            now
        });
        figures.decode_seconds = self.decode_seconds_before + (now - first).as_secs_f64();
        figures.completion_tokens += tokens;
        if self.text.part() == Part::Thinking {
            figures.thinking_tokens += tokens;
        }
    }

    /// Returns whether the budget left is what was kept back, with the thinking still open.
    fn must_close_thinking(&self, closing_tokens: usize) -> bool {
        // The thinking may have begun so late that closing it would leave nothing for an answer.
        self.reserve_tokens.min(self.tokens_left()) as usize > closing_tokens
            && self.tokens_left() <= self.reserve_tokens
            && self.text.part() == Part::Thinking
    }
}

fn foreign_token() -> Error {
    Error::new(Kind::BadModel, "what was kept of this answer is not of this model", "Ask again.")
}

/// Returns how many tokens of a budget are kept for the answer while the model is thinking.
fn reserve_tokens(budget_tokens: u32) -> u32 {
    limits::RESERVE_TOKENS_MAX.min(budget_tokens / 4)
}

/// Returns what the engine writes to end the thinking.
pub fn close_text() -> String {
    format!("\n{}\n\n", think::CLOSE)
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
