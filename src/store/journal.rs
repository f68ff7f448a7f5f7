//! The running journal: one thread writes, all others read.
//!
//! Acceptances, ends and deletions are written at once, together with everything that is pending,
//! and their senders are informed. What attempts write is written after [`Keeping::sync`] or
//! [`limits::JOURNAL_TOKENS_MAX`] tokens, because each write wears an SD card. If writing fails,
//! answers continue, writing is tried again, and until it succeeds no job is accepted.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior};

use super::chores::Chores;
use super::row::Row;
use super::{
    ForgottenJobs, Keeping, NewJob, StoredEnd, StoredJob, recover, salvage, schema, write,
};
use crate::types::answer::{Delta, Figures, Outcome};
use crate::types::error::Error;
use crate::types::job::{AttemptId, JobId};
use crate::types::limits;

/// What a start found in the journal.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The jobs that have not ended, in the order of submission.
    pub jobs: Vec<StoredJob>,
    /// The highest job number so far.
    pub last: JobId,
    /// The new name of a damaged journal, if this one replaces it.
    pub aside: Option<PathBuf>,
}

/// The journal of jobs. Dropping it writes what is pending.
#[derive(Debug)]
pub struct Journal {
    messages: Option<Sender<Message>>,
    pub(super) reader: Arc<Mutex<Connection>>,
    rests: Arc<AtomicBool>,
    unheard: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// Receives whether what was sent is on the disk.
type Answer = SyncSender<Result<(), Error>>;

/// Is called once what it was sent with is on the disk, or cannot be written now.
pub type OnWritten = Box<dyn FnOnce() + Send>;

/// Calls an [`OnWritten`] when it is dropped, so that it is called even if the writer's thread has
/// ended: nothing that waits for it may wait for ever.
struct EndReport(Option<OnWritten>);

impl Drop for EndReport {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            report();
        }
    }
}

/// What the writer's thread receives.
enum Message {
    /// Written at once, then answered.
    Accept(Box<NewJob>, Answer),
    /// Written with the next batch.
    Gained(JobId, u32, Delta),
    AttemptEnded(AttemptId, Option<Delta>, Outcome, Figures),
    Change(JobId, JobChange),
    /// Written at once, without an answer.
    Urgent(JobId, JobChange),
    /// Writes everything pending, then answers.
    Flush(Answer),
    /// Answers once all urgent changes before it are written; others stay pending.
    Settle(Answer),
}

/// A change of a job that happens once.
enum JobChange {
    AttemptEnded(u32, Outcome, Figures),
    /// The report is gone once the end was written, or a first attempt to write it failed.
    Ended(StoredEnd, Option<String>, Option<EndReport>),
    Value(Option<String>),
    /// The hash of the token that shares the job.
    Share(Option<[u8; 32]>),
    AnswerNow,
    Stopping,
    Crashed,
    Whole(Box<StoredJob>, Option<String>),
    Forget,
    /// Deletes many jobs, whichever job it is sent for.
    ForgetAll(ForgottenJobs),
}

impl Journal {
    /// Opens the journal in `folder`, counts a crash for each job in `crashed`, and starts the
    /// writer's thread.
    ///
    /// # Errors
    /// Those of [`schema::open`]; but a damaged journal is renamed and replaced.
    pub fn open(
        folder: &Path,
        keeping: Keeping,
        crashed: &[JobId],
    ) -> Result<(Journal, Recovered), Error> {
        let (mut connection, mut aside) = schema::open(folder)?;
        if let Some(aside) = aside.as_ref().filter(|aside| schema::is_database(aside)) {
            salvage::salvage(aside, &mut connection, &keeping);
        }
        let found = recover::recover(&mut connection, &keeping, crashed);
        let found = match found {
            Err(error) if schema::is_damage(&error) => {
                let (fresh, damaged) = replace_damaged(connection, folder, &error, &keeping)?;
                (connection, aside) = (fresh, Some(damaged));
                recover::recover(&mut connection, &keeping, crashed)
            }
            found => found,
        };
        let (jobs, last) = found.map_err(|error| schema::failed(&error))?;
        let recovered = Recovered { jobs, last, aside };
        let reader = Arc::new(Mutex::new(schema::open_reader(folder)?));
        let rests = Arc::new(AtomicBool::new(false));
        let unheard = Arc::new(AtomicUsize::new(0));
        let (messages, inbox) = channel();
        let writer = JournalWriter {
            connection: Some(connection),
            folder: folder.to_path_buf(),
            keeping,
            reader: reader.clone(),
            rests: rests.clone(),
            unheard: unheard.clone(),
            rows: BTreeMap::new(),
            changes: VecDeque::new(),
            accepts: Vec::new(),
            since: None,
            failed: None,
            chores: Chores::default(),
        };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&inbox))
            .map_err(|e| Error::internal(format!("cannot start the journal's thread: {e}")))?;
        let thread = Some(thread);
        let journal = Journal { messages: Some(messages), reader, rests, unheard, thread };
        Ok((journal, recovered))
    }

    /// Adds a job; blocks until it is on the disk.
    ///
    /// # Errors
    /// `no_space` if the disk is full, `internal` if the job cannot be written for another reason.
    /// The journal does not have the job then.
    pub fn accept(&self, new: NewJob) -> Result<(), Error> {
        let (answer, answered) = sync_channel(1);
        self.tell(Message::Accept(Box::new(new), answer));
        answered.recv().unwrap_or_else(|_| Err(Error::internal("the journal is closed")))
    }

    /// Adds what an attempt wrote, with the next batch.
    pub fn gained(&self, job: JobId, attempt: u32, delta: Delta) {
        self.tell(Message::Gained(job, attempt, delta));
    }

    /// Adds the end of an attempt and what it wrote last, with the next batch. Both are written in
    /// one transaction: an attempt with all its text but no end would end a second time.
    pub fn attempt_ended(
        &self,
        attempt: AttemptId,
        delta: Option<Delta>,
        outcome: Outcome,
        figures: Figures,
    ) {
        self.tell(Message::AttemptEnded(attempt, delta, outcome, figures));
    }

    /// Writes a job's end and the value of its answer at once, and calls `on_written` from the
    /// writer's thread when they are on the disk, or cannot be written now. In that case writing is
    /// tried again later.
    ///
    /// Does not block. `on_written` must not call the journal.
    pub fn ended(&self, job: JobId, end: StoredEnd, value: Option<String>, on_written: OnWritten) {
        let report = Some(EndReport(Some(on_written)));
        self.tell(Message::Urgent(job, JobChange::Ended(end, value, report)));
    }

    /// Adds the value of the answer of a job that ended without it, with the next batch.
    pub fn keep_value(&self, job: JobId, value: Option<String>) {
        self.tell(Message::Change(job, JobChange::Value(value)));
    }

    /// Adds an ended job that was not durable and the value of its answer, with the next batch.
    pub fn keep(&self, kept: StoredJob, value: Option<String>) {
        self.tell(Message::Change(kept.id, JobChange::Whole(Box::new(kept), value)));
    }

    /// Records at once that a person asked for a job's answer.
    pub fn answer_now(&self, job: JobId) {
        self.tell(Message::Urgent(job, JobChange::AnswerNow));
    }

    /// Records at once that a person stopped a job.
    pub fn stopping(&self, job: JobId) {
        self.tell(Message::Urgent(job, JobChange::Stopping));
    }

    /// Counts at once a crash of the engine against a job.
    pub fn crashed(&self, job: JobId) {
        self.tell(Message::Urgent(job, JobChange::Crashed));
    }

    /// Shares a job at once by the token with this SHA-256, in place of an earlier one; `None` ends
    /// that. A job that the journal does not have yet is not shared.
    pub fn share(&self, job: JobId, token: Option<[u8; 32]>) {
        self.tell(Message::Urgent(job, JobChange::Share(token)));
    }

    /// Deletes a job at once.
    pub fn forget(&self, job: JobId) {
        self.tell(Message::Urgent(job, JobChange::Forget));
    }

    /// Deletes jobs of a client at once.
    pub fn forget_all(&self, jobs: ForgottenJobs) {
        self.tell(Message::Urgent(JobId::default(), JobChange::ForgetAll(jobs)));
    }

    /// Blocks until everything sent so far is written, or cannot be written.
    pub fn flush(&self) {
        let (answer, answered) = sync_channel(1);
        self.tell(Message::Flush(answer));
        // If it cannot be written there is nothing else to do.
        let _ = answered.recv();
    }

    /// Blocks until all urgent changes sent so far are written, or cannot be written; others stay
    /// pending.
    ///
    /// # Errors
    /// The reason if they cannot be written now; that is tried again.
    pub fn settle(&self) -> Result<(), Error> {
        let (answer, answered) = sync_channel(1);
        self.tell(Message::Settle(answer));
        // The thread ends only when nothing is left to write.
        answered.recv().unwrap_or(Ok(()))
    }

    /// Sets whether the engine is idle, so that there is time for maintenance.
    pub fn set_resting(&self, rests: bool) {
        self.rests.store(rests, Ordering::Relaxed);
    }

    fn tell(&self, message: Message) {
        if let Some(messages) = &self.messages {
            self.unheard.fetch_add(1, Ordering::Relaxed);
            // Fails only if the thread has ended, which it has logged.
            let _ = messages.send(message);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            // A panic on that thread was already reported.
            let _ = thread.join();
        }
    }
}

/// Renames a damaged journal and makes a new one.
fn replace_damaged(
    damaged: Connection,
    folder: &Path,
    cause: &rusqlite::Error,
    keeping: &Keeping,
) -> Result<(Connection, PathBuf), Error> {
    drop(damaged);
    let aside = schema::set_aside(folder, &cause.to_string())?;
    let (mut connection, _) = schema::open(folder)?;
    salvage::salvage(&aside, &mut connection, keeping);
    Ok((connection, aside))
}

/// The writer's thread, with everything that is pending.
struct JournalWriter {
    /// `None` only if a damaged journal could not be replaced.
    connection: Option<Connection>,
    folder: PathBuf,
    keeping: Keeping,
    reader: Arc<Mutex<Connection>>,
    rests: Arc<AtomicBool>,
    /// Messages not received yet, which interrupt maintenance.
    unheard: Arc<AtomicUsize>,
    rows: BTreeMap<JobId, Row>,
    changes: VecDeque<(JobId, JobChange)>,
    accepts: Vec<(Box<NewJob>, Answer)>,
    /// When the oldest pending message came.
    since: Option<Instant>,
    /// When writing failed last, and why; `None` after a success.
    failed: Option<(Instant, Error)>,
    chores: Chores,
}

impl JournalWriter {
    fn run(mut self, inbox: &Receiver<Message>) {
        let mut looked = Instant::now();
        loop {
            let wait = self.due().saturating_duration_since(Instant::now());
            let mut is_urgent = false;
            let mut flushes = Vec::new();
            match inbox.recv_timeout(wait) {
                Ok(message) => {
                    is_urgent |= self.hear(message, &mut flushes);
                    for message in inbox.try_iter() {
                        is_urgent |= self.hear(message, &mut flushes);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.commit();
                    return;
                }
            }
            let is_due = self.since.is_some() && Instant::now() >= self.due();
            let is_much = self.rows.values().any(|row| row.tokens() >= limits::JOURNAL_TOKENS_MAX);
            let may = self.retry().is_none_or(|retry| Instant::now() >= retry);
            if is_urgent || (may && (is_due || is_much)) {
                self.commit();
            }
            // Answered even if nothing could be written.
            let settled = self.failed.clone().map_or(Ok(()), |(_, error)| Err(error));
            for answer in flushes {
                // The receiver may have stopped waiting.
                let _ = answer.send(settled.clone());
            }
            if self.since.is_none() && looked.elapsed() >= limits::JOURNAL_CHORES_EVERY {
                self.chores();
                looked = Instant::now();
            }
        }
    }

    /// Returns when writing is tried again, if it has failed.
    fn retry(&self) -> Option<Instant> {
        self.failed.as_ref().map(|(at, _)| *at + limits::JOURNAL_RETRY)
    }

    /// Returns when there is something to do without a message.
    fn due(&self) -> Instant {
        let retry = self.retry();
        let since = self.since.map(|since| since + self.keeping.sync);
        match since {
            Some(due) => retry.map_or(due, |retry| due.max(retry)),
            None => Instant::now() + limits::JOURNAL_CHORES_EVERY,
        }
    }

    /// Takes a message; returns whether it is urgent.
    fn hear(&mut self, message: Message, flushes: &mut Vec<Answer>) -> bool {
        self.unheard.fetch_sub(1, Ordering::Relaxed);
        if !matches!(message, Message::Flush(_) | Message::Settle(_)) {
            self.since.get_or_insert_with(Instant::now);
        }
        match message {
            Message::Accept(new, answer) => self.accepts.push((new, answer)),
            Message::Gained(job, attempt, delta) => {
                self.rows.entry(job).or_default().add(attempt, delta);
                return false;
            }
            Message::AttemptEnded(AttemptId { job, number }, delta, outcome, figures) => {
                if let Some(delta) = delta {
                    self.rows.entry(job).or_default().add(number, delta);
                }
                self.changes.push_back((job, JobChange::AttemptEnded(number, outcome, figures)));
                return false;
            }
            Message::Change(job, change) => {
                self.changes.push_back((job, change));
                return false;
            }
            Message::Urgent(job, change) => self.changes.push_back((job, change)),
            Message::Flush(answer) => flushes.push(answer),
            Message::Settle(answer) => {
                flushes.push(answer);
                return false;
            }
        }
        true
    }

    /// Writes everything pending in one transaction.
    fn commit(&mut self) {
        if self.since.is_none() {
            return;
        }
        if self.failed.is_some() {
            // A new job must not fail because there is no room for everything pending.
            self.accept_alone();
        }
        let written = self.write();
        if let Err(error) = &written
            && schema::is_damage(error)
        {
            self.replace(error);
        }
        let result = written.map_err(|error| schema::failed(&error));
        self.answer_accepts(&result);
        match result {
            Ok(_) => {
                if self.failed.take().is_some() {
                    log::info!("the journal can be written again");
                }
                self.rows.clear();
                // Reports the ends among them.
                self.changes.clear();
                self.since = None;
            }
            Err(error) => {
                if self.failed.is_none() {
                    log::error!("{error}. {}", error.remedy);
                }
                self.failed = Some((Instant::now(), error));
                self.report_ends();
                self.bound_backlog();
                if self.rows.is_empty() && self.changes.is_empty() {
                    self.since = None;
                }
            }
        }
    }

    /// Reports the ends that could not be written: answers do not wait for a disk to be mended.
    fn report_ends(&mut self) {
        for (_, change) in &mut self.changes {
            if let JobChange::Ended(_, _, report) = change {
                *report = None;
            }
        }
    }

    /// Writes the new jobs and nothing else.
    fn accept_alone(&mut self) {
        let (rows, changes) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.changes));
        let result = self.write().map_err(|error| schema::failed(&error));
        self.answer_accepts(&result);
        (self.rows, self.changes) = (rows, changes);
    }

    /// Answers the new jobs' senders; `written` says which of the jobs did not exist yet.
    fn answer_accepts(&mut self, written: &Result<Vec<bool>, Error>) {
        for (at, (_, answer)) in self.accepts.drain(..).enumerate() {
            let accepted = match written {
                Ok(are_new) if are_new[at] => Ok(()),
                Ok(_) => Err(Error::internal("a job like this is in the journal already")),
                Err(error) => Err(error.clone()),
            };
            // The receiver may have stopped waiting.
            let _ = answer.send(accepted);
        }
    }

    /// Drops the oldest pending answers that are not durable, if too many wait for a disk that
    /// cannot be written. Durable jobs are bounded by the queue.
    fn bound_backlog(&mut self) {
        let is_whole = |(_, change): &(JobId, JobChange)| matches!(change, JobChange::Whole(..));
        let mut surplus = self.changes.iter().filter(|change| is_whole(change)).count();
        surplus = surplus.saturating_sub(limits::JOURNAL_BACKLOG_MAX);
        self.changes.retain(|change| {
            let stays = surplus == 0 || !is_whole(change);
            surplus -= usize::from(!stays);
            stays
        });
    }

    /// Returns which of the new jobs did not exist yet.
    fn write(&mut self) -> rusqlite::Result<Vec<bool>> {
        let Some(connection) = &mut self.connection else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        let model = &self.keeping.model;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let accepts = self.accepts.iter();
        let are_new = accepts.map(|(new, _)| write::job(&transaction, model, new));
        let are_new: Vec<bool> = are_new.collect::<rusqlite::Result<_>>()?;
        for (job, row) in &self.rows {
            write::row(&transaction, *job, row)?;
        }
        for (job, change) in &self.changes {
            match change {
                JobChange::AttemptEnded(number, outcome, figures) => {
                    write::attempt(&transaction, *job, *number, &(outcome.clone(), *figures))?;
                }
                JobChange::Ended(end, value, _) => {
                    write::end(&transaction, *job, end, value.as_deref())?;
                }
                JobChange::Value(value) => write::value(&transaction, *job, value.as_deref())?,
                JobChange::Share(token) => write::share(&transaction, *job, token.as_ref())?,
                JobChange::AnswerNow => write::answer_now(&transaction, *job)?,
                JobChange::Stopping => write::stopping(&transaction, *job)?,
                JobChange::Crashed => write::crash(&transaction, *job)?,
                JobChange::Whole(kept, value) => {
                    write::whole(&transaction, model, kept, value.as_deref())?;
                }
                JobChange::Forget => write::forget(&transaction, *job)?,
                JobChange::ForgetAll(jobs) => write::forget_all(&transaction, jobs)?,
            }
        }
        transaction.commit()?;
        Ok(are_new)
    }

    /// Replaces a damaged journal by a new one.
    fn replace(&mut self, cause: &rusqlite::Error) {
        let Some(damaged) = self.connection.take() else { return };
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = replace_damaged(damaged, &self.folder, cause, &self.keeping)
            .and_then(|(connection, _)| Ok((connection, schema::open_reader(&self.folder)?)));
        match begun {
            Ok((connection, new)) => {
                self.connection = Some(connection);
                *reader = new;
            }
            Err(error) => log::error!("{error}. {}", error.remedy),
        }
    }

    fn chores(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let (rests, unheard) = (self.rests.clone(), self.unheard.clone());
        let has_time =
            move || rests.load(Ordering::Relaxed) && unheard.load(Ordering::Relaxed) == 0;
        match self.chores.go_on(connection, &self.keeping, has_time) {
            Err(error) if schema::is_damage(&error) => self.replace(&error),
            Err(error) => log::debug!("the journal's chores wait: {error}"),
            Ok(()) => {}
        }
    }
}
