//! One attempt: its tokens, its text, and its end.
//!
//! An attempt is a list of tokens: its prompt, then each token drawn, and the end of the thinking
//! if the engine closes it. The cache holds a prefix of the list. Batches and other attempts are
//! unknown here; `run_loop` and `batch_builder` get the tokens decoded.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use super::cells::SequenceId;
use super::detokenizer::Detokenizer;
use super::draft::{Drafter, NgramTable};
use super::draws::Draw;
use super::llama::{Model, TextOrigin};
use super::protocol::{AdapterSetId, StartRequest};
use super::sample::{NotANumber, Sampler, Scratch, log_probability};
use super::{repetition, think};
use crate::types::answer::{AttemptProgress, Closing, Delta, Figures, Outcome, Part, Token};
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, Client, Ending, Question};
use crate::types::limits;

/// The beginning of an answer whose value is asked for in a box.
const BOX: &str = "**Final Answer**\n\\boxed{";

/// The model and its tokens that attempts need.
pub(crate) struct ModelTokens<'m> {
    model: &'m Model,
    /// `\n</think>\n\n`.
    close_thinking: Vec<Token>,
    /// [`BOX`].
    open_box: Vec<Token>,
    /// The tokens that end a generation.
    ends: Arc<[Token]>,
}

impl<'m> ModelTokens<'m> {
    pub(crate) fn new(model: &'m Model) -> ModelTokens<'m> {
        let close_thinking = model.tokenize(&close_text(), TextOrigin::Template);
        let open_box = model.tokenize(BOX, TextOrigin::User);
        ModelTokens { model, close_thinking, open_box, ends: model.end_tokens().into() }
    }

    /// Returns the wanted closing, or a shorter one if `left` tokens do not suffice for its own
    /// tokens and an answer.
    fn affordable_closing(&self, wanted: Closing, left: usize) -> Closing {
        let (tag, all) =
            (self.close_thinking.len(), self.open_box.len() + self.close_thinking.len());
        match wanted {
            Closing::TagAndBox if left >= all + limits::BOX_TOKENS_MIN => Closing::TagAndBox,
            Closing::TagAndBox | Closing::Tag if left > tag => Closing::Tag,
            _ => Closing::None,
        }
    }
}

/// One sampled chain of thought for a job.
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    pub(crate) client: Client,
    /// The prompt and everything after it; never shortened.
    pub(crate) tokens: Vec<Token>,
    pub(crate) drafter: Drafter,
    /// The sequence that holds its cells; `None` while it has none.
    pub(crate) sequence: Option<SequenceId>,
    pub(crate) is_parked: bool,
    /// How many of its first tokens the prefix cache should keep once they are decoded.
    pub(crate) prefix_tokens: usize,
    pub(crate) adapter_set: AdapterSetId,
    budget_tokens: u32,
    /// Tokens reserved for an answer while the thinking is open; 0 once the engine has closed it.
    reserve_tokens: u32,
    /// How the engine closes the thinking, if the budget allows.
    closing: Closing,
    sampler: Sampler,
    detokenizer: Detokenizer,
    /// The tokens and text since the last call of [`Attempt::take_delta`].
    delta: Delta,
    figures: Figures,
    /// Sum of the drawn tokens' log-probabilities; `None` if attempts are not compared.
    log_probabilities: Option<f64>,
    drawn_tokens: u32,
    asked: Instant,
    started: Instant,
    /// The time of the first token since the process was started.
    first_token: Option<Instant>,
    /// Seconds of decoding before the process was started.
    decode_seconds_before: f64,
}

impl Attempt {
    /// Starts a new attempt, or continues one that was interrupted by a restart, in a context of
    /// `context_tokens`. Returns the outcome if it had ended already.
    pub(crate) fn start(
        mut start: StartRequest,
        model_tokens: &ModelTokens,
        ngrams: &mut NgramTable,
        context_tokens: u32,
    ) -> (Attempt, Option<Outcome>) {
        let written = std::mem::take(&mut start.written);
        let mut attempt = Attempt::new(start, model_tokens, ngrams, context_tokens);
        let prompt_tokens = attempt.tokens.len();
        let outcome = attempt.replay(&written, model_tokens);
        attempt.drafter.extend(&attempt.tokens[prompt_tokens..], ngrams);
        (attempt, outcome)
    }

    fn new(
        start: StartRequest,
        model_tokens: &ModelTokens,
        ngrams: &mut NgramTable,
        context_tokens: u32,
    ) -> Attempt {
        let StartRequest { attempt, client, question, prompt, asked, written: _ } = start;
        let prompt_tokens = prompt.tokens.len() as u32;
        // The last token drawn is never decoded, so the context holds one fewer than is generated.
        let room = context_tokens.saturating_sub(prompt_tokens) + 1;
        let budget_tokens = question.budget_tokens.min(room);
        let may_end = question.ending == Ending::EndOfGeneration;
        let banned = if may_end { Arc::default() } else { model_tokens.ends.clone() };
        let seed = question.seed_of_attempt(attempt.number);
        let mut sampler = Sampler::new(question.sampling, seed, banned);
        prompt.tokens.iter().for_each(|&token| sampler.record(token));
        Attempt {
            id: attempt,
            client,
            drafter: Drafter::new(&prompt.tokens, ngrams),
            tokens: prompt.tokens.clone(),
            sequence: None,
            is_parked: false,
            prefix_tokens: prompt.prefix_tokens,
            adapter_set: prompt.adapter_set,
            budget_tokens,
            reserve_tokens: if may_end { reserve_tokens(budget_tokens) } else { 0 },
            closing: closing(&question),
            sampler,
            detokenizer: Detokenizer::new(prompt.part, question.stops.clone()),
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

    /// Replays the tokens drawn before the restart, leaving sampler and detokenizer in the state
    /// they were in; emits no text.
    fn replay(&mut self, written: &[Delta], model_tokens: &ModelTokens) -> Option<Outcome> {
        let Delta { taken, .. } = written.last()?;
        let mut outcome = None;
        for delta in written {
            for &token in &delta.tokens {
                if !model_tokens.model.has(token) {
                    return Some(Outcome::Failed(foreign_token()));
                }
                self.sampler.skip();
                outcome = self.append_drawn(token, model_tokens);
            }
            self.close_thinking(delta.closing, model_tokens);
        }
        self.delta = Delta::default();
        self.first_token = None;
        self.decode_seconds_before = taken.decode_seconds.into();
        self.figures.decode_seconds = self.decode_seconds_before;
        self.figures.prompt_seconds = taken.prompt_seconds.into();
        self.figures.first_token_seconds = taken.first_token_seconds.into();
        self.log_probabilities = self.log_probabilities.map(|_| taken.log_probability.into());
        outcome.or_else(|| self.outcome())
    }

    /// Draws the next token from its logits, sends it to `observer` and returns the outcome if the
    /// attempt has ended.
    ///
    /// # Errors
    /// As [`Sampler::draw`].
    pub(crate) fn sample_next(
        &mut self,
        logits: &[f32],
        model_tokens: &ModelTokens,
        scratch: &mut Scratch,
        observer: Option<&Sender<Draw>>,
    ) -> Result<Option<Outcome>, NotANumber> {
        let token = self.sampler.draw(logits, scratch)?;
        if let Some(observer) = observer {
            let runner_up = self.sampler.runner_up(logits, token, scratch);
            // Fails only if the observer is gone.
            let _ = observer.send(Draw { attempt: self.id, token, runner_up });
        }
        self.delta.tokens.push(token);
        if let Some(sum) = &mut self.log_probabilities {
            *sum += log_probability(logits, token);
        }
        if let Some(outcome) = self.append_drawn(token, model_tokens) {
            return Ok(Some(outcome));
        }
        if self.is_looping() {
            match self.detokenizer.part() {
                Part::Thinking => self.answer_now(),
                Part::Answer => return Ok(Some(Outcome::Budget)),
            }
        }
        if self.must_close_thinking() {
            let left = self.reserve_tokens.min(self.tokens_left()) as usize;
            self.delta.closing = model_tokens.affordable_closing(self.closing, left);
            self.close_thinking(self.delta.closing, model_tokens);
        }
        Ok(self.outcome())
    }

    /// Appends a drawn token and its text; returns the outcome if it ends the generation.
    fn append_drawn(&mut self, token: Token, model_tokens: &ModelTokens) -> Option<Outcome> {
        self.count(1);
        self.drawn_tokens += 1;
        if model_tokens.model.is_end(token) {
            return Some(Outcome::Done);
        }
        self.append(token);
        let pieces = self.detokenizer.push(&model_tokens.model.piece(token));
        self.delta.pieces.extend(pieces);
        None
    }

    /// Closes the thinking instead of the model.
    fn close_thinking(&mut self, closing: Closing, model_tokens: &ModelTokens) {
        if closing == Closing::None {
            return;
        }
        self.insert(&model_tokens.close_thinking);
        let pieces = self.detokenizer.close_thinking();
        self.delta.pieces.extend(pieces);
        if closing == Closing::TagAndBox {
            self.insert(&model_tokens.open_box);
            let pieces = self.detokenizer.push(BOX.as_bytes());
            self.delta.pieces.extend(pieces);
        }
        self.figures.thinking_was_cut_off = true;
        self.reserve_tokens = 0;
    }

    /// Returns the outcome, if the attempt has ended.
    fn outcome(&self) -> Option<Outcome> {
        if self.detokenizer.stopped() {
            return Some(Outcome::Done);
        }
        let is_spent = self.figures.completion_tokens >= self.budget_tokens;
        is_spent.then_some(Outcome::Budget)
    }

    /// Closes the thinking at the next token, if the attempt is thinking or starts to.
    pub(crate) fn answer_now(&mut self) {
        if !self.figures.thinking_was_cut_off {
            self.reserve_tokens = u32::MAX;
        }
    }

    /// Returns the tokens and text since the last call, if there are any.
    pub(crate) fn take_delta(&mut self) -> Option<Delta> {
        let Delta { tokens, pieces, closing, .. } = &self.delta;
        if tokens.is_empty() && pieces.is_empty() && *closing == Closing::None {
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

    /// Ends the attempt and returns its last delta, text that was held back included, and its
    /// figures.
    pub(crate) fn finish(mut self) -> (Option<Delta>, Figures) {
        let held_back = self.detokenizer.finish();
        self.delta.pieces.extend(held_back);
        let delta = self.take_delta();
        if let Some(sum) = self.log_probabilities {
            self.figures.mean_log_probability = sum / f64::from(self.drawn_tokens.max(1));
        }
        (delta, self.figures)
    }

    /// Returns how many of the first tokens a later question of the same conversation can reuse:
    /// only the prompt if the attempt was thinking, because chat templates omit the thinking of
    /// earlier turns.
    pub(crate) fn reusable_tokens(&self) -> usize {
        match self.figures.thinking_tokens {
            0 => self.tokens.len(),
            _ => self.figures.prompt_tokens as usize,
        }
    }

    /// Returns how many tokens of the budget are left.
    pub(crate) fn tokens_left(&self) -> u32 {
        self.budget_tokens.saturating_sub(self.figures.completion_tokens)
    }

    /// Appends tokens of the engine's own.
    fn insert(&mut self, tokens: &[Token]) {
        self.count(tokens.len() as u32);
        tokens.iter().for_each(|&token| self.append(token));
    }

    fn append(&mut self, token: Token) {
        self.sampler.record(token);
        self.tokens.push(token);
    }

    /// Counts generated tokens of the current part and updates the times.
    fn count(&mut self, tokens: u32) {
        let now = Instant::now();
        let figures = &mut self.figures;
        let has_drawn = self.drawn_tokens > 0;
        let first = *self.first_token.get_or_insert_with(|| {
            if has_drawn {
                // Measured before the process was restarted.
                return now;
            }
            figures.prompt_seconds = (now - self.started).as_secs_f64();
            figures.first_token_seconds = (now - self.asked).as_secs_f64();
            now
        });
        figures.decode_seconds = self.decode_seconds_before + (now - first).as_secs_f64();
        figures.completion_tokens += tokens;
        if self.detokenizer.part() == Part::Thinking {
            figures.thinking_tokens += tokens;
        }
    }

    /// Returns whether the thinking repeats itself, or the answer after a thinking that the engine
    /// closed. Only looks now and then.
    fn is_looping(&self) -> bool {
        let Figures { thinking_tokens, completion_tokens, .. } = self.figures;
        let tokens = match self.detokenizer.part() {
            Part::Thinking if self.reserve_tokens > 0 => thinking_tokens,
            Part::Answer if self.figures.thinking_was_cut_off => {
                completion_tokens - thinking_tokens
            }
            _ => return false,
        };
        tokens.is_multiple_of(limits::LOOP_CHECK_TOKENS)
            && repetition::is_looping(&self.tokens[self.tokens.len() - tokens as usize..])
    }

    /// Returns whether the thinking is open and only the reserve is left of the budget.
    fn must_close_thinking(&self) -> bool {
        self.tokens_left() <= self.reserve_tokens && self.detokenizer.part() == Part::Thinking
    }
}

/// Returns how the thinking of a question's attempts is closed. The box must not contain one of its
/// stop strings, or begin one.
fn closing(question: &Question) -> Closing {
    let ends_text =
        |stop: &String| BOX.contains(stop.as_str()) || think::undecided(BOX, [stop.as_str()]) > 0;
    match question.asks_for_box() && !question.stops.iter().any(ends_text) {
        true => Closing::TagAndBox,
        false => Closing::Tag,
    }
}

fn foreign_token() -> Error {
    let what = "the saved answer was produced by a different model";
    Error::new(Kind::BadModel, what, "Submit the question again.")
}

/// Returns how many tokens of a budget are reserved for the answer while the model is thinking.
fn reserve_tokens(budget_tokens: u32) -> u32 {
    limits::RESERVE_TOKENS_MAX.min(budget_tokens / 4)
}

/// Returns the text with which the engine closes the thinking.
pub(crate) fn close_text() -> String {
    format!("\n{}\n\n", think::CLOSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::job::{Role, Turn};
    use crate::types::mode::Modes;

    #[test]
    fn a_box_is_opened_unless_the_client_stops_at_a_part_of_it() {
        let mode = Modes::built_in().find("math").unwrap();
        let turns = vec![Turn { role: Role::User, text: "What is 2+2?".into() }];
        let mut question = Question::new(mode, turns, 1);
        assert_eq!(closing(&question), Closing::TagAndBox);
        for (stop, closes) in [
            ("\n", Closing::Tag),
            ("{5", Closing::Tag),
            ("END", Closing::TagAndBox),
            ("}", Closing::TagAndBox),
        ] {
            question.stops = vec![stop.into()];
            assert_eq!(closing(&question), closes, "{stop}");
        }
    }

    #[test]
    fn a_quarter_of_the_budget_up_to_512_tokens_is_reserved_for_the_answer() {
        let budgets = [0, 3, 4, 64, 2_048, 2_052, 100_000];
        assert_eq!(budgets.map(reserve_tokens), [0, 0, 1, 16, 512, 512, 512]);
    }
}
