//! Times single passes over the weights, for `bench` and `tune`.
//!
//! The cache is set up by hand: no question, no sampling, no drafts, so that what is timed is what
//! llama.cpp takes for a pass and nothing else. Which passes, and what the times mean, is the
//! commands' business.

use std::time::Instant;

use super::Token;
use super::llama::{Backend, Batch, Context, Model, SequenceId};
use crate::types::error::Error;
use crate::types::limits;
use crate::types::plan::Plan;

/// Seconds that are measured at least: the passes of a small model are over before the processor
/// has reached its speed.
const LEAST_SECONDS: f64 = 0.2;

/// How long something is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Passes that count; more where they are over in no time, fewer where the seconds are.
    pub passes: usize,
    /// Seconds after which no further pass begins.
    pub seconds: f64,
}

/// A loaded model and an empty context to be timed.
pub struct Bench<'m> {
    context: Context<'m>,
    plan: &'m Plan,
    /// Threads of every pass; those of the plan where there are none.
    threads: Option<u32>,
    batch: Batch,
    vocabulary_tokens: usize,
    /// Tokens that sequence 0 holds, with which all others begin.
    depth: u32,
}

/// Loads the plan's model and has `work` time it.
///
/// Blocks. llama.cpp runs once at a time: no engine may be running.
///
/// # Errors
/// Those of loading, and those of `work`.
pub fn timed<T>(
    plan: &Plan,
    work: impl FnOnce(&mut Bench<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let backend = Backend::start(plan.kernels)?;
    let model = Model::load(&backend, plan, |_| true)?;
    work(&mut Bench {
        context: Context::new(&backend, &model, plan)?,
        plan,
        threads: None,
        batch: Batch::default(),
        vocabulary_tokens: model.vocabulary_tokens(),
        depth: 0,
    })
}

impl Bench<'_> {
    /// Has every later pass use `threads` threads, 1 to the plan's.
    pub fn use_threads(&mut self, threads: u32) {
        self.threads = Some(threads.clamp(1, self.plan.threads));
    }

    /// Has every later pass go on after `depth` tokens, which must fit into the context with what
    /// the pass decodes. What is held already is not decoded again.
    ///
    /// # Errors
    /// Those of [`Context::decode`].
    pub fn fill(&mut self, depth: u32) -> Result<(), Error> {
        self.depth = self.depth.min(depth);
        self.context.truncate(0, self.depth as usize);
        while self.depth < depth {
            let slice = (depth - self.depth).min(limits::UBATCH_TOKENS);
            self.decode((0..slice).map(|offset| (0, offset, false)))?;
            self.depth += slice;
        }
        Ok(())
    }

    /// Returns the median seconds of a pass with one token of each of `sequences` sequences, at
    /// most the plan's. They share what is before it.
    ///
    /// # Errors
    /// Those of [`Context::decode`].
    pub fn side_by_side(&mut self, sequences: u32, effort: Effort) -> Result<f64, Error> {
        let ids = 0..sequences as SequenceId;
        for id in ids.clone().skip(1) {
            self.context.share(0, id, self.depth as usize);
        }
        let seconds = self.median(effort, || ids.clone().map(|id| (id, 0, true)));
        for id in ids.skip(1) {
            self.context.truncate(id, 0);
        }
        seconds
    }

    /// Returns the median seconds of a pass with `tokens` tokens of one prompt, at most
    /// [`limits::UBATCH_TOKENS`].
    ///
    /// # Errors
    /// Those of [`Context::decode`].
    pub fn slice(&mut self, tokens: u32, effort: Effort) -> Result<f64, Error> {
        self.median(effort, || (0..tokens).map(|offset| (0, offset, offset + 1 == tokens)))
    }

    /// Makes the same pass again and again. The first counts only where there is time for no other:
    /// it makes the graph which the others find made.
    fn median<I: Iterator<Item = (SequenceId, u32, bool)>>(
        &mut self,
        effort: Effort,
        pass: impl Fn() -> I,
    ) -> Result<f64, Error> {
        let began = Instant::now();
        let mut times = Vec::new();
        loop {
            let passed = began.elapsed().as_secs_f64();
            let has_enough = times.len() > effort.passes && passed >= LEAST_SECONDS;
            if has_enough || (passed >= effort.seconds && !times.is_empty()) {
                break;
            }
            times.push(self.decode(pass())?);
            for (id, _, _) in pass() {
                self.context.truncate(id, self.depth as usize);
            }
        }
        let counted = if times.len() > 1 { &mut times[1..] } else { &mut times[..] };
        counted.sort_by(f64::total_cmp);
        Ok(counted[counted.len() / 2])
    }

    /// Decodes tokens, each of a sequence and so many after the depth, with or without logits, and
    /// returns the seconds that took.
    fn decode(
        &mut self,
        tokens: impl Iterator<Item = (SequenceId, u32, bool)>,
    ) -> Result<f64, Error> {
        self.batch.clear();
        for (id, offset, wanted) in tokens {
            let position = self.depth + offset;
            // Any tokens will do, but not the same one everywhere: experts would have favourites.
            let token = (position as usize * 7_919 + id as usize) % self.vocabulary_tokens.max(1);
            self.batch.push(token as Token, position, id, wanted);
        }
        let threads = self.threads.unwrap_or_else(|| self.plan.threads_for(self.batch.len()));
        self.context.use_threads(threads);
        let began = Instant::now();
        self.context.decode(&self.batch)?;
        Ok(began.elapsed().as_secs_f64())
    }
}
