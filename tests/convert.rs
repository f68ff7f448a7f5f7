//! `solverbox convert`: the bytes it writes, what it says of bad checkpoints, and that nothing stays of
//! a file that is not whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::fixture::{model, model_f16, root, send_signal, solverbox, text, wait_until};
use crate::gguf;

fn convert(folder: &Path, to: &Path, args: &[&str]) -> Output {
    command(folder, to, args).output().expect("solverbox starts")
}

fn command(folder: &Path, to: &Path, args: &[&str]) -> Command {
    let mut command = solverbox();
    command.arg("convert").arg(folder).arg(to).args(args);
    command
}

fn bundled(name: &str) -> PathBuf {
    root().join("models/bundled").join(name)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_demo_models_checkpoint_becomes_the_file_pack_py_packs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.gguf");
    let output = convert(&bundled("checkpoint"), &file, &["--type", "f16"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let bytes = fs::metadata(&file).unwrap().len();
    for says in ["demo.gguf: 50 tensors", &format!("{bytes} bytes"), "f16", "MB/s"] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let (ours, theirs) = (gguf::read(&file), gguf::read(model_f16()));
    assert_eq!(ours.tensors, theirs.tensors);
    let named = ["general.name", "general.description", "general.license"];
    for (key, value) in &theirs.keys {
        if !named.contains(&key.as_str()) {
            assert_eq!(ours.keys.get(key), Some(value), "{key}");
        }
    }
    assert_eq!(names(folder.path()), ["demo.gguf"]);
}

#[test]
fn the_demo_models_adapter_becomes_the_bundled_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("binary.gguf");
    for base in [model(), bundled("checkpoint"), PathBuf::from("demo")] {
        let base = base.display().to_string();
        let output = convert(&bundled("adapter"), &file, &["--base", &base]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let theirs = gguf::read(&bundled("solverbox-demo-binary-f16.gguf"));
        let ours = gguf::read(&file);
        assert_eq!(ours.tensors, theirs.tensors);
        for key in ["general.architecture", "general.type", "adapter.type", "adapter.lora.alpha"] {
            assert_eq!(ours.keys[key], theirs.keys[key], "{key}");
        }
    }
}

#[test]
fn what_a_checkpoint_says_beside_its_weights_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.gguf");
    let from = root().join("tests/data/checkpoints/qwen2-sharded");
    assert!(convert(&from, &file, &["--type", "bf16"]).status.success());
    let whole = gguf::read(&file);
    let template = fs::read_to_string(from.join("chat_template.jinja")).unwrap();
    assert_eq!(whole.text("tokenizer.chat_template"), template);
    assert_eq!(whole.text("general.name"), "qwen2-sharded");
    let float = |key: &str| f32::from_bits(whole.number(key));
    assert_eq!((float("general.sampling.temp"), float("general.sampling.top_p")), (0.6, 0.95));
    assert_eq!(whole.number("general.sampling.top_k"), 20);
    assert_eq!((float("qwen2.rope.freq_base"), whole.number("general.file_type")), (2718.0, 32));
    let generation = fs::read_to_string(from.join("generation_config.json")).unwrap();
    let generation: Value = serde_json::from_str(&generation).unwrap();
    let ends = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];
    assert_eq!(json!(ends.map(|key| whole.number(key))), generation["eos_token_id"]);
}

/// A copy of a tiny checkpoint, to be damaged.
struct Checkpoint {
    folder: tempfile::TempDir,
}

impl Checkpoint {
    fn of(name: &str) -> Checkpoint {
        let folder = tempfile::tempdir().unwrap();
        let from = root().join("tests/data/checkpoints").join(name);
        for name in names(&from) {
            fs::copy(from.join(&name), folder.path().join(&name)).unwrap();
        }
        Checkpoint { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut json = serde_json::from_slice(&fs::read(self.at(name)).unwrap()).unwrap();
        change(&mut json);
        fs::write(self.at(name), json.to_string()).unwrap();
    }

    fn patch(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.at(name)).unwrap();
        change(&mut bytes);
        fs::write(self.at(name), bytes).unwrap();
    }

    /// Changes the header of `model.safetensors`, the data staying as it is.
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

/// What is done to a checkpoint, and what the error must say of it.
type Case = (&'static str, &'static dyn Fn(&Checkpoint), &'static [&'static str]);

const CONFIG_CASES: &[Case] = &[
    ("qwen2", &|c| c.remove("config.json"), &["config.json", "no such file"]),
    ("qwen2", &|c| c.patch("config.json", |b| b.truncate(40)), &["config.json", "not JSON"]),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["architectures"] = json!(["T5Model"])),
        &["config.json", "'T5Model' is unknown"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["head_dim"] = json!(32)),
        &["head_dim", "not the width 64"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["intermediate_size"] = json!(95)),
        &["mlp.", "[64, 96]", "config.json makes it [64, 95]"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["num_hidden_layers"] = json!(3)),
        &["model.layers.2.", "and 11 more are missing"],
    ),
    (
        "qwen2",
        &|c| c.change("config.json", |j| j["num_hidden_layers"] = json!(1)),
        &["model.layers.1.", "and 11 more are unknown in qwen2"],
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
        &["k_norm.weight' is [32]"],
    ),
    (
        "llama",
        &|c| c.change("config.json", |j| j["rope_scaling"]["rope_type"] = json!("dynamic")),
        &["'dynamic' is unknown"],
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
        &["model.safetensors", "no safetensors file"],
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
        &["'model.norm.weight'", "cannot lie"],
    ),
    (
        "qwen2",
        &|c| c.header(|h| h["model.norm.weight"]["shape"] = json!([1, 64])),
        &["'model.norm.weight' is [1, 64]", "[64]"],
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
        &["'x\\u{1b}[1m' is unknown"],
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
        &["index.json", "no file of this folder"],
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
        &["model-00002", "as well"],
    ),
];

const TOKENIZER_CASES: &[Case] = &[
    ("qwen2", &|c| c.remove("tokenizer.json"), &["tokenizer.json", "no such file"]),
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
        &["'!!!!' has number 512, the embedding 512 rows"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["vocab"]["[PAD511]"] = json!(500)),
        &["'[PAD511]' is there twice, as 500 and 511"],
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
        &["merge 7, 'a b c', is no pair"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!(["a", ""])),
        &["merge 7, 'a ', is no pair"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!(["a", "\u{3042}"])),
        &["merge 7", "no token"],
    ),
    (
        "qwen2",
        &|c| c.change("tokenizer.json", |j| j["model"]["merges"][7] = json!(["!", "a"])),
        &["merge 7, '! a', makes no token"],
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
        &["has rank 4, adapter_config.json says 5"],
    ),
    (
        "llama-lora",
        &|c| c.change("adapter_config.json", |j| j["rank_pattern"] = json!({"q_proj": 2})),
        &["'rank_pattern'"],
    ),
];

/// Every bad input gets one error that names its place, and leaves nothing behind.
fn refused(cases: &[Case], args: &[&str]) {
    for (name, damage, says) in cases {
        let checkpoint = Checkpoint::of(name);
        damage(&checkpoint);
        let out = tempfile::tempdir().unwrap();
        let output = convert(checkpoint.folder.path(), &out.path().join("x.gguf"), args);
        let error = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(4 | 8)), "{says:?}: {output:?}");
        assert_eq!(error.lines().count(), 2, "what failed and the way out: {error}");
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
    refused(&ADAPTER_CASES[..9], &["--base", &base]);
    let base = root().join("tests/data/checkpoints/llama").display().to_string();
    refused(&ADAPTER_CASES[9..], &["--base", &base]);
}

#[test]
fn an_adapter_needs_the_base_it_was_trained_for() {
    let adapter = root().join("tests/data/checkpoints/llama-lora");
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    let cases: [(&Path, &[&str], &str); 4] = [
        (&adapter, &[], "needs its base"),
        (&adapter, &["--base", "demo"], "in the base"),
        (&adapter, &["--base", "/nowhere.gguf"], "/nowhere.gguf"),
        (&bundled("checkpoint"), &["--base", "demo"], "is no adapter"),
    ];
    for (folder, args, says) in cases {
        let output = convert(folder, &to, args);
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(says), "{says}: {error}");
        assert!(names(out.path()).is_empty());
    }
}

#[test]
fn rows_no_token_uses_are_padding() {
    let checkpoint = Checkpoint::of("qwen2");
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("x.gguf");
    assert!(convert(checkpoint.folder.path(), &file, &[]).status.success());
    let whole = gguf::read(&file);
    let count = |key: &str| u64::from_le_bytes(whole.keys[key][4..12].try_into().unwrap());
    assert_eq!(count("tokenizer.ggml.tokens"), 512);
    let kinds = &whole.keys["tokenizer.ggml.token_type"][12..];
    assert_eq!(kinds[511 * 4..], 5_i32.to_le_bytes(), "unused");
    assert!(whole.keys["tokenizer.ggml.tokens"].ends_with(b"[PAD511]"));
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_anything_is_read() {
    let checkpoint = Checkpoint::of("qwen2");
    let from = checkpoint.folder.path();
    let weights = checkpoint.at("model.safetensors");
    let before = fs::read(&weights).unwrap();
    let cases: [(&Path, &str); 4] = [
        (from, "it is a folder"),
        (Path::new("/etc/passwd/x.gguf"), "Not a directory"),
        (Path::new("/nowhere/x.gguf"), "No such file"),
        (&weights, "it is the file being read"),
    ];
    for (to, says) in cases {
        let output = convert(from, to, &[]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(says), "{says}: {error}");
    }
    assert_eq!(fs::read(&weights).unwrap(), before);
    let output = convert(Path::new("/nowhere"), &from.join("x.gguf"), &[]);
    assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
}

/// A checkpoint of so many bytes, nearly all of them the embedding's, which is a hole in the file.
fn large(bytes: u64) -> Checkpoint {
    const ROWS: u64 = 512;
    let checkpoint = Checkpoint::of("qwen2");
    let width = bytes / 2 / ROWS;
    checkpoint.change("config.json", |json| {
        json["hidden_size"] = json!(width);
        json["num_hidden_layers"] = json!(1);
        json["num_attention_heads"] = json!(1);
        json["num_key_value_heads"] = json!(1);
        json["intermediate_size"] = json!(2);
        json["architectures"] = json!(["LlamaForCausalLM"]);
        json["head_dim"] = json!(2);
    });
    let (mut at, mut header) = (0, json!({}));
    let mut add = |name: &str, shape: &[u64]| {
        let end = at + shape.iter().product::<u64>() * 2;
        header[name] = json!({"dtype": "BF16", "shape": shape, "data_offsets": [at, end]});
        at = end;
    };
    add("model.embed_tokens.weight", &[ROWS, width]);
    add("model.norm.weight", &[width]);
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    add(&layer("input_layernorm"), &[width]);
    add(&layer("post_attention_layernorm"), &[width]);
    add(&layer("self_attn.q_proj"), &[2, width]);
    add(&layer("self_attn.k_proj"), &[2, width]);
    add(&layer("self_attn.v_proj"), &[2, width]);
    add(&layer("self_attn.o_proj"), &[width, 2]);
    add(&layer("mlp.gate_proj"), &[2, width]);
    add(&layer("mlp.up_proj"), &[2, width]);
    add(&layer("mlp.down_proj"), &[width, 2]);
    let header = header.to_string();
    let start = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let file = checkpoint.at("model.safetensors");
    fs::write(&file, &start).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(start.len() as u64 + at)
        .unwrap();
    checkpoint
}

/// Waits until the unfinished file is there.
fn wait_for_part(folder: &Path, child: &mut Child) {
    wait_until("the unfinished file", || {
        assert_eq!(child.try_wait().unwrap(), None, "it is still at work");
        names(folder).iter().any(|name| name.ends_with(".part"))
    });
}

#[test]
fn ctrl_c_leaves_no_half_file_and_the_old_one() {
    let checkpoint = large(1 << 30);
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    fs::write(&to, "old").unwrap();
    let mut command = command(checkpoint.folder.path(), &to, &[]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_for_part(out.path(), &mut child);
    send_signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("solverbox: stopped; nothing was written\n"), "{error}");
    assert_eq!(names(out.path()), ["x.gguf"]);
    assert_eq!(fs::read(&to).unwrap(), b"old");
}

#[test]
fn memory_does_not_grow_with_a_tensor() {
    let checkpoint = large(467 << 20);
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    let mut child = command(checkpoint.folder.path(), &to, &["--type", "f16"]).spawn().unwrap();
    let mut peak_kib = 0;
    // The kernel keeps the peak itself, so that looks now and then miss nothing but the end.
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak_kib = peak_kib.max(now.unwrap_or(0));
        std::thread::yield_now();
    }
    assert!(child.wait().unwrap().success());
    println!("peak {} MiB", peak_kib >> 10);
    assert!((1..200 << 10).contains(&peak_kib), "{peak_kib} KiB");
}

/// Runs the program where `/mnt` is a small disk of its own, in a mount namespace.
fn on_a_disk(options: &str, from: &Path) -> Command {
    let mut command = crate::fixture::deaf(Command::new("unshare"));
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o $1 none /mnt && exec \"$0\" convert \"$2\" /mnt/x.gguf");
    command.args([env!("CARGO_BIN_EXE_solverbox"), options]).arg(from);
    command
}

#[test]
fn a_full_or_read_only_disk_leaves_no_half_file() {
    let probe = Command::new("unshare")
        .args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!(
            "NOT CHECKED: no disk to fill, `unshare --map-root-user --mount mount` fails here"
        );
        return;
    }
    let checkpoint = large(256 << 20);
    let from = checkpoint.folder.path();
    let output = on_a_disk("ro", from).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("'/mnt/x.gguf': Read-only file system"), "{error}");

    let output = on_a_disk("size=100m", from).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{error}");
    assert!(error.contains("bytes are needed") && error.contains("/mnt/x.gguf"), "{error}");

    // Full only once the file is begun: stopped there, so that the disk can be filled.
    let mut child = on_a_disk("size=320m", from).stderr(Stdio::piped()).spawn().unwrap();
    let disk = PathBuf::from(format!("/proc/{}/root/mnt", child.id()));
    wait_until("the unfinished file", || {
        assert_eq!(child.try_wait().unwrap(), None, "it is still at work");
        let entries = fs::read_dir(&disk).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|n| n.to_string_lossy().ends_with(".part"))
    });
    send_signal(child.id(), "STOP");
    // Held open, so that the disk can be looked at when the program has left its namespace.
    let held = fs::File::open(&disk).unwrap();
    let disk = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held)));
    assert!(fs::write(disk.join("filler"), vec![1; 320 << 20]).is_err(), "the disk is full");
    send_signal(child.id(), "CONT");
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{error}");
    assert!(error.contains("cannot write '/mnt/x.gguf': No space left on device"), "{error}");
    assert_eq!(names(&disk), ["filler"]);
}

#[test]
fn quantized_types_are_refused_in_words() {
    let out = tempfile::tempdir().unwrap();
    let output = convert(&bundled("checkpoint"), &out.path().join("x.gguf"), &["--type", "q8_0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--type: q8_0"));
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
