//! Modes: named presets of system prompt, sampling, token budget and attempts.
//!
//! The built-in ones are in `modes.toml` in this folder; an owner's file extends or changes them.
//! Parses and checks modes, but does not read files: `config` does that.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{Error, Kind};
use super::limits;

/// The mode of questions that name none.
pub const DEFAULT_MODE: &str = "math";

const BUILT_IN: &str = include_str!("modes.toml");

/// How the next token is sampled from the model's logits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divides the logits; 0 always takes the most likely token (greedy).
    pub temperature: f32,
    /// Keeps the smallest set of tokens whose probabilities sum to this, at least one; 1 is off.
    pub top_p: f32,
    /// Keeps this many of the most likely tokens; 0 is off.
    pub top_k: u32,
    /// Drops tokens less likely than this fraction of the most likely one; 0 is off.
    pub min_p: f32,
    /// Makes tokens of the recent text less likely (CTRL, arXiv 1909.05858, §4.1); 1 is off.
    pub repetition_penalty: f32,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling { temperature: 0.6, top_p: 0.95, top_k: 0, min_p: 0.0, repetition_penalty: 1.0 }
    }
}

impl Sampling {
    /// Checks every value against its range; `what` names the source in the error.
    ///
    /// # Errors
    /// `bad_request` naming the field, the value and the bound.
    pub fn check(&self, what: &str) -> Result<(), Error> {
        let t_max = limits::TEMPERATURE_MAX;
        let inside = |name: &str, value: f32, low: f32, high: f32| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::bad_request(
                format!("{what}{name}: {value} is out of range, {low} to {high} is allowed"),
                format!("Give {name} a number from {low} to {high}."),
            ))
        };
        inside("temperature", self.temperature, 0.0, t_max)?;
        inside("top_p", self.top_p, 0.0, 1.0)?;
        inside("min_p", self.min_p, 0.0, 1.0)?;
        inside("repetition_penalty", self.repetition_penalty, 0.1, 10.0)
    }
}

/// Whether a mode reads a student's own work in addition to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reads {
    /// The mode reads only the question.
    Question,
    /// The mode reads the question and the student's attempt at it.
    StudentAttempt,
}

/// Whether several attempts at a question vote on its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voting {
    /// They vote by the values of their answers.
    ByValue,
    /// They do not: the mode's answers have no value by which they could be compared.
    Off,
}

/// A LoRA adapter as a mode or a request names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterRef {
    /// The adapter's file, or the name of a built-in adapter.
    #[serde(rename = "file")]
    pub adapter: String,
    /// Factor for the adapter's matrices; 1 is the strength it was trained for.
    #[serde(default = "as_trained")]
    pub scale: f32,
}

impl AdapterRef {
    /// Returns a reference to an adapter at the scale it was trained for.
    pub fn as_trained(adapter: impl Into<String>) -> AdapterRef {
        AdapterRef { adapter: adapter.into(), scale: as_trained() }
    }
}

fn as_trained() -> f32 {
    1.0
}

/// A named preset: system prompt, sampling, token budget, attempts, adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// Name to select the mode by.
    pub name: String,
    /// One-line description for users.
    pub about: String,
    /// System prompt of the mode's questions.
    pub system: String,
    /// Sampling settings, unless a request changes them.
    pub sampling: Sampling,
    /// Most tokens to generate, thinking included.
    pub budget_tokens: u32,
    /// Whether the mode reads a student's attempt too.
    pub reads: Reads,
    /// Number of attempts at a question; 1 if they do not vote.
    pub attempts: u32,
    /// Whether the attempts vote.
    pub voting: Voting,
    /// Adapters to apply to the model.
    pub adapters: Vec<AdapterRef>,
    /// The median length of an attempt, thinking included, if it is known in advance.
    #[serde(default)]
    pub usual_tokens: Option<u32>,
    /// How lists present the mode.
    #[serde(skip)]
    pub presentation: Presentation,
}

impl Mode {
    /// Returns the median length of an attempt that is assumed before any was seen, in tokens.
    /// Unless it is known, that is a quarter of the budget: VibeThinker's mean of 18,686 tokens on
    /// hard problems, with 40,960 allowed, then lies in the seventh of eight equal shares.
    pub fn usual_tokens(&self) -> u32 {
        self.usual_tokens.unwrap_or(self.budget_tokens / 4).max(1)
    }
}

/// How lists present a mode to people who choose one. It is not part of a question, so the journal
/// does not store it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    /// Whether the installed model can answer in the mode; the demo model cannot in most.
    pub is_supported: bool,
    /// Questions that the installed model answers well.
    pub examples: Vec<String>,
}

impl Default for Presentation {
    fn default() -> Presentation {
        Presentation { is_supported: true, examples: Vec::new() }
    }
}

/// All modes, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Modes {
    list: Vec<Arc<Mode>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModesFile {
    #[serde(default)]
    mode: Vec<ModeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModeEntry {
    name: String,
    about: Option<String>,
    system: Option<String>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    budget_tokens: Option<u32>,
    student_attempt: Option<bool>,
    attempts: Option<u32>,
    votes: Option<bool>,
    adapters: Option<Vec<AdapterRef>>,
    usual_tokens: Option<u32>,
    supported: Option<bool>,
    examples: Option<Vec<String>>,
}

impl Modes {
    /// Returns the modes the program contains.
    pub fn built_in() -> Modes {
        let mut modes = Modes { list: Vec::new() };
        // The file is part of the program and a test parses it, so this cannot fail for a user.
        modes.extend(BUILT_IN, "modes.toml").expect("the built-in modes are well formed");
        modes
    }

    /// Adds the modes of an owner's TOML `text`; `file` names the text in errors.
    ///
    /// An entry with a known name changes the keys it gives and keeps the rest; one with a new name
    /// needs `system`.
    ///
    /// # Errors
    /// `bad_request` naming the file, the mode and the key; `self` is then unchanged.
    pub fn extend(&mut self, text: &str, file: &str) -> Result<(), Error> {
        let parsed: ModesFile = toml::from_str(text).map_err(|e| {
            Error::bad_request(
                format!("cannot read modes '{file}': {}", e.to_string().trim_end()),
                "Correct the line shown; docs/modes.md shows the format.",
            )
        })?;
        let mut list = self.list.clone();
        for entry in parsed.mode {
            let known = list.iter().position(|m| m.name == entry.name);
            let mode = Arc::new(entry.onto(known.map(|at| list[at].as_ref()), file)?);
            match known {
                Some(at) => list[at] = mode,
                None => list.push(mode),
            }
        }
        self.list = list;
        Ok(())
    }

    /// Finds a mode by its name.
    ///
    /// # Errors
    /// `not_found`, listing all modes.
    pub fn find(&self, name: &str) -> Result<Arc<Mode>, Error> {
        self.list.iter().find(|m| m.name == name).cloned().ok_or_else(|| {
            let names: Vec<&str> = self.list.iter().map(|m| m.name.as_str()).collect();
            Error::new(
                Kind::NotFound,
                format!("no mode is called '{}'", name.escape_debug()),
                format!("Choose one of: {}.", names.join(", ")),
            )
        })
    }

    /// Iterates over the modes in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Mode>> {
        self.list.iter()
    }
}

impl ModeEntry {
    fn onto(self, base: Option<&Mode>, file: &str) -> Result<Mode, Error> {
        let place = format!("modes '{file}': mode '{}': ", self.name.escape_debug());
        let bad =
            |what: &str, remedy: &str| Err(Error::bad_request(format!("{place}{what}"), remedy));
        let name_ok = !self.name.is_empty()
            && self.name.len() <= 32
            && self.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !name_ok {
            return bad("bad name", "Use up to 32 characters of a-z, 0-9 and '-' for a name.");
        }
        let sampling = self.sampling(base);
        sampling.check(&place)?;
        let presentation = self.presentation(base);
        if let Err(error) = check_examples(&presentation.examples) {
            return bad(&format!("examples: {error}"), "Correct the list of examples.");
        }
        let (reads, voting) = (self.reads(base), self.voting(base));
        let budget = self.budget_tokens.or(base.map(|m| m.budget_tokens)).unwrap_or(8_192);
        if !(limits::BUDGET_TOKENS_MIN..=limits::BUDGET_TOKENS_MAX).contains(&budget) {
            let remedy = format!("Give budget_tokens 1 to {}.", limits::BUDGET_TOKENS_MAX);
            return bad(&format!("budget_tokens: {budget} is out of range"), &remedy);
        }
        let usual_tokens = self.usual_tokens.or(base.and_then(|m| m.usual_tokens));
        if let Some(tokens) = usual_tokens.filter(|tokens| !(1..=budget).contains(tokens)) {
            let remedy = format!("Give usual_tokens 1 to budget_tokens, {budget}.");
            return bad(&format!("usual_tokens: {tokens} is out of range"), &remedy);
        }
        let Some(system) = self.system.or_else(|| base.map(|m| m.system.clone())) else {
            return bad("it has no system prompt", "Give a new mode a `system = \"…\"` line.");
        };
        if system.len() > limits::SYSTEM_PROMPT_BYTES_MAX {
            let max = limits::SYSTEM_PROMPT_BYTES_MAX;
            let what = format!("system: {} bytes are too many, at most {max}", system.len());
            return bad(&what, "Shorten the system prompt.");
        }
        let attempts = self.attempts.or(base.map(|m| m.attempts)).unwrap_or(1);
        if !(1..=limits::ATTEMPTS_MAX).contains(&attempts) {
            let remedy = format!("Give attempts 1 to {}.", limits::ATTEMPTS_MAX);
            return bad(&format!("attempts: {attempts} is out of range"), &remedy);
        }
        if attempts > 1 && voting == Voting::Off {
            let what = format!("attempts: {attempts} need votes = true");
            return bad(&what, "Set `attempts = 1` or `votes = true`.");
        }
        let about = self.about.or_else(|| base.map(|m| m.about.clone())).unwrap_or_default();
        let system = system.trim().to_string();
        let adapters =
            self.adapters.or_else(|| base.map(|m| m.adapters.clone())).unwrap_or_default();
        if let Err(error) = check_adapters(&adapters) {
            return bad(&format!("adapters: {error}"), "Correct that entry of adapters.");
        }
        Ok(Mode {
            name: self.name,
            about,
            system,
            sampling,
            budget_tokens: budget,
            reads,
            attempts,
            voting,
            adapters,
            usual_tokens,
            presentation,
        })
    }

    fn sampling(&self, base: Option<&Mode>) -> Sampling {
        let from = base.map(|m| m.sampling).unwrap_or_default();
        Sampling {
            temperature: self.temperature.unwrap_or(from.temperature),
            top_p: self.top_p.unwrap_or(from.top_p),
            top_k: self.top_k.unwrap_or(from.top_k),
            min_p: self.min_p.unwrap_or(from.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(from.repetition_penalty),
        }
    }

    fn reads(&self, base: Option<&Mode>) -> Reads {
        match self.student_attempt {
            Some(true) => Reads::StudentAttempt,
            Some(false) => Reads::Question,
            None => base.map_or(Reads::Question, |m| m.reads),
        }
    }

    fn voting(&self, base: Option<&Mode>) -> Voting {
        match self.votes {
            Some(true) => Voting::ByValue,
            Some(false) => Voting::Off,
            None => base.map_or(Voting::ByValue, |m| m.voting),
        }
    }

    fn presentation(&self, base: Option<&Mode>) -> Presentation {
        let known = base.map(|m| m.presentation.clone()).unwrap_or_default();
        Presentation {
            is_supported: self.supported.unwrap_or(known.is_supported),
            examples: self.examples.clone().unwrap_or(known.examples),
        }
    }
}

/// Checks the number and the lengths of a mode's examples; the error is the cause for a message.
fn check_examples(examples: &[String]) -> Result<(), String> {
    let (most, longest) = (limits::MODE_EXAMPLES_MAX, limits::MODE_EXAMPLE_BYTES_MAX);
    if examples.len() > most {
        return Err(format!("{} are too many, at most {most} are allowed", examples.len()));
    }
    match examples.iter().find(|text| text.trim().is_empty() || text.len() > longest) {
        Some(text) => Err(format!("one has {} bytes, 1 to {longest} are allowed", text.len())),
        None => Ok(()),
    }
}

/// Checks the number and the scales of a mode's adapters; the error is the cause for a message.
fn check_adapters(adapters: &[AdapterRef]) -> Result<(), String> {
    if adapters.len() > limits::ADAPTERS_PER_QUESTION_MAX {
        let most = limits::ADAPTERS_PER_QUESTION_MAX;
        return Err(format!("{} are too many, at most {most} are allowed", adapters.len()));
    }
    let reach = limits::ADAPTER_SCALE_MAX;
    match adapters.iter().find(|one| !(-reach..=reach).contains(&one.scale)) {
        Some(one) => {
            Err(format!("scale {} is out of range, -{reach} to {reach} is allowed", one.scale))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_modes_are_the_six_documented() {
        let names: Vec<String> = Modes::built_in().iter().map(|m| m.name.clone()).collect();
        assert_eq!(names, ["math", "code", "hint", "review", "proof", "plain"]);
    }

    #[test]
    fn the_default_mode_samples_as_vibethinker_recommends() {
        let math = Modes::built_in().find(DEFAULT_MODE).unwrap();
        assert_eq!((math.sampling.temperature, math.sampling.top_p), (1.0, 0.95));
        assert_eq!((math.sampling.top_k, math.sampling.min_p), (0, 0.0));
        assert!(math.system.contains("\\boxed{}"));
    }

    #[test]
    fn each_built_in_mode_makes_one_attempt_and_those_vote_whose_answers_have_a_value() {
        let modes = Modes::built_in();
        assert!(modes.iter().all(|mode| mode.attempts == 1));
        let voting = modes.iter().filter(|mode| mode.voting == Voting::ByValue);
        assert_eq!(voting.map(|mode| mode.name.as_str()).collect::<Vec<_>>(), ["math", "plain"]);
    }

    #[test]
    fn an_owners_mode_votes_unless_it_says_otherwise() {
        let mut modes = Modes::built_in();
        let text = "[[mode]]\nname='math'\nattempts=5\n[[mode]]\nname='chess'\nsystem='Play.'\n\
                    [[mode]]\nname='code'\nvotes=true\nattempts=2";
        modes.extend(text, "own.toml").unwrap();
        let of = |name: &str| {
            let mode = modes.find(name).unwrap();
            (mode.attempts, mode.voting)
        };
        assert_eq!(of("math"), (5, Voting::ByValue));
        assert_eq!(of("chess"), (1, Voting::ByValue));
        assert_eq!(of("code"), (2, Voting::ByValue));
    }

    #[test]
    fn an_owner_says_what_is_supported_and_gives_examples() {
        let mut modes = Modes::built_in();
        assert!(modes.iter().all(|mode| mode.presentation.is_supported));
        let text =
            "[[mode]]\nname='math'\nsupported=false\n[[mode]]\nname='code'\nexamples=['Sort.']";
        modes.extend(text, "own.toml").unwrap();
        let of = |name: &str| modes.find(name).unwrap().presentation.clone();
        assert!(!of("math").is_supported && !of("math").examples.is_empty());
        assert!(of("code").is_supported);
        assert_eq!(of("code").examples, ["Sort."]);
        let many = ["'x'"; limits::MODE_EXAMPLES_MAX + 1].join(",");
        let text = format!("[[mode]]\nname='math'\nexamples=[{many}]");
        assert!(modes.extend(&text, "own.toml").unwrap_err().message.contains("too many"));
    }

    #[test]
    fn an_owners_file_changes_a_known_mode_and_adds_a_new_one() {
        let mut modes = Modes::built_in();
        let text = "[[mode]]\nname='math'\ntemperature=0.3\n[[mode]]\nname='chess'\nsystem='Play.'";
        modes.extend(text, "own.toml").unwrap();
        let math = modes.find("math").unwrap();
        assert_eq!(math.sampling.temperature, 0.3);
        assert!(math.system.contains("coach"));
        assert_eq!(modes.find("chess").unwrap().system, "Play.");
    }

    #[test]
    fn a_bad_modes_file_names_file_mode_and_key_and_changes_nothing() {
        let cases = [
            ("[[mode]]\nname='x'", "no system prompt"),
            ("[[mode]]\nname='math'\ntemperature=9", "temperature"),
            ("[[mode]]\nname='math'\nbudget_tokens=0", "budget_tokens"),
            ("[[mode]]\nname='Math'\nsystem='x'", "bad name"),
            ("[[mode]]\nname='math'\nattempts=0", "attempts: 0"),
            ("[[mode]]\nname='math'\nattempts=17", "attempts: 17"),
            ("[[mode]]\nname='hint'\nattempts=2", "'hint': attempts: 2 need votes = true"),
            ("[[mode]]\nname='math'\nvotes=false\nattempts=2", "votes = true"),
            ("[[mode]]\nname='math'\nexamples=[' ']", "examples: one has 1 bytes"),
            ("[[mode]]\nname='math'\nusual_tokens=32769", "usual_tokens: 32769"),
            ("[[mode]]\nname='math'\ntempreature=1", "tempreature"),
            ("[[mode]", "own.toml"),
        ];
        for (text, expected) in cases {
            let mut modes = Modes::built_in();
            let error = modes.extend(text, "own.toml").unwrap_err();
            assert!(error.message.contains(expected), "{text}: {error}");
            assert!(error.message.contains("own.toml"), "{text}: {error}");
            assert_eq!(modes.iter().count(), 6);
        }
    }

    #[test]
    fn not_a_number_is_out_of_every_range() {
        let sampling = Sampling { temperature: f32::NAN, ..Sampling::default() };
        assert!(sampling.check("").is_err());
    }
}
