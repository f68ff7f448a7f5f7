//! Computes the memory a model needs from its header: exactly where llama.cpp's own arithmetic can
//! be repeated, from measurements elsewhere.
//!
//! Repeated: weights, repacked copies, KV cache, activations, logits (ggml 0.26 and the llama.cpp
//! of llama-cpp-sys-2 0.1.161). Measured (docs/benchmarks.md, "Memory"): the vocabulary's tables,
//! the graphs, the program. Loads nothing and makes no choices, which is `plan`'s task.

use super::adapter::AdapterFile;
use super::header::Header;
use super::scan::TensorInfo;
use crate::types::boards::PerToken;
use crate::types::kernels::KernelSet;
use crate::types::limits;
use crate::types::memory::{MIB, Memory};
use crate::types::plan::{KvType, Origin};

/// The settings that determine the memory use of a given model.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    /// Size of the KV cache in tokens.
    pub context_tokens: u32,
    /// Number of sequences in the KV cache.
    pub sequences: u32,
    /// Element type of the KV cache.
    pub kv: KvType,
    /// The kernel set in use, which determines what is repacked.
    pub kernels: &'static KernelSet,
    /// Number of threads of a pass.
    pub threads: u32,
}

/// Bytes per token in the vocabulary's tables: its text, its attributes, its hash table entry, its
/// piece (`llama_vocab::impl` of llama-vocab.cpp: 40 + 64 + 12 + 32).
const TOKEN_BYTES: u64 = 150;
/// Bytes per merge: two texts and its rank in a hash table, 96 + 12, and remains of reading the
/// header.
const MERGE_BYTES: u64 = 138;
/// Bytes per text while the header's arrays exist in addition to the vocabulary.
const HEADER_TEXT_BYTES: u64 = 32;
/// The program's code and data in use, its threads, the journal, the fixed part of the graphs.
const PROGRAM_BYTES: u64 = 15 * MIB;
/// Graphs and schedules per layer: three graphs are kept, with about 40 nodes per layer.
const LAYER_BYTES: u64 = 120 << 10;
/// Work space per thread in attention and in tiled products (`GGML_FA_TILE_Q`,
/// `ggml_tiled_ws_size`), and its stack.
const THREAD_BYTES: u64 = 900 << 10;
/// The allocator keeps freed blocks up to this size (M_MMAP_THRESHOLD of glibc's malloc grows to
/// it).
const KEPT_BLOCK_BYTES_MAX: u64 = 32 * MIB;
/// A matrix is repacked if its row count is a multiple of 4 or 8, depending on type and kernels; 4
/// gives an upper bound.
const REPACKED_ROWS: u64 = 4;

/// Returns the memory the model needs with these settings, item by item.
pub fn memory(header: &Header, adapters: &[AdapterFile], how: &RunConfig) -> Memory {
    let vocabulary_bytes =
        header.tokenizer.tokens * TOKEN_BYTES + header.tokenizer.merges * MERGE_BYTES;
    let mut memory = Memory {
        weights: header.types().into_iter().map(|(name, bytes, _)| (name, bytes)).collect(),
        repacked_head_bytes: repacked_head(header, how.kernels).map_or(0, |head| head.bytes),
        adapter_bytes: adapters.iter().map(|adapter| adapter.bytes).sum(),
        kv_bytes: kv_bytes(header, how.kv, cells(how.context_tokens)),
        compute_bytes: compute_bytes(header, how),
        logits_bytes: logits_bytes(header),
        vocabulary_bytes,
        program_bytes: program_bytes(header, how),
        loading_bytes: 0,
    };
    memory.loading_bytes = loading_bytes(header, how.kernels, &memory);
    memory
}

/// llama.cpp rounds the size of the cache up to whole steps.
fn cells(context_tokens: u32) -> u64 {
    u64::from(context_tokens).next_multiple_of(u64::from(limits::CONTEXT_STEP_TOKENS))
}

/// Returns the size in bytes of a KV cache with `cells` cells, one per token.
pub fn kv_bytes(header: &Header, kv: KvType, cells: u64) -> u64 {
    let shape = &header.shape;
    let of = |elements: u64| kv.bytes(cells * shape.kv_heads * elements);
    shape.layers * (of(shape.key) + of(shape.value))
}

/// Returns whether the kernels repack a matrix. Looking up the embedding's rows needs the file's
/// layout, so a tied output head is kept in both layouts.
fn is_repacked(tensor: &TensorInfo, kernels: &KernelSet) -> bool {
    let rows = tensor.shape.get(1).copied().unwrap_or(1);
    rows > 1 && rows.is_multiple_of(REPACKED_ROWS) && kernels.repacks(tensor.kind.name)
}

fn repacked_head<'h>(header: &'h Header, kernels: &KernelSet) -> Option<&'h TensorInfo> {
    header.embedding().filter(|head| header.is_tied() && is_repacked(head, kernels))
}

/// Returns the size in bytes of the compute buffers for a full ubatch.
///
/// ggml's allocator reuses memory. The peak, inside a feed-forward layer, consists of three of its
/// rows (gate, up, product) and five hidden rows in 32-bit floats, and of the attention mask, 16
/// bits for every token of the ubatch times every cell (llama-graph.cpp, `build_attn_inp_kq_mask`).
/// At the output head it is the logits instead. The work space is separate and holds a feed-forward
/// row's activations quantized to 8 bits.
fn compute_bytes(header: &Header, how: &RunConfig) -> u64 {
    let shape = &header.shape;
    let tokens = u64::from(limits::UBATCH_TOKENS.min(how.context_tokens));
    let hidden = shape.hidden.max(shape.heads * shape.key.max(shape.value));
    // The query and the attention's output, plus keys and values.
    let attention = 2 * hidden + 2 * shape.kv_heads * (shape.key + shape.value);
    let widest = tokens * (5 * hidden + attention.max(3 * shape.feed_forward)) * 4;
    let head = (tokens * hidden + u64::from(limits::LOGIT_ROWS) * header.tokenizer.tokens) * 4;
    let mask = tokens * cells(how.context_tokens) * 2;
    // Rotating the keys and values of a quantized cache takes matrices of a head's size.
    let turned = match how.kv {
        KvType::F16 => 0,
        KvType::Q8_0 => (shape.key * shape.key + shape.value * shape.value) * 4,
    };
    // 292 bytes for 256 elements (Q8_K), the largest of the formats activations are quantized to.
    let quantized = tokens * shape.feed_forward.max(hidden) * 292 / 256;
    widest.max(head) + mask + turned + quantized + u64::from(how.threads) * THREAD_BYTES
}

/// Returns the size in bytes of the rows of logits, as floats, and of the sampler's buffers for one
/// row (`engine/sample.rs`): a modified copy, and a candidate of 16 bytes per token.
fn logits_bytes(header: &Header) -> u64 {
    header.tokenizer.tokens * (u64::from(limits::LOGIT_ROWS) * 4 + 4 + 16)
}

/// Returns the program's own memory in bytes: a fixed part, a part per layer, the blocks the
/// allocator keeps after loading tensors, and a built-in model's memory file.
fn program_bytes(header: &Header, how: &RunConfig) -> u64 {
    let kept = staged(header, how.kernels).max().unwrap_or(0).min(KEPT_BLOCK_BYTES_MAX) / 2;
    let file = match header.file.origin {
        Origin::BuiltIn(_) => header.file_bytes,
        Origin::Disk => 0,
    };
    PROGRAM_BYTES + header.shape.layers * LAYER_BYTES + kept + file
}

/// Returns the sizes of the tensors that are repacked while loading.
fn staged(header: &Header, kernels: &'static KernelSet) -> impl Iterator<Item = u64> {
    let is_head = |tensor: &TensorInfo| tensor.name != "token_embd.weight" || header.is_tied();
    let repacked = header.tensors.iter().filter(move |tensor| is_repacked(tensor, kernels));
    repacked.filter(move |tensor| is_head(tensor)).map(|tensor| tensor.bytes)
}

/// Returns the peak while the weights are loaded: a tensor to be repacked is first read into a
/// separate block, the largest tensors first (llama-model-loader.cpp, `load_all_data`). The
/// header's texts are kept until loading ends.
fn loading_bytes(header: &Header, kernels: &'static KernelSet, memory: &Memory) -> u64 {
    let mut sizes: Vec<u64> = staged(header, kernels).collect();
    sizes.sort_unstable_by_key(|&bytes| std::cmp::Reverse(bytes));
    let all: u64 = memory.weights_bytes() - memory.adapter_bytes;
    let plain = all - sizes.iter().sum::<u64>();
    let mut read = plain;
    let steps = sizes.into_iter().map(|bytes| {
        read += bytes;
        read + bytes
    });
    let weights = steps.max().unwrap_or(0).max(all);
    let texts = (header.tokenizer.tokens + header.tokenizer.merges) * HEADER_TEXT_BYTES;
    weights + texts + memory.vocabulary_bytes + memory.program_bytes
}

/// Returns the memory traffic and arithmetic of decoding one token after `filled_tokens` others:
/// one pass over the weights, and the filled part of the cache.
pub fn per_token(
    header: &Header,
    adapters: &[AdapterFile],
    kv: KvType,
    filled_tokens: u64,
) -> PerToken {
    let looked_up = header.embedding().filter(|_| !header.is_tied());
    let is_read = |tensor: &&TensorInfo| {
        // Only single rows of these are looked up.
        looked_up.is_none_or(|embedding| embedding.name != tensor.name)
            && tensor.name != "per_layer_token_embd.weight"
    };
    // A token uses only some of a layer's experts.
    let (used, experts) = header.shape.experts;
    let share = |tensor: &TensorInfo, of: u64| {
        if tensor.name.contains("_exps.") { of * used / experts } else { of }
    };
    let (mut weights_bytes, mut weights) = (adapters.iter().map(|adapter| adapter.bytes).sum(), 0);
    for tensor in header.tensors.iter().filter(is_read) {
        weights_bytes += share(tensor, tensor.bytes);
        weights += share(tensor, tensor.shape.iter().product());
    }
    PerToken { weights_bytes, kv_bytes: kv_bytes(header, kv, filled_tokens), weights }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{bundled, open};
    use crate::types::kernels::by_name;

    fn used(context_tokens: u32, kv: KvType, kernels: &str) -> RunConfig {
        let kernels = by_name(kernels).unwrap();
        RunConfig { context_tokens, sequences: 2, kv, kernels, threads: 4 }
    }

    #[test]
    fn more_context_takes_more_and_a_smaller_type_less() {
        let header = open(&bundled::model().unwrap()).unwrap();
        let total = |tokens, kv| memory(&header, &[], &used(tokens, kv, "armv8.0")).total_bytes();
        let totals: Vec<u64> = (1..64).map(|steps| total(steps * 256 - 255, KvType::F16)).collect();
        assert!(totals.is_sorted() && totals[0] < totals[60], "{totals:?}");
        assert!(total(16_384, KvType::Q8_0) < total(16_384, KvType::F16));
        assert_eq!(total(257, KvType::F16), total(512, KvType::F16), "whole steps are reserved");
    }

    #[test]
    fn a_tied_head_is_held_twice_by_kernels_that_repack_its_type() {
        let header = open(&bundled::model().unwrap()).unwrap();
        let head = header.embedding().unwrap();
        assert!(header.is_tied() && head.kind.name == "Q8_0");
        for (kernels, twice) in [("armv8.0", 0), ("armv8.2-dotprod", head.bytes), ("x86-64-v4", 0)]
        {
            let memory = memory(&header, &[], &used(1024, KvType::F16, kernels));
            assert_eq!(memory.repacked_head_bytes, twice, "{kernels}");
            let weights: u64 = header.tensors.iter().map(|tensor| tensor.bytes).sum();
            assert_eq!(memory.weights_bytes(), weights + twice);
        }
    }
}
