//! Every message in the runbook is one that the program really prints.

use std::fs;
use std::path::{Path, PathBuf};

/// The sources without the breaks inside of string literals.
fn sources() -> Vec<String> {
    let mut files = Vec::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let text = |path: &PathBuf| fs::read_to_string(path).expect("a source file");
    let joined = |text: String| {
        let mut lines = text.lines().map(str::to_owned);
        let mut joined = lines.next().unwrap_or_default();
        for line in lines {
            match joined.strip_suffix('\\') {
                Some(head) => joined = head.to_owned() + line.trim_start(),
                None => joined = joined + "\n" + &line,
            }
        }
        joined
    };
    files.iter().map(text).map(joined).collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => gather(&path, files),
            false => files.push(path),
        }
    }
}

#[test]
fn every_message_of_the_runbook_is_in_the_sources() {
    let runbook = include_str!("../../deploy/RUNBOOK.md");
    let sources: Vec<String> = sources();
    let messages: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert!(messages.len() >= 15, "{messages:?}");
    for message in messages {
        let parts: Vec<&str> = message.split('…').map(str::trim).filter(|part| part.len() > 1).collect();
        assert!(!parts.is_empty(), "nothing to look for in {message:?}");
        let found = sources.iter().any(|text| parts.iter().all(|part| text.contains(part)));
        assert!(found, "no file of the program says {message:?}");
    }
}
