//! Clients that leave, and how soon that is known.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

use super::*;

/// What a test's own panic says, for those who count panics that are not.
pub const ON_PURPOSE: &str = "on purpose";

/// Returns a receiver that gets the moment the visitor leaves, and is cut off if it never does.
fn leave_of(visitor: &Visitor) -> Receiver<Instant> {
    let (left, leave) = mpsc::channel();
    visitor.on_leave(move || left.send(Instant::now()).expect("the test to wait"));
    leave
}

#[test]
fn a_hang_up_is_reported_at_once_while_nothing_is_sent() {
    let site = Site::open(Bounds::default());
    // The fastest of several is measured: the machine may be busy, a timer would not be faster.
    let fastest = (0..5).map(|_| {
        let (client, _request, visitor) = site.visit();
        let leave = leave_of(&visitor);
        assert!(!visitor.has_left());
        let hung_up = Instant::now();
        drop(client);
        let left = leave.recv_timeout(PATIENCE).expect("a hang-up");
        assert!(visitor.has_left());
        left.duration_since(hung_up)
    });
    assert!(fastest.min().expect("times") < Duration::from_millis(200));
    until("no visitor is left", || site.visitors.count() == 0);
}

#[test]
fn a_hang_up_in_the_middle_of_a_stream_reaches_the_server() {
    let site = Site::open(Bounds::default());
    let (mut client, request, visitor) = site.visit();
    let leave = leave_of(&visitor);
    let mut writer = request.into_writer();
    write!(writer, "HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
        .and_then(|()| writer.flush())
        .expect("sent");
    client.head();
    client.expect("data: 1\n\n");
    drop(client);
    leave.recv_timeout(PATIENCE).expect("a hang-up");
    until("writing fails", || writer.write_all(b": x\n\n").and_then(|()| writer.flush()).is_err());
    assert!(visitor.has_left(), "who cannot write finds the visitor marked");
}

#[test]
fn closing_the_sending_half_counts_as_leaving() {
    let site = Site::open(Bounds::default());
    let (mut client, _request, visitor) = site.visit();
    let leave = leave_of(&visitor);
    client.half_close();
    leave.recv_timeout(PATIENCE).expect("a hang-up");
    assert_eq!(client.rest(), "");
}

#[test]
fn a_reset_counts_as_leaving() {
    let site = Site::open(Bounds::default());
    let (client, request, visitor) = site.visit();
    let leave = leave_of(&visitor);
    let mut writer = request.into_writer();
    write!(writer, "HTTP/1.1 200 OK\r\n\r\nunread").and_then(|()| writer.flush()).expect("sent");
    let mut peeked = [0; 1];
    client.0.peek(&mut peeked).expect("a byte");
    // Closed with bytes unread, a socket is reset.
    drop(client);
    leave.recv_timeout(PATIENCE).expect("a hang-up");
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let site = Site::open(Bounds { write_wait: Duration::from_millis(200), ..Bounds::default() });
    let (client, request, visitor) = site.visit();
    let leave = leave_of(&visitor);
    let mut writer = request.into_writer();
    writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("sent");
    let flood = vec![b'x'; 64 << 10];
    until("the server's write fails", || writer.write_all(&flood).is_err());
    leave.recv_timeout(PATIENCE).expect("the client to be given up");
    assert!(visitor.has_left());
    drop(client);
}

#[test]
fn a_client_that_keeps_reading_may_take_longer_than_one_write() {
    let write_wait = Duration::from_millis(500);
    let site = Site::open(Bounds { write_wait, ..Bounds::default() });
    let (mut client, request, visitor) = site.visit();
    let server = thread::spawn(move || {
        let mut writer = request.into_writer();
        writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("sent");
        while writer.write_all(&[b'x'; 32 << 10]).is_ok() {}
    });
    let started = Instant::now();
    until("the response has taken far longer", || {
        client.0.read_exact(&mut [0; 4 << 10]).expect("more bytes");
        started.elapsed() > write_wait * 3
    });
    assert!(!visitor.has_left());
    drop(client);
    server.join().expect("no panic");
}

#[test]
fn a_client_that_sips_at_a_reply_of_known_length_is_dropped_when_its_time_is_up() {
    let reply_wait = Duration::from_millis(600);
    let site = Site::open(Bounds { reply_wait, ..Bounds::default() });
    let (mut client, request, visitor) = site.visit();
    let leave = leave_of(&visitor);
    let reply = Response::from_data(vec![b'x'; 32 << 20]).with_chunked_threshold(usize::MAX);
    let server = thread::spawn(move || request.respond(reply));
    let began = Instant::now();
    // It takes something all the time, but would need minutes.
    until("the client is given up", || {
        let _ = client.0.read(&mut [0; 4 << 10]);
        leave.try_recv().is_ok()
    });
    assert!(began.elapsed() >= reply_wait, "{:?}", began.elapsed());
    assert!(visitor.has_left());
    drop(client);
    let _ = server.join().expect("no panic");
}

#[test]
fn a_hang_up_is_seen_while_a_write_waits() {
    let site = Site::open(Bounds::default());
    let (client, request, visitor) = site.visit();
    let leave = leave_of(&visitor);
    let (wrote, written) = mpsc::channel();
    let server = thread::spawn(move || {
        let mut writer = request.into_writer();
        writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("sent");
        while writer.write_all(&[b'x'; 32 << 10]).is_ok() {
            wrote.send(()).expect("the test to count");
        }
    });
    // More than all buffers on the way hold is never taken; then the gate's write waits.
    while written.recv_timeout(Duration::from_millis(300)).is_ok() {}
    let hung_up = Instant::now();
    drop(client);
    let left = leave.recv_timeout(PATIENCE).expect("a hang-up");
    assert!(left.duration_since(hung_up) < Bounds::default().write_wait / 2);
    server.join().expect("no panic");
}

#[test]
fn acts_of_a_visitor_that_was_served_are_dropped_unrun() {
    let site = Site::open(Bounds::default());
    for request in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n"] {
        let mut client = site.connect();
        client.send(request);
        let (request, visitor) = site.request();
        let leave = leave_of(&visitor);
        request.respond(Response::from_string("hello")).expect("sent");
        assert_eq!(status(&client.rest()), 200);
        assert_eq!(leave.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        assert!(!visitor.has_left());
        // Too late to matter: dropped as well.
        assert_eq!(leave_of(&visitor).try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}

#[test]
fn a_client_that_closes_on_the_last_byte_of_a_known_length_was_served() {
    let site = Site::open(Bounds::default());
    for _ in 0..50 {
        let (mut client, request, visitor) = site.visit();
        let leave = leave_of(&visitor);
        let mut writer = request.into_writer();
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        write!(writer, "{response}").and_then(|()| writer.flush()).expect("sent");
        client.head();
        client.expect("hello");
        drop(client);
        // The server has not closed yet.
        assert_eq!(leave.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        drop(writer);
    }
}

#[test]
fn word_left_for_one_who_has_left_is_acted_on_at_once() {
    let site = Site::open(Bounds::default());
    let (client, request, visitor) = site.visit();
    let id = header(&request, VISITOR_HEADER).expect("an id");
    drop(client);
    until("the visitor has left", || visitor.has_left());
    leave_of(&visitor).try_recv().expect("run at once");
    until("it is off the table", || site.visitors.find(&id).is_none());
}

#[test]
fn a_panicking_callback_affects_neither_the_others_nor_the_permit() {
    let bounds = Bounds { connections_loopback_max: 1, ..Bounds::default() };
    let site = Site::open(bounds);
    for _ in 0..3 {
        let (mut client, _request, visitor) = site.visit();
        visitor.on_leave(|| panic!("{ON_PURPOSE}"));
        let leave = leave_of(&visitor);
        client.half_close();
        leave.recv_timeout(PATIENCE).expect("the second act");
        assert_eq!(client.rest(), "");
    }
    assert_eq!(site.visitors.count(), 0);
}

#[test]
fn a_visitor_knows_its_address_and_is_gone_from_the_table_afterwards() {
    let site = Site::open(Bounds::default());
    let (mut client, request, visitor) = site.visit();
    assert_eq!(visitor.address(), site.address.ip());
    assert_eq!(site.visitors.count(), 1);
    request.respond(Response::from_string("hello")).expect("sent");
    client.rest();
    assert_eq!(site.visitors.count(), 0);
    assert!(site.visitors.find("00000000000000000000000000000000").is_none());
}
