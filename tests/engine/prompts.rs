//! The prefix that all questions of a mode share is prefilled once and restored after a restart.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{model, solve_with, text};

/// Runs `solve`; returns the answer, and how many prefixes were restored and how many deleted.
fn ask(data: &Path, question: &str) -> (String, usize, usize) {
    let args = ["--mode", "math", "--temperature", "0", "--drafts", "off", "--json", question];
    let mut command = solve_with(&model(), &args);
    let output =
        command.args(["--data", data.to_str().unwrap(), "--log", "debug"]).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines = |what: &str| said.lines().filter(|line| line.contains(what)).count();
    let answer = reply["answer"].as_str().unwrap().to_string();
    (answer, lines("prefilled tokens from"), lines("deleting prefix file"))
}

fn prefix_files(data: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(data.join("prefixes")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_modes_prefix_is_restored_from_its_file_and_changes_no_answer() {
    let data = tempfile::tempdir().unwrap();
    let (first, restored, deleted) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((restored, deleted), (0, 0), "no file yet");
    let files = prefix_files(data.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let (again, restored, deleted) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((again.as_str(), restored, deleted), (first.as_str(), 1, 0));
    let (other, restored, _) = ask(data.path(), "What is 6 * 7?");
    assert_eq!(restored, 1, "all questions of the mode share it");
    assert!(other.contains("42"), "{other}");
}

#[test]
fn a_damaged_prefix_file_is_deleted_and_written_again() {
    let data = tempfile::tempdir().unwrap();
    let (first, ..) = ask(data.path(), "What is 17 + 25?");
    let file = &prefix_files(data.path())[0];
    let sound = fs::read(file).unwrap();
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(file, damaged).unwrap();
    let (again, restored, deleted) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((again.as_str(), restored, deleted), (first.as_str(), 0, 1));
    assert_eq!(fs::read(file).unwrap().len(), sound.len(), "written again");
    let (last, restored, deleted) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((last, restored, deleted), (first, 1, 0));
}
