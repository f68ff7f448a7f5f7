//! `bench` and `tune`: their measurements are complete and finite, and tuned settings are read
//! back. The speeds themselves depend on the machine and are not judged here.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{model, model_q4_0, root, send_signal, solverbox, text, wait_until};

/// Runs a measuring command on the demo model with one thread, since tests run concurrently.
fn measured(args: &[&str]) -> Output {
    let mut command = solverbox();
    command.args(args).args(["--threads", "1"]).arg("--model").arg(model());
    command.output().expect("solverbox starts")
}

fn done(args: &[&str]) -> String {
    let output = measured(args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Asserts that every number of a JSON value is finite and positive, except depths and notes.
fn assert_positive(value: &Value, path: &str) {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().expect("a number");
            let may_be_zero = path.ends_with("depth_tokens");
            let positive = number > 0.0 || (may_be_zero && number == 0.0);
            assert!(number.is_finite() && positive, "{path} is {number}");
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, v)| assert_positive(v, &format!("{path}[{at}]")))
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, v)| assert_positive(v, &format!("{path}.{key}")))
        }
        Value::Null => panic!("{path} is not a number"),
        Value::String(_) | Value::Bool(_) => {}
    }
}

/// Counts the lines and marks of a plot with Python's XML parser.
fn lines_and_marks(svg: &Path) -> Vec<usize> {
    let python = root().join("target/venv/bin/python");
    assert!(python.is_file(), "Python is missing: run `build/prepare.sh test`");
    let count = "import sys, xml.etree.ElementTree as tree\n\
        tags = [e.tag.split('}')[1] for e in tree.parse(sys.argv[1]).iter()]\n\
        print(tags.count('polyline'), tags.count('circle'))";
    let counted = Command::new(python).arg("-c").arg(count).arg(svg).output().unwrap();
    assert!(counted.status.success(), "{}", text(&counted.stderr));
    text(&counted.stdout).split_whitespace().map(|n| n.parse().unwrap()).collect()
}

#[test]
fn a_bench_measures_passes_and_questions_and_plots_them() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("a & b.svg");
    let args = ["bench", "--quick", "--json", "--context-tokens", "2048", "--svg"];
    let said = done(&[&args[..], &[svg.to_str().unwrap()]].concat());
    let bench: Value = serde_json::from_str(&said).unwrap();
    assert_positive(&bench, "bench");
    let places = |list: &str, size: &str| -> Vec<(u64, u64)> {
        let rows = bench[list].as_array().unwrap().iter();
        rows.map(|row| (row["depth_tokens"].as_u64().unwrap(), row[size].as_u64().unwrap()))
            .collect()
    };
    let all = [0, 1024].map(|depth| [1, 4, 8].map(|batch| (depth, batch))).concat();
    assert_eq!(places("decode", "batch"), all);
    assert_eq!(places("prefill", "slice_tokens"), [(0, 128), (1024, 128)]);
    for row in bench["decode"].as_array().unwrap() {
        let of = |name: &str| row[name].as_f64().unwrap();
        let bytes = bench["weights_bytes"].as_f64().unwrap()
            + of("depth_tokens") * bench["kv_bytes_per_token"].as_f64().unwrap();
        let share = bytes / of("seconds") / bench["read_bytes_per_second"].as_f64().unwrap();
        assert!((of("share_of_read_speed") / share - 1.0).abs() < 1e-9, "{row}");
        assert!((of("tokens_per_second") * of("seconds") / of("batch") - 1.0).abs() < 1e-9);
    }
    for (list, counts) in [("attempts", [1, 4, 8]), ("clients", [1, 4, 8])] {
        for (row, count) in bench[list].as_array().unwrap().iter().zip(counts) {
            assert_eq!(row[list], count);
            // Only the budget ends these answers, and it is never exceeded.
            assert_eq!(row["tokens"], 16 * count, "{row}");
        }
    }
    let drafts: Vec<&Value> =
        bench["streams"].as_array().unwrap().iter().map(|row| &row["drafts"]).collect();
    assert_eq!(drafts, ["off", "auto"]);
    let notes = bench["notes"].as_array().unwrap().iter().filter_map(Value::as_str);
    assert!(notes.clone().all(|note| !note.contains("not measured")), "{:?}", bench["notes"]);
    assert_eq!(lines_and_marks(&svg), [2, 6]);
}

#[test]
fn loads_that_do_not_fit_the_context_are_reported_and_the_rest_is_measured() {
    let args = ["bench", "--quick", "--context-tokens", "512", "--sequences", "4"];
    let table = done(&args);
    assert!(table.contains("1024 tokens and a pass of 128 do not fit"), "{table}");
    assert!(table.contains("batches of more than the 4 sequences planned"), "{table}");
    let row = table.lines().find(|line| line.starts_with("nothing before")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().skip(2).collect();
    assert!(cells.len() == 3 && cells[2] == "-", "{table}");
    assert!(cells[..2].iter().all(|cell| cell.parse::<f64>().unwrap() > 0.0), "{table}");
    assert!(table.contains("with drafts") && table.contains("8 clients"), "{table}");
}

#[test]
fn a_plot_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let output = measured(&["bench", "--svg", "/nowhere/plot.svg"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("cannot write '/nowhere/plot.svg'"), "{stderr}");
    assert!(output.stdout.is_empty());
    let own = model();
    let output = measured(&["bench", "--svg", own.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("it is the file being read"));
    for bad in [&["bench", "--quikc"][..], &["bench", "--threads", "0"]] {
        assert_eq!(solverbox().args(bad).output().unwrap().status.code(), Some(2), "{bad:?}");
    }
}

#[test]
fn ctrl_c_ends_a_bench_at_once_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let mut command = solverbox();
    command.args(["bench", "--threads", "1"]).arg("--model").arg(model());
    command.arg("--svg").arg(folder.path().join("plot.svg")).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    wait_until("the plot to be begun", || files() == 1);
    send_signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(files(), 0);
}

/// Runs `tune`; returns the data folder and the output.
fn tuned() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    // The folder does not exist yet.
    let data = folder.path().join("data");
    let said = done(&["tune", "--data", data.to_str().unwrap()]);
    (folder, said)
}

/// Returns the log of a `solve` with that folder.
fn log_of_solve(folder: &Path, also: &[&str]) -> String {
    let mut command = solverbox();
    command.args(["solve", "--log", "info", "--budget-tokens", "8", "--context-tokens", "512"]);
    command.arg("--data").arg(folder.join("data")).args(also);
    let output = command.arg("2+2?").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stderr)
}

const READ: &str = "1 threads for prompts and 1 for decoding, as tuned";

#[test]
fn tuned_settings_are_used_by_the_next_start() {
    let (folder, said) = tuned();
    for row in ["decoding 1 ", "decoding 4 ", "decoding 8 ", "prefill of 32 "] {
        let line = said.lines().find(|line| line.starts_with(row)).unwrap();
        let rate: f64 = line.split_whitespace().last().unwrap().parse().unwrap();
        assert!(rate.is_finite() && rate > 0.0, "{said}");
    }
    assert!(said.contains("threads for prefill: 1, for decoding: 1; saved in "), "{said}");
    let own = model();
    let demo = ["--model", own.to_str().unwrap()];
    assert!(log_of_solve(folder.path(), &demo).contains(READ));
    let named = log_of_solve(folder.path(), &[&demo[..], &["--threads", "1"]].concat());
    assert!(!named.contains("as tuned"), "a flag overrides them: {named}");
    let other = model_q4_0().to_str().unwrap();
    assert!(!log_of_solve(folder.path(), &["--model", other]).contains("as tuned"));
}

#[test]
fn tuned_settings_of_another_machine_or_in_a_damaged_file_are_ignored() {
    let (folder, _) = tuned();
    let file = folder.path().join("data/tuning.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    let own = model();
    let demo = ["--model", own.to_str().unwrap()];
    let cores = whole.lines().find(|line| line.starts_with("cores = ")).unwrap();
    std::fs::write(&file, whole.replace(cores, "cores = 63")).unwrap();
    assert!(!log_of_solve(folder.path(), &demo).contains("as tuned"));
    std::fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let log = log_of_solve(folder.path(), &demo);
    assert!(!log.contains(READ) && log.contains("ignoring tuned thread counts"), "{log}");
    // The next tune overwrites the file.
    done(&["tune", "--data", folder.path().join("data").to_str().unwrap()]);
    assert!(log_of_solve(folder.path(), &demo).contains(READ));
}
