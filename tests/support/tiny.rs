//! Small valid models and adapters in parts that can be damaged: keys, tensors and their bytes.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use solverbox::model::types::by_id;
use solverbox::model::write::{GgufValue, TensorEntry, header, padding};

/// ggml's numbers of the types used here.
const F32: u32 = 0;
const F16: u32 = 1;
const Q8_0: u32 = 8;

const TEMPLATE: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n\
                        {% endfor %}<|im_start|>assistant\n";

/// A GGUF file in parts.
#[derive(Clone)]
pub struct Tiny {
    pub keys: Vec<(String, GgufValue)>,
    pub tensors: Vec<TensorEntry>,
    pub data: Vec<Vec<u8>>,
}

/// How a model is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyKind {
    /// With biases, 16-bit floats and an output head of its own.
    Qwen2,
    /// With norms in the heads, 8-bit blocks and a head tied to the embedding.
    Qwen3,
    /// With a SentencePiece vocabulary and experts.
    LlamaOfExperts,
    /// With factors for the rotary positions.
    Llama,
}

/// The dimensions of a model, and the type of its matrices.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub hidden: u64,
    pub heads: u64,
    pub kv_heads: u64,
    pub head: u64,
    pub inner: u64,
    pub layers: u64,
    pub experts: u64,
    /// The type of all matrices whose rows are multiples of its block size.
    pub matrix: u32,
}

/// The dimensions of the models that are damaged.
const SMALL: Form = Form {
    hidden: 32,
    heads: 4,
    kv_heads: 2,
    head: 8,
    inner: 64,
    layers: 2,
    experts: 4,
    matrix: F16,
};

pub const KINDS: [TinyKind; 4] =
    [TinyKind::Qwen2, TinyKind::Qwen3, TinyKind::LlamaOfExperts, TinyKind::Llama];

impl Tiny {
    /// Returns the bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = header(&self.keys, &self.tensors);
        for data in &self.data {
            bytes.extend(data);
            bytes.extend(padding(data.len() as u64));
        }
        bytes
    }

    /// Returns the offset of the data.
    pub fn header_bytes(&self) -> usize {
        header(&self.keys, &self.tensors).len()
    }

    fn key(&mut self, key: &str, value: GgufValue) {
        self.keys.push((key.to_string(), value));
    }

    /// Adds a tensor of small random weights.
    pub fn tensor(&mut self, name: &str, kind: u32, shape: &[u64], random: &mut ChaCha8Rng) {
        let kind = by_id(kind).unwrap();
        let entry = TensorEntry { name: name.to_string(), kind, shape: shape.to_vec() };
        let blocks = entry.bytes() / kind.block_bytes;
        let mut data = Vec::new();
        for _ in 0..blocks {
            // A small half-precision number with random sign and mantissa.
            let half = |random: &mut ChaCha8Rng| 0x2800 | (random.next_u32() as u16 & 0x83FF);
            match kind.id {
                F32 => {
                    data.extend((0.75 + random.next_u32() as f32 / u32::MAX as f32).to_le_bytes())
                }
                F16 => data.extend(half(random).to_le_bytes()),
                Q8_0 => {
                    data.extend(0x1000_u16.to_le_bytes());
                    data.extend((0..32).map(|_| random.next_u32() as u8));
                }
                // Random bits, finite or not.
                _ => data.extend((0..kind.block_bytes).map(|_| random.next_u32() as u8)),
            }
        }
        self.tensors.push(entry);
        self.data.push(data);
    }
}

/// GPT-2's character of each byte.
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

fn vocabulary(tiny: &mut Tiny, kind: TinyKind) -> u64 {
    let of_texts = kind == TinyKind::LlamaOfExperts;
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
    tiny.key("tokenizer.ggml.model", GgufValue::Text(family.into()));
    if of_texts {
        let scores = (0..count).map(|at| -(at as f32)).collect();
        tiny.key("tokenizer.ggml.scores", GgufValue::F32s(scores));
        tiny.key("tokenizer.ggml.unknown_token_id", GgufValue::U32(0));
        tiny.key("tokenizer.ggml.add_space_prefix", GgufValue::Bool(false));
    } else {
        let merges = ["t h", "h e", "th e", "a n", "i n", "o n"].map(String::from);
        tiny.key("tokenizer.ggml.pre", GgufValue::Text("qwen2".into()));
        tiny.key("tokenizer.ggml.merges", GgufValue::Texts(merges.to_vec()));
    }
    tiny.key("tokenizer.ggml.tokens", GgufValue::Texts(tokens));
    tiny.key("tokenizer.ggml.token_type", GgufValue::I32s(types));
    tiny.key("tokenizer.ggml.bos_token_id", GgufValue::U32(count - 3));
    tiny.key("tokenizer.ggml.eos_token_id", GgufValue::U32(count - 1));
    tiny.key("tokenizer.ggml.padding_token_id", GgufValue::U32(count - 3));
    tiny.key("tokenizer.ggml.add_bos_token", GgufValue::Bool(false));
    tiny.key("tokenizer.chat_template", GgufValue::Text(TEMPLATE.into()));
    count.into()
}

/// Makes a valid model of about 60 KB with random weights.
pub fn model(kind: TinyKind) -> Tiny {
    let matrix = if kind == TinyKind::Qwen3 { Q8_0 } else { F16 };
    model_of(kind, Form { matrix, ..SMALL })
}

/// Makes a valid model of other dimensions.
pub fn model_of(kind: TinyKind, form: Form) -> Tiny {
    let mut tiny = Tiny { keys: Vec::new(), tensors: Vec::new(), data: Vec::new() };
    let architecture = match kind {
        TinyKind::Qwen2 => "qwen2",
        TinyKind::Qwen3 => "qwen3",
        TinyKind::LlamaOfExperts | TinyKind::Llama => "llama",
    };
    tiny.key("general.architecture", GgufValue::Text(architecture.into()));
    tiny.key("general.name", GgufValue::Text("a tiny model".into()));
    let experts = if kind == TinyKind::LlamaOfExperts { form.experts } else { 0 };
    let numbers = [
        ("context_length", 4096),
        ("block_count", form.layers),
        ("embedding_length", form.hidden),
        ("feed_forward_length", form.inner),
        ("attention.head_count", form.heads),
        ("attention.head_count_kv", form.kv_heads),
        ("attention.key_length", form.head),
        ("attention.value_length", form.head),
        ("rope.dimension_count", form.head),
        ("expert_count", experts),
        ("expert_used_count", experts.div_ceil(2)),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        tiny.key(&format!("{architecture}.{name}"), GgufValue::U32(number as u32));
    }
    for (name, number) in [("attention.layer_norm_rms_epsilon", 1e-6), ("rope.freq_base", 1e4)] {
        tiny.key(&format!("{architecture}.{name}"), GgufValue::F32(number));
    }
    let scaling = if kind == TinyKind::Llama { "yarn" } else { "none" };
    tiny.key(&format!("{architecture}.rope.scaling.type"), GgufValue::Text(scaling.into()));
    tiny.key(&format!("{architecture}.rope.scaling.factor"), GgufValue::F32(2.0));
    let tokens = vocabulary(&mut tiny, kind);
    weights(&mut tiny, kind, form, tokens);
    tiny
}

fn weights(tiny: &mut Tiny, kind: TinyKind, form: Form, tokens: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let Form { hidden, heads, kv_heads, head, inner, experts, .. } = form;
    let mut add = |name: String, kind: u32, shape: &[u64]| {
        let fits = by_id(kind).is_some_and(|kind| shape[0].is_multiple_of(kind.block_elements));
        tiny.tensor(&name, if fits { kind } else { F16 }, shape, &mut random);
    };
    let matrix = form.matrix;
    add("token_embd.weight".into(), matrix, &[hidden, tokens]);
    add("output_norm.weight".into(), F32, &[hidden]);
    if kind == TinyKind::Qwen2 {
        add("output.weight".into(), matrix, &[hidden, tokens]);
    }
    if kind == TinyKind::Llama {
        add("rope_freqs.weight".into(), F32, &[head / 2]);
    }
    for layer in 0..form.layers {
        let mut add = |part: &str, kind: u32, shape: &[u64]| {
            add(format!("blk.{layer}.{part}"), kind, shape);
        };
        add("attn_norm.weight", F32, &[hidden]);
        add("ffn_norm.weight", F32, &[hidden]);
        for (part, width) in [("q", heads * head), ("k", kv_heads * head), ("v", kv_heads * head)] {
            add(&format!("attn_{part}.weight"), matrix, &[hidden, width]);
            if kind == TinyKind::Qwen2 {
                add(&format!("attn_{part}.bias"), F32, &[width]);
            }
        }
        add("attn_output.weight", matrix, &[heads * head, hidden]);
        if kind == TinyKind::Qwen3 {
            add("attn_q_norm.weight", F32, &[head]);
            add("attn_k_norm.weight", F32, &[head]);
        }
        if kind == TinyKind::LlamaOfExperts {
            add("ffn_gate_inp.weight", F32, &[hidden, experts]);
            add("ffn_gate_exps.weight", matrix, &[hidden, inner, experts]);
            add("ffn_up_exps.weight", matrix, &[hidden, inner, experts]);
            add("ffn_down_exps.weight", matrix, &[inner, hidden, experts]);
        } else {
            add("ffn_gate.weight", matrix, &[hidden, inner]);
            add("ffn_up.weight", matrix, &[hidden, inner]);
            add("ffn_down.weight", matrix, &[inner, hidden]);
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
        tiny.key(key, GgufValue::Text(text.into()));
    }
    tiny.key("adapter.lora.alpha", GgufValue::F32(8.0));
    for (name, from, to) in [
        ("blk.0.attn_q", 32, 32),
        ("blk.1.attn_k", 32, 16),
        ("blk.0.ffn_down", 64, 32),
        ("output", 32, 266),
    ] {
        tiny.tensor(&format!("{name}.weight.lora_a"), F16, &[from, 4], &mut random);
        tiny.tensor(&format!("{name}.weight.lora_b"), F32, &[4, to], &mut random);
    }
    tiny.tensor("token_embd.weight.lora_a", F32, &[4, 266], &mut random);
    tiny.tensor("token_embd.weight.lora_b", F16, &[4, 32], &mut random);
    tiny
}
