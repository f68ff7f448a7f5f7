//! Opening the gate, closing it, and what it leaves behind.

use std::fs;
use std::net::TcpListener;

use rustix::net::Shutdown as Ways;

use super::super::accept::Acceptor;
use super::*;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[test]
fn nothing_is_left_in_the_private_directory() {
    let site = Site::echoing(Bounds::default());
    assert_eq!(status(&site.ask(GET)), 200);
    assert_eq!(fs::read_dir(site.dir.path()).expect("a directory").count(), 0);
}

#[test]
fn the_private_directory_may_have_a_long_path() {
    let dir = TempDir::new().expect("a directory");
    let long = dir.path().join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(&long).expect("a directory");
    Gate::bind(any(), &long).map(drop).expect("a gate");
    assert_eq!(fs::read_dir(&long).expect("a directory").count(), 0);
}

#[test]
fn a_private_directory_that_cannot_be_used_is_named() {
    let dir = TempDir::new().expect("a directory");
    let missing = dir.path().join("missing");
    let error = Gate::bind(any(), &missing).map(drop).expect_err("no gate");
    let named = missing.display();
    let expected =
        format!("cannot make a socket in directory '{named}': No such file or directory");
    assert_eq!(error.message, expected);
    assert_eq!(error.remedy, "Name a writable directory with --data DIR.");
}

#[test]
fn an_address_in_use_is_named() {
    let other = TcpListener::bind(any()).expect("a listener");
    let address = other.local_addr().expect("an address");
    let dir = TempDir::new().expect("a directory");
    let error = Gate::bind(address, dir.path()).map(drop).expect_err("no gate");
    assert_eq!(error.kind.name(), "environment");
    assert_eq!(error.message, format!("cannot listen on '{address}': Address already in use"));
    assert_eq!(error.remedy, "Stop the other program or choose another port with --listen.");
}

#[test]
fn the_port_can_be_bound_again_right_after_a_restart() {
    let dir = TempDir::new().expect("a directory");
    // A port that is free for a moment may be taken by whatever else runs here: tried a few times.
    let rebound = (0..5).any(|_| {
        let site = Site::echoing(Bounds::default());
        let address = site.address;
        // The gate closes first, so that its end of the connection stays in TIME_WAIT.
        assert_eq!(status(&site.ask(GET)), 200);
        drop(site);
        Gate::bind(address, dir.path()).is_ok()
    });
    assert!(rebound);
}

#[test]
fn closing_ends_the_accept_loop_soon_and_leaves_live_connections_alone() {
    let site = Site::open(Bounds::default());
    let mut client = site.connect();
    client.send(GET);
    let (request, visitor) = site.request();
    site.closing.store(true, Ordering::Relaxed);
    let asked = Instant::now();
    until("the accept loop has ended", || site.threads.iter().all(JoinHandle::is_finished));
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    assert!(TcpStream::connect(site.address).is_err());
    assert!(!visitor.has_left());
    request.respond(Response::from_string("still here")).expect("sent");
    assert_eq!(body(&client.rest()), "still here");
}

#[test]
fn without_a_server_behind_it_the_gate_says_busy() {
    let dir = TempDir::new().expect("a directory");
    let (gate, private) = Gate::bind(any(), dir.path()).expect("a gate");
    drop(private);
    let address = gate.address();
    while_open(gate, || {
        let mut client = TestClient::connect(address);
        client.send(GET);
        let response = client.rest();
        assert_eq!(status(&response), 503);
        assert_eq!(field(&response, "/error/kind"), "busy");
    });
}

#[test]
fn an_accept_error_is_survived() {
    let listener = TcpListener::bind(any()).expect("a listener");
    listener.set_nonblocking(true).expect("a socket");
    let mut acceptor = Acceptor { listener: &listener, errors: 0 };
    assert!(acceptor.accept().is_none(), "no client is waiting, which is not an error");
    assert_eq!(acceptor.errors, 0);
    // A listener that was shut down fails to accept until it listens again.
    rustix::net::shutdown(&listener, Ways::Both).expect("a listener");
    assert!(acceptor.accept().is_none() && acceptor.accept().is_none());
    assert_eq!(acceptor.errors, 2);
    rustix::net::listen(&listener, 16).expect("a listener");
    // Its port was the kernel's choice, and it may choose another one.
    let _client = TestClient::connect(listener.local_addr().expect("an address"));
    until("the client is let in", || acceptor.accept().is_some());
    assert_eq!(acceptor.errors, 0);
}

#[test]
fn the_accept_loop_goes_on_after_errors() {
    let dir = TempDir::new().expect("a directory");
    let (gate, private) = Gate::bind(any(), dir.path()).expect("a gate");
    let server = Server::from_listener(Listener::Unix(private), None).expect("a server");
    let listener = gate.listener.try_clone().expect("a descriptor");
    rustix::net::shutdown(&listener, Ways::Both).expect("a listener");
    while_open(gate, || {
        rustix::net::listen(&listener, 16).expect("a listener");
        let mut client = TestClient::connect(listener.local_addr().expect("an address"));
        client.send(GET);
        let request = server.recv_timeout(PATIENCE).expect("a server").expect("a request");
        request.respond(Response::from_string("served")).expect("sent");
        assert_eq!(body(&client.rest()), "served");
    });
}
