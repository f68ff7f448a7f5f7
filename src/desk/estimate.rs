//! How long a job will take: the rest of the box's work, played through many times over.
//!
//! The desk tells how fast tokens come and how long attempts get; for the jobs it has it is told
//! when each will be over, with a low and a high. Each time the lengths still unknown are drawn
//! anew from those seen in the job's mode, given how far the attempt has got; slots are shared as
//! `turns` shares them, only smoothly. So everything that makes a wait uncertain is in its spread,
//! but for one thing: nobody knows who will come next.

use std::collections::HashMap;

use super::lengths::{End, Lengths, Spread};
use crate::types::job::{Client, JobId};
use crate::types::limits;
use crate::types::mode::Mode;

/// When a job will be over, in seconds from now, if nobody else asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eta {
    /// The median: as likely sooner as later.
    pub seconds: f64,
    /// The 10 % quantile: one in ten is over sooner.
    pub low: f64,
    /// The 90 % quantile: one in ten takes longer. So 80 % are over between the two.
    pub high: f64,
}

/// A job that is not over, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Pending<'a> {
    /// The job; it makes its draws its own, so that estimates change no more than they must.
    pub job: JobId,
    /// Who shares slots.
    pub client: Client,
    /// What lengths are learnt by.
    pub mode: &'a Mode,
    /// Tokens after which an attempt ends at the latest.
    pub budget_tokens: u32,
    /// Tokens generated so far by each of its attempts that has not ended, in order of number.
    pub generated: Vec<u32>,
    /// How many of these must end until the job is over: fewer than all where a vote decides.
    pub needed: usize,
}

/// What was learnt of this box.
#[derive(Debug, Default)]
pub struct Estimates {
    /// By the mode's name.
    lengths: HashMap<String, Lengths>,
    /// Tokens in all and the seconds they took, by the number of attempts decoded together; both
    /// fade with time.
    speeds: [(f64, f64); limits::SEQUENCES_MAX as usize + 1],
}

/// How often the rest is played through: the quantiles are then true to 3 in 100. Of more than
/// [`ATTEMPTS_ALL_PLAYS`] attempts less often, to 7 in 100 at worst: they take the more time.
const PLAYS: u64 = 100;
const PLAYS_MIN: u64 = 20;
const ATTEMPTS_ALL_PLAYS: u64 = 128;

impl Estimates {
    /// Learns of an attempt in `mode` that has ended after so many generated tokens.
    pub fn learn(&mut self, mode: &Mode, tokens: u32, end: End) {
        if let Some(lengths) = self.lengths.get_mut(&mode.name) {
            return lengths.learn(tokens, end);
        }
        let mut lengths = Lengths::new(mode.budget_tokens);
        lengths.learn(tokens, end);
        self.lengths.insert(mode.name.clone(), lengths);
    }

    /// Learns that `attempts` decoded together gained so many tokens in all in so many seconds.
    ///
    /// The latest half minute counts most: a board slows down when it gets warm.
    pub fn measure(&mut self, attempts: usize, tokens: u32, seconds: f64) {
        let Some(speed) = self.speeds.get_mut(attempts) else { return };
        if attempts > 0 && seconds > 0.0 {
            let left = (-seconds / limits::SPEED_MEMORY_SECONDS).exp();
            *speed = (speed.0 * left + f64::from(tokens), speed.1 * left + seconds);
        }
    }

    /// Returns when each job will be over; those of a client stand in the order of their turns.
    ///
    /// On a PC it takes 0.3 ms for 16 jobs and 20 ms for 48 with 8 attempts each: to be called when
    /// the line has changed and every few seconds, not for each token.
    pub fn etas(&self, slots: usize, jobs: &[Pending<'_>]) -> Vec<Eta> {
        let spreads: Vec<Spread> = jobs.iter().map(|job| self.spread(job.mode)).collect();
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
        known.unwrap_or_else(|| Lengths::new(mode.budget_tokens).spread())
    }

    /// Returns tokens a second for each of so many attempts, as seen with the nearest number. More
    /// than were seen are taken to share what those had; fewer, to be no faster than they were.
    fn speed(&self, attempts: usize) -> f64 {
        let seen = self.speeds.iter().enumerate().filter(|(_, (tokens, _))| *tokens > 0.0);
        let nearest = seen.min_by_key(|(number, _)| number.abs_diff(attempts));
        let guessed = (1, limits::TOKENS_PER_SECOND_GUESSED);
        let (number, speed) = nearest.map_or(guessed, |(at, (tokens, time))| (at, tokens / time));
        speed / number.max(attempts) as f64
    }

    /// Plays the rest of the work once; returns when each job was over.
    fn play(&self, slots: usize, mut lines: Vec<Line>, mut needed: Vec<usize>) -> Vec<f64> {
        let (mut now, mut ends) = (0.0, vec![0.0; needed.len()]);
        loop {
            lines.retain(|line| !line.is_empty());
            if lines.is_empty() {
                return ends;
            }
            let share = share(&lines, slots.max(1));
            let sitting = lines.iter().map(|line| share.min(line.len() as f64)).sum::<f64>();
            let full = self.speed(sitting.round() as usize);
            // A share of 2.5 slots is two, and half the time a third.
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

/// An attempt in a play.
struct Left {
    /// The job's place in the list of jobs.
    job: usize,
    /// Tokens still to come.
    tokens: f64,
}

/// A client's attempts in a play.
type Line = Vec<Left>;

/// Draws how much is left of each attempt, and puts it into its client's line.
fn lines(jobs: &[Pending<'_>], spreads: &[Spread], play: u64) -> Vec<Line> {
    let mut lines: Vec<(Client, Line)> = Vec::new();
    for (at, (job, spread)) in jobs.iter().zip(spreads).enumerate() {
        let of_client = lines.iter().position(|(client, _)| *client == job.client);
        let line = of_client.unwrap_or_else(|| {
            lines.push((job.client, Line::new()));
            lines.len() - 1
        });
        let attempts = if job.needed == 0 { &[][..] } else { &job.generated };
        for (number, &had) in (0..).zip(attempts) {
            let length = spread.length(had, chance(job.job, number, play));
            let tokens = (length.min(job.budget_tokens.into()) - f64::from(had)).max(1.0);
            lines[line].1.push(Left { job: at, tokens });
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Returns how many slots a client may have: who wants less has that, the others share the rest.
fn share(lines: &[Line], slots: usize) -> f64 {
    let mut wanted: Vec<usize> = lines.iter().map(Line::len).collect();
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

/// Returns a number above 0 and up to 1 that is always the same for the same play of an attempt
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
