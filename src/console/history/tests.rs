//! A walk through the past, and its bounds.

use super::*;

fn of(lines: &[&str]) -> LineHistory {
    let mut past = LineHistory::new(100, 1 << 10);
    for line in lines {
        past.add(line);
    }
    past
}

/// All that is there, the newest first.
fn all(past: &mut LineHistory) -> Vec<String> {
    let mut list = Vec::new();
    while let Some(line) = past.up("") {
        list.push(line.to_string());
    }
    past.end_walk();
    list
}

#[test]
fn the_line_being_typed_comes_back_at_the_bottom() {
    let mut past = of(&["one", "two"]);
    assert_eq!(past.down(), None);
    assert_eq!(past.up("thr"), Some("two"));
    assert_eq!(past.up("two, changed"), Some("one"));
    assert_eq!(past.up("one"), None);
    assert_eq!(past.down(), Some("two"));
    assert_eq!(past.down(), Some("thr"));
    assert_eq!(past.down(), None);
    assert_eq!(past.up("three"), Some("two"));
    assert_eq!(past.down(), Some("three"));
}

#[test]
fn a_line_sent_ends_the_walk() {
    let mut past = of(&["one", "two"]);
    past.up("");
    past.up("");
    past.add("three");
    assert_eq!(past.down(), None);
    assert_eq!(past.up(""), Some("three"));
    past.end_walk();
    assert_eq!(past.up(""), Some("three"));
}

#[test]
fn twice_in_a_row_is_kept_once_and_blank_not_at_all() {
    let mut past = of(&["one", "one", "", " \t", "one", "two", "one"]);
    assert_eq!(all(&mut past), ["one", "two", "one"]);
    assert_eq!(of(&[]).up("typed"), None);
}

#[test]
fn the_oldest_go_first() {
    let mut past = LineHistory::new(3, 10);
    for line in ["1", "2", "3", "4"] {
        past.add(line);
    }
    assert_eq!(all(&mut past), ["4", "3", "2"]);
    past.add("12345678");
    assert_eq!(all(&mut past), ["12345678", "4", "3"]);
    past.add("1234567890");
    assert_eq!(all(&mut past), ["1234567890"]);
    past.add("12345678901");
    assert_eq!(all(&mut past), ["1234567890"]);
    past.add("abc");
    assert_eq!(all(&mut past), ["abc"]);
    assert_eq!(past.bytes, 3);
}
