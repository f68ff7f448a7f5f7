//! `solverbox solve QUESTION`: answers one question on this terminal.
//!
//! Goes through the desk like every door. A terminal shows the thinking dimmed while it is
//! generated, with readable formulas; a pipe gets the answer only, as the model wrote it. Votes and
//! figures go to standard error.

use std::io::{ErrorKind, IsTerminal, StdoutLock, Write};
use std::sync::Arc;

use super::{CloseAtEnd, Loading, OutputFormat, interrupt};
use crate::api::ask::Ask;
use crate::api::json::FinishedJob;
use crate::desk::feed::FeedTexts;
use crate::desk::{Capacity, Desk, Durability, Feed, JobEvent, SubmitOptions, Ticket};
use crate::text::latex::Latex;
use crate::types::answer::{Outcome, Part, Piece};
use crate::types::error::{Error, Kind};
use crate::types::job::Client;
use crate::types::kernels::SelfTest;
use crate::types::limits;
use crate::types::mode::Mode;
use crate::types::position::LogPosition;

/// Longest line that can be overwritten: a wider one would wrap, and its first part would stay.
const STATUS_CHARACTERS: usize = 79;

/// Answers the question of `ask` in `mode` with the model of `loading`.
///
/// # Errors
/// Errors of the question, the model and the engine; `stopped` after Ctrl-C.
pub fn run(
    loading: &Loading,
    ask: &Ask,
    mode: Arc<Mode>,
    output: OutputFormat,
) -> Result<(), Error> {
    let question = ask.question_in(mode)?;
    log::info!("mode {}, seed {}", question.mode.name, question.seed);
    let plan = loading.plan()?;
    let model = plan.model.name();
    let desk = Arc::new(Desk::open(plan, Capacity::alone(1), SelfTest::Skip, None, |_| {})?);
    let _closing = CloseAtEnd(&desk);
    let ticket = desk.submit(Client::alone(), question, SubmitOptions::of(Durability::Never))?;
    stop_on_interrupt(&desk, &ticket)?;
    if output == OutputFormat::Text {
        match follow(&ticket) {
            // The reader of `solverbox solve … | head -1` is gone, which is not an error.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            followed => super::written(followed)?,
        }
    }
    let finished = ticket.record.wait_ended();
    if let Outcome::Failed(error) = finished.outcome {
        return Err(error);
    }
    report(&FinishedJob::new(&ticket.question, &finished), &ask.question, &model, output)
}

/// Prints the figures of an answer, or the whole answer as JSON.
///
/// # Errors
/// `stopped` if the user stopped the job.
pub fn report(
    job: &FinishedJob,
    question: &str,
    model: &str,
    output: OutputFormat,
) -> Result<(), Error> {
    match output {
        OutputFormat::Text => super::note(&figures(job)),
        OutputFormat::Json => {
            log::info!("{}", figures(job));
            super::print(&job.line(question, model))?;
        }
    }
    if job.finish == Outcome::Stopped.name() {
        return Err(Error::new(Kind::Stopped, "stopped", "Ask again at any time."));
    }
    Ok(())
}

/// Stops the job at the first Ctrl-C, after which it ends like any other; exits at the second.
fn stop_on_interrupt(desk: &Arc<Desk>, ticket: &Ticket) -> Result<(), Error> {
    let (desk, job) = (Arc::downgrade(desk), ticket.job);
    interrupt::on_interrupt(move |count| match desk.upgrade() {
        Some(desk) if count == 1 => desk.stop_soon(job),
        _ => interrupt::leave(),
    })
}

/// Prints the answer as it is written, until the job has ended.
fn follow(ticket: &Ticket) -> std::io::Result<()> {
    let mut screen = AnswerScreen::on_stdout();
    let mut feed = Feed::new(ticket, LogPosition::default(), FeedTexts::OneAnswer);
    loop {
        match feed.next(usize::MAX, limits::HEARTBEAT) {
            Some(JobEvent::Text { piece, .. }) => screen.print_pieces(&[piece])?,
            Some(JobEvent::VoteChanged(tally)) => {
                screen.show_tally(tally.ended(), &tally.to_string())?
            }
            Some(JobEvent::Ended(_) | JobEvent::Interrupted(_)) => return screen.finish(),
            None
            | Some(JobEvent::Rewound { .. } | JobEvent::Queued(_) | JobEvent::AttemptEnded(_)) => {}
        }
    }
}

/// The output of a job: text on standard output, votes on standard error; both may be one terminal.
pub struct AnswerScreen<W> {
    out: W,
    shows_thinking: bool,
    /// Makes formulas readable on a terminal.
    latex: Latex,
    part: Part,
    line: LastLine,
    /// Number of ended attempts in the votes shown last.
    shown_ended: u32,
}

/// The content of the terminal's last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastLine {
    Empty,
    Text,
    /// The votes, which later votes overwrite and text does not.
    Votes,
}

impl AnswerScreen<StdoutLock<'static>> {
    /// Returns the output for a job, on standard output.
    pub fn on_stdout() -> AnswerScreen<StdoutLock<'static>> {
        AnswerScreen {
            out: std::io::stdout().lock(),
            shows_thinking: std::io::stdout().is_terminal(),
            latex: Latex::new(),
            part: Part::Answer,
            line: LastLine::Empty,
            shown_ended: 0,
        }
    }
}

impl<W: Write> AnswerScreen<W> {
    /// Prints pieces of text; the thinking only on a terminal.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn print_pieces(&mut self, pieces: &[Piece]) -> std::io::Result<()> {
        for piece in pieces {
            if !self.shows_thinking && piece.part == Part::Thinking {
                continue;
            }
            if !self.shows_thinking {
                self.write(&piece.text)?;
                continue;
            }
            if piece.part != self.part {
                let rest = self.latex.finish();
                self.write(&rest)?;
                self.end_votes();
                let change: &[u8] = match piece.part {
                    Part::Thinking => b"\x1b[2m",
                    Part::Answer => b"\x1b[0m\n\n",
                };
                self.out.write_all(change)?;
                self.part = piece.part;
            }
            let text = self.latex.push(&piece.text);
            self.write(&text)?;
        }
        self.out.flush()
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        let text = printable(text);
        if !text.is_empty() {
            self.end_votes();
            self.out.write_all(text.as_bytes())?;
            self.line = if text.ends_with('\n') { LastLine::Empty } else { LastLine::Text };
        }
        Ok(())
    }

    /// Leaves the votes on the terminal and begins a line below them.
    fn end_votes(&mut self) {
        if self.line == LastLine::Votes {
            super::note("");
            self.line = LastLine::Empty;
        }
    }

    /// Shows the votes if another attempt has ended; on a terminal they overwrite the previous
    /// votes, but never text.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn show_tally(&mut self, ended: u32, votes: &str) -> std::io::Result<()> {
        if ended == self.shown_ended {
            return Ok(());
        }
        self.shown_ended = ended;
        let line = one_line(votes);
        if !super::has_terminal() {
            super::note(&line);
            return Ok(());
        }
        if self.line == LastLine::Text && self.shows_thinking {
            writeln!(self.out)?;
            self.out.flush()?;
        }
        super::show_progress(&line);
        self.line = LastLine::Votes;
        Ok(())
    }

    /// Ends the last line and resets the terminal's colours.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        let rest = self.latex.finish();
        self.write(&rest)?;
        if self.shows_thinking && self.part == Part::Thinking {
            self.out.write_all(b"\x1b[0m")?;
        }
        self.end_votes();
        if self.line == LastLine::Text {
            writeln!(self.out)?;
        }
        self.out.flush()
    }
}

/// Returns the part of a text that fits into a line that can be overwritten.
fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ").chars().take(STATUS_CHARACTERS).collect()
}

/// Removes control characters, with which a model could control the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|&c| !c.is_control() || c == '\n' || c == '\t').collect()
}

fn figures(job: &FinishedJob) -> String {
    let f = &job.figures;
    let prompt = job.prompt_tokens_per_second.map(|speed| format!(" at {speed:.1} tokens/s"));
    let end = match job.finish.as_str() {
        "budget" => " · the token budget ran out",
        "stopped" => " · stopped",
        _ => "",
    };
    format!(
        "prompt {} tokens{} · generated {} tokens at {:.1} tokens/s · first token after {:.1} s\
         {end}",
        f.prompt_tokens,
        prompt.unwrap_or_default(),
        f.completion_tokens,
        f.tokens_per_second,
        f.first_token_seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_cannot_control_the_terminal() {
        assert_eq!(printable("a\x1b[2J\r\n\tb\u{9b}0m×"), "a[2J\n\tb0m×");
        assert_eq!(one_line("1 ended:\n\x1b7\t×1"), "1 ended: 7 ×1");
        assert_eq!(one_line(&"×".repeat(500)).chars().count(), STATUS_CHARACTERS);
    }
}
