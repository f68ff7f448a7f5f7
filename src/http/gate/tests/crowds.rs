//! Bounds on connections, and what those beyond them are told.

use std::net::{IpAddr, Ipv4Addr};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::*;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";

/// Connects from another address of this machine: all of 127.0.0.0/8 is.
fn connect_from(last: u8, to: SocketAddr) -> TestClient {
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    bind(&stream, &from).expect("an address of loopback");
    connect(&stream, &to).expect("a connection");
    let stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    TestClient(stream)
}

fn busy(client: &mut TestClient) {
    client.send(GET);
    let response = client.rest();
    assert_eq!(status(&response), 503);
    assert_eq!(field(&response, "/error/kind"), "busy");
    assert!(response.contains("\r\nRetry-After: 2\r\n"));
}

#[test]
fn one_address_cannot_take_all_permits_and_all_cannot_exceed_the_limit() {
    let bounds = Bounds { connections_max: 3, connections_loopback_max: 2, ..Bounds::default() };
    let site = Site::echoing(bounds);
    let mut first = [site.connect(), site.connect()];
    busy(&mut site.connect());
    let second = connect_from(2, site.address);
    busy(&mut connect_from(2, site.address));
    busy(&mut connect_from(3, site.address));
    drop(second);
    until("the second address's permit is free", || {
        let mut client = connect_from(3, site.address);
        client.send(GET);
        status(&client.rest()) == 200
    });
    // Those who were there first were not disturbed.
    first[0].send(GET);
    assert_eq!(status(&first[0].rest()), 200);
}

#[test]
fn those_turned_away_are_told_in_their_manner() {
    let site = Site::echoing(Bounds { connections_loopback_max: 0, ..Bounds::default() });
    let response = site.ask("POST /v1/completions HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(status(&response), 503);
    assert_eq!(field(&response, "/error/code"), "busy");
    assert_eq!(field(&response, "/error/type"), "server_error");
    assert_eq!(body(&site.ask("HEAD / HTTP/1.1\r\n\r\n")), "");
}

#[test]
fn one_turned_away_while_it_sends_can_read_why() {
    let site = Site::echoing(Bounds { connections_loopback_max: 0, ..Bounds::default() });
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n");
    client.send(vec![b'x'; 4 << 20]);
    assert_eq!(status(&client.rest()), 503);
}

#[test]
fn silent_ones_turned_away_are_closed_silently_and_many_do_not_block_the_door() {
    let bounds = Bounds {
        connections_loopback_max: 1,
        linger_wait: Duration::from_millis(300),
        ..Bounds::default()
    };
    let site = Site::echoing(bounds);
    let mut first = site.connect();
    let mut crowd: Vec<TestClient> = (0..100).map(|_| connect_from(1, site.address)).collect();
    // A permit is had through the crowd, from another address.
    let mut other = connect_from(2, site.address);
    other.send(GET);
    assert_eq!(status(&other.rest()), 200);
    let told = crowd.iter_mut().map(TestClient::rest).filter(|answer| !answer.is_empty());
    told.for_each(|answer| assert_eq!(status(&answer), 503));
    first.send(GET);
    assert_eq!(status(&first.rest()), 200);
}

#[test]
fn permits_are_given_back_over_three_hundred_requests() {
    let bounds = Bounds { connections_max: 4, connections_loopback_max: 4, ..Bounds::default() };
    let site = Site::echoing(bounds);
    let mut idle = [site.connect(), site.connect(), site.connect()];
    for _ in 0..300 {
        assert_eq!(status(&site.ask(GET)), 200);
    }
    for client in &mut idle {
        client.send(GET);
        assert_eq!(status(&client.rest()), 200);
    }
}

#[test]
fn permits_of_refused_and_vanished_clients_are_given_back() {
    let bounds = Bounds { connections_loopback_max: 4, ..Bounds::default() };
    let site = Site::echoing(bounds);
    for start in ["", "GET", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel", "broken\r\n\r\n"] {
        for _ in 0..8 {
            let mut client = site.connect();
            client.send(start);
            client.half_close();
            let _ = client.rest();
        }
    }
    until("a permit is free", || status(&site.ask(GET)) == 200);
}

#[test]
fn ipv6_clients_are_served_and_ipv4_ones_keep_their_name_on_a_common_listener() {
    let dir = TempDir::new().expect("a directory");
    let any: SocketAddr = "[::]:0".parse().expect("an address");
    let bound = Gate::bind(any, dir.path());
    // A kernel without IPv6 has nothing to test here.
    let Ok((gate, private)) = bound else {
        return assert!(!std::path::Path::new("/proc/net/if_inet6").exists());
    };
    let server = Server::from_listener(Listener::Unix(private), None).expect("a server");
    let (port, visitors) = (gate.address().port(), gate.visitors());
    while_open(gate, || {
        let mut client = TestClient::connect(SocketAddr::from(([127, 0, 0, 1], port)));
        client.send(GET);
        let request = server.recv_timeout(PATIENCE).expect("a server").expect("a request");
        let id = header(&request, VISITOR_HEADER).expect("an id");
        let address = visitors.find(&id).expect("a visitor").address();
        assert_eq!(address, IpAddr::from([127, 0, 0, 1]));
    });
}
