//! What a person can type besides questions: `/mode code`, `/stop`, … and `/help`, which lists it.
//!
//! Only read here; `actions` does it.

use crate::types::limits;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// List the modes, or ask in another one.
    Mode(Option<String>),
    /// Say or change how many attempts vote; 0 for the mode's own.
    Attempts(Option<u32>),
    /// Say or change the tokens of an answer; 0 for the mode's own.
    Budget(Option<u32>),
    /// End the thinking and answer.
    AnswerNow,
    /// Stop what is being answered.
    Stop,
    /// Say who waits.
    Queue,
    /// Show the last question's answer, or how far it is.
    Last,
    /// Ask about the last answer.
    GoOn(String),
    /// Whether thinking is shown.
    Think(Option<Switch>),
    /// Whether formulas are shown as they were written.
    Latex(Option<Switch>),
    /// Whether escape sequences are left out.
    Plain(Option<Switch>),
    /// Say or change how wide the terminal is.
    Width(Option<usize>),
    /// Speak JSON from here on.
    Json,
    /// List all this.
    Help,
    /// Leave, when what is asked is answered.
    Bye,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// What `/help` shows: what is typed, and what it does.
pub const HELP: [(&str, &str); 15] = [
    ("/mode [NAME]", "ask in another mode; without a name: list them"),
    ("/attempts [N]", "so many attempts vote on one answer; 0: as the mode has it"),
    ("/budget [N]", "tokens of an answer at most; 0: as the mode has it"),
    ("/answer-now", "end the thinking and answer with what is known"),
    ("/stop", "stop the answer (also Ctrl-C)"),
    ("/queue", "who waits, and how long"),
    ("/last", "the last question's answer, also after a pulled cable"),
    ("/go-on QUESTION", "ask about the last answer"),
    ("/think on|off", "show the thinking, or the answer alone"),
    ("/latex on|off", "show formulas as they are written, or to be read"),
    ("/plain on|off", "no escape sequences: for printers and simple terminals"),
    ("/width [N]", "columns of the terminal"),
    ("/json", "speak JSON lines from here on: for machines (docs/serial.md)"),
    ("/help", "this list"),
    ("/bye", "leave, when all is answered (also Ctrl-D)"),
];

/// Reads a line that begins with a slash.
///
/// # Errors
/// What is wrong with it, for the person who typed it.
pub fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let given = (!rest.is_empty()).then_some(rest);
    let command = match name {
        "/mode" => Command::Mode(given.map(str::to_string)),
        "/attempts" => Command::Attempts(number(name, given, 0, limits::ATTEMPTS_MAX.into())?),
        "/budget" => Command::Budget(number(name, given, 0, limits::BUDGET_TOKENS_MAX.into())?),
        "/think" => Command::Think(switch(name, given)?),
        "/latex" => Command::Latex(switch(name, given)?),
        "/plain" => Command::Plain(switch(name, given)?),
        "/width" => {
            let (least, most) = limits::CONSOLE_COLUMNS.into_inner();
            Command::Width(number(name, given, least as u64, most as u64)?)
        }
        "/go-on" => {
            let question =
                given.ok_or("/go-on: write the question behind it, in the same line.")?;
            Command::GoOn(question.to_string())
        }
        _ => {
            let plain = match name {
                "/answer-now" => Command::AnswerNow,
                "/stop" => Command::Stop,
                "/queue" => Command::Queue,
                "/last" => Command::Last,
                "/json" => Command::Json,
                "/help" | "/?" => Command::Help,
                "/bye" | "/quit" | "/exit" => Command::Bye,
                _ => return Err(format!("There is no {name}; /help lists what there is.")),
            };
            return match given {
                None => Ok(plain),
                Some(more) => Err(format!("{name}: '{more}' is too much; it stands alone.")),
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
        None => Err(format!("{name}: '{given}' is not {least} to {most}.")),
    }
}

fn switch(name: &str, given: Option<&str>) -> Result<Option<Switch>, String> {
    match given {
        None => Ok(None),
        Some("on") => Ok(Some(Switch::On)),
        Some("off") => Ok(Some(Switch::Off)),
        Some(other) => Err(format!("{name}: '{other}' is neither on nor off.")),
    }
}

impl Switch {
    /// Returns whether it is on.
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
            ("/mode", Command::Mode(None)),
            ("/mode  code ", Command::Mode(Some("code".into()))),
            ("/attempts 4", Command::Attempts(Some(4))),
            ("/budget", Command::Budget(None)),
            ("/budget 0", Command::Budget(Some(0))),
            ("/think off", Command::Think(Some(Switch::Off))),
            ("/latex", Command::Latex(None)),
            ("/plain on", Command::Plain(Some(Switch::On))),
            ("/width 40", Command::Width(Some(40))),
            ("/go-on and  why?", Command::GoOn("and  why?".into())),
            ("/stop", Command::Stop),
            ("/quit", Command::Bye),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_is_said_with_its_bounds() {
        for (line, said) in [
            ("/dance", "There is no /dance"),
            ("/attempts 99", "/attempts: '99' is not 0 to 16."),
            ("/attempts four", "'four'"),
            ("/width 3", "/width: '3' is not 20 to 500."),
            ("/think maybe", "'maybe' is neither on nor off"),
            ("/stop it", "'it' is too much"),
            ("/go-on", "write the question behind it"),
            ("/", "There is no /"),
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
