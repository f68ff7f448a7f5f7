//! A file of VibeThinker-1.5B's shape for measuring memory: the real tensors' names, shapes and
//! types, a vocabulary of the real size, and zeros for weights.
//!
//! The zeros are a hole in a sparse file: nothing is written, and loading still reads them into
//! memory. Every logit is 0, so a greedy answer repeats the first token.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use solverbox::model::types::TYPES;
use solverbox::model::write::{GgufValue, TensorEntry, data_bytes, header};

const LAYERS: u64 = 28;
const HIDDEN: u64 = 1_536;
const FEED_FORWARD: u64 = 8_960;
/// Width of keys and values: 2 heads of 128.
const KV: u64 = 256;
/// Rows of the embedding; 151,643 tokens are text, the others control tokens and padding.
const VOCABULARY: usize = 151_936;
const TEXT_TOKENS: usize = 151_643;

/// Quantizations, as `llama-quantize` makes them by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantized {
    Q4_0,
    Q4KM,
    Q8_0,
}

impl Quantized {
    pub fn name(self) -> &'static str {
        match self {
            Quantized::Q4_0 => "Q4_0",
            Quantized::Q4KM => "Q4_K_M",
            Quantized::Q8_0 => "Q8_0",
        }
    }

    /// Bytes of the real model's tensors in this type, with a tied head: the file must match.
    fn tensor_bytes(self) -> u64 {
        match self {
            Quantized::Q4_0 => 929_004_032,
            Quantized::Q4KM => 980_097_536,
            Quantized::Q8_0 => 1_640_622_080,
        }
    }

    /// From llama-quant.cpp: the head keeps more bits, as do values and `ffn_down` of half the
    /// layers.
    fn of_tensor(self, name: &str, layer: u64) -> &'static str {
        let more_bits =
            !(LAYERS / 8..7 * LAYERS / 8).contains(&layer) || (layer - LAYERS / 8) % 3 == 2;
        match self {
            Quantized::Q8_0 => "Q8_0",
            _ if name == "token_embd" => "Q6_K",
            Quantized::Q4_0 => "Q4_0",
            Quantized::Q4KM if more_bits && matches!(name, "attn_v" | "ffn_down") => "Q6_K",
            Quantized::Q4KM => "Q4_K",
        }
    }
}

/// Returns the file, made once for each type; it takes about 6 MB of disk.
pub fn vibethinker(quantized: Quantized) -> PathBuf {
    with_layers(quantized, LAYERS)
}

/// Returns a file with fewer layers, for an emulator.
pub fn with_layers(quantized: Quantized, layers: u64) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("vibethinker-shape-{}-{layers}.gguf", quantized.name()));
    if !path.is_file() {
        // A unique name, because several tests may make it at once.
        let mut part = tempfile::NamedTempFile::new_in(folder).expect("room for the file");
        write(part.as_file_mut(), &tensors(quantized, layers), layers);
        part.persist(&path).expect("a file");
    }
    path
}

fn write(file: &mut File, tensors: &[TensorEntry], layers: u64) {
    let head = header(&keys(layers), tensors);
    file.write_all(&head).expect("room for the header");
    file.set_len(head.len() as u64 + data_bytes(tensors)).expect("a sparse file");
}

fn entry(name: String, kind: &str, shape: &[u64]) -> TensorEntry {
    let kind = *TYPES.iter().find(|known| known.name == kind).expect("a known type");
    TensorEntry { name, kind, shape: shape.to_vec() }
}

fn tensors(quantized: Quantized, layers: u64) -> Vec<TensorEntry> {
    let vocabulary = [HIDDEN, VOCABULARY as u64];
    let kind = quantized.of_tensor("token_embd", 0);
    let mut list = vec![entry("token_embd.weight".into(), kind, &vocabulary)];
    for layer in 0..layers {
        for (name, width) in [("attn_norm", HIDDEN), ("ffn_norm", HIDDEN)] {
            list.push(entry(format!("blk.{layer}.{name}.weight"), "F32", &[width]));
        }
        for (name, width) in [("attn_q", HIDDEN), ("attn_k", KV), ("attn_v", KV)] {
            list.push(entry(format!("blk.{layer}.{name}.bias"), "F32", &[width]));
        }
        for (name, shape) in [
            ("attn_q", [HIDDEN, HIDDEN]),
            ("attn_k", [HIDDEN, KV]),
            ("attn_v", [HIDDEN, KV]),
            ("attn_output", [HIDDEN, HIDDEN]),
            ("ffn_gate", [HIDDEN, FEED_FORWARD]),
            ("ffn_up", [HIDDEN, FEED_FORWARD]),
            ("ffn_down", [FEED_FORWARD, HIDDEN]),
        ] {
            let kind = quantized.of_tensor(name, layer);
            list.push(entry(format!("blk.{layer}.{name}.weight"), kind, &shape));
        }
    }
    list.push(entry("output_norm.weight".into(), "F32", &[HIDDEN]));
    if layers == LAYERS {
        let bytes: u64 = list.iter().map(TensorEntry::bytes).sum();
        assert_eq!(bytes, quantized.tensor_bytes(), "{quantized:?}");
    }
    list
}

const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + \
    message.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}\
    {{ '<|im_start|>assistant\\n' }}{% endif %}";

fn keys(layers: u64) -> Vec<(String, GgufValue)> {
    let (tokens, merges) = vocabulary();
    let kinds = (0..VOCABULARY).map(|token| match token {
        token if token < TEXT_TOKENS => 1,
        token if token < TEXT_TOKENS + 3 => 3,
        _ => 5,
    });
    let (end_of_text, end) = (TEXT_TOKENS as u32, TEXT_TOKENS as u32 + 2);
    [
        ("general.architecture", GgufValue::Text("qwen2".into())),
        ("general.name", GgufValue::Text("VibeThinker-1.5B's shape, all zeros".into())),
        ("qwen2.block_count", GgufValue::U32(layers as u32)),
        ("qwen2.context_length", GgufValue::U32(131_072)),
        ("qwen2.embedding_length", GgufValue::U32(HIDDEN as u32)),
        ("qwen2.feed_forward_length", GgufValue::U32(FEED_FORWARD as u32)),
        ("qwen2.attention.head_count", GgufValue::U32(12)),
        ("qwen2.attention.head_count_kv", GgufValue::U32(2)),
        ("qwen2.rope.freq_base", GgufValue::F32(10_000.0)),
        ("qwen2.attention.layer_norm_rms_epsilon", GgufValue::F32(1e-6)),
        ("tokenizer.ggml.model", GgufValue::Text("gpt2".into())),
        ("tokenizer.ggml.pre", GgufValue::Text("qwen2".into())),
        ("tokenizer.ggml.tokens", GgufValue::Texts(tokens)),
        ("tokenizer.ggml.token_type", GgufValue::I32s(kinds.collect())),
        ("tokenizer.ggml.merges", GgufValue::Texts(merges)),
        ("tokenizer.ggml.eos_token_id", GgufValue::U32(end)),
        ("tokenizer.ggml.padding_token_id", GgufValue::U32(end_of_text)),
        ("tokenizer.ggml.bos_token_id", GgufValue::U32(end_of_text)),
        ("tokenizer.ggml.add_bos_token", GgufValue::Bool(false)),
        ("tokenizer.chat_template", GgufValue::Text(TEMPLATE.into())),
    ]
    .map(|(key, value)| (key.to_string(), value))
    .into()
}

/// Makes the tokens, and for each except the bytes the merge of two earlier tokens that makes it.
fn vocabulary() -> (Vec<String>, Vec<String>) {
    let mut tokens: Vec<String> = bytes().into_iter().map(String::from).collect();
    let mut known: HashSet<String> = tokens.iter().cloned().collect();
    let mut merges = Vec::new();
    // A space and letters, as in most real tokens; Knuth's MMIX generator.
    let letters: Vec<String> = "etaoinshrdlucmfwypvbgk".chars().map(String::from).collect();
    let mut words: Vec<String> = letters.iter().cloned().chain(["Ġ".to_string()]).collect();
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    while tokens.len() < TEXT_TOKENS {
        let left = words[random(words.len())].clone();
        let right = match random(3) {
            0 => letters[random(letters.len())].clone(),
            _ => words[random(words.len())].trim_start_matches('Ġ').to_string(),
        };
        let whole = format!("{left}{right}");
        if !right.is_empty() && whole.len() <= 2 + random(14) && known.insert(whole.clone()) {
            merges.push(format!("{left} {right}"));
            words.push(whole.clone());
            tokens.push(whole);
        }
    }
    tokens.extend(["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(String::from));
    (tokens.len()..VOCABULARY).for_each(|n| tokens.push(format!("[PAD{n}]")));
    (tokens, merges)
}

/// The characters that byte-level BPE uses for the 256 bytes, printable ones first, as in GPT-2.
fn bytes() -> Vec<char> {
    let printable = |byte: &u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let others = (0..256 - (0_u32..256).filter(printable).count()).map(|n| 256 + n as u32);
    let all = (0..256).filter(printable).chain(others);
    all.map(|code| char::from_u32(code).expect("a character")).collect()
}
