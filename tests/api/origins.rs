//! Pages of other sites and apps that the owner allows with `--allow-origin`.

use serde_json::json;

use crate::api::identity::{RawReply, outside_address, send};
use crate::support::{TestServer, solverbox, text, wait_until};

const ALLOWED: [&str; 4] =
    ["app://obsidian.md", "tauri://localhost", "http://teacher.lan:3000", "vscode-webview://1d7f"];

fn served(more: &[&str]) -> TestServer {
    let listed = "app://obsidian.md,tauri://localhost,http://Teacher.lan:3000";
    let args = ["--allow-origin", listed, "--allow-origin", "vscode-webview://*"];
    TestServer::ready(&[&args[..], more].concat())
}

/// Returns whether a page at `origin` may read the reply; with cookies none may.
fn is_readable(reply: &RawReply, origin: &str) -> bool {
    assert!(reply.head.contains("vary: origin"), "{}", reply.head);
    assert!(!reply.head.contains("access-control-allow-credentials"), "{}", reply.head);
    let names = reply.head.contains("access-control-allow-origin: ");
    let line = format!("access-control-allow-origin: {}\r\n", origin.to_lowercase());
    assert_eq!(names, format!("{}\r\n", reply.head).contains(&line), "{}", reply.head);
    names
}

#[test]
fn allowed_origins_ask_and_read_at_the_apis_and_nowhere_else() {
    let served = served(&[]);
    let question = json!({"question": "1+1?", "mode": "plain"}).to_string();
    for origin in ALLOWED {
        let lines = format!(
            "Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\nAuthorization: Bearer {origin}\r\n"
        );
        let reply = |request: &str, body: &str| send(&served, request, &lines, body);
        let asked = format!(
            "{lines}Access-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: authorization,content-type\r\n"
        );
        let preflight = send(&served, "OPTIONS /v1/chat/completions", &asked, "");
        assert!(preflight.status == 204 && is_readable(&preflight, origin), "{origin}");
        for line in ["-methods: post, options", "-headers: authorization,content-type"] {
            assert!(preflight.head.contains(&format!("access-control-allow{line}")), "{line}");
        }
        let models = reply("GET /v1/models", "");
        assert!(models.status == 200 && is_readable(&models, origin), "{origin}");
        let accepted = reply("POST /api/jobs", &question);
        assert!(accepted.status == 202 && is_readable(&accepted, origin), "{origin}");
        let body = json!({"stream": true, "max_tokens": 4, "messages": [
            {"role": "user", "content": "1+1?"}]});
        let stream = reply("POST /v1/chat/completions", &body.to_string());
        assert!(stream.status == 200 && is_readable(&stream, origin), "{origin}");
        // The owner's paths and the pages stay closed.
        assert_eq!(reply("POST /api/owner/session", "{}").status, 403, "{origin}");
        assert_eq!(reply("POST /basic", "question=1").status, 403, "{origin}");
        for path in ["GET /", "GET /healthz", "GET /api/owner/session"] {
            assert!(!is_readable(&reply(path, ""), origin), "{path} {origin}");
        }
    }
    for origin in [
        "app://obsidian.md.example",
        "app://localhost",
        "http://obsidian.md",
        "http://teacher.lan",
        "https://teacher.lan:3000",
        "vscode-webviews://1d7f",
        "null",
    ] {
        let lines = format!("Origin: {origin}\r\nAuthorization: Bearer a\r\n");
        let refused = send(&served, "POST /api/jobs", &lines, &question);
        assert!(refused.status == 403 && !is_readable(&refused, origin), "{origin}");
        let remedy = refused.body["error"]["remedy"].as_str().unwrap();
        assert_eq!(remedy.contains("--allow-origin"), origin != "null", "{origin}: {remedy}");
        let preflight = send(&served, "OPTIONS /api/jobs", &lines, "");
        assert!(!is_readable(&preflight, origin), "{origin}");
    }
}

#[test]
fn an_allowed_origin_is_known_by_its_key_or_address_and_never_by_the_pages_cookie() {
    let served = served(&["--sync-seconds", "0"]);
    let cookie = format!("Cookie: {}\r\n", served.cookie());
    let question = json!({"question": "1+1?", "mode": "plain"}).to_string();
    let mine = send(&served, "POST /api/jobs", &cookie, &question).body["id"].clone();
    let jobs = |lines: &str| send(&served, "GET /api/jobs", lines, "").body["jobs"].clone();
    wait_until("the job", || jobs(&cookie)[0]["id"] == mine);
    let app = "Origin: app://obsidian.md\r\n";
    assert_eq!(jobs(&format!("{app}{cookie}")), json!([]), "it does not see the browser's jobs");
    let path = format!("DELETE /api/jobs/{}", mine.as_str().unwrap());
    assert_eq!(send(&served, &path, &format!("{app}{cookie}"), "").status, 404);
    let key = format!("{app}{cookie}Authorization: Bearer notes\r\n");
    let own = send(&served, "POST /api/jobs", &key, &question).body["id"].clone();
    wait_until("the app's job", || jobs("Authorization: Bearer notes\r\n")[0]["id"] == own);
    assert_eq!(jobs(&cookie).as_array().unwrap().len(), 1);
    // The box's own page behind a proxy whose origin the owner allows.
    let page =
        format!("Origin: http://teacher.lan:3000\r\nSec-Fetch-Site: same-origin\r\n{cookie}");
    assert_eq!(send(&served, "POST /api/jobs", &page, &question).status, 202);
    wait_until("the page's job", || jobs(&cookie).as_array().unwrap().len() == 2);
}

#[test]
fn with_a_key_list_an_allowed_origin_on_another_machine_needs_a_key() {
    let Some(address) = outside_address() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let made = solverbox().args(["api-key", "notes", "--file"]).arg(&file).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    let served = served(&["--listen", "0.0.0.0:0", "--api-keys", file.to_str().unwrap()]);
    let cookie = served.cookie();
    let url = format!("http://{address}:{}/api/jobs", served.address.port());
    let status = |lines: &[(&str, &str)]| {
        let asked = crate::support::agent().get(&url).header("Origin", "app://obsidian.md");
        let asked = lines.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value));
        asked.call().unwrap().status().as_u16()
    };
    let key = text(&made.stdout);
    let key = key.split_whitespace().find(|word| word.starts_with("sbox-")).unwrap();
    assert_eq!(status(&[("Authorization", &format!("Bearer {key}"))]), 200);
    assert_eq!(status(&[("Cookie", &cookie)]), 401, "the page's cookie does not count");
}

#[test]
fn a_bad_origin_is_refused_with_the_flag_the_value_and_the_way_out() {
    let said = |value: &str| {
        let output = solverbox().args(["serve", "--allow-origin", value]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{value}");
        text(&output.stderr)
    };
    for value in ["obsidian.md", "*", "null", "app://*.md", "http://teacher.lan/page"] {
        let said = said(value);
        assert!(said.contains("--allow-origin") && said.contains(value), "{said}");
        assert!(said.contains("app://obsidian.md"), "an example is the way out: {said}");
    }
    assert!(said("https://*").contains("every site"), "{}", said("https://*"));
}

#[test]
fn the_names_of_a_containers_host_and_of_home_networks_are_answered() {
    let served = TestServer::start(&[]);
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let name = machine.trim().split('.').next().unwrap();
    let get = |host: &str| {
        let request = format!("GET /basic.css HTTP/1.1\r\nHost: {host}\r\n\r\n");
        RawReply::of(&served.raw(request.as_bytes())).status
    };
    for host in ["host.docker.internal:7860", &format!("{name}.lan"), &format!("{name}.home.arpa")]
    {
        assert_eq!(get(host), 200, "{host}");
    }
    for host in ["other.docker.internal", "attacker.lan", &format!("x.{name}.lan")] {
        assert_eq!(get(host), 421, "{host}");
    }
}
