//! The records of an evaluation: JSON lines, one for each attempt, below one that says what was
//! run.
//!
//! A line is written whole and at once, so that a run which was interrupted, or cut off with the
//! power, goes on from the file: a torn last line is dropped. Answers are graded anew when they are
//! read, so a corrected answer in the set needs no new attempts.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// By itself.
    Done,
    /// The budget ended it, or its thinking.
    Budget,
    /// It was never made: the question is too long for the box.
    TooLong,
}

impl Finish {
    const ALL: [Finish; 3] = [Finish::Done, Finish::Budget, Finish::TooLong];

    fn name(self) -> &'static str {
        match self {
            Finish::Done => "done",
            Finish::Budget => "budget",
            Finish::TooLong => "too_long",
        }
    }
}

/// What is graded and counted of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedAttempt {
    /// The question's id.
    pub id: String,
    /// The question, by which it is known again.
    pub question: String,
    /// Its seed, of those of the run.
    pub seed: u64,
    /// The answer, without thinking.
    pub answer: String,
    /// Tokens it took.
    pub completion_tokens: u32,
    /// How it ended.
    pub finish: Finish,
}

/// What a line tells besides, for those who study it.
#[derive(Debug, Default)]
pub struct Details {
    /// The seed by which `solve --seed` repeats it.
    pub solve_seed: u64,
    /// What came before the answer.
    pub thinking: String,
    /// Tokens of its prompt.
    pub prompt_tokens: u32,
    /// Seconds from its start to its end.
    pub seconds: f64,
}

/// What came of an attempt.
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

    /// Opens an interrupted run's file and hands over what it holds, attempt by attempt; a new file
    /// where there is none. `take` refuses an attempt with the reason.
    ///
    /// # Errors
    /// `bad_request` where it is of another run, naming the difference, or is no such file; it is
    /// left as it is then.
    pub fn resume(
        path: &Path,
        run: &Json,
        take: impl FnMut(&RecordedAttempt) -> Result<(), String>,
    ) -> Result<Records, Error> {
        let file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Records::start(path, run),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        let whole =
            read_lines(&mut BufReader::new(&file), run, take).map_err(|fault| match fault {
                RecordsFault::Io(error) => cannot("read", path, &error),
                RecordsFault::Wrong(cause) => Error::bad_request(
                    format!("cannot go on with '{}': {cause}", path.display()),
                    "Give the flags of that run again, or name a new file with --out FILE.",
                ),
            })?;
        file.set_len(whole).map_err(|error| cannot("write", path, &error))?;
        let mut records = Records { file: Some((file, path.to_path_buf())) };
        if whole == 0 {
            records.write_line(run)?;
        }
        Ok(records)
    }

    /// Adds an attempt.
    ///
    /// # Errors
    /// `bad_request` where it cannot be written.
    pub fn add(
        &mut self,
        attempt: &RecordedAttempt,
        details: &Details,
        grade: &Grade,
    ) -> Result<(), Error> {
        self.write_line(&json!({
            "id": attempt.id,
            "family": grade.family,
            "seed": attempt.seed,
            "solve_seed": details.solve_seed,
            "truth": grade.truth,
            "value": grade.value,
            "right": grade.is_right,
            "finish": attempt.finish.name(),
            "prompt_tokens": details.prompt_tokens,
            "completion_tokens": attempt.completion_tokens,
            "seconds": details.seconds,
            "question": attempt.question,
            "answer": attempt.answer,
            "thinking": details.thinking,
        }))
    }

    fn write_line(&mut self, line: &Json) -> Result<(), Error> {
        let Some((file, path)) = &mut self.file else { return Ok(()) };
        file.write_all(format!("{line}\n").as_bytes())
            .map_err(|error| cannot("write", path, &error))
    }
}

/// Why a file is not the records of this run.
enum RecordsFault {
    Io(std::io::Error),
    Wrong(String),
}

/// Returns how many bytes the whole lines have: what follows the last line break was being written
/// when the run ended.
fn read_lines(
    from: &mut impl BufRead,
    run: &Json,
    mut take: impl FnMut(&RecordedAttempt) -> Result<(), String>,
) -> Result<u64, RecordsFault> {
    let (mut whole, mut number, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let most = limits::EVAL_RECORD_BYTES_MAX;
        from.by_ref().take(most).read_until(b'\n', &mut line).map_err(RecordsFault::Io)?;
        number += 1;
        let is_whole = line.ends_with(b"\n");
        if line.len() as u64 == most && !is_whole {
            return Err(RecordsFault::Wrong(format!("line {number} is longer than {most} bytes")));
        }
        let text = std::str::from_utf8(&line);
        match (number, is_whole) {
            // Torn while it was begun; anything else is somebody's own file.
            (1, false) if format!("{run}\n").as_bytes().starts_with(&line) => return Ok(0),
            (1, _) => same_run(text.unwrap_or_default(), run).map_err(RecordsFault::Wrong)?,
            (_, false) => return Ok(whole),
            (_, true) => {
                let attempt = text.ok().and_then(read_attempt);
                let attempt = attempt.ok_or("it is no record".to_string());
                attempt
                    .and_then(|attempt| take(&attempt))
                    .map_err(|cause| RecordsFault::Wrong(format!("line {number}: {cause}")))?;
            }
        }
        whole += line.len() as u64;
    }
}

/// Says what is not as in the run that wrote the first line.
fn same_run(line: &str, run: &Json) -> Result<(), String> {
    let earlier: Option<Json> = serde_json::from_str(line).ok().filter(|_| line.ends_with('\n'));
    let earlier = earlier.as_ref().and_then(Json::as_object);
    let earlier = earlier.filter(|fields| fields.contains_key("model"));
    let earlier = earlier.ok_or("it is no file of records")?;
    for (key, value) in run.as_object().into_iter().flatten() {
        let was = earlier.get(key).unwrap_or(&Json::Null);
        if was != value {
            return Err(format!("its run had {key} {was}, this one has {value}"));
        }
    }
    Ok(())
}

fn read_attempt(line: &str) -> Option<RecordedAttempt> {
    let json: Json = serde_json::from_str(line).ok()?;
    let text = |key: &str| Some(json.get(key)?.as_str()?.to_string());
    let finish = text("finish")?;
    Some(RecordedAttempt {
        id: text("id")?,
        question: text("question")?,
        seed: json.get("seed")?.as_u64()?,
        answer: text("answer")?,
        completion_tokens: json.get("completion_tokens")?.as_u64()?.try_into().ok()?,
        finish: Finish::ALL.into_iter().find(|known| known.name() == finish)?,
    })
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> Error {
    let cause = io_cause(error);
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Make room there, then --resume.",
        _ => "Name a file that can be written with --out FILE.",
    };
    Error::new(
        Kind::BadRequest,
        format!("cannot {verb} records '{}': {cause}", path.display()),
        remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Json {
        json!({"model": "demo", "mode": "math", "temperature": 1.0})
    }

    fn attempt(seed: u64) -> RecordedAttempt {
        RecordedAttempt {
            id: "a".into(),
            question: "1×1?".into(),
            seed,
            answer: "\\boxed{1} ✓".into(),
            completion_tokens: 7,
            finish: Finish::ALL[seed as usize % 3],
        }
    }

    fn add(records: &mut Records, seed: u64) {
        let grade = Grade { family: "sums", truth: "1".into(), value: None, is_right: false };
        let thinking = "1×1\n".to_string();
        let details = Details { solve_seed: 3, thinking, prompt_tokens: 5, seconds: 0.25 };
        records.add(&attempt(seed), &details, &grade).unwrap();
    }

    fn resumed(path: &Path, run: &Json) -> Result<(Records, Vec<RecordedAttempt>), Error> {
        let mut done = Vec::new();
        let records = Records::resume(path, run, |attempt| {
            done.push(attempt.clone());
            Ok(())
        })?;
        Ok((records, done))
    }

    #[test]
    fn a_run_torn_at_any_byte_goes_on_with_its_whole_attempts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let mut records = Records::start(&path, &run()).unwrap();
        [1, 2, 3].into_iter().for_each(|seed| add(&mut records, seed));
        let whole = std::fs::read(&path).unwrap();
        for end in 0..=whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let (mut records, done) = resumed(&path, &run()).unwrap();
            let lines = whole[..end].iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(done.len(), lines.saturating_sub(1), "cut at byte {end}");
            assert!(done.iter().zip(1..).all(|(done, seed)| *done == attempt(seed)));
            add(&mut records, 9);
            assert_eq!(resumed(&path, &run()).unwrap().1.last(), Some(&attempt(9)));
        }
    }

    #[test]
    fn nothing_is_overwritten_and_no_other_run_is_mixed_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        assert!(resumed(&path, &run()).unwrap().1.is_empty(), "a new file");
        let error = Records::start(&path, &run()).unwrap_err();
        assert!(error.message.contains("is there already"), "{error}");
        let other = json!({"model": "demo", "mode": "plain", "temperature": 1.0});
        let error = resumed(&path, &other).unwrap_err();
        assert!(error.message.contains("had mode \"math\", this one has \"plain\""), "{error}");
        let cases = [
            ("hello".to_string(), "no file of records"),
            ("hello\n".to_string(), "no file of records"),
            ("{\"id\": 1, \"question\": \"1+1?\"}".to_string(), "no file of records"),
            (format!("{}\n{{}}\n", run()), "line 2: it is no record"),
        ];
        for (text, says) in cases {
            std::fs::write(&path, &text).unwrap();
            let error = resumed(&path, &run()).unwrap_err();
            assert!(error.message.contains(says), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it is left alone");
        }
    }

    #[test]
    fn an_attempt_nobody_takes_ends_it_with_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let mut records = Records::start(&path, &run()).unwrap();
        add(&mut records, 1);
        let refused = Records::resume(&path, &run(), |_| Err("another question".into()));
        let error = refused.unwrap_err();
        assert!(error.message.contains("line 2: another question"), "{error}");
    }
}
