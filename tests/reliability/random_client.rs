//! A client of a server that is killed again and again: it submits random questions, repeats those
//! without a reply, and finishes, stops, deletes and repeats accepted jobs.
//!
//! It notes what it was promised; `crash` compares that with what the server has in the end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use serde_json::{Value, json};

use crate::support::lives::{EventCounts, JobReader, LiveServer, ReaderState};

/// Jobs that are open at a time.
const OPEN_JOBS: usize = 12;

/// A question and its idempotency key.
#[derive(Clone, Debug)]
pub struct JobRequest {
    pub body: Value,
    /// Without one a client that got no reply cannot know whether its question was accepted.
    pub key: Option<String>,
}

/// A question that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub id: String,
    pub wish: JobRequest,
    /// Whether the client deleted it.
    pub forget: Forget,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forget {
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
pub struct RandomClient {
    pub door: Arc<LiveServer>,
    pub heard: Arc<EventCounts>,
    pub random: ChaCha8Rng,
    pub asked: usize,
    /// Questions without a reply.
    pub again: Vec<JobRequest>,
    pub shared: Arc<ClientsState>,
}

#[derive(Default)]
pub struct ClientsState {
    pub accepted: Mutex<Vec<Accepted>>,
    pub readers: Mutex<Vec<(Arc<JobReader>, JoinHandle<()>)>>,
    /// Questions sent, with or without a reply.
    pub sent: AtomicUsize,
    /// Questions sent again for lack of a reply, and those sent again though accepted.
    pub retried: AtomicUsize,
    pub repeated: AtomicUsize,
    pub faults: Mutex<Vec<String>>,
    pub is_last: AtomicBool,
}

impl RandomClient {
    /// Runs until the last restart, and then until every question has a reply.
    pub fn run(mut self) {
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
