//! What the topics share: the binary, the model, a running box, and a GGUF writer for damaged
//! files.

pub mod damage; // what the seeds of the corruption tests do to a file
pub mod disk; // what a power cut leaves of the files a traced process wrote
pub mod draws; // the tokens an engine drew, and how two runs compare
pub mod gguf; // a reader of GGUF files in its own right
pub mod lives; // a box killed and started again, and readers that follow its jobs over all its lives
pub mod local_desk; // a desk in the test's own process, which reports each token drawn
pub mod own_process; // tests that need a process of their own
pub mod shape; // a large model's shape with zeros for weights
pub mod small_disk; // a disk without room, to be stopped and started on
pub mod terminal; // a terminal at the other end of a serial wire, whose cable can be pulled
pub mod tiny; // small sound models of every architecture known exactly
pub mod trial; // trials of reliability: their two forms, and what the full ones measured

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use llama_cpp_2::llama_backend::LlamaBackend;
use serde_json::Value;
use solverbox::engine::kernels;
use solverbox::model::types;

/// Longest any single wait of the suite may take before it fails.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The demo model, as it is built into the program.
pub fn model() -> PathBuf {
    root().join("models/bundled/solverbox-demo-q8_0.gguf")
}

/// llama.cpp in this very process, on the kernels the program would choose; started once.
pub fn llama() -> &'static LlamaBackend {
    static BACKEND: LazyLock<LlamaBackend> = LazyLock::new(|| {
        kernels::register(kernels::choose(None).unwrap()).unwrap();
        let mut backend = LlamaBackend::init().unwrap();
        backend.void_logs();
        backend
    });
    &BACKEND
}

/// A copy of the demo model in another type, made once for each change of it.
fn copy(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("solverbox-demo-{name}.gguf"));
    let changed = |file: &Path| file.metadata().and_then(|about| about.modified()).ok();
    if changed(&copy) <= changed(&model()) {
        let part = copy.with_extension("part");
        make(&part);
        std::fs::rename(part, &copy).unwrap();
    }
    copy
}

/// The demo model as it was trained, in F16.
pub fn model_f16() -> &'static Path {
    static COPY: LazyLock<PathBuf> = LazyLock::new(|| {
        copy("f16", |part| {
            let python = root().join("target/venv/bin/python");
            assert!(python.is_file(), "Python is missing: run `build/prepare.sh test`");
            let mut pack = Command::new(python);
            pack.arg(root().join("models/bundled/pack.py")).args(["--type", "f16"]).arg(part);
            assert!(pack.status().unwrap().success(), "pack.py packs it");
        })
    });
    &COPY
}

/// As `solverbox quantize` makes it.
pub fn model_q4_k_m() -> &'static Path {
    static COPY: LazyLock<PathBuf> =
        LazyLock::new(|| copy("q4_k_m", |part| quantize(part, "q4_k_m")));
    &COPY
}

/// As `solverbox quantize` makes it: what the boards run, and what most sets repack.
pub fn model_q4_0() -> &'static Path {
    static COPY: LazyLock<PathBuf> = LazyLock::new(|| copy("q4_0", |part| quantize(part, "q4_0")));
    &COPY
}

fn quantize(to: &Path, mix: &str) {
    let made = solverbox().arg("quantize").arg(model_f16()).arg(to).arg(mix).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
}

/// The binary, deaf to the environment of whoever runs the suite.
pub fn solverbox() -> Command {
    deaf(Command::new(env!("CARGO_BIN_EXE_solverbox")))
}

/// Keeps our own settings in the environment, and standard input, from a command.
pub fn deaf(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SOLVERBOX_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs `solverbox solve` on the test model with one thread (tests run side by side) and a small
/// context.
pub fn solve(args: &[&str]) -> Output {
    solve_with(&model(), args).output().expect("solverbox starts")
}

pub fn solve_with(model: &Path, args: &[&str]) -> Command {
    let mut command = solverbox();
    command.arg("solve").arg("--model").arg(model);
    command.args(["--threads", "1", "--context-tokens", "2048"]).args(args);
    command
}

/// The binary where `/mnt` is a small disk of its own, in a mount namespace; see `has_disks`.
pub fn on_a_disk(options: &str, args: &[&str]) -> Command {
    let mut command = deaf(Command::new("unshare"));
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o $1 none /mnt && shift && exec \"$0\" \"$@\"");
    command.args([env!("CARGO_BIN_EXE_solverbox"), options]).args(args);
    command
}

/// Whether this machine lets us make such disks; says so where it does not.
pub fn has_disks() -> bool {
    let probe = Command::new("unshare")
        .args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    let has = probe.is_ok_and(|output| output.status.success());
    if !has {
        not_checked("full disks, because `unshare --map-root-user --mount mount` fails here");
    }
    has
}

/// Says what a test could not check, where a passing test's output is seen too.
pub fn not_checked(what: &str) {
    let _ = writeln!(std::io::stderr(), "NOT CHECKED: {what}");
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8")
}

/// A `solverbox serve` of its own port and folder, killed when dropped.
pub struct TestServer {
    pub address: SocketAddr,
    pub data: tempfile::TempDir,
    /// Whether it said that the model is loaded before it said where it listens.
    pub loaded_before_open: bool,
    child: Child,
    /// What it has said on standard error since it said where it listens.
    said: Arc<Mutex<String>>,
    model: PathBuf,
    args: Vec<String>,
}

fn command_of(mut command: Command, model: &Path, data: &Path, args: &[String]) -> Command {
    command.arg("serve").arg("--model").arg(model).arg("--data").arg(data);
    if !args.iter().any(|arg| arg == "--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(args);
    command
}

impl TestServer {
    /// Starts on the test model; the door is open, the model may still be loading.
    pub fn start(args: &[&str]) -> TestServer {
        TestServer::start_with(&model(), args)
    }

    pub fn start_with(model: &Path, args: &[&str]) -> TestServer {
        TestServer::start_by(solverbox(), model, &[&["--threads", "1"], args].concat())
    }

    /// Starts it by this command, which may have an environment, or be another that runs the binary; with as
    /// many threads as it likes.
    pub fn start_by(command: Command, model: &Path, args: &[&str]) -> TestServer {
        let data = tempfile::tempdir().expect("a folder");
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        let said = Arc::new(Mutex::new(String::new()));
        let command = command_of(command, model, data.path(), &args);
        let (child, address, loaded_before_open) = TestServer::run(command, &said);
        let model = model.to_path_buf();
        TestServer { address, data, loaded_before_open, child, said, model, args }
    }

    /// Kills it with SIGKILL and starts it again on the same folder.
    pub fn kill_and_restart(&mut self) {
        self.end_by("KILL");
        self.restart();
    }

    /// Ends it by a signal.
    pub fn end_by(&mut self, signal: &str) {
        send_signal(self.child.id(), signal);
        self.child.wait().expect("it ends");
    }

    /// Waits until it has ended by itself, so long at most.
    pub fn wait_end(&mut self, most: Duration) {
        let began = Instant::now();
        wait_until("the box to end", || self.child.try_wait().expect("a child").is_some());
        assert!(began.elapsed() <= most, "it took {:?}", began.elapsed());
    }

    /// Starts it again on the same folder, with the same settings.
    pub fn restart(&mut self) {
        let command = command_of(solverbox(), &self.model, self.data.path(), &self.args);
        (self.child, self.address, self.loaded_before_open) = TestServer::run(command, &self.said);
    }

    fn run(mut command: Command, said: &Arc<Mutex<String>>) -> (Child, SocketAddr, bool) {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("solverbox starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut loaded_before_open = false;
        let address = loop {
            let line = lines.next().expect("serve says where it listens").expect("text");
            loaded_before_open |= line.contains("the model is loaded");
            let rest = line.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
            if let Some(address) = rest.and_then(|(address, _)| address.parse().ok()) {
                break address;
            }
        };
        let heard = said.clone();
        // Keeps the pipe from filling up; shown only where a test fails.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                println!("{line}");
                heard.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        (child, address, loaded_before_open)
    }

    /// Starts and waits until the model is loaded.
    pub fn ready(args: &[&str]) -> TestServer {
        let served = TestServer::start(args);
        served.wait_ready();
        served
    }

    pub fn wait_ready(&self) {
        wait_until("the model to be loaded", || self.get("/healthz").0 == 200);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let response = agent().get(self.url(path)).call().expect("an HTTP response");
        whole(response)
    }

    pub fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let response = self.post_raw(path, body);
        let (status, text) = whole(response);
        (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
    }

    pub fn post_raw(&self, path: &str, body: &str) -> ureq::http::Response<ureq::Body> {
        agent().post(self.url(path)).send(body).expect("an HTTP response")
    }

    /// Opens a chat stream; dropping it hangs up.
    pub fn stream(&self, body: &str) -> Stream {
        self.stream_as("", body)
    }

    /// Does so with lines of a request's head, each with its end.
    pub fn stream_as(&self, lines: &str, body: &str) -> Stream {
        let mut socket = self.connect();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all((head + body).as_bytes()).expect("the request is taken");
        Stream { reader: BufReader::new(socket) }
    }

    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("the door is open");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }

    /// Returns the cookie that the page brings a new browser, as the browser sends it.
    pub fn cookie(&self) -> String {
        let page = agent().get(self.url("/")).call().expect("an HTTP response");
        let cookie = page.headers()["set-cookie"].to_str().expect("ASCII");
        cookie.split(';').next().unwrap_or_default().to_string()
    }

    /// Sends raw bytes and returns all that comes back.
    pub fn raw(&self, request: &[u8]) -> String {
        let mut socket = self.connect();
        // A refusal may come, and the rest of the request be thrown away, before all is written.
        let _ = socket.write_all(request);
        let mut reply = Vec::new();
        let _ = socket.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// Returns what it has logged since it said where it listens.
    pub fn log(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until its log has `what`.
    pub fn wait_log(&self, what: &str) {
        wait_until(&format!("the log to say {what:?}"), || self.log().contains(what));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A figure of `/proc/PID/status`, such as `VmRSS` in kB or `Threads`.
    pub fn status(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect(name).trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Waits until it has ended.
    pub fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Server-sent events, line by line.
pub struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    pub fn of(socket: TcpStream) -> Stream {
        Stream { reader: BufReader::new(socket) }
    }

    /// Returns the next line that is not empty, or `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).expect("the stream goes on") == 0 {
                return None;
            }
            if !line.trim().is_empty() {
                return Some(line.trim_end().to_string());
            }
        }
    }

    /// Reads on until a line contains `what`.
    pub fn wait_for(&mut self, what: &str) -> String {
        std::iter::from_fn(|| self.line())
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("the stream ended before {what:?}"))
    }

    /// Reads on until a token's text comes: the first event of a stream is there before any.
    pub fn wait_for_text(&mut self) {
        let is_text = |line: String| {
            let event =
                line.strip_prefix("data: ").and_then(|data| serde_json::from_str(data).ok());
            event.is_some_and(|event: Value| !said(&[event]).is_empty())
        };
        assert!(
            std::iter::from_fn(|| self.line()).any(is_text),
            "the stream ended before any text"
        );
    }

    /// Returns all JSON events from here to the end.
    pub fn events(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.line())
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect()
    }
}

/// A chat request about 2+2 in mode plain, greedy, with fields added or replaced.
pub fn chat(extra: Value) -> String {
    let mut body = serde_json::json!({
        "model": "solverbox:plain", "temperature": 0,
        "messages": [{"role": "user", "content": "What is 2+2?"}],
    });
    for (name, value) in extra.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body.to_string()
}

/// Joins one field of the deltas of chat events.
pub fn joined(events: &[Value], field: &str) -> String {
    events.iter().filter_map(|e| e["choices"][0]["delta"][field].as_str()).collect()
}

/// Joins all that was said: thinking and answer.
pub fn said(events: &[Value]) -> String {
    joined(events, "reasoning_content") + &joined(events, "content")
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

pub fn whole(mut response: ureq::http::Response<ureq::Body>) -> (u16, String) {
    let body = response.body_mut().read_to_string().expect("a body of text");
    (response.status().as_u16(), body)
}

/// Waits until a condition holds; fails after [`PATIENCE`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = poll_for(PATIENCE, || holds().then_some(()));
    assert!(held.is_some(), "waited {PATIENCE:?} for {what}");
}

/// Calls `look` until it returns something, for `limit` at most.
pub fn poll_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + limit;
    loop {
        let found = look();
        if found.is_some() || Instant::now() > until {
            return found;
        }
        // The only pause between two looks in the suite: it leaves the cores to what is waited for.
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn send_signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// A copy of the test model whose chat template ends by opening the thinking, as some reasoning
/// models' do. Its other bytes are untouched.
pub fn thinking_model(folder: &Path) -> PathBuf {
    let mut bytes = std::fs::read(model()).expect("the test model");
    let start = position(&bytes, b"{% for message in messages %}").expect("a template");
    let length = u64::from_le_bytes(bytes[start - 8..start].try_into().expect("8 bytes"));
    let end = start + length as usize;
    let old = String::from_utf8(bytes[start..end].to_vec()).expect("text");
    let new = old.replace("assistant\\n'", "assistant\\n<think>'");
    assert_ne!(new, old, "the template has changed");
    // Longer by a multiple of every alignment in use, so that the tensors lie where they should.
    let new = format!("{{#{}#}}{new}", "-".repeat(old.len() + 64 - new.len() - 4));
    bytes.splice(start..end, new.bytes());
    bytes[start - 8..start].copy_from_slice(&(new.len() as u64).to_le_bytes());
    let path = folder.join("thinking.gguf");
    std::fs::write(&path, bytes).expect("room for a copy of the model");
    path
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Writes small GGUF files, sound or not.
#[derive(Clone)]
pub struct Gguf {
    keys: Vec<(String, Vec<u8>)>,
    tensors: Vec<Vec<u8>>,
    end: u64,
    pub data_bytes: usize,
}

impl Gguf {
    /// A structurally sound file of an architecture nobody knows.
    pub fn unknown_architecture() -> Gguf {
        Gguf::of("quipu")
    }

    /// Nothing yet, with room for 12 KiB of tensors.
    pub fn empty() -> Gguf {
        Gguf { keys: Vec::new(), tensors: Vec::new(), end: 0, data_bytes: 12 << 10 }
    }

    /// A structurally sound file that says it is of `architecture`.
    pub fn of(architecture: &str) -> Gguf {
        let mut gguf = Gguf::empty();
        gguf.text("general.architecture", architecture);
        for (key, value) in [
            ("context_length", 4096),
            ("block_count", 1),
            ("embedding_length", 32),
            ("attention.head_count", 2),
        ] {
            gguf.number(&format!("{architecture}.{key}"), value);
        }
        gguf.text("tokenizer.ggml.model", "gpt2");
        let mut tokens: Vec<String> = ('!'..='~').map(String::from).collect();
        tokens.extend(["Ġ", "Ċ", "ab"].map(str::to_string));
        gguf.texts("tokenizer.ggml.merges", &["a b".to_string()]);
        gguf.texts("tokenizer.ggml.tokens", &tokens);
        gguf.append("token_embd.weight", &[32, tokens.len() as u64], 1);
        gguf
    }

    /// Adds or replaces a list of texts.
    pub fn texts(&mut self, key: &str, texts: &[String]) {
        let mut value = 8_u32.to_le_bytes().to_vec();
        value.extend((texts.len() as u64).to_le_bytes());
        value.extend(texts.iter().flat_map(|text| string(text)));
        self.key(key, 9, value);
    }

    /// Adds a tensor where the last one that was appended ends.
    pub fn append(&mut self, name: &str, shape: &[u64], kind: u32) {
        let offset = self.end;
        self.tensor(name, shape, kind, offset);
        let bytes = types::by_id(kind).and_then(|kind| kind.bytes(shape)).unwrap_or(0);
        self.end = (offset + bytes).next_multiple_of(32);
    }

    pub fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8, [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat());
    }

    pub fn number(&mut self, key: &str, value: u32) {
        self.key(key, 4, value.to_le_bytes().to_vec());
    }

    /// Adds or replaces a key of any type with any bytes.
    pub fn key(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.keys.retain(|(name, _)| name != key);
        self.keys.push((key.to_string(), [&kind.to_le_bytes()[..], &value].concat()));
    }

    pub fn without(&self, key: &str) -> Gguf {
        let mut gguf = self.clone();
        gguf.keys.retain(|(name, _)| name != key);
        gguf
    }

    pub fn tensor(&mut self, name: &str, shape: &[u64], kind: u32, offset: u64) {
        let mut bytes = string(name);
        bytes.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        self.tensors.push(bytes);
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            bytes.extend(string(key));
            bytes.extend(value);
        }
        bytes.extend(self.tensors.concat());
        bytes.resize(bytes.len().next_multiple_of(32) + self.data_bytes, 0);
        bytes
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}
