//! Sizes of files and functions, unsafe code, and what nothing may contain.

use std::fs;

use super::{files, program, ratchet, root, sources};

/// Lines a file may have before it is two ideas.
const FILE_LINES_MAX: usize = 600;
/// Lines a function may have before it no longer fits a screen.
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARACTERS_MAX: usize = 100;
/// Lines that are wider.
const WIDE_LINES_MAX: usize = 0;
/// Lines of `main.rs`, which only picks a command.
const MAIN_LINES_MAX: usize = 100;

#[test]
fn files_open_with_prose_and_have_one_idea() {
    for source in sources() {
        let name = &source.name;
        assert!(source.text.starts_with("//! "), "{name} opens with prose");
        let lines = source.text.lines().count();
        let most = if name == "src/main.rs" { MAIN_LINES_MAX - 1 } else { FILE_LINES_MAX };
        assert!(lines <= most, "{name} has {lines} lines");
    }
}

#[test]
fn lines_fit_the_screen() {
    let mut found = Vec::new();
    for source in program().iter().filter(|source| !source.is_test()) {
        for (at, line) in source.program().lines().enumerate() {
            let wide = line.chars().count();
            // Tables are better read in one line each.
            if wide > LINE_CHARACTERS_MAX && !line.trim_start().starts_with('(') {
                found.push(format!("{}:{}: {wide} wide", source.name, at + 1));
            }
        }
    }
    ratchet("wide lines", &found, WIDE_LINES_MAX);
}

#[test]
fn functions_fit_a_screen() {
    for source in program() {
        let lines: Vec<&str> = source.program().lines().collect();
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
    for source in sources() {
        for word in words.map(|halves| halves.concat()) {
            assert!(!source.text.contains(&word), "{} contains {word}", source.name);
        }
    }
}

/// The compiler refuses unsafe code in each module but the one that owns llama.cpp's contexts.
#[test]
fn unsafe_code_is_forbidden_outside_engine_llama_and_each_block_carries_its_proof() {
    let forbids = |file: &str, free: &str| {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let mut before = "";
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let module = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ");
            if let Some(module) = module.and_then(|module| module.strip_suffix(';')) {
                let is_forbidden = before == "#[forbid(unsafe_code)]";
                assert_eq!(is_forbidden, module != free, "{file}: module {module}");
            }
            before = line;
        }
    };
    forbids("src/lib.rs", "engine");
    forbids("src/engine/mod.rs", "llama");
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.contains("#![forbid(unsafe_code)]"), "src/main.rs");
    for source in files("src/engine", "rs") {
        let blocks = source.text.matches("unsafe {").count();
        assert_eq!(blocks, source.text.matches("// SAFETY:").count(), "{}", source.name);
    }
}

#[test]
fn the_crates_the_engine_depends_on_in_detail_are_pinned_exactly() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for package in ["llama-cpp-2", "llama-cpp-sys-2", "tiny_http", "gguf-rs"] {
        let line = manifest.lines().find(|l| l.starts_with(&format!("{package} = "))).unwrap();
        assert!(line.contains("\"="), "{line}");
    }
}
