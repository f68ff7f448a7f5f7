//! Makes the memory plan: chooses context size, sequences and KV cache type to fit the available
//! memory, or rejects a requirement with the figures and what would fit.
//!
//! `memory` computes the needs, `available` determines what is available.

use super::adapter::AdapterFile;
use super::memory::{RunConfig, memory};
use super::{Header, bad_model};
use crate::types::error::{Error, Kind};
use crate::types::kernels::KernelSet;
use crate::types::limits;
use crate::types::memory::{Bound, MIB, Room};
use crate::types::plan::{KvType, Pacing, Plan};

/// The requirements for a plan, from flags and settings.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequirements {
    /// Size of the KV cache in tokens; `None` for the maximum model and memory allow.
    pub context_tokens: Option<u32>,
    /// Number of sequences; `None` for as many as the context is large enough for.
    pub sequences: Option<u32>,
    /// Type of the KV cache; `None` for f16 if it fits, else q8_0.
    pub kv: Option<KvType>,
    /// The kernel set in use.
    pub kernels: &'static KernelSet,
    /// Number of threads; `None` for all physical cores.
    pub threads: Option<u32>,
    /// Longest question in tokens; `None` for a quarter of the context, at least 2,048.
    pub question_tokens_max: Option<u32>,
    /// How batches are composed.
    pub pacing: Pacing,
}

/// A plan, and the error if it does not fit.
#[derive(Debug)]
pub struct Judged {
    /// The chosen plan, or the one that was required and does not fit.
    pub plan: Plan,
    /// `no_memory` with the figures and the remedy, if the plan does not fit.
    pub refusal: Option<Error>,
}

/// The inputs of a plan; makes plans for different amounts of memory.
#[derive(Clone, Copy, Debug)]
pub struct Planner<'a> {
    header: &'a Header,
    adapters: &'a [AdapterFile],
    required: PlanRequirements,
    /// The context length the model was trained for.
    trained_tokens: u32,
}

impl<'a> Planner<'a> {
    /// Checks that the requirements are possible for this model and its adapters.
    ///
    /// # Errors
    /// `bad_model` if llama.cpp must not load the file; `bad_request` if the context exceeds the
    /// one the model was trained for, or the cache type does not suit its heads.
    pub fn new(
        header: &'a Header,
        adapters: &'a [AdapterFile],
        required: PlanRequirements,
    ) -> Result<Planner<'a>, Error> {
        if let Some(fault) = &header.fault {
            return Err(bad_model(&header.file, fault));
        }
        let trained_tokens = u32::try_from(header.shape.context_tokens).unwrap_or(u32::MAX);
        let planner = Planner { header, adapters, required, trained_tokens };
        let heads = [header.shape.key, header.shape.value];
        if required.kv.is_some_and(|kv| !planner.suits(kv)) {
            return Err(Error::bad_request(
                format!(
                    "--kv: q8_0 requires head sizes divisible by 32, this model's are {heads:?}"
                ),
                "Use --kv f16.",
            ));
        }
        if let Some(tokens) = required.context_tokens.filter(|&tokens| tokens > trained_tokens) {
            let trained = trained_tokens;
            return Err(Error::bad_request(
                format!(
                    "--context-tokens: {tokens} is too many, this model was trained for {trained}"
                ),
                format!("Use --context-tokens {trained} or less."),
            ));
        }
        Ok(planner)
    }

    /// Makes the plan for the available memory.
    ///
    /// For values that are not required, a longer context takes precedence over f16. A required
    /// value is used as it is, or the plan does not fit.
    pub fn judge(&self, room: &Room) -> Judged {
        let largest = self.trained_tokens.min(limits::CONTEXT_TOKENS_DEFAULT_MAX);
        let start = self.required.context_tokens.unwrap_or(largest);
        let sizes = match self.required.context_tokens {
            Some(tokens) => vec![tokens],
            None => sizes(largest).collect(),
        };
        let plans = sizes.into_iter().flat_map(|size| {
            let kinds = self.kinds().into_iter();
            kinds.map(move |kv| self.plan_at(size, kv, self.sequences(size)))
        });
        let fitting = plans.into_iter().find(|plan| fits(plan, room));
        match fitting {
            Some(plan) => Judged { plan, refusal: None },
            None => {
                // The smallest of the required plans is the closest to fitting.
                let kv = *self.kinds().last().unwrap_or(&KvType::F16);
                let plan = self.plan_at(start, kv, self.sequences(start));
                let refusal = Some(self.no_memory(&plan, room));
                Judged { plan, refusal }
            }
        }
    }

    /// Returns the largest context, in steps of 256 tokens and up to the one the model was trained
    /// for, that fits with this many sequences; `None` if none does.
    pub fn largest(&self, kv: KvType, sequences: u32, room: &Room) -> Option<u32> {
        let most = self.trained_tokens.min(limits::CONTEXT_TOKENS_MAX);
        let fits = |size| fits(&self.plan_at(size, kv, sequences), room);
        if !self.suits(kv) {
            return None;
        }
        if fits(most) {
            return Some(most);
        }
        // Memory grows with the context, so bisection finds the largest that fits.
        let step = limits::CONTEXT_STEP_TOKENS;
        let (mut fitting, mut failing) = (0, most.div_ceil(step));
        while failing - fitting > 1 {
            let middle = fitting.midpoint(failing);
            if fits(middle * step) {
                fitting = middle;
            } else {
                failing = middle;
            }
        }
        (fitting > 0).then_some(fitting * step)
    }

    fn suits(&self, kv: KvType) -> bool {
        let heads = [self.header.shape.key, self.header.shape.value];
        kv == KvType::F16 || heads.iter().all(|head| head.is_multiple_of(32))
    }

    /// Returns the cache types to try, the better one first.
    fn kinds(&self) -> Vec<KvType> {
        let all = [KvType::F16, KvType::Q8_0].into_iter();
        all.filter(|&kv| self.suits(kv) && self.required.kv.is_none_or(|required| required == kv))
            .collect()
    }

    fn sequences(&self, context_tokens: u32) -> u32 {
        self.required.sequences.unwrap_or_else(|| {
            let shares = context_tokens / limits::SEQUENCE_SHARE_TOKENS_MIN;
            let halves =
                std::iter::successors(Some(limits::SEQUENCES_DEFAULT_MAX), |n| Some(n / 2));
            halves.take_while(|&n| n > 0).find(|&n| n <= shares).unwrap_or(1)
        })
    }

    fn plan_at(&self, context_tokens: u32, kv: KvType, sequences: u32) -> Plan {
        let required = &self.required;
        let (kernels, threads) = (required.kernels, required.threads.unwrap_or_else(cores));
        let how = RunConfig { context_tokens, sequences, kv, kernels, threads };
        Plan {
            model: self.header.file.clone(),
            file_bytes: self.header.file_bytes,
            adapters: self.adapters.iter().map(|adapter| adapter.file.clone()).collect(),
            context_tokens,
            sequences,
            kv,
            memory: memory(self.header, self.adapters, &how),
            kernels,
            threads,
            decode_threads: threads,
            pacing: required.pacing,
            prefixes: None,
            question_tokens_max: required
                .question_tokens_max
                .unwrap_or_else(|| longest_question(context_tokens)),
        }
    }

    fn no_memory(&self, wanted: &Plan, room: &Room) -> Error {
        let mib = |bytes: u64| bytes.div_ceil(MIB);
        let memory = &wanted.memory;
        let what = format!(
            "{} needs {} MiB with a context of {} tokens in {} for {} ({} weights, {} KV cache, \
             {} buffers), {} MiB can be used ({})",
            wanted.model,
            mib(memory.total_bytes()),
            wanted.context_tokens,
            wanted.kv.name(),
            sequences(wanted.sequences),
            mib(memory.weights_bytes()),
            mib(memory.kv_bytes),
            mib(memory.buffers_bytes()),
            room.bytes / MIB,
            room.bound
        );
        Error::new(Kind::NoMemory, what, self.remedy(wanted, room))
    }

    /// Returns the largest number of sequences below the wanted one with which the plan fits.
    fn fewer(&self, wanted: &Plan, room: &Room) -> Option<u32> {
        let with = |count: u32| self.plan_at(wanted.context_tokens, wanted.kv, count);
        (1..wanted.sequences).rev().find(|&count| fits(&with(count), room))
    }

    /// Returns the remedy: another cache type, a smaller context, fewer sequences, or none of them.
    fn remedy(&self, wanted: &Plan, room: &Room) -> String {
        let same = |kv| fits(&self.plan_at(wanted.context_tokens, kv, wanted.sequences), room);
        if wanted.kv == KvType::F16 && self.suits(KvType::Q8_0) && same(KvType::Q8_0) {
            return "Use --kv q8_0, which fits.".into();
        }
        let f16 = self.largest(KvType::F16, wanted.sequences, room);
        let q8_0 = self.largest(KvType::Q8_0, wanted.sequences, room);
        let room_way = match &room.bound {
            Bound::Group(name) => format!(", or raise the memory limit of control group '{name}'"),
            Bound::AddressSpace => ", or raise `ulimit -v`".to_string(),
            Bound::Unknown | Bound::System => ", or free memory".to_string(),
            Bound::Given { .. } => String::new(),
        };
        match (f16, q8_0) {
            (Some(f16), Some(q8_0)) => {
                format!("Lower --context-tokens ({f16} fits in f16, {q8_0} in q8_0){room_way}.")
            }
            (Some(n), None) | (None, Some(n)) => {
                format!("Lower --context-tokens ({n} fits){room_way}.")
            }
            // Each sequence has its own row of logits, which is large with a large vocabulary.
            (None, None) => match self.fewer(wanted, room) {
                Some(n) => format!("Use --sequences {n}, which fits{room_way}."),
                None => format!("Use a smaller model or quantization (Q4){room_way}."),
            },
        }
    }
}

/// Makes a plan for a model, its adapters, and the available memory.
///
/// # Errors
/// Those of [`Planner::new`]; `no_memory` with the figures and what would fit.
pub fn plan(
    header: &Header,
    adapters: &[AdapterFile],
    required: PlanRequirements,
    room: &Room,
) -> Result<Plan, Error> {
    let Judged { plan, refusal } = Planner::new(header, adapters, required)?.judge(room);
    refusal.map_or(Ok(plan), Err)
}

fn fits(plan: &Plan, room: &Room) -> bool {
    plan.memory.total_bytes() <= room.bytes
}

/// Returns the context sizes to try: the largest, then all smaller ones in whole steps.
fn sizes(largest: u32) -> impl Iterator<Item = u32> {
    let step = limits::CONTEXT_STEP_TOKENS;
    let smaller = (limits::CONTEXT_TOKENS_MIN / step..largest.div_ceil(step)).rev();
    std::iter::once(largest).chain(smaller.map(move |steps| steps * step))
}

/// Formats a number of sequences, such as `1 sequence` or `4 sequences`.
pub fn sequences(count: u32) -> String {
    format!("{count} sequence{}", if count == 1 { "" } else { "s" })
}

/// Returns the default number of threads of a pass: all physical cores, up to the limit.
pub fn cores() -> u32 {
    super::cores::physical().min(limits::THREADS_MAX)
}

/// Returns the longest question in a context, both in tokens, unless the owner chooses another.
fn longest_question(context_tokens: u32) -> u32 {
    (context_tokens / limits::QUESTION_CONTEXT_PART)
        .clamp(limits::QUESTION_TOKENS_DEFAULT_MIN, limits::QUESTION_TOKENS_CEILING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_question_is_a_quarter_of_the_context_within_bounds() {
        let contexts = [1_024, 8_192, 16_384, 40_960, 1_000_000];
        assert_eq!(contexts.map(longest_question), [2_048, 2_048, 4_096, 10_240, 32_768]);
    }

    #[test]
    fn contexts_are_tried_from_the_largest_down_in_whole_steps() {
        assert_eq!(sizes(1024).collect::<Vec<_>>(), [1024, 768, 512, 256]);
        assert_eq!(sizes(700).collect::<Vec<_>>(), [700, 512, 256]);
        assert_eq!(sizes(256).collect::<Vec<_>>(), [256]);
        assert_eq!(sizes(100).collect::<Vec<_>>(), [100], "a model that was trained for less");
    }
}
