//! What a terminal sends, byte by byte, turned into keys.
//!
//! The console's session feeds it each byte and says when nothing came for a while: nothing else
//! tells a lone Escape from the beginning of a sequence. It knows UTF-8, the sequences of ANSI
//! terminals (ECMA-48, xterm), of the VT52 and of the Linux console. What it does not know it
//! swallows whole, within bounds: a reply or a function key must not become letters in a question.
//!
//! It has no clock, reads nothing, and does not know what a key does.

use std::mem;

/// Bytes a sequence has behind its Escape before it is taken for noise.
const SEQUENCE_BYTES_MAX: usize = 32;
/// Bytes a terminal's longer reply (OSC, DCS and their like) has before it is taken for noise.
const REPLY_BYTES_MAX: usize = 256;

const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;
/// Padding and flow control, which can come anywhere and belong to the wire.
const OF_THE_WIRE: [u8; 3] = [0x00, 0x11, 0x13];

/// One key, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character that is no control character.
    Char(char),
    /// The line is done.
    Enter,
    /// The Tab key.
    Tab,
    /// Erases what is left of the cursor.
    Backspace,
    /// Erases what is under the cursor.
    Delete,
    /// Arrow, or Ctrl-B.
    Left,
    /// Arrow, or Ctrl-F.
    Right,
    /// Arrow, or Ctrl-P.
    Up,
    /// Arrow, or Ctrl-N.
    Down,
    /// Home, or Ctrl-A.
    Home,
    /// End, or Ctrl-E.
    End,
    /// Alt-B, or an arrow with Ctrl or Alt.
    WordLeft,
    /// Alt-F, or an arrow with Ctrl or Alt.
    WordRight,
    /// Ctrl-W, Alt-Backspace.
    EraseWord,
    /// Alt-D, Ctrl-Delete.
    EraseWordRight,
    /// Ctrl-U.
    EraseToStart,
    /// Ctrl-K.
    EraseToEnd,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    EndOfInput,
    /// Ctrl-L.
    Redraw,
    /// What follows is pasted (bracketed paste).
    PasteBegin,
    /// What was pasted is over.
    PasteEnd,
    /// Escape alone.
    Escape,
}

/// What the bytes held back have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begun {
    #[default]
    Nothing,
    Character,
    /// An Escape, with nothing behind it so far.
    Escape,
    Sequence,
    /// A reply that ends with BEL or ST (`ESC \`).
    Reply,
}

/// Turns bytes into keys; holds at most 256 of them.
#[derive(Debug, Default)]
pub struct Keys {
    begun: Begun,
    /// What has come of it; of sequences and replies without the Escape.
    held: Vec<u8>,
    after_return: bool,
    /// Whether bytes came that are no text, since that was asked.
    had_noise: bool,
}

impl Keys {
    /// Begins where nothing has come yet.
    pub fn new() -> Keys {
        Keys::default()
    }

    /// Takes the next byte and returns the key that is complete with it.
    ///
    /// A control character ends whatever had begun and counts itself, so Ctrl-C always does.
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

    /// Says that nothing came for a while: a lone Escape is one, another sequence that had begun is
    /// dropped. The rest of a character is waited for: nothing else can begin as it did.
    pub fn idle(&mut self) -> Option<Key> {
        if !self.is_between() {
            return None;
        }
        let begun = mem::take(&mut self.begun);
        (begun == Begun::Escape).then_some(Key::Escape)
    }

    /// Returns whether something has begun that [`Keys::idle`] would end.
    pub fn is_between(&self) -> bool {
        !matches!(self.begun, Begun::Nothing | Begun::Character)
    }

    /// Returns whether bytes came that no terminal sends, since this was asked last.
    pub fn take_noise(&mut self) -> bool {
        mem::take(&mut self.had_noise)
    }

    /// Goes on with what has begun, unless it has become too long to be true.
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
                // The beginning was bad, not what came now.
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

    /// Takes a printable byte of a sequence, or the one that begins it.
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
        // Intermediate bytes (ECMA-35), as in the VT52's `ESC / Z`, which says who it is.
        [b' '..=b'/', .., last] => *last >= 0x30,
        [b' '..=b'/'] => false,
        _ => true,
    }
}

/// Returns the key a sequence stands for, which is given without its Escape.
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
