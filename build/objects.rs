//! Adds a suffix to every symbol of a kernel set's objects, and rejects objects that could still
//! conflict with another set.
//!
//! build/kernels.rs calls it, and tests/mixing.rs calls it on objects it must reject. It runs the
//! compiler's own binutils. Local names are renamed too, so that disassemblies, profiles and
//! backtraces show which set they belong to. So are the signatures of COMDAT groups (nm's class
//! `n`): if two sets shared one, the linker would silently drop the second set's group and the
//! program would call address 0.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The binutils that belong to a compiler.
pub struct Tools {
    nm: PathBuf,
    objcopy: PathBuf,
    readelf: PathBuf,
    ar: PathBuf,
}

impl Tools {
    /// Asks a compiler (GCC or Clang) for the paths of its binutils.
    pub fn of(compiler: &Path) -> Tools {
        let find = |name: &str| {
            let asked = Command::new(compiler).arg(format!("--print-prog-name={name}")).output();
            let path = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok());
            PathBuf::from(path.as_deref().map(str::trim).filter(|s| !s.is_empty()).unwrap_or(name))
        };
        Tools { nm: find("nm"), objcopy: find("objcopy"), readelf: find("readelf"), ar: find("ar") }
    }
}

/// Runs a command and returns its standard output.
///
/// # Errors
/// The command with its standard error, if it cannot be run or fails.
pub fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    // The C locale, because the output is parsed.
    let output =
        command.env("LC_ALL", "C").output().map_err(|e| format!("cannot run '{program}': {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed with {}:\n{}", output.status, stderr.trim()))
}

/// Adds `suffix` to every name the objects of one set define, in place.
///
/// # Errors
/// A tool's error message.
pub fn rename(tools: &Tools, objects: &[&Path], suffix: &str) -> Result<(), String> {
    let defined = objects.iter().map(|object| defined_names(tools, object));
    let defined = defined.collect::<Result<Vec<_>, _>>()?;
    let shared: BTreeSet<&str> = defined
        .iter()
        .flatten()
        .filter(|name| name.shared)
        .map(|name| name.name.as_str())
        .collect();
    for (object, own) in objects.iter().zip(&defined) {
        let mut names = shared.clone();
        names.extend(own.iter().map(|name| name.name.as_str()));
        let map: String = names.iter().map(|name| format!("{name} {name}{suffix}\n")).collect();
        let file = object.with_extension("names");
        std::fs::write(&file, map)
            .map_err(|e| format!("cannot write '{}': {e}", file.display()))?;
        let mut option = std::ffi::OsString::from("--redefine-syms=");
        option.push(&file);
        run(Command::new(&tools.objcopy).arg(option).arg(object))?;
    }
    Ok(())
}

/// Checks that renamed objects cannot conflict with another set's and run no code before `main`.
///
/// # Errors
/// The object and the offending symbol, group or section.
pub fn check(tools: &Tools, objects: &[&Path], suffix: &str) -> Result<(), String> {
    for object in objects {
        let refuse = |what: String| {
            Err(format!(
                "the kernel object '{}' has {what}\nbuild/objects.rs does not support this version \
                 of ggml: adapt it first.",
                object.display()
            ))
        };
        let names = defined_names(tools, object)?;
        if let Some(name) = names.iter().find(|name| !name.name.ends_with(suffix)) {
            return refuse(format!("the symbol '{}', which was not renamed", name.name));
        }
        let groups = run(Command::new(&tools.readelf).args(["-gW"]).arg(object))?;
        let known = names.iter().filter(|name| name.is_signature).count();
        // COMDAT group section [    1] `.group' [_ZN3fooC5Ev] contains 2 sections:
        let groups: Vec<&str> = groups.lines().filter(|l| l.starts_with("COMDAT")).collect();
        if groups.len() < known {
            return refuse(format!("{known} COMDAT groups, but readelf shows {}", groups.len()));
        }
        for line in groups {
            let name = line.split_once("' [").and_then(|(_, rest)| rest.split_once(']'));
            let name = name.map_or(line, |(name, _)| name);
            if !name.ends_with(suffix) {
                return refuse(format!("the COMDAT group '{name}', which was not renamed"));
            }
        }
        let sections = run(Command::new(&tools.readelf).args(["-SW"]).arg(object))?;
        for start in [".init_array", ".preinit_array", ".ctors"] {
            if sections.contains(start) {
                return refuse(format!(
                    "a section {start}, whose code runs before main chooses a set"
                ));
            }
        }
    }
    Ok(())
}

/// Creates an archive of the objects, replacing an existing file.
///
/// # Errors
/// The tool's error message.
pub fn archive(tools: &Tools, objects: &[&Path], archive: &Path) -> Result<(), String> {
    // `ar` would add to an existing archive and replace members by file name, which sets share.
    let _ = std::fs::remove_file(archive);
    run(Command::new(&tools.ar).arg("qcsD").arg(archive).args(objects)).map(|_| ())
}

struct Defined {
    name: String,
    /// Whether other objects can refer to it.
    shared: bool,
    /// Whether it is only the signature of a COMDAT group.
    is_signature: bool,
}

fn defined_names(tools: &Tools, object: &Path) -> Result<Vec<Defined>, String> {
    let table =
        run(Command::new(&tools.nm).args(["--defined-only", "--format=posix"]).arg(object))?;
    let fields = table.lines().map(|line| line.split_whitespace());
    let names = fields.filter_map(|mut line| Some((line.next()?, line.next()?)));
    Ok(names
        .map(|(name, class)| Defined {
            name: name.to_string(),
            // nm's classes: `u` is a unique global symbol, `n` the signature of a COMDAT group.
            is_signature: class == "n",
            shared: class.chars().all(|c| c.is_uppercase()) || class == "u" || class == "n",
        })
        .collect())
}
