//! Makes the memory plan from a header: what the weights, the KV cache and a pass will hold.
//!
//! The context is chosen to fit the memory there is, or a wish that does not fit is refused with
//! the numbers and what would fit. The estimate of the compute buffers is from above.

use super::adapter::Adapter;
use super::{Header, bad_model};
use crate::words::error::{Error, Kind};
use crate::words::kernels::KernelSet;
use crate::words::limits;
use crate::words::plan::{KvType, Plan};

/// What the owner asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Tokens of KV cache; `None` takes what the model and the memory allow.
    pub context_tokens: Option<u32>,
    /// Type of the KV cache.
    pub kv: KvType,
    /// The kernels that will compute.
    pub kernels: &'static KernelSet,
    /// Threads; `None` takes all cores.
    pub threads: Option<u32>,
    /// Longest question in tokens.
    pub question_tokens_max: u32,
}

const MIB: u64 = 1 << 20;

/// Plans for a model, an adapter if there is one, and `available_bytes` of memory.
///
/// # Errors
/// `bad_model` where llama.cpp must not be given the file;
/// `no_memory` with the numbers and a context that fits, if one does; `bad_request` where more
/// context is wished than the model was trained for.
pub fn plan(
    header: &Header,
    adapter: Option<&Adapter>,
    wishes: Wishes,
    available_bytes: u64,
) -> Result<Plan, Error> {
    if let Some(fault) = &header.fault {
        return Err(bad_model(&header.file, fault));
    }
    let heads = [header.shape.key, header.shape.value];
    if wishes.kv == KvType::Q8_0 && heads.iter().any(|head| !head.is_multiple_of(32)) {
        return Err(Error::bad_request(
            format!("--kv: q8_0 needs heads of 32, 64, … elements, this model's have {heads:?}"),
            "Use --kv f16.",
        ));
    }
    let trained = u32::try_from(header.shape.context_tokens).unwrap_or(u32::MAX);
    if let Some(tokens) = wishes.context_tokens.filter(|&tokens| tokens > trained) {
        return Err(Error::bad_request(
            format!("--context-tokens: {tokens} is too many, this model was trained for {trained}"),
            format!("Use --context-tokens {trained} or less."),
        ));
    }
    let at = |context_tokens| plan_at(header, adapter, wishes, context_tokens);
    let largest = trained.min(limits::CONTEXT_TOKENS_DEFAULT_MAX);
    let start = wishes.context_tokens.unwrap_or(largest);
    // Halves until it fits: 40,960, 20,480, … A wish is taken or refused as it is.
    let sizes = std::iter::successors(Some(start), |n| Some(n / 2))
        .take_while(|&n| n >= limits::CONTEXT_TOKENS_MIN.min(start));
    let fitting = sizes.map(at).find(|plan| plan.total_bytes() <= available_bytes);
    match (fitting, wishes.context_tokens) {
        (Some(plan), None) => Ok(plan),
        (Some(plan), Some(wish)) if plan.context_tokens == wish => Ok(plan),
        (fitting, _) => Err(no_memory(&at(start), fitting.as_ref(), available_bytes)),
    }
}

fn plan_at(
    header: &Header,
    adapter: Option<&Adapter>,
    wishes: Wishes,
    context_tokens: u32,
) -> Plan {
    let head = header.tensors.iter().find(|t| t.name == "token_embd.weight");
    let tied_twice = head.filter(|t| header.is_tied() && wishes.kernels.repacks(t.kind.name));
    let weights: u64 = header.tensors.iter().map(|t| t.bytes).sum();
    let shape = &header.shape;
    // llama.cpp rounds the cache up to 256 cells.
    let cells = u64::from(context_tokens).next_multiple_of(256);
    let kv_bytes = shape.layers
        * (wishes.kv.bytes(cells * shape.kv_heads * shape.key)
            + wishes.kv.bytes(cells * shape.kv_heads * shape.value));
    Plan {
        model: header.file.clone(),
        file_bytes: header.file_bytes,
        adapter: adapter.map(|adapter| adapter.file.clone()),
        weights_bytes: weights
            + tied_twice.map_or(0, |t| t.bytes)
            + adapter.map_or(0, |adapter| adapter.bytes),
        context_tokens,
        kv: wishes.kv,
        kv_bytes,
        compute_bytes: compute_bytes(header),
        kernels: wishes.kernels,
        threads: wishes.threads.unwrap_or_else(cores),
        question_tokens_max: wishes.question_tokens_max,
    }
}

/// Activations of one ubatch and one row of logits in 32-bit floats, the vocabulary's tables, and
/// the program.
fn compute_bytes(header: &Header) -> u64 {
    let shape = &header.shape;
    let rows = u64::from(limits::UBATCH_TOKENS);
    let attention = shape.heads * (shape.key + shape.value) * 2;
    let floats = rows * (8 * shape.hidden + 4 * shape.feed_forward + attention);
    (floats + 4 * header.tokenizer.tokens) * 4 + header.tokenizer.tokens * 200 + 24 * MIB
}

/// Returns the threads a pass uses where nobody says otherwise.
pub fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    cores.min(limits::THREADS_MAX)
}

fn no_memory(wanted: &Plan, fitting: Option<&Plan>, available_bytes: u64) -> Error {
    let remedy = match (fitting, wanted.kv) {
        (Some(plan), KvType::F16) => {
            format!("Lower --context-tokens ({} fits), or use --kv q8_0.", plan.context_tokens)
        }
        (Some(plan), KvType::Q8_0) => {
            format!("Lower --context-tokens ({} fits).", plan.context_tokens)
        }
        (None, _) => "Use a smaller model or quantization (Q4), or free memory.".to_string(),
    };
    Error::new(
        Kind::NoMemory,
        format!(
            "{} needs {} MiB with a context of {} tokens ({} weights, {} KV cache, {} \
             buffers), {} MiB can be used",
            wanted.model,
            wanted.total_bytes().div_ceil(MIB),
            wanted.context_tokens,
            wanted.weights_bytes.div_ceil(MIB),
            wanted.kv_bytes.div_ceil(MIB),
            wanted.compute_bytes.div_ceil(MIB),
            available_bytes / MIB
        ),
        remedy,
    )
}

/// Returns the memory that can be used now: `MemAvailable` of `/proc/meminfo`, in bytes.
///
/// Where that cannot be read, nothing is known and everything is admitted.
pub fn available_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    parse_available(&text).unwrap_or(u64::MAX)
}

fn parse_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_from_meminfo() {
        let text = "MemTotal:  100 kB\nMemAvailable:   2048 kB\nBuffers: 3 kB\n";
        assert_eq!(parse_available(text), Some(2_097_152));
        assert_eq!(parse_available("nothing"), None);
        assert!(available_bytes() > MIB);
    }
}
