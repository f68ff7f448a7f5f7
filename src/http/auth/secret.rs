//! The secret that seals cookies and the tokens of forms, so that they cannot be forged.
//!
//! A cookie is 128 random bits with their HMAC-SHA-256 under the secret, so only this box can issue
//! one. The secret is kept in the data folder (`secret`), so that cookies survive a restart;
//! removing the file makes every browser a new client. `identity` loads it, `client` and `browser`
//! use it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::private;
use crate::random;
use crate::types::error::{Error, io_cause};
use crate::types::limits::SECRET_BYTES;

/// The file's name in the data folder.
const FILE: &str = "secret";
/// 128 bits in hexadecimal.
const ID_DIGITS: usize = 32;

/// What an HMAC is for: one that seals a cookie is worth nothing in a form.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Cookie,
    Form,
}

/// The HMAC key of this box's cookies and forms.
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// Loads the secret from the folder `data`, or makes one if it is missing. A damaged one is set
    /// aside with a warning.
    ///
    /// # Errors
    /// Names the file that cannot be read or written.
    pub fn load(data: &Path) -> Result<Secret, Error> {
        let file = data.join(FILE);
        let unreadable = |error: std::io::Error| {
            let what = format!("cannot read '{}': {}", file.display(), io_cause(&error));
            Error::bad_request(
                what,
                "Make it readable for the user that runs solverbox, or remove it.",
            )
        };
        match private::read(&file, SECRET_BYTES as u64) {
            Ok(Some(bytes)) if bytes.len() == SECRET_BYTES => {
                keep_to_ourselves(&file).map_err(unreadable)?;
                let mut secret = [0; SECRET_BYTES];
                secret.copy_from_slice(&bytes);
                return Ok(Secret(secret));
            }
            Ok(None) => {}
            Err(error) if error.kind() != std::io::ErrorKind::Other => {
                return Err(unreadable(error));
            }
            Ok(Some(_)) | Err(_) => {
                let aside = data.join("secret.damaged");
                std::fs::rename(&file, &aside).map_err(unreadable)?;
                log::warn!(
                    "'{}' does not have {SECRET_BYTES} bytes: it was moved to '{}' and replaced; \
                     every browser becomes a new client when it reloads the page",
                    file.display(),
                    aside.display()
                );
            }
        }
        let secret = random::bytes()?;
        private::write(&file, &secret)?;
        Ok(Secret(secret))
    }

    /// Makes the value of a new cookie.
    ///
    /// # Errors
    /// `internal` if no random bytes are available.
    pub fn cookie(&self) -> Result<String, Error> {
        let id = private::hex(&random::bytes::<{ ID_DIGITS / 2 }>()?);
        let seal = private::hex(&self.mac(Purpose::Cookie, &id).finalize().into_bytes());
        Ok(format!("{id}.{seal}"))
    }

    /// Returns the ID in a cookie; `None` if this box did not issue it. Compares in constant time.
    pub fn id_of<'c>(&self, cookie: &'c str) -> Option<&'c str> {
        let (id, seal) = cookie.split_once('.')?;
        private::unhex::<{ ID_DIGITS / 2 }>(id)?;
        let seal = private::unhex::<32>(seal)?;
        self.mac(Purpose::Cookie, id).verify_slice(&seal).ok().map(|()| id)
    }

    /// Returns the token for the forms of the browser whose cookie has this ID.
    pub fn form_token(&self, id: &str) -> String {
        private::hex(&self.mac(Purpose::Form, id).finalize().into_bytes())
    }

    /// Returns whether a form's token is that of the browser whose cookie has this ID. Compares in
    /// constant time.
    pub fn is_form_token(&self, id: &str, token: &str) -> bool {
        let token = private::unhex::<32>(token);
        token.is_some_and(|token| self.mac(Purpose::Form, id).verify_slice(&token).is_ok())
    }

    fn mac(&self, purpose: Purpose, id: &str) -> Hmac<Sha256> {
        let purpose: &[u8] = match purpose {
            Purpose::Cookie => b"solverbox cookie\0",
            Purpose::Form => b"solverbox form\0",
        };
        Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length")
            .chain_update(purpose)
            .chain_update(id)
    }
}

/// Removes other users' permissions, which a careless copy may have granted.
fn keep_to_ourselves(file: &Path) -> std::io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        log::warn!("'{}' was readable by other users; its mode is now 600", file.display());
        permissions.set_mode(0o600);
        std::fs::set_permissions(file, permissions)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_outlasts_a_restart_and_is_worth_nothing_elsewhere() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = Secret::load(here.path()).unwrap();
        let cookie = secret.cookie().unwrap();
        let id = secret.id_of(&cookie).unwrap();
        assert_eq!(id.len(), ID_DIGITS);
        assert_eq!(Secret::load(here.path()).unwrap().id_of(&cookie), Some(id));
        assert_eq!(Secret::load(there.path()).unwrap().id_of(&cookie), None);
        assert_ne!(secret.cookie().unwrap(), cookie);
    }

    #[test]
    fn whatever_is_changed_in_a_cookie_unmakes_it() {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::load(folder.path()).unwrap();
        let cookie = secret.cookie().unwrap();
        for at in 0..cookie.len() {
            let mut forged = cookie.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(secret.id_of(&forged), None, "{forged}");
            assert_eq!(secret.id_of(&cookie[..at]), None);
        }
        let long = format!("{cookie}0");
        for bad in ["", ".", "0123456789abcdef0123456789abcdef", &cookie.to_uppercase(), &long] {
            assert_eq!(secret.id_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_damaged_secret_is_set_aside_and_one_open_to_all_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        for damaged in [&[7; 31][..], &[7; 33], &[]] {
            std::fs::write(&file, damaged).unwrap();
            Secret::load(folder.path()).unwrap();
            assert_eq!(std::fs::read(&file).unwrap().len(), SECRET_BYTES);
            assert_eq!(std::fs::read(folder.path().join("secret.damaged")).unwrap(), damaged);
        }
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&file, open).unwrap();
        Secret::load(folder.path()).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let error = Secret::load(folder.path()).err().unwrap();
        assert!(error.message.contains("secret"), "{error}");
    }
}
