//! Greedy answers equal what llama.cpp itself gives in its plain example loop, computed here and
//! now.

use std::num::NonZeroU32;

use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::model::{LlamaChatMessage, LlamaModel};
use llama_cpp_2::sampling::LlamaSampler;
use serde_json::Value;

use crate::fixture::{model, solve, text};
use solverbox::engine::kernels;
use solverbox::words::mode::Modes;

const QUESTIONS: [&str; 5] = [
    "What is 17 × 23?",
    "Name the first four prime numbers.",
    "Write a Python function that returns the larger of two numbers.",
    "\n\nWhy is the sky blue? <b>Answer</b> in one sentence.",
    "数学は好きですか？ 🧮 Answer in English.",
];
const TOKENS: usize = 48;
const UBATCH: u32 = 128;

/// llama.cpp's own template, tokenizer, context, greedy sampler and detokenizer.
fn reference(backend: &LlamaBackend, model: &LlamaModel, system: &str, question: &str) -> String {
    let message = |role: &str, text: &str| LlamaChatMessage::new(role.into(), text.into()).unwrap();
    let template = model.chat_template(None).unwrap();
    let chat = [message("system", system), message("user", question)];
    let prompt = model.apply_chat_template(&template, &chat, true).unwrap();
    let tokens = model.vocab().tokenize(prompt.as_bytes(), false, true);
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(2048))
        .with_n_batch(UBATCH)
        .with_n_ubatch(UBATCH)
        .with_kv_unified(true)
        .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_ENABLED)
        .with_n_threads(1)
        .with_n_threads_batch(1);
    let mut context = model.new_context(backend, params).unwrap();
    let mut batch = LlamaBatch::new(UBATCH as usize, 1);
    for (i, &token) in tokens.iter().enumerate() {
        batch.add(token, i as i32, &[0], i + 1 == tokens.len()).unwrap();
    }
    let mut greedy = LlamaSampler::greedy();
    let mut bytes = Vec::new();
    for position in tokens.len()..tokens.len() + TOKENS {
        context.decode(&mut batch).unwrap();
        let token = greedy.sample(&context, batch.n_tokens() - 1);
        if model.vocab().is_eog(token) {
            break;
        }
        bytes.extend(model.vocab().token_to_piece(token, false, None));
        batch.clear();
        batch.add(token, position as i32, &[0], true).unwrap();
    }
    // The budget may end inside a character, which we drop.
    String::from_utf8_lossy(&bytes).trim_end_matches('\u{FFFD}').trim().to_string()
}

#[test]
fn greedy_answers_equal_llama_cpps_own_loop() {
    kernels::register(kernels::choose(None).unwrap()).unwrap();
    let mut backend = LlamaBackend::init().unwrap();
    backend.void_logs();
    let loaded =
        LlamaModel::load_from_file(&backend, model(), &LlamaModelParams::default()).unwrap();
    let system = Modes::built_in().find("plain").unwrap().system.clone();
    for question in QUESTIONS {
        let expected = reference(&backend, &loaded, &system, question);
        let budget = TOKENS.to_string();
        let output = solve(&[
            "--json",
            "--mode",
            "plain",
            "--temperature",
            "0",
            "--budget-tokens",
            &budget,
            question,
        ]);
        let answer: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
        assert!(!expected.is_empty());
        assert_eq!(answer["answer"].as_str().unwrap(), expected, "{question}");
    }
}
