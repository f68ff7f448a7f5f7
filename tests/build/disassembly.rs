//! Disassembles the finished programs: outside the kernel sets and outside functions that check the
//! processor first, no instruction needs more than the oldest processor of the architecture; and no
//! set needs more than the features it declares.
//!
//! The assembler judges: each disassembled instruction is assembled again with only those features
//! enabled, and must be accepted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::boards;
use crate::support::text;
use solverbox::types::kernels::{AARCH64, KernelSet, X86_64};

/// The binutils and the compiler of an architecture, and its sets.
struct TargetArchitecture {
    /// Prefix of the tools' names.
    prefix: &'static str,
    /// The assembler's option for the baseline; features are added with `+`.
    baseline: &'static str,
    /// Features that the assembler names differently from Rust.
    other_names: &'static [(&'static str, &'static str)],
    /// How the disassembler begins a comment.
    remark: &'static str,
    /// Instructions with an address, too many for the assembler; all are as old as the
    /// architecture.
    jumps: &'static [&'static str],
    sets: &'static [KernelSet],
}

/// Parts of the names of functions that are called only after a check of the processor.
const ASKED_FIRST: &[&[&str]] = &[
    &["memchr", "avx2"],
    &["httparse", "avx2"],
    &["httparse", "sse42"],
    &["sha2", "x86_sha"],
    &["sha2", "aarch64_sha2"],
    &["argon2", "avx2"],
    &["core_arch", "xgetbv"],
    // std::random_device of the C++ library.
    &["_ZNSt12_GLOBAL__N_1", "__x86_rd"],
];

/// Instructions that older processors execute as something harmless: as `bsf`, or not at all.
const HARMLESS: &[&str] = &["tzcnt", "endbr64"];

/// Runs a tool in English, because its output is parsed.
fn output(command: &mut Command) -> std::process::Output {
    command
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}; install binutils and the compiler"))
}

impl TargetArchitecture {
    fn tool(&self, name: &str) -> Command {
        Command::new(format!("{}{name}", self.prefix))
    }

    /// Returns the functions of the C library and the compiler's runtime; some have variants for
    /// newer processors, which they choose themselves.
    fn library_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for archive in ["libc.a", "libm.a", "libgcc.a", "libgcc_eh.a"] {
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

    /// Disassembles a program into the parts that are judged alike, each with its distinct
    /// instructions.
    ///
    /// The first part must run on any processor; the others are the sets.
    fn parts(&self, binary: &Path) -> Vec<CodePart> {
        let libraries = self.library_names();
        let options = ["-d", "--no-show-raw-insn", "--no-addresses"];
        let listing = output(self.tool("objdump").args(options).arg(binary));
        let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
        let suffix = |set: &KernelSet| format!("__{}", set.name.replace(['-', '.'], "_"));
        let suffixes: Vec<String> = self.sets.iter().map(suffix).collect();
        let mut parts: Vec<CodePart> = Vec::new();
        parts.resize_with(1 + self.sets.len(), CodePart::default);
        let (mut function, mut part) = ("", None);
        for line in listing.lines() {
            if let Some(name) = line.strip_prefix('<').and_then(|rest| rest.strip_suffix(">:")) {
                let set = suffixes.iter().position(|suffix| name.ends_with(suffix.as_str()));
                let asked =
                    ASKED_FIRST.iter().any(|parts| parts.iter().all(|part| name.contains(part)));
                function = name;
                part = match set {
                    Some(at) => Some(1 + at),
                    None => (!asked && !libraries.contains(name)).then_some(0),
                };
            } else if line.starts_with('\t')
                && let Some(part) = part
            {
                let instruction = line.trim().split(" <").next().unwrap();
                let instruction = instruction.split(self.remark).next().unwrap().trim();
                let name = instruction.split_whitespace().next().unwrap_or("");
                let jumps = name.starts_with("b.") || self.jumps.contains(&name);
                if !jumps && parts[part].seen.insert(instruction.to_string()) {
                    parts[part].list.push((instruction.to_string(), function.to_string()));
                }
            }
        }
        parts
    }

    /// Returns the instructions that the assembler refuses with only these features.
    fn beyond(&self, instructions: &[(String, String)], features: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("part.s");
        let lines: String = instructions.iter().map(|(text, _)| format!("{text}\n")).collect();
        std::fs::write(&source, lines).unwrap();
        // It accepts dot products only together with Armv8.2.
        let dots = features.contains("+dotprod");
        let base = if dots { "armv8.2-a" } else { self.baseline };
        let may = format!("-march={base}{features}");
        let words = output(self.tool("as").arg(may).arg("-o").arg("/dev/null").arg(&source));
        let words = text(&words.stderr);
        let errors: Vec<&str> = words.lines().filter(|line| line.contains(" Error: ")).collect();
        // "file.s:12: Error: `vpxor …' is not supported on …", or "… processor does not support …"
        let (refused, unread): (Vec<&str>, Vec<&str>) = errors.into_iter().partition(|line| {
            line.contains("is not supported on") || line.contains("processor does not support")
        });
        // The assembler does not accept everything the disassembler prints.
        assert!(unread.len() * 100 < instructions.len(), "{}", unread.join("\n"));
        let found = refused.into_iter().map(|line| {
            let number: usize = line.split(':').nth(1).unwrap().parse().unwrap();
            let (instruction, function) = &instructions[number - 1];
            format!("{instruction}   in {function}")
        });
        found.filter(|line| !HARMLESS.iter().any(|word| line.starts_with(word))).collect()
    }

    /// Returns a set's features in the assembler's notation.
    fn features(&self, set: &KernelSet) -> String {
        let other = |feature| self.other_names.iter().find(|(name, _)| *name == feature);
        set.needs().map(|f| format!("+{}", other(f).map_or(f, |(_, other)| other))).collect()
    }

    fn judge(&self, binary: &Path, newer: &str) {
        let mut parts = self.parts(binary);
        assert!(parts[0].list.len() > 10_000, "the program was disassembled");
        let beyond = self.beyond(&parts[0].list, "");
        assert!(beyond.is_empty(), "{}", beyond.join("\n"));
        for (set, part) in self.sets.iter().zip(&parts[1..]) {
            assert!(part.list.len() > 10_000, "{} was disassembled", set.name);
            let beyond = self.beyond(&part.list, &self.features(set));
            assert!(beyond.is_empty(), "{}: {}", set.name, beyond.join("\n"));
        }
        parts[0].list.push((newer.to_string(), "a kernel".to_string()));
        assert_eq!(self.beyond(&parts[0].list, "").len(), 1, "the judge knows {newer}");
        let best = self.beyond(&parts[self.sets.len()].list, "");
        assert!(best.len() > 1_000, "the best set uses much more than the baseline");
    }
}

/// Distinct instructions, each with one function that has it.
#[derive(Default)]
struct CodePart {
    seen: BTreeSet<String>,
    list: Vec<(String, String)>,
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
fn the_aarch64_file_needs_only_armv8_0_and_each_set_only_its_features() {
    let arm = TargetArchitecture {
        prefix: "aarch64-linux-gnu-",
        baseline: "armv8-a",
        other_names: &[("neon", "simd"), ("rdm", "rdma")],
        remark: "//",
        jumps: &["b", "bl", "cbz", "cbnz", "tbz", "tbnz", "adr", "adrp"],
        sets: AARCH64,
    };
    arm.judge(&boards::binary(), "sdot v0.4s, v1.16b, v2.16b");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_x86_64_file_needs_only_the_first_processors_and_each_set_only_its_features() {
    let intel = TargetArchitecture {
        prefix: "",
        baseline: "generic64",
        other_names: &[
            ("cmpxchg16b", "cx16"),
            ("bmi1", "bmi"),
            ("avx512vnni", "avx512_vnni"),
            ("avx512vbmi", "avx512_vbmi"),
        ],
        remark: " #",
        jumps: &["call", "jmp"],
        sets: X86_64,
    };
    let binary = Path::new(env!("CARGO_BIN_EXE_solverbox"));
    intel.judge(binary, "vpxor %ymm0,%ymm1,%ymm2");
}
