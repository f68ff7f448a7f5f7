//! A server that is killed and restarted on one data folder, and readers that follow its jobs
//! across restarts as a browser does: with the ID of the last event received.
//!
//! The trials `crash` and `power` share it. A reader records every event with its time. It checks
//! what must hold at each event (its ID is the offset of the text) and keeps a violation as its
//! fault; the trial asserts that no reader has one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::support::{PATIENCE, poll_for};

/// How long one reply may take.
const REPLY: Duration = Duration::from_secs(20);

/// The address of the server while it runs, and requests to it.
#[derive(Default)]
pub struct LiveServer {
    /// The number of the run, and the address once it listens.
    address: Mutex<(u32, Option<SocketAddr>)>,
    changed: Condvar,
}

impl LiveServer {
    /// Sets the address of a run, unless that run has ended.
    fn open(&self, life: u32, at: SocketAddr) {
        let mut address = self.address.lock().unwrap();
        if address.0 == life {
            address.1 = Some(at);
            self.changed.notify_all();
        }
    }

    /// Removes the address; returns the number of the next run.
    fn close(&self) -> u32 {
        let mut address = self.address.lock().unwrap();
        *address = (address.0 + 1, None);
        address.0
    }

    /// Waits until a server listens; `None` after `most`.
    pub fn wait(&self, most: Duration) -> Option<SocketAddr> {
        let address = self.address.lock().unwrap();
        self.changed.wait_timeout_while(address, most, |at| at.1.is_none()).unwrap().0.1
    }

    /// Sends a request to the running server.
    ///
    /// # Errors
    /// If no server runs, or it ended before the reply was complete.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        lines: &str,
        body: &str,
    ) -> io::Result<(u16, String)> {
        let address = self.wait(REPLY).ok_or(io::ErrorKind::NotConnected)?;
        let mut socket = connect(address)?;
        let length = body.len();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply)?;
        let (head, body) = reply.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let named = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        };
        if head.lines().find_map(named).is_some_and(|length| length != body.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_string()))
    }

    /// Requests JSON until a server replies.
    pub fn get(&self, path: &str) -> (u16, Value) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.ask("GET", path, "", "") {
                Ok((status, text)) => {
                    let value = serde_json::from_str(&text);
                    return (status, value.unwrap_or_else(|e| panic!("{e}: {text}")));
                }
                Err(error) => assert!(Instant::now() < until, "no reply to {path}: {error}"),
            }
        }
    }

    /// Lists all jobs, page by page.
    pub fn list(&self) -> Vec<Value> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let (status, page) = self.get(&format!("/api/jobs?limit=100{next}"));
            assert_eq!(status, 200, "{page}");
            all.extend(page["jobs"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(id) => next = format!("&before={id}"),
                None => return all,
            }
        }
    }

    /// Waits until every job has ended.
    pub fn wait_all_over(&self) {
        let is_open = |job: &Value| job["state"] == "queued" || job["state"] == "running";
        let all_over = || (!self.list().iter().any(is_open)).then_some(());
        assert!(poll_for(PATIENCE * 2, all_over).is_some(), "jobs do not end: {:?}", self.list());
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(REPLY))?;
    Ok(socket)
}

/// A server that is killed and restarted.
pub struct RestartedServer {
    pub door: Arc<LiveServer>,
    /// Makes the command of a run, which logs its address on standard error.
    life: Box<dyn Fn() -> Command>,
    child: Option<Child>,
    began: Instant,
    /// Everything logged in all runs.
    said: Arc<Mutex<String>>,
}

impl RestartedServer {
    pub fn new(life: impl Fn() -> Command + 'static) -> RestartedServer {
        let (door, said) = (Arc::default(), Arc::default());
        RestartedServer { door, life: Box::new(life), child: None, began: Instant::now(), said }
    }

    /// Starts a run; returns at once.
    pub fn begin(&mut self) {
        let mut command = (self.life)();
        self.began = Instant::now();
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (door, said, life) = (self.door.clone(), self.said.clone(), self.door.close());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let rest = line.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
                if let Some(address) = rest.and_then(|(address, _)| address.parse().ok()) {
                    door.open(life, address);
                }
                println!("{line}");
                said.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        self.child = Some(child);
    }

    /// Waits until the model is loaded; returns the time since this run began.
    pub fn wait_ready(&mut self) -> Duration {
        let until = Instant::now() + PATIENCE;
        while !matches!(self.door.ask("GET", "/healthz", "", ""), Ok((200, _))) {
            let ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            assert!(!ended, "the server has ended: {}", self.said());
            assert!(Instant::now() < until, "the model is not loaded");
        }
        self.began.elapsed()
    }

    /// Ends this run by SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it ran");
            self.door.close();
            child.wait().expect("it ends");
        }
    }

    /// Waits until this run has ended by itself.
    pub fn wait_end(&mut self) {
        let mut child = self.child.take().expect("a run");
        child.wait().expect("it ends");
        self.door.close();
    }

    /// Returns everything logged in all runs.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for RestartedServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An event a reader received, with its time.
#[derive(Clone, Debug)]
pub struct ReceivedEvent {
    pub at: SystemTime,
    pub kind: String,
    pub place: String,
    pub data: Value,
}

/// What a reader has after some events.
#[derive(Clone, Debug, Default)]
pub struct ReaderState {
    pub text: String,
    /// The ID of the last event, to reconnect with.
    pub place: String,
    /// The event that ended the job.
    pub end: Option<Value>,
    pub rewinds: usize,
}

impl ReaderState {
    /// Applies an event.
    ///
    /// # Errors
    /// A description of what is wrong with the event.
    pub fn take(&mut self, told: &ReceivedEvent) -> Result<(), String> {
        match told.kind.as_str() {
            "thinking" | "answer" => self.text.push_str(told.data["text"].as_str().unwrap_or("")),
            "rewind" => {
                let to = told.data["to"].as_u64().ok_or("a rewind to nowhere")? as usize;
                if to > self.text.len() || !self.text.is_char_boundary(to) {
                    return Err(format!("a rewind to {to} of {} bytes", self.text.len()));
                }
                self.text.truncate(to);
                self.rewinds += 1;
            }
            "done" | "failed" => self.end = Some(told.data.clone()),
            _ => {}
        }
        let offset = told.place.split('.').next().unwrap_or_default();
        if offset != self.text.len().to_string() {
            return Err(format!("{} at {offset} of {} bytes", told.kind, self.text.len()));
        }
        self.place.clone_from(&told.place);
        Ok(())
    }
}

/// A reader of one job.
#[derive(Default)]
pub struct JobReader {
    pub id: String,
    told: Mutex<(ReaderState, Vec<ReceivedEvent>, Option<String>)>,
    gives_up: AtomicBool,
}

/// How many events all readers have received, by kind.
#[derive(Default)]
pub struct EventCounts {
    pub texts: AtomicUsize,
    pub attempts: AtomicUsize,
    pub votes: AtomicUsize,
    pub ends: AtomicUsize,
}

impl JobReader {
    /// Follows a job from the position of `reading` to its end.
    pub fn follow(
        door: &Arc<LiveServer>,
        id: &str,
        reading: ReaderState,
        heard: &Arc<EventCounts>,
    ) -> (Arc<JobReader>, std::thread::JoinHandle<()>) {
        let told = Mutex::new((reading, Vec::new(), None));
        let reader =
            Arc::new(JobReader { id: id.to_string(), told, gives_up: AtomicBool::new(false) });
        let (own, door, heard) = (reader.clone(), door.clone(), heard.clone());
        let thread = std::thread::spawn(move || {
            while !own.is_over() && !own.gives_up.load(Ordering::Relaxed) {
                if let Some(address) = door.wait(Duration::from_millis(100)) {
                    // After an interruption the loop reconnects.
                    let _ = own.read_on(address, &heard);
                }
            }
        });
        (reader, thread)
    }

    /// Returns the reader's state and all events it received.
    pub fn now(&self) -> (ReaderState, Vec<ReceivedEvent>) {
        let told = self.told.lock().unwrap();
        (told.0.clone(), told.1.clone())
    }

    /// Returns what was wrong with an event, if anything was.
    pub fn fault(&self) -> Option<String> {
        let told = self.told.lock().unwrap();
        told.2.as_ref().map(|fault| format!("job {}: {fault}", self.id))
    }

    /// Stops following.
    pub fn give_up(&self) {
        self.gives_up.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let told = self.told.lock().unwrap();
        told.0.end.is_some() || told.2.is_some()
    }

    fn read_on(&self, address: SocketAddr, heard: &EventCounts) -> io::Result<()> {
        let mut socket = connect(address)?;
        let (id, place) = (&self.id, self.now().0.place);
        write!(
            socket,
            "GET /api/jobs/{id}/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {place}\r\n\r\n"
        )?;
        let mut reader = BufReader::new(socket);
        let status = line(&mut reader)?;
        if status.contains(" 404 ") && !self.gives_up.load(Ordering::Relaxed) {
            self.told.lock().unwrap().2 = Some("the job is gone".to_string());
        }
        if !status.contains(" 200 ") {
            return Ok(());
        }
        while !line(&mut reader)?.is_empty() {}
        let (mut kind, mut place, mut data) = (String::new(), String::new(), String::new());
        while !self.gives_up.load(Ordering::Relaxed) {
            let line = line(&mut reader)?;
            match line.split_once(": ") {
                Some(("event", text)) => kind = text.to_string(),
                Some(("id", text)) => place = text.to_string(),
                Some(("data", text)) => data = text.to_string(),
                // An event is complete at the empty line after it.
                None if line.is_empty() && !data.is_empty() => {
                    self.take(&kind, &place, &data, heard);
                    data.clear();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&self, kind: &str, place: &str, data: &str, heard: &EventCounts) {
        let (kind, place) = (kind.to_string(), place.to_string());
        let data = serde_json::from_str(data).unwrap_or(Value::Null);
        let event = ReceivedEvent { at: SystemTime::now(), kind, place, data };
        let count = match event.kind.as_str() {
            "thinking" | "answer" => Some(&heard.texts),
            "attempt" => Some(&heard.attempts),
            "vote" => Some(&heard.votes),
            "done" | "failed" => Some(&heard.ends),
            _ => None,
        };
        let mut told = self.told.lock().unwrap();
        if let Err(fault) = told.0.take(&event) {
            told.2.get_or_insert(fault);
        }
        told.1.push(event);
        drop(told);
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads a complete line, without its line end.
fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.trim_end_matches('\r').to_string()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads a job's events from beginning to end.
pub fn whole(door: &Arc<LiveServer>, id: &str) -> ReaderState {
    let (reader, thread) = JobReader::follow(door, id, ReaderState::default(), &Arc::default());
    thread.join().unwrap();
    assert_eq!(reader.fault(), None);
    reader.now().0
}
