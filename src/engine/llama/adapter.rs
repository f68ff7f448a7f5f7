//! A LoRA adapter: small matrices added to the model's own in every pass.
//!
//! Made through llama-cpp-sys-2, because llama-cpp-2 wants a context of its own kind to add one
//! to. `model/adapter.rs` has compared the file with the model before it comes here.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicPtr, Ordering};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_sys_2 as sys;

use super::{Context, complaint, forget_complaints, pointer};
use crate::types::error::{Error, Kind};
use crate::types::plan::Weights;

/// A loaded adapter. llama.cpp frees it with its model.
pub struct Adapter {
    /// Never changed; atomic, so that the model stays something threads may share.
    adapter: AtomicPtr<sys::llama_adapter_lora>,
}

impl Adapter {
    /// Reads an adapter into memory, for as long as `model` lives.
    ///
    /// # Errors
    /// `bad_model` with llama.cpp's own reason.
    pub fn load(model: &LlamaModel, file: &Weights) -> Result<Adapter, Error> {
        forget_complaints();
        let bad = |cause: &str| {
            let remedy = "Use an adapter made for this model, or leave --adapter out.";
            Error::new(Kind::BadModel, format!("cannot load {file}: {cause}"), remedy)
        };
        let path = CString::new(file.path.as_os_str().as_bytes())
            .map_err(|_| bad("its name contains a zero byte"))?;
        // SAFETY: the path is NUL-terminated and lives for the call; the model is alive.
        let adapter = unsafe { sys::llama_adapter_lora_init(pointer(model), path.as_ptr()) };
        if adapter.is_null() {
            return Err(bad(&complaint()));
        }
        Ok(Adapter { adapter: AtomicPtr::new(adapter) })
    }
}

impl Context<'_> {
    /// Adds these adapters, multiplied with their scales, to the weights in every later pass, and
    /// takes off what was there before. All are of the context's model.
    ///
    /// # Errors
    /// `internal` where llama.cpp does not take them.
    pub fn activate(&mut self, adapters: &[(&Adapter, f32)]) -> Result<(), Error> {
        let mut scales: Vec<f32> = adapters.iter().map(|(_, scale)| *scale).collect();
        let mut adapters: Vec<*mut sys::llama_adapter_lora> =
            adapters.iter().map(|(adapter, _)| adapter.adapter.load(Ordering::Relaxed)).collect();
        // SAFETY: the context is alive; both lists have that many elements, read during the call;
        // an adapter lives as long as its model, which outlives the context.
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
            _ => Err(Error::internal("llama.cpp does not take the adapters")),
        }
    }
}
