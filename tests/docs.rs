//! The documents against the program: links lead somewhere, commands and flags exist, and the
//! README stays one screen of start and one of contents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{root, solverbox, text};

/// Words the README may have; what does not fit belongs on a page of docs/.
const README_WORDS_MAX: usize = 900;

/// A Markdown file of the repository.
struct MarkdownPage {
    /// Relative to the repository, such as `docs/jobs.md`.
    name: PathBuf,
    text: String,
}

fn pages() -> Vec<MarkdownPage> {
    let folders = ["", "docs", "models", "models/bundled", "cross", "systemd"];
    let mut list = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "md") {
                let name = path.strip_prefix(root()).unwrap().to_path_buf();
                list.push(MarkdownPage { name, text: fs::read_to_string(path).unwrap() });
            }
        }
    }
    assert!(list.len() > 15, "the documents were found");
    list
}

impl MarkdownPage {
    /// Returns the lines outside and inside of fenced blocks.
    fn prose_and_code(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut prose, mut code, mut fenced) = (Vec::new(), Vec::new(), false);
        for line in self.text.lines() {
            if line.starts_with("```") {
                fenced = !fenced;
            } else if fenced {
                code.push(line);
            } else {
                prose.push(line);
            }
        }
        assert!(!fenced, "{}: a block is not closed", self.name.display());
        (prose, code)
    }

    /// Returns the targets of the links and pictures in its prose.
    fn links(&self) -> Vec<String> {
        let prose = self.prose_and_code().0.join("\n");
        let after = |mark: &'static str, end: char| {
            let rests = prose.match_indices(mark).map(move |(at, _)| at + mark.len());
            rests.map(|at| prose[at..].split(end).next().unwrap().to_string()).collect::<Vec<_>>()
        };
        [after("](", ')'), after("src=\"", '"')].concat()
    }

    /// Returns the anchors of its headings, as code hosts make them.
    fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose_and_code().0;
        let headings = prose.iter().filter(|line| line.starts_with('#'));
        let anchor = |heading: &&str| {
            let title = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        };
        headings.map(anchor).collect()
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    for page in &pages {
        let folder = page.name.parent().unwrap();
        for link in page.links() {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let place = if file.is_empty() { page.name.clone() } else { folder.join(file) };
            let place = resolved(&place);
            assert!(root().join(&place).exists(), "{}: '{link}'", page.name.display());
            if !anchor.is_empty() {
                let target = pages.iter().find(|page| page.name == place).unwrap();
                assert!(target.anchors().contains(anchor), "{}: '{link}'", page.name.display());
            }
        }
    }
}

/// Returns a path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.to_str().unwrap().split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            _ => parts.push(part),
        }
    }
    parts.join("/").into()
}

#[test]
fn the_readme_is_short_and_lists_every_page() {
    let pages = pages();
    let readme = pages.iter().find(|page| page.name == Path::new("README.md")).unwrap();
    let words = readme.text.split_whitespace().count();
    assert!(words <= README_WORDS_MAX, "README.md has {words} words");
    let links = readme.links();
    for page in pages.iter().filter(|page| page.name != readme.name) {
        let name = page.name.to_str().unwrap();
        assert!(links.iter().any(|link| link == name), "README.md does not link {name}");
    }
    assert!(links.iter().any(|link| link == "docs/page.png"), "README.md shows the page");
}

#[test]
fn every_command_and_flag_shown_exists() {
    let mut checked = 0;
    for page in pages() {
        for line in commands(&page) {
            let (name, mut words) = (page.name.display(), line.split_whitespace());
            let command = words.next().unwrap();
            let help = solverbox().args([command, "--help"]).output().unwrap();
            assert!(help.status.success(), "{name}: `{line}`: no such command");
            let mut help = text(&help.stdout);
            for word in words {
                // An action such as `history export` has a help text of its own.
                let action = solverbox().args([command, word, "--help"]).output().unwrap();
                if action.status.success() && ["history", "owner"].contains(&command) {
                    help += &text(&action.stdout);
                }
                let Some(flag) = word.strip_prefix("--") else { continue };
                let flag = format!("--{}", flag.split('=').next().unwrap());
                let known = help.split([' ', '\n', ',']).any(|word| word == flag);
                assert!(known, "{name}: `{line}`: no {flag}");
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "{checked} flags were checked");
}

/// Returns the command lines of `solverbox` in a page's blocks, from the command's name on,
/// continued lines joined and comments cut.
fn commands(page: &MarkdownPage) -> Vec<String> {
    let code = page.prose_and_code().1.join("\n").replace("\\\n", " ");
    let mut list = Vec::new();
    for line in code.lines() {
        let line = line.split(" #").next().unwrap();
        for part in line.split(['|', '&', ';']) {
            let part = part.trim().trim_start_matches("$ ").trim_start_matches("./");
            let program = part.split(' ').next().unwrap_or_default();
            let rest = part.strip_prefix(program).unwrap_or_default().trim();
            // Words in quotes are questions, not flags.
            if program.rsplit('/').next() == Some("solverbox") && !rest.starts_with("--") {
                list.push(rest.split(['"', '\'']).step_by(2).collect::<Vec<_>>().join(" "));
            }
        }
    }
    list
}

#[test]
fn every_make_target_shown_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for page in pages() {
        for line in page.text.split(['`', '\n']) {
            let Some(target) = line.strip_prefix("make ") else { continue };
            let target = target.split(' ').next().unwrap();
            let rule = format!("\n{target}:");
            assert!(makefile.contains(&rule), "{}: make {target}", page.name.display());
        }
    }
}

#[test]
fn the_readmes_session_is_what_the_program_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let session = readme.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let (command, shown) = session.split_once('\n').unwrap();
    let question = command.split('"').nth(1).unwrap();
    assert_eq!(command, format!("$ solverbox solve \"{question}\""));
    // Greedy, so that it is the same each time.
    let asked = ["solve", "--model", "demo", "--temperature", "0", "--json", question];
    let output = solverbox().args(asked).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    for line in answer["thinking"].as_str().unwrap().trim().lines() {
        assert!(shown.lines().any(|shown| shown == line), "'{line}' is not shown");
    }
    let boxed = answer["boxed"].as_str().unwrap();
    assert!(shown.contains(boxed), "{boxed} is not shown");
}
