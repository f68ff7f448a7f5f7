//! `cross/build.sh` and `cross/dist.sh`: their errors name the problem and its remedy.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{root, text};

fn assert_fails(output: &Output, says: &[&str]) {
    let stderr = text(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    says.iter().for_each(|word| assert!(stderr.contains(word), "{word}: {stderr}"));
}

/// A folder with links to all programs of the machine except those with this prefix.
fn programs_without(prefix: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir("/usr/bin").unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(prefix) {
            std::os::unix::fs::symlink(entry.path(), folder.path().join(name)).unwrap();
        }
    }
    folder
}

#[test]
fn a_missing_cross_compiler_is_named_with_the_package_that_has_it() {
    let programs = programs_without("aarch64-linux-gnu-");
    let mut build = Command::new(root().join("cross/build.sh"));
    // If it finds everything, this ends it before a build of minutes.
    build.env("CARGO_HOME", "/nowhere with spaces");
    let output = build.env("PATH", programs.path()).output().unwrap();
    assert_fails(
        &output,
        &[
            "cannot build for 'aarch64-unknown-linux-gnu'",
            "g++-aarch64-linux-gnu (compiles llama.cpp for aarch64-unknown-linux-gnu)",
            "Run cross/build.sh --provision aarch64-unknown-linux-gnu",
        ],
    );
}

#[test]
fn an_unknown_target_is_refused_with_the_known_ones() {
    let output = Command::new(root().join("cross/build.sh")).arg("riscv64").output().unwrap();
    assert_fails(
        &output,
        &["'riscv64' is not a supported target", "aarch64-unknown-linux-gnu, or x86_64"],
    );
}

/// Runs a copy of `cross/dist.sh` on a program in place of the built one.
fn judged(program: &Path) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let built = folder.path().join(format!("target/{triple}/release"));
    std::fs::create_dir_all(&built).unwrap();
    std::fs::create_dir(folder.path().join("cross")).unwrap();
    let script = folder.path().join("cross/dist.sh");
    std::fs::copy(root().join("cross/dist.sh"), &script).unwrap();
    std::fs::copy(program, built.join("solverbox")).unwrap();
    Command::new(script).arg(triple).output().unwrap()
}

#[test]
fn a_file_that_is_not_static_is_refused() {
    let says = ["cannot distribute", "it requires a dynamic linker (INTERP)"];
    assert_fails(&judged(Path::new("/usr/bin/readelf")), &says);
}

#[test]
fn the_file_for_this_machine_is_static_and_small() {
    let output = judged(Path::new(env!("CARGO_BIN_EXE_solverbox")));
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains("dist/solverbox, static, "), "{stdout}");
}
