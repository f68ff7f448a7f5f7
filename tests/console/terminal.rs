//! People at serial consoles: a real server, a pseudo terminal for each line, cables pulled out.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::terminal::TestTerminal;
use crate::support::{TestServer, model, solverbox, text, wait_until};

/// A modes file for greedy answers, which are the same each time.
pub fn greedy() -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("greedy.toml");
    let part = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::write(part.path(), "[[mode]]\nname = \"math\"\ntemperature = 0.0\n").unwrap();
    part.persist(&file).unwrap();
    file
}

/// A server with a console on each of these terminals, which answers greedily.
pub fn served(terminals: &[&TestTerminal], args: &[&str]) -> TestServer {
    let ports: Vec<String> = terminals.iter().map(|terminal| terminal.port()).collect();
    served_at(&ports.iter().map(String::as_str).collect::<Vec<&str>>(), args)
}

/// Like [`served`], with port names and their settings.
pub fn served_at(ports: &[&str], args: &[&str]) -> TestServer {
    let modes = greedy();
    let mut all = vec!["--modes", modes.to_str().unwrap()];
    all.extend(args);
    ports.iter().for_each(|port| all.extend(["--serial", port]));
    TestServer::ready(&all)
}

/// Returns the jobs in the server's history, newest first.
pub fn history(served: &TestServer) -> Vec<Value> {
    let mut command = solverbox();
    command.args(["history", "export", "--format", "jsonl", "--data"]).arg(served.data.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let mut jobs: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    jobs.reverse();
    jobs
}

#[test]
fn a_person_asks_is_answered_and_each_command_works() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    let greeting = terminal.wait("math> ");
    assert!(greeting.contains("solverbox") && greeting.contains("/help"), "{greeting}");
    assert!(greeting.contains("solverbox-demo"), "{greeting}");

    terminal.enter("What is 17*23?");
    let told = terminal.wait("math> ");
    assert!(told.contains("\x1b[2m"), "thinking is dimmed: {told:?}");
    assert!(told.contains("[ 391 ]"), "{told}");
    assert!(told.contains("tokens/s)"), "{told}");

    terminal.enter("/attempts 4");
    terminal.wait("Attempts at each question: 4.");
    terminal.wait("math> ");
    terminal.enter("What is 348 + 577?");
    let told = terminal.wait("math> ");
    assert!(told.contains("attempts have ended") && told.contains("925 ×"), "{told}");

    for (typed, said) in [
        ("/mode", "* math"),
        ("/mode hint", "Mode hint"),
        ("/mode nothing", "no mode is called 'nothing'"),
        ("/mode math", "Mode math"),
        ("/attempts 1", "question: 1."),
        ("/budget 300", "at most: 300."),
        ("/budget 0", "at most: "),
        ("/queue", "In the box: 0 being answered, 0 waiting."),
        ("/stop", "nothing is being answered"),
        ("/answer-now", "nothing is being answered"),
        ("/latex on", "as LaTeX source"),
        ("/last", "925"),
        ("/latex off", "shown rendered"),
        ("/think off", "not shown"),
        ("/help", "/go-on QUESTION"),
        ("/dance", "Unknown command /dance"),
    ] {
        terminal.enter(typed);
        terminal.wait(said);
        terminal.wait("> ");
    }
    terminal.settle();
    terminal.enter("/go-on What is 925 + 75?");
    let told = terminal.wait("math> ");
    assert!(told.contains("[ "), "{told}");
    let jobs = history(&served);
    assert_eq!(jobs.len(), 3);
    let newest = jobs[0].to_string();
    assert!(
        newest.contains("348 + 577") && newest.contains("925 + 75"),
        "the conversation continues: {newest}"
    );

    terminal.enter("/plain");
    terminal.wait("No escape sequences are sent.");
    terminal.settle();
    terminal.enter("/think on");
    terminal.wait("Thinking is shown.");
    terminal.enter("What is 17*23?");
    let told = terminal.wait("[answer]");
    terminal.wait("[ 391 ]");
    assert!(told.contains("[thinking]"), "{told}");
    assert!(!(told + &terminal.rest()).contains('\x1b'), "no escape sequences");
    terminal.enter("/bye");
    terminal.wait("Bye. Press a key to start again.");
    terminal.send(b"\r");
    terminal.wait("Type a question");
}

#[test]
fn ctrl_c_stops_an_answer_and_answer_now_ends_the_thinking() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    // In one write, so that Ctrl-C does not come too late.
    terminal.send(b"What is 98765*87654?\r\x03");
    terminal.wait("(stopped)");
    terminal.wait("math> ");
    wait_until("the job to stop", || history(&served)[0]["finish"] == "stopped");
    terminal.enter("/attempts 16");
    terminal.wait("math> ");
    terminal.send(b"What is 98765*87654?\r/answer-now\r");
    terminal.wait("tokens");
    terminal.wait("math> ");
    // Ctrl-C discards the line being typed; on an empty line it explains how to leave.
    terminal.send(b"half a question");
    terminal.wait("half a question");
    terminal.send(b"\x03\x03");
    terminal.wait("/bye or Ctrl-D leaves");
    assert_eq!(history(&served).len(), 2);
}

#[test]
fn a_question_may_have_several_lines_typed_quoted_or_pasted() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    for (typed, asked) in [
        ("What is\\\r4*5?\r", "What is\n4*5?"),
        ("\"\"\"What\ris\r\r4*6?\"\"\"\r", "What\nis\n\n4*6?"),
        ("\"\"\"\r4*7?\r\"\"\"\r", "4*7?\n"),
        ("\x1b[200~What is\rthis:\r4*8?\x1b[201~\r", "What is\nthis:\n4*8?"),
        ("What ix 4*9?\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x7fs\r", "What is 4*9?"),
        ("\x1b[A\x1b[A\x1b[B\x7f1?\r", "What is 4*91?"),
    ] {
        terminal.send(typed.as_bytes());
        terminal.wait("tokens/s)");
        terminal.wait("math> ");
        assert_eq!(question(&history(&served)[0]), asked, "{typed:?}");
    }
}

/// Returns the last message of a job's conversation.
fn question(job: &Value) -> String {
    let last = job["messages"].as_array().and_then(|messages| messages.last());
    last.and_then(|last| last["content"].as_str()).unwrap_or_else(|| panic!("{job}")).to_string()
}

#[test]
fn characters_may_arrive_split_at_any_byte() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    let asked = "¿Qué es 数 6×7? 😀 e\u{301}";
    for byte in asked.bytes() {
        terminal.send(&[byte]);
        // Longer than one read waits for more bytes, so that each byte is read alone.
        std::thread::sleep(Duration::from_millis(70));
    }
    terminal.send(b"\0\r\n");
    terminal.wait("math> ");
    assert_eq!(question(&history(&served)[0]), asked);
    assert!(terminal.screen().contains("数 6×7?"), "{}", terminal.screen());
}

#[test]
fn a_cable_pulled_out_during_an_answer_loses_nothing() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &["--context-tokens", "16384"]);
    terminal.wait("math> ");
    terminal.enter("/attempts 16");
    terminal.wait("math> ");
    terminal.enter("What is 98765*87654?");
    terminal.wait("\x1b[2m");
    terminal.unplug();
    served.wait_log("disconnected; waiting for it");
    served.wait_log("no such device");
    wait_until("the job to end", || history(&served)[0]["finish"] == "done");
    let answer = history(&served)[0]["answer"].as_str().unwrap().to_string();
    terminal.plug();
    terminal.wait("Your last question, \"What is 98765*87654?\", is answered: /last shows it");
    terminal.wait("math> ");
    terminal.enter("/latex on");
    terminal.wait("math> ");
    terminal.enter("/last");
    let told = terminal.wait("math> ").replace("\r\n", "\n");
    let end = answer.lines().last().unwrap();
    assert!(told.contains(end), "{told:?} has {end:?}");
    let waits = served.log().matches("no such device").count();
    assert_eq!(waits, 1, "logged once");
}

#[test]
fn a_killed_server_continues_a_question_from_the_console() {
    let mut terminal = TestTerminal::new();
    let mut served = served(&[&terminal], &["--sync-seconds", "0"]);
    terminal.wait("math> ");
    terminal.enter("/attempts 16");
    terminal.wait("math> ");
    terminal.enter("What is 98765*87654?");
    terminal.wait("\x1b[2m");
    served.kill_and_restart();
    terminal.wait("/last shows it");
    terminal.wait("math> ");
    terminal.enter("/last");
    terminal.wait("tokens");
    terminal.wait("math> ");
    assert_eq!(history(&served)[0]["finish"], "done");
}

#[test]
fn a_slow_line_takes_no_memory_and_gets_everything_in_the_end() {
    let mut terminal = TestTerminal::new();
    let port = format!("{},300", terminal.port());
    let served = served_at(&[&port], &["--context-tokens", "16384"]);
    terminal.wait("math> ");
    terminal.enter("What is 98765*87654?");
    terminal.wait("tokens/s)");
    terminal.wait("math> ");
    terminal.read_slowly(30);
    let before = served.status("VmRSS");
    // Each answer comes faster than the line.
    for _ in 0..3 {
        terminal.enter("What is 98765*87654?");
    }
    wait_until("all to be answered", || {
        let jobs = history(&served);
        jobs.len() == 4 && jobs.iter().all(|job| job["finish"] == "done")
    });
    let after = served.status("VmRSS");
    assert!(after < before + 4 * 1024, "{before} kB before, {after} kB after");
    // Nothing was dropped: the rest comes once the line is fast again.
    terminal.read_all();
    for _ in 0..3 {
        terminal.wait("tokens/s)");
    }
    terminal.wait("math> ");
}

#[test]
fn noise_and_a_paste_of_a_megabyte_are_survived_and_submit_nothing() {
    let seconds = if std::env::var_os("CONSOLE_TRIALS").is_some() { 60 } else { 5 };
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    let mut random = 1_u64;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        let noise: Vec<u8> = (0..100)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 33) as u8
            })
            .collect();
        terminal.send(&noise);
        // About what a floating pin produces at 115,200 bits a second.
        std::thread::sleep(Duration::from_millis(9));
    }
    let before = served.status("VmRSS");
    terminal.send(b"\x03\x03\r");
    terminal.settle();
    let jobs = history(&served);
    assert!(jobs.is_empty(), "noise was submitted: {}", jobs[0]);
    // Too long for one line: the console rings the bell and ignores the rest.
    terminal.send(&b"x".repeat(1 << 20));
    terminal.wait("\x07");
    terminal.send(b"\x03\x03");
    terminal.settle();
    // Many lines in one paste: the question is too long as a whole.
    terminal.send(b"\x1b[200~");
    terminal.send("a line of a long paste\r".repeat(50_000).as_bytes());
    terminal.send(b"\x1b[201~");
    terminal.wait("bytes. Ask a shorter one.");
    terminal.send(b"\x03\x03\x03");
    terminal.settle();
    let after = served.status("VmRSS");
    assert!(after < before + 8 * 1024, "{before} kB before, {after} kB after");
    terminal.enter("/plain off");
    terminal.settle();
    terminal.enter("What is 17*23?");
    terminal.wait("[ 391 ]");
    assert_eq!(history(&served).len(), 1);
}

#[test]
fn two_consoles_and_the_page_share_turns_fairly() {
    let mut terminals = [TestTerminal::new(), TestTerminal::new()];
    let served =
        served(&[&terminals[0], &terminals[1]], &["--sequences", "1", "--context-tokens", "8192"]);
    for terminal in &terminals {
        terminal.wait("math> ");
    }
    // The first terminal asks far more.
    terminals[0].enter("/attempts 16");
    terminals[0].wait("math> ");
    for _ in 0..6 {
        terminals[0].enter("What is 98765*87654?");
    }
    wait_until("the first terminal's jobs", || history(&served).len() == 6);
    terminals[1].enter("What is 98765*87654?");
    let (status, page) =
        served.post("/api/jobs", &json!({"question": "What is 98765*87654?"}).to_string());
    assert_eq!(status, 202, "{page}");
    terminals[1].wait("tokens/s)");
    wait_until("the page's question to be answered", || {
        let jobs = history(&served);
        jobs.iter().any(|job| job["id"] == page["id"] && job["finish"] == "done")
    });
    let jobs = history(&served);
    let done = jobs.iter().filter(|job| job["finish"] == "done").count();
    assert!(done < 8, "one question does not wait for six of another client");
    for _ in 0..6 {
        terminals[0].wait("tokens/s)");
    }
}

#[test]
fn a_server_whose_serial_line_is_blocked_stops_in_time() {
    let mut terminal = TestTerminal::new();
    let mut served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    terminal.stop_reading();
    // More output than the kernel and the server buffer for a terminal that is not read.
    for _ in 0..200 {
        terminal.enter("/help");
    }
    // From outside nothing shows that the buffers are full.
    std::thread::sleep(Duration::from_secs(1));
    crate::support::send_signal(served.pid(), "TERM");
    served.wait_end(Duration::from_secs(5));
    assert!(!served.log().contains("shutdown hangs"), "{}", served.log());
}

#[test]
fn leaving_during_an_answer_waits_for_its_end() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    // In one write, so that /bye does not come too late; the key typed after it delays nothing.
    terminal.send(b"What is 98765*87654?\r/bye\rx");
    terminal.wait("(leaving once everything is answered)");
    terminal.wait("tokens/s)");
    terminal.wait("Bye. Press a key to start again.");
    assert_eq!(history(&served)[0]["finish"], "done");
}

#[test]
fn two_answers_held_back_by_a_pulled_cable_are_both_shown_later() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    terminal.enter("What is 17*23?");
    terminal.enter("What is 348 + 577?");
    wait_until("both jobs", || history(&served).len() == 2);
    terminal.unplug();
    wait_until("both jobs to end", || history(&served).iter().all(|job| job["finish"] == "done"));
    terminal.plug();
    terminal.wait("(Your last question, \"What is 348 + 577?\"");
    terminal.wait("math> ");
    terminal.enter("/last");
    let told = terminal.wait("[ 925 ]");
    // Unless it was shown before the cable was pulled.
    assert!(told.contains("[ 391 ]") || !told.contains("(What is 17*23?)"), "{told}");
}

#[test]
fn the_student_s_attempt_is_prompted_for_and_may_have_several_lines() {
    let mut terminal = TestTerminal::new();
    let served = served(&[&terminal], &[]);
    terminal.wait("math> ");
    terminal.enter("/mode review");
    terminal.wait("review> ");
    terminal.enter("What is 17*23?");
    terminal.wait("your attempt> ");
    terminal.enter("");
    terminal.wait("your attempt> ");
    terminal.enter("\"\"\"");
    terminal.enter("17*20 = 340");
    terminal.enter("/ 3*17 = 51");
    terminal.enter("\"\"\"");
    terminal.wait("tokens/s)");
    let asked = question(&history(&served)[0]);
    assert!(asked.contains("What is 17*23?"), "{asked}");
    assert!(asked.contains("17*20 = 340\n/ 3*17 = 51"), "{asked}");
}

#[test]
fn a_terminal_that_sends_xoff_is_waited_for() {
    let mut terminal = TestTerminal::new();
    let _served = served_at(&[&format!("{},9600,xonxoff", terminal.port())], &[]);
    terminal.wait("math> ");
    terminal.settle();
    terminal.send(b"\x13");
    terminal.enter("/help");
    // Time enough for the whole text at 9600 bits a second.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(terminal.rest(), "", "nothing comes after XOFF");
    terminal.send(b"\x11");
    terminal.wait("/bye");
    terminal.wait("math> ");
}

#[test]
fn a_pipe_is_a_console_too_and_the_process_exits_after_the_last_answer() {
    let data = tempfile::tempdir().unwrap();
    let mut command = solverbox();
    command.arg("console").arg("--model").arg(model()).arg("--data").arg(data.path());
    command.args(["--threads", "1", "--context-tokens", "2048", "--modes"]).arg(greedy());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let questions =
        "/think off\nWhat is 17*23?\n\"\"\"\nWhat is 348 + 577?\n\"\"\"\nWhat is 25 + 17?";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), questions.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let at = |what: &str| said.find(what).unwrap_or_else(|| panic!("{what}: {said}"));
    assert!(at("[ 391 ]") < at("[ 925 ]") && at("[ 925 ]") < at("[ 42 ]"), "{said}");
    assert!(!said.contains('\x1b') && !said.contains('\r'), "{said:?}");
}
