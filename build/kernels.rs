//! Compiles ggml's CPU kernels once per kernel set; build.rs calls it.
//!
//! The sources are those of the pinned llama-cpp-sys-2, from which it has just built the rest of
//! ggml. Every symbol of a set gets the set's suffix (build/objects.rs), so that one program can
//! contain all sets; it chooses one at start-up (src/engine/kernels.rs). The names of the sets and
//! the CPU features they require are in src/types/kernels.rs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::{env, fs, thread};

use crate::objects::{self, Tools};

/// One compilation of the kernels.
struct Set {
    /// The name used in src/types/kernels.rs.
    name: &'static str,
    /// Compiler flags that enable instructions beyond the target's baseline.
    flags: &'static [&'static str],
}

/// `armv8.6-i8mm` enables only what i8mm requires, not all of Armv8.6: the kernels use nothing else
/// of it, and processors such as Neoverse V1 have i8mm without the rest. It is tuned for N1, which
/// is close to the A76, because the processors with i8mm are too diverse to tune for one of them.
const AARCH64: &[Set] = &[
    Set { name: "armv8.0", flags: &["-march=armv8-a", "-mtune=cortex-a57"] },
    Set { name: "armv8.2-dotprod", flags: &["-march=armv8.2-a+dotprod+fp16", "-mtune=cortex-a76"] },
    Set {
        name: "armv8.6-i8mm",
        flags: &["-march=armv8.2-a+dotprod+fp16+i8mm", "-mtune=neoverse-n1"],
    },
];

/// The microarchitecture levels of the x86-64 psABI.
const X86_64: &[Set] = &[
    Set { name: "x86-64-v2", flags: &["-march=x86-64-v2"] },
    Set { name: "x86-64-v3", flags: &["-march=x86-64-v3"] },
    Set { name: "x86-64-v4", flags: &["-march=x86-64-v4", "-mavx512vnni", "-mavx512vbmi"] },
];

/// ggml-cpu's files for all architectures (its CMakeLists.txt), relative to `ggml/src/ggml-cpu`;
/// [`sources`] adds those of one architecture.
const SOURCES: &[&str] = &[
    "ggml-cpu.c",
    "ggml-cpu.cpp",
    "repack.cpp",
    "hbm.cpp",
    "quants.c",
    "traits.cpp",
    "amx/amx.cpp",
    "amx/mmq.cpp",
    "tiled/tiled.cpp",
    "tiled/tiled-kernel.cpp",
    "binary-ops.cpp",
    "unary-ops.cpp",
    "vec.cpp",
    "ops.cpp",
    "llamafile/sgemm.cpp",
];

/// The definitions of ggml's own CMake files for a build with repacking and llamafile's matrix
/// products, without OpenMP.
const DEFINES: &[&str] = &[
    "-DNDEBUG",
    "-DGGML_SCHED_MAX_COPIES=4",
    "-DGGML_USE_CPU_REPACK",
    "-DGGML_USE_LLAMAFILE",
    "-D_GNU_SOURCE",
    "-D_XOPEN_SOURCE=600",
];

/// A source file of this project whose functions replace some of ggml's.
struct Ours {
    /// File name within build/.
    source: &'static str,
    /// Architecture folders of ggml-cpu it applies to.
    folders: &'static [&'static str],
    /// Redirected calls: the calling file, ggml's function, our function.
    called: &'static [(&'static str, &'static str, &'static str)],
}

/// On ARM ggml's own matrix products are as fast as ours would be.
const OURS: &[Ours] = &[
    Ours {
        source: "products.cpp",
        folders: &["x86"],
        called: &[
            ("ggml-cpu.c", "llamafile_sgemm", "solverbox_sgemm"),
            ("ggml-cpu.c", "ggml_compute_forward_mul_mat_tiled", "solverbox_tiled"),
            ("repack.cpp", "ggml_gemm_q4_0_8x8_q8_0", "solverbox_gemm_q4_0"),
            ("repack.cpp", "ggml_gemv_q4_0_8x8_q8_0", "solverbox_gemv_q4_0"),
        ],
    },
    Ours {
        source: "pages.cpp",
        folders: &["arm", "x86"],
        called: &[("repack.cpp", "ggml_backend_buft_alloc_buffer", "solverbox_alloc_buffer")],
    },
];

/// Without link-time optimisation, whose objects cannot be renamed, and without unique symbols
/// (STB_GNU_UNIQUE), which the dynamic linker merges process-wide.
const FLAGS: &[&str] = &["-O3", "-w", "-fno-lto", "-fno-gnu-unique"];

/// One file of one set to compile.
struct Job {
    set: &'static Set,
    /// Definitions that redirect calls to our functions.
    defines: Vec<String>,
    source: PathBuf,
    object: PathBuf,
}

/// Compiles, renames, checks and links all sets of the target's architecture.
///
/// # Errors
/// Two lines: the failure, and its remedy.
pub fn build() -> Result<(), String> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let (sets, folder) = match arch.as_str() {
        "aarch64" => (AARCH64, "arm"),
        "x86_64" => (X86_64, "x86"),
        other => {
            return Err(format!(
                "cannot build for '{other}': this architecture has no kernel sets\nBuild for \
                 aarch64 or x86_64."
            ));
        }
    };
    let ggml = ggml_folder()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("kernels");
    let compilers = Compilers::find(&ggml);
    let ours = || OURS.iter().filter(|ours| ours.folders.contains(&folder));
    let mut jobs = Vec::new();
    for set in sets {
        let objects = out.join(set.name);
        // Removes objects of earlier builds.
        let _ = fs::remove_dir_all(&objects);
        fs::create_dir_all(&objects).map_err(|e| format!("cannot make '{objects:?}': {e}"))?;
        for file in sources(folder) {
            let object = objects.join(format!("{}.o", file.replace(['/', '.'], "_")));
            let called = ours().flat_map(|ours| ours.called).filter(|(by, ..)| *by == file);
            let defines = called.map(|(_, theirs, ours)| format!("-D{theirs}={ours}")).collect();
            let source = ggml.join("src/ggml-cpu").join(&file);
            jobs.push(Job { set, defines, source, object });
        }
        for Ours { source, .. } in ours() {
            let object = objects.join(format!("{}.o", source.replace('.', "_")));
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build").join(source);
            jobs.push(Job { set, defines: Vec::new(), source, object });
        }
    }
    compile(&compilers, &jobs)?;
    let tools = Tools::of(compilers.c.path());
    for set in sets {
        let of_set = |job: &&Job| job.set.name == set.name;
        let objects: Vec<&Path> =
            jobs.iter().filter(of_set).map(|job| job.object.as_path()).collect();
        objects::rename(&tools, &objects, &suffix(set.name))?;
        objects::check(&tools, &objects, &suffix(set.name))?;
    }
    let objects: Vec<&Path> = jobs.iter().map(|job| job.object.as_path()).collect();
    objects::archive(&tools, &objects, &out.join("libsolverbox_kernels.a"))?;
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=solverbox_kernels");
    Ok(())
}

/// Returns the suffix of a set's symbols, such as `__armv8_2_dotprod`.
fn suffix(name: &str) -> String {
    format!("__{}", name.replace(['-', '.'], "_"))
}

fn sources(folder: &str) -> Vec<String> {
    let common = SOURCES.iter().map(|file| file.to_string());
    common.chain(["quants.c", "repack.cpp"].map(|f| format!("arch/{folder}/{f}"))).collect()
}

/// Returns the folder of the ggml sources llama-cpp-sys-2 was built from, after checking that it
/// was built without CPU kernels.
fn ggml_folder() -> Result<PathBuf, String> {
    let remedy = "Build with the versions in Cargo.lock (cargo build --locked).";
    let cmake = env::var_os("DEP_LLAMA_GGML_CMAKE_DIR")
        .ok_or(format!("llama-cpp-sys-2 did not report where it built ggml\n{remedy}"))?;
    let cache = Path::new(&cmake).join("../../build/CMakeCache.txt");
    let text = fs::read_to_string(&cache)
        .map_err(|e| format!("cannot read '{}': {e}\n{remedy}", cache.display()))?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.split_once('=').map(|(_, v)| v))
    };
    if value("GGML_CPU:") != Some("OFF") {
        return Err("llama-cpp-sys-2 was built with its own CPU kernels\nBuild inside the \
                    repository, where .cargo/config.toml sets GGML_CPU=OFF."
            .to_string());
    }
    let home = value("CMAKE_HOME_DIRECTORY:")
        .ok_or(format!("'{}' lacks CMAKE_HOME_DIRECTORY\n{remedy}", cache.display()))?;
    Ok(Path::new(home).join("ggml"))
}

/// The C and C++ compilers for the target.
struct Compilers {
    c: cc::Tool,
    cpp: cc::Tool,
    includes: Vec<String>,
    /// ccache, if installed.
    launcher: Option<&'static str>,
}

impl Compilers {
    fn find(ggml: &Path) -> Compilers {
        let tool = |cpp: bool| {
            let mut build = cc::Build::new();
            build.cpp(cpp).debug(false).warnings(false).pic(true);
            build.get_compiler()
        };
        let folders = ["src", "src/ggml-cpu", "include"];
        let includes = folders.map(|folder| format!("-I{}", ggml.join(folder).display()));
        let has_ccache = Command::new("ccache").arg("--version").output().is_ok();
        Compilers {
            c: tool(false),
            cpp: tool(true),
            includes: includes.to_vec(),
            launcher: has_ccache.then_some("ccache"),
        }
    }

    fn command(&self, job: &Job) -> Command {
        let is_c = job.source.extension().is_some_and(|extension| extension == "c");
        let (tool, standard) =
            if is_c { (&self.c, "-std=gnu11") } else { (&self.cpp, "-std=gnu++17") };
        let mut command = match self.launcher {
            Some(launcher) => {
                let mut command = Command::new(launcher);
                command.arg(tool.path());
                command
            }
            None => Command::new(tool.path()),
        };
        command.envs(tool.get_envs()).args(tool.args());
        command.args(FLAGS).args(DEFINES).args(&self.includes).arg(standard).args(job.set.flags);
        command.args(&job.defines);
        command.arg("-c").arg(&job.source).arg("-o").arg(&job.object);
        command
    }
}

/// Compiles all jobs, `NUM_JOBS` at a time, the largest files first.
fn compile(compilers: &Compilers, jobs: &[Job]) -> Result<(), String> {
    let at_once: usize = env::var("NUM_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut queue: Vec<&Job> = jobs.iter().collect();
    queue.sort_by_key(|job| fs::metadata(&job.source).map_or(0, |m| m.len()));
    let (queue, failures) = (Mutex::new(queue), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(job) = { queue.lock().expect("no thread panics").pop() } {
                    if let Err(failure) = objects::run(&mut compilers.command(job)) {
                        queue.lock().expect("no thread panics").clear();
                        failures.lock().expect("no thread panics").push(failure);
                    }
                }
            });
        }
    });
    match failures.into_inner().expect("no thread panics").pop() {
        None => Ok(()),
        Some(failure) => Err(format!(
            "cannot compile the kernels: {failure}\nUse a compiler that supports these flags: GCC \
             12 or newer, or Clang 14 or newer."
        )),
    }
}
