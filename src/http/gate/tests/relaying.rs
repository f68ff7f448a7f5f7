//! What happens to responses.

use std::io;
use std::sync::mpsc;

use tiny_http::StatusCode;

use super::*;

#[test]
fn events_arrive_one_at_a_time_as_the_server_flushes_them() {
    let site = Site::open(Bounds::default());
    let mut client = site.connect();
    client.send("GET /events HTTP/1.1\r\n\r\n");
    let (request, _visitor) = site.request();
    let (confirm, confirmed) = mpsc::channel();
    let server = thread::spawn(move || {
        let mut writer = request.into_writer();
        write!(writer, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").expect("sent");
        for event in 0..50 {
            write!(writer, "data: {event}\n\n").expect("sent");
            writer.flush().expect("sent");
            // The next event is only written when the client has this one.
            assert_eq!(confirmed.recv_timeout(PATIENCE), Ok(event));
        }
    });
    assert!(client.head().ends_with("\r\nConnection: close\r\n\r\n"));
    for event in 0..50 {
        client.expect(&format!("data: {event}\n\n"));
        confirm.send(event).expect("the server to wait");
    }
    assert_eq!(client.rest(), "");
    server.join().expect("no panic");
}

#[test]
fn an_old_client_gets_no_chunks_and_a_new_one_may() {
    let site = Site::open(Bounds::default());
    for (version, chunked) in [("1.0", false), ("1.1", true)] {
        let mut client = site.connect();
        client.send(format!("GET / HTTP/{version}\r\n\r\n"));
        let (request, _visitor) = site.request();
        assert_eq!(request.http_version().to_string(), version);
        let endless = Response::new(StatusCode(200), Vec::new(), &b"hello"[..], None, None);
        request.respond(endless).expect("sent");
        let response = client.rest().to_ascii_lowercase();
        assert_eq!(response.contains("transfer-encoding: chunked"), chunked);
        assert_eq!(response.contains("content-length: 5"), !chunked);
        assert_eq!(body(&response), if chunked { "5\r\nhello\r\n0\r\n\r\n" } else { "hello" });
    }
}

#[test]
fn the_answer_to_head_ends_with_its_head_even_if_the_server_forgets() {
    let site = Site::open(Bounds::default());
    let mut client = site.connect();
    client.send("HEAD / HTTP/1.1\r\n\r\n");
    site.request().0.respond(Response::from_string("hello")).expect("sent");
    let response = client.rest();
    assert!(response.contains("Content-Length: 5\r\n"));
    assert_eq!(body(&response), "");

    let mut client = site.connect();
    client.send("HEAD /events HTTP/1.1\r\n\r\n");
    let mut writer = site.request().0.into_writer();
    write!(writer, "HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
        .and_then(|()| writer.flush())
        .expect("sent");
    assert_eq!(body(&client.rest()), "");
}

#[test]
fn a_response_of_known_length_ends_with_its_last_byte() {
    let site = Site::open(Bounds::default());
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\n\r\n");
    let mut writer = site.request().0.into_writer();
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more than it said";
    write!(writer, "{response}").and_then(|()| writer.flush()).expect("sent");
    // The writer is still open: the end does not depend on the server's.
    assert_eq!(body(&client.rest()), "hello");
}

#[test]
fn a_large_response_arrives_whole() {
    let site = Site::open(Bounds::default());
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\n\r\n");
    let text: String = (0..400_000).map(|n| format!("{n}\n")).collect();
    let response = Response::from_string(&text).with_chunked_threshold(usize::MAX);
    let request = site.request().0;
    let server = thread::spawn(move || request.respond(response));
    assert!(body(&client.rest()) == text);
    server.join().expect("no panic").expect("sent");
}

#[test]
fn a_server_may_answer_without_reading_the_body() {
    let site = Site::open(Bounds::default());
    let mut client = site.connect();
    let body_bytes = 1 << 20;
    client.send(format!("POST / HTTP/1.1\r\nContent-Length: {body_bytes}\r\n\r\n"));
    client.send(vec![b'x'; body_bytes]);
    site.request().0.respond(Response::empty(404)).expect("sent");
    assert_eq!(status(&client.rest()), 404);
}

#[test]
fn a_server_that_hangs_up_without_an_answer_is_reported_as_a_fault() {
    let site = Site::open(Bounds::default());
    for start in ["", "HTTP/1.1 200 OK\r\nX-Half: "] {
        let mut client = site.connect();
        client.send("GET /v1/models HTTP/1.1\r\n\r\n");
        let mut writer = site.request().0.into_writer();
        writer.write_all(start.as_bytes()).expect("sent");
        drop(writer);
        let response = client.rest();
        assert_eq!(status(&response), 500);
        assert_eq!(field(&response, "/error/code"), "internal");
        assert_eq!(field(&response, "/error/type"), "server_error");
    }
}

#[test]
fn what_follows_a_request_is_dropped_and_does_not_spoil_the_answer() {
    let site = Site::open(Bounds::default());
    let mut client = site.connect();
    client.send("GET /one HTTP/1.1\r\n\r\nGET /two HTTP/1.1\r\n\r\n");
    client.send(vec![b'z'; 30_000]);
    let (request, _visitor) = site.request();
    assert_eq!(request.url(), "/one");
    request.respond(Response::from_string("one")).expect("sent");
    assert_eq!(body(&client.rest()), "one");
    assert!(site.server.try_recv().expect("a server").is_none(), "a second request got through");
}

#[test]
fn a_flood_after_a_request_gets_the_client_dropped() {
    let site = Site::open(Bounds::default());
    let (mut client, _request, visitor) = site.visit();
    let flood = vec![b'z'; 4 << 10];
    until("the gate drops the client", || client.0.write_all(&flood).is_err());
    until("its visitor has left", || visitor.has_left());
}

#[test]
fn two_thousand_broken_requests_break_nothing() {
    let site =
        Site::echoing(Bounds { linger_wait: Duration::from_millis(50), ..Bounds::default() });
    let panics = panics_of_the_gate();
    let before = panics();
    let mut dice = Dice(0x5eed);
    for _ in 0..2_000 {
        let mut client = site.connect();
        // Refused clients may be reset while they write or read; that is theirs to bear.
        let _ = client.0.write_all(&broken_request(&mut dice));
        let _ = client.0.shutdown(Shutdown::Write);
        let _ = io::copy(&mut client.0, &mut io::sink());
    }
    assert_eq!(panics(), before);
    assert_eq!(status(&site.ask("GET / HTTP/1.1\r\n\r\n")), 200);
    until("all visitors are gone", || site.visitors.count() == 0);
}

/// Counts panics of the gate's threads in this process, other than those tests make on purpose.
fn panics_of_the_gate() -> impl Fn() -> usize {
    use std::sync::atomic::AtomicUsize;
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static HOOKED: std::sync::Once = std::sync::Once::new();
    HOOKED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let purpose = info.payload_as_str() == Some(leaving::ON_PURPOSE);
            if thread::current().name() == Some("gate") && !purpose {
                PANICS.fetch_add(1, Ordering::Relaxed);
            }
            usual(info);
        }));
    });
    || PANICS.load(Ordering::Relaxed)
}

/// A xorshift generator: the same inputs on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Makes noise, a good request with some bytes changed, or its parts in disorder.
fn broken_request(dice: &mut Dice) -> Vec<u8> {
    let parts: [&[u8]; 16] = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"/ ",
        b"/v1/x ",
        b"HTTP/1.1\r\n",
        b"HTTP/1.0\r\n",
        b"Host: b\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"\xff\xfe",
    ];
    match dice.roll(3) {
        0 => (0..dice.roll(300)).map(|_| dice.roll(256) as u8).collect(),
        1 => (0..dice.roll(12)).flat_map(|_| parts[dice.roll(16)].to_vec()).collect(),
        _ => {
            let chunked = b"POST /x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n\
                            5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n";
            let plain =
                b"POST /x HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello";
            let mut request = if dice.roll(2) == 0 { chunked.to_vec() } else { plain.to_vec() };
            for _ in 0..=dice.roll(4) {
                let at = dice.roll(request.len());
                request[at] = dice.roll(256) as u8;
            }
            request
        }
    }
}
