//! Rows laid out after edits equal a fresh layout, and none is too wide.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

/// More people than are shown as they are; one more mark can turn wide into narrow.
const CROWD: &str = "👨\u{200d}👩\u{200d}👧\u{200d}👦\u{200d}👧";

const TEXTS: [&str; 14] = [
    "a", "bc d", "\n", "数", "e\u{301}", "\u{301}", "\u{200d}", "👧", "🇩", "🇪🇨", CROWD, "\u{1100}",
    "\u{202e}", "\u{2028}",
];

fn shown_rows(rows: &Rows) -> Vec<String> {
    let all = (0..rows.count()).map(|row| rows.row(row));
    all.map(|cells| cells.into_iter().map(|cell| cell.shown).collect()).collect()
}

fn laid(prompt: &str, text: &str, width: usize) -> Rows {
    let mut rows = Rows::new(width);
    rows.lay(prompt, text, 0);
    rows
}

#[test]
fn rows_updated_after_edits_equal_rows_laid_out_from_scratch() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut below = |end: usize| random.next_u32() as usize % end;
    for round in 0..300 {
        let width = 10 + round % 8;
        let mut rows = Rows::new(width);
        let mut text = String::new();
        for _ in 0..40 {
            let at = text.floor_char_boundary(below(text.len() + 1));
            let end = text.floor_char_boundary(at + below(6));
            let texts = (0..below(4)).map(|_| TEXTS[below(TEXTS.len())]);
            let new: String = texts.collect();
            text.replace_range(at..end.max(at), &new);
            let prompt = ["> ", "> ", "数> ", ""][below(4)];
            rows.lay(prompt, &text, rows.same(prompt, &text));
            let fresh = laid(prompt, &text, width);
            assert_eq!(rows.starts, fresh.starts, "{prompt}{text:?}");
            assert_eq!(shown_rows(&rows), shown_rows(&fresh));
            for row in 0..rows.count() {
                let columns: usize = rows.row(row).iter().map(|cell| cell.columns).sum();
                assert!(columns < width, "{prompt}{text:?}");
            }
            let end = prompt.len() + text.len();
            assert_eq!(rows.place(end), fresh.place(end));
            assert_eq!(rows.place(end).row, rows.count() - 1);
        }
    }
}

#[test]
fn a_row_ends_before_what_would_reach_the_last_column() {
    assert_eq!(shown_rows(&laid("> ", "abcdefg", 10)), ["> abcdefg"]);
    assert_eq!(shown_rows(&laid("> ", "abcdefgh", 10)), ["> abcdefg", "h"]);
    assert_eq!(shown_rows(&laid("> ", "abcdef数x", 10)), ["> abcdef", "数x"]);
    assert_eq!(shown_rows(&laid("> ", "a\n\nb\n", 10)), ["> a", "", "b", ""]);
    assert_eq!(shown_rows(&laid("> ", "abcdefg\nh", 10)), ["> abcdefg", "h"]);
}

#[test]
fn what_has_no_shape_is_a_question_mark() {
    let strange =
        ["\x1b", "\u{9b}", "\r", "\r\n", "\u{301}", "\u{200d}", "\u{202e}", "\u{2028}", "\u{feff}"];
    for cluster in strange {
        assert_eq!(
            ScreenCell::of(cluster),
            ScreenCell { shown: "?".to_string(), columns: 1 },
            "{cluster:?}"
        );
    }
    let marks = format!("e{}", "\u{301}".repeat(40));
    assert_eq!(ScreenCell::of(&marks).shown, "?");
    assert_eq!(ScreenCell::of(CROWD).shown, "?");
    for (cluster, columns) in
        [("a", 1), ("e\u{301}", 1), ("数", 2), ("🇩🇪", 2), ("👨\u{200d}👩\u{200d}👧", 6)]
    {
        assert_eq!(ScreenCell::of(cluster), ScreenCell { shown: cluster.to_string(), columns });
    }
}

#[test]
fn the_text_does_not_join_the_prompt() {
    let rows = laid("> ", "\u{301}a", 10);
    assert_eq!(shown_rows(&rows), ["> ?a"]);
    assert_eq!(rows.place(2), CellPosition { row: 0, column: 2 });
    assert_eq!(rows.place(4), CellPosition { row: 0, column: 3 });
}
