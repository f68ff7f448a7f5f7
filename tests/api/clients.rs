//! Existing clients, unmodified: OpenAI's in Python and JavaScript, LangChain, the AI SDK, `llm`,
//! curl, `requests` and a browser's `EventSource`; and the code in docs/clients.md.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::api::jobs::{SseEvent, all, ask, events, long, short, text_of};
use crate::support::programs::{browser, installed};
use crate::support::{TestServer, agent, chat, root, text, wait_until};

/// Set to run the clients that are too large for the suite: `make client-trials`.
const TRIALS: &str = "CLIENT_TRIALS";

/// Runs one of the Python scripts in tests/clients/ against a server.
fn python(script: &str, served: &TestServer) {
    python_of("venv", script, served);
}

/// Runs it with the packages of one of the virtual environments in target/.
fn python_of(venv: &str, script: &str, served: &TestServer) {
    let python = root().join("target").join(venv).join("bin/python");
    let mut client = Command::new(installed(python));
    client.arg(root().join("tests/clients").join(script)).arg(served.url(""));
    passes(&mut client);
}

/// Node.js with a program in a folder of its own, where the installed packages are found.
pub fn node(program: &str) -> (Command, tempfile::TempDir) {
    let packages = installed(root().join("target/node/node_modules"));
    let folder = tempfile::tempdir_in(packages.parent().unwrap()).unwrap();
    let file = folder.path().join("client.mjs");
    std::fs::write(&file, program).unwrap();
    let mut node = Command::new(installed(root().join("target/venv/bin/node")));
    node.arg(file);
    (node, folder)
}

pub fn script(name: &str) -> String {
    std::fs::read_to_string(root().join("tests/clients").join(name)).unwrap()
}

/// Runs a client to its end and returns its output.
pub fn output(client: &mut Command) -> String {
    let output = client.output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    stdout
}

fn passes(client: &mut Command) {
    let said = output(client);
    assert!(said.ends_with("all good\n"), "{said}");
}

#[test]
fn the_official_python_client_works_streaming_and_not() {
    python("openai_client.py", &TestServer::start(&[]));
}

#[test]
fn timeouts_of_the_official_python_client_stop_jobs_and_its_retries_are_answered() {
    python("openai_patience.py", &TestServer::ready(&["--client-jobs-max", "1"]));
}

#[test]
fn the_official_javascript_client_works_streaming_and_not() {
    let served = TestServer::start(&[]);
    let (mut client, _folder) = node(&script("openai_client.mjs"));
    passes(client.arg(served.url("")));
}

#[test]
fn the_official_clients_read_responses_and_text_completions() {
    let served = TestServer::start(&[]);
    python("openai_responses.py", &served);
    let (mut client, _folder) = node(&script("openai_responses.mjs"));
    passes(client.arg(served.url("")));
}

#[test]
fn the_ai_sdk_works_streaming_and_not() {
    let folder = tempfile::tempdir().unwrap();
    let served = greedy(folder.path());
    let (mut client, _folder) = node(&script("ai_sdk.mjs"));
    passes(client.arg(served.url("")));
}

#[test]
fn litellm_asks_every_api_streaming_and_not() {
    if std::env::var_os(TRIALS).is_none() {
        return println!("set {TRIALS} to run LiteLLM");
    }
    python_of("venv-clients", "litellm_client.py", &TestServer::start(&[]));
}

#[test]
fn langchain_invokes_streams_and_batches() {
    let served = TestServer::start(&[]);
    python("langchain_client.py", &served);
    let (mut client, _folder) = node(&script("langchain_client.mjs"));
    passes(client.arg(served.url("")));
}

#[test]
fn predict_works_with_the_requests_a_gradio_user_writes() {
    let folder = tempfile::tempdir().unwrap();
    python("predict.py", &greedy(folder.path()));
}

#[test]
fn a_session_of_the_job_api_in_python() {
    let folder = tempfile::tempdir().unwrap();
    python("jobs.py", &greedy(folder.path()));
}

#[test]
fn event_streams_name_their_encoding() {
    let served = TestServer::ready(&[]);
    let id = ask(&served, &short());
    let named = "Content-Type: text/event-stream; charset=utf-8";
    events(&served, &id, "").wait_for(named);
    served.stream(&chat(json!({"stream": true}))).wait_for(named);
}

#[test]
fn a_deleted_job_is_gone_at_once() {
    let served = TestServer::ready(&[]);
    for id in [(); 8].map(|()| ask(&served, &short())) {
        assert_eq!(all(&mut events(&served, &id, "")).last().unwrap().kind, "done");
        let url = served.url(&format!("/api/jobs/{id}"));
        assert_eq!(agent().delete(url).call().unwrap().status(), 204);
        assert_eq!(served.get(&format!("/api/jobs/{id}")).0, 404);
    }
}

#[test]
fn a_chat_stream_names_its_job_at_once() {
    let served = TestServer::ready(&[]);
    for extra in [json!({"stream": true}), json!({"stream": true, "n": 2})] {
        let told = served.stream(&chat(extra)).events();
        let job = &told[0]["solverbox"]["job"];
        assert_eq!(job.as_str().unwrap().len(), 32);
        assert_eq!(&told.last().unwrap()["solverbox"]["job"], job);
    }
}

/// A running curl that prints what it receives at once.
struct Curl {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Curl {
    fn start(args: &[&str]) -> Curl {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "-N"]).args(args).stdout(Stdio::piped());
        let mut child = curl.spawn().expect("curl is missing: run `build/prepare.sh test`");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Curl { child, lines }
    }

    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    /// Reads the next event.
    fn next(&mut self) -> Option<SseEvent> {
        let (mut kind, mut id) = (String::new(), String::new());
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", named)) => kind = named.to_string(),
                Some(("id", named)) => id = named.to_string(),
                Some(("data", data)) => {
                    return Some(SseEvent { kind, id, data: serde_json::from_str(data).unwrap() });
                }
                _ => {}
            }
        }
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn curl_shows_a_chat_stream_as_it_comes() {
    let served = TestServer::ready(&["--client-jobs-max", "1"]);
    let body = chat(json!({"stream": true, "ignore_eos": true, "max_tokens": 30000}));
    let url = served.url("/v1/chat/completions");
    let mine = "Authorization: Bearer mine";
    // The answer would take minutes: what is read here came while it was generated.
    let mut curl = Curl::start(&["-H", mine, &url, "-d", &body]);
    while !curl.line().unwrap().contains("\"content\":\"The") {}
    drop(curl);
    // curl has disconnected, so the next question is accepted.
    let short = chat(json!({"stream": true, "max_tokens": 3}));
    let mut last = String::new();
    wait_until("the job to be stopped", || {
        let mut curl = Curl::start(&["-H", mine, &url, "-d", &short]);
        last = std::iter::from_fn(|| curl.line()).filter(|line| !line.is_empty()).last().unwrap();
        !last.contains("too_many")
    });
    assert_eq!(last, "data: [DONE]");
}

#[test]
fn curl_reads_a_jobs_events_and_reconnects_for_the_rest() {
    let served = TestServer::ready(&[]);
    let id = ask(&served, &long(5));
    let url = served.url(&format!("/api/jobs/{id}/events"));
    let mut curl = Curl::start(&[&url]);
    let mut seen = Vec::new();
    while text_of(&seen).len() < 200 {
        seen.push(curl.next().unwrap());
    }
    drop(curl);
    let last = format!("Last-Event-ID: {}", seen.last().unwrap().id);
    let mut curl = Curl::start(&["-H", &last, &url]);
    seen.extend(std::iter::from_fn(|| curl.next()));
    assert!(curl.child.wait().unwrap().success(), "the stream ends by itself");
    assert_eq!(seen.last().unwrap().kind, "done");
    assert_eq!(text_of(&seen), text_of(&all(&mut events(&served, &id, "0"))));
}

#[test]
fn a_browsers_event_source_reconnects_by_itself_to_a_killed_server() {
    let Some(browser) = browser("a browser's EventSource") else { return };
    let mut served = TestServer::ready(&["--listen", &kept_address(), "--context-tokens", "8192"]);
    let follow = blocks("js page").remove(0);
    let (mut node, _folder) = node(&script("event_source.mjs"));
    node.arg(served.url("")).arg(browser).arg(follow);
    let mut client = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(said.next().as_deref(), Some("reading"));
    served.kill_and_restart();
    writeln!(client.stdin.as_ref().unwrap(), "it is back").unwrap();
    let told: Value = serde_json::from_str(&said.next().expect("the client ends well")).unwrap();
    assert!(client.wait().unwrap().success());

    assert_eq!(told["early"], Value::Null, "the server was killed before the job ended");
    assert_eq!((&told["opens"], &told["ended"]), (&json!(2), &json!("done")));
    let places = told["places"].as_array().unwrap();
    assert_eq!(places[0], Value::Null, "{places:?}");
    assert!(places.last().unwrap().as_str().unwrap().parse::<u64>().unwrap() > 0, "{places:?}");
    let kept = &told["kept"];
    assert_eq!(
        (&kept["finish"], &kept["figures"]["completion_tokens"]),
        (&json!("budget"), &json!(4000))
    );
    let [thinking, answer] = ["thinking", "answer"].map(|part| kept[part].as_str().unwrap());
    let words = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(words(told["text"].as_str().unwrap()), words(&format!("{thinking}{answer}")));
}

/// An address whose port stays free while a server restarts: outside the range the system assigns.
fn kept_address() -> String {
    let ports = 20_000 + std::process::id() % 10_000..;
    let mut addresses = ports.map(|port| format!("127.0.0.1:{port}"));
    addresses.find(|address| std::net::TcpListener::bind(address).is_ok()).unwrap()
}

/// The code blocks of docs/clients.md in one language.
fn blocks(language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/clients.md")).unwrap();
    let fence = format!("\n```{language}\n");
    let blocks: Vec<String> = page
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap().to_string())
        .collect();
    assert!(!blocks.is_empty(), "docs/clients.md has code in {language}");
    blocks
}

/// A server that answers greedily in mode `math`, for clients that cannot set the temperature.
fn greedy(folder: &Path) -> TestServer {
    let modes = folder.join("modes.toml");
    std::fs::write(&modes, "[[mode]]\nname = \"math\"\ntemperature = 0.0\n").unwrap();
    TestServer::ready(&["--modes", modes.to_str().unwrap()])
}

#[test]
fn the_code_in_the_document_runs_unmodified_and_finds_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let served = greedy(folder.path());
    let here = |block: &str| {
        assert!(block.contains("127.0.0.1:7860"), "it has the address: {block}");
        block.replace("http://127.0.0.1:7860", &served.url(""))
    };
    for block in blocks("python") {
        let mut python = Command::new(installed(root().join("target/venv/bin/python")));
        let said = output(python.arg("-c").arg(here(&block)));
        assert!(said.contains("925"), "{block}\n{said}");
    }
    for block in blocks("js") {
        let (mut node, _folder) = node(&here(&block));
        let said = output(&mut node);
        assert!(said.contains("925"), "{block}\n{said}");
    }
    let installed = root().join("target/venv/bin").display().to_string();
    let path = format!("{installed}:{}", std::env::var("PATH").unwrap());
    for block in blocks("sh") {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c"]).arg(here(&block)).current_dir(folder.path());
        shell.env("PATH", &path).env("LLM_USER_PATH", folder.path());
        let said = output(&mut shell);
        // A stream may split the text anywhere, even within a number.
        let is_whole = said.contains("925") || said.ends_with("data: [DONE]\n\n");
        assert!(is_whole, "{block}\n{said}");
    }
}
