//! `solverbox api-key`: makes a key, says it once, and keeps only its sum.

use std::path::Path;

use crate::http::auth::keys;
use crate::types::error::Error;

/// Makes a key for `name`; adds it to the list in `file`, or prints its entry.
///
/// # Errors
/// A name that cannot be one or is taken; a list that is not sound or cannot be written.
pub fn run(name: &str, file: Option<&Path>) -> Result<(), Error> {
    match file {
        Some(file) => {
            let new = keys::add(name, file)?;
            super::print(&format!("{}\n", new.key))?;
            super::note(&format!(
                "solverbox: the key of '{name}' is on the list '{}'; it is said only this once, \
                 and counts when `serve --api-keys` is started again",
                file.display()
            ));
        }
        None => {
            let new = keys::make(name)?;
            super::print(&format!("{}\n\n{}", new.key, new.entry))?;
            super::note(
                "solverbox: the key is said only this once; add the entry to the list that \
                 `serve --api-keys` reads",
            );
        }
    }
    Ok(())
}
