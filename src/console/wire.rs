//! The settings of a console's line: `/dev/ttyAMA0,9600,8n1,xonxoff`, the value of `--serial`.
//!
//! Parsing only; `port` finds out whether the port exists.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::types::limits;

/// The place of a console and the settings of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Standard input or a serial port.
    pub place: ConsolePlace,
    /// Speed of the line in bits per second.
    pub baud: u32,
    /// Data, parity and stop bits.
    pub framing: SerialFraming,
    /// How the receiver pauses the sender.
    pub flow: Flow,
    /// The protocol a session starts with.
    pub speech: Speech,
}

/// Where a console is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsolePlace {
    /// Standard input and output.
    Standard,
    /// The path of a serial port.
    Port(PathBuf),
}

/// Data, parity and stop bits, such as `8n1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialFraming {
    /// Data bits, 7 or 8: fewer cannot hold letters.
    pub data_bits: u8,
    /// The parity bit of each character.
    pub parity: Parity,
    /// Stop bits, 1 or 2.
    pub stop_bits: u8,
}

/// The parity bit of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// Characters without a parity bit.
    None,
    /// Odd parity: the number of ones is odd.
    Odd,
    /// Even parity: the number of ones is even.
    Even,
}

/// Flow control: how a side makes the other pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The sender is never paused.
    None,
    /// Software flow control with XON and XOFF.
    XonXoff,
    /// Hardware flow control with RTS and CTS.
    RtsCts,
}

/// The protocol of a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// A person at a terminal.
    Person,
    /// A machine that exchanges JSON lines.
    Machine(Checksums),
}

/// Whether a machine's lines must carry a checksum. A checksum that is present is always verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksums {
    /// Lines with and without a checksum are accepted.
    Off,
    /// Every line must have a valid checksum.
    On,
}

impl Wire {
    /// Returns the time to send `bytes` bytes, in seconds.
    pub fn seconds(&self, bytes: usize) -> f64 {
        match self.place {
            ConsolePlace::Standard => 0.0,
            // Each byte has a start bit and stop bits.
            ConsolePlace::Port(_) => bytes as f64 * 10.0 / f64::from(self.baud),
        }
    }

    /// Returns the size of the send buffer in bytes: about half a second, so that the effect of a
    /// key shows soon.
    pub fn waiting_bytes_max(&self) -> usize {
        let (least, most) = limits::CONSOLE_OUT_BYTES.into_inner();
        match self.place {
            ConsolePlace::Standard => most,
            ConsolePlace::Port(_) => (self.baud as usize / 20).clamp(least, most),
        }
    }
}

impl FromStr for Wire {
    type Err = String;

    fn from_str(text: &str) -> Result<Wire, String> {
        let mut parts = text.split(',').map(str::trim);
        let place = match parts.next().unwrap_or_default() {
            "" => {
                return Err(
                    "the port is missing, such as /dev/ttyUSB0, or - for this terminal".into()
                );
            }
            "-" => ConsolePlace::Standard,
            flag if flag.starts_with('-') => return Err(format!("'{flag}' is not a port")),
            path => ConsolePlace::Port(path.into()),
        };
        let mut wire = Wire {
            place,
            baud: limits::CONSOLE_BAUD_DEFAULT,
            framing: SerialFraming { data_bits: 8, parity: Parity::None, stop_bits: 1 },
            flow: Flow::None,
            speech: Speech::Person,
        };
        let mut given = Vec::new();
        for part in parts {
            let kind = wire.set(part)?;
            if given.contains(&kind) {
                return Err(format!("'{part}': the {kind} is given twice"));
            }
            given.push(kind);
        }
        if given.contains(&"sum") && wire.speech == Speech::Person {
            return Err("'crc' is for machines: write json,crc".into());
        }
        if wire.place == ConsolePlace::Standard
            && given.iter().any(|kind| kind.starts_with("line's"))
        {
            return Err("'-' is not a serial line: it has no speed, framing or flow control".into());
        }
        Ok(wire)
    }
}

impl Wire {
    /// Applies one part of the value; returns the kind of setting it is.
    fn set(&mut self, part: &str) -> Result<&'static str, String> {
        match part {
            "xonxoff" => self.flow = Flow::XonXoff,
            "rtscts" => self.flow = Flow::RtsCts,
            "json" if matches!(self.speech, Speech::Machine(_)) => return Ok("speech"),
            "json" => self.speech = Speech::Machine(Checksums::Off),
            "crc" => {
                if self.speech != Speech::Person {
                    self.speech = Speech::Machine(Checksums::On);
                }
                return Ok("sum");
            }
            baud if baud.bytes().all(|c| c.is_ascii_digit()) && !baud.is_empty() => {
                let (least, most) = limits::CONSOLE_BAUD.into_inner();
                let number = baud.parse().ok().filter(|baud| (least..=most).contains(baud));
                let refuse = || format!("'{baud}': must be {least} to {most} bits per second");
                self.baud = number.ok_or_else(refuse)?;
                return Ok("line's speed");
            }
            other => {
                self.framing = framing(other).ok_or_else(|| {
                    format!(
                        "'{other}' is not a serial line setting: a speed such as 9600, a \
                         framing such as 8n1, xonxoff, rtscts, json or crc is"
                    )
                })?;
                return Ok("line's framing");
            }
        }
        Ok(if part == "json" { "speech" } else { "line's flow control" })
    }
}

fn framing(text: &str) -> Option<SerialFraming> {
    let &[data_bits @ b'7'..=b'8', parity, stop_bits @ b'1'..=b'2'] = text.as_bytes() else {
        return None;
    };
    let parity = match parity.to_ascii_lowercase() {
        b'n' => Parity::None,
        b'o' => Parity::Odd,
        b'e' => Parity::Even,
        _ => return None,
    };
    Some(SerialFraming { data_bits: data_bits - b'0', parity, stop_bits: stop_bits - b'0' })
}

impl fmt::Display for ConsolePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConsolePlace::Standard => f.write_str("standard input"),
            ConsolePlace::Port(path) => write!(f, "'{}'", path.display()),
        }
    }
}

impl fmt::Display for SerialFraming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'n',
            Parity::Odd => 'o',
            Parity::Even => 'e',
        };
        write!(f, "{}{parity}{}", self.data_bits, self.stop_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_settings_of_its_own_in_any_order() {
        let wire: Wire = "/dev/ttyUSB0".parse().unwrap();
        assert_eq!(wire.place, ConsolePlace::Port("/dev/ttyUSB0".into()));
        assert_eq!((wire.baud, wire.framing.to_string()), (115_200, "8n1".to_string()));
        assert_eq!((wire.flow, wire.speech), (Flow::None, Speech::Person));
        let wire: Wire = "/dev/ttyS0,9600,7E2,xonxoff".parse().unwrap();
        assert_eq!((wire.baud, wire.framing.to_string()), (9600, "7e2".to_string()));
        assert_eq!(wire.flow, Flow::XonXoff);
        let wire: Wire = "/dev/ttyS0, rtscts, json, crc, 300".parse().unwrap();
        assert_eq!((wire.baud, wire.flow), (300, Flow::RtsCts));
        assert_eq!(wire.speech, Speech::Machine(Checksums::On));
        assert_eq!("-".parse::<Wire>().unwrap().place, ConsolePlace::Standard);
        assert_eq!("-,json".parse::<Wire>().unwrap().speech, Speech::Machine(Checksums::Off));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, named) in [
            ("", "the port is missing"),
            (",9600", "the port is missing"),
            ("--listen", "'--listen' is not a port"),
            ("/dev/ttyS0,", "''"),
            ("/dev/ttyS0,fast", "'fast'"),
            ("/dev/ttyS0,49", "'49': must be 50 to"),
            ("/dev/ttyS0,99999999999", "'99999999999'"),
            ("/dev/ttyS0,9n1", "'9n1'"),
            ("/dev/ttyS0,8x1", "'8x1'"),
            ("/dev/ttyS0,8n3", "'8n3'"),
            ("/dev/ttyS0,9600,300", "'300': the line's speed is given twice"),
            ("/dev/ttyS0,xonxoff,rtscts", "flow control is given twice"),
            ("/dev/ttyS0,json,json", "twice"),
            ("/dev/ttyS0,crc", "'crc' is for machines"),
            ("-,9600", "'-' is not a serial line"),
        ] {
            let error = text.parse::<Wire>().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn what_waits_to_be_sent_is_about_half_a_second() {
        let bytes = |text: &str| text.parse::<Wire>().unwrap().waiting_bytes_max();
        assert_eq!(bytes("/dev/ttyS0,9600"), 480);
        assert_eq!(bytes("/dev/ttyS0,300"), 256);
        assert_eq!(bytes("/dev/ttyS0,4000000"), 4096);
        assert_eq!(bytes("-"), 4096);
    }
}
