//! The memory plan: what will be held in memory, decided before a byte of weights is loaded.
//!
//! `model/plan.rs` makes one from a file's header; the engine does as it says. Plain data, so that
//! neither needs to know the other.

use std::path::PathBuf;

use super::kernels::KernelSet;

/// Data type of the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvType {
    /// 16-bit floats: 2 bytes an element, the fastest.
    F16,
    /// 8-bit blocks: 34 bytes for 32 elements, about half the memory.
    Q8_0,
}

impl KvType {
    /// Returns the bytes `elements` take; a row is a multiple of 32 in every supported model.
    pub fn bytes(self, elements: u64) -> u64 {
        match self {
            KvType::F16 => elements * 2,
            KvType::Q8_0 => elements.div_ceil(32) * 34,
        }
    }
}

/// What the engine shall load and reserve.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The GGUF file, already checked by `model/scan.rs`.
    pub model: PathBuf,
    /// Its size in bytes.
    pub file_bytes: u64,
    /// Bytes of weights in memory, a repacked tied head counted twice.
    pub weights_bytes: u64,
    /// Size of the KV cache in tokens, shared by all sequences.
    pub context_tokens: u32,
    /// Its type.
    pub kv: KvType,
    /// Its size in bytes.
    pub kv_bytes: u64,
    /// Bytes for activations and logits, estimated from above.
    pub compute_bytes: u64,
    /// The kernels that will compute.
    pub kernels: &'static KernelSet,
    /// Threads of a pass over the weights.
    pub threads: u32,
    /// Longest question in tokens of the model.
    pub question_tokens_max: u32,
}

impl Plan {
    /// Returns all the memory planned, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.weights_bytes + self.kv_bytes + self.compute_bytes
    }
}
