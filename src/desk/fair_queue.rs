//! Fair turns: which attempts hold the engine's sequences, by deficit round robin in tokens.
//!
//! The engine decodes `slots` attempts together in each step. Clients share the slots, however many
//! questions each has; within a client it is first come, first served. The desk tells what comes,
//! ends and is computed, and obeys the moves it gets back. No clock, no threads, no randomness.
//!
//! M. Shreedhar and G. Varghese, "Efficient fair queueing using deficit round robin" (1995), serves
//! one packet at a time: a counter says what a client may still send in this round. Here several
//! clients are served at once and their rounds overlap, so the counter is the difference itself:
//! tokens a client has had more than the waiting client that has had least. As there, it is
//! forgotten when nothing competes, and who overdraws a turn gets less of the next ones.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::types::job::{AttemptId, Client, JobId};
use crate::types::limits;

/// What the engine is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The attempt is decoded from the next step on.
    Slot(AttemptId),
    /// The attempt waits, keeping what it has.
    Park(AttemptId),
}

/// Who sits, and who comes next.
#[derive(Debug)]
pub struct FairQueue {
    slots: usize,
    turn_tokens: u32,
    /// Clients with attempts, and those whose lead is not forgotten yet, in the order they came.
    lines: Vec<Line>,
    /// The last slot given went to a newcomer, past others that waited as long or longer.
    newcomer_passed: bool,
    /// The attempts that hold a slot, as the last moves said.
    scheduled: BTreeSet<AttemptId>,
}

/// One client's attempts in the order in which they are served. The first of them sit: that is
/// first come, first served, and it slots attempts of one job side by side, as they share a prompt.
#[derive(Debug)]
struct Line {
    client: Client,
    attempts: BTreeSet<AttemptId>,
    /// How many of the first attempts sit.
    slots: usize,
    /// Tokens it has had more than the waiting client that has had least.
    lead_tokens: u64,
    /// Tokens left of its turn, which all its slots share.
    turn_tokens: i64,
    /// It has never had a slot.
    newcomer: bool,
    /// Its jobs that have had a slot.
    begun: BTreeSet<JobId>,
}

impl Line {
    fn waits(&self) -> bool {
        self.slots < self.attempts.len()
    }
}

impl FairQueue {
    /// Makes empty turns of `turn_tokens` for an engine with `slots` sequences, at least one.
    pub fn new(slots: usize, turn_tokens: u32) -> FairQueue {
        let (lines, scheduled) = (Vec::new(), BTreeSet::new());
        FairQueue { slots: slots.max(1), turn_tokens, lines, newcomer_passed: false, scheduled }
    }

    /// Takes an attempt into its client's line. All attempts of a job belong to one client.
    pub fn add(&mut self, client: Client, attempt: AttemptId) {
        let at = self.lines.iter().position(|line| line.client == client);
        let at = at.unwrap_or_else(|| {
            self.lines.push(Line {
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

    /// Puts a job that has not had a slot before all others, whoever asked it: it has the next
    /// slot.
    ///
    /// Its attempts are a newcomer's from then on, who has had nothing; the others of its client
    /// stay where they are.
    pub fn move_first(&mut self, job: JobId) {
        let at = self.lines.iter().position(|line| line.attempts.range(of_job(job)).count() > 0);
        let Some(line) = at.map(|at| &mut self.lines[at]) else { return };
        if line.begun.contains(&job) {
            return;
        }
        let attempts: BTreeSet<AttemptId> = line.attempts.range(of_job(job)).copied().collect();
        line.attempts.retain(|attempt| attempt.job != job);
        let moved = Line {
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

    /// Forgets an attempt, wherever it is. Its slot is free at the next [`FairQueue::assign`].
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

    /// Counts tokens computed for an attempt, decoded or of its prompt.
    pub fn charge(&mut self, attempt: AttemptId, tokens: u32) {
        if let Some(line) = self.line_of(attempt) {
            line.lead_tokens += u64::from(tokens);
            line.turn_tokens -= i64::from(tokens);
        }
    }

    /// Decides who sits, and returns what is to change; those who rise come first.
    ///
    /// To be called after each step and whatever else has changed. Then no slot is empty while an
    /// attempt waits, and once its turn is over no client keeps more than half of the slots
    /// (rounded up) from another that has fewer.
    pub fn assign(&mut self) -> Vec<Move> {
        self.forget();
        while self.taken() > self.slots {
            let most = self.lines.iter_mut().max_by_key(|line| (line.slots, line.lead_tokens));
            most.expect("somebody sits").slots -= 1;
        }
        while self.taken() < self.slots {
            let Some(next) = self.next(|_| true) else { break };
            self.slot(next);
        }
        for at in 0..self.lines.len() {
            self.end_turn(at);
        }
        self.moves()
    }

    /// Returns the attempts that sit.
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

    fn line_of(&mut self, attempt: AttemptId) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.attempts.contains(&attempt))
    }

    /// Counts leads from the waiting client that has had least. What was had while nobody waited
    /// was taken from nobody, and who is not waiting saves nothing up. A client that has gone is
    /// remembered while it leads: asking its questions one by one shall not gain it anything.
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

    /// Returns the line that gets the next slot, of those that wait and `may` have it: the one with
    /// the fewest slots, of these the one that has had the fewest tokens.
    ///
    /// A newcomer goes before others with as few slots, so that it waits for the end of a turn and
    /// not of a round (as new flows do in FQ-CoDel, RFC 8290); but two in a row pass nobody, or
    /// clients of one short question each would keep all others from their turns.
    fn next(&self, may: impl Fn(&Line) -> bool) -> Option<usize> {
        let candidates = self.lines.iter().enumerate();
        candidates
            .filter(|(_, line)| line.waits() && may(line))
            .min_by_key(|(_, line)| {
                (line.slots, line.newcomer == self.newcomer_passed, line.lead_tokens)
            })
            .map(|(at, _)| at)
    }

    fn slot(&mut self, at: usize) {
        let Line { slots, newcomer, .. } = self.lines[at];
        let passed = |other: &Line| other.waits() && !other.newcomer && other.slots == slots;
        self.newcomer_passed = newcomer && self.lines.iter().any(passed);
        let line = &mut self.lines[at];
        if line.slots == 0 {
            line.turn_tokens = i64::from(self.turn_tokens);
        }
        line.slots += 1;
        line.newcomer = false;
    }

    /// Where the client's turn is over, hands its slots on until nobody who waits is worse off,
    /// and begins a new turn with those that remain.
    fn end_turn(&mut self, at: usize) {
        let half = self.slots.div_ceil(2);
        loop {
            let Line { slots, lead_tokens, turn_tokens, .. } = self.lines[at];
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
            self.slot(next);
        }
    }

    /// Compares who sits with who sat.
    fn moves(&mut self) -> Vec<Move> {
        let mut now = BTreeSet::new();
        for line in &mut self.lines {
            now.extend(line.attempts.iter().take(line.slots));
            line.begun.extend(line.attempts.iter().take(line.slots).map(|attempt| attempt.job));
        }
        let parked = self.scheduled.difference(&now).copied().map(Move::Park);
        let moves =
            parked.chain(now.difference(&self.scheduled).copied().map(Move::Slot)).collect();
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
