//! A terminal at the other end of a serial line: a pseudo terminal whose slave the server opens as
//! its serial port, and an emulator that keeps the screen.
//!
//! The server opens the slave through a symbolic link of a fixed name, so that unplugging and
//! plugging in look as with a USB adapter: the name disappears and comes back as another device.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::support::PATIENCE;

/// Rows and columns of the emulated screen.
const ROWS: NonZeroU16 = NonZeroU16::new(50).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(80).unwrap();
/// How long nothing comes where the server has said all it had to say.
const QUIET: Duration = Duration::from_millis(300);

/// What has come over the line.
struct Received {
    bytes: Vec<u8>,
    /// How many of them an earlier wait has taken.
    taken: usize,
    screen: vt100::Parser,
}

/// How the terminal reads.
#[derive(Clone, Copy, PartialEq)]
enum ReadPace {
    All,
    BytesPerSecond(u64),
    Nothing,
}

/// What a terminal shares with the thread that reads for it.
struct SerialLine {
    received: Mutex<Received>,
    /// Notified whenever bytes were received.
    came: Condvar,
    reading: Mutex<ReadPace>,
    /// Notified whenever `reading` changes and when the cable is unplugged.
    changed: Condvar,
}

pub struct TestTerminal {
    link: PathBuf,
    _folder: tempfile::TempDir,
    end: Option<FarEnd>,
    line: Arc<SerialLine>,
}

struct FarEnd {
    master: File,
    /// Kept open, so that the server can close its end without hanging up the pair.
    _slave: File,
    unplugged: Arc<AtomicBool>,
}

impl TestTerminal {
    pub fn new() -> TestTerminal {
        let folder = tempfile::tempdir().unwrap();
        let screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        let line = SerialLine {
            received: Mutex::new(Received { bytes: Vec::new(), taken: 0, screen }),
            came: Condvar::new(),
            reading: Mutex::new(ReadPace::All),
            changed: Condvar::new(),
        };
        let link = folder.path().join("ttyUSB0");
        let mut terminal = TestTerminal { link, _folder: folder, end: None, line: Arc::new(line) };
        terminal.plug();
        terminal
    }

    /// The port's name, as the server is given it.
    pub fn port(&self) -> String {
        self.link.display().to_string()
    }

    /// Plugs the cable in.
    pub fn plug(&mut self) {
        // A program started in the meantime must not inherit the cable.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(&name).unwrap();
        // The system must not echo what is typed before the server opens the port.
        let mut raw = tcgetattr(&slave).unwrap();
        raw.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &raw).unwrap();
        let master = File::from(master);
        let unplugged = Arc::new(AtomicBool::new(false));
        self.read_on(master.try_clone().unwrap(), unplugged.clone());
        self.end = Some(FarEnd { master, _slave: slave, unplugged });
        std::os::unix::fs::symlink(name, &self.link).unwrap();
    }

    fn read_on(&self, mut master: File, unplugged: Arc<AtomicBool>) {
        let line = self.line.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !unplugged.load(Ordering::Relaxed) {
                let stands_still = |reading: &mut ReadPace| {
                    *reading == ReadPace::Nothing && !unplugged.load(Ordering::Relaxed)
                };
                let reading = line.reading.lock().unwrap();
                let reading = *line.changed.wait_while(reading, stands_still).unwrap();
                let most = match reading {
                    ReadPace::BytesPerSecond(pace) => {
                        // A slow terminal: a twentieth of a second's bytes at a time.
                        std::thread::sleep(Duration::from_millis(50));
                        (pace as usize / 20).max(1)
                    }
                    ReadPace::All => bytes.len(),
                    // Unplugged while it stood still.
                    ReadPace::Nothing => continue,
                };
                let wait = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
                let mut waiting = [PollFd::new(&master, PollFlags::IN)];
                if poll(&mut waiting, Some(&wait)).unwrap_or(0) == 0 {
                    continue;
                }
                let Ok(read @ 1..) = master.read(&mut bytes[..most]) else { return };
                let mut received = line.received.lock().unwrap();
                received.bytes.extend_from_slice(&bytes[..read]);
                received.screen.process(&bytes[..read]);
                line.came.notify_all();
            }
        });
    }

    /// Pulls the cable out.
    pub fn unplug(&mut self) {
        std::fs::remove_file(&self.link).unwrap();
        let end = self.end.take().unwrap();
        end.unplugged.store(true, Ordering::Relaxed);
        // Under the lock, so that a reader about to wait does not miss it.
        drop(self.line.reading.lock().unwrap());
        self.line.changed.notify_all();
        // The reader closes its copy within a moment; whichever closes last hangs up.
        drop(end);
    }

    /// Reads nothing from here on.
    pub fn stop_reading(&self) {
        self.read_as(ReadPace::Nothing);
    }

    /// Reads at most this many bytes a second from here on.
    pub fn read_slowly(&self, bytes_per_second: u64) {
        self.read_as(ReadPace::BytesPerSecond(bytes_per_second));
    }

    /// Reads all that comes, from here on.
    pub fn read_all(&self) {
        self.read_as(ReadPace::All);
    }

    fn read_as(&self, reading: ReadPace) {
        *self.line.reading.lock().unwrap() = reading;
        self.line.changed.notify_all();
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.end.as_mut().unwrap().master.write_all(bytes).unwrap();
    }

    pub fn enter(&mut self, line: &str) {
        self.send(format!("{line}\r").as_bytes());
    }

    /// Waits for `what` after the text an earlier wait ended with; returns the text before it.
    pub fn wait(&self, what: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut received = self.line.received.lock().unwrap();
        // What was searched already, but for the beginning of `what` at its end: an echo of a
        // megabyte arrives in hundreds of parts.
        let mut searched = 0;
        loop {
            let new = &received.bytes[received.taken..];
            let found =
                new[searched..].windows(what.len()).position(|part| part == what.as_bytes());
            if let Some(at) = found.map(|at| searched + at) {
                let before = String::from_utf8_lossy(&new[..at]).into_owned();
                received.taken += at + what.len();
                return before;
            }
            searched = (new.len() + 1).saturating_sub(what.len()).max(searched);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let screen = received.screen.screen().contents();
                panic!("waiting for {what:?}; the screen has:\n{screen}");
            }
            received = self.line.came.wait_timeout(received, left).unwrap().0;
        }
    }

    /// Waits until nothing has come for [`QUIET`], and takes all that came.
    pub fn settle(&self) {
        let mut received = self.line.received.lock().unwrap();
        loop {
            let all = received.bytes.len();
            received.taken = all;
            let is_quiet = |received: &mut Received| received.bytes.len() == all;
            let waited = self.line.came.wait_timeout_while(received, QUIET, is_quiet).unwrap();
            if waited.1.timed_out() {
                return;
            }
            received = waited.0;
        }
    }

    /// Returns all that came since the last wait.
    pub fn rest(&self) -> String {
        let received = self.line.received.lock().unwrap();
        String::from_utf8_lossy(&received.bytes[received.taken..]).into_owned()
    }

    /// Returns the text on the screen.
    pub fn screen(&self) -> String {
        self.line.received.lock().unwrap().screen.screen().contents()
    }
}
