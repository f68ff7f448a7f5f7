//! Names: words that were retired for the field's own, and types that are defined once.

use std::collections::BTreeMap;

use super::{ratchet, sources};

/// Parts of identifiers that stay retired, and what to say instead.
const RETIRED_WORDS: [(&str, &str); 16] = [
    ("aboard", "batch"),
    ("passenger", "batch entry"),
    ("passengers", "batch entries"),
    ("outfit", "adapter set"),
    ("outfits", "adapter sets"),
    ("wardrobe", "adapter sets"),
    ("worn", "active adapters"),
    ("stock", "prefix cache"),
    ("office", "desk state"),
    ("seat", "slot, or permit"),
    ("seats", "slots, or connection limit"),
    ("telling", "feed"),
    ("stranger", "authentication error"),
    ("strangers", "remote users"),
    ("anew", "again"),
    ("whoever", "a client, a caller"),
];

/// Whole identifiers that stay retired, and what to say instead.
const RETIRED_NAMES: [(&str, &str); 11] = [
    ("House", "Shared, or ConsoleContext"),
    ("Pen", "LineWriter"),
    ("Ear", "RequestReader"),
    ("Marks", "Credentials"),
    ("Voice", "ModelTokens"),
    ("Turns", "FairQueue"),
    ("Lasting", "Durability"),
    ("Terms", "SubmitOptions"),
    ("Gain", "Delta"),
    ("Asker", "Principal"),
    ("Visitors", "Connections"),
];

/// Retired names still in the code.
const RETIRED_MAX: usize = 0;

/// Types that several files define under one name, each with its reason.
const SHARED_TYPES: [(&str, &str); 0] = [];
/// Names that several files still give to types of their own without a reason.
const SHARED_TYPES_MAX: usize = 0;

/// Returns the parts of an identifier in lower case: `AdapterSetId` has `adapter`, `set` and `id`.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in identifier.chars() {
        if c == '_' || c.is_uppercase() {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().unwrap().extend(c.to_lowercase());
        }
    }
    parts
}

fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Returns the retired words in a line of code, each with a better one.
pub(super) fn retired(code: &str) -> Vec<(&str, &'static str)> {
    let better = |name: &&str| {
        let parts = parts(name);
        let word = RETIRED_WORDS.iter().find(|(word, _)| parts.iter().any(|p| p == word));
        word.or_else(|| RETIRED_NAMES.iter().find(|(word, _)| word == name)).map(|(_, b)| *b)
    };
    identifiers(code).filter_map(|name| Some((name, better(&name)?))).collect()
}

#[test]
fn retired_words_stay_out_of_the_code() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.name != "tests/tidy/names.rs") {
        for (at, line) in source.code() {
            // Texts in quotes are prose.
            for (name, better) in line.split('"').step_by(2).flat_map(retired) {
                found.push(format!("{}:{at}: {name}, say {better}", source.name));
            }
        }
    }
    ratchet("retired words", &found, RETIRED_MAX);
}

/// Returns the name of the type that a line defines; associated types do not count.
fn type_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let words = ["struct ", "enum ", "trait ", "union "];
    let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    rest.starts_with(char::is_uppercase).then_some(&rest[..end])
}

#[test]
fn each_type_name_is_defined_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources() {
        for name in source.code().filter_map(|(_, line)| type_of(line)) {
            let files = places.entry(name.to_string()).or_default();
            if !files.contains(&source.name) {
                files.push(source.name.clone());
            }
        }
    }
    places.retain(|_, files| files.len() > 1);
    for (name, _) in SHARED_TYPES {
        assert!(places.remove(name).is_some(), "{name} is defined once: remove it from the list");
    }
    let found: Vec<String> =
        places.iter().map(|(name, files)| format!("{name}: {}", files.join(", "))).collect();
    ratchet("types that share a name", &found, SHARED_TYPES_MAX);
    assert!(SHARED_TYPES.len() <= 10, "{} types share a name with a reason", SHARED_TYPES.len());
}
