//! House style as tests: layers, lengths, names and the code map. Each breach is a line `path:line: what`.

mod layers;
mod map;
mod names;
mod rust;

use std::fmt;
use std::path::{Path, PathBuf};

/// One breach. Lines count from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    path: String,
    line: usize,
    what: String,
}

impl Fault {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.into(), line, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Code lines of a file of `src`, without its tests.
const MAX_LINES: usize = 400;

const TOP_LEVEL: &[&str] = &["Cargo.toml", "Cargo.lock", "src", "deploy", "schemas", "tests", "README.md", "LICENSE"];

/// What a file of `src` may not be: too long, without a first sentence that says what it is.
fn check_shape(path: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lines = rust::without_tests(text).lines().count();
    if lines > MAX_LINES {
        faults.push(Fault::new(
            path,
            MAX_LINES + 1,
            format!("{lines} lines without tests, at most {MAX_LINES}: split it"),
        ));
    }
    if !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!(") {
        faults.push(Fault::new(path, 1, "a module begins with //! and a sentence that says what it is"));
    }
    faults
}

fn check_top_level(name: &str) -> Option<Fault> {
    let allowed = TOP_LEVEL.contains(&name) || name.starts_with('.') || name == "target";
    (!allowed).then(|| Fault::new(name, 1, format!("the top level holds only {} and dotfiles", TOP_LEVEL.join(", "))))
}

/// Rust files below `folder`, as paths relative to the repository, sorted.
fn rust_files(root: &Path, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && entry.file_name() != "target" {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root).expect("found below the root");
                found.push(relative.to_str().expect("names are UTF-8").to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_repository_keeps_the_house_style() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        faults.extend(check_top_level(&entry.unwrap().file_name().to_string_lossy()));
    }
    let sources = rust_files(&root, "src");
    for path in &sources {
        let text = read(path);
        faults.extend(check_shape(path, &text));
        faults.extend(layers::check_layers(path, &text));
    }
    for path in sources.iter().chain(&rust_files(&root, "tests")) {
        faults.extend(names::check_names(path, &read(path)));
        faults.extend(names::check_leftovers(path, &read(path)));
    }
    const MAP: &str = "src/ARCHITECTURE.md";
    faults.extend(map::check_map(MAP, &read(MAP), &sources, |path| root.join(path).exists()));
    let lines: Vec<_> = faults.iter().map(Fault::to_string).collect();
    assert!(lines.is_empty(), "{} breaches of the house style:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn a_file_that_is_too_long_or_says_nothing_of_itself_is_found() {
    let code = |lines: usize| format!("//! Doc.\n{}", "x\n".repeat(lines - 1));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(500));
    assert_eq!(check_shape("src/a.rs", &(code(400) + &tests)), []);
    let [fault] = &check_shape("src/a.rs", &(code(401) + &tests))[..] else { panic!("one fault") };
    assert_eq!(fault.to_string(), "src/a.rs:401: 401 lines without tests, at most 400: split it");
    assert_eq!(check_shape("src/a.rs", "// no doc\n").len(), 1);
    assert_eq!(check_shape("src/lib.rs", "#![doc = include_str!(\"ARCHITECTURE.md\")]\n"), []);
}

#[test]
fn a_stray_file_at_the_top_is_found() {
    assert!(check_top_level("docs").is_some());
    for fine in ["src", ".ci", "LICENSE", "target"] {
        assert_eq!(check_top_level(fine), None);
    }
}
