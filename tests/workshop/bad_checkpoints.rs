//! Damaged, foreign and incomplete checkpoints: one error each, which names the file, key or
//! tensor.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{root, text};
use crate::workshop::convert::{convert, names};

/// A copy of a tiny checkpoint, to be damaged.
pub struct Checkpoint {
    pub folder: tempfile::TempDir,
}

impl Checkpoint {
    pub fn of(name: &str) -> Checkpoint {
        let folder = tempfile::tempdir().unwrap();
        let from = root().join("tests/data/checkpoints").join(name);
        for name in names(&from) {
            fs::copy(from.join(&name), folder.path().join(&name)).unwrap();
        }
        Checkpoint { folder }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut json = serde_json::from_slice(&fs::read(self.at(name)).unwrap()).unwrap();
        change(&mut json);
        fs::write(self.at(name), json.to_string()).unwrap();
    }

    fn patch(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.at(name)).unwrap();
        change(&mut bytes);
        fs::write(self.at(name), bytes).unwrap();
    }

    /// Changes the header of `model.safetensors`; the data stays the same.
    fn header(&self, change: impl FnOnce(&mut Value)) {
        self.patch("model.safetensors", |bytes| {
            let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let mut header: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
            change(&mut header);
            let header = header.to_string();
            bytes.splice(8..end, header.bytes());
            bytes[..8].copy_from_slice(&(header.len() as u64).to_le_bytes());
        });
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.at(name)).unwrap();
    }
}

/// A change to a checkpoint, and texts the error must have.
type Case = (&'static str, &'static dyn Fn(&Checkpoint), &'static [&'static str]);

const CONFIG_CASES: &[Case] = &[
    ("qwen2", &|c| c.remove("config.json"), &["config.json", "No such file"]),
    ("qwen2", &|c| c.patch("config.json", |b| b.truncate(40)), &["config.json", "not JSON"]),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["architectures"] = json!(["T5Model"])),
        &["config.json", "'T5Model' is not supported"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["head_dim"] = json!(32)),
        &["head_dim", "do not add up to the width 64"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["intermediate_size"] = json!(95)),
        &["mlp.", "[64, 96]", "config.json requires [64, 95]"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["num_hidden_layers"] = json!(3)),
        &["model.layers.2.", "and 11 more are missing"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["num_hidden_layers"] = json!(1)),
        &["model.layers.1.", "and 11 more are not part of qwen2"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["tie_word_embeddings"] = json!(false)),
        &["'lm_head.weight' is missing"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["use_sliding_window"] = json!(true)),
        &["sliding_window"],
    ),
    (
        "qwen3",
        &|c| c.change("config.json", |j| j["head_dim"] = json!(16)),
        &["k_norm.weight' has shape [32]"],
    ),
    (
        "llama",
        &|c| c.change("config.json", |j| j["rope_scaling"]["rope_type"] = json!("dynamic")),
        &["'dynamic' is not supported"],
    ),
    (
        "llama",
        &|c| c.change("config.json", |j| j["vocab_size"] = json!(513)),
        &["embed_tokens", "[512, 64]", "[513, 64]"],
    ),
    (
        "qwen2-sharded",
        &|c| c.change("generation_config.json", |j| j["eos_token_id"] = json!(9999)),
        &["eos_token_id", "9999"],
    ),
    (
        "qwen2-sharded",
        &|c| c.change("generation_config.json", |j| j["top_p"] = json!("x")),
        &["generation_config.json", "top_p"],
    ),
];

const WEIGHT_CASES: &[Case] = &[
    ("qwen2", &|c| c.remove("model.safetensors"), &["has no model.safetensors", "save_pretrained"]),
    (
        "qwen2",
        &|c| c.patch("model.safetensors", |b| b.truncate(100_000)),
        &["model.safetensors", "truncated"],
    ),
    ("qwen2", &|c| c.patch("model.safetensors", |b| b.truncate(4)), &["too short"]),
    (
        "qwen2",
        &|c| c.patch("model.safetensors", |b| b.push(0)),
        &["1 bytes that belong to no tensor"],
    ),
    (
        "qwen2",
        &|c| c.patch("model.safetensors", |b| b[..8].fill(0xFF)),
        &["model.safetensors", "not a safetensors file"],
    ),
    (
        "qwen2",
        &|c| c.patch("model.safetensors", |b| b[0] = b[0].wrapping_sub(8)),
        &["header is damaged"],
    ),
    ("qwen2", &|c| c.patch("model.safetensors", |b| b[9] = b'}'), &["header is damaged"]),
    (
        "qwen2",
        &|c| c.header(|h| h["model.norm.weight"]["shape"] = json!([63])),
        &["'model.norm.weight'", "does not fit"],
    ),
    (
        "qwen2",
        &|c| c.header(|h| h["model.norm.weight"]["shape"] = json!([1, 64])),
        &["'model.norm.weight' has shape [1, 64]", "[64]"],
    ),
    (
        "qwen2",
        &|c| c.header(|h| h["model.norm.weight"]["dtype"] = json!("I16")),
        &["'model.norm.weight'", "I16", "F32, F16 or BF16"],
    ),
    (
        "qwen2",
        &|c| {
            c.header(|h| {
                let moved = h["model.norm.weight"].take();
                h.as_object_mut().unwrap().remove("model.norm.weight");
                h["x\u{1b}[1m"] = moved;
            })
        },
        &["'model.norm.weight' is missing"],
    ),
    (
        "qwen2",
        &|c| {
            c.header(|h| {
                h["x\u{1b}[1m"] = json!({"dtype": "F16", "shape": [0], "data_offsets": [0, 0]})
            })
        },
        &["'x\\u{1b}[1m' is not part of"],
    ),
    (
        "qwen2-sharded",
        &|c| c.remove("model-00002-of-00003.safetensors"),
        &["model-00002-of-00003.safetensors", "No such file"],
    ),
    (
        "qwen2-sharded",
        &|c| c.patch("model-00003-of-00003.safetensors", |b| b.truncate(60_000)),
        &["model-00003-of-00003.safetensors", "truncated"],
    ),
    (
        "qwen2-sharded",
        &|c| {
            c.change("model.safetensors.index.json", |j| {
                j["weight_map"]["model.norm.weight"] = json!("../x.safetensors")
            })
        },
        &["index.json", "not in a file of this folder"],
    ),
    (
        "qwen2-sharded",
        &|c| {
            c.change("model.safetensors.index.json", |j| {
                j["weight_map"]["x"] = json!("model-00001-of-00003.safetensors")
            })
        },
        &["index.json", "tensor 'x' is not in"],
    ),
    (
        "qwen2-sharded",
        &|c| {
            fs::write(
                c.at("model-00002-of-00003.safetensors"),
                fs::read(c.at("model-00001-of-00003.safetensors")).unwrap(),
            )
            .unwrap()
        },
        &["model-00002", "also in"],
    ),
];

const TOKENIZER_CASES: &[Case] = &[
    (
        "qwen2",
        &|c| {
            c.change("tokenizer.json", |j| {
                j["added_tokens"][3]["lstrip"] = json!(true);
                j["added_tokens"][3]["content"] = json!("call:");
            })
        },
        &["token 'call:' strips adjacent spaces"],
    ),
    ("qwen2", &|c| c.remove("tokenizer.json"), &["tokenizer.json", "No such file"]),
    (
        "qwen2",
        &|c| fs::write(c.at("tokenizer.json"), "{}").unwrap(),
        &["tokenizer.json", "missing field `model`"],
    ),
    (
        "qwen2",
        &|c| fs::write(c.at("tokenizer.json"), [0xFF; 9]).unwrap(),
        &["tokenizer.json", "UTF-8"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["type"] = json!("Unigram")),
        &["'Unigram', not BPE"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["pre_tokenizer"] = json!({"type": "Whitespace"})),
        &["pre_tokenizer", "Whitespace"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["normalizer"] = json!({"type": "Lowercase"})),
        &["normalizer", "Lowercase"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["ignore_merges"] = json!(true)),
        &["pre_tokenizer"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["vocab"]["!!!!"] = json!(5)),
        &["tokenizer.json", "token 5 is both"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["vocab"]["!!!!"] = json!(512)),
        &["'!!!!' has ID 512, but the embedding has 512 rows"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["vocab"]["[PAD511]"] = json!(500)),
        &["'[PAD511]' occurs twice, as 500 and 511"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["vocab"]["a\0"] = json!(500)),
        &["token 500", "NUL"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["added_tokens"][0]["id"] = json!(3)),
        &["token 3 is both", "<|endoftext|>"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!("a b c")),
        &["merge 7, 'a b c', is not a pair"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!(["a", ""])),
        &["merge 7, 'a ', is not a pair"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!(["a", "\u{3042}"])),
        &["merge 7", "not a token"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!(["!", "a"])),
        &["merge 7, '! a', does not produce a token"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!(7)),
        &["tokenizer.json"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["byte_fallback"] = json!(true)),
        &["'normalizer'"],
    ),
    (
        "llama",
        &|c| {
            c.change("tokenizer.json", |j| {
                j["post_processor"]["processors"][1]["single"][0] =
                    json!({"SpecialToken": {"id": "<|eot_id|>"}})
            })
        },
        &["post_processor"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer_config.json", |j| j["chat_template"] = json!(7)),
        &["chat_template"],
    ),
    (
        "qwen2",
        &|c| {
            let template = "{{ '<|im_start|>%s' % messages[0].content }}";
            c.change("tokenizer_config.json", |j| j["chat_template"] = json!(template))
        },
        &["chat template", "% operator", "tokenizer_config.json"],
    ),
];

const ADAPTER_CASES: &[Case] = &[
    ("qwen2-lora", &|c| c.remove("adapter_model.safetensors"), &["no adapter_model.safetensors"]),
    ("qwen2-lora", &|c| c.patch("adapter_model.safetensors", |b| b.truncate(9000)), &["truncated"]),
    (
        "qwen2-lora",
        &|c| c.change("adapter_config.json", |j| j["peft_type"] = json!("IA3")),
        &["'peft_type'", "IA3"],
    ),
    (
        "qwen2-lora",
        &|c| c.change("adapter_config.json", |j| j["use_dora"] = json!(true)),
        &["'use_dora'", "merge_and_unload"],
    ),
    ("qwen2-lora", &|c| c.change("adapter_config.json", |j| j["bias"] = json!("all")), &["'bias'"]),
    (
        "qwen2-lora",
        &|c| c.change("adapter_config.json", |j| j["modules_to_save"] = json!(["lm_head"])),
        &["'modules_to_save'"],
    ),
    (
        "qwen2-lora",
        &|c| c.change("adapter_config.json", |j| j["alpha_pattern"] = json!({"q_proj": 2})),
        &["'alpha_pattern'"],
    ),
    (
        "qwen2-lora",
        &|c| c.change("adapter_config.json", |j| j["lora_alpha"] = json!(0)),
        &["'lora_alpha'"],
    ),
    (
        "qwen2-lora",
        &|c| c.change("adapter_config.json", |j| j["r"] = json!(5)),
        &["has rank 4, but adapter_config.json specifies 5"],
    ),
    (
        "qwen2-lora",
        &|c| c.change("adapter_config.json", |j| j["init_lora_weights"] = json!("pissa_niter_4")),
        &["'init_lora_weights'", "'pissa_niter_4' also changes the base", "merge_and_unload"],
    ),
    (
        "llama-lora",
        &|c| c.change("adapter_config.json", |j| j["rank_pattern"] = json!({"q_proj": 2})),
        &["'rank_pattern'"],
    ),
];

/// Overwrites the second number of a tensor.
fn put(checkpoint: &Checkpoint, tensor: &str, number: &[u8]) {
    checkpoint.patch("model.safetensors", |bytes| {
        let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
        let start = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
        let at = end + start + number.len();
        bytes[at..at + number.len()].copy_from_slice(number);
    });
}

#[test]
fn numbers_that_are_not_finite_are_named_by_their_tensor() {
    let tensor = "model.layers.1.mlp.up_proj.weight";
    let norm = "model.norm.weight";
    let large = "values too large for f16";
    let nan = "values that are not finite";
    let bf16 = |x: f32| ((x.to_bits() >> 16) as u16).to_le_bytes();
    for (tensor, number, kind, says) in [
        (tensor, bf16(1e30), "f16", [large, "--type bf16"]),
        (tensor, bf16(f32::NAN), "bf16", [nan, "again"]),
        (tensor, bf16(f32::INFINITY), "f16", [nan, "again"]),
        (tensor, bf16(f32::NAN), "q8_0", [nan, "again"]),
        (norm, bf16(f32::NEG_INFINITY), "f32", [nan, "again"]),
    ] {
        let checkpoint = Checkpoint::of("qwen2");
        put(&checkpoint, tensor, &number);
        let out = tempfile::tempdir().unwrap();
        let to = out.path().join("x.gguf");
        let output = convert(checkpoint.folder.path(), &to, &["--type", kind]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{error}");
        assert!(error.contains(&format!("tensor '{tensor}'")), "{error}");
        says.iter().for_each(|says| assert!(error.contains(says), "{says}: {error}"));
        assert!(names(out.path()).is_empty());
    }
    let checkpoint = Checkpoint::of("qwen2");
    put(&checkpoint, tensor, &bf16(1e30));
    let out = tempfile::tempdir().unwrap();
    let output = convert(checkpoint.folder.path(), &out.path().join("x.gguf"), &["--type", "bf16"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Every bad input gets one error that names its location, and leaves nothing behind.
fn refused(cases: &[Case], args: &[&str]) {
    for (name, damage, says) in cases {
        let checkpoint = Checkpoint::of(name);
        damage(&checkpoint);
        let out = tempfile::tempdir().unwrap();
        let output = convert(checkpoint.folder.path(), &out.path().join("x.gguf"), args);
        let error = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(4 | 8)), "{says:?}: {output:?}");
        assert_eq!(error.lines().count(), 2, "what failed and what to do: {error}");
        assert!(error.starts_with("solverbox: cannot "), "{error}");
        assert!(error.contains(&checkpoint.folder.path().display().to_string()), "{error}");
        says.iter().for_each(|says| assert!(error.contains(says), "{says}: {error}"));
        assert!(names(out.path()).is_empty(), "{says:?}");
    }
}

#[test]
fn bad_configurations_are_named() {
    refused(CONFIG_CASES, &[]);
}

#[test]
fn bad_weights_are_named() {
    refused(WEIGHT_CASES, &[]);
}

#[test]
fn bad_tokenizers_are_named() {
    refused(TOKENIZER_CASES, &[]);
}

#[test]
fn bad_adapters_are_named() {
    let base = root().join("tests/data/checkpoints/qwen2").display().to_string();
    refused(&ADAPTER_CASES[..10], &["--base", &base]);
    let base = root().join("tests/data/checkpoints/llama").display().to_string();
    refused(&ADAPTER_CASES[10..], &["--base", &base]);
}

/// Seeded damage anywhere is an error or a result, never a panic.
#[test]
fn thousands_of_damaged_files_never_panic() {
    use rand_chacha::rand_core::{Rng, SeedableRng};
    use solverbox::model::convert::{adapter, shards, tokenizer};
    let data = root().join("tests/data/checkpoints");
    let read = |name: &str| fs::read(data.join(name)).unwrap();
    let as_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (weights, vocabulary) =
        (read("llama-smol/model.safetensors"), read("llama/tokenizer.json"));
    let (settings, matrices) =
        (read("qwen2-lora/adapter_config.json"), read("qwen2-lora/adapter_model.safetensors"));
    let base = as_text(&read("qwen2/config.json"));
    assert!(shards::check_bytes(&weights).is_ok());
    assert!(adapter::check_bytes(&as_text(&settings), &matrices, &base).is_ok());
    assert!(tokenizer::read(&as_text(&vocabulary), 512).is_ok());
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(12);
    let mut damaged = |sound: &[u8], within: usize| {
        let mut bytes = sound.to_vec();
        for _ in 0..1 + random.next_u32() % 3 {
            let at = random.next_u32() as usize % within.min(bytes.len());
            let signs = b"[]{}\",:0-9 \\\xFF\0";
            bytes[at] = signs[random.next_u32() as usize % signs.len()];
        }
        bytes
    };
    for _ in 0..3_000 {
        let _ = shards::check_bytes(&damaged(&weights, 2_500));
        let _ = adapter::check_bytes(&as_text(&settings), &damaged(&matrices, 4_000), &base);
        let _ = adapter::check_bytes(&as_text(&damaged(&settings, 1_000)), &matrices, &base);
    }
    for _ in 0..500 {
        let _ = tokenizer::read(&as_text(&damaged(&vocabulary, usize::MAX)), 512);
    }
}
