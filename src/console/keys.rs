//! Decodes the bytes a terminal sends into keys.
//!
//! The session pushes each byte and reports when none arrived for a while: only that distinguishes
//! a lone Escape from the start of a sequence. It decodes UTF-8 and the sequences of ANSI terminals
//! (ECMA-48, xterm), the VT52 and the Linux console. Unknown sequences are dropped whole, within
//! bounds: a reply or a function key must not become letters in a question.
//!
//! It has no clock, does no I/O, and does not know what a key does.

use std::mem;

/// Longest sequence after its Escape, in bytes; a longer one counts as noise.
const SEQUENCE_BYTES_MAX: usize = 32;
/// Longest reply of a terminal (OSC, DCS and similar), in bytes; a longer one counts as noise.
const REPLY_BYTES_MAX: usize = 256;

const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;
/// Padding and flow control, which can occur anywhere and belong to the line.
const OF_THE_WIRE: [u8; 3] = [0x00, 0x11, 0x13];

/// A key press, or a terminal event treated as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A printable character was typed.
    Char(char),
    /// Enter: the line is complete.
    Enter,
    /// The Tab key was pressed.
    Tab,
    /// Backspace: erases the cluster left of the cursor.
    Backspace,
    /// Delete: erases the cluster under the cursor.
    Delete,
    /// Arrow left, or Ctrl-B.
    Left,
    /// Arrow right, or Ctrl-F.
    Right,
    /// Arrow up, or Ctrl-P.
    Up,
    /// Arrow down, or Ctrl-N.
    Down,
    /// The Home key, or Ctrl-A.
    Home,
    /// The End key, or Ctrl-E.
    End,
    /// Alt-B, or an arrow with Ctrl or Alt.
    WordLeft,
    /// Alt-F, or an arrow with Ctrl or Alt.
    WordRight,
    /// Erases the word to the left: Ctrl-W, Alt-Backspace.
    EraseWord,
    /// Erases the word to the right: Alt-D, Ctrl-Delete.
    EraseWordRight,
    /// Erases to the start of the line: Ctrl-U.
    EraseToStart,
    /// Erases to the end of the line: Ctrl-K.
    EraseToEnd,
    /// Ctrl-C: stops the answer or discards the line.
    Interrupt,
    /// End of input: Ctrl-D.
    EndOfInput,
    /// Redraw the screen: Ctrl-L.
    Redraw,
    /// Pasted text starts (bracketed paste).
    PasteBegin,
    /// Pasted text ends; keys are typed again.
    PasteEnd,
    /// The Escape key alone.
    Escape,
}

/// What the bytes held back have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begun {
    #[default]
    Nothing,
    Character,
    /// An Escape without further bytes so far.
    Escape,
    Sequence,
    /// A reply that ends with BEL or ST (`ESC \`).
    Reply,
}

/// Decodes bytes into keys; buffers at most 256 bytes.
#[derive(Debug, Default)]
pub struct KeyDecoder {
    begun: Begun,
    /// The bytes of it so far, without the Escape of a sequence or reply.
    held: Vec<u8>,
    after_return: bool,
    /// Whether invalid bytes arrived since the last query.
    had_noise: bool,
}

impl KeyDecoder {
    /// Makes a decoder that has received no bytes.
    pub fn new() -> KeyDecoder {
        KeyDecoder::default()
    }

    /// Takes the next byte and returns the key it completes.
    ///
    /// A control character ends an unfinished sequence and is decoded itself, so Ctrl-C always
    /// works.
    pub fn push(&mut self, byte: u8) -> Option<Key> {
        if OF_THE_WIRE.contains(&byte) {
            return None;
        }
        let after_return = mem::replace(&mut self.after_return, byte == b'\r');
        let begun = mem::take(&mut self.begun);
        self.had_noise |= begun == Begun::Character && byte < 0x80;
        match (begun, byte) {
            (Begun::Escape, BACKSPACE | DELETE) => Some(Key::EraseWord),
            (Begun::Escape, ESCAPE) => {
                self.begun = Begun::Escape;
                Some(Key::Escape)
            }
            (Begun::Reply, BELL) => None,
            (Begun::Reply, 0x20..=0xff) => {
                self.hold(Begun::Reply, byte, REPLY_BYTES_MAX);
                None
            }
            (Begun::Escape | Begun::Sequence, 0x20..=0x7e) => self.sequence(begun, byte),
            (Begun::Character, 0x80..=0xff) => self.character(byte),
            (_, 0x80..=0xff) => {
                self.held.clear();
                self.character(byte)
            }
            (_, 0x20..=0x7e) => Some(Key::Char(char::from(byte))),
            (_, b'\n') if after_return => None,
            (_, _) => self.control(byte),
        }
    }

    /// Reports that no byte arrived for a while: an Escape is then the Escape key, any other
    /// unfinished sequence is dropped. An unfinished character is kept: it is unambiguous.
    pub fn idle(&mut self) -> Option<Key> {
        if !self.is_between() {
            return None;
        }
        let begun = mem::take(&mut self.begun);
        (begun == Begun::Escape).then_some(Key::Escape)
    }

    /// Returns whether a sequence is unfinished that [`KeyDecoder::idle`] would end.
    pub fn is_between(&self) -> bool {
        !matches!(self.begun, Begun::Nothing | Begun::Character)
    }

    /// Returns whether bytes arrived that no terminal sends, since the last call.
    pub fn take_noise(&mut self) -> bool {
        mem::take(&mut self.had_noise)
    }

    /// Continues an unfinished sequence, unless it has become too long.
    fn hold(&mut self, begun: Begun, byte: u8, bytes_max: usize) {
        self.held.push(byte);
        if self.held.len() < bytes_max {
            self.begun = begun;
        }
    }

    fn control(&mut self, byte: u8) -> Option<Key> {
        // Ctrl with a letter sends the letter's lower five bits.
        let key = match byte {
            b'\r' | b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            BACKSPACE | DELETE => Key::Backspace,
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Interrupt,
            0x04 => Key::EndOfInput,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x0b => Key::EraseToEnd,
            0x0c => Key::Redraw,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x15 => Key::EraseToStart,
            0x17 => Key::EraseWord,
            ESCAPE => {
                self.begun = Begun::Escape;
                return None;
            }
            _ => return None,
        };
        Some(key)
    }

    /// Takes a byte that is not ASCII.
    fn character(&mut self, byte: u8) -> Option<Key> {
        self.held.push(byte);
        match std::str::from_utf8(&self.held) {
            Ok(text) => {
                let c = text.chars().next().filter(|c| !c.is_control());
                self.had_noise |= c.is_none();
                c.map(Key::Char)
            }
            Err(error) if error.error_len().is_none() => {
                self.begun = Begun::Character;
                None
            }
            Err(_) if self.held.len() > 1 => {
                // The earlier bytes were invalid, not this one.
                self.had_noise = true;
                self.held.clear();
                self.character(byte)
            }
            Err(_) => {
                self.had_noise = true;
                None
            }
        }
    }

    /// Takes a printable byte of a sequence, or its first byte.
    fn sequence(&mut self, begun: Begun, byte: u8) -> Option<Key> {
        if begun == Begun::Escape {
            self.held.clear();
            if matches!(byte, b'P' | b']' | b'X' | b'^' | b'_') {
                self.begun = Begun::Reply;
                return None;
            }
        }
        self.hold(Begun::Sequence, byte, SEQUENCE_BYTES_MAX);
        if !is_whole(&self.held) {
            return None;
        }
        self.begun = Begun::Nothing;
        named(&self.held)
    }
}

/// Returns whether a sequence ends with its last byte.
fn is_whole(sequence: &[u8]) -> bool {
    match sequence {
        // The Linux console sends `ESC [ [ A` for F1.
        [b'[', b'['] => false,
        [b'[' | b'O' | b'?'] => false,
        [b'[' | b'O' | b'?', .., last] => *last >= 0x40,
        // Intermediate bytes (ECMA-35), as in the VT52's identification `ESC / Z`.
        [b' '..=b'/', .., last] => *last >= 0x30,
        [b' '..=b'/'] => false,
        _ => true,
    }
}

/// Decodes a sequence, given without its Escape.
fn named(sequence: &[u8]) -> Option<Key> {
    // The first in a line is the VT52's or Alt with a letter; `[5C`, `O5C` and `Oc` are old xterms
    // and rxvt, `?M` and `OM` the Enter of a number pad.
    let key = match sequence {
        b"A" | b"[A" | b"OA" => Key::Up,
        b"B" | b"[B" | b"OB" => Key::Down,
        b"C" | b"[C" | b"OC" => Key::Right,
        b"D" | b"[D" | b"OD" => Key::Left,
        b"H" | b"[H" | b"OH" | b"[1~" | b"[7~" => Key::Home,
        b"[F" | b"OF" | b"[4~" | b"[8~" => Key::End,
        b"f" | b"[1;5C" | b"[1;3C" | b"[5C" | b"O5C" | b"Oc" => Key::WordRight,
        b"b" | b"[1;5D" | b"[1;3D" | b"[5D" | b"O5D" | b"Od" => Key::WordLeft,
        b"d" | b"[3;5~" | b"[3;3~" => Key::EraseWordRight,
        b"[3~" => Key::Delete,
        b"?M" | b"OM" => Key::Enter,
        b"[200~" => Key::PasteBegin,
        b"[201~" => Key::PasteEnd,
        _ => return None,
    };
    Some(key)
}

#[cfg(test)]
mod tests;
