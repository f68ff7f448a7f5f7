//! Metadata that llama.cpp would assert or throw on, in small models that are valid but for that.

use crate::support::tiny::{self, Tiny, TinyKind as Of};
use crate::support::{GgufWriter, solve_with, text};
use solverbox::model;
use solverbox::model::write::GgufValue;
use solverbox::types::error::Kind;
use solverbox::types::plan::Weights;

/// A small valid model with a change.
fn changed(kind: Of, change: impl FnOnce(&mut Tiny)) -> Vec<u8> {
    let mut tiny = tiny::model(kind);
    change(&mut tiny);
    tiny.bytes()
}

/// Checks that each file is refused before llama.cpp sees it, with the reason.
fn all_refused(cases: Vec<(Vec<u8>, &str)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fault.gguf");
    for (bytes, says) in cases {
        std::fs::write(&path, bytes).unwrap();
        let error = model::open(&Weights::model(&path)).expect_err(says);
        assert_eq!(error.kind, Kind::BadModel, "{error}");
        assert!(error.message.contains(says), "{says}: {error}");
    }
}

/// Replaces or adds a key.
fn set(tiny: &mut Tiny, key: &str, value: GgufValue) {
    tiny.keys.retain(|(name, _)| name != key);
    tiny.keys.push((key.to_string(), value));
}

fn with_key(kind: Of, key: &str, value: GgufValue) -> Vec<u8> {
    changed(kind, |tiny| set(tiny, key, value))
}

/// Changes a list of texts.
fn with_texts(kind: Of, key: &str, change: impl FnOnce(&mut Vec<String>)) -> Vec<u8> {
    changed(kind, |tiny| {
        let (_, value) = tiny.keys.iter_mut().find(|(name, _)| name == key).unwrap();
        let GgufValue::Texts(texts) = value else { panic!("{key} is a list of texts") };
        change(texts);
    })
}

#[test]
fn numbers_llama_cpp_asserts_on_are_refused() {
    let number =
        |key: &str, number| with_key(Of::Qwen2, &format!("qwen2.{key}"), GgufValue::U32(number));
    let text = |key: &str, text: &str| with_key(Of::Qwen2, key, GgufValue::Text(text.into()));
    all_refused(vec![
        (text("qwen2.rope.scaling.type", "spiral"), "'spiral' is not supported"),
        (
            number("rope.dimension_count", 6),
            "rope.dimension_count': 6 does not match the head size 8",
        ),
        (number("attention.value_length", 4), "attention.value_length': 4"),
        (number("attention.key_length", 16), "4 heads of size 16 do not add up to 32"),
        (number("attention.head_count_kv", 3), "does not divide the 4 heads: 3"),
        (number("expert_used_count", 2), "expert_used_count': 2 of 0"),
        (number("expert_group_count", 2), "expert_group_count"),
        (number("nextn_predict_layers", 2), "nextn_predict_layers': 2 of 2"),
        (number("block_count", 600), "block_count"),
        (text("qwen2.block_count", "two"), "block_count"),
        (text("general.alignment", "32"), "'general.alignment' has type text, but u32 is required"),
        (with_key(Of::Qwen2, "qwen2.attention.causal", GgufValue::Bool(false)), "attention.causal"),
        (
            with_key(Of::Qwen2, "qwen2.rope.freq_base", GgufValue::F32(f32::NAN)),
            "not a finite number",
        ),
        (with_key(Of::LlamaOfExperts, "llama.expert_used_count", GgufValue::U32(9)), "9 of 4"),
        (number("context_length", 0), "context_length"),
        (with_key(Of::Qwen2, "split.count", GgufValue::U32(2)), "one of 2 parts of a split model"),
    ]);
}

/// gguf-rs stores such lists in a hundred times their size: 60 MB became 12 GB.
#[test]
fn long_lists_outside_the_vocabulary_are_refused_before_they_are_stored() {
    let mut file = GgufWriter::of("qwen2");
    for number in 0..2 {
        let list = [&0_u32.to_le_bytes()[..], &40_000_u64.to_le_bytes(), &[0; 40_000]].concat();
        file.key(&format!("x.list{number}"), 9, list);
    }
    file.tensor("x", &[1], 0, 0);
    all_refused(vec![(file.bytes(), "the items outside the vocabulary to 80000")]);
}

/// Published files have 4,294,967,295 for a missing token, which llama.cpp ignores.
#[test]
fn special_tokens_outside_the_vocabulary_are_ignored() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for id in [266, u32::MAX] {
        let key = "tokenizer.ggml.padding_token_id";
        std::fs::write(file.path(), with_key(Of::Qwen2, key, GgufValue::U32(id))).unwrap();
        model::open(&Weights::model(file.path())).unwrap();
    }
}

#[test]
fn tensors_that_contradict_the_header_are_refused() {
    let at = |tiny: &Tiny, name: &str| tiny.tensors.iter().position(|t| t.name == name).unwrap();
    let without = |name: &str| {
        changed(Of::Qwen2, |tiny| {
            let at = at(tiny, name);
            tiny.tensors.remove(at);
            tiny.data.remove(at);
        })
    };
    let named = |name: &str, new: &str| {
        changed(Of::Qwen2, |tiny| {
            let at = at(tiny, name);
            tiny.tensors[at].name = new.to_string();
        })
    };
    let needs = "tensor 'blk.1.attn_k.weight' has shape [16, 32], but [32, 16] is required";
    all_refused(vec![
        (
            without("blk.1.ffn_up.weight"),
            "tensor 'blk.1.ffn_up.weight' of shape [32, 64] is missing",
        ),
        (named("blk.1.attn_q.bias", "blk.1.attn_x.bias"), "'blk.1.attn_x.bias' does not belong to"),
        (named("blk.1.attn_q.bias", "blk.0.attn_q.bias"), "'blk.0.attn_q.bias' occurs twice"),
        (named("blk.1.attn_q.bias", "blk.1.attn_q\0.bias"), "a tensor's name is not UTF-8 text"),
        (named("blk.1.attn_q.bias", &"x".repeat(64)), "name must have 1 to 63 bytes"),
        (named("blk.1.attn_q.bias", "\u{1b}[2J"), "tensor '\\u{1b}[2J' does not belong to"),
        (
            changed(Of::Qwen2, |tiny| {
                let k = at(tiny, "blk.1.attn_k.weight");
                tiny.tensors[k].shape.reverse()
            }),
            needs,
        ),
    ]);
    // Tensors that overlap, or leave a gap: the second one's offset is the last number of its row.
    let moved = |to: u64| {
        let mut bytes = tiny::model(Of::Qwen2).bytes();
        let name = b"output_norm.weight";
        let row = bytes.windows(name.len()).position(|w| w == name).unwrap() + name.len();
        bytes[row + 16..row + 24].copy_from_slice(&to.to_le_bytes());
        bytes
    };
    all_refused(vec![
        (moved(0), "tensor 'output_norm.weight' is at offset 0 instead of 17024"),
        (moved(17024 + 32), "is at offset 17056 instead of 17024"),
    ]);
}

#[test]
fn vocabularies_llama_cpp_asserts_or_throws_on_are_refused() {
    let tokens = "tokenizer.ggml.tokens";
    let bpe = |change: &dyn Fn(&mut Vec<String>)| with_texts(Of::Qwen2, tokens, change);
    let spm = |change: &dyn Fn(&mut Vec<String>)| with_texts(Of::LlamaOfExperts, tokens, change);
    let key = |key: &str, value| with_key(Of::Qwen2, &format!("tokenizer.ggml.{key}"), value);
    all_refused(vec![
        (bpe(&|t| t[7] = t[8].clone()), "occurs twice"),
        (bpe(&|t| t[260] = t[261].clone() + "\0and more"), "occurs twice"),
        (bpe(&|t| t[260] = "[EMPTY_3]".into()), "occurs twice"),
        (bpe(&|t| t[48] = "zero".into()), "has no token for '0'"),
        (bpe(&|t| t[32] = "blank".into()), "has no token for ' '"),
        (bpe(&|t| drop(t.pop())), "has 265 tokens, but its embedding 266 rows"),
        (bpe(&|t| t[260] = "x".repeat(3_000)), "token 260 of its vocabulary has 3000 bytes"),
        (spm(&|t| t[10] = "<0x0B".into()), "token 10 stands for a byte, but is '<0x0B'"),
        (spm(&|t| t[0xE6] = "<0xFF>".into()), "occurs twice"),
        (spm(&|t| t.swap(0xE6, 258)), "stands for a byte"),
        (key("eos_token_id", GgufValue::I32(2)), "has type i32, but u32 is required"),
        (key("token_type", GgufValue::I32s(vec![1; 265])), "has 265 items for 266 tokens"),
        (key("token_type", GgufValue::I32s(vec![9; 266])), "token 0 has type 9"),
        (
            key("token_type", GgufValue::F32s(vec![1.0; 266])),
            "a list of type f32, but i32 is required",
        ),
        (key("scores", GgufValue::F32s(vec![f32::NAN; 266])), "a score that is not a number"),
        (key("merges", GgufValue::Texts(vec!["ab".into()])), "merge 0 is not two texts"),
        (key("merges", GgufValue::Texts(vec!["a ".into()])), "merge 0 is not two texts"),
        (key("model", GgufValue::Text("t5".into())), "tokenizer 't5' is not supported"),
        (key("pre", GgufValue::Text("whitespace".into())), "'whitespace' is not supported"),
        (key("add_bos_token", GgufValue::U32(1)), "has type u32, but bool is required"),
        (key("model", GgufValue::Text("gpt2\0".into())), "is not UTF-8 text"),
    ]);
}

/// llama.cpp throws on text with a byte that has no token.
#[test]
fn a_vocabulary_without_a_token_for_a_byte_is_refused() {
    let mut tiny = tiny::model(Of::LlamaOfExperts);
    for (key, value) in &mut tiny.keys {
        match value {
            GgufValue::Texts(texts) if key == "tokenizer.ggml.tokens" => {
                texts[0xE6] = "word".into()
            }
            GgufValue::I32s(types) if key == "tokenizer.ggml.token_type" => types[0xE6] = 1,
            _ => {}
        }
    }
    all_refused(vec![(tiny.bytes(), "no token for the byte 0xE6")]);
}

/// llama.cpp's memory for a token of unusual characters grows with the square of its length.
#[test]
fn a_small_vocabulary_that_would_grow_to_gigabytes_is_refused() {
    let odd = |texts: &mut Vec<String>| {
        for (at, text) in texts.iter_mut().enumerate().skip(256).take(7) {
            *text = format!("{at}{}", "\u{1}".repeat(2_040));
        }
    };
    // Seven of them are accepted: they take 30 MB.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seven.gguf");
    std::fs::write(&path, with_texts(Of::Qwen2, "tokenizer.ggml.tokens", odd)).unwrap();
    assert!(model::open(&Weights::model(&path)).is_ok());
    let more = with_texts(Of::Qwen2, "tokenizer.ggml.tokens", |texts| {
        odd(texts);
        for (at, text) in texts.iter_mut().enumerate().skip(128).take(32) {
            *text = format!("{at}{}", "\u{2}".repeat(2_040));
        }
    });
    all_refused(vec![(more, "do not use the byte alphabet")]);
}

#[test]
fn a_file_cannot_steer_the_terminal_through_a_message() {
    let bytes = with_key(Of::Qwen2, "tokenizer.ggml.pre", GgufValue::Text("\u{1b}[2Jqwen2".into()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.gguf");
    std::fs::write(&path, bytes).unwrap();
    let output = solve_with(&path, &["2+2?"]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("\\u{1b}[2Jqwen2") && !stderr.contains('\u{1b}'), "{stderr:?}");
}

/// For some vocabularies llama.cpp splits text by a regular expression that recurses once a
/// character.
#[test]
fn a_long_word_does_not_exhaust_the_stack() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recursive.gguf");
    let bytes = with_key(Of::Qwen2, "tokenizer.ggml.pre", GgufValue::Text("gpt-4o".into()));
    std::fs::write(&path, bytes).unwrap();
    for word in ["a".repeat(30_000), "数".repeat(10_000)] {
        let output = solve_with(&path, &[&word]).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{stderr}");
        assert!(stderr.contains("tokens, at most 2048 are allowed"), "{stderr}");
    }
}
