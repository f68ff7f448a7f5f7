//! What requests of `/api/jobs` are read into, and what is refused.

use super::*;

#[test]
fn unknown_and_duplicate_fields_are_refused_by_name() {
    assert_eq!(parse(br#"{"question": "2+2?"}"#).unwrap(), Ask::new("2+2?"));
    for (body, starts) in [
        ("{", "the body is not JSON: EOF"),
        ("[]", "the body is not a JSON object"),
        ("{}", "question: missing"),
        (r#"{"question": "x", "tempreature": 1}"#, "tempreature: unknown field"),
        (r#"{"question": "x", "seed": 1, "seed": 2}"#, "seed: given twice"),
    ] {
        let error = parse(body.as_bytes()).unwrap_err();
        assert!(error.message.starts_with(starts), "{body}: {error}");
        assert!(error.remedy.ends_with('.'), "{error:?}");
    }
}

#[test]
fn any_addresses_are_read_or_refused() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = std::time::Duration::from_secs(seconds.unwrap_or(1));
    bolero::check!().with_test_time(time).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        if let Ok(at) = position(None, Some(&text)).map(|at| (at, at.to_string().parse())) {
            assert_eq!(at.1, Ok(at.0));
        }
        for query in [text.to_string(), format!("limit={text}"), format!("before={text}")] {
            let page = page(&format!("/api/jobs?{query}"));
            assert!(page.is_err() || page.is_ok_and(|page| page.limit > 0));
        }
    });
}

#[test]
fn a_page_is_bounded() {
    let all = Page { before: None, limit: limits::LIST_JOBS_DEFAULT };
    assert_eq!(page("/api/jobs").unwrap(), all);
    assert_eq!(page("/api/jobs?x=y&limit=7#limit=8").unwrap().limit, 7);
    for query in ["limit=0", "limit=101", "limit=x", "limit=", "before=1", "before="] {
        assert!(page(&format!("/api/jobs?{query}")).is_err(), "{query}");
    }
}

#[test]
fn a_reader_that_comes_back_by_itself_is_later_than_its_address() {
    let at = |from, last| position(from, last).map(|position| position.offset);
    assert_eq!(at(None, None), Ok(0));
    assert_eq!(at(Some("7"), None), Ok(7));
    assert_eq!(at(Some("7"), Some("")), Ok(7));
    assert_eq!(at(Some("7"), Some("9.1")), Ok(9));
    assert!(
        at(Some(""), Some("9")).is_err()
            && at(Some("x"), None).is_err()
            && at(None, Some("-1")).is_err()
    );
}
