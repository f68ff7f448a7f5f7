//! `solverbox plan`: tables, JSON and exit codes; and the same plan in `solve`.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::shape::{Quantized, vibethinker};
use crate::support::{model, solverbox, text};

fn plan(args: &[&str]) -> Output {
    solverbox().arg("plan").args(args).output().unwrap()
}

/// Plans for a model of VibeThinker's shape in Q8_0.
fn plan_large(args: &[&str]) -> Output {
    let model = vibethinker(Quantized::Q8_0);
    plan(&[&["--model", model.to_str().unwrap()], args].concat())
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)))
}

#[test]
fn the_tables_show_what_takes_memory_what_fits_and_the_speed_limit() {
    let output = plan_large(&["--board", "pi5"]);
    let tables = text(&output.stdout);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{tables}{}",
        text(&output.stderr)
    );
    for says in [
        "kernels   armv8.2-dotprod (Raspberry Pi 5), 4 threads\n",
        "context   40,960 tokens in f16, shared by 8 sequences: 5,120 each\n",
        "weights, Q8_0                    1,564.1\n",
        "output head, repacked              236.5   a second copy of the embedding",
        "KV cache                         1,120.0   28,672 bytes per token\n",
        "\nfits: ",
        " of 3,396 MiB (4096 MiB of memory less 700 for the system)\n",
        "\n16 sequences ",
        "\nRaspberry Pi 5               6.2 ",
        "\nRaspberry Pi 5: 10.1 GB/s / GB per token\n",
        "G weights/s / 1.54 G weights per token\n",
    ] {
        assert!(tables.contains(says), "{says}\n{tables}");
    }
    assert!(tables.lines().all(|line| line.chars().count() <= 100), "{tables}");
}

#[test]
fn a_plan_that_does_not_fit_is_shown_and_exits_with_the_code_for_no_memory() {
    let output =
        plan_large(&["--ram", "3G", "--context-tokens", "40960", "--kv", "f16", "--board", "pi5"]);
    assert_eq!(output.status.code(), Some(5));
    let (tables, error) = (text(&output.stdout), text(&output.stderr));
    assert!(
        tables.contains("\ndoes not fit: 3,0") && tables.contains(" of 2,372 MiB "),
        "{tables}"
    );
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(
        error.contains("needs 30") && error.contains("2372 MiB can be used (3072 MiB"),
        "{error}"
    );
    // The context in the remedy fits, and one step more does not.
    let asked = ["--ram", "3G", "--board", "pi5", "--kv", "f16", "--sequences", "8"];
    let most = object(&plan_large(&[&["--json"], &asked[..]].concat()));
    let tokens = most["context_tokens"].as_u64().unwrap();
    assert!(error.contains(&format!("({tokens} fits in f16, ")), "{tokens}: {error}");
    assert_eq!(most["largest"][3]["f16_context_tokens"], tokens);
    let (fitting, more) = (tokens.to_string(), (tokens + 256).to_string());
    for (tokens, code) in [(&fitting, 0), (&more, 5)] {
        let output = plan_large(&[&asked[..], &["--context-tokens", tokens]].concat());
        assert_eq!(output.status.code(), Some(code), "{tokens}");
    }
    let none = plan_large(&["--ram", "2G", "--board", "pi5"]);
    assert_eq!(none.status.code(), Some(5));
    assert!(
        text(&none.stderr).contains("Use a smaller model or quantization (Q4)."),
        "{}",
        text(&none.stderr)
    );
}

#[test]
fn the_json_adds_up() {
    let output =
        plan_large(&["--json", "--board", "pi5", "--context-tokens", "8192", "--kv", "q8_0"]);
    let plan = object(&output);
    let number = |key: &str| plan[key].as_u64().unwrap_or_else(|| panic!("{key}: {plan}"));
    let weights: u64 =
        plan["weights_bytes"].as_object().unwrap().values().map(|b| b.as_u64().unwrap()).sum();
    assert_eq!(weights, 1_640_622_080);
    assert_eq!(number("kv_bytes"), 8192 * 15_232);
    assert_eq!(
        (number("kv_bytes_per_token"), number("repacked_head_bytes")),
        (15_232, 247_959_552)
    );
    let parts =
        ["repacked_head_bytes", "adapter_bytes", "kv_bytes", "compute_bytes", "logits_bytes"];
    let others = ["vocabulary_bytes", "program_bytes"];
    let sum: u64 = parts.into_iter().chain(others).map(number).sum::<u64>() + weights;
    assert_eq!((number("running_bytes"), number("total_bytes")), (sum, sum));
    assert_eq!(number("available_bytes"), (4096 - 700) << 20);
    assert_eq!((&plan["sequences"], &plan["fits"]), (&2.into(), &true.into()), "4,096 tokens each");
    // The output head is read once a token, though it is held twice.
    assert_eq!(number("read_bytes_per_token"), 1_640_622_080);
    assert_eq!(number("half_full_read_bytes_per_token"), 1_640_622_080 + 4096 * 15_232);
}

#[test]
fn the_defaults_are_the_longest_context_and_then_the_better_cache_type() {
    let chosen = |ram: &str| {
        let plan = object(&plan_large(&["--json", "--board", "pi5", "--ram", ram]));
        (plan["context_tokens"].as_u64().unwrap(), plan["kv"].as_str().unwrap().to_string())
    };
    assert_eq!(chosen("4G"), (40_960, "f16".into()));
    assert_eq!(chosen("3500M"), (40_960, "q8_0".into()));
    let (tokens, kv) = chosen("3G");
    assert!(
        (20_000..40_000).contains(&tokens) && tokens % 256 == 0 && kv == "q8_0",
        "{tokens} {kv}"
    );
}

#[test]
fn an_invalid_setting_is_named() {
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--ram", "4T"], 2, "such as 4G, 700M"),
        (&["--ram", "99999G"], 2, "at most 16384G"),
        (&["--reserve", "G"], 2, "--reserve"),
        (&["--board", "pi4"], 2, "pi5 and nano"),
        (&["--kernels", "neon"], 2, "armv8.0, armv8.2-dotprod, armv8.6-i8mm, x86-64-v2"),
        (&["--sequences", "17"], 2, "--sequences"),
        (&["--context-tokens", "40000"], 2, "trained for 32768"),
        (&["--model", "/nowhere.gguf"], 3, "/nowhere.gguf"),
    ];
    for (args, code, says) in cases {
        let model = if args[0] == "--model" { Vec::new() } else { vec!["--model", "demo"] };
        let output = plan(&[&model[..], args].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(says), "{args:?}: {error}");
    }
}

#[test]
fn solve_logs_the_same_plan() {
    let flags = ["--context-tokens", "8192", "--threads", "1"];
    let planned =
        solverbox().args(["plan", "--json", "--model"]).arg(model()).args(flags).output().unwrap();
    let planned = object(&planned);
    let mut solve = solverbox();
    solve.args(["solve", "--log", "info", "--budget-tokens", "1", "--model"]).arg(model());
    let log = text(&solve.args(flags).arg("2+2?").output().unwrap().stderr);
    let total = planned["total_bytes"].as_u64().unwrap().div_ceil(1 << 20);
    for says in ["in f16 for 8192 tokens and 2 sequences, ", &format!("; {total} of ")] {
        assert!(log.contains(says), "{says}: {log}");
    }
}

#[test]
fn the_address_space_limit_is_planned_for_and_respected() {
    let limited = |kib: &str, command: &str| {
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", kib]);
        limited.arg(solverbox().get_program()).args([command, "--model"]).arg(model());
        limited
    };
    let planned = object(&limited("1200000", "plan").arg("--json").output().unwrap());
    // A server reserves a GiB of addresses that it never fills.
    assert_eq!(planned["available_bytes"], (1_200_000_u64 << 10) - (1 << 30), "{planned}");
    assert_eq!(planned["available_by"], "the limit of the address space, ulimit -v");
    let mut solve = limited("1120000", "solve");
    let output = solve.args(["--budget-tokens", "2", "2+2?"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = limited("1000000", "solve").arg("2+2?").output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let error = text(&output.stderr);
    assert!(error.contains("or raise `ulimit -v`"), "{error}");
}
