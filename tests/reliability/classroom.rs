//! A lesson: many clients with questions in mixed modes, one after the other, some of which
//! disconnect during an answer. All questions end as they should, all clients get about the same
//! share, and nothing is left behind.

use std::os::unix::net::UnixDatagram;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::reliability::signals::{ManagerInbox, managed};
use crate::support::trial;
use crate::support::{PATIENCE, Stream, TestServer, chat};

const TRIAL: &str = "classroom";
/// Memory a server may take more at the end of a lesson than once all clients had begun, in kB: the
/// prefix cache of ended conversations.
const GROWTH_KB_MAX: u64 = 8 << 10;

/// One pupil.
struct Pupil {
    number: usize,
    /// Whether it leaves halfway, during an answer.
    leaves: bool,
}

/// What became of a pupil's questions.
#[derive(Default)]
struct Account {
    asked: usize,
    finished: usize,
    stopped: usize,
    tokens: u64,
}

impl Pupil {
    /// Asks until the lesson ends or the pupil leaves.
    fn attend(&self, served: &TestServer, lesson: Duration) -> Account {
        let (began, mut account) = (Instant::now(), Account::default());
        loop {
            let time = began.elapsed();
            let is_leaving = self.leaves && time > lesson / 2;
            if time > lesson {
                return account;
            }
            let mut stream = self.ask(served, account.asked);
            account.asked += 1;
            if is_leaving {
                stream.wait_for_text();
                account.stopped += 1;
                // Dropping the stream disconnects.
                return account;
            }
            let events = stream.events();
            let ended =
                events.iter().find_map(|event| event["choices"][0]["finish_reason"].as_str());
            assert!(matches!(ended, Some("stop" | "length")), "pupil {}: {events:?}", self.number);
            account.finished += 1;
            let tokens =
                events.last().and_then(|event| event["usage"]["completion_tokens"].as_u64());
            account.tokens += tokens.expect("usage comes last");
        }
    }

    /// Asks the question of this index; mode, length and voting differ from one to the next.
    fn ask(&self, served: &TestServer, index: usize) -> Stream {
        let turn = self.number * 7 + index * 5;
        let mode = ["math", "plain", "hint", "code", "proof"][turn % 5];
        let mut body = json!({
            "model": format!("solverbox:{mode}"), "stream": true, "stream_options": {"include_usage": true},
            "temperature": 0.8, "seed": turn, "max_tokens": 100 + 40 * (turn % 7),
            "messages": [{"role": "user", "content": format!("What is {}+{}?", turn % 90, index)}],
        });
        match turn % 4 {
            0 if matches!(mode, "math" | "plain") => body["attempts"] = 3.into(),
            // As long as the answer to a hard question.
            1 | 2 => body["ignore_eos"] = true.into(),
            _ => {}
        }
        served.stream_as(&format!("Authorization: Bearer client-{}\r\n", self.number), &chat(body))
    }
}

/// Jain's fairness index: 1 if all have the same share, 1/n if one has everything.
fn fairness(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[test]
fn the_fairness_index_is_one_for_equal_shares_and_less_for_others() {
    assert!((fairness(&[3.0, 3.0, 3.0]) - 1.0).abs() < 1e-9);
    assert!((fairness(&[1.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-9);
}

#[test]
fn a_lesson_ends_well_for_all_clients_and_leaves_nothing_behind() {
    let (clients, lesson) =
        trial::form((10, Duration::from_secs(20)), (30, Duration::from_secs(600)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let mut manager = ManagerInbox::on(UnixDatagram::bind(&path).unwrap());
    let served = managed(path.to_str().unwrap(), Duration::from_secs(2));
    manager.wait_for("READY=1");
    let pupils: Vec<Pupil> =
        (0..clients).map(|number| Pupil { number, leaves: number % 10 == 3 }).collect();
    let (warm, began) = (lesson / 5, Instant::now());
    let mut memory = 0;
    let accounts: Vec<Account> = thread::scope(|scope| {
        let served = &served;
        let attending: Vec<_> =
            pupils.iter().map(|pupil| scope.spawn(move || pupil.attend(served, lesson))).collect();
        while !attending.iter().all(ScopedJoinHandle::is_finished) {
            // A message a second serves as a clock; unread they would fill the socket.
            manager.next();
            if began.elapsed() < warm {
                memory = served.status("VmRSS");
            }
        }
        attending.into_iter().map(|pupil| pupil.join().unwrap()).collect()
    });
    let is_idle = |text: &String| text.lines().any(|line| line == "STATUS=ready");
    let last = |manager: &ManagerInbox| {
        manager.messages.iter().rfind(|text| text.contains("STATUS=")).is_some_and(is_idle)
    };
    while !last(&manager) {
        assert!(
            began.elapsed() < lesson + PATIENCE,
            "the server is still busy: {:?}",
            manager.messages.last()
        );
        manager.next();
    }
    let grown = served.status("VmRSS").saturating_sub(memory);
    let sum = |of: fn(&Account) -> usize| accounts.iter().map(of).sum::<usize>();
    let (asked, finished, stopped) = (sum(|a| a.asked), sum(|a| a.finished), sum(|a| a.stopped));
    let leavers = pupils.iter().filter(|pupil| pupil.leaves).count();
    let length = lesson.as_secs();
    let must = format!(
        "{clients} clients, {length} s: every job finishes or is stopped on request; the server is idle \
         afterwards"
    );
    let measured = format!("{asked} questions, {finished} finished, {stopped} stopped, none left");
    trial::record(TRIAL, &must, &measured, finished + stopped == asked && stopped == leavers);
    let stayed = pupils.iter().zip(&accounts).filter(|(pupil, _)| !pupil.leaves);
    let shares: Vec<f64> =
        stayed.map(|(_, account)| account.tokens as f64 / lesson.as_secs_f64()).collect();
    let index = fairness(&shares);
    let (least, most) =
        shares.iter().fold((f64::MAX, 0.0_f64), |(low, high), &s| (low.min(s), high.max(s)));
    let measured = format!("{index:.3} ({least:.1} to {most:.1} tokens/s)");
    trial::record(
        TRIAL,
        "Jain's fairness index of the tokens/s of clients that stayed is at least 0.9",
        &measured,
        index >= 0.9,
    );
    let measured = format!("{:.1} MB more", grown as f64 * 1024.0 / 1e6);
    trial::record(
        TRIAL,
        "memory grows by at most 8 MiB once all clients have started",
        &measured,
        grown < GROWTH_KB_MAX,
    );
}
