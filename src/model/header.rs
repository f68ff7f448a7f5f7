//! The facts of a GGUF header that the plan and `inspect` use, parsed by gguf-rs after the scan.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use gguf_rs::{ByteOrder, GGUFContainer};

use super::scan::{Scan, TensorInfo};
use super::{bad_model, check, keys, numbers};
use crate::types::error::Error;
use crate::types::limits;
use crate::types::plan::Weights;

/// The facts of a model file's header.
#[derive(Debug)]
pub struct Header {
    /// The file's path and origin.
    pub file: Weights,
    /// Size of the whole file in bytes.
    pub file_bytes: u64,
    /// Bytes after the last tensor, which are never read.
    pub surplus_bytes: u64,
    /// All tensors in file order.
    pub tensors: Vec<TensorInfo>,
    /// The key `general.architecture`, such as `qwen2`.
    pub architecture: String,
    /// The key `general.name`, or the file's name if the key is missing.
    pub name: String,
    /// Why llama.cpp must not load this file, or `None` if it may; `inspect` shows either.
    pub fault: Option<String>,
    /// The model's layers, widths and heads.
    pub shape: ModelShape,
    /// The tokenizer and the chat template.
    pub tokenizer: Tokenizer,
}

/// The dimensions of a model that determine its memory use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// Context length it was trained with, in tokens.
    pub context_tokens: u64,
    /// Number of transformer layers.
    pub layers: u64,
    /// Width of the hidden state.
    pub hidden: u64,
    /// Width of the feed-forward layers; 0 if the file does not specify it.
    pub feed_forward: u64,
    /// Number of attention heads.
    pub heads: u64,
    /// Number of heads of keys and values.
    pub kv_heads: u64,
    /// Elements of one head's key.
    pub key: u64,
    /// Elements of one head's value.
    pub value: u64,
    /// Experts per layer: those a token uses, and all; (1, 1) without experts.
    pub experts: (u64, u64),
}

/// The tokenizer of a model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    /// The tokenizer's family, such as `gpt2` (byte-level BPE).
    pub model: String,
    /// The pre-tokenizer, which splits text before merging, such as `qwen2`.
    pub pre: String,
    /// Tokens in the vocabulary: the rows of the embedding.
    pub tokens: u64,
    /// Merges of byte-level BPE; 0 in other families.
    pub merges: u64,
    /// The chat template (Jinja), if the file has one.
    pub chat_template: Option<String>,
}

pub(super) type Values = BTreeMap<String, serde_json::Value>;

pub(super) fn read(file: &Weights, scan: Scan) -> Result<Header, Error> {
    let values = values(&file.path).map_err(|error| bad_model(file, error))?;
    let text = |key: &str| values.get(key).and_then(|v| v.as_str()).map(str::to_string);
    let Some(architecture) = text("general.architecture").filter(|name| !name.is_empty()) else {
        return Err(bad_model(file, "key 'general.architecture' is missing"));
    };
    let shape = shape(&values, &architecture).map_err(|cause| bad_model(file, cause))?;
    let embedding = scan.tensors.iter().find(|t| t.name == "token_embd.weight");
    let tokens = embedding.and_then(|t| t.shape.get(1).copied()).unwrap_or(0);
    let fault = check::fault(&scan, &architecture, &file.path);
    let file_name = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let merges = match scan.keys.get("tokenizer.ggml.merges").map(|key| &key.value) {
        Some(keys::MetadataValue::Array(list)) => list.items,
        _ => 0,
    };
    Ok(Header {
        file: file.clone(),
        file_bytes: scan.file_bytes,
        surplus_bytes: scan.surplus_bytes,
        tensors: scan.tensors,
        name: text("general.name").unwrap_or(file_name),
        fault,
        architecture,
        shape,
        tokenizer: Tokenizer {
            model: text("tokenizer.ggml.model").unwrap_or_default(),
            pre: text("tokenizer.ggml.pre").unwrap_or_default(),
            tokens,
            merges,
            chat_template: text("tokenizer.chat_template"),
        },
    })
}

/// Reads all metadata values, with long arrays truncated; the file has passed the scan.
pub(super) fn values(path: &Path) -> anyhow::Result<Values> {
    let mut file = File::open(path)?;
    // gguf-rs starts after the magic bytes, which the scan has checked.
    file.seek(SeekFrom::Start(4))?;
    let reader = BufReader::with_capacity(1 << 16, file);
    // Keeps three items of each of the vocabulary's arrays and discards the rest.
    let mut container = GGUFContainer::new(ByteOrder::LE, Box::new(reader), 3);
    Ok(container.decode()?.metadata().clone())
}

fn shape(values: &Values, architecture: &str) -> Result<ModelShape, String> {
    // Some architectures have one value per layer: the largest is an upper bound.
    let get = |key: &str| {
        let value = values.get(&format!("{architecture}.{key}"))?;
        value.as_u64().or_else(|| value.as_array()?.iter().filter_map(|v| v.as_u64()).max())
    };
    let inside = |key: &str, value: Option<u64>, max: u64| {
        let value = value.filter(|n| (1..=max).contains(n));
        value.ok_or_else(|| {
            format!("key '{}.{key}' is missing or out of range", architecture.escape_debug())
        })
    };
    let hidden = inside("embedding_length", get("embedding_length"), limits::MODEL_WIDTH_MAX)?;
    let (key, max) = ("attention.head_count", limits::MODEL_HEADS_MAX);
    let heads = inside(key, get(key), max)?;
    let kv_heads = inside(key, get("attention.head_count_kv").or(Some(heads)), max)?;
    let head = |key: &str| {
        let elements = get(key).or(Some(hidden / heads));
        inside(key, elements, limits::MODEL_HEAD_ELEMENTS_MAX)
    };
    Ok(ModelShape {
        context_tokens: inside("context_length", get("context_length"), 1 << 32)?,
        layers: inside("block_count", get("block_count"), limits::MODEL_LAYERS_MAX)?,
        hidden,
        feed_forward: get("feed_forward_length").unwrap_or(0).min(limits::MODEL_WIDTH_MAX),
        heads,
        kv_heads,
        key: head("attention.key_length")?,
        value: head("attention.value_length")?,
        experts: match (get("expert_used_count"), get("expert_count")) {
            (Some(used), Some(all)) if (1..=all).contains(&used) => (used, all),
            _ => (1, 1),
        },
    })
}

impl Header {
    /// Returns type name, total bytes and tensor count of each tensor type, largest first.
    pub fn types(&self) -> Vec<(&'static str, u64, usize)> {
        let mut sums: BTreeMap<&'static str, (u64, usize)> = BTreeMap::new();
        for tensor in &self.tensors {
            let sum = sums.entry(tensor.kind.name).or_default();
            *sum = (sum.0 + tensor.bytes, sum.1 + 1);
        }
        let mut list: Vec<_> = sums.into_iter().map(|(name, (b, n))| (name, b, n)).collect();
        list.sort_by_key(|&(_, bytes, _)| std::cmp::Reverse(bytes));
        list
    }

    /// Returns the total number of weights.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().map(|t| t.shape.iter().product::<u64>()).sum()
    }

    /// Returns whether the checks cover every parameter and tensor of the architecture.
    pub fn is_known_exactly(&self) -> bool {
        numbers::is_known(&self.architecture)
    }

    /// Returns the token embedding, which a tied output head shares.
    pub fn embedding(&self) -> Option<&TensorInfo> {
        self.tensors.iter().find(|tensor| tensor.name == "token_embd.weight")
    }

    /// Returns whether the output head shares the embedding's tensor.
    pub fn is_tied(&self) -> bool {
        !self.tensors.iter().any(|t| t.name == "output.weight")
    }
}
