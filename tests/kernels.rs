//! The kernel sets: chosen, refused, kept apart, and nothing of them where any processor must run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::fixture::{root, solve, solve_with, model, solverbox, text};
use solverbox::engine::kernels::missing;
use solverbox::words::kernels::{KernelSet, SETS};

fn runnable() -> impl Iterator<Item = &'static KernelSet> {
    SETS.iter().filter(|set| missing(set).is_empty())
}

#[test]
fn the_list_names_every_set_and_says_which_one_runs_and_why() {
    let output = solverbox().arg("kernels").output().unwrap();
    let list = text(&output.stdout);
    assert!(output.status.success(), "{list}");
    for set in SETS {
        assert!(list.contains(set.name), "{list}");
    }
    let best = runnable().last().unwrap().name;
    let line = list.lines().find(|line| line.contains("runs: ")).unwrap();
    assert!(line.starts_with(best) && line.contains("the best that can run here"), "{list}");
    assert_eq!(list.matches("runs: ").count(), 1);
}

#[test]
fn the_environment_can_name_another_set() {
    let modest = SETS[0].name;
    let output = solverbox().arg("kernels").env("SOLVERBOX_KERNELS", modest).output().unwrap();
    let list = text(&output.stdout);
    let line = list.lines().find(|line| line.contains("runs: ")).unwrap();
    assert!(line.starts_with(modest) && line.contains("it was asked for"), "{list}");
}

#[test]
fn a_set_nobody_knows_is_refused_with_those_there_are() {
    for command in ["kernels", "selftest"] {
        let output = solverbox().args([command, "--kernels", "quipu"]).output().unwrap();
        assert_refused(&output, &["no set 'quipu'", SETS[0].name, SETS[2].name]);
    }
    assert_refused(&solve(&["--kernels", "quipu", "2+2?"]), &["no set 'quipu'", SETS[0].name]);
}

fn assert_refused(output: &Output, says: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    says.iter().for_each(|word| assert!(stderr.contains(word), "{word}: {stderr}"));
}

/// A question's greedy answer by one set, and what the log says of kernels.
fn greedy(set: &str, question: &str) -> (String, String) {
    let args = ["--log", "info", "--json", "--mode", "plain", "--temperature", "0"];
    let mut command = solve_with(&model(), &args);
    command.args(["--budget-tokens", "24", "--kernels", set, question]);
    let output = command.output().unwrap();
    let (json, log) = (text(&output.stdout), text(&output.stderr));
    let answer: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}{log}"));
    (answer["answer"].as_str().unwrap().to_string(), log)
}

#[test]
fn every_set_that_runs_here_gives_the_same_greedy_answers() {
    let sets: Vec<&str> = runnable().map(|set| set.name).collect();
    for set in SETS.iter().filter(|set| !sets.contains(&set.name)) {
        println!("NOT CHECKED on this machine: {}, it lacks {:?}", set.name, missing(set));
    }
    for question in ["What is 17 × 23?", "Name the first four prime numbers."] {
        let answers: BTreeSet<String> = sets
            .iter()
            .map(|set| {
                let (answer, log) = greedy(set, question);
                assert!(log.contains(&format!("kernels: {set}")), "{log}");
                assert!(!answer.is_empty());
                answer
            })
            .collect();
        assert_eq!(answers.len(), 1, "{sets:?}: {answers:?}");
    }
}

// What follows takes the finished program apart.

/// Functions that ask the processor before they go beyond the baseline, or are called only by code
/// that has: Rust's and libgcc's own ways of doing so.
const DETECTED: &[&str] = &["memchr", "httparse", "std_detect", "rand_chacha", "cpufeatures"];

/// Where a C compiler keeps one of its archives.
fn archive(compiler: &str, name: &str) -> PathBuf {
    let output = Command::new(compiler).arg(format!("--print-file-name={name}")).output().unwrap();
    let path = PathBuf::from(text(&output.stdout).trim());
    assert!(path.is_absolute(), "{compiler} has no {name}: install the static C library");
    path
}

/// The names of all functions the C library defines; some have twins for newer processors, chosen
/// by its own resolvers at start.
fn names_of_libc(compiler: &str, nm: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for name in ["libc.a", "libm.a", "libgcc.a", "libgcc_eh.a"] {
        let file = archive(compiler, name);
        // On x86-64 libm.a is a linker script that names two archives.
        let script = std::fs::read(&file).unwrap();
        let files: Vec<PathBuf> = match script.starts_with(b"!<arch>") {
            true => vec![file],
            false => String::from_utf8_lossy(&script)
                .split_whitespace()
                .filter(|word| word.ends_with(".a"))
                .map(PathBuf::from)
                .collect(),
        };
        for file in files {
            let output = Command::new(nm).args(["--defined-only", "-f", "posix"]).arg(&file).output();
            let output = output.unwrap();
            let lines = String::from_utf8_lossy(&output.stdout).into_owned();
            names.extend(lines.lines().filter_map(|l| l.split(' ').next()).map(str::to_string));
        }
    }
    assert!(names.contains("memcpy"));
    names
}

/// Every distinct instruction of the functions that must run on any processor, with one function it
/// stands in. Addresses are cut off: they are not part of an instruction's kind.
fn baseline_instructions(binary: &Path, objdump: &str, libc: &BTreeSet<String>) -> Vec<(String, String)> {
    let output = Command::new(objdump)
        .args(["-d", "--no-show-raw-insn", "--no-addresses"])
        .arg(binary)
        .output()
        .unwrap_or_else(|e| panic!("{objdump}: {e}; install binutils"));
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let suffixes: Vec<String> =
        SETS.iter().map(|set| format!("__{}", set.name.replace(['-', '.'], "_"))).collect();
    let (mut seen, mut list) = (BTreeSet::new(), Vec::new());
    let (mut function, mut counts) = ("", false);
    let mut functions = 0;
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix('<').and_then(|rest| rest.strip_suffix(">:")) {
            function = name;
            functions += 1;
            let of_a_set = suffixes.iter().any(|suffix| name.ends_with(suffix.as_str()));
            let detected = DETECTED.iter().any(|part| name.contains(part));
            counts = !of_a_set && !detected && !libc.contains(name);
        } else if counts && line.starts_with('\t') {
            let instruction = line.trim().split(" <").next().unwrap().split(" #").next().unwrap();
            if seen.insert(instruction.to_string()) {
                list.push((instruction.to_string(), function.to_string()));
            }
        }
    }
    assert!(functions > 5_000 && list.len() > 10_000, "{functions} functions were found");
    list
}

/// Returns what the assembler refuses when it is told to know the baseline alone.
fn beyond(instructions: &[(String, String)], assembler: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("baseline.s");
    let lines: String = instructions.iter().map(|(text, _)| format!("{text}\n")).collect();
    std::fs::write(&source, lines).unwrap();
    let mut command = Command::new(assembler[0]);
    command.args(&assembler[1..]).arg("-o").arg("/dev/null").arg(&source);
    let output = command.output().unwrap_or_else(|e| panic!("{}: {e}", assembler[0]));
    let words = text(&output.stderr);
    // "file.s:12: Error: `vpxor …' is not supported on …", "…: selected processor does not support …"
    let refused = words.lines().filter(|line| {
        line.contains("not supported on") || line.contains("does not support")
    });
    refused
        .map(|line| {
            let number: usize = line.split(':').nth(1).unwrap().parse().unwrap();
            let (instruction, function) = &instructions[number - 1];
            format!("{instruction}   in {function}")
        })
        .collect()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn nothing_outside_the_sets_needs_more_than_the_first_x86_64_processors() {
    let binary = Path::new(env!("CARGO_BIN_EXE_solverbox"));
    let list = baseline_instructions(binary, "objdump", &names_of_libc("gcc", "nm"));
    let assembler = ["as", "--64", "-march=generic64"];
    let mut beyond = beyond(&list, &assembler);
    // Older processors take `tzcnt` for `bsf`, which compilers use it as.
    beyond.retain(|line| !line.starts_with("tzcnt"));
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
    let _ = root();
}
