//! A disk of a few megabytes that a box can be stopped and started on, to see what it does when there is no room.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::deaf;

/// A small disk at `/mnt`, in a view of the files that lives as long as this; see `has_disks`.
pub struct Disk {
    holder: Child,
}

impl Disk {
    pub fn new(options: &str) -> Disk {
        let mut command = deaf(Command::new("unshare"));
        command.args(["--map-root-user", "--mount", "sh", "-c"]);
        command.arg("mount -t tmpfs -o $0 none /mnt && echo made && exec sleep 3600");
        let mut holder = command.arg(options).stdout(Stdio::piped()).spawn().expect("unshare runs");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().expect("a pipe")).read_line(&mut line).expect("text");
        assert_eq!(line, "made\n");
        Disk { holder }
    }

    /// The binary where the disk is.
    pub fn solverbox(&self) -> Command {
        let mut command = deaf(Command::new("nsenter"));
        command.args(["--user", "--mount", "--preserve-credentials", "--target"]);
        command.arg(self.holder.id().to_string()).arg(env!("CARGO_BIN_EXE_solverbox"));
        command
    }

    fn filling(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/mnt/filling", self.holder.id()))
    }

    /// Writes to it until it is full.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filling()).expect("a file on the disk");
        while file.write_all(&[7; 4096]).is_ok() {}
    }

    /// Takes that away again.
    pub fn empty(&self) {
        std::fs::remove_file(self.filling()).expect("a file on the disk");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
