//! What a crash records, each tried in a separate process.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::*;

/// Environment variable that makes this program crash: how, and the file to write to.
const ORDER: &str = "SOLVERBOX_TEST_CRASH";

#[test]
fn recorded_jobs_are_read_and_an_incomplete_number_is_ignored() {
    let mut bytes: Vec<u8> = [7_u64, 0, 3, 7].iter().flat_map(|n| n.to_ne_bytes()).collect();
    bytes.extend([1, 2, 3]);
    assert_eq!(read(&bytes), [JobId(3), JobId(7)]);
    assert_eq!(read(&[]), []);
}

#[test]
fn a_crash_of_the_engine_or_a_signal_from_outside_records_the_jobs_in_the_batch() {
    if let Ok(order) = std::env::var(ORDER) {
        let (way, file) = order.split_once(' ').unwrap();
        crash(way, file);
    }
    let me = "engine::llama::crash::tests::\
        a_crash_of_the_engine_or_a_signal_from_outside_records_the_jobs_in_the_batch";
    for (way, signal, recorded) in [
        ("engine abort", libc::SIGABRT, vec![JobId(3), JobId(7)]),
        ("engine fault", libc::SIGSEGV, vec![JobId(3), JobId(7)]),
        ("kernel abort", libc::SIGABRT, vec![JobId(3), JobId(7)]),
        ("gate abort", libc::SIGABRT, vec![]),
        ("gate fault", libc::SIGSEGV, vec![]),
        ("gate wait", libc::SIGABRT, vec![JobId(3), JobId(7)]),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let order = format!("{} {}", way.replace(' ', "-"), file.path().display());
        command.args([me, "--exact", "--nocapture", "--quiet"]).env(ORDER, order);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        if way.ends_with("wait") {
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            while !line.contains("waiting") {
                line.clear();
                assert!(out.read_line(&mut line).unwrap() > 0);
            }
            // SAFETY: kill(2) takes any numbers; the child is not waited for yet, so it is there.
            unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGABRT) };
        }
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal), "{way}");
        assert_eq!(read(&std::fs::read(file.path()).unwrap()), recorded, "{way}");
    }
}

/// Crashes this process as `way` says, `THREAD-HOW`.
fn crash(way: &str, file: &str) -> ! {
    arm(File::options().write(true).open(file).unwrap()).unwrap();
    set_jobs_in_batch([JobId(7), JobId(3)].into_iter());
    let (name, end) = way.split_once('-').unwrap();
    let end: fn() = match end {
        "abort" => || std::process::abort(),
        // SAFETY: none: nothing is mapped there, and the fault is intended.
        "fault" => || unsafe { std::ptr::null_mut::<u8>().wrapping_add(8).write_volatile(1) },
        _ => || {
            writeln!(std::io::stdout(), "waiting").unwrap();
            std::thread::park();
        },
    };
    let own = std::thread::Builder::new();
    let thread = if name == "kernel" {
        // Like the kernels' threads: created by the engine's, without a name of their own.
        own.name(THREAD.into()).spawn(move || std::thread::spawn(end).join())
    } else {
        own.name(name.into()).spawn(move || {
            end();
            Ok(())
        })
    };
    drop(thread.unwrap().join());
    unreachable!("the process has crashed")
}
