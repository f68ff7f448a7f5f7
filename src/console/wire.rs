//! Where a console is and how its line is set: `/dev/ttyAMA0,9600,8n1,xonxoff`, as `--serial` has
//! it.
//!
//! Only what was typed: whether there is such a port, `port` finds out.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::types::limits;

/// One console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Where.
    pub place: Place,
    /// Bits a second.
    pub baud: u32,
    /// How a byte is sent.
    pub framing: Framing,
    /// How one side has the other wait.
    pub flow: Flow,
    /// Who sits at it, to begin with.
    pub speech: Speech,
}

/// Where a console is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard input and output.
    Standard,
    /// A serial port.
    Port(PathBuf),
}

/// How a byte is sent, such as `8n1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Bits of it, 7 or 8: with fewer there are no letters.
    pub data_bits: u8,
    /// What checks them.
    pub parity: Parity,
    /// How long the line rests behind them, 1 or 2 bits.
    pub stop_bits: u8,
}

/// What checks a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// Nothing.
    None,
    /// A bit that makes the ones odd.
    Odd,
    /// A bit that makes the ones even.
    Even,
}

/// How one side has the other wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Not at all.
    None,
    /// By the characters XON and XOFF.
    XonXoff,
    /// By the wires RTS and CTS.
    RtsCts,
}

/// Who sits at a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// A person at a terminal.
    Person,
    /// A machine that speaks JSON lines.
    Machine(Sums),
}

/// Whether a machine's lines carry sums. One that a line has is checked in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// They need not.
    Off,
    /// They must.
    On,
}

impl Wire {
    /// Returns how long so many bytes take, in seconds.
    pub fn seconds(&self, bytes: usize) -> f64 {
        match self.place {
            Place::Standard => 0.0,
            // A start bit and a stop bit go with each.
            Place::Port(_) => bytes as f64 * 10.0 / f64::from(self.baud),
        }
    }

    /// Returns how many bytes may wait to be sent: about half a second of them, so that what a
    /// person does shows soon.
    pub fn waiting_bytes_max(&self) -> usize {
        let (least, most) = limits::CONSOLE_OUT_BYTES.into_inner();
        match self.place {
            Place::Standard => most,
            Place::Port(_) => (self.baud as usize / 20).clamp(least, most),
        }
    }
}

impl FromStr for Wire {
    type Err = String;

    fn from_str(text: &str) -> Result<Wire, String> {
        let mut parts = text.split(',').map(str::trim);
        let place = match parts.next().unwrap_or_default() {
            "" => return Err("a port is missing, such as /dev/ttyUSB0, or - for this one".into()),
            "-" => Place::Standard,
            flag if flag.starts_with('-') => return Err(format!("'{flag}' is no port")),
            path => Place::Port(path.into()),
        };
        let mut wire = Wire {
            place,
            baud: limits::CONSOLE_BAUD_DEFAULT,
            framing: Framing { data_bits: 8, parity: Parity::None, stop_bits: 1 },
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
        if wire.place == Place::Standard && given.iter().any(|kind| kind.starts_with("line's")) {
            return Err("'-' is no serial line: it has no speed, framing or flow control".into());
        }
        Ok(wire)
    }
}

impl Wire {
    /// Sets what one part says; returns what kind of thing that is.
    fn set(&mut self, part: &str) -> Result<&'static str, String> {
        match part {
            "xonxoff" => self.flow = Flow::XonXoff,
            "rtscts" => self.flow = Flow::RtsCts,
            "json" if matches!(self.speech, Speech::Machine(_)) => return Ok("speech"),
            "json" => self.speech = Speech::Machine(Sums::Off),
            "crc" => {
                if self.speech != Speech::Person {
                    self.speech = Speech::Machine(Sums::On);
                }
                return Ok("sum");
            }
            baud if baud.bytes().all(|c| c.is_ascii_digit()) && !baud.is_empty() => {
                let (least, most) = limits::CONSOLE_BAUD.into_inner();
                let number = baud.parse().ok().filter(|baud| (least..=most).contains(baud));
                let refuse = || format!("'{baud}': {least} to {most} bits a second are possible");
                self.baud = number.ok_or_else(refuse)?;
                return Ok("line's speed");
            }
            other => {
                self.framing = framing(other).ok_or_else(|| {
                    format!(
                        "'{other}' is no setting of a serial line: a speed such as 9600, a \
                         framing such as 8n1, xonxoff, rtscts, json or crc is"
                    )
                })?;
                return Ok("line's framing");
            }
        }
        Ok(if part == "json" { "speech" } else { "line's flow control" })
    }
}

fn framing(text: &str) -> Option<Framing> {
    let &[data_bits @ b'7'..=b'8', parity, stop_bits @ b'1'..=b'2'] = text.as_bytes() else {
        return None;
    };
    let parity = match parity.to_ascii_lowercase() {
        b'n' => Parity::None,
        b'o' => Parity::Odd,
        b'e' => Parity::Even,
        _ => return None,
    };
    Some(Framing { data_bits: data_bits - b'0', parity, stop_bits: stop_bits - b'0' })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Standard => f.write_str("standard input"),
            Place::Port(path) => write!(f, "'{}'", path.display()),
        }
    }
}

impl fmt::Display for Framing {
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
        assert_eq!(wire.place, Place::Port("/dev/ttyUSB0".into()));
        assert_eq!((wire.baud, wire.framing.to_string()), (115_200, "8n1".to_string()));
        assert_eq!((wire.flow, wire.speech), (Flow::None, Speech::Person));
        let wire: Wire = "/dev/ttyS0,9600,7E2,xonxoff".parse().unwrap();
        assert_eq!((wire.baud, wire.framing.to_string()), (9600, "7e2".to_string()));
        assert_eq!(wire.flow, Flow::XonXoff);
        let wire: Wire = "/dev/ttyS0, rtscts, json, crc, 300".parse().unwrap();
        assert_eq!((wire.baud, wire.flow), (300, Flow::RtsCts));
        assert_eq!(wire.speech, Speech::Machine(Sums::On));
        assert_eq!("-".parse::<Wire>().unwrap().place, Place::Standard);
        assert_eq!("-,json".parse::<Wire>().unwrap().speech, Speech::Machine(Sums::Off));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, named) in [
            ("", "a port is missing"),
            (",9600", "a port is missing"),
            ("--listen", "'--listen' is no port"),
            ("/dev/ttyS0,", "''"),
            ("/dev/ttyS0,fast", "'fast'"),
            ("/dev/ttyS0,49", "'49': 50 to"),
            ("/dev/ttyS0,99999999999", "'99999999999'"),
            ("/dev/ttyS0,9n1", "'9n1'"),
            ("/dev/ttyS0,8x1", "'8x1'"),
            ("/dev/ttyS0,8n3", "'8n3'"),
            ("/dev/ttyS0,9600,300", "'300': the line's speed is given twice"),
            ("/dev/ttyS0,xonxoff,rtscts", "flow control is given twice"),
            ("/dev/ttyS0,json,json", "twice"),
            ("/dev/ttyS0,crc", "'crc' is for machines"),
            ("-,9600", "'-' is no serial line"),
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
