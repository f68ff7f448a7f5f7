//! Estimates when each job will end, by simulating the remaining work many times.
//!
//! The desk's state reports speeds and attempt lengths, and gets a median and a range for each
//! unfinished job. Each simulation draws the unknown lengths from those seen in the job's mode,
//! given how far the attempt has come, and shares the slots like `fair_queue`, but smoothly. So the
//! range covers all uncertainty except for jobs that are yet to come.

use std::collections::HashMap;
use std::sync::Arc;

use super::lengths::{LengthKind, Lengths, Spread};
use crate::types::job::{Client, JobId};
use crate::types::limits;
use crate::types::mode::Mode;

/// When a job is expected to end, in seconds from now, if no other job is submitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eta {
    /// The median of the simulated ends.
    pub seconds: f64,
    /// The 10 % quantile: one job in ten ends sooner.
    pub low: f64,
    /// The 90 % quantile: one job in ten ends later, so that 80 % end between the two.
    pub high: f64,
}

/// What an estimate needs to know about an unfinished job.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The job. Its draws depend on it, so that estimates change no more than necessary.
    pub job: JobId,
    /// The client, among which slots are shared.
    pub client: Client,
    /// The mode, by which lengths are learnt.
    pub mode: Arc<Mode>,
    /// Tokens after which an attempt ends at the latest.
    pub budget_tokens: u32,
    /// Tokens generated so far by each attempt that has not ended, by index.
    pub generated: Vec<u32>,
    /// How many of these must end until the job does: fewer than all if a vote decides.
    pub needed: usize,
}

/// Lengths and speeds seen so far.
#[derive(Clone, Debug)]
pub struct Estimates {
    /// By the name of the mode.
    lengths: HashMap<String, Lengths>,
    /// Tokens of all attempts and the seconds they took, by the number of attempts decoded
    /// together; both decay with time.
    speeds: [(f64, f64); limits::SEQUENCES_MAX as usize + 1],
    /// Tokens per second of a single attempt before any speed is measured.
    guessed_speed: f64,
}

/// Number of simulations: the quantiles are then accurate to 3 in 100. With more than
/// [`ATTEMPTS_ALL_PLAYS`] attempts, which take longer, there are fewer, accurate to 7 in 100 at
/// worst.
const PLAYS: u64 = 100;
const PLAYS_MIN: u64 = 20;
const ATTEMPTS_ALL_PLAYS: u64 = 128;

impl Estimates {
    /// Begins with a guess of the speed of a model with this many bytes of weights, which each pass
    /// reads.
    pub fn for_model(bytes: u64) -> Estimates {
        let guess = limits::WEIGHT_BYTES_PER_SECOND_GUESSED / bytes.max(1) as f64;
        Estimates {
            lengths: HashMap::new(),
            speeds: Default::default(),
            guessed_speed: guess.min(limits::TOKENS_PER_SECOND_GUESSED_MAX),
        }
    }

    /// Learns the length of an attempt in `mode`, in generated tokens.
    pub fn learn(&mut self, mode: &Mode, tokens: u32, end: LengthKind) {
        if let Some(lengths) = self.lengths.get_mut(&mode.name) {
            return lengths.learn(tokens, end);
        }
        let mut lengths = Lengths::new(mode.usual_tokens());
        lengths.learn(tokens, end);
        self.lengths.insert(mode.name.clone(), lengths);
    }

    /// Learns that `attempts` decoded together generated `tokens` in all in `seconds`.
    ///
    /// The latest half minute counts most, because a board slows down when it gets warm.
    pub fn measure(&mut self, attempts: usize, tokens: u32, seconds: f64) {
        let Some(speed) = self.speeds.get_mut(attempts) else { return };
        if attempts > 0 && seconds > 0.0 {
            let left = (-seconds / limits::SPEED_MEMORY_SECONDS).exp();
            *speed = (speed.0 * left + f64::from(tokens), speed.1 * left + seconds);
        }
    }

    /// Returns when each job is expected to end. The jobs of a client must be in queue order.
    ///
    /// Takes 0.3 ms for 16 jobs and 20 ms for 48 with 8 attempts each on a PC: call it when the
    /// queue has changed and every few seconds, not for each token.
    pub fn etas(&self, slots: usize, jobs: &[Pending]) -> Vec<Eta> {
        let spreads: Vec<Spread> = jobs.iter().map(|job| self.spread(&job.mode)).collect();
        let mut ends = vec![Vec::new(); jobs.len()];
        let attempts: u64 = jobs.iter().map(|job| job.generated.len() as u64).sum();
        let plays = (PLAYS * ATTEMPTS_ALL_PLAYS / attempts.max(1)).clamp(PLAYS_MIN, PLAYS);
        for play in 0..plays {
            let lines = lines(jobs, &spreads, play);
            let needed = jobs.iter().map(|job| job.needed.min(job.generated.len())).collect();
            for (ends, end) in ends.iter_mut().zip(self.play(slots, lines, needed)) {
                ends.push(end);
            }
        }
        ends.into_iter().map(eta).collect()
    }

    fn spread(&self, mode: &Mode) -> Spread {
        let known = self.lengths.get(&mode.name).map(Lengths::spread);
        known.unwrap_or_else(|| Lengths::new(mode.usual_tokens()).spread())
    }

    /// Returns the tokens per second of each of `attempts` attempts, by the nearest number seen.
    /// More attempts share the speed of that number; fewer are not assumed to be faster.
    fn speed(&self, attempts: usize) -> f64 {
        let seen = self.speeds.iter().enumerate().filter(|(_, (tokens, _))| *tokens > 0.0);
        let nearest = seen.min_by_key(|(number, _)| number.abs_diff(attempts));
        let guessed = (1, self.guessed_speed);
        let (number, speed) = nearest.map_or(guessed, |(at, (tokens, time))| (at, tokens / time));
        speed / number.max(attempts) as f64
    }

    /// Simulates the remaining work once; returns when each job ended.
    fn play(
        &self,
        slots: usize,
        mut lines: Vec<ClientAttempts>,
        mut needed: Vec<usize>,
    ) -> Vec<f64> {
        let (mut now, mut ends) = (0.0, vec![0.0; needed.len()]);
        loop {
            lines.retain(|line| !line.is_empty());
            if lines.is_empty() {
                return ends;
            }
            let share = share(&lines, slots.max(1));
            let sitting = lines.iter().map(|line| share.min(line.len() as f64)).sum::<f64>();
            let full = self.speed(sitting.round() as usize);
            // A share of 2.5 slots is two slots, and a third one half of the time.
            let places = share.ceil() as usize;
            let speed = |place: usize| (share - place as f64).min(1.0) * full;
            let each = lines.iter().flat_map(|line| line.iter().take(places).enumerate());
            let times = each.map(|(place, attempt)| attempt.tokens / speed(place));
            let time = times.fold(f64::INFINITY, f64::min);
            now += time;
            for line in &mut lines {
                let mut ended = false;
                for (place, attempt) in line.iter_mut().take(places).enumerate() {
                    attempt.tokens -= speed(place) * time;
                    if attempt.tokens < 1e-6 && needed[attempt.job] > 0 {
                        needed[attempt.job] -= 1;
                        ends[attempt.job] = now;
                        ended = true;
                    }
                }
                if ended {
                    line.retain(|attempt| attempt.tokens >= 1e-6 && needed[attempt.job] > 0);
                }
            }
        }
    }
}

/// An attempt in a simulation.
struct Remaining {
    /// Index into the list of jobs.
    job: usize,
    /// Tokens still to be generated.
    tokens: f64,
}

/// A client's attempts in a simulation, in queue order.
type ClientAttempts = Vec<Remaining>;

/// Draws the remaining tokens of each attempt, by client.
fn lines(jobs: &[Pending], spreads: &[Spread], play: u64) -> Vec<ClientAttempts> {
    let mut lines: Vec<(Client, ClientAttempts)> = Vec::new();
    for (at, (job, spread)) in jobs.iter().zip(spreads).enumerate() {
        let of_client = lines.iter().position(|(client, _)| *client == job.client);
        let line = of_client.unwrap_or_else(|| {
            lines.push((job.client, ClientAttempts::new()));
            lines.len() - 1
        });
        let attempts = if job.needed == 0 { &[][..] } else { &job.generated };
        for (number, &had) in (0..).zip(attempts) {
            let length = spread.length(had, chance(job.job, number, play));
            let tokens = (length.min(job.budget_tokens.into()) - f64::from(had)).max(1.0);
            lines[line].1.push(Remaining { job: at, tokens });
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Returns how many slots a client may have: clients with fewer attempts have one for each, the
/// others share the rest.
fn share(lines: &[ClientAttempts], slots: usize) -> f64 {
    let mut wanted: Vec<usize> = lines.iter().map(ClientAttempts::len).collect();
    wanted.sort_unstable();
    let mut left = slots as f64;
    for (at, &attempts) in wanted.iter().enumerate() {
        let share = left / (wanted.len() - at) as f64;
        if attempts as f64 > share {
            return share;
        }
        left -= attempts as f64;
    }
    f64::INFINITY
}

/// Returns a number above 0 and up to 1, always the same for the same simulation of an attempt
/// (G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", 2014).
fn chance(job: JobId, number: u64, play: u64) -> f64 {
    let name = (job.0 * u64::from(limits::SEQUENCES_MAX) + number) * PLAYS + play;
    let mut mixed = name.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    ((mixed >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

fn eta(mut ends: Vec<f64>) -> Eta {
    ends.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| ends[(share * ends.len() as f64) as usize];
    Eta { seconds: quantile(0.5), low: quantile(0.1), high: quantile(0.9) }
}

#[cfg(test)]
mod tests;
