//! Sentences 25 and 27: the lines of an alert, and of `--decisions`.

use super::super::Alert;
use super::super::evidence::Line;
use super::{at, rules, told};
use serde_json::json;

fn line(signal: &str, time: &str, points: i64) -> Line {
    Line { signal: Some(signal.to_string()), time: Some(at(time)), points }
}

#[test]
fn a_count_shows_its_newest_events_and_an_occurrence_its_own() {
    let r = rules(
        r#""scoring": {"half_life": "10s", "points": [{"signal": "a", "points": 8}]},
           "rules": [{"id": "r", "when": {"all": [{"signal": "b"},
             {"count": {"signal": "a", "at_least": 2, "within": "1m"}},
             {"not": {"count": {"signal": "c", "at_least": 1, "within": "1m"}}}]}}]"#,
    );
    let alert = told(&r, &["1 0s a", "2 20s a", "3 10s a", "4 30s b"]).alerts.pop().unwrap();
    assert_eq!(alert.evidence, [line("a", "10s", 20), line("a", "20s", 40), line("b", "30s", 0)]);
}

#[test]
fn the_evidence_of_a_score_adds_up_to_the_behaviour() {
    let r = rules(
        r#""scoring": {"half_life": "10s", "groups": {"g": {"cap": 10}}, "points": [
             {"signal": "a", "points": 8, "group": "g"}, {"signal": "b", "points": -1}]},
           "rules": [{"id": "r", "when": {"score": {"at_least": 9}}}]"#,
    );
    let alert = told(&r, &["1 0s b", "2 0s a", "3 10s a"]).alerts.pop().unwrap();
    let cap = Line { signal: None, time: None, points: -20 };
    // -0.5, 4, 8 and what the cap takes from 12; -0.5 + 10 = 9.5
    assert_eq!(alert.evidence, [line("b", "0s", -5), line("a", "0s", 40), line("a", "10s", 80), cap]);
    assert_eq!(alert.score.behaviour, 95);

    let r = rules(
        r#""scoring": {"points": [{"signal": "a", "points": 1}]},
           "rules": [{"id": "r", "when": {"score": {"at_least": 11}}}]"#,
    );
    let shorts: Vec<String> = (0..11).map(|i| format!("{i} {i}s a")).collect();
    let shorts: Vec<&str> = shorts.iter().map(String::as_str).collect();
    let alert = told(&r, &shorts).alerts.pop().unwrap();
    assert_eq!(alert.evidence.len(), 9, "the newest eight, and one for the earlier three");
    assert_eq!(alert.evidence[0], Line { signal: None, time: None, points: 30 });
    assert_eq!(alert.evidence[1], line("a", "3s", 10));
}

#[test]
fn lines_of_decisions_say_what_they_know() {
    let r = rules(r#""rules": [{"id": "r", "when": {"signal": "a"}}]"#);
    let decisions = told(&r, &["e1 5s a", "e2 3s a", "- 1s b"]).decisions;
    let expected = [
        json!({"lead": "u1", "rule": "r", "decision": "fire", "time": "2026-11-22T10:00:05.000Z", "event_id": "e1"}),
        json!({"lead": "u1", "rule": "r", "decision": "cooling_down", "time": "2026-11-22T10:00:05.000Z", "event_id": "e2"}),
        json!({"lead": "u1", "rule": null, "decision": "unmatched", "time": "2026-11-22T10:00:01.000Z", "event_id": "events.ndjson:3"}),
    ];
    assert_eq!(decisions, expected);
    let broken = super::run(&r, &["user_id"], &["{".to_string()], "-").decisions;
    let expected = json!({"lead": null, "rule": null, "decision": "dead_letter", "reason": "not_json", "time": null, "event_id": "-:1"});
    assert_eq!(broken, [expected]);
}

#[test]
fn an_alert_copies_what_its_rule_says_of_itself() {
    let r = rules(
        r#""rules": [{"id": "r", "when": {"signal": "a"}, "tier": "hot", "campaign": "spring"},
           {"id": "s", "when": {"signal": "a"}}]"#,
    );
    let said = |alert: Alert| (alert.tier, alert.campaign);
    let said: Vec<_> = told(&r, &["e1 0s a"]).alerts.into_iter().map(said).collect();
    assert_eq!(said, [(Some("hot".to_string()), Some("spring".to_string())), (None, None)]);
}
