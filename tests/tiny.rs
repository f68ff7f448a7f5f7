//! Small models and adapters that are sound, in parts that can be damaged: the keys, the tensors, and
//! the bytes of each.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use solverbox::model::types::by_id;
use solverbox::model::write::{Entry, Value, header, padding};

/// ggml's numbers for the types used here.
const F32: u32 = 0;
const F16: u32 = 1;
const Q8_0: u32 = 8;

const TEMPLATE: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n\
                        {% endfor %}<|im_start|>assistant\n";

/// A GGUF file in parts.
#[derive(Clone)]
pub struct Tiny {
    pub keys: Vec<(String, Value)>,
    pub tensors: Vec<Entry>,
    pub data: Vec<Vec<u8>>,
}

/// The widths of all models here.
const HIDDEN: u64 = 32;
const HEADS: u64 = 4;
const KV_HEADS: u64 = 2;
const HEAD: u64 = 8;
const INNER: u64 = 64;
const LAYERS: u64 = 2;

/// How a model is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Biases, 16-bit floats, its own output head.
    Qwen2,
    /// Norms in the heads, 8-bit blocks, the head tied to the embedding.
    Qwen3,
    /// A vocabulary of texts with scores, and experts.
    LlamaOfExperts,
    /// Factors of positions.
    Llama,
}

pub const KINDS: [Kind; 4] = [Kind::Qwen2, Kind::Qwen3, Kind::LlamaOfExperts, Kind::Llama];

impl Tiny {
    /// Returns the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = header(&self.keys, &self.tensors);
        for data in &self.data {
            bytes.extend(data);
            bytes.extend(padding(data.len() as u64));
        }
        bytes
    }

    /// Returns where its data begins.
    pub fn header_bytes(&self) -> usize {
        header(&self.keys, &self.tensors).len()
    }

    fn key(&mut self, key: &str, value: Value) {
        self.keys.push((key.to_string(), value));
    }

    /// Adds a tensor of small random weights.
    pub fn tensor(&mut self, name: &str, kind: u32, shape: &[u64], random: &mut ChaCha8Rng) {
        let kind = by_id(kind).unwrap();
        let entry = Entry { name: name.to_string(), kind, shape: shape.to_vec() };
        let blocks = entry.bytes() / kind.block_bytes;
        let mut data = Vec::new();
        for _ in 0..blocks {
            // A half with an exponent that makes it small, and whatever sign and mantissa.
            let half = |random: &mut ChaCha8Rng| 0x2800 | (random.next_u32() as u16 & 0x83FF);
            match kind.id {
                F32 => {
                    data.extend((0.75 + random.next_u32() as f32 / u32::MAX as f32).to_le_bytes())
                }
                F16 => data.extend(half(random).to_le_bytes()),
                _ => {
                    data.extend(0x1000_u16.to_le_bytes());
                    data.extend((0..32).map(|_| random.next_u32() as u8));
                }
            }
        }
        self.tensors.push(entry);
        self.data.push(data);
    }
}

/// GPT-2's character for each byte.
fn byte_characters() -> Vec<String> {
    let mut next = 0x100;
    let character = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        _ => {
            next += 1;
            char::from_u32(next - 1).unwrap()
        }
    };
    (0..=255).map(character).map(String::from).collect()
}

fn vocabulary(tiny: &mut Tiny, kind: Kind) -> u64 {
    let of_texts = kind == Kind::LlamaOfExperts;
    let control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(String::from);
    let merged = ["th", "he", "the", "▁t", "an", "in", "on"].map(String::from);
    let bytes = match of_texts {
        true => (0..=255).map(|byte| format!("<0x{byte:02X}>")).collect(),
        false => byte_characters(),
    };
    let kinds =
        [(bytes, if of_texts { 6 } else { 1 }), (merged.to_vec(), 1), (control.to_vec(), 3)];
    let types: Vec<i32> =
        kinds.iter().flat_map(|(texts, kind)| texts.iter().map(|_| *kind)).collect();
    let tokens: Vec<String> = kinds.into_iter().flat_map(|(texts, _)| texts).collect();
    let count = tokens.len() as u32;
    let family = if of_texts { "llama" } else { "gpt2" };
    tiny.key("tokenizer.ggml.model", Value::Text(family.into()));
    if of_texts {
        let scores = (0..count).map(|at| -(at as f32)).collect();
        tiny.key("tokenizer.ggml.scores", Value::F32s(scores));
        tiny.key("tokenizer.ggml.unknown_token_id", Value::U32(0));
        tiny.key("tokenizer.ggml.add_space_prefix", Value::Bool(false));
    } else {
        let merges = ["t h", "h e", "th e", "a n", "i n", "o n"].map(String::from);
        tiny.key("tokenizer.ggml.pre", Value::Text("qwen2".into()));
        tiny.key("tokenizer.ggml.merges", Value::Texts(merges.to_vec()));
    }
    tiny.key("tokenizer.ggml.tokens", Value::Texts(tokens));
    tiny.key("tokenizer.ggml.token_type", Value::I32s(types));
    tiny.key("tokenizer.ggml.bos_token_id", Value::U32(count - 3));
    tiny.key("tokenizer.ggml.eos_token_id", Value::U32(count - 1));
    tiny.key("tokenizer.ggml.padding_token_id", Value::U32(count - 3));
    tiny.key("tokenizer.ggml.add_bos_token", Value::Bool(false));
    tiny.key("tokenizer.chat_template", Value::Text(TEMPLATE.into()));
    count.into()
}

/// Makes a model of some 60 KB that computes nonsense, soundly.
pub fn model(kind: Kind) -> Tiny {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut tiny = Tiny { keys: Vec::new(), tensors: Vec::new(), data: Vec::new() };
    let architecture = match kind {
        Kind::Qwen2 => "qwen2",
        Kind::Qwen3 => "qwen3",
        Kind::LlamaOfExperts | Kind::Llama => "llama",
    };
    tiny.key("general.architecture", Value::Text(architecture.into()));
    tiny.key("general.name", Value::Text("a tiny model".into()));
    let experts = if kind == Kind::LlamaOfExperts { 4 } else { 0 };
    let numbers = [
        ("context_length", 512),
        ("block_count", LAYERS),
        ("embedding_length", HIDDEN),
        ("feed_forward_length", INNER),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
        ("attention.key_length", HEAD),
        ("attention.value_length", HEAD),
        ("rope.dimension_count", HEAD),
        ("expert_count", experts),
        ("expert_used_count", experts / 2),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        tiny.key(&format!("{architecture}.{name}"), Value::U32(number as u32));
    }
    for (name, number) in [("attention.layer_norm_rms_epsilon", 1e-6), ("rope.freq_base", 1e4)] {
        tiny.key(&format!("{architecture}.{name}"), Value::F32(number));
    }
    let scaling = if kind == Kind::Llama { "yarn" } else { "none" };
    tiny.key(&format!("{architecture}.rope.scaling.type"), Value::Text(scaling.into()));
    tiny.key(&format!("{architecture}.rope.scaling.factor"), Value::F32(2.0));
    let tokens = vocabulary(&mut tiny, kind);
    weights(&mut tiny, kind, tokens, &mut random);
    tiny
}

fn weights(tiny: &mut Tiny, kind: Kind, tokens: u64, random: &mut ChaCha8Rng) {
    let matrix = if kind == Kind::Qwen3 { Q8_0 } else { F16 };
    tiny.tensor("token_embd.weight", matrix, &[HIDDEN, tokens], random);
    tiny.tensor("output_norm.weight", F32, &[HIDDEN], random);
    if kind == Kind::Qwen2 {
        tiny.tensor("output.weight", matrix, &[HIDDEN, tokens], random);
    }
    if kind == Kind::Llama {
        tiny.tensor("rope_freqs.weight", F32, &[HEAD / 2], random);
    }
    for layer in 0..LAYERS {
        let mut add = |part: &str, kind: u32, shape: &[u64]| {
            tiny.tensor(&format!("blk.{layer}.{part}"), kind, shape, random);
        };
        add("attn_norm.weight", F32, &[HIDDEN]);
        add("ffn_norm.weight", F32, &[HIDDEN]);
        for (part, width) in [("q", HEADS * HEAD), ("k", KV_HEADS * HEAD), ("v", KV_HEADS * HEAD)] {
            add(&format!("attn_{part}.weight"), matrix, &[HIDDEN, width]);
            if kind == Kind::Qwen2 {
                add(&format!("attn_{part}.bias"), F32, &[width]);
            }
        }
        add("attn_output.weight", matrix, &[HEADS * HEAD, HIDDEN]);
        if kind == Kind::Qwen3 {
            add("attn_q_norm.weight", F32, &[HEAD]);
            add("attn_k_norm.weight", F32, &[HEAD]);
        }
        if kind == Kind::LlamaOfExperts {
            add("ffn_gate_inp.weight", F32, &[HIDDEN, 4]);
            add("ffn_gate_exps.weight", matrix, &[HIDDEN, INNER, 4]);
            add("ffn_up_exps.weight", matrix, &[HIDDEN, INNER, 4]);
            add("ffn_down_exps.weight", matrix, &[INNER, HIDDEN, 4]);
        } else {
            add("ffn_gate.weight", matrix, &[HIDDEN, INNER]);
            add("ffn_up.weight", matrix, &[HIDDEN, INNER]);
            add("ffn_down.weight", matrix, &[INNER, HIDDEN]);
        }
    }
}

/// Makes an adapter of rank 4 for the `Qwen2` model.
pub fn adapter() -> Tiny {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut tiny = Tiny { keys: Vec::new(), tensors: Vec::new(), data: Vec::new() };
    for (key, text) in [
        ("general.type", "adapter"),
        ("general.architecture", "qwen2"),
        ("adapter.type", "lora"),
        ("general.name", "a tiny adapter"),
    ] {
        tiny.key(key, Value::Text(text.into()));
    }
    tiny.key("adapter.lora.alpha", Value::F32(8.0));
    for (name, from, to) in [
        ("blk.0.attn_q", HIDDEN, HEADS * HEAD),
        ("blk.1.attn_k", HIDDEN, KV_HEADS * HEAD),
        ("blk.0.ffn_down", INNER, HIDDEN),
        ("output", HIDDEN, 266),
    ] {
        tiny.tensor(&format!("{name}.weight.lora_a"), F16, &[from, 4], &mut random);
        tiny.tensor(&format!("{name}.weight.lora_b"), F32, &[4, to], &mut random);
    }
    tiny.tensor("token_embd.weight.lora_a", F32, &[4, 266], &mut random);
    tiny.tensor("token_embd.weight.lora_b", F16, &[4, HIDDEN], &mut random);
    tiny
}
