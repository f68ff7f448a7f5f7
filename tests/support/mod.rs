//! What the topics share: the binary, the models, running servers, disks, and waiting for
//! conditions.

pub mod damage; // the damage that seeds of the corruption tests do to a file
pub mod disk; // the files a power cut can leave of those a traced process wrote
pub mod draws; // the tokens an engine drew, and how two runs compare
pub mod gguf; // an independent reader of GGUF files
mod gguf_writer; // small GGUF files, valid or not
pub mod lives; // a server that is killed and restarted, and readers that follow its jobs
pub mod local_desk; // a desk in the test's own process, which reports each token drawn
pub mod own_process; // tests that need a process of their own
pub mod programs; // a browser, and the packages that build/prepare.sh installs
mod server; // a running server and the streams it sends
pub mod shape; // a large model's shape with zeros for weights
pub mod small_disk; // a small disk that a server can be restarted on
pub mod terminal; // a terminal at the other end of a serial line, whose cable can be pulled out
pub mod tiny; // small valid models of every architecture that is checked in full
pub mod tmux; // a program in a terminal of tmux, whose screen is captured
pub mod trial; // trials of reliability: their two forms, and what the full ones measured

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use llama_cpp_2::llama_backend::LlamaBackend;
use serde_json::Value;
use solverbox::engine::kernels;

pub use gguf_writer::GgufWriter;
pub use server::{Stream, TestServer};

/// How long a wait may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The demo model that is built into the program.
pub fn model() -> PathBuf {
    root().join("models/bundled/solverbox-demo-q8_0.gguf")
}

/// llama.cpp in this process, with the kernels the program would choose; started once.
pub fn llama() -> &'static LlamaBackend {
    static BACKEND: LazyLock<LlamaBackend> = LazyLock::new(|| {
        kernels::register(kernels::choose(None).unwrap()).unwrap();
        let mut backend = LlamaBackend::init().unwrap();
        backend.void_logs();
        backend
    });
    &BACKEND
}

/// The address of the page's largest asset with an extension.
pub fn page_asset(extension: &str) -> String {
    let assets = std::fs::read_dir(root().join("page/dist/assets")).unwrap().map(Result::unwrap);
    let files = assets.filter(|file| file.path().extension().is_some_and(|e| e == extension));
    let largest = files.max_by_key(|file| file.metadata().unwrap().len());
    format!("/assets/{}", largest.expect(extension).file_name().to_str().unwrap())
}

/// A copy of the demo model in another type, remade when the model changes.
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

/// The binary, without the suite's own settings.
pub fn solverbox() -> Command {
    deaf(Command::new(env!("CARGO_BIN_EXE_solverbox")))
}

/// Removes solverbox's settings from a command's environment, and closes its standard input.
pub fn deaf(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SOLVERBOX_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs `solverbox solve` on the demo model with a small context and one thread, since tests run
/// concurrently.
pub fn solve(args: &[&str]) -> Output {
    solve_with(&model(), args).output().expect("solverbox starts")
}

pub fn solve_with(model: &Path, args: &[&str]) -> Command {
    let mut command = solverbox();
    command.arg("solve").arg("--model").arg(model);
    command.args(["--threads", "1", "--context-tokens", "2048"]).args(args);
    command
}

/// The binary in a mount namespace where `/mnt` is a small disk; see `has_disks`.
pub fn on_a_disk(options: &str, args: &[&str]) -> Command {
    let mut command = deaf(Command::new("unshare"));
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o $1 none /mnt && shift && exec \"$0\" \"$@\"");
    command.args([env!("CARGO_BIN_EXE_solverbox"), options]).args(args);
    command
}

/// Returns whether such disks can be made on this machine; prints a notice if not.
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

/// Prints what a test could not check, on standard error, which shows for passing tests too.
pub fn not_checked(what: &str) {
    let _ = writeln!(std::io::stderr(), "NOT CHECKED: {what}");
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8")
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

/// Joins the thinking and the answer of chat events.
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
        // The only polling pause in the suite: it leaves the cores to the process under test.
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn send_signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// Makes a copy of the demo model whose chat template opens the thinking, as those of some
/// reasoning models do. Other bytes stay the same.
pub fn thinking_model(folder: &Path) -> PathBuf {
    let mut bytes = std::fs::read(model()).expect("the test model");
    let start = position(&bytes, b"{% for message in messages %}").expect("a template");
    let length = u64::from_le_bytes(bytes[start - 8..start].try_into().expect("8 bytes"));
    let end = start + length as usize;
    let old = String::from_utf8(bytes[start..end].to_vec()).expect("text");
    let new = old.replace("assistant\\n'", "assistant\\n<think>'");
    assert_ne!(new, old, "the template changes");
    // Longer by a multiple of every alignment in use, so that the tensors stay aligned.
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
