//! Model files that cannot be used: each gets one error that names the file and the remedy.

use std::path::Path;

use crate::support::{GgufWriter, model, solve_with, solverbox, text};
use solverbox::model;
use solverbox::model::plan::{PlanRequirements, plan};
use solverbox::types::error::{Error, Kind};
use solverbox::types::kernels::SETS;
use solverbox::types::memory::Room;
use solverbox::types::plan::{Pacing, Plan, Weights};

/// Runs `solve` on a file of `bytes` and checks the exit code and the message's form.
fn refused(bytes: &[u8], code: i32, says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.gguf");
    std::fs::write(&path, bytes).unwrap();
    let output = solve_with(&path, &["2+2?"]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains("bad.gguf") && stderr.contains(says), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "what failed, then what to do: {stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_missing_model_is_reported() {
    let output = solve_with(Path::new("/nowhere/x.gguf"), &["2+2?"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("'/nowhere/x.gguf': No such file") && stderr.contains("--model"));
}

#[test]
fn an_empty_file_is_a_bad_model() {
    refused(b"", 4, "empty");
}

#[test]
fn a_file_that_is_not_gguf_is_a_bad_model() {
    refused(b"PK\x03\x04 this is a zip file, honestly", 4, "not a GGUF file");
}

#[test]
fn a_truncated_model_is_found_before_it_is_loaded() {
    let whole = std::fs::read(model()).unwrap();
    for bytes in [6, 1 << 10, 1 << 20, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..bytes], 4, "truncated");
    }
}

#[test]
fn an_unknown_architecture_is_named_with_the_reason_from_llama_cpp() {
    refused(&GgufWriter::unknown_architecture().bytes(), 4, "unknown model architecture: 'quipu'");
}

#[test]
fn an_encoder_is_refused_before_llama_cpp_can_abort() {
    refused(&GgufWriter::of("nomic-bert").bytes(), 4, "nomic-bert");
}

#[test]
fn a_folder_is_not_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let output = solve_with(folder.path(), &["2+2?"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
}

#[test]
fn a_models_folder_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output =
        solverbox().args(["solve", "--models"]).arg(file.path()).arg("2+2?").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stderr = text(&output.stderr);
    assert!(stderr.contains(file.path().to_str().unwrap()) && stderr.contains("--models"));
}

#[test]
fn a_context_that_does_not_fit_is_refused_with_the_numbers() {
    let big = GgufWriter::unknown_architecture();
    let mut gguf = big.without("quipu.context_length");
    gguf.number("quipu.context_length", 1 << 20);
    gguf.number("quipu.block_count", 512);
    gguf.number("quipu.attention.key_length", 16384);
    gguf.number("quipu.attention.value_length", 16384);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.gguf");
    std::fs::write(&path, gguf.bytes()).unwrap();
    let args = ["--context-tokens", "1048576", "2+2?"];
    let output = solverbox().args(["solve", "--model"]).arg(&path).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("huge.gguf") && stderr.contains("MiB can be used"), "{stderr}");
}

/// The weights of one norm are replaced by NaN, so that the engine computes NaN logits.
#[test]
fn nan_logits_end_an_attempt_as_a_bad_model_never_as_text() {
    let path = model();
    let mut container = gguf_rs::get_gguf_container(path.to_str().unwrap()).unwrap();
    let decoded = container.decode().unwrap();
    let norm = decoded.tensors().iter().find(|t| t.name == "output_norm.weight").unwrap();
    assert_eq!(norm.kind, 0, "the norm is F32");
    let start = (decoded.data_offset() + norm.offset) as usize;
    let mut bytes = std::fs::read(&path).unwrap();
    for value in bytes[start..start + norm.size as usize].chunks_exact_mut(4) {
        value.copy_from_slice(&f32::NAN.to_le_bytes());
    }
    refused(&bytes, 4, "not numbers");
}

#[test]
fn a_server_whose_model_cannot_be_loaded_exits_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strange.gguf");
    std::fs::write(&path, GgufWriter::unknown_architecture().bytes()).unwrap();
    let mut command = solverbox();
    command.args(["serve", "--listen", "127.0.0.1:0", "--model"]).arg(&path);
    let output = command.arg("--data").arg(folder.path()).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("strange.gguf") && stderr.contains("quipu"), "{stderr}");
}

/// Opens and plans a model, as every command does before it runs one.
fn planned(path: &Path) -> Result<Plan, Error> {
    let required = PlanRequirements {
        pacing: Pacing::default(),
        context_tokens: None,
        sequences: None,
        kv: None,
        kernels: &SETS[0],
        threads: None,
        question_tokens_max: Some(1),
    };
    plan(&model::open(&Weights::model(path))?, &[], required, &Room::unknown())
}

#[test]
fn an_8_bit_cache_needs_a_suitable_head_size() {
    let mut gguf = GgufWriter::unknown_architecture();
    gguf.number("quipu.attention.key_length", 80);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.gguf");
    std::fs::write(&path, gguf.bytes()).unwrap();
    let output = solve_with(&path, &["--kv", "q8_0", "2+2?"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--kv"), "{}", text(&output.stderr));
}

/// Every fault the scan reports, tested in this process.
#[test]
fn structural_faults_are_named() {
    let sound = GgufWriter::unknown_architecture();
    let with = |change: &dyn Fn(&mut GgufWriter)| {
        let mut gguf = sound.clone();
        change(&mut gguf);
        gguf.bytes()
    };
    let patched = |at: usize, bytes: &[u8]| {
        let mut whole = sound.bytes();
        whole[at..at + bytes.len()].copy_from_slice(bytes);
        whole
    };
    let huge = u64::MAX.to_le_bytes();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (patched(4, &1_u32.to_le_bytes()), "version 1"),
        (patched(4, &3_u32.to_be_bytes()), "big-endian"),
        (patched(8, &huge), "tensors: length 18446744073709551615"),
        (patched(8, &0_u64.to_le_bytes()), "no tensors"),
        (patched(16, &huge), "keys: length"),
        (patched(24, &huge), "a string: length"),
        (patched(24, &(1_u64 << 19).to_le_bytes()), "truncated"),
        (with(&|g| g.key("x", 77, vec![])), "value type 77"),
        (
            with(&|g| g.key("x", 9, [&9_u32.to_le_bytes()[..], &[1; 8]].concat())),
            "is too large, at most",
        ),
        (
            with(&|g| g.key("x", 9, [&9_u32.to_le_bytes()[..], &[0; 8]].concat())),
            "arrays of type 9",
        ),
        (with(&|g| g.key("general.alignment", 4, vec![7, 0, 0, 0])), "'general.alignment': 7"),
        (with(&|g| g.tensor("t", &[8], 77, 0)), "type 77"),
        (with(&|g| g.tensor("t", &[8], 40, 0)), "type 40"),
        (with(&|g| g.tensor("t", &[8], 2, 0)), "is not valid for type Q4_0"),
        (with(&|g| g.tensor("t", &[0], 0, 0)), "is not valid for type F32"),
        (with(&|g| g.tensor("t", &[], 0, 0)), "0 dimensions"),
        (with(&|g| g.tensor("t", &[1 << 40, 1 << 40], 0, 0)), "is not valid for type F32"),
        (with(&|g| g.tensor("t", &[8], 0, u64::MAX - 31)), "truncated: tensor 't'"),
        (with(&|g| g.tensor("t", &[8], 0, 5)), "not aligned"),
        (with(&|g| g.data_bytes = 100), "truncated: tensor 'token_embd.weight'"),
        (with(&|g| g.number("quipu.attention.head_count", 0)), "attention.head_count"),
        (with(&|g| g.number("quipu.block_count", u32::MAX)), "block_count"),
        (with(&|g| g.text("tokenizer.ggml.model", "none")), "no tokenizer"),
        (
            with(&|g| g.key("quipu.attention.layer_norm_rms_epsilon", 6, vec![0, 0, 128, 191])),
            "epsilon",
        ),
        (
            with(&|g| g.key("quipu.attention.layer_norm_rms_epsilon", 6, vec![0, 0, 192, 127])),
            "epsilon",
        ),
        (with(&|g| g.number("quipu.expert_count", 8)), "expert_used_count"),
        (sound.without("general.architecture").bytes(), "general.architecture"),
        (sound.without("quipu.embedding_length").bytes(), "quipu.embedding_length"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fault.gguf");
    for (bytes, says) in cases {
        std::fs::write(&path, bytes).unwrap();
        let error = planned(&path).expect_err(says);
        assert_eq!(error.kind, Kind::BadModel, "{error}");
        assert!(error.message.contains(says), "{says}: {error}");
        assert!(error.message.contains("fault.gguf"));
    }
}

/// Later parts have no architecture, the first may lack tensors: the split is checked first.
#[test]
fn a_part_of_a_split_model_is_refused_with_the_command_that_merges_it() {
    let mut part = GgufWriter::empty();
    part.number("split.count", 3);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), part.bytes()).unwrap();
    let error = model::open(&Weights::model(file.path())).unwrap_err();
    assert!(error.message.contains("one of 3 parts"), "{error}");
    assert!(error.remedy.contains("llama-gguf-split --merge"), "{}", error.remedy);
}

#[test]
fn a_pipe_is_refused_without_waiting_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.gguf");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let output = solverbox().arg("verify").arg(&pipe).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stdout).contains("it is not a file"), "{}", text(&output.stdout));
}

/// Seeded damage anywhere in a header is an error or a header, never a panic or a huge allocation.
#[test]
fn ten_thousand_damaged_headers_never_panic() {
    use rand_chacha::rand_core::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let sound = GgufWriter::unknown_architecture().bytes();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.gguf");
    for _ in 0..10_000 {
        let mut bytes = sound.clone();
        for _ in 0..1 + random.next_u32() % 4 {
            let at = random.next_u32() as usize % 512;
            bytes[at] = match random.next_u32() % 3 {
                0 => 0xFF,
                1 => 0,
                _ => random.next_u32() as u8,
            };
        }
        if random.next_u32().is_multiple_of(4) {
            bytes.truncate(random.next_u32() as usize % bytes.len());
        }
        std::fs::write(&path, bytes).unwrap();
        let _ = planned(&path);
    }
}

#[test]
fn the_table_of_tensor_types_matches_ggml() {
    for ours in model::types::TYPES {
        // SAFETY: these read constant tables, and every ID of the table is below GGML_TYPE_COUNT.
        let (elements, bytes) = unsafe {
            let id = ours.id as llama_cpp_sys_2::ggml_type;
            (llama_cpp_sys_2::ggml_blck_size(id), llama_cpp_sys_2::ggml_type_size(id))
        };
        assert_eq!(ours.block_elements as i64, elements, "{}", ours.name);
        assert_eq!(ours.block_bytes as usize, bytes, "{}", ours.name);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn types_without_kernels_are_those_without_a_dot_product() {
    unsafe extern "C" {
        fn ggml_get_type_traits_cpu__x86_64_v2(
            id: llama_cpp_sys_2::ggml_type,
        ) -> *const llama_cpp_sys_2::ggml_type_traits_cpu;
    }
    for ours in model::types::TYPES {
        // SAFETY: returns the address of a constant table's row.
        let kernels = unsafe { &*ggml_get_type_traits_cpu__x86_64_v2(ours.id as _) };
        assert_eq!(ours.has_kernels(), kernels.vec_dot.is_some(), "{}", ours.name);
    }
}

#[test]
fn weights_of_a_type_without_kernels_are_refused_by_name() {
    let mut gguf = GgufWriter::unknown_architecture();
    gguf.append("blk.0.ffn_up.weight", &[256], 15);
    refused(&gguf.bytes(), 4, "tensor 'blk.0.ffn_up.weight' has type Q8_K, which no kernel");
    let mut gguf = GgufWriter::unknown_architecture();
    gguf.append("output_norm.weight", &[32], 1);
    refused(&gguf.bytes(), 4, "tensor 'output_norm.weight' is a vector of type F16");
}

#[test]
fn inspect_describes_a_file_that_cannot_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("encoder.gguf");
    std::fs::write(&path, GgufWriter::of("bert").bytes()).unwrap();
    let output = solverbox().arg("inspect").arg(&path).output().unwrap();
    let stdout = text(&output.stdout);
    assert!(output.status.success() && stdout.contains("cannot generate text"), "{stdout}");
    std::fs::write(&path, "GGUF").unwrap();
    let output = solverbox().arg("inspect").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn inspect_describes_the_file() {
    for file in [model().to_str().unwrap(), "demo"] {
        let output = solverbox().arg("inspect").arg(file).output().unwrap();
        let stdout = text(&output.stdout);
        let bytes = format!("{} bytes", std::fs::metadata(model()).unwrap().len());
        for says in [file, &bytes, "qwen2", "4 layers", "Q8_0", "512 tokens", "<|im_start|>"] {
            assert!(stdout.contains(says), "{says}: {stdout}");
        }
    }
}
