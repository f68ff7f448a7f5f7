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
use crate::words::error::{Error, Kind};
use crate::words::limits;
use crate::words::plan::{KvType, Plan};

/// Which logits a pass computes: the head is a fifth of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logits {
    /// None: more of the prompt follows.
    None,
    /// Those after the last token, until the next pass.
    Last,
    /// Those after every token, until the next pass; only for a context made for reading.
    All,
}

/// One KV cache with what it takes to use it.
pub struct Context<'m> {
    pub(super) context: NonNull<sys::llama_context>,
    threads: NonNull<sys::ggml_threadpool>,
    kernels: Registered,
    vocabulary_tokens: usize,
    positions: Vec<i32>,
    wanted: Vec<i8>,
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
        if let Some(adapter) = &model.adapter {
            // SAFETY: the model, which owns the adapter, outlives the context.
            if !unsafe { adapter.add_to(context) } {
                // SAFETY: it was made above and nobody else has it.
                unsafe { sys::llama_free(context.as_ptr()) };
                return Err(Error::internal("llama.cpp does not take the adapter"));
            }
        }
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
            positions: Vec::new(),
            wanted: Vec::new(),
            model: PhantomData,
        })
    }

    /// Decodes `tokens` (1 to `UBATCH_TOKENS`) of sequence 0 from `position` on, in one pass.
    ///
    /// # Errors
    /// `internal` where llama.cpp refuses.
    pub fn decode(&mut self, tokens: &[Token], position: u32, wanted: Logits) -> Result<(), Error> {
        debug_assert!((1..=limits::UBATCH_TOKENS as usize).contains(&tokens.len()));
        let end = position + tokens.len() as u32;
        self.positions.clear();
        self.positions.extend((position..end).map(|position| position as i32));
        self.wanted.clear();
        self.wanted.resize(tokens.len(), i8::from(wanted == Logits::All));
        if wanted == Logits::Last {
            self.wanted[tokens.len() - 1] = 1;
        }
        let batch = sys::llama_batch {
            n_tokens: tokens.len() as i32,
            // llama.cpp only reads what these point to.
            token: tokens.as_ptr().cast_mut(),
            embd: null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: null_mut(),
            // None given means sequence 0.
            seq_id: null_mut(),
            logits: self.wanted.as_mut_ptr(),
        };
        // SAFETY: every array has `n_tokens` elements and lives for the call.
        match unsafe { sys::llama_decode(self.context.as_ptr(), batch) } {
            0 => Ok(()),
            code => Err(Error::internal(format!(
                "cannot decode at position {position}: llama_decode returned {code}"
            ))),
        }
    }

    /// Returns the logits after the last token decoded, one for each token of the vocabulary; the
    /// last call of `decode` must have wanted them.
    ///
    /// # Errors
    /// `internal` where there are none.
    pub fn logits(&self) -> Result<&[f32], Error> {
        // SAFETY: -1 is the last row of the last pass; null is checked.
        let row = unsafe { sys::llama_get_logits_ith(self.context.as_ptr(), -1) };
        if row.is_null() {
            return Err(Error::internal("llama.cpp computed no logits"));
        }
        // SAFETY: a row has a logit for each token of the vocabulary and stays until the next pass,
        // which needs `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(row, self.vocabulary_tokens) })
    }

    /// Returns the logits after each token of the last pass, a row each; it must have wanted all.
    ///
    /// # Errors
    /// `internal` where there are none.
    pub fn all_logits(&self) -> Result<&[f32], Error> {
        // SAFETY: the rows of the last pass, one after the other; null is checked.
        let rows = unsafe { sys::llama_get_logits(self.context.as_ptr()) };
        if rows.is_null() || self.wanted.contains(&0) {
            return Err(Error::internal("llama.cpp did not compute all logits"));
        }
        let count = self.wanted.len() * self.vocabulary_tokens;
        // SAFETY: every token of the last pass wanted its row, of a logit for each token of the
        // vocabulary; they stay until the next pass, which needs `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(rows, count) })
    }

    /// Gives the cells of sequence 0 back.
    pub fn forget(&mut self) {
        // SAFETY: the context is alive; -1 stands for open ends.
        let removed = unsafe {
            let memory = sys::llama_get_memory(self.context.as_ptr());
            sys::llama_memory_seq_rm(memory, 0, -1, -1)
        };
        debug_assert!(removed, "a whole sequence can always be removed");
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
    params.n_outputs_max = plan.sequences;
    params.kv_unified = true;
    params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.type_k = kv;
    params.type_v = kv;
    params.n_threads = plan.threads as i32;
    params.n_threads_batch = plan.threads as i32;
    params.no_perf = true;
    params
}
