//! Tests of the gate: real sockets in front, a real tiny_http behind.
//!
//! [`Site`] is a gate with its server; the test itself is the server's handler where it matters
//! ([`Site::request`]), or leaves that to [`Site::echoing`]. Waits are for conditions; the seconds
//! below only bound how long a failing test takes.

mod bodies;
mod crowds;
mod heads;
mod leaving;
mod opening;
mod relaying;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tiny_http::{Listener, Request, Response, Server};

use super::bounds::Bounds;
use super::{Connections, Gate, VISITOR_HEADER, Visitor};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gate with tiny_http behind it.
struct Site {
    address: SocketAddr,
    visitors: Arc<Connections>,
    server: Arc<Server>,
    dir: TempDir,
    closing: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Site {
    /// Opens a site whose requests the test takes itself.
    fn open(bounds: Bounds) -> Site {
        let dir = TempDir::new().expect("a directory");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (gate, private) = Gate::bind_within(any, dir.path(), bounds).expect("a gate");
        let server = Server::from_listener(Listener::Unix(private), None).expect("a server");
        let closing = Arc::new(AtomicBool::new(false));
        let (address, visitors) = (gate.address(), gate.visitors());
        let flag = Arc::clone(&closing);
        let threads = vec![thread::spawn(move || gate.run(&flag))];
        Site { address, visitors, server: Arc::new(server), dir, closing, threads }
    }

    /// Opens a site that answers each request with how it looks to tiny_http.
    fn echoing(bounds: Bounds) -> Site {
        let mut site = Site::open(bounds);
        let server = Arc::clone(&site.server);
        site.threads.push(thread::spawn(move || {
            for request in server.incoming_requests() {
                echo(request);
            }
        }));
        site
    }

    /// Returns the next request that reaches tiny_http, and its visitor.
    fn request(&self) -> (Request, Arc<Visitor>) {
        let request = self.server.recv_timeout(PATIENCE).expect("a server").expect("a request");
        let id = header(&request, VISITOR_HEADER).expect("an id");
        let visitor = self.visitors.find(&id).expect("a visitor");
        (request, visitor)
    }

    /// Lets a client ask for the page; returns it with its request and visitor.
    fn visit(&self) -> (TestClient, Request, Arc<Visitor>) {
        let mut client = self.connect();
        client.send("GET / HTTP/1.1\r\n\r\n");
        let (request, visitor) = self.request();
        (client, request, visitor)
    }

    fn connect(&self) -> TestClient {
        TestClient::connect(self.address)
    }

    /// Sends `request` over a connection of its own and returns all that comes back.
    fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.connect();
        client.send(request);
        client.rest()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.server.unblock();
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "a thread of the site panicked");
        }
    }
}

/// Runs `gate` as long as `test` runs, which may end by a panic.
fn while_open<T>(gate: Gate, test: impl FnOnce() -> T) -> T {
    struct Close<'a>(&'a AtomicBool);
    impl Drop for Close<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let closing = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| gate.run(&closing));
        let _close = Close(&closing);
        test()
    })
}

/// Answers with the request line, the headers in lower case, a blank line and the body.
fn echo(mut request: Request) {
    let mut text = format!(
        "{} {} HTTP/{}\n",
        request.method().as_str(),
        request.url(),
        request.http_version()
    );
    for header in request.headers() {
        let name = header.field.as_str().as_str().to_ascii_lowercase();
        text.push_str(&format!("{name}: {}\n", header.value));
    }
    text.push('\n');
    let mut body = Vec::new();
    request.as_reader().read_to_end(&mut body).expect("the body");
    let text = [text.as_bytes(), &body].concat();
    let response = Response::from_data(text).with_chunked_threshold(usize::MAX);
    request.respond(response).expect("the client to be there");
}

fn header(request: &Request, name: &'static str) -> Option<String> {
    let found = request.headers().iter().find(|h| h.field.equiv(name));
    found.map(|h| h.value.to_string())
}

/// One connection to the gate.
struct TestClient(TcpStream);

impl TestClient {
    fn connect(address: SocketAddr) -> TestClient {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        TestClient(stream)
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the gate to listen");
    }

    /// Sends a byte now and then until an answer begins, and returns its first 12 bytes.
    fn drip(&mut self) -> String {
        self.0.set_read_timeout(Some(Duration::from_millis(10))).expect("a socket");
        let mut start = [0; 12];
        until("the gate loses patience", || {
            // Each failing read paces the drip; once refused, it is the write that may fail.
            let _ = self.0.write(b"x");
            self.0.read(&mut start).is_ok()
        });
        String::from_utf8_lossy(&start).into_owned()
    }

    /// Returns everything that still comes, up to the end of the connection.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).expect("a proper end");
        String::from_utf8(bytes).expect("text")
    }

    /// Reads as many bytes as `expected` has, which they must be.
    fn expect(&mut self, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).expect("more bytes");
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }

    /// Reads up to the blank line that ends a head.
    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("more of a head");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("text")
    }

    fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).expect("an open socket");
    }
}

/// Returns the status of a response.
fn status(response: &str) -> u16 {
    let code = response.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no response: {response:?}"))
}

/// Returns what follows the head of a response.
fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {response:?}")).1
}

/// Returns the value at `pointer` in the JSON body of a response.
fn field(response: &str, pointer: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body(response)).expect("JSON");
    match json.pointer(pointer) {
        Some(serde_json::Value::String(text)) => text.clone(),
        other => panic!("no text at {pointer} in {json}: {other:?}"),
    }
}

/// Waits until `holds`.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(1));
    }
}
