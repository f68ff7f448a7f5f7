//! The scheduler: assigns the engine's slots to attempts, by deficit round robin over clients.
//!
//! The engine decodes `slots` attempts together in each step. Clients share the slots equally,
//! however many questions each has; within a client it is first come, first served. The desk's
//! state reports what comes, ends and is computed, and applies the moves it gets back. No clock, no
//! threads, no randomness.
//!
//! M. Shreedhar and G. Varghese, "Efficient fair queueing using deficit round robin" (1995), serves
//! one packet at a time: a counter says what a client may still send in this round. Here several
//! clients are served at once and their rounds overlap, so the counter is the difference itself:
//! the tokens a client has had more than the waiting client that has had least. As there, it is
//! reset when nothing competes, and a client that overdraws a turn gets less of the next ones.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::types::job::{AttemptId, Client, JobId};
use crate::types::limits;

/// An order to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Gives the attempt a slot: it is decoded from the next step on.
    Run(AttemptId),
    /// Takes the attempt's slot; it keeps its state.
    Park(AttemptId),
}

/// The queue: attempts with a slot and attempts that wait for one.
#[derive(Clone, Debug)]
pub struct FairQueue {
    slots: usize,
    turn_tokens: u32,
    /// Clients with attempts or with a lead, in the order they came.
    lines: Vec<ClientQueue>,
    /// The last slot assigned went to a newcomer, past others that waited as long or longer.
    newcomer_passed: bool,
    /// The attempts that hold a slot since the last moves.
    scheduled: BTreeSet<AttemptId>,
}

/// One client's attempts in the order in which they are served. The first of them hold slots, so
/// that attempts of one job, which share a prompt, run together.
#[derive(Clone, Debug)]
struct ClientQueue {
    client: Client,
    attempts: BTreeSet<AttemptId>,
    /// How many of the first attempts hold a slot.
    slots: usize,
    /// Tokens it has had more than the waiting client that has had least.
    lead_tokens: u64,
    /// Tokens left of its turn, which all its slots share.
    turn_tokens: i64,
    /// It has never had a slot.
    newcomer: bool,
    /// The client's jobs that have had a slot.
    begun: BTreeSet<JobId>,
}

impl ClientQueue {
    fn waits(&self) -> bool {
        self.slots < self.attempts.len()
    }
}

impl FairQueue {
    /// Makes an empty queue with turns of `turn_tokens` for an engine with `slots` slots, at least
    /// one.
    pub fn new(slots: usize, turn_tokens: u32) -> FairQueue {
        let (lines, scheduled) = (Vec::new(), BTreeSet::new());
        FairQueue { slots: slots.max(1), turn_tokens, lines, newcomer_passed: false, scheduled }
    }

    /// Adds an attempt to its client's queue. All attempts of a job belong to one client.
    pub fn add(&mut self, client: Client, attempt: AttemptId) {
        let at = self.lines.iter().position(|line| line.client == client);
        let at = at.unwrap_or_else(|| {
            self.lines.push(ClientQueue {
                client,
                attempts: BTreeSet::new(),
                slots: 0,
                lead_tokens: 0,
                turn_tokens: 0,
                newcomer: true,
                begun: BTreeSet::new(),
            });
            self.lines.len() - 1
        });
        self.lines[at].attempts.insert(attempt);
    }

    /// Moves a job that has not had a slot before all others: it gets the next slot.
    ///
    /// Its attempts are a newcomer's from then on; the other jobs of its client stay where they
    /// are.
    pub fn move_first(&mut self, job: JobId) {
        let at = self.lines.iter().position(|line| line.attempts.range(of_job(job)).count() > 0);
        let Some(line) = at.map(|at| &mut self.lines[at]) else { return };
        if line.begun.contains(&job) {
            return;
        }
        let attempts: BTreeSet<AttemptId> = line.attempts.range(of_job(job)).copied().collect();
        line.attempts.retain(|attempt| attempt.job != job);
        let moved = ClientQueue {
            client: Client::of("moved", &job.0.to_le_bytes()),
            attempts,
            slots: 0,
            lead_tokens: 0,
            turn_tokens: 0,
            newcomer: true,
            begun: BTreeSet::new(),
        };
        self.lines.insert(0, moved);
        self.newcomer_passed = false;
    }

    /// Removes an attempt. Its slot is free at the next [`FairQueue::assign`].
    pub fn remove(&mut self, attempt: AttemptId) {
        if let Some(line) = self.line_of(attempt) {
            let before = line.attempts.range(..attempt).count();
            line.slots -= usize::from(before < line.slots);
            line.attempts.remove(&attempt);
            if line.attempts.range(of_job(attempt.job)).next().is_none() {
                line.begun.remove(&attempt.job);
            }
        }
        self.scheduled.remove(&attempt);
    }

    /// Charges tokens computed for an attempt, generated ones or of its prompt.
    pub fn charge(&mut self, attempt: AttemptId, tokens: u32) {
        if let Some(line) = self.line_of(attempt) {
            line.lead_tokens += u64::from(tokens);
            line.turn_tokens -= i64::from(tokens);
        }
    }

    /// Assigns the slots; returns what changes, slots that are taken first.
    ///
    /// Call it after each step and every other change. Then no slot is empty while an attempt
    /// waits, and at the end of its turn no client keeps more than half of the slots (rounded up)
    /// from another that has fewer.
    pub fn assign(&mut self) -> Vec<Move> {
        self.forget();
        while self.taken() > self.slots {
            let most = self.lines.iter_mut().max_by_key(|line| (line.slots, line.lead_tokens));
            most.expect("slots are in use").slots -= 1;
        }
        while self.taken() < self.slots {
            let Some(next) = self.next(|_| true) else { break };
            self.give_slot(next);
        }
        for at in 0..self.lines.len() {
            self.end_turn(at);
        }
        self.moves()
    }

    /// Returns the attempts that hold a slot.
    #[cfg(test)]
    pub fn scheduled(&self) -> impl Iterator<Item = AttemptId> {
        self.scheduled.iter().copied()
    }

    /// Returns whether any attempt of a job holds a slot.
    pub fn has_slot(&self, job: JobId) -> bool {
        self.scheduled.range(of_job(job)).next().is_some()
    }

    /// Returns the jobs that have had no slot yet, in the order in which they will get one if all
    /// attempts take equally long.
    pub fn waiting(&self) -> Vec<JobId> {
        let mut jobs = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            let mut last = None;
            for (ahead, attempt) in line.attempts.iter().enumerate() {
                if last.replace(attempt.job) != Some(attempt.job)
                    && !line.begun.contains(&attempt.job)
                {
                    // It needs one slot more than there are attempts of its client before it.
                    jobs.push((ahead, !line.newcomer, line.lead_tokens, at, attempt.job));
                }
            }
        }
        jobs.sort_unstable();
        jobs.into_iter().map(|(.., job)| job).collect()
    }

    /// Returns the place of a job: 0 if it has had a slot, else 1 for the next to get one.
    #[cfg(test)]
    pub fn place(&self, job: JobId) -> usize {
        self.waiting().iter().position(|&waiting| waiting == job).map_or(0, |at| at + 1)
    }

    fn taken(&self) -> usize {
        self.lines.iter().map(|line| line.slots).sum()
    }

    fn line_of(&mut self, attempt: AttemptId) -> Option<&mut ClientQueue> {
        self.lines.iter_mut().find(|line| line.attempts.contains(&attempt))
    }

    /// Counts leads from the waiting client that has had least. Tokens computed while no client
    /// waited do not count, and a client that does not wait saves nothing up. A client without
    /// attempts is remembered while it leads, so that it gains nothing by asking one by one.
    fn forget(&mut self) {
        let waiting = self.lines.iter().filter(|line| line.waits());
        let least = waiting.map(|line| line.lead_tokens).min().unwrap_or(u64::MAX);
        for line in &mut self.lines {
            let lead = line.lead_tokens.saturating_sub(least);
            line.lead_tokens = lead.min(limits::LEAD_TOKENS_MAX);
        }
        self.lines.retain(|line| !line.attempts.is_empty() || line.lead_tokens > 0);
        let gone = self.lines.iter().filter(|line| line.attempts.is_empty()).count();
        let mut surplus = gone.saturating_sub(limits::CLIENTS_REMEMBERED_MAX);
        self.lines.retain(|line| {
            let stays = surplus == 0 || !line.attempts.is_empty();
            surplus -= usize::from(!stays);
            stays
        });
    }

    /// Returns the client that gets the next slot, of those that wait and `may` have it: the one
    /// with the fewest slots, of these the one that has had the fewest tokens.
    ///
    /// A newcomer goes before others with as few slots, so that it waits for the end of a turn and
    /// not of a round (like new flows in FQ-CoDel, RFC 8290); but never two in a row, or clients of
    /// one short question each would starve the others.
    fn next(&self, may: impl Fn(&ClientQueue) -> bool) -> Option<usize> {
        let candidates = self.lines.iter().enumerate();
        candidates
            .filter(|(_, line)| line.waits() && may(line))
            .min_by_key(|(_, line)| {
                (line.slots, line.newcomer == self.newcomer_passed, line.lead_tokens)
            })
            .map(|(at, _)| at)
    }

    fn give_slot(&mut self, at: usize) {
        let ClientQueue { slots, newcomer, .. } = self.lines[at];
        let passed = |other: &ClientQueue| other.waits() && !other.newcomer && other.slots == slots;
        self.newcomer_passed = newcomer && self.lines.iter().any(passed);
        let line = &mut self.lines[at];
        if line.slots == 0 {
            line.turn_tokens = i64::from(self.turn_tokens);
        }
        line.slots += 1;
        line.newcomer = false;
    }

    /// If the client's turn is over, hands its slots on until no waiting client is worse off, and
    /// begins a new turn with the remaining ones.
    fn end_turn(&mut self, at: usize) {
        let half = self.slots.div_ceil(2);
        loop {
            let ClientQueue { slots, lead_tokens, turn_tokens, .. } = self.lines[at];
            if turn_tokens > 0 || slots == 0 {
                return;
            }
            let next = self.next(|line| {
                line.slots < slots && (line.lead_tokens < lead_tokens || slots > half)
            });
            let Some(next) = next else {
                self.lines[at].turn_tokens = i64::from(self.turn_tokens);
                return;
            };
            self.lines[at].slots -= 1;
            self.give_slot(next);
        }
    }

    /// Returns the differences from the last assignment.
    fn moves(&mut self) -> Vec<Move> {
        let mut now = BTreeSet::new();
        for line in &mut self.lines {
            now.extend(line.attempts.iter().take(line.slots));
            line.begun.extend(line.attempts.iter().take(line.slots).map(|attempt| attempt.job));
        }
        let parked = self.scheduled.difference(&now).copied().map(Move::Park);
        let moves = parked.chain(now.difference(&self.scheduled).copied().map(Move::Run)).collect();
        self.scheduled = now;
        moves
    }
}

/// Returns the range of a job's attempts.
fn of_job(job: JobId) -> RangeInclusive<AttemptId> {
    AttemptId { job, number: 0 }..=AttemptId { job, number: u32::MAX }
}

#[cfg(test)]
mod tests;
