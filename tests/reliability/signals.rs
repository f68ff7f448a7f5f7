//! The server as a service: it stops in time whatever hangs, and notifies its service manager by
//! systemd's protocol over a real datagram socket.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io::BufRead, io::BufReader};

use serde_json::json;

use crate::support::{
    PATIENCE, TestServer, chat, model, not_checked, root, send_signal, solverbox, wait_until, whole,
};

/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(5);

/// A request that would run for minutes.
fn endless() -> String {
    chat(json!({"stream": true, "ignore_eos": true, "max_tokens": 8000}))
}

/// Stops one thread of a process by ptrace(2), as a hang would; the kernel has no other way to stop
/// a single thread.
struct Hang {
    holder: Child,
    _said: BufReader<ChildStdout>,
}

impl Hang {
    /// Stops the engine's thread; `None`, with a notice, if this machine does not allow it.
    fn of_engine(served: &TestServer) -> Option<Hang> {
        let engine =
            fs::read_dir(format!("/proc/{}/task", served.pid())).unwrap().find_map(|task| {
                let path = task.unwrap().path();
                let is_engine = fs::read_to_string(path.join("comm")).unwrap().trim() == "engine";
                is_engine.then(|| path.file_name().unwrap().to_str().unwrap().to_string())
            });
        let hold = "import ctypes, os, sys\n\
                    thread, attach, wall = int(sys.argv[1]), 16, 0x40000000\n\
                    failed = ctypes.CDLL(None).ptrace(attach, thread, None, None)\n\
                    failed or os.waitpid(thread, wall)\n\
                    print('no' if failed else 'held', flush=True)\n\
                    while not failed and os.WIFSTOPPED(os.waitpid(-1, wall)[1]): pass";
        let python = root().join("target/venv/bin/python");
        assert!(python.is_file(), "Python is missing: run `build/prepare.sh test`");
        let mut command = Command::new(python);
        command.args(["-c", hold, &engine.expect("the engine's thread")]).stdin(Stdio::null());
        let mut holder = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(holder.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let hang = Hang { holder, _said: said };
        if line.trim() != "held" {
            not_checked("an engine that hangs, because ptrace(2) is not allowed here");
        }
        (line.trim() == "held").then_some(hang)
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn a_shutdown_tells_every_stream_when_to_reconnect_and_ends_in_time() {
    let served = TestServer::ready(&["--sequences", "2"]);
    let mut streams: Vec<_> = (0..4)
        .map(|client| served.stream_as(&format!("Authorization: Bearer {client}\r\n"), &endless()))
        .collect();
    for stream in &mut streams {
        // The first event has the reconnection time, for streams that end without notice.
        assert_eq!(stream.wait_for("retry: "), "retry: 2000");
    }
    streams[0].wait_for_text();
    let asked = Instant::now();
    send_signal(served.pid(), "TERM");
    for stream in &mut streams {
        stream.wait_for("the box is shutting down");
        stream.wait_for("[DONE]");
    }
    assert_eq!(served.exit_code(), Some(0));
    assert!(asked.elapsed() < STOP, "{:?}", asked.elapsed());
}

#[test]
fn clients_that_neither_read_nor_send_do_not_delay_a_shutdown() {
    let served = TestServer::ready(&[]);
    let _silent = served.connect();
    let _reads_nothing = served.stream(&endless());
    let mut reads = served.stream(&endless());
    reads.wait_for_text();
    let asked = Instant::now();
    send_signal(served.pid(), "TERM");
    assert_eq!(served.exit_code(), Some(0));
    assert!(asked.elapsed() < STOP, "{:?}", asked.elapsed());
}

#[test]
fn during_a_shutdown_questions_are_refused_and_a_hang_does_not_delay_it() {
    let served = TestServer::ready(&[]);
    let Some(hang) = Hang::of_engine(&served) else { return };
    let asked = Instant::now();
    send_signal(served.pid(), "TERM");
    // The engine does not end: meanwhile the server reports the shutdown.
    wait_until("the server to be closing", || served.get("/healthz").1.contains("closing"));
    for path in ["/v1/chat/completions", "/api/predict"] {
        let body =
            if path.starts_with("/v1") { chat(json!({})) } else { r#"{"data": ["q"]}"#.into() };
        let response = served.post_raw(path, &body);
        assert_eq!(response.headers()["retry-after"], "2");
        let (status, reply) = whole(response);
        assert_eq!(status, 503);
        assert!(
            reply.contains("the box is shutting down") && reply.contains("Ask again"),
            "{reply}"
        );
    }
    assert_eq!(served.get("/").0, 200);
    wait_until("the forced exit", || served.log().contains("shutdown hangs: exiting"));
    assert_eq!(served.exit_code(), Some(1));
    assert!(asked.elapsed() < STOP, "{:?}", asked.elapsed());
    drop(hang);
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let served = TestServer::ready(&[]);
    let Some(hang) = Hang::of_engine(&served) else { return };
    send_signal(served.pid(), "TERM");
    wait_until("the server to be closing", || served.get("/healthz").1.contains("closing"));
    let asked = Instant::now();
    send_signal(served.pid(), "INT");
    assert_eq!(served.exit_code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    drop(hang);
}

#[test]
fn a_server_may_be_stopped_while_the_model_loads() {
    let served = TestServer::start(&[]);
    let asked = Instant::now();
    send_signal(served.pid(), "TERM");
    // A signal before the handler is set ends the process as it ends any program.
    assert!(matches!(served.exit_code(), Some(0) | None));
    assert!(asked.elapsed() < STOP, "{:?}", asked.elapsed());
}

/// The socket of a service manager.
pub struct ManagerInbox {
    socket: UnixDatagram,
    pub messages: Vec<String>,
}

impl ManagerInbox {
    pub fn on(socket: UnixDatagram) -> ManagerInbox {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        ManagerInbox { socket, messages: Vec::new() }
    }

    /// Receives the next message.
    pub fn next(&mut self) -> String {
        let mut bytes = [0; 4 << 10];
        let count = self.socket.recv(&mut bytes).expect("a message");
        let text = String::from_utf8(bytes[..count].to_vec()).unwrap();
        self.messages.push(text.clone());
        text
    }

    pub fn wait_for(&mut self, what: &str) -> String {
        loop {
            let text = self.next();
            if text.lines().any(|line| line == what) {
                return text;
            }
        }
    }

    /// Returns whether no message with `what` comes for this long.
    fn is_quiet_about(&mut self, what: &str, time: Duration) -> bool {
        let until = Instant::now() + time;
        self.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut bytes = [0; 4 << 10];
        let mut quiet = true;
        while Instant::now() < until {
            let count = self.socket.recv(&mut bytes).unwrap_or(0);
            quiet &= !String::from_utf8_lossy(&bytes[..count]).contains(what);
        }
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        quiet
    }
}

/// Starts a server whose manager listens at `socket` and expects watchdog messages.
pub fn managed(socket: &str, watchdog: Duration) -> TestServer {
    let mut command = solverbox();
    command.env("NOTIFY_SOCKET", socket);
    command.env("WATCHDOG_USEC", watchdog.as_micros().to_string()).env_remove("WATCHDOG_PID");
    TestServer::start_by(command, &model(), &["--threads", "1"])
}

#[test]
fn a_manager_is_notified_of_readiness_status_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let mut manager = ManagerInbox::on(UnixDatagram::bind(&path).unwrap());
    let served = managed(path.to_str().unwrap(), Duration::from_secs(2));
    let ready = manager.wait_for("READY=1");
    assert!(ready.contains("STATUS=ready"), "{ready}");
    assert!(served.get("/healthz").1.contains("ready"));
    assert!(manager.messages.iter().filter(|text| text.contains("READY=1")).count() == 1);
    manager.wait_for("WATCHDOG=1");
    let mut stream = served.stream(&endless());
    stream.wait_for_text();
    // While it answers, each step of the engine feeds the watchdog.
    manager.wait_for("STATUS=ready, 1 answering");
    manager.wait_for("WATCHDOG=1");
    send_signal(served.pid(), "TERM");
    manager.wait_for("STOPPING=1");
    assert_eq!(served.exit_code(), Some(0));
}

#[test]
fn a_manager_may_listen_on_an_abstract_socket() {
    let name = format!("solverbox-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let mut manager = ManagerInbox::on(UnixDatagram::bind_addr(&address).unwrap());
    let _served = managed(&format!("@{name}"), Duration::from_secs(60));
    manager.wait_for("READY=1");
}

#[test]
fn an_engine_that_hangs_is_not_reported_alive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let mut manager = ManagerInbox::on(UnixDatagram::bind(&path).unwrap());
    let watchdog = Duration::from_secs(2);
    let served = managed(path.to_str().unwrap(), watchdog);
    manager.wait_for("READY=1");
    let mut stream = served.stream(&endless());
    stream.wait_for_text();
    let Some(hang) = Hang::of_engine(&served) else { return };
    wait_until("the hang to be noticed", || {
        served.log().contains("the engine has work but has made no progress")
    });
    // Discards what was sent before.
    assert!(manager.is_quiet_about("nothing at all", Duration::from_millis(100)));
    assert!(
        manager.is_quiet_about("WATCHDOG=1", watchdog * 2),
        "the HTTP server is alive, the engine is not"
    );
    assert_eq!(served.get("/").0, 200);
    drop(hang);
    // The thread was only held: the engine continues, and so does the watchdog.
    manager.wait_for("WATCHDOG=1");
}
