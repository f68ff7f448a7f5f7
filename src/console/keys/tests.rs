//! What terminals send, as tables; cut short anywhere; and a million bytes of noise.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

/// Each is one key, whole.
const SEQUENCES: [(&[u8], Key); 44] = [
    (b"\x1b[A", Key::Up),
    (b"\x1b[B", Key::Down),
    (b"\x1b[C", Key::Right),
    (b"\x1b[D", Key::Left),
    (b"\x1bOA", Key::Up),
    (b"\x1bOB", Key::Down),
    (b"\x1bOC", Key::Right),
    (b"\x1bOD", Key::Left),
    (b"\x1bA", Key::Up),
    (b"\x1bB", Key::Down),
    (b"\x1bC", Key::Right),
    (b"\x1bD", Key::Left),
    (b"\x1bH", Key::Home),
    (b"\x1b[H", Key::Home),
    (b"\x1bOH", Key::Home),
    (b"\x1b[1~", Key::Home),
    (b"\x1b[7~", Key::Home),
    (b"\x1b[F", Key::End),
    (b"\x1bOF", Key::End),
    (b"\x1b[4~", Key::End),
    (b"\x1b[8~", Key::End),
    (b"\x1b[3~", Key::Delete),
    (b"\x1b[3;5~", Key::EraseWordRight),
    (b"\x1b[1;5C", Key::WordRight),
    (b"\x1b[1;3C", Key::WordRight),
    (b"\x1b[5C", Key::WordRight),
    (b"\x1bO5C", Key::WordRight),
    (b"\x1bOc", Key::WordRight),
    (b"\x1b[1;5D", Key::WordLeft),
    (b"\x1b[1;3D", Key::WordLeft),
    (b"\x1bO5D", Key::WordLeft),
    (b"\x1bOd", Key::WordLeft),
    (b"\x1bf", Key::WordRight),
    (b"\x1bb", Key::WordLeft),
    (b"\x1bd", Key::EraseWordRight),
    (b"\x1b\x7f", Key::EraseWord),
    (b"\x1b\x08", Key::EraseWord),
    (b"\x1bOM", Key::Enter),
    (b"\x1b?M", Key::Enter),
    (b"\x1b[200~", Key::PasteBegin),
    (b"\x1b[201~", Key::PasteEnd),
    ("é".as_bytes(), Key::Char('é')),
    ("数".as_bytes(), Key::Char('数')),
    ("🧮".as_bytes(), Key::Char('🧮')),
];

/// Each is nothing at all: function keys, replies, and what belongs to other terminals.
const UNKNOWN: [&[u8]; 24] = [
    b"\x1b[15~",
    b"\x1b[24;2~",
    b"\x1b[[A",
    b"\x1b[[E",
    b"\x1b[Z",
    b"\x1b[2~",
    b"\x1b[1;2C",
    b"\x1b[I",
    b"\x1bOP",
    b"\x1bOq",
    b"\x1b?q",
    b"\x1bx",
    b"\x1bM",
    b"\x1b=",
    b"\x1b(B",
    b"\x1b/Z",
    b"\x1b[?62;1;6c",
    b"\x1b[>41;354;0c",
    b"\x1b[24;80R",
    b"\x1b[?1u",
    b"\x1b]11;rgb:ffff/ffff/ffff\x07",
    b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
    "\x1bP>|Terminal é数 1.0\x1b\\".as_bytes(),
    b"\x1bP!|00000000\x1b\\",
];

fn push_all(keys: &mut KeyDecoder, bytes: &[u8]) -> Vec<Key> {
    bytes.iter().filter_map(|&byte| keys.push(byte)).collect()
}

fn pressed(bytes: &[u8]) -> Vec<Key> {
    let mut keys = KeyDecoder::new();
    let mut list = push_all(&mut keys, bytes);
    list.extend(keys.idle());
    list
}

fn typed(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

#[test]
fn each_sequence_is_its_key_and_leaves_nothing_behind() {
    for (bytes, key) in SEQUENCES {
        let mut keys = KeyDecoder::new();
        assert_eq!(push_all(&mut keys, bytes), [key], "{}", bytes.escape_ascii());
        assert!(!keys.is_between(), "{}", bytes.escape_ascii());
        assert_eq!(keys.push(b'x'), Some(Key::Char('x')));
    }
}

#[test]
fn what_is_unknown_is_swallowed_whole() {
    for bytes in UNKNOWN {
        let mut keys = KeyDecoder::new();
        assert_eq!(push_all(&mut keys, bytes), [], "{}", bytes.escape_ascii());
        assert!(!keys.is_between(), "{}", bytes.escape_ascii());
        assert_eq!(keys.push(b'x'), Some(Key::Char('x')));
    }
}

#[test]
fn a_sequence_cut_short_gives_no_letters_and_the_next_one_is_understood() {
    let known = SEQUENCES.iter().map(|(bytes, _)| *bytes);
    for bytes in known.chain(UNKNOWN) {
        for cut in 1..bytes.len() {
            let (begun, name) = (&bytes[..cut], bytes.escape_ascii());
            let mut keys = KeyDecoder::new();
            assert_eq!(push_all(&mut keys, begun), [], "{name} cut at {cut}");
            // The rest of a character is waited for, whatever time passes.
            let is_character = !begun.contains(&ESCAPE);
            assert_eq!(keys.is_between(), !is_character, "{name} cut at {cut}");
            let lone = begun.last() == Some(&ESCAPE);
            assert_eq!(keys.idle(), lone.then_some(Key::Escape), "{name} cut at {cut}");
            assert!(!keys.is_between());
            assert_eq!(keys.idle(), None);
            for (whole, key) in SEQUENCES {
                push_all(&mut keys, begun);
                keys.idle();
                assert_eq!(push_all(&mut keys, whole), [key], "{name} cut at {cut}");
            }
            push_all(&mut keys, begun);
            assert_eq!(keys.push(0x03), Some(Key::Interrupt), "{name} cut at {cut}");
            assert!(!keys.is_between());
        }
    }
}

#[test]
fn control_keys_are_readlines() {
    let table = [
        (0x01, Key::Home),
        (0x02, Key::Left),
        (0x03, Key::Interrupt),
        (0x04, Key::EndOfInput),
        (0x05, Key::End),
        (0x06, Key::Right),
        (0x08, Key::Backspace),
        (0x09, Key::Tab),
        (0x0a, Key::Enter),
        (0x0b, Key::EraseToEnd),
        (0x0c, Key::Redraw),
        (0x0d, Key::Enter),
        (0x0e, Key::Down),
        (0x10, Key::Up),
        (0x15, Key::EraseToStart),
        (0x17, Key::EraseWord),
        (0x1b, Key::Escape),
        (0x7f, Key::Backspace),
    ];
    for byte in (0..0x20).chain([0x7f]) {
        let expected = table.iter().find(|(control, _)| *control == byte).map(|(_, key)| *key);
        assert_eq!(pressed(&[byte]), Vec::from_iter(expected), "{byte:#04x}");
    }
}

#[test]
fn a_line_ends_once_however_it_ends() {
    let one = [Key::Enter];
    assert_eq!(pressed(b"\r"), one);
    assert_eq!(pressed(b"\n"), one);
    assert_eq!(pressed(b"\r\n"), one);
    assert_eq!(pressed(b"\r\0\n"), one);
    assert_eq!(pressed(b"\r\n\r\n"), [Key::Enter; 2]);
    assert_eq!(pressed(b"\n\n"), [Key::Enter; 2]);
    assert_eq!(pressed(b"\r\r\n"), [Key::Enter; 2]);
    assert_eq!(pressed(b"\ra\n"), [Key::Enter, Key::Char('a'), Key::Enter]);
}

#[test]
fn bad_bytes_are_dropped_and_the_good_character_behind_them_is_not() {
    assert_eq!(pressed(b"a\xffb\x80c"), typed("abc"));
    assert_eq!(pressed(b"\xe6\x95a"), typed("a"));
    assert_eq!(pressed(b"\xe6\xe6\x95\xb0"), typed("数"));
    assert_eq!(pressed(b"\xf0\x9f\xc3\xa9"), typed("é"));
    assert_eq!(pressed(b"\xc3\x1b[A"), [Key::Up]);
    assert_eq!(pressed(b"\xc3\r"), [Key::Enter]);
    // Overlong, a surrogate, and beyond the last character.
    assert_eq!(pressed(b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80."), typed("."));
    assert_eq!(pressed("e\u{301}👨\u{200d}👩".as_bytes()), typed("e\u{301}👨\u{200d}👩"));
}

#[test]
fn control_characters_of_two_bytes_are_ignored() {
    for c in '\u{80}'..='\u{9f}' {
        assert_eq!(pressed(c.to_string().as_bytes()), []);
    }
    assert_eq!(pressed("\u{a0}".as_bytes()), typed("\u{a0}"));
}

#[test]
fn a_sequence_without_end_is_bounded() {
    let mut endless = b"\x1b[".to_vec();
    endless.resize(1 + SEQUENCE_BYTES_MAX, b'1');
    assert_eq!(pressed(&endless), []);
    endless.push(b'x');
    assert_eq!(pressed(&endless), typed("x"));
    let mut reply = b"\x1b]".to_vec();
    reply.resize(2 + REPLY_BYTES_MAX, b'1');
    assert_eq!(pressed(&reply), []);
    reply.push(b'x');
    assert_eq!(pressed(&reply), typed("x"));
}

#[test]
fn an_escape_before_another_key_does_not_hide_it() {
    assert_eq!(pressed(b"\x1b\x1b[A"), [Key::Escape, Key::Up]);
    assert_eq!(pressed(b"\x1b\x03"), [Key::Interrupt]);
    assert_eq!(pressed(b"\x1b\r"), [Key::Enter]);
    assert_eq!(pressed("\x1bé".as_bytes()), typed("é"));
    assert_eq!(pressed(b"\x1b[1\x1b[A"), [Key::Up]);
    assert_eq!(pressed(b"\x1b[1\x7f"), [Key::Backspace]);
    assert_eq!(pressed(b"\x1b]0;\x03"), [Key::Interrupt]);
}

#[test]
fn flow_control_and_padding_can_come_anywhere() {
    for (bytes, key) in SEQUENCES {
        for noise in OF_THE_WIRE {
            let padded: Vec<u8> = bytes.iter().flat_map(|&byte| [byte, noise]).collect();
            assert_eq!(pressed(&padded), [key], "{}", padded.escape_ascii());
        }
    }
}

#[test]
fn interrupt_is_understood_in_the_middle_of_any_noise() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut keys = KeyDecoder::new();
    for _ in 0..1_000_000 {
        let number = random.next_u32();
        // Half of it is such as sequences are made of.
        let likely = b"\x1b\x1b[[O?PX]_;19~AZM\\\x07\r\n \x7f\xc3\xa9\xe6\xf0\x9f";
        let byte = if number & 1 == 0 {
            (number >> 8) as u8
        } else {
            likely[(number >> 8) as usize % likely.len()]
        };
        if let Some(Key::Char(c)) = keys.push(byte) {
            assert!(!c.is_control());
        }
        assert!(keys.held.len() <= REPLY_BYTES_MAX);
        match number >> 24 {
            0 => assert_eq!(keys.push(0x03), Some(Key::Interrupt)),
            1 => {
                keys.idle();
                assert_eq!(keys.push(b'x'), Some(Key::Char('x')));
            }
            _ => {}
        }
    }
}
