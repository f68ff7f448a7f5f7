//! What each reader takes and how it refuses the rest.

use super::*;

fn fields(json: &str) -> Fields {
    Fields::parse(json.as_bytes(), "See the manual.").unwrap()
}

/// Returns the message about the field `x` with this value.
fn refused<T: std::fmt::Debug>(
    json: &str,
    read: impl Fn(&Fields, &str) -> Result<Option<T>, Error>,
) -> String {
    let error = read(&fields(&format!(r#"{{"x": {json}}}"#)), "x").unwrap_err();
    assert_eq!(error.remedy, "See the manual.");
    error.message
}

#[test]
fn integers_may_be_written_with_a_fraction_of_zero() {
    for (json, expected) in
        [("0", 0), ("1", 1), ("1.0", 1), ("5e2", 500), ("4294967295.0", u32::MAX)]
    {
        let fields = fields(&format!(r#"{{"x": {json}}}"#));
        assert_eq!(fields.u32("x").unwrap(), Some(expected), "{json}");
        assert_eq!(fields.integer("x").unwrap(), Some(expected.into()), "{json}");
        assert_eq!(fields.seed("x").unwrap(), Some(expected.into()), "{json}");
    }
    for json in ["-1", "1.5", "\"1\"", "true", "[1]", "-1e99"] {
        assert_eq!(refused(json, Fields::u32), "x: must be a positive integer", "{json}");
        assert_eq!(refused(json, Fields::integer), "x: must be a positive integer", "{json}");
    }
    assert_eq!(refused("4294967296", Fields::u32), "x: this integer is too large");
    for json in ["1e99", "18446744073709551616"] {
        assert_eq!(refused(json, Fields::integer), "x: this integer is too large", "{json}");
    }
}

#[test]
fn a_seed_is_any_integer_of_64_bits() {
    for (json, expected) in [
        ("18446744073709551615", u64::MAX),
        ("9007199254740993", 9_007_199_254_740_993),
        ("-1", u64::MAX),
        ("-1.0", u64::MAX),
        ("-9223372036854775808", 1 << 63),
    ] {
        assert_eq!(
            fields(&format!(r#"{{"x": {json}}}"#)).seed("x").unwrap(),
            Some(expected),
            "{json}"
        );
    }
    for json in ["18446744073709551616", "-9223372036854775809", "-1e30", "0.5", "\"7\""] {
        assert_eq!(
            refused(json, Fields::seed),
            "x: must be an integer of at most 64 bits",
            "{json}"
        );
    }
}

#[test]
fn other_types_are_taken_as_what_they_are_only() {
    let sound = fields(
        r#"{"s": "a", "f": true, "n": 1, "j": "0123456789abcdef0123456789abcdef", "p": "12.3", "z": null}"#,
    );
    assert_eq!(sound.required_string("s").unwrap(), "a");
    assert_eq!((sound.flag("f").unwrap(), sound.float("n").unwrap()), (Some(true), Some(1.0)));
    assert_eq!(sound.job("j").unwrap(), Some(JobName(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)));
    assert_eq!(sound.position("p").unwrap(), Some(LogPosition { offset: 12, start: 3 }));
    assert_eq!((sound.string("z").unwrap(), sound.flag("absent").unwrap()), (None, None));
    assert_eq!(sound.required_string("z").unwrap_err().message, "z: missing");
    let string =
        |fields: &Fields, name: &str| fields.string(name).map(|text| text.map(str::to_string));
    assert_eq!(refused("5", string), "x: must be a string");
    assert_eq!(refused("\"yes\"", Fields::flag), "x: must be true or false");
    assert_eq!(refused("\"hot\"", Fields::float), "x: must be a number");
    assert_eq!(refused("\"7\"", Fields::job), "x: not a job ID: expected 32 hex digits");
    assert_eq!(refused("7", Fields::job), "x: must be a string");
    assert_eq!(
        refused("\"-1\"", Fields::position),
        "x: not a position in a job's log, such as 1234"
    );
}

#[test]
fn duplicate_and_unknown_fields_are_named() {
    let twice = |json: &str| fields(json).check_unique().map_err(|error| error.message);
    assert_eq!(twice(r#"{"a": 1, "b": 1}"#), Ok(()));
    assert_eq!(twice(r#"{"a": 1, "b": 2, "b": 3, "a": 4}"#), Err("b: given twice".into()));
    assert_eq!(twice(r#"{"a": null, "a": 4}"#), Err("a: given twice".into()));
    let long = "é\\n".repeat(60);
    let error =
        fields(&format!(r#"{{"a": 1, "{long}": 2}}"#)).check_known(&["a", "b"], "a request");
    let error = error.unwrap_err();
    assert!(
        error.message.ends_with(": unknown field") && error.message.chars().count() < 60,
        "{error}"
    );
    assert_eq!(error.remedy, "The fields of a request are a, b.");
}

#[test]
fn a_body_must_be_one_json_object() {
    let read = |body: &[u8]| Fields::of_body(body, "Send {}.", "See the manual.").map(drop);
    assert!(read(b" {} ").is_ok());
    for (body, starts) in [
        (&b"{"[..], "the body is not JSON: EOF"),
        (b"", "the body is not JSON: EOF"),
        (b"{} {}", "the body is not JSON: trailing"),
        (b"\xff", "the body is not JSON: expected"),
        (b"[]", "the body is not a JSON object"),
        (b"7", "the body is not a JSON object"),
        (br#"{"x": 1, "x": 1}"#, "x: given twice"),
    ] {
        let error = read(body).unwrap_err();
        assert!(error.message.starts_with(starts), "{error}");
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = std::time::Duration::from_secs(seconds.unwrap_or(1));
    bolero::check!().with_test_time(time).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        let value = format!(r#"{{"x": {text}}}"#);
        let string = format!(r#"{{"x": {}}}"#, Value::from(&*text));
        for json in [input, value.as_bytes(), string.as_bytes()] {
            let Ok(fields) = Fields::of_body(json, "", "") else { continue };
            let integer = fields.integer("x");
            if let (Ok(integer), Ok(seed)) = (&integer, fields.seed("x")) {
                assert_eq!(*integer, seed, "what is an integer is the seed of that number");
            }
            if let Ok(Some(small)) = fields.u32("x") {
                assert_eq!(integer.unwrap(), Some(small.into()));
            }
            if let Ok(Some(position)) = fields.position("x") {
                assert_eq!(position.to_string().parse(), Ok(position));
            }
            let _ = (fields.string("x"), fields.flag("x"), fields.float("x"), fields.job("x"));
        }
    });
}
