//! Finds the model where none is named: the newest `.gguf` of a folder.

use std::path::{Path, PathBuf};

use crate::words::error::{Error, Kind};

/// Returns the most recently changed `.gguf` file in `folder`; of equals, the first by name.
///
/// # Errors
/// `no_model` where the folder cannot be read or holds none.
pub fn newest(folder: &Path) -> Result<PathBuf, Error> {
    let none = |cause: &str| {
        Error::new(
            Kind::NoModel,
            format!("no model in folder '{}': {cause}", folder.display()),
            "Put a .gguf file there, run `make model`, or name a file with --model FILE.",
        )
    };
    let entries = std::fs::read_dir(folder).map_err(|_| none("it cannot be read"))?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")))
        .filter_map(|path| {
            let metadata = path.metadata().ok().filter(|m| m.is_file())?;
            Some((std::cmp::Reverse(metadata.modified().ok()?), path))
        })
        .collect();
    found.sort();
    found.into_iter().next().map(|(_, path)| path).ok_or_else(|| none("it holds no .gguf file"))
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
        assert_eq!(newest(folder.path()).unwrap_err().kind, Kind::NoModel);
        at("old.gguf", 10);
        at("new.GGUF", 20);
        at("newest.txt", 30);
        assert_eq!(newest(folder.path()).unwrap(), folder.path().join("new.GGUF"));
        assert_eq!(newest(&folder.path().join("none")).unwrap_err().kind, Kind::NoModel);
    }
}
