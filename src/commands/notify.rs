//! Reports the server's state to the service manager that started it (sd_notify(3)).
//!
//! `serve` starts it. `READY` is sent once questions are answered. The watchdog is fed only while
//! the engine makes progress: an engine that has work and emits no events hangs, and the manager
//! then restarts the server, which recovers its jobs. Without a manager nothing is done.

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

/// The service manager, as the environment describes it; empty if there is none.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    /// The manager's socket: a path, or an abstract name after an `@`.
    pub socket: Option<OsString>,
    /// Time without a sign of life after which the manager restarts the server.
    pub watchdog: Option<Duration>,
}

/// The connection to the service manager, if there is one.
pub struct Manager {
    socket: Option<Arc<ManagerSocket>>,
}

/// A socket with the manager's address.
struct ManagerSocket {
    socket: UnixDatagram,
    to: SocketAddr,
}

/// Starts a thread that reports the desk's state to `supervisor` and ends with the desk.
///
/// # Errors
/// `internal` if no thread can be created. A socket that cannot be opened is only logged: the
/// server works without it, and the manager will notice.
pub fn start(supervisor: &Supervisor, desk: &Arc<Desk>) -> Result<Manager, Error> {
    let Some(name) = &supervisor.socket else { return Ok(Manager { socket: None }) };
    let socket = match ManagerSocket::open(name) {
        Ok(socket) => Arc::new(socket),
        Err(error) => {
            log::warn!("cannot reach the service manager at {name:?}: {error}");
            return Ok(Manager { socket: None });
        }
    };
    let mut notifications = Notifications::new(supervisor.watchdog);
    let (desk, to) = (Arc::downgrade(desk), socket.clone());
    std::thread::Builder::new()
        .name("notify".into())
        .spawn(move || report(&mut notifications, &desk, &to))
        .map_err(|e| Error::internal(format!("cannot start the notification thread: {e}")))?;
    Ok(Manager { socket: Some(socket) })
}

impl Manager {
    /// Reports that the server is stopping.
    pub fn stopping(&self) {
        if let Some(socket) = &self.socket {
            socket.send("STOPPING=1\nSTATUS=stopping");
        }
    }
}

fn report(notifications: &mut Notifications, desk: &Weak<Desk>, socket: &ManagerSocket) {
    while let Some(desk) = desk.upgrade() {
        let (health, pulse) = (desk.health(), desk.pulse());
        // Released early: dropping the last reference ends the engine.
        drop(desk);
        if health == Health::Closing {
            return;
        }
        if let Some(text) = notifications.due(&health, pulse, Instant::now()) {
            socket.send(&text);
        }
        std::thread::sleep(notifications.pause());
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
        // A manager that does not read must not block the server.
        socket.set_nonblocking(true)?;
        Ok(ManagerSocket { socket, to })
    }

    fn send(&self, text: &str) {
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.to) {
            log::debug!("cannot notify the service manager: {error}");
        }
    }
}

/// Decides which notifications are due, from the desk's state and the time alone.
struct Notifications {
    /// The manager's watchdog time, if it has one.
    watchdog: Option<Duration>,
    is_ready: bool,
    /// The last status sent, and when.
    status: Option<(String, Instant)>,
    /// When the watchdog was last fed.
    fed: Option<Instant>,
    /// When the engine last had no work.
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

    /// Returns the pause before the next check; the watchdog is fed at half its time.
    fn pause(&self) -> Duration {
        let half = self.watchdog.map(|time| time / 2);
        half.map_or(limits::STATUS_CHECK_EVERY, |half| (half / 2).min(limits::STATUS_CHECK_EVERY))
    }

    /// Returns the notifications due now, if any.
    fn due(&mut self, health: &Health, pulse: Pulse, now: Instant) -> Option<String> {
        let mut lines = Vec::new();
        let is_loading = matches!(health, Health::Loading { .. });
        if matches!(health, Health::Ready { .. }) && !self.is_ready {
            self.is_ready = true;
            self.status = None;
            lines.push("READY=1".to_string());
        }
        let status = status(health, pulse);
        let is_due = self.status.as_ref().is_none_or(|(last, at)| {
            *last != status && now.saturating_duration_since(*at) >= limits::STATUS_EVERY
        });
        if is_due {
            lines.push(format!("STATUS={status}"));
            if is_loading && self.makes_progress(health, pulse, now) {
                // Extends the manager's wait for READY.
                lines.push(format!("EXTEND_TIMEOUT_USEC={}", limits::LOADING_PATIENCE.as_micros()));
            }
            self.status = Some((status, now));
        }
        if self.feeds(health, pulse, now) {
            lines.push("WATCHDOG=1".to_string());
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Returns whether the watchdog must be fed now.
    fn feeds(&mut self, health: &Health, pulse: Pulse, now: Instant) -> bool {
        let Some(watchdog) = self.watchdog else { return false };
        let progresses = self.makes_progress(health, pulse, now);
        if progresses == self.hangs {
            self.hangs = !progresses;
            match progresses {
                true => log::info!("the engine makes progress again"),
                false => {
                    log::error!("the engine has work but has made no progress for {watchdog:?}")
                }
            }
        }
        let is_due = self.fed.is_none_or(|fed| now.saturating_duration_since(fed) >= watchdog / 2);
        if progresses && is_due {
            self.fed = Some(now);
        }
        progresses && is_due
    }

    /// Returns whether the engine makes progress or has no work.
    fn makes_progress(&mut self, health: &Health, pulse: Pulse, now: Instant) -> bool {
        let is_busy = match health {
            Health::Loading { .. } => true,
            Health::Ready { .. } => pulse.running + pulse.waiting > 0,
            // The engine has failed, and the server ends with it.
            Health::Broken(_) | Health::Closing => false,
        };
        if !is_busy {
            self.idle = Some(now);
        }
        // Its silence counts from the time it got work.
        let since = self.idle.map_or(pulse.last_event, |idle| idle.max(pulse.last_event));
        self.watchdog.is_none_or(|time| now.saturating_duration_since(since) < time)
    }
}

/// Returns the status line for the manager.
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
        Health::Broken(_) => "the engine has failed".to_string(),
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

    fn pulse(last_event: Instant, running: usize, waiting: usize) -> Pulse {
        Pulse { last_event, running, waiting }
    }

    /// How often it is fed in the seconds from `from` to `to`, looked at twice a second.
    fn food(
        notifications: &mut Notifications,
        health: &Health,
        seconds: std::ops::Range<u32>,
        of: impl Fn(u32) -> Pulse,
        start: Instant,
    ) -> usize {
        let looks = seconds.flat_map(|second| [(second, 0), (second, 500)]);
        let sent = looks.filter_map(|(second, millis)| {
            let now = start + Duration::from_secs(second.into()) + Duration::from_millis(millis);
            notifications.due(health, of(second), now)
        });
        sent.filter(|text| text.contains("WATCHDOG=1")).count()
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_time_while_steps_are_made_and_no_more_where_one_hangs() {
        let (start, mut notifications) = (Instant::now(), Notifications::new(Some(WATCHDOG)));
        let at = |second: u32| start + Duration::from_secs(second.into());
        let fed = food(&mut notifications, &READY, 0..20, |second| pulse(at(second), 1, 0), start);
        assert_eq!(fed, 4, "at 0, 5, 10 and 15 s");
        // The engine says nothing after the 20th second: fed until that was 10 s ago.
        let fed = food(&mut notifications, &READY, 20..60, |_| pulse(at(20), 1, 3), start);
        assert_eq!(fed, 2, "at 20 and 25 s");
        let fed = food(&mut notifications, &READY, 60..70, |second| pulse(at(second), 1, 3), start);
        assert_eq!(fed, 2, "it goes on");
    }

    #[test]
    fn an_idle_engine_may_be_silent_and_its_silence_does_not_count_when_work_comes() {
        let (start, mut notifications) = (Instant::now(), Notifications::new(Some(WATCHDOG)));
        assert_eq!(food(&mut notifications, &READY, 0..3600, |_| pulse(start, 0, 0), start), 720);
        // A question comes after an hour; its first step takes 6 s.
        assert!(food(&mut notifications, &READY, 3600..3606, |_| pulse(start, 0, 1), start) > 0);
        assert_eq!(food(&mut notifications, &READY, 3610..3620, |_| pulse(start, 0, 1), start), 0);
    }

    #[test]
    fn loading_feeds_it_by_its_progress() {
        let (start, mut notifications) = (Instant::now(), Notifications::new(Some(WATCHDOG)));
        let at = |second: u32| start + Duration::from_secs(second.into());
        assert_eq!(
            food(&mut notifications, &loading(5), 0..300, |second| pulse(at(second), 0, 0), start),
            60
        );
        assert_eq!(
            food(&mut notifications, &loading(6), 311..400, |_| pulse(at(300), 0, 0), start),
            0
        );
    }

    #[test]
    fn ready_is_said_once_and_a_status_when_it_changes_but_not_often() {
        let (start, mut notifications) = (Instant::now(), Notifications::new(None));
        let mut say = |health: &Health, millis: u64, running, waiting| {
            let now = start + Duration::from_millis(millis);
            notifications.due(health, pulse(now, running, waiting), now)
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
