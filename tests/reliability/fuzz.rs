//! Fuzz targets for all parsers of outside bytes: an error or a value, never a panic.
//!
//! Plain `cargo test` runs each for a moment; `cargo bolero test` runs the same targets under a
//! fuzzer that measures coverage. An input is used twice: as it is, and as a list of changes to a
//! valid file, which gets further into the parser.

use std::path::Path;
use std::time::Duration;

use bolero::check;

use crate::support::tiny::{self, TinyKind};
use crate::support::{GgufWriter, model, root};
use solverbox::desk::record::Record;
use solverbox::engine::check_template;
use solverbox::engine::prefix_store::{PrefixIdentity, PrefixStore};
use solverbox::http;
use solverbox::http::auth::host::{self, Authority, Hosts};
use solverbox::model::convert::{self, shards, tokenizer};
use solverbox::model::{self as models, adapter, checksum, importance};
use solverbox::types::answer::Token;
use solverbox::types::answer::{Part, Piece};
use solverbox::types::plan::{KvType, Weights};
use solverbox::types::position::Truncations;

/// How long each target runs.
fn time() -> Duration {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

/// Applies the changes listed in `input` to `sound`: each is an offset (2 bytes), a width and the
/// new bytes; a width of 15 truncates the file.
fn changed(sound: &[u8], input: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (sound.to_vec(), input);
    while let [low, high, width, more @ ..] = rest {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % bytes.len().max(1);
        let width = usize::from(width % 16);
        if width == 15 {
            bytes.truncate(at);
        }
        let (new, after) = more.split_at(width.min(more.len()));
        let end = (at + new.len()).min(bytes.len());
        if at < end {
            bytes[at..end].copy_from_slice(&new[..end - at]);
        }
        rest = after;
    }
    bytes
}

/// Gives `input`, and `sound` with its changes, to `read` as a file.
fn as_file(sound: &[u8], input: &[u8], read: impl Fn(&Path)) {
    let file = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
    for bytes in [input.to_vec(), changed(sound, input)] {
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path());
    }
}

#[test]
fn a_model() {
    let sound = tiny::model(TinyKind::Qwen2).bytes();
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        as_file(&sound, input, |file| drop(models::look(&Weights::model(file))));
    });
}

#[test]
fn a_model_of_texts_and_experts() {
    let sound = tiny::model(TinyKind::LlamaOfExperts).bytes();
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        as_file(&sound, input, |file| drop(models::open(&Weights::model(file))));
    });
}

#[test]
fn an_adapter() {
    let (sound, base) = (tiny::adapter().bytes(), models::open(&Weights::model(model())).unwrap());
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        as_file(&sound, input, |file| {
            let _ = adapter::open(Weights::adapter(file), &base);
            let _ = adapter::look(Weights::adapter(file));
        });
    });
}

/// A parsed name or authority parses to itself again.
#[test]
fn a_hosts_name() {
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        if let Some(name) = host::name(&text) {
            assert_eq!(host::name(&name), Some(name));
        }
        if let Some(authority) = Authority::parse(&text) {
            assert!(authority.is_same(&authority, 80));
        }
        let _ = Hosts::new(&[]).check(Some(&text));
    });
}

#[test]
fn a_file_of_sums() {
    let digits = "0123456789abcdef".repeat(4);
    let sound = format!("{digits}  x.gguf\nSHA256 (y.gguf) = {digits}\n").into_bytes();
    let folder = tempfile::tempdir().unwrap();
    let model = Weights::model(folder.path().join("x.gguf"));
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        for (bytes, name) in [(input, "x.gguf.sha256"), (&changed(&sound, input), "SHA256SUMS")] {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            let _ = checksum::recorded(&model);
        }
        std::fs::remove_file(folder.path().join("x.gguf.sha256")).unwrap();
        let _ = checksum::recorded(&model);
    });
}

#[test]
fn a_chat_template() {
    let sound = "{% for m in messages %}{{ m['role'] | trim }}{% if loop.first %}[{{ 1 + 2 * (3) }}]\
                 {% else %}{%- generation %}{{ m.content.split('a')[-1] }}{% endif %}{% endfor %}";
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        let _ = check_template(&String::from_utf8_lossy(input));
        let _ = check_template(&String::from_utf8_lossy(&changed(sound.as_bytes(), input)));
    });
}

#[test]
fn an_importance_matrix() {
    let mut sound = GgufWriter::empty();
    sound.tensor("blk.0.ffn_up.weight.in_sum2", &[256], 0, 0);
    sound.tensor("blk.0.ffn_up.weight.counts", &[1], 0, 1024);
    let (sound, base) = (sound.bytes(), models::open(&Weights::model(model())).unwrap());
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        as_file(&sound, input, |file| drop(importance::read(file, &base)));
    });
}

#[test]
fn a_prefilled_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let identity = PrefixIdentity::new(&[7; 32], &[], KvType::F16, "armv8.0");
    let prefixes = || PrefixStore::new(folder.path().into());
    let tokens = [1, 2, 3].map(Token);
    prefixes().save(identity, tokens.to_vec(), b"keys and values".to_vec());
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let sound = std::fs::read(&file).unwrap();
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        for bytes in [input, &changed(&sound, input)] {
            std::fs::write(&file, bytes).unwrap();
            let loaded = prefixes().load(&identity, &tokens);
            assert_eq!(loaded.is_some(), *bytes == sound);
        }
    });
}

/// Reads a file of one of the suite's checkpoints.
fn of_checkpoint(name: &str) -> Vec<u8> {
    std::fs::read(root().join("tests/data/checkpoints").join(name)).unwrap()
}

#[test]
fn a_safetensors_file() {
    let sound = of_checkpoint("llama-lora/adapter_model.safetensors");
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        let _ = shards::check_bytes(input);
        let _ = shards::check_bytes(&changed(&sound, input));
    });
}

#[test]
fn a_checkpoints_adapter() {
    let weights = of_checkpoint("llama-lora/adapter_model.safetensors");
    let text = |name: &str| String::from_utf8(of_checkpoint(name)).unwrap();
    let (settings, base) = (text("llama-lora/adapter_config.json"), text("llama/config.json"));
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        let of =
            |sound: &str| String::from_utf8_lossy(&changed(sound.as_bytes(), input)).into_owned();
        let _ = convert::adapter::check_bytes(&of(&settings), &weights, &base);
        let _ = convert::adapter::check_bytes(&settings, &changed(&weights, input), &base);
        let _ = convert::adapter::check_bytes(&settings, &weights, &of(&base));
    });
}

#[test]
fn a_checkpoints_tokenizer() {
    let sound = of_checkpoint("llama-smol/tokenizer.json");
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        let _ = tokenizer::read(&String::from_utf8_lossy(input), 512);
        let _ = tokenizer::read(&String::from_utf8_lossy(&changed(&sound, input)), 512);
    });
}

/// Restarts cut off the end of a log, and readers reconnect in between: each reader ends with the
/// text of the log.
#[test]
fn a_reader_across_any_restarts() {
    #[derive(Default)]
    struct FuzzReader {
        text: String,
        place: String,
    }
    impl FuzzReader {
        fn read(&mut self, record: &Record) {
            let place = self.place.parse().unwrap_or_default();
            let from = record.resume(place);
            assert!(from <= place.offset && place.offset == self.text.len());
            self.text.truncate(from);
            let view = record.read(from);
            view.pieces.iter().for_each(|said| self.text.push_str(&said.piece.text));
            self.place = record.cuts().now(view.offset).to_string();
            let whole: String =
                record.read(0).pieces.iter().map(|said| said.piece.text.as_str()).collect();
            assert_eq!(self.text, whole);
        }
    }
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        let (mut kept, mut written) = (Vec::<(u32, Piece)>::new(), 0);
        let mut record = Record::new();
        let mut readers = [FuzzReader::default(), FuzzReader::default(), FuzzReader::default()];
        for [deed, amount] in input.as_chunks::<2>().0 {
            let amount = usize::from(*amount);
            match deed % 4 {
                0 | 1 => {
                    // The text written after a cut differs from the text before.
                    written += 1;
                    let part = if amount % 2 == 0 { Part::Thinking } else { Part::Answer };
                    let piece = Piece { part, text: format!("{written}数 ").repeat(amount % 5) };
                    record.append(amount as u32 % 3, &piece);
                    kept.push((amount as u32 % 3, piece));
                }
                2 => {
                    kept.truncate(kept.len() - amount.min(kept.len()));
                    let (forgotten, survived) = record.cuts().parts();
                    let mut cuts = Truncations::from_parts(forgotten, survived.to_vec());
                    cuts.push(kept.iter().map(|(_, piece)| piece.text.len()).sum());
                    record = Record::cut(cuts);
                    kept.iter().for_each(|(attempt, piece)| record.append(*attempt, piece));
                }
                _ => readers[amount % 3].read(&record),
            }
        }
        readers.iter_mut().for_each(|reader| reader.read(&record));
    });
}

/// Checks that a request the gate relays can be parsed in one way only, and returns its body.
fn read_strictly(relayed: &[u8]) -> &[u8] {
    let end = relayed.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let (head, body) = (std::str::from_utf8(&relayed[..end]).expect("text"), &relayed[end + 4..]);
    let mut lines = head.split("\r\n");
    let first: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let [method, target, "HTTP/1.0" | "HTTP/1.1"] = first[..] else { panic!("{first:?}") };
    assert!(
        !method.is_empty()
            && target.starts_with('/')
            && target.bytes().all(|b| b.is_ascii_graphic())
    );
    let (mut lengths, mut visitors) = (Vec::new(), 0);
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        assert!(
            line.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')) && !name.contains([' ', '\t']),
            "{line:?}"
        );
        match name.to_ascii_lowercase().as_str() {
            "content-length" => lengths.push(value.parse::<usize>().expect("a number")),
            "x-solverbox-visitor" => visitors += usize::from(value == "visitor"),
            "connection" => assert_eq!(value, "close"),
            name => assert!(
                name != "transfer-encoding"
                    && name != "expect"
                    && !name.starts_with("x-solverbox-")
            ),
        }
    }
    assert!(
        lengths.len() <= 1 && lengths.first().copied().unwrap_or(0) == body.len() && visitors == 1
    );
    body
}

#[test]
fn a_request_at_the_gate() {
    let plain = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
                  Connection: keep-alive, x-a\r\nX-A: b\r\nContent-Length: 11\r\n\r\nhello world";
    let chunked = b"POST http://x/api HTTP/1.1\r\nX-Solverbox-Visitor: me\r\nTransfer-Encoding: chunked\r\n\r\n\
                    5;a=b\r\nhello\r\n006\r\n world\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    for sound in [&plain[..], chunked] {
        assert_eq!(read_strictly(&http::relayed(sound).expect("sound")), b"hello world");
    }
    check!().with_test_time(time()).for_each(|input: &[u8]| {
        let changes = [input.to_vec(), changed(plain, input), changed(chunked, input)];
        for bytes in changes {
            let Some(relayed) = http::relayed(&bytes) else { continue };
            read_strictly(&relayed);
            // A relayed request is relayed again, unchanged except for the gate's own headers.
            let again = http::relayed(&relayed).expect("a relayed request is valid");
            assert_eq!(read_strictly(&again), read_strictly(&relayed));
        }
    });
}
