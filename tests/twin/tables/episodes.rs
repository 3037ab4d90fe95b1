//! Sentences 16 to 20: what touches a rule, episodes, cooldown, and announcements that wait.

use super::{at, rules, story, told};

#[test]
fn a_rule_is_touched_by_what_it_names_and_nothing_else() {
    let r = rules(
        r#""scoring": {"points": [{"signal": "b", "points": 5}], "fit": [{"trait": "size", "exists": true, "points": 1}]},
           "flags": {"f": {"when": {"trait": {"name": "seen", "exists": true}}}},
           "suppress": {"s": {"when": {"count": {"signal": "c", "at_least": 1, "within": "1m"}}}},
           "rules": [{"id": "named", "when": {"all": [{"signal": "a"}, {"trait": {"name": "plan", "exists": true}}]}},
                     {"id": "score", "when": {"score": {"at_least": 100}}}]"#,
    );
    story(
        &r,
        &[
            ("e1 0s a", "named below_threshold", "its signal"),
            ("e2 0s {\"plan\": 1}", "named below_threshold", "a trait that it changes"),
            ("e3 0s {\"plan\": 1}", "", "a trait that it does not change"),
            ("e4 0s b", "score below_threshold", "a scored signal"),
            ("e5 0s {\"size\": 1}", "score below_threshold", "a fit trait"),
            ("e6 0s {\"seen\": 1}", "", "what a flag reads touches no rule"),
            ("e7 0s c", "", "nor what a suppression reads"),
            ("e8 0s {\"plan\": 2, \"size\": 2}", "named below_threshold, score below_threshold", ""),
        ],
    );
}

#[test]
fn an_episode_ends_only_in_a_before_evaluation() {
    let r = rules(
        r#""grace": "0s", "rules": [{"id": "r", "cooldown": "0s",
           "when": {"count": {"signal": "a", "at_least": 2, "within": "10s"}}}]"#,
    );
    story(
        &r,
        &[
            ("e1 0s a", "r below_threshold", ""),
            ("e2 5s a", "r fire", ""),
            ("e3 10s a", "r same_episode", "at T = 10s before it: 0s and 5s still lie inside"),
            ("e4 20s a", "r fire", "at T = 20s before it: only 10s lies inside, so it ended"),
            ("e5 31s {\"name\": \"x\"}", "", "touches nothing, ends nothing, but moves the clock"),
            ("e6 21s a", "r below_threshold", "before it nothing lies in [21s, 31s]"),
            ("e7 22s a", "r fire", "e5's clock stays: T = 31s, 21s and 22s lie inside"),
        ],
    );
}

#[test]
fn an_episode_that_began_under_a_cooldown_is_announced_after_it() {
    let r = rules(
        r#""grace": "0s", "rules": [{"id": "r", "cooldown": "1m",
           "when": {"count": {"signal": "a", "at_least": 1, "within": "20s"}}}]"#,
    );
    let steps = [
        ("e1 0s a", "r fire", ""),
        ("e2 30s a", "r cooling_down", "a new episode, pending"),
        ("e3 50s a", "r cooling_down", ""),
        ("e4 59s999ms a", "r cooling_down", "one millisecond early"),
        ("e5 1m a", "r fire", "the cooldown's end is included (18)"),
        ("e6 1m1s a", "r same_episode", ""),
    ];
    story(&r, &steps);
    let shorts: Vec<&str> = steps.iter().map(|step| step.0).collect();
    let alert = told(&r, &shorts).alerts.into_iter().rfind(|alert| alert.kind == "opened").unwrap();
    assert_eq!((alert.episode_start, alert.time), (at("30s"), at("1m")));
    assert_eq!(alert.trigger, ("e5".to_string(), at("1m")));
}

#[test]
fn a_late_event_announces_at_the_leads_clock_with_its_own_time() {
    let r = rules(r#""rules": [{"id": "r", "when": {"signal": "a"}}]"#);
    let alert = told(&r, &["e1 10s {\"name\": \"x\"}", "e2 4s a"]).alerts.pop().unwrap();
    assert_eq!((alert.time, alert.episode_start), (at("10s"), at("10s")));
    assert_eq!(alert.trigger, ("e2".to_string(), at("4s")));
}

#[test]
fn a_held_single_occurrence_is_not_announced_later() {
    let r = rules(
        r#""suppress": {"s": {"when": {"signal": "c"}, "until": {"signal": "b"}}}, "rules": [
           {"id": "one", "when": {"any": [{"signal": "a"}, {"all": [{"signal": "b"}, {"signal": "a"}]}]}},
           {"id": "min", "when": {"count": {"signal": "a", "at_least": 1, "within": "1m"}}}]"#,
    );
    story(
        &r,
        &[
            ("e1 0s c", "", ""),
            ("e2 1s a", "one suppressed(s), min suppressed(s)", ""),
            ("e3 2s b", "one below_threshold", "b is named in it: touched, but a is over (19)"),
            ("e4 3s a", "one fire, min fire", "`min` was pending; `one` opened anew"),
        ],
    );
}

#[test]
fn decisions_follow_the_file() {
    let r = rules(
        r#""rules": [{"id": "z", "when": {"signal": "a"}}, {"id": "a", "when": {"signal": "a"}},
           {"id": "m", "when": {"not": {"signal": "a"}}}]"#,
    );
    let run = told(&r, &["e1 0s a"]);
    let order: Vec<&str> = run.decisions.iter().map(|d| d["rule"].as_str().unwrap()).collect();
    assert_eq!(order, ["z", "a", "m"]);
    let order: Vec<String> = run.alerts.into_iter().map(|alert| alert.rule).collect();
    assert_eq!(order, ["z", "a"]);
}
