//! Quantizing a model, its cost in quality, and importance matrices: `quantize`, `imatrix`,
//! `compare`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{
    GgufWriter, deaf, has_disks, model, model_f16, on_a_disk, solve_with, solverbox, text,
};

fn run(args: &[&str]) -> Output {
    let mut command = solverbox();
    command.args(args).args(["--threads", "1"]);
    command.output().unwrap()
}

/// Runs a command that must succeed; returns its output.
fn done(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail; returns its exit code and its two lines.
fn refused(args: &[&str]) -> (i32, String) {
    let output = run(args);
    let stderr = text(&output.stderr);
    assert!(!output.status.success(), "{args:?} is refused");
    assert_eq!(stderr.lines().count(), 2, "{args:?}: {stderr}");
    (output.status.code().unwrap(), stderr)
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Returns type and bytes of all tensors of a file.
fn tensors(path: &Path) -> BTreeMap<String, (&'static str, Vec<u8>)> {
    use solverbox::types::plan::Weights;
    let bytes = std::fs::read(path).unwrap();
    let header = solverbox::model::open(&Weights::model(path)).unwrap();
    let data =
        |t: &solverbox::model::TensorInfo| bytes[t.at as usize..][..t.bytes as usize].to_vec();
    header.tensors.iter().map(|t| (t.name.clone(), (t.kind.name, data(t)))).collect()
}

/// Returns the files of a folder other than those named.
fn others(folder: &Path, but: &[&str]) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| !but.contains(&name.as_str())).collect()
}

/// Records the demo model's answers to the first held-out questions.
fn records(folder: &Path, limit: &str) -> String {
    let out = folder.join("records.jsonl");
    let set = "tests/data/arithmetic-heldout.jsonl";
    done(&[
        "eval",
        "--model",
        "demo",
        "--set",
        set,
        "--limit",
        limit,
        "--json",
        "--out",
        name(&out),
    ]);
    name(&out).to_string()
}

#[test]
fn the_demo_models_q8_0_equals_the_bundled_file() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.gguf");
    let said = done(&["quantize", name(model_f16()), name(&made), "Q8_0"]);
    assert!(said.contains("made.gguf: solverbox demo"), "{said}");
    assert_eq!(tensors(&made), tensors(&model()));
    let ask = ["--temperature", "0", "--json", "What is 348 + 577?"];
    let answer = |file: &Path| {
        let output = solve_with(file, &ask).output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        [json["thinking"].clone(), json["answer"].clone(), json["boxed"].clone()]
    };
    assert_eq!(answer(&made), answer(&model()));
    assert_eq!(answer(&made)[2], "925");
    assert!(others(folder.path(), &["made.gguf"]).is_empty());
}

#[test]
fn every_type_gives_a_model_that_is_close_to_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let text = records(folder.path(), "10");
    let types = [
        ("q8_0", "Q8_0"),
        ("q6_k", "Q6_K"),
        ("q5_k_m", "Q5_K"),
        ("q4_k_m", "Q4_K"),
        ("q4_k_s", "Q4_K"),
        ("iq4_nl", "IQ4_NL"),
        ("q4_0", "Q4_0"),
    ];
    for (mix, kind) in types {
        let made = folder.path().join("made.gguf");
        done(&["quantize", name(model_f16()), name(&made), mix]);
        assert_eq!(tensors(&made)["blk.0.ffn_up.weight"].0, kind, "{mix}");
        let said = done(&["compare", name(model_f16()), name(&made), "--text", &text, "--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        let number = |key: &str, field: &str| said[key][field].as_f64().unwrap();
        assert!(said["tokens"].as_u64().unwrap() > 500, "{said}");
        let divergence = number("kl_divergence_nats", "mean");
        assert!(divergence > 0.0 && divergence < 0.02, "{mix}: {said}");
        assert!((number("perplexity_ratio", "mean") - 1.0).abs() < 0.05, "{mix}: {said}");
        assert!(number("same_top", "share") > 0.97, "{mix}: {said}");
    }
}

#[test]
fn the_output_head_can_be_kept_in_8_bits() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.gguf");
    done(&["quantize", name(model_f16()), name(&made), "q4_0"]);
    assert_eq!(tensors(&made)["token_embd.weight"].0, "Q6_K");
    done(&["quantize", name(model_f16()), name(&made), "q4_0", "--keep-head", "q8_0"]);
    let kept = tensors(&made);
    assert_eq!(kept["token_embd.weight"], tensors(&model())["token_embd.weight"]);
    assert_eq!(kept["blk.0.ffn_up.weight"].0, "Q4_0");
}

#[test]
fn an_importance_matrix_changes_the_result_and_one_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let in_folder = |file: &str| name(&folder.path().join(file)).to_string();
    let (matrix, plain, spared) = (in_folder("m.gguf"), in_folder("p.gguf"), in_folder("s.gguf"));
    let text = records(folder.path(), "20");
    let said = done(&["imatrix", "--model", name(model_f16()), "--text", &text, &matrix]);
    assert!(said.contains("28 matrices") && said.contains("in 20 passages"), "{said}");
    done(&["quantize", name(model_f16()), &plain, "q4_0"]);
    done(&["quantize", name(model_f16()), &spared, "q4_0", "--imatrix", &matrix]);
    let (plain, spared) = (tensors(Path::new(&plain)), tensors(Path::new(&spared)));
    assert_ne!(plain["blk.0.ffn_up.weight"], spared["blk.0.ffn_up.weight"]);
    assert_eq!(plain["output_norm.weight"], spared["output_norm.weight"]);

    let bytes = std::fs::read(&matrix).unwrap();
    let write = |file: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(file), bytes).unwrap();
        in_folder(file)
    };
    let mut gguf = GgufWriter::empty();
    gguf.text("general.type", "imatrix");
    gguf.tensor("blk.0.ffn_up.weight.in_sum2", &[256], 0, 0);
    let half = write("half.gguf", &gguf.bytes());
    gguf.tensor("blk.0.ffn_up.weight.counts", &[1], 1, 1024);
    let not_floats = write("not-floats.gguf", &gguf.bytes());
    let mut gguf = GgufWriter::empty();
    gguf.tensor("blk.0.ffn_up.weight.in_sum2", &[128], 0, 0);
    gguf.tensor("blk.0.ffn_up.weight.counts", &[1], 0, 512);
    let narrow = write("narrow.gguf", &gguf.bytes());
    let mut negative = bytes.clone();
    let last = negative.len() - 32;
    negative[last..last + 4].copy_from_slice(&(-1.0_f32).to_le_bytes());
    let cases = [
        (write("cut.gguf", &bytes[..bytes.len() - 100]), "truncated"),
        (write("no.gguf", b"no matrix"), "not a GGUF file"),
        (in_folder("missing.gguf"), "No such file"),
        (name(&model()).to_string(), "is neither a sum nor a count"),
        (half, "the sums or counts of"),
        (not_floats, "are not 32-bit floats"),
        (narrow, "it is for another model"),
        (write("negative.gguf", &negative), "has negative or non-finite values"),
    ];
    for (matrix, says) in cases {
        let args =
            ["quantize", name(model_f16()), &in_folder("x.gguf"), "q4_0", "--imatrix", &matrix];
        let (_, stderr) = refused(&args);
        assert!(
            stderr.contains(says) && stderr.contains("importance matrix '"),
            "{says}: {stderr}"
        );
        assert!(!Path::new(&in_folder("x.gguf")).exists());
    }
}

/// Queries, keys and values have the same input, and so do gate and up.
#[test]
fn the_importance_matrix_has_the_inputs_of_each_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let (text, out) = (records(folder.path(), "8"), folder.path().join("m.gguf"));
    let adapter = ["--adapter", "demo-binary"];
    for more in [&[][..], &adapter] {
        let args = ["imatrix", "--model", "demo", "--text", &text, name(&out)];
        done(&[&args[..], more].concat());
        let file = crate::support::gguf::read(&out);
        assert_eq!(file.tensors.len(), 2 * 28, "{more:?}");
        let data = |tensor: &str| &file.tensors[tensor].data;
        let floats = |tensor: &str| -> Vec<f32> {
            data(tensor).as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect()
        };
        let sums = |module: &str| floats(&format!("blk.1.{module}.weight.in_sum2"));
        assert_eq!(sums("attn_q"), sums("attn_k"));
        assert_eq!(sums("attn_q"), sums("attn_v"));
        assert_eq!(sums("ffn_gate"), sums("ffn_up"));
        assert_ne!(sums("attn_q"), sums("ffn_up"));
        assert!(sums("ffn_down").iter().all(|sum| sum.is_finite() && *sum >= 0.0));
        // After the norm, the mean square of the input is that of the norm's weights.
        let tokens = floats("blk.1.attn_q.weight.counts")[0];
        let mean = sums("attn_q").iter().sum::<f32>() / tokens / 256.0;
        assert!(tokens > 500.0 && (0.01..100.0).contains(&mean), "{tokens} {mean}");
    }
}

#[test]
fn an_input_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let here = |file: &str| folder.path().join(file);
    let (f16, matrix, text) = (here("f16.gguf"), here("m.gguf"), here("t.txt"));
    std::fs::copy(model_f16(), &f16).unwrap();
    std::fs::write(&text, "What is 12 + 34? The sum is 46. ".repeat(20)).unwrap();
    let imatrix = |out: &Path| {
        let args = ["imatrix", "--model", name(&f16), "--text", name(&text), name(out)];
        args.map(str::to_string)
    };
    let made = run(&imatrix(&matrix).each_ref().map(String::as_str));
    assert!(made.status.success(), "{}", crate::support::text(&made.stderr));
    let quantize = ["quantize", name(&f16), name(&matrix), "q4_0", "--imatrix", name(&matrix)];
    let mut cases = vec![quantize.map(str::to_string).to_vec()];
    cases.extend([&f16, &text].map(|out| imatrix(out).to_vec()));
    let before = [&f16, &matrix, &text].map(|file| std::fs::read(file).unwrap());
    for case in cases {
        let args: Vec<&str> = case.iter().map(String::as_str).collect();
        let (code, stderr) = refused(&args);
        assert!(code == 2 && stderr.contains("it is the file being read"), "{stderr}");
    }
    assert_eq!(before, [&f16, &matrix, &text].map(|file| std::fs::read(file).unwrap()));
    let pipe = here("pipe.gguf");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (code, stderr) = refused(&["quantize", name(&f16), name(&pipe), "q4_0"]);
    assert!(code == 2 && stderr.contains("it is not a regular file"), "{stderr}");
}

/// llama.cpp writes the file and does not distinguish a full disk from a bad model.
#[test]
fn a_disk_that_fills_up_while_quantizing_is_reported_as_full() {
    if !has_disks() {
        return;
    }
    // Enough for the least a Q4_K_M file may have, not for this one.
    let args = ["quantize", name(model_f16()), "/mnt/x.gguf", "q4_k_m", "--threads", "1"];
    let output = on_a_disk("size=1500k", &args).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{stderr}");
    assert!(stderr.contains("cannot write '/mnt/x.gguf': no storage space"), "{stderr}");
    let output = on_a_disk("size=600k", &args).output().unwrap();
    assert!(text(&output.stderr).contains("bytes are needed, but 614400 are free"));
}

/// The output is opened first.
#[test]
fn an_output_that_cannot_be_made_is_reported_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("t.txt");
    std::fs::write(&text, "What is 12 + 34? The sum is 46. ".repeat(60_000)).unwrap();
    let start = std::time::Instant::now();
    let model = model();
    let args = ["imatrix", "--model", name(&model), "--text", name(&text), "/nowhere/m.gguf"];
    let (_, stderr) = refused(&args);
    assert!(stderr.contains("cannot write '/nowhere/m.gguf'"), "{stderr}");
    assert!(start.elapsed() < crate::support::PATIENCE / 4, "reading takes minutes");
}

#[test]
fn a_closed_terminal_leaves_no_unfinished_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("t.txt");
    std::fs::write(&text, "What is 12 + 34? The sum is 46. ".repeat(60_000)).unwrap();
    // Under nohup the suite runs with the signal ignored, which children inherit.
    let mut command = deaf(Command::new("env"));
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_solverbox")]);
    command.args(["imatrix", "--threads", "1", "--model", name(&model()), "--text", name(&text)]);
    command.arg(folder.path().join("m.gguf")).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    crate::support::wait_until("the file to be begun", || {
        others(folder.path(), &["t.txt"]).len() == 1
    });
    crate::support::send_signal(child.id(), "HUP");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(others(folder.path(), &["t.txt"]).is_empty());
}

#[test]
fn a_model_compared_with_itself_does_not_differ() {
    let folder = tempfile::tempdir().unwrap();
    let text = records(folder.path(), "6");
    let set = "tests/data/binary-heldout.jsonl";
    let table =
        done(&["compare", "demo", "demo", "--text", &text, "--set", set, "--temperature", "0"]);
    for says in ["1.0000 ± 0.0000", "0.00000 ± 0.00000 nats", "100.00 % ± 0.00"] {
        assert!(table.contains(says), "{table}");
    }
    let right = |model: &str| {
        let mut shares = table.lines().filter_map(|line| line.strip_prefix(model));
        shares.next().unwrap_or_else(|| panic!("{table}")).trim()
    };
    assert_eq!(right("right, reference"), right("right, compared"), "{table}");
}

#[test]
fn plain_text_is_read_too_and_unreadable_text_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &[u8]| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        name(&path).to_string()
    };
    let book = write("book.txt", "What is 12 + 34? The sum is 46. ".repeat(100).as_bytes());
    let said = done(&["compare", name(&model()), name(&model()), "--text", &book, "--json"]);
    let tokens = serde_json::from_str::<Value>(&said).unwrap()["tokens"].as_u64().unwrap();
    assert!(tokens >= 255 && tokens.is_multiple_of(255), "as llama-perplexity counts: {said}");
    let head = r#"{"system": "", "prompt": "mode", "model": "demo"}"#;
    let empty = r#"{"question": "What is the sum of 12 and 34?", "thinking": "", "answer": ""}"#;
    let cases = [
        (write("short.txt", b"1 + 1"), "the text is too short"),
        (write("bytes.txt", b"\xff\xfe"), "it is not UTF-8"),
        (write("no.jsonl", b"1 + 1"), "line 1: not a JSON object"),
        (write("empty.jsonl", format!("{head}\n{empty}").as_bytes()), "all replies are empty"),
        (write("half.jsonl", format!("{head}\n{{}}").as_bytes()), "line 2: not a record"),
        (name(&folder.path().join("missing.txt")).to_string(), "No such file"),
    ];
    for (text, says) in cases {
        let (_, stderr) = refused(&["compare", name(&model()), name(&model()), "--text", &text]);
        assert!(stderr.contains(says) && stderr.contains("--text"), "{says}: {stderr}");
    }
}

#[test]
fn models_that_cannot_be_quantized_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made.gguf");
    let f16 = folder.path().join("f16.gguf");
    std::fs::copy(model_f16(), &f16).unwrap();
    let link = folder.path().join("link.gguf");
    std::os::unix::fs::symlink(&f16, &link).unwrap();
    let cut = folder.path().join("cut.gguf");
    std::fs::write(&cut, &std::fs::read(&f16).unwrap()[..4_000_000]).unwrap();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["demo", name(&made), "q4_0"], 2, "it is already quantized (tensor"),
        (&[name(&f16), name(&link), "q4_0"], 2, "it is the file being read"),
        (&[name(&cut), name(&made), "q4_0"], 4, "truncated"),
        (&["none.gguf", name(&made), "q4_0"], 3, "none.gguf"),
        (&[name(&f16), name(folder.path()), "q4_0"], 2, "it is a folder"),
        (&[name(&f16), "/proc/made.gguf", "q4_0"], 2, "cannot write '/proc/made.gguf'"),
        (&[name(&f16), name(&made), "q3_k"], 2, "q3_k"),
    ];
    for (args, code, says) in cases {
        let (exit, stderr) = refused(&[&["quantize"], args].concat());
        assert!(exit == code && stderr.contains(says), "{args:?}: {exit} {stderr}");
    }
    assert!(others(folder.path(), &["f16.gguf", "link.gguf", "cut.gguf"]).is_empty());
    done(&["quantize", "demo", name(&made), "q4_0", "--requantize"]);
    assert_eq!(tensors(&made)["blk.0.ffn_up.weight"].0, "Q4_0");
}
