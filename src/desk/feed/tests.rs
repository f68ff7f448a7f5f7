//! Feeds over records that the test writes: no engine, no disk.

use std::time::SystemTime;

use super::*;
use crate::answers::value::of_reply;
use crate::answers::vote::Ballot;
use crate::types::position::Truncations;

fn piece(part: Part, text: &str) -> Piece {
    Piece { part, text: text.into() }
}

fn feed(record: &Arc<Record>, from: LogPosition, texts: FeedTexts) -> Feed {
    Feed::of(record.clone(), true, from, texts)
}

fn at(offset: usize) -> LogPosition {
    LogPosition { offset, start: 0 }
}

fn tally(answers: &[&str]) -> Tally {
    let mut tally = Tally::new(4);
    for (attempt, answer) in (0..).zip(answers) {
        let value = of_reply(&format!("\\boxed{{{answer}}}"));
        tally.add(Ballot { attempt, value, mean_logprob: 0.0 });
    }
    tally
}

/// Two attempts side by side, the second of which ended first and has the answer.
fn voted() -> Arc<Record> {
    let record = Arc::new(Record::new());
    record.append(0, &piece(Part::Thinking, "hm 数 "));
    record.append(1, &piece(Part::Thinking, "so "));
    record.append(1, &piece(Part::Answer, "\\boxed{42}"));
    end_attempt(&record, 1);
    record.set_tally(&tally(&["42"]));
    record.append(0, &piece(Part::Answer, "\\boxed{41}"));
    end_attempt(&record, 0);
    record.set_tally(&tally(&["42", "41"]));
    record
}

fn end_attempt(record: &Record, attempt: u32) {
    let figures = Figures::default();
    record.end_attempt(AttemptEnd { attempt, outcome: Outcome::Done, figures });
}

/// Returns what there is now.
fn all(feed: &mut Feed, bytes_max: usize) -> Vec<JobEvent> {
    std::iter::from_fn(|| feed.next(bytes_max, Duration::ZERO)).collect()
}

fn text(events: &[JobEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        JobEvent::Text { piece, .. } => Some(piece.text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn names(events: &[JobEvent]) -> Vec<&'static str> {
    let name = |event: &JobEvent| match event {
        JobEvent::Rewound { .. } => "rewound",
        JobEvent::Queued(_) => "queued",
        JobEvent::Text { .. } => "text",
        JobEvent::AttemptEnded(_) => "attempt",
        JobEvent::VoteChanged(_) => "vote",
        JobEvent::Ended(_) => "ended",
        JobEvent::Interrupted(_) => "interrupted",
    };
    events.iter().map(name).collect()
}

#[test]
fn a_feed_from_any_position_has_exactly_the_rest_then_the_state() {
    let record = voted();
    record.set(State::Running);
    let whole = text(&all(&mut feed(&record, at(0), FeedTexts::EveryAttempt), usize::MAX));
    assert_eq!(whole, "hm 数 so \\boxed{42}\\boxed{41}");
    for offset in (0..=whole.len()).filter(|&offset| whole.is_char_boundary(offset)) {
        let mut feed = feed(&record, at(offset), FeedTexts::EveryAttempt);
        let events = all(&mut feed, usize::MAX);
        assert_eq!(text(&events), whole[offset..]);
        let texts = names(&events).iter().filter(|&&name| name == "text").count();
        assert_eq!(names(&events)[texts..], ["attempt", "attempt", "vote", "queued"]);
        assert_eq!(feed.position(), at(whole.len()));
    }
}

#[test]
fn a_position_is_behind_its_text_and_another_feed_continues_there() {
    let record = voted();
    let whole = text(&all(&mut feed(&record, at(0), FeedTexts::EveryAttempt), usize::MAX));
    let mut first = feed(&record, at(0), FeedTexts::EveryAttempt);
    let mut seen = String::new();
    while let Some(event) = first.next(3, Duration::ZERO) {
        if let JobEvent::Text { piece, position, .. } = event {
            seen += &piece.text;
            assert_eq!((position, first.position()), (at(seen.len()), at(seen.len())));
            let rest =
                text(&all(&mut feed(&record, position, FeedTexts::EveryAttempt), usize::MAX));
            assert_eq!(rest, whole[seen.len()..]);
        }
    }
    assert_eq!(seen, whole);
}

#[test]
fn a_slow_reader_gets_all_text_in_small_parts_and_the_rest_once_it_has_caught_up() {
    let record = voted();
    record.end(1, Outcome::Done, Figures::default(), SystemTime::now());
    for most in 1..20 {
        let events = all(&mut feed(&record, at(0), FeedTexts::EveryAttempt), most);
        assert_eq!(text(&events), "hm 数 so \\boxed{42}\\boxed{41}");
        let lengths = events.iter().filter_map(|event| match event {
            JobEvent::Text { piece, .. } => Some(piece.text.len()),
            _ => None,
        });
        assert!(lengths.max() <= Some(most + 2), "a character of 3 bytes may be the last");
        let texts = names(&events).iter().filter(|&&name| name == "text").count();
        assert_eq!(names(&events)[texts..], ["attempt", "attempt", "vote", "ended"]);
    }
}

#[test]
fn a_reader_that_saw_more_than_a_restart_left_is_rewound_first() {
    let record = Arc::new(Record::cut([10, 6].into_iter().collect::<Truncations>()));
    record.append(0, &piece(Part::Answer, "0123456789abcdef"));
    let mut ahead = feed(&record, LogPosition { offset: 8, start: 1 }, FeedTexts::EveryAttempt);
    let to = LogPosition { offset: 6, start: 2 };
    assert_eq!(ahead.next(usize::MAX, Duration::ZERO), Some(JobEvent::Rewound { to }));
    assert_eq!(ahead.position(), to);
    assert_eq!(text(&all(&mut ahead, usize::MAX)), "6789abcdef");
    let mut behind = feed(&record, LogPosition { offset: 4, start: 1 }, FeedTexts::EveryAttempt);
    assert_eq!(names(&all(&mut behind, usize::MAX)), ["text", "queued"]);
}

#[test]
fn one_answer_is_the_first_attempts_thinking_and_at_the_end_the_best_ones_answer() {
    let record = voted();
    let mut one = feed(&record, at(0), FeedTexts::OneAnswer);
    assert_eq!(text(&all(&mut one, usize::MAX)), "hm 数 ");
    record.end(1, Outcome::Done, Figures::default(), SystemTime::now());
    let events = all(&mut one, 4);
    assert_eq!(text(&events), "\\boxed{42}");
    assert_eq!(names(&events), ["text", "text", "text", "ended"]);
    let events = all(&mut feed(&record, at(0), FeedTexts::AnswerOnly), usize::MAX);
    assert_eq!((text(&events).as_str(), names(&events)), ("\\boxed{42}", vec!["text", "ended"]));
}

#[test]
fn places_and_estimates_are_news_only_where_they_change() {
    let record = Arc::new(Record::new());
    let mut feed = feed(&record, at(0), FeedTexts::EveryAttempt);
    let next = |feed: &mut Feed| feed.next(usize::MAX, Duration::ZERO);
    let status = |stage, place, eta| Some(JobEvent::Queued(QueueStatus { stage, place, eta }));
    assert_eq!(next(&mut feed), status(JobStage::Preparing, None, None));
    record.set_queued(State::Queued, 2);
    assert_eq!(next(&mut feed), status(JobStage::Waiting, Some(2), None));
    record.set_queued(State::Queued, 2);
    assert_eq!(next(&mut feed), None);
    let eta = Eta { seconds: 3.0, low: 2.0, high: 4.0 };
    record.set_eta(eta);
    record.set(State::Running);
    assert_eq!(next(&mut feed), status(JobStage::Running, Some(0), Some(eta)));
}

#[test]
fn nothing_follows_the_end() {
    for is_interrupted in [false, true] {
        let record = Arc::new(Record::new());
        let mut feed = feed(&record, at(0), FeedTexts::EveryAttempt);
        if is_interrupted {
            record.set(State::Interrupted(Error::internal("power")));
        }
        record.end(0, Outcome::Stopped, Figures::default(), SystemTime::now());
        let last = if is_interrupted { "interrupted" } else { "ended" };
        assert_eq!(names(&all(&mut feed, usize::MAX)), [last]);
        assert!(feed.is_over());
        assert_eq!(feed.next(usize::MAX, Duration::MAX / 4), None, "does not wait");
    }
}

#[test]
fn a_waiting_feed_wakes_at_a_change_and_at_the_time_given() {
    let record = Arc::new(Record::new());
    let mut feed = feed(&record, at(0), FeedTexts::EveryAttempt);
    assert_eq!(names(&all(&mut feed, usize::MAX)), ["queued"]);
    assert_eq!(feed.next(usize::MAX, Duration::from_millis(1)), None);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || feed.next(usize::MAX, Duration::from_secs(60)));
        record.append(0, &piece(Part::Answer, "!"));
        assert_eq!(text(&[reader.join().unwrap().unwrap()]), "!");
    });
}
