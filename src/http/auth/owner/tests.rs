//! Tests of signing in: one PIN at a time, ever slower, and never for nothing.

use super::*;
use crate::types::limits;

const RIGHT: &[u8] = br#"{"pin": "right pin"}"#;
const WRONG: &[u8] = br#"{"pin": "wrong pin"}"#;
const S: Duration = Duration::from_secs(1);

fn with_pin() -> (tempfile::TempDir, Owner) {
    let folder = tempfile::tempdir().unwrap();
    pin::set(folder.path(), "right pin").unwrap();
    let owner = Owner::open(folder.path());
    (folder, owner)
}

#[test]
fn the_right_pin_is_not_even_looked_at_while_the_door_is_shut() {
    let (_folder, owner) = with_pin();
    let mut at = Duration::ZERO;
    for wrong in 1..=5 {
        let wait = S * 2_u32.pow(wrong - 1);
        assert_eq!(owner.sign_in_with(WRONG, at), Err(Denied::Wrong(wrong, wait)));
        for early in [Duration::ZERO, wait / 2, wait - Duration::from_millis(1)] {
            for body in [RIGHT, WRONG, b"{"] {
                let denied = owner.sign_in_with(body, at + early);
                assert_eq!(denied, Err(Denied::TooSoon(wait - early)));
            }
        }
        at += wait;
    }
    assert!(owner.sign_in_with(RIGHT, at).is_ok());
    assert_eq!(owner.sign_in_with(WRONG, at), Err(Denied::Wrong(1, S)), "all is forgiven");
}

#[test]
fn what_cannot_be_a_pin_is_refused_without_being_repeated_or_counted() {
    let (_folder, owner) = with_pin();
    let bodies: [&[u8]; 6] =
        [b"", b"{", b"[]", br#"{"pin": 123456}"#, br#"{"pin": "77777"}"#, b"\xff"];
    for body in bodies {
        let Err(Denied::Fault(error)) = owner.sign_in_with(body, Duration::ZERO) else {
            panic!("{body:?}");
        };
        assert_eq!(error.kind, Kind::BadRequest);
        assert!(!error.message.contains("7777"), "{error}");
    }
    assert!(owner.sign_in_with(RIGHT, Duration::ZERO).is_ok());
}

#[test]
fn wrong_pins_count_over_a_restart_even_one_whose_hashing_was_cut_short() {
    let (folder, owner) = with_pin();
    let pin = pin::read(folder.path()).unwrap().unwrap();
    // As if the power had gone between counting and knowing.
    owner.state(Duration::ZERO).patience.count(pin.id(), Duration::ZERO);
    drop(owner);
    let owner = Owner::open(folder.path());
    let denied = owner.sign_in_with(RIGHT, Duration::ZERO);
    assert!(matches!(denied, Err(Denied::TooSoon(left)) if left <= S), "{denied:?}");
    let later = 2 * S;
    assert_eq!(owner.sign_in_with(WRONG, later), Err(Denied::Wrong(2, 2 * S)));
}

#[test]
fn a_new_pin_counts_at_once_ends_sessions_and_the_lock_of_the_old_one() {
    let (folder, owner) = with_pin();
    let now = Duration::ZERO;
    let token = owner.sign_in_with(RIGHT, now).unwrap();
    let has = |token: &str| owner.state(Duration::ZERO).sessions.has(token, SessionCheck::Renew, S);
    assert!(has(&token));
    let id = owner.state(Duration::ZERO).pin.as_ref().unwrap().id().to_string();
    for _ in 0..limits::PIN_WRONG_MAX {
        owner.state(Duration::ZERO).patience.count(&id, Duration::ZERO);
    }
    let locked = Denied::TooSoon(limits::PIN_LOCKED);
    assert_eq!(owner.sign_in_with(RIGHT, now), Err(locked));
    pin::set(folder.path(), "another pin").unwrap();
    assert!(!has(&token));
    assert!(matches!(owner.sign_in_with(RIGHT, now), Err(Denied::Wrong(1, _))));
    let another = br#"{"pin": "another pin"}"#;
    let token = owner.sign_in_with(another, now + 2 * S).unwrap();
    assert!(has(&token));
    pin::remove(folder.path()).unwrap();
    assert!(!has(&token));
    assert_eq!(owner.sign_in_with(another, now + 2 * S), Err(Denied::NoPin));
    std::fs::write(folder.path().join("owner.toml"), "damaged").unwrap();
    assert_eq!(owner.sign_in_with(another, now + 2 * S), Err(Denied::NoPin));
}

#[test]
fn while_one_pin_is_hashed_no_other_is() {
    let (_folder, owner) = with_pin();
    let busy = owner.hashing.lock().unwrap();
    assert_eq!(owner.sign_in_with(RIGHT, Duration::ZERO), Err(Denied::TooSoon(S)));
    drop(busy);
    assert!(owner.sign_in_with(RIGHT, Duration::ZERO).is_ok());
}
