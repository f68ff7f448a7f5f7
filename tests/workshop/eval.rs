//! `solverbox eval`: figures that can be counted by hand, faults with their line, and interrupted
//! runs that continue.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{model, root, send_signal, solve, solverbox, text};
use solverbox::answers::value::{Value as Answer, groups, of_reply};

const SET: &str = "tests/data/arithmetic-heldout.jsonl";

fn command(args: &[&str]) -> Command {
    let mut command = solverbox();
    command.args(["eval", "--threads", "1", "--model"]).arg(model()).args(args);
    command.current_dir(root());
    command
}

fn json(args: &[&str]) -> Value {
    let output = command(&[&["--json"], args].concat()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_figures_are_those_counted_from_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("records.jsonl");
    // Long enough for most answers; a few are cut off.
    let budget = ["--budget-tokens", "110"];
    let args = ["--set", SET, "--limit", "30", "--attempts", "3", "--out", out.to_str().unwrap()];
    let scores = json(&[&args[..], &budget].concat());
    let (set, records) = (lines(&root().join(SET)), lines(&out));
    assert_eq!(records.len(), 1 + 30 * 3, "one line for the run, one for each attempt");
    let ids = |lines: &[Value]| lines.iter().map(|line| line["id"].clone()).collect::<Vec<_>>();
    let in_order: Vec<Value> = ids(&set[..30]).into_iter().flat_map(|id| vec![id; 3]).collect();
    assert_eq!(ids(&records[1..]), in_order, "the questions are in order, whatever ended first");
    let (mut right, mut any, mut tokens, mut cut, mut votes) = (0, 0, 0, 0, 0.0);
    for question in &set[..30] {
        let truth = Answer::parse(question["answer"].as_str().unwrap());
        let attempts: Vec<&Value> = records.iter().filter(|r| r["id"] == question["id"]).collect();
        let seeds: Vec<u64> = attempts.iter().map(|r| r["seed"].as_u64().unwrap()).collect();
        assert_eq!(seeds, [1, 2, 3], "{question}");
        let is_right = |r: &&&Value| of_reply(r["answer"].as_str().unwrap()) == truth;
        let count = attempts.iter().filter(is_right).count();
        right += count;
        any += usize::from(count > 0);
        cut += attempts.iter().filter(|r| r["finish"] == "budget").count();
        let values: Vec<Answer> =
            attempts.iter().filter_map(|r| of_reply(r["answer"].as_str().unwrap())).collect();
        let groups = groups(&values);
        let most = groups.iter().map(Vec::len).max().unwrap_or(0);
        let winners: Vec<_> = groups.iter().filter(|group| group.len() == most).collect();
        if winners.iter().any(|group| Some(&values[group[0]]) == truth.as_ref()) {
            votes += 1.0 / winners.len() as f64;
        }
        tokens += attempts.iter().map(|r| r["completion_tokens"].as_u64().unwrap()).sum::<u64>();
    }
    let near = |measure: &Value, expected: f64| {
        let value = measure.as_f64().unwrap();
        assert!((value - expected).abs() < 1e-9, "{value} instead of {expected}: {scores}");
    };
    near(&scores["pass_at_1"]["share"], right as f64 / 90.0);
    near(&scores["cons_at_k"]["share"], votes / 30.0);
    near(&scores["pass_at_k"]["share"], any as f64 / 30.0);
    near(&scores["cut_off"], cut as f64 / 90.0);
    assert!(cut > 0 && cut < 90, "the budget cuts off some: {cut}");
    near(&scores["mean_completion_tokens"], tokens as f64 / 90.0);
    assert_eq!((&scores["questions"], &scores["samples"]), (&30.into(), &90.into()));
    let families = scores["families"].as_object().unwrap();
    let sum: u64 = families.values().map(|family| family["questions"].as_u64().unwrap()).sum();
    assert!(families.len() == 2 && sum == 30, "{scores}");
}

#[test]
fn an_attempt_can_be_repeated_by_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("records.jsonl");
    json(&["--set", SET, "--limit", "1", "--seeds", "7-8,11", "--out", out.to_str().unwrap()]);
    let question = lines(&root().join(SET))[0]["question"].as_str().unwrap().to_string();
    for record in &lines(&out)[1..] {
        let seed = record["solve_seed"].to_string();
        let output = solve(&["--json", "--seed", &seed, &question]);
        let again: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&again["answer"], &again["thinking"]),
            (&record["answer"], &record["thinking"])
        );
    }
}

#[test]
fn an_interrupted_run_continues_and_ends_like_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("records.jsonl");
    // One at a time, an attempt is the same to the last bit.
    let args = ["--set", SET, "--limit", "8", "--attempts", "2", "--sequences", "1"];
    let args = [&args[..], &["--out", out.to_str().unwrap()]].concat();
    let whole = json(&args);
    let records = std::fs::read_to_string(&out).unwrap();
    std::fs::write(&out, &records.as_bytes()[..records.len() / 2]).unwrap();
    let resumed = json(&[&args[..], &["--resume"]].concat());
    for field in ["pass_at_1", "cons_at_k", "pass_at_k", "mean_completion_tokens", "families"] {
        assert_eq!(whole[field], resumed[field]);
    }
    assert_eq!(lines(&out).len(), 17);
    let output = command(&[&args[..], &["--resume"]].concat()).output().unwrap();
    assert!(text(&output.stdout).contains("no attempts were missing"), "a third time");
    let output = command(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "without --resume nothing is overwritten");
    let output = command(&[&args[..], &["--resume", "--mode", "plain"]].concat()).output().unwrap();
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("the recorded run had mode \"math\", this one has \"plain\""),
        "{stderr}"
    );
}

#[test]
fn a_killed_run_of_attempts_side_by_side_continues_with_nothing_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("records.jsonl");
    let args = ["--set", SET, "--limit", "40", "--attempts", "4", "--out", out.to_str().unwrap()];
    let mut child = command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    crate::support::wait_until("some attempts", || {
        std::fs::read_to_string(&out).is_ok_and(|text| text.lines().count() > 12)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let kept: Vec<Value> = text[..text.rfind('\n').unwrap()]
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let set = lines(&root().join(SET));
    let place = |record: &Value| set.iter().position(|question| question["id"] == record["id"]);
    let ended: Vec<_> = kept[1..].iter().map(place).collect();
    assert!(!ended.is_sorted(), "a short attempt ends before a long one of an earlier question");
    json(&[&args[..], &["--resume"]].concat());
    let records = lines(&out);
    assert!(kept.iter().all(|line| records.contains(line)), "what had ended stays as it was");
    let made: Vec<(Value, u64)> =
        records[1..].iter().map(|r| (r["id"].clone(), r["seed"].as_u64().unwrap())).collect();
    let questions = set[..40].iter().map(|question| question["id"].clone());
    let all: Vec<_> = questions.flat_map(|id| (1..=4).map(move |s| (id.clone(), s))).collect();
    assert_eq!(made, all, "each attempt once, in order");
}

#[test]
fn a_run_continues_only_with_the_questions_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let (set, out) = (folder.path().join("own.jsonl"), folder.path().join("records.jsonl"));
    let (set_file, out_file) = (set.to_str().unwrap(), out.to_str().unwrap());
    let args = ["--set", set_file, "--out", out_file, "--resume", "--temperature", "0"];
    let line = |sum: &str, answer: u32| {
        format!("{{\"question\": \"What is {sum}?\", \"answer\": {answer}}}\n")
    };
    std::fs::write(&set, line("2+2", 5)).unwrap();
    json(&args);
    // A corrected answer needs no new attempt.
    std::fs::write(&set, line("2+2", 4)).unwrap();
    assert_eq!(json(&args)["pass_at_1"]["share"], 1.0);
    // Without IDs a question is known by its line, which has another question now.
    std::fs::write(&set, line("3+3", 6) + &line("2+2", 4)).unwrap();
    let stderr = text(&command(&args).output().unwrap().stderr);
    assert!(stderr.contains("line 2: question '1' had a different text"), "{stderr}");
}

#[test]
fn a_question_that_is_too_long_counts_as_unanswered() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("own.jsonl");
    let long = |bytes: usize| {
        format!(
            "{{\"id\": \"{bytes}\", \"question\": \"{}\", \"answer\": 1}}\n",
            "x ".repeat(bytes / 2)
        )
    };
    let lines = long(3_000)
        + &long(60_000)
        + "{\"id\": \"short\", \"question\": \"What is 2+2?\", \"answer\": 4}";
    std::fs::write(&set, lines).unwrap();
    let args = ["--set", set.to_str().unwrap(), "--question-tokens-max", "200"];
    let output =
        command(&[&args[..], &["--json", "--temperature", "0"]].concat()).output().unwrap();
    let stderr = text(&output.stderr);
    for id in ["3000", "60000"] {
        assert!(stderr.contains(&format!("question '{id}' is too long")), "{stderr}");
    }
    let scores: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&scores["samples"], &scores["questions"]), (&3.into(), &3.into()));
    assert!((scores["pass_at_1"]["share"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9, "{scores}");
}

#[test]
fn a_mode_that_needs_more_than_a_question_is_refused() {
    let output = command(&["--set", SET, "--mode", "review"]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("--mode: 'review'") && stderr.contains("another mode"), "{stderr}");
}

#[test]
fn ctrl_c_ends_a_run_with_the_command_that_continues_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("records.jsonl");
    let args = ["--set", SET, "--attempts", "64", "--out", out.to_str().unwrap()];
    let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::support::wait_until("an attempt", || {
        std::fs::read_to_string(&out).is_ok_and(|text| text.lines().count() > 2)
    });
    send_signal(child.id(), "INT");
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let stderr: Vec<String> = stderr.lines().map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = stderr.last().unwrap();
    assert!(last.contains("--resume") && last.contains("records.jsonl"), "{stderr:?}");
}

#[test]
fn the_table_has_a_line_for_each_family_and_one_for_all() {
    let output = command(&["--set", SET, "--limit", "26", "--temperature", "0"]).output().unwrap();
    let table = text(&output.stdout);
    let first: Vec<&str> = table.lines().map(|line| line.split(' ').next().unwrap_or("")).collect();
    assert_eq!(first[..4], ["family", "addition", "subtraction", "all"], "{table}");
    assert!(table.contains("cons@1") && table.contains("tokens/s"), "{table}");
    assert!(text(&output.stderr).contains("26/26 attempts"), "{}", text(&output.stderr));
}

#[test]
fn the_prompt_of_the_published_evaluation_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = |form: &str| {
        let out = folder.path().join(form);
        let out = out.to_str().unwrap();
        json(&["--set", SET, "--limit", "1", "--prompt", form, "--out", out]);
        lines(Path::new(out))[1]["prompt_tokens"].as_u64().unwrap()
    };
    assert!(tokens("published") < tokens("mode") / 2, "no system prompt");
}

#[test]
fn a_fault_of_a_question_set_is_named_with_its_line() {
    let good = r#"{"id": "a", "question": "1+1?", "answer": "2"}"#;
    let cases = [
        (format!("{good}\n{{\"id\"\n"), "line 2: not JSON"),
        (format!("{good}\n{{\"question\": \"1+2?\"}}\n"), "line 2: field 'answer' is missing"),
        (r#"{"id": "a", "question": "1+1?"}"#.to_string(), "line 1: field 'answer' is missing"),
        (format!("{good}\n\n{good}\n"), "line 3: id 'a' was used in line 1"),
        (String::new(), "it contains no questions"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("own.jsonl");
    for (lines, says) in cases {
        std::fs::write(&set, lines).unwrap();
        let output = command(&["--set", set.to_str().unwrap()]).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("own.jsonl") && stderr.contains(says), "{says}: {stderr}");
        assert_eq!(stderr.lines().count(), 2, "{stderr}");
    }
    let output = command(&["--set", "/nowhere.jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(8));
    assert!(text(&output.stderr).contains("'/nowhere.jsonl': No such file"));
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let cases: [(&[&str], &str); 5] = [
        (&["--set", SET, "--seeds", "1-3", "--attempts", "2"], "3 seeds do not match 2 --attempts"),
        (&["--set", SET, "--seeds", "1,1"], "seed 1 is listed twice"),
        (&["--set", SET, "--seeds", "x"], "--seeds"),
        (&["--set", SET, "--resume"], "--out"),
        (&[], "--set"),
    ];
    for (args, says) in cases {
        let output = command(args).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
}
