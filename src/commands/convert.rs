//! `solverbox convert DIR FILE`: converts a Hugging Face checkpoint or a LoRA adapter to GGUF.
//!
//! `model/convert` reads, checks and writes, the engine quantizes; this file is the user interface.
//! Ctrl-C leaves no file behind.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::progress_bar::ProgressBar;
use super::quantize::{self, Again, QuantizeOptions};
use super::{interrupt, print};
use crate::engine;
use crate::model;
use crate::model::convert::{self, Conversion, ConvertedFile, Float};
use crate::model::newfile::NewFile;
use crate::types::error::Error;
use crate::types::plan::Weights;
use crate::types::quantize::{Mix, OutputHead};

/// The type of the written matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightType {
    /// Floats of one width.
    Float(Float),
    /// Blocks made by llama.cpp's quantizer.
    Quantized(Mix),
}

/// Converts `dir` to `file` and prints a summary.
///
/// # Errors
/// Errors of [`convert::plan`], of writing, and of quantizing.
pub fn run(dir: &Path, file: &Path, kind: WeightType, base: Option<&Path>) -> Result<(), Error> {
    interrupt::leave_nothing_behind()?;
    let start = Instant::now();
    let (tensors, bytes, name) = match kind {
        WeightType::Float(float) => {
            let plan = plan(dir, convert::OutputType::To(float), base)?;
            plan.check_other(file)?;
            let mut out = NewFile::create(file, plan.bytes())?;
            let written = write(&plan, &mut out)?;
            out.keep()?;
            (written.tensors, written.bytes, float.name())
        }
        WeightType::Quantized(mix) => {
            let (tensors, bytes) = quantized(dir, file, mix, base)?;
            (tensors, bytes, mix.name())
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let speed = bytes as f64 / 1e6 / seconds.max(1e-9);
    print(&format!(
        "{}: {tensors} tensors, {bytes} bytes, {name}, {seconds:.1} s, {speed:.0} MB/s\n",
        file.display()
    ))
}

/// Plans the conversion of a checkpoint whose chat template the engine can render.
fn plan(dir: &Path, to: convert::OutputType, base: Option<&Path>) -> Result<Conversion, Error> {
    let plan = convert::plan(dir, to, base)?;
    let checked = plan.chat_template().map_or(Ok(()), engine::check_template);
    checked.map_err(|error| Error {
        message: format!("cannot convert '{}': {}", dir.display(), error.message),
        remedy: "Remove the Python-only expressions from the chat template, in \
                 chat_template.jinja or tokenizer_config.json."
            .into(),
        ..error
    })?;
    Ok(plan)
}

/// Converts to the checkpoint's own float type, which loses nothing, and quantizes the result.
fn quantized(
    dir: &Path,
    file: &Path,
    mix: Mix,
    base: Option<&Path>,
) -> Result<(usize, u64), Error> {
    let plan = plan(dir, convert::OutputType::AsStored, base)?;
    if plan.is_adapter() {
        return Err(Error::bad_request(
            format!("--type: an adapter cannot be {}", mix.name()),
            "Use f16, bf16 or f32: an adapter is small.",
        ));
    }
    plan.check_other(file)?;
    // In the folder of the final file, because /tmp may be in memory; always deleted.
    let mut name = OsString::from(file);
    name.push(".floats");
    let mut between = NewFile::create(Path::new(&name), plan.bytes())?;
    let written = write(&plan, &mut between)?;
    let bytes = quantize::quantize(
        &model::open(&Weights::model(between.path()))?,
        &QuantizeOptions {
            from: PathBuf::from(between.path()),
            to: file.to_path_buf(),
            mix,
            head: OutputHead::AsMixed,
            importance: None,
            again: Again::Refused,
            threads: model::plan::cores(),
        },
    )?;
    Ok((written.tensors, bytes))
}

fn write(plan: &Conversion, out: &mut NewFile) -> Result<ConvertedFile, Error> {
    let mut bar = ProgressBar::start("MB");
    plan.write(out, &mut |done, all| bar.show(done / 1_000_000, all / 1_000_000))
}
