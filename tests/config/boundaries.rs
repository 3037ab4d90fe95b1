//! The last value that is allowed and the first that is not, for every limit of a rules file.

use hotlead::config::rules;

/// A file with these values where they belong.
fn file(top: &str, scoring: &str, rule: &str) -> String {
    format!(
        "version: 1\n{top}\nsignals: {{ s: {{ on: page }} }}\nscoring:\n  groups: {{ g: {{ cap: 60 }} }}\n  points:\n    \
         - {{ signal: s, points: 1 }}\n{scoring}\nrules:\n  - {rule}\n"
    )
}

fn is_good(text: &str) -> bool {
    rules::read("r", text).0.is_some()
}

#[test]
fn rules_at_their_limits() {
    let rule = |when: &str| format!("{{ id: a, when: {when} }}");
    let count = |n: &str, within: &str| rule(&format!("{{ count: {{ signal: s, at_least: {n}, within: {within} }} }}"));
    let nested = |depth: usize| rule(&format!("{}{{ signal: s }}{}", "{ not: ".repeat(depth), " }".repeat(depth)));
    let named = |length: usize| format!("{{ id: {}, when: {{ signal: s }} }}", "x".repeat(length));
    #[rustfmt::skip]
    let rows = [
        (count("1", "1s"), true), (count("0", "1s"), false), (count("1", "999ms"), false),
        (count("512", "1h"), true), (count("513", "1h"), false),      // 2N - 1 times
        (count("171", "1m"), true), (count("172", "1m"), false),      // 6N - 5 times: five more windows of grace
        (count("512", "5m"), true), (count("513", "5m"), false), (count("342", "299s"), true), (count("343", "299s"), false),
        (rule("{ score: { at_least: 50, rearm_below: 50 } }"), true),
        (rule("{ score: { at_least: 50, rearm_below: 50.1 } }"), false),
        (rule("{ score: { at_least: 0.1 } }"), true), (rule("{ score: { at_least: 0.01 } }"), false),
        (rule("{ not: { score: { at_least: 5 } } }"), true),
        (nested(16), true), (nested(17), false),
        (named(64), true), (named(65), false),
        ("{ id: a.B_9-, when: { signal: s }, cooldown: 0s, despite: [] }".into(), true),
        ("{ id: a, when: { signal: s }, cooldown: 7300d }".into(), true),
        ("{ id: a, when: { signal: s }, cooldown: 7300d1ms }".into(), false),
    ];
    for (rule, good) in rows {
        assert_eq!(is_good(&file("", "", &rule)), good, "{rule}");
    }
}

#[test]
fn points_and_durations_at_their_limits() {
    let rule = "{ id: a, when: { signal: s } }";
    let points = |rest: &str| format!("    - {{ signal: s, {rest} }}");
    #[rustfmt::skip]
    let rows = [
        ("grace: 0s", points("points: 0.1"), true), ("", points("points: 0"), false), ("", points("points: -0.1"), true),
        ("", points("points: 1000000"), true), ("", points("points: 1000000.1"), false),
        ("", points("points: -1000000"), true), ("", points("points: 1, half_life: 1s"), true),
        ("", points("points: 1, half_life: 999ms"), false), ("", points("points: 0.1, group: g"), true),
        ("", points("points: -0.1, group: g"), false), ("forget_after: 1s", String::new(), true),
        ("forget_after: 999ms", String::new(), false), ("max_future_skew: 0s", String::new(), true),
    ];
    for (top, scoring, good) in rows {
        assert_eq!(is_good(&file(top, &scoring, rule)), good, "{top} {scoring}");
    }
}

#[test]
fn grace_counts_in_the_limit_of_a_count() {
    let rule = "{ id: a, when: { count: { signal: s, at_least: 1024, within: 1s } } }";
    assert!(is_good(&file("grace: 0s", "", rule)));
    assert!(!is_good(&file("grace: 1ms", "", rule)));
}

#[test]
fn an_occurrence_in_a_hold_needs_an_end() {
    let rule = "{ id: a, when: { signal: s } }";
    let hold = |rest: &str| file(&format!("suppress: {{ h: {{ when: {{ signal: s }}{rest} }} }}"), "", rule);
    assert!(!is_good(&hold("")));
    assert!(is_good(&hold(", for: 1s")));
    assert!(is_good(&hold(", until: { signal: s }")));
    assert!(is_good(&hold(", for: 1s, until: { signal: s }")));
}

/// A rule is warned of only if what a suppression holds is lost for good (rules.md 19).
#[test]
fn only_momentary_rules_are_warned_of() {
    let count = "{ count: { signal: s, at_least: 1, within: 1h } }";
    #[rustfmt::skip]
    let rows = [
        ("{ signal: s }".to_owned(), "", true), ("{ signal: s }".into(), ", despite: [h]", false), (count.into(), "", false),
        (format!("{{ all: [ {{ signal: s }}, {count} ] }}"), "", true),
        (format!("{{ any: [ {{ signal: s }}, {count} ] }}"), "", false),
        ("{ not: { signal: s } }".into(), "", false),
    ];
    for (when, despite, warned) in rows {
        let top = "suppress: { h: { when: { trait: { name: t, equals: x } } } }";
        let text = file(top, "", &format!("{{ id: a, when: {when}{despite} }}"));
        let (spec, faults) = rules::read("r", &text);
        assert!(spec.is_some(), "{faults}");
        assert_eq!(!faults.is_empty(), warned, "{when}: {faults}");
    }
}
