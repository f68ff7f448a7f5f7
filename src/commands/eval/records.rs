//! The records of an evaluation: a JSON line that describes the run, then one per attempt.
//!
//! Each line is written as soon as its attempt ends, so that a run interrupted by Ctrl-C or a power
//! cut continues from the file: an incomplete last line is dropped. A run that is complete puts the
//! lines in the order of the questions. Answers are graded again when they are read, so a corrected
//! answer in the set needs no new attempts.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::model::newfile::NewFile;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended the answer.
    Done,
    /// The budget, or a loop, ended the answer or the thinking.
    Budget,
    /// It was not made: the question is too long.
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

/// The part of an attempt that is graded and counted.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedAttempt {
    /// ID of the question.
    pub id: String,
    /// Text of the question, to notice changes.
    pub question: String,
    /// Seed of the attempt, one of the run's.
    pub seed: u64,
    /// Text of the answer, without the thinking.
    pub answer: String,
    /// Number of tokens generated.
    pub completion_tokens: u32,
    /// How the attempt ended.
    pub finish: Finish,
}

/// Further fields of a record, for analysis.
#[derive(Debug, Default)]
pub struct Details {
    /// The seed with which `solve --seed` repeats the attempt.
    pub solve_seed: u64,
    /// Text of the thinking.
    pub thinking: String,
    /// Number of tokens in the prompt.
    pub prompt_tokens: u32,
    /// Seconds from the attempt's start to its end.
    pub seconds: f64,
}

/// The grade of an attempt.
#[derive(Debug)]
pub struct Grade<'a> {
    /// Index of the attempt in the whole run, by question and then by seed.
    pub place: usize,
    /// Family of the question.
    pub family: &'a str,
    /// The correct answer, normalised.
    pub truth: String,
    /// The attempt's answer, normalised.
    pub value: Option<String>,
    /// Whether the answer is correct.
    pub is_right: bool,
}

/// A file of records, open for appending, or none.
#[derive(Debug)]
pub struct Records {
    file: Option<RecordsFile>,
}

#[derive(Debug)]
struct RecordsFile {
    file: File,
    path: PathBuf,
    lines: RecordLines,
}

/// Where the lines of the attempts are in the file.
#[derive(Debug, Default)]
struct RecordLines {
    /// Place in the run and bytes of each attempt, in the file's order; attempts that are not part
    /// of the run come last.
    attempts: Vec<(usize, Range<u64>)>,
    /// Bytes of all complete lines.
    end: u64,
}

impl RecordLines {
    /// Adds a line of this many bytes; `None` for the one that describes the run.
    fn add(&mut self, place: Option<usize>, bytes: usize) {
        let start = self.end;
        self.end += bytes as u64;
        self.attempts.extend(place.map(|place| (place, start..self.end)));
    }
}

impl Records {
    /// Returns records that are written nowhere.
    pub fn none() -> Records {
        Records { file: None }
    }

    /// Starts a new file, which must not exist.
    ///
    /// # Errors
    /// `bad_request` if it exists or cannot be created.
    pub fn start(path: &Path, run: &Json) -> Result<Records, Error> {
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::bad_request(
                format!("--out: '{}' already exists", path.display()),
                "Continue it with --resume, or name a new file.",
            ),
            _ => cannot("write", path, &error),
        })?;
        let mut records = Records::open(file, path, RecordLines::default());
        records.write_line(None, run)?;
        Ok(records)
    }

    fn open(file: File, path: &Path, lines: RecordLines) -> Records {
        Records { file: Some(RecordsFile { file, path: path.to_path_buf(), lines }) }
    }

    /// Opens the file of an interrupted run and passes each attempt in it to `take`, which returns
    /// its place in this run, if it is part of it, or rejects it with a cause; starts a new file if
    /// none exists.
    ///
    /// # Errors
    /// `bad_request` if the file belongs to another run, naming the difference, or is not a file of
    /// records; it is then left unchanged.
    pub fn resume(
        path: &Path,
        run: &Json,
        take: impl FnMut(&RecordedAttempt) -> Result<Option<usize>, String>,
    ) -> Result<Records, Error> {
        let file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Records::start(path, run),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        let lines =
            read_lines(&mut BufReader::new(&file), run, take).map_err(|fault| match fault {
                RecordsFault::Io(error) => cannot("read", path, &error),
                RecordsFault::Wrong(cause) => Error::bad_request(
                    format!("cannot continue '{}': {cause}", path.display()),
                    "Use the flags of that run, or name a new file with --out FILE.",
                ),
            })?;
        file.set_len(lines.end).map_err(|error| cannot("write", path, &error))?;
        let is_empty = lines.end == 0;
        let mut records = Records::open(file, path, lines);
        if is_empty {
            records.write_line(None, run)?;
        }
        Ok(records)
    }

    /// Appends the record of an attempt.
    ///
    /// # Errors
    /// `bad_request` if it cannot be written.
    pub fn add(
        &mut self,
        attempt: &RecordedAttempt,
        details: &Details,
        grade: &Grade,
    ) -> Result<(), Error> {
        let line = json!({
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
        });
        self.write_line(Some(grade.place), &line)
    }

    fn write_line(&mut self, place: Option<usize>, line: &Json) -> Result<(), Error> {
        let Some(RecordsFile { file, path, lines }) = &mut self.file else { return Ok(()) };
        let line = format!("{line}\n");
        file.write_all(line.as_bytes()).map_err(|error| cannot("write", path, &error))?;
        lines.add(place, line.len());
        Ok(())
    }

    /// Puts the attempts in the order of their places, if they ended in another one. The file is
    /// replaced at once, so that an interruption leaves one or the other order.
    ///
    /// # Errors
    /// `no_space` or `bad_request` if it cannot be written; the file is then complete, and only its
    /// order is not.
    pub fn sort(self) -> Result<(), Error> {
        let Some(RecordsFile { file, path, lines: RecordLines { mut attempts, end } }) = self.file
        else {
            return Ok(());
        };
        if attempts.is_sorted_by_key(|(place, _)| *place) {
            return Ok(());
        }
        let description = 0..attempts[0].1.start;
        attempts.sort_by_key(|(place, _)| *place);
        let failed = |error| cannot("sort", &path, &error);
        // A link stays a link.
        let mut sorted = NewFile::create(&path.canonicalize().map_err(failed)?, end)?;
        let mut line = Vec::new();
        for bytes in [description].into_iter().chain(attempts.into_iter().map(|(_, bytes)| bytes)) {
            line.resize((bytes.end - bytes.start) as usize, 0);
            file.read_exact_at(&mut line, bytes.start).map_err(failed)?;
            sorted.write(&line)?;
        }
        sorted.keep()
    }
}

/// Why a file cannot be continued by this run.
enum RecordsFault {
    Io(std::io::Error),
    Wrong(String),
}

/// Returns where the complete lines are: what follows the last line break is an incomplete record.
fn read_lines(
    from: &mut impl BufRead,
    run: &Json,
    mut take: impl FnMut(&RecordedAttempt) -> Result<Option<usize>, String>,
) -> Result<RecordLines, RecordsFault> {
    let (mut lines, mut number, mut line) = (RecordLines::default(), 0, Vec::new());
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
        let place = match (number, is_whole) {
            // Interrupted within the first line; any other content is a different kind of file.
            (1, false) if format!("{run}\n").as_bytes().starts_with(&line) => return Ok(lines),
            (1, _) => same_run(text.unwrap_or_default(), run).map(|()| None),
            (_, false) => return Ok(lines),
            (_, true) => {
                let attempt = text.ok().and_then(read_attempt);
                let attempt = attempt.ok_or("not a record".to_string());
                attempt
                    .and_then(|attempt| take(&attempt))
                    .map(|place| Some(place.unwrap_or(usize::MAX)))
                    .map_err(|cause| format!("line {number}: {cause}"))
            }
        };
        lines.add(place.map_err(RecordsFault::Wrong)?, line.len());
    }
}

/// Checks that this run equals the one described by the first line; the error is the difference.
fn same_run(line: &str, run: &Json) -> Result<(), String> {
    let earlier: Option<Json> = serde_json::from_str(line).ok().filter(|_| line.ends_with('\n'));
    let earlier = earlier.as_ref().and_then(Json::as_object);
    let earlier = earlier.filter(|fields| fields.contains_key("model"));
    let earlier = earlier.ok_or("not a file of records")?;
    for (key, value) in run.as_object().into_iter().flatten() {
        let was = earlier.get(key).unwrap_or(&Json::Null);
        if was != value {
            return Err(format!("the recorded run had {key} {was}, this one has {value}"));
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
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Free space there, then use --resume.",
        _ => "Name a writable file with --out FILE.",
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

    /// The seed of an attempt that is not part of the run.
    const NOT_PART: u64 = 5;

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
        let (place, truth) = (seed as usize, "1".into());
        let grade = Grade { place, family: "sums", truth, value: None, is_right: false };
        let thinking = "1×1\n".to_string();
        let details = Details { solve_seed: 3, thinking, prompt_tokens: 5, seconds: 0.25 };
        records.add(&attempt(seed), &details, &grade).unwrap();
    }

    fn resumed(path: &Path, run: &Json) -> Result<(Records, Vec<RecordedAttempt>), Error> {
        let mut done = Vec::new();
        let records = Records::resume(path, run, |attempt| {
            done.push(attempt.clone());
            Ok((attempt.seed != NOT_PART).then_some(attempt.seed as usize))
        })?;
        Ok((records, done))
    }

    #[test]
    fn a_file_cut_at_any_byte_continues_after_its_complete_attempts() {
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
    fn attempts_that_ended_in_any_order_are_sorted_and_none_is_lost_or_doubled() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("r.jsonl"), folder.path().join("link.jsonl"));
        let mut records = Records::start(&path, &run()).unwrap();
        [4, NOT_PART, 1].into_iter().for_each(|seed| add(&mut records, seed));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let (mut records, _) = resumed(&link, &run()).unwrap();
        [3, 2].into_iter().for_each(|seed| add(&mut records, seed));
        let before = std::fs::read_to_string(&path).unwrap();
        records.sort().unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let [about, l4, other, l1, l3, l2] = lines(&before).try_into().unwrap();
        assert_eq!(lines(&after), [about, l1, l2, l3, l4, other]);
        assert!(link.is_symlink() && std::fs::read_dir(folder.path()).unwrap().count() == 2);
        resumed(&link, &run()).unwrap().0.sort().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "it is sorted already");
    }

    #[test]
    fn nothing_is_overwritten_and_no_other_run_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        assert!(resumed(&path, &run()).unwrap().1.is_empty(), "a new file");
        let error = Records::start(&path, &run()).unwrap_err();
        assert!(error.message.contains("already exists"), "{error}");
        let other = json!({"model": "demo", "mode": "plain", "temperature": 1.0});
        let error = resumed(&path, &other).unwrap_err();
        assert!(error.message.contains("had mode \"math\", this one has \"plain\""), "{error}");
        let cases = [
            ("hello".to_string(), "not a file of records"),
            ("hello\n".to_string(), "not a file of records"),
            ("{\"id\": 1, \"question\": \"1+1?\"}".to_string(), "not a file of records"),
            (format!("{}\n{{}}\n", run()), "line 2: not a record"),
        ];
        for (text, says) in cases {
            std::fs::write(&path, &text).unwrap();
            let error = resumed(&path, &run()).unwrap_err();
            assert!(error.message.contains(says), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "the file is unchanged");
        }
    }

    #[test]
    fn a_rejected_attempt_is_reported_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let mut records = Records::start(&path, &run()).unwrap();
        add(&mut records, 1);
        let refused = Records::resume(&path, &run(), |_| Err("another question".into()));
        let error = refused.unwrap_err();
        assert!(error.message.contains("line 2: another question"), "{error}");
    }
}
