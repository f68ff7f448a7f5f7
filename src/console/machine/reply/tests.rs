//! What lines look like, and that none is ever too long.

use std::sync::LazyLock;

use super::*;
use crate::answers::value;
use crate::answers::vote::Ballot;
use crate::console::machine::frame::{LineSplitter, ReceivedLine, objects};
use crate::console::machine::message::{Incoming, OF_THE_BOX, Request, RequestReader};
use crate::console::wire::Checksums;
use crate::types::error::Kind;
use crate::types::limits;

/// Texts that are hard to cut: characters of all widths, and what grows when it is escaped.
const HARD: [&str; 6] = [
    "391",
    "The answer is \\boxed{391}. \"Quoted\", {\"type\":\"ping\"}, a\ttab and\r\nlines.\n\n",
    "\u{1}\u{2}\u{0}\u{1f}\u{7f}\u{1b}[31m\"\"\\\\",
    "数学：×÷≤ e\u{301} 🧮👩\u{200d}🔬🇩🇪 \u{10ffff}\u{feff}\u{2028}",
    "é",
    "",
];

fn id(json: &str) -> Id {
    let line = format!("{{\"type\":\"ping\",\"id\":{json}}}\n");
    match RequestReader::default().next(&mut line.as_bytes(), &MachineSettings::default()) {
        Some(Incoming::Request(Request::Ping(Some(id)))) => id,
        other => panic!("{other:?}"),
    }
}

fn pens(line_bytes: usize) -> impl Iterator<Item = LineWriter> {
    [(false, false), (true, false), (false, true), (true, true)].into_iter().map(
        move |(crc, ascii)| {
            LineWriter::new(MachineSettings {
                crc,
                line_bytes,
                ascii,
                ..MachineSettings::default()
            })
        },
    )
}

/// Checks a line from outside: length, sum and JSON; returns the object.
fn read(writer: &LineWriter, line: &str) -> Value {
    let MachineSettings { crc, line_bytes, ascii, .. } = writer.settings;
    assert!(line.len() <= line_bytes, "{} of {line_bytes}: {line}", line.len());
    assert!(!ascii || line.is_ascii(), "{line}");
    assert!(line.ends_with('\n'));
    let mut splitter = LineSplitter::default();
    let Some(ReceivedLine::Whole(whole)) = splitter.line(&mut line.as_bytes()) else {
        panic!("{line}")
    };
    let need = if crc { Checksums::On } else { Checksums::Off };
    assert_eq!(line.contains("}*"), crc, "{line}");
    let object: Value = serde_json::from_slice(objects(&whole, need).unwrap()[0]).unwrap();
    assert!(OF_THE_BOX.contains(&object["type"].as_str().unwrap()), "{line}");
    object
}

fn tally(values: &[&str]) -> Tally {
    let mut tally = Tally::new(16);
    for (attempt, text) in (0..).zip(values) {
        tally.add(Ballot { attempt, value: value::Value::parse(text), mean_logprob: -0.5 });
    }
    tally
}

fn taken() -> Figures {
    Figures {
        prompt_tokens: 4_000_000_000,
        completion_tokens: 4_000_000_000,
        decode_seconds: 123_456.78,
        first_token_seconds: 0.04,
        ..Figures::default()
    }
}

fn job() -> JobName {
    JobName(u128::MAX)
}

static VOTES: LazyLock<Tally> =
    LazyLock::new(|| tally(&["391", "数学", "391", &"9".repeat(60), "1/3", "x"]));

/// Every line there is, made of one text.
fn all(writer: &LineWriter, id: &Id, text: &str) -> Vec<String> {
    let (taken, at) = (taken(), LogPosition { offset: 9_999_999_998, start: u32::MAX });
    let error = Error::new(Kind::Unauthorized, text, text);
    let eta = Eta { seconds: 1_234.56, low: 0.04, high: 99_999.99 };
    let done = Done {
        outcome: &Outcome::Stopped,
        best_attempt: 15,
        value: Some(text),
        votes: Some(&VOTES),
        figures: &taken,
        at,
    };
    vec![
        writer.hello(text, Some(text), "a-mode-with-a-name-of-32-letters", "running"),
        writer.accepted(id, job(), Some(1_024), Some(1e6)),
        writer.queued(id, "running", Some(1_024), Some(eta)),
        writer.attempt(id, 15, &Outcome::Stopped, Some(text), &taken),
        writer.vote(id, &VOTES),
        writer.vote(id, &Tally::new(16)),
        writer.rewind(id, at),
        writer.done(id, &done),
        writer.done(id, &Done { value: None, votes: None, ..done }),
        writer.failed(id, &error),
        writer.error(Some(id), &error, Some(600)),
        writer.error(None, &error, None),
        writer.pong(Some(id), "running"),
        writer.ok(Some(id)),
        writer.settings(Some(id)),
        writer.last(Some(id), Some((job(), "running", text))),
        writer.last(Some(id), None),
    ]
}

#[test]
fn no_line_is_ever_too_long_and_each_is_sound() {
    let ids = [id("7"), id("\"22 characters at most.\"")];
    assert_eq!(ids[1].json().len(), limits::MACHINE_ID_BYTES_MAX);
    let long = HARD.map(|text| text.repeat(60));
    let texts: Vec<&str> = HARD.into_iter().chain(long.iter().map(String::as_str)).collect();
    let check = |writer: LineWriter, id: &Id, text: &str| {
        all(&writer, id, text).iter().for_each(|line| drop(read(&writer, line)));
    };
    // All there is on the shortest lines; from there on each of it now and then.
    for line_bytes in 128..=140 {
        for (writer, text) in
            pens(line_bytes).flat_map(|writer| texts.iter().map(move |t| (writer, t)))
        {
            ids.iter().for_each(|id| check(writer, id, text));
        }
    }
    for (line_bytes, text) in limits::MACHINE_LINE_BYTES.zip(texts.iter().cycle()) {
        let writer = pens(line_bytes).nth(line_bytes / texts.len() % 4).unwrap();
        check(writer, &ids[line_bytes / 7 % 2], text);
    }
}

#[test]
fn a_text_in_pieces_is_the_text_and_each_place_is_behind_its_piece() {
    let ids = [id("7"), id("\"22 characters at most.\"")];
    let text = HARD.concat().repeat(5);
    let before = LogPosition { offset: 999_990, start: 2 };
    for line_bytes in (128..200).chain([255, 256, 511, 512, 1_024, 4_096]) {
        for writer in pens(line_bytes) {
            for id in &ids {
                let mut said = String::new();
                for line in writer.text(id, Part::Answer, 15, &text, before) {
                    let object = read(&writer, &line);
                    said.push_str(object["text"].as_str().unwrap());
                    let at: LogPosition = object["at"].as_str().unwrap().parse().unwrap();
                    assert_eq!(at, LogPosition { offset: before.offset + said.len(), start: 2 });
                    assert_eq!(
                        (&object["type"], &object["attempt"]),
                        (&"answer".into(), &15.into())
                    );
                }
                assert_eq!(said, text);
            }
        }
    }
    let far = LogPosition { offset: 9_999_999_000, start: u32::MAX };
    for writer in pens(128) {
        let lines = writer.text(&ids[1], Part::Thinking, 15, HARD[3], far);
        assert!(lines.iter().all(|line| line.len() <= 128));
        assert!(writer.text(&ids[0], Part::Thinking, 0, "", far).is_empty());
    }
}

#[test]
fn lines_look_like_this() {
    let (writer, seven) = (LineWriter::new(MachineSettings::default()), id("7"));
    let votes = tally(&["391", "392", "391"]);
    let at = LogPosition { offset: 1_234, start: 0 };
    let figures = Figures {
        prompt_tokens: 40,
        completion_tokens: 101,
        decode_seconds: 10.0,
        ..Figures::default()
    };
    let done = Done {
        outcome: &Outcome::Done,
        best_attempt: 0,
        value: Some("391"),
        votes: None,
        figures: &figures,
        at,
    };
    let eta = Eta { seconds: 42.04, low: 20.0, high: 90.0 };
    let busy = Error::new(Kind::Busy, "32 questions wait", "Ask again later.");
    let crc = LineWriter::new(MachineSettings { crc: true, ..MachineSettings::default() });
    let name = "f".repeat(32);
    let figures = r#"{"prompt_tokens":40,"completion_tokens":101,"thinking_tokens":0,"thinking_was_cut_off":false,"first_token_seconds":0.0,"decode_seconds":10.0,"tokens_per_second":10.0}"#;
    for (line, expected) in [
        (writer.hello("0.1.0", None, "math", "loading"), r#"{"type":"hello","name":"solverbox","state":"loading","mode":"math","version":"0.1.0"}"#.into()),
        (writer.accepted(&seven, job(), Some(2), Some(42.04)), format!(r#"{{"type":"accepted","id":7,"job":"{name}","place":2,"eta_s":42.0}}"#)),
        (writer.queued(&seven, "queued", Some(2), Some(eta)), r#"{"type":"queued","id":7,"state":"queued","place":2,"eta":{"seconds":42.0,"low":20.0,"high":90.0}}"#.into()),
        (writer.text(&seven, Part::Thinking, 0, "é\n", LogPosition { offset: 1_231, start: 0 }).concat(), r#"{"type":"thinking","id":7,"attempt":0,"text":"é\n","at":"1234"}"#.into()),
        (writer.attempt(&seven, 1, &Outcome::Budget, None, &done.figures.clone()), format!(r#"{{"type":"attempt","id":7,"attempt":1,"finish":"budget","value":null,"figures":{figures}}}"#)),
        (writer.vote(&seven, &votes), r#"{"type":"vote","id":7,"wanted":16,"ended":3,"best_attempt":0,"votes":[{"value":"391","count":2,"attempts":[0,2]},{"value":"392","count":1,"attempts":[1]}],"agreement":0.667}"#.into()),
        (writer.rewind(&seven, LogPosition { offset: 1_200, start: 2 }), r#"{"type":"rewind","id":7,"to":1200,"at":"1200.2"}"#.into()),
        (writer.done(&seven, &done), format!(r#"{{"type":"done","id":7,"finish":"done","best_attempt":0,"value":"391","at":"1234","figures":{figures}}}"#)),
        (writer.error(Some(&seven), &busy, Some(30)), r#"{"type":"error","id":7,"retry_after_s":30,"kind":"busy","message":"32 questions wait","remedy":"Ask again later."}"#.into()),
        (writer.failed(&seven, &busy), r#"{"type":"failed","id":7,"kind":"busy","message":"32 questions wait","remedy":"Ask again later."}"#.into()),
        (crc.pong(None, "ready"), r#"{"type":"pong","state":"ready"}*F727B508"#.into()),
        (writer.ok(Some(&seven)), r#"{"type":"ok","id":7}"#.into()),
        (writer.settings(None), r#"{"type":"ok","crc":false,"line_bytes":1024,"thinking":true,"ascii":false}"#.into()),
        (writer.last(None, Some((job(), "done", "17*23?"))), format!(r#"{{"type":"job","job":"{name}","state":"done","question":"17*23?"}}"#)),
        (writer.last(Some(&seven), None), r#"{"type":"job","id":7,"job":null}"#.into()),
    ] {
        assert_eq!(line, format!("{expected}\n"));
    }
}

#[test]
fn what_matters_less_goes_first_and_a_cut_is_said() {
    let seven = id("7");
    let (votes, taken) = (tally(&["391", "392", "393"]), taken());
    let long = "9".repeat(150);
    let done = |value| Done {
        outcome: &Outcome::Done,
        best_attempt: 2,
        value: Some(value),
        votes: Some(&votes),
        figures: &taken,
        at: LogPosition { offset: 5, start: 0 },
    };
    let writer =
        |line_bytes| LineWriter::new(MachineSettings { line_bytes, ..MachineSettings::default() });
    let of = |line_bytes, value| {
        read(&writer(line_bytes), &writer(line_bytes).done(&seven, &done(value)))
    };
    let has = |object: &Value| {
        ["value", "at", "votes", "figures", "cut"].map(|name| object.get(name).is_some())
    };
    assert_eq!(has(&of(1_024, "391")), [true, true, true, true, false]);
    assert_eq!(has(&of(400, "391")), [true, true, true, false, false]);
    assert_eq!(has(&of(128, "391")), [true, true, false, false, false]);
    let cut = of(128, &long);
    assert_eq!(has(&cut), [true, false, false, false, true]);
    assert!(long.starts_with(cut["value"].as_str().unwrap()) && cut["best_attempt"] == 2);

    let error = Error::bad_request("m".repeat(60), "r".repeat(60));
    let of = |line_bytes| {
        read(&writer(line_bytes), &writer(line_bytes).error(Some(&seven), &error, Some(5)))
    };
    assert!(of(256)["remedy"].is_string() && of(256)["cut"].is_null());
    assert!(of(160)["remedy"].is_null() && of(160)["cut"].is_null());
    assert!(of(128)["remedy"].is_null() && of(128)["cut"] == true && of(128)["retry_after_s"] == 5);

    let vote = read(&writer(160), &writer(160).vote(&seven, &votes));
    assert_eq!((vote["votes"].as_array().unwrap().len(), &vote["cut"]), (1, &true.into()));
}
