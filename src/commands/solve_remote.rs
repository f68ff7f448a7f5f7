//! `solverbox solve` beside a box that runs in the same data folder: it asks that box over loopback
//! instead of loading a second model.
//!
//! One request of OpenAI's API, streamed; leaving stops the question, as everywhere. Nothing but
//! an address of this machine, which the box itself has written down, is ever connected to.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Instant;

use serde_json::{Value, json};

use super::OutputFormat;
use super::interrupt;
use super::solve::{Screen, report};
use crate::desk::record::Whole;
use crate::types::answer::{Figures, Outcome, Part, Piece};
use crate::types::error::{Error, Kind, io_cause};
use crate::types::job::{Ending, Question, Role};
use crate::types::limits;

/// Asks the box at `address`.
///
/// # Errors
/// What the box says, or what keeps it from being asked.
pub fn run(
    address: SocketAddr,
    question: &Question,
    asked: &str,
    output: OutputFormat,
) -> Result<(), Error> {
    question.check()?;
    let address = of_this_machine(address);
    super::note(&format!("solverbox: a box runs here already: asking http://{address}/"));
    // Its end of the connection then closes, which stops the question.
    interrupt::on_interrupt(|_| interrupt::leave())?;
    let stream = ask(address, question).map_err(|error| cannot(address, &error))?;
    let mode = &question.mode.name;
    let whole = match read(stream, output).map_err(|error| cannot(address, &error))? {
        Heard::Whole(whole) => whole,
        Heard::Refused(error) => return Err(error),
        Heard::ReadEnough => return Ok(()),
    };
    report(&whole, asked, ("the running box's", mode), output)
}

/// Returns where a box that listens everywhere is reached from here.
fn of_this_machine(address: SocketAddr) -> SocketAddr {
    let loopback = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let host = if address.ip().is_unspecified() { loopback } else { address.ip() };
    SocketAddr::new(host, address.port())
}

fn ask(address: SocketAddr, question: &Question) -> std::io::Result<BufReader<TcpStream>> {
    let system = json!({"role": "system", "content": question.system});
    let turns = question.turns.iter().map(|turn| {
        let role = if turn.role == Role::User { "user" } else { "assistant" };
        json!({"role": role, "content": turn.text})
    });
    let body = json!({
        "model": format!("solverbox:{}", question.mode.name),
        "messages": std::iter::once(system).chain(turns).collect::<Vec<Value>>(),
        "temperature": question.sampling.temperature,
        "seed": question.seed,
        "max_tokens": question.budget_tokens,
        "attempts": question.attempts,
        "ignore_eos": question.ending == Ending::Budget,
        "stream": true,
        "stream_options": {"include_usage": true},
    })
    .to_string();
    let mut socket = TcpStream::connect_timeout(&address, limits::CLOSE_WAIT)?;
    socket.write_all(
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    )?;
    Ok(BufReader::new(socket))
}

/// What came of asking.
enum Heard {
    Whole(Whole),
    Refused(Error),
    /// Whoever reads our output has had enough.
    ReadEnough,
}

fn read(mut stream: BufReader<TcpStream>, output: OutputFormat) -> std::io::Result<Heard> {
    let mut line = String::new();
    let mut next = |line: &mut String| {
        line.clear();
        stream.read_line(line)
    };
    next(&mut line)?;
    let asked = Instant::now();
    let mut first = None;
    let is_stream = line.split(' ').nth(1) == Some("200");
    while next(&mut line)? > 2 {}
    let mut screen = Screen::on_stdout();
    let mut whole = Whole {
        thinking: String::new(),
        answer: String::new(),
        outcome: Outcome::Stopped,
        figures: Figures::default(),
        tally: None,
    };
    while next(&mut line)? > 0 {
        let data = if is_stream { line.strip_prefix("data: ") } else { Some(line.as_str()) };
        let Some(event) = data.and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
            continue;
        };
        if let Some(error) = event.get("error") {
            return Ok(Heard::Refused(told(error)));
        }
        let pieces = take(&event, &mut whole);
        if !pieces.is_empty() {
            let first = *first.get_or_insert_with(Instant::now);
            whole.figures.first_token_seconds = (first - asked).as_secs_f64();
            whole.figures.prompt_seconds = whole.figures.first_token_seconds;
            whole.figures.decode_seconds = first.elapsed().as_secs_f64();
        }
        match (
            output,
            screen.print_pieces(if output == OutputFormat::Text { &pieces } else { &[] }),
        ) {
            (_, Err(error)) if error.kind() == ErrorKind::BrokenPipe => {
                return Ok(Heard::ReadEnough);
            }
            (_, printed) => printed?,
        }
    }
    if output == OutputFormat::Text {
        screen.finish()?;
    }
    Ok(Heard::Whole(whole))
}

/// Takes an event into what is known; returns the text it brings.
fn take(event: &Value, whole: &mut Whole) -> Vec<Piece> {
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    if let Some(usage) = event.get("usage") {
        whole.figures.prompt_tokens = number(&usage["prompt_tokens"]);
        whole.figures.completion_tokens = number(&usage["completion_tokens"]);
    }
    let choice = &event["choices"][0];
    match choice["finish_reason"].as_str() {
        Some("length") => whole.outcome = Outcome::Budget,
        Some(_) => whole.outcome = Outcome::Done,
        None => {}
    }
    let mut pieces = Vec::new();
    for (field, part) in [("reasoning_content", Part::Thinking), ("content", Part::Answer)] {
        let text = choice["delta"][field].as_str().unwrap_or_default();
        if !text.is_empty() {
            let all = if part == Part::Thinking { &mut whole.thinking } else { &mut whole.answer };
            all.push_str(text);
            pieces.push(Piece { part, text: text.to_string() });
        }
    }
    pieces
}

/// Reads the box's refusal, whose kind is one of ours.
fn told(error: &Value) -> Error {
    let kind = serde_json::from_value(error["code"].clone()).unwrap_or(Kind::Internal);
    let text = error["message"].as_str().unwrap_or("the box refused the question");
    let (message, remedy) = text.split_once(". ").unwrap_or((text, "Ask again later."));
    Error::new(kind, message, remedy)
}

fn cannot(address: SocketAddr, error: &std::io::Error) -> Error {
    Error::new(
        Kind::Stopped,
        format!("cannot ask the box at http://{address}/: {}", io_cause(error)),
        "Ask again when it is back; with --model FILE this command loads a model of its own.",
    )
}
