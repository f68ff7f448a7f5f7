//! The logits and tokens of converted checkpoints, compared with those of transformers and PEFT for
//! the same folders (tests/data/checkpoints/make.py).

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use serde_json::Value;

use crate::support::{llama, root, solverbox, text};

/// The checkpoints, and the adapters with their base models.
const CHECKPOINTS: [&str; 6] =
    ["qwen2", "qwen2-sharded", "qwen3", "llama", "llama-smol", "llama-spm"];
/// Checkpoints that differ from these only in their numbers.
const VARIANTS: [&str; 3] = ["qwen2-yarn", "llama-linear", "mistral"];
const ADAPTERS: [(&str, &str); 3] =
    [("qwen2-lora", "qwen2"), ("llama-lora", "llama"), ("qwen2-ranks-lora", "qwen2-yarn")];
/// Types, with the largest allowed difference of a logit.
const TYPES: [(&str, f32); 2] = [("f32", 1e-3), ("f16", 2e-2)];

fn checkpoint(name: &str) -> PathBuf {
    root().join("tests/data/checkpoints").join(name)
}

fn json(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn convert(folder: &Path, to: &Path, args: &[&str]) {
    let output = solverbox().arg("convert").arg(folder).arg(to).args(args).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Token sequences, and the logits after the last token of each.
fn reference(folder: &Path) -> Vec<(Vec<LlamaToken>, Vec<f32>)> {
    let about = json(&folder.join("reference.json"));
    let numbers = std::fs::read(folder.join("reference.f32")).unwrap();
    let vocabulary = about["vocabulary"].as_u64().unwrap() as usize;
    let sequences = about["sequences"].as_array().unwrap();
    assert!(matches!(sequences.len(), 50 | 16));
    assert_eq!(numbers.len(), sequences.len() * vocabulary * 4);
    let token = |id: &Value| LlamaToken(id.as_i64().unwrap() as i32);
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    sequences
        .iter()
        .zip(numbers.chunks(vocabulary * 4))
        .map(|(ids, row)| {
            let ids = ids.as_array().unwrap().iter().map(token).collect();
            (ids, row.chunks(4).map(number).collect())
        })
        .collect()
}

fn load(file: &Path) -> LlamaModel {
    LlamaModel::load_from_file(llama(), file, &LlamaModelParams::default()).unwrap()
}

/// Returns the largest difference of a logit over all sequences.
fn difference(model: &mut LlamaModel, adapter: Option<&Path>, folder: &Path) -> f32 {
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(64))
        .with_type_k(KvCacheType::F32)
        .with_type_v(KvCacheType::F32)
        .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_DISABLED)
        .with_n_threads(1)
        .with_n_threads_batch(1);
    let mut adapter = adapter.map(|file| model.lora_adapter_init(file).unwrap());
    let mut context = model.new_context(llama(), params).unwrap();
    if let Some(adapter) = &mut adapter {
        context.lora_adapter_set(adapter, 1.0).unwrap();
    }
    let mut largest = 0_f32;
    for (tokens, expected) in reference(folder) {
        context.clear_kv_cache();
        let mut batch = LlamaBatch::new(64, 1);
        for (at, token) in (0..).zip(&tokens) {
            batch.add(*token, at, &[0], at as usize + 1 == tokens.len()).unwrap();
        }
        context.decode(&mut batch).unwrap();
        let logits = context.get_logits_ith(tokens.len() as i32 - 1);
        assert_eq!(logits.len(), expected.len());
        for (ours, theirs) in logits.iter().zip(&expected) {
            assert!(ours.is_finite());
            largest = largest.max((ours - theirs).abs());
        }
    }
    largest
}

#[test]
fn a_converted_checkpoint_has_the_logits_of_transformers() {
    let files = tempfile::tempdir().unwrap();
    for name in CHECKPOINTS.into_iter().chain(VARIANTS) {
        for (kind, bound) in TYPES {
            let file = files.path().join(format!("{name}-{kind}.gguf"));
            convert(&checkpoint(name), &file, &["--type", kind]);
            let off = difference(&mut load(&file), None, &checkpoint(name));
            println!("{name} {kind}: logits off by at most {off:e}");
            assert!(off <= bound, "{name} {kind}: {off}");
        }
    }
}

#[test]
fn a_converted_adapter_has_the_logits_of_peft() {
    let files = tempfile::tempdir().unwrap();
    for (name, base) in ADAPTERS {
        for (kind, bound) in TYPES {
            let model = files.path().join(format!("{base}-{kind}.gguf"));
            convert(&checkpoint(base), &model, &["--type", kind]);
            let from_folder = files.path().join("adapter.gguf");
            let folder = checkpoint(base).display().to_string();
            convert(&checkpoint(name), &from_folder, &["--type", kind, "--base", &folder]);
            let file = files.path().join(format!("{name}-{kind}.gguf"));
            let base = model.display().to_string();
            convert(&checkpoint(name), &file, &["--type", kind, "--base", &base]);
            let same = std::fs::read(&from_folder).unwrap() == std::fs::read(&file).unwrap();
            assert!(same, "{name}: the base's folder and its file give the same result");
            let mut model = load(&model);
            let off = difference(&mut model, Some(&file), &checkpoint(name));
            println!("{name} {kind}: logits off by at most {off:e}");
            assert!(off <= bound, "{name} {kind}: {off}");
            let without = difference(&mut model, None, &checkpoint(name));
            assert!(without > 10.0 * bound, "{name} {kind}: the adapter matters, {without}");
        }
    }
}

#[test]
fn text_becomes_the_tokens_of_hugging_faces_tokenizer() {
    let files = tempfile::tempdir().unwrap();
    let corpus = json(&root().join("tests/data/checkpoints/corpus.json"));
    let texts = corpus.as_array().unwrap();
    let mut wrong = Vec::new();
    for name in CHECKPOINTS {
        let file = files.path().join(format!("{name}.gguf"));
        convert(&checkpoint(name), &file, &[]);
        let model = load(&file);
        let expected = json(&checkpoint(name).join("tokens.json"));
        assert_eq!(expected.as_array().unwrap().len(), texts.len());
        for (at, text) in texts.iter().enumerate() {
            let text = text.as_str().unwrap();
            let tokens = model.vocab().tokenize(text.as_bytes(), false, true);
            let ids: Vec<i64> = tokens.iter().map(|token| i64::from(token.0)).collect();
            if serde_json::json!(ids) != expected[at] {
                wrong.push(format!("{name}, {text:?}: {ids:?}, not {}", expected[at]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
