//! What a machine's lines are read as, and what is refused.

use std::time::Duration;

use super::*;
use crate::console::machine::frame;
use crate::types::mode::Modes;

const JOB: &str = "0123456789abcdef0123456789abcdef";

fn job() -> JobName {
    JOB.parse().unwrap()
}

fn id(json: &str) -> Id {
    Id(json.into())
}

/// Hears all of some bytes with these settings.
fn hear_with(bytes: &[u8], settings: &MachineSettings) -> Vec<Incoming> {
    let (mut reader, mut rest) = (RequestReader::default(), bytes);
    std::iter::from_fn(|| reader.next(&mut rest, settings)).collect()
}

fn hear(bytes: impl AsRef<[u8]>) -> Vec<Incoming> {
    hear_with(bytes.as_ref(), &MachineSettings::default())
}

fn one(line: &str) -> Incoming {
    let mut heard = hear(format!("{line}\n"));
    assert_eq!(heard.len(), 1, "{line}");
    heard.remove(0)
}

fn request_of(line: &str) -> Request {
    match one(line) {
        Incoming::Request(request) => request,
        Incoming::Refused(_, error) => panic!("{line}: {error}"),
    }
}

fn refused(line: &str) -> (Option<Id>, Error) {
    match one(line) {
        Incoming::Refused(id, error) => (id, error),
        Incoming::Request(request) => panic!("{line}: {request:?}"),
    }
}

#[test]
fn each_request_is_read_with_all_its_fields() {
    let ask = format!(
        r#"{{"type":"ask","id":7,"question":"17*23?","mode":"math","attempts":4,"budget_tokens":100.0,
            "seed":18446744073709551615,"previous":"{JOB}","attempt_of_student":null,"thinking":false}}"#
    );
    let asked = Ask {
        mode: Some("math".into()),
        attempts: Some(4),
        budget_tokens: Some(100),
        seed: Some(u64::MAX),
        previous: Some(job()),
        ..Ask::new("17*23?")
    };
    let all = Request::Ask { id: id("7"), ask: Box::new(asked), thinking: Some(false) };
    assert_eq!(request_of(&ask.replace('\n', " ")), all);
    let from = "1234.2".parse().unwrap();
    let change = SettingsChange {
        crc: Some(true),
        line_bytes: Some(128),
        thinking: Some(false),
        ascii: Some(true),
    };
    let named = |id| Target::Named(job(), id);
    let follow = |from, thinking| Request::Follow { id: id("\"a b\""), job: job(), from, thinking };
    for (line, expected) in [
        (r#"{"type":"follow","id":"a b","job":"J"}"#, follow(LogPosition::default(), None)),
        (
            r#"{"type":"follow","id":"a b","job":"J","from":"1234.2","thinking":true}"#,
            follow(from, Some(true)),
        ),
        (r#"{"type":"stop","id":-7}"#, Request::Stop(Target::Under(id("-7")))),
        (r#"{"type":"stop","job":"J"}"#, Request::Stop(named(None))),
        (r#"{"type":"finish","id":8,"job":"J"}"#, Request::Finish(named(Some(id("8"))))),
        (r#"{"type":"last"}"#, Request::Last(None)),
        (r#"{"type":"last","id":1}"#, Request::Last(Some(id("1")))),
        (r#"{"type":"ping","id":null}"#, Request::Ping(None)),
        (r#"{"type":"set"}"#, Request::Set(None, SettingsChange::default())),
        (
            r#"{"type":"set","crc":true,"line_bytes":128,"thinking":false,"ascii":true}"#,
            Request::Set(None, change),
        ),
        (
            r#" { "id" : 18446744073709551615, "type" : "person" } "#,
            Request::Person(Some(id("18446744073709551615"))),
        ),
    ] {
        assert_eq!(request_of(&line.replace('J', JOB)), expected, "{line}");
    }
}

#[test]
fn a_refusal_names_the_field_and_goes_under_the_id() {
    let seven = Some("7");
    let of = |fields: &str| format!(r#"{{"type":"ask","id":7,"question":"x",{fields}}}"#);
    let bits = "seed: must be an integer of at most 64 bits";
    for (line, id, named) in [
        ("hello".into(), None, "the line is not a JSON object: expected"),
        (
            "[1]".into(),
            None,
            "the line is not a JSON object: invalid type: sequence, expected an object",
        ),
        ("7".into(), None, "the line is not a JSON object"),
        (
            r#"{"type":"ask","id":7,"question":"x"} y"#.into(),
            None,
            "the line is not a JSON object: trailing",
        ),
        ("{}".into(), None, "type: missing; the types are ask, follow,"),
        (r#"{"id":7}"#.into(), seven, "type: missing"),
        (r#"{"type":5,"id":7}"#.into(), seven, "type: must be a string"),
        (r#"{"type":"aks","id":7}"#.into(), seven, "type: unknown type 'aks'; the types are ask, "),
        (r#"{"type":"ask","question":"x"}"#.into(), None, "id: missing"),
        (r#"{"type":"ask","id":7}"#.into(), seven, "question: missing"),
        (r#"{"type":"ask","id":7.5,"question":"x"}"#.into(), None, "id: must be an integer"),
        (r#"{"type":"ask","id":"","question":"x"}"#.into(), None, "id: must be an integer"),
        (
            r#"{"type":"ask","id":"12345678901234567890123","question":"x"}"#.into(),
            None,
            "id: must be an integer",
        ),
        (r#"{"type":"ping","id":"é"}"#.into(), None, "id: must be an integer"),
        (r#"{"type":"ping","id":"\""}"#.into(), None, "id: must be an integer"),
        (r#"{"type":"ping","id":[7]}"#.into(), None, "id: must be an integer"),
        (of(r#""tempreature":1"#), seven, "tempreature: unknown field"),
        (of(r#""question":"y""#), seven, "question: given twice"),
        (of(r#""mode":1"#), seven, "mode: must be a string"),
        (of(r#""attempts":-1"#), seven, "attempts: must be a positive integer"),
        (of(r#""attempts":4294967296"#), seven, "attempts: this integer is too large"),
        (of(r#""budget_tokens":"9""#), seven, "budget_tokens: must be a positive integer"),
        (of(r#""seed":1.5"#), seven, bits),
        (of(r#""seed":18446744073709551616"#), seven, bits),
        (of(r#""previous":"7""#), seven, "previous: not a job ID"),
        (of(r#""thinking":1"#), seven, "thinking: must be true or false"),
        (of(r#""from":"1""#), seven, "from: unknown field"),
        (r#"{"type":"follow","id":7}"#.into(), seven, "job: missing"),
        (
            format!(r#"{{"type":"follow","id":7,"job":"{JOB}","from":"x"}}"#),
            seven,
            "from: not a position",
        ),
        (
            format!(r#"{{"type":"follow","id":7,"job":"{JOB}","from":12}}"#),
            seven,
            "from: must be a string",
        ),
        (r#"{"type":"stop"}"#.into(), None, "job: missing, and so is the id"),
    ] {
        check_refusal(&line, id, named);
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (line, named) in [
        (r#"{"type":"set","line_bytes":127}"#, "line_bytes: 127 is out of range, 128 to 4096"),
        (r#"{"type":"set","line_bytes":4097}"#, "line_bytes: 4097 is out of range"),
        (r#"{"type":"set","crc":"yes"}"#, "crc: must be true or false"),
    ] {
        check_refusal(line, None, named);
    }
}

fn check_refusal(line: &str, id: Option<&str>, named: &str) {
    let (got, error) = refused(line);
    assert_eq!(got.as_ref().map(Id::json), id, "{line}");
    assert!(error.message.starts_with(named), "{line}: {error}");
    assert!(error.kind == Kind::BadRequest && !error.remedy.is_empty());
}

#[test]
fn a_line_that_is_too_long_is_refused_without_an_id() {
    let long = format!(
        r#"{{"type":"ask","id":7,"question":"{}"}}"#,
        "x".repeat(limits::MACHINE_LINE_BYTES_MAX)
    );
    let (id, error) = refused(&long);
    assert_eq!((id, error.kind), (None, Kind::TooLong));
}

#[test]
fn the_longest_question_fits_into_a_line() {
    let question = "x".repeat(crate::types::limits::QUESTION_BYTES_MAX);
    let line = format!(r#"{{"type":"ask","id":7,"question":"{question}","mode":"math","seed":1}}"#);
    let Request::Ask { ask, .. } = request_of(&line) else { panic!("it asks") };
    assert!(ask.question == question);
    // With the mode's own words it is too long for the desk, not for the line.
    assert_eq!(ask.question(&Modes::built_in()).unwrap_err().kind, Kind::TooLong);
}

#[test]
fn a_question_asked_again_is_equal_however_it_is_written() {
    let asked = |line: &str| match request_of(line) {
        Request::Ask { ask, .. } => ask,
        other => panic!("{other:?}"),
    };
    let first = asked(r#"{"type":"ask","id":7,"question":"é?","attempts":4,"thinking":false}"#);
    let again = asked(r#"{"attempts":4.0,"question":"\u00e9?","mode":null,"id":7,"type":"ask"}"#);
    assert_eq!(first, again);
    assert_ne!(first, asked(r#"{"type":"ask","id":7,"question":"é?"}"#));
}

#[test]
fn noise_before_an_object_is_skipped_and_half_a_line_costs_nothing_after_it() {
    let ping = r#"{"type":"ping","id":1}"#;
    let expected = [Incoming::Request(Request::Ping(Some(id("1"))))];
    let before: [&[u8]; 8] = [
        b"",
        b"\xff\x00garb",
        b"\n\r\n\0\n",
        b"} ]{{[\"\\",
        b"{\"type\":\"ask\",\"id\":7,\"quest",
        b"{\"type\":\"ask\",\"id\":7,\"question\":\"17 * {\"",
        b"{\"a\":{\"b\":[{\"c\":",
        b"raspberrypi login: \xc3",
    ];
    for noise in before {
        for after in ["\n", "\r", "\r\n", " \0\n"] {
            let bytes = [noise, ping.as_bytes(), after.as_bytes()].concat();
            assert_eq!(hear(&bytes), expected, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
    assert_eq!(
        hear([&b"{\"type\":\"stop\",\"id\":9}"[..], ping.as_bytes(), b"\n"].concat()),
        expected
    );
}

#[test]
fn a_line_of_noise_gets_one_error_and_a_flood_of_it_few() {
    let settings = MachineSettings::default();
    assert_eq!(hear(b"{\"{\"{\"{\"{ [ x\n").len(), 1);
    assert_eq!(hear(b"\n\n \r\n\0\0\0\xff\xff\n").len(), 0);
    assert_eq!(hear(b"noise\n".repeat(100_000)).len(), 8 + 13);
    let mixed = [b"noise\n".repeat(100), b"{\"type\":\"ping\"}\nnoise\n".to_vec()].concat();
    let heard = hear_with(&mixed, &settings);
    assert_eq!(heard.len(), 8 + 3 + 2, "a valid line resets the count");
    // Such a line may be wrong; it is answered each time.
    assert_eq!(hear(b"{\"type\":\"aks\"}\n".repeat(100)).len(), 100);
}

#[test]
fn the_boxs_own_lines_are_not_answered_when_they_come_back() {
    for kind in OF_THE_BOX {
        assert_eq!(hear(format!("{{\"type\":\"{kind}\",\"id\":7,\"x\":[]}}\n")), []);
        assert!(!FIELDS.iter().any(|(request, _)| *request == kind), "{kind} is both");
    }
}

#[test]
fn settings_count_from_the_next_line_on() {
    let (mut reader, mut settings) = (RequestReader::default(), MachineSettings::default());
    let summed = |object: &str| format!("{object}*{:08X}\n", frame::sum(object.as_bytes()));
    let set = r#"{"type":"set","crc":true,"line_bytes":256}"#;
    let bytes = format!("{set}\n{set}\n{}{set}\n", summed(r#"{"type":"set","crc":false}"#));
    let (mut rest, mut seen) = (bytes.as_bytes(), Vec::new());
    while let Some(incoming) = reader.next(&mut rest, &settings) {
        match incoming {
            Incoming::Request(Request::Set(None, change)) => settings = settings.with(&change),
            Incoming::Refused(None, error) => {
                assert_eq!(error.message, "the line lacks a checksum")
            }
            other => panic!("{other:?}"),
        }
        seen.push((settings.crc, settings.line_bytes));
    }
    assert_eq!(seen, [(true, 256), (true, 256), (false, 256), (true, 256)]);
}

#[test]
fn any_bytes_are_heard_without_a_panic_and_give_at_most_one_reply_a_line() {
    let settings =
        [MachineSettings::default(), MachineSettings { crc: true, ..MachineSettings::default() }];
    bolero::check!().with_test_time(Duration::from_secs(1)).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        let quoted = Value::from(&*text).to_string();
        let mut inputs = vec![input.to_vec(), [b"{\"", input].concat()];
        for (kind, fields) in FIELDS {
            for field in fields.iter().chain(&JOB_FIELDS) {
                for value in [&*text, &quoted] {
                    inputs.push(
                        format!("{{\"type\":\"{kind}\",\"id\":1,\"{field}\":{value}}}")
                            .into_bytes(),
                    );
                }
            }
        }
        for bytes in inputs {
            let bytes = [&bytes[..], b"\n"].concat();
            let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
            for settings in &settings {
                let heard = hear_with(&bytes, settings);
                assert!(heard.len() <= lines);
                for incoming in heard {
                    match incoming {
                        Incoming::Refused(_, error) => assert!(!error.message.is_empty()),
                        Incoming::Request(Request::Ask { ask, .. }) => {
                            drop(ask.question(&Modes::built_in()))
                        }
                        Incoming::Request(_) => {}
                    }
                }
            }
        }
    });
}
