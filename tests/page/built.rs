//! `page/dist` is what `page/src` builds and runs in the oldest browsers, its types are right, and
//! the unit tests of its logic pass.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{not_checked, root, text};

/// Node.js in page/, with its packages; `None` where they are not installed.
fn node() -> Option<Command> {
    let program = root().join("target/venv/bin/node");
    let packages = root().join("page/node_modules");
    if !program.exists() || !packages.exists() {
        assert!(std::env::var_os("CI").is_none(), "run `build/prepare.sh page`");
        not_checked("page/src, because `build/prepare.sh page` has not installed its packages");
        return None;
    }
    let mut node = Command::new(program);
    node.current_dir(root().join("page"));
    Some(node)
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{said}");
}

#[test]
fn the_committed_page_is_what_its_sources_build() {
    let Some(mut node) = node() else { return };
    succeeds(node.args(["build.mjs", "--check"]));
}

#[test]
fn the_built_page_uses_only_what_the_oldest_browsers_have() {
    let Some(mut node) = node() else { return };
    succeeds(node.arg("oldest/check.mjs"));
}

#[test]
fn the_pages_types_are_right() {
    let Some(mut node) = node() else { return };
    succeeds(node.arg("node_modules/typescript/bin/tsc"));
}

#[test]
fn the_unit_tests_of_the_pages_logic_pass() {
    let Some(mut node) = node() else { return };
    let entries = std::fs::read_dir(root().join("page/test")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_test = |path: &PathBuf| path.to_string_lossy().ends_with(".test.ts");
    let files: Vec<PathBuf> = paths.filter(is_test).collect();
    assert!(!files.is_empty(), "page/test has tests");
    succeeds(node.arg("--test").args(files));
}
