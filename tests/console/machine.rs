//! Machines at serial consoles: JSON lines over a pseudo terminal, with noise, pulled cables and
//! kills, and the device program printed in docs/serial.md.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::console::terminal::{history, served, served_at};
use crate::support::terminal::TestTerminal;
use crate::support::tmux::Tmux;
use crate::support::{TestServer, not_checked, root, text, wait_until};

/// A server with a console for machines.
pub fn machine(terminal: &TestTerminal, settings: &str, args: &[&str]) -> TestServer {
    served_at(&[&format!("{},json{settings}", terminal.port())], args)
}

/// Returns the next line.
pub fn line(terminal: &TestTerminal) -> Value {
    let line = terminal.wait("\n");
    let object = line.split_once("}*").map_or(line.clone(), |(object, _)| format!("{object}}}"));
    serde_json::from_str(&object).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// Returns the lines up to and including the first of one of these types.
fn until(terminal: &TestTerminal, types: &[&str]) -> Vec<Value> {
    let mut lines = Vec::new();
    loop {
        let line = line(terminal);
        let is_last = types.iter().any(|kind| line["type"] == *kind);
        lines.push(line);
        if is_last {
            return lines;
        }
    }
}

pub fn send(terminal: &mut TestTerminal, object: &Value) {
    terminal.send(format!("{object}\n").as_bytes());
}

/// CRC-32 as in zlib, computed bit by bit.
fn zlib_sum(bytes: &[u8]) -> u32 {
    let shifted = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    let byte = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| shifted(sum));
    !bytes.iter().fold(!0, byte)
}

/// Joins the text of all lines of a type.
fn told(lines: &[Value], kind: &str) -> String {
    let pieces = lines.iter().filter(|line| line["type"] == kind);
    pieces.map(|line| line["text"].as_str().unwrap()).collect()
}

/// Returns a field of the newest job in the history.
fn kept(served: &TestServer, part: &str) -> String {
    history(served)[0][part].as_str().unwrap().to_string()
}

#[test]
fn a_machine_asks_and_follows_the_answer_line_by_line() {
    let mut terminal = TestTerminal::new();
    let served = machine(&terminal, "", &[]);
    let hello = line(&terminal);
    assert_eq!((&hello["type"], &hello["name"]), (&json!("hello"), &json!("solverbox")));
    send(&mut terminal, &json!({"type": "ping", "id": 1}));
    let pong = line(&terminal);
    assert_eq!((&pong["type"], &pong["id"]), (&json!("pong"), &json!(1)));
    send(&mut terminal, &json!({"type": "ask", "id": "q", "question": "What is 17*23?"}));
    let accepted = line(&terminal);
    assert_eq!((&accepted["type"], &accepted["id"]), (&json!("accepted"), &json!("q")));
    let lines = until(&terminal, &["done"]);
    let done = lines.last().unwrap();
    assert_eq!((&done["finish"], &done["value"]), (&json!("done"), &json!("391")), "{done}");
    assert_eq!(told(&lines, "thinking").trim(), kept(&served, "thinking"));
    assert_eq!(told(&lines, "answer").trim(), kept(&served, "answer"));
    send(&mut terminal, &json!({"type": "last", "id": 2}));
    let last = line(&terminal);
    assert_eq!((&last["job"], &last["state"]), (&accepted["job"], &json!("done")));
    // The same question under the same ID is the same job, sent again.
    send(&mut terminal, &json!({"type": "ask", "id": "q", "question": "What is 17*23?"}));
    assert_eq!(line(&terminal)["job"], accepted["job"]);
    assert_eq!(told(&until(&terminal, &["done"]), "answer"), told(&lines, "answer"));
    assert_eq!(history(&served).len(), 1);
    // From any position exactly the rest.
    let middle = lines.iter().filter(|line| line["type"] == "thinking").nth(3).unwrap();
    let follow = json!({"type": "follow", "id": 9, "job": accepted["job"], "from": middle["at"]});
    send(&mut terminal, &follow);
    assert_eq!(line(&terminal)["type"], "accepted");
    let rest = until(&terminal, &["done"]);
    assert!(rest.iter().all(|line| line["id"] == 9));
    let at = lines.iter().position(|line| line == middle).unwrap();
    assert_eq!(told(&rest, "thinking"), told(&lines[at + 1..], "thinking"));
    send(&mut terminal, &json!({"type": "follow", "id": 3, "job": "0".repeat(32)}));
    assert_eq!(line(&terminal)["kind"], "not_found");
    send(&mut terminal, &json!({"type": "person"}));
    assert_eq!(line(&terminal)["type"], "ok");
    terminal.wait("math> ");
    // What follows /json in the same write already goes to the machine's console.
    terminal.send(b"/json\r{\"type\":\"ping\",\"id\":44}\n");
    terminal.wait("\"hello\"");
    terminal.wait("\"pong\",\"id\":44");
}

#[test]
fn attempts_vote_and_jobs_are_stopped_and_finished_over_the_line() {
    let mut terminal = TestTerminal::new();
    let _served = machine(&terminal, "", &["--context-tokens", "16384"]);
    line(&terminal);
    send(
        &mut terminal,
        &json!({"type": "ask", "id": 1, "question": "What is 348 + 577?", "attempts": 4}),
    );
    let lines = until(&terminal, &["done"]);
    assert_eq!(lines.last().unwrap()["value"], "925");
    assert!(lines.iter().any(|line| line["type"] == "vote"));
    assert!(lines.iter().filter(|line| line["type"] == "attempt").count() >= 2);
    let long = |id: u32| json!({"type": "ask", "id": id, "question": "What is 98765*87654?", "attempts": 16});
    // In one write, so that no command comes too late.
    let stop = json!({"type": "stop", "id": 2});
    terminal.send(format!("{}\n{stop}\n", long(2)).as_bytes());
    assert_eq!(until(&terminal, &["done"]).last().unwrap()["finish"], "stopped");
    let other = json!({"type": "ask", "id": 3, "question": "Something else?"});
    let finish = json!({"type": "finish", "id": 3});
    terminal.send(format!("{}\n{other}\n{finish}\n", long(3)).as_bytes());
    let lines = until(&terminal, &["done"]);
    assert!(lines.iter().any(|line| line["type"] == "error" && line["kind"] == "conflict"));
    assert_eq!(lines.last().unwrap()["finish"], "done");
}

#[test]
fn short_ascii_lines_with_checksums_carry_the_same_text() {
    let mut terminal = TestTerminal::new();
    let served = machine(&terminal, ",crc", &[]);
    let summed = |object: &Value| {
        let object = object.to_string();
        format!("{object}*{:08X}\n", zlib_sum(object.as_bytes()))
    };
    let hello = terminal.wait("\n");
    assert!(hello.contains("}*"), "{hello}");
    let set = json!({"type": "set", "line_bytes": 128, "ascii": true});
    terminal.send(summed(&set).as_bytes());
    assert_eq!(line(&terminal)["line_bytes"], 128);
    terminal.send(b"{\"type\":\"ping\"}\n");
    assert!(line(&terminal)["message"].as_str().unwrap().contains("lacks a checksum"));
    terminal.send(summed(&json!({"type": "ping"})).replace("ping", "pong").as_bytes());
    assert!(line(&terminal)["message"].as_str().unwrap().contains("checksum is"));
    let ask = json!({"type": "ask", "id": 1, "question": "What is 17*23?"});
    terminal.send(summed(&ask).as_bytes());
    let mut lines = Vec::new();
    loop {
        let raw = terminal.wait("\n") + "\n";
        assert!(raw.len() <= 128 && raw.is_ascii(), "{raw:?}");
        let (object, sum) = raw.trim_end().rsplit_once('*').unwrap();
        assert_eq!(sum, format!("{:08X}", zlib_sum(object.as_bytes())));
        let object: Value = serde_json::from_str(object).unwrap();
        let is_last = object["type"] == "done";
        lines.push(object);
        if is_last {
            break;
        }
    }
    assert_eq!(told(&lines, "thinking").trim(), kept(&served, "thinking"));
    assert_eq!(told(&lines, "answer").trim(), kept(&served, "answer"));
}

#[test]
fn noise_costs_only_its_own_line_and_causes_no_flood_of_errors() {
    let mut terminal = TestTerminal::new();
    let served = machine(&terminal, "", &[]);
    line(&terminal);
    let mut random = 7_u64;
    for round in 0..20 {
        let noise: Vec<u8> = (0..3000)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) as u8
            })
            .collect();
        terminal.send(&noise);
        // Ends the line that the noise began.
        terminal.send(b"\n");
        send(&mut terminal, &json!({"type": "ping", "id": round}));
        let heard = until(&terminal, &["pong"]);
        assert_eq!(heard.last().unwrap()["id"], round);
        assert!(heard.len() < 20, "{} lines", heard.len());
    }
    // A request after noise on the same line, and a line that is far too long.
    terminal.send(b"\xff\x00~garbage{\"type\":\"ping\",\"id\":\"x\"}\r\n");
    assert_eq!(until(&terminal, &["pong"]).last().unwrap()["id"], "x");
    terminal.send(&b"y".repeat(1 << 20));
    terminal.send(b"\n");
    assert_eq!(line(&terminal)["kind"], "too_long");
    assert!(history(&served).is_empty());
}

#[test]
fn a_device_that_follows_its_job_after_a_kill_gets_exactly_the_rest() {
    let mut terminal = TestTerminal::new();
    let mut served = machine(&terminal, "", &["--sync-seconds", "0"]);
    line(&terminal);
    let ask = json!({"type": "ask", "id": 1, "question": "What is 98765*87654?", "attempts": 1});
    send(&mut terminal, &ask);
    let job = line(&terminal)["job"].clone();
    let mut before = until(&terminal, &["thinking"]);
    before.extend(until(&terminal, &["thinking"]));
    served.kill_and_restart();
    terminal.wait("\"hello\"");
    terminal.wait("\n");
    // The device has read up to the last complete line before the kill.
    let at = before.last().unwrap()["at"].clone();
    send(&mut terminal, &json!({"type": "follow", "id": 2, "job": job, "from": at}));
    let after = until(&terminal, &["done"]);
    let rewind = after.iter().find(|line| line["type"] == "rewind");
    let mut whole = told(&before, "thinking");
    if let Some(to) = rewind.map(|line| line["to"].as_u64().unwrap() as usize) {
        whole.truncate(to);
    }
    whole += &told(&after, "thinking");
    assert_eq!(whole.trim(), kept(&served, "thinking"));
}

/// Runs the device program of docs/serial.md with one of the Pythons.
fn device(python: &Path, port: &str) -> String {
    let mut device = Command::new(python);
    device.arg(root().join("tests/clients/serial_device.py")).args([port, "What is 17*23?"]);
    let output = device.output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout
}

#[test]
fn the_documented_device_works_in_python_and_in_micropython() {
    let script = std::fs::read_to_string(root().join("tests/clients/serial_device.py")).unwrap();
    let page = std::fs::read_to_string(root().join("docs/serial.md")).unwrap();
    assert!(page.contains(&script), "docs/serial.md prints tests/clients/serial_device.py");
    for python in ["target/venv/bin/python", "target/venv/bin/micropython"] {
        let python = root().join(python);
        assert!(python.exists(), "'{}' is missing: run `build/prepare.sh test`", python.display());
        let wire = PtyPair::new();
        let served = served_at(&[&format!("{},json", wire.ends[0])], &[]);
        let said = device(&python, &wire.ends[1]);
        assert!(said.contains("=> 391"), "{said}");
        assert!(said.contains(kept(&served, "answer").lines().next().unwrap()), "{said}");
        wait_until("one job in the history", || history(&served).len() == 1);
    }
}

/// A pair of ports connected by socat(1).
pub struct PtyPair {
    pub ends: [String; 2],
    folder: tempfile::TempDir,
    socat: Option<std::process::Child>,
}

impl PtyPair {
    pub fn new() -> PtyPair {
        let folder = tempfile::tempdir().unwrap();
        let ends = ["a", "b"].map(|end| folder.path().join(end).display().to_string());
        let mut wire = PtyPair { ends, folder, socat: None };
        wire.plug();
        wire
    }

    pub fn plug(&mut self) {
        let end = |end: &String| format!("pty,raw,echo=0,link={end}");
        let mut socat = Command::new("socat");
        socat.args(self.ends.iter().map(end));
        let started = socat.spawn();
        self.socat = Some(started.expect("socat is missing: run `build/prepare.sh test`"));
        let ends = &self.ends;
        wait_until("the ports", || ends.iter().all(|end| Path::new(end).exists()));
    }

    pub fn unplug(&mut self) {
        if let Some(mut socat) = self.socat.take() {
            let _ = socat.kill();
            let _ = socat.wait();
        }
        // A killed socat leaves its links behind.
        for end in ["a", "b"] {
            let _ = std::fs::remove_file(self.folder.path().join(end));
        }
    }
}

impl Drop for PtyPair {
    fn drop(&mut self) {
        self.unplug();
    }
}

#[test]
fn a_real_terminal_program_asks_stops_and_recalls_history() {
    let mut wire = PtyPair::new();
    let served = served_at(&[&wire.ends[0]], &[]);
    let tmux = Tmux::start(&format!("picocom -q -b 115200 {}", wire.ends[1]));
    // A terminal opened after the greeting gets it with Ctrl-L.
    tmux.wait_at_key("C-l", "math>");
    let screen = tmux.wait("/help lists the commands");
    assert!(screen.contains("solverbox "), "{screen}");
    tmux.wait("math>");
    tmux.enter("What is 17*23?");
    tmux.wait("[ 391 ]");
    tmux.wait("tokens/s)");
    tmux.enter("/attempts 16");
    tmux.enter("What is 98765*87654?");
    tmux.wait("98765");
    wait_until("the second job", || history(&served).len() == 2);
    tmux.type_keys(&["C-c"]);
    tmux.wait("(stopped)");
    tmux.type_keys(&["C-l"]);
    tmux.wait("math>");
    tmux.type_keys(&["Up", "Up", "Up"]);
    let screen = tmux.wait("math> What is 17*23?");
    assert!(!screen.contains('^'), "no escape sequence is shown raw: {screen}");
    tmux.type_keys(&["Left", "BSpace", "4", "Enter"]);
    tmux.wait("math> What is 17*24?");
    wait_until("the edited question's job", || history(&served).len() == 3);
    // The cable is pulled out while a line is typed, and plugged in again.
    wire.unplug();
    served.wait_log("disconnected; waiting for it");
    wire.plug();
    let tmux = Tmux::start(&format!("picocom -q -b 115200 {}", wire.ends[1]));
    tmux.wait_at_key("C-l", "math>");
    tmux.enter("/last");
    tmux.wait("(What is 17*24?)");
}

#[test]
fn the_console_on_its_own_terminal_restores_the_terminals_settings() {
    let data = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_solverbox");
    let tmux = Tmux::start("sh");
    tmux.enter("PS1='$ '; clear");
    let greedy = crate::console::terminal::greedy();
    let run = format!(
        "stty -a > {0}/before; {program} console --threads 1 --context-tokens 4096 --data {0} \
         --modes {1} --model {2}; echo left with $?; stty -a > {0}/after",
        data.path().display(),
        greedy.display(),
        crate::support::model().display()
    );
    tmux.enter(&run);
    tmux.wait("math>");
    tmux.enter("What is 348 + 577?");
    tmux.wait("[ 925 ]");
    tmux.wait("tokens/s)");
    tmux.enter("/bye");
    tmux.wait("left with 0");
    let settings = |name: &str| std::fs::read_to_string(data.path().join(name)).unwrap_or_default();
    wait_until("the settings", || !settings("after").is_empty());
    assert_eq!(settings("before"), settings("after"));
    // Again when a signal ends it during an answer.
    std::fs::remove_file(data.path().join("after")).unwrap();
    tmux.enter("clear");
    tmux.enter(&run);
    tmux.wait("/help lists");
    tmux.enter("What is 98765*87654?");
    let neighbour = solverbox::store::Folder::neighbour(data.path()).unwrap();
    crate::support::send_signal(neighbour.pid, "TERM");
    tmux.wait("left with 0");
    wait_until("the settings", || !settings("after").is_empty());
    assert_eq!(settings("before"), settings("after"));
}

#[test]
fn a_login_prompt_on_the_port_is_reported() {
    let agetty = Path::new("/sbin/agetty");
    if !agetty.exists() {
        return not_checked("a login prompt on a port, because /sbin/agetty is missing");
    }
    if !rustix::process::geteuid().is_root() {
        return not_checked("a login prompt on a port, because only root can put one there");
    }
    let terminal = TestTerminal::new();
    let port = std::fs::canonicalize(terminal.port()).unwrap();
    let name = port.strip_prefix("/dev").unwrap().display().to_string();
    // In a session of its own, as init starts it: the port becomes its controlling terminal.
    let mut getty = Command::new("setsid");
    let mut getty = getty.arg(agetty).args(["--noreset", "--local-line", &name]).spawn().unwrap();
    terminal.wait("login:");
    let served = served(&[&terminal], &[]);
    served.wait_log("the system's login (agetty) uses it");
    getty.kill().unwrap();
    getty.wait().unwrap();
    terminal.wait("math> ");
}
