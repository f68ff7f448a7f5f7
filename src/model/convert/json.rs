//! Reads the small JSON files of a checkpoint with a size limit, and their keys with type checks.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde_json::Value;

use super::fault::{CheckpointFault, damaged, lfs_pointer, shown};
use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;

/// Reads a text file; `None` if it does not exist.
pub(super) fn text(file: &Path) -> Result<Option<String>, Error> {
    let max = limits::CHECKPOINT_JSON_BYTES_MAX;
    let cannot = |cause: String| {
        let what = format!("cannot read '{}': {cause}", file.display());
        Error::new(Kind::NotFound, what, "Name a readable checkpoint folder.")
    };
    let opened = match File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| cannot(io_cause(&error)))?,
    };
    let mut bytes = Vec::new();
    opened.take(max + 1).read_to_end(&mut bytes).map_err(|error| cannot(io_cause(&error)))?;
    if bytes.len() as u64 > max {
        return Err(damaged(format!("it has more than {max} bytes")).of(file));
    }
    if let Some(fault) = lfs_pointer(&bytes) {
        return Err(fault.of(file));
    }
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8 text").of(file))?;
    Ok(Some(text))
}

/// Reads a text file that must exist.
pub(super) fn needed(file: &Path) -> Result<String, Error> {
    text(file)?.ok_or_else(|| {
        let what = format!("cannot convert '{}': No such file or directory", file.display());
        let remedy = match file.file_name().is_some_and(|name| name == "tokenizer.json") {
            // Older checkpoints have vocab.json or tokenizer.model instead.
            true => {
                "Make one with Python's transformers: AutoTokenizer.from_pretrained(FOLDER)\
                 .save_pretrained(FOLDER)."
            }
            false => "Get the complete checkpoint: every file of its folder.",
        };
        Error::new(Kind::NotFound, what, remedy)
    })
}

/// Reads a JSON object; returns an empty one if the file does not exist.
pub(super) fn optional(file: &Path) -> Result<Object, Error> {
    match text(file)? {
        Some(text) => Object::parse(&text).map_err(|fault| fault.of(file)),
        None => Ok(Object(Value::Object(serde_json::Map::new()))),
    }
}

/// A JSON object with type-checked access to its keys. A key with `null` counts as missing.
#[derive(Clone, Debug)]
pub(super) struct Object(pub(super) Value);

impl Object {
    /// Parses a JSON text, which must be an object.
    pub(super) fn parse(text: &str) -> Result<Object, CheckpointFault> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| damaged(format!("it is not JSON: {error}")))?;
        match value {
            Value::Object(_) => Ok(Object(value)),
            _ => Err(damaged("it is not a JSON object")),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Object>, CheckpointFault> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Object(Value::Object(map.clone())))),
            Some(other) => Err(wrong(key, other, "an object")),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, CheckpointFault> {
        self.typed(key, "a string", Value::as_str)
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, CheckpointFault> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, CheckpointFault> {
        self.typed(key, "a number", Value::as_f64)
    }

    /// Returns a count from 1 to `max`; a missing key is a fault.
    pub(super) fn count(&self, key: &str, max: u64) -> Result<u64, CheckpointFault> {
        self.count_or(key, max)?.ok_or_else(|| damaged(format!("key '{key}' is missing")))
    }

    /// Returns a count from 1 to `max`, or `None` if the key is missing.
    pub(super) fn count_or(&self, key: &str, max: u64) -> Result<Option<u64>, CheckpointFault> {
        let count = self.typed(key, "a whole number", Value::as_u64)?;
        match count {
            Some(n) if !(1..=max).contains(&n) => {
                Err(damaged(format!("key '{key}': {n} is not between 1 and {max}")))
            }
            count => Ok(count),
        }
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        what: &str,
        of: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, CheckpointFault> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => of(value).map(Some).ok_or_else(|| wrong(key, value, what)),
        }
    }
}

fn wrong(key: &str, value: &Value, what: &str) -> CheckpointFault {
    damaged(format!("key '{key}': {} is not {what}", shown(&value.to_string())))
}
