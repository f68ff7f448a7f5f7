//! Tests that need a process of their own: llama.cpp runs once in a process, and the suite's tests
//! share one.

use std::any::type_name;
use std::process::Command;

use super::{deaf, text};

/// Set in the process that was started for one test.
const CHILD: &str = "TEST_IN_ITS_OWN_PROCESS";

/// Runs `work`, a closure written in the test itself, in a process of its own: this test program,
/// started again for that one test. Panics with the child's output where the child fails.
pub fn in_own_process<F: FnOnce()>(work: F) {
    if std::env::var_os(CHILD).is_some() {
        return work();
    }
    let test = test_of::<F>();
    let mut command = deaf(Command::new(std::env::current_exe().unwrap()));
    command.args([test, "--exact", "--nocapture", "--test-threads", "1"]);
    // One heap for all threads: with more, resident memory says little about what is in use.
    command.env(CHILD, "1").env("MALLOC_ARENA_MAX", "1");
    let output = command.output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    print!("{stdout}");
    assert!(output.status.success(), "{test}: {}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "{test}: the child ran no test of this name");
}

/// Returns the test's name as the harness knows it: a closure's type is named after the function it
/// stands in, `tests::reliability::fair::a_name::{{closure}}`.
fn test_of<F>() -> &'static str {
    let name = type_name::<F>().strip_suffix("::{{closure}}");
    let name = name.expect("the work is a closure in a test");
    name.split_once("::").expect("a name begins with the crate's").1
}
