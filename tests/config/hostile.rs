//! Whatever the bytes, reading ends, soon, and never panics.

use std::time::{Duration, Instant};

use hotlead::config::fault::Severity;
use hotlead::config::settings::{Needed, Surroundings};
use hotlead::config::{rules, settings};
use proptest::prelude::*;

use super::{files, root};

fn read_as_both(text: &str) {
    let (spec, faults) = rules::read("r", text);
    assert_eq!(spec.is_none(), faults.is_fatal(), "{faults}");
    let around = Surroundings {
        host: Some("host".into()),
        secret: &|_| Ok("https://example.com".into()),
        missing: Severity::Fault,
        needed: Needed::All,
    };
    let (settings, faults) = settings::read("c", text, &around);
    assert_eq!(settings.is_none(), faults.is_fatal(), "{faults}");
}

/// Samples and faulty files: what mutations start from.
fn seeds() -> Vec<String> {
    let mut paths = files(&root().join("deploy/rules"), "yaml");
    paths.extend(files(&root().join("deploy"), "yaml"));
    paths.extend(files(&root().join("tests/config/faults"), "yaml"));
    let read = |path| std::fs::read_to_string(path).expect("a text");
    paths.into_iter().map(read).filter(|text| text.len() < 20_000).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_values_or_faults(text in any::<String>()) {
        read_as_both(&text);
    }

    #[test]
    fn any_yaml_like_text_gives_values_or_faults(text in r"[\[\]{}:,\-&*!|>'%@`# \n a-c0-9.]{0,200}") {
        read_as_both(&text);
        read_as_both(&format!("version: 1\nrules:\n  - {text}"));
    }

    #[test]
    fn a_damaged_sample_gives_values_or_faults(
        seed in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, r"[\[\]{}:,\-&*#\n a0.]{0,3}"), 1..4),
    ) {
        let seeds = seeds();
        let mut text: Vec<char> = seed.get(&seeds).chars().collect();
        for (at, length, instead) in cuts {
            let start = at.index(text.len().max(1)).min(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, instead.chars());
        }
        read_as_both(&text.into_iter().collect::<String>());
    }
}

#[test]
fn files_made_to_hurt_are_refused_quickly() {
    let mut laughs = String::from("version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (inner, outer) in "abcdefghijklmno".chars().zip("bcdefghijklmnop".chars()) {
        laughs.push_str(&format!("{outer}: &{outer} [{}]\n", vec![format!("*{inner}"); 10].join(", ")));
    }
    let anchored: String = (0..60).map(|n| format!("[&a{n} ")).collect();
    let unknown = "    - { signal: nothing_like_it, points: 1 }\n".repeat(1_000);
    let names: String = (0..1_000).map(|n| format!("  name_of_a_signal_number_{n}: {{ on: page }}\n")).collect();
    let regexes = "'((a{1000}){1000}){1000}', ".repeat(2_000);
    #[rustfmt::skip]
    let files = [
        ("ten megabytes", "version: 1\n".repeat(1_000_000)),
        ("a bomb of aliases", laughs),
        ("anchors within anchors", format!("{anchored}{}{}", "x,".repeat(50_000), "]".repeat(60))),
        ("ten thousand open lists", "[".repeat(10_000)),
        ("ten thousand open maps", "{a: ".repeat(10_000)),
        ("ten thousand indented lists", "- ".repeat(10_000)),
        ("a million values", format!("[{}]", "1,".repeat(500_000))),
        ("a hundred thousand keys", format!("{{{}}}", (0..60_000).map(|n| format!("k{n}: 1,")).collect::<String>())),
        ("a thousand misspelt names", format!("version: 1\nsignals:\n{names}scoring:\n  points:\n{unknown}rules: []\n")),
        ("two thousand huge regexes", format!("version: 1\nsignals: {{ a: {{ name: {{ matches: [{regexes}] }} }} }}\nrules: []\n")),
        ("one long line", format!("version: {}", "x".repeat(1_000_000))),
        ("comments only", "#\n".repeat(500_000)),
    ];
    for (what, text) in files {
        let started = Instant::now();
        let (spec, faults) = rules::read("r", &text);
        let took = started.elapsed();
        assert!(spec.is_none() && faults.is_fatal(), "{what}");
        assert!(faults.to_string().len() < 500_000, "{what}");
        // Generous: unoptimised on a busy machine. What is quadratic takes minutes.
        assert!(took < Duration::from_secs(20), "{what} took {took:?}");
    }
}
