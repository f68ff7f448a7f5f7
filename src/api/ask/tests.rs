//! What a request becomes, and what is refused.

use super::*;
use crate::types::error::Kind;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn read(json: &str) -> Result<Ask, Error> {
    Ask::from_fields(&Fields::of_body(json.as_bytes(), "", "See the manual.")?)
}

fn question(json: &str) -> Result<Question, Error> {
    read(json)?.question(&Modes::built_in())
}

#[test]
fn fields_become_a_question_in_its_mode() {
    let asked = read(&format!(
        r#"{{"question": "2+2?", "mode": "math", "attempts": 3.0, "budget_tokens": 100, "seed": 7.0,
            "previous": "{ID}", "attempt_of_student": null, "temperature": 0, "top_p": 0.5,
            "ignore_eos": true}}"#
    ))
    .unwrap();
    assert_eq!(asked.previous, Some(ID.parse().unwrap()));
    let question_read = asked.question(&Modes::built_in()).unwrap();
    let Question { attempts, budget_tokens, seed, sampling, ending, .. } = &question_read;
    assert_eq!((*attempts, *budget_tokens, *seed), (3, 100, 7));
    assert_eq!((sampling.temperature, sampling.top_p), (0.0, 0.5));
    assert_eq!(*ending, Ending::Budget);
    assert_eq!(question(r#"{"question": "2+2?"}"#).unwrap().mode.name, DEFAULT_MODE);
    let review = r#"{"question": "2+2?", "mode": "review", "attempt_of_student": "5"}"#;
    assert!(question(review).unwrap().turns[0].text.contains("Student's attempt:\n5"));
}

#[test]
fn what_is_left_out_is_the_modes() {
    let mut modes = Modes::built_in();
    modes
        .extend("[[mode]]\nname='math'\nattempts=5\nbudget_tokens=77\ntemperature=0.25", "own.toml")
        .unwrap();
    let asked = Ask::new("2+2?").question(&modes).unwrap();
    assert_eq!((asked.attempts, asked.budget_tokens), (5, 77));
    assert_eq!(asked.sampling.temperature, 0.25);
    assert_eq!(asked.system, asked.mode.system);
    let own = Ask { system: Some("Be brief.".into()), attempts: Some(1), ..Ask::new("2+2?") };
    let own = own.question(&modes).unwrap();
    assert_eq!((own.system.as_str(), own.attempts), ("Be brief.", 1));
}

#[test]
fn chat_clients_may_put_a_students_work_into_the_question() {
    let ask = |work, mode: &str| {
        let asked = Ask { student_work: work, mode: Some(mode.into()), ..Ask::new("2+2? I say 5") };
        asked.question(&Modes::built_in())
    };
    assert_eq!(ask(StudentWork::InQuestion, "review").unwrap().turns[0].text, "2+2? I say 5");
    assert_eq!(ask(StudentWork::InQuestion, "math").unwrap().turns[0].text, "2+2? I say 5");
    assert!(ask(StudentWork::Missing, "review").is_err());
    assert!(ask(StudentWork::Given("5".into()), "math").is_err());
}

#[test]
fn what_is_written_for_another_box_is_read_as_the_same() {
    let plain = Ask::new("2+2?");
    let full = Ask {
        mode: Some("review".into()),
        attempts: Some(2),
        budget_tokens: Some(100),
        previous: Some(ID.parse().unwrap()),
        student_work: StudentWork::Given("5".into()),
        seed: Some(u64::MAX),
        temperature: Some(0.7),
        top_p: Some(0.9),
        ending: Ending::Budget,
        ..plain.clone()
    };
    assert_eq!(full.to_json().as_object().unwrap().len(), JOB_FIELDS.len());
    for asked in [plain, full] {
        assert_eq!(read(&asked.to_json().to_string()).unwrap(), asked);
    }
}

#[test]
fn a_bad_field_is_named() {
    for (json, starts) in [
        ("{}", "question: missing"),
        (r#"{"question": 5}"#, "question: must be a string"),
        (r#"{"question": "x", "question": "y"}"#, "question: given twice"),
        (r#"{"question": " "}"#, "the question is empty"),
        (r#"{"question": "x", "mode": "chess"}"#, "no mode is called 'chess'"),
        (r#"{"question": "x", "attempts": 0}"#, "attempts: 0 is too few"),
        (r#"{"question": "x", "attempts": 99}"#, "attempts: 99 is too many"),
        (r#"{"question": "x", "attempts": -1}"#, "attempts: must be a positive integer"),
        (r#"{"question": "x", "attempts": 4294967296}"#, "attempts: this integer is too large"),
        (r#"{"question": "x", "budget_tokens": 0}"#, "budget of 0 tokens"),
        (r#"{"question": "x", "budget_tokens": "9"}"#, "budget_tokens: must be"),
        (r#"{"question": "x", "previous": "7"}"#, "previous: not a job ID"),
        (r#"{"question": "x", "seed": 1.5}"#, "seed: must be an integer"),
        (r#"{"question": "x", "temperature": "hot"}"#, "temperature: must be a number"),
        (r#"{"question": "x", "temperature": 99}"#, "temperature: 99 is out of range"),
        (r#"{"question": "x", "ignore_eos": "yes"}"#, "ignore_eos: must be true or false"),
        (r#"{"question": "x", "attempt_of_student": "y"}"#, "mode 'math' does not read"),
    ] {
        let error = question(json).unwrap_err();
        assert!(error.message.starts_with(starts), "{json}: {error}");
    }
    assert_eq!(question(r#"{"question": "x", "mode": "chess"}"#).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn any_bytes_are_a_question_or_a_refusal() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = std::time::Duration::from_secs(seconds.unwrap_or(1));
    let asked = |json: &str| match question(json) {
        Ok(question) => question.check().unwrap(),
        Err(error) => assert!(!error.message.is_empty()),
    };
    bolero::check!().with_test_time(time).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        asked(&text);
        for field in JOB_FIELDS {
            let quoted = Value::from(&*text).to_string();
            for value in [&*text, &quoted] {
                asked(&format!(r#"{{"question": "2+2?", "{field}": {value}}}"#));
            }
        }
    });
}
