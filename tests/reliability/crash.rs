//! `kill -9` at random instants while jobs run, again and again on one data folder: while the
//! server starts, while it accepts, at an attempt's end, at a vote, at a job's end, at any time.
//!
//! No accepted job may be lost or duplicated, a published end must not change, and a reader that
//! resumes with the ID of its last event must end with the text of the log. The short form is part
//! of the suite; `make reliability` runs 200 kills over at least 40 jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::lives::{
    EventCounts, JobReader, LiveServer, ReaderState, RestartedServer, whole,
};
use crate::support::trial;
use crate::support::{model, solverbox};

const SEED: u64 = 9;
/// Jobs that are open at a time.
const OPEN_JOBS: usize = 12;
/// One kill in this many, a start on an empty folder is measured for comparison.
const EMPTY_EVERY: usize = 8;
/// How much longer a start may take with stored jobs than with an empty folder.
const RECOVERY_MAX: Duration = Duration::from_secs(1);
/// The longest run, and the longest wait for an event to kill the server at.
const LIFE_MICROS: u64 = 1_200_000;
/// About the duration of a start: kills during one fall within.
const START_MICROS: u64 = 200_000;

/// A question and its idempotency key.
#[derive(Clone, Debug)]
pub struct JobRequest {
    pub body: Value,
    /// Without one a client that got no reply cannot know whether its question was accepted.
    pub key: Option<String>,
}

/// A question that was accepted.
#[derive(Clone, Debug)]
struct Accepted {
    id: String,
    wish: JobRequest,
    /// Whether the client deleted it.
    forget: Forget,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Forget {
    No,
    /// The reply is missing: the job may exist or not.
    Asked,
    Done,
}

pub fn below(random: &mut ChaCha8Rng, most: usize) -> usize {
    random.next_u32() as usize % most
}

/// Makes the question of this number, different from all others.
pub fn wish(random: &mut ChaCha8Rng, number: usize) -> JobRequest {
    let mode = ["math", "math", "math", "plain", "hint", "review"][below(random, 6)];
    // Large numbers make the demo model write long answers.
    let factor = [11, 1_000][below(random, 2)] + below(random, 80);
    let question = format!("Question {number}: what is {factor}*{}?", 7 + number);
    let mut body = json!({
        "question": question, "mode": mode, "seed": random.next_u32(),
        "attempts": 1, "budget_tokens": 200 + below(random, 1500),
    });
    if mode == "math" {
        body["attempts"] = json!(1 + below(random, 8));
    }
    if mode == "review" {
        body["attempt_of_student"] = json!("I got 3911.");
    }
    let key = (below(random, 8) > 0).then(|| format!("key-{number}-{}", random.next_u32()));
    JobRequest { body, key }
}

/// Submits a question; returns the job's ID once it is accepted.
pub fn ask(door: &LiveServer, wish: &JobRequest) -> std::io::Result<String> {
    let key = wish.key.as_ref().map(|key| format!("Idempotency-Key: {key}\r\n"));
    let body = wish.body.to_string();
    let (status, text) = door.ask("POST", "/api/jobs", &key.unwrap_or_default(), &body)?;
    assert_eq!(status, 202, "{text}");
    let reply: Value = serde_json::from_str(&text).unwrap();
    Ok(reply["id"].as_str().unwrap().to_string())
}

/// Submits questions, repeats those without a reply, and acts on accepted jobs at random.
struct RandomClient {
    door: Arc<LiveServer>,
    heard: Arc<EventCounts>,
    random: ChaCha8Rng,
    asked: usize,
    /// Questions without a reply.
    again: Vec<JobRequest>,
    shared: Arc<ClientsState>,
}

#[derive(Default)]
struct ClientsState {
    accepted: Mutex<Vec<Accepted>>,
    readers: Mutex<Vec<(Arc<JobReader>, JoinHandle<()>)>>,
    /// Questions sent, with or without a reply.
    sent: AtomicUsize,
    /// Questions sent again for lack of a reply, and those sent again though accepted.
    retried: AtomicUsize,
    repeated: AtomicUsize,
    faults: Mutex<Vec<String>>,
    is_last: AtomicBool,
}

impl RandomClient {
    /// Runs until the last restart, and then until every question has a reply.
    fn run(mut self) {
        loop {
            let is_last = self.shared.is_last.load(Ordering::Relaxed);
            if is_last && self.again.is_empty() {
                return;
            }
            if self.deed(is_last).is_err() {
                // The server was killed.
                self.door.wait(Duration::from_millis(50));
            }
        }
    }

    fn deed(&mut self, is_last: bool) -> std::io::Result<()> {
        let open = self.door.ask("GET", "/api/jobs?limit=100", "", "")?.1;
        let open = open.matches("\"queued\"").count() + open.matches("\"running\"").count();
        if let Some(wish) = self.again.pop() {
            self.shared.retried.fetch_add(1, Ordering::Relaxed);
            return self.ask(wish);
        }
        if open < OPEN_JOBS && !is_last {
            let wish = wish(&mut self.random, self.asked);
            self.asked += 1;
            return self.ask(wish);
        }
        self.use_one()
    }

    fn ask(&mut self, wish: JobRequest) -> std::io::Result<()> {
        self.shared.sent.fetch_add(1, Ordering::Relaxed);
        match ask(&self.door, &wish) {
            Ok(id) => {
                // Most jobs are followed, some are deleted later.
                if below(&mut self.random, 6) > 0 {
                    let reading = ReaderState::default();
                    let reader = JobReader::follow(&self.door, &id, reading, &self.heard);
                    self.shared.readers.lock().unwrap().push(reader);
                }
                let forget = Forget::No;
                self.shared.accepted.lock().unwrap().push(Accepted { id, wish, forget });
                Ok(())
            }
            Err(error) => {
                self.again.extend(wish.key.is_some().then_some(wish));
                Err(error)
            }
        }
    }

    /// Acts on one of the latest accepted jobs.
    fn use_one(&mut self) -> std::io::Result<()> {
        let accepted = self.shared.accepted.lock().unwrap().clone();
        let latest = accepted.len().min(2 * OPEN_JOBS);
        if latest == 0 {
            return Ok(());
        }
        let at = accepted.len() - 1 - below(&mut self.random, latest);
        let Accepted { id, wish, forget } = &accepted[at];
        let readers = self.shared.readers.lock().unwrap();
        let is_followed = readers.iter().any(|(reader, _)| reader.id == *id);
        drop(readers);
        let path = format!("/api/jobs/{id}");
        match below(&mut self.random, 24) {
            0 => drop(self.door.ask("POST", &format!("{path}/finish"), "", "")?),
            1 => drop(self.door.ask("POST", &format!("{path}/stop"), "", "")?),
            2 if !is_followed => {
                let set = |to| self.shared.accepted.lock().unwrap()[at].forget = to;
                set(if *forget == Forget::Done { Forget::Done } else { Forget::Asked });
                self.door.ask("DELETE", &path, "", "")?;
                set(Forget::Done);
            }
            3 | 4 if wish.key.is_some() && *forget == Forget::No => {
                let again = ask(&self.door, wish)?;
                self.shared.repeated.fetch_add(1, Ordering::Relaxed);
                if again != *id {
                    let fault = format!("{id} was repeated and became {again}");
                    self.shared.faults.lock().unwrap().push(fault);
                }
            }
            // Limits the rate of requests, to leave the cores to the server.
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
        Ok(())
    }
}

/// The journal of a killed server.
struct JournalContents {
    check: String,
    /// Jobs, and whether each has ended.
    jobs: BTreeMap<String, bool>,
}

/// Reads a copy, so that the server finds its files as it left them.
fn inspect(data: &Path) -> JournalContents {
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-journal"] {
        if data.join(name).exists() {
            std::fs::copy(data.join(name), copy.path().join(name)).unwrap();
        }
    }
    look(&copy.path().join("journal.sqlite"))
}

fn look(file: &Path) -> JournalContents {
    let own = Connection::open(file).unwrap();
    let check = own.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    let mut jobs = BTreeMap::new();
    // The first start may be killed before the table exists.
    if let Ok(mut all) = own.prepare("SELECT lower(hex(name)), ended_ms IS NOT NULL FROM job") {
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        jobs.extend(rows.map(|row| row.unwrap()));
    }
    JournalContents { check: check.unwrap_or_else(|error| error.to_string()), jobs }
}

/// Returns the command that runs the server on a folder, with one thread.
pub fn life(model: &Path, data: &Path) -> impl Fn() -> Command + 'static {
    let (model, data) = (model.to_path_buf(), data.to_path_buf());
    move || {
        let mut command = solverbox();
        command.arg("serve").arg("--model").arg(&model).arg("--data").arg(&data);
        command.args(["--listen", "127.0.0.1:0", "--threads", "1"]);
        command.args(["--client-jobs-max", "64", "--queue-jobs-max", "64"]);
        command
    }
}

/// Starts the server and kills it at a random instant; returns the duration of the start, if it was
/// waited for.
fn live(
    lives: &mut RestartedServer,
    random: &mut ChaCha8Rng,
    heard: &EventCounts,
    sent: &AtomicUsize,
) -> Option<Duration> {
    lives.begin();
    // The instant itself is random; this does not wait for anything.
    let pass = |micros: u64| std::thread::sleep(Duration::from_micros(micros));
    let kind = below(random, 10);
    let micros = u64::from(random.next_u32());
    if kind < 3 {
        pass(micros % START_MICROS);
        lives.kill();
        return None;
    }
    let took = lives.wait_ready();
    let (counter, after) = match kind {
        3 => (&heard.ends, 3_000),
        4 => (&heard.votes, 500),
        5 => (&heard.attempts, 500),
        6 | 7 => (sent, 6_000),
        _ => (sent, LIFE_MICROS),
    };
    let (before, until) = (counter.load(Ordering::Relaxed), Duration::from_micros(LIFE_MICROS));
    let began = Instant::now();
    while counter.load(Ordering::Relaxed) == before && began.elapsed() < until {
        pass(50);
    }
    pass(micros % after);
    lives.kill();
    Some(took)
}

#[derive(Default)]
struct Measured {
    starts: Vec<Duration>,
    empty: Vec<Duration>,
    damaged: Vec<String>,
    lost: BTreeSet<String>,
    untold: BTreeSet<String>,
}

fn measure_empty_start() -> Duration {
    let data = tempfile::tempdir().unwrap();
    let mut lives = RestartedServer::new(life(&model(), data.path()));
    lives.begin();
    lives.wait_ready()
}

/// Kills the server again and again, and inspects the journal after each kill.
fn kill_often(
    lives: &mut RestartedServer,
    data: &Path,
    shared: &ClientsState,
    heard: &EventCounts,
) -> Measured {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut measured = Measured::default();
    for kill in 0..trial::form(24, 200) {
        if kill % EMPTY_EVERY == 0 {
            measured.empty.push(measure_empty_start());
        }
        measured.starts.extend(live(lives, &mut random, heard, &shared.sent));
        let accepted = shared.accepted.lock().unwrap().clone();
        let readers = shared.readers.lock().unwrap();
        let over = readers.iter().filter(|(reader, _)| reader.now().0.end.is_some());
        let over: Vec<String> = over.map(|(reader, _)| reader.id.clone()).collect();
        drop(readers);
        let found = inspect(data);
        if found.check != "ok" {
            measured.damaged.push(format!("after kill {kill}: {}", found.check));
        }
        for Accepted { id, forget, .. } in accepted {
            let is_lost = forget == Forget::No && !found.jobs.contains_key(&id);
            let is_back = forget == Forget::Done && found.jobs.contains_key(&id);
            if is_lost || is_back {
                measured.lost.insert(format!("{id} after kill {kill}: {forget:?}"));
            }
        }
        let is_over = |id: &String| found.jobs.get(id).copied().unwrap_or(false);
        measured.untold.extend(over.into_iter().filter(|id| !is_over(id)));
    }
    measured
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[test]
fn kills_at_any_instant_lose_and_duplicate_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (heard, shared) = (Arc::<EventCounts>::default(), Arc::<ClientsState>::default());
    let mut lives = RestartedServer::new(life(&model(), data.path()));
    let door = lives.door.clone();
    let random = ChaCha8Rng::seed_from_u64(SEED + 1);
    let asker = RandomClient {
        door: door.clone(),
        heard: heard.clone(),
        random,
        asked: 0,
        again: Vec::new(),
        shared: shared.clone(),
    };
    let asker = std::thread::spawn(move || asker.run());
    let measured = kill_often(&mut lives, data.path(), &shared, &heard);
    lives.begin();
    lives.wait_ready();
    shared.is_last.store(true, Ordering::Relaxed);
    asker.join().unwrap();
    door.wait_all_over();
    let accepted = shared.accepted.lock().unwrap().clone();
    record_jobs(&door, &accepted, &shared, &measured);
    record_streams(&door, &accepted, &shared, &measured);
    record_starts(&measured);
    let names = std::fs::read_dir(data.path()).unwrap().map(|e| e.unwrap().file_name());
    let aside = names.filter(|name| name.to_string_lossy().contains("damaged")).count();
    let kills = trial::form(24, 200);
    trial::record(
        "crash",
        "the journal is intact after each kill (PRAGMA integrity_check), and never set aside",
        &format!("{kills} kills, {} damaged, {aside} set aside", measured.damaged.len()),
        measured.damaged.is_empty() && aside == 0,
    );
}

/// Records whether each accepted job exists once and has ended.
fn record_jobs(
    door: &LiveServer,
    accepted: &[Accepted],
    shared: &ClientsState,
    measured: &Measured,
) {
    let listed = door.list();
    let mut lost = measured.lost.clone();
    let mut twice: Vec<String> = shared.faults.lock().unwrap().clone();
    let times = |key: &str, of: &Value| listed.iter().filter(|job| job[key] == *of).count();
    for Accepted { id, wish, forget } in accepted {
        let (by_id, by_question) =
            (times("id", &json!(id)), times("question", &listed_question(wish, &listed)));
        let is_there = match forget {
            Forget::No => by_id == 1,
            Forget::Asked => by_id <= 1,
            Forget::Done => by_id == 0,
        };
        if !is_there {
            lost.insert(format!("{id} exists {by_id} times, {forget:?}"));
        }
        if by_question > 1 {
            twice.push(format!("{wish:?} exists {by_question} times"));
        }
    }
    let failed: Vec<&Value> = listed.iter().filter(|job| job["state"] == "failed").collect();
    let (retried, repeated) = (&shared.retried, &shared.repeated);
    let measured = format!(
        "{} accepted over {} kills, {} retried for lack of a response, {} repeated with the \
         idempotency key of an accepted one: {} lost, {} duplicated, {} failed",
        accepted.len(),
        trial::form(24, 200),
        retried.load(Ordering::Relaxed),
        repeated.load(Ordering::Relaxed),
        lost.len(),
        twice.len(),
        failed.len(),
    );
    println!("{lost:?} {twice:?} {failed:?}");
    let holds = lost.is_empty() && twice.is_empty() && failed.is_empty() && accepted.len() >= 40;
    trial::record("crash", "0 accepted jobs lost, 0 duplicated, all end", &measured, holds);
}

/// Returns a question as lists show it, which may include the student's attempt.
fn listed_question(wish: &JobRequest, listed: &[Value]) -> Value {
    let asked = wish.body["question"].as_str().unwrap();
    let is_it = |job: &&Value| job["question"].as_str().unwrap().contains(asked);
    listed.iter().find(is_it).map_or(Value::Null, |job| job["question"].clone())
}

/// Records whether each reader has the log's text and the same end.
fn record_streams(
    door: &Arc<LiveServer>,
    accepted: &[Accepted],
    shared: &ClientsState,
    measured: &Measured,
) {
    let (mut faults, mut rewinds, mut bytes) = (Vec::new(), 0, 0);
    let readers: Vec<_> = shared.readers.lock().unwrap().drain(..).collect();
    let followed = readers.len();
    for (reader, thread) in readers {
        thread.join().unwrap();
        let (reading, _) = reader.now();
        let log = whole(door, &reader.id);
        faults.extend(reader.fault());
        rewinds += reading.rewinds;
        bytes += reading.text.len();
        if reading.text != log.text {
            let at = reading.text.bytes().zip(log.text.bytes()).take_while(|(a, b)| a == b).count();
            faults.push(format!("{}: another text from byte {at} on", reader.id));
        }
        let answer = |reading: &ReaderState| reading.end.as_ref().map(|end| end["answer"].clone());
        if answer(&reading) != answer(&log) {
            faults.push(format!("{}: another end", reader.id));
        }
    }
    let lost: Vec<&str> = measured.untold.iter().map(String::as_str).collect();
    println!("{faults:?} {lost:?}");
    trial::record(
        "crash",
        "each stream resumed by event ID has, after its rewinds, the log's text; a published end \
         never changes",
        &format!(
            "{followed} of {} jobs followed, {bytes} bytes, {rewinds} rewinds: {} differ, {} ends \
             retracted",
            accepted.len(),
            faults.len(),
            lost.len()
        ),
        faults.is_empty() && lost.is_empty() && followed > 0,
    );
}

fn record_starts(measured: &Measured) {
    let empty = median(&measured.empty);
    let beyond = |start: Duration| start.saturating_sub(empty);
    let (middle, worst) = (median(&measured.starts), measured.starts.iter().max().unwrap());
    let [middle, worst] = [middle, *worst].map(|start| beyond(start).as_millis());
    trial::record(
        "crash",
        "starting with stored jobs takes less than 1 s longer than with an empty data folder",
        &format!(
            "median {middle} ms longer, worst {worst} ms, of {} starts (empty: {} ms)",
            measured.starts.len(),
            empty.as_millis()
        ),
        worst < RECOVERY_MAX.as_millis(),
    );
}
