//! The page in a real browser, over plain HTTP and under a host name, as a class uses it.
//!
//! Each test runs the checks of one file of this folder (harness.mjs), which name what holds and
//! report each fault of the page: console errors, exceptions, violations of the policy, requests to
//! other hosts. Most run against a replayer of recorded answers (replayer.mjs), `lasting` and
//! `room` against the real box. `PAGE_TRIALS=1` asks for full numbers of repetitions, and for
//! Chromium 80, the oldest Chrome that the page supports.

use std::process::Command;

use crate::support::programs::{browser, installed};
use crate::support::{deaf, root, text};

/// Runs the checks of a file; fails with their names and faults.
fn hold(checks: &str) {
    if browser("the page").is_none() {
        return;
    }
    installed(root().join("target/node/node_modules"));
    let node = installed(root().join("target/venv/bin/node"));
    let mut command = deaf(Command::new(node));
    command.arg(root().join("tests/page").join(checks));
    command.args(["--binary", env!("CARGO_BIN_EXE_solverbox")]).current_dir(root());
    let output = command.output().unwrap();
    let said = text(&output.stdout);
    println!("{said}");
    let is_good = output.status.success() && said.ends_with("all good\n");
    assert!(is_good, "{said}{}", text(&output.stderr));
}

#[test]
fn questions_are_asked_once_and_no_word_is_lost() {
    hold("asking.mjs");
}

#[test]
fn an_open_page_survives_an_update_of_the_box() {
    hold("updated.mjs");
}

#[test]
fn waiting_shows_where_a_question_stands_and_survives_a_box_that_goes_away() {
    hold("waiting.mjs");
}

#[test]
fn recorded_answers_are_typeset_without_a_fault() {
    hold("typesetting.mjs");
}

#[test]
fn a_long_answer_costs_a_slow_processor_little() {
    hold("long.mjs");
}

#[test]
fn hostile_texts_are_shown_and_do_nothing() {
    hold("hostile.mjs");
}

#[test]
fn answers_have_their_value_their_votes_and_their_buttons() {
    hold("answering.mjs");
}

#[test]
fn a_ladder_of_hints_gives_nothing_away() {
    hold("learning.mjs");
}

#[test]
fn the_history_lists_searches_deletes_and_exports() {
    hold("history.mjs");
}

#[test]
fn the_page_has_the_journals_text_over_reloads_kills_and_many_tabs() {
    hold("lasting.mjs");
}

#[test]
fn a_question_is_taken_along_a_kiosk_forgets_and_the_owner_has_a_view() {
    hold("room.mjs");
}

#[test]
fn everybody_can_use_the_page_by_keyboard_in_both_languages_light_and_dark() {
    hold("everybody.mjs");
}

#[test]
fn the_page_is_small_and_soon_ready_to_type() {
    hold("sizes.mjs");
}

#[test]
fn chromium_80_asks_reads_and_lists_without_a_fault() {
    if std::env::var_os("PAGE_TRIALS").is_none() {
        return;
    }
    let python = root().join("target/venv-oldest/bin/python");
    assert!(python.exists(), "Chromium 80 is not installed: run `build/prepare.sh oldest`");
    let mut command = deaf(Command::new(python));
    command.arg(root().join("tests/page/old_browser.py")).arg(env!("CARGO_BIN_EXE_solverbox"));
    let output = command.output().unwrap();
    let said = text(&output.stdout);
    let is_good = output.status.success() && said.ends_with("all good\n");
    assert!(is_good, "{said}{}", text(&output.stderr));
}
