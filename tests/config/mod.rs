//! Rules and config files from outside: faults, samples, schemas, and whatever bytes there may be.

mod boundaries;
mod check;
mod faults;
mod hostile;
mod keys;
mod pinned;
mod samples;
mod settings;

use std::path::{Path, PathBuf};

/// The root of the package.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether files that the code decides are to be rewritten instead of compared.
fn update() -> bool {
    std::env::var_os("HOTLEAD_UPDATE").is_some()
}

/// Compares a file of the repository with what it should hold, or rewrites it.
#[track_caller]
fn compare(path: &Path, want: &str) {
    if update() {
        std::fs::write(path, want).expect("a writable file");
        return;
    }
    let have = std::fs::read_to_string(path).unwrap_or_default();
    let shown = path.display();
    assert_eq!(have, want, "{shown} is not what the code says; HOTLEAD_UPDATE=1 rewrites it");
}

/// The files of a folder with that extension, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}
