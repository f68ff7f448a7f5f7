//! From a header to the memory a model takes: exact where llama.cpp's own arithmetic can be
//! repeated, measured where it cannot.
//!
//! Repeated: weights, what the kernels keep repacked, the KV cache, activations, logits (ggml 0.26
//! and llama.cpp as llama-cpp-sys-2 0.1.161 has them). Measured (docs/benchmarks.md, "Memory"): the
//! vocabulary's tables, the graphs, the program. Loads nothing; `plan` chooses.

use super::adapter::AdapterFile;
use super::header::Header;
use super::scan::TensorInfo;
use crate::types::boards::PerToken;
use crate::types::kernels::KernelSet;
use crate::types::limits;
use crate::types::memory::{MIB, Memory};
use crate::types::plan::{KvType, Origin};

/// What decides how much memory a model takes, besides the model.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    /// Tokens of KV cache.
    pub context_tokens: u32,
    /// Sequences in it.
    pub sequences: u32,
    /// Its type.
    pub kv: KvType,
    /// The kernels that will compute.
    pub kernels: &'static KernelSet,
    /// Threads of a pass.
    pub threads: u32,
}

/// Bytes of tables a token has: its text, its attributes, its place in a hash table, its piece
/// (`llama_vocab::impl` of llama-vocab.cpp: 40 + 64 + 12 + 32).
const TOKEN_BYTES: u64 = 150;
/// Bytes a merge has: two texts and its rank in a hash table, 96 + 12, and what the reading of the
/// header leaves behind.
const MERGE_BYTES: u64 = 138;
/// Bytes a text has while the header's arrays are held beside the vocabulary.
const HEADER_TEXT_BYTES: u64 = 32;
/// The program's code and data in use, its threads, the journal, the graphs' fixed part.
const PROGRAM_BYTES: u64 = 15 * MIB;
/// Graphs and schedules of a layer: three graphs are kept, of about 40 nodes a layer.
const LAYER_BYTES: u64 = 120 << 10;
/// Space of its own a thread has in attention and in tiled products (`GGML_FA_TILE_Q`,
/// `ggml_tiled_ws_size`), and of its stack.
const THREAD_BYTES: u64 = 900 << 10;
/// Blocks up to this size are kept by the allocator when they are freed (M_MMAP_THRESHOLD of
/// glibc's malloc grows to it).
const KEPT_BLOCK_BYTES_MAX: u64 = 32 * MIB;
/// A matrix is repacked where its rows come in groups of 4 or of 8, by type and kernels; 4 here,
/// which is from above.
const REPACKED_ROWS: u64 = 4;

/// Returns what the model takes, used so.
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

/// llama.cpp rounds the cache up to whole steps.
fn cells(context_tokens: u32) -> u64 {
    u64::from(context_tokens).next_multiple_of(u64::from(limits::CONTEXT_STEP_TOKENS))
}

/// Returns the bytes of `cells` tokens of KV cache.
pub fn kv_bytes(header: &Header, kv: KvType, cells: u64) -> u64 {
    let shape = &header.shape;
    let of = |elements: u64| kv.bytes(cells * shape.kv_heads * elements);
    shape.layers * (of(shape.key) + of(shape.value))
}

/// Returns whether the kernels keep a matrix in an order of their own. The embedding's rows are
/// looked up, which needs the file's order: as a tied head it is kept in both.
fn is_repacked(tensor: &TensorInfo, kernels: &KernelSet) -> bool {
    let rows = tensor.shape.get(1).copied().unwrap_or(1);
    rows > 1 && rows.is_multiple_of(REPACKED_ROWS) && kernels.repacks(tensor.kind.name)
}

fn repacked_head<'h>(header: &'h Header, kernels: &KernelSet) -> Option<&'h TensorInfo> {
    header.embedding().filter(|head| header.is_tied() && is_repacked(head, kernels))
}

/// Returns the bytes of a pass over a full ubatch.
///
/// ggml's allocator reuses what is no longer needed; what is left at the widest place, inside a
/// feed-forward layer, is three of its rows (gate, up, product) and five hidden rows in 32-bit
/// floats, and the mask of the attention, 16 bits for every token of the ubatch and of the cache
/// (llama-graph.cpp, `build_attn_inp_kq_mask`). At the head it is the logits instead. Beside the
/// graph stands the work space, which holds a feed-forward row's activations quantized to 8 bits.
fn compute_bytes(header: &Header, how: &RunConfig) -> u64 {
    let shape = &header.shape;
    let tokens = u64::from(limits::UBATCH_TOKENS.min(how.context_tokens));
    let hidden = shape.hidden.max(shape.heads * shape.key.max(shape.value));
    // A query, and what attention makes of it, beside keys and values.
    let attention = 2 * hidden + 2 * shape.kv_heads * (shape.key + shape.value);
    let widest = tokens * (5 * hidden + attention.max(3 * shape.feed_forward)) * 4;
    let head = (tokens * hidden + u64::from(limits::LOGIT_ROWS) * header.tokenizer.tokens) * 4;
    let mask = tokens * cells(how.context_tokens) * 2;
    // Turned keys and values of a quantized cache go through matrices of a head's size.
    let turned = match how.kv {
        KvType::F16 => 0,
        KvType::Q8_0 => (shape.key * shape.key + shape.value * shape.value) * 4,
    };
    // 292 bytes for 256 elements (Q8_K), the widest of the formats activations are quantized to.
    let quantized = tokens * shape.feed_forward.max(hidden) * 292 / 256;
    widest.max(head) + mask + turned + quantized + u64::from(how.threads) * THREAD_BYTES
}

/// Returns the bytes of the rows of logits, as floats, and of what `engine/sample.rs` makes of one
/// of them: a changed copy, and a candidate of 16 bytes for every token.
fn logits_bytes(header: &Header) -> u64 {
    header.tokenizer.tokens * (u64::from(limits::LOGIT_ROWS) * 4 + 4 + 16)
}

/// Returns the bytes of the program: what every run has, what grows with the layers, what the
/// allocator keeps of the blocks tensors are read through, and a built-in model's file.
fn program_bytes(header: &Header, how: &RunConfig) -> u64 {
    let kept = staged(header, how.kernels).max().unwrap_or(0).min(KEPT_BLOCK_BYTES_MAX) / 2;
    let file = match header.file.origin {
        Origin::BuiltIn(_) => header.file_bytes,
        Origin::Disk => 0,
    };
    PROGRAM_BYTES + header.shape.layers * LAYER_BYTES + kept + file
}

/// Returns the sizes of the tensors that are repacked as they are read.
fn staged(header: &Header, kernels: &'static KernelSet) -> impl Iterator<Item = u64> {
    let is_head = |tensor: &TensorInfo| tensor.name != "token_embd.weight" || header.is_tied();
    let repacked = header.tensors.iter().filter(move |tensor| is_repacked(tensor, kernels));
    repacked.filter(move |tensor| is_head(tensor)).map(|tensor| tensor.bytes)
}

/// Returns the most that is held while the weights are read: what is repacked is read into a block
/// of its own first, the largest tensors first (llama-model-loader.cpp, `load_all_data`). The
/// header's texts are held until all is read.
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

/// Returns what a token costs with `filled_tokens` before it: one pass over the weights, and its
/// own part of the cache.
pub fn per_token(
    header: &Header,
    adapters: &[AdapterFile],
    kv: KvType,
    filled_tokens: u64,
) -> PerToken {
    let looked_up = header.embedding().filter(|_| !header.is_tied());
    let is_read = |tensor: &&TensorInfo| {
        // Rows are looked up in these.
        looked_up.is_none_or(|embedding| embedding.name != tensor.name)
            && tensor.name != "per_layer_token_embd.weight"
    };
    // Of a layer's experts only some are used.
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
