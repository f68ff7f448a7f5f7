//! What the gate makes of request bodies.

use super::*;

fn post(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\n{headers}\r\n{body}")
}

/// Returns the body as tiny_http saw it.
fn echoed(response: &str) -> &str {
    assert_eq!(status(response), 200, "{response}");
    body(response).split_once("\n\n").expect("an echo").1
}

#[test]
fn a_huge_content_length_is_refused_before_a_byte_of_the_body() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask(post("Content-Length: 1000000000000\r\n", ""));
    assert_eq!(status(&response), 413);
    assert_eq!(field(&response, "/error/kind"), "too_long");
    assert_eq!(
        field(&response, "/error/message"),
        "the request body has 1000000000000 bytes, at most 1048576 are allowed"
    );
}

#[test]
fn a_client_that_sends_10_mib_all_the_same_can_read_why_not() {
    let site = Site::echoing(Bounds::default());
    let mut client = site.connect();
    client.send(post("Content-Length: 10485760\r\n", ""));
    client.send(vec![b'x'; 10_485_760]);
    let response = client.rest();
    assert_eq!(status(&response), 413);
    let message = field(&response, "/error/message");
    assert_eq!(message, "the request body has 10485760 bytes, at most 1048576 are allowed");
}

#[test]
fn a_body_of_the_full_size_arrives_and_one_byte_more_does_not() {
    let site = Site::echoing(Bounds::default());
    let full = "x".repeat(1 << 20);
    let response = site.ask(post("Content-Length: 1048576\r\n", &full));
    assert_eq!(echoed(&response).len(), 1 << 20);
    assert_eq!(status(&site.ask(post("Content-Length: 1048577\r\n", &full))), 413);
}

#[test]
fn a_body_that_stops_or_drips_is_refused_when_its_time_is_up() {
    let bounds = Bounds { body_wait: Duration::from_millis(200), ..Bounds::default() };
    let site = Site::echoing(bounds);
    let response = site.ask(post("Content-Length: 5\r\n", "abc"));
    assert_eq!(status(&response), 408);
    assert!(field(&response, "/error/message").contains("body"));
    let response = site.ask(post("Transfer-Encoding: chunked\r\n", "5\r\nabc"));
    assert_eq!(status(&response), 408);

    let mut dripping = site.connect();
    dripping.send(post("Content-Length: 1000000\r\n", ""));
    assert_eq!(dripping.drip(), "HTTP/1.1 408");
}

#[test]
fn lengths_that_can_be_read_in_two_ways_are_refused() {
    let site = Site::echoing(Bounds::default());
    for headers in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 3x\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n",
    ] {
        let response = site.ask(post(headers, "abc"));
        assert_eq!(status(&response), 400, "{headers}");
        assert_eq!(field(&response, "/error/kind"), "bad_request");
    }
    let response = site.ask("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(status(&response), 400);
}

#[test]
fn equal_lengths_become_one() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask(post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"));
    assert_eq!(echoed(&response), "abc");
    assert_eq!(body(&response).matches("content-length: 3\n").count(), 1);
}

#[test]
fn a_chunked_body_reaches_the_server_as_a_plain_one() {
    let site = Site::echoing(Bounds::default());
    let chunks = "3\r\nabc\r\n00A;name=\"value\"\r\n0123456789\r\n0\r\nX-Trailer: dropped\r\n\r\n";
    let response = site.ask(post("Transfer-Encoding: Chunked\r\n", chunks));
    assert_eq!(echoed(&response), "abc0123456789");
    assert!(body(&response).contains("content-length: 13\n"));
    assert!(!body(&response).contains("transfer-encoding") && !body(&response).contains("trailer"));
    let response = site.ask(post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"));
    assert_eq!(echoed(&response), "");
    assert!(body(&response).contains("content-length: 0\n"));
}

#[test]
fn a_chunked_body_that_grows_too_long_is_refused() {
    let site = Site::echoing(Bounds::default());
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let full = chunk.repeat(16);
    let response = site.ask(post("Transfer-Encoding: chunked\r\n", &format!("{full}0\r\n\r\n")));
    assert_eq!(echoed(&response).len(), 1 << 20);
    for more in ["1\r\nx\r\n0\r\n\r\n", "FFFFFFFF\r\n"] {
        let response = site.ask(post("Transfer-Encoding: chunked\r\n", &format!("{full}{more}")));
        assert_eq!(status(&response), 413);
        assert!(field(&response, "/error/message").contains("more than 1048576 bytes"));
    }
}

#[test]
fn malformed_chunks_are_refused() {
    let site = Site::echoing(Bounds::default());
    let endless = format!("{}\r\n", "0".repeat(2000));
    let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(100));
    for chunks in [
        "\r\n",
        "x\r\n",
        "+3\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        "3\nabc\r\n",
        "3\r\nabcd\r\n",
        "123456789\r\n",
        "-1\r\n",
        &endless,
    ] {
        let response = site.ask(post("Transfer-Encoding: chunked\r\n", chunks));
        assert_eq!(status(&response), 400, "{chunks}");
    }
    assert_eq!(status(&site.ask(post("Transfer-Encoding: chunked\r\n", &trailers))), 431);
}

#[test]
fn tiny_chunks_with_long_extensions_do_not_make_endless_work() {
    let site = Site::echoing(Bounds::default());
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(1000));
    let response = site.ask(post("Transfer-Encoding: chunked\r\n", &chunk.repeat(1100)));
    assert_eq!(status(&response), 400);
}

#[test]
fn a_request_without_a_length_has_no_body() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask(post("Host: box\r\n", ""));
    assert_eq!(echoed(&response), "");
    assert!(!body(&response).contains("content-length"));
}

#[test]
fn a_client_that_expects_100_continue_is_invited_by_the_gate() {
    let site = Site::echoing(Bounds::default());
    let mut client = site.connect();
    client.send(post("Expect: 100-Continue\r\nContent-Length: 3\r\n", ""));
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    let response = client.rest();
    assert_eq!(echoed(&response), "abc");
    assert!(!body(&response).contains("expect"));
}

#[test]
fn a_client_is_not_invited_to_send_what_is_not_read() {
    let site = Site::echoing(Bounds::default());
    let big = post("Expect: 100-continue\r\nContent-Length: 2000000\r\n", "");
    assert_eq!(status(&site.ask(big)), 413);
    let none = post("Expect: 100-continue\r\nContent-Length: 0\r\n", "");
    assert_eq!(status(&site.ask(none)), 200);
    let here = post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc");
    assert_eq!(status(&site.ask(here)), 200);
    let old = "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut client = site.connect();
    client.send(old);
    client.send("abc");
    assert_eq!(status(&client.rest()), 200);
}

#[test]
fn other_expectations_are_refused() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask(post("Expect: miracles\r\nContent-Length: 3\r\n", "abc"));
    assert_eq!(status(&response), 417);
    assert_eq!(field(&response, "/error/kind"), "bad_request");
}
