//! Boxes in miniature: seeded clients ask, each scheduled attempt gets tokens in each step, and
//! what the queue guarantees is checked after every change.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

const TURN: u32 = 64;
/// The longest prompt, in tokens.
const PROMPT: u32 = 300;

/// A solverbox without an engine.
struct Small {
    queue: FairQueue,
    slots: usize,
    /// Client, and tokens still to come.
    attempts: BTreeMap<AttemptId, (Client, u32)>,
    scheduled: BTreeSet<AttemptId>,
    /// Tokens computed for each client.
    had: BTreeMap<Client, u64>,
    /// Attempts in the order in which they first got a slot.
    begun: Vec<(Client, AttemptId)>,
    jobs: u64,
    random: ChaCha8Rng,
}

fn client(number: u64) -> Client {
    Client::of("test", &number.to_le_bytes())
}

impl Small {
    fn new(slots: usize, seed: u64) -> Small {
        Small {
            queue: FairQueue::new(slots, TURN),
            slots,
            attempts: BTreeMap::new(),
            scheduled: BTreeSet::new(),
            had: BTreeMap::new(),
            begun: Vec::new(),
            jobs: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    fn draw(&mut self, from: u32, to: u32) -> u32 {
        from + self.random.next_u32() % (to - from + 1)
    }

    /// Submits a job whose attempts take these numbers of tokens.
    fn ask(&mut self, client: Client, lengths: &[u32]) -> JobId {
        self.jobs += 1;
        let job = JobId(self.jobs);
        for (number, &tokens) in (0..).zip(lengths) {
            let attempt = AttemptId { job, number };
            self.queue.add(client, attempt);
            self.attempts.insert(attempt, (client, tokens));
        }
        self.apply();
        job
    }

    fn stop(&mut self, attempt: AttemptId) {
        self.queue.remove(attempt);
        self.attempts.remove(&attempt);
        self.scheduled.remove(&attempt);
    }

    /// One pass over the weights: a token for each attempt with a slot.
    fn step(&mut self) {
        for attempt in self.scheduled.clone() {
            self.delta(attempt, 1);
        }
        self.apply();
    }

    fn delta(&mut self, attempt: AttemptId, tokens: u32) {
        self.queue.charge(attempt, tokens);
        let (client, left) = self.attempts.get_mut(&attempt).unwrap();
        *self.had.entry(*client).or_default() += u64::from(tokens);
        *left = left.saturating_sub(tokens);
        if *left == 0 {
            self.stop(attempt);
        }
    }

    /// Makes the moves, and checks what must hold after every change.
    fn apply(&mut self) {
        for change in self.queue.assign() {
            match change {
                Move::Park(attempt) => assert!(self.scheduled.remove(&attempt), "{attempt:?} sat"),
                Move::Run(attempt) => {
                    let client = self.attempts[&attempt].0;
                    assert!(self.scheduled.insert(attempt), "{attempt:?} sat already");
                    if !self.begun.contains(&(client, attempt)) {
                        self.begun.push((client, attempt));
                    }
                }
            }
        }
        assert!(self.queue.scheduled().eq(self.scheduled.iter().copied()));
        assert_eq!(self.scheduled.len(), self.slots.min(self.attempts.len()), "no slot is empty");
        let mut waits = BTreeSet::new();
        for (attempt, (client, _)) in &self.attempts {
            if self.scheduled.contains(attempt) {
                assert!(
                    !waits.contains(client),
                    "within a client the first attempts hold the slots"
                );
            } else {
                waits.insert(*client);
            }
        }
    }

    fn clients(&self) -> BTreeSet<Client> {
        self.attempts.values().map(|(client, _)| *client).collect()
    }

    fn line(&self, who: Client) -> Vec<AttemptId> {
        let own = self.attempts.iter().filter(|(_, (client, _))| *client == who);
        own.map(|(&attempt, _)| attempt).collect()
    }

    fn slots_of(&self, who: Client) -> usize {
        self.line(who).iter().filter(|attempt| self.scheduled.contains(attempt)).count()
    }

    fn waits(&self, who: Client) -> bool {
        self.line(who).len() > self.slots_of(who)
    }
}

/// Jain's index of what several got: 1 where all got the same, 1/n where one got all.
fn jain(had: &[u64]) -> f64 {
    let sum = |power| had.iter().map(|&tokens| (tokens as f64).powi(power)).sum::<f64>();
    sum(1).powi(2) / (had.len() as f64 * sum(2))
}

/// Eight clients of which all have questions left; returns what each has had by then.
fn backlogged(slots: usize, seed: u64, questions: impl Fn(u64, &mut Small) -> u32) -> Vec<u64> {
    let mut small = Small::new(slots, seed);
    for number in 0..8 {
        for _ in 0..questions(number, &mut small) {
            let tokens = small.draw(500, 3_000);
            small.ask(client(number), &[tokens]);
        }
    }
    while small.clients().len() == 8 {
        let known = small.begun.len();
        small.step();
        // Prompts count as well, and are computed at one go.
        for at in known..small.begun.len() {
            let (_, attempt) = small.begun[at];
            let tokens = small.draw(20, PROMPT);
            small.delta(attempt, tokens);
        }
    }
    small.had.into_values().collect()
}

#[test]
fn eight_clients_with_one_to_ten_questions_get_equal_tokens_while_all_are_backlogged() {
    for seed in 0..80 {
        let slots = 1 + seed as usize % 8;
        let had = match seed % 3 {
            0 => backlogged(slots, seed, |number, _| 1 + number as u32),
            1 => backlogged(slots, seed, |number, _| if number == 0 { 1 } else { 10 }),
            _ => backlogged(slots, seed, |_, small| small.draw(1, 10)),
        };
        assert!(jain(&had) >= 0.95, "{slots} slots: {had:?}");
        // With a slot for each nothing moves, and who reads long prompts computes more.
        let apart = had.iter().max().unwrap() - had.iter().min().unwrap();
        let bound = u64::from(2 * TURN + PROMPT);
        assert!(slots == 8 || apart <= bound, "{slots} slots: {had:?}");
    }
}

#[test]
fn slots_that_do_not_divide_go_round_so_that_tokens_are_equal() {
    for (slots, clients) in [(8, 3), (3, 2), (16, 5), (5, 4), (7, 3), (1, 9)] {
        let mut small = Small::new(slots, 0);
        for number in 0..clients {
            small.ask(client(number), &[100_000; 16]);
        }
        (0..3_000).for_each(|_| small.step());
        let had: Vec<u64> = small.had.values().copied().collect();
        let apart = had.iter().max().unwrap() - had.iter().min().unwrap();
        assert!(apart <= 2 * u64::from(TURN), "{slots} slots: {had:?}");
    }
}

#[test]
fn a_single_question_among_hogs_waits_at_most_one_turn() {
    for seed in 0..160 {
        let slots = 1 + seed as usize % 16;
        let mut small = Small::new(slots, seed);
        let hogs = small.draw(1, 20).into();
        for number in 0..hogs {
            for _ in 0..10 {
                let tokens = small.draw(100, 3_000);
                small.ask(client(number), &[tokens]);
            }
        }
        // Until none of them is new, and then at any moment.
        while (0..hogs).any(|hog| small.had.get(&client(hog)).is_none_or(|had| *had <= 100)) {
            small.step();
        }
        for _ in 0..small.draw(0, 200) {
            small.step();
        }
        let job = small.ask(client(99), &[50]);
        let attempt = AttemptId { job, number: 0 };
        let waited = (0..).take_while(|_| {
            let waits = !small.scheduled.contains(&attempt);
            small.step();
            waits
        });
        assert!(waited.count() <= TURN as usize, "{slots} slots, {hogs} hogs");
    }
}

#[test]
fn a_newcomer_gets_a_free_slot_at_once() {
    let mut small = Small::new(4, 0);
    small.ask(client(1), &[100; 3]);
    let job = small.ask(client(2), &[100]);
    assert!(small.scheduled.contains(&AttemptId { job, number: 0 }));
}

#[test]
fn alone_a_client_has_all_slots_and_with_others_half_once_its_turn_is_over() {
    for slots in 1..=16 {
        let mut small = Small::new(slots, 0);
        small.ask(client(1), &[1_000; 20]);
        (0..100).for_each(|_| small.step());
        assert_eq!(small.slots_of(client(1)), slots);
        small.ask(client(2), &[1_000; 20]);
        (0..TURN).for_each(|_| small.step());
        let halves = [client(1), client(2)].map(|client| small.slots_of(client));
        assert!(halves.iter().all(|&half| half <= slots.div_ceil(2)), "{halves:?}");
    }
}

#[test]
fn within_a_client_the_first_to_come_is_the_first_to_begin() {
    let mut small = Small::new(4, 7);
    for round in 0..300 {
        let (who, attempts) = (client(small.draw(0, 5).into()), small.draw(1, 4));
        let lengths: Vec<u32> = (0..attempts).map(|_| small.draw(1, 300)).collect();
        small.ask(who, &lengths);
        for _ in 0..round % 97 {
            small.step();
        }
    }
    while !small.attempts.is_empty() {
        small.step();
    }
    for number in 0..6 {
        let own = small.begun.iter().filter(|(who, _)| *who == client(number));
        assert!(own.map(|(_, attempt)| attempt).is_sorted());
    }
}

#[test]
fn attempts_of_one_job_run_side_by_side() {
    let mut small = Small::new(8, 0);
    let jobs = [1, 2].map(|number| [0, 1].map(|_| small.ask(client(number), &[500; 4])));
    (0..300).for_each(|_| small.step());
    let sitting = |job| small.scheduled.iter().filter(|attempt| attempt.job == job).count();
    assert_eq!(jobs.map(|jobs| jobs.map(sitting)), [[4, 0], [4, 0]]);
}

#[test]
fn newcomers_without_end_starve_no_client() {
    let mut small = Small::new(2, 0);
    small.ask(client(0), &[2_000; 3]);
    let mut newcomers = 0;
    for _ in 0..1_000 {
        while small.attempts.len() < 10 {
            newcomers += 1;
            small.ask(client(newcomers), &[10]);
        }
        small.step();
        assert!(small.queue.lines.len() <= 10 + limits::CLIENTS_REMEMBERED_MAX);
    }
    // Half of what comes free is its own, and then it keeps that for a whole turn.
    assert!(small.had[&client(0)] >= 1_000 / 2, "{} of 2,000", small.had[&client(0)]);
}

#[test]
fn asking_one_by_one_gains_nothing() {
    let mut small = Small::new(1, 0);
    for number in 1..4 {
        small.ask(client(number), &[10_000]);
    }
    for _ in 0..4_000 {
        if small.line(client(0)).is_empty() {
            small.ask(client(0), &[40]);
        }
        small.step();
    }
    let others = (1..4).map(|number| small.had[&client(number)]);
    assert!(others.min() >= Some(small.had[&client(0)]), "{:?}", small.had);
    // It loses what it leaves of each turn, as in the original.
    assert!(small.had[&client(0)] >= 4_000 / 4 * 40 / u64::from(TURN), "{:?}", small.had);
}

#[test]
fn places_count_the_jobs_that_begin_before() {
    let mut small = Small::new(2, 0);
    let hog: Vec<JobId> = (0..6).map(|_| small.ask(client(1), &[500])).collect();
    let other = small.ask(client(2), &[500]);
    let places = |small: &Small| hog.iter().map(|&job| small.queue.place(job)).collect::<Vec<_>>();
    assert_eq!((places(&small), small.queue.place(other)), (vec![0, 0, 2, 3, 4, 5], 1));
    (0..TURN).for_each(|_| small.step());
    assert_eq!((places(&small), small.queue.place(other)), (vec![0, 0, 1, 2, 3, 4], 0));
    small.stop(AttemptId { job: hog[2], number: 0 });
    assert_eq!(places(&small), [0, 0, 0, 1, 2, 3]);
    assert_eq!(small.queue.place(JobId(99)), 0);
}

/// What must hold is checked by `obey` after every change.
#[test]
fn a_thousand_random_schedules_lose_nothing_and_leave_no_slot_empty() {
    for seed in 0..1_000 {
        let mut small = Small::new(1 + seed as usize % 16, seed);
        let mut over_half = BTreeMap::new();
        for _ in 0..100 {
            match small.draw(0, 9) {
                0 => {
                    let (who, attempts) = (client(small.draw(0, 9).into()), small.draw(1, 16));
                    let lengths: Vec<u32> = (0..attempts).map(|_| small.draw(1, 60)).collect();
                    small.ask(who, &lengths);
                }
                1 if !small.attempts.is_empty() => {
                    let at = small.random.next_u32() as usize % small.attempts.len();
                    let attempt = *small.attempts.keys().nth(at).unwrap();
                    small.stop(attempt);
                    small.apply();
                }
                2 if !small.scheduled.is_empty() => {
                    let attempt = *small.scheduled.first().unwrap();
                    let tokens = small.draw(2, 400);
                    small.delta(attempt, tokens);
                    small.apply();
                }
                _ => small.step(),
            }
            check_halves(&small, &mut over_half);
        }
        while !small.attempts.is_empty() {
            small.step();
        }
        assert_eq!(small.queue.assign(), []);
        assert!(small.queue.lines.is_empty(), "no client is remembered if none competes");
    }
}

/// Asserts that no client has more than half of the slots for longer than a turn while others wait.
fn check_halves(small: &Small, over_half: &mut BTreeMap<Client, u64>) {
    for who in small.clients() {
        let others_wait =
            small.clients().into_iter().any(|other| other != who && small.waits(other));
        let had = small.had.get(&who).copied().unwrap_or(0);
        if others_wait && small.slots_of(who) > small.slots.div_ceil(2) {
            let since = *over_half.entry(who).or_insert(had);
            assert!(had - since < u64::from(TURN), "{who:?} keeps more than half");
        } else {
            over_half.remove(&who);
        }
    }
}

#[test]
fn a_job_that_is_moved_has_the_next_slot_and_nothing_is_lost() {
    let (mut turns, attempt) =
        (FairQueue::new(1, TURN), |job| AttemptId { job: JobId(job), number: 0 });
    for job in 1..=6 {
        turns.add(client(job % 2), attempt(job));
    }
    assert_eq!(turns.assign(), [Move::Run(attempt(1))]);
    turns.move_first(JobId(6));
    assert_eq!(turns.place(JobId(6)), 1);
    turns.move_first(JobId(1));
    assert!(turns.has_slot(JobId(1)), "a running job is not moved");
    turns.charge(attempt(1), TURN);
    assert_eq!(turns.assign(), [Move::Park(attempt(1)), Move::Run(attempt(6))]);
    let mut served = Vec::new();
    loop {
        let Some(running) = turns.scheduled().next() else { break };
        served.push(running.job.0);
        turns.remove(running);
        turns.assign();
    }
    served.sort_unstable();
    assert_eq!(served, [1, 2, 3, 4, 5, 6]);
}
