//! `solverbox verify`: intact files, damaged ones, and recorded checksums.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::tiny::{self, TinyKind};
use crate::support::{model, root, solverbox, text};

fn verify(args: &[&str], folder: &Path) -> Output {
    solverbox().arg("verify").args(args).current_dir(folder).output().unwrap()
}

fn sum(file: &Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(file).output().unwrap();
    text(&output.stdout).split(' ').next().unwrap().to_string()
}

#[test]
fn without_files_it_checks_the_folder_and_the_built_in_models() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    std::fs::copy(model(), models.join("copy.gguf")).unwrap();
    std::fs::write(models.join("tiny.gguf"), tiny::model(TinyKind::Llama).bytes()).unwrap();
    std::fs::write(models.join("notes.txt"), "no model").unwrap();
    std::fs::write(models.join("SHA256SUMS"), format!("{}  copy.gguf\n", sum(&model()))).unwrap();
    let output = verify(&[], folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let sum = sum(&models.join("tiny.gguf"));
    let lines = [
        "models/copy.gguf: model, structure ok, SHA-256 ok".to_string(),
        format!("models/tiny.gguf: model, structure ok, no SHA-256 recorded (it is {sum})"),
        "demo: model, structure ok, SHA-256 ok".to_string(),
        "demo-binary: adapter, structure ok, SHA-256 ok".to_string(),
    ];
    assert_eq!(text(&output.stdout).lines().collect::<Vec<_>>(), lines);
    assert!(output.stderr.is_empty(), "progress only on a terminal");
}

#[test]
fn one_changed_byte_of_the_weights_changes_the_checksum_and_all_files_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut bytes = std::fs::read(model()).unwrap();
    std::fs::write(at("a.gguf.sha256"), sum(&model())).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(at("a.gguf"), &bytes).unwrap();
    std::fs::write(at("b.gguf"), &bytes[..middle]).unwrap();
    let output = verify(&["demo", "a.gguf", "b.gguf", "c.gguf", "demo"], folder.path());
    assert_eq!(output.status.code(), Some(4));
    let (lines, stderr) = (text(&output.stdout), text(&output.stderr));
    for says in [
        "a.gguf: model, structure ok, SHA-256 differs from the one in 'a.gguf.sha256'",
        "b.gguf: it is truncated",
        "c.gguf: cannot open model 'c.gguf': No such file",
    ] {
        assert!(lines.contains(says), "{says}: {lines}");
    }
    assert_eq!(lines.lines().count(), 5);
    assert!(stderr.contains("3 of 5 files are damaged, first 'a.gguf'"), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    let output = verify(&["c.gguf"], folder.path());
    assert_eq!(output.status.code(), Some(3));
    std::fs::write(at("a.gguf.sha256"), "no sum").unwrap();
    let output = verify(&["a.gguf"], folder.path());
    assert_eq!(output.status.code(), Some(4));
    let lines = text(&output.stdout);
    assert!(lines.contains("SHA-256 unknown: 'a.gguf.sha256' has no checksum for it"), "{lines}");
}

#[test]
fn an_adapter_is_recognised_and_compared_with_a_named_base_model() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("adapter.gguf"), tiny::adapter().bytes()).unwrap();
    std::fs::write(at("base.gguf"), tiny::model(TinyKind::Qwen2).bytes()).unwrap();
    let mut half = tiny::adapter();
    half.tensors.pop();
    half.data.pop();
    std::fs::write(at("half.gguf"), half.bytes()).unwrap();
    let sound = verify(&["adapter.gguf"], folder.path());
    assert!(text(&sound.stdout).starts_with("adapter.gguf: adapter, structure ok"));
    assert!(verify(&["--base", "base.gguf", "adapter.gguf"], folder.path()).status.success());
    for (args, says) in [
        (&["--base", "demo", "adapter.gguf"][..], "is for another model"),
        (&["half.gguf"][..], "'token_embd.weight.lora_b' is missing"),
    ] {
        let output = verify(args, folder.path());
        assert_eq!(output.status.code(), Some(4));
        assert!(text(&output.stdout).contains(says), "{says}: {}", text(&output.stdout));
    }
}

#[test]
fn a_template_that_does_not_parse_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut tiny = tiny::model(TinyKind::Qwen2);
    let template = tiny.keys.iter_mut().find(|(key, _)| key == "tokenizer.chat_template").unwrap();
    template.1 = solverbox::model::write::GgufValue::Text("{% for m in messages %}".into());
    std::fs::write(folder.path().join("open.gguf"), tiny.bytes()).unwrap();
    let output = verify(&["open.gguf"], folder.path());
    assert_eq!(output.status.code(), Some(4));
    let lines = text(&output.stdout);
    assert!(lines.contains("chat template: syntax error: unexpected end"), "{lines}");
}

#[test]
fn bytes_after_the_last_tensor_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [tiny::model(TinyKind::Qwen3).bytes(), vec![7; 100]].concat();
    std::fs::write(folder.path().join("long.gguf"), bytes).unwrap();
    let output = verify(&["long.gguf"], folder.path());
    assert!(output.status.success());
    let line = text(&output.stdout);
    assert!(line.contains("structure ok except 100 bytes after its end"), "{line}");
}

#[test]
fn the_json_is_one_object() {
    let output = verify(&["--json", "demo", "/nowhere.gguf"], root());
    assert_eq!(output.status.code(), Some(3));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = found["files"].as_array().unwrap();
    assert_eq!(files[0]["whole"], true);
    assert_eq!(files[0]["content"], "model");
    assert_eq!(files[0]["recorded"], "same");
    assert_eq!(files[0]["sha256"], sum(&model()));
    assert_eq!(files[1]["whole"], false);
    assert!(files[1]["fault"].as_str().unwrap().contains("No such file"));
}
