//! The finished programs, taken apart: outside the kernel sets, and outside functions that ask the
//! processor first, nothing goes beyond the oldest processor of the architecture.
//!
//! The judge is the assembler: each instruction the disassembler prints is assembled again with the
//! baseline alone allowed, and must not be refused as unknown to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::boards;
use crate::fixture::text;
use solverbox::words::kernels::{AARCH64, KernelSet, X86_64};

/// The binutils and the compiler of an architecture, and its sets.
struct Architecture {
    /// What the tools' names begin with.
    prefix: &'static str,
    /// What tells the assembler to know the baseline alone.
    baseline: &'static [&'static str],
    /// What the disassembler begins a remark with.
    remark: &'static str,
    /// Instructions that hold an address, of which there are too many for the assembler; all are as
    /// old as the architecture.
    jumps: &'static [&'static str],
    sets: &'static [KernelSet],
}

/// Parts of the names of Rust's functions that are called only after the processor was asked.
const ASKED_FIRST: &[&[&str]] =
    &[&["memchr", "avx2"], &["httparse", "avx2"], &["httparse", "sse42"], &["core_arch", "xgetbv"]];

/// What older processors take for something harmless: `bsf`, and nothing at all.
const HARMLESS: &[&str] = &["tzcnt", "endbr64"];

fn output(command: &mut Command) -> std::process::Output {
    command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}; install binutils and the compiler"))
}

impl Architecture {
    fn tool(&self, name: &str) -> Command {
        Command::new(format!("{}{name}", self.prefix))
    }

    /// The names of all functions the C and C++ libraries define; some have twins for newer
    /// processors, which they choose themselves.
    fn library_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for archive in ["libc.a", "libm.a", "libgcc.a", "libgcc_eh.a", "libstdc++.a"] {
            let asked = output(self.tool("gcc").arg(format!("--print-file-name={archive}")));
            let file = PathBuf::from(text(&asked.stdout).trim());
            assert!(file.is_absolute(), "{}gcc has no {archive}", self.prefix);
            for file in members_of_script(file) {
                let table =
                    output(self.tool("nm").args(["--defined-only", "-f", "posix"]).arg(&file));
                let table = String::from_utf8_lossy(&table.stdout).into_owned();
                let found = table.lines().filter_map(|line| line.split(' ').next());
                names.extend(found.map(str::to_string));
            }
        }
        assert!(names.contains("memcpy"));
        names
    }

    /// Every distinct instruction of the functions that must run on any processor, with one
    /// function it stands in.
    fn baseline_instructions(&self, binary: &Path) -> Vec<(String, String)> {
        let libraries = self.library_names();
        let options = ["-d", "--no-show-raw-insn", "--no-addresses"];
        let listing = output(self.tool("objdump").args(options).arg(binary));
        let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
        let suffix = |set: &KernelSet| format!("__{}", set.name.replace(['-', '.'], "_"));
        let suffixes: Vec<String> = self.sets.iter().map(suffix).collect();
        let (mut seen, mut list) = (BTreeSet::new(), Vec::new());
        let (mut function, mut counts, mut of_sets) = ("", false, 0);
        for line in listing.lines() {
            if let Some(name) = line.strip_prefix('<').and_then(|rest| rest.strip_suffix(">:")) {
                let of_a_set = suffixes.iter().any(|suffix| name.ends_with(suffix.as_str()));
                let asked =
                    ASKED_FIRST.iter().any(|parts| parts.iter().all(|part| name.contains(part)));
                function = name;
                counts = !of_a_set && !asked && !libraries.contains(name);
                of_sets += usize::from(of_a_set);
            } else if counts && line.starts_with('\t') {
                let instruction = line.trim().split(" <").next().unwrap();
                let instruction = instruction.split(self.remark).next().unwrap().trim();
                let name = instruction.split_whitespace().next().unwrap_or("");
                let jumps = name.starts_with("b.") || self.jumps.contains(&name);
                if !jumps && seen.insert(instruction.to_string()) {
                    list.push((instruction.to_string(), function.to_string()));
                }
            }
        }
        assert!(of_sets > 500 && list.len() > 10_000, "{of_sets} functions of sets were found");
        list
    }

    /// Returns what the assembler refuses when it may know the baseline alone.
    fn beyond_baseline(&self, instructions: &[(String, String)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("baseline.s");
        let lines: String = instructions.iter().map(|(text, _)| format!("{text}\n")).collect();
        std::fs::write(&source, lines).unwrap();
        let mut assembler = self.tool("as");
        let words = output(assembler.args(self.baseline).arg("-o").arg("/dev/null").arg(&source));
        let words = text(&words.stderr);
        // "file.s:12: Error: `vpxor …' is not supported on …", or "… processor does not support …"
        let refused = words.lines().filter(|line| {
            line.contains("is not supported on") || line.contains("processor does not support")
        });
        let found = refused.map(|line| {
            let number: usize = line.split(':').nth(1).unwrap().parse().unwrap();
            let (instruction, function) = &instructions[number - 1];
            format!("{instruction}   in {function}")
        });
        found.filter(|line| !HARMLESS.iter().any(|word| line.starts_with(word))).collect()
    }

    fn assert_baseline(&self, binary: &Path, newer: &str) {
        let mut list = self.baseline_instructions(binary);
        let beyond = self.beyond_baseline(&list);
        assert!(beyond.is_empty(), "{}", beyond.join("\n"));
        list.push((newer.to_string(), "a kernel".to_string()));
        assert_eq!(self.beyond_baseline(&list).len(), 1, "the judge knows {newer}");
    }
}

/// On x86-64 libm.a is a linker script that names two archives.
fn members_of_script(file: PathBuf) -> Vec<PathBuf> {
    let content = std::fs::read(&file).unwrap();
    if content.starts_with(b"!<arch>") {
        return vec![file];
    }
    let script = String::from_utf8_lossy(&content).into_owned();
    script.split_whitespace().filter(|word| word.ends_with(".a")).map(PathBuf::from).collect()
}

#[test]
fn the_aarch64_file_needs_no_more_than_armv8_0_outside_its_sets() {
    let arm = Architecture {
        prefix: "aarch64-linux-gnu-",
        baseline: &["-march=armv8-a"],
        remark: "//",
        jumps: &["b", "bl", "cbz", "cbnz", "tbz", "tbnz", "adr", "adrp"],
        sets: AARCH64,
    };
    arm.assert_baseline(&boards::binary(), "sdot v0.4s, v1.16b, v2.16b");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_x86_64_file_needs_no_more_than_the_first_processors_outside_its_sets() {
    let intel = Architecture {
        prefix: "",
        baseline: &["--64", "-march=generic64"],
        remark: " #",
        jumps: &["call", "jmp"],
        sets: X86_64,
    };
    let binary = Path::new(env!("CARGO_BIN_EXE_solverbox"));
    intel.assert_baseline(binary, "vpxor %ymm0,%ymm1,%ymm2");
}
