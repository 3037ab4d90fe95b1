//! What an alert shows of what led to it, and what a lead keeps for that: the newest, in the order of their times.

use super::stage::{Stage, page, track};
use super::{HOUR, MIN};

const SCORED: &str = "
signals: { good: { on: page, where: { page.path: { prefix: /good } } }, bad: { on: page, where: { page.path: { prefix: /bad } } }, go: { on: track, name: Go } }
scoring: { points: [ { signal: good, points: 10 }, { signal: bad, points: -1 } ] }
rules: [ { id: ready, when: { all: [ { score: { at_least: 1 } }, { signal: go } ] } } ]
";

/// The labels and points of the last event's alert.
fn lines(stage: &Stage) -> Vec<(&str, f64)> {
    stage.alerts()[0].evidence.iter().map(|line| (line.label.as_str(), line.points)).collect()
}

#[test]
fn each_group_lists_its_newest_eight_and_sums_up_the_earlier() {
    let mut stage = Stage::new(SCORED);
    for n in 1..=10 {
        stage.event(n * MIN, page(&format!("/good/{n}")));
        stage.event(n * MIN + 1, page(&format!("/bad/{n}")));
    }
    stage.event(0, page("/good/late"));
    assert_eq!(stage.event(HOUR, track("Go")), "ready: fire");
    let mut expected = vec![("earlier (other)".to_owned(), 30.0), ("earlier (negative)".to_owned(), -2.0)];
    expected.extend((3..=10).flat_map(|n| [(format!("/good/{n}"), 10.0), (format!("/bad/{n}"), -1.0)]));
    let expected: Vec<(&str, f64)> = expected.iter().map(|(label, points)| (label.as_str(), *points)).collect();
    assert_eq!(lines(&stage), expected, "the late one is older than all that are listed");
    assert_eq!(stage.alerts()[0].reason, "score 100 (threshold 1) + go");
}

#[test]
fn of_equal_times_the_later_applied_is_newer() {
    let rules = "
grace: 0s
signals: { seen: { on: page }, go: { on: track, name: Go } }
rules: [ { id: r, when: { all: [ { count: { signal: seen, at_least: 2, within: 1h } }, { signal: go } ] } } ]
";
    let mut stage = Stage::new(rules);
    for path in ["/a", "/b", "/c"] {
        stage.event(0, page(path));
    }
    assert_eq!(stage.event(0, track("Go")), "r: fire");
    assert_eq!(lines(&stage), [("/b", 0.0), ("/c", 0.0), ("Go", 0.0)], "a count remembers two times, the newest");
}

#[test]
fn a_view_that_two_prefixes_match_counts_once() {
    let rules = "
signals: { pricing: { on: page, where: { page.path: { prefix: [/pricing, /pricing/teams] } } } }
rules: [ { id: r, when: { count: { signal: pricing, at_least: 2, within: 1h } } } ]
";
    let mut stage = Stage::new(rules);
    assert_eq!(stage.event(0, page("/pricing/teams/buy")), "r: below_threshold", "one view");
    assert_eq!(stage.event(1, page("/pricing/teams/buy")), "r: fire", "two views");
}
