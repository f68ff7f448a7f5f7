//! Whether other programs wait for the processor.
//!
//! Pressure stall information (kernel documentation, accounting/psi) says how much of the time
//! some program waited for the processor. Alone it is no sign of others: our own threads take
//! every core and count in it, and where many compete, ours wait as well, so that taking off our
//! control group's pressure leaves little (99 % less 84 % with 5 others on 2 cores, measured).
//! What others *compute* is known exactly: all cores' time less our own. Both must be there:
//! others that compute while somebody waits. Without PSI (a Jetson Nano's kernel, a Raspberry Pi's
//! unless started with `psi=1`) nobody is known to wait, and nothing is done: the scheduler shares
//! fairly anyway.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::{Note, ramp};

/// Of the last 10 s, in percent, how much somebody must wait for it to count, and to count in full:
/// a program that only looks in now and then is served at once anyway.
const WAITING_PERCENT: f64 = 10.0;
const WAITING_FULLY_PERCENT: f64 = 30.0;
/// Others get as much of the time as they take, a quarter at most: the box is there to answer.
const SHARE_MAX: f64 = 0.25;
/// Shares from which on, and down to which, it is said.
const SAID_FROM: f64 = 0.05;
const SAID_DOWN_TO: f64 = 0.01;
/// How much a new measurement counts; the kernel's own average is over 10 s as well.
const WEIGHT: f64 = 0.2;

/// The other programs.
pub struct Neighbours {
    root: PathBuf,
    last: Option<Times>,
    /// What they take of all processors, 0 to 1, smoothed.
    take: f64,
    resting: bool,
}

/// Ticks since the start of the system, of all processors.
#[derive(Clone, Copy, Debug)]
struct Times {
    all: u64,
    busy: u64,
    /// Of this process.
    own: u64,
}

impl Neighbours {
    /// Reads below `root`.
    pub fn new(root: &Path) -> Neighbours {
        Neighbours { root: root.to_path_buf(), last: None, take: 0.0, resting: false }
    }

    /// Returns the share of the time to rest, 0 to `SHARE_MAX`.
    pub fn look(&mut self, notes: &mut Vec<Note>) -> f64 {
        let share = self.waiting().map_or(0.0, |waiting| {
            self.measure();
            self.take.min(SHARE_MAX) * ramp(waiting, WAITING_PERCENT, WAITING_FULLY_PERCENT)
        });
        if !self.resting && share >= SAID_FROM {
            self.resting = true;
            notes.push(Note::Crowded { percent: (100.0 * self.take) as f32 });
        } else if self.resting && share <= SAID_DOWN_TO {
            self.resting = false;
            notes.push(Note::Alone);
        }
        share
    }

    /// Returns how much of the last 10 s somebody waited, in percent.
    fn waiting(&self) -> Option<f64> {
        let text = read_to_string(self.root.join("proc/pressure/cpu")).ok()?;
        let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
        let average = some.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
        average.parse().ok().filter(|percent: &f64| (0.0..=100.0).contains(percent))
    }

    /// Brings `take` up to date.
    fn measure(&mut self) {
        let Some(now) = Times::read(&self.root) else { return };
        if let Some(last) = self.last.replace(now)
            && now.all > last.all
        {
            let passed = |now: u64, last: u64| now.saturating_sub(last) as f64;
            let others = passed(now.busy, last.busy) - passed(now.own, last.own);
            let take = (others / passed(now.all, last.all)).clamp(0.0, 1.0);
            self.take += WEIGHT * (take - self.take);
        }
    }
}

impl Times {
    /// Reads the first line of `/proc/stat` and `/proc/self/stat` (proc(5)).
    fn read(root: &Path) -> Option<Times> {
        let stat = read_to_string(root.join("proc/stat")).ok()?;
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let fields: Vec<u64> = fields.map_while(|field| field.parse().ok()).take(8).collect();
        let [user, nice, system, idle, waiting, irq, softirq, stolen] = fields[..] else {
            return None;
        };
        let sum = |ticks: &[u64]| ticks.iter().fold(0_u64, |sum, &more| sum.saturating_add(more));
        let busy = sum(&[user, nice, system, irq, softirq]);
        let all = sum(&[busy, idle, waiting, stolen]);
        let own = read_to_string(root.join("proc/self/stat")).ok()?;
        // The name, in brackets, may have spaces and brackets of its own; after it, utime and stime
        // are the 12th and the 13th.
        let mut fields = own.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let own = ticks()?.saturating_add(ticks()?);
        Some(Times { all, busy, own })
    }
}
