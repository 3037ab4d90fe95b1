//! What is told of an announced episode: that it grows, once a minute of the lead's clock, and that it is over.

use super::{rules, told};

/// Kind, rule and time of what is told, in seconds from the start.
fn tells(sections: &str, shorts: &[&str]) -> Vec<String> {
    let alerts = told(&rules(sections), shorts).alerts;
    let brief = |alert: super::super::Alert| {
        format!("{} {} {}", alert.kind, alert.rule, (alert.time - super::START) as f64 / 1000.0)
    };
    alerts.into_iter().map(brief).collect()
}

#[test]
fn an_episode_is_updated_once_a_minute_by_what_its_rule_reads() {
    let told = tells(
        r#""grace": "0s", "rules": [{"id": "r", "when": {"all": [
           {"count": {"signal": "a", "at_least": 1, "within": "10m"}}, {"trait": {"name": "plan", "exists": true}}]}}]"#,
        &[
            "e1 0s {\"plan\": 1}",
            "e2 59s a",
            "e3 59s a",            // the opening does not count
            "e4 59s999ms a",       // the same minute
            "e5 1m {\"plan\": 2}", // a trait is no contribution
            "e6 1m1s b",           // nor what the rule does not name
            "e7 1m2s a",
            "e8 30s a",                // late: T stays at 1m2s
            "e9 2m {\"name\": \"x\"}", // moves the clock
            "e10 31s a",               // late, but in a new minute of the clock
        ],
    );
    assert_eq!(told, ["opened r 59", "updated r 59", "updated r 62", "updated r 120"]);
}

#[test]
fn what_was_announced_is_closed_by_the_event_that_finds_it_over() {
    let told = tells(
        r#""grace": "0s", "suppress": {"s": {"when": {"signal": "c"}, "until": {"signal": "b"}}}, "rules": [
           {"id": "two", "cooldown": "0s", "when": {"count": {"signal": "a", "at_least": 1, "within": "2m"}}},
           {"id": "one", "cooldown": "1h", "despite": ["s"], "when": {"signal": "a"}}]"#,
        &[
            "e1 0s a", "e2 1m c",
            "e3 1m a",  // `two` grows while it is held; the occurrence before is over, the next waits
            "e4 10m a", // `two` is over although it is held, and pending; so is `one`
            "e5 20m a", // two pending ones: silence
            "e6 20m b", "e7 20m a", // `two` is announced
        ],
    );
    assert_eq!(told, ["opened two 0", "opened one 0", "closed one 60", "closed two 600", "opened two 1200"]);
}

#[test]
fn a_score_grows_by_scored_signals_and_a_change_of_fit() {
    let told = tells(
        r#""scoring": {"points": [{"signal": "a", "points": 10}], "fit": [{"trait": "size", "at_least": 5, "points": 3}]},
           "rules": [{"id": "r", "when": {"score": {"at_least": 10}}}]"#,
        &[
            "e1 0s a",
            "e2 1m {\"size\": 1}", // another value, the same fit
            "e3 1m {\"size\": 7}",
            "e4 2m {\"size\": 8}",
            "e5 2m a",
            "e6 3m {\"size\": 1}",
        ],
    );
    assert_eq!(told, ["opened r 0", "updated r 60", "updated r 120", "updated r 180"]);
}
