//! Counts the physical cores this process may use: the maximum useful number of threads of a pass.
//!
//! Hyperthreads of one core share its arithmetic units and its memory bandwidth: a second thread
//! does not speed a pass up, and waiting for it slows the pass down. The topology is read from
//! Linux's `/proc` and `/sys`.

use std::collections::BTreeSet;
use std::path::Path;

/// Returns the number of physical cores this process may use, at least 1. If the system does not
/// report which CPUs share a core, returns the number of CPUs.
///
/// Respects CPU affinity and control group quotas as far as the standard library does.
pub fn physical() -> u32 {
    let usable = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    apart(Path::new("/")).map_or(usable, |cores| cores.clamp(1, usable))
}

/// Counts the cores of the CPUs this process may run on.
fn apart(root: &Path) -> Option<u32> {
    let status = std::fs::read_to_string(root.join("proc/self/status")).ok()?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut cores = BTreeSet::new();
    for processor in listed(allowed)? {
        let name = format!("sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list");
        let siblings = std::fs::read_to_string(root.join(name)).ok()?;
        // A core is identified by the first of its CPUs.
        cores.insert(*listed(&siblings)?.first()?);
    }
    u32::try_from(cores.len()).ok().filter(|&count| count > 0)
}

/// Parses a CPU list in Linux's format, such as `0-3,8`; `None` if it is malformed.
fn listed(text: &str) -> Option<Vec<u32>> {
    /// Larger than any `NR_CPUS` of Linux.
    const PROCESSORS_MAX: u32 = 1 << 16;
    let mut processors = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last > PROCESSORS_MAX {
            return None;
        }
        processors.extend(first..=last);
    }
    Some(processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of which `allowed` may be used; each processor with its siblings.
    fn machine(allowed: &str, siblings: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |name: String, text: String| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let status = format!("Name:\tx\nCpus_allowed_list:\t{allowed}\nMems_allowed_list:\t0\n");
        write("proc/self/status".into(), status);
        for (processor, list) in siblings.iter().enumerate() {
            let folder = format!("sys/devices/system/cpu/cpu{processor}/topology");
            write(format!("{folder}/thread_siblings_list"), format!("{list}\n"));
        }
        root
    }

    #[test]
    fn threads_of_one_core_count_once() {
        for (allowed, siblings, cores) in [
            ("0-3", &["0", "1", "2", "3"][..], Some(4)),
            ("0-3", &["0-1", "0-1", "2-3", "2-3"], Some(2)),
            ("0-3", &["0,2", "1,3", "0,2", "1,3"], Some(2)),
            ("1,3", &["0,2", "1,3", "0,2", "1,3"], Some(1)),
            ("0", &["0-1", "0-1"], Some(1)),
        ] {
            assert_eq!(apart(machine(allowed, siblings).path()), cores, "{allowed} {siblings:?}");
        }
    }

    #[test]
    fn what_the_system_does_not_say_is_not_guessed() {
        for (allowed, siblings) in
            [("0-3", &["0", "1"][..]), ("", &["0"]), ("0", &["x"]), ("0-99999999", &["0"])]
        {
            assert_eq!(apart(machine(allowed, siblings).path()), None, "{allowed} {siblings:?}");
        }
        assert_eq!(apart(tempfile::tempdir().unwrap().path()), None);
    }

    #[test]
    fn this_machine_has_a_core_and_no_more_than_its_processors() {
        let most = std::thread::available_parallelism().unwrap().get() as u32;
        assert!((1..=most).contains(&physical()));
    }
}
