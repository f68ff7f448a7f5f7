//! English: doc comments that stand alone, and patterns of prose that reads as translated.

use super::{SourceFile, files, program, ratchet, root, sources};

/// One-line docs of three words or fewer on public items: they state no contract.
const SHORT_DOCS_MAX: usize = 0;
/// Lines that read as translated.
const PATTERNS_MAX: usize = 0;

/// Words that plain English does without here.
const WORDS: [&str; 4] = ["anew", "whoever", "shall", "beside"];
/// A doc comment that begins like this makes sense only after another one.
pub(super) const LEADS: [&str; 6] = ["Its", "Those", "And", "See", "Does so", "Which"];

/// Returns what reads as translated in a line of comment, text or code.
pub(super) fn translated(line: &str) -> Option<String> {
    let words: Vec<&str> =
        line.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()).collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    if let Some(word) = lower.iter().find(|word| WORDS.contains(&word.as_str())) {
        return Some(word.clone());
    }
    for (at, pair) in lower.windows(2).enumerate() {
        let after = lower.get(at + 2).map_or("", String::as_str);
        let is_there = at > 0 && lower[at - 1] == "there";
        match (pair[0].as_str(), pair[1].as_str()) {
            ("so", "many") => return Some("so many".into()),
            // "There is no room" and "is no longer" are plain English.
            ("is" | "are" | "was" | "be", "no")
                if !is_there && !["", "longer", "more", "less", "such"].contains(&after) =>
            {
                return Some(format!("{} no {after}", pair[0]));
            }
            _ => {}
        }
    }
    let ends = ["has not", "have not"];
    let clauses = line.split(['.', ',', ';', ':', ')', '"', '`']);
    let mut clauses = clauses.map(|clause| clause.trim_end());
    let found = clauses.find(|clause| ends.iter().any(|end| clause.ends_with(end)));
    found.map(|_| "has not".into())
}

/// Returns the doc comments of a file with their line numbers and the line that follows each.
fn docs(source: &SourceFile) -> Vec<(usize, Vec<&str>, &str)> {
    let mut found = Vec::new();
    let (mut doc, mut begins) = (Vec::new(), 0);
    for (at, line) in source.text.lines().enumerate() {
        let line = line.trim_start();
        if let Some(text) = line.strip_prefix("///") {
            if doc.is_empty() {
                begins = at + 1;
            }
            doc.push(text.trim());
        } else if !doc.is_empty() && !line.starts_with("#[") {
            found.push((begins, std::mem::take(&mut doc), line));
        }
    }
    found
}

#[test]
fn no_line_reads_as_translated() {
    let mut documents = files("docs", "md");
    for name in ["README.md", "ARCHITECTURE.md"] {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        documents.push(SourceFile { name: name.into(), text });
    }
    let mut found = Vec::new();
    for source in sources().iter().chain(&documents) {
        if source.name == "tests/tidy/prose.rs" || source.name == "tests/tidy/names.rs" {
            continue;
        }
        for (at, line) in source.text.lines().enumerate() {
            if let Some(what) = translated(line) {
                found.push(format!("{}:{}: {what}: {}", source.name, at + 1, line.trim()));
            }
        }
        for (at, doc, _) in docs(source) {
            let lead = LEADS.iter().find(|lead| {
                doc[0].strip_prefix(*lead).is_some_and(|rest| rest.starts_with([' ', '.', ',']))
            });
            if let Some(lead) = lead {
                found.push(format!("{}:{at}: begins with {lead}: {}", source.name, doc[0]));
            }
        }
    }
    ratchet("lines that read as translated", &found, PATTERNS_MAX);
}

#[test]
fn docs_of_public_items_state_a_contract() {
    let mut found = Vec::new();
    for source in program().iter().filter(|source| !source.is_test()) {
        for (at, doc, item) in docs(source) {
            // A variant or a field of a public type has no `pub` of its own.
            let is_public = item.starts_with("pub ") || item.starts_with(char::is_uppercase);
            if is_public && doc.len() == 1 && doc[0].split_whitespace().count() <= 3 {
                found.push(format!("{}:{at}: {}", source.name, doc[0]));
            }
        }
    }
    ratchet("docs of three words or fewer", &found, SHORT_DOCS_MAX);
}
