//! Estimates against boxes in miniature whose jobs take what they take: a seeded crowd asks, the
//! real turns share the slots, and each time told is compared with what came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::desk::fair_queue::{FairQueue, Move};
use crate::types::job::AttemptId;
use crate::types::mode::Modes;

const STEP_SECONDS: f64 = 0.1;
/// The speed assumed at first for the model of these tests.
const GUESSED: f64 = 6.5;

fn fresh() -> Estimates {
    Estimates::for_model(1_000_000_000)
}

struct SimulatedJob {
    client: Client,
    mode: Arc<Mode>,
    /// Tokens had, and tokens it will take, of each attempt that has not ended.
    attempts: BTreeMap<AttemptId, (u32, u32)>,
}

struct Crowd {
    random: ChaCha8Rng,
    modes: [Arc<Mode>; 2],
    estimates: Estimates,
    queue: FairQueue,
    slots: usize,
    scheduled: BTreeSet<AttemptId>,
    jobs: BTreeMap<JobId, SimulatedJob>,
    last: u64,
    steps: u32,
}

impl Crowd {
    fn new(slots: usize, seed: u64) -> Crowd {
        let modes = Modes::built_in();
        Crowd {
            random: ChaCha8Rng::seed_from_u64(seed),
            modes: ["math", "hint"].map(|name| modes.find(name).unwrap()),
            estimates: fresh(),
            queue: FairQueue::new(slots, limits::TURN_TOKENS),
            slots,
            scheduled: BTreeSet::new(),
            jobs: BTreeMap::new(),
            last: 0,
            steps: 0,
        }
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.random.next_u32() % bound
    }

    /// A length nobody is told: log-normal, of another middle and width in each mode.
    fn length(&mut self, mode: usize) -> u32 {
        let sum: f64 = (0..12).map(|_| f64::from(self.random.next_u32()) / 2_f64.powi(32)).sum();
        let (median, width) = [(400.0, 0.8), (60.0, 0.4)][mode];
        (median * (width * (sum - 6.0)).exp()).ceil() as u32
    }

    fn ask(&mut self) {
        let mode = self.below(2) as usize;
        let client = Client::of("test", &[self.below(6) as u8]);
        self.last += 1;
        let (job, mut attempts) = (JobId(self.last), BTreeMap::new());
        for number in 0..=self.below(3) {
            let attempt = AttemptId { job, number };
            attempts.insert(attempt, (0, self.length(mode)));
            self.queue.add(client, attempt);
        }
        self.jobs.insert(job, SimulatedJob { client, mode: self.modes[mode].clone(), attempts });
    }

    /// One step; returns the jobs that are over.
    fn step(&mut self) -> Vec<JobId> {
        for change in self.queue.assign() {
            match change {
                Move::Run(attempt) => self.scheduled.insert(attempt),
                Move::Park(attempt) => self.scheduled.remove(&attempt),
            };
        }
        let count = self.scheduled.len();
        for attempt in self.scheduled.clone() {
            self.queue.charge(attempt, 1);
            let asked = self.jobs.get_mut(&attempt.job).unwrap();
            let (had, length) = asked.attempts.get_mut(&attempt).unwrap();
            *had += 1;
            if had == length {
                self.estimates.learn(&asked.mode, *length, LengthKind::Complete);
                asked.attempts.remove(&attempt);
                self.queue.remove(attempt);
                self.scheduled.remove(&attempt);
            }
        }
        self.estimates.measure(count, count as u32, STEP_SECONDS);
        self.steps += 1;
        let over = self.jobs.extract_if(.., |_, asked| asked.attempts.is_empty());
        over.map(|(job, _)| job).collect()
    }

    fn etas(&self) -> BTreeMap<JobId, Eta> {
        let pending: Vec<Pending> =
            self.jobs.iter().map(|(&job, asked)| pending(job, asked)).collect();
        let etas = self.estimates.etas(self.slots, &pending);
        pending.iter().map(|pending| pending.job).zip(etas).collect()
    }
}

fn pending(job: JobId, asked: &SimulatedJob) -> Pending {
    Pending {
        job,
        client: asked.client,
        mode: asked.mode.clone(),
        budget_tokens: asked.mode.budget_tokens,
        generated: asked.attempts.values().map(|(had, _)| *had).collect(),
        needed: asked.attempts.len(),
    }
}

/// How many of the times told were above what came, right, and below.
fn told_and_came(known: u64, seeds: u64) -> [f64; 4] {
    let mut counts = [0.0; 3];
    let mut late = 0.0;
    for seed in 0..seeds {
        let mut crowd = Crowd::new(1 + seed as usize % 8, seed);
        // What is learnt before anything is told.
        for _ in 0..known {
            for mode in 0..2 {
                let tokens = crowd.length(mode);
                let name = crowd.modes[mode].clone();
                crowd.estimates.learn(&name, tokens, LengthKind::Complete);
            }
        }
        (0..12).for_each(|_| crowd.ask());
        for _ in 0..crowd.below(300) {
            crowd.step();
        }
        let (told, from) = (crowd.etas(), crowd.steps);
        while !crowd.jobs.is_empty() {
            for job in crowd.step() {
                let Some(eta) = told.get(&job) else { continue };
                let took = f64::from(crowd.steps - from) * STEP_SECONDS;
                counts[usize::from(took >= eta.low) + usize::from(took > eta.high)] += 1.0;
                late += f64::from(u8::from(took > eta.seconds));
            }
        }
    }
    let total: f64 = counts.iter().sum();
    [counts[0], counts[1], counts[2], late].map(|count| count / total)
}

#[test]
fn four_of_five_jobs_are_over_between_low_and_high() {
    for known in [15, 100] {
        let [sooner, between, later, late] = told_and_came(known, 60);
        let shares = format!("{sooner:.2} {between:.2} {later:.2}, {late:.2} past the median");
        assert!((0.74..0.87).contains(&between), "{shares}");
        assert!(sooner < 0.2 && later < 0.1 && (0.3..0.6).contains(&late), "{shares}");
    }
}

/// What is assumed of unknown modes is far too long for this crowd: kinder than too short.
#[test]
fn what_is_told_before_much_is_known_is_seldom_too_short() {
    let [_, _, later, late] = told_and_came(1, 60);
    assert!(later < 0.05 && late < 0.2, "{later} {late}");
}

fn one(job: u64, generated: &[u32]) -> Pending {
    static MATH: LazyLock<Arc<Mode>> = LazyLock::new(|| Modes::built_in().find("math").unwrap());
    Pending {
        job: JobId(job),
        client: Client::of("test", b""),
        mode: MATH.clone(),
        budget_tokens: 32_768,
        generated: generated.to_vec(),
        needed: generated.len(),
    }
}

#[test]
fn a_job_that_lasts_longer_than_any_before_is_not_said_to_be_over() {
    let mut estimates = fresh();
    let job = one(1, &[30_000]);
    (0..50).for_each(|_| estimates.learn(&job.mode, 1_000, LengthKind::Complete));
    let eta = estimates.etas(1, &[job])[0];
    assert!(eta.low > 1.0 && eta.high <= 2_768.0 / GUESSED + 1.0, "{eta:?}");
}

#[test]
fn an_estimate_comes_nearer_as_tokens_come_and_does_not_jump() {
    let estimates = fresh();
    let at = |had| estimates.etas(1, &[one(1, &[had])])[0].seconds;
    let mut last = at(0);
    for had in (100..5_000).step_by(100) {
        let next = at(had);
        let fell = (last - next) * GUESSED;
        // As nothing ends, what is left looks longer than it did; but never by much.
        assert!((-60.0..=100.0).contains(&fell), "{fell} tokens nearer after 100, at {had}");
        last = next;
    }
}

#[test]
fn a_vote_that_may_end_early_is_over_sooner_and_who_waits_for_it_too() {
    let estimates = fresh();
    let mut jobs = [one(1, &[0; 8]), one(2, &[0])];
    let all = estimates.etas(8, &jobs);
    jobs[0].needed = 5;
    let some = estimates.etas(8, &jobs);
    assert!(some[0].seconds < 0.8 * all[0].seconds && some[1].seconds < all[1].seconds);
}

#[test]
fn speeds_not_seen_yet_are_taken_from_the_nearest_seen_and_not_better() {
    let mut estimates = fresh();
    assert_eq!(estimates.speed(1), GUESSED);
    estimates.measure(2, 200, 10.0);
    assert_eq!([1, 2, 4].map(|attempts| estimates.speed(attempts)), [10.0, 10.0, 5.0]);
    estimates.measure(8, 600, 10.0);
    assert_eq!([2, 4, 8, 16].map(|attempts| estimates.speed(attempts)), [10.0, 5.0, 7.5, 3.75]);
    (0..10).for_each(|_| estimates.measure(8, 30, 30.0));
    assert!((estimates.speed(8) - 0.125).abs() < 0.01, "it has become slow");
    for (attempts, seconds) in [(0, 0.0), (1, 0.0), (17, 1.0), (1, f64::NAN)] {
        estimates.measure(attempts, 5, seconds);
    }
    assert_eq!(estimates.speed(2), 10.0);
}

#[test]
fn nothing_pending_has_no_estimates_and_a_job_without_attempts_is_over() {
    assert_eq!(fresh().etas(4, &[]), []);
    let eta = fresh().etas(4, &[one(1, &[])])[0];
    assert_eq!((eta.low, eta.high), (0.0, 0.0));
}

#[test]
fn a_small_models_first_estimate_is_a_matter_of_seconds() {
    let mut mode = Arc::unwrap_or_clone(Modes::built_in().find("math").unwrap());
    mode.usual_tokens = Some(150);
    let job = Pending { mode: Arc::new(mode), ..one(1, &[0]) };
    let eta = Estimates::for_model(2_700_000).etas(8, &[job])[0];
    assert!(eta.low > 0.0 && eta.seconds < 2.0 && eta.high < 5.0, "{eta:?}");
    let large = Estimates::for_model(930_000_000).etas(8, &[one(1, &[0])])[0];
    assert!((600.0..2_400.0).contains(&large.seconds), "{large:?}");
}
