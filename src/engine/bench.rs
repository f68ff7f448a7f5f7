//! Times single passes over the weights, for `bench` and `tune`.
//!
//! There is no question, no sampling and no draft, so only llama.cpp's passes are timed. The
//! commands choose the passes and interpret the times.

use std::time::Instant;

use super::llama::{Backend, Batch, Context, LlamaSequence, Model};
use crate::types::answer::Token;
use crate::types::error::Error;
use crate::types::limits;
use crate::types::plan::Plan;

/// The shortest measurement in seconds: the passes of a small model end before the CPU has reached
/// its full clock.
const MEASURE_SECONDS_MIN: f64 = 0.2;

/// How long a measurement may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Passes to count; short passes are repeated more often, and `seconds` may end them earlier.
    pub passes: usize,
    /// Seconds after which no further pass begins.
    pub seconds: f64,
}

/// Times passes of a loaded model, in a context of its own.
pub struct PassTimer<'m> {
    context: Context<'m>,
    plan: &'m Plan,
    /// Threads of every pass; `None` for the plan's.
    threads: Option<u32>,
    batch: Batch,
    vocabulary_tokens: usize,
    /// Tokens of the first sequence, which all others share.
    depth: u32,
}

/// Loads the plan's model and lets `work` time its passes.
///
/// Blocks. No engine may be running: a process runs llama.cpp once at a time.
///
/// # Errors
/// If the model cannot be loaded, and those of `work`.
pub fn timed<T>(
    plan: &Plan,
    work: impl FnOnce(&mut PassTimer<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let backend = Backend::start(plan.kernels)?;
    let model = Model::load(&backend, plan, |_| true)?;
    work(&mut PassTimer {
        context: Context::new(&backend, &model, plan)?,
        plan,
        threads: None,
        batch: Batch::default(),
        vocabulary_tokens: model.vocabulary_tokens(),
        depth: 0,
    })
}

impl PassTimer<'_> {
    /// Sets the threads of later passes, from 1 to the plan's number.
    pub fn use_threads(&mut self, threads: u32) {
        self.threads = Some(threads.clamp(1, self.plan.threads));
    }

    /// Makes later passes continue after `depth` tokens, which must fit into the context together
    /// with the tokens of a pass. Tokens in the cache are not decoded again.
    ///
    /// # Errors
    /// `internal` if llama.cpp rejects a batch.
    pub fn fill(&mut self, depth: u32) -> Result<(), Error> {
        self.depth = self.depth.min(depth);
        self.context.truncate(LlamaSequence::FIRST, self.depth as usize);
        while self.depth < depth {
            let slice = (depth - self.depth).min(limits::UBATCH_TOKENS);
            self.decode((0..slice).map(|offset| (LlamaSequence::FIRST, offset, false)))?;
            self.depth += slice;
        }
        Ok(())
    }

    /// Returns the median seconds of a pass with one token of each of `sequences` sequences, at
    /// most the plan's number. They share the tokens before it.
    ///
    /// # Errors
    /// `internal` if llama.cpp rejects a batch.
    pub fn side_by_side(&mut self, sequences: u32, effort: Effort) -> Result<f64, Error> {
        let numbers = (0..sequences as usize).map(LlamaSequence::new);
        for other in numbers.clone().skip(1) {
            self.context.share(LlamaSequence::FIRST, other, self.depth as usize);
        }
        let seconds = self.median(effort, || numbers.clone().map(|number| (number, 0, true)));
        for other in numbers.skip(1) {
            self.context.truncate(other, 0);
        }
        seconds
    }

    /// Returns the median seconds of a pass with `tokens` tokens of one prompt, at most
    /// [`limits::UBATCH_TOKENS`].
    ///
    /// # Errors
    /// `internal` if llama.cpp rejects a batch.
    pub fn slice(&mut self, tokens: u32, effort: Effort) -> Result<f64, Error> {
        let last = tokens.saturating_sub(1);
        self.median(effort, || {
            (0..tokens).map(move |offset| (LlamaSequence::FIRST, offset, offset == last))
        })
    }

    /// Repeats a pass and returns its median seconds. The first one counts only if there is no time
    /// for another, because it builds the graph that the others reuse.
    fn median<I: Iterator<Item = (LlamaSequence, u32, bool)>>(
        &mut self,
        effort: Effort,
        pass: impl Fn() -> I,
    ) -> Result<f64, Error> {
        let began = Instant::now();
        let mut times = Vec::new();
        loop {
            let passed = began.elapsed().as_secs_f64();
            let has_enough = times.len() > effort.passes && passed >= MEASURE_SECONDS_MIN;
            if has_enough || (passed >= effort.seconds && !times.is_empty()) {
                break;
            }
            times.push(self.decode(pass())?);
            for (sequence, _, _) in pass() {
                self.context.truncate(sequence, self.depth as usize);
            }
        }
        let counted = if times.len() > 1 { &mut times[1..] } else { &mut times[..] };
        counted.sort_by(f64::total_cmp);
        Ok(counted[counted.len() / 2])
    }

    /// Decodes tokens, given as sequence, offset after the depth and whether logits are wanted, and
    /// returns the seconds it took.
    fn decode(
        &mut self,
        tokens: impl Iterator<Item = (LlamaSequence, u32, bool)>,
    ) -> Result<f64, Error> {
        self.batch.clear();
        for (sequence, offset, wanted) in tokens {
            let position = self.depth + offset;
            // Arbitrary but different tokens: equal ones would all select the same experts.
            let row = self.batch.len();
            let token = (position as usize * 7_919 + row) % self.vocabulary_tokens.max(1);
            self.batch.push(Token(token as i32), position, sequence, wanted);
        }
        let threads = self.threads.unwrap_or_else(|| self.plan.threads_for(self.batch.len()));
        self.context.use_threads(threads);
        let began = Instant::now();
        self.context.decode(&self.batch)?;
        Ok(began.elapsed().as_secs_f64())
    }
}
