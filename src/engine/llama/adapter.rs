//! A LoRA adapter: small matrices that are added to the model's own in every pass.
//!
//! Uses llama-cpp-sys-2 directly, because llama-cpp-2 can add an adapter only to its own kind of
//! context. `model/adapter.rs` has compared the file with the model before it is loaded here.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicPtr, Ordering};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_sys_2 as sys;

use super::{Context, clear_error_lines, first_error_line, pointer};
use crate::types::error::{Error, Kind};
use crate::types::plan::Weights;

/// A loaded adapter. llama.cpp frees it together with its model.
pub(crate) struct LoraAdapter {
    /// Never changed; atomic so that the type is `Sync`.
    adapter: AtomicPtr<sys::llama_adapter_lora>,
}

impl LoraAdapter {
    /// Loads an adapter for as long as `model` lives.
    ///
    /// # Errors
    /// `bad_model` with llama.cpp's own reason.
    pub(crate) fn load(model: &LlamaModel, file: &Weights) -> Result<LoraAdapter, Error> {
        clear_error_lines();
        let bad = |cause: &str| {
            let remedy = "Use an adapter made for this model, or omit --adapter.";
            Error::new(Kind::BadModel, format!("cannot load {file}: {cause}"), remedy)
        };
        let path = CString::new(file.path.as_os_str().as_bytes())
            .map_err(|_| bad("its name contains a zero byte"))?;
        // SAFETY: the path is NUL-terminated and lives for the call; the model is alive.
        let adapter = unsafe { sys::llama_adapter_lora_init(pointer(model), path.as_ptr()) };
        if adapter.is_null() {
            return Err(bad(&first_error_line()));
        }
        Ok(LoraAdapter { adapter: AtomicPtr::new(adapter) })
    }
}

impl Context<'_> {
    /// Makes later passes add these adapters, multiplied by their scales, to the weights, in place
    /// of the adapters before. All must belong to the context's model.
    ///
    /// # Errors
    /// `internal` if llama.cpp rejects them.
    pub(crate) fn activate(&mut self, adapters: &[(&LoraAdapter, f32)]) -> Result<(), Error> {
        let mut scales: Vec<f32> = adapters.iter().map(|(_, scale)| *scale).collect();
        let mut adapters: Vec<*mut sys::llama_adapter_lora> =
            adapters.iter().map(|(adapter, _)| adapter.adapter.load(Ordering::Relaxed)).collect();
        // SAFETY: the context is alive; both lists have that many elements and are only read during
        // the call; an adapter lives as long as its model, which outlives the context.
        let code = unsafe {
            sys::llama_set_adapters_lora(
                self.raw(),
                adapters.as_mut_ptr(),
                adapters.len(),
                scales.as_mut_ptr(),
            )
        };
        match code {
            0 => Ok(()),
            _ => Err(Error::internal("llama.cpp rejected the adapters")),
        }
    }
}
