//! Determines how much memory this process can use.
//!
//! The result is the minimum of `MemAvailable` (/proc/meminfo), the free share of every control
//! group around the process (version 2, and version 1 as on a Jetson Nano's Ubuntu 18.04), and the
//! usable address space (`ulimit -v`). A value that cannot be read sets no limit.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use crate::types::limits;
use crate::types::memory::{Bound, Room};

/// In version 1, a limit of at least this much means no limit.
const NO_LIMIT: u64 = 1 << 62;
/// Address space a server reserves but never uses: glibc reserves 8 MiB of stack and 64 MiB of heap
/// per thread. Measured: 900 MB, with the demo model as with a large one.
const SET_ASIDE_BYTES: u64 = 1 << 30;

/// Returns the memory this process can use now, and what limits it.
pub fn available() -> Room {
    available_under(Path::new("/")).least(address_space())
}

/// Like `available` without the address space, with `/proc` and `/sys` below `root`.
fn available_under(root: &Path) -> Room {
    let meminfo = read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let system = match kib(&meminfo, "MemAvailable") {
        Some(bytes) => Room { bytes, bound: Bound::System },
        None => Room::unknown(),
    };
    let groups = read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    groups.lines().flat_map(|line| group_rooms(root, line)).fold(system, Room::least)
}

/// Parses a line such as `MemAvailable:  2048 kB` of a /proc file, into bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The file names of one version of control groups.
struct Version {
    /// Possible mount points, relative to the root of the file system.
    mounts: &'static [&'static str],
    /// Files with a limit, of which the lowest counts. Above `memory.high` a process is not killed
    /// but slowed down drastically.
    limits: &'static [&'static str],
    usage: &'static str,
    /// Lines of `memory.stat`: file pages, which are reclaimed before a process is killed, and
    /// those of them that must be written first. They include child groups.
    files: [&'static str; 2],
    unwritten: [&'static str; 2],
}

const V2: Version = Version {
    // The second mount point applies if both versions are in use.
    mounts: &["sys/fs/cgroup", "sys/fs/cgroup/unified"],
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    files: ["inactive_file", "active_file"],
    unwritten: ["file_dirty", "file_writeback"],
};

const V1: Version = Version {
    mounts: &["sys/fs/cgroup/memory"],
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    files: ["total_inactive_file", "total_active_file"],
    unwritten: ["total_dirty", "total_writeback"],
};

/// Returns the free memory of the group in a line of `/proc/self/cgroup`
/// (`number:controllers:/group`, cgroups(7)) and of every group that contains it.
fn group_rooms(root: &Path, line: &str) -> Vec<Room> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, group) = (fields.next(), fields.next(), fields.next());
    let version = match (number, controllers) {
        (Some("0"), Some("")) => &V2,
        (_, Some(names)) if names.split(',').any(|name| name == "memory") => &V1,
        _ => return Vec::new(),
    };
    // In a container the path may be the host's, or lead upwards, so the group mounted at the root
    // is always included.
    let inside = Path::new(group.unwrap_or_default().trim_start_matches('/'));
    let plain = !inside.components().any(|part| part == std::path::Component::ParentDir);
    let folders = inside.ancestors().filter(|_| plain).take(limits::GROUP_LEVELS_MAX);
    let mut folders: Vec<PathBuf> = folders.map(Path::to_path_buf).collect();
    folders.push(PathBuf::new());
    let places = version.mounts.iter().flat_map(|mount| {
        let mount = root.join(mount);
        folders.iter().map(move |folder| (mount.join(folder), folder))
    });
    places.filter_map(|(place, folder)| group_room(version, &place, folder)).collect()
}

fn group_room(version: &Version, place: &Path, name: &Path) -> Option<Room> {
    let number = |file: &str| read_to_string(place.join(file)).ok()?.trim().parse::<u64>().ok();
    // "max" does not parse as a number and so sets no limit.
    let limit = version.limits.iter().filter_map(|file| number(file)).min()?;
    if limit >= NO_LIMIT {
        return None;
    }
    let stat = read_to_string(place.join("memory.stat")).unwrap_or_default();
    let line = |name: &str| {
        let mut lines = stat.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        lines.find_map(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let sum = |names: [&str; 2]| names.iter().map(|name| line(name)).sum::<u64>();
    let clean = sum(version.files).saturating_sub(sum(version.unwritten));
    let used = number(version.usage)?.saturating_sub(clean);
    let name = format!("/{}", name.display());
    Some(Room { bytes: limit.saturating_sub(used), bound: Bound::Group(name) })
}

/// Returns the usable part of the address space.
fn address_space() -> Room {
    let Some(limit) = getrlimit(Resource::As).current else { return Room::unknown() };
    Room { bytes: limit.saturating_sub(SET_ASIDE_BYTES), bound: Bound::AddressSpace }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::memory::MIB;

    /// Makes a folder with these files and their contents.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = root.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        root
    }

    fn group(name: &str) -> Bound {
        Bound::Group(name.to_string())
    }

    #[test]
    fn available_memory_is_read_from_meminfo() {
        let text = "MemTotal:  100 kB\nMemAvailable:   2048 kB\nBuffers: 3 kB\n";
        assert_eq!(kib(text, "MemAvailable"), Some(2_097_152));
        assert_eq!(kib("nothing", "MemAvailable"), None);
        let room = available_under(tree(&[("proc/meminfo", text)]).path());
        assert_eq!(room, Room { bytes: 2_097_152, bound: Bound::System });
        assert_eq!(available_under(tree(&[]).path()), Room::unknown());
        assert!(available().bytes > MIB);
    }

    #[test]
    fn the_tightest_group_of_version_2_counts_less_what_it_uses_and_cannot_give_back() {
        let slice = "sys/fs/cgroup/system.slice";
        let service = format!("{slice}/box.service");
        let inside = |file: &str| format!("{service}/{file}");
        let files = [
            ("proc/meminfo", "MemAvailable: 8000 kB\n"),
            ("proc/self/cgroup", "0::/system.slice/box.service\n"),
            (&format!("{slice}/memory.max"), "5000000\n"),
            (&format!("{slice}/memory.high"), "max\n"),
            (&format!("{slice}/memory.current"), "2000000\n"),
            (&inside("memory.max"), "4000000\n"),
            (&inside("memory.high"), "max\n"),
            (&inside("memory.current"), "1000000\n"),
            (
                &inside("memory.stat"),
                "anon 1\ninactive_file 600000\nactive_file 300000\nfile_dirty 100000\n",
            ),
        ];
        let root = tree(&files);
        let room = available_under(root.path());
        assert_eq!(room, Room { bytes: 3_000_000, bound: group("/system.slice") });
        std::fs::write(root.path().join(inside("memory.high")), "3100000\n").unwrap();
        let room = available_under(root.path());
        let bound = group("/system.slice/box.service");
        assert_eq!(room, Room { bytes: 2_900_000, bound });
        std::fs::write(root.path().join("proc/meminfo"), "MemAvailable: 1000 kB\n").unwrap();
        assert_eq!(available_under(root.path()).bound, Bound::System);
    }

    #[test]
    fn version_1_and_both_side_by_side_are_read_too() {
        let both = "11:cpu,cpuacct:/x\n4:memory:/box\n1:name=systemd:/box\n0::/box\n";
        let root = tree(&[
            ("proc/meminfo", "MemAvailable: 8000 kB\n"),
            ("proc/self/cgroup", both),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "7\n"),
            ("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "3000000\n"),
            ("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "1000000\n"),
            ("sys/fs/cgroup/memory/box/memory.stat", "inactive_file 1\ntotal_inactive_file 9\n"),
            ("sys/fs/cgroup/unified/box/memory.max", "max\n"),
        ]);
        let room = available_under(root.path());
        assert_eq!(room, Room { bytes: 2_000_009, bound: group("/box") });
    }

    #[test]
    fn in_a_container_the_limit_stands_at_the_root() {
        for line in ["0::/../../elsewhere\n", "0::/docker/1234\n", "0::/\n"] {
            let root = tree(&[
                ("proc/self/cgroup", line),
                ("sys/fs/cgroup/memory.max", "500\n"),
                ("sys/fs/cgroup/memory.current", "600\n"),
            ]);
            let room = available_under(root.path());
            assert_eq!(room, Room { bytes: 0, bound: group("/") }, "{line}: it is over its limit");
        }
    }
}
