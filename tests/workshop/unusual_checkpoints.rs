//! Checkpoints that are whole but not as most are: what transformers loads is converted as it loads
//! it, and what a clone leaves out is named.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::bad_checkpoints::Checkpoint;
use crate::support::{gguf, model, root, solverbox, text};
use crate::workshop::convert::convert;

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";
const POINTER: &str = "version https://git-lfs.example/spec/v1\noid sha256:00\nsize 9\n";

/// Adds a head to a tied checkpoint: the embedding's bytes after `change`.
fn add_head(checkpoint: &Checkpoint, change: impl FnOnce(&mut Vec<u8>)) {
    rewrite(checkpoint, |header, data| {
        let embedding = header[EMBEDDING].clone();
        let [start, end] = [0, 1].map(|at| embedding["data_offsets"][at].as_u64().unwrap());
        let mut head = data[start as usize..end as usize].to_vec();
        change(&mut head);
        let mut entry = embedding;
        entry["data_offsets"] = json!([data.len(), data.len() + head.len()]);
        header[HEAD] = entry;
        data.extend(head);
    });
}

/// Rewrites the header and the data of `model.safetensors`.
fn rewrite(checkpoint: &Checkpoint, change: impl FnOnce(&mut Value, &mut Vec<u8>)) {
    let file = checkpoint.at("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
    let mut data = bytes[end..].to_vec();
    change(&mut header, &mut data);
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    fs::write(file, [&length[..], header.as_bytes(), &data].concat()).unwrap();
}

fn converted(folder: &Path) -> gguf::GgufFile {
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    let output = convert(folder, &to, &["--type", "bf16"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    gguf::read(&to)
}

#[test]
fn a_head_that_differs_from_the_embedding_is_kept_though_the_settings_tie_them() {
    let plain = converted(Checkpoint::of("qwen2").folder.path());
    let checkpoint = Checkpoint::of("qwen2");
    add_head(&checkpoint, |_| {});
    assert_eq!(converted(checkpoint.folder.path()).tensors, plain.tensors, "an equal copy may go");
    let checkpoint = Checkpoint::of("qwen2");
    add_head(&checkpoint, |head| head[1] ^= 1);
    let names = |file: &gguf::GgufFile| file.tensors.keys().cloned().collect::<Vec<_>>();
    let both = converted(checkpoint.folder.path());
    assert!(names(&both).contains(&"output.weight".to_string()), "{:?}", names(&both));
    assert_eq!(both.tensors.len(), plain.tensors.len() + 1);
    assert_ne!(both.tensors["output.weight"], both.tensors["token_embd.weight"]);
}

#[test]
fn a_head_alone_is_the_embedding_of_a_tied_checkpoint() {
    let plain = converted(Checkpoint::of("qwen2").folder.path());
    let checkpoint = Checkpoint::of("qwen2");
    rewrite(&checkpoint, |header, _| {
        let header = header.as_object_mut().unwrap();
        let embedding = header.remove(EMBEDDING).unwrap();
        header.insert(HEAD.into(), embedding);
    });
    assert_eq!(converted(checkpoint.folder.path()).tensors, plain.tensors);
}

#[test]
fn a_padding_token_without_a_row_is_left_out() {
    let checkpoint = Checkpoint::of("qwen2");
    let pad = json!({"id": 512, "content": "[PAD]", "special": true, "lstrip": false,
        "rstrip": false, "single_word": false, "normalized": false});
    checkpoint.change("tokenizer.json", |j| j["added_tokens"].as_array_mut().unwrap().push(pad));
    checkpoint.change("config.json", |j| j["pad_token_id"] = json!(512));
    checkpoint.change("tokenizer_config.json", |j| j["pad_token"] = json!("[PAD]"));
    let file = converted(checkpoint.folder.path());
    assert!(!file.keys.contains_key("tokenizer.ggml.padding_token_id"));
}

#[test]
fn an_end_token_that_only_the_generation_settings_name_ends_answers() {
    let checkpoint = Checkpoint::of("qwen2");
    let end = converted(checkpoint.folder.path()).number("tokenizer.ggml.eos_token_id");
    checkpoint.change("tokenizer_config.json", |j| j["eos_token"] = json!(null));
    checkpoint.change("config.json", |j| j["eos_token_id"] = json!(null));
    fs::write(checkpoint.at("generation_config.json"), json!({"eos_token_id": end}).to_string())
        .unwrap();
    let file = converted(checkpoint.folder.path());
    assert_eq!(file.number("tokenizer.ggml.eos_token_id"), end);
}

#[test]
fn git_lfs_pointers_are_named_with_the_command_that_fetches_the_files() {
    let out = tempfile::tempdir().unwrap();
    for name in ["model.safetensors", "tokenizer.json"] {
        let checkpoint = Checkpoint::of("qwen2");
        fs::write(checkpoint.at(name), POINTER).unwrap();
        let output = convert(checkpoint.folder.path(), &out.path().join("x.gguf"), &[]);
        let error = text(&output.stderr);
        assert!(error.contains(name) && error.contains("git lfs pull"), "{error}");
    }
    let file = out.path().join("pointer.gguf");
    fs::write(&file, POINTER).unwrap();
    for (command, says) in [("verify", "it is a Git LFS pointer"), ("inspect", "git lfs pull")] {
        let output = solverbox().arg(command).arg(&file).output().unwrap();
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!output.status.success() && said.contains(says), "{command}: {said}");
    }
}

#[test]
fn a_missing_tokenizer_comes_with_the_command_that_makes_one() {
    let checkpoint = Checkpoint::of("qwen2");
    fs::remove_file(checkpoint.at("tokenizer.json")).unwrap();
    let out = tempfile::tempdir().unwrap();
    let output = convert(checkpoint.folder.path(), &out.path().join("x.gguf"), &[]);
    let error = text(&output.stderr);
    assert!(error.contains("tokenizer.json") && error.contains("save_pretrained"), "{error}");
}

#[test]
fn an_adapter_of_a_shared_head_is_refused_with_the_reason() {
    let adapter = Checkpoint::of("qwen2-lora");
    let file = adapter.at("adapter_model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = text(&bytes[8..end]).replacen("model.layers.0.self_attn.q_proj.", "lm_head.", 1);
    let length = (header.len() as u64).to_le_bytes();
    fs::write(&file, [&length[..], header.as_bytes(), &bytes[end..]].concat()).unwrap();
    let base = root().join("tests/data/checkpoints/qwen2");
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    let output = convert(adapter.folder.path(), &to, &["--base", base.to_str().unwrap()]);
    let error = text(&output.stderr);
    assert!(error.contains("lm_head") && error.contains("shares with its embedding"), "{error}");
}

#[test]
fn checksums_that_powershell_wrote_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.gguf");
    fs::copy(model(), &file).unwrap();
    let digest = solverbox::model::checksum::of(&file, |_| ()).unwrap().to_uppercase();
    let utf16 = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xFF, 0xFE].into_iter().chain(units).collect::<Vec<u8>>()
    };
    let table = format!(
        "\r\nAlgorithm       Hash                Path\r\n---------       ----                ----\r\n\
         SHA256          {digest}       C:\\models\\m.gguf\r\n\r\n"
    );
    let wrong = table.replace(&digest, &"0".repeat(64));
    for (name, said, is_right) in [
        ("m.gguf.sha256", digest.as_str(), true),
        ("m.gguf.sha256", &table, true),
        ("SHA256SUMS", &table, true),
        ("SHA256SUMS", &wrong, false),
    ] {
        let sums = folder.path().join(name);
        fs::write(&sums, utf16(said)).unwrap();
        let output = solverbox().arg("verify").arg(&file).output().unwrap();
        assert_eq!(output.status.success(), is_right, "{said}: {output:?}");
        fs::remove_file(sums).unwrap();
    }
}
