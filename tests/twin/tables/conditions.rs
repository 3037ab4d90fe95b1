//! Sentences 8 and 9: windows and single occurrences.

use super::{rules, story};

#[test]
fn a_window_includes_both_ends() {
    let r = rules(
        r#""grace": "0s", "rules": [
           {"id": "r", "when": {"count": {"signal": "a", "at_least": 3, "within": "10s"}}}]"#,
    );
    story(
        &r,
        &[
            ("e1 0s a", "r below_threshold", ""),
            ("e2 5s a", "r below_threshold", ""),
            ("e3 10s1ms a", "r below_threshold", "one millisecond too late for the first"),
            ("e4 15s a", "r fire", "5s, 10.001s and 15s: 5s is still inside"),
        ],
    );
}

#[test]
fn a_late_event_counts_as_if_in_time_up_to_the_grace() {
    let r = |grace: &str| {
        rules(&format!(
            r#""grace": "{grace}", "rules": [
               {{"id": "r", "when": {{"count": {{"signal": "a", "at_least": 2, "within": "10s"}}}}}},
               {{"id": "b", "when": {{"signal": "b"}}, "cooldown": "0s"}}]"#
        ))
    };
    let steps = |at_grace| {
        [
            ("e1 0s a", "r below_threshold", ""),
            ("e2 1m10s b", "b fire", "moves the clock a minute past 10s"),
            ("e3 10s a", at_grace, "0s and 10s hold at x = 10s = T - 1m"),
        ]
    };
    story(&r("1m"), &steps("r fire"));
    story(&r("59s"), &steps("r below_threshold"));
}

#[test]
fn a_count_stays_true_up_to_the_grace_longer_than_its_window() {
    let r = |grace: &str| {
        rules(&format!(
            r#""grace": "{grace}", "rules": [{{"id": "r", "when": {{"all": [
               {{"signal": "b"}}, {{"count": {{"signal": "a", "at_least": 2, "within": "2s"}}}}]}}}}]"#
        ))
    };
    let steps = |last| {
        [
            ("e1 0s a", "r below_threshold", ""),
            ("e2 1s a", "r below_threshold", "the count holds, but b did not come"),
            ("e3 12s b", last, "x = 2s is the last instant at which both lie inside"),
        ]
    };
    story(&r("10s"), &steps("r fire"));
    story(&r("9s"), &steps("r below_threshold"));
}

#[test]
fn one_occurrence_opens_an_episode_each_time_and_at_least_one_does_not() {
    let r = rules(
        r#""grace": "0s", "rules": [
           {"id": "one", "when": {"signal": "a"}, "cooldown": "0s"},
           {"id": "min", "when": {"count": {"signal": "a", "at_least": 1, "within": "10s"}}, "cooldown": "0s"},
           {"id": "both", "when": {"all": [{"signal": "a"}, {"not": {"signal": "b"}}]}, "cooldown": "1m"}]"#,
    );
    story(
        &r,
        &[
            ("e1 10s a", "one fire, min fire, both fire", ""),
            ("e2 20s a", "one fire, min same_episode, both cooling_down", ""),
            ("e3 5s a", "one fire, min same_episode, both cooling_down", "however late it is"),
            ("e4 30s b", "both below_threshold", "touched by b under `not`"),
            ("e5 31s a", "one fire, min fire, both cooling_down", "the window of `min` was empty"),
        ],
    );
}

#[test]
fn an_event_counts_once_in_each_count_and_parts_need_not_hold_together() {
    let r = rules(
        r#""grace": "1m", "rules": [{"id": "r", "when": {"all": [
           {"count": {"signal": "a", "at_least": 2, "within": "1s"}},
           {"count": {"signal": "b", "at_least": 2, "within": "1s"}}]}}]"#,
    );
    story(
        &r,
        &[
            ("e1 0s a", "r below_threshold", ""),
            ("e2 1s a", "r below_threshold", "a holds at 1s"),
            ("e3 30s b", "r below_threshold", ""),
            ("e4 31s b", "r fire", "b holds at 31s, a still within the grace"),
        ],
    );
}
