//! The audit log of the owner's actions: JSON lines in `owner.log` in the data folder.
//!
//! Each has the time (RFC 3339, UTC), the action, its source, and a detail; never a PIN, a key or a
//! question. A full file is renamed to `owner.log.1`. A line that cannot be written is reported in
//! the box's own log; the action is carried out all the same.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::types::limits::{OWNER_LOG_BYTES_MAX, OWNER_LOG_DETAIL_CHARS_MAX};

/// The audit log of one data folder.
pub struct Audit {
    /// Held while a line is written.
    file: Mutex<PathBuf>,
}

impl Audit {
    /// Opens the log of the folder `data`; the file is created by the first line.
    pub fn open(data: &Path) -> Audit {
        Audit { file: Mutex::new(data.join("owner.log")) }
    }

    /// Records `action` and its source `from`: an address, or the command line.
    pub fn note(&self, action: &str, from: &dyn Display, detail: &str) {
        let detail: String = detail.chars().take(OWNER_LOG_DETAIL_CHARS_MAX).collect();
        let line = json!({
            "time": jiff::Timestamp::now().to_string(),
            "action": action,
            "address": from.to_string(),
            "detail": detail,
        });
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = append(&file, &format!("{line}\n"), OWNER_LOG_BYTES_MAX) {
            log::error!("cannot write '{}': {error}", file.display());
        }
    }
}

fn append(path: &Path, line: &str, bytes_max: u64) -> io::Result<()> {
    let mut file = open(path)?;
    if file.metadata()?.len() + line.len() as u64 > bytes_max {
        let mut before = path.as_os_str().to_owned();
        before.push(".1");
        std::fs::rename(path, before)?;
        file = open(path)?;
    }
    file.write_all(line.as_bytes())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use serde_json::Value;

    use super::*;

    #[test]
    fn each_line_says_when_what_from_where_and_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::open(folder.path());
        audit.note("sign_in", &"10.0.0.7", "");
        audit.note("stop", &"command line", &"job 7\n\"".repeat(1_000));
        let file = folder.path().join("owner.log");
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["action"], &lines[0]["address"]),
            (&"sign_in".into(), &"10.0.0.7".into())
        );
        let time = lines[0]["time"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
        assert_eq!(
            lines[1]["detail"].as_str().unwrap().chars().count(),
            OWNER_LOG_DETAIL_CHARS_MAX
        );
    }

    #[test]
    fn a_full_log_makes_way_and_its_predecessor_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("owner.log");
        for number in 0..25 {
            append(&file, &format!("{number:09}\n"), 100).unwrap();
        }
        let first = |name: &str| {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            (text.len(), text.lines().next().unwrap().parse::<u32>().unwrap())
        };
        assert_eq!((first("owner.log"), first("owner.log.1")), ((50, 20), (100, 10)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
