//! The invariants of ARCHITECTURE.md and the measures of the house style, checked on the sources of
//! the program, of its tests and of the page.

mod layers; // which module may know which other module, library or part of the system
mod names; // retired words, and types that are defined once
mod page; // the sources of the page
mod prose; // doc comments that stand alone, and patterns of translated prose
mod shape; // sizes of files and functions, unsafe code, what nothing may contain

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// A file of the repository.
struct SourceFile {
    /// Relative to the repository, such as `src/desk/mod.rs`.
    name: String,
    text: String,
}

impl SourceFile {
    /// Returns the top-level module a file of `src` belongs to: `desk`, `cli`, `main`.
    fn room(&self) -> &str {
        let path = self.name.strip_prefix("src/").unwrap_or_default();
        path.split(['/', '.']).next().unwrap_or_default()
    }

    /// Returns whether the file has tests only.
    fn is_test(&self) -> bool {
        self.name.starts_with("tests/") || self.name.contains("/tests")
    }

    /// Returns the code outside a unit test module at the end of the file.
    fn program(&self) -> &str {
        let is_module = |&(at, mark): &(usize, &str)| {
            let next = self.text[at + mark.len()..].lines().next().unwrap_or_default();
            next.ends_with("mod tests {")
        };
        let begins = self.text.match_indices("#[cfg(test)]\n").find(is_module);
        &self.text[..begins.map_or(self.text.len(), |(at, _)| at)]
    }

    /// Returns the lines that are not comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Returns the files of a folder that have an extension.
fn files(folder: &str, extension: &str) -> Vec<SourceFile> {
    let mut list = Vec::new();
    collect(&root().join(folder), extension, &mut list);
    assert!(!list.is_empty(), "{folder} has .{extension} files");
    list.sort();
    list.into_iter()
        .map(|path| SourceFile {
            name: path.strip_prefix(root()).unwrap().display().to_string(),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect()
}

fn collect(folder: &Path, extension: &str, list: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, list);
        } else if path.extension().is_some_and(|found| found == extension) {
            list.push(path);
        }
    }
}

/// Returns the sources of the program.
fn program() -> Vec<SourceFile> {
    files("src", "rs")
}

/// Returns the sources of the program and of its tests.
fn sources() -> Vec<SourceFile> {
    let mut list = program();
    list.extend(files("tests", "rs"));
    list
}

/// Asserts that no more than `most` findings are left. The number may only fall: a change that
/// removes some lowers it.
fn ratchet(what: &str, findings: &[String], most: usize) {
    let list = findings.join("\n");
    assert!(findings.len() <= most, "{what}: {} instead of {most}:\n{list}", findings.len());
}
