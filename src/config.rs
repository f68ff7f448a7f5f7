//! Merges the command line, the environment and the settings file into one `Cli`.
//!
//! The settings file's values become the defaults of the flags of the same name before clap parses,
//! so a flag overrides the environment, which overrides the file, and every value passes the same
//! checks. Nothing outside this file and `cli` reads the environment.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches};

use crate::cli::{AdmissionFlags, Cli, ModesFlags};
use crate::commands::notify::Supervisor;
use crate::http::Admission;
use crate::http::auth::keys::ApiKeys;
use crate::types::error::{Error, Kind};
use crate::types::limits;
use crate::types::mode::Modes;

/// Parses `args` (the program's name first) and the environment.
///
/// `--help` and `--version` print and end the program with exit code 0.
///
/// # Errors
/// `bad_request` naming the flag or key, the value and the bound; `not_found` if the settings file
/// cannot be read.
pub fn parse(args: Vec<OsString>) -> Result<Cli, Error> {
    let mut command = without_empty_twins(Cli::command());
    let mut settings = None;
    if let Some(file) = settings_file(&args) {
        let read = SettingsFile { text: read_settings(&file, "--config")?, file };
        command = with_settings(command, &read)?;
        settings = Some(read);
    }
    let blame = |error| usage_error(error, &args, settings.as_ref());
    let matches = command.try_get_matches_from(&args).map_err(blame)?;
    Cli::from_arg_matches(&matches).map_err(blame)
}

/// A settings file with its content.
struct SettingsFile {
    file: PathBuf,
    text: String,
}

/// Ignores environment variables that are set but empty, as unit files and shells leave them.
fn without_empty_twins(mut command: Command) -> Command {
    let empty: Vec<_> = command
        .get_arguments()
        .filter(|arg| arg.get_env().and_then(std::env::var_os).is_some_and(|v| v.is_empty()))
        .map(|arg| arg.get_id().clone())
        .collect();
    for id in empty {
        command = command.mut_arg(id, |arg| arg.env(None::<&str>));
    }
    command.mut_subcommands(without_empty_twins)
}

/// Finds the settings file before clap parses, because it changes the defaults.
fn settings_file(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(file) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(PathBuf::from(file));
        }
    }
    std::env::var_os("SOLVERBOX_CONFIG").filter(|file| !file.is_empty()).map(PathBuf::from)
}

fn read_settings(file: &Path, flag: &str) -> Result<String, Error> {
    let cannot = |cause: String| {
        Error::new(
            Kind::NotFound,
            format!("cannot read {flag} '{}': {cause}", file.display()),
            "Name a readable text file.",
        )
    };
    let bytes = std::fs::metadata(file).map_err(|e| cannot(e.to_string()))?.len();
    if bytes > limits::SETTINGS_BYTES_MAX {
        let max = limits::SETTINGS_BYTES_MAX;
        return Err(cannot(format!("{bytes} bytes are too many, at most {max} are allowed")));
    }
    std::fs::read_to_string(file).map_err(|e| cannot(e.to_string()))
}

/// Makes the file's values the defaults of the flags with these names.
fn with_settings(mut command: Command, settings: &SettingsFile) -> Result<Command, Error> {
    let bad = |cause: String| {
        let what = format!("settings '{}': {cause}", settings.file.display());
        Error::bad_request(what, "Correct that line; `solverbox COMMAND --help` lists the flags.")
    };
    let table: toml::Table =
        settings.text.parse().map_err(|e: toml::de::Error| bad(e.to_string()))?;
    let known = flags(&command);
    for (key, value) in table {
        if !known.contains(&key) || key == "config" {
            return Err(bad(format!("unknown setting '{key}'")));
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => return Err(bad(format!("'{key}' must be a string, a number or a boolean"))),
        };
        command = with_default(command, &key, &value);
    }
    Ok(command)
}

/// Returns the long names of every command's flags.
fn flags(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_string));
    own.chain(command.get_subcommands().flat_map(flags)).collect()
}

fn with_default(mut command: Command, flag: &str, value: &str) -> Command {
    let id = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(flag))
        .map(|arg| arg.get_id().clone());
    if let Some(id) = id {
        command = command.mut_arg(id, |arg| arg.default_value(value.to_string()));
    }
    command.mut_subcommands(|sub| with_default(sub, flag, value))
}

/// Converts clap's message into our form; help and version are printed as they are.
fn usage_error(error: clap::Error, args: &[OsString], settings: Option<&SettingsFile>) -> Error {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let shown = [DisplayHelp, DisplayVersion, DisplayHelpOnMissingArgumentOrSubcommand];
    if shown.contains(&error.kind()) {
        error.exit();
    }
    let text = error.render().to_string();
    // clap's first paragraph is the cause; tips, usage and hints follow.
    let what = text.split("\n\n").next().unwrap_or(&text);
    let what: Vec<&str> = what.trim_start_matches("error: ").lines().map(str::trim).collect();
    let tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let remedy = tips.map(|tip| format!("Tip: {tip}. ")).collect::<String>()
        + "`solverbox --help` lists the commands and flags.";
    let place = origin(&error, args, settings).unwrap_or_default();
    Error::bad_request(format!("{place}{}", what.join(" ")), remedy)
}

/// Returns the origin of a bad value that was not typed: the environment or the settings file.
fn origin(
    error: &clap::Error,
    args: &[OsString],
    settings: Option<&SettingsFile>,
) -> Option<String> {
    let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = arg.split([' ', '=']).next()?;
    let name = flag.strip_prefix("--")?;
    let typed = |arg: &OsString| {
        let arg = arg.to_string_lossy();
        arg == flag || arg.starts_with(&format!("{flag}="))
    };
    if args.iter().any(typed) {
        return None;
    }
    let twin = format!("SOLVERBOX_{}", name.replace('-', "_").to_uppercase());
    if std::env::var_os(&twin).is_some_and(|value| !value.is_empty()) {
        return Some(format!("{twin}: "));
    }
    settings.map(|settings| format!("settings '{}': ", settings.file.display()))
}

/// Extends `modes` by the owner's file, if the flag names one.
///
/// # Errors
/// `not_found` if the file cannot be read, `bad_request` if its content is not valid.
pub fn add_owners_modes(modes: &mut Modes, flags: &ModesFlags) -> Result<(), Error> {
    match &flags.modes {
        Some(file) => modes.extend(&read_settings(file, "--modes")?, &file.display().to_string()),
        None => Ok(()),
    }
}

/// Returns which requests a server admits.
///
/// # Errors
/// Errors of [`ApiKeys::read`]; `bad_request` for too many host names or origins.
pub fn admission(flags: &AdmissionFlags) -> Result<Admission, Error> {
    for (flag, what, given, max) in [
        ("--host-name", "names", flags.host_name.len(), limits::HOST_NAMES_MAX),
        ("--allow-origin", "origins", flags.allow_origin.len(), limits::ALLOWED_ORIGINS_MAX),
    ] {
        if given > max {
            return Err(Error::bad_request(
                format!("{flag}: {given} {what} are too many, at most {max} are allowed"),
                "Remove some of them.",
            ));
        }
    }
    let keys = flags.api_keys.as_deref().map(ApiKeys::read).transpose()?;
    let (host_names, origins) = (flags.host_name.clone(), flags.allow_origin.clone());
    Ok(Admission { keys, host_names, origins })
}

/// Returns the data folder: the flag's, systemd's, or the user's.
///
/// # Errors
/// `bad_request` if none is named and $HOME is not set.
pub fn data_folder(flag: Option<&Path>) -> Result<PathBuf, Error> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    flag.map(Path::to_path_buf)
        .or_else(|| from("STATE_DIRECTORY").map(first_of))
        .or_else(|| from("XDG_DATA_HOME").map(|dir| dir.join("solverbox")))
        .or_else(|| from("HOME").map(|dir| dir.join(".local/share/solverbox")))
        .ok_or_else(|| {
            Error::bad_request("--data: no folder is named and $HOME is not set", "Use --data DIR.")
        })
}

/// Returns the first of several state directories, which systemd separates by colons.
fn first_of(folders: PathBuf) -> PathBuf {
    let text = folders.to_string_lossy();
    text.split(':').next().map(PathBuf::from).unwrap_or_default()
}

/// Returns the service manager to report to (sd_notify(3), sd_watchdog_enabled(3)); one without a
/// socket if the environment names none.
pub fn supervisor() -> Supervisor {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let number = |name: &str| var(name)?.to_str()?.parse::<u64>().ok();
    // Otherwise the watchdog is meant for the parent process, whose environment was inherited.
    let is_ours = var("WATCHDOG_PID").is_none()
        || number("WATCHDOG_PID") == Some(u64::from(std::process::id()));
    let watchdog = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_ours);
    Supervisor { socket: var("NOTIFY_SOCKET"), watchdog: watchdog.map(Duration::from_micros) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CommandFlags as Typed;

    fn settings(text: &str) -> SettingsFile {
        SettingsFile { file: "s.toml".into(), text: text.into() }
    }

    fn parse_with(text: &str, args: &[&str]) -> Result<Cli, Error> {
        let settings = settings(text);
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let command = with_settings(Cli::command(), &settings)?;
        let blame = |error| usage_error(error, &args, Some(&settings));
        let matches = command.try_get_matches_from(&args).map_err(blame)?;
        Cli::from_arg_matches(&matches).map_err(blame)
    }

    fn solve(settings: &str, args: &[&str]) -> Result<crate::cli::SolveFlags, Error> {
        let args = [&["solverbox", "solve"], args].concat();
        match parse_with(settings, &args)?.command {
            Typed::Solve(solve) => Ok(solve),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_flag_has_an_environment_twin_and_a_settings_key() {
        let mut command = Cli::command();
        command.build();
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            for arg in sub.get_arguments() {
                let Some(long) = arg.get_long().filter(|long| *long != "help") else { continue };
                let twin = format!("SOLVERBOX_{}", long.replace('-', "_").to_uppercase());
                assert_eq!(arg.get_env().and_then(|e| e.to_str()), Some(twin.as_str()));
                let quoted = format!("{long} = \"x\"");
                let known = with_settings(Cli::command(), &settings(&quoted));
                assert_eq!(known.is_ok(), long != "config", "{long}");
            }
        }
    }

    #[test]
    fn a_flag_overrides_the_settings_file_and_that_the_default() {
        let settings = "mode = \"code\"\nthreads = 3\ntemperature = 0.5\njson = true";
        let solve = solve(settings, &["--threads", "2", "q"]).unwrap();
        assert_eq!((solve.way.mode.as_str(), solve.model.threads), ("code", Some(2)));
        assert_eq!((solve.way.temperature, solve.json), (Some(0.5), true));
        assert_eq!(solve.model.question_tokens_max, None);
    }

    #[test]
    fn one_settings_key_gives_the_attempts_of_every_command_that_has_them() {
        assert_eq!(solve("attempts = 16", &["q"]).unwrap().attempts, Some(16));
        let eval = ["solverbox", "eval", "--set", "s.jsonl"];
        match parse_with("attempts = 16", &eval).unwrap().command {
            Typed::Eval(eval) => assert_eq!(eval.attempts, Some(16)),
            other => panic!("{other:?}"),
        }
        let error = solve("attempts = 64", &["q"]).unwrap_err().message;
        assert!(error.starts_with("settings 's.toml': ") && error.contains("1..=16"), "{error}");
        assert_eq!(solve("attempts = 64", &["--attempts", "4", "q"]).unwrap().attempts, Some(4));
    }

    #[test]
    fn host_names_are_given_with_commas_or_one_by_one() {
        let names = |settings: &str, args: &[&str]| -> Result<Vec<String>, Error> {
            match parse_with(settings, &[&["solverbox", "serve"], args].concat())?.command {
                Typed::Serve(serve) => Ok(serve.admission.host_name),
                other => panic!("{other:?}"),
            }
        };
        let listed = "host-name = \"a.example,B.example.\"";
        assert_eq!(names(listed, &[]).unwrap(), ["a.example", "b.example"]);
        let typed = names("", &["--host-name", "a", "--host-name", "b,c"]).unwrap();
        assert_eq!(typed, ["a", "b", "c"]);
        for bad in ["box:80", "http://box", "", "a b"] {
            let error = names("", &["--host-name", bad]).unwrap_err();
            assert!(error.message.contains("--host-name"), "{error}");
        }
        let of = |count: usize| vec!["a".to_string(); count];
        let many = |names, origins| {
            let (host_name, allow_origin) = (of(names), of(origins));
            let flags = AdmissionFlags { api_keys: None, host_name, allow_origin };
            admission(&flags).unwrap_err().message
        };
        assert!(many(33, 0).contains("--host-name: 33"), "{}", many(33, 0));
        assert!(many(0, 33).contains("--allow-origin: 33"), "{}", many(0, 33));
    }

    #[test]
    fn bad_values_name_the_flag_the_value_and_the_bound() {
        let cases: [(&[&str], &str); 5] = [
            (&["--threads", "0", "q"], "--threads"),
            (&["--threads", "999", "q"], "64"),
            (&["--temperature", "nan", "q"], "0 to 5"),
            (&["--kv", "q4_0", "q"], "q8_0"),
            (&["--budget-tokens", "-1", "q"], "-1"),
        ];
        for (args, expected) in cases {
            let error = solve("", args).unwrap_err();
            assert_eq!(error.kind, Kind::BadRequest);
            assert!(error.message.contains(expected), "{args:?}: {error}");
        }
    }

    #[test]
    fn bad_settings_name_the_file_and_the_key() {
        for settings in ["thread = 1", "threads = [1]", "threads", "threads = 0"] {
            let error = solve(settings, &["q"]).unwrap_err();
            assert_eq!(error.kind, Kind::BadRequest);
            assert!(error.message.contains("thread"), "{settings}: {error}");
            assert!(error.message.starts_with("settings 's.toml': "), "{settings}: {error}");
        }
        let typed = solve("threads = 2", &["--threads", "0", "q"]).unwrap_err();
        assert!(!typed.message.contains("s.toml"), "{typed}");
    }

    #[test]
    fn a_mistyped_flag_gets_a_tip() {
        let error = solve("", &["--modle", "x", "q"]).unwrap_err();
        assert!(error.remedy.contains("--mode"), "{error:?}");
    }
}
