//! Serial ports: named, listed, refused, and waited for while they cannot be opened.

use std::process::Stdio;

use crate::console::terminal::served_at;
use crate::support::terminal::TestTerminal;
use crate::support::{model, solverbox, text};

#[test]
fn unavailable_ports_are_logged_with_the_reason_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let late = folder.path().join("late").display().to_string();
    let first = TestTerminal::new();
    let mut taken = TestTerminal::new();
    // Another program that locks its port.
    let holder = serialport::new(taken.port(), 9600).open_native().unwrap();
    let served = served_at(&[&late, "/etc/passwd", &taken.port(), &first.port()], &[]);
    served.wait_log("late': no such device; waiting for it");
    served.wait_log("'/etc/passwd': not a serial port");
    served.wait_log("in use by another program; waiting for it");
    first.wait("math> ");
    drop(holder);
    taken.wait("math> ");
    taken.enter("What is 17*23?");
    taken.wait("[ 391 ]");
}

#[test]
fn an_invalid_port_is_refused_before_anything_starts() {
    for (wires, named) in [
        (&["/dev/ttyS0,fast"][..], "'fast' is not a serial line setting"),
        (&["/dev/ttyS0", "/dev/ttyS0"], "named twice"),
        (&["-,9600"], "'-' is not a serial line"),
    ] {
        let mut command = solverbox();
        command.arg("console");
        for wire in wires {
            command.args(["--serial", wire]);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.contains(named) && said.lines().count() == 2, "{said}");
    }
}

#[test]
fn several_ports_may_be_named_in_the_environment() {
    let terminals = [TestTerminal::new(), TestTerminal::new()];
    let data = tempfile::tempdir().unwrap();
    let mut command = solverbox();
    command.args(["console", "--threads", "1", "--context-tokens", "2048", "--data"]);
    command.arg(data.path()).arg("--model").arg(model());
    command.env("SOLVERBOX_SERIAL", terminals.each_ref().map(TestTerminal::port).join(";"));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    for terminal in &terminals {
        terminal.wait("math> ");
    }
    crate::support::send_signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_ports_of_this_machine_are_listed() {
    let output = solverbox().arg("serial-ports").output().unwrap();
    assert!(output.status.success());
    let (listed, said) = (text(&output.stdout), text(&output.stderr));
    assert!(listed.lines().all(|line| line.starts_with("/dev/")), "{listed}");
    assert_eq!(listed.is_empty(), said.contains("No serial port found"), "{listed}{said}");
}
