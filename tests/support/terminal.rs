//! A terminal at the other end of a wire: a pseudo terminal whose slave the box opens as its serial
//! port, and an emulator that keeps the screen.
//!
//! The slave is reached over a link of a name that stays, so that pulling the cable and putting it
//! back in is what it is with an adapter: the name goes, and comes back with another device.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::support::PATIENCE;

/// Rows of the emulated screen, and its columns unless said otherwise.
const ROWS: NonZeroU16 = NonZeroU16::new(50).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(80).unwrap();

/// What has come over the wire.
struct Seen {
    all: Vec<u8>,
    /// What was looked at already.
    from: usize,
    screen: vt100::Parser,
}

pub struct Terminal {
    link: PathBuf,
    _folder: tempfile::TempDir,
    end: Option<FarEnd>,
    seen: Arc<Mutex<Seen>>,
    /// Bytes a second it reads; 0 for as many as come.
    pace: Arc<AtomicU64>,
}

struct FarEnd {
    master: File,
    /// Held, so that the box closing its end is no hang-up of the pair.
    _slave: File,
    gone: Arc<AtomicBool>,
}

impl Terminal {
    pub fn new() -> Terminal {
        let folder = tempfile::tempdir().unwrap();
        let seen = Seen { all: Vec::new(), from: 0, screen: vt100::Parser::new(ROWS, COLUMNS, 0) };
        let mut terminal = Terminal {
            link: folder.path().join("ttyUSB0"),
            _folder: folder,
            end: None,
            seen: Arc::new(Mutex::new(seen)),
            pace: Arc::new(AtomicU64::new(0)),
        };
        terminal.plug();
        terminal
    }

    /// The port as the box is told it.
    pub fn port(&self) -> String {
        self.link.display().to_string()
    }

    /// Puts the cable in.
    pub fn plug(&mut self) {
        // No program that is started meanwhile may hold the cable.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(&name).unwrap();
        // What is typed before the box opens it is not to be echoed by the system.
        let mut raw = tcgetattr(&slave).unwrap();
        raw.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &raw).unwrap();
        let master = File::from(master);
        let gone = Arc::new(AtomicBool::new(false));
        self.read_on(master.try_clone().unwrap(), gone.clone());
        self.end = Some(FarEnd { master, _slave: slave, gone });
        std::os::unix::fs::symlink(name, &self.link).unwrap();
    }

    fn read_on(&self, mut master: File, gone: Arc<AtomicBool>) {
        let (seen, pace) = (self.seen.clone(), self.pace.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !gone.load(Ordering::Relaxed) {
                let pace = pace.load(Ordering::Relaxed);
                if pace == u64::MAX {
                    std::thread::sleep(Duration::from_millis(50));
                    continue;
                }
                let most = if pace == 0 { bytes.len() } else { (pace as usize / 20).max(1) };
                if pace > 0 {
                    std::thread::sleep(Duration::from_millis(50));
                }
                let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
                let mut waiting = [PollFd::new(&master, PollFlags::IN)];
                if poll(&mut waiting, Some(&wait)).unwrap_or(0) == 0 {
                    continue;
                }
                let Ok(read @ 1..) = master.read(&mut bytes[..most]) else { return };
                let mut seen = seen.lock().unwrap();
                seen.all.extend_from_slice(&bytes[..read]);
                seen.screen.process(&bytes[..read]);
            }
        });
    }

    /// Pulls it out.
    pub fn unplug(&mut self) {
        std::fs::remove_file(&self.link).unwrap();
        let end = self.end.take().unwrap();
        end.gone.store(true, Ordering::Relaxed);
        // Its reader lets go within a moment; the last one to do so hangs up.
        drop(end);
    }

    /// Reads nothing from here on.
    pub fn stop_reading(&self) {
        self.pace(u64::MAX);
    }

    /// Reads so many bytes a second from here on; 0: all that come.
    pub fn pace(&self, bytes_per_second: u64) {
        self.pace.store(bytes_per_second, Ordering::Relaxed);
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.end.as_mut().unwrap().master.write_all(bytes).unwrap();
    }

    pub fn enter(&mut self, line: &str) {
        self.send(format!("{line}\r").as_bytes());
    }

    /// Waits until this comes behind what was waited for before; returns what came before it.
    pub fn wait(&self, what: &str) -> String {
        let began = Instant::now();
        loop {
            {
                let mut seen = self.seen.lock().unwrap();
                let new = &seen.all[seen.from..];
                let found = new.windows(what.len()).position(|part| part == what.as_bytes());
                if let Some(at) = found {
                    let before = String::from_utf8_lossy(&new[..at]).into_owned();
                    seen.from += at + what.len();
                    return before;
                }
                assert!(
                    began.elapsed() < PATIENCE,
                    "waiting for {what:?}; the screen has:\n{}",
                    seen.screen.screen().contents()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Forgets what came so far, once nothing has come for a moment.
    pub fn settle(&self) {
        let mut last = usize::MAX;
        loop {
            let all = self.seen.lock().unwrap().all.len();
            if all == last {
                break;
            }
            last = all;
            std::thread::sleep(Duration::from_millis(300));
        }
        let mut seen = self.seen.lock().unwrap();
        seen.from = seen.all.len();
    }

    /// Returns all that came since this was last waited for or settled.
    pub fn rest(&self) -> String {
        let seen = self.seen.lock().unwrap();
        String::from_utf8_lossy(&seen.all[seen.from..]).into_owned()
    }

    /// Returns what stands on the screen.
    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }
}
