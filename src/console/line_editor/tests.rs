//! The editor compared with a simple, slow one, and its behaviour at its bounds.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

/// Two clusters of several characters, one of each kind that joins its neighbour.
const FAMILY: &str = "👨\u{200d}👩\u{200d}👧";
const FLAG: &str = "🇩🇪";

/// A line as a list of clusters, split again from the whole text at each change.
#[derive(Debug)]
struct Slow {
    clusters: Vec<String>,
    /// Clusters left of the cursor.
    at: usize,
    bytes_max: usize,
}

impl Slow {
    fn text(&self) -> String {
        self.clusters.concat()
    }

    fn cursor(&self) -> usize {
        self.clusters[..self.at].iter().map(String::len).sum()
    }

    fn put(&mut self, left: &str, right: &str) {
        let text = format!("{left}{right}");
        self.clusters = text.graphemes(true).map(str::to_string).collect();
        self.at = 0;
        while self.cursor() < left.len() {
            self.at += 1;
        }
    }

    fn insert(&mut self, c: char) -> Edit {
        let old = self.text();
        let (left, right) = old.split_at(self.cursor());
        if old.len() + c.len_utf8() > self.bytes_max {
            return Edit::Refused;
        }
        self.put(&format!("{left}{c}"), right);
        if right.is_empty() { Edit::Appended } else { Edit::Changed }
    }

    fn erase(&mut self, from: usize, to: usize) -> Edit {
        if from == to {
            return Edit::Refused;
        }
        let (left, right) = (self.clusters[..from].concat(), self.clusters[to..].concat());
        self.put(&left, &right);
        Edit::Changed
    }

    fn go(&mut self, to: usize) -> Edit {
        if to == self.at {
            return Edit::Nothing;
        }
        self.at = to;
        Edit::Moved
    }

    fn is_word(&self, cluster: usize) -> bool {
        self.clusters[cluster].chars().next().unwrap().is_alphanumeric()
    }

    fn word_left(&self) -> usize {
        let mut at = self.at;
        while at > 0 && !self.is_word(at - 1) {
            at -= 1;
        }
        while at > 0 && self.is_word(at - 1) {
            at -= 1;
        }
        at
    }

    fn word_right(&self) -> usize {
        let (mut at, end) = (self.at, self.clusters.len());
        while at < end && !self.is_word(at) {
            at += 1;
        }
        while at < end && self.is_word(at) {
            at += 1;
        }
        at
    }

    fn apply(&mut self, key: Key) -> Edit {
        let (at, end) = (self.at, self.clusters.len());
        let right = (at + 1).min(end);
        match key {
            Key::Char(c) => self.insert(c),
            Key::Tab => self.insert(' '),
            Key::Left => self.go(at.saturating_sub(1)),
            Key::Right => self.go(right),
            Key::Home => self.go(0),
            Key::End => self.go(end),
            Key::WordLeft => self.go(self.word_left()),
            Key::WordRight => self.go(self.word_right()),
            Key::Backspace => self.erase(at.saturating_sub(1), at),
            Key::Delete => self.erase(at, right),
            Key::EraseWord => self.erase(self.word_left(), at),
            Key::EraseWordRight => self.erase(at, self.word_right()),
            Key::EraseToStart => self.erase(0, at),
            Key::EraseToEnd => self.erase(at, end),
            _ => Edit::Nothing,
        }
    }
}

fn typed(text: &str) -> LineEditor {
    let mut line = LineEditor::new(1 << 20);
    for c in text.chars() {
        line.insert(c);
    }
    line
}

/// A few keys: text of several characters counts as one.
fn next_keys(random: &mut ChaCha8Rng) -> Vec<Key> {
    const TEXTS: [&str; 16] = [
        "a",
        "b7",
        " ",
        "-",
        "e\u{301}",
        "数",
        FAMILY,
        FLAG,
        "🇫",
        "\u{301}",
        "\u{200d}",
        "👩",
        "❤\u{fe0f}",
        "각",
        "\u{1100}",
        "क\u{94d}ष",
    ];
    const KEYS: [Key; 14] = [
        Key::Left,
        Key::Right,
        Key::Home,
        Key::End,
        Key::WordLeft,
        Key::WordRight,
        Key::Backspace,
        Key::Delete,
        Key::EraseWord,
        Key::EraseWordRight,
        Key::EraseToStart,
        Key::EraseToEnd,
        Key::Tab,
        Key::Escape,
    ];
    let number = random.next_u32() as usize;
    let (kind, which) = (number % 10, number / 10);
    match kind {
        0..5 => TEXTS[which % TEXTS.len()].chars().map(Key::Char).collect(),
        // Left, right, Backspace and Delete are what fingers do most.
        5..8 => vec![[KEYS[0], KEYS[1], KEYS[6], KEYS[7]][which % 4]],
        _ => vec![KEYS[which % KEYS.len()]],
    }
}

#[test]
fn it_does_what_a_plain_and_slow_editor_does() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for round in 0..10_000 {
        let bytes_max = if round % 4 == 0 { 40 } else { 1_000 };
        let mut line = LineEditor::new(bytes_max);
        let mut slow = Slow { clusters: Vec::new(), at: 0, bytes_max };
        let mut so_far = Vec::new();
        for _ in 0..12 {
            for key in next_keys(&mut random) {
                so_far.push(key);
                let (edit, expected) = (line.apply(key), slow.apply(key));
                let now = (edit, line.text().to_string(), line.cursor());
                assert_eq!(now, (expected, slow.text(), slow.cursor()), "{so_far:?}");
            }
        }
    }
}

#[test]
fn keys_step_over_what_a_person_takes_for_one_character() {
    for cluster in ["a", "e\u{301}", "数", FAMILY, FLAG, "각", "❤\u{fe0f}"] {
        let mut line = typed(&format!("x{cluster}y"));
        line.apply(Key::Left);
        assert_eq!(line.apply(Key::Left), Edit::Moved);
        assert_eq!(line.cursor(), 1, "{cluster}");
        assert_eq!(line.apply(Key::Delete), Edit::Changed);
        assert_eq!(line.text(), "xy");
        let mut line = typed(cluster);
        assert_eq!(line.apply(Key::Backspace), Edit::Changed);
        assert_eq!(line.text(), "");
    }
}

#[test]
fn a_mark_joins_the_letter_before_it() {
    let mut line = typed("e");
    assert_eq!(line.insert('\u{301}'), Edit::Appended);
    assert_eq!(line.before(), 0);
    assert_eq!(line.insert('x'), Edit::Appended);
    assert_eq!(line.before(), "e\u{301}".len());
    // What is inserted before a flag takes half of it; the cursor stands behind the new flag.
    let mut line = typed(FLAG);
    line.apply(Key::Home);
    assert_eq!(line.insert('🇫'), Edit::Changed);
    assert_eq!(line.cursor(), "🇫🇩".len());
}

#[test]
fn words_are_letters_and_digits() {
    let mut line = typed("one two_3, (fo\u{308}ur) ");
    let mut stops = Vec::new();
    while line.apply(Key::WordLeft) == Edit::Moved {
        stops.push(line.text()[line.cursor()..].to_string());
    }
    assert_eq!(
        stops,
        [
            "fo\u{308}ur) ",
            "3, (fo\u{308}ur) ",
            "two_3, (fo\u{308}ur) ",
            "one two_3, (fo\u{308}ur) "
        ]
    );
    assert_eq!(line.apply(Key::EraseWordRight), Edit::Changed);
    assert_eq!(line.text(), " two_3, (fo\u{308}ur) ");
    line.apply(Key::End);
    assert_eq!(line.apply(Key::EraseWord), Edit::Changed);
    assert_eq!(line.text(), " two_3, (");
}

#[test]
fn a_full_line_refuses_more_and_keeps_what_it_has() {
    let mut line = LineEditor::new(4);
    assert_eq!(line.insert('a'), Edit::Appended);
    assert_eq!(line.insert('数'), Edit::Appended);
    assert_eq!(line.insert('b'), Edit::Refused);
    assert_eq!(line.text(), "a数");
    line.set("ab数c");
    assert_eq!((line.text(), line.cursor()), ("ab", 2));
}

#[test]
fn there_is_nothing_to_erase_at_the_ends() {
    let mut line = typed("ab");
    for key in [Key::Delete, Key::EraseToEnd, Key::EraseWordRight] {
        assert_eq!(line.apply(key), Edit::Refused);
    }
    assert_eq!(line.apply(Key::Right), Edit::Nothing);
    line.apply(Key::Home);
    for key in [Key::Backspace, Key::EraseToStart, Key::EraseWord] {
        assert_eq!(line.apply(key), Edit::Refused);
    }
    assert_eq!(line.apply(Key::Left), Edit::Nothing);
    assert_eq!(line.text(), "ab");
}

#[test]
fn a_letter_takes_a_limited_number_of_marks() {
    let mut line = typed(&format!("xa{}", "\u{301}".repeat(1_000)));
    let marks = (CLUSTER_BYTES_MAX - 1) / 2;
    assert_eq!(line.text(), format!("xa{}", "\u{301}".repeat(marks)));
    assert_eq!(line.insert('\u{301}'), Edit::Refused);
    assert_eq!(line.cursor(), line.text().len());
    assert_eq!(line.insert('b'), Edit::Appended);
}

#[test]
fn control_characters_stay_out_but_for_the_line_break() {
    let mut line = typed("a\x1b[2J\r\u{9b}\0b");
    assert_eq!(line.text(), "a[2Jb");
    assert_eq!(line.insert('\x07'), Edit::Refused);
    assert_eq!(line.insert('\n'), Edit::Appended);
    line.set("c\r\nd\x1b");
    assert_eq!(line.text(), "c\nd");
    assert_eq!(line.take(), "c\nd");
    assert_eq!((line.text(), line.cursor()), ("", 0));
}

#[test]
fn a_megabyte_is_pasted() {
    // Flags are the hardest: where one ends hangs on all the flags before it.
    for piece in ["plain text, ", "e\u{301}", "数", FLAG, FAMILY, "\n"] {
        let text = piece.repeat((1 << 20) / piece.len());
        let line = typed(&text);
        assert!(line.text() == text, "{piece}");
        assert_eq!(line.cursor(), text.len());
    }
}
