//! A disk of a few megabytes that a server can be stopped and restarted on, to test what it does
//! when the disk is full.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::deaf;

/// A small disk at `/mnt` in a mount namespace that exists as long as this value; see `has_disks`.
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

    /// The binary in the disk's mount namespace.
    pub fn solverbox(&self) -> Command {
        let mut command = deaf(Command::new("nsenter"));
        command.args(["--user", "--mount", "--preserve-credentials", "--target"]);
        command.arg(self.holder.id().to_string()).arg(env!("CARGO_BIN_EXE_solverbox"));
        command
    }

    fn filling(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/mnt/filling", self.holder.id()))
    }

    /// Fills the disk.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.filling()).expect("a file on the disk");
        while file.write_all(&[7; 4096]).is_ok() {}
    }

    /// Removes what [`Disk::fill`] wrote.
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
