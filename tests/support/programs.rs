//! Programs the tests drive that build/prepare.sh installs: a browser, and the packages of
//! target/venv and target/node.

use std::path::PathBuf;

use super::not_checked;

/// Returns a path that build/prepare.sh creates; fails with the remedy if it is missing.
pub fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "'{}' is missing: run `build/prepare.sh test`", path.display());
    path
}

/// A headless browser, under one of the names build/prepare.sh looks for; says that `what` was not
/// checked if there is none.
pub fn browser(what: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = ["chromium-headless-shell", "chromium", "google-chrome"].iter().find_map(|name| {
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
    });
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "a browser is missing: run `build/prepare.sh test`"
        );
        not_checked(&format!("{what}, because there is no chromium"));
    }
    found
}
