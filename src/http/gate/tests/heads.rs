//! What the gate makes of request heads.

use super::*;

fn malformed(request: impl AsRef<[u8]>) {
    let site = Site::echoing(Bounds::default());
    let request = request.as_ref();
    let response = site.ask(request);
    assert_eq!(status(&response), 400, "{}", String::from_utf8_lossy(request));
    assert_eq!(field(&response, "/error/kind"), "bad_request");
    assert_eq!(field(&response, "/error/remedy"), "Send a plain HTTP/1.1 request.");
}

#[test]
fn a_plain_request_reaches_the_server_and_its_answer_the_client() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask("GET /a?b=c HTTP/1.1\r\nHost: box\r\nX-Any: \t thing \r\n\r\n");
    assert_eq!(status(&response), 200);
    assert!(body(&response).starts_with("GET /a?b=c HTTP/1.1\nhost: box\nx-any: thing\n"));
    assert_eq!(response.to_lowercase().matches("\r\nconnection: close\r\n").count(), 1);
}

#[test]
fn the_visitor_header_cannot_be_forged() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask(
        "GET / HTTP/1.1\r\nX-Solverbox-Visitor: 1\r\nConnection: X-Solverbox-Visitor\r\n\
         x-SOLVERBOX-visitor: 2\r\nX-Solverbox-Other: 3\r\n\r\n",
    );
    let ids: Vec<&str> =
        body(&response).lines().filter_map(|l| l.strip_prefix("x-solverbox-visitor: ")).collect();
    assert_eq!(ids.len(), 1, "{response}");
    assert_eq!(ids[0].len(), 32, "{response}");
    assert!(!response.contains("x-solverbox-other"), "{response}");
}

#[test]
fn headers_between_client_and_gate_are_not_passed_on() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask(
        "GET / HTTP/1.1\r\nConnection: keep-alive, X-Mine, Upgrade\r\nX-Mine: 1\r\nUpgrade: h2c\r\n\
         Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: chunked\r\nTrailer: x\r\nX-Yours: 1\r\n\r\n",
    );
    let names: Vec<&str> =
        body(&response).lines().skip(1).filter_map(|l| Some(l.split_once(':')?.0)).collect();
    assert_eq!(names, ["x-yours", "x-solverbox-visitor", "connection"]);
}

#[test]
fn a_head_of_17_kib_is_refused_and_one_of_15_kib_is_not() {
    let site = Site::echoing(Bounds::default());
    let padded = |bytes| format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(bytes));
    assert_eq!(status(&site.ask(padded(15 << 10))), 200);
    let response = site.ask(padded(17 << 10));
    assert_eq!(status(&response), 431);
    assert_eq!(field(&response, "/error/kind"), "too_long");
    assert!(field(&response, "/error/message").contains("16384 bytes"));
}

#[test]
fn more_headers_than_allowed_are_refused() {
    let site = Site::echoing(Bounds::default());
    let with = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert_eq!(status(&site.ask(with(64))), 200);
    assert_eq!(status(&site.ask(with(65))), 431);
}

#[test]
fn a_head_that_stops_or_drips_is_refused_when_its_time_is_up() {
    let bounds = Bounds { head_wait: Duration::from_millis(200), ..Bounds::default() };
    let site = Site::echoing(bounds);
    let response = site.ask("GET / HTTP/1.1\r\nHost:");
    assert_eq!(status(&response), 408);
    assert_eq!(field(&response, "/error/kind"), "bad_request");
    assert!(field(&response, "/error/message").contains("0.2 seconds"));

    let mut dripping = site.connect();
    dripping.send("GET / HTTP/1.1\r\nX: ");
    assert_eq!(dripping.drip(), "HTTP/1.1 408");
}

#[test]
fn a_silent_connection_is_closed_silently() {
    let bounds = Bounds { head_wait: Duration::from_millis(50), ..Bounds::default() };
    let site = Site::echoing(bounds);
    assert_eq!(site.connect().rest(), "");
    assert_eq!(site.ask("\r\n\r\n"), "");
}

#[test]
fn a_stream_of_blank_lines_does_not_hold_a_connection_open() {
    let bounds = Bounds { head_wait: Duration::from_millis(100), ..Bounds::default() };
    let site = Site::echoing(bounds);
    let mut client = site.connect();
    until("the gate hangs up", || client.0.write_all(&[b'\n'; 4 << 10]).is_err());
}

#[test]
fn versions_other_than_1_0_and_1_1_are_refused() {
    let site = Site::echoing(Bounds::default());
    for request in ["GET / HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/3"] {
        let response = site.ask(request);
        assert_eq!(status(&response), 505, "{request}");
        assert_eq!(field(&response, "/error/kind"), "bad_request");
    }
}

#[test]
fn malformed_heads_are_refused() {
    malformed("GET / FTP/1.1\r\n\r\n");
    malformed("GET /\r\n\r\n");
    malformed("hello\r\n\r\n");
    malformed(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    malformed("GET / HTTP/1.1\r\nNo colon\r\n\r\n");
    malformed("GET / HTTP/1.1\r\nSpace : before\r\n\r\n");
    malformed("GET / HTTP/1.1\r\nFolded: a\r\n b\r\n\r\n");
    malformed("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    malformed("GET / HTTP/1.1\r\nX: caf\u{e9}\r\n\r\n");
    malformed("GET / HTTP/1.1\r\nX: a\u{7f}b\r\n\r\n");
    malformed("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n");
    malformed("GET /caf\u{e9} HTTP/1.1\r\n\r\n");
}

#[test]
fn targets_other_than_paths_are_refused_and_a_url_is_reduced_to_its_path() {
    malformed("CONNECT box:443 HTTP/1.1\r\n\r\n");
    malformed("OPTIONS * HTTP/1.1\r\n\r\n");
    malformed("GET ftp://box/x HTTP/1.1\r\n\r\n");
    malformed("GET http:///x HTTP/1.1\r\n\r\n");
    malformed("GET http://user@box/x HTTP/1.1\r\n\r\n");
    let site = Site::echoing(Bounds::default());
    let response = site.ask("GET http://box:80/x?y HTTP/1.1\r\nHost: other\r\n\r\n");
    assert!(body(&response).starts_with("GET /x?y HTTP/1.1\nhost: box:80\n"), "{response}");
}

#[test]
fn any_method_passes() {
    let site = Site::echoing(Bounds::default());
    for method in ["DELETE", "PATCH", "TRACE", "BREW", "get"] {
        let response = site.ask(format!("{method} / HTTP/1.1\r\n\r\n"));
        assert!(body(&response).starts_with(&format!("{method} / ")), "{response}");
    }
}

#[test]
fn blank_lines_before_a_request_and_bare_line_feeds_are_forgiven() {
    let site = Site::echoing(Bounds::default());
    assert_eq!(status(&site.ask("\r\n\nGET / HTTP/1.1\nHost: box\n\n")), 200);
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let site = Site::echoing(Bounds::default());
    let mut client = site.connect();
    client.0.set_nodelay(true).expect("a socket");
    for byte in b"GET /slow HTTP/1.1\r\nHost: box\r\n\r\n" {
        client.send([*byte]);
    }
    assert!(body(&client.rest()).starts_with("GET /slow HTTP/1.1\nhost: box\n"));
}

#[test]
fn clients_of_the_openai_interface_are_refused_in_its_shape() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: x\r\n\r\n");
    assert_eq!(status(&response), 400);
    assert_eq!(field(&response, "/error/type"), "invalid_request_error");
    assert_eq!(field(&response, "/error/code"), "bad_request");
    assert!(field(&response, "/error/message").ends_with(". Send a plain HTTP/1.1 request."));
    assert!(body(&response).contains("\"param\":null"));
    let response = site.ask("GET /v1/models HTTP/9.9\r\n\r\n");
    assert_eq!((status(&response), field(&response, "/error/code").as_str()), (505, "bad_request"));
}

#[test]
fn a_refused_head_request_gets_no_body() {
    let site = Site::echoing(Bounds::default());
    let response = site.ask("HEAD / HTTP/1.1\r\nContent-Length: x\r\n\r\n");
    assert_eq!(status(&response), 400);
    assert_eq!(body(&response), "");
}
