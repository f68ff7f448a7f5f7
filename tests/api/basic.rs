//! `/basic`, the pages without script: a browser with JavaScript switched off, w3m, hostile text,
//! foreign forms, double submissions, errors in plain words, two languages.

use serde_json::{Value, json};
use ureq::http::Response;

use crate::api::clients::{node, output, script};
use crate::support::programs::browser;
use crate::support::tmux::Tmux;
use crate::support::{PATIENCE, TestServer, not_checked, poll_for, wait_until, whole};

/// A browser that runs no script and follows no redirect by itself.
struct PlainBrowser<'s> {
    served: &'s TestServer,
    cookie: String,
}

/// A page, or the reply to a form.
struct Seen {
    status: u16,
    location: String,
    html: String,
}

impl Seen {
    fn of(response: Response<ureq::Body>) -> Seen {
        let location = response.headers().get("location");
        let location = location.map_or("", |path| path.to_str().unwrap()).to_string();
        let (status, html) = whole(response);
        Seen { status, location, html }
    }

    /// The value of the first hidden field of a name.
    fn hidden(&self, name: &str) -> &str {
        let begin = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let rest =
            self.html.split(&begin).nth(1).unwrap_or_else(|| panic!("{name}: {}", self.html));
        rest.split('"').next().unwrap()
    }

    fn has(&self, text: &str) -> bool {
        self.html.contains(text)
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.timeout_global(Some(PATIENCE)).build().into()
}

impl<'s> PlainBrowser<'s> {
    fn new(served: &'s TestServer) -> PlainBrowser<'s> {
        let response = agent().get(served.url("/basic")).call().unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_string();
        PlainBrowser { served, cookie }
    }

    fn get(&self, path: &str) -> Seen {
        let request = agent().get(self.served.url(path)).header("Cookie", &self.cookie);
        let response = request.call().unwrap();
        assert!(!response.headers().contains_key("set-cookie"), "it keeps its cookie");
        Seen::of(response)
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let request = agent().post(self.served.url(path)).header("Cookie", &self.cookie);
        Seen::of(request.send_form(fields.iter().copied()).unwrap())
    }

    /// Sends the form of `/basic`, and returns the path of the job.
    fn ask(&self, fields: &[(&str, &str)]) -> String {
        let seen = self.submit(fields);
        assert_eq!(seen.status, 303, "{}", seen.html);
        seen.location
    }

    fn submit(&self, fields: &[(&str, &str)]) -> Seen {
        let form = self.get("/basic");
        let keys = [("token", form.hidden("token")), ("key", form.hidden("key"))];
        self.post("/basic", &[&keys, fields].concat())
    }

    /// Sends a form of a job's own page.
    fn act(&self, path: &str, action: &str) -> Seen {
        let page = self.get(path);
        self.post(path, &[("token", page.hidden("token")), ("action", action)])
    }

    /// Reads a job's page until it does not load itself again.
    fn wait_for(&self, path: &str) -> Seen {
        let over = || Some(self.get(path)).filter(|page| !page.has("http-equiv=\"refresh\""));
        let page = poll_for(PATIENCE, over).expect("the job ends");
        assert_eq!(page.status, 200, "{}", page.html);
        page
    }
}

/// Asks a question that goes on for minutes, as the browser's own.
fn ask_endless(browser: &PlainBrowser<'_>) -> String {
    let body = json!({
        "question": "What is 98765*87654?", "mode": "plain", "ignore_eos": true,
        "budget_tokens": 30000,
    });
    let url = browser.served.url("/api/jobs");
    let request = agent().post(url).header("Cookie", &browser.cookie);
    let (status, text) = whole(request.send(body.to_string()).unwrap());
    assert_eq!(status, 202, "{text}");
    let accepted: Value = serde_json::from_str(&text).unwrap();
    format!("/basic/jobs/{}", accepted["id"].as_str().unwrap())
}

/// A server that takes the likeliest answer, which is the right one.
fn greedy(start: fn(&[&str]) -> TestServer) -> TestServer {
    start(&["--modes", crate::console::terminal::greedy().to_str().unwrap()])
}

const SUM: (&str, &str) = ("question", "What is 348 + 577?");

#[test]
fn a_question_is_asked_read_continued_and_deleted_by_plain_forms() {
    let served = greedy(TestServer::ready);
    let browser = PlainBrowser::new(&served);
    assert!(browser.get("/basic").has("You have asked nothing yet."));
    let path = browser.ask(&[SUM, ("mode", "math"), ("attempts", "4"), ("work", " ")]);
    let page = browser.wait_for(&path);
    for shown in
        ["What is 348 + 577?", "Answered.", "attempts agree.", "<details><summary>Thinking"]
    {
        assert!(page.has(shown), "{shown}: {}", page.html);
    }
    assert!(page.has("<p class=\"value\">Answer: <bdi>925</bdi></p>"), "{}", page.html);

    let next = [
        ("token", page.hidden("token")),
        ("key", page.hidden("key")),
        ("previous", page.hidden("previous")),
        ("mode", page.hidden("mode")),
        ("question", "What is 12 + 30?"),
    ];
    let gone_on = browser.post("/basic", &next);
    assert_eq!(gone_on.status, 303, "{}", gone_on.html);
    let second = browser.wait_for(&gone_on.location);
    assert!(second.has("<summary>Before</summary>") && second.has("What is 348 + 577?"));

    let list = browser.get("/basic");
    assert!(list.has(&path) && list.has(&gone_on.location) && list.has("answered"));
    let deleted = browser.act(&path, "delete");
    assert_eq!((deleted.status, deleted.location.as_str()), (303, "/basic"));
    let list = browser.get("/basic");
    assert!(!list.has(&path) && list.has(&gone_on.location));
    let gone = browser.get(&path);
    assert!(gone.status == 404 && gone.has("There is nothing here for this browser."));
}

#[test]
fn an_unfinished_question_loads_itself_again_and_can_be_stopped_or_answered_now() {
    let served = TestServer::ready(&["--sequences", "1"]);
    let browser = PlainBrowser::new(&served);
    let (first, second) = (ask_endless(&browser), ask_endless(&browser));
    wait_until("the first to be answered", || browser.get(&first).has("Answer now"));
    let page = browser.get(&first);
    assert!(page.has("<meta http-equiv=\"refresh\" content=\"5\">"), "{}", page.html);
    assert!(page.has("This page looks again by itself in 5 seconds."), "{}", page.html);
    assert!(!page.has("<textarea"), "nothing typed can be lost");
    let waiting = browser.get(&second);
    assert!(waiting.has("In line: yours is next.") && !waiting.has("Answer now"));
    assert!(browser.get("/basic").has("being answered"));
    wait_until("thinking", || browser.get(&first).has("<summary>Thinking"));
    let unfolded = browser.get(&format!("{first}?thinking=open"));
    assert!(unfolded.has("<details open>") && unfolded.has("thinking=open"));
    assert_eq!(browser.get(&format!("{first}?thinking=shut")).status, 400);

    let finished = browser.act(&first, "finish");
    assert_eq!((finished.status, &finished.location), (303, &first));
    assert_eq!(browser.act(&first, "stop").status, 303);
    assert!(browser.wait_for(&first).has("Stopped."));
    assert_eq!(browser.act(&second, "stop").status, 303);
    assert!(browser.wait_for(&second).has("Stopped."));
    assert_eq!(browser.act(&second, "dance").status, 400);
    let list = browser.get("/basic");
    assert_eq!(list.html.matches("stopped</span>").count(), 2, "{}", list.html);
}

/// Everything that could become markup, break out of an attribute or turn the page around.
const HOSTILE: &str = "<script>alert(1)</script> \"><img src=x onerror='alert(2)'> </textarea> \
                       </title><style>*{display:none}</style> &lt;b&gt; javascript:alert(3) \
                       <!-- \u{202e}flipped \u{0}\u{1b}[2J ]]> <svg/onload=alert(4)>";

/// The elements that the pages have.
const ELEMENTS: [&str; 27] = [
    "!doctype", "html", "head", "meta", "title", "link", "body", "main", "footer", "h1", "h2", "p",
    "a", "bdi", "ul", "li", "span", "div", "details", "summary", "form", "input", "label", "br",
    "textarea", "select", "option",
];

fn assert_harmless(page: &Seen) {
    for tag in page.html.split('<').skip(1) {
        let inside = tag.split('>').next().unwrap();
        let name = inside.split_whitespace().next().unwrap();
        let is_known = ELEMENTS.contains(&name) || ELEMENTS.contains(&name.trim_start_matches('/'));
        assert!(is_known, "<{inside}> in {}", page.html);
        // Text within a tag stands in quotes.
        for attribute in inside.split('"').step_by(2) {
            let lower = attribute.to_lowercase();
            assert!(!lower.contains(" on") && !lower.contains("javascript"), "<{inside}>");
        }
    }
    assert!(!page.html.chars().any(|c| c.is_control() && c != '\n'), "control characters");
}

#[test]
fn hostile_text_stays_text_wherever_it_is_shown() {
    let served = TestServer::ready(&[]);
    let browser = PlainBrowser::new(&served);
    let path = browser.ask(&[("question", HOSTILE), ("mode", "plain")]);
    let page = browser.wait_for(&path);
    assert_harmless(&page);
    assert!(page.has("&lt;script&gt;alert(1)&lt;/script&gt; &quot;&gt;&lt;img"), "{}", page.html);
    assert!(page.has("&amp;lt;b&amp;gt;"), "{}", page.html);
    let list = browser.get("/basic");
    assert_harmless(&list);
    assert!(list.has("<bdi>&lt;script&gt;"), "a direction mark ends with its label");
    // Refused: the form shows it again, and each field of it.
    let wrong =
        [("question", HOSTILE), ("mode", HOSTILE), ("work", HOSTILE), ("attempts", HOSTILE)];
    for fields in
        [&wrong[..], &[wrong[0], wrong[2]], &[wrong[0], wrong[3]], &[("previous", HOSTILE)]]
    {
        let refused = browser.submit(fields);
        assert!([400, 404].contains(&refused.status), "{}", refused.status);
        assert_harmless(&refused);
    }
    for path in ["/basic/jobs/<script>", "/basic/jobs/%3Cscript%3E", "/basic?before=<script>"] {
        let raw =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n", browser.cookie);
        let reply = served.raw(raw.as_bytes());
        assert!(!reply.contains("<script"), "{reply}");
    }
}

#[test]
fn a_form_of_another_page_changes_nothing_and_the_person_is_told_why() {
    let served = TestServer::ready(&[]);
    let (browser, other) = (PlainBrowser::new(&served), PlainBrowser::new(&served));
    let path = ask_endless(&browser);
    let token = browser.get("/basic").hidden("token").to_string();
    let foreign = other.get("/basic").hidden("token").to_string();
    assert_ne!(token, foreign);
    for token in ["", "0", &foreign, &token.to_uppercase()] {
        let ask = [("token", token), ("key", "1"), SUM];
        let act = [("token", token), ("action", "delete")];
        for refused in [browser.post("/basic", &ask), browser.post(&path, &act)] {
            assert_eq!(refused.status, 403, "{}", refused.html);
            assert!(
                refused.has("the form does not come from a page of this box"),
                "{}",
                refused.html
            );
            assert!(refused.has("Nothing was asked and nothing was changed."), "{}", refused.html);
        }
    }
    let without = PlainBrowser { served: &served, cookie: String::new() };
    let refused = without.post_without_cookie("/basic", &[("token", &token), SUM]);
    assert!(refused.status == 403 && refused.has("cookie"), "{}", refused.html);
    let lines = format!("Cookie: {}\r\nOrigin: http://attacker.example\r\n", browser.cookie);
    let reply =
        crate::api::identity::send(&served, "POST /basic", &lines, &format!("token={token}"));
    assert!(reply.status == 403 && reply.head.contains("text/html"), "{}", reply.head);
    served.wait_log("refused 127.0.0.1: the form does not come from a page of this box");

    assert_eq!(browser.get(&path).status, 200, "it is still there");
    assert_eq!(browser.get("/basic").html.matches("<li>").count(), 1, "and the only one");
    // Another browser's own form does not reach it, and a browser without a cookie sees nothing.
    assert_eq!(other.get(&path).status, 404);
    let stopped = other.post(&path, &[("token", &foreign), ("action", "stop")]);
    assert_eq!(stopped.status, 404);
    let (status, html) = served.get(&path);
    assert!(status == 404 && html.contains("<html"), "{html}");
    assert!(!served.get("/basic").1.contains("<li>"));
}

impl PlainBrowser<'_> {
    fn post_without_cookie(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let request = agent().post(self.served.url(path));
        Seen::of(request.send_form(fields.iter().copied()).unwrap())
    }
}

#[test]
fn a_form_that_is_sent_twice_asks_once() {
    let served = TestServer::ready(&[]);
    let browser = PlainBrowser::new(&served);
    let form = browser.get("/basic");
    let keys = [("token", form.hidden("token")), ("key", form.hidden("key"))];
    let send = |question: &str| {
        let sent = browser.post("/basic", &[&keys[..], &[("question", question)]].concat());
        assert_eq!(sent.status, 303, "{}", sent.html);
        sent.location
    };
    let first = send("What is 1+1?");
    std::thread::scope(|scope| {
        let again: Vec<_> = (0..4).map(|_| scope.spawn(|| send("What is 1+1?"))).collect();
        again.into_iter().for_each(|sent| assert_eq!(sent.join().unwrap(), first));
    });
    // Going back and typing something else asks something else.
    assert_ne!(send("What is 2+2?"), first);
    assert_eq!(browser.get("/basic").html.matches("<li>").count(), 2);
}

#[test]
fn what_was_typed_is_kept_when_a_question_is_refused() {
    let served = TestServer::ready(&["--sequences", "1", "--client-jobs-max", "1"]);
    let browser = PlainBrowser::new(&served);
    for (fields, says) in [
        (&[("question", " \n"), ("work", "kept & safe")][..], "Type a question first."),
        (&[("question", "kept & safe"), ("mode", "review")], "Write down your own work first"),
        (
            &[("question", "q"), ("mode", "math"), ("work", "kept & safe")],
            "does not read a student",
        ),
        (&[("question", "kept & safe"), ("mode", "chess")], "There is nothing here"),
        (&[("question", "kept & safe"), ("attempts", "99")], "at most 16 are allowed"),
    ] {
        let refused = browser.submit(fields);
        assert!([400, 404].contains(&refused.status), "{}", refused.status);
        assert!(refused.has(says), "{says}: {}", refused.html);
        assert!(refused.has("kept &amp; safe</textarea>"), "{}", refused.html);
    }
    let long = "7 ".repeat(40_000);
    let refused = browser.submit(&[("question", &long)]);
    assert!(refused.status == 413 && refused.has("This is too long."), "{}", refused.status);
    let running = ask_endless(&browser);
    let request = agent().post(served.url("/basic")).header("Cookie", &browser.cookie);
    let form = browser.get("/basic");
    let fields = [("token", form.hidden("token")), ("key", "1"), ("question", "kept")];
    let response = request.send_form(fields).unwrap();
    assert!(response.headers().contains_key("retry-after"));
    let refused = Seen::of(response);
    assert_eq!(refused.status, 429);
    assert!(refused.has("as many questions in line") && refused.has("kept</textarea>"));
    assert_eq!(browser.act(&running, "stop").status, 303);
}

#[test]
fn a_review_reads_the_own_work_and_shows_no_value() {
    let served = TestServer::ready(&[]);
    let browser = PlainBrowser::new(&served);
    let path =
        browser.ask(&[SUM, ("mode", "review"), ("work", "348 + 577 = 915"), ("attempts", "4")]);
    let page = browser.wait_for(&path);
    assert!(page.has("348 + 577 = 915"), "{}", page.html);
    assert!(!page.has("class=\"value\"") && !page.has("class=\"votes\""), "{}", page.html);
}

#[test]
fn the_pages_run_no_script_and_send_forms_to_this_box_only() {
    let served = TestServer::ready(&[]);
    let header = |path: &str, name: &str| {
        let response = agent().get(served.url(path)).call().unwrap();
        response.headers()[name].to_str().unwrap().to_string()
    };
    let policy = header("/basic", "content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"));
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    // With `no-referrer`, browsers send `Origin: null` with a form.
    assert_eq!(header("/basic", "referrer-policy"), "same-origin");
    assert_eq!(header("/basic", "cache-control"), "no-store");
    let main = header("/", "content-security-policy");
    for part in [
        "font-src 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
        "form-action 'none'",
    ] {
        assert!(main.contains(part), "{part}: {main}");
    }
    assert_eq!(served.get("/basic.css").0, 200);
    assert!(!served.get("/basic").1.contains("<script"));
}

#[test]
fn chinese_is_spoken_to_browsers_that_prefer_it() {
    let served = TestServer::ready(&[]);
    let get = |path: &str, languages: &str| {
        let request = agent().get(served.url(path)).header("Accept-Language", languages);
        Seen::of(request.call().unwrap()).html
    };
    let page = get("/basic", "zh-CN,zh;q=0.9,en;q=0.8");
    assert!(page.contains("<html lang=\"zh-CN\">") && page.contains("你的问题"), "{page}");
    assert!(page.contains("hint: 只提示下一步"), "{page}");
    assert!(get("/basic", "de, en;q=0.5").contains("<html lang=\"en\">"));
    let unknown = get("/basic/jobs/0", "zh");
    assert!(unknown.contains("没有成功"), "{unknown}");
}

#[test]
fn the_form_is_there_before_the_model_and_questions_wait() {
    let served = greedy(TestServer::start);
    let browser = PlainBrowser::new(&served);
    let path = browser.ask(&[SUM]);
    assert!(browser.wait_for(&path).has("<bdi>925</bdi>"));
}

#[test]
fn a_browser_without_javascript_asks_waits_goes_on_stops_and_deletes() {
    let Some(program) = browser("forms in a browser without script") else { return };
    let served = greedy(TestServer::ready);
    let (mut client, _folder) = node(&script("basic_forms.mjs"));
    let seen: Value =
        serde_json::from_str(&output(client.arg(served.url("")).arg(program))).unwrap();
    assert_eq!((&seen["value"], &seen["next"]), (&json!("Answer: 925"), &json!("Answer: 42")));
    assert!(seen["votes"].as_str().unwrap().ends_with("attempts agree."), "{seen}");
    let own = json!(served.url(""));
    let origins = seen["origins"].as_array().unwrap();
    assert!(origins.len() == 4 && origins.iter().all(|origin| *origin == own), "{seen}");
    assert_eq!((&seen["refreshes"], &seen["unfolded"]), (&json!(1), &json!(1)));
    assert!(seen["earlier"].as_str().unwrap().contains("What is 348 + 577?"), "{seen}");
    let list = json!(["What is 12 + 30? answered", "What is 348 + 577? answered"]);
    assert_eq!(seen["list"], list);
    assert_eq!(seen["complaints"], json!([]));
}

#[test]
fn w3m_asks_and_shows_the_answer() {
    if std::process::Command::new("w3m").arg("-version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "w3m is missing: run `build/prepare.sh test`");
        return not_checked("the pages without script in w3m, which is not installed");
    }
    let served = greedy(TestServer::ready);
    // w3m calls an editor for a text field, with the name of a file.
    let home = tempfile::tempdir().unwrap();
    let editor = home.path().join("editor");
    let text = "#!/bin/sh\nfor file; do :; done\necho 'What is 348 + 577?' > \"$file\"\n";
    std::fs::write(&editor, text).unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (home, editor) = (home.path().display(), editor.display());
    let options = format!("-o use_cookie=1 -o meta_refresh=1 -o editor={editor}");
    let tmux = Tmux::start(&format!("HOME={home} w3m {options} {}", served.url("/basic")));
    tmux.wait("Viewing");
    tmux.enter("/Your question");
    tmux.type_keys(&["j", "l", "Enter"]);
    tmux.wait("[What is 348 + 577?");
    tmux.enter("/Ask\\]");
    tmux.type_keys(&["Enter"]);
    tmux.wait("Answer: 925");
    tmux.wait("The sum is [ 925 ].");
}
