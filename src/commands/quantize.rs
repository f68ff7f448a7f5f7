//! `solverbox quantize IN.gguf OUT.gguf TYPE`: quantizes a model to fewer bits per weight.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::interrupt;
use super::progress_bar::ProgressBar;
use crate::engine::{self, Quantization};
use crate::model::newfile::{self, NewFile, check_other};
use crate::model::{self, Header, importance, locate};
use crate::types::error::Error;
use crate::types::limits;
use crate::types::plan::Weights;
use crate::types::quantize::{Mix, OutputHead};

/// The options of `quantize`.
#[derive(Debug)]
pub struct QuantizeOptions {
    /// Model to read, by file or built-in name.
    pub from: PathBuf,
    /// GGUF file to write.
    pub to: PathBuf,
    /// Target mix of types.
    pub mix: Mix,
    /// Type of the output head.
    pub head: OutputHead,
    /// File with an importance matrix, if one is used.
    pub importance: Option<PathBuf>,
    /// Whether a model that is already quantized is accepted.
    pub again: Again,
    /// Number of threads to use.
    pub threads: u32,
}

/// Whether a quantized model may be quantized again, which loses more than quantizing once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The model is rejected.
    Refused,
    /// The model is quantized again.
    Allowed,
}

/// Quantizes a model and prints a summary.
///
/// # Errors
/// Errors of reading and writing the files; `bad_request` if the model is already quantized.
pub fn run(options: &QuantizeOptions) -> Result<(), Error> {
    interrupt::leave_nothing_behind()?;
    let header = model::open(&locate::find(Some(&options.from), Path::new(""))?)?;
    let start = Instant::now();
    let bytes = quantize(&header, options)?;
    super::print(&format!(
        "{}: {} as {}, {} MB from {} MB in {:.1} s\n",
        options.to.display(),
        header.name.escape_debug(),
        options.mix.name(),
        bytes / 1_000_000,
        header.file_bytes / 1_000_000,
        start.elapsed().as_secs_f64()
    ))
}

/// Quantizes the model of `header`, which `model::open` has checked, into the file `options.to`;
/// returns the new file's size in bytes.
///
/// # Errors
/// See [`run`].
pub fn quantize(header: &Header, options: &QuantizeOptions) -> Result<u64, Error> {
    check_other(&header.file.path, &options.to)?;
    options.importance.iter().try_for_each(|file| check_other(file, &options.to))?;
    check_source(header, options.again)?;
    let importance = match &options.importance {
        Some(file) => importance::read(file, header)?,
        None => Vec::new(),
    };
    let file = NewFile::create(&options.to, least_bytes(header, options.mix))?;
    let what = Quantization {
        from: &header.file.path,
        to: file.path(),
        mix: options.mix,
        head: options.head,
        importance: &importance,
        threads: options.threads,
    };
    let mut bar = ProgressBar::start("tensors");
    let quantized = engine::quantize(&what, |done, total| bar.show(done, total));
    drop(bar);
    // llama.cpp reports a full disk as a bad model or not at all, but the file shows it.
    let whole = quantized.and_then(|()| model::open(&Weights::model(file.path())));
    let whole = whole.map_err(|error| match file.free_bytes() {
        Some(free) if free < limits::FULL_DISK_BYTES => {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            newfile::failed(&options.to, &full)
        }
        _ => error,
    })?;
    file.keep()?;
    Ok(whole.file_bytes)
}

fn check_source(header: &Header, again: Again) -> Result<(), Error> {
    let quantized = header.tensors.iter().find(|tensor| tensor.kind.block_elements > 1);
    match quantized {
        Some(tensor) if again == Again::Refused => Err(Error::bad_request(
            format!(
                "cannot quantize {}: it is already quantized (tensor '{}' is {})",
                header.file,
                tensor.name.escape_debug(),
                tensor.kind.name
            ),
            "Start from a file in F32, F16 or BF16, or use --requantize, which loses more.",
        )),
        _ => Ok(()),
    }
}

/// Returns a lower bound of the new file's size: every matrix in the mix's usual type.
fn least_bytes(header: &Header, mix: Mix) -> u64 {
    let kind = model::types::TYPES.iter().find(|kind| kind.name == mix.tensor_type());
    let least = |tensor: &model::TensorInfo| {
        let as_mixed = kind.and_then(|kind| kind.bytes(&tensor.shape));
        if tensor.shape.len() < 2 { tensor.bytes } else { as_mixed.unwrap_or(0).min(tensor.bytes) }
    };
    header.tensors.iter().map(least).sum()
}
