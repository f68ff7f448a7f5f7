//! Whether other programs wait for the processor, and how much of it they take.
//!
//! A pass is a few hundred parts, and each ends when the last thread has done its share: the others
//! spin until then. So a core that another program takes costs more than it is worth: with one
//! busy program on 2 cores, 2 threads write a tenth of what one does (2.2 and 19.8 tokens a second,
//! measured). Hence for each core that others take, one thread fewer.
//!
//! Pressure stall information (kernel documentation, accounting/psi) says how much of the time
//! some program waited for the processor. Alone it is no sign of others: our own threads take
//! every core and count in it, and where many compete, ours wait as well, so that taking off our
//! control group's pressure leaves little (99 % less 84 % with 5 others on 2 cores, measured).
//! What others *compute* is known exactly: all cores' time less our own. Both must be there:
//! others that compute while somebody waits; then the engine rests. Without PSI (a Jetson Nano's
//! kernel, a Raspberry Pi's unless started with `psi=1`) nobody is known to wait.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::{Note, ramp};

/// Of the last 10 s, in percent, how much somebody must wait for it to count, and to count in full:
/// a program that only looks in now and then is served at once anyway.
const WAITING_PERCENT: f64 = 10.0;
const WAITING_FULLY_PERCENT: f64 = 30.0;
/// Others get as much of the time as they take, a quarter at most: the box is there to answer.
const SHARE_MAX: f64 = 0.25;
/// Of a core, what others must take for it to be left to them.
const TAKEN: f64 = 0.35;
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
    is_crowded: bool,
}

/// Ticks since the start of the system, of all processors.
#[derive(Clone, Copy, Debug)]
struct Times {
    all: u64,
    busy: u64,
    /// Of this process.
    own: u64,
    cores: usize,
}

impl Neighbours {
    /// Reads below `root`.
    pub fn new(root: &Path) -> Neighbours {
        Neighbours { root: root.to_path_buf(), last: None, take: 0.0, is_crowded: false }
    }

    /// Returns the share of the time to rest, 0 to `SHARE_MAX`.
    pub fn look(&mut self, notes: &mut Vec<Note>) -> f64 {
        self.measure();
        let share = self.waiting().map_or(0.0, |waiting| {
            self.take.min(SHARE_MAX) * ramp(waiting, WAITING_PERCENT, WAITING_FULLY_PERCENT)
        });
        let taken = self.cores_taken();
        if !self.is_crowded && (share >= SAID_FROM || taken > 0) {
            self.is_crowded = true;
            notes.push(Note::Crowded { percent: (100.0 * self.take) as f32 });
        } else if self.is_crowded && share <= SAID_DOWN_TO && taken == 0 {
            self.is_crowded = false;
            notes.push(Note::Alone);
        }
        share
    }

    /// Returns of `threads`, as many as there are cores or fewer, those that have one left.
    pub fn threads_beside(&self, threads: u32) -> u32 {
        let cores = self.last.map_or(usize::MAX, |times| times.cores);
        let left = cores.saturating_sub(self.cores_taken()).max(1);
        threads.min(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn cores_taken(&self) -> usize {
        let cores = self.last.map_or(0, |times| times.cores);
        (self.take * cores as f64 + 1.0 - TAKEN) as usize
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
        let is_core = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
        let cores = stat.lines().filter(is_core).count();
        let own = read_to_string(root.join("proc/self/stat")).ok()?;
        // The name, in brackets, may have spaces and brackets of its own; after it, utime and stime
        // are the 12th and the 13th.
        let mut fields = own.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let own = ticks()?.saturating_add(ticks()?);
        Some(Times { all, busy, own, cores })
    }
}
