//! `solverbox solve QUESTION`: one question on this terminal.
//!
//! Goes through the desk like every door. On a terminal the thinking is shown dimmed while it
//! comes; into a pipe goes the answer alone. The figures go to stderr.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::Arc;

use serde_json::json;

use super::{CloseAtEnd, Loading, interrupt};
use crate::desk::record::{Record, State, View, Whole};
use crate::desk::{Capacity, Desk, Ticket};
use crate::words::answer::{Outcome, Part};
use crate::words::error::{Error, Kind};
use crate::words::job::{Client, Question};
use crate::words::kernels::SelfTest;
use crate::words::limits;
use crate::words::value::boxed;

/// How the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// As text, while it comes.
    Text,
    /// As one JSON object at the end.
    Json,
}

/// Answers `question` (whose own words are `asked`) with the model of `loading`.
///
/// # Errors
/// Everything that keeps it from an answer; `stopped` where Ctrl-C did.
pub fn run(
    loading: &Loading,
    question: Question,
    asked: &str,
    output: Output,
) -> Result<(), Error> {
    question.check()?;
    let mode = question.mode.name.clone();
    log::info!("mode {mode}, seed {}", question.seed);
    let plan = loading.plan()?;
    let model = plan.model.name();
    let desk = Arc::new(Desk::open(plan, Capacity::alone(1), SelfTest::Skip, |_| {})?);
    let _closing = CloseAtEnd(&desk);
    let ticket = desk.submit(Client::alone(), question)?;
    stop_on_interrupt(&desk, &ticket)?;
    if output == Output::Text {
        match follow(&ticket.record) {
            // `solverbox solve … | head -1` has read enough: nothing is wrong.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            followed => super::written(followed)?,
        }
    }
    let whole = ticket.record.wait_ended();
    if let Outcome::Failed(error) = whole.outcome {
        return Err(error);
    }
    match output {
        Output::Text => super::note(&figures(&whole)),
        Output::Json => {
            log::info!("{}", figures(&whole));
            print_json(&whole, asked, (&model, &mode))?;
        }
    }
    match whole.outcome {
        Outcome::Stopped => Err(Error::new(Kind::Stopped, "stopped", "Ask again any time.")),
        _ => Ok(()),
    }
}

/// The first Ctrl-C stops the job, which then ends like any other; a second one leaves at once.
fn stop_on_interrupt(desk: &Arc<Desk>, ticket: &Ticket) -> Result<(), Error> {
    let (desk, job) = (Arc::downgrade(desk), ticket.job);
    interrupt::on_interrupt(move |count| match desk.upgrade() {
        Some(desk) if count == 1 => desk.stop(job),
        _ => interrupt::leave(),
    })
}

/// Prints the answer while it comes, to its end.
fn follow(record: &Record) -> std::io::Result<()> {
    let shows_thinking = std::io::stdout().is_terminal();
    let mut out = std::io::stdout().lock();
    let mut view = record.read(0);
    let (mut part, mut told) = (Part::Answer, 0);
    loop {
        if let Some(tally) = view.tally.as_ref().filter(|tally| tally.ended() > told) {
            told = tally.ended();
            super::note(&format!("{tally}"));
        }
        print_pieces(&mut out, &view, &mut part, shows_thinking)?;
        if matches!(view.state, State::Ended(..)) {
            break;
        }
        view = record.wait(view.version, view.offset, limits::HEARTBEAT);
    }
    if shows_thinking && part == Part::Thinking {
        out.write_all(b"\x1b[0m")?;
    }
    if view.offset > 0 {
        writeln!(out)?;
    }
    Ok(())
}

fn print_pieces(
    out: &mut impl Write,
    view: &View,
    part: &mut Part,
    shows_thinking: bool,
) -> std::io::Result<()> {
    for piece in &view.pieces {
        if shows_thinking && piece.part != *part {
            let change: &[u8] = match piece.part {
                Part::Thinking => b"\x1b[2m",
                Part::Answer => b"\x1b[0m\n\n",
            };
            out.write_all(change)?;
            *part = piece.part;
        }
        if shows_thinking || piece.part == Part::Answer {
            out.write_all(printable(&piece.text).as_bytes())?;
        }
    }
    out.flush()
}

/// Drops control characters, with which a model could steer the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|&c| !c.is_control() || c == '\n' || c == '\t').collect()
}

fn figures(whole: &Whole) -> String {
    let f = &whole.figures;
    let end = match whole.outcome {
        Outcome::Budget => " · the token budget ran out",
        Outcome::Stopped => " · stopped",
        Outcome::Done | Outcome::Failed(_) => "",
    };
    format!(
        "prompt {} tokens at {:.1} tokens/s · generated {} tokens at {:.1} tokens/s · first token \
         after {:.2} s{end}",
        f.prompt_tokens,
        f.prompt_tokens_per_second(),
        f.completion_tokens,
        f.tokens_per_second(),
        f.first_token_seconds
    )
}

fn print_json(whole: &Whole, question: &str, (model, mode): (&str, &str)) -> Result<(), Error> {
    let finish = match whole.outcome {
        Outcome::Done => "done",
        Outcome::Budget => "budget",
        Outcome::Stopped => "stopped",
        Outcome::Failed(_) => "failed",
    };
    let mut object = json!({
        "question": question,
        "model": model,
        "mode": mode,
        "thinking": whole.thinking,
        "answer": whole.answer,
        "boxed": boxed(&whole.answer),
        "prompt_tokens": whole.figures.prompt_tokens,
        "completion_tokens": whole.figures.completion_tokens,
        "tokens_per_second": whole.figures.tokens_per_second(),
        "finish": finish,
    });
    if let Some(tally) = &whole.tally {
        let votes = tally.votes();
        let votes = votes.iter().map(|vote| {
            json!({
                "value": vote.value.to_string(), "count": vote.count, "attempts": vote.attempts,
            })
        });
        object["votes"] = votes.collect();
        object["agreement"] = tally.agreement().into();
        object["attempts"] = tally.ended().into();
    }
    super::print(&format!("{object}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2J\r\n\tb\u{9b}0m×"), "a[2J\n\tb0m×");
    }
}
