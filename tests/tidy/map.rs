//! The code map of `src/ARCHITECTURE.md` against the files that exist.

use super::Fault;

/// Paths, relative to `src`, that a line ``* `a.rs`, `b/`: what they are`` of the code map names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let names = line.trim_start().strip_prefix("* `").map_or("", |rest| rest.split("`: ").next().unwrap_or(rest));
    names.split('`').filter(|name| name.ends_with(".rs") || name.ends_with('/'))
}

/// Paths in the code map that do not exist, and `sources` (all Rust files of `src`) that it does not name. A folder's
/// name stands for its `mod.rs`.
pub fn check_map(path: &str, text: &str, sources: &[String], exists: impl Fn(&str) -> bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (line, names) in text.lines().map(named).enumerate() {
        for name in names.filter(|name| !exists(&format!("src/{name}"))) {
            faults.push(Fault::new(path, line + 1, format!("names src/{name}, which does not exist")));
        }
    }
    let mapped: Vec<&str> = text.lines().flat_map(named).collect();
    for source in sources {
        let inside = source.strip_prefix("src/").unwrap_or(source);
        if !mapped.contains(&inside) && !inside.strip_suffix("mod.rs").is_some_and(|folder| mapped.contains(&folder)) {
            faults.push(Fault::new(source, 1, format!("is not in the code map of {path}")));
        }
    }
    faults
}

#[test]
fn a_map_that_names_too_much_or_too_little_is_found() {
    let map = "# Map\n* `main.rs`, `lib.rs`: the program\n  * `core/`: the engine\n* `gone.rs`: no more `x.rs`: y\n";
    let sources = ["src/main.rs", "src/lib.rs", "src/core/mod.rs", "src/core/window.rs"].map(String::from);
    let faults = check_map("src/ARCHITECTURE.md", map, &sources, |path| path != "src/gone.rs");
    let faults: Vec<_> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        faults,
        [
            "src/ARCHITECTURE.md:4: names src/gone.rs, which does not exist",
            "src/core/window.rs:1: is not in the code map of src/ARCHITECTURE.md",
        ]
    );
}
