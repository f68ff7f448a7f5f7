//! The context: a KV cache with the buffers and the threads that passes over the weights need.
//!
//! Created through llama-cpp-sys-2, because llama-cpp-2 hides the context's pointer and
//! `n_outputs_max`. The pointer lets threads wait between passes instead of being started for each
//! one; `n_outputs_max` reserves logits for one row per sequence instead of a whole ubatch (75 MB
//! less with VibeThinker's vocabulary and 8 sequences).

use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

use llama_cpp_sys_2 as sys;

use super::observe::{Observer, on_operation};
use super::sets::Registered;
use super::{Backend, Model, clear_error_lines, first_error_line, pointer};
use crate::types::answer::Token;
use crate::types::error::{Error, Kind};
use crate::types::limits;
use crate::types::plan::{KvType, Plan};

/// The logits that [`Context::read`] computes; the head is a fifth of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logits {
    /// After the last token; valid until the next pass.
    Last,
    /// After every token; valid until the next pass, only in a context made for reading.
    All,
}

/// llama.cpp's number of a sequence (`llama_seq_id`), 0 to [`LLAMA_SEQUENCES`] - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct LlamaSequence(sys::llama_seq_id);

impl LlamaSequence {
    /// The sequence that [`Context::read`] uses.
    pub(crate) const FIRST: LlamaSequence = LlamaSequence(0);

    /// Makes the number `index`, below [`LLAMA_SEQUENCES`].
    pub(crate) const fn new(index: usize) -> LlamaSequence {
        debug_assert!(index < LLAMA_SEQUENCES);
        LlamaSequence(index as sys::llama_seq_id)
    }

    /// Returns the number as llama.cpp's functions take it.
    pub(super) fn raw(self) -> sys::llama_seq_id {
        self.0
    }
}

/// Sequences a unified cache distinguishes (`LLAMA_MAX_SEQ` in llama-cparams.h). They cost nothing,
/// but only those below the plan's number of sequences can be in a batch.
pub(crate) const LLAMA_SEQUENCES: usize = 256;

/// The tokens one pass over the weights decodes, of any sequences.
///
/// The tokens of a sequence are in order and continue where its cells end.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    tokens: Vec<Token>,
    positions: Vec<i32>,
    sequences: Vec<LlamaSequence>,
    /// 1 if the logits after the token are wanted.
    wanted: Vec<i8>,
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.wanted.clear();
    }

    /// Returns the number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Appends a token and returns its row, for [`Context::logits`].
    pub(crate) fn push(
        &mut self,
        token: Token,
        position: u32,
        sequence: LlamaSequence,
        wanted: bool,
    ) -> usize {
        self.tokens.push(token);
        self.positions.push(position as i32);
        self.sequences.push(sequence);
        self.wanted.push(i8::from(wanted));
        self.tokens.len() - 1
    }
}

/// A llama.cpp context and its threads.
pub(crate) struct Context<'m> {
    pub(super) context: NonNull<sys::llama_context>,
    threads: NonNull<sys::ggml_threadpool>,
    kernels: Registered,
    vocabulary_tokens: usize,
    /// The batch of [`Context::read`], reused.
    slice: Batch,
    /// llama.cpp's context points into the model.
    model: PhantomData<&'m Model>,
}

impl<'m> Context<'m> {
    /// Allocates the plan's KV cache, compute buffers and threads.
    ///
    /// # Errors
    /// `no_memory` if they cannot be allocated.
    pub(crate) fn new(
        backend: &Backend,
        model: &'m Model,
        plan: &Plan,
    ) -> Result<Context<'m>, Error> {
        Context::with(backend, model, plan, params(plan))
    }

    /// Like [`Context::new`], for evaluating texts: with logits after every token, which take twice
    /// 4 bytes × the tokens of a ubatch × the vocabulary. `observer` is shown the activations that
    /// are multiplied with weights.
    ///
    /// # Errors
    /// As [`Context::new`].
    pub(crate) fn for_reading(
        backend: &Backend,
        model: &'m Model,
        plan: &Plan,
        observer: Option<&'m Observer>,
    ) -> Result<Context<'m>, Error> {
        let mut params = params(plan);
        params.n_outputs_max = limits::UBATCH_TOKENS;
        if let Some(observer) = observer {
            params.cb_eval = Some(on_operation);
            // Only ever read through: the observer changes itself within.
            params.cb_eval_user_data = std::ptr::from_ref(observer).cast_mut().cast();
        }
        Context::with(backend, model, plan, params)
    }

    fn with(
        backend: &Backend,
        model: &'m Model,
        plan: &Plan,
        params: sys::llama_context_params,
    ) -> Result<Context<'m>, Error> {
        clear_error_lines();
        let no_memory = || {
            let (tokens, file) = (plan.context_tokens, &plan.model);
            Error::new(
                Kind::NoMemory,
                format!(
                    "cannot reserve a context of {tokens} tokens for {file}: {}",
                    first_error_line()
                ),
                "Lower --context-tokens, or use --kv q8_0.",
            )
        };
        // SAFETY: the model outlives the context (`'m`), as does an observer, and only this thread
        // uses them.
        let context = unsafe { sys::llama_init_from_model(pointer(&model.model), params) };
        let context = NonNull::new(context).ok_or_else(no_memory)?;
        let kernels = backend.kernels;
        let Some(threads) = NonNull::new(kernels.new_threads(plan.threads)) else {
            // SAFETY: it was made above and this function alone owns it.
            unsafe { sys::llama_free(context.as_ptr()) };
            return Err(no_memory());
        };
        // SAFETY: both live until `drop`, which takes them apart in the right order.
        unsafe {
            sys::llama_attach_threadpool(context.as_ptr(), threads.as_ptr(), threads.as_ptr());
        }
        Ok(Context {
            context,
            threads,
            kernels,
            vocabulary_tokens: model.model.n_vocab().max(0) as usize,
            slice: Batch::default(),
            model: PhantomData,
        })
    }

    /// Decodes a batch of 1 to `UBATCH_TOKENS` tokens in one pass over the weights. At most
    /// `LOGIT_ROWS` rows of logits may be wanted, and enough cells must be free.
    ///
    /// # Errors
    /// `internal` if llama.cpp rejects the batch.
    pub(crate) fn decode(&mut self, batch: &Batch) -> Result<(), Error> {
        let count = batch.len();
        debug_assert!((1..=limits::UBATCH_TOKENS as usize).contains(&count));
        let each_one = [1_i32; limits::UBATCH_TOKENS as usize];
        let mut sequences = [null_mut(); limits::UBATCH_TOKENS as usize];
        for (pointer, sequence) in sequences.iter_mut().zip(&batch.sequences) {
            // `LlamaSequence` is a transparent `llama_seq_id`.
            *pointer = std::ptr::from_ref(sequence).cast_mut().cast();
        }
        // llama.cpp only reads what these point to.
        let raw = sys::llama_batch {
            n_tokens: count as i32,
            token: batch.tokens.as_ptr().cast::<sys::llama_token>().cast_mut(),
            embd: null_mut(),
            pos: batch.positions.as_ptr().cast_mut(),
            n_seq_id: each_one.as_ptr().cast_mut(),
            seq_id: sequences.as_mut_ptr(),
            logits: batch.wanted.as_ptr().cast_mut(),
        };
        // SAFETY: every array has `n_tokens` elements and lives for the call.
        match unsafe { sys::llama_decode(self.context.as_ptr(), raw) } {
            0 => Ok(()),
            code => Err(Error::internal(format!(
                "cannot decode {count} tokens: llama_decode returned {code}"
            ))),
        }
    }

    /// Decodes `tokens` (1 to `UBATCH_TOKENS`) of the first sequence, the first of them at
    /// `position`, in one pass.
    ///
    /// # Errors
    /// As [`Context::decode`].
    pub(crate) fn read(
        &mut self,
        tokens: &[Token],
        position: u32,
        wanted: Logits,
    ) -> Result<(), Error> {
        let mut slice = std::mem::take(&mut self.slice);
        slice.clear();
        for (at, &token) in (position..).zip(tokens) {
            let is_last = at as usize + 1 == position as usize + tokens.len();
            slice.push(token, at, LlamaSequence::FIRST, wanted == Logits::All || is_last);
        }
        let decoded = self.decode(&slice);
        self.slice = slice;
        decoded
    }

    /// Returns the logits after the token in `row` of the last batch, one for each token of the
    /// vocabulary. They must have been wanted.
    ///
    /// # Errors
    /// `internal` if there are none.
    pub(crate) fn logits(&self, row: usize) -> Result<&[f32], Error> {
        self.row(row as i32)
    }

    /// Returns the logits after the last token of the last pass.
    ///
    /// # Errors
    /// `internal` if there are none.
    pub(crate) fn last_logits(&self) -> Result<&[f32], Error> {
        self.row(-1)
    }

    fn row(&self, row: i32) -> Result<&[f32], Error> {
        // SAFETY: llama.cpp checks the row, of which -1 is the last; null is checked.
        let logits = unsafe { sys::llama_get_logits_ith(self.context.as_ptr(), row) };
        if logits.is_null() {
            return Err(Error::internal("llama.cpp computed no logits"));
        }
        // SAFETY: a row has a logit for each token of the vocabulary and stays until the next pass,
        // which needs `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(logits, self.vocabulary_tokens) })
    }

    /// Returns the logits after each token of the last pass, one row per token, concatenated. All
    /// of them must have been wanted.
    ///
    /// # Errors
    /// `internal` if some were not computed.
    pub(crate) fn all_logits(&self) -> Result<&[f32], Error> {
        // SAFETY: the rows of the last pass, one after the other; null is checked.
        let rows = unsafe { sys::llama_get_logits(self.context.as_ptr()) };
        if rows.is_null() || self.slice.wanted.contains(&0) {
            return Err(Error::internal("llama.cpp did not compute all logits"));
        }
        let count = self.slice.len() * self.vocabulary_tokens;
        // SAFETY: every token of the last pass wanted its row, of a logit for each token of the
        // vocabulary; they stay until the next pass, which needs `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(rows, count) })
    }

    /// Shares the first `tokens` cells of one sequence with another, which must be empty. Nothing
    /// is copied.
    pub(crate) fn share(&mut self, from: LlamaSequence, to: LlamaSequence, tokens: usize) {
        // SAFETY: the context is alive, and both sequences are below llama.cpp's bound.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            sys::llama_memory_seq_cp(memory, from.raw(), to.raw(), 0, tokens as i32);
        }
    }

    /// Frees the cells of a sequence except its first `tokens`.
    pub(crate) fn truncate(&mut self, sequence: LlamaSequence, tokens: usize) {
        // SAFETY: the context is alive; -1 means to the end.
        let removed = unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            sys::llama_memory_seq_rm(memory, sequence.raw(), tokens as i32, -1)
        };
        debug_assert!(removed, "the end of a sequence can always be removed");
    }

    /// Frees all cells and zeroes their contents.
    pub(crate) fn clear(&mut self) {
        // SAFETY: the context is alive.
        unsafe { sys::llama_memory_clear(sys::llama_get_memory(self.context.as_ptr()), true) };
    }

    pub(super) fn raw(&self) -> *mut sys::llama_context {
        self.context.as_ptr()
    }

    /// Sets how many of the plan's threads later passes use.
    pub(crate) fn use_threads(&mut self, threads: u32) {
        // SAFETY: the context is alive; the threads it was given are at least as many.
        unsafe {
            sys::llama_set_n_threads(self.context.as_ptr(), threads as i32, threads as i32);
        }
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: no pass is running; the context is freed before the threads it would use.
        unsafe {
            sys::llama_detach_threadpool(self.context.as_ptr());
            sys::llama_free(self.context.as_ptr());
            self.kernels.free_threads(self.threads.as_ptr());
        }
    }
}

fn params(plan: &Plan) -> sys::llama_context_params {
    let kv = match plan.kv {
        KvType::F16 => sys::GGML_TYPE_F16,
        KvType::Q8_0 => sys::GGML_TYPE_Q8_0,
    };
    // SAFETY: returns a plain struct.
    let mut params = unsafe { sys::llama_context_default_params() };
    params.n_ctx = plan.context_tokens;
    params.n_batch = limits::UBATCH_TOKENS;
    params.n_ubatch = limits::UBATCH_TOKENS;
    params.n_seq_max = plan.sequences;
    params.n_outputs_max = limits::LOGIT_ROWS;
    params.kv_unified = true;
    params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.type_k = kv;
    params.type_v = kv;
    params.n_threads = plan.threads as i32;
    params.n_threads_batch = plan.threads as i32;
    params.no_perf = true;
    params
}
