//! Executes the commands of a terminal session, and submits its questions.

use crate::api::ask::{Ask, StudentWork, continue_from};
use crate::desk::record::State;
use crate::desk::{Durability, SubmitOptions, Ticket};
use crate::types::error::Error;
use crate::types::job::{JobName, Question};
use crate::types::limits;

use super::super::SessionEnd;
use super::super::following::FollowedJob;
use super::super::link::Subscription;
use super::super::paint::Terminal;
use super::TerminalSession;
use super::command::{HELP, Switch, TerminalCommand};
use super::screen::{Formulas, spoken};
use super::typing::TypedQuestion;

/// How much of a running answer is shown again, in bytes: about a screenful.
const AGAIN_BYTES: usize = 1_500;

/// Length of a question's title, in characters.
const TITLE_CHARACTERS: usize = 50;

impl TerminalSession<'_> {
    /// Executes a command and shows its result.
    pub fn act(&mut self, command: TerminalCommand) {
        match command {
            TerminalCommand::Mode(None) => self.list_modes(),
            TerminalCommand::Mode(Some(name)) => self.set_mode(&name),
            TerminalCommand::Attempts(number) => {
                if let Some(number) = number {
                    self.memory.attempts = Some(number).filter(|&number| number > 0);
                }
                let number = self.memory.attempts.unwrap_or(self.memory.mode.attempts);
                self.note(&format!("Attempts at each question: {number}."));
            }
            TerminalCommand::Budget(tokens) => {
                if let Some(tokens) = tokens {
                    self.memory.budget_tokens = Some(tokens).filter(|&tokens| tokens > 0);
                }
                let tokens = self.memory.budget_tokens.unwrap_or(self.memory.mode.budget_tokens);
                self.note(&format!("Tokens of an answer at most: {tokens}."));
            }
            TerminalCommand::AnswerNow => self.answer_now(),
            TerminalCommand::Stop => self.stop(),
            TerminalCommand::Queue => self.show_queue(),
            TerminalCommand::Last => self.show_last(),
            TerminalCommand::GoOn(question) => self.go_on(&question),
            TerminalCommand::Think(switch) => self.think(switch),
            TerminalCommand::Latex(switch) => {
                if let Some(switch) = switch {
                    let is_on = switch.is_on();
                    self.memory.formulas =
                        if is_on { Formulas::Source } else { Formulas::Readable };
                    self.apply_looks();
                }
                self.note(match self.memory.formulas {
                    Formulas::Source => "Formulas are shown as LaTeX source.",
                    Formulas::Readable => "Formulas are shown rendered.",
                });
            }
            TerminalCommand::Plain(switch) => self.be_plain(switch),
            TerminalCommand::Width(columns) => {
                self.memory.columns = columns.or(self.memory.columns);
                self.apply_looks();
                self.note(&match self.screen.looks().columns {
                    usize::MAX => "Lines are not wrapped.".to_string(),
                    columns => format!("Lines are wrapped at {columns} columns."),
                });
            }
            TerminalCommand::Json => self.end = Some(SessionEnd::ToMachine),
            TerminalCommand::Help => self.help(),
            TerminalCommand::Bye => self.bye(),
        }
    }

    /// Submits a question and follows its job.
    pub fn ask(&mut self, asking: &TypedQuestion, attempt: Option<&str>) {
        if self.followed.len() >= limits::CONSOLE_KNOWN_MAX {
            let waiting = self.followed.len();
            self.note(&format!(
                "{waiting} answers are waiting to be shown here. Ask again after one of them."
            ));
            return self.memory.past.add(&asking.question);
        }
        match self.submit(asking, attempt) {
            Ok(ticket) => {
                if !self.followed.is_empty() {
                    self.note("(accepted; its answer follows the previous one)");
                }
                self.follow(ticket, |ticket, subscription| {
                    FollowedJob::from(ticket, 0, subscription)
                });
            }
            Err(error) => {
                self.show_error(&error);
                // The arrow up brings all its lines back.
                self.memory.past.add(&asking.question);
            }
        }
    }

    fn submit(&mut self, asking: &TypedQuestion, attempt: Option<&str>) -> Result<Ticket, Error> {
        let desk = &self.context.desk;
        let ask = Ask {
            attempts: self.memory.attempts,
            budget_tokens: self.memory.budget_tokens,
            student_work: attempt
                .map_or(StudentWork::Missing, |work| StudentWork::Given(work.to_string())),
            ..Ask::new(asking.question.clone())
        };
        let mut question = ask.question_in(self.memory.mode.clone())?;
        continue_from(desk, [self.client; 2], asking.previous, &mut question)?;
        desk.submit(self.client, question, SubmitOptions::of(Durability::Durable))
    }

    fn follow(&mut self, ticket: Ticket, how: impl FnOnce(Ticket, Subscription) -> FollowedJob) {
        match self.link.follow(&ticket) {
            Ok(subscription) => self.followed.push_back(how(ticket, subscription)),
            Err(error) => self.show_error(&error),
        }
    }

    /// Stops the answer being shown.
    pub fn stop(&mut self) {
        let Some(followed) = self.followed.front_mut() else {
            return self.note("(nothing is being answered)");
        };
        followed.skip();
        let (job, name) = (followed.ticket.job, followed.ticket.name);
        let is_over = followed.ticket.record.state().is_last();
        self.link.drop_output();
        let cut = self.screen.cut();
        self.link.send(&cut);
        if is_over {
            self.followed.pop_front();
            self.memory.last_shown = Some(name);
            self.note("(stopped)");
        } else {
            self.context.desk.stop(job);
        }
    }

    /// Ends the session once all questions are answered.
    pub fn bye(&mut self) {
        self.hide_prompt();
        self.is_leaving = true;
        if !self.followed.is_empty() {
            self.note("(leaving once everything is answered)");
        }
    }

    fn answer_now(&mut self) {
        match self.followed.front() {
            Some(followed) => self.context.desk.answer_now(followed.ticket.job),
            None => self.note("(nothing is being answered)"),
        }
    }

    fn list_modes(&mut self) {
        let own = self.memory.mode.name.clone();
        let list: Vec<String> = self
            .context
            .modes
            .iter()
            .map(|mode| {
                let sign = if mode.name == own { '*' } else { ' ' };
                format!("{sign} {:8} {}", mode.name, mode.about)
            })
            .collect();
        self.note(&list.join("\n"));
    }

    fn set_mode(&mut self, name: &str) {
        match self.context.modes.find(name) {
            Ok(mode) => {
                self.note(&format!("Mode {}: {}.", mode.name, mode.about));
                self.memory.mode = mode;
            }
            Err(error) => self.show_error(&error),
        }
    }

    fn think(&mut self, switch: Option<Switch>) {
        if let Some(switch) = switch {
            self.memory.shows_thinking = switch.is_on();
        }
        let is_shown = self.memory.shows_thinking;
        self.note(if is_shown { "Thinking is shown." } else { "Thinking is not shown." });
    }

    fn be_plain(&mut self, switch: Option<Switch>) {
        // Without an argument it means on: a person who sees garbage types just the command.
        let is_on = switch.is_none_or(Switch::is_on);
        if is_on {
            self.switch_paste("\x1b[?2004l");
        }
        self.memory.terminal = Some(if is_on { Terminal::Plain } else { Terminal::Ansi });
        self.apply_looks();
        if !is_on {
            self.switch_paste("\x1b[?2004h");
        }
        self.note(if is_on { "No escape sequences are sent." } else { "Thinking is dimmed." });
    }

    fn help(&mut self) {
        let width = HELP.iter().map(|(typed, _)| typed.len()).max().unwrap_or(0);
        let mut lines: Vec<String> =
            HELP.iter().map(|(typed, about)| format!("{typed:width$}  {about}")).collect();
        lines.push(String::new());
        lines.push(
            "A question of several lines: end each but the last with \\, or put it between lines \
             of \"\"\". An empty line shows the state of the answer. Up and Down browse the lines \
             typed before."
                .to_string(),
        );
        self.note(&lines.join("\n"));
    }

    /// Shows the state of the current answer, or offers the last one.
    pub fn show_status(&mut self) {
        let Some(followed) = self.followed.front() else { return };
        let view = followed.ticket.record.read(usize::MAX);
        let eta = view
            .eta
            .map_or(String::new(), |eta| format!("; done in about {}", spoken(eta.seconds)));
        let behind = view.offset.saturating_sub(followed.offset());
        let stands = match view.place {
            Some(0) if behind > 0 => format!("being answered, {behind} bytes not shown yet"),
            Some(0) => "being answered".to_string(),
            Some(place) => format!("in line: place {place}"),
            None => "answered".to_string(),
        };
        self.note(&format!("({stands}{eta})"));
    }

    fn show_queue(&mut self) {
        let desk = &self.context.desk;
        let overview = desk.overview();
        let mut lines = vec![format!(
            "In the box: {} being answered, {} waiting.",
            overview.running, overview.waiting
        )];
        let own = desk.unfinished().into_iter().filter(|ticket| ticket.client == self.client);
        for ticket in own {
            let view = ticket.record.read(usize::MAX);
            let place = match view.place {
                Some(0) => "being answered".to_string(),
                Some(place) => format!("place {place}"),
                None => continue,
            };
            let eta =
                view.eta.map_or(String::new(), |eta| format!(", about {}", spoken(eta.seconds)));
            lines.push(format!("  {place}{eta}: {}", title(&ticket.question)));
        }
        self.note(&lines.join("\n"));
    }

    /// Returns the unfinished jobs of this console.
    pub fn unfinished(&self) -> Vec<JobName> {
        let all = self.context.desk.unfinished();
        let own = all.iter().filter(|ticket| ticket.client == self.client);
        own.map(|ticket| ticket.name).collect()
    }

    /// Offers answers that were not shown to their end.
    pub fn offer_last(&mut self) {
        if !self.followed.is_empty() {
            return;
        }
        let more = match self.memory.unshown.len() {
            0 | 1 => String::new(),
            many => format!(" and {} before it", many - 1),
        };
        let last = match self.context.last(self.client) {
            Ok(Some(last)) if Some(last.name) != self.memory.last_shown => last,
            _ => return,
        };
        let how = match last.record.state() {
            State::Ended(..) => "is answered",
            _ => "is being answered",
        };
        let title = title(&last.question);
        self.note(&format!("(Your last question, \"{title}\"{more}, {how}: /last shows it)"));
    }

    fn show_last(&mut self) {
        if let Some(followed) = self.followed.front() {
            let title = title(&followed.ticket.question);
            return self.note(&format!("(\"{title}\" is being shown now)"));
        }
        let unshown = std::mem::take(&mut self.memory.unshown);
        let found: Result<Vec<_>, Error> =
            unshown.iter().map(|&name| self.context.desk.find(name)).collect();
        let found = found.and_then(|found| {
            let found: Vec<Ticket> = found.into_iter().flatten().collect();
            if found.is_empty() {
                Ok(self.context.last(self.client)?.into_iter().collect())
            } else {
                Ok(found)
            }
        });
        match found {
            Ok(found) if found.is_empty() => self.note("(nothing was asked here yet)"),
            Ok(found) => found.into_iter().for_each(|ticket| self.show_again(ticket)),
            Err(error) => self.show_error(&error),
        }
    }

    /// Shows the answer of an ended job, or follows an unfinished one.
    fn show_again(&mut self, job: Ticket) {
        self.note(&format!("({})", title(&job.question)));
        if job.record.state().is_last() {
            return self.follow(job, FollowedJob::answer_of);
        }
        let end = job.record.bytes();
        let mut from = job.record.resume(job.record.cuts().now(end.saturating_sub(AGAIN_BYTES)));
        if from > 0 {
            // From the start of a line, if there is one.
            let view = job.record.read_some(from, AGAIN_BYTES);
            let text: String = view.pieces.iter().map(|said| said.piece.text.as_str()).collect();
            from += text.find('\n').map_or(0, |at| at + 1);
            self.note("(…)");
        }
        self.follow(job, |job, subscription| FollowedJob::from(job, from, subscription));
    }

    fn go_on(&mut self, question: &str) {
        let last = match self.memory.last_shown {
            Some(told) => Ok(Some(told)),
            None => self.context.last(self.client).map(|last| last.map(|last| last.name)),
        };
        match last {
            Ok(Some(last)) => {
                let question = question.to_string();
                self.take_question(TypedQuestion { question, previous: Some(last) });
            }
            Ok(None) => self.note("(nothing was asked here yet)"),
            Err(error) => self.show_error(&error),
        }
    }
}

/// Returns the start of a question, on one line.
fn title(question: &Question) -> String {
    let words: Vec<&str> = question.asked().split_whitespace().collect();
    let words = words.join(" ");
    match words.char_indices().nth(TITLE_CHARACTERS) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}
