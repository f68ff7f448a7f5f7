//! The folder of prefix files, and thousands of damaged files: each is rejected, or decoding
//! continues from it exactly as from a prefilled prefix.
//!
//! A failed assertion in llama.cpp ends the process, so the damaged files are tried in a separate
//! process, started from this same test program. It prints each case before it runs it, so a crash
//! is attributed to a seed. `make corruption` runs all cases.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::engine::llama::Context;
use crate::engine::llama::state::tests::{A, B, C, context, decode, some_tokens};

const ANY: [u8; 32] = [7; 32];

fn identity() -> PrefixIdentity {
    PrefixIdentity::new(&ANY, &[], KvType::F16, "armv8.0")
}

/// Saves and waits until the file is written.
fn save(folder: &Path, identity: PrefixIdentity, tokens: &[Token], cells: &[u8]) {
    PrefixStore::new(folder.into()).save(identity, tokens.into(), cells.into());
}

fn names(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn only_saved_prefixes_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let prefixes = PrefixStore::new(folder.path().join("prefixes"));
    assert_eq!(prefixes.load(&identity(), &Token::all([1, 2])), None);
    save(&prefixes.folder, identity(), &Token::all([1, 2]), b"cells");
    save(&prefixes.folder, identity(), &Token::all([1, 2, 3]), b"");
    assert_eq!(prefixes.load(&identity(), &Token::all([1, 2])).unwrap(), b"cells");
    assert_eq!(prefixes.load(&identity(), &Token::all([1, 2, 3])).unwrap(), b"");
    for numbers in [&[2, 1][..], &[1], &[], &[1, 2, 3, 4]] {
        let tokens: Vec<Token> = numbers.iter().copied().map(Token).collect();
        assert_eq!(prefixes.load(&identity(), &tokens), None, "{tokens:?}");
    }
    save(&prefixes.folder, identity(), &Token::all([1, 2]), b"other cells");
    assert_eq!(prefixes.load(&identity(), &Token::all([1, 2])).unwrap(), b"other cells");
    assert_eq!(names(&prefixes.folder).len(), 2);
}

#[test]
fn another_model_adapter_scale_cache_or_kernel_set_is_another_identity() {
    let of = |model: u8, adapters: &[([u8; 32], f32)], kv, kernels| {
        PrefixIdentity::new(&[model; 32], adapters, kv, kernels)
    };
    let (one, two) = (([1; 32], 1.0), ([2; 32], 1.0));
    let all = [
        of(7, &[], KvType::F16, "a"),
        of(8, &[], KvType::F16, "a"),
        of(7, &[], KvType::Q8_0, "a"),
        of(7, &[], KvType::F16, "b"),
        of(7, &[one], KvType::F16, "a"),
        of(7, &[([1; 32], 0.5)], KvType::F16, "a"),
        of(7, &[one, two], KvType::F16, "a"),
        of(7, &[two, one], KvType::F16, "a"),
    ];
    let different: BTreeSet<[u8; 32]> = all.iter().map(|identity| identity.0).collect();
    assert_eq!(different.len(), all.len());
    assert_eq!(of(7, &[one], KvType::F16, "a"), all[4]);
}

#[test]
fn a_file_under_the_name_of_another_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let prefixes = PrefixStore::new(folder.path().into());
    let other = PrefixIdentity::new(&[8; 32], &[], KvType::F16, "armv8.0");
    for (identity, tokens) in [(other, [1, 2]), (self::identity(), [1, 3])] {
        let tokens = Token::all(tokens);
        save(folder.path(), identity, &tokens, b"cells");
        let file = path(folder.path(), &self::identity(), &Token::all([1, 2]));
        fs::rename(path(folder.path(), &identity, &tokens), &file).unwrap();
        assert_eq!(prefixes.load(&self::identity(), &Token::all([1, 2])), None);
        assert!(!file.exists());
    }
}

#[test]
fn no_more_is_read_than_a_prompt_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), &identity(), &Token::all([1]));
    fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(PrefixStore::new(folder.path().into()).load(&identity(), &Token::all([1])), None);
    assert!(!file.exists());
    fs::create_dir(&file).unwrap();
    assert_eq!(PrefixStore::new(folder.path().into()).load(&identity(), &Token::all([1])), None);
}

#[test]
fn the_least_recently_used_files_are_deleted_first() {
    let folder = tempfile::tempdir().unwrap();
    let prefixes = PrefixStore::new(folder.path().into());
    let file = |token: usize| path(folder.path(), &identity(), &[Token::at(token)]);
    let date = |file: &Path, seconds: u64| {
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::open(file).unwrap().set_modified(date).unwrap();
    };
    let most = limits::PREFIX_FILES_MAX;
    for token in 0..most {
        save(folder.path(), identity(), &[Token::at(token)], b"cells");
        date(&file(token), token as u64);
    }
    fs::write(folder.path().join("a note"), "of the owner").unwrap();
    assert!(
        prefixes.load(&identity(), &Token::all([0])).is_some(),
        "it is now the most recently used"
    );
    save(folder.path(), identity(), &[Token::at(most)], b"cells");
    assert!(file(0).exists() && !file(1).exists() && file(2).exists());
    assert_eq!(names(folder.path()).len(), most + 1);
    // Their total size is bounded as well, and an unfinished file counts.
    let part = file(2).with_extension(PART);
    let hole = fs::File::create(&part).unwrap();
    hole.set_len(limits::PREFIX_FOLDER_BYTES_MAX).unwrap();
    date(&part, 0);
    save(folder.path(), identity(), &Token::all([2]), b"other cells");
    assert!(!part.exists() && file(3).exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_not_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let not_a_folder = folder.path().join("file");
    fs::write(&not_a_folder, "").unwrap();
    for place in [&not_a_folder, Path::new("/dev/full"), Path::new("/proc/solverbox")] {
        save(place, identity(), &Token::all([1]), b"cells");
        assert_eq!(PrefixStore::new(place.into()).load(&identity(), &Token::all([1])), None);
    }
    // A name that is taken by a folder: no unfinished file is left behind.
    fs::create_dir(path(folder.path(), &identity(), &Token::all([1]))).unwrap();
    save(folder.path(), identity(), &Token::all([1]), b"cells");
    assert_eq!(names(folder.path()).len(), 2);
}

/// Environment variable that makes this program run that many cases.
const ORDER: &str = "PREFIX_CASES";
/// Environment variable that asks for all cases.
const TRIALS: &str = "CORRUPTION_TRIALS";

#[test]
fn damaged_files_are_rejected_or_continue_exactly() {
    if let Ok(order) = std::env::var(ORDER) {
        return run_cases(order.parse().unwrap());
    }
    let cases = if std::env::var_os(TRIALS).is_some() { 20_000 } else { 500 };
    let mut command = Command::new(std::env::current_exe().unwrap());
    let me = "engine::prefix_store::tests::damaged_files_are_rejected_or_continue_exactly";
    command.args([me, "--exact", "--nocapture"]).env(ORDER, cases.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let printed: Vec<String> = lines.filter(|line| line.starts_with("case ")).collect();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status} in {:?}", printed.last());
    let count = |end: &str| printed.iter().filter(|line| line.ends_with(end)).count();
    let (rejected, exact, other) = (count("rejected"), count("exact"), count("other"));
    assert_eq!(rejected + exact + other, cases, "each case ended");
    // If nearly all were rejected for the same reason, little would have been tested.
    assert!(rejected > cases / 2 && exact > 0 && other > cases / 50, "{rejected} {exact} {other}");
}

/// Numbers that readers tend to handle badly.
const NUMBERS: [u32; 12] =
    [0, 1, 2, 8, 59, 60, 61, 256, 1 << 16, i32::MAX as u32, 1 << 31, u32::MAX];

struct DamagedFile {
    file: Vec<u8>,
    /// Whether its checksum is right all the same, as a faulty program would have written it.
    has_valid_checksum: bool,
}

struct Trial {
    folder: tempfile::TempDir,
    random: ChaCha8Rng,
    context: Context<'static>,
    prefix: Vec<Token>,
    cells: Vec<u8>,
    /// Valid files: the prefix's own first, then those of other prefixes, identities and caches.
    files: Vec<Vec<u8>>,
    /// The logits a correct engine computes.
    expected: [Vec<f32>; 3],
}

/// Tokens of the sequence that stays in the cache throughout.
const NEIGHBOUR_TOKENS: usize = 20;

fn with_neighbour() -> Context<'static> {
    let mut context = context(KvType::F16);
    decode(&mut context, A, 0, &some_tokens(NEIGHBOUR_TOKENS, 3));
    context
}

fn run_cases(cases: u64) {
    let mut trial = Trial::new();
    let print = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
    };
    // The test harness has begun a line of its own.
    print(String::new());
    for seed in 0..cases {
        print(format!("case {seed} begins"));
        trial.random = ChaCha8Rng::seed_from_u64(seed);
        print(format!("case {seed} {}", trial.case()));
    }
    // No cell was lost: all cells but the neighbour's are free.
    for (sequence, count) in [(B, 118), (C, 118)] {
        decode(&mut trial.context, sequence, 0, &some_tokens(count, 1));
    }
}

impl Trial {
    fn new() -> Trial {
        let folder = tempfile::tempdir().unwrap();
        let (prefix, mut files) = (some_tokens(60, 1), Vec::new());
        let mut save_valid = |kv: KvType, identity: PrefixIdentity, tokens: &[Token]| {
            let mut context = context(kv);
            decode(&mut context, B, 0, tokens);
            let cells = context.save_sequence(B).unwrap();
            save(folder.path(), identity, tokens, &cells);
            let file = path(folder.path(), &identity, tokens);
            files.push(fs::read(&file).unwrap());
            fs::remove_file(&file).unwrap();
            cells
        };
        let cells = save_valid(KvType::F16, identity(), &prefix);
        save_valid(KvType::F16, identity(), &some_tokens(60, 9));
        save_valid(KvType::F16, identity(), &some_tokens(30, 9));
        save_valid(
            KvType::F16,
            PrefixIdentity::new(&[8; 32], &[], KvType::F16, "armv8.0"),
            &prefix,
        );
        save_valid(KvType::Q8_0, PrefixIdentity::new(&ANY, &[], KvType::Q8_0, "armv8.0"), &prefix);
        let (random, context) = (ChaCha8Rng::seed_from_u64(0), with_neighbour());
        let mut trial =
            Trial { folder, random, context, prefix, cells, files, expected: Default::default() };
        decode(&mut trial.context, B, 0, &trial.prefix);
        trial.expected = trial.computed();
        trial
    }

    /// Returns the logits with the prefix in sequence 1: of another prompt in the same cache, of
    /// the prefix's continuation and of its neighbour's. Frees the cells this used.
    fn computed(&mut self) -> [Vec<f32>; 3] {
        let (next, context) = (some_tokens(3, 2), &mut self.context);
        let other = decode(context, C, 0, &some_tokens(70, 4));
        context.truncate(C, 0);
        let own = decode(context, B, self.prefix.len(), &next);
        context.truncate(B, 0);
        let of_neighbour = decode(context, A, NEIGHBOUR_TOKENS, &next);
        context.truncate(A, NEIGHBOUR_TOKENS);
        [other, own, of_neighbour]
    }

    /// Damages a file, loads it, and returns the kind of result.
    fn case(&mut self) -> &'static str {
        let damaged = self.damaged();
        let file = path(self.folder.path(), &identity(), &self.prefix);
        fs::write(&file, &damaged.file).unwrap();
        let loaded = PrefixStore::new(self.folder.path().into()).load(&identity(), &self.prefix);
        assert_eq!(file.exists(), loaded.is_some());
        let Some(cells) = loaded else { return "rejected" };
        let is_exact = cells == self.cells;
        assert!(is_exact || damaged.has_valid_checksum, "the damage went unseen");
        let restored = self.context.restore_sequence(B, &cells, self.prefix.len() as u32);
        assert!(restored.is_ok() || !is_exact);
        if restored.is_err() {
            decode(&mut self.context, B, 0, &self.prefix);
        }
        // No other sequence may be affected.
        let [other, own, of_neighbour] = self.computed();
        assert!(other == self.expected[0], "another prompt is spoilt");
        assert!(of_neighbour == self.expected[2], "the neighbour is spoilt");
        assert!(own == self.expected[1] || (restored.is_ok() && !is_exact));
        if own.iter().any(|logit| !logit.is_finite()) {
            // Values that overflow: the results would spoil a later prompt.
            self.context = with_neighbour();
        }
        match (restored, is_exact) {
            (Err(_), _) => "rejected",
            (Ok(()), true) => "exact",
            (Ok(()), false) => "other",
        }
    }

    fn below(&mut self, end: usize) -> usize {
        (self.random.next_u64() % end.max(1) as u64) as usize
    }

    fn damaged(&mut self) -> DamagedFile {
        let head = 56 + 4 * self.prefix.len();
        let valid = self.files[0].clone();
        match self.below(8) {
            // Damage on the disk.
            0..3 => DamagedFile { file: self.damage(valid, head), has_valid_checksum: false },
            3 => {
                let other = self.below(self.files.len());
                DamagedFile { file: self.files[other].clone(), has_valid_checksum: false }
            }
            // Damage by a writer that adds a checksum to anything.
            4 => {
                let mut file = self.damage(valid, head);
                file.truncate(file.len().saturating_sub(32));
                file.extend(Sha256::digest(&file));
                DamagedFile { file, has_valid_checksum: true }
            }
            _ => {
                let cells = self.damage(self.cells.clone(), 0);
                let mut file = valid[..head].to_vec();
                file[48..56].copy_from_slice(&(cells.len() as u64).to_le_bytes());
                file.extend(cells);
                file.extend(Sha256::digest(&file));
                DamagedFile { file, has_valid_checksum: true }
            }
        }
    }

    /// Damages bytes in which the cells begin at `start`.
    fn damage(&mut self, mut bytes: Vec<u8>, start: usize) -> Vec<u8> {
        let end = bytes.len();
        let (at, to) = (self.below(end), self.below(end));
        let width = self.below(4096).min(end - at).min(end - to);
        match self.below(12) {
            0 => {
                for _ in 0..=self.below(3) {
                    let at = self.below(end);
                    bytes[at] ^= 1 << self.below(8);
                }
            }
            1 => bytes.truncate(at),
            2 => bytes.extend_from_within(end - width.max(1)..),
            3 => drop(bytes.drain(at..at + width)),
            4 => bytes.copy_within(at..at + width, to),
            5 => {
                let all = [0, 0xFF, self.below(256) as u8][self.below(3)];
                bytes[at..at + width].fill(all);
            }
            6 => {
                let other = 1 + self.below(self.files.len() - 1);
                let other = &self.files[other];
                let tokens = u32::from_le_bytes(other[44..48].try_into().unwrap());
                let other = if start > 0 { other } else { &other[56 + 4 * tokens as usize..] };
                bytes.truncate(at.min(other.len()));
                bytes.extend(&other[bytes.len()..]);
            }
            _ => {
                let at = self.number_at(start);
                let number = NUMBERS[self.below(NUMBERS.len())];
                let number = [number, 1 << self.below(32), self.below(64) as u32][self.below(3)];
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            }
        }
        bytes
    }

    /// Returns the position of a number in the header, in a cell or in a layer.
    fn number_at(&mut self, start: usize) -> usize {
        let (count, layers, row) = (self.prefix.len(), 4, 256);
        let of_cells = 16 + 12 * count + 16;
        match self.below(3) {
            0 => start + of_cells + self.below(2 * layers) * (12 + count * row) + 4 * self.below(3),
            _ => 4 * self.below((start + of_cells) / 4),
        }
    }
}
