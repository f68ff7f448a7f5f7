//! Whether other programs wait for the CPU, and how much of it they use.
//!
//! A pass consists of a few hundred operations, and each ends when the last thread has finished its
//! share, while the others spin. So a core that another program uses is worse than no core: with
//! one busy program on 2 cores, 2 threads generate a tenth of what one does (2.2 and 19.8 tokens a
//! second, measured). Hence one thread fewer for each core that other programs use.
//!
//! Pressure stall information (kernel documentation, accounting/psi) gives the share of the time in
//! which some program waited for the CPU. By itself it does not indicate other programs: our own
//! threads use every core and count too, and subtracting our control group's pressure leaves little
//! where many programs compete (99 % minus 84 % with 5 others on 2 cores, measured). The time that
//! others *compute* is known exactly: all cores' time minus our own. The engine pauses only if
//! others compute while some program waits. Without PSI (a Jetson Nano's kernel, a Raspberry Pi's
//! unless started with `psi=1`) no program is known to wait.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::{Note, ramp};

/// The share of the last 10 s, in percent, in which some program must have waited for pauses to
/// begin: a program that runs only now and then is served at once anyway.
const WAITING_PERCENT: f64 = 10.0;
/// The same for pauses to be longest.
const WAITING_FULLY_PERCENT: f64 = 30.0;
/// The largest share of the time left to other programs: answering comes first.
const SHARE_MAX: f64 = 0.25;
/// The share of a core that other programs must use for it to be left to them.
const TAKEN: f64 = 0.35;
/// The share of pauses from which on they are reported.
const REPORTED_FROM: f64 = 0.05;
/// The share of pauses down to which they are reported.
const REPORTED_DOWN_TO: f64 = 0.01;
/// The weight of a new measurement; the kernel's own average is over 10 s as well.
const WEIGHT: f64 = 0.2;

/// The load of other programs.
pub(crate) struct Neighbours {
    root: PathBuf,
    last: Option<Times>,
    /// The share of all cores they use, 0 to 1, smoothed.
    load: f64,
    is_crowded: bool,
}

/// Ticks since the start of the system, of all cores.
#[derive(Clone, Copy, Debug)]
struct Times {
    all: u64,
    busy: u64,
    /// Of this process.
    own: u64,
    cores: usize,
}

impl Neighbours {
    /// Reads the files below `root`.
    pub(crate) fn new(root: &Path) -> Neighbours {
        Neighbours { root: root.to_path_buf(), last: None, load: 0.0, is_crowded: false }
    }

    /// Returns the share of the time to pause, 0 to `SHARE_MAX`.
    pub(crate) fn measure(&mut self, notes: &mut Vec<Note>) -> f64 {
        self.update_load();
        let share = self.waiting().map_or(0.0, |waiting| {
            self.load.min(SHARE_MAX) * ramp(waiting, WAITING_PERCENT, WAITING_FULLY_PERCENT)
        });
        let taken = self.cores_taken();
        if !self.is_crowded && (share >= REPORTED_FROM || taken > 0) {
            self.is_crowded = true;
            notes.push(Note::Crowded { percent: (100.0 * self.load) as f32 });
        } else if self.is_crowded && share <= REPORTED_DOWN_TO && taken == 0 {
            self.is_crowded = false;
            notes.push(Note::Alone);
        }
        share
    }

    /// Returns how many of `threads` have a core that other programs do not use, at least 1.
    pub(crate) fn threads_left(&self, threads: u32) -> u32 {
        let cores = self.last.map_or(usize::MAX, |times| times.cores);
        let left = cores.saturating_sub(self.cores_taken()).max(1);
        threads.min(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn cores_taken(&self) -> usize {
        let cores = self.last.map_or(0, |times| times.cores);
        (self.load * cores as f64 + 1.0 - TAKEN) as usize
    }

    /// Returns the share of the last 10 s in which some program waited, in percent.
    fn waiting(&self) -> Option<f64> {
        let text = read_to_string(self.root.join("proc/pressure/cpu")).ok()?;
        let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
        let average = some.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
        average.parse().ok().filter(|percent: &f64| (0.0..=100.0).contains(percent))
    }

    /// Updates `load`.
    fn update_load(&mut self) {
        let Some(now) = Times::read(&self.root) else { return };
        if let Some(last) = self.last.replace(now)
            && now.all > last.all
        {
            let passed = |now: u64, last: u64| now.saturating_sub(last) as f64;
            let others = passed(now.busy, last.busy) - passed(now.own, last.own);
            let load = (others / passed(now.all, last.all)).clamp(0.0, 1.0);
            self.load += WEIGHT * (load - self.load);
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
        // The name, in brackets, may contain spaces and brackets; after it, utime and stime are the
        // 12th and the 13th field.
        let mut fields = own.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let own = ticks()?.saturating_add(ticks()?);
        Some(Times { all, busy, own, cores })
    }
}
