//! What a mode's questions begin with is prefilled once, and there again after a restart.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{model, solve_with, text};

/// Asks in a process of its own; returns the answer and what the log says of prefilled prompts.
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

fn kept(data: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(data.join("prefixes")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_mode_s_beginning_comes_from_its_file_after_a_restart_and_changes_no_answer() {
    let data = tempfile::tempdir().unwrap();
    let (first, restored, thrown) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((restored, thrown), (0, 0), "there is no file yet");
    let files = kept(data.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let (again, restored, thrown) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((again.as_str(), restored, thrown), (first.as_str(), 1, 0));
    let (other, restored, _) = ask(data.path(), "What is 6 * 7?");
    assert_eq!(restored, 1, "any question of the mode begins so");
    assert!(other.contains("42"), "{other}");
}

#[test]
fn a_damaged_file_of_a_beginning_is_thrown_away_and_written_anew() {
    let data = tempfile::tempdir().unwrap();
    let (first, ..) = ask(data.path(), "What is 17 + 25?");
    let file = &kept(data.path())[0];
    let sound = fs::read(file).unwrap();
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(file, damaged).unwrap();
    let (again, restored, thrown) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((again.as_str(), restored, thrown), (first.as_str(), 0, 1));
    assert_eq!(fs::read(file).unwrap().len(), sound.len(), "written anew");
    let (last, restored, thrown) = ask(data.path(), "What is 17 + 25?");
    assert_eq!((last, restored, thrown), (first, 1, 0));
}
