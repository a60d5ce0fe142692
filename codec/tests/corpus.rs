//! Real and hostile files, where a folder of them lies beside the workspace (`../shared/photos`); without it
//! these tests have nothing to look at and say so.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use codec::{Decoded, Limits, decode, probe};

fn folder(name: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/photos");
    if !root.is_dir() {
        eprintln!("no corpus at {}", root.display());
        return Vec::new();
    }
    let mut files = Vec::new();
    let mut folders = vec![root.join(name)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{name} is empty");
    files
}

fn read(path: &Path) -> Result<Decoded, codec::CodecError> {
    let bytes = std::fs::read(path).unwrap();
    let result = decode(&bytes, &Limits::default());
    match &result {
        Ok(found) => {
            let notes = found.notes.join("; ");
            let size = (found.raster.width, found.raster.height);
            eprintln!("{}: {size:?} {:?} {notes}", path.display(), found.damaged);
            assert_eq!(probe(&bytes, &Limits::default()).as_ref(), Ok(&found.probe));
        }
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            assert!(
                !error.to_string().contains("upsets the decoder"),
                "{}: a panic",
                path.display()
            );
        }
    }
    result
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn real_pictures_are_read_whole() {
    for folder_name in ["real", "sixteen_bit", "formats/jpg", "formats/webp"] {
        for path in folder(folder_name) {
            let found = read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(found.damaged, None, "{}", path.display());
            // Two of the folder have 8 bits: a conversion's original and a file of many pages.
            if folder_name == "sixteen_bit" && !["testorig.png", "multipage.tif"].contains(&name(&path)) {
                assert_eq!(found.raster.samples.bits(), 16, "{}", path.display());
            }
        }
    }
}

#[test]
fn other_formats_give_an_answer() {
    for path in ["formats/png", "formats/gif", "edge"]
        .iter()
        .flat_map(|name| folder(name))
    {
        let result = read(&path);
        let refused = ["own_empty.jpg", "own_not_an_image.png"].contains(&name(&path));
        assert_eq!(result.is_err(), refused, "{}: {result:?}", path.display());
    }
}

#[test]
fn all_orientations_are_the_same_picture() {
    for kind in ["Landscape", "hopper"] {
        let files: Vec<PathBuf> = folder("orientation")
            .into_iter()
            .filter(|p| name(p).starts_with(kind))
            .collect();
        let found: Vec<Decoded> = files.iter().map(|path| read(path).unwrap()).collect();
        for pair in found.windows(2) {
            let size = |found: &Decoded| (found.raster.width, found.raster.height);
            assert_eq!(size(&pair[0]), size(&pair[1]));
        }
        assert!(found.is_empty() || found.iter().any(|found| found.probe.orientation == 6));
    }
}

#[test]
fn cmyk_is_read_and_said_to_be() {
    for path in folder("cmyk") {
        if let Ok(found) = read(&path) {
            assert!(
                found.notes.iter().any(|note| note.contains("CMYK")),
                "{}",
                path.display()
            );
            assert_eq!(found.metadata.icc, None);
        }
    }
}

#[test]
fn bombs_are_refused() {
    for path in folder("bomb") {
        let result = read(&path);
        // Small pictures beside a bomb that is never unpacked: a comment, surplus rows, a second frame.
        let small = [
            "own_png_ztxt_64MiB.png",
            "own_png_idat_zip_10000x_row.png",
            "decompression_bomb_extents.gif",
        ];
        if small.contains(&name(&path)) {
            assert!(result.is_ok_and(|found| found.raster.width < 1000));
            continue;
        }
        assert!(result.is_err(), "{}", path.display());
    }
}

#[test]
fn bad_files_are_errors_or_marked() {
    for path in folder("bad") {
        let result = read(&path);
        let cut = name(&path).starts_with("own_kodim05_cut") || name(&path).starts_with("own_kodim05_flip");
        if cut {
            assert!(
                result.map_or(true, |found| found.damaged.is_some()),
                "{}",
                path.display()
            );
        }
    }
}
