//! Registers a kernel set as llama.cpp's CPU backend.
//!
//! `build/kernels.rs` gave each set's entry point its name. Only this entry point is called by
//! name; everything else in a set is looked up through its registration, as llama.cpp does it.

use std::ffi::{CStr, c_void};
use std::mem::transmute;
use std::sync::Mutex;

use llama_cpp_sys_2 as sys;

use crate::engine::cpu_features::missing;
use crate::types::error::{Error, Kind};
use crate::types::kernels::KernelSet;

type Address = *mut c_void;
type NewThreads =
    unsafe extern "C" fn(*mut sys::ggml_threadpool_params) -> *mut sys::ggml_threadpool;
type FreeThreads = unsafe extern "C" fn(*mut sys::ggml_threadpool);
type Registration = unsafe extern "C" fn() -> sys::ggml_backend_reg_t;

#[cfg(target_arch = "aarch64")]
unsafe extern "C" {
    fn ggml_backend_cpu_reg__armv8_0() -> sys::ggml_backend_reg_t;
    fn ggml_backend_cpu_reg__armv8_2_dotprod() -> sys::ggml_backend_reg_t;
    fn ggml_backend_cpu_reg__armv8_6_i8mm() -> sys::ggml_backend_reg_t;
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn ggml_backend_cpu_reg__x86_64_v2() -> sys::ggml_backend_reg_t;
    fn ggml_backend_cpu_reg__x86_64_v3() -> sys::ggml_backend_reg_t;
    fn ggml_backend_cpu_reg__x86_64_v4() -> sys::ggml_backend_reg_t;
}

fn registration(set: &KernelSet) -> Option<Registration> {
    Some(match set.name {
        #[cfg(target_arch = "aarch64")]
        "armv8.0" => ggml_backend_cpu_reg__armv8_0,
        #[cfg(target_arch = "aarch64")]
        "armv8.2-dotprod" => ggml_backend_cpu_reg__armv8_2_dotprod,
        #[cfg(target_arch = "aarch64")]
        "armv8.6-i8mm" => ggml_backend_cpu_reg__armv8_6_i8mm,
        #[cfg(target_arch = "x86_64")]
        "x86-64-v2" => ggml_backend_cpu_reg__x86_64_v2,
        #[cfg(target_arch = "x86_64")]
        "x86-64-v3" => ggml_backend_cpu_reg__x86_64_v3,
        #[cfg(target_arch = "x86_64")]
        "x86-64-v4" => ggml_backend_cpu_reg__x86_64_v4,
        _ => return None,
    })
}

/// The set that is registered; a process cannot undo that.
static CHOSEN: Mutex<Option<(&str, Registered)>> = Mutex::new(None);

/// A registered set: the functions that start and end its threads.
#[derive(Clone, Copy)]
pub(crate) struct Registered {
    new_threads: NewThreads,
    free_threads: FreeThreads,
}

impl Registered {
    /// Makes `set` llama.cpp's CPU backend unless it is already.
    ///
    /// # Errors
    /// `internal` if the CPU lacks a feature the set needs, which `engine/kernels.rs` should have
    /// reported, or if another backend is registered: the build has kernels of its own.
    pub(crate) fn register(set: &KernelSet) -> Result<Registered, Error> {
        let mut chosen = CHOSEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((name, registered)) = *chosen
            && name == set.name
        {
            return Ok(registered);
        }
        // SAFETY: a plain function; it counts the backends compiled in, of which there should be
        // none.
        let others = unsafe { sys::ggml_backend_reg_count() };
        if others != 0 {
            // Two CPU backends would share the work in unplanned ways.
            return Err(Error::new(
                Kind::Internal,
                format!("this build has {others} backends besides its kernel sets"),
                "Rebuild inside the repository, where .cargo/config.toml sets GGML_CPU=OFF.",
            ));
        }
        let registration = registration(set).ok_or_else(|| {
            Error::internal(format!("the kernel set '{}' is not in this build", set.name))
        })?;
        if !missing(set).is_empty() {
            return Err(Error::internal(format!("this CPU cannot run '{}'", set.name)));
        }
        // SAFETY: the CPU has every feature the set needs; the result is static.
        let backend = unsafe { registration() };
        // SAFETY: as above; no other thread uses the registry yet.
        unsafe { sys::ggml_backend_register(backend) };
        let registered = Registered {
            // SAFETY: ggml-cpu.h declares `ggml_threadpool_new` with this signature.
            new_threads: unsafe {
                transmute::<Address, NewThreads>(function(backend, c"ggml_threadpool_new"))
            },
            // SAFETY: ggml-cpu.h declares `ggml_threadpool_free` with this signature.
            free_threads: unsafe {
                transmute::<Address, FreeThreads>(function(backend, c"ggml_threadpool_free"))
            },
        };
        *chosen = Some((set.name, registered));
        Ok(registered)
    }

    /// Starts `threads` threads that wait for passes; null if they cannot be started.
    pub(crate) fn new_threads(self, threads: u32) -> *mut sys::ggml_threadpool {
        // SAFETY: plain functions; ggml itself made the struct.
        unsafe {
            let mut params = sys::ggml_threadpool_params_default(threads as i32);
            (self.new_threads)(&mut params)
        }
    }

    /// Ends threads that `new_threads` started.
    ///
    /// # Safety
    /// No context may use them any more.
    pub(crate) unsafe fn free_threads(self, threads: *mut sys::ggml_threadpool) {
        // SAFETY: the caller no longer uses them.
        unsafe { (self.free_threads)(threads) }
    }
}

/// Returns the address of one of a set's functions.
fn function(set: sys::ggml_backend_reg_t, name: &CStr) -> Address {
    // SAFETY: the registration is static and the name ends in NUL.
    let address = unsafe { sys::ggml_backend_reg_get_proc_address(set, name.as_ptr()) };
    assert!(!address.is_null(), "the pinned ggml's CPU backend has {name:?}");
    address
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::engine::llama::tests::BACKEND;
    use crate::types::kernels::SETS;

    #[test]
    fn every_listed_set_is_in_the_build() {
        assert!(SETS.iter().all(|set| registration(set).is_some()));
    }

    #[test]
    fn a_second_backend_is_rejected_with_a_remedy() {
        LazyLock::force(&BACKEND);
        let error = Registered::register(&SETS[0]).err().unwrap();
        assert!(error.to_string().contains("1 backends besides"), "{error}");
        assert!(error.remedy.contains("GGML_CPU=OFF"), "{}", error.remedy);
    }
}
