//! `solverbox convert DIR FILE`: a GGUF file of a Hugging Face checkpoint or a LoRA adapter.
//!
//! Reading, checking and writing are `model/convert`; here is what a person sees of it. Ctrl-C
//! leaves no file behind.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::commands::interrupt::on_interrupt;
use crate::commands::{note, print, show_progress};
use crate::model::convert::{self, Float};
use crate::model::newfile;
use crate::words::error::Error;

/// Time between two looks of the bar.
const LOOK: Duration = Duration::from_millis(100);
/// Characters of the bar.
const WIDTH: u64 = 20;

/// What matrices are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Floats.
    Float(Float),
    /// Blocks that llama.cpp's quantizer makes, by the name it has for them.
    Quantized(&'static str),
}

/// Converts `dir` to `file` and says what was written.
///
/// # Errors
/// Those of [`convert::run`]; `bad_request` for a type that cannot be made.
pub fn run(dir: &Path, file: &Path, kind: Kind, base: Option<&Path>) -> Result<(), Error> {
    let start = Instant::now();
    let is_kept = Arc::new(AtomicBool::new(false));
    leave_nothing(Arc::clone(&is_kept))?;
    let (written, name) = match kind {
        Kind::Float(float) => {
            let mut bar = Bar { start, shown: None };
            let kind = convert::Kind::To(float);
            let written = convert::run(dir, file, kind, base, &mut |done, all| bar.step(done, all));
            (written?, float.name())
        }
        Kind::Quantized(name) => return quantized(name),
    };
    is_kept.store(true, Ordering::Relaxed);
    let seconds = start.elapsed().as_secs_f64();
    print(&format!(
        "{}: {} tensors, {} bytes, {name}, {seconds:.1} s, {:.0} MB/s\n",
        file.display(),
        written.tensors,
        written.bytes,
        written.bytes as f64 / 1e6 / seconds.max(1e-9)
    ))
}

fn quantized(name: &str) -> Result<(), Error> {
    Err(Error::bad_request(
        format!("--type: {name} cannot be made in one step"),
        "Convert with --type f16 first, and quantize that file.",
    ))
}

/// Has Ctrl-C remove what is not whole yet and leave.
fn leave_nothing(is_kept: Arc<AtomicBool>) -> Result<(), Error> {
    on_interrupt(move |_| {
        newfile::abandon_all();
        if !is_kept.load(Ordering::Relaxed) {
            show_progress("");
            note("solverbox: stopped; nothing was written");
            note("Start it again to write the file.");
        }
        std::process::exit(130);
    })
}

/// The bar shown on standard error.
struct Bar {
    start: Instant,
    /// When it was last shown.
    shown: Option<Instant>,
}

impl Bar {
    fn step(&mut self, done: u64, all: u64) {
        if self.shown.is_some_and(|last| last.elapsed() < LOOK) && done < all {
            return;
        }
        let seconds = self.start.elapsed().as_secs_f64();
        if show_progress(&line(done, all, seconds)) {
            self.shown = Some(Instant::now());
        }
    }
}

/// What is printed after it begins on a line of its own.
impl Drop for Bar {
    fn drop(&mut self) {
        if self.shown.is_some() {
            show_progress("");
        }
    }
}

fn line(done: u64, all: u64, seconds: f64) -> String {
    let filled = (WIDTH * done / all.max(1)) as usize;
    let (bar, rest) = ("#".repeat(filled), ".".repeat(WIDTH as usize - filled));
    let speed = done as f64 / 1e6 / seconds.max(1e-9);
    format!("[{bar}{rest}] {} of {} MB, {speed:.0} MB/s", done / 1_000_000, all / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        let line = line(1_500_000_000, 3_000_000_000, 2.0);
        assert_eq!(line, "[##########..........] 1500 of 3000 MB, 750 MB/s");
        assert!(super::line(0, 0, 0.0).starts_with("[...."));
    }
}
