//! The only file that names llama.cpp (with `kernels.rs`, once that registers kernels).
//!
//! It wraps what the engine's loop needs in plain types: tokens are `i32`, text is bytes, errors are
//! ours. `Model` and `Context` live and die on the engine thread. llama.cpp's own log lines go to `log`
//! at debug level; its error lines are kept, because a failed call says no more than "null".

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::num::NonZeroU32;
use std::sync::Mutex;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::VocabType;

use super::Token;
use crate::words::error::{Error, Kind};
use crate::words::limits;
use crate::words::plan::{KvType, Load, Plan};

/// What llama.cpp complained of since the list was last emptied, oldest first, at most 8 lines.
static COMPLAINTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Who wrote a text decides how it is tokenised (invariant 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// By the chat template or the engine: control tokens are parsed.
    ByTemplate,
    /// By a person: it is plain text, whatever it looks like.
    ByPerson,
}

/// Proof that llama.cpp has been started; one per process.
pub struct Backend(LlamaBackend);

impl Backend {
    /// Starts llama.cpp with its log in our hands.
    ///
    /// # Errors
    /// `internal` where it has been started already.
    pub fn start() -> Result<Backend, Error> {
        // SAFETY: `on_log` has the signature llama.cpp asks for, never unwinds, and needs no user data.
        unsafe { llama_cpp_sys_2::llama_log_set(Some(on_log), std::ptr::null_mut()) };
        let backend = LlamaBackend::init().map_err(|e| Error::internal(e.to_string()))?;
        Ok(Backend(backend))
    }
}

unsafe extern "C" fn on_log(
    level: llama_cpp_sys_2::ggml_log_level,
    text: *const c_char,
    _user_data: *mut c_void,
) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp hands over a NUL-terminated string that lives for the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim_end();
    log::debug!(target: "llama.cpp", "{text}");
    if level == llama_cpp_sys_2::GGML_LOG_LEVEL_ERROR
        && let Ok(mut complaints) = COMPLAINTS.lock()
        && complaints.len() < 8
    {
        complaints.push(text.to_string());
    }
}

fn forget_complaints() {
    if let Ok(mut complaints) = COMPLAINTS.lock() {
        complaints.clear();
    }
}

/// Returns llama.cpp's first complaint without its function's name in front.
fn complaint() -> String {
    let first = COMPLAINTS.lock().ok().and_then(|lines| lines.first().cloned());
    let line = first.unwrap_or_else(|| "llama.cpp gave no reason".to_string());
    let cause = line.split_once("error loading model: ").map_or(line.as_str(), |(_, cause)| cause);
    cause.split_once(": ").filter(|(f, _)| f.starts_with("llama_")).map_or(cause, |(_, c)| c).into()
}

/// Loaded weights and vocabulary.
pub struct Model {
    model: LlamaModel,
    control: Vec<(Token, String)>,
}

impl Model {
    /// Loads the plan's file. Blocks; `progress` hears the share loaded and stops it by `false`.
    ///
    /// # Errors
    /// `bad_model` with llama.cpp's own reason; `stopped` where `progress` said so.
    pub fn load(
        backend: &Backend,
        plan: &Plan,
        mut progress: impl FnMut(f32) -> bool + 'static,
    ) -> Result<Model, Error> {
        forget_complaints();
        let stopped = std::rc::Rc::new(std::cell::Cell::new(false));
        let says_stopped = stopped.clone();
        let params = LlamaModelParams::default()
            .with_n_gpu_layers(0)
            .with_use_mmap(plan.load == Load::Mapped)
            .with_progress_callback(move |share| {
                let go_on = progress(share);
                says_stopped.set(!go_on);
                go_on
            });
        let loaded = LlamaModel::load_from_file(&backend.0, &plan.model, &params);
        if stopped.get() {
            return Err(Error::new(Kind::Stopped, "stopped while loading", "Start it again."));
        }
        let model = loaded.map_err(|_| bad_model(plan, &complaint()))?;
        if model.vocab().vocab_type() == VocabType::NONE || model.n_vocab() <= 0 {
            return Err(bad_model(plan, "it has no vocabulary"));
        }
        let control = control_tokens(&model);
        Ok(Model { model, control })
    }

    /// Returns the chat template the file carries.
    pub fn chat_template(&self) -> Option<String> {
        self.model.chat_template(None).ok()?.to_string().ok()
    }

    /// Returns the control tokens with their text, longest text first.
    pub fn control_tokens(&self) -> &[(Token, String)] {
        &self.control
    }

    /// Returns the tokens that end a generation.
    pub fn end_tokens(&self) -> Vec<Token> {
        (0..self.model.n_vocab()).filter(|&token| self.is_end(token)).collect()
    }

    /// Returns whether `token` ends a generation.
    pub fn is_end(&self, token: Token) -> bool {
        self.model.vocab().is_eog(LlamaToken(token))
    }

    /// Returns the token a text starts with, where the model wants one.
    pub fn start_token(&self) -> Option<Token> {
        let vocab = self.model.vocab();
        (vocab.should_add_bos() && vocab.bos().0 >= 0).then(|| vocab.bos().0)
    }

    /// Returns the texts of the start and end tokens, as chat templates name them; empty if none.
    pub fn template_tokens(&self) -> (String, String) {
        let vocab = self.model.vocab();
        let text = |token: LlamaToken| {
            let text = (token.0 >= 0).then(|| vocab.text(token)).flatten();
            text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
        };
        (text(vocab.bos()), text(vocab.eos()))
    }

    /// Tokenises `text`; no start token is added.
    pub fn tokenize(&self, text: &str, written: Written) -> Vec<Token> {
        let special = written == Written::ByTemplate;
        let tokens = self.model.vocab().tokenize(text.as_bytes(), false, special);
        tokens.into_iter().map(|token| token.0).collect()
    }

    /// Returns a token's bytes; control tokens have none, but for the thinking tags.
    pub fn piece(&self, token: Token) -> Vec<u8> {
        let vocab = self.model.vocab();
        let piece = vocab.token_to_piece(LlamaToken(token), true, None);
        let is_tag = matches!(piece.as_slice(), b"<think>" | b"</think>");
        if vocab.is_control(LlamaToken(token)) && !is_tag { Vec::new() } else { piece }
    }
}

fn control_tokens(model: &LlamaModel) -> Vec<(Token, String)> {
    let vocab = model.vocab();
    let mut control: Vec<(Token, String)> = (0..model.n_vocab())
        .filter(|&token| vocab.is_control(LlamaToken(token)))
        .map(|token| {
            let piece = vocab.token_to_piece(LlamaToken(token), true, None);
            (token, String::from_utf8_lossy(&piece).into_owned())
        })
        .filter(|(_, text)| !text.is_empty())
        .collect();
    control.sort_by_key(|(_, text)| std::cmp::Reverse(text.len()));
    control
}

fn bad_model(plan: &Plan, cause: &str) -> Error {
    Error::new(
        Kind::BadModel,
        format!("cannot load model '{}': {cause}", plan.model.display()),
        "Use another GGUF file with --model FILE; models/README.md says how to get one.",
    )
}

/// One KV cache with the buffers to run passes over the weights.
pub struct Context<'m> {
    context: LlamaContext<'m>,
    batch: RefCell<LlamaBatch<'static>>,
}

impl<'m> Context<'m> {
    /// Reserves the plan's KV cache and compute buffers.
    ///
    /// # Errors
    /// `no_memory` where they cannot be had.
    pub fn new(backend: &Backend, model: &'m Model, plan: &Plan) -> Result<Context<'m>, Error> {
        forget_complaints();
        let kv = match plan.kv {
            KvType::F16 => KvCacheType::F16,
            KvType::Q8_0 => KvCacheType::Q8_0,
        };
        let threads = plan.threads as i32;
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(plan.context_tokens))
            .with_n_batch(limits::UBATCH_TOKENS)
            .with_n_ubatch(limits::UBATCH_TOKENS)
            .with_n_seq_max(1)
            .with_kv_unified(true)
            .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_ENABLED)
            .with_type_k(kv)
            .with_type_v(kv)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        let context = model.model.new_context(&backend.0, params).map_err(|_| {
            Error::new(
                Kind::NoMemory,
                format!(
                    "cannot reserve a context of {} tokens for model '{}': {}",
                    plan.context_tokens,
                    plan.model.display(),
                    complaint()
                ),
                "Lower --context-tokens, or use --kv q8_0.",
            )
        })?;
        let batch = RefCell::new(LlamaBatch::new(limits::UBATCH_TOKENS as usize, 1));
        Ok(Context { context, batch })
    }

    /// Decodes `tokens` (1 to `UBATCH_TOKENS`) of sequence 0 from `position` on, in one pass.
    ///
    /// The logits after the last token can be read until the next call.
    ///
    /// # Errors
    /// `internal` where llama.cpp refuses.
    pub fn decode(&mut self, tokens: &[Token], position: u32) -> Result<(), Error> {
        let batch = self.batch.get_mut();
        batch.clear();
        for (i, &token) in tokens.iter().enumerate() {
            let last = i + 1 == tokens.len();
            batch
                .add(LlamaToken(token), (position as usize + i) as i32, &[0], last)
                .map_err(|e| Error::internal(format!("cannot fill a batch: {e}")))?;
        }
        self.context
            .decode(batch)
            .map_err(|e| Error::internal(format!("cannot decode at position {position}: {e}")))
    }

    /// Returns the logits after the last token decoded, one for each token of the vocabulary.
    pub fn logits(&self) -> &[f32] {
        let last = self.batch.borrow().n_tokens() - 1;
        self.context.get_logits_ith(last)
    }

    /// Gives the cells of sequence 0 back.
    pub fn forget(&mut self) {
        // Sequence 0 and open ends are always in range.
        let removed = self.context.clear_kv_cache_seq(Some(0), None, None);
        debug_assert_eq!(removed.ok(), Some(true));
    }
}
