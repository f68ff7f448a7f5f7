//! The demo model and its adapter: reproducible, built into the program, and as good as documented.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{
    GgufWriter, TestServer, model, model_f16, model_q4_0, model_q4_k_m, root, solverbox, text,
};

const WARNING: &str = "demo model: school arithmetic only";

fn folder() -> PathBuf {
    root().join("models/bundled")
}

fn python(args: &[&str]) -> Output {
    let python = root().join("target/venv/bin/python");
    assert!(python.is_file(), "Python is missing: run `build/prepare.sh test`");
    Command::new(python).args(args).current_dir(folder()).output().unwrap()
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn size(path: &Path) -> u64 {
    let about = path.metadata().unwrap_or_else(|e| panic!("'{}': {e}", path.display()));
    if about.is_file() {
        return about.len();
    }
    std::fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum()
}

#[test]
fn without_a_model_the_demo_model_answers_with_a_notice() {
    let empty = tempfile::tempdir().unwrap();
    for models in [empty.path(), &empty.path().join("none")] {
        let mut command = solverbox();
        command.args(["solve", "--threads", "1", "--temperature", "0", "--models"]).arg(models);
        let output = command.arg("What is 348 + 577?").output().unwrap();
        let (answer, notes) = (text(&output.stdout), text(&output.stderr));
        assert!(answer.contains(&format!("\\boxed{{{}}}", 348 + 577)), "{answer}{notes}");
        assert!(notes.contains(WARNING) && notes.contains("models/README.md"), "{notes}");
    }
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn the_page_learns_whether_the_demo_model_runs() {
    let is_demo = |served: &TestServer| {
        let health: Value = serde_json::from_str(&served.get("/healthz").1).unwrap();
        health["demo"].as_bool().unwrap()
    };
    let says_so = |served: &TestServer| served.get("/basic").1.contains("Demo model: school");
    let demo = TestServer::start_with(Path::new("demo"), &[]);
    assert!(is_demo(&demo) && says_so(&demo));
    let file = TestServer::start(&[]);
    assert!(!is_demo(&file) && !says_so(&file));
}

#[test]
fn the_files_are_small_and_match_their_checksums() {
    let at = |name: &str| folder().join(name);
    assert!(size(&at("checkpoint")) + size(&at("adapter")) <= 6_000_000);
    assert!(size(&model()) <= 3_000_000);
    let mut check = Command::new("sha256sum");
    succeeds(&check.args(["--check", "SHA256SUMS"]).current_dir(folder()).output().unwrap());
}

#[test]
fn packing_the_checkpoint_again_gives_the_same_files() {
    let out = tempfile::tempdir().unwrap();
    succeeds(&python(&["pack.py", "--into", out.path().to_str().unwrap()]));
    let files = ["solverbox-demo-q8_0.gguf", "solverbox-demo-binary-f16.gguf", "SHA256SUMS"];
    for file in files {
        let made = std::fs::read(out.path().join(file)).unwrap();
        assert!(made == std::fs::read(folder().join(file)).unwrap(), "{file} differs");
    }
}

/// The split by operands, the sets, and every step of every answer:
/// models/bundled/test_questions.py.
#[test]
fn the_training_data_is_correct_and_the_test_questions_are_held_out() {
    succeeds(&python(&["-m", "unittest", "test_questions"]));
}

fn eval(args: &[&str]) -> Value {
    eval_with("demo", args)
}

fn eval_with(model: &str, args: &[&str]) -> Value {
    let mut command = solverbox();
    command.args(["eval", "--json", "--threads", "1", "--model", model]).args(args);
    let output = command.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn share(scores: &Value, measure: &str) -> f64 {
    scores[measure]["share"].as_f64().unwrap()
}

#[test]
fn the_demo_model_knows_arithmetic_and_a_vote_improves_it() {
    let set = ["--set", "tests/data/arithmetic-heldout.jsonl"];
    let greedy = eval(&[&set[..], &["--temperature", "0"]].concat());
    assert!(share(&greedy, "pass_at_1") > 0.93, "{greedy}");
    for family in ["addition", "subtraction", "multiplication", "division"] {
        // One of 25 may be wrong.
        assert!(share(&greedy["families"][family], "pass_at_1") > 0.95, "{family}: {greedy}");
    }
    // At the temperature of VibeThinker's mode, where the attempts differ.
    let voted = eval(&[&set[..], &["--temperature", "1", "--attempts", "4"]].concat());
    let (one, vote) = (share(&voted, "pass_at_1"), share(&voted, "cons_at_k"));
    assert!((0.65..0.9).contains(&one) && vote > one + 0.1, "{voted}");
    assert!(share(&voted, "pass_at_k") >= vote, "{voted}");
}

/// The files stay where they are made, because build/quality.sh uses them.
#[test]
fn every_quantization_still_knows_arithmetic() {
    for file in [model_f16(), model_q4_k_m(), model_q4_0()] {
        let set = ["--set", "tests/data/arithmetic-heldout.jsonl", "--temperature", "0"];
        let scores = eval_with(file.to_str().unwrap(), &set);
        assert!(share(&scores, "pass_at_1") > 0.85, "{scores}");
    }
}

#[test]
fn the_adapter_adds_base_2() {
    let set = ["--set", "tests/data/binary-heldout.jsonl", "--temperature", "0"];
    let base = eval(&set);
    let adapted = eval(&[&set[..], &["--adapter", "demo-binary"]].concat());
    assert!(share(&base, "pass_at_1") < 0.1, "{base}");
    assert!(share(&adapted, "pass_at_1") > 0.8, "{adapted}");
    assert_eq!(adapted["adapter"], "demo-binary");
}

/// A valid adapter of rank 2 for one matrix of the demo model.
fn adapter() -> GgufWriter {
    let mut gguf = GgufWriter::empty();
    gguf.text("general.type", "adapter");
    gguf.text("general.architecture", "qwen2");
    gguf.text("adapter.type", "lora");
    gguf.key("adapter.lora.alpha", 6, 2_f32.to_le_bytes().to_vec());
    gguf.append("blk.0.attn_q.weight.lora_a", &[256, 2], 1);
    gguf.append("blk.0.attn_q.weight.lora_b", &[2, 256], 1);
    gguf
}

#[test]
fn an_adapter_that_does_not_fit_is_refused_by_the_name_of_its_tensor() {
    let with = |change: &dyn Fn(&mut GgufWriter)| {
        let mut gguf = adapter();
        change(&mut gguf);
        gguf.bytes()
    };
    let tensor = |name: &'static str, shape: &'static [u64], kind: u32| {
        with(&|g| g.append(name, shape, kind))
    };
    let f32 = |value: f32| value.to_le_bytes().to_vec();
    let sound = adapter().bytes();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "it is empty"),
        (b"PK, a zip file".to_vec(), "not a GGUF file"),
        (sound[..sound.len() - 11_000].to_vec(), "truncated"),
        (std::fs::read(model()).unwrap(), "not an adapter"),
        (with(&|g| g.text("adapter.type", "quipu")), "not a LoRA adapter"),
        (
            with(&|g| g.number("adapter.type", 7)),
            "'adapter.type' has type u32, but text is required",
        ),
        (with(&|g| g.text("general.architecture", "llama")), "is for architecture 'llama'"),
        (adapter().without("adapter.lora.alpha").bytes(), "'adapter.lora.alpha'"),
        (with(&|g| g.number("adapter.lora.alpha", 2)), "'adapter.lora.alpha'"),
        (with(&|g| g.key("adapter.lora.alpha", 6, f32(f32::NAN))), "'adapter.lora.alpha'"),
        (with(&|g| g.number("adapter.alora.invocation_tokens", 1)), "adapter.alora"),
        (
            tensor("blk.9.attn_q.weight.lora_a", &[256, 2], 1),
            "'blk.9.attn_q.weight.lora_b' is missing",
        ),
        (
            tensor("blk.0.attn_norm.weight", &[256], 0),
            "'blk.0.attn_norm.weight': adapters for norms",
        ),
        (tensor("blk.0.attn_q.scale", &[256], 0), "'blk.0.attn_q.scale' is neither"),
        (tensor("blk.0.attn_q.weight.lora_a", &[256, 2], 1), "occurs twice"),
    ];
    let pair = |name: &str, a: &[u64], b: &[u64], kind: u32| {
        with(&|g| {
            g.append(&format!("{name}.lora_a"), a, kind);
            g.append(&format!("{name}.lora_b"), b, kind);
        })
    };
    let pairs = vec![
        (pair("blk.9.attn_q.weight", &[256, 2], &[2, 256], 1), "'blk.9.attn_q.weight' is not in"),
        (
            pair("blk.1.attn_q.weight", &[128, 2], &[2, 256], 1),
            "'blk.1.attn_q.weight' is [256, 256]",
        ),
        (
            pair("blk.1.attn_q.weight", &[256, 2], &[2, 128], 1),
            "'blk.1.attn_q.weight' is [256, 256]",
        ),
        (
            pair("blk.1.attn_q.weight", &[256, 2], &[1, 256], 1),
            "two factors of tensor 'blk.1.attn_q.weight'",
        ),
        (pair("blk.1.attn_q.weight", &[256, 1], &[32, 1], 8), "has type Q8_0"),
        (
            pair("blk.1.attn_norm.weight", &[256, 1], &[1, 1], 1),
            "'blk.1.attn_norm.weight' is not a matrix",
        ),
        (pair("token_embd.weight", &[2, 512], &[2, 256], 1), "is also the output head"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad-adapter.gguf");
    for (bytes, says) in cases.into_iter().chain(pairs) {
        std::fs::write(&path, bytes).unwrap();
        let mut command = solverbox();
        command.args(["solve", "--model"]).arg(model()).arg("--adapter").arg(&path);
        let output = command.arg("2+2?").output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{says}: {stderr}");
        assert!(stderr.contains("adapter '") && stderr.contains("bad-adapter"), "{stderr}");
        assert!(stderr.contains(says) && stderr.lines().count() == 2, "{says}: {stderr}");
    }
    std::fs::write(&path, sound).unwrap();
    let mut command = solverbox();
    command.args(["solve", "--threads", "1", "--model"]).arg(model()).arg("--adapter").arg(&path);
    let output = command.arg("2+2?").output().unwrap();
    assert!(output.status.success(), "a valid adapter is accepted: {}", text(&output.stderr));
}

#[test]
fn a_missing_adapter_file_is_named() {
    let output =
        solverbox().args(["solve", "--model", "demo", "--adapter", "/no/a.gguf", "q"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("adapter '/no/a.gguf': No such file"), "{stderr}");
    assert!(stderr.contains("--adapter"), "{stderr}");
}
