//! Clients that are slow, greedy, many at once or suddenly gone. Their cost to other clients is
//! bounded, and the resources they held are freed without intervention.
//!
//! The trials have two forms (tests/support/trial.rs). Attackers connect from 127.0.0.1, the client
//! they must not disturb from 127.0.0.2: on loopback each address may hold three quarters of all
//! connections.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::support::trial;
use crate::support::{
    PATIENCE, TestServer, chat, deaf, model, not_checked, page_asset, solverbox, text, wait_until,
};
use solverbox::types::limits;

/// Held by trials that load the whole machine or measure it.
static ALONE: Mutex<()> = Mutex::new(());

/// Memory a server may keep after an attack, in kB.
const KEPT_KB_MAX: u64 = 20 << 10;
/// How long the page may take whatever else happens.
const PAGE_WAIT: Duration = Duration::from_secs(1);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Connects from 127.0.0.`last`.
fn connect_from(
    last: u8,
    to: SocketAddr,
    receive_bytes: Option<usize>,
) -> std::io::Result<TcpStream> {
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if let Some(bytes) = receive_bytes {
        sockopt::set_socket_recv_buffer_size(&stream, bytes)?;
    }
    bind(&stream, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    connect(&stream, &to)?;
    let stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Fetches the page from 127.0.0.`last`; returns whether it came complete, and after what time.
fn page(last: u8, served: &TestServer) -> (bool, Duration) {
    let began = Instant::now();
    let fetch = || -> std::io::Result<String> {
        let mut socket = connect_from(last, served.address, None)?;
        socket.set_read_timeout(Some(PAGE_WAIT * 5))?;
        socket.write_all(GET)?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply)?;
        Ok(reply)
    };
    let is_whole = |reply: String| reply.starts_with("HTTP/1.1 200") && reply.contains("</html>");
    (fetch().is_ok_and(is_whole), began.elapsed())
}

/// Returns whether a program is installed; if not, prints a notice, and the trial's rows are
/// missing.
fn has(program: &str, trial: &str) -> bool {
    let there = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .stdout(Stdio::null())
        .status();
    let there = there.is_ok_and(|status| status.success());
    if !there {
        not_checked(&format!("{trial}: `{program}` is missing; build/prepare.sh test gets it"));
    }
    there
}

/// Waits until a figure of the process has fallen to `most`.
fn wait_down(served: &TestServer, figure: &str, most: u64) {
    wait_until(&format!("{figure} to be {most}"), || served.status(figure) <= most);
}

#[test]
fn a_request_line_and_its_headers_are_bounded() {
    let served = TestServer::start(&[]);
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
    for request in [long, many] {
        let reply = served.raw(request.as_bytes());
        assert!(reply.starts_with("HTTP/1.1 431 ") && reply.contains("too_long"), "{reply}");
    }
}

#[test]
fn a_connection_serves_one_request() {
    let served = TestServer::start(&[]);
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    let reply = served.raw(&[&request[..], request].concat());
    assert_eq!(reply.matches("HTTP/1.1 200 OK").count(), 1);
    assert!(reply.contains("\r\nConnection: close\r\n") && reply.ends_with("</html>\n"), "{reply}");
}

/// Sends a start and then a byte now and then until the server replies or closes; returns the reply
/// and the time it took.
fn drip(served: &TestServer, start: &str) -> (String, Duration) {
    let (mut socket, began) = (served.connect(), Instant::now());
    socket.write_all(start.as_bytes()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut bytes = [0; 4 << 10];
    while began.elapsed() < PATIENCE {
        match socket.read(&mut bytes) {
            Ok(count) => {
                return (String::from_utf8_lossy(&bytes[..count]).into_owned(), began.elapsed());
            }
            // The read paces the drip. A client that sent nothing stays silent.
            Err(_) if !start.is_empty() => drop(socket.write(b"x")),
            Err(_) => {}
        }
    }
    panic!("{start:?}: the server waits without a limit");
}

#[test]
fn a_client_that_drips_bytes_is_dropped_when_the_total_time_is_up() {
    let served = TestServer::start(&[]);
    let body = "POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n";
    let slow: [(&str, &str, Duration); 3] = [
        ("", "", limits::HEAD_WAIT),
        ("GET / HTTP/1.1\r\nX: ", "HTTP/1.1 408 ", limits::HEAD_WAIT),
        (body, "HTTP/1.1 408 ", limits::BODY_WAIT),
    ];
    thread::scope(|scope| {
        for (start, says, wait) in slow {
            let served = &served;
            scope.spawn(move || {
                let (said, after) = drip(served, start);
                assert!(
                    said.starts_with(says) && said.is_empty() == says.is_empty(),
                    "{start:?}: {said}"
                );
                assert!(
                    after >= wait && after < wait + Duration::from_secs(3),
                    "{start:?}: {after:?}"
                );
            });
        }
    });
}

/// Opens an endless stream with a tiny receive buffer and never reads it.
fn unread(served: &TestServer) -> TcpStream {
    let body = chat(json!({"stream": true, "ignore_eos": true, "max_tokens": 8_000}));
    let mut socket = connect_from(1, served.address, Some(4 << 10)).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).unwrap();
    socket
}

#[test]
fn a_reader_that_stops_reading_loses_its_stream_and_its_threads_and_holds_no_memory() {
    // An event a token: four times what all buffers on the way hold.
    let served = TestServer::ready(&["--drafts", "off"]);
    assert!(page(2, &served).0);
    let mut readers: Vec<TcpStream> = (0..3).map(|_| unread(&served)).collect();
    let began = Instant::now();
    wait_until("the streams to begin", || threads(&served, "request") == 3);
    let memory = served.status("VmRSS");
    wait_until("the streams to end", || threads(&served, "request") == 0);
    assert!(began.elapsed() > limits::WRITE_WAIT, "too early: {:?}", began.elapsed());
    let grown = served.status("VmRSS").saturating_sub(memory);
    assert!(grown < KEPT_KB_MAX, "{grown} kB");
    for reader in &mut readers {
        let mut rest = Vec::new();
        let _ = reader.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"), "cut off");
    }
}

/// Returns the number of the server's threads of one name.
fn threads(served: &TestServer, name: &str) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", served.pid())).unwrap();
    // A thread may end before its name is read.
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|thread| thread.trim_end() == name).count()
}

/// Sets the server's soft limit of open files to `spare` more than it has open.
fn leave_descriptors(served: &TestServer, spare: u64) {
    let open = descriptors(served);
    let limit =
        Rlimit { current: Some(open + spare), maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(Pid::from_raw(served.pid().cast_signed()), Resource::Nofile, limit).unwrap();
}

/// Returns the number of open descriptors of the server.
fn descriptors(served: &TestServer) -> u64 {
    std::fs::read_dir(format!("/proc/{}/fd", served.pid())).unwrap().count() as u64
}

/// Returns how long it takes until the page is served again.
fn until_served(served: &TestServer) -> Duration {
    let began = Instant::now();
    wait_until("the page to be served again", || page(2, served).0);
    began.elapsed()
}

#[test]
fn a_server_recovers_by_itself_once_descriptors_are_free_again() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let served = TestServer::ready(&[]);
    assert!(page(2, &served).0);
    let threads = served.status("Threads");
    let rounds = trial::form(3, 20);
    let open = descriptors(&served);
    let mut worst = Duration::ZERO;
    for round in 0..rounds {
        // The descriptors of the last crowd are closed one by one and would count as spare.
        wait_until("the last crowd to be gone", || descriptors(&served) <= open);
        leave_descriptors(&served, 9);
        // Some connections reach tiny_http, the rest waits in front of the gate.
        let mut crowd: Vec<TcpStream> = (0..30).map(|_| served.connect()).collect();
        crowd.iter_mut().take(6).for_each(|client| client.write_all(GET).unwrap());
        wait_until("descriptors to be used up", || {
            served.log().matches("cannot accept connections").count() > round
        });
        // Freed by clients that disconnect, or by a higher limit.
        if round % 2 == 0 {
            drop(crowd);
            worst = worst.max(until_served(&served));
        } else {
            leave_descriptors(&served, 500);
            worst = worst.max(until_served(&served));
            drop(crowd);
        }
        leave_descriptors(&served, 500);
    }
    let lines = served.log().lines().count();
    assert!(lines < 20 * rounds + 20, "{lines} lines: a lasting fault is logged once");
    let must = "after file descriptors ran out and became free, the page is served within 2 s without \
                intervention";
    let measured = format!("{rounds} times, slowest {:.2} s", worst.as_secs_f64());
    trial::record("descriptors", must, &measured, worst < Duration::from_secs(2));
    wait_down(&served, "Threads", threads + 1);
}

#[test]
fn a_server_with_few_descriptors_admits_few_connections_and_recovers() {
    let mut few = deaf(Command::new("sh"));
    few.args(["-c", "ulimit -n 140 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_solverbox")]);
    let served = TestServer::start_by(few, &model(), &["--threads", "1"]);
    served.wait_ready();
    let addresses = (1..8).flat_map(|last| [last; 20]);
    let crowd: Vec<TcpStream> =
        addresses.filter_map(|last| connect_from(last, served.address, None).ok()).collect();
    assert!(!page(9, &served).0, "all permits are taken");
    drop(crowd);
    // On a busy machine the kernel itself delays new connections for seconds.
    until_served(&served);
    assert!(!served.log().contains("cannot accept"), "it never runs out of descriptors");
}

/// A kind of attack by slowhttptest(1).
struct SlowAttack {
    name: &'static str,
    what: &'static str,
    args: &'static [&'static str],
    path: String,
}

#[test]
fn slow_headers_neither_block_the_page_nor_keep_memory() {
    slow(&SlowAttack {
        name: "slow-heads",
        what: "slow headers (-H)",
        args: &["-H", "-i", "1", "-x", "24"],
        path: "/".into(),
    });
}

#[test]
fn slow_bodies_neither_block_the_page_nor_keep_memory() {
    let args = &["-B", "-i", "1", "-s", "8192", "-x", "10"];
    let path = "/api/predict".into();
    slow(&SlowAttack { name: "slow-bodies", what: "slow bodies (-B)", args, path });
}

#[test]
fn slow_readers_neither_block_the_page_nor_keep_memory() {
    let args = &["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3"];
    let path = page_asset("js");
    slow(&SlowAttack { name: "slow-reads", what: "slow readers (-X)", args, path });
}

fn slow(slow: &SlowAttack) {
    if !has("slowhttptest", slow.name) {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (connections, seconds) = trial::form((200, 5), (1_000, 60));
    let served = TestServer::ready(&[]);
    (0..20).for_each(|_| assert!(page(2, &served).0));
    let (threads, memory) = (served.status("Threads"), served.status("VmRSS"));
    let attack = || {
        let mut attack = deaf(Command::new("sh"));
        attack.args([
            "-c",
            "ulimit -n 8192; exec slowhttptest \"$@\"",
            "sh",
            "-r",
            "200",
            "-p",
            "3",
        ]);
        attack.args(["-c", &connections.to_string(), "-l", &seconds.to_string()]).args(slow.args);
        attack.args(["-u", &served.url(&slow.path)]).stdout(Stdio::null()).spawn().unwrap()
    };
    let (mut attacker, began) = (attack(), Instant::now());
    let (mut fetched, mut failed, mut worst, mut most_threads) = (0, 0, Duration::ZERO, 0);
    loop {
        // It ends when all its connections have been dropped: start it again.
        if attacker.try_wait().unwrap().is_some() {
            if began.elapsed() > Duration::from_secs(seconds) {
                break;
            }
            attacker = attack();
        }
        let (came, after) = page(2, &served);
        (fetched, failed, worst) = (fetched + 1, failed + u32::from(!came), worst.max(after));
        most_threads = most_threads.max(served.status("Threads"));
        // Five requests a second for as long as the attack lasts.
        thread::sleep(Duration::from_millis(200));
    }
    // All slow clients are dropped when the last limit expires, and their memory is freed.
    wait_down(&served, "Threads", threads + 1);
    let kept = served.status("VmRSS").saturating_sub(memory);
    let SlowAttack { name, what, .. } = slow;
    let page = format!(
        "{connections} {what}, {seconds} s: another address gets the page in under 1 s, every time"
    );
    let measured =
        format!("{fetched} requests, {failed} failed, slowest {:.3} s", worst.as_secs_f64());
    trial::record(name, &page, &measured, failed == 0 && fetched > 0 && worst < PAGE_WAIT);
    let measured = format!("{:.1} MB more than before", kept as f64 * 1024.0 / 1e6);
    let must = "afterwards memory returns to within 20 MB of its former size";
    trial::record(name, must, &measured, kept < KEPT_KB_MAX);
    // A connection has three threads: the gate's, tiny_http's and its handler's.
    let bound = threads + 3 * limits::CONNECTIONS_MAX as u64;
    let measured = format!("{most_threads} at most");
    trial::record(
        name,
        &format!("never more than {bound} threads"),
        &measured,
        most_threads <= bound,
    );
}

/// Streams answers as `client` until `enough` is set, counting tokens; every other request must end
/// well.
fn stream_on(served: &TestServer, client: usize, tokens: &AtomicUsize, enough: &AtomicBool) {
    while !enough.load(Ordering::Relaxed) {
        let body =
            chat(json!({"stream": true, "ignore_eos": true, "max_tokens": 2_000, "seed": client}));
        let mut stream =
            served.stream_as(&format!("Authorization: Bearer client-{client}\r\n"), &body);
        loop {
            let Some(line) = stream.line() else {
                panic!("a stream of client {client} was cut off")
            };
            tokens.fetch_add(usize::from(line.contains("content\":")), Ordering::Relaxed);
            if line == "data: [DONE]" || enough.load(Ordering::Relaxed) {
                break;
            }
            assert!(!line.contains("\"error\""), "{line}");
        }
    }
}

/// Requests a path as fast as possible; returns requests a second. Panics on any error.
fn wrk(served: &TestServer, path: &str, seconds: u32) -> f64 {
    let mut wrk = deaf(Command::new("nice"));
    wrk.args(["-n", "19", "wrk", "-t1", "-c64", &format!("-d{seconds}s"), &served.url(path)]);
    let said = text(&wrk.output().unwrap().stdout);
    assert!(!said.contains("Socket errors") && !said.contains("Non-2xx"), "{said}");
    let rate = said.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("no rate: {said}"))
}

#[test]
fn requests_for_the_page_do_not_slow_answers() {
    if !has("wrk", "page-during-answers") {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (rounds, seconds) = trial::form((1, 3), (3, 30));
    // Without drafts an event is a token.
    let served = TestServer::start_by(solverbox(), &model(), &["--drafts", "off"]);
    served.wait_ready();
    let (tokens, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let speed = |during: &mut dyn FnMut()| {
        let (before, began) = (tokens.load(Ordering::Relaxed), Instant::now());
        during();
        (tokens.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64()
    };
    let mut rows = Vec::new();
    thread::scope(|scope| {
        for client in 0..8 {
            let (served, tokens, enough) = (&served, &tokens, &enough);
            scope.spawn(move || stream_on(served, client, tokens, enough));
        }
        wait_until("the answers to flow", || tokens.load(Ordering::Relaxed) > 4_000);
        for path in ["/", "/healthz"] {
            let (mut alone, mut loaded, mut rate) = (0.0, 0.0, 0.0);
            for _ in 0..rounds {
                alone += speed(&mut || thread::sleep(Duration::from_secs(seconds)));
                loaded += speed(&mut || rate += wrk(&served, path, seconds as u32));
            }
            let ratio = loaded / alone;
            let each = f64::from(rounds);
            let must = format!(
                "8 answers while wrk requests {path} over 64 connections: no errors, at least 0.9 x the \
                 tokens/s"
            );
            let measured = format!(
                "no errors, {ratio:.2} x ({:.0} instead of {:.0} tokens/s), {:.0} requests/s",
                loaded / each,
                alone / each,
                rate / each
            );
            rows.push((must, measured, ratio));
        }
        enough.store(true, Ordering::Relaxed);
    });
    for (must, measured, ratio) in rows {
        // A speed means something on a quiet machine only: the suite just prints it.
        let holds = ratio >= 0.9 || !trial::is_full();
        trial::record("page-during-answers", &must, &measured, holds);
    }
}
