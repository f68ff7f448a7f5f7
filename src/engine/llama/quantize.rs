//! llama.cpp's own quantizer, with bounded memory and progress.
//!
//! It maps the whole input, and mapped pages count as this process's memory. So the pages of a
//! tensor are dropped when the next one begins, which costs nothing, because the system caches them
//! while it has room. Both this and the progress rely on the quantizer's log lines, its only report
//! of progress.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::ptr::null;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use llama_cpp_sys_2 as sys;
use rustix::mm::{Advice, madvise};

use super::{clear_error_lines, first_error_line};
use crate::types::error::{Error, Kind};
use crate::types::limits;
use crate::types::quantize::{Importance, Mix, OutputHead};

/// Tensors done (upper 32 bits) and tensors in total (lower), from llama.cpp's log.
static TENSORS: AtomicU64 = AtomicU64::new(0);

/// The inode of the file being quantized; 0 if there is none.
static INPUT: AtomicU64 = AtomicU64::new(0);

/// How often progress is reported.
const TICK: Duration = Duration::from_millis(50);

/// A model to quantize and the types its tensors get.
#[derive(Clone, Copy, Debug)]
pub struct Quantization<'a> {
    /// The model file, already checked by `model::open`.
    pub from: &'a Path,
    /// The file to write; an existing one is overwritten.
    pub to: &'a Path,
    /// The mix of types for the model's tensors.
    pub mix: Mix,
    /// The type of the model's head.
    pub head: OutputHead,
    /// The importance matrix; empty for none.
    pub importance: &'a [Importance],
    /// The number of threads to compute with.
    pub threads: u32,
}

impl Quantization<'_> {
    /// Quantizes the model. Blocks; calls `progress` with the tensors done and the total about 20
    /// times a second.
    ///
    /// An input that is quantized already is quantized again; callers check for that. llama.cpp may
    /// miss a full disk, so the file must be checked afterwards.
    ///
    /// # Errors
    /// `bad_model` with llama.cpp's own reason.
    pub fn run(&self, mut progress: impl FnMut(u64, u64)) -> Result<(), Error> {
        let bad = |cause: String| {
            let what = format!("cannot quantize '{}': {cause}", self.from.display());
            Error::new(Kind::BadModel, what, "Use another file; `solverbox verify FILE` checks it.")
        };
        let path = |path: &Path| {
            CString::new(path.as_os_str().as_bytes())
                .map_err(|_| bad("its name contains a zero byte".into()))
        };
        let (from, to) = (path(self.from)?, path(self.to)?);
        clear_error_lines();
        TENSORS.store(0, Relaxed);
        INPUT.store(self.from.metadata().map_or(0, |about| about.ino()), Relaxed);
        let (done, ended) = channel();
        let code = std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let code = self.call(&from, &to);
                // Fails only if the other side has panicked.
                let _ = done.send(());
                code
            });
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
                let tensors = TENSORS.load(Relaxed);
                progress(tensors >> 32, tensors & u64::from(u32::MAX));
            }
            worker.join()
        });
        INPUT.store(0, Relaxed);
        match code {
            Ok(0) => Ok(()),
            _ => Err(bad(first_error_line())),
        }
    }

    fn call(&self, from: &CString, to: &CString) -> u32 {
        let names: Vec<CString> = self
            .importance
            .iter()
            .map(|item| CString::new(item.tensor.as_str()).unwrap_or_default())
            .collect();
        let means: Vec<Vec<f32>> = self.importance.iter().map(Importance::means).collect();
        let mut entries: Vec<sys::llama_model_imatrix_data> = names
            .iter()
            .zip(&means)
            .map(|(name, data)| sys::llama_model_imatrix_data {
                name: name.as_ptr(),
                data: data.as_ptr(),
                size: data.len(),
            })
            .collect();
        // An entry without a name ends the list.
        entries.push(sys::llama_model_imatrix_data { name: null(), data: null(), size: 0 });
        // SAFETY: returns a plain struct.
        let mut params = unsafe { sys::llama_model_quantize_default_params() };
        params.ftype = mix(self.mix);
        params.nthread = self.threads as i32;
        params.allow_requantize = true;
        params.max_buf_size = limits::QUANTIZE_BUFFER_BYTES;
        if self.head == OutputHead::Q8_0 {
            params.output_tensor_type = sys::GGML_TYPE_Q8_0;
            // For a head that is also the embedding; a separate embedding costs little.
            params.token_embedding_type = sys::GGML_TYPE_Q8_0;
        }
        if !self.importance.is_empty() {
            params.imatrix = entries.as_ptr();
        }
        // SAFETY: the paths end in NUL; they, the entries and everything these point to live for
        // the call.
        unsafe { sys::llama_model_quantize(from.as_ptr(), to.as_ptr(), &params) }
    }
}

fn mix(mix: Mix) -> sys::llama_ftype {
    match mix {
        Mix::Q8_0 => sys::LLAMA_FTYPE_MOSTLY_Q8_0,
        Mix::Q4_0 => sys::LLAMA_FTYPE_MOSTLY_Q4_0,
        Mix::Q4KM => sys::LLAMA_FTYPE_MOSTLY_Q4_K_M,
        Mix::Q4KS => sys::LLAMA_FTYPE_MOSTLY_Q4_K_S,
        Mix::Q5KM => sys::LLAMA_FTYPE_MOSTLY_Q5_K_M,
        Mix::Q6K => sys::LLAMA_FTYPE_MOSTLY_Q6_K,
        Mix::IQ4NL => sys::LLAMA_FTYPE_MOSTLY_IQ4_NL,
    }
}

/// Reads progress from a line of llama.cpp's log: `[   7/ 339]   blk.0.attn_k.weight - …` begins
/// tensor 7.
pub(crate) fn read_log_line(line: &str) {
    let inode = INPUT.load(Relaxed);
    let counts = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let counts = counts.and_then(|(counts, _)| counts.split_once('/'));
    let number = |text: &str| text.trim().parse::<u32>().ok();
    if inode != 0
        && let Some((begun, total)) = counts
        && let (Some(begun), Some(total)) = (number(begun), number(total))
    {
        TENSORS.store(u64::from(begun.saturating_sub(1)) << 32 | u64::from(total), Relaxed);
        drop_pages(inode);
    }
}

/// Drops the pages of the file with this inode that are mapped into this process. May only be
/// called while the quantizer logs: then it is in its loop over the tensors and keeps its mapping.
fn drop_pages(inode: u64) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (start, bytes) in maps.lines().filter_map(|line| mapping_of(line, inode)) {
        let start = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: the range is a shared read-only mapping of a file this program does not write,
        // made by the function this is called from, so it still exists. Dropped pages are read from
        // the file again when they are touched; a failure changes nothing.
        let _ = unsafe { madvise(start, bytes, Advice::LinuxDontNeed) };
    }
}

/// Returns the address and the length of a line of `/proc/self/maps` if it maps the file with this
/// inode, shared and read-only.
fn mapping_of(line: &str, inode: u64) -> Option<(usize, usize)> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_shared = fields.next()? == "r--s";
    let its_inode: u64 = fields.nth(2)?.parse().ok()?;
    if !is_shared || its_inode != inode {
        return None;
    }
    let number = |text: &str| usize::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_read_only_mappings_of_the_file_are_dropped() {
        let line = "7f00000000-7f00003000 r--s 00000000 fe:00 1234    /a/model.gguf";
        assert_eq!(mapping_of(line, 1234), Some((0x7f_0000_0000, 0x3000)));
        assert_eq!(mapping_of(line, 1235), None);
        assert_eq!(mapping_of(&line.replace("r--s", "r--p"), 1234), None);
        assert_eq!(mapping_of(&line.replace("r--s", "rw-s"), 1234), None);
        assert_eq!(mapping_of("7ffc-7ffd rw-p 0 00:00 0 [stack]", 0), None);
        assert_eq!(mapping_of("", 1), None);
    }
}
