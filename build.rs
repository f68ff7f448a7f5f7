//! Compiles the kernel sets into the program (build/kernels.rs) and embeds the engine's version.

#[path = "build/kernels.rs"]
mod kernels;
#[path = "build/objects.rs"]
mod objects;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/kernels.rs");
    println!("cargo:rerun-if-changed=build/objects.rs");
    println!("cargo:rerun-if-changed=build/pages.cpp");
    println!("cargo:rerun-if-changed=build/products.cpp");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = std::fs::read_to_string(lock).expect("Cargo.lock lies beside Cargo.toml");
    let version = version_of(&lock, "llama-cpp-sys-2").expect("Cargo.lock names llama-cpp-sys-2");
    println!("cargo:rustc-env=SOLVERBOX_ENGINE=llama.cpp as llama-cpp-sys-2 {version} carries it");
    match kernels::build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("solverbox: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the version of a package in a Cargo.lock.
fn version_of<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}
