//! `GET /openapi.json`: the API as an OpenAPI 3.1 document.
//!
//! The document is `openapi.json` in this folder; the names of the box's own modes are filled in
//! for each request. The tests below compare it with the routes and the fields that are read,
//! `tests/api/schema.rs` with the replies of a running box.

use std::sync::Arc;

use serde_json::Value;

use super::App;
use super::reply::Reply;
use crate::types::mode::{Mode, Modes, Reads, Voting};

const DOCUMENT: &str = include_str!("openapi.json");

/// Answers `GET /openapi.json` with this box's own modes.
pub fn document(app: &App) -> Reply {
    Reply::json(200, &with_modes(&app.modes))
}

fn with_modes(modes: &Modes) -> Value {
    // The document is part of the program, and the tests parse it.
    let mut document: Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
    let of = |reads: Reads, voting: Option<Voting>| -> Vec<&str> {
        let is_one = |mode: &&Arc<Mode>| {
            mode.reads == reads && voting.is_none_or(|voting| mode.voting == voting)
        };
        modes.iter().filter(is_one).map(|mode| mode.name.as_str()).collect()
    };
    let kinds = [
        ("VotingMode", of(Reads::Question, Some(Voting::ByValue))),
        ("SingleMode", of(Reads::Question, Some(Voting::Off))),
        ("ReviewMode", of(Reads::StudentAttempt, None)),
    ];
    for (kind, names) in kinds {
        document["components"]["schemas"][kind]["enum"] = names.into();
    }
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::ask::JOB_FIELDS;
    use crate::http::{page, routes};

    #[test]
    fn every_route_is_described_with_the_methods_it_has() {
        let document = with_modes(&Modes::built_in());
        let id = "0123456789abcdef0123456789abcdef";
        for (path, described) in document["paths"].as_object().unwrap() {
            let file = page::an_asset().rsplit('/').next().unwrap();
            let path = path.replace("{id}", id).replace("{token}", id).replace("{file}", file);
            let allowed = routes::allowed(&path);
            let allowed = allowed.unwrap_or_else(|| panic!("{path} is not served"));
            let methods: BTreeSet<String> = allowed
                .split(", ")
                .filter(|method| !["HEAD", "OPTIONS"].contains(method))
                .map(str::to_lowercase)
                .collect();
            let described: BTreeSet<String> =
                described.as_object().unwrap().keys().cloned().collect();
            assert_eq!(described, methods, "{path}");
        }
        assert_eq!(document["paths"].as_object().unwrap().len(), routes::ROUTES);
    }

    #[test]
    fn a_questions_fields_are_those_that_are_read() {
        let document = with_modes(&Modes::built_in());
        for way in document["components"]["schemas"]["Ask"]["oneOf"].as_array().unwrap() {
            let fields = way["properties"].as_object().unwrap();
            let fields: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
            assert_eq!(fields, BTreeSet::from(JOB_FIELDS));
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = with_modes(&Modes::built_in());
        for at in DOCUMENT.split("\"$ref\": \"#").skip(1) {
            let pointer = at.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
