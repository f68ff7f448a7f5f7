//! The invariants of ARCHITECTURE.md and the measures of the house style, checked on the sources.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// Lines a file may have before it is two ideas.
const FILE_LINES_MAX: usize = 600;
/// Lines a function may have before it is off the screen.
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARACTERS_MAX: usize = 100;

struct Source {
    /// Relative to the repository, such as `src/desk/mod.rs`.
    name: String,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        self.name.strip_prefix("src/").and_then(|rest| rest.split('/').next()).unwrap_or("")
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut list = Vec::new();
    collect(&root().join(folder), &mut list);
    assert!(!list.is_empty(), "{folder} holds sources");
    list.into_iter()
        .map(|path| Source {
            name: path.strip_prefix(root()).unwrap().display().to_string(),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect()
}

fn collect(folder: &Path, list: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, list);
        } else if path.extension().is_some_and(|e| e == "rs") {
            list.push(path);
        }
    }
}

fn all_sources() -> Vec<Source> {
    let mut list = sources("src");
    list.extend(sources("tests"));
    list
}

/// Asserts that no code but the allowed contains a word; comments may.
fn only(word: &str, allowed: &[&str]) {
    for source in sources("src") {
        let may = allowed.iter().any(|place| source.name.starts_with(place));
        let mut code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        assert!(may || !code.any(|line| line.contains(word)), "{} names {word}", source.name);
    }
}

#[test]
fn each_foreign_library_stays_in_its_room() {
    only("llama_cpp_2", &["src/engine/llama"]);
    only("llama_cpp_sys_2", &["src/engine/llama"]);
    only("tiny_http", &["src/http/"]);
    only("httparse", &["src/http/"]);
    only("gguf_rs", &["src/model/"]);
    only("minijinja", &["src/engine/template.rs"]);
    only("rusqlite", &["src/store/"]);
    only("postcard", &["src/store/"]);
    only("libc::", &["src/engine/llama"]);
    only("serialport", &["src/console/port.rs"]);
    only("signal_hook", &["src/commands/interrupt.rs"]);
    only("clap::", &["src/cli.rs", "src/cli/", "src/config.rs"]);
    only("hmac", &["src/http/auth/secret.rs"]);
    only("argon2::", &["src/http/auth/owner/pin.rs"]);
    only("safetensors::", &["src/model/convert/"]);
    // What requests and replies look like is api's; HTTP and the serial line send them. Some commands print one object,
    // eval reads and writes JSON lines which corpus knows, gguf-rs hands its values over as JSON, and checkpoints are described in it.
    let json = [
        "src/api/",
        "src/http/",
        "src/console/machine/",
        "src/commands/history.rs",
        "src/commands/eval",
        "src/commands/corpus.rs",
        "src/commands/compare.rs",
        "src/commands/bench/report.rs",
        "src/commands/plan.rs",
        "src/commands/verify.rs",
        "src/store/",
        "src/model/header.rs",
        "src/model/convert/",
    ];
    only("serde_json", &json);
}

#[test]
fn rooms_know_only_the_rooms_to_their_left() {
    let rooms: [(&str, &[&str]); 11] = [
        ("types", &["types"]),
        ("answers", &["answers", "types"]),
        ("text", &["text", "types"]),
        ("model", &["model", "answers", "types"]),
        ("store", &["store", "answers", "types"]),
        ("engine", &["engine", "answers", "types"]),
        ("desk", &["desk", "engine", "store", "answers", "types"]),
        ("api", &["api", "desk", "store", "answers", "types"]),
        ("http", &["http", "api", "desk", "store", "answers", "types"]),
        ("console", &["console", "api", "desk", "store", "text", "answers", "types"]),
        (
            "commands",
            &[
                "commands", "console", "http", "api", "desk", "store", "model", "text", "answers",
                "types",
            ],
        ),
    ];
    // About the engine itself, which they ask directly: they are no doors.
    let workshop = [
        "kernels", "selftest", "quantize", "imatrix", "compare", "corpus", "verify", "bench",
        "tune",
    ]
    .map(|command| format!("src/commands/{command}.rs"));
    for source in sources("src") {
        let Some((_, allowed)) = rooms.iter().find(|(room, _)| *room == source.room()) else {
            continue;
        };
        let also = if workshop.contains(&source.name) { "engine" } else { "" };
        for (at, _) in source.text.match_indices("crate::") {
            let rest = &source.text[at + 7..];
            let room: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let may = allowed.contains(&room.as_str()) || room == also;
            assert!(may, "{} knows {room}", source.name);
        }
    }
}

#[test]
fn only_the_wiring_reads_the_environment_and_prints_errors() {
    // Tests are told by it how much to try.
    only(
        "env::var",
        &[
            "src/config.rs",
            "src/engine/llama/crash/tests.rs",
            "src/engine/prefix_store/tests.rs",
            "src/api/ask/tests.rs",
            "src/api/fields/tests.rs",
            "src/http/job_request/tests.rs",
        ],
    );
    only("env::args", &["src/main.rs"]);
    // Errors are printed by main; solve's figures and serve's address are no errors.
    only("stderr()", &["src/main.rs", "src/commands/mod.rs"]);
    // The printing macros panic where nobody reads.
    for word in ["println!", "print!"] {
        only(word, &[]);
    }
}

#[test]
fn nothing_reaches_out_to_the_network() {
    for word in ["TcpStream::connect", "ToSocketAddrs", "UdpSocket", "getaddrinfo"] {
        for source in sources("src") {
            let code = source.text.split("#[cfg(test)]").next().unwrap_or("");
            // `solve` asks a box of this machine at the numeric address that box wrote down.
            let may = source.name == "src/api/client.rs" && word == "TcpStream::connect";
            let is_test = source.name.contains("tests");
            assert!(may || is_test || !code.contains(word), "{} names {word}", source.name);
        }
    }
}

#[test]
fn files_say_what_they_are_and_have_one_idea() {
    for source in all_sources() {
        let name = &source.name;
        assert!(source.text.starts_with("//! "), "{name} opens with prose");
        let lines = source.text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{name} has {lines} lines");
        for (at, line) in source.text.lines().enumerate() {
            let wide = line.chars().count();
            // Tables of test cases are better read in one line each.
            let in_tests = name.starts_with("tests/") || name.ends_with("/tests.rs");
            let table = in_tests || line.trim_start().starts_with('(');
            assert!(table || wide <= LINE_CHARACTERS_MAX, "{name}:{} is {wide} wide", at + 1);
        }
    }
}

#[test]
fn functions_fit_a_screen() {
    for source in sources("src") {
        let code = source.text.split("#[cfg(test)]").next().unwrap_or("");
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_function = words.contains(&"fn") && !line.trim_start().starts_with("//");
            if !is_function || line.ends_with(['}', ';']) {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let end = lines[at..].iter().position(|l| *l == close);
            let end = end.unwrap_or_else(|| panic!("{}:{} has no end", source.name, at + 1));
            let length = end + 1;
            assert!(length <= FUNCTION_LINES_MAX, "{}:{} has {length} lines", source.name, at + 1);
        }
    }
}

#[test]
fn nothing_is_skipped_postponed_or_silenced() {
    // Put together here, so that this file does not find itself.
    let words = [["#[ign", "ore"], ["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["#[allow", "("]];
    for source in all_sources() {
        for word in words.map(|halves| halves.concat()) {
            assert!(!source.text.contains(&word), "{} contains {word}", source.name);
        }
    }
}

#[test]
fn unsafe_code_is_in_the_one_place_that_needs_it_and_each_carries_its_proof() {
    only("unsafe", &["src/engine/llama"]);
    for source in sources("src/engine") {
        let blocks = source.text.matches("unsafe {").count();
        assert_eq!(blocks, source.text.matches("// SAFETY:").count(), "{}", source.name);
    }
}

#[test]
fn the_map_names_every_source_file() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let map = map.split("## Map").nth(1).unwrap().split("## ").next().unwrap();
    let words: Vec<&str> =
        map.split(|c: char| !c.is_alphanumeric() && !"_./".contains(c)).collect();
    for source in sources("src") {
        let path = source.name.trim_end_matches(".rs").trim_end_matches("/mod");
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        let spellings = [name.to_string(), format!("src/{name}.rs"), format!("{path}/")];
        let named = spellings.iter().any(|spelling| words.contains(&spelling.as_str()));
        assert!(named, "ARCHITECTURE.md's map does not name {}", source.name);
    }
}

#[test]
fn the_crates_the_engine_leans_on_are_pinned_exactly() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for package in ["llama-cpp-2", "llama-cpp-sys-2", "tiny_http", "gguf-rs"] {
        let line = manifest.lines().find(|l| l.starts_with(&format!("{package} = "))).unwrap();
        assert!(line.contains("\"="), "{line}");
    }
}
