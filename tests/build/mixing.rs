//! How build/objects.rs keeps the kernel sets apart in one program, tested on small objects.

#[path = "../../build/objects.rs"]
mod objects;

use std::path::{Path, PathBuf};
use std::process::Command;

use objects::Tools;

/// Like ggml's kernels: a local function, a constructor and a template, whose copies in two objects
/// the linker would merge.
const KERNEL: &str = r#"
    #include <vector>
    static int local() { return LEVEL; }
    struct Traits { virtual int level(); Traits(); };
    inline Traits::Traits() {}
    inline int Traits::level() { return local(); }
    extern "C" int entry() {
        std::vector<int> list;
        for (int i = 0; i < LEVEL; i++) list.push_back(Traits().level());
        return list.back() * 10 + (int) list.size();
    }
"#;

fn compile(folder: &Path, name: &str, source: &str, flags: &[&str]) -> PathBuf {
    let (file, object) = (folder.join(format!("{name}.cpp")), folder.join(format!("{name}.o")));
    std::fs::write(&file, source).unwrap();
    let mut command = Command::new("g++");
    command.args(["-O0", "-fPIC", "-fno-gnu-unique", "-c"]).args(flags);
    objects::run(command.arg(&file).arg("-o").arg(&object)).unwrap();
    object
}

#[test]
fn two_copies_of_the_same_code_coexist_in_one_program_under_different_names() {
    let folder = tempfile::tempdir().unwrap();
    let tools = Tools::of(Path::new("g++"));
    let mut all = Vec::new();
    for (suffix, flag) in [("__one", "-DLEVEL=1"), ("__two", "-DLEVEL=2")] {
        let object = compile(folder.path(), &format!("kernel{suffix}"), KERNEL, &[flag]);
        objects::rename(&tools, &[&object], suffix).unwrap();
        objects::check(&tools, &[&object], suffix).unwrap();
        all.push(object);
    }
    let archive = folder.path().join("libkernels.a");
    objects::archive(&tools, &all.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &archive)
        .unwrap();
    let main = compile(
        folder.path(),
        "main",
        r#"extern "C" int entry__one(); extern "C" int entry__two();
           int main() { return entry__one() + entry__two(); }"#,
        &[],
    );
    let program = folder.path().join("program");
    objects::run(Command::new("g++").arg(main).arg(archive).arg("-o").arg(&program)).unwrap();
    assert_eq!(Command::new(program).status().unwrap().code(), Some(11 + 22));
}

#[test]
fn objects_whose_symbols_would_merge_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tools = Tools::of(Path::new("g++"));
    let plain = compile(folder.path(), "plain", KERNEL, &["-DLEVEL=1"]);
    let error = objects::check(&tools, &[&plain], "__one").unwrap_err();
    assert!(error.contains("plain.o' has the symbol") && error.contains("not renamed"), "{error}");

    // Renames only the symbol: the constructor's group keeps its signature.
    let half = compile(folder.path(), "half", KERNEL, &["-DLEVEL=1"]);
    let names = objects::run(Command::new("nm").args(["--defined-only", "-f", "posix"]).arg(&half));
    let names = names.unwrap();
    let mut words = names.lines().map(|line| line.split(' '));
    let map: String = std::iter::from_fn(|| words.next())
        .filter_map(|mut line| Some((line.next()?, line.next()?)))
        .filter(|(_, class)| *class != "n")
        .map(|(name, _)| format!("{name} {name}__one\n"))
        .collect();
    let file = folder.path().join("map");
    std::fs::write(&file, map).unwrap();
    let option = format!("--redefine-syms={}", file.display());
    objects::run(Command::new("objcopy").arg(option).arg(&half)).unwrap();
    let error = objects::check(&tools, &[&half], "__one").unwrap_err();
    assert!(error.contains("C5Ev'"), "the signature of a constructor's group: {error}");
}

#[test]
fn objects_that_run_before_main_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tools = Tools::of(Path::new("g++"));
    let source = "int ask(); int asked = ask(); int ask() { return 7; }";
    let early = compile(folder.path(), "early", source, &[]);
    objects::rename(&tools, &[&early], "__one").unwrap();
    let error = objects::check(&tools, &[&early], "__one").unwrap_err();
    assert!(error.contains(".init_array, whose code runs before main"), "{error}");
}
