//! The records of an evaluation: JSON lines, one for each attempt, below one that says what was run.
//!
//! A line is written whole and at once, so that a run which was interrupted, or cut off with the
//! power, goes on from the file: a torn last line is dropped. Answers are graded anew when they are
//! read, so a corrected set needs no new attempts.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::words::error::{Error, Kind, io_cause};

/// One attempt that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The question's id.
    pub id: String,
    /// Seed of its random numbers.
    pub seed: u64,
    /// What came before the answer.
    pub thinking: String,
    /// The answer.
    pub answer: String,
    /// Tokens it took.
    pub completion_tokens: u32,
    /// Tokens of its prompt.
    pub prompt_tokens: u32,
    /// Seconds from its start to its end.
    pub seconds: f64,
    /// Whether the budget ended it.
    pub was_cut_off: bool,
}

/// What a line tells besides, for those who study it.
#[derive(Debug)]
pub struct Grade<'a> {
    /// The kind of question.
    pub family: &'a str,
    /// The right answer.
    pub truth: String,
    /// The attempt's answer, normalised.
    pub value: Option<String>,
    /// Whether it is right.
    pub is_right: bool,
}

/// A file records are added to; none where nobody wants them.
#[derive(Debug)]
pub struct Records {
    file: Option<(File, PathBuf)>,
}

impl Records {
    /// Keeps no records.
    pub fn none() -> Records {
        Records { file: None }
    }

    /// Starts a new file, which must not be there yet.
    ///
    /// # Errors
    /// `bad_request` where it is there or cannot be made.
    pub fn start(path: &Path, run: &Json) -> Result<Records, Error> {
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::bad_request(
                format!("--out: '{}' is there already", path.display()),
                "Go on with it with --resume, or name a new file.",
            ),
            _ => cannot("write", path, &error),
        })?;
        let mut records = Records { file: Some((file, path.to_path_buf())) };
        records.write_line(run)?;
        Ok(records)
    }

    /// Opens an interrupted run's file and returns what it holds; a new one where there is none.
    ///
    /// # Errors
    /// `bad_request` where it is of another run, naming the difference, or is no such file.
    pub fn resume(path: &Path, run: &Json) -> Result<(Records, Vec<Record>), Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok((Records::start(path, run)?, Vec::new()));
            }
            Err(error) => return Err(cannot("read", path, &error)),
        };
        // What follows the last line break was being written when the run ended.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole == 0 {
            std::fs::remove_file(path).map_err(|error| cannot("write", path, &error))?;
            return Ok((Records::start(path, run)?, Vec::new()));
        }
        let done = read_lines(&text[..whole], run).map_err(|cause| {
            Error::bad_request(
                format!("cannot go on with '{}': {cause}", path.display()),
                "Give the flags of that run again, or name a new file with --out FILE.",
            )
        })?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.and_then(|file| file.set_len(whole as u64).map(|()| file));
        let file = file.map_err(|error| cannot("write", path, &error))?;
        Ok((Records { file: Some((file, path.to_path_buf())) }, done))
    }

    /// Adds an attempt.
    ///
    /// # Errors
    /// `bad_request` where it cannot be written.
    pub fn add(&mut self, record: &Record, grade: &Grade) -> Result<(), Error> {
        self.write_line(&json!({
            "id": record.id,
            "family": grade.family,
            "seed": record.seed,
            "truth": grade.truth,
            "value": grade.value,
            "right": grade.is_right,
            "finish": if record.was_cut_off { "budget" } else { "done" },
            "prompt_tokens": record.prompt_tokens,
            "completion_tokens": record.completion_tokens,
            "seconds": record.seconds,
            "answer": record.answer,
            "thinking": record.thinking,
        }))
    }

    fn write_line(&mut self, line: &Json) -> Result<(), Error> {
        let Some((file, path)) = &mut self.file else { return Ok(()) };
        file.write_all(format!("{line}\n").as_bytes())
            .map_err(|error| cannot("write", path, &error))
    }
}

fn read_lines(text: &str, run: &Json) -> Result<Vec<Record>, String> {
    let mut lines = text.lines().enumerate();
    let first = lines.next().and_then(|(_, line)| serde_json::from_str::<Json>(line).ok());
    let earlier = first.as_ref().and_then(Json::as_object).ok_or("it is no file of records")?;
    for (key, value) in run.as_object().into_iter().flatten() {
        let was = earlier.get(key).unwrap_or(&Json::Null);
        if was != value {
            return Err(format!("its run had {key} {was}, this one has {value}"));
        }
    }
    lines
        .map(|(at, line)| {
            let json: Option<Json> = serde_json::from_str(line).ok();
            let record = json.as_ref().and_then(read_record);
            record.ok_or_else(|| format!("line {} is no record", at + 1))
        })
        .collect()
}

fn read_record(json: &Json) -> Option<Record> {
    let text = |key: &str| Some(json.get(key)?.as_str()?.to_string());
    let tokens = |key: &str| u32::try_from(json.get(key)?.as_u64()?).ok();
    Some(Record {
        id: text("id")?,
        seed: json.get("seed")?.as_u64()?,
        thinking: text("thinking")?,
        answer: text("answer")?,
        completion_tokens: tokens("completion_tokens")?,
        prompt_tokens: tokens("prompt_tokens")?,
        seconds: json.get("seconds")?.as_f64()?,
        was_cut_off: text("finish")? == "budget",
    })
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> Error {
    let cause = io_cause(error);
    Error::new(
        Kind::BadRequest,
        format!("cannot {verb} records '{}': {cause}", path.display()),
        "Make room there, or name another file with --out FILE.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seed: u64) -> Record {
        Record {
            id: "a".into(),
            seed,
            thinking: "1+1\n".into(),
            answer: "\\boxed{2}".into(),
            completion_tokens: 7,
            prompt_tokens: 5,
            seconds: 0.25,
            was_cut_off: seed == 2,
        }
    }

    fn grade() -> Grade<'static> {
        Grade { family: "sums", truth: "2".into(), value: None, is_right: false }
    }

    #[test]
    fn an_interrupted_run_goes_on_where_it_was_and_a_torn_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let run = json!({"mode": "math"});
        let mut records = Records::start(&path, &run).unwrap();
        [1, 2].into_iter().for_each(|seed| records.add(&record(seed), &grade()).unwrap());
        let whole = std::fs::read_to_string(&path).unwrap();
        for torn in ["", "{\"id\": \"a\", \"se"] {
            std::fs::write(&path, format!("{whole}{torn}")).unwrap();
            let (mut records, done) = Records::resume(&path, &run).unwrap();
            assert_eq!(done, [record(1), record(2)]);
            records.add(&record(3), &grade()).unwrap();
            assert_eq!(Records::resume(&path, &run).unwrap().1.len(), 3);
        }
    }

    #[test]
    fn nothing_is_overwritten_and_no_other_run_is_mixed_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let run = json!({"mode": "math", "temperature": 1.0});
        assert!(Records::resume(&path, &run).unwrap().1.is_empty());
        let error = Records::start(&path, &run).unwrap_err();
        assert!(error.message.contains("is there already"), "{error}");
        let other = json!({"mode": "plain", "temperature": 1.0});
        let error = Records::resume(&path, &other).unwrap_err();
        assert!(error.message.contains("had mode \"math\", this one has \"plain\""), "{error}");
        std::fs::write(&path, "hello\n").unwrap();
        assert!(Records::resume(&path, &run).unwrap_err().message.contains("no file of records"));
        std::fs::write(&path, format!("{run}\n{{}}\n")).unwrap();
        assert!(Records::resume(&path, &run).unwrap_err().message.contains("line 2 is no record"));
        std::fs::write(&path, "{\"mo").unwrap();
        assert!(Records::resume(&path, &run).unwrap().1.is_empty(), "torn in its first line");
    }
}
