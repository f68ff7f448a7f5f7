//! The sources of the page: the measures of the house, and what must not be in them.

use super::names::retired;
use super::prose::{LEADS, translated};
use super::{SourceFile, files, ratchet};

/// Lines a file of the page may have before it is two ideas.
const FILE_LINES_MAX: usize = 300;
const LINE_CHARACTERS_MAX: usize = 100;
/// Ways to turn text into HTML or into a program. The page's policy refuses them, too.
const FORBIDDEN: [&str; 13] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "dangerouslySetInnerHTML",
    "setHTMLUnsafe",
    "createContextualFragment",
    "DOMParser",
    "srcdoc",
    "document.write",
    "eval(",
    "new Function",
    "setTimeout(\"",
    "setInterval(\"",
];
/// Hosts from which other pages load their parts.
const HOSTS: [&str; 9] = [
    "registry.",
    "npmjs",
    "unpkg",
    "jsdelivr",
    "cdnjs",
    "esm.sh",
    "skypack",
    "googleapis",
    "gstatic",
];
/// Names of XML vocabularies, which look like addresses and are never loaded.
const NAMESPACES: &str = "www.w3.org/";

/// Returns the sources of the page.
fn page() -> Vec<SourceFile> {
    ["ts", "tsx", "css"].iter().flat_map(|extension| files("page/src", extension)).collect()
}

/// Returns the lines outside comments, numbered from 1. A comment after code on the same line counts
/// as code.
fn code(source: &SourceFile) -> Vec<(usize, &str)> {
    let (mut list, mut is_comment) = (Vec::new(), false);
    for (at, line) in source.text.lines().enumerate() {
        let trimmed = line.trim_start().trim_start_matches('{');
        is_comment |= trimmed.starts_with("/*");
        if !is_comment && !trimmed.starts_with("//") {
            list.push((at + 1, line));
        }
        if is_comment && trimmed.contains("*/") {
            is_comment = false;
        }
    }
    list
}

#[test]
fn the_pages_files_open_with_a_comment_and_have_one_idea() {
    let mut found = Vec::new();
    for source in page() {
        let name = &source.name;
        if !source.text.starts_with("// ") && !source.text.starts_with("/* ") {
            found.push(format!("{name} does not open with a comment"));
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            found.push(format!("{name} has {lines} lines"));
        }
        for (at, line) in source.text.lines().enumerate() {
            let wide = line.chars().count();
            if wide > LINE_CHARACTERS_MAX {
                found.push(format!("{name}:{}: {wide} wide", at + 1));
            }
        }
    }
    ratchet("the page's files", &found, 0);
}

#[test]
fn text_never_becomes_html_or_a_program_on_the_page() {
    let mut found = Vec::new();
    for source in page() {
        for (at, line) in code(&source) {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{at}: {word}", source.name));
            }
        }
    }
    ratchet("ways to make HTML or programs of text", &found, 0);
}

#[test]
fn the_page_names_no_other_host() {
    let mut found = Vec::new();
    for source in page() {
        for (at, line) in source.text.lines().enumerate() {
            let host = HOSTS.iter().find(|host| line.contains(**host));
            found.extend(host.map(|host| format!("{}:{}: {host}", source.name, at + 1)));
        }
        for (at, line) in code(&source) {
            // An address that is put together from parts is the box's own.
            let rests =
                line.match_indices("//").map(|(at, mark)| (&line[..at], &line[at + mark.len()..]));
            let names_a_host = |(before, rest): (&str, &str)| {
                let is_address = before.ends_with([':', '"', '\'', '`', '(']);
                let is_namespace = rest.starts_with(NAMESPACES);
                is_address && !is_namespace && rest.starts_with(char::is_alphanumeric)
            };
            if rests.into_iter().any(names_a_host) {
                found.push(format!("{}:{at}: {}", source.name, line.trim()));
            }
        }
    }
    ratchet("addresses of other hosts", &found, 0);
}

#[test]
fn the_pages_names_and_prose_are_those_of_the_house() {
    let mut found = Vec::new();
    for source in page() {
        for (at, line) in code(&source) {
            // Texts in quotes are prose.
            for (name, better) in line.split('"').step_by(2).flat_map(retired) {
                found.push(format!("{}:{at}: {name}, say {better}", source.name));
            }
        }
        for (at, line) in source.text.lines().enumerate() {
            if let Some(what) = translated(line) {
                found.push(format!("{}:{}: {what}: {}", source.name, at + 1, line.trim()));
            }
            let doc = line.trim_start().strip_prefix("/** ").unwrap_or_default();
            let lead = LEADS.iter().find(|lead| {
                doc.strip_prefix(**lead).is_some_and(|rest| rest.starts_with([' ', '.', ',']))
            });
            if let Some(lead) = lead {
                found.push(format!("{}:{}: begins with {lead}: {doc}", source.name, at + 1));
            }
        }
    }
    ratchet("lines of the page that read as translated, and retired words", &found, 0);
}
