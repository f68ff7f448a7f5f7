//! A running server, its log, and the streams it sends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, agent, model, said, send_signal, solverbox, wait_until, whole};

/// A `solverbox serve` with a port and a data folder of its own, killed on drop.
pub struct TestServer {
    pub address: SocketAddr,
    pub data: tempfile::TempDir,
    /// Whether the log had "the model is loaded" before the address.
    pub loaded_before_open: bool,
    child: Child,
    /// The log after the line with the address.
    log: Arc<Mutex<String>>,
    model: PathBuf,
    args: Vec<String>,
}

fn command_of(mut command: Command, model: &Path, data: &Path, args: &[String]) -> Command {
    command.arg("serve").arg("--model").arg(model).arg("--data").arg(data);
    if !args.iter().any(|arg| arg == "--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(args);
    command
}

impl TestServer {
    /// Starts with the demo model; it listens, the model may still be loading.
    pub fn start(args: &[&str]) -> TestServer {
        TestServer::start_with(&model(), args)
    }

    pub fn start_with(model: &Path, args: &[&str]) -> TestServer {
        TestServer::start_by(solverbox(), model, &[&["--threads", "1"], args].concat())
    }

    /// Starts by a command that runs the binary, with an environment or in a namespace; the number
    /// of threads is not limited.
    pub fn start_by(command: Command, model: &Path, args: &[&str]) -> TestServer {
        let data = tempfile::tempdir().expect("a folder");
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        let log = Arc::new(Mutex::new(String::new()));
        let command = command_of(command, model, data.path(), &args);
        let (child, address, loaded_before_open) = TestServer::run(command, &log);
        let model = model.to_path_buf();
        TestServer { address, data, loaded_before_open, child, log, model, args }
    }

    /// Kills the server with SIGKILL and restarts it on the same folder.
    pub fn kill_and_restart(&mut self) {
        self.end_by("KILL");
        self.restart();
    }

    /// Sends a signal and waits for the end.
    pub fn end_by(&mut self, signal: &str) {
        send_signal(self.child.id(), signal);
        self.child.wait().expect("it ends");
    }

    /// Waits until the server has ended by itself, within `most`.
    pub fn wait_end(&mut self, most: Duration) {
        let began = Instant::now();
        wait_until("the server to end", || self.child.try_wait().expect("a child").is_some());
        assert!(began.elapsed() <= most, "it took {:?}", began.elapsed());
    }

    /// Starts it again on the same folder with the same settings.
    pub fn restart(&mut self) {
        let command = command_of(solverbox(), &self.model, self.data.path(), &self.args);
        (self.child, self.address, self.loaded_before_open) = TestServer::run(command, &self.log);
    }

    fn run(mut command: Command, log: &Arc<Mutex<String>>) -> (Child, SocketAddr, bool) {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("solverbox starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut loaded_before_open = false;
        let address = loop {
            let line = lines.next().expect("serve logs its address").expect("text");
            loaded_before_open |= line.contains("the model is loaded");
            let rest = line.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
            if let Some(address) = rest.and_then(|(address, _)| address.parse().ok()) {
                break address;
            }
        };
        let log = log.clone();
        // Keeps the pipe from filling up; shown if a test fails.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                println!("{line}");
                log.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        (child, address, loaded_before_open)
    }

    /// Starts and waits until the model is loaded.
    pub fn ready(args: &[&str]) -> TestServer {
        let served = TestServer::start(args);
        served.wait_ready();
        served
    }

    pub fn wait_ready(&self) {
        wait_until("the model to be loaded", || self.get("/healthz").0 == 200);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let response = agent().get(self.url(path)).call().expect("an HTTP response");
        whole(response)
    }

    pub fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let response = self.post_raw(path, body);
        let (status, text) = whole(response);
        (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
    }

    pub fn post_raw(&self, path: &str, body: &str) -> ureq::http::Response<ureq::Body> {
        agent().post(self.url(path)).send(body).expect("an HTTP response")
    }

    /// Opens a chat stream; dropping it hangs up.
    pub fn stream(&self, body: &str) -> Stream {
        self.stream_as("", body)
    }

    /// Opens a chat stream with more header lines, each with its line end.
    pub fn stream_as(&self, lines: &str, body: &str) -> Stream {
        let mut socket = self.connect();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all((head + body).as_bytes()).expect("the request is sent");
        Stream { reader: BufReader::new(socket) }
    }

    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("the server listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }

    /// Returns the cookie that the page sets, as a browser sends it back.
    pub fn cookie(&self) -> String {
        let page = agent().get(self.url("/")).call().expect("an HTTP response");
        let cookie = page.headers()["set-cookie"].to_str().expect("ASCII");
        cookie.split(';').next().unwrap_or_default().to_string()
    }

    /// Sends raw bytes and returns the whole reply.
    pub fn raw(&self, request: &[u8]) -> String {
        let mut socket = self.connect();
        // The server may refuse and discard the request before all is written.
        let _ = socket.write_all(request);
        let mut reply = Vec::new();
        let _ = socket.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// Returns the log after the line with the address.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has `what`.
    pub fn wait_log(&self, what: &str) {
        wait_until(&format!("{what:?} in the log"), || self.log().contains(what));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns a figure of `/proc/PID/status`, such as `VmRSS` in kB or `Threads`.
    pub fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect(name).trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Waits for the end and returns the exit code.
    pub fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Server-sent events, line by line.
pub struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    pub fn of(socket: TcpStream) -> Stream {
        Stream { reader: BufReader::new(socket) }
    }

    /// Returns the next line that is not empty, or `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).expect("the stream continues") == 0 {
                return None;
            }
            if !line.trim().is_empty() {
                return Some(line.trim_end().to_string());
            }
        }
    }

    /// Reads until a line contains `what`.
    pub fn wait_for(&mut self, what: &str) -> String {
        std::iter::from_fn(|| self.line())
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("the stream ended before {what:?}"))
    }

    /// Reads until an event with text; the first event of a stream has none.
    pub fn wait_for_text(&mut self) {
        let is_text = |line: String| {
            let event =
                line.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok());
            event.is_some_and(|event: Value| !said(&[event]).is_empty())
        };
        assert!(
            std::iter::from_fn(|| self.line()).any(is_text),
            "the stream ended before any text"
        );
    }

    /// Returns the remaining JSON events.
    pub fn events(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.line())
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect()
    }
}
