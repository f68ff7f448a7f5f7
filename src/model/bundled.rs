//! The demo model and its adapter, which are embedded in the program.
//!
//! With them solverbox works without any model file, and the self-test and the test suite know
//! their right answers. llama.cpp reads files, so they are passed as files that exist only in
//! memory (memfd_create(2)); nothing is written to disk. models/bundled/ has their training.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Mutex;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use crate::types::error::{Error, io_cause};
use crate::types::mode::Modes;
use crate::types::plan::{Origin, Weights, WeightsRole};

/// The name of the demo model for `--model`.
pub const MODEL: &str = "demo";
/// The name of the demo model's adapter for `--adapter`.
pub const ADAPTER: &str = "demo-binary";
/// The warning shown to users while the demo model is in use.
pub const WARNING: &str = "demo model: school arithmetic only";
/// The instruction shown with [`WARNING`]: how to get the intended model.
pub const WAY_OUT: &str = "Put a VibeThinker-1.5B GGUF file into the models folder, or name one \
    with --model FILE; models/README.md says how to get one.";

/// Changes to the built-in modes for the demo model, in the form of an owner's `--modes` file.
const MODES: &str = include_str!("../../models/bundled/modes.toml");

/// SHA-256 checksums of both files, as sha256sum prints them.
pub const SUMS: &str = include_str!("../../models/bundled/SHA256SUMS");

static MODEL_BYTES: &[u8] = include_bytes!("../../models/bundled/solverbox-demo-q8_0.gguf");
static ADAPTER_BYTES: &[u8] = include_bytes!("../../models/bundled/solverbox-demo-binary-f16.gguf");

/// The memory files created so far; they exist as long as they are open.
static OPEN: Mutex<Vec<(&str, File)>> = Mutex::new(Vec::new());

/// Returns the demo model as a memory file, created on first use.
///
/// # Errors
/// `internal` if the memory file cannot be created.
pub fn model() -> Result<Weights, Error> {
    file(WeightsRole::Model, MODEL, MODEL_BYTES)
}

/// Returns the demo model's adapter, which adds base 2, as a memory file created on first use.
///
/// # Errors
/// `internal` if the memory file cannot be created.
pub fn adapter() -> Result<Weights, Error> {
    file(WeightsRole::Adapter, ADAPTER, ADAPTER_BYTES)
}

/// Returns the modes for questions to the demo model: the built-in ones at a lower temperature,
/// with its own examples and lengths, and marked where it cannot answer.
pub fn modes() -> Modes {
    let mut modes = Modes::built_in();
    // The file is part of the program and a test parses it: it cannot fail on a user's machine.
    modes.extend(MODES, "models/bundled/modes.toml").expect("the demo model's modes are valid");
    modes
}

/// Returns the file name in models/bundled/ of the built-in file `name`.
pub fn file_name(name: &str) -> &'static str {
    if name == ADAPTER { "solverbox-demo-binary-f16.gguf" } else { "solverbox-demo-q8_0.gguf" }
}

fn file(role: WeightsRole, name: &'static str, bytes: &[u8]) -> Result<Weights, Error> {
    let mut open = OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = open.iter().find(|(known, _)| *known == name).map(|(_, file)| file.as_raw_fd());
    let descriptor = match known {
        Some(descriptor) => descriptor,
        None => {
            let file = in_memory(name, bytes).map_err(|error| {
                let cause = io_cause(&error);
                Error::internal(format!("cannot unpack the built-in model '{name}': {cause}"))
            })?;
            let descriptor = file.as_raw_fd();
            open.push((name, file));
            descriptor
        }
    };
    let path = format!("/proc/self/fd/{descriptor}").into();
    Ok(Weights { role, origin: Origin::BuiltIn(name), path })
}

fn in_memory(name: &str, bytes: &[u8]) -> std::io::Result<File> {
    let (flags, name) =
        (MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING, format!("solverbox-{name}"));
    // Some systems require the flag that forbids execution (vm.memfd_noexec); kernels before 6.3 do
    // not support it.
    let made = memfd_create(&name, flags | MemfdFlags::NOEXEC_SEAL).or_else(|error| match error {
        Errno::INVAL => memfd_create(&name, flags),
        error => Err(error),
    });
    let mut file = File::from(made?);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::mode::Presentation;

    #[test]
    fn the_demo_models_modes_are_the_built_in_ones_at_another_temperature_with_its_own_examples() {
        let (built_in, own) = (Modes::built_in(), modes());
        assert_eq!(own.iter().count(), built_in.iter().count());
        for (before, mode) in built_in.iter().zip(own.iter()) {
            let mut mode = mode.as_ref().clone();
            assert!(mode.sampling.temperature < before.sampling.temperature, "{}", mode.name);
            mode.sampling.temperature = before.sampling.temperature;
            let Presentation { is_supported, examples } = std::mem::take(&mut mode.presentation);
            assert_eq!(is_supported, ["math", "plain"].contains(&mode.name.as_str()));
            assert_eq!(examples.is_empty(), !is_supported, "{}", mode.name);
            mode.presentation = before.presentation.clone();
            assert!(mode.usual_tokens.take().is_some(), "{}", mode.name);
            assert_eq!(mode, **before);
        }
    }

    #[test]
    fn they_are_files_that_cannot_be_changed_and_are_made_once() {
        let (first, second) = (model().unwrap(), model().unwrap());
        assert_eq!(first, second);
        assert_eq!(std::fs::read(&first.path).unwrap(), MODEL_BYTES);
        let opened = std::fs::OpenOptions::new().write(true).open(&first.path).unwrap();
        assert!((&opened).write_all(b"x").is_err());
        let adapter = adapter().unwrap();
        assert_eq!(adapter.to_string(), "adapter 'demo-binary'");
        assert_eq!(std::fs::read(&adapter.path).unwrap(), ADAPTER_BYTES);
    }
}
