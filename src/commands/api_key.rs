//! `solverbox api-key`: creates a key, prints it once, and stores only its hash.

use std::path::Path;

use crate::http::auth::keys;
use crate::types::error::Error;

/// Creates a key for `name`; adds it to the list in `file`, or prints its entry.
///
/// # Errors
/// If the name is not valid or already on the list, or the list is not valid or cannot be written.
pub fn run(name: &str, file: Option<&Path>) -> Result<(), Error> {
    match file {
        Some(file) => {
            let new = keys::add(name, file)?;
            super::print(&format!("{}\n", new.key))?;
            super::note(&format!(
                "solverbox: added the key of '{name}' to '{}'; it is shown only once and takes \
                 effect when `serve --api-keys` is restarted",
                file.display()
            ));
        }
        None => {
            let new = keys::make(name)?;
            super::print(&format!("{}\n\n{}", new.key, new.entry))?;
            super::note(
                "solverbox: the key is shown only once; add the entry to the file that \
                 `serve --api-keys` reads",
            );
        }
    }
    Ok(())
}
