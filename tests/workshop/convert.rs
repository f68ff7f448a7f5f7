//! `solverbox convert`: the bytes it writes, and that an unfinished file never stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::gguf;
use crate::support::{
    model, model_f16, root, send_signal, solve_with, solverbox, text, wait_until,
};
use crate::workshop::bad_checkpoints::Checkpoint;

pub fn convert(folder: &Path, to: &Path, args: &[&str]) -> Output {
    command(folder, to, args).output().expect("solverbox starts")
}

fn command(folder: &Path, to: &Path, args: &[&str]) -> Command {
    let mut command = solverbox();
    command.arg("convert").arg(folder).arg(to).args(args);
    command
}

fn bundled(name: &str) -> PathBuf {
    root().join("models/bundled").join(name)
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_demo_models_checkpoint_becomes_the_file_that_pack_py_makes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.gguf");
    let output = convert(&bundled("checkpoint"), &file, &["--type", "f16"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let bytes = fs::metadata(&file).unwrap().len();
    for says in ["demo.gguf: 50 tensors", &format!("{bytes} bytes"), "f16", "MB/s"] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let (ours, theirs) = (gguf::read(&file), gguf::read(model_f16()));
    assert_eq!(ours.tensors, theirs.tensors);
    let named = ["general.name", "general.description", "general.license"];
    for (key, value) in &theirs.keys {
        if !named.contains(&key.as_str()) {
            assert_eq!(ours.keys.get(key), Some(value), "{key}");
        }
    }
    assert_eq!(names(folder.path()), ["demo.gguf"]);
}

#[test]
fn the_demo_models_adapter_becomes_the_bundled_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("binary.gguf");
    for base in [model(), bundled("checkpoint"), PathBuf::from("demo")] {
        let base = base.display().to_string();
        let output = convert(&bundled("adapter"), &file, &["--base", &base]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let theirs = gguf::read(&bundled("solverbox-demo-binary-f16.gguf"));
        let ours = gguf::read(&file);
        assert_eq!(ours.tensors, theirs.tensors);
        for key in ["general.architecture", "general.type", "adapter.type", "adapter.lora.alpha"] {
            assert_eq!(ours.keys[key], theirs.keys[key], "{key}");
        }
    }
}

#[test]
fn the_metadata_of_a_checkpoint_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.gguf");
    let from = root().join("tests/data/checkpoints/qwen2-sharded");
    assert!(convert(&from, &file, &["--type", "bf16"]).status.success());
    let whole = gguf::read(&file);
    let template = fs::read_to_string(from.join("chat_template.jinja")).unwrap();
    assert_eq!(whole.text("tokenizer.chat_template"), template);
    assert_eq!(whole.text("general.name"), "qwen2-sharded");
    let float = |key: &str| f32::from_bits(whole.number(key));
    assert_eq!((float("general.sampling.temp"), float("general.sampling.top_p")), (0.6, 0.95));
    assert_eq!(whole.number("general.sampling.top_k"), 20);
    assert_eq!((float("qwen2.rope.freq_base"), whole.number("general.file_type")), (2718.0, 32));
    let generation = fs::read_to_string(from.join("generation_config.json")).unwrap();
    let generation: Value = serde_json::from_str(&generation).unwrap();
    let ends = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];
    assert_eq!(json!(ends.map(|key| whole.number(key))), generation["eos_token_id"]);
}

#[test]
fn an_adapter_needs_the_base_model_it_was_trained_for() {
    let adapter = root().join("tests/data/checkpoints/llama-lora");
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    let cases: [(&Path, &[&str], &str); 4] = [
        (&adapter, &[], "requires its base model"),
        (&adapter, &["--base", "demo"], "in the base"),
        (&adapter, &["--base", "/nowhere.gguf"], "/nowhere.gguf"),
        (&bundled("checkpoint"), &["--base", "demo"], "is not an adapter"),
    ];
    for (folder, args, says) in cases {
        let output = convert(folder, &to, args);
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(says), "{says}: {error}");
        assert!(names(out.path()).is_empty());
    }
}

#[test]
fn unused_rows_of_the_embedding_are_padding_tokens() {
    let checkpoint = Checkpoint::of("qwen2");
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("x.gguf");
    assert!(convert(checkpoint.folder.path(), &file, &[]).status.success());
    let whole = gguf::read(&file);
    let count = |key: &str| u64::from_le_bytes(whole.keys[key][4..12].try_into().unwrap());
    assert_eq!(count("tokenizer.ggml.tokens"), 512);
    let kinds = &whole.keys["tokenizer.ggml.token_type"][12..];
    assert_eq!(kinds[511 * 4..], 5_i32.to_le_bytes(), "unused");
    assert!(whole.keys["tokenizer.ggml.tokens"].ends_with(b"[PAD511]"));
}

#[test]
fn an_output_that_cannot_be_written_is_named_before_anything_is_read() {
    let checkpoint = Checkpoint::of("qwen2");
    let from = checkpoint.folder.path();
    let weights = checkpoint.at("model.safetensors");
    let before = fs::read(&weights).unwrap();
    let cases: [(&Path, &str); 4] = [
        (from, "it is a folder"),
        (Path::new("/etc/passwd/x.gguf"), "Not a directory"),
        (Path::new("/nowhere/x.gguf"), "No such file"),
        (&weights, "it is the file being read"),
    ];
    for (to, says) in cases {
        let output = convert(from, to, &[]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(says), "{says}: {error}");
    }
    assert_eq!(fs::read(&weights).unwrap(), before);
    let output = convert(Path::new("/nowhere"), &from.join("x.gguf"), &[]);
    assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
}

#[test]
fn an_input_file_is_never_overwritten() {
    let (checkpoint, adapter) = (Checkpoint::of("qwen2"), Checkpoint::of("qwen2-lora"));
    let sharded = Checkpoint::of("qwen2-sharded");
    let base = checkpoint.folder.path().display().to_string();
    let with_base: &[&str] = &["--base", &base];
    let cases: [(&Checkpoint, &[&str], &Checkpoint, &str); 9] = [
        (&checkpoint, &[], &checkpoint, "config.json"),
        (&checkpoint, &[], &checkpoint, "tokenizer.json"),
        (&checkpoint, &[], &checkpoint, "tokenizer_config.json"),
        (&sharded, &[], &sharded, "generation_config.json"),
        (&sharded, &[], &sharded, "chat_template.jinja"),
        (&sharded, &[], &sharded, "model.safetensors.index.json"),
        (&adapter, with_base, &adapter, "adapter_config.json"),
        (&adapter, with_base, &adapter, "adapter_model.safetensors"),
        (&adapter, with_base, &checkpoint, "config.json"),
    ];
    for (from, args, of, name) in cases {
        let to = of.at(name);
        let before = fs::read(&to).unwrap();
        let output = convert(from.folder.path(), &to, args);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(error.contains("it is the file being read"), "{name}: {error}");
        assert!(fs::read(&to).unwrap() == before, "{name}");
    }
}

/// A checkpoint of the given size, nearly all of it the embedding, which is a hole in a sparse
/// file.
fn large(bytes: u64) -> Checkpoint {
    const ROWS: u64 = 512;
    let checkpoint = Checkpoint::of("qwen2");
    let width = bytes / 2 / ROWS;
    checkpoint.change("config.json", |json| {
        json["hidden_size"] = json!(width);
        json["num_hidden_layers"] = json!(1);
        json["num_attention_heads"] = json!(1);
        json["num_key_value_heads"] = json!(1);
        json["intermediate_size"] = json!(2);
        json["architectures"] = json!(["LlamaForCausalLM"]);
        json["head_dim"] = json!(2);
    });
    let (mut at, mut header) = (0, json!({}));
    let mut add = |name: &str, shape: &[u64]| {
        let end = at + shape.iter().product::<u64>() * 2;
        header[name] = json!({"dtype": "BF16", "shape": shape, "data_offsets": [at, end]});
        at = end;
    };
    add("model.embed_tokens.weight", &[ROWS, width]);
    add("model.norm.weight", &[width]);
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    add(&layer("input_layernorm"), &[width]);
    add(&layer("post_attention_layernorm"), &[width]);
    add(&layer("self_attn.q_proj"), &[2, width]);
    add(&layer("self_attn.k_proj"), &[2, width]);
    add(&layer("self_attn.v_proj"), &[2, width]);
    add(&layer("self_attn.o_proj"), &[width, 2]);
    add(&layer("mlp.gate_proj"), &[2, width]);
    add(&layer("mlp.up_proj"), &[2, width]);
    add(&layer("mlp.down_proj"), &[width, 2]);
    let header = header.to_string();
    let start = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let file = checkpoint.at("model.safetensors");
    fs::write(&file, &start).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(start.len() as u64 + at)
        .unwrap();
    checkpoint
}

/// The error comes at once, not after minutes.
#[test]
fn a_vocabulary_the_engine_would_refuse_is_refused_before_the_weights_are_copied() {
    use solverbox::model::{convert, newfile::NewFile};
    let checkpoint = large(1 << 30);
    checkpoint.change("tokenizer.json", |json| {
        let words = json["model"]["vocab"].as_object_mut().unwrap();
        let number = words.remove("~").unwrap();
        words.insert("lost".into(), number);
        json["model"]["merges"] = json!([]);
    });
    let (out, mut steps) = (tempfile::tempdir().unwrap(), Vec::new());
    let plan =
        convert::plan(checkpoint.folder.path(), convert::OutputType::AsStored, None).unwrap();
    let mut file = NewFile::create(&out.path().join("x.gguf"), plan.bytes()).unwrap();
    let error = plan.write(&mut file, &mut |done, _| steps.push(done)).unwrap_err();
    let folder = checkpoint.folder.path().display();
    let says = "the converted file would be rejected: its vocabulary has no token for '~'";
    assert_eq!(error.message, format!("cannot convert '{folder}': {says}"));
    assert!(steps.is_empty(), "{steps:?}");
}

/// Waits for the unfinished file.
fn wait_for_part(folder: &Path, child: &mut Child) {
    wait_until("the unfinished file", || {
        assert_eq!(child.try_wait().unwrap(), None, "still running");
        names(folder).iter().any(|name| name.ends_with(".part"))
    });
}

#[test]
fn ctrl_c_removes_the_unfinished_file_and_keeps_the_old_one() {
    let checkpoint = large(1 << 30);
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    fs::write(&to, "old").unwrap();
    let mut command = command(checkpoint.folder.path(), &to, &[]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_for_part(out.path(), &mut child);
    send_signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("solverbox: stopped; nothing was written\n"), "{error}");
    assert_eq!(names(out.path()), ["x.gguf"]);
    assert_eq!(fs::read(&to).unwrap(), b"old");
}

#[test]
fn memory_does_not_grow_with_a_tensor() {
    let checkpoint = large(467 << 20);
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("x.gguf");
    let mut child = command(checkpoint.folder.path(), &to, &["--type", "f16"]).spawn().unwrap();
    let mut peak_kib = 0;
    // The kernel tracks the peak, so that occasional reads miss only the end.
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak_kib = peak_kib.max(now.unwrap_or(0));
        std::thread::yield_now();
    }
    assert!(child.wait().unwrap().success());
    println!("peak {} MiB", peak_kib >> 10);
    assert!((1..200 << 10).contains(&peak_kib), "{peak_kib} KiB");
}

fn on_a_disk(options: &str, from: &Path) -> Command {
    crate::support::on_a_disk(options, &["convert", from.to_str().unwrap(), "/mnt/x.gguf"])
}

#[test]
fn a_full_or_read_only_disk_leaves_no_unfinished_file() {
    if !crate::support::has_disks() {
        return;
    }
    let checkpoint = large(256 << 20);
    let from = checkpoint.folder.path();
    let output = on_a_disk("ro", from).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("'/mnt/x.gguf': Read-only file system"), "{error}");

    let output = on_a_disk("size=100m", from).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{error}");
    assert!(error.contains("bytes are needed") && error.contains("/mnt/x.gguf"), "{error}");

    // The disk fills up after the file is begun: the process is stopped there.
    let mut child = on_a_disk("size=320m", from).stderr(Stdio::piped()).spawn().unwrap();
    let disk = PathBuf::from(format!("/proc/{}/root/mnt", child.id()));
    wait_until("the unfinished file", || {
        assert_eq!(child.try_wait().unwrap(), None, "still running");
        let entries = fs::read_dir(&disk).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|n| n.to_string_lossy().ends_with(".part"))
    });
    send_signal(child.id(), "STOP");
    // Held open, to inspect the disk after the process has left its namespace.
    let held = fs::File::open(&disk).unwrap();
    let disk = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held)));
    // More than is free, as the unfinished file may still be empty.
    assert!(fs::write(disk.join("filler"), vec![1; 330 << 20]).is_err(), "the disk is full");
    send_signal(child.id(), "CONT");
    let output = child.wait_with_output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{error}");
    assert!(error.contains("cannot write '/mnt/x.gguf': No space left on device"), "{error}");
    assert_eq!(names(&disk), ["filler"]);
}

/// In one step or two: the same bytes as the bundled file.
#[test]
fn the_demo_models_checkpoint_quantized_is_the_bundled_model() {
    let out = tempfile::tempdir().unwrap();
    let at = |name: &str| out.path().join(name);
    let succeeds = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    succeeds(&mut command(&bundled("checkpoint"), &at("one.gguf"), &["--type", "q8_0"]));
    succeeds(&mut command(&bundled("checkpoint"), &at("f16.gguf"), &["--type", "f16"]));
    let mut quantize = solverbox();
    succeeds(quantize.arg("quantize").args([at("f16.gguf"), at("two.gguf")]).arg("q8_0"));
    let theirs = gguf::read(&model());
    let answer = |file: &Path| {
        let question = ["--json", "--temperature", "0", "--mode", "plain", "What is 348 + 577?"];
        let said = succeeds(&mut solve_with(file, &question));
        serde_json::from_str::<Value>(&said).unwrap()["answer"].clone()
    };
    for name in ["one.gguf", "two.gguf"] {
        assert!(gguf::read(&at(name)).tensors == theirs.tensors, "{name}");
        assert_eq!(answer(&at(name)), answer(&model()), "{name}");
    }
    let mut left = names(out.path());
    left.sort();
    assert_eq!(left, ["f16.gguf", "one.gguf", "two.gguf"], "no temporary file stays");
    let again = convert(&bundled("adapter"), &at("x.gguf"), &["--type", "q8_0", "--base", "demo"]);
    assert_eq!(again.status.code(), Some(2), "{}", text(&again.stderr));
}
