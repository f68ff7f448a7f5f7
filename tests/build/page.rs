//! How build/page.rs packs the page, tested on small folders.

#[path = "../../build/page.rs"]
mod packer;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use packer::{Caching, PackedFile};

use crate::support::text;

/// Makes a repository with a page of few files.
fn repository() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
    for folder in ["page/dist/assets", "src/http/basic"] {
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    write("page/dist/index.html", &"<p>page</p>".repeat(50));
    write("page/dist/licences.txt", "MIT");
    write("page/dist/assets/main-2UFYSE4U.js", &"let a = 1;".repeat(100));
    write("page/dist/assets/Font-ABCDEFGH.woff2", &"font".repeat(100));
    write("src/http/basic/style.css", "p { margin: 0 }");
    root
}

#[test]
fn files_have_their_addresses_types_and_the_smaller_of_two_forms() {
    let root = repository();
    let files = packer::pack(root.path()).unwrap();
    let about = |file: &PackedFile| {
        (file.path.clone(), file.content_type, file.caching, file.gzipped.is_some())
    };
    let facts: Vec<_> = files.iter().map(about).collect();
    let expected = [
        ("/", "text/html; charset=utf-8", Caching::Never, true),
        ("/licences.txt", "text/plain; charset=utf-8", Caching::Revalidated, false),
        ("/assets/Font-ABCDEFGH.woff2", "font/woff2", Caching::Forever, false),
        ("/assets/main-2UFYSE4U.js", "text/javascript; charset=utf-8", Caching::Forever, true),
        ("/basic.css", "text/css; charset=utf-8", Caching::Revalidated, false),
    ];
    let expected = expected.map(|(path, kind, caching, gz)| (path.to_string(), kind, caching, gz));
    assert_eq!(facts, expected);
    for PackedFile { plain, gzipped, .. } in &files {
        let Some(gzipped) = gzipped else { continue };
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&gzipped[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == *plain && gzipped.len() < plain.len());
        assert_eq!(gzipped[3..8], [0; 5], "neither a name nor a time");
    }
}

#[test]
fn the_same_files_are_packed_into_the_same_bytes() {
    let written = || {
        let (root, out) = (repository(), tempfile::tempdir().unwrap());
        packer::write(&packer::pack(root.path()).unwrap(), &out.path().join("page")).unwrap();
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_owned(), std::fs::read(&path).unwrap())
        };
        let entries = std::fs::read_dir(out.path().join("page")).unwrap();
        let mut files: BTreeMap<_, _> = entries.map(read).collect();
        // It names the folder, which the program does not contain.
        let table = files.remove(OsStr::new("files.rs")).unwrap();
        let table = text(&table).replace(out.path().to_str().unwrap(), "");
        assert!(table.contains("caching: Caching::Forever"), "{table}");
        (files, table)
    };
    assert!(written() == written());
}

#[test]
fn a_missing_part_or_a_name_without_a_hash_is_one_error_with_the_way_out() {
    let refused = |spoil: &dyn Fn(&Path)| {
        let root = repository();
        spoil(&root.path().join("page/dist"));
        let message = packer::pack(root.path()).unwrap_err();
        let (what, remedy) = message.split_once('\n').expect("two lines");
        assert!(remedy.contains("`make page`") && remedy.contains("git checkout"), "{message}");
        what.to_string()
    };
    let gone = refused(&|dist| std::fs::remove_dir_all(dist).unwrap());
    assert!(gone.ends_with("' is missing") && !gone.contains("index.html"), "{gone}");
    let gone = refused(&|dist| std::fs::remove_file(dist.join("index.html")).unwrap());
    assert!(gone.contains("index.html' is missing"), "{gone}");
    let gone = refused(&|dist| std::fs::remove_dir_all(dist.join("assets")).unwrap());
    assert!(gone.contains("assets' is missing"), "{gone}");
    for name in [
        "main.js",
        "main-short.js",
        "main-2UFYSE4U",
        "main-2ufyse4u.js",
        "a b-2UFYSE4U.js",
        "main-2UFYSE4U.exe",
        ".main-2UFYSE41.js",
    ] {
        let wrong = refused(&|dist| std::fs::write(dist.join("assets").join(name), "x").unwrap());
        assert!(wrong.contains(name), "{wrong}");
    }
}
