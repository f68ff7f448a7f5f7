//! A serial port: opened, read, written; and why it cannot be. The only file that knows serialport.
//!
//! It never waits long: a line that is stalled, because no peer listens or flow control pauses it,
//! must not keep the box from stopping.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use serialport::{
    ClearBuffer, DataBits, FlowControl, SerialPort, SerialPortType, StopBits, TTYPort,
};

use super::wire::{Flow, Parity, Wire};
use crate::types::limits;

/// An open serial port.
#[derive(Debug)]
pub struct Port(TTYPort);

/// The result of a read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// This many bytes were moved, at least one.
    Bytes(usize),
    /// Nothing was moved within the poll interval.
    Nothing,
    /// The port is gone: unplugged, or its other end closed.
    Gone,
}

/// Why a port cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The device does not exist.
    Missing,
    /// The file is not a serial port.
    NoPort,
    /// Another program has opened it.
    Busy,
    /// The system's login program uses it; holds the program's name.
    Login(String),
    /// This user lacks permission; holds the group that has it, if any.
    Denied(Option<String>),
    /// Another error of the operating system.
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Missing => f.write_str("no such device; waiting for it"),
            Trouble::NoPort => {
                f.write_str("not a serial port; `solverbox serial-ports` lists them")
            }
            Trouble::Busy => f.write_str("in use by another program; waiting for it"),
            Trouble::Login(program) => write!(
                f,
                "the system's login ({program}) uses it; switch that off (docs/serial.md says \
                 how), the box waits"
            ),
            Trouble::Denied(Some(group)) => write!(
                f,
                "permission denied; its group is '{group}': run `sudo usermod -aG {group} USER` \
                 for the box's user, and start the box again"
            ),
            Trouble::Denied(None) => {
                f.write_str("permission denied, and no group but root's has access; waiting for it")
            }
            Trouble::Other(cause) => write!(f, "{cause}; the box waits"),
        }
    }
}

impl Port {
    /// Opens the port at `path` exclusively, with the settings of a wire.
    ///
    /// # Errors
    /// The reason it cannot be opened.
    pub fn open(path: &Path, wire: &Wire) -> Result<Port, Trouble> {
        let about = path.metadata().map_err(|error| trouble_of(path, &error))?;
        if !about.file_type().is_char_device() {
            return Err(Trouble::NoPort);
        }
        if let Some(program) = login_on(about.rdev()) {
            return Err(Trouble::Login(program));
        }
        let parity = match wire.framing.parity {
            Parity::None => serialport::Parity::None,
            Parity::Odd => serialport::Parity::Odd,
            Parity::Even => serialport::Parity::Even,
        };
        let flow = match wire.flow {
            Flow::None => FlowControl::None,
            Flow::XonXoff => FlowControl::Software,
            Flow::RtsCts => FlowControl::Hardware,
        };
        let seven = wire.framing.data_bits == 7;
        let two = wire.framing.stop_bits == 2;
        let settings = serialport::new(path.to_string_lossy(), wire.baud)
            .data_bits(if seven { DataBits::Seven } else { DataBits::Eight })
            .parity(parity)
            .stop_bits(if two { StopBits::Two } else { StopBits::One })
            .flow_control(flow)
            .timeout(limits::CONSOLE_READ_WAIT);
        match TTYPort::open(&settings) {
            Ok(port) => Ok(Port(port)),
            Err(error) => Err(refusal(path, &error)),
        }
    }

    /// Returns a second handle, so that one thread can read and another write.
    ///
    /// # Errors
    /// If the process has no free descriptor.
    pub fn second(&self) -> Result<Port, Trouble> {
        self.0.try_clone_native().map(Port).map_err(|error| Trouble::Other(error.to_string()))
    }

    /// Reads the available bytes; waits up to the poll interval for some.
    pub fn read(&mut self, bytes: &mut [u8]) -> Moved {
        moved(self.0.read(bytes))
    }

    /// Writes some bytes; waits up to the poll interval for room.
    pub fn write(&mut self, bytes: &[u8]) -> Moved {
        moved(self.0.write(bytes))
    }

    /// Returns the number of bytes in the system's output queue; 0 if unknown.
    pub fn unsent_bytes(&self) -> usize {
        self.0.bytes_to_write().map_or(0, |bytes| bytes as usize)
    }

    /// Drops the system's output queue: closing the port would wait for a stalled line.
    pub fn drop_unsent(&self) {
        // Fails only if the port is gone, which leaves nothing to drop.
        let _ = self.0.clear(ClearBuffer::Output);
    }
}

fn moved(result: std::io::Result<usize>) -> Moved {
    match result {
        Ok(0) => Moved::Gone,
        Ok(bytes) => Moved::Bytes(bytes),
        Err(error) => match error.kind() {
            ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::WouldBlock => Moved::Nothing,
            _ => Moved::Gone,
        },
    }
}

fn refusal(path: &Path, error: &serialport::Error) -> Trouble {
    match error.kind() {
        serialport::ErrorKind::NoDevice if !path.exists() => Trouble::Missing,
        // serialport reports the same if another program has locked it.
        serialport::ErrorKind::NoDevice => Trouble::Busy,
        serialport::ErrorKind::Io(kind) => trouble_of(path, &std::io::Error::from(kind)),
        _ => Trouble::Other(error.to_string()),
    }
}

fn trouble_of(path: &Path, error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Trouble::Missing,
        ErrorKind::PermissionDenied => Trouble::Denied(group_of(path)),
        ErrorKind::ResourceBusy | ErrorKind::WouldBlock => Trouble::Busy,
        _ => Trouble::Other(error.to_string()),
    }
}

/// Returns the name of a file's group (group(5)), unless it is root's.
fn group_of(path: &Path) -> Option<String> {
    let about = path.metadata().ok()?;
    let group = Some(about.gid()).filter(|_| about.mode() & 0o060 == 0o060)?;
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.split(':').nth(2) == Some(&group.to_string()))?;
    line.split(':').next().filter(|name| *name != "root").map(str::to_string)
}

/// Returns the program whose controlling terminal has this device number: a login prompt, or the
/// shell of a logged-in user.
///
/// Every user can read the controlling terminal of a process (proc_pid_stat(5), `tty_nr`); only
/// root can see which devices it has open.
fn login_on(device: u64) -> Option<String> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        let (program, terminal) = program_and_terminal(&stat)?;
        (terminal == device).then(|| program.to_string())
    })
}

/// Parses a process's program and the device number of its controlling terminal.
fn program_and_terminal(stat: &str) -> Option<(&str, u64)> {
    // The program's name may contain any character, even parentheses.
    let (before, after) = stat.rsplit_once(") ")?;
    let program = before.split_once(" (")?.1;
    let number: u32 = after.split(' ').nth(4)?.parse::<i32>().ok()?.cast_unsigned();
    // The kernel's number has the minor in two parts; makedev(3) gives the form of stat(2).
    let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00);
    Some((program, rustix::fs::makedev(major, minor)))
}

/// Lists the serial ports of this machine: the name and a description of each.
pub fn list() -> Vec<(String, String)> {
    // serialport panics if that folder is missing.
    if !Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    let mut ports = serialport::available_ports().unwrap_or_default();
    ports.sort_by(|a, b| a.port_name.cmp(&b.port_name));
    let about = |kind: SerialPortType| match kind {
        SerialPortType::UsbPort(usb) => {
            let names = [usb.manufacturer, usb.product].into_iter().flatten();
            let named = names.collect::<Vec<String>>().join(" ");
            format!("USB {:04x}:{:04x} {named}", usb.vid, usb.pid).trim_end().to_string()
        }
        SerialPortType::BluetoothPort => "Bluetooth".to_string(),
        SerialPortType::PciPort => "built in".to_string(),
        SerialPortType::Unknown => "unknown".to_string(),
    };
    ports.into_iter().map(|port| (port.port_name, about(port.port_type))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_line_tells_its_program_and_terminal() {
        let line = "812 (agetty) S 1 812 812 1088 812 4194560 211 0 0 0";
        assert_eq!(program_and_terminal(line), Some(("agetty", rustix::fs::makedev(4, 64))));
        let odd = "7 (a) b (c) S 1 7 7 34819 7 0";
        assert_eq!(program_and_terminal(odd), Some(("a) b (c", rustix::fs::makedev(136, 3))));
        let far = "7 (sh) S 1 7 7 1083264 7 0";
        assert_eq!(program_and_terminal(far), Some(("sh", rustix::fs::makedev(135, 384))));
        assert_eq!(program_and_terminal("7 (sh"), None);
    }

    #[test]
    fn a_file_that_is_not_a_port_is_distinguished_from_a_missing_one() {
        let wire: Wire = "/dev/nothing".parse().unwrap();
        let open = |path: &str| Port::open(Path::new(path), &wire).err();
        assert_eq!(open("/dev/no-such-port"), Some(Trouble::Missing));
        assert_eq!(open("/etc/passwd"), Some(Trouble::NoPort));
        assert!(matches!(open("/dev/null"), Some(Trouble::Other(_))), "{:?}", open("/dev/null"));
        assert_eq!(open("/dev/null/x"), Some(Trouble::Missing));
    }
}
