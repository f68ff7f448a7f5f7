//! The context: one KV cache, the buffers and the threads to run passes over the weights.
//!
//! Made through llama-cpp-sys-2, because llama-cpp-2 hides the context's pointer and
//! `n_outputs_max`. With the one, threads wait between passes instead of being started for each;
//! with the other, logits are reserved for a row a sequence instead of for a ubatch (75 MB less
//! with VibeThinker's vocabulary and 8 sequences).

use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

use llama_cpp_sys_2 as sys;

use super::observe::{Observer, on_operation};
use super::sets::Registered;
use super::{Backend, Model, complaint, forget_complaints, pointer};
use crate::engine::Token;
use crate::types::error::{Error, Kind};
use crate::types::limits;
use crate::types::plan::{KvType, Plan};

/// Which logits reading a slice computes: the head is a fifth of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logits {
    /// Those after the last token, until the next pass.
    Last,
    /// Those after every token, until the next pass; only for a context made for reading.
    All,
}

/// Names one sequence of the KV cache, below [`SEQUENCE_IDS`].
pub type SequenceId = i32;

/// Sequences a unified cache can tell apart (llama-cparams.h, `LLAMA_MAX_SEQ`). They cost nothing,
/// but only those below the plan's number of sequences can be in a batch.
pub const SEQUENCE_IDS: usize = 256;

/// What one pass over the weights decodes: tokens of any sequences.
///
/// The tokens of a sequence stand in order and go on where its cells end.
#[derive(Debug, Default)]
pub struct Batch {
    tokens: Vec<Token>,
    positions: Vec<i32>,
    sequences: Vec<SequenceId>,
    /// 1 where the logits after a token are wanted.
    wanted: Vec<i8>,
}

impl Batch {
    /// Empties it.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.wanted.clear();
    }

    /// Returns how many tokens are in it.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Adds a token and returns its row, by which [`Context::logits`] knows it.
    pub fn push(&mut self, token: Token, position: u32, id: SequenceId, wanted: bool) -> usize {
        self.tokens.push(token);
        self.positions.push(position as i32);
        self.sequences.push(id);
        self.wanted.push(i8::from(wanted));
        self.tokens.len() - 1
    }
}

/// One KV cache with what it takes to use it.
pub struct Context<'m> {
    pub(super) context: NonNull<sys::llama_context>,
    threads: NonNull<sys::ggml_threadpool>,
    kernels: Registered,
    vocabulary_tokens: usize,
    /// For reading slices of one sequence.
    slice: Batch,
    /// llama.cpp's context points into the model.
    model: PhantomData<&'m Model>,
}

impl<'m> Context<'m> {
    /// Reserves the plan's KV cache, compute buffers and threads.
    ///
    /// # Errors
    /// `no_memory` where they cannot be had.
    pub fn new(backend: &Backend, model: &'m Model, plan: &Plan) -> Result<Context<'m>, Error> {
        Context::with(backend, model, plan, params(plan))
    }

    /// Reserves the same for reading texts: with logits after every token, which take 4 bytes a
    /// token of a ubatch and of the vocabulary, twice; `observer` sees what goes into the matrices.
    ///
    /// # Errors
    /// Those of [`Context::new`].
    pub fn for_reading(
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
        forget_complaints();
        let no_memory = || {
            let (tokens, file) = (plan.context_tokens, &plan.model);
            Error::new(
                Kind::NoMemory,
                format!("cannot reserve a context of {tokens} tokens for {file}: {}", complaint()),
                "Lower --context-tokens, or use --kv q8_0.",
            )
        };
        // SAFETY: the model outlives the context (`'m`), as does an observer, and only this thread
        // uses them.
        let context = unsafe { sys::llama_init_from_model(pointer(&model.model), params) };
        let context = NonNull::new(context).ok_or_else(no_memory)?;
        let kernels = backend.kernels;
        let Some(threads) = NonNull::new(kernels.new_threads(plan.threads)) else {
            // SAFETY: it was made above and nobody else has it.
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

    /// Decodes a batch of 1 to `UBATCH_TOKENS` tokens in one pass over the weights. At most the
    /// plan's rows of logits may be wanted; the cells it needs must be free.
    ///
    /// # Errors
    /// `internal` where llama.cpp refuses.
    pub fn decode(&mut self, batch: &Batch) -> Result<(), Error> {
        let count = batch.len();
        debug_assert!((1..=limits::UBATCH_TOKENS as usize).contains(&count));
        let each_one = [1_i32; limits::UBATCH_TOKENS as usize];
        let mut sequences = [null_mut(); limits::UBATCH_TOKENS as usize];
        for (place, sequence) in sequences.iter_mut().zip(&batch.sequences) {
            *place = std::ptr::from_ref(sequence).cast_mut();
        }
        // llama.cpp only reads what these point to.
        let raw = sys::llama_batch {
            n_tokens: count as i32,
            token: batch.tokens.as_ptr().cast_mut(),
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

    /// Decodes `tokens` (1 to `UBATCH_TOKENS`) of sequence 0 from `position` on, in one pass.
    ///
    /// # Errors
    /// Those of [`Context::decode`].
    pub fn read(&mut self, tokens: &[Token], position: u32, wanted: Logits) -> Result<(), Error> {
        let mut slice = std::mem::take(&mut self.slice);
        slice.clear();
        for (at, &token) in (position..).zip(tokens) {
            let is_last = at as usize + 1 == position as usize + tokens.len();
            slice.push(token, at, 0, wanted == Logits::All || is_last);
        }
        let decoded = self.decode(&slice);
        self.slice = slice;
        decoded
    }

    /// Returns the logits after the token of `row` of the last batch, one for each token of the
    /// vocabulary; it must have wanted them.
    ///
    /// # Errors
    /// `internal` where there are none.
    pub fn logits(&self, row: usize) -> Result<&[f32], Error> {
        self.row(row as i32)
    }

    /// Returns the logits after the last token of the last pass.
    ///
    /// # Errors
    /// `internal` where there are none.
    pub fn last_logits(&self) -> Result<&[f32], Error> {
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

    /// Returns the logits after each token of the last pass, a row each; it must have wanted all.
    ///
    /// # Errors
    /// `internal` where there are none.
    pub fn all_logits(&self) -> Result<&[f32], Error> {
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

    /// Gives the first `tokens` cells of one sequence to another, empty one as well: both share
    /// them, and nothing is copied.
    pub fn share(&mut self, from: SequenceId, to: SequenceId, tokens: usize) {
        debug_assert!([from, to].iter().all(|&id| is_known(id)));
        // SAFETY: the context is alive, and llama.cpp knows both sequences.
        unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            sys::llama_memory_seq_cp(memory, from, to, 0, tokens as i32);
        }
    }

    /// Gives the cells of a sequence back, but for its first `tokens`.
    pub fn truncate(&mut self, id: SequenceId, tokens: usize) {
        debug_assert!(is_known(id));
        // SAFETY: the context is alive; -1 stands for an open end.
        let removed = unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            sys::llama_memory_seq_rm(memory, id, tokens as i32, -1)
        };
        debug_assert!(removed, "the end of a sequence can always be removed");
    }

    /// Gives all cells back and forgets what was in them.
    pub fn clear(&mut self) {
        // SAFETY: the context is alive.
        unsafe { sys::llama_memory_clear(sys::llama_get_memory(self.context.as_ptr()), true) };
    }

    /// Returns the pointer llama.cpp's functions want.
    pub(super) fn raw(&self) -> *mut sys::llama_context {
        self.context.as_ptr()
    }

    /// Sets how many of the plan's threads later passes use.
    pub fn use_threads(&mut self, threads: u32) {
        // SAFETY: the context is alive; the threads it was given are at least as many.
        unsafe {
            sys::llama_set_n_threads(self.context.as_ptr(), threads as i32, threads as i32);
        }
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing runs any more; the context goes before the threads it would use.
        unsafe {
            sys::llama_detach_threadpool(self.context.as_ptr());
            sys::llama_free(self.context.as_ptr());
            self.kernels.free_threads(self.threads.as_ptr());
        }
    }
}

fn is_known(id: SequenceId) -> bool {
    (0..SEQUENCE_IDS as SequenceId).contains(&id)
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
