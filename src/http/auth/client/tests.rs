//! Tests of who is taken for whom, and who is not let in.

use std::path::Path;
use std::sync::LazyLock;

use super::*;
use crate::types::job::{Role, Turn};
use crate::types::mode::Modes;

/// The secret of the box under test.
static SECRET: LazyLock<Secret> =
    LazyLock::new(|| Secret::load(tempfile::tempdir().unwrap().path()).unwrap());

const HERE: &str = "192.168.1.7";
const THERE: &str = "192.168.1.8";
const FORGED: &str = "solverbox=0123456789abcdef0123456789abcdef";

fn credentials<'r>(
    cookies: Option<&'r str>,
    authorization: Option<&'r str>,
    from: &str,
) -> Credentials<'r> {
    let address = from.parse().unwrap();
    Credentials { cookies, authorization, address, connection: "connection 1", relayed: false }
}

/// Who asks a box without a list of keys.
fn known(cookies: Option<&str>, authorization: Option<&str>, from: &str) -> Client {
    of(&credentials(cookies, authorization, from), Access::Private, &SECRET, None).unwrap().client
}

fn fresh() -> String {
    let set = cookie_for(None, &SECRET).unwrap();
    set.split("; ").next().unwrap().to_string()
}

/// A list with one key, and the key.
fn listed(limits: &str) -> (ApiKeys, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let new = crate::http::auth::keys::add("lab", &file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap() + limits;
    std::fs::write(&file, text).unwrap();
    (ApiKeys::read(Path::new(&file)).unwrap(), format!("Bearer {}", new.key))
}

#[test]
fn a_cookie_comes_before_a_key_and_a_key_before_the_address() {
    let (one, other) = (fresh(), fresh());
    let cookies = format!("theme=dark; {one}; x=y");
    let cookie = known(Some(&cookies), None, HERE);
    assert_eq!(cookie, known(Some(&one), Some("Bearer k"), THERE));
    assert_ne!(cookie, known(Some(&other), None, HERE));
    let key = known(None, Some("Bearer k"), HERE);
    assert_eq!(key, known(Some("theme=dark"), Some("bearer  k "), THERE));
    assert_ne!(key, known(None, Some("Bearer K"), HERE));
    let address = known(None, None, HERE);
    assert_eq!(address, known(None, Some("Basic dTpw"), HERE));
    assert_ne!(address, known(None, None, THERE));
    assert_ne!(known(None, None, "fe80::1"), known(None, None, "fe80::2"));
}

#[test]
fn on_loopback_each_connection_without_a_mark_is_a_client_of_its_own() {
    let cookie = fresh();
    for from in ["127.0.0.1", "127.8.8.8", "::1"] {
        let with = |cookies, connection| {
            let credentials = Credentials { connection, ..credentials(cookies, None, from) };
            of(&credentials, Access::Private, &SECRET, None).unwrap().client
        };
        assert_eq!(with(None, "1"), with(None, "1"));
        assert_ne!(with(None, "1"), with(None, "2"));
        assert_eq!(with(Some(&cookie), "1"), with(Some(&cookie), "2"));
    }
}

#[test]
fn a_forged_cookie_is_refused_where_it_asks_and_replaced_where_it_looks() {
    let own = fresh();
    let owner = "solverbox-owner=0123";
    let long = format!("solverbox={}", "a".repeat(16 << 10));
    let last = own.chars().last().unwrap();
    let changed = own[..own.len() - 1].to_string() + if last == '0' { "1" } else { "0" };
    for cookies in ["solverbox=", "solverbox=forged", FORGED, &changed, &long] {
        for authorization in [None, Some("Bearer k")] {
            for from in [HERE, "127.0.0.1"] {
                let credentials = credentials(Some(cookies), authorization, from);
                let asks = of(&credentials, Access::Private, &SECRET, None);
                assert_eq!(asks, Err(AuthError::ForgedCookie), "{cookies}");
                assert!(of(&credentials, Access::Public, &SECRET, None).is_ok());
            }
        }
        assert!(cookie_for(Some(cookies), &SECRET).is_some());
        let both = format!("{cookies}; {own}");
        assert_eq!(known(Some(&both), None, HERE), known(Some(&own), None, HERE));
        assert_eq!(cookie_for(Some(&both), &SECRET), None);
    }
    assert_eq!(known(Some(owner), None, HERE), known(None, None, HERE), "another cookie");
}

#[test]
fn with_a_key_list_a_key_must_be_on_it_and_other_machines_need_one() {
    let (keys, right) = listed("jobs_max = 2");
    let ask = |cookies: Option<&str>, authorization: Option<&str>, from, access| {
        of(&credentials(cookies, authorization, from), access, &SECRET, Some(&keys))
    };
    let cookie = fresh();
    let lab = ask(None, Some(&right), HERE, Access::Private).unwrap();
    assert_eq!((lab.name.as_deref(), lab.limits.jobs_max), (Some("lab"), Some(2)));
    assert_eq!(ask(Some(&cookie), Some(&right), THERE, Access::Public), Ok(lab));
    for from in [HERE, "127.0.0.1"] {
        for access in [Access::Private, Access::Public] {
            let wrong = ask(Some(&cookie), Some("Bearer none"), from, access);
            assert_eq!(wrong, Err(AuthError::WrongKey));
        }
        assert!(ask(Some(&cookie), None, from, Access::Private).unwrap().name.is_none());
    }
    assert_eq!(ask(None, None, HERE, Access::Private), Err(AuthError::NoKey));
    assert_eq!(ask(None, Some("Bearer "), HERE, Access::Private), Err(AuthError::NoKey));
    assert!(ask(None, None, HERE, Access::Public).is_ok(), "the page may be looked at");
    assert!(ask(None, None, "127.0.0.1", Access::Private).is_ok());
    assert!(ask(None, None, "::1", Access::Private).is_ok());
    let relayed = Credentials { relayed: true, ..credentials(None, None, "127.0.0.1") };
    let passed_on = |access| of(&relayed, access, &SECRET, Some(&keys));
    assert_eq!(
        passed_on(Access::Private),
        Err(AuthError::NoKey),
        "a proxy's clients are elsewhere"
    );
    assert!(
        passed_on(Access::Public).is_ok() && of(&relayed, Access::Private, &SECRET, None).is_ok()
    );
    let forged = ask(Some(FORGED), Some(&right), HERE, Access::Private);
    assert_eq!(forged, Err(AuthError::ForgedCookie));
}

#[test]
fn a_keys_limits_refuse_what_was_asked_and_cut_what_was_not() {
    let (keys, key) = listed("attempts_max = 2\nbudget_tokens_max = 100");
    let principal =
        of(&credentials(None, Some(&key), HERE), Access::Private, &SECRET, Some(&keys)).unwrap();
    let question = || {
        let mode = Modes::built_in().find("math").unwrap();
        Question::new(mode, vec![Turn { role: Role::User, text: "2+2?".into() }], 1)
    };
    let mut usual = question();
    assert!(usual.budget_tokens > 100);
    principal.admit(&mut usual).unwrap();
    assert_eq!(usual.budget_tokens, 100);
    let refused = |change: fn(&mut Question)| {
        let mut asked = question();
        change(&mut asked);
        let error = principal.admit(&mut asked).unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden);
        assert!(error.message.contains("'lab'"), "{error}");
        error.message.split(": ").next().unwrap().to_string()
    };
    assert_eq!(refused(|q| q.attempts = 3), "attempts");
    assert_eq!(refused(|q| (q.attempts, q.choices) = (3, Choices::All)), "n");
    assert_eq!(refused(|q| q.budget_tokens = 101), "max_tokens");
    let mut within = question();
    (within.attempts, within.budget_tokens) = (2, 100);
    principal.admit(&mut within).unwrap();
    let unlimited = Principal { limits: KeyLimits::default(), ..principal };
    unlimited.admit(&mut question()).unwrap();
}

#[test]
fn other_authorization_headers_have_no_key() {
    for authorization in ["", "Bearer", "Bearer ", "Basic dTpw", "Bearerk", "k"] {
        assert_eq!(api_key(authorization), None, "{authorization}");
    }
}
