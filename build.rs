//! Tells the program which engine it was built with, for `solverbox --version`.
//!
//! The kernels will be compiled here, once per instruction set; until then the pinned crate builds
//! them.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-changed=build.rs");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = std::fs::read_to_string(lock).expect("Cargo.lock lies beside Cargo.toml");
    let version = version_of(&lock, "llama-cpp-sys-2").expect("Cargo.lock names llama-cpp-sys-2");
    println!("cargo:rustc-env=SOLVERBOX_ENGINE=llama.cpp as llama-cpp-sys-2 {version} carries it");
}

/// Returns the version of a package in a Cargo.lock.
fn version_of<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}
