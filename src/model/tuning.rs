//! Stores the best thread counts, as measured by `solverbox tune`, for later starts.
//!
//! `commands` read them if no thread count is given. An entry applies only to its machine (cores
//! and kernels) and its model; entries for others stay in the file unused. A damaged file is
//! ignored.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::fingerprint;
use super::newfile::{NewFile, failed};
use crate::types::error::{Error, io_cause};
use crate::types::limits;
use crate::types::plan::Weights;

/// The file's name in the data folder.
const NAME: &str = "tuning.toml";

/// Measured thread counts, with the model and machine they apply to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// The fingerprint of the model's file.
    pub model: String,
    /// The name of the kernel set.
    pub kernels: String,
    /// The number of the machine's physical cores.
    pub cores: u32,
    /// Threads for passes of many tokens; the maximum for any pass.
    pub threads: u32,
    /// Threads for passes of at most [`limits::SMALL_PASS_TOKENS`] tokens.
    pub decode_threads: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TuningFile {
    #[serde(default)]
    tuned: Vec<Tuned>,
}

impl Tuned {
    fn is_for_the_same(&self, other: &Tuned) -> bool {
        (&self.model, &self.kernels, self.cores) == (&other.model, &other.kernels, other.cores)
    }

    fn is_sound(&self) -> bool {
        let named = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            (1..=64).contains(&text.len()) && text.chars().all(plain)
        };
        named(&self.model)
            && named(&self.kernels)
            && (1..=limits::THREADS_MAX).contains(&self.threads)
            && (1..=self.threads).contains(&self.decode_threads)
    }
}

/// Returns the path of the tuning file in the data folder.
pub fn file(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Returns the thread counts measured for this model on this machine, if any.
pub fn find(folder: &Path, model: &Weights, kernels: &str, cores: u32) -> Option<Tuned> {
    // Avoids reading the model in the usual case that nothing was tuned.
    let all = read(folder);
    if all.is_empty() {
        return None;
    }
    let model = fingerprint::of(&model.path).ok()?;
    all.into_iter()
        .find(|tuned| tuned.model == model && tuned.kernels == kernels && tuned.cores == cores)
}

/// Stores thread counts in addition to those for other models and machines, the newest first.
///
/// # Errors
/// `no_space` if the disk is full; `internal` if the folder or the file cannot be written.
pub fn keep(folder: &Path, tuned: &Tuned) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let others = read(folder).into_iter().filter(|other| !other.is_for_the_same(tuned));
    let all = std::iter::once(tuned.clone()).chain(others).take(limits::TUNED_MODELS_MAX);
    let text = written(&all.collect::<Vec<_>>());
    let mut new = NewFile::create(&file(folder), text.len() as u64)?;
    new.write(text.as_bytes())?;
    new.keep()
}

/// Reads all entries; logs a warning and returns none if the file is damaged.
fn read(folder: &Path) -> Vec<Tuned> {
    let path = file(folder);
    let ignored = |cause: String| {
        log::warn!("ignoring tuned thread counts in '{}': {cause}", path.display());
        Vec::new()
    };
    let text = match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return ignored(io_cause(&error)),
        Ok(about) if about.len() > limits::TUNING_BYTES_MAX => {
            return ignored("it is too large".into());
        }
        Ok(_) => std::fs::read_to_string(&path),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => return ignored(io_cause(&error)),
    };
    match toml::from_str::<TuningFile>(&text) {
        Ok(read) if read.tuned.iter().all(Tuned::is_sound) => read.tuned,
        Ok(_) => ignored("a number is out of range".into()),
        Err(error) => ignored(error.message().to_string()),
    }
}

fn written(all: &[Tuned]) -> String {
    let mut text = String::from(
        "# The best thread counts, as measured by `solverbox tune`. Delete this file to use all \
         cores again.\n",
    );
    for one in all {
        let Tuned { model, kernels, cores, threads, decode_threads } = one;
        text += &format!(
            "\n[[tuned]]\nmodel = \"{model}\"\nkernels = \"{kernels}\"\ncores = {cores}\n\
             threads = {threads}\ndecode_threads = {decode_threads}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuned(model: &str, decode_threads: u32) -> Tuned {
        let (model, kernels) = (model.to_string(), "armv8.2-dotprod".to_string());
        Tuned { model, kernels, cores: 4, threads: 4, decode_threads }
    }

    /// A folder, and a model in it with its fingerprint.
    fn with_model() -> (tempfile::TempDir, Weights, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        std::fs::write(&path, "weights").unwrap();
        let known = fingerprint::of(&path).unwrap();
        (folder, Weights::model(path), known)
    }

    #[test]
    fn what_was_kept_is_found_again_and_replaced_by_the_newest() {
        let (folder, model, known) = with_model();
        // A folder that is not there yet.
        let data = folder.path().join("data/solverbox");
        let find = || find(&data, &model, "armv8.2-dotprod", 4);
        assert_eq!(find(), None);
        for decode_threads in [3, 2] {
            keep(&data, &tuned("0123", 1)).unwrap();
            keep(&data, &tuned(&known, decode_threads)).unwrap();
            assert_eq!(find(), Some(tuned(&known, decode_threads)));
        }
        assert_eq!(read(&data), [tuned(&known, 2), tuned("0123", 1)]);
        let entries = std::fs::read_dir(&data).unwrap().count();
        assert_eq!(entries, 1, "no temporary file stays");
    }

    #[test]
    fn another_models_kernels_or_cores_numbers_are_not_used() {
        let (folder, model, known) = with_model();
        let data = folder.path();
        keep(data, &tuned(&known, 3)).unwrap();
        assert_eq!(find(data, &model, "armv8.0", 4), None);
        assert_eq!(find(data, &model, "armv8.2-dotprod", 8), None);
        assert!(find(data, &model, "armv8.2-dotprod", 4).is_some());
        std::fs::write(&model.path, "other weights").unwrap();
        assert_eq!(find(data, &model, "armv8.2-dotprod", 4), None);
    }

    #[test]
    fn a_damaged_file_is_ignored_and_rewritten() {
        let (folder, model, known) = with_model();
        let data = folder.path();
        let whole = written(&[tuned(&known, 3)]);
        let longest = " ".repeat(limits::TUNING_BYTES_MAX as usize) + &whole;
        for damaged in [
            &whole[..whole.len() - 10],
            &whole.replace("threads = 4", "threads = 0"),
            &whole.replace("decode_threads = 3", "decode_threads = 5"),
            &whole.replace("threads = 4", "threads = 4000"),
            &whole.replace("cores", "corse"),
            &whole.replace("armv8.2", "\\\"\\n"),
            "\0\0\0\0",
            &longest,
        ] {
            std::fs::write(file(data), damaged).unwrap();
            assert_eq!(find(data, &model, "armv8.2-dotprod", 4), None, "{damaged}");
        }
        std::fs::write(file(data), [0xFF, 0xFE]).unwrap();
        assert_eq!(read(data), [], "it is not UTF-8");
        keep(data, &tuned(&known, 3)).unwrap();
        assert!(find(data, &model, "armv8.2-dotprod", 4).is_some());
    }

    #[test]
    fn a_file_keeps_a_limited_number_of_models_and_can_always_be_read() {
        let (folder, _, known) = with_model();
        let data = folder.path();
        for model in 0..=limits::TUNED_MODELS_MAX {
            keep(data, &tuned(&format!("{model:064}"), 4)).unwrap();
        }
        keep(data, &tuned(&known, 4)).unwrap();
        assert_eq!(read(data).len(), limits::TUNED_MODELS_MAX);
        assert!(file(data).metadata().unwrap().len() < limits::TUNING_BYTES_MAX);
    }
}
