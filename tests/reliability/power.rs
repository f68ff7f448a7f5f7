//! Power cuts: whatever unsynced writes are lost, a start finds everything that was promised.
//!
//! The real server runs under `strace`, several times (one run ends by SIGKILL, one by a crash, one
//! as it should), while clients submit questions and read. `disk` then rebuilds the folder as a cut
//! at many random instants could have left it. At each the journal is opened and compared with what
//! clients had received by then; on some of them a server continues and every reader reconnects.
//!
//! Why a trace: the program is static, so no library can be put in front of its C library, and a
//! file system of our own underneath would have to be trusted as well. A trace can be cut at any of
//! its calls, any number of times, after a single run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::reliability::crash::life;
use crate::reliability::random_client::{JobRequest, ask, below, wish};
use crate::support::disk::{self, FileHistory, Loss};
use crate::support::lives::{
    EventCounts, JobReader, ReaderState, ReceivedEvent, RestartedServer, whole,
};
use crate::support::shape::{Quantized, with_layers};
use crate::support::trial;
use crate::support::{model, not_checked, poll_for, send_signal};
use solverbox::desk::read_crashed_jobs;
use solverbox::store::{Journal, Keeping, StoredJob};

const SEED: u64 = 11;
/// Jobs that are open at a time.
const OPEN_JOBS: usize = 5;
/// Readers that reconnect to a restarted server.
const READERS_MAX: usize = 24;
/// Seconds of a running answer that a power cut may take: the default of `--sync-seconds`.
const SYNC_SECONDS: f64 = 2.0;
/// Seconds the journal's thread may have to wait for a core, in addition to the time of a sync.
const WAIT_SECONDS: f64 = 0.5;
/// Layers of the slow model, which makes about ten tokens a second on one core.
const SLOW_LAYERS: u64 = 4;

/// A client's job and the events it received.
#[derive(Default)]
struct PowerJob {
    id: String,
    accepted: f64,
    /// When it was about to be deleted, and when it was.
    forgotten: Option<(f64, f64)>,
    told: Vec<ReceivedEvent>,
}

/// The recorded run.
struct PowerRun {
    history: FileHistory,
    asked: Vec<PowerJob>,
    /// When the process was killed or crashed.
    deaths: Vec<f64>,
    model: String,
    /// Seconds after which text that a client has is on the disk.
    bound: f64,
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn now() -> f64 {
    seconds(SystemTime::now())
}

/// Returns the server's process ID from its lock file: `strace` started it.
fn pid(data: &Path) -> u32 {
    let lock = std::fs::read_to_string(data.join("lock")).unwrap();
    lock.split(' ').next().unwrap().parse().unwrap()
}

/// A traced server and what its client does.
struct PowerRecording {
    data: tempfile::TempDir,
    traces: tempfile::TempDir,
    lives: RestartedServer,
    lived: usize,
    random: ChaCha8Rng,
    asked: Vec<PowerJob>,
    readers: Vec<(Arc<JobReader>, std::thread::JoinHandle<()>)>,
    deaths: Vec<f64>,
}

impl PowerRecording {
    fn of(model: &Path) -> PowerRecording {
        let (data, traces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (plain, to) = (life(model, data.path()), traces.path().to_path_buf());
        let lived = std::cell::Cell::new(0);
        let lives = RestartedServer::new(move || {
            lived.set(lived.get() + 1);
            disk::traced(&plain(), &trace(&to, lived.get()))
        });
        let random = ChaCha8Rng::seed_from_u64(SEED);
        let (asked, readers, deaths) = (Vec::new(), Vec::new(), Vec::new());
        PowerRecording { data, traces, lives, lived: 0, random, asked, readers, deaths }
    }

    fn begin(&mut self) {
        self.lived += 1;
        self.lives.begin();
        self.lives.wait_ready();
    }

    fn end(&mut self, signal: &str) {
        send_signal(pid(self.data.path()), signal);
        self.lives.wait_end();
        self.deaths.extend((signal != "TERM").then(now));
    }

    /// Submits a question and follows the job.
    fn ask(&mut self, wish: &JobRequest) {
        let id = ask(&self.lives.door, wish).expect("the server runs");
        let accepted = now();
        let heard = Arc::default();
        self.readers.push(JobReader::follow(&self.lives.door, &id, ReaderState::default(), &heard));
        self.asked.push(PowerJob { id, accepted, ..PowerJob::default() });
    }

    /// Submits a question and deletes the job.
    fn ask_and_forget(&mut self, wish: &JobRequest) {
        let id = ask(&self.lives.door, wish).expect("the server runs");
        let accepted = now();
        let path = format!("/api/jobs/{id}");
        let (status, text) = self.lives.door.ask("DELETE", &path, "", "").unwrap();
        assert_eq!(status, 204, "{text}");
        let forgotten = Some((accepted, now()));
        self.asked.push(PowerJob { id, accepted, forgotten, ..PowerJob::default() });
    }

    /// Submits and deletes for a time: long enough for many syncs.
    fn ask_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let is_open = |state: &Value| state == "queued" || state == "running";
            let has_room = || {
                let listed = self.lives.door.list();
                listed.iter().filter(|job| is_open(&job["state"])).count() < OPEN_JOBS
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || poll_for(left, || has_room().then_some(())).is_none() {
                return;
            }
            let wish = wish(&mut self.random, self.asked.len());
            match below(&mut self.random, 6) {
                0 => self.ask_and_forget(&wish),
                _ => self.ask(&wish),
            }
        }
    }

    fn finish(mut self) -> PowerRun {
        let mut history = FileHistory::of(self.data.path());
        (1..=self.lived).for_each(|life| history.add(&trace(self.traces.path(), life)));
        check_history(&history, self.data.path());
        for (reader, thread) in self.readers {
            reader.give_up();
            thread.join().unwrap();
            assert_eq!(reader.fault(), None);
            let asked = self.asked.iter_mut().find(|asked| asked.id == reader.id).unwrap();
            asked.told = reader.now().1;
        }
        let own = Connection::open(self.data.path().join("journal.sqlite")).unwrap();
        let model = own.query_row("SELECT model FROM job LIMIT 1", [], |row| row.get(0)).unwrap();
        let bound = SYNC_SECONDS + WAIT_SECONDS + 2.0 * history.slowest_sync();
        PowerRun { history, asked: self.asked, deaths: self.deaths, model, bound }
    }
}

fn trace(folder: &Path, life: usize) -> PathBuf {
    folder.join(format!("life{life}"))
}

/// Records several runs with clients, of which one starts after a kill and one after a crash.
fn many_lives() -> PowerRun {
    let mut recording = PowerRecording::of(&model());
    for end in ["KILL", "ABRT", "TERM"] {
        recording.begin();
        recording.ask_for(Duration::from_millis(trial::form(3_000, 10_000)));
        recording.end(end);
    }
    recording.begin();
    recording.lives.door.wait_all_over();
    recording.end("TERM");
    recording.finish()
}

/// Records a few long answers of a model of VibeThinker's width, so slow that only the timer makes
/// the journal sync.
fn slow_life() -> PowerRun {
    let mut recording = PowerRecording::of(&with_layers(Quantized::Q4_0, SLOW_LAYERS));
    recording.begin();
    for number in 0..3 {
        let question = format!("Question {number}: what is 2+2?");
        let body = json!({"question": question, "mode": "plain", "budget_tokens": 2000});
        recording.ask(&JobRequest { body, key: None });
    }
    // The duration is under test: only the timer makes the journal sync.
    std::thread::sleep(Duration::from_millis(trial::form(9_000, 40_000)));
    recording.end("KILL");
    recording.finish()
}

/// Checks that the trace yields the actual files; without that the trial proves nothing.
fn check_history(history: &FileHistory, data: &Path) {
    let end = history.end();
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if path.is_file() && !name.ends_with("-shm") {
            let is_same = end.get(&name) == Some(&std::fs::read(&path).unwrap());
            assert!(is_same, "{name} differs from its trace");
        }
    }
    assert!(end.keys().all(|name| data.join(name).exists()), "{:?}", end.keys());
}

/// About how many calls of a first start change files.
const FIRST_START_STEPS: usize = 80;

/// Chooses when the power is cut: at any time, or during a call that changes a file, of the whole
/// run or of the first start.
fn instant(run: &PowerRun, random: &mut ChaCha8Rng) -> f64 {
    let instants = run.history.instants();
    let (first, last) = (instants[0], instants[instants.len() - 1] + 0.5);
    let share = f64::from(random.next_u32()) / f64::from(u32::MAX);
    let kind = below(random, 8);
    let mut within = |of: usize| instants[below(random, of.min(instants.len()))] + share * 0.002;
    match kind {
        0..3 => first + share * (last - first),
        3 => within(FIRST_START_STEPS),
        _ => within(instants.len()),
    }
}

/// Writes the files that a cut leaves into a folder.
fn put(files: &BTreeMap<String, Vec<u8>>, folder: &Path) {
    files.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
}

/// The violations found, and how much text was lost.
#[derive(Default)]
struct PowerFound {
    damaged: Vec<String>,
    lost: Vec<String>,
    twice: Vec<String>,
    texts: Vec<String>,
    /// Age in seconds of the oldest text lost to a cut.
    oldest: f64,
    readers: usize,
    rewinds: usize,
    /// Servers that continued after a cut.
    started: usize,
}

/// A reader's state at an instant.
struct Had {
    reading: ReaderState,
    /// Bytes that must have survived.
    safe: usize,
    /// When it received text, with the bytes it had then.
    got: Vec<(usize, f64)>,
}

impl PowerRun {
    /// Replays the events a reader received before `at`.
    fn had(&self, asked: &PowerJob, at: f64) -> Had {
        let mut had = Had { reading: ReaderState::default(), safe: 0, got: Vec::new() };
        let ends: Vec<f64> =
            self.deaths.iter().copied().filter(|&end| end < at).chain([at]).collect();
        for told in asked.told.iter().filter(|told| seconds(told.at) < at) {
            had.reading.take(told).unwrap();
            let (bytes, got) = (had.reading.text.len(), seconds(told.at));
            // A killed process loses what a power cut loses.
            let is_safe = ends.iter().all(|end| !(got..got + self.bound).contains(end));
            had.safe = if is_safe { bytes } else { had.safe.min(bytes) };
            had.got.retain(|(before, _)| *before < bytes);
            had.got.push((bytes, got));
        }
        had
    }

    /// Opens the journal that a cut left and compares it with the events before the cut.
    fn compare(&self, at: f64, folder: &Path, found: &mut PowerFound) {
        let keeping = Keeping {
            sync: Duration::from_secs(3600),
            history: Duration::from_secs(1 << 30),
            history_bytes: 1 << 40,
            model: self.model.clone(),
        };
        let crashed = read_crashed_jobs(&std::fs::read(folder.join("crashed")).unwrap_or_default());
        let (journal, recovered) = Journal::open(folder, keeping, &crashed).unwrap();
        if let Some(aside) = recovered.aside {
            found.damaged.push(format!("at {at} the journal was set aside as {}", aside.display()));
        }
        let mut all: Vec<_> = journal.list(None, None, 100).unwrap();
        while let Some(last) = all.last().map(|job| job.id)
            && let more = journal.list(None, Some(last), 100).unwrap()
            && !more.is_empty()
        {
            all.extend(more);
        }
        let asked_of: BTreeSet<&str> =
            all.iter().map(|job| job.question.turns[0].text.as_str()).collect();
        if asked_of.len() != all.len() {
            found.twice.push(format!("at {at}: {} jobs, {} questions", all.len(), asked_of.len()));
        }
        for asked in self.asked.iter().filter(|asked| asked.accepted < at) {
            let kept = journal.find(asked.id.parse().unwrap()).unwrap();
            match (kept, asked.forgotten) {
                (None, None) => found.lost.push(format!("{} at {at}", asked.id)),
                (Some(_), Some((_, gone))) if gone < at => {
                    found.lost.push(format!("{} is back at {at}", asked.id));
                }
                (Some(kept), None) => self.compare_texts(at, asked, &kept, found),
                _ => {}
            }
        }
        drop(journal);
        let own = Connection::open(folder.join("journal.sqlite")).unwrap();
        let check: String = own.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let crashes: Option<u32> =
            own.query_row("SELECT max(crashes) FROM job", [], |row| row.get(0)).unwrap();
        // The server crashed once.
        if check != "ok" || crashes > Some(1) {
            found.damaged.push(format!("at {at}: {check}, {crashes:?} crashes"));
        }
    }

    fn compare_texts(&self, at: f64, asked: &PowerJob, kept: &StoredJob, found: &mut PowerFound) {
        let had = self.had(asked, at);
        let pieces = kept.log.iter().flat_map(|(_, gain)| &gain.pieces);
        let log: String = pieces.map(|piece| piece.text.as_str()).collect();
        let place = had.reading.place.parse().unwrap_or_default();
        let survived = kept.cuts.survived(place).min(log.len());
        if log.as_bytes()[..survived] != had.reading.text.as_bytes()[..survived] {
            found.texts.push(format!("{} at {at}: another text", asked.id));
        }
        if survived < had.safe {
            let safe = had.safe;
            found.texts.push(format!("{} at {at}: {survived} of {safe} safe bytes", asked.id));
        }
        if had.reading.end.is_some() && kept.end.is_none() {
            found.texts.push(format!("{} at {at}: it had ended", asked.id));
        }
        found.readers += usize::from(!had.reading.text.is_empty());
        let lost = had.got.iter().find(|(bytes, _)| *bytes > survived).map(|(_, got)| *got);
        if let Some(lost) = lost {
            found.rewinds += 1;
            // Text lost to an earlier kill does not count for the cut.
            if self.deaths.iter().all(|death| !(lost..at).contains(death)) {
                found.oldest = found.oldest.max(at - lost);
            }
        }
    }

    /// Starts a server on the files of a cut; the readers reconnect to it.
    fn go_on(&self, at: f64, folder: &Path, found: &mut PowerFound) {
        let mut lives = RestartedServer::new(life(&model(), folder));
        lives.begin();
        lives.wait_ready();
        let heard = Arc::<EventCounts>::default();
        let there: Vec<&PowerJob> =
            self.asked.iter().filter(|a| a.accepted < at && a.forgotten.is_none()).collect();
        // Of the readers that have the end only the latest: the number of connections is limited.
        let mut had: Vec<_> =
            there.iter().rev().map(|a| (&a.id, self.had(a, at).reading)).collect();
        had.sort_by_key(|(_, reading)| reading.end.is_some());
        let follow = |(id, reading): (&String, ReaderState)| {
            let reading = ReaderState { end: None, ..reading };
            JobReader::follow(&lives.door, id, reading, &heard)
        };
        let readers: Vec<_> = had.into_iter().take(READERS_MAX).map(follow).collect();
        lives.door.wait_all_over();
        for (reader, thread) in readers {
            thread.join().unwrap();
            found.texts.extend(reader.fault());
            if reader.now().0.text != whole(&lives.door, &reader.id).text {
                found.texts.push(format!("{} at {at}: another text in the end", reader.id));
            }
        }
        let listed = lives.door.list();
        for asked in there {
            let its: Vec<_> = listed.iter().filter(|job| job["id"] == json!(asked.id)).collect();
            match its.as_slice() {
                [job] if job["state"] != "failed" => {}
                its => found.lost.push(format!("{} continues as {its:?} from {at}", asked.id)),
            }
        }
    }
}

/// Cuts the power of a run `cuts` times; after one cut in `every` a server continues.
fn cut(run: &PowerRun, cuts: usize, every: usize) -> PowerFound {
    let mut random = ChaCha8Rng::seed_from_u64(SEED + 1);
    let mut found = PowerFound::default();
    for cut in 0..cuts {
        let at = instant(run, &mut random);
        let loss = [Loss::All, Loss::Pages, Loss::Sectors][cut % 3];
        let files = run.history.cut(at, loss, &mut random);
        let folder = tempfile::tempdir().unwrap();
        put(&files, folder.path());
        run.compare(at, folder.path(), &mut found);
        if cut % every == every / 2 {
            let folder = tempfile::tempdir().unwrap();
            put(&files, folder.path());
            run.go_on(at, folder.path(), &mut found);
            found.started += 1;
        }
    }
    let PowerFound { damaged, lost, twice, texts, .. } = &found;
    println!("{damaged:#?} {lost:#?} {twice:#?} {texts:#?}");
    found
}

#[test]
fn a_power_cut_at_any_instant_loses_nothing_that_was_promised() {
    if !disk::can_trace() {
        return not_checked("power cuts, because `strace --seccomp-bpf` fails here");
    }
    let (run, cuts) = (many_lives(), trial::form(60, 400));
    let found = cut(&run, cuts, trial::form(20, 40));
    let PowerFound { damaged, lost, twice, texts, readers, rewinds, .. } = &found;
    trial::record(
        "power",
        "the journal is intact after a power cut that loses unsynced writes, and never set aside",
        &format!(
            "{cuts} cuts among {} file operations, {} servers started on the result: {} damaged",
            run.history.instants().len(),
            found.started,
            damaged.len()
        ),
        damaged.is_empty(),
    );
    trial::record(
        "power",
        "0 accepted jobs lost, 0 duplicated, no deleted job returns",
        &format!("{} jobs: {} lost, {} duplicated", run.asked.len(), lost.len(), twice.len()),
        lost.is_empty() && twice.is_empty(),
    );
    trial::record(
        "power",
        "after its rewinds, each reader has the log's text; a published end never changes",
        &format!("{readers} readers interrupted, {rewinds} rewound: {} differ", texts.len()),
        texts.is_empty() && *readers > 0,
    );
}

#[test]
fn a_power_cut_loses_at_most_two_seconds_of_a_slow_answer() {
    if !disk::can_trace() {
        return not_checked("power cuts, because `strace --seccomp-bpf` fails here");
    }
    let (run, cuts) = (slow_life(), trial::form(60, 300));
    let found = cut(&run, cuts, usize::MAX);
    let PowerFound { damaged, lost, twice, texts, readers, rewinds, oldest, .. } = &found;
    trial::record(
        "power",
        "readers rewind by no more than 2 s of text plus the duration of a sync",
        &format!(
            "{readers} readers of slow answers interrupted, {rewinds} rewound, by {oldest:.2} s at most; \
             slowest sync {:.0} ms: {} beyond the limit",
            run.history.slowest_sync() * 1000.0,
            texts.len()
        ),
        // The lost text must be nearly as old as allowed, or the bound was not tested.
        [damaged, lost, twice, texts].iter().all(|list| list.is_empty()) && *oldest > 1.0,
    );
}
