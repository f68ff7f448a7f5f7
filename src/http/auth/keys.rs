//! The API keys an owner has given out: a file that knows only their SHA-256, with what each may.
//!
//! A key is 256 random bits, so one plain SHA-256 of it cannot be turned back, and looking a sum up
//! in a table tells nobody how much of a guess was right. `serve --api-keys` reads the file at its
//! start; `solverbox api-key` makes keys; `client` asks whose key it is.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::private;
use crate::types::error::{Error, Kind, io_cause, printable};
use crate::types::limits;

/// What the file is called where it is spoken of.
const FLAG: &str = "--api-keys";
/// What all keys begin with, so that people and scanners know one when they see it.
const PREFIX: &str = "sbox-";

/// What a key may; `None` leaves it to the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Questions in the box at once.
    pub jobs_max: Option<u32>,
    /// Attempts at one question.
    pub attempts_max: Option<u32>,
    /// Tokens of one attempt.
    pub budget_tokens_max: Option<u32>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whom the owner gave it to.
    pub name: Arc<str>,
    /// What it may.
    pub limits: Limits,
}

/// The keys of a box, by their sums.
#[derive(Clone, Debug, Default)]
pub struct Keys(HashMap<[u8; 32], Key>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    jobs_max: Option<u32>,
    attempts_max: Option<u32>,
    budget_tokens_max: Option<u32>,
}

/// A key that was just made.
pub struct NewKey {
    /// The key itself, which is nowhere else.
    pub key: String,
    /// Its entry for the file.
    pub entry: String,
}

impl Keys {
    /// Reads the list in `file`.
    ///
    /// # Errors
    /// `not_found` where it cannot be read; `bad_request` naming the file and the key.
    pub fn read(file: &Path) -> Result<Keys, Error> {
        let text = read(file)?.ok_or_else(|| cannot_read(file, "there is no such file"))?;
        Keys::parse(&text, file)
    }

    fn parse(text: &str, file: &Path) -> Result<Keys, Error> {
        let bad = |cause: String| {
            let what = format!("{FLAG} '{}': {cause}", file.display());
            Error::bad_request(what, "Mend that entry, or make one with `solverbox api-key NAME`.")
        };
        let listed: Listed = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if listed.key.len() > limits::API_KEYS_MAX {
            let (many, max) = (listed.key.len(), limits::API_KEYS_MAX);
            return Err(bad(format!("{many} keys are too many, at most {max} are allowed")));
        }
        let mut keys: HashMap<[u8; 32], Key> = HashMap::new();
        for entry in listed.key {
            let of_key = |cause: String| bad(format!("key '{}': {cause}", printable(&entry.name)));
            let (sum, key) = entry.checked().map_err(of_key)?;
            if keys.values().any(|other| other.name == key.name) {
                return Err(of_key("there are two of this name".into()));
            }
            if let Some(other) = keys.insert(sum, key) {
                return Err(of_key(format!("key '{}' has the same sha256", other.name)));
            }
        }
        Ok(Keys(keys))
    }

    /// Returns the entry of a key; `None` where it is not on the list.
    pub fn find(&self, key: &str) -> Option<&Key> {
        self.0.get(&sum(key))
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Entry {
    fn checked(&self) -> Result<([u8; 32], Key), String> {
        check_name(&self.name)?;
        let sum = private::unhex(&self.sha256.to_ascii_lowercase())
            .ok_or("sha256: 64 hexadecimal digits are needed")?;
        let within = |name: &str, value: Option<u32>, max: u32| match value {
            Some(0) => Err(format!("{name}: at least 1 is needed")),
            Some(n) if n > max => {
                Err(format!("{name}: {n} is too many, at most {max} are allowed"))
            }
            value => Ok(value),
        };
        let jobs_max = limits::CLIENT_JOBS_CEILING as u32;
        let limits = Limits {
            jobs_max: within("jobs_max", self.jobs_max, jobs_max)?,
            attempts_max: within("attempts_max", self.attempts_max, limits::ATTEMPTS_MAX)?,
            budget_tokens_max: within(
                "budget_tokens_max",
                self.budget_tokens_max,
                limits::BUDGET_TOKENS_MAX,
            )?,
        };
        Ok((sum, Key { name: self.name.as_str().into(), limits }))
    }
}

/// Makes a key for `name`.
///
/// # Errors
/// `bad_request` for a name that cannot be one.
pub fn make(name: &str) -> Result<NewKey, Error> {
    check_name(name).map_err(|cause| {
        Error::bad_request(
            format!("NAME '{}': {cause}", printable(name)),
            "Choose a short name, such as lab-3.",
        )
    })?;
    let key = format!("{PREFIX}{}", private::hex(&private::random::<32>()?));
    let sum = private::hex(&sum(&key));
    Ok(NewKey { key, entry: format!("[[key]]\nname = \"{name}\"\nsha256 = \"{sum}\"\n") })
}

/// Makes a key for `name` and adds its entry to `file`, which is made where there is none; whatever
/// happens, the file has all of its entries or those it had.
///
/// # Errors
/// Those of [`make`] and [`Keys::read`]; that the name is taken; that the file cannot be written.
pub fn add(name: &str, file: &Path) -> Result<NewKey, Error> {
    let new = make(name)?;
    let mut text = read(file)?.unwrap_or_default();
    let named = Keys::parse(&text, file)?;
    if named.0.values().any(|key| &*key.name == name) {
        return Err(Error::bad_request(
            format!("'{}' has a key '{name}' already", file.display()),
            "Choose another name, or take that entry out of the file first.",
        ));
    }
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    text.push_str(&new.entry);
    // What it makes must be read again at the next start.
    Keys::parse(&text, file)?;
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
        return Err(format!("a name has 1 to {max} letters, digits, dots, dashes or underscores"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn parse(text: &str) -> Result<Keys, Error> {
        Keys::parse(text, Path::new("keys.toml"))
    }

    #[test]
    fn a_key_is_found_by_itself_and_by_nothing_else() {
        let text = format!("[[key]]\nname='lab'\nsha256='{SUM}'\njobs_max=2\nattempts_max=4");
        let keys = parse(&text).unwrap();
        let lab = keys.find("abc").unwrap();
        let limits = Limits { jobs_max: Some(2), attempts_max: Some(4), budget_tokens_max: None };
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
            (entry(&entry("")), "key 'lab': there are two"),
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
        assert_eq!(Keys::read(&file).unwrap_err().kind, Kind::NotFound);
        let one = add("one", &file).unwrap();
        let two = add("two", &file).unwrap();
        let mut text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(&one.key[PREFIX.len()..]), "only its sum is kept");
        let keys = Keys::read(&file).unwrap();
        assert_eq!((keys.count(), &*keys.find(&one.key).unwrap().name), (2, "one"));
        assert_eq!(&*keys.find(&two.key).unwrap().name, "two");
        assert!(add("two", &file).err().unwrap().message.contains("'two'"));
        assert!(make("a\"b").is_err() && make("").is_err());
        text.push_str("jobs_max = 3");
        std::fs::write(&file, &text).unwrap();
        let three = add("three", &file).unwrap();
        let keys = Keys::read(&file).unwrap();
        assert_eq!(keys.find(&two.key).unwrap().limits.jobs_max, Some(3));
        assert_eq!(&*keys.find(&three.key).unwrap().name, "three");
        assert_eq!(parse(&make("four").unwrap().entry).unwrap().count(), 1);
    }
}
