//! A LoRA adapter: small matrices added to the model's own in every pass.
//!
//! Made through llama-cpp-sys-2, because llama-cpp-2 wants a context of its own kind to add one
//! to. `model/adapter.rs` has compared the file with the model before it comes here.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_sys_2 as sys;

use super::{complaint, forget_complaints, pointer};
use crate::words::error::{Error, Kind};
use crate::words::plan::Weights;

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

    /// Adds it, whole, to every later pass of `context`; returns whether llama.cpp did.
    ///
    /// # Safety
    /// The context is alive, of this adapter's model, and gone before that model is.
    pub unsafe fn add_to(&self, context: NonNull<sys::llama_context>) -> bool {
        let (mut adapter, mut scale) = (self.adapter.load(Ordering::Relaxed), 1.0_f32);
        // SAFETY: one adapter and one scale, read during the call; the rest is the caller's word.
        let code = unsafe {
            sys::llama_set_adapters_lora(context.as_ptr(), &raw mut adapter, 1, &raw mut scale)
        };
        code == 0
    }
}
