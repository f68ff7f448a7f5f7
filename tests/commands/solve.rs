//! `solverbox solve`, and the settings that all commands share.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::{model, send_signal, solve, solve_with, solverbox, text, thinking_model};

fn json(args: &[&str]) -> Value {
    let output = solve(&[&["--json", "--mode", "plain"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn a_question_gets_a_real_answer_as_json_with_every_field() {
    let answer = json(&["--temperature", "0", "What is 2+2?"]);
    let fields: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "question",
        "model",
        "mode",
        "thinking",
        "answer",
        "boxed",
        "prompt_tokens",
        "completion_tokens",
        "tokens_per_second",
        "finish",
    ];
    assert_eq!(fields, expected);
    assert!(!answer["answer"].as_str().unwrap().is_empty());
    assert_eq!((&answer["question"], &answer["boxed"]), (&"What is 2+2?".into(), &"4".into()));
    assert_eq!((&answer["mode"], &answer["finish"]), (&"plain".into(), &"done".into()));
    assert!(answer["prompt_tokens"].as_u64().unwrap() > 10);
    assert!(answer["tokens_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn text_goes_to_stdout_and_one_line_of_figures_to_stderr() {
    let output = solve(&["--mode", "plain", "--temperature", "0", "What is 2+2?"]);
    assert!(output.status.success());
    assert!(!text(&output.stdout).trim().is_empty());
    let stderr = text(&output.stderr);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for says in ["prompt", "generated", "tokens/s", "first token after"] {
        assert!(stderr.contains(says), "{stderr}");
    }
}

#[test]
fn attempts_vote_on_one_answer_and_the_tally_is_printed_as_they_end() {
    let question = ["--seed", "1", "--attempts", "4", "--drafts", "off", "What is 348 + 577?"];
    let output = solve(&question);
    let stderr = text(&output.stderr);
    let tallies: Vec<&str> =
        stderr.lines().filter(|line| line.contains(" of 4 attempts")).collect();
    let last = tallies.last().expect("the votes");
    assert!(last.contains(" attempts have ended: "), "{stderr}");
    let leader = last.split_once(": ").unwrap().1.split(" ×").next().unwrap();
    assert!(text(&output.stdout).contains(&format!("\\boxed{{{leader}}}")), "{stderr}");
    assert!(!stderr.contains('\r') && !stderr.contains('\x1b'), "not a terminal: {stderr:?}");
    let answer: Value =
        serde_json::from_slice(&solve(&[&["--json"], &question[..]].concat()).stdout).unwrap();
    assert_eq!(answer["votes"][0]["value"], leader);
}

#[test]
fn the_budget_is_used_in_full() {
    let answer = json(&["--temperature", "0", "--budget-tokens", "7", "Count from 1 to 100."]);
    assert_eq!((&answer["finish"], &answer["completion_tokens"]), (&"budget".into(), &7.into()));
    let answer = json(&["--ignore-eos", "--budget-tokens", "40", "--temperature", "0", "2+2?"]);
    assert_eq!((&answer["finish"], &answer["completion_tokens"]), (&"budget".into(), &40.into()));
}

#[test]
fn a_full_context_ends_the_answer_instead_of_failing() {
    let answer = json(&["--context-tokens", "256", "--ignore-eos", "Count for ever."]);
    assert_eq!(answer["finish"], "budget");
    let tokens =
        answer["prompt_tokens"].as_u64().unwrap() + answer["completion_tokens"].as_u64().unwrap();
    assert_eq!(tokens, 257, "the last token drawn needs no room");
}

#[test]
fn the_same_seed_repeats_an_answer_and_another_does_not() {
    let ask = |seed| {
        let args =
            ["--seed", seed, "--temperature", "5", "--budget-tokens", "200", "Tell a story."];
        json(&args)["answer"].as_str().unwrap().to_string()
    };
    assert_eq!(ask("5"), ask("5"));
    assert_ne!(ask("5"), ask("6"));
}

#[test]
fn a_question_may_come_from_standard_input() {
    let mut child = solve_with(&model(), &["--json", "--budget-tokens", "2", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("数 17×23?\n".as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["question"], "数 17×23?\n");
    assert_eq!(answer["mode"], "math");
}

#[test]
fn standard_input_that_is_not_text_or_too_long_is_refused() {
    for (bytes, code) in [(vec![0xFF, 0xFE], 2), (vec![b'x'; (512 << 10) + 1], 7), (vec![b' '], 2)]
    {
        let mut child = solve_with(&model(), &["-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(&bytes);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    }
}

#[test]
fn a_question_over_the_limit_is_refused_with_both_numbers() {
    let output = solve(&["--question-tokens-max", "20", &"7 ".repeat(100)]);
    assert_eq!(output.status.code(), Some(7));
    let stderr = text(&output.stderr);
    assert!(stderr.contains(" tokens, at most 20 are allowed"), "{stderr}");
    let output = solve(&["--question-tokens-max", "20", &"seven ".repeat(100)]);
    assert_eq!(output.status.code(), Some(7));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("600 bytes, at most 320 are allowed"), "without tokenizing: {stderr}");
}

#[test]
fn bad_flags_are_named_and_an_unknown_mode_lists_the_known_ones() {
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--threads", "0", "q"], 2, "--threads"),
        (&["--temperature", "hot", "q"], 2, "--temperature"),
        (&["--kv", "q4_0", "q"], 2, "--kv"),
        (&["--context-tokens", "40000", "q"], 2, "trained for 32768"),
        (&["--mode", "chess", "q"], 8, "math, code, hint, review, proof, plain"),
        (&["--modes", "/nowhere.toml", "q"], 8, "/nowhere.toml"),
    ];
    for (args, code, says) in cases {
        let mut command = solverbox();
        let output = command.arg("solve").arg("--model").arg(model()).args(args).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 2, "{stderr}");
    }
}

#[test]
fn review_reads_the_students_attempt_and_needs_one() {
    let output = solve(&["--mode", "review", "What is 2+2?"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--student-attempt"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"2+2 is 5, because I said so.").unwrap();
    let path = file.path().to_str().unwrap();
    let args = ["--json", "--mode", "review", "--budget-tokens", "4", "--student-attempt", path];
    let output = solve(&[&args[..], &["What is 2+2?"]].concat());
    let with: Value = serde_json::from_slice(&output.stdout).unwrap();
    let plain = json(&["--budget-tokens", "1", "What is 2+2?"]);
    assert!(with["prompt_tokens"].as_u64() > plain["prompt_tokens"].as_u64());
}

#[test]
fn flags_override_the_environment_which_overrides_the_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "mode = \"plain\"\nbudget-tokens = 3\njson = true\nthreads = 2").unwrap();
    let ask = |args: &[&str], environment: &[(&str, &str)]| {
        let mut command = solverbox();
        command.arg("solve").arg("--config").arg(&file).args(args).arg("Count to 100.");
        command.env("SOLVERBOX_MODEL", model()).envs(environment.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (answer["mode"].clone(), answer["completion_tokens"].clone())
    };
    assert_eq!(ask(&[], &[]), ("plain".into(), 3.into()));
    let environment = [("SOLVERBOX_BUDGET_TOKENS", "4"), ("SOLVERBOX_MODE", "code")];
    assert_eq!(ask(&[], &environment), ("code".into(), 4.into()));
    assert_eq!(ask(&["--budget-tokens", "5"], &environment), ("code".into(), 5.into()));
}

#[test]
fn an_owners_modes_file_changes_what_a_mode_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    let own = "[[mode]]\nname='short'\nsystem='Be short.'\nbudget_tokens=2\nabout='Two tokens'";
    std::fs::write(&file, own).unwrap();
    let path = file.to_str().unwrap();
    let answer = json(&["--modes", path, "--mode", "short", "Tell me a story."]);
    assert_eq!(answer["completion_tokens"], 2);
    let listed = solverbox().args(["modes", "--modes", path]).output().unwrap();
    let listed = text(&listed.stdout);
    assert!(listed.contains("short") && listed.contains("Two tokens") && listed.contains("math"));
}

#[test]
fn the_newest_model_in_the_folder_is_used_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(model(), folder.path().join("only.gguf")).unwrap();
    let mut command = solverbox();
    command.args(["solve", "--log", "info", "--budget-tokens", "1", "--models"]);
    let output = command.arg(folder.path()).arg("2+2?").output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("only.gguf"), "{}", text(&output.stderr));
}

/// Starts an answer that would run for minutes.
fn endless(args: &[&str]) -> (Child, ChildStdout) {
    let args = [args, &["--ignore-eos", "--mode", "plain", "Count for ever."]].concat();
    let mut child =
        solve_with(&model(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    (child, stdout)
}

#[test]
fn ctrl_c_stops_and_keeps_the_text_so_far() {
    let (child, mut stdout) = endless(&[]);
    stdout.read_exact(&mut [0; 8]).unwrap();
    send_signal(child.id(), "INT");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(rest.ends_with('\n'), "the answer so far is complete: {rest:?}");
    assert!(text(&output.stderr).contains("stopped"), "{}", text(&output.stderr));
}

#[test]
fn ctrl_c_still_prints_the_json_of_the_text_so_far() {
    let (mut child, mut stdout) = endless(&["--json", "--log", "info"]);
    // The engine is running once the desk logs that the model is loaded.
    let log = BufReader::new(child.stderr.take().unwrap());
    log.lines().map_while(Result::ok).find(|line| line.contains("is loaded")).unwrap();
    send_signal(child.id(), "INT");
    let mut json = String::new();
    stdout.read_to_string(&mut json).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(answer["finish"], "stopped");
}

#[test]
fn a_reader_that_closes_the_pipe_early_is_not_an_error() {
    let (child, mut stdout) = endless(&[]);
    stdout.read_exact(&mut [0; 8]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_reader_may_close_the_pipe_of_a_list_early() {
    for args in [&["modes"][..], &["inspect", model().to_str().unwrap()]] {
        let mut child =
            solverbox().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    }
}

#[test]
fn a_full_disk_is_named_as_the_cause() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = solverbox().arg("modes").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("No space left"), "{}", text(&output.stderr));
}

#[test]
fn an_8_bit_kv_cache_works() {
    let answer = json(&["--kv", "q8_0", "--temperature", "0", "What is 2+2?"]);
    assert!(!answer["answer"].as_str().unwrap().is_empty());
}

#[test]
fn an_empty_variable_is_not_set_and_1_means_yes() {
    let mut command = solve_with(&model(), &["--budget-tokens", "1", "2+2?"]);
    let output = command.env("SOLVERBOX_JSON", "1").env("SOLVERBOX_SEED", "").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok());
    let output = solverbox().arg("modes").env("SOLVERBOX_MODES", "").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut command = solverbox();
    let output = command.args(["solve", "q"]).env("SOLVERBOX_THREADS", "0").output().unwrap();
    assert!(text(&output.stderr).contains("SOLVERBOX_THREADS: "), "{}", text(&output.stderr));
}

#[test]
fn help_and_version_are_readable() {
    let help = solverbox().args(["solve", "--help"]).output().unwrap();
    assert!(help.status.success());
    let help = text(&help.stdout);
    assert!(help.contains("SOLVERBOX_BUDGET_TOKENS") && help.contains("review"));
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    let version = solverbox().arg("--version").output().unwrap();
    assert!(text(&version.stdout).contains(env!("CARGO_PKG_VERSION")));
}

/// On a pseudo terminal from util-linux's `script`.
#[test]
fn a_terminal_shows_readable_formulas_and_a_pipe_gets_the_models_own() {
    let command = format!(
        "{} solve --model demo --threads 1 --context-tokens 1024 --temperature 0 'What is 2+2?'",
        env!("CARGO_BIN_EXE_solverbox")
    );
    let mut script = std::process::Command::new("script");
    let output = script.args(["-qec", &command, "/dev/null"]).output().expect("`script` runs");
    let screen = text(&output.stdout);
    assert!(output.status.success(), "{screen}{}", text(&output.stderr));
    assert!(screen.contains("[ 4 ]") && !screen.contains("\\boxed"), "{screen}");
    let piped = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(text(&piped.stdout).contains("\\boxed{4}"), "{}", text(&piped.stdout));
}

#[test]
fn on_a_terminal_the_thinking_is_dimmed() {
    let folder = tempfile::tempdir().unwrap();
    let model = thinking_model(folder.path());
    let command = format!(
        "{} solve --model {} --threads 1 --context-tokens 1024 --budget-tokens 40 'What is 2+2?'",
        env!("CARGO_BIN_EXE_solverbox"),
        model.display()
    );
    let output = std::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .output()
        .expect("`script` of util-linux runs");
    let screen = text(&output.stdout);
    assert!(output.status.success(), "{screen}{}", text(&output.stderr));
    let dim = screen.find("\x1b[2m").expect("dimmed thinking");
    let plain = screen.find("\x1b[0m").expect("and its end");
    assert!(dim < plain, "{screen}");
}
