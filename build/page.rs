//! Packs the page into the program; build.rs calls it, and tests/build/page.rs tests it.
//!
//! `make page` builds page/dist from page/src. It is committed, so that cargo needs no Node.js.
//! Each file is kept plain and, where that is smaller, gzipped (browsers accept brotli over TLS
//! only), in a table of static data that src/http/page.rs includes. The table depends on the files
//! and on Cargo.lock alone, so that two builds make the same program.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

/// Extensions of the page's files, with their content types.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("woff2", "font/woff2"),
];
/// Digits of the hash in an asset's name, in base 32, as esbuild writes it.
const HASH_DIGITS: usize = 8;
/// What page/build.mjs builds.
pub const DIST: &str = "page/dist";
/// The style of the pages without script, which it does not build.
pub const BASIC_STYLE: &str = "src/http/basic/style.css";
const REMEDY: &str = "Restore it with `git checkout -- page/dist`, or build it with `make page`.";

/// How long a browser may use a file without asking for it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Not at all.
    Never,
    /// Only after it has asked whether the file has changed.
    Revalidated,
    /// For as long as it likes: another content has another name.
    Forever,
}

/// A file to serve.
#[derive(Debug)]
pub struct PackedFile {
    /// The path of its address.
    pub path: String,
    pub content_type: &'static str,
    pub caching: Caching,
    pub plain: Vec<u8>,
    /// The file gzipped, if that is smaller.
    pub gzipped: Option<Vec<u8>>,
}

/// Packs the files that the repository at `root` has.
///
/// # Errors
/// Two lines: the failure, naming the file that is missing or whose name the page's files cannot
/// have, and its remedy.
pub fn pack(root: &Path) -> Result<Vec<PackedFile>, String> {
    let dist = root.join(DIST);
    let missing =
        |what: &Path| format!("cannot pack the page: '{}' is missing\n{REMEDY}", what.display());
    let mut files = Vec::new();
    for (name, path, caching) in [
        ("index.html", "/", Caching::Never),
        ("licences.txt", "/licences.txt", Caching::Revalidated),
    ] {
        let file = dist.join(name);
        if !file.is_file() {
            return Err(missing(if dist.is_dir() { &file } else { &dist }));
        }
        files.push(packed(path, caching, read(&file)?)?);
    }
    let assets = dist.join("assets");
    let entries = fs::read_dir(&assets).map_err(|_| missing(&assets))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // The order of a folder's entries differs from machine to machine.
    names.sort();
    for name in names {
        if !is_hashed(&name) {
            let place = assets.join(&name);
            return Err(format!(
                "cannot pack the page: '{}' is not called NAME-HASH.EXTENSION\nIts content may \
                 change without its name, so it cannot be cached; remove it. {REMEDY}",
                place.display()
            ));
        }
        let bytes = read(&assets.join(&name))?;
        files.push(packed(&format!("/assets/{name}"), Caching::Forever, bytes)?);
    }
    files.push(packed("/basic.css", Caching::Revalidated, read(&root.join(BASIC_STYLE))?)?);
    Ok(files)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|e| format!("cannot read '{}': {e}\n{REMEDY}", file.display()))
}

/// Returns whether a name is like `main-ABCDEFGH.js`, with characters that addresses need not
/// escape.
fn is_hashed(name: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let digit = |c: char| c.is_ascii_uppercase() || ('2'..='7').contains(&c);
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let Some((_, hash)) = stem.rsplit_once('-') else { return false };
    let hash_is_whole = hash.len() == HASH_DIGITS && hash.chars().all(digit);
    name.chars().all(usual) && hash_is_whole && content_type(extension).is_some()
}

fn content_type(extension: &str) -> Option<&'static str> {
    CONTENT_TYPES
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, content_type)| *content_type)
}

fn packed(path: &str, caching: Caching, plain: Vec<u8>) -> Result<PackedFile, String> {
    let extension = if path == "/" { "html" } else { path.rsplit('.').next().unwrap_or_default() };
    let content_type =
        content_type(extension).ok_or(format!("'{path}' has no known content type\n{REMEDY}"))?;
    // Fonts are compressed already: a few bytes less are not worth unpacking them again.
    let is_packed = extension == "woff2";
    let gzipped = (!is_packed).then(|| gzip(&plain)).filter(|gz| gz.len() < plain.len());
    Ok(PackedFile { path: path.into(), content_type, caching, plain, gzipped })
}

/// Compresses without a time or a file name, which would differ from build to build.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory can be written")
}

/// Writes the table `files.rs`, and the forms that it includes, into the folder `out`.
///
/// # Errors
/// Two lines, where the folder cannot be written.
pub fn write(files: &[PackedFile], out: &Path) -> Result<(), String> {
    let fault = |e| format!("cannot write '{}': {e}\nCheck the disk.", out.display());
    write_all(files, out).map_err(fault)
}

fn write_all(files: &[PackedFile], out: &Path) -> std::io::Result<()> {
    // Removes forms of files that no longer exist.
    let _ = fs::remove_dir_all(out);
    fs::create_dir_all(out)?;
    let mut table = String::from("static FILES: &[PageFile] = &[\n");
    for (number, file) in files.iter().enumerate() {
        let form = |bytes: &[u8], kind: &str| -> std::io::Result<String> {
            let place = out.join(format!("{number}.{kind}"));
            fs::write(&place, bytes)?;
            let tag = tag(bytes);
            Ok(format!("Encoded {{ tag: {tag:?}, bytes: include_bytes!({place:?}) }}"))
        };
        let plain = form(&file.plain, "plain")?;
        let gzipped = match &file.gzipped {
            Some(bytes) => format!("Some({})", form(bytes, "gz")?),
            None => "None".into(),
        };
        let PackedFile { path, content_type, caching, .. } = file;
        let _ = writeln!(
            table,
            "PageFile {{ path: {path:?}, content_type: {content_type:?}, \
             caching: Caching::{caching:?}, plain: {plain}, gzipped: {gzipped} }},"
        );
    }
    fs::write(out.join("files.rs"), table + "];\n")
}

/// Returns a strong ETag: half of the SHA-256 of the bytes that are sent.
fn tag(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    let digits: String = sum[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}
