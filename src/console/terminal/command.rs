//! The commands of a terminal session: `/mode code`, `/stop`, … and `/help`, which lists them.
//!
//! Parsing only; `actions` executes them.

use crate::types::limits;

/// A parsed command line, such as `/mode math`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalCommand {
    /// List the modes, or switch to another one.
    Mode(Option<String>),
    /// Show or set the number of attempts; 0 for the mode's default.
    Attempts(Option<u32>),
    /// Show or set the token budget; 0 for the mode's default.
    Budget(Option<u32>),
    /// End the thinking and answer.
    AnswerNow,
    /// Stop the running answer.
    Stop,
    /// Show how many jobs run and wait.
    Queue,
    /// Show the last question's answer, or its state.
    Last,
    /// Ask about the last answer.
    GoOn(String),
    /// Show or hide the thinking.
    Think(Option<Switch>),
    /// Show formulas as LaTeX source or rendered.
    Latex(Option<Switch>),
    /// Turn escape sequences off or on.
    Plain(Option<Switch>),
    /// Show or set the width of the terminal.
    Width(Option<usize>),
    /// Switch to JSON lines.
    Json,
    /// List all commands with a line each.
    Help,
    /// Leave once all questions are answered.
    Bye,
}

/// The argument of a command that turns something on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `on`: the setting applies.
    On,
    /// `off`: the setting does not apply.
    Off,
}

/// The lines of `/help`: a command and its description.
pub const HELP: [(&str, &str); 15] = [
    ("/mode [NAME]", "ask in another mode; without a name: list them"),
    ("/attempts [N]", "number of attempts that vote on an answer; 0: the mode's default"),
    ("/budget [N]", "token budget of an answer; 0: the mode's default"),
    ("/answer-now", "end the thinking and answer with what is known"),
    ("/stop", "stop the answer (also Ctrl-C)"),
    ("/queue", "show the waiting questions and their estimates"),
    ("/last", "the last question's answer, also after a pulled cable"),
    ("/go-on QUESTION", "ask about the last answer"),
    ("/think on|off", "show the thinking, or the answer alone"),
    ("/latex on|off", "show formulas as LaTeX source, or rendered"),
    ("/plain on|off", "no escape sequences: for printers and simple terminals"),
    ("/width [N]", "width of the terminal in columns"),
    ("/json", "switch to JSON lines, for machines (docs/serial.md)"),
    ("/help", "list the commands"),
    ("/bye", "leave once everything is answered (also Ctrl-D)"),
];

/// Parses a line that begins with a slash.
///
/// # Errors
/// The message for the person who typed it.
pub fn parse(line: &str) -> Result<TerminalCommand, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let given = (!rest.is_empty()).then_some(rest);
    let command = match name {
        "/mode" => TerminalCommand::Mode(given.map(str::to_string)),
        "/attempts" => {
            TerminalCommand::Attempts(number(name, given, 0, limits::ATTEMPTS_MAX.into())?)
        }
        "/budget" => {
            TerminalCommand::Budget(number(name, given, 0, limits::BUDGET_TOKENS_MAX.into())?)
        }
        "/think" => TerminalCommand::Think(switch(name, given)?),
        "/latex" => TerminalCommand::Latex(switch(name, given)?),
        "/plain" => TerminalCommand::Plain(switch(name, given)?),
        "/width" => {
            let (least, most) = limits::CONSOLE_COLUMNS.into_inner();
            TerminalCommand::Width(number(name, given, least as u64, most as u64)?)
        }
        "/go-on" => {
            let question = given.ok_or("/go-on: type the question after it, on the same line.")?;
            TerminalCommand::GoOn(question.to_string())
        }
        _ => {
            let plain = match name {
                "/answer-now" => TerminalCommand::AnswerNow,
                "/stop" => TerminalCommand::Stop,
                "/queue" => TerminalCommand::Queue,
                "/last" => TerminalCommand::Last,
                "/json" => TerminalCommand::Json,
                "/help" | "/?" => TerminalCommand::Help,
                "/bye" | "/quit" | "/exit" => TerminalCommand::Bye,
                _ => return Err(format!("Unknown command {name}; /help lists the commands.")),
            };
            return match given {
                None => Ok(plain),
                Some(more) => Err(format!("{name}: takes no argument, but got '{more}'.")),
            };
        }
    };
    Ok(command)
}

fn number<N: TryFrom<u64>>(
    name: &str,
    given: Option<&str>,
    least: u64,
    most: u64,
) -> Result<Option<N>, String> {
    let Some(given) = given else { return Ok(None) };
    let number = given.parse().ok().filter(|number| (least..=most).contains(number));
    match number.and_then(|number| N::try_from(number).ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(format!("{name}: '{given}' must be a number from {least} to {most}.")),
    }
}

fn switch(name: &str, given: Option<&str>) -> Result<Option<Switch>, String> {
    match given {
        None => Ok(None),
        Some("on") => Ok(Some(Switch::On)),
        Some("off") => Ok(Some(Switch::Off)),
        Some(other) => Err(format!("{name}: '{other}' must be on or off.")),
    }
}

impl Switch {
    /// Returns whether the argument is `on`.
    pub fn is_on(self) -> bool {
        self == Switch::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_what_belongs_to_them() {
        for (line, command) in [
            ("/mode", TerminalCommand::Mode(None)),
            ("/mode  code ", TerminalCommand::Mode(Some("code".into()))),
            ("/attempts 4", TerminalCommand::Attempts(Some(4))),
            ("/budget", TerminalCommand::Budget(None)),
            ("/budget 0", TerminalCommand::Budget(Some(0))),
            ("/think off", TerminalCommand::Think(Some(Switch::Off))),
            ("/latex", TerminalCommand::Latex(None)),
            ("/plain on", TerminalCommand::Plain(Some(Switch::On))),
            ("/width 40", TerminalCommand::Width(Some(40))),
            ("/go-on and  why?", TerminalCommand::GoOn("and  why?".into())),
            ("/stop", TerminalCommand::Stop),
            ("/quit", TerminalCommand::Bye),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn a_bad_argument_is_refused_with_its_bounds() {
        for (line, said) in [
            ("/dance", "Unknown command /dance"),
            ("/attempts 99", "/attempts: '99' must be a number from 0 to 16."),
            ("/attempts four", "'four'"),
            ("/width 3", "/width: '3' must be a number from 20 to 500."),
            ("/think maybe", "'maybe' must be on or off"),
            ("/stop it", "takes no argument, but got 'it'"),
            ("/go-on", "type the question after it"),
            ("/", "Unknown command /"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn all_that_help_lists_is_understood() {
        for (typed, about) in HELP {
            let name = typed.split(' ').next().unwrap();
            assert!(
                !about.is_empty() && (parse(name).is_ok() || parse(&format!("{name} x")).is_ok())
            );
        }
    }
}
