//! Tests of the words that depend on numbers and on the browser's languages.

use super::*;
use crate::types::mode::Modes;

const BOTH: [&Phrases; 2] = [&english::PHRASES, &chinese::PHRASES];

#[test]
fn the_most_welcome_language_is_spoken_and_english_where_none_is_known() {
    let of = |line| Phrases::preferred(std::iter::once(line)).tag;
    for line in ["zh-CN,zh;q=0.9,en;q=0.8", "ZH", "fr, zh;q=0.1", "en;q=0.5, zh-Hant-TW;q=0.6"] {
        assert_eq!(of(line), "zh-CN", "{line}");
    }
    for line in ["", "en-GB", "fr", "en, zh", "zh;q=0", "zh;q=0.5, en;q=0.7", "zho", "*"] {
        assert_eq!(of(line), "en", "{line}");
    }
}

#[test]
fn times_are_worded_as_roughly_as_they_are_known() {
    let words = |seconds, low, high| english::PHRASES.expected(&Eta { seconds, low, high });
    assert_eq!(words(42.0, 21.0, 66.0), "Ready in about 40 seconds (20 to 70).");
    assert_eq!(words(240.0, 120.0, 540.0), "Ready in about 4 minutes (2 to 9).");
    assert_eq!(words(3.0, 1.0, 4.0), "Ready in less than 10 seconds.");
    assert_eq!(words(60.0, 60.0, 90.0), "Ready in about 1 minute (1 to 2).");
    assert_eq!(words(1_800.0, 900.0, 3_000.0), "Ready in about 30 minutes (15 to 50).");
    assert_eq!(words(7_200.0, 7_200.0, 7_200.0), "Ready in about 2 hours.");
    assert_eq!(words(0.0, 0.0, 0.0), "Ready in less than 10 seconds.");
    let eta = Eta { seconds: 240.0, low: 120.0, high: 540.0 };
    assert_eq!(chinese::PHRASES.expected(&eta), "大约还要 4 分钟(2 到 9 分钟)。");
}

#[test]
fn places_and_votes_are_counted_in_plain_words() {
    let english = &english::PHRASES;
    assert_eq!(english.place(1), "In line: yours is next.");
    assert_eq!(english.place(2), "In line: 1 question is before yours.");
    assert_eq!(english.place(4), "In line: 3 questions are before yours.");
    assert_eq!(english.agreement(3, 4), "3 of 4 attempts agree.");
    assert_eq!(english.agreement(1, 4), "No two of 4 attempts agree: this is a guess.");
    assert!(english.agreement(0, 4).starts_with("None of 4"));
    for words in BOTH {
        for text in [words.place(3), words.agreement(2, 5), words.voting(8), words.refreshes(30)] {
            assert!(text.chars().any(|c| c.is_ascii_digit()), "{text}");
        }
    }
}

#[test]
fn each_built_in_mode_is_described_in_chinese() {
    for mode in Modes::built_in().iter() {
        assert!((chinese::PHRASES.about)(&mode.about).is_some(), "{}: {}", mode.name, mode.about);
    }
}
