//! `solverbox verify [FILE…]`: checks model files for damage.
//!
//! Performs the checks that precede every load, then reads each file to its end and compares its
//! SHA-256 with the recorded one. Examines all files before it ends. Of the engine it uses only the
//! template renderer, to parse chat templates; llama.cpp is not started.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::OutputFormat;
use crate::engine;
use crate::model::{self, Content, Header, adapter, bundled, checksum, locate};
use crate::types::error::{Error, Kind, io_cause, printable};
use crate::types::plan::{Origin, Weights};

/// Interval between two progress updates.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// The options of `verify`.
#[derive(Debug)]
pub struct VerifyOptions {
    /// Files to check; empty for all models in the folder and the built-in files.
    pub files: Vec<PathBuf>,
    /// Folder to search for models.
    pub folder: PathBuf,
    /// Base model with which adapters are compared.
    pub base: Option<PathBuf>,
    /// Form of the results.
    pub output: OutputFormat,
}

/// The result for one file.
struct Finding {
    name: String,
    /// The kind of file, or the fault in its structure.
    structure: Result<Sound, Error>,
    sum: ChecksumResult,
}

/// A file whose structure is valid.
struct Sound {
    what: &'static str,
    /// Bytes after the end of the data: harmless, but unexpected.
    surplus_bytes: u64,
}

/// The result of comparing a file's SHA-256.
enum ChecksumResult {
    /// Not computed, because there is no file to read.
    None,
    /// Computed, but no sum is recorded.
    NotRecorded(checksum::Sha256Hex),
    /// Equal to the one recorded in the named place.
    Same(checksum::Sha256Hex, String),
    /// Different from the one recorded in the named place.
    Differs(checksum::Sha256Hex, String),
    /// The file or the recorded sum cannot be read.
    Failed(String),
}

/// Checks all files and prints the results.
///
/// # Errors
/// `bad_model` if a file is damaged, naming the first; `no_model` if a file does not exist; errors
/// of the base model and the folder.
pub fn run(options: &VerifyOptions) -> Result<(), Error> {
    let base = match &options.base {
        Some(base) => Some(model::open(&locate::find(Some(base), &options.folder)?)?),
        None => None,
    };
    let mut files = options.files.clone();
    if files.is_empty() {
        files = locate::all(&options.folder)?;
        files.extend([bundled::MODEL, bundled::ADAPTER].map(PathBuf::from));
    }
    let mut findings = Vec::new();
    for file in files {
        let finding = examine(&file, base.as_ref())?;
        if options.output == OutputFormat::Text {
            super::print(&format!("{}\n", finding.line()))?;
        }
        findings.push(finding);
    }
    if options.output == OutputFormat::Json {
        let files: Vec<_> = findings.iter().map(Finding::json).collect();
        super::print(&format!("{}\n", json!({ "files": files })))?;
    }
    judge(&findings)
}

/// Finds the file with a name, which may be a built-in one.
fn located(name: &Path) -> Result<Weights, Error> {
    if name.as_os_str() == bundled::ADAPTER {
        return bundled::adapter();
    }
    locate::find(Some(name), Path::new(""))
}

fn examine(name: &Path, base: Option<&Header>) -> Result<Finding, Error> {
    let file = located(name)?;
    let structure = structure(&file, base);
    let unread = structure.as_ref().is_err_and(|error| error.kind == Kind::NoModel);
    let sum = if unread || !file.path.is_file() { ChecksumResult::None } else { sum(&file) };
    Ok(Finding { name: printable(&file.name()), structure, sum })
}

/// Checks the structure and returns the kind of file.
fn structure(file: &Weights, base: Option<&Header>) -> Result<Sound, Error> {
    let mut surplus_bytes = 0;
    let what = match model::content(file)? {
        Content::Model => {
            let header = model::open(file)?;
            let template = header.tokenizer.chat_template.as_deref();
            template.map_or(Ok(()), engine::check_template)?;
            surplus_bytes = header.surplus_bytes;
            if header.is_known_exactly() {
                "model"
            } else {
                "model of an architecture that is checked only in part"
            }
        }
        Content::Adapter => {
            let file = match file.origin {
                Origin::BuiltIn(_) => file.clone(),
                Origin::Disk => Weights::adapter(file.path.clone()),
            };
            match (base, file.origin) {
                (Some(base), _) => adapter::open(file, base)?,
                (None, Origin::BuiltIn(_)) => {
                    adapter::open(file, &model::open(&bundled::model()?)?)?
                }
                (None, Origin::Disk) => adapter::look(file)?,
            };
            "adapter"
        }
        Content::Other(_) => "GGUF",
    };
    Ok(Sound { what, surplus_bytes })
}

/// Reads the whole file and compares its SHA-256 with the recorded one.
fn sum(file: &Weights) -> ChecksumResult {
    let (total, mut shown, mut is_shown) =
        (file.path.metadata().map_or(0, |m| m.len()), Instant::now(), false);
    let computed = checksum::of(&file.path, |done| {
        if shown.elapsed() >= SHOWN_EVERY {
            let name = printable(&file.name());
            is_shown |=
                super::show_progress(&format!("{name}: {} of {} MiB", done >> 20, total >> 20));
            shown = Instant::now();
        }
    });
    if is_shown {
        super::show_progress("");
    }
    match (computed, checksum::recorded(file)) {
        (Err(error), _) => ChecksumResult::Failed(io_cause(&error)),
        (_, Err(cause)) => ChecksumResult::Failed(cause),
        (Ok(sum), Ok(None)) => ChecksumResult::NotRecorded(sum),
        (Ok(sum), Ok(Some(recorded))) if sum == recorded.sum => {
            ChecksumResult::Same(sum, recorded.place)
        }
        (Ok(sum), Ok(Some(recorded))) => ChecksumResult::Differs(sum, recorded.place),
    }
}

impl Finding {
    fn is_whole(&self) -> bool {
        self.structure.is_ok()
            && !matches!(self.sum, ChecksumResult::Differs(..) | ChecksumResult::Failed(_))
    }

    /// Removes the file's name from the front of a message, because the line already begins with
    /// it.
    fn without_name(&self, message: &str) -> String {
        let message = printable(message);
        let prefixes =
            ["model", "adapter"].map(|role| format!("cannot use {role} '{}': ", self.name));
        let cause = prefixes.iter().find_map(|prefix| message.strip_prefix(prefix.as_str()));
        cause.map(str::to_string).unwrap_or(message)
    }

    /// Formats the result as `NAME: structure, sum`.
    fn line(&self) -> String {
        let structure = match &self.structure {
            Ok(Sound { what, surplus_bytes: 0 }) => format!("{what}, structure ok"),
            Ok(Sound { what, surplus_bytes }) => {
                format!("{what}, structure ok except {surplus_bytes} bytes after its end")
            }
            Err(error) => self.without_name(&error.message),
        };
        let sum = match &self.sum {
            ChecksumResult::None => return format!("{}: {structure}", self.name),
            ChecksumResult::NotRecorded(sum) => format!("no SHA-256 recorded (it is {sum})"),
            ChecksumResult::Same(..) => "SHA-256 ok".to_string(),
            ChecksumResult::Differs(_, place) => {
                format!("SHA-256 differs from the one in '{place}'")
            }
            ChecksumResult::Failed(cause) => format!("SHA-256 unknown: {cause}"),
        };
        format!("{}: {structure}, {}", self.name, printable(&sum))
    }

    fn json(&self) -> serde_json::Value {
        let (sum, place) = match &self.sum {
            ChecksumResult::None | ChecksumResult::Failed(_) => (None, None),
            ChecksumResult::NotRecorded(sum) => (Some(sum), None),
            ChecksumResult::Same(sum, place) | ChecksumResult::Differs(sum, place) => {
                (Some(sum), Some(place))
            }
        };
        let recorded = match &self.sum {
            ChecksumResult::None => "unknown",
            ChecksumResult::NotRecorded(_) => "none",
            ChecksumResult::Same(..) => "same",
            ChecksumResult::Differs(..) => "differs",
            ChecksumResult::Failed(_) => "failed",
        };
        json!({
            "file": self.name,
            "whole": self.is_whole(),
            "content": self.structure.as_ref().ok().map(|sound| sound.what),
            "surplus_bytes": self.structure.as_ref().map_or(0, |sound| sound.surplus_bytes),
            "fault": self.structure.as_ref().err().map(|error| &error.message),
            "sha256": sum,
            "recorded": recorded,
            "recorded_in": place,
        })
    }
}

/// Returns the error with the number of damaged files.
fn judge(findings: &[Finding]) -> Result<(), Error> {
    let bad: Vec<&Finding> = findings.iter().filter(|finding| !finding.is_whole()).collect();
    let Some(first) = bad.first() else { return Ok(()) };
    let missing = |finding: &&&Finding| {
        finding.structure.as_ref().is_err_and(|error| error.kind == Kind::NoModel)
    };
    let name = &first.name;
    if bad.iter().filter(missing).count() == bad.len() {
        return Err(Error::new(
            Kind::NoModel,
            format!("{} of {} files cannot be read, first '{name}'", bad.len(), findings.len()),
            "Name files that exist; without names, `solverbox verify` checks all of --models.",
        ));
    }
    Err(Error::new(
        Kind::BadModel,
        format!("{} of {} files are damaged, first '{name}'", bad.len(), findings.len()),
        "Copy or download them again; models/README.md says how.",
    ))
}
