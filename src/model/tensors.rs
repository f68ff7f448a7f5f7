//! Checks the tensors of a header. For architectures that are known exactly, the list must be
//! complete, without others, in the shapes the parameters determine; for the rest, only what holds
//! for all architectures is checked.
//!
//! Names and shapes: `load_arch_tensors` of llama.cpp's src/models/{qwen2,qwen3,llama}.cpp, and
//! `create_tensor_qkv` of llama-model.cpp.

use std::collections::HashMap;

use super::numbers::{KnownArchitecture, Numbers};
use super::scan::TensorInfo;

/// The token embedding, with one row per token.
pub const EMBEDDING: &str = "token_embd.weight";

/// Checks that kernels exist for every tensor's type.
///
/// # Errors
/// A message that names the tensor.
pub fn check_kernels(tensors: &[TensorInfo]) -> Result<(), String> {
    // Norms and biases: element-wise operations exist only for 32-bit floats.
    let is_vector = |tensor: &TensorInfo| tensor.shape.iter().skip(1).all(|&length| length == 1);
    let bad = |tensor: &&TensorInfo| {
        !tensor.kind.has_kernels() || (is_vector(tensor) && tensor.kind.name != "F32")
    };
    let Some(tensor) = tensors.iter().find(bad) else { return Ok(()) };
    let (name, kind) = (tensor.name.escape_debug(), tensor.kind.name);
    Err(if tensor.kind.has_kernels() {
        format!("tensor '{name}' is a vector of type {kind}, but kernels require vectors in F32")
    } else {
        format!("tensor '{name}' has type {kind}, which no kernel supports")
    })
}

/// Returns the number of rows of the embedding, which is the required size of the vocabulary.
pub fn embedding_rows(tensors: &[TensorInfo]) -> Result<u64, String> {
    let embedding = tensors.iter().find(|tensor| tensor.name == EMBEDDING);
    let shape = embedding.map(|tensor| tensor.shape.as_slice()).unwrap_or_default();
    match *shape {
        [_, rows] | [_, rows, 1] | [_, rows, 1, 1] => Ok(rows),
        _ => Err(format!("tensor '{EMBEDDING}' is missing or not a matrix")),
    }
}

/// Checks that the tensors are exactly those the parameters require, for a vocabulary of `tokens`.
pub fn check_all(tensors: &[TensorInfo], of: &Numbers, tokens: u64) -> Result<(), String> {
    let mut found: HashMap<&str, &TensorInfo> = HashMap::new();
    found.extend(tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)));
    let mut left = UnmatchedTensors { found };
    let hidden = of.hidden;
    left.need(EMBEDDING, &[hidden, tokens])?;
    left.need("output_norm.weight", &[hidden])?;
    left.may("output.weight", &[hidden, tokens])?;
    match of.architecture {
        KnownArchitecture::Qwen2 => left.may("output.bias", &[tokens])?,
        KnownArchitecture::Qwen3 => {}
        KnownArchitecture::Llama if of.longrope => {
            left.may("rope_factors_long.weight", &[of.head / 2])?;
            left.may("rope_factors_short.weight", &[of.head / 2])?;
        }
        KnownArchitecture::Llama => left.may("rope_freqs.weight", &[of.head / 2])?,
    }
    for layer in 0..of.layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        left.attention(of, &name)?;
        left.feed_forward(of, &name)?;
    }
    match tensors.iter().find(|tensor| left.found.contains_key(tensor.name.as_str())) {
        Some(tensor) => {
            let name = tensor.name.escape_debug();
            Err(format!("tensor '{name}' does not belong to this architecture"))
        }
        None => Ok(()),
    }
}

/// The tensors of the file that no requirement has matched yet.
struct UnmatchedTensors<'t> {
    found: HashMap<&'t str, &'t TensorInfo>,
}

impl UnmatchedTensors<'_> {
    fn need(&mut self, name: &str, shape: &[u64]) -> Result<(), String> {
        match self.take(name, shape)? {
            true => Ok(()),
            false => Err(format!("tensor '{name}' of shape {shape:?} is missing")),
        }
    }

    fn may(&mut self, name: &str, shape: &[u64]) -> Result<(), String> {
        self.take(name, shape).map(|_| ())
    }

    /// Removes a tensor from the list after checking its shape; returns whether it existed.
    fn take(&mut self, name: &str, shape: &[u64]) -> Result<bool, String> {
        let Some(tensor) = self.found.remove(name) else { return Ok(false) };
        // Trailing dimensions of 1 are optional.
        let given = |at: usize| tensor.shape.get(at).copied().unwrap_or(1);
        if (0..4).any(|at| given(at) != shape.get(at).copied().unwrap_or(1)) {
            let its = &tensor.shape;
            return Err(format!("tensor '{name}' has shape {its:?}, but {shape:?} is required"));
        }
        Ok(true)
    }

    fn attention(&mut self, of: &Numbers, name: &dyn Fn(&str) -> String) -> Result<(), String> {
        let (hidden, queries, keys) = (of.hidden, of.queries, of.keys);
        let parts = [("attn_q", queries), ("attn_k", keys), ("attn_v", keys)];
        self.need(&name("attn_norm.weight"), &[hidden])?;
        let all = queries + 2 * keys;
        let fused = self.take(&name("attn_qkv.weight"), &[hidden, all])?;
        let fused_bias = fused && self.take(&name("attn_qkv.bias"), &[all])?;
        for (part, width) in parts {
            if !fused {
                self.need(&name(&format!("{part}.weight")), &[hidden, width])?;
            }
            if !fused_bias {
                self.may(&name(&format!("{part}.bias")), &[width])?;
            }
        }
        self.need(&name("attn_output.weight"), &[queries, hidden])?;
        match of.architecture {
            KnownArchitecture::Qwen2 => {}
            KnownArchitecture::Qwen3 => {
                self.need(&name("attn_q_norm.weight"), &[of.head])?;
                self.need(&name("attn_k_norm.weight"), &[of.head])?;
            }
            KnownArchitecture::Llama => self.may(&name("attn_output.bias"), &[hidden])?,
        }
        Ok(())
    }

    fn feed_forward(&mut self, of: &Numbers, name: &dyn Fn(&str) -> String) -> Result<(), String> {
        let (hidden, inner, experts) = (of.hidden, of.feed_forward, of.experts);
        self.need(&name("ffn_norm.weight"), &[hidden])?;
        if experts > 0 {
            self.need(&name("ffn_gate_inp.weight"), &[hidden, experts])?;
            self.need(&name("ffn_gate_exps.weight"), &[hidden, inner, experts])?;
            self.need(&name("ffn_up_exps.weight"), &[hidden, inner, experts])?;
            return self.need(&name("ffn_down_exps.weight"), &[inner, hidden, experts]);
        }
        let parts =
            [("ffn_gate", hidden, inner), ("ffn_up", hidden, inner), ("ffn_down", inner, hidden)];
        for (part, from, to) in parts {
            self.need(&name(&format!("{part}.weight")), &[from, to])?;
            if of.architecture == KnownArchitecture::Llama {
                self.may(&name(&format!("{part}.bias")), &[to])?;
            }
        }
        Ok(())
    }
}
