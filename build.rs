//! Compiles the kernel sets into the program (build/kernels.rs), packs the page (build/page.rs) and
//! embeds the engine's version.

#[path = "build/kernels.rs"]
mod kernels;
#[path = "build/objects.rs"]
mod objects;
#[path = "build/page.rs"]
mod page;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/kernels.rs");
    println!("cargo:rerun-if-changed=build/objects.rs");
    println!("cargo:rerun-if-changed=build/page.rs");
    println!("cargo:rerun-if-changed=build/pages.cpp");
    println!("cargo:rerun-if-changed=build/products.cpp");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = std::fs::read_to_string(lock).expect("Cargo.lock lies beside Cargo.toml");
    let version = version_of(&lock, "llama-cpp-sys-2").expect("Cargo.lock names llama-cpp-sys-2");
    println!("cargo:rustc-env=SOLVERBOX_ENGINE=llama.cpp as llama-cpp-sys-2 {version} carries it");
    // The page first: it takes no time, and may be missing.
    match pack_page().and_then(|()| kernels::build()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("solverbox: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Packs the page for src/http/page.rs.
fn pack_page() -> Result<(), String> {
    println!("cargo:rerun-if-changed={}", page::DIST);
    println!("cargo:rerun-if-changed={}", page::BASIC_STYLE);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let files = page::pack(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    page::write(&files, &out.join("page"))
}

/// Returns the version of a package in a Cargo.lock.
fn version_of<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}
