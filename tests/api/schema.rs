//! `/openapi.json` against the replies of a running server: schemathesis generates valid and
//! invalid requests and compares each reply with the document.

use std::process::Command;

use crate::api::owner::{cookie, sign_in, with_pin};
use crate::support::trial;
use crate::support::{deaf, root, text};

#[test]
fn every_reply_conforms_to_the_openapi_document() {
    let served = with_pin("correct horse");
    served.wait_ready();
    let owner = cookie(&sign_in(&served, "correct horse"));
    let mut command = deaf(Command::new(root().join("target/venv/bin/schemathesis")));
    let token = owner.trim().split_once("solverbox-owner=").unwrap().1;
    let settings = std::fs::read_to_string(root().join("tests/schemathesis.toml")).unwrap();
    let file = served.data.path().join("schemathesis.toml");
    std::fs::write(&file, format!("{settings}\n[auth.openapi.owner]\napi_key = \"{token}\"\n"))
        .unwrap();
    command.arg("--config-file").arg(&file);
    command.args(["run", &served.url("/openapi.json"), "--checks", "all", "--no-color"]);
    command.args(["--request-timeout", "60", "--workers", "1"]);
    let seconds = trial::form(0, 600).to_string();
    match trial::is_full() {
        true => command.args(["--max-time", &seconds]),
        false => command.args(["--max-examples", "8", "--seed", "1"]),
    };
    command.current_dir(served.data.path()).env("NO_COLOR", "1");
    let output =
        command.output().expect("schemathesis is in target/venv: run `build/prepare.sh test`");
    let said = text(&output.stdout) + &text(&output.stderr);
    println!("{said}");
    let line = |what: &str| {
        said.lines().find(|line| line.contains(what)).unwrap_or("?").trim().to_string()
    };
    let (cases, operations) = (line("generated,"), line("Tested:"));
    trial::record(
        "schemathesis",
        "0 server errors, 0 undocumented responses, all checks, 10 minutes",
        &format!("{cases}; operations {operations}"),
        output.status.success(),
    );
    assert_eq!(served.get("/healthz").0, 200);
}
