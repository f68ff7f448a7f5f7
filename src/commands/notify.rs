//! Tells the service manager that started the box how it is doing, as sd_notify(3) says.
//!
//! `serve` starts it. Ready is said once questions are answered. The manager's watchdog is fed only
//! while the engine makes progress: one that has work and says nothing hangs, and the manager is to
//! kill and start the box, which recovers its jobs. Where nobody wants to be told, nothing is done.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::desk::{Desk, Health, Pulse};
use crate::types::error::Error;
use crate::types::limits;

/// Who wants to be told.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    /// Its socket: a path, or an abstract name after an `@`.
    pub socket: Option<OsString>,
    /// The time after which it takes a silent box for dead.
    pub watchdog: Option<Duration>,
}

/// The way to the service manager.
pub struct Manager {
    line: Option<Arc<ManagerSocket>>,
}

/// A socket with the address at its other end.
struct ManagerSocket {
    socket: UnixDatagram,
    to: SocketAddr,
}

/// Begins to tell `supervisor` how the desk is doing, on a thread of its own that ends with it.
///
/// # Errors
/// `internal` where no thread can be had. A socket that cannot be reached is only logged: the box
/// answers questions without it, and the manager will notice.
pub fn start(supervisor: &Supervisor, desk: &Arc<Desk>) -> Result<Manager, Error> {
    let Some(name) = &supervisor.socket else { return Ok(Manager { line: None }) };
    let line = match ManagerSocket::open(name) {
        Ok(line) => Arc::new(line),
        Err(error) => {
            log::warn!("cannot reach the service manager at {name:?}: {error}");
            return Ok(Manager { line: None });
        }
    };
    let mut news = Notifications::new(supervisor.watchdog);
    let (desk, to) = (Arc::downgrade(desk), line.clone());
    std::thread::Builder::new()
        .name("notify".into())
        .spawn(move || tell_on(&mut news, &desk, &to))
        .map_err(|e| Error::internal(format!("cannot start the notifying thread: {e}")))?;
    Ok(Manager { line: Some(line) })
}

impl Manager {
    /// Says that the box is on its way out.
    pub fn stopping(&self) {
        if let Some(line) = &self.line {
            line.say("STOPPING=1\nSTATUS=stopping");
        }
    }
}

fn tell_on(news: &mut Notifications, desk: &Weak<Desk>, line: &ManagerSocket) {
    while let Some(desk) = desk.upgrade() {
        let (health, pulse) = (desk.health(), desk.pulse());
        // Held no longer than that: whoever drops the last one ends the engine.
        drop(desk);
        if health == Health::Closing {
            return;
        }
        if let Some(text) = news.of(&health, pulse, Instant::now()) {
            line.say(&text);
        }
        std::thread::sleep(news.pause());
    }
}

impl ManagerSocket {
    fn open(name: &OsString) -> io::Result<ManagerSocket> {
        let bytes = name.as_bytes();
        let to = match bytes.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that reads nothing must not hold the box up.
        socket.set_nonblocking(true)?;
        Ok(ManagerSocket { socket, to })
    }

    fn say(&self, text: &str) {
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.to) {
            log::debug!("the service manager was not told: {error}");
        }
    }
}

/// What is worth saying: a decision over what the desk knows and the time, nothing else.
struct Notifications {
    /// After this time the manager takes the box for dead.
    watchdog: Option<Duration>,
    is_ready: bool,
    /// What was said last, and when.
    status: Option<(String, Instant)>,
    fed: Option<Instant>,
    /// When there was last nothing to do.
    idle: Option<Instant>,
    hangs: bool,
}

impl Notifications {
    fn new(watchdog: Option<Duration>) -> Notifications {
        Notifications {
            watchdog,
            is_ready: false,
            status: None,
            fed: None,
            idle: None,
            hangs: false,
        }
    }

    /// Returns how long to wait before the next look: food comes at half of the watchdog's time.
    fn pause(&self) -> Duration {
        let half = self.watchdog.map(|time| time / 2);
        half.map_or(limits::STATUS_CHECK_EVERY, |half| (half / 2).min(limits::STATUS_CHECK_EVERY))
    }

    /// Returns what to tell the manager now, if anything.
    fn of(&mut self, health: &Health, pulse: Pulse, now: Instant) -> Option<String> {
        let mut lines = Vec::new();
        let is_loading = matches!(health, Health::Loading { .. });
        if matches!(health, Health::Ready { .. }) && !self.is_ready {
            self.is_ready = true;
            self.status = None;
            lines.push("READY=1".to_string());
        }
        let status = status(health, pulse);
        let is_due = self.status.as_ref().is_none_or(|(said, at)| {
            *said != status && now.saturating_duration_since(*at) >= limits::STATUS_EVERY
        });
        if is_due {
            lines.push(format!("STATUS={status}"));
            if is_loading && self.goes_on(health, pulse, now) {
                // The manager waits for READY so much longer.
                lines.push(format!("EXTEND_TIMEOUT_USEC={}", limits::LOADING_PATIENCE.as_micros()));
            }
            self.status = Some((status, now));
        }
        if self.feeds(health, pulse, now) {
            lines.push("WATCHDOG=1".to_string());
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Returns whether the watchdog is to be fed now.
    fn feeds(&mut self, health: &Health, pulse: Pulse, now: Instant) -> bool {
        let Some(watchdog) = self.watchdog else { return false };
        let goes_on = self.goes_on(health, pulse, now);
        if goes_on == self.hangs {
            self.hangs = !goes_on;
            match goes_on {
                true => log::info!("the engine goes on"),
                false => log::error!("the engine has work and has said nothing for {watchdog:?}"),
            }
        }
        let is_due = self.fed.is_none_or(|fed| now.saturating_duration_since(fed) >= watchdog / 2);
        if goes_on && is_due {
            self.fed = Some(now);
        }
        goes_on && is_due
    }

    /// Returns whether the engine makes progress, or has nothing to do.
    fn goes_on(&mut self, health: &Health, pulse: Pulse, now: Instant) -> bool {
        let is_busy = match health {
            Health::Loading { .. } => true,
            Health::Ready { .. } => pulse.running + pulse.waiting > 0,
            // It has ended by itself, and the box will end with it.
            Health::Broken(_) | Health::Closing => false,
        };
        if !is_busy {
            self.idle = Some(now);
        }
        // Its silence counts from when there was something to say.
        let since = self.idle.map_or(pulse.last_event, |idle| idle.max(pulse.last_event));
        self.watchdog.is_none_or(|time| now.saturating_duration_since(since) < time)
    }
}

/// Says in a line how the box is doing.
fn status(health: &Health, pulse: Pulse) -> String {
    let Pulse { running, waiting, .. } = pulse;
    match health {
        Health::Loading { bytes_loaded, bytes_total } => {
            let percent = 100 * bytes_loaded / (*bytes_total).max(1);
            match waiting {
                0 => format!("loading {percent} %"),
                _ => format!("loading {percent} %, {waiting} waiting"),
            }
        }
        Health::Ready { .. } => match (running, waiting) {
            (0, 0) => "ready".to_string(),
            (_, 0) => format!("ready, {running} answering"),
            _ => format!("ready, {running} answering, {waiting} waiting"),
        },
        Health::Broken(_) => "the engine has ended by itself".to_string(),
        Health::Closing => "stopping".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHDOG: Duration = Duration::from_secs(10);
    const READY: Health = Health::Ready { bytes_total: 100 };

    fn loading(bytes_loaded: u64) -> Health {
        Health::Loading { bytes_loaded, bytes_total: 100 }
    }

    fn pulse(heard: Instant, running: usize, waiting: usize) -> Pulse {
        Pulse { last_event: heard, running, waiting }
    }

    /// How often it is fed in the seconds from `from` to `to`, looked at twice a second.
    fn food(
        news: &mut Notifications,
        health: &Health,
        seconds: std::ops::Range<u32>,
        of: impl Fn(u32) -> Pulse,
        start: Instant,
    ) -> usize {
        let looks = seconds.flat_map(|second| [(second, 0), (second, 500)]);
        let said = looks.filter_map(|(second, millis)| {
            let now = start + Duration::from_secs(second.into()) + Duration::from_millis(millis);
            news.of(health, of(second), now)
        });
        said.filter(|text| text.contains("WATCHDOG=1")).count()
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_time_while_steps_are_made_and_no_more_where_one_hangs() {
        let (start, mut news) = (Instant::now(), Notifications::new(Some(WATCHDOG)));
        let at = |second: u32| start + Duration::from_secs(second.into());
        let fed = food(&mut news, &READY, 0..20, |second| pulse(at(second), 1, 0), start);
        assert_eq!(fed, 4, "at 0, 5, 10 and 15 s");
        // The engine says nothing after the 20th second: fed until that was 10 s ago.
        let fed = food(&mut news, &READY, 20..60, |_| pulse(at(20), 1, 3), start);
        assert_eq!(fed, 2, "at 20 and 25 s");
        let fed = food(&mut news, &READY, 60..70, |second| pulse(at(second), 1, 3), start);
        assert_eq!(fed, 2, "it goes on");
    }

    #[test]
    fn an_idle_engine_may_be_silent_and_its_silence_does_not_count_when_work_comes() {
        let (start, mut news) = (Instant::now(), Notifications::new(Some(WATCHDOG)));
        assert_eq!(food(&mut news, &READY, 0..3600, |_| pulse(start, 0, 0), start), 720);
        // A question comes after an hour; its first step takes 6 s.
        assert!(food(&mut news, &READY, 3600..3606, |_| pulse(start, 0, 1), start) > 0);
        assert_eq!(food(&mut news, &READY, 3610..3620, |_| pulse(start, 0, 1), start), 0);
    }

    #[test]
    fn loading_feeds_it_by_its_progress() {
        let (start, mut news) = (Instant::now(), Notifications::new(Some(WATCHDOG)));
        let at = |second: u32| start + Duration::from_secs(second.into());
        assert_eq!(
            food(&mut news, &loading(5), 0..300, |second| pulse(at(second), 0, 0), start),
            60
        );
        assert_eq!(food(&mut news, &loading(6), 311..400, |_| pulse(at(300), 0, 0), start), 0);
    }

    #[test]
    fn ready_is_said_once_and_a_status_when_it_changes_but_not_often() {
        let (start, mut news) = (Instant::now(), Notifications::new(None));
        let mut say = |health: &Health, millis: u64, running, waiting| {
            let now = start + Duration::from_millis(millis);
            news.of(health, pulse(now, running, waiting), now)
        };
        let extend = "\nEXTEND_TIMEOUT_USEC=60000000";
        assert_eq!(say(&loading(3), 0, 0, 0), Some(format!("STATUS=loading 3 %{extend}")));
        assert_eq!(say(&loading(9), 500, 0, 0), None, "too soon");
        assert_eq!(
            say(&loading(34), 3_000, 0, 2),
            Some(format!("STATUS=loading 34 %, 2 waiting{extend}"))
        );
        assert_eq!(
            say(&READY, 3_100, 2, 0).as_deref(),
            Some("READY=1\nSTATUS=ready, 2 answering"),
            "at once"
        );
        assert_eq!(say(&READY, 9_000, 2, 0), None, "the same");
        assert_eq!(
            say(&READY, 9_500, 2, 5).as_deref(),
            Some("STATUS=ready, 2 answering, 5 waiting")
        );
        assert_eq!(say(&READY, 10_000, 0, 0), None);
        assert_eq!(say(&READY, 12_500, 0, 0).as_deref(), Some("STATUS=ready"));
    }
}
