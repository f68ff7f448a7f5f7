//! Lines, sums and objects, with noise of all kinds around them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

const PING: &[u8] = br#"{"type":"ping"}"#;

/// Hands bytes over in parts of these sizes, again and again, and returns all lines.
fn lines(bytes: &[u8], parts: &[usize]) -> Vec<ReceivedLine> {
    let (mut splitter, mut lines, mut rest) = (LineSplitter::default(), Vec::new(), bytes);
    for part in parts.iter().cycle() {
        let (mut now, later) = rest.split_at(rest.len().min(*part));
        while let Some(line) = splitter.line(&mut now) {
            lines.push(line);
        }
        assert!(now.is_empty() && splitter.line.len() <= limits::MACHINE_LINE_BYTES_MAX);
        rest = later;
        if rest.is_empty() {
            return lines;
        }
    }
    unreachable!("parts are endless")
}

fn whole(lines: &[&[u8]]) -> Vec<ReceivedLine> {
    lines.iter().map(|line| ReceivedLine::Whole(line.to_vec())).collect()
}

fn summed(object: &[u8]) -> Vec<u8> {
    [object, format!("*{:08X}", sum(object)).as_bytes()].concat()
}

#[test]
fn lines_end_with_either_or_both_and_blank_ones_are_none() {
    let bytes = b"one\ntwo\r\nthree\r\r\n\n \t\0\xff\xfe\n four\x00\n\xc3\xa9\nrest";
    let expected = whole(&[b"one", b"two", b"three", b" four\x00"]);
    for parts in [&[1][..], &[2, 3], &[7], &[1_000]] {
        assert_eq!(lines(bytes, parts), expected, "{parts:?}");
    }
}

#[test]
fn a_line_that_is_too_long_is_said_once_and_its_bytes_are_not_kept() {
    let longest = vec![b'x'; limits::MACHINE_LINE_BYTES_MAX];
    let longer = vec![b'y'; limits::MACHINE_LINE_BYTES_MAX * 2 + 5];
    let bytes = [&longest[..], b"\n", &longer, b"\n", b"next\n", &longer].concat();
    let expected = [
        ReceivedLine::Whole(longest),
        ReceivedLine::TooLong,
        ReceivedLine::Whole(b"next".to_vec()),
    ];
    for parts in [&[4_096][..], &[limits::MACHINE_LINE_BYTES_MAX + 1], &[bytes.len()]] {
        assert!(lines(&bytes, parts) == expected, "{parts:?}");
    }
}

#[test]
fn the_sum_is_that_of_zlib() {
    assert_eq!(sum(b"123456789"), 0xcbf4_3926);
    assert_eq!(sum(b""), 0);
}

#[test]
fn what_may_be_an_object_is_the_whole_line_or_what_begins_later() {
    let cases: [(&[u8], &[&[u8]]); 6] = [
        (b"hello", &[b"hello"]),
        (b"", &[b""]),
        (PING, &[PING]),
        (b"\xff\x00gar{b{\"type\":\"ping\"}", &[b"\xff\x00gar{b{\"type\":\"ping\"}", PING]),
        (b"x{ \t\"a\":1}\x00\xff", &[b"x{ \t\"a\":1}", b"{ \t\"a\":1}"]),
        (b"{\"a{\"b{\"c", &[b"{\"a{\"b{\"c", b"{\"c", b"{\"b{\"c"]),
    ];
    for (line, expected) in cases {
        assert_eq!(objects(line, Checksums::Off).unwrap(), expected);
    }
    let many = b"{\"".repeat(1_000);
    assert_eq!(objects(&many, Checksums::Off).unwrap().len(), limits::MACHINE_STARTS_MAX + 1);
}

#[test]
fn a_sum_must_be_right_where_there_is_one_and_be_there_where_it_is_needed() {
    let sound = summed(PING);
    for need in [Checksums::Off, Checksums::On] {
        assert_eq!(objects(&sound, need).unwrap(), [PING]);
        let noisy = [b"{\"noise\xff", &sound[..], b"\x00 "].concat();
        assert_eq!(objects(&noisy, need).unwrap(), [PING], "noise is not in the sum");
        let wrong = [&sound[..sound.len() - 1], b"!"].concat();
        let found = objects(&wrong, need);
        assert!(found.is_err() || found.is_ok_and(|found| found == [&wrong[..]]));
    }
    let error = objects(br#"{"type":"pong"}*12345678"#, Checksums::Off).unwrap_err();
    let expected = "the line's checksum is 12345678, but its bytes have ";
    assert!(error.message.starts_with(expected), "{error}");
    assert_eq!(objects(PING, Checksums::On).unwrap_err().message, "the line lacks a checksum");
    let small = String::from_utf8(sound).unwrap().to_lowercase();
    assert!(objects(small.as_bytes(), Checksums::On).is_err(), "lower-case letters are not digits");
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_line_with_a_sum_is_noticed() {
    let object = r#"{"type":"ask","id":7,"question":"Is {\"a\": 17×23} 391? {"}"#.as_bytes();
    let line = [&summed(object)[..], b"\n"].concat();
    // What comes next is sound, and stays so.
    let next = [&summed(PING)[..], b"\n"].concat();
    let bytes = [&line[..], &next].concat();
    for bit in 0..line.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut found = Vec::new();
        for line in lines(&bytes, &[bytes.len()]) {
            let ReceivedLine::Whole(line) = line else { panic!("{line:?}") };
            let objects = objects(&line, Checksums::On).unwrap_or_default();
            found.extend(objects.into_iter().map(<[u8]>::to_vec));
        }
        assert_eq!(found, [PING], "bit {bit}");
    }
}

#[test]
fn noise_costs_at_most_the_line_it_touches() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..2_000 {
        let noise = |random: &mut ChaCha8Rng| -> Vec<u8> {
            (0..random.next_u32() % 40).map(|_| random.next_u32() as u8).collect()
        };
        let (mut bytes, mut sent) = (Vec::new(), Vec::new());
        for number in 0..8 {
            let object = format!("{{\"type\":\"ping\",\"id\":{number}}}").into_bytes();
            bytes.extend(if random.next_u32() % 3 == 0 { noise(&mut random) } else { Vec::new() });
            bytes.extend(summed(&object));
            bytes.push(b'\n');
            sent.push(object);
        }
        let sizes: Vec<usize> = (0..5).map(|_| 1 + random.next_u32() as usize % 50).collect();
        let mut heard = Vec::new();
        for line in lines(&bytes, &sizes) {
            let ReceivedLine::Whole(line) = line else { panic!("{line:?}") };
            heard.extend(objects(&line, Checksums::On).into_iter().flatten().map(<[u8]>::to_vec));
        }
        // Before a sound line it costs nothing at all: the sum finds where the object begins.
        assert_eq!(heard, sent);
    }
}

#[test]
fn noise_is_answered_less_and_less_until_a_line_makes_sense() {
    let mut noise = NoiseLimit::default();
    let answered: Vec<u64> = (1..=100).filter(|_| noise.another()).collect();
    assert_eq!(answered, [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64]);
    noise.ends();
    assert!(noise.another());
    noise.ends();
    assert_eq!((0..1_000_000).filter(|_| noise.another()).count(), 24);
}
