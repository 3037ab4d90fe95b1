//! Words that say nothing, and what nobody wants to find in finished code.

use super::Fault;
use super::rust::code_only;

const EMPTY_WORDS: &[&str] = &["manager", "handler", "processor", "helper", "util", "utility", "common", "service"];

/// The empty word that a file or type name contains, in snake_case or CamelCase, singular or plural.
fn empty_word(name: &str) -> Option<&'static str> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c.is_uppercase() || !c.is_alphanumeric() {
            words.push(String::new());
        }
        words.last_mut().expect("never empty").extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
    }
    EMPTY_WORDS.iter().copied().find(|empty| words.iter().any(|word| word.strip_suffix('s').unwrap_or(word) == *empty))
}

/// Empty words in the names of a Rust file, its types and modules; functions that are called `process`.
pub fn check_names(path: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for part in path.split('/') {
        faults.extend(empty_word(part).map(|word| Fault::new(path, 1, format!("{part}: {word} says nothing"))));
    }
    for (line, code) in code_only(text).lines().enumerate() {
        let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        while let Some(keyword) = words.next() {
            let name = match keyword {
                "struct" | "enum" | "trait" | "type" | "mod" | "fn" => words.next().unwrap_or_default(),
                _ => continue,
            };
            let empty = if keyword == "fn" { (name == "process").then_some("process") } else { empty_word(name) };
            faults.extend(empty.map(|word| Fault::new(path, line + 1, format!("{name}: {word} says nothing"))));
        }
    }
    faults
}

/// Unfinished code, switched-off tests, prints of a debugging hour.
pub fn check_leftovers(path: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (line, code) in code_only(text).lines().enumerate() {
        for leftover in ["todo!", "unimplemented!", "dbg!", "#[ignore"] {
            let mut found = code.match_indices(leftover);
            if found.any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')) {
                faults.push(Fault::new(path, line + 1, format!("{leftover} does not belong into finished code")));
            }
        }
    }
    faults
}

#[test]
fn empty_words_are_found_in_names() {
    let count = |path: &str, text: &str| check_names(path, text).len();
    for bad in ["src/utils.rs", "src/run/event_handler.rs", "tests/common/mod.rs"] {
        assert_eq!(count(bad, ""), 1, "{bad}");
    }
    for bad in ["pub struct OffsetManager;", "trait Services {", "mod helpers {", "    fn process(&self) {"] {
        assert_eq!(count("src/a.rs", bad), 1, "{bad}");
    }
    for fine in ["struct Utilisation; // a helper", "use std::process;", "fn handler_of() {}", "fn process_id() {}"] {
        assert_eq!(count("src/a.rs", fine), 0, "{fine}");
    }
    assert_eq!(check_names("src/a.rs", "\nenum Helper {}")[0].to_string(), "src/a.rs:2: Helper: helper says nothing");
}

#[test]
fn leftovers_are_found() {
    for bad in ["todo!()", "x(unimplemented!(\"y\"))", "dbg!(x);", "#[ignore]", "#[ignore = \"slow\"]"] {
        assert_eq!(check_leftovers("src/a.rs", bad).len(), 1, "{bad}");
    }
    for fine in ["// todo!() is not here", "let s = \"dbg!(\";", "my_todo!()", "fn ignore() {}"] {
        assert_eq!(check_leftovers("src/a.rs", fine), [], "{fine}");
    }
}
