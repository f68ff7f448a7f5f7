//! The owner's PIN, of which the box stores only an Argon2id hash.
//!
//! The hash is in `owner.toml` in the data folder, readable by the box's user alone. `solverbox
//! owner` sets and removes it; a running box reads it for each request to the owner's session, so a
//! new PIN applies at once. A hash that needs more memory or time than a board has is refused.

use std::path::{Path, PathBuf};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::http::auth::private;
use crate::random;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;

/// The hashed PIN of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    hash: PasswordHash,
    /// Identifies this hash among all PINs ever set.
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinFile {
    pin: String,
}

/// Checks that a text can be a PIN.
///
/// # Errors
/// `bad_request` with the bounds.
pub fn check(pin: &str) -> Result<(), Error> {
    let (min, max) = (limits::PIN_CHARS.start(), limits::PIN_CHARS.end());
    if limits::PIN_CHARS.contains(&pin.chars().count()) {
        return Ok(());
    }
    Err(Error::bad_request(
        format!("pin: must have {min} to {max} characters"),
        "Choose one that is hard to guess.",
    ))
}

/// Makes `pin` the owner's, in the data folder `data`.
///
/// # Errors
/// `bad_request` if [`check`] refuses it; the errors of writing the file.
pub fn set(data: &Path, pin: &str) -> Result<(), Error> {
    check(pin)?;
    let broken = |e: &dyn std::fmt::Display| Error::internal(format!("cannot hash the PIN: {e}"));
    let params = Params::new(limits::PIN_MEMORY_KIB, limits::PIN_PASSES, 1, None);
    let params = params.map_err(|e| broken(&e))?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = random::bytes::<16>()?;
    let hash: PasswordHash =
        hasher.hash_password_with_salt(pin.as_bytes(), &salt).map_err(|e| broken(&e))?;
    private::write(&file(data), format!("pin = \"{hash}\"\n").as_bytes())
}

/// Removes the owner's PIN; returns whether one was set.
///
/// # Errors
/// The errors of removing the file.
pub fn remove(data: &Path) -> Result<bool, Error> {
    private::remove(&file(data))
}

/// Reads the owner's PIN; `None` if none is set.
///
/// # Errors
/// `internal` naming the file, if it is damaged or cannot be read.
pub fn read(data: &Path) -> Result<Option<Pin>, Error> {
    let file = file(data);
    let bad = |cause: String| {
        Error::new(
            Kind::Internal,
            format!("cannot read '{}': {cause}", file.display()),
            "Set a new PIN with `solverbox owner set-pin`.",
        )
    };
    let text = private::read_text(&file, limits::PIN_FILE_BYTES_MAX);
    match text.map_err(|e| bad(io_cause(&e)))? {
        Some(text) => parse(&text).map(Some).map_err(bad),
        None => Ok(None),
    }
}

fn parse(text: &str) -> Result<Pin, String> {
    let listed: PinFile = toml::from_str(text).map_err(|e| e.message().to_string())?;
    let hash = PasswordHash::new(&listed.pin).map_err(|e| format!("pin: {e}"))?;
    let params = Params::try_from(&hash).map_err(|e| format!("pin: {e}"))?;
    let fits = params.m_cost() <= limits::PIN_MEMORY_KIB_MAX
        && params.t_cost() <= limits::PIN_PASSES_MAX
        && params.p_cost() == 1;
    if !fits || hash.algorithm.as_str() != "argon2id" || hash.salt.is_none() || hash.hash.is_none()
    {
        return Err("pin: not a hash made by solverbox".into());
    }
    Ok(Pin { hash, id: private::hex(&Sha256::digest(text)) })
}

fn file(data: &Path) -> PathBuf {
    data.join("owner.toml")
}

impl Pin {
    /// Returns whether `pin` is right. Takes 19 MiB and a twentieth of a second on a PC, a few
    /// times that on a board.
    pub fn matches(&self, pin: &str) -> bool {
        Argon2::default().verify_password(pin.as_bytes(), &self.hash).is_ok()
    }

    /// Returns an ID that differs from that of every other PIN, even of the same one set again.
    pub fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_known_by_its_hash_and_each_setting_makes_another() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert_eq!(read(data).unwrap(), None);
        set(data, "päss wörd").unwrap();
        let pin = read(data).unwrap().unwrap();
        assert!(pin.matches("päss wörd") && !pin.matches("pass word") && !pin.matches(""));
        let text = std::fs::read_to_string(file(data)).unwrap();
        assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        set(data, "päss wörd").unwrap();
        assert_ne!(read(data).unwrap().unwrap().id(), pin.id());
        assert!(remove(data).unwrap() && !remove(data).unwrap());
        assert_eq!(read(data).unwrap(), None);
    }

    #[test]
    fn a_pin_has_six_to_sixty_four_characters() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "12345", &"é".repeat(65)] {
            assert!(set(folder.path(), bad).unwrap_err().message.contains("6 to 64"));
        }
        assert!(check("123456").is_ok() && check(&"é".repeat(64)).is_ok());
    }

    #[test]
    fn a_damaged_or_greedy_pin_file_is_refused_unhashed() {
        let folder = tempfile::tempdir().unwrap();
        set(folder.path(), "123456").unwrap();
        let sound = std::fs::read_to_string(file(folder.path())).unwrap();
        for bad in [
            "",
            "pin = 7",
            "pin = \"123456\"",
            &sound.replace("m=19456", "m=4000000"),
            &sound.replace("t=2", "t=4000000"),
            &sound.replace("p=1", "p=2"),
            &sound.replace("argon2id", "argon2d"),
            &sound[..sound.len() / 2],
            &sound.repeat(40),
        ] {
            std::fs::write(file(folder.path()), bad).unwrap();
            let error = read(folder.path()).unwrap_err();
            assert!(error.message.contains("owner.toml"), "{bad}: {error}");
            assert!(error.remedy.contains("set-pin"));
        }
    }
}
