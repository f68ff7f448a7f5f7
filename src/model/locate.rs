//! Finds the model: the one named, else the newest `.gguf` in a folder, else the built-in one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::bundled;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::plan::Weights;

/// Returns the model to use: `named` if given (`demo` is the built-in one), else the newest in
/// `folder`, else the built-in one.
///
/// # Errors
/// `no_model` if the folder exists but cannot be read; those of [`bundled::model`].
pub fn find(named: Option<&Path>, folder: &Path) -> Result<Weights, Error> {
    match named {
        Some(name) if name.as_os_str() == bundled::MODEL => bundled::model(),
        Some(file) => Ok(Weights::model(file)),
        None => newest(folder)?.map_or_else(bundled::model, |file| Ok(Weights::model(file))),
    }
}

/// Returns all `.gguf` files in `folder`, sorted by name; none if the folder does not exist.
///
/// # Errors
/// `no_model` if the folder exists but cannot be read.
pub fn all(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| {
            Error::new(
                Kind::NoModel,
                format!("cannot read folder '{}': {}", folder.display(), io_cause(&error)),
                "Name a readable one with --models DIR, or a file with --model FILE.",
            )
        })?,
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    Ok(found)
}

/// Returns the most recently modified `.gguf` file in `folder`; on a tie, the first by name.
fn newest(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let dated = all(folder)?
        .into_iter()
        .filter_map(|path| Some((std::cmp::Reverse(path.metadata().ok()?.modified().ok()?), path)));
    Ok(dated.min().map(|(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_newest_gguf_is_taken_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, seconds| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        assert_eq!(newest(folder.path()).unwrap(), None);
        at("old.gguf", 10);
        at("new.GGUF", 20);
        at("newest.txt", 30);
        let new = Some(folder.path().join("new.GGUF"));
        assert_eq!(newest(folder.path()).unwrap(), new);
        assert_eq!(newest(&folder.path().join("none")).unwrap(), None);
        let no_folder = newest(&folder.path().join("old.gguf")).unwrap_err();
        assert_eq!(no_folder.kind, Kind::NoModel);
    }

    #[test]
    fn the_built_in_model_steps_in_and_can_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let demo = bundled::model().unwrap();
        assert_eq!(find(None, folder.path()).unwrap(), demo);
        File::create(folder.path().join("x.gguf")).unwrap();
        assert_eq!(find(None, folder.path()).unwrap().path, folder.path().join("x.gguf"));
        assert_eq!(find(Some(Path::new("demo")), folder.path()).unwrap(), demo);
        let file = find(Some(Path::new("./demo")), folder.path()).unwrap();
        assert_eq!(file, Weights::model("./demo"));
    }
}
