//! The owner's API keys: a file with the SHA-256 of each key and its limits.
//!
//! A key is 256 random bits, so a plain SHA-256 cannot be inverted, and a table lookup by hash does
//! not leak how much of a guess was right. `serve --api-keys` reads the file at start-up;
//! `solverbox api-key` makes keys; `client` looks a request's key up.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::private;
use crate::random;
use crate::types::error::{Error, Kind, io_cause, printable};
use crate::types::limits;

/// The flag that names the file, for error messages.
const FLAG: &str = "--api-keys";
/// Prefix of all keys, so that people and secret scanners recognize one.
const PREFIX: &str = "sbox-";

/// The limits of an API key; `None` means the box's own limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// Unfinished questions at a time.
    pub jobs_max: Option<u32>,
    /// Most attempts at one question.
    pub attempts_max: Option<u32>,
    /// Budget of one attempt, in tokens.
    pub budget_tokens_max: Option<u32>,
}

/// An API key on the owner's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The name the owner gave it.
    pub name: Arc<str>,
    /// What this key may ask for.
    pub limits: KeyLimits,
}

/// The API keys of a box, by their SHA-256.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys(HashMap<[u8; 32], ApiKey>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    #[serde(default)]
    key: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    name: String,
    sha256: String,
    jobs_max: Option<u32>,
    attempts_max: Option<u32>,
    budget_tokens_max: Option<u32>,
}

/// A newly made key.
pub struct NewKey {
    /// The key itself, which is stored nowhere.
    pub key: String,
    /// The key's entry for the key file.
    pub entry: String,
}

impl ApiKeys {
    /// Reads the list in `file`.
    ///
    /// # Errors
    /// `not_found` if it cannot be read; `bad_request` naming the file and the entry at fault.
    pub fn read(file: &Path) -> Result<ApiKeys, Error> {
        let text = read(file)?.ok_or_else(|| cannot_read(file, "there is no such file"))?;
        ApiKeys::parse(&text, file)
    }

    fn parse(text: &str, file: &Path) -> Result<ApiKeys, Error> {
        let bad = |cause: String| {
            let what = format!("{FLAG} '{}': {cause}", file.display());
            Error::bad_request(
                what,
                "Correct that entry, or make one with `solverbox api-key NAME`.",
            )
        };
        let listed: KeyFile = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if listed.key.len() > limits::API_KEYS_MAX {
            let (many, max) = (listed.key.len(), limits::API_KEYS_MAX);
            return Err(bad(format!("{many} keys are too many, at most {max} are allowed")));
        }
        let mut keys: HashMap<[u8; 32], ApiKey> = HashMap::new();
        for entry in listed.key {
            let of_key = |cause: String| bad(format!("key '{}': {cause}", printable(&entry.name)));
            let (sum, key) = entry.checked().map_err(of_key)?;
            if keys.values().any(|other| other.name == key.name) {
                return Err(of_key("this name is used twice".into()));
            }
            if let Some(other) = keys.insert(sum, key) {
                return Err(of_key(format!("key '{}' has the same sha256", other.name)));
            }
        }
        Ok(ApiKeys(keys))
    }

    /// Looks up a key; `None` if it is not on the list.
    pub fn find(&self, key: &str) -> Option<&ApiKey> {
        self.0.get(&sum(key))
    }

    /// Returns the number of keys.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl KeyEntry {
    fn checked(&self) -> Result<([u8; 32], ApiKey), String> {
        check_name(&self.name)?;
        let sum = private::unhex(&self.sha256.to_ascii_lowercase())
            .ok_or("sha256: must have 64 hexadecimal digits")?;
        let within = |name: &str, value: Option<u32>, max: u32| match value {
            Some(0) => Err(format!("{name}: at least 1 is needed")),
            Some(n) if n > max => {
                Err(format!("{name}: {n} is too many, at most {max} are allowed"))
            }
            value => Ok(value),
        };
        let jobs_max = limits::CLIENT_JOBS_CEILING as u32;
        let limits = KeyLimits {
            jobs_max: within("jobs_max", self.jobs_max, jobs_max)?,
            attempts_max: within("attempts_max", self.attempts_max, limits::ATTEMPTS_MAX)?,
            budget_tokens_max: within(
                "budget_tokens_max",
                self.budget_tokens_max,
                limits::BUDGET_TOKENS_MAX,
            )?,
        };
        Ok((sum, ApiKey { name: self.name.as_str().into(), limits }))
    }
}

/// Makes a key for `name`.
///
/// # Errors
/// `bad_request` for an invalid name.
pub fn make(name: &str) -> Result<NewKey, Error> {
    check_name(name).map_err(|cause| {
        Error::bad_request(
            format!("NAME '{}': {cause}", printable(name)),
            "Choose a short name, such as lab-3.",
        )
    })?;
    let key = format!("{PREFIX}{}", private::hex(&random::bytes::<32>()?));
    let sum = private::hex(&sum(&key));
    Ok(NewKey { key, entry: format!("[[key]]\nname = \"{name}\"\nsha256 = \"{sum}\"\n") })
}

/// Makes a key for `name` and adds its entry to `file`, which is created if missing. The file is
/// replaced atomically.
///
/// # Errors
/// The errors of [`make`] and [`ApiKeys::read`]; that the name is taken; that the file cannot be
/// written.
pub fn add(name: &str, file: &Path) -> Result<NewKey, Error> {
    let new = make(name)?;
    let mut text = read(file)?.unwrap_or_default();
    let named = ApiKeys::parse(&text, file)?;
    if named.0.values().any(|key| &*key.name == name) {
        return Err(Error::bad_request(
            format!("'{}' already has a key named '{name}'", file.display()),
            "Choose another name, or remove that entry from the file first.",
        ));
    }
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    text.push_str(&new.entry);
    // The next start must be able to read the result.
    ApiKeys::parse(&text, file)?;
    private::write(file, text.as_bytes())?;
    Ok(new)
}

fn sum(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn read(file: &Path) -> Result<Option<String>, Error> {
    private::read_text(file, limits::SETTINGS_BYTES_MAX)
        .map_err(|error| cannot_read(file, &io_cause(&error)))
}

fn cannot_read(file: &Path, cause: &str) -> Error {
    let what = format!("cannot read {FLAG} '{}': {cause}", file.display());
    let way = "Name a readable file; `solverbox api-key NAME --file FILE` makes one.";
    Error::new(Kind::NotFound, what, way)
}

fn check_name(name: &str) -> Result<(), String> {
    let max = limits::API_KEY_NAME_BYTES_MAX;
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || name.len() > max || !name.bytes().all(usual) {
        return Err(format!(
            "a name must have 1 to {max} letters, digits, dots, dashes or underscores"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn parse(text: &str) -> Result<ApiKeys, Error> {
        ApiKeys::parse(text, Path::new("keys.toml"))
    }

    #[test]
    fn a_key_is_found_by_itself_and_by_nothing_else() {
        let text = format!("[[key]]\nname='lab'\nsha256='{SUM}'\njobs_max=2\nattempts_max=4");
        let keys = parse(&text).unwrap();
        let lab = keys.find("abc").unwrap();
        let limits =
            KeyLimits { jobs_max: Some(2), attempts_max: Some(4), budget_tokens_max: None };
        assert_eq!((&*lab.name, lab.limits), ("lab", limits));
        for other in ["", "ab", "abcd", "ABC", " abc", SUM] {
            assert_eq!(keys.find(other), None, "{other}");
        }
        assert_eq!(parse("").unwrap().count(), 0);
    }

    #[test]
    fn what_is_wrong_is_named_by_file_and_key() {
        let entry = |rest: &str| format!("[[key]]\nname='lab'\nsha256='{SUM}'\n{rest}");
        for (text, named) in [
            ("[[key]]\nname='lab'".to_string(), "sha256"),
            ("[[key]]\nname='lab'\nsha256='abc'".into(), "key 'lab': sha256"),
            (format!("[[key]]\nname='a b'\nsha256='{SUM}'"), "key 'a b': a name"),
            (format!("[[key]]\nname=''\nsha256='{SUM}'"), "key ''"),
            (entry("jobs_max=0"), "key 'lab': jobs_max"),
            (entry("jobs_max=1025"), "at most 1024"),
            (entry("attempts_max=17"), "key 'lab': attempts_max: 17"),
            (entry("budget_tokens_max=999999"), "key 'lab': budget_tokens_max: 999999"),
            (entry("attempts_max=-1"), "-1"),
            (entry("attempt_max=1"), "attempt_max"),
            (entry(&entry("")), "key 'lab': this name is used twice"),
            (entry(&format!("[[key]]\nname='b'\nsha256='{SUM}'")), "key 'b': key 'lab' has"),
            ("[[keys]]".into(), "keys"),
            ("key".into(), "key"),
            (entry("[[key]]\nname='x'\nsha256='x'\n").repeat(600), "too many"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.message.starts_with("--api-keys 'keys.toml': "), "{error}");
            assert!(error.message.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_key_that_was_made_is_on_the_list_and_its_name_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        assert_eq!(ApiKeys::read(&file).unwrap_err().kind, Kind::NotFound);
        let one = add("one", &file).unwrap();
        let two = add("two", &file).unwrap();
        let mut text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(&one.key[PREFIX.len()..]), "only its sum is kept");
        let keys = ApiKeys::read(&file).unwrap();
        assert_eq!((keys.count(), &*keys.find(&one.key).unwrap().name), (2, "one"));
        assert_eq!(&*keys.find(&two.key).unwrap().name, "two");
        assert!(add("two", &file).err().unwrap().message.contains("'two'"));
        assert!(make("a\"b").is_err() && make("").is_err());
        text.push_str("jobs_max = 3");
        std::fs::write(&file, &text).unwrap();
        let three = add("three", &file).unwrap();
        let keys = ApiKeys::read(&file).unwrap();
        assert_eq!(keys.find(&two.key).unwrap().limits.jobs_max, Some(3));
        assert_eq!(&*keys.find(&three.key).unwrap().name, "three");
        assert_eq!(parse(&make("four").unwrap().entry).unwrap().count(), 1);
    }
}
