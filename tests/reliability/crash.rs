//! `kill -9` at random instants while jobs run, again and again on one data folder: while the
//! server starts, while it accepts, at an attempt's end, at a vote, at a job's end, at any time.
//!
//! No accepted job may be lost or duplicated, a published end must not change, and a reader that
//! resumes with the ID of its last event must end with the text of the log. The short form is part
//! of the suite; `make reliability` runs 200 kills over at least 40 jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::reliability::random_client::{
    Accepted, ClientsState, Forget, JobRequest, RandomClient, below,
};
use crate::support::lives::{EventCounts, LiveServer, ReaderState, RestartedServer, whole};
use crate::support::trial;
use crate::support::{model, solverbox};

const SEED: u64 = 9;
/// One kill in this many, a start on an empty folder is measured for comparison.
const EMPTY_EVERY: usize = 8;
/// How much longer a start may take with stored jobs than with an empty folder.
const RECOVERY_MAX: Duration = Duration::from_secs(1);
/// The longest run, and the longest wait for an event to kill the server at.
const LIFE_MICROS: u64 = 1_200_000;
/// About the duration of a start: kills during one fall within.
const START_MICROS: u64 = 200_000;

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
