//! The memory plan is accurate: the peak of a running server (`VmHWM`) is the total of `solverbox
//! plan` with the same flags. Measured on files of VibeThinker-1.5B's shape
//! (tests/support/shape.rs).
//!
//! `build/memory.sh` runs the whole grid (`MEMORY_GRID=all`) and prints it as a table.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::support::shape::{Quantized, vibethinker};
use crate::support::{TestServer, not_checked, solverbox, text};
use solverbox::types::kernels::SETS;

/// Largest difference between measured and planned peak, as a share of the plan.
const DIFFERENCE_MAX: f64 = 0.05;

/// Held while a large model is loaded: the machine need have memory for one only.
static ALONE: Mutex<()> = Mutex::new(());

/// Planned and measured peak memory of a server, in bytes.
#[derive(Clone, Copy, Debug)]
struct Peaks {
    planned: f64,
    measured: f64,
}

/// Runs a server with these flags, sends a prompt longer than one ubatch and returns the peaks.
fn peaks(quantized: Quantized, flags: &[&str]) -> Peaks {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let model = vibethinker(quantized);
    let planned = plan(&model, &[flags, &["--threads", "1"]].concat());
    let served = TestServer::start_with(&model, flags);
    served.wait_ready();
    let question = "7 ".repeat(70);
    let body = json!({
        "model": "solverbox:plain", "temperature": 0, "ignore_eos": true, "max_tokens": 4, "stream": false,
        "messages": [{"role": "user", "content": question}],
    });
    let (status, reply) = served.post("/v1/chat/completions", &body.to_string());
    assert_eq!(status, 200, "{reply}");
    assert!(reply["usage"]["prompt_tokens"].as_u64().unwrap() > 128, "more than a ubatch: {reply}");
    assert_eq!(reply["usage"]["completion_tokens"], 4, "{reply}");
    let measured = peak_bytes(served.pid());
    Peaks { planned: planned["total_bytes"].as_f64().unwrap(), measured }
}

/// Returns the peak resident memory of a process, in bytes.
fn peak_bytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

fn plan(model: &Path, flags: &[&str]) -> Value {
    let output = solverbox()
        .arg("plan")
        .arg("--json")
        .arg("--model")
        .arg(model)
        .args(flags)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_true(peaks: Peaks, what: &str) {
    let difference = peaks.measured / peaks.planned - 1.0;
    assert!(difference.abs() <= DIFFERENCE_MAX, "{what}: {peaks:?}, {:.1} %", difference * 100.0);
}

#[test]
fn a_running_server_takes_the_planned_memory() {
    if std::env::var_os("MEMORY_GRID").is_some() {
        return the_grid();
    }
    let flags = ["--context-tokens", "4096", "--kv", "f16"];
    assert_true(peaks(Quantized::Q4_0, &flags), "Q4_0, 4,096 tokens in f16");
}

/// All types, contexts and cache types, with the best kernels and with those that repack nothing.
fn the_grid() {
    println!("| kernels | type | context | KV cache | planned, MB | measured, MB | difference |");
    println!("|---|---|---:|---|---:|---:|---:|");
    let best = plan(&vibethinker(Quantized::Q4_0), &["--ram", "64G"])["kernels"]
        .as_str()
        .unwrap()
        .to_string();
    for kernels in [best.as_str(), SETS[0].name] {
        for quantized in [Quantized::Q4_0, Quantized::Q4KM, Quantized::Q8_0] {
            for (context, kv) in
                [("4096", "f16"), ("4096", "q8_0"), ("40960", "f16"), ("40960", "q8_0")]
            {
                let flags = ["--context-tokens", context, "--kv", kv, "--kernels", kernels];
                let peaks = peaks(quantized, &flags);
                let Peaks { planned, measured } = peaks;
                let name = quantized.name();
                println!(
                    "| {kernels} | {name} | {context} | {kv} | {:.0} | {:.0} | {:+.1} % |",
                    planned / 1e6,
                    measured / 1e6,
                    (measured / planned - 1.0) * 100.0
                );
                assert_true(peaks, &format!("{kernels}, {name}, {context} tokens in {kv}"));
            }
        }
    }
}

/// 40,960 tokens with the most exact weights, on a board with 4 GB.
#[test]
fn q8_0_with_the_longest_context_is_admitted_on_4_gb_and_stays_under_2_9_gb() {
    let flags = ["--context-tokens", "40960", "--kv", "q8_0"];
    for board in ["pi5", "nano"] {
        let planned = plan(
            &vibethinker(Quantized::Q8_0),
            &[&flags[..], &["--ram", "4G", "--board", board]].concat(),
        );
        assert!(planned["total_bytes"].as_f64().unwrap() < 2.9e9, "{planned}");
    }
    let peaks = peaks(Quantized::Q8_0, &flags);
    assert_true(peaks, "Q8_0");
    assert!(peaks.measured < 2.9e9, "{peaks:?}");
}

/// The cache and the logits of all 8 sequences are zeroed at the start: they take memory from then
/// on, used or not.
#[test]
fn q4_0_with_8_sequences_over_the_longest_context_stays_under_2_2_gb() {
    let flags = ["--context-tokens", "40960", "--kv", "q8_0", "--sequences", "8"];
    let planned = plan(&vibethinker(Quantized::Q4_0), &[&flags[..], &["--board", "pi5"]].concat());
    assert!(planned["total_bytes"].as_f64().unwrap() < 2.2e9, "{planned}");
    let peaks = peaks(Quantized::Q4_0, &flags);
    assert_true(peaks, "Q4_0, 8 sequences");
    assert!(peaks.measured < 2.2e9, "{peaks:?}");
}

/// A control group with a memory limit, removed on drop.
struct Group {
    folder: PathBuf,
}

impl Group {
    /// Makes a child of this process's group, of the version (2 or 1) that controls memory here.
    fn new(limit_bytes: u64) -> std::io::Result<Group> {
        let groups = std::fs::read_to_string("/proc/self/cgroup")?;
        let inside = |name: &str, mount: &str| {
            let lines = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
            let mut lines = lines.filter(|line| line[1].split(',').any(|known| known == name));
            lines.next().map(|line| Path::new(mount).join(line[2].trim_start_matches('/')))
        };
        let (parent, file) = match inside("memory", "/sys/fs/cgroup/memory") {
            Some(parent) => (parent, "memory.limit_in_bytes"),
            None => (inside("", "/sys/fs/cgroup").unwrap_or_default(), "memory.max"),
        };
        let folder = parent.join(format!("solverbox-test-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let group = Group { folder };
        std::fs::write(group.folder.join(file), limit_bytes.to_string())?;
        Ok(group)
    }

    /// Runs a command in the group.
    fn run(&self, command: &Command) -> Output {
        let procs = self.folder.join("cgroup.procs");
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(procs);
        inside.arg(command.get_program()).args(command.get_args()).output().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.folder);
    }
}

#[test]
fn a_control_groups_limit_is_planned_for_and_respected() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let group = match Group::new(1_300 << 20) {
        Ok(group) => group,
        Err(error) => {
            not_checked(&format!(
                "a control group's limit, because no group can be made here ({error})"
            ));
            return;
        }
    };
    let mut command = solverbox();
    command.args([
        "solve",
        "--log",
        "info",
        "--threads",
        "1",
        "--budget-tokens",
        "2",
        "--mode",
        "plain",
    ]);
    command
        .args(["--ignore-eos", "--temperature", "0", "--model"])
        .arg(vibethinker(Quantized::Q4_0))
        .arg("7");
    let output = group.run(&command);
    let log = text(&output.stderr);
    assert!(output.status.success(), "not killed: {:?} {log}", output.status);
    let line = log.lines().find(|line| line.contains("plan: ")).unwrap();
    assert!(
        line.contains("the limit of control group") && line.contains("solverbox-test-"),
        "{line}"
    );
    let tokens =
        line.split(" for ").nth(1).unwrap().split(' ').next().unwrap().parse::<u32>().unwrap();
    assert!((15_000..30_000).contains(&tokens), "{line}");
    command.args(["--context-tokens", "40960"]);
    let output = group.run(&command);
    let refusal = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{refusal}");
    assert!(refusal.contains("raise the memory limit of control group"), "{refusal}");
}
