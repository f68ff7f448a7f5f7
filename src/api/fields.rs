//! Typed reading of the fields of one JSON object, with the same rules for every request.
//!
//! - A field that is `null` counts as absent; many clients send it that way.
//! - An integer may be written `4` or `4.0`: JSON has one kind of number.
//! - A field that is given twice is an error, because readers would disagree on its value.
//!
//! Each error starts with the field's name and ends with the remedy of the caller, such as where
//! its documentation is. Which fields exist, and whether others are ignored, is up to the caller.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::types::error::Error;
use crate::types::job::JobName;
use crate::types::position::LogPosition;

/// Characters of a request's field name that an error message repeats.
const QUOTED_CHARACTERS: usize = 40;

pub(crate) struct Fields {
    object: UniqueFields,
    remedy: &'static str,
}

impl Fields {
    /// Parses one JSON object. Duplicate fields are not refused before [`Fields::check_unique`], so
    /// that the caller can still read the ID of the request.
    pub fn parse(json: &[u8], remedy: &'static str) -> Result<Fields, serde_json::Error> {
        serde_json::from_slice(json).map(|object| Fields { object, remedy })
    }

    /// Parses a request's body and refuses duplicate fields.
    ///
    /// # Errors
    /// `bad_request`, with `example` as its remedy where the body is not a JSON object.
    pub fn of_body(
        body: &[u8],
        example: &'static str,
        remedy: &'static str,
    ) -> Result<Fields, Error> {
        let fields = Fields::parse(body, remedy).map_err(|error| {
            let is_json = error.is_data();
            let cause = if is_json { "a JSON object".into() } else { format!("JSON: {error}") };
            Error::bad_request(format!("the body is not {cause}"), example)
        })?;
        fields.check_unique()?;
        Ok(fields)
    }

    /// Refuses an object in which a field is given twice.
    pub fn check_unique(&self) -> Result<(), Error> {
        let duplicate = self.object.duplicate.as_ref();
        duplicate.map_or(Ok(()), |name| Err(self.wrong(&quoted(name), "given twice")))
    }

    /// Refuses fields other than `known`; `whose` names what has these fields.
    pub fn check_known(&self, known: &[&str], whose: &str) -> Result<(), Error> {
        let Some(unknown) = self.object.map.keys().find(|name| !known.contains(&name.as_str()))
        else {
            return Ok(());
        };
        let remedy = format!("The fields of {whose} are {}.", known.join(", "));
        Err(Error::bad_request(format!("{}: unknown field", quoted(unknown)), remedy))
    }

    /// Returns a field's value; `None` where it is absent or `null`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.object.map.get(name).filter(|value| !value.is_null())
    }

    pub fn string<'f>(&'f self, name: &str) -> Result<Option<&'f str>, Error> {
        let string =
            |value: &'f Value| value.as_str().ok_or_else(|| self.wrong(name, "must be a string"));
        self.get(name).map(string).transpose()
    }

    /// Returns a string that must be there.
    pub fn required_string<'f>(&'f self, name: &str) -> Result<&'f str, Error> {
        self.string(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        let flag = |value: &Value| value.as_bool();
        self.read(name, flag, "must be true or false")
    }

    pub fn float(&self, name: &str) -> Result<Option<f32>, Error> {
        let float = |value: &Value| value.as_f64().map(|number| number as f32);
        self.read(name, float, "must be a number")
    }

    /// Returns an integer from 0 to 2^64 - 1.
    pub fn integer(&self, name: &str) -> Result<Option<u64>, Error> {
        let positive = |value: &Value| whole(value).filter(|whole| *whole >= 0);
        let integer = self.read(name, positive, "must be a positive integer")?;
        integer.map(|integer| u64::try_from(integer).map_err(|_| self.too_large(name))).transpose()
    }

    /// Returns an integer from 0 to 2^32 - 1.
    pub fn u32(&self, name: &str) -> Result<Option<u32>, Error> {
        let in_range = |integer| u32::try_from(integer).map_err(|_| self.too_large(name));
        self.integer(name)?.map(in_range).transpose()
    }

    /// Returns a seed: any integer of 64 bits, signed or not. A negative one keeps its bits,
    /// because a seed identifies a sequence of random numbers and is not a quantity.
    pub fn seed(&self, name: &str) -> Result<Option<u64>, Error> {
        let seed = |value: &Value| {
            let whole = whole(value)?;
            let signed = || i64::try_from(whole).ok().map(i64::cast_unsigned);
            u64::try_from(whole).ok().or_else(signed)
        };
        self.read(name, seed, "must be an integer of at most 64 bits")
    }

    pub fn job(&self, name: &str) -> Result<Option<JobName>, Error> {
        self.string(name)?.map(|text| job(name, text, self.remedy)).transpose()
    }

    pub fn position(&self, name: &str) -> Result<Option<LogPosition>, Error> {
        self.string(name)?.map(|text| position(name, text, self.remedy)).transpose()
    }

    pub fn missing(&self, name: &str) -> Error {
        self.wrong(name, "missing")
    }

    fn too_large(&self, name: &str) -> Error {
        self.wrong(name, "this integer is too large")
    }

    /// Makes the error about one field.
    pub fn wrong(&self, name: &str, cause: &str) -> Error {
        wrong(name, cause, self.remedy)
    }

    fn read<T>(
        &self,
        name: &str,
        read: impl Fn(&Value) -> Option<T>,
        must: &str,
    ) -> Result<Option<T>, Error> {
        let read = |value| read(value).ok_or_else(|| self.wrong(name, must));
        self.get(name).map(read).transpose()
    }
}

/// Reads a job ID, from a field or the parameter of an address.
pub(crate) fn job(name: &str, text: &str, remedy: &str) -> Result<JobName, Error> {
    text.parse().map_err(|_| wrong(name, "not a job ID: expected 32 hex digits", remedy))
}

/// Reads a position in a job's log, from a field or the parameter of an address.
pub(crate) fn position(name: &str, text: &str, remedy: &str) -> Result<LogPosition, Error> {
    text.parse().map_err(|_| wrong(name, "not a position in a job's log, such as 1234", remedy))
}

pub(crate) fn wrong(name: &str, cause: &str, remedy: &str) -> Error {
    Error::bad_request(format!("{name}: {cause}"), remedy)
}

/// Escapes a field name of a request for a message, and shortens it.
pub(crate) fn quoted(name: &str) -> String {
    name.escape_debug().take(QUOTED_CHARACTERS).collect()
}

/// Returns an integer, however it is written; one of more than 128 bits is saturated.
fn whole(value: &Value) -> Option<i128> {
    let of_float = |float: f64| match float {
        _ if float.fract() != 0.0 => None,
        // The parser rounds integers below -2^63, which do not fit, to a float that seems to fit.
        ..=-9_223_372_036_854_775_808.0 => Some(i128::MIN),
        _ => Some(float as i128),
    };
    let signed = || value.as_i64().map(i128::from);
    value.as_u64().map(i128::from).or_else(signed).or_else(|| value.as_f64().and_then(of_float))
}

/// The fields of an object, and the first name that occurs twice.
struct UniqueFields {
    map: Map<String, Value>,
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for UniqueFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UniqueFields, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = UniqueFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueFields, A::Error> {
        let mut object = UniqueFields { map: Map::new(), duplicate: None };
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if object.map.contains_key(&name) {
                object.duplicate.get_or_insert(name);
            } else {
                object.map.insert(name, value);
            }
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests;
