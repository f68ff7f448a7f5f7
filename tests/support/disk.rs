//! The files a power cut can leave in a folder, computed from the trace of a process.
//!
//! `strace` records every call that changes a file. For an instant T the folder is rebuilt in a
//! state the disk could be in:
//! - bytes written before an fsync or fdatasync of their file that returned by T are there;
//! - of later writes, each page or sector (512 bytes, so that pages are torn) has any of the
//!   versions it had, or the synced one: the kernel writes in any order;
//! - a file's length is any it had since the sync; bytes that are missing in between are zeros;
//! - a name that was made, changed or removed is kept once its folder was synced, and that of a new
//!   file once the file was. Of later changes of names a prefix is kept, in order, as a file system
//!   with a journal (ext4, XFS, Btrfs) replays them.
//!
//! This is harsher than ext4 with its defaults, where one sync writes all older names of the disk
//! and a file's length comes after its bytes. Not modelled: disks that acknowledge writes they have
//! not done, and sectors torn within. Calls cut off by a kill count as done at that moment, syncs
//! as not done. Memory maps are not traced: SQLite's `-shm` is one, and is rebuilt at each start.
//! Subfolders are left out.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: usize = 4096;
/// The calls that change files, names or descriptors.
const CALLS: &str = "trace=openat,close,lseek,write,writev,pwrite64,pwritev,fsync,fdatasync,\
                     ftruncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,link,mkdir";

/// How much of the unsynced writes a cut keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of them are lost.
    All,
    /// Some pages are kept, each complete.
    Pages,
    /// Some sectors are kept, so that pages are torn.
    Sectors,
}

/// Returns a command that runs under `strace` and records its calls in one file a thread.
pub fn traced(command: &Command, to: &Path) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-ff", "--seccomp-bpf", "-ttt", "-T", "-xx", "-s", "4194304", "-e", CALLS, "-o"]);
    traced.arg(to).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced
}

/// Returns whether processes can be traced on this machine.
pub fn can_trace() -> bool {
    let mut probe = Command::new("strace");
    probe.args(["-f", "--seccomp-bpf", "-e", CALLS, "-o", "/dev/null", "true"]);
    probe.output().is_ok_and(|output| output.status.success())
}

/// A file under any of its names.
type FileId = usize;

#[derive(Debug)]
enum FileChange {
    Write(FileId, usize, Vec<u8>),
    Length(FileId, usize),
    Sync(FileId),
    SyncNames,
    Make(String, FileId),
    Rename(String, String),
    Remove(String),
}

/// A change, with the times it began and ended in seconds since 1970.
#[derive(Debug)]
struct TracedChange {
    began: f64,
    done: f64,
    change: FileChange,
}

/// All changes to the files of a folder.
#[derive(Default)]
pub struct FileHistory {
    folder: PathBuf,
    steps: Vec<TracedChange>,
    files: usize,
    names: BTreeMap<String, FileId>,
    lengths: HashMap<FileId, usize>,
}

/// An open descriptor.
#[derive(Clone, Copy)]
enum Open {
    Folder,
    File { file: FileId, at: usize, appends: bool },
}

/// A system call as recorded.
struct Call {
    began: f64,
    done: f64,
    name: String,
    arguments: Vec<String>,
    returned: Option<i64>,
}

impl FileHistory {
    /// Starts with an empty folder.
    pub fn of(folder: &Path) -> FileHistory {
        FileHistory { folder: folder.to_path_buf(), ..FileHistory::default() }
    }

    /// Adds the calls of a process, from the records of its threads, whose names begin with `to`.
    pub fn add(&mut self, to: &Path) {
        let prefix = to.file_name().unwrap().to_str().unwrap();
        let mut calls = Vec::new();
        for entry in std::fs::read_dir(to.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let thread = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            if thread.is_some_and(|thread| thread.parse::<u32>().is_ok()) {
                let text = std::fs::read_to_string(&path).unwrap();
                calls.extend(text.lines().filter_map(call));
            }
        }
        // Calls cut off by the end of the process count as done by then, except syncs.
        let end = calls.iter().map(|call: &Call| call.began).fold(0.0, f64::max);
        let cut_off = calls.iter_mut().filter(|call| call.done.is_infinite());
        cut_off.filter(|call| !call.name.ends_with("sync")).for_each(|call| call.done = end);
        // By the time they ended: a descriptor is reused only once it was closed.
        calls.sort_by(|a, b| a.done.min(end).total_cmp(&b.done.min(end)));
        let mut open = HashMap::new();
        for call in &calls {
            self.take(call, &mut open);
        }
        self.steps.sort_by(|a, b| a.began.total_cmp(&b.began));
    }

    /// Returns the times at which changes began, in order.
    pub fn instants(&self) -> Vec<f64> {
        self.steps.iter().map(|step| step.began).collect()
    }

    /// Returns the seconds of the longest sync.
    pub fn slowest_sync(&self) -> f64 {
        let syncs = self.steps.iter().filter(|step| matches!(step.change, FileChange::Sync(_)));
        syncs.map(|step| step.done - step.began).filter(|s| s.is_finite()).fold(0.0, f64::max)
    }

    /// Returns the file name of a path in this folder; `None` for paths elsewhere.
    fn name(&self, path: &str) -> Option<String> {
        let path = Path::new(path);
        (path.parent() == Some(&self.folder))
            .then(|| path.file_name()?.to_str().map(str::to_string))?
    }

    fn take(&mut self, call: &Call, open: &mut HashMap<i64, Open>) {
        let text = |at: usize| call.arguments.get(at).map_or("", String::as_str);
        let number = |at: usize| text(at).parse::<i64>().unwrap_or(-1);
        // A call cut off by a kill returned nothing and counts as done.
        if call.returned.is_some_and(|returned| returned < 0) {
            return;
        }
        let path = |at: usize| String::from_utf8(bytes(text(at))).unwrap_or_default();
        match (call.name.as_str(), open.get(&number(0)).copied()) {
            ("openat", _) => self.open(call, &path(1), text(2), open),
            ("close", _) => drop(open.remove(&number(0))),
            ("lseek", Some(Open::File { file, appends, .. })) => {
                let at = call.returned.unwrap_or(0) as usize;
                open.insert(number(0), Open::File { file, at, appends });
            }
            ("write", Some(Open::File { file, at, appends })) => {
                let written = bytes(text(1));
                let at = if appends { self.lengths[&file] } else { at };
                open.insert(number(0), Open::File { file, at: at + written.len(), appends });
                self.write(call, file, at, written);
            }
            ("pwrite64", Some(Open::File { file, .. })) => {
                self.write(call, file, number(3) as usize, bytes(text(1)));
            }
            ("ftruncate", Some(Open::File { file, .. })) => {
                self.lengths.insert(file, number(1) as usize);
                self.step(call, FileChange::Length(file, number(1) as usize));
            }
            ("fsync" | "fdatasync", Some(Open::File { file, .. })) => {
                self.step(call, FileChange::Sync(file));
            }
            ("fsync" | "fdatasync", Some(Open::Folder)) => self.step(call, FileChange::SyncNames),
            ("rename", _) => self.rename(call, &path(0), &path(1)),
            ("unlink", _) => self.remove(call, &path(0)),
            // Relative to a descriptor this is the name of a socket of the gate.
            ("unlinkat" | "mkdir", _) => {}
            ("renameat" | "renameat2" | "link", _) => {
                assert!(self.name(&path(1)).is_none(), "{} is not modelled", call.name);
            }
            ("writev" | "pwritev" | "fallocate", Some(Open::File { .. })) => {
                panic!("{} is not modelled", call.name)
            }
            _ => {}
        }
    }

    fn open(&mut self, call: &Call, path: &str, flags: &str, open: &mut HashMap<i64, Open>) {
        let Some(number) = call.returned else { return };
        if Path::new(path) == self.folder {
            open.insert(number, Open::Folder);
        }
        let Some(name) = self.name(path).filter(|name| !name.ends_with("-shm")) else { return };
        let file = match self.names.get(&name) {
            Some(&file) => file,
            None if flags.contains("O_CREAT") => {
                self.files += 1;
                self.names.insert(name.clone(), self.files);
                self.lengths.insert(self.files, 0);
                self.step(call, FileChange::Make(name, self.files));
                self.files
            }
            None => return,
        };
        if flags.contains("O_TRUNC") && self.lengths[&file] > 0 {
            self.lengths.insert(file, 0);
            self.step(call, FileChange::Length(file, 0));
        }
        let appends = flags.contains("O_APPEND");
        open.insert(number, Open::File { file, at: 0, appends });
    }

    fn write(&mut self, call: &Call, file: FileId, at: usize, mut written: Vec<u8>) {
        if let Some(returned) = call.returned {
            written.truncate(returned as usize);
        }
        let length = self.lengths.get_mut(&file).unwrap();
        *length = (*length).max(at + written.len());
        self.step(call, FileChange::Write(file, at, written));
    }

    fn rename(&mut self, call: &Call, from: &str, to: &str) {
        if let (Some(from), Some(to)) = (self.name(from), self.name(to))
            && let Some(file) = self.names.remove(&from)
        {
            self.names.insert(to.clone(), file);
            self.step(call, FileChange::Rename(from, to));
        }
    }

    fn remove(&mut self, call: &Call, path: &str) {
        if let Some(name) = self.name(path)
            && self.names.remove(&name).is_some()
        {
            self.step(call, FileChange::Remove(name));
        }
    }

    fn step(&mut self, call: &Call, change: FileChange) {
        self.steps.push(TracedChange { began: call.began, done: call.done, change });
    }

    /// Returns files that a cut at `at` could leave, by name.
    pub fn cut(&self, at: f64, loss: Loss, random: &mut ChaCha8Rng) -> BTreeMap<String, Vec<u8>> {
        let steps: Vec<&TracedChange> = self.steps.iter().filter(|step| step.began < at).collect();
        let changes: Vec<&TracedChange> =
            steps.iter().copied().filter(|step| step.is_of_names()).collect();
        let sure =
            |step: &TracedChange| steps.iter().any(|sync| sync.done <= at && sync.keeps_name(step));
        let sure = changes.iter().rposition(|step| sure(step)).map_or(0, |last| last + 1);
        let kept = match loss {
            Loss::All => sure,
            _ => sure + random.next_u32() as usize % (changes.len() - sure + 1),
        };
        let mut names = BTreeMap::new();
        for step in &changes[..kept] {
            match &step.change {
                FileChange::Make(name, file) => drop(names.insert(name.clone(), *file)),
                FileChange::Rename(from, to) => {
                    let file = names.remove(from).expect("the file was made before");
                    names.insert(to.clone(), file);
                }
                FileChange::Remove(name) => drop(names.remove(name)),
                _ => {}
            }
        }
        let files = names.into_iter();
        files.map(|(name, file)| (name, contents(file, &steps, at, loss, random))).collect()
    }

    /// Returns the files as the process left them.
    pub fn end(&self) -> BTreeMap<String, Vec<u8>> {
        let contents = |file| {
            let mut contents = Vec::new();
            self.steps.iter().for_each(|step| step.apply(file, &mut contents));
            contents
        };
        self.names.iter().map(|(name, &file)| (name.clone(), contents(file))).collect()
    }
}

impl TracedChange {
    fn is_of_names(&self) -> bool {
        matches!(self.change, FileChange::Make(..) | FileChange::Rename(..) | FileChange::Remove(_))
    }

    /// Returns whether this sync makes a change of a name durable.
    fn keeps_name(&self, of: &TracedChange) -> bool {
        let is_sync = match (&self.change, &of.change) {
            (FileChange::SyncNames, _) => true,
            (FileChange::Sync(synced), FileChange::Make(_, made)) => synced == made,
            _ => false,
        };
        is_sync && of.done <= self.began
    }

    /// Applies this change to the contents of `file`, if it concerns that file.
    fn apply(&self, file: FileId, contents: &mut Vec<u8>) {
        match &self.change {
            FileChange::Write(of, at, bytes) if *of == file => {
                let end = at + bytes.len();
                contents.resize(contents.len().max(end), 0);
                contents[*at..end].copy_from_slice(bytes);
            }
            FileChange::Length(of, length) if *of == file => contents.resize(*length, 0),
            _ => {}
        }
    }

    fn is_of(&self, file: FileId) -> bool {
        matches!(self.change, FileChange::Write(of, ..) | FileChange::Length(of, _) if of == file)
    }
}

/// Returns contents that a file could have after the cut.
fn contents(
    file: FileId,
    steps: &[&TracedChange],
    at: f64,
    loss: Loss,
    random: &mut ChaCha8Rng,
) -> Vec<u8> {
    let is_sync = |step: &&&TracedChange| {
        step.done <= at && matches!(step.change, FileChange::Sync(of) if of == file)
    };
    let synced = steps.iter().filter(is_sync).map(|step| step.began).fold(f64::MIN, f64::max);
    let of_file = steps.iter().filter(|step| step.is_of(file));
    let (sure, open): (Vec<&TracedChange>, Vec<&TracedChange>) =
        of_file.partition(|step| step.done <= synced);
    let mut contents = Vec::new();
    sure.iter().for_each(|step| step.apply(file, &mut contents));
    if loss == Loss::All || open.is_empty() {
        return contents;
    }
    let unit = if loss == Loss::Pages { PAGE_BYTES } else { SECTOR_BYTES };
    let mut latest = contents.clone();
    let mut lengths = vec![contents.len()];
    let mut versions: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    for step in open {
        step.apply(file, &mut latest);
        lengths.push(latest.len());
        if let FileChange::Write(_, from, bytes) = &step.change {
            for at in from / unit..(from + bytes.len()).div_ceil(unit) {
                let version = latest[at * unit..latest.len().min((at + 1) * unit)].to_vec();
                versions.entry(at).or_default().push(version);
            }
        }
    }
    let length = lengths[random.next_u32() as usize % lengths.len()];
    contents.resize(length, 0);
    for (at, versions) in versions {
        let drawn = random.next_u32() as usize % (versions.len() + 1);
        let from = at * unit;
        // Beyond the last version stands for the synced contents.
        if let Some(version) = versions.get(drawn).filter(|_| from < length) {
            let end = length.min(from + version.len());
            contents[from..end].copy_from_slice(&version[..end - from]);
        }
    }
    contents
}

/// Reads a line such as `1795797244.53 pwrite64(7, "\x0d\x0a", 2, 0) = 2 <0.000013>`; what a kill
/// cut off ends in `<unfinished ...>` or `= ?`.
fn call(line: &str) -> Option<Call> {
    let (began, rest) = line.split_once(' ')?;
    let began: f64 = began.parse().ok()?;
    let (name, rest) = rest.split_once('(')?;
    let ended = rest.rsplit_once(" = ");
    let arguments = ended.map_or(rest, |(arguments, _)| arguments).trim_end();
    let arguments = arguments.trim_end_matches(')').trim_end_matches(" <unfinished ...>");
    let arguments = arguments.split(", ").map(str::to_string).collect();
    let result = ended.map_or("?", |(_, result)| result);
    let returned = result.split([' ', '<']).next().and_then(|number| number.parse().ok());
    let took = result.rsplit_once('<').and_then(|(_, took)| took.strip_suffix('>')?.parse().ok());
    let done = returned.and(took).map_or(f64::INFINITY, |took: f64| began + took);
    Some(Call { began, done, name: name.to_string(), arguments, returned })
}

/// Decodes a quoted string of hexadecimal escapes.
fn bytes(quoted: &str) -> Vec<u8> {
    assert!(!quoted.ends_with("..."), "strace truncated a string");
    let digits = quoted.trim_matches('"').split("\\x").skip(1);
    digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
}

#[test]
fn lines_of_strace_are_parsed() {
    let read = |line: &str| {
        let Call { name, arguments, returned, done, .. } = call(line).unwrap();
        (name, arguments.join("|"), returned, done.is_finite())
    };
    let of = |name: &str, arguments: &str, returned, is_done| {
        (name.to_string(), arguments.to_string(), returned, is_done)
    };
    assert_eq!(
        read(r#"1.5 pwrite64(7, "\x0d\x0a", 2, 512) = 2 <0.000013>"#),
        of("pwrite64", r#"7|"\x0d\x0a"|2|512"#, Some(2), true)
    );
    assert_eq!(read("1.5 ftruncate(4, 0)       = 0 <0.1>"), of("ftruncate", "4|0", Some(0), true));
    assert_eq!(read("1.5 fsync(7 <unfinished ...>) = ?"), of("fsync", "7", None, false));
    assert_eq!(
        read(r#"1.5 unlink("\x2f")  = -1 ENOENT (No such file or directory) <0.1>"#),
        of("unlink", r#""\x2f""#, Some(-1), true)
    );
    assert_eq!(bytes(r#""\x0d\x0a""#), [13, 10]);
}

#[test]
fn synced_writes_survive_a_cut_and_later_ones_in_any_state() {
    let folder = tempfile::tempdir().unwrap();
    let traces = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let quoted = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("\\x{b:02x}")).collect() };
    let (name, dir) = (
        quoted(path.as_os_str().as_encoded_bytes()),
        quoted(folder.path().as_os_str().as_encoded_bytes()),
    );
    let trace = format!(
        "1.0 openat(AT_FDCWD, \"{name}\", O_RDWR|O_CREAT, 0600) = 3 <0.1>\n\
         2.0 pwrite64(3, \"{}\", 1024, 0) = 1024 <0.1>\n\
         3.0 fsync(3) = 0 <0.5>\n\
         4.0 pwrite64(3, \"{}\", 1024, 0) = 1024 <0.1>\n\
         5.0 unlink(\"{name}\") = 0 <0.1>\n\
         6.0 openat(AT_FDCWD, \"{dir}\", O_RDONLY) = 4 <0.1>\n\
         7.0 fsync(4) = 0 <0.1>\n",
        quoted(&[1; 1024]),
        quoted(&[2; 1024])
    );
    std::fs::write(traces.path().join("t.1"), trace).unwrap();
    let mut history = FileHistory::of(folder.path());
    history.add(&traces.path().join("t"));
    let mut random = rand_chacha::rand_core::SeedableRng::seed_from_u64(1);
    let mut cut = |at, loss| history.cut(at, loss, &mut random).remove("x");
    assert_eq!(cut(3.4, Loss::All), None, "its sync has not returned");
    assert_eq!(cut(3.6, Loss::Sectors), Some(vec![1; 1024]));
    assert_eq!(cut(4.5, Loss::All), Some(vec![1; 1024]));
    let mut seen: Vec<Vec<u8>> = (0..100)
        .map(|_| cut(4.5, Loss::Sectors).unwrap()[..].chunks(512).map(|s| s[0]).collect())
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, [[1, 1], [1, 2], [2, 1], [2, 2]], "each sector for itself");
    assert_eq!(cut(6.5, Loss::All), Some(vec![1; 1024]), "its removal is not synced");
    assert_eq!(cut(7.5, Loss::Sectors), None);
    assert!(history.end().is_empty());
}
