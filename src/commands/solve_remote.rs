//! `solverbox solve` while a server runs in the same data folder: asks that server instead of
//! loading a second model.
//!
//! The output is the same as with a model of its own. Ctrl-C stops the job, and so does closing the
//! output.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::solve::{AnswerScreen, report};
use super::{OutputFormat, interrupt};
use crate::api::ask::Ask;
use crate::api::client::{RemoteEvent, RemoteJob, RunningBox};
use crate::types::answer::{Part, Piece};
use crate::types::error::Error;

/// Asks the server at `address`; its modes supply the settings that `ask` leaves open.
///
/// # Errors
/// Errors of the server; `stopped` if it does not answer, or after Ctrl-C.
pub fn run(address: SocketAddr, ask: &Ask, output: OutputFormat) -> Result<(), Error> {
    let server = RunningBox::at(address);
    super::note(&format!("solverbox: already running here: asking {}", server.url()));
    let interrupted = Interrupted::default();
    stop_on_interrupt(&interrupted)?;
    let job = server.submit(ask)?;
    if interrupted.begin(job) {
        job.stop()?;
    }
    match follow(&job, output)? {
        Followed::ToTheEnd => report(&job.finished()?, &ask.question, &server.model()?, output),
        Followed::ReadEnough => job.stop(),
    }
}

/// The state that decides what Ctrl-C does.
#[derive(Clone, Default)]
struct Interrupted(Arc<Mutex<Submission>>);

#[derive(Default)]
enum Submission {
    #[default]
    Pending,
    Interrupted,
    Accepted(RemoteJob),
}

impl Interrupted {
    /// Stores the accepted job; returns whether Ctrl-C was pressed before.
    fn begin(&self, job: RemoteJob) -> bool {
        let mut submission = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *submission, Submission::Accepted(job));
        matches!(before, Submission::Interrupted)
    }
}

/// Stops the job at the first Ctrl-C, after which it ends like any other; exits at the second.
fn stop_on_interrupt(interrupted: &Interrupted) -> Result<(), Error> {
    let interrupted = interrupted.clone();
    interrupt::on_interrupt(move |count| {
        let mut submission = interrupted.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*submission {
            _ if count > 1 => interrupt::leave(),
            Submission::Accepted(job) => stop_soon(*job),
            Submission::Pending | Submission::Interrupted => *submission = Submission::Interrupted,
        }
    })
}

/// Stops the job on a thread of its own, so that a second Ctrl-C works even if the server hangs.
fn stop_soon(job: RemoteJob) {
    let stop = move || {
        if job.stop().is_err() {
            interrupt::leave();
        }
    };
    if std::thread::Builder::new().name("stop".into()).spawn(stop).is_err() {
        interrupt::leave();
    }
}

enum Followed {
    ToTheEnd,
    /// The reader of the output is gone.
    ReadEnough,
}

/// Prints the answer as it is generated: everything for a single attempt; for a vote the first
/// attempt's thinking, the votes, and at the end the winner's answer.
fn follow(job: &RemoteJob, output: OutputFormat) -> Result<Followed, Error> {
    let is_voted = job.attempts()? > 1;
    let mut screen = AnswerScreen::on_stdout();
    for event in job.events()? {
        let event = event?;
        let printed = match (event, output) {
            (RemoteEvent::Failed(error), _) => return Err(error),
            (_, OutputFormat::Json) => Ok(()),
            (RemoteEvent::Text { attempt, piece }, OutputFormat::Text) => {
                let is_shown = !is_voted || (attempt == 0 && piece.part == Part::Thinking);
                if is_shown { screen.print_pieces(&[piece]) } else { Ok(()) }
            }
            (RemoteEvent::Vote(votes), OutputFormat::Text) => {
                screen.show_tally(votes.ended, &votes.to_string())
            }
            (RemoteEvent::Done, OutputFormat::Text) if is_voted => {
                let text = job.finished()?.answer;
                let answer = Piece { part: Part::Answer, text };
                if answer.text.is_empty() { Ok(()) } else { screen.print_pieces(&[answer]) }
            }
            (RemoteEvent::Done, OutputFormat::Text) => Ok(()),
        };
        match printed {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Followed::ReadEnough),
            printed => super::written(printed)?,
        }
    }
    if output == OutputFormat::Text {
        super::written(screen.finish())?;
    }
    Ok(Followed::ToTheEnd)
}
