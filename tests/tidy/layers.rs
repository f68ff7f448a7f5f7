//! Which module may know which other module, library or part of the system.

use std::collections::{BTreeMap, BTreeSet};

use super::{SourceFile, files, program, root};

/// The modules of the program from left to right, and what each may import:
/// `types · answers · text · random ← model · store · engine ← desk ← api ← http · console ←
/// commands ← cli · config ← wiring ← main`.
const LAYERS: [(&str, &[&str]); 16] = [
    ("types", &[]),
    ("answers", &["types"]),
    ("text", &["types"]),
    ("random", &["types"]),
    ("model", &["types"]),
    ("store", &["types", "answers", "random"]),
    ("engine", &["types", "answers"]),
    ("desk", &["types", "answers", "random", "store", "engine"]),
    ("api", &["types", "answers", "text", "random", "store", "desk"]),
    ("http", &["types", "answers", "text", "random", "store", "desk", "api"]),
    ("console", &["types", "answers", "text", "store", "desk", "api"]),
    (
        "commands",
        &["types", "answers", "text", "random", "model", "store", "desk", "api", "http", "console"],
    ),
    ("cli", &["types", "model", "http", "console", "commands"]),
    ("config", &["types", "model", "http", "commands", "cli"]),
    (
        "wiring",
        &[
            "types", "answers", "text", "model", "store", "engine", "desk", "api", "http",
            "console", "commands", "cli", "config",
        ],
    ),
    ("main", &[]),
];
/// Commands about the engine itself, which ask it directly. All others go through the desk.
const WORKSHOP: [&str; 10] = [
    "kernels", "selftest", "convert", "quantize", "imatrix", "compare", "corpus", "verify",
    "bench", "tune",
];

#[test]
fn modules_import_only_from_the_layers_to_their_left() {
    for source in program().iter().filter(|source| source.room() != "lib") {
        let layer = LAYERS.iter().find(|(room, _)| *room == source.room());
        let (room, allowed) = layer.unwrap_or_else(|| panic!("{} has no layer", source.name));
        let is_workshop = WORKSHOP.iter().any(|c| source.name == format!("src/commands/{c}.rs"));
        for (at, _) in source.text.match_indices("crate::") {
            let rest = &source.text[at + 7..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let known = &rest[..end.unwrap_or(rest.len())];
            let may = known == *room
                || allowed.contains(&known)
                || known == "engine" && is_workshop
                || known == "$crate";
            assert!(may, "{} imports from {known}", source.name);
        }
    }
}

/// Returns the names that a module of the engine, `depth` folders below it, imports from there.
fn imports_from_engine(code: &str, depth: usize) -> Vec<&str> {
    let supers = format!("{}::", vec!["super"; depth + 1].join("::"));
    let mut found = Vec::new();
    for prefix in ["crate::engine::", supers.as_str()] {
        for (at, _) in code.match_indices(prefix) {
            let is_longer_path = code[..at].ends_with("::");
            let rest = &code[at + prefix.len()..];
            let list = match rest.strip_prefix('{') {
                Some(list) => &list[..list.find('}').unwrap_or(list.len())],
                None => &rest[..rest.find([';', ',', ' ', '(']).unwrap_or(rest.len())],
            };
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let first = |item| str::trim_start(item).split(|c| !is_name(c)).next().unwrap_or("");
            found.extend(list.split(',').map(first).filter(|_| !is_longer_path));
        }
    }
    found.retain(|name| !["", "super", "self"].contains(name));
    found
}

/// `protocol` has what desk and engine exchange, so that no module of the engine imports from the
/// engine's own `mod.rs`, and the modules can be read from the bottom to the top.
#[test]
fn modules_of_the_engine_import_neither_upwards_nor_in_circles() {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in files("src/engine", "rs").iter().filter(|source| !source.is_test()) {
        let path = source.name.strip_prefix("src/engine/").unwrap().trim_end_matches(".rs");
        let module = path.split('/').next().unwrap();
        if module == "mod" {
            continue;
        }
        let lines = source.program().lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: Vec<&str> = lines.collect();
        for name in imports_from_engine(&code.join("\n"), path.matches('/').count()) {
            let is_module = name.starts_with(char::is_lowercase);
            assert!(is_module, "{} imports {name} from the engine's mod.rs", source.name);
            if name != module {
                arrows.entry(module.to_string()).or_default().insert(name.to_string());
            }
        }
    }
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 40, "{arrows:?}");
    // Removes modules that import none of the others, until none is left: a circle would remain.
    while !arrows.is_empty() {
        let left: BTreeSet<String> = arrows.keys().cloned().collect();
        arrows.retain(|_, to| to.iter().any(|module| left.contains(module)));
        assert!(arrows.len() < left.len(), "a circle in {arrows:?}");
    }
}

/// Asserts that no code but the allowed contains a word; comments may.
fn only(word: &str, allowed: &[&str]) {
    let may = |source: &SourceFile| allowed.iter().any(|place| source.name.starts_with(place));
    for source in program().iter().filter(|source| !may(source)) {
        let found = source.code().find(|(_, line)| line.contains(word));
        assert!(found.is_none(), "{} names {word}", source.name);
    }
}

#[test]
fn each_foreign_library_stays_in_its_module() {
    only("llama_cpp_2", &["src/engine/llama"]);
    only("llama_cpp_sys_2", &["src/engine/llama"]);
    only("tiny_http", &["src/http/"]);
    only("httparse", &["src/http/"]);
    only("gguf_rs", &["src/model/"]);
    only("minijinja", &["src/engine/template.rs"]);
    only("form_urlencoded", &["src/http/basic/form.rs"]);
    only("rusqlite", &["src/store/"]);
    only("postcard", &["src/store/"]);
    only("libc::", &["src/engine/llama"]);
    only("serialport", &["src/console/port.rs"]);
    only("signal_hook", &["src/commands/interrupt.rs"]);
    only("clap::", &["src/cli.rs", "src/cli/", "src/config.rs"]);
    only("hmac", &["src/http/auth/secret.rs"]);
    only("argon2::", &["src/http/auth/owner/pin.rs"]);
    only("safetensors::", &["src/model/convert/"]);
}

#[test]
fn json_is_known_where_it_is_spoken() {
    let doors = ["src/api/", "src/http/", "src/console/machine/"];
    // Each prints one object with `--json`, or reads and writes JSON lines.
    let commands = [
        "bench/report.rs",
        "compare.rs",
        "corpus.rs",
        "eval",
        "history.rs",
        "plan.rs",
        "solve.rs",
        "solve_remote.rs",
        "verify.rs",
    ]
    .map(|file| format!("src/commands/{file}"));
    // A question is stored as JSON; gguf-rs returns header values as JSON, checkpoints are JSON.
    let files = ["src/store/", "src/model/header.rs", "src/model/convert/"];
    let commands = commands.iter().map(String::as_str);
    let allowed: Vec<&str> = doors.into_iter().chain(files).chain(commands).collect();
    only("serde_json", &allowed);
}

#[test]
fn only_the_wiring_reads_the_environment_and_prints_errors() {
    // Unit tests learn from it how much to try.
    let tests = [
        "src/engine/llama/crash/tests.rs",
        "src/engine/prefix_store/tests.rs",
        "src/http/job_request/tests.rs",
        "src/api/ask/tests.rs",
        "src/api/fields/tests.rs",
    ];
    only("env::var", &[&["src/config.rs"], &tests[..]].concat());
    only("env::args", &["src/main.rs", "src/wiring/"]);
    // Errors are printed by main; solve's figures and serve's address are not errors.
    only("stderr()", &["src/main.rs", "src/commands/mod.rs"]);
    // The printing macros panic where the reader is gone.
    for word in ["println!", "print!"] {
        only(word, &[]);
    }
}

#[test]
fn nothing_reaches_out_to_the_network() {
    for word in ["TcpStream::connect", "ToSocketAddrs", "UdpSocket", "getaddrinfo"] {
        for source in program().iter().filter(|source| !source.is_test()) {
            // `solve` asks a server on this machine at the numeric address that server wrote down.
            let may = source.name == "src/api/client.rs" && word == "TcpStream::connect";
            assert!(may || !source.program().contains(word), "{} names {word}", source.name);
        }
    }
}

#[test]
fn the_map_names_every_source_file() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let map = map.split("## Map").nth(1).unwrap().split("## ").next().unwrap();
    let words: Vec<&str> =
        map.split(|c: char| !c.is_alphanumeric() && !"_./".contains(c)).collect();
    for source in program() {
        let path = source.name.trim_end_matches(".rs").trim_end_matches("/mod");
        let name = path.rsplit('/').next().unwrap();
        let spellings = [name.to_string(), format!("src/{name}.rs"), format!("{path}/")];
        let named = spellings.iter().any(|spelling| words.contains(&spelling.as_str()));
        assert!(named, "ARCHITECTURE.md's map does not name {}", source.name);
    }
}
