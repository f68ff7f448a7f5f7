//! Votes on recorded jobs: what early stopping changes and saves, and what voting gains.
//!
//! `eval` records 8 attempts at questions the demo model knows, and at some outside its training
//! data, where its answers vary; the votes are then repeated on the records. Mean log-probabilities
//! are not recorded: ties go to the earlier attempt. `make votes` uses more than 500 jobs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::{model, root, solverbox, text};
use solverbox::answers::value::{Value as Answer, of_reply};
use solverbox::answers::vote::{Ballot, Tally};
use solverbox::types::limits;

/// Set to run all jobs.
const TRIALS: &str = "VOTES_TRIALS";
/// Attempts of a job.
const ATTEMPTS: usize = 8;
/// Share of votes that may end with another winner than all attempts would give.
const STATED_ERROR: f64 = 1.0 - limits::VOTE_CHANCE_ENOUGH;

struct VotingAttempt {
    value: Option<Answer>,
    tokens: u64,
    is_right: bool,
}

struct VotingJob {
    scores: Value,
    jobs: Vec<Vec<VotingAttempt>>,
}

/// 50 jobs, or two for each question.
static RUN: LazyLock<VotingJob> = LazyLock::new(|| {
    let all = std::env::var_os(TRIALS).is_some();
    // One question in five of those it knows, one in eight of the others.
    let sets = [("arithmetic-heldout", 5), ("binary-heldout", 8)].map(|(name, step)| {
        let set = std::fs::read_to_string(root().join(format!("tests/data/{name}.jsonl"))).unwrap();
        set.lines().step_by(if all { 1 } else { step }).map(|line| format!("{line}\n")).collect()
    });
    let sets: [String; 2] = sets;
    run(&sets.concat(), if all { 2 * ATTEMPTS } else { ATTEMPTS })
});

fn run(set: &str, attempts: usize) -> VotingJob {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("set.jsonl"), folder.path().join("records.jsonl"));
    std::fs::write(&file, set).unwrap();
    let mut command = solverbox();
    // Hot enough for votes that are not unanimous: about 0.7 of the answers it knows are right.
    command.args(["eval", "--json", "--threads", "1", "--temperature", "1.5", "--model"]);
    command.arg(model()).arg("--set").arg(&file).arg("--out").arg(&out);
    let output = command.arg("--attempts").arg(attempts.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut questions: BTreeMap<String, Vec<VotingAttempt>> = BTreeMap::new();
    for line in std::fs::read_to_string(&out).unwrap().lines().skip(1) {
        let record: Value = serde_json::from_str(line).unwrap();
        let attempt = VotingAttempt {
            value: of_reply(record["answer"].as_str().unwrap()),
            tokens: record["completion_tokens"].as_u64().unwrap(),
            is_right: record["right"].as_bool().unwrap(),
        };
        questions.entry(record["id"].to_string()).or_default().push(attempt);
    }
    let mut jobs = Vec::new();
    for mut question in questions.into_values() {
        assert_eq!(question.len(), attempts);
        while !question.is_empty() {
            jobs.push(question.drain(..ATTEMPTS).collect());
        }
    }
    VotingJob { scores: serde_json::from_slice(&output.stdout).unwrap(), jobs }
}

/// The order in which a job's attempts end.
#[derive(Clone, Copy, Debug)]
enum EndTimes {
    /// One after the other, each a fair sample.
    InTurn,
    /// Concurrently, the shortest first, which may favour another answer than the long ones.
    ByLength,
}

struct SimulatedVote<'a> {
    first: &'a Option<Answer>,
    /// The winner when the vote was decided.
    early: Option<Answer>,
    is_right: bool,
    full: Option<Answer>,
    ended: usize,
    /// Share of all the attempts' tokens drawn by then.
    tokens: f64,
}

fn vote(job: &[VotingAttempt], ends: EndTimes) -> SimulatedVote<'_> {
    let mut order: Vec<usize> = (0..job.len()).collect();
    if let EndTimes::ByLength = ends {
        order.sort_by_key(|&at| job[at].tokens);
    }
    let mut tally = Tally::new(job.len() as u32);
    let leading = |tally: &Tally| tally.votes().first().map(|vote| vote.value.clone());
    let mut decided = None;
    for (&at, ended) in order.iter().zip(1..) {
        let value = job[at].value.clone();
        tally.add(Ballot { attempt: at as u32, value, mean_logprob: 0.0 });
        if decided.is_none() && tally.is_decided() {
            let winner = &job[tally.winner().unwrap() as usize];
            decided = Some((leading(&tally), winner.is_right, ended));
        }
    }
    let (early, is_right, ended) = decided.expect("all attempts decide it");
    let longest = job[order[ended - 1]].tokens;
    let made = |(place, &at): (usize, &usize)| match ends {
        EndTimes::InTurn if place < ended => job[at].tokens,
        EndTimes::InTurn => 0,
        EndTimes::ByLength => job[at].tokens.min(longest),
    };
    let made: u64 = order.iter().enumerate().map(made).sum();
    let tokens = made as f64 / job.iter().map(|attempt| attempt.tokens).sum::<u64>() as f64;
    let first = &job[order[0]].value;
    SimulatedVote { first, early, is_right, full: leading(&tally), ended, tokens }
}

/// Returns the probability that at most `differing` of `jobs` votes have another winner, if each
/// has one with the stated error (the sum of the binomial distribution).
fn at_most(differing: usize, jobs: usize) -> f64 {
    let odds = STATED_ERROR / (1.0 - STATED_ERROR);
    let none = (1.0 - STATED_ERROR).powi(jobs as i32);
    let next = |chance: &mut f64, k: usize| {
        let this = *chance;
        *chance *= odds * (jobs - k) as f64 / (k + 1) as f64;
        Some(this)
    };
    (0..=differing).scan(none, next).sum()
}

/// Returns whether the stated error gives this many or more in under 1 of 1,000 cases.
fn refutes(differing: usize, jobs: usize) -> bool {
    differing > 0 && 1.0 - at_most(differing - 1, jobs) < 0.001
}

#[test]
fn a_vote_stopped_early_has_the_winner_of_all_attempts_within_the_stated_error() {
    let jobs = &RUN.jobs;
    for ends in [EndTimes::InTurn, EndTimes::ByLength] {
        let votes: Vec<SimulatedVote> = jobs.iter().map(|job| vote(job, ends)).collect();
        let differing = votes.iter().filter(|vote| vote.early != vote.full).count();
        let ended: usize = votes.iter().map(|vote| vote.ended).sum();
        let tokens = votes.iter().map(|vote| vote.tokens).sum::<f64>() / jobs.len() as f64;
        let what = format!(
            "{ends:?}: {differing} of {} votes have another winner; {ended} of {} attempts ended, \
             {:.0} % of the tokens were made",
            jobs.len(),
            jobs.len() * ATTEMPTS,
            100.0 * tokens
        );
        println!("{what}");
        assert!(!refutes(differing, jobs.len()), "{what}");
        // 50 jobs can refute the stated error, but only hundreds can confirm it.
        assert!(jobs.len() < 500 || at_most(differing, jobs.len()) < 0.01, "{what}");
        assert!(ended * 10 < jobs.len() * ATTEMPTS * 9 && tokens < 1.0, "{what}");
        let hasty = votes.iter().filter(|vote| *vote.first != vote.full).count();
        assert!(refutes(hasty, jobs.len()), "too easy: {hasty} first answers lose, and {what}");
    }
}

#[test]
fn a_vote_is_right_more_often_than_an_attempt() {
    let one = &RUN.scores["pass_at_1"];
    for ends in [EndTimes::InTurn, EndTimes::ByLength] {
        let right = RUN.jobs.iter().filter(|job| vote(job, ends).is_right).count();
        let voted = right as f64 / RUN.jobs.len() as f64;
        println!("{ends:?}: {voted} of the votes are right, of the attempts {one}");
        assert!(voted > one["high"].as_f64().unwrap(), "{ends:?}: {voted}, {one}");
    }
}
