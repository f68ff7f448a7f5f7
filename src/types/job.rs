//! A question as every door passes it to the desk: validated, complete, the same for all doors.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{Error, Kind};
use super::limits;
use super::mode::{AdapterRef, Mode, Reads, Sampling, Voting};

/// A job's number within the server, increasing in the order of submission, across restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// A job's public ID: a random number, so that other clients' jobs cannot be guessed. Written as 32
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct JobName(pub u128);

impl From<JobName> for String {
    fn from(name: JobName) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for JobName {
    type Error = NoJobName;

    fn try_from(text: String) -> Result<JobName, NoJobName> {
        text.parse()
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The error for a text that is not a job ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoJobName;

impl fmt::Display for NoJobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a job ID")
    }
}

impl FromStr for JobName {
    type Err = NoJobName;

    fn from_str(text: &str) -> Result<JobName, NoJobName> {
        let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(NoJobName);
        }
        u128::from_str_radix(text, 16).map(JobName).map_err(|_| NoJobName)
    }
}

/// Identifies one attempt; sorts by job, then by number: the order in which a client's attempts are
/// scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    /// The job the attempt belongs to.
    pub job: JobId,
    /// The attempt's number within the job, from 0.
    pub number: u32,
}

/// A client, the unit of fairness and ownership. Clients can be compared but not identified: the
/// value is a hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client([u8; 16]);

impl Client {
    /// Returns the client for a command, which has the engine to itself.
    pub fn alone() -> Client {
        Client::of("command", b"")
    }

    /// Returns the client's bytes, for the journal.
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }

    /// Restores a client from the journal's bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Client {
        Client(bytes)
    }

    /// Makes the client identified by `mark` within a `realm`: the same bytes as a cookie and as an
    /// API key are two clients.
    ///
    /// The value is half a SHA-256: the mark cannot be recovered from it, and no second mark with
    /// the same value can be found.
    pub fn of(realm: &str, mark: &[u8]) -> Client {
        let sum = Sha256::new()
            .chain_update(b"solverbox client\0")
            .chain_update(realm)
            .chain_update(b"\0")
            .chain_update(mark)
            .finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&sum[..16]);
        Client(half)
    }
}

/// Shows six digits: enough to follow a client through a log, too few to test guesses against.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, ..] = self.0;
        write!(f, "Client({a:02x}{b:02x}{c:02x}…)")
    }
}

/// The author of a turn in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The user who asks.
    User,
    /// The model, in an earlier answer.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The author of the message.
    pub role: Role,
    /// The message; a user's text is never parsed for control tokens.
    pub text: String,
}

/// What can end an attempt before its budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Any end-of-generation token of the model.
    EndOfGeneration,
    /// Only the budget (`ignore_eos`, for measurements): end tokens are never sampled.
    Budget,
}

/// The answers a question's attempts result in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choices {
    /// One answer, chosen by a vote.
    Voted,
    /// The answer of each attempt.
    All,
}

/// A question with everything needed to answer it; [`Question::check`] validates it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The preset the question is asked in.
    pub mode: Arc<Mode>,
    /// The system prompt: the mode's, unless the client sent its own.
    pub system: String,
    /// The conversation; its last turn is the user's.
    pub turns: Vec<Turn>,
    /// Sampling settings: the mode's, with the client's changes.
    pub sampling: Sampling,
    /// Random seed; the same seed on the same machine repeats an answer.
    pub seed: u64,
    /// Number of attempts, 1 to [`limits::ATTEMPTS_MAX`]: the mode's, unless the client set one.
    pub attempts: u32,
    /// Whether the attempts vote or are all returned.
    pub choices: Choices,
    /// Adapters to apply: the mode's, unless the client chose others.
    pub adapters: Vec<AdapterRef>,
    /// Most tokens to generate per attempt, including inserted ones.
    pub budget_tokens: u32,
    /// What can end an attempt early.
    pub ending: Ending,
    /// Strings that end the answer where they occur; they are not part of it.
    pub stops: Vec<String>,
    /// The answered job whose conversation comes before the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<JobName>,
    /// Length in bytes of the student's attempt, with which the last message ends; 0 if it has none
    /// or if that is not known, as in journals before version 3 and in chat requests.
    #[serde(default)]
    pub student_attempt_bytes: usize,
}

/// What precedes the problem and the student's attempt at it in the message of a mode that reads
/// both.
const PROBLEM: &str = "Problem:\n";
const STUDENT_ATTEMPT: &str = "\n\nStudent's attempt:\n";

impl Question {
    /// Makes a question in `mode` with the mode's settings and the caller's seed.
    pub fn new(mode: Arc<Mode>, turns: Vec<Turn>, seed: u64) -> Question {
        Question {
            system: mode.system.clone(),
            sampling: mode.sampling,
            budget_tokens: mode.budget_tokens,
            ending: Ending::EndOfGeneration,
            stops: Vec::new(),
            attempts: mode.attempts,
            choices: Choices::Voted,
            adapters: mode.adapters.clone(),
            turns,
            seed,
            mode,
            previous: None,
            student_attempt_bytes: 0,
        }
    }

    /// Returns whether the client sent its own system prompt.
    pub fn brings_system(&self) -> bool {
        self.system != self.mode.system
    }

    /// Returns the user's last message, as the model reads it.
    pub fn last_message(&self) -> &str {
        let last = self.turns.iter().rev().find(|turn| turn.role == Role::User);
        last.map_or("", |turn| &turn.text)
    }

    /// Returns what was asked last, without the student's attempt.
    pub fn asked(&self) -> &str {
        self.problem_and_attempt().0
    }

    /// Returns the student's attempt at what was asked last.
    pub fn attempt_of_student(&self) -> Option<&str> {
        self.problem_and_attempt().1
    }

    /// Takes a message of [`message`] apart. If the length of the attempt is not known, a message
    /// that could be divided in several places is taken as a whole.
    fn problem_and_attempt(&self) -> (&str, Option<&str>) {
        let message = self.last_message();
        let rest = message.strip_prefix(PROBLEM).filter(|_| self.mode.reads != Reads::Question);
        let parts = rest.and_then(|rest| {
            let at = match self.student_attempt_bytes {
                0 => {
                    let mut places = rest.match_indices(STUDENT_ATTEMPT).map(|(at, _)| at);
                    places.next().filter(|_| places.next().is_none())?
                }
                bytes => rest.len().checked_sub(bytes + STUDENT_ATTEMPT.len())?,
            };
            Some((rest.get(..at)?, rest.get(at..)?.strip_prefix(STUDENT_ATTEMPT)?))
        });
        parts.map_or((message, None), |(problem, attempt)| (problem, Some(attempt)))
    }

    /// Returns whether several attempts vote on one answer.
    pub fn is_voted(&self) -> bool {
        self.attempts > 1 && self.choices == Choices::Voted
    }

    /// Returns whether the answer has a value and the prompt asks for it in a `\boxed{}`. In modes
    /// whose answers have none, such as hints, a box in the question is not a request.
    pub fn asks_for_box(&self) -> bool {
        let question = self.turns.last().map_or("", |turn| &turn.text);
        let has_box = |text: &str| text.contains(r"\boxed");
        self.mode.voting == Voting::ByValue && (has_box(&self.system) || has_box(question))
    }

    /// Returns the seed of an attempt's sampler.
    ///
    /// Attempt 0 has the question's seed and equals a single attempt. The others have the outputs
    /// of SplitMix64 started with it (Steele, Lea and Flood, Fast splittable pseudorandom number
    /// generators, OOPSLA 2014): different for each attempt, and unrelated to those of questions
    /// with neighbouring seeds.
    pub fn seed_of_attempt(&self, attempt: u32) -> u64 {
        if attempt == 0 {
            return self.seed;
        }
        let mut z = u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.seed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Checks everything that does not depend on the model.
    ///
    /// # Errors
    /// `bad_request` or `too_long`, naming the field, the value and the bound.
    pub fn check(&self) -> Result<(), Error> {
        self.sampling.check("")?;
        if !self.turns.last().is_some_and(|t| t.role == Role::User && !is_blank(&t.text)) {
            return Err(Error::bad_request("the question is empty", "Type a question."));
        }
        if self.turns.len() > limits::TURNS_MAX {
            return Err(Error::new(
                Kind::TooLong,
                format!(
                    "the conversation has {} messages, at most {} are allowed",
                    self.turns.len(),
                    limits::TURNS_MAX
                ),
                "Start a new conversation.",
            ));
        }
        let bytes = self.system.len() + self.turns.iter().map(|t| t.text.len()).sum::<usize>();
        if bytes > limits::QUESTION_BYTES_MAX {
            return Err(Error::new(
                Kind::TooLong,
                format!(
                    "{} has {bytes} bytes, at most {} are allowed",
                    if self.turns.len() == 1 { "the question" } else { "the conversation" },
                    limits::QUESTION_BYTES_MAX
                ),
                "Shorten it.",
            ));
        }
        if !(limits::BUDGET_TOKENS_MIN..=limits::BUDGET_TOKENS_MAX).contains(&self.budget_tokens) {
            return Err(Error::bad_request(
                format!(
                    "budget of {} tokens is out of range, {} to {} are allowed",
                    self.budget_tokens,
                    limits::BUDGET_TOKENS_MIN,
                    limits::BUDGET_TOKENS_MAX
                ),
                "Ask for a budget within that range.",
            ));
        }
        check_attempts("attempts", self.attempts)?;
        if self.is_voted() && self.mode.voting == Voting::Off {
            return Err(Error::bad_request(
                format!(
                    "attempts: mode '{}' does not vote, but {} were requested",
                    self.mode.name, self.attempts
                ),
                "Ask for 1 attempt, or use a mode that votes, such as 'math'.",
            ));
        }
        check_stops(&self.stops)
    }
}

/// Returns whether a text has no visible characters.
fn is_blank(text: &str) -> bool {
    // Some editors write a byte order mark even into an empty file.
    text.chars().all(|c| c.is_whitespace() || c == '\u{feff}')
}

/// Checks a number of attempts given in the field `name`.
///
/// # Errors
/// `bad_request` naming the field, the value and the bound.
pub fn check_attempts(name: &str, attempts: u32) -> Result<(), Error> {
    let max = limits::ATTEMPTS_MAX;
    let what = match attempts {
        0 => format!("{name}: 0 is too few, at least 1 is needed"),
        more if more > max => format!("{name}: {more} is too many, at most {max} are allowed"),
        _ => return Ok(()),
    };
    Err(Error::bad_request(what, format!("Ask for 1 to {max}.")))
}

fn check_stops(stops: &[String]) -> Result<(), Error> {
    if stops.len() > limits::STOPS_MAX {
        return Err(Error::bad_request(
            format!("stop: {} strings are too many, at most {}", stops.len(), limits::STOPS_MAX),
            "Give fewer stop strings.",
        ));
    }
    if stops.iter().any(|s| s.is_empty() || s.len() > limits::STOP_BYTES_MAX) {
        return Err(Error::bad_request(
            format!("stop: a string must have 1 to {} bytes", limits::STOP_BYTES_MAX),
            "Shorten the stop string, or omit it.",
        ));
    }
    Ok(())
}

/// Returns the message for a question and, if the mode reads one, a student's attempt.
///
/// # Errors
/// `bad_request` if the mode needs an attempt and there is none, or the reverse.
pub fn message(mode: &Mode, question: &str, attempt: Option<&str>) -> Result<String, Error> {
    match (mode.reads, attempt.map(str::trim).filter(|a| !is_blank(a))) {
        (Reads::Question, None) => Ok(question.to_string()),
        (Reads::StudentAttempt, Some(_)) if is_blank(question) => {
            Err(Error::bad_request("the question is empty", "Type a question."))
        }
        (Reads::StudentAttempt, Some(attempt)) => {
            Ok(format!("{PROBLEM}{question}{STUDENT_ATTEMPT}{attempt}"))
        }
        (Reads::StudentAttempt, None) => Err(Error::bad_request(
            format!("mode '{}' needs the student's attempt", mode.name),
            "Add the student's work, with --student-attempt FILE or the field attempt_of_student.",
        )),
        (Reads::Question, Some(_)) => Err(Error::bad_request(
            format!("mode '{}' does not read a student's attempt", mode.name),
            "Use mode 'review', or omit the attempt.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::mode::Modes;

    fn ask(text: &str) -> Question {
        let turn = Turn { role: Role::User, text: text.into() };
        Question::new(Modes::built_in().find("math").unwrap(), vec![turn], 1)
    }

    #[test]
    fn an_empty_question_is_refused() {
        assert_eq!(ask(" \n").check().unwrap_err().kind, Kind::BadRequest);
        assert!(ask("1+1?").check().is_ok());
    }

    #[test]
    fn an_endless_question_is_too_long_with_both_numbers() {
        let error = ask(&"x".repeat(limits::QUESTION_BYTES_MAX + 1)).check().unwrap_err();
        assert_eq!(error.kind, Kind::TooLong);
        assert!(error.message.contains(&limits::QUESTION_BYTES_MAX.to_string()));
    }

    #[test]
    fn a_budget_out_of_range_is_refused() {
        for budget in [0, limits::BUDGET_TOKENS_MAX + 1] {
            let question = Question { budget_tokens: budget, ..ask("1+1?") };
            assert!(question.check().unwrap_err().message.contains(&budget.to_string()));
        }
    }

    #[test]
    fn attempts_out_of_range_are_refused_with_the_bound() {
        let of = |attempts: u32| Question { attempts, ..ask("1+1?") }.check();
        assert!(of(1).is_ok() && of(limits::ATTEMPTS_MAX).is_ok());
        assert_eq!(of(0).unwrap_err().message, "attempts: 0 is too few, at least 1 is needed");
        let many = "attempts: 99 is too many, at most 16 are allowed";
        assert_eq!(of(99).unwrap_err().message, many);
    }

    #[test]
    fn a_vote_in_a_mode_that_does_not_vote_is_refused_and_choices_are_not() {
        let turn = Turn { role: Role::User, text: "1+1?".into() };
        let hint = Question::new(Modes::built_in().find("hint").unwrap(), vec![turn], 1);
        assert!(hint.check().is_ok(), "a single attempt does not vote");
        let voted = Question { attempts: 4, ..hint.clone() };
        let error = voted.check().unwrap_err();
        assert!(error.message.contains("mode 'hint' does not vote"), "{error}");
        assert!(error.remedy.contains("1 attempt") && error.remedy.contains("'math'"));
        assert!(Question { attempts: 4, choices: Choices::All, ..hint }.check().is_ok());
    }

    #[test]
    fn a_message_is_taken_apart_into_question_and_attempt_however_they_read() {
        let mode = Modes::built_in().find("review").unwrap();
        let tricky = "2+2?\n\nStudent's attempt:\n5";
        let texts = ["2+2?", tricky, "Problem:\n", "数", " x \n"];
        for (question, attempt) in texts.iter().flat_map(|q| texts.map(|a| (*q, a.trim()))) {
            let text = message(&mode, question, Some(attempt)).unwrap();
            let turn = Turn { role: Role::User, text };
            let mut asked = Question::new(mode.clone(), vec![turn], 1);
            asked.student_attempt_bytes = attempt.len();
            assert_eq!((asked.asked(), asked.attempt_of_student()), (question, Some(attempt)));
            // As in a journal that does not have the length.
            asked.student_attempt_bytes = 0;
            match [question, attempt].contains(&tricky) {
                true => assert_eq!(asked.asked(), asked.last_message()),
                false => assert_eq!(asked.asked(), question),
            }
        }
    }

    #[test]
    fn a_length_that_does_not_fit_divides_nothing() {
        let review = Modes::built_in().find("review").unwrap();
        let text = message(&review, "数?", Some("数")).unwrap();
        for bytes in 0..100 {
            let turn = Turn { role: Role::User, text: text.clone() };
            let mut asked = Question::new(review.clone(), vec![turn], 1);
            asked.student_attempt_bytes = bytes;
            let expected = if [0, 3].contains(&bytes) { "数?" } else { text.as_str() };
            assert_eq!(asked.asked(), expected, "{bytes}");
        }
        let other = ask(&text);
        assert_eq!((other.asked(), other.attempt_of_student()), (text.as_str(), None), "math");
    }

    #[test]
    fn attempts_have_seeds_of_their_own_and_the_first_the_questions() {
        let question = Question { seed: 1_234_567, ..ask("1+1?") };
        assert_eq!(question.seed_of_attempt(0), question.seed);
        // SplitMix64's first numbers for that seed, by its authors' C source.
        assert_eq!(question.seed_of_attempt(1), 6_457_827_717_110_365_317);
        assert_eq!(question.seed_of_attempt(2), 3_203_168_211_198_807_973);
        let seeds = (0..100).flat_map(|seed| {
            let question = Question { seed, ..ask("1+1?") };
            (0..limits::ATTEMPTS_MAX).map(move |attempt| question.seed_of_attempt(attempt))
        });
        let seeds: std::collections::HashSet<u64> = seeds.collect();
        assert_eq!(seeds.len(), 100 * limits::ATTEMPTS_MAX as usize);
    }

    #[test]
    fn a_jobs_name_is_written_and_read_in_one_way() {
        let name = JobName(0xab << 64);
        assert_eq!(name.to_string(), "00000000000000ab0000000000000000");
        assert_eq!(name.to_string().parse(), Ok(name));
        for text in
            ["", "ab", "00000000000000AB0000000000000000", "+0000000000000ab0000000000000000"]
        {
            assert_eq!(text.parse::<JobName>(), Err(NoJobName), "{text}");
        }
    }

    #[test]
    fn a_client_is_its_mark_in_its_realm_and_shows_neither() {
        let client = Client::of("key", b"hunter2");
        assert_eq!(client, Client::of("key", b"hunter2"));
        assert_ne!(client, Client::of("cookie", b"hunter2"));
        assert_ne!(client, Client::of("key", b"hunter3"));
        assert_eq!(format!("{client:?}").chars().count(), "Client(123456…)".len() - 2);
    }

    #[test]
    fn a_review_needs_the_students_attempt_and_others_refuse_it() {
        let modes = Modes::built_in();
        let (math, review) = (modes.find("math").unwrap(), modes.find("review").unwrap());
        assert!(message(&review, "Q", None).is_err());
        assert!(message(&math, "Q", Some("A")).is_err());
        assert_eq!(message(&math, "Q", None).unwrap(), "Q");
        let both = message(&review, "Q", Some("A")).unwrap();
        assert!(both.contains("Problem:\nQ") && both.contains("attempt:\nA"));
    }
}
