//! Reliability trials: each has a short form in the suite and a full form in `make reliability`,
//! whose measurements build/reliability.sh turns into docs/reliability.md.

use std::fs::{self, OpenOptions};
use std::io::Write;

use serde_json::json;

use crate::support::root;

/// Set to run the full forms.
const FULL: &str = "RELIABILITY_TRIALS";

/// Returns whether the full forms run.
pub fn is_full() -> bool {
    std::env::var_os(FULL).is_some()
}

/// Returns the parameter of the form that runs.
pub fn form<T>(short: T, full: T) -> T {
    if is_full() { full } else { short }
}

/// Prints what a trial measured and what must hold; the full form also records it for the page. A
/// trial may record several rows under its name. Panics if it does not hold.
pub fn record(name: &str, must_hold: &str, measured: &str, held: bool) {
    println!("{name}: {must_hold}: {measured}{}", if held { "" } else { " -- NOT MET" });
    if is_full() {
        let folder = root().join("target/reliability");
        fs::create_dir_all(&folder).unwrap();
        let row =
            json!({"trial": name, "must_hold": must_hold, "measured": measured, "held": held});
        let file = folder.join(format!("{name}.json"));
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{row}").unwrap();
    }
    assert!(held, "{name}: {must_hold}: {measured}");
}
