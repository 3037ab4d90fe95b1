//! Sentences 21 to 24: suppressions and flags.

use super::{rules, story, told};

/// A rule that wants to fire at every a, with `sections` before it.
fn ringing(sections: &str) -> super::Rules {
    rules(&format!(r#"{sections}, "rules": [{{"id": "r", "when": {{"signal": "a"}}, "cooldown": "0s"}}]"#))
}

#[test]
fn without_for_and_until_it_holds_while_it_is_true() {
    let r = ringing(r#""suppress": {"s": {"when": {"trait": {"name": "plan", "equals": "free"}}}}"#);
    story(
        &r,
        &[
            ("e1 0s a", "r fire", ""),
            ("e2 1s {\"plan\": \"free\"}", "", "touches no rule (16)"),
            ("e3 2s a", "r suppressed(s)", ""),
            ("e4 3s {\"plan\": \"pro\"}", "", ""),
            ("e5 4s a", "r fire", ""),
        ],
    );
}

#[test]
fn an_event_holds_its_own_alert_and_for_ends_before_its_last_instant() {
    let r = ringing(
        r#""suppress": {"s": {"when": {"all": [{"signal": "a"}, {"trait": {"name": "plan", "exists": true}}]}, "for": "10s"}}"#,
    );
    story(
        &r,
        &[
            ("e1 0s a", "r fire", ""),
            ("e2 1s {\"plan\": 1}", "", "no a in this one: nothing is switched on"),
            ("e3 2s a", "r suppressed(s)", "its own suppression (21)"),
        ],
    );
    let r = ringing(r#""suppress": {"s": {"when": {"signal": "b"}, "for": "10s"}}"#);
    story(
        &r,
        &[
            ("e1 0s b", "", ""),
            ("e2 9s999ms a", "r suppressed(s)", ""),
            ("e3 10s a", "r fire", "[start, start + duration)"),
            ("e4 20s b", "", ""),
            ("e5 25s b", "", "renews"),
            ("e6 34s a", "r suppressed(s)", ""),
            ("e7 24s b", "", "older than the mark: it changes nothing"),
            ("e8 34s999ms a", "r suppressed(s)", ""),
            ("e9 35s a", "r fire", ""),
        ],
    );
}

#[test]
fn the_newest_mark_by_event_time_stands() {
    let r = ringing(r#""suppress": {"s": {"when": {"signal": "b"}, "until": {"signal": "c"}}}"#);
    story(
        &r,
        &[
            ("e1 10s b", "", "on at 10s"),
            ("e2 9s c", "", "off at 9s: older"),
            ("e3 11s a", "r suppressed(s)", ""),
            ("e4 10s c", "", "of equal times the one applied last"),
            ("e5 12s a", "r fire", ""),
            ("e6 9s b", "", "on at 9s: older than the off"),
            ("e7 12s a", "r fire", ""),
        ],
    );
}

#[test]
fn until_wins_over_when_in_one_event() {
    let r = ringing(
        r#""suppress": {"s": {"when": {"count": {"signal": "b", "at_least": 1, "within": "1h"}}, "until": {"signal": "c"}}}"#,
    );
    story(
        &r,
        &[
            ("e1 0s b", "", "on"),
            ("e2 1s c", "", "`when` is still true, `until` too: off"),
            ("e3 2s a", "r suppressed(s)", "any applied event that leaves `when` true switches on"),
        ],
    );
}

#[test]
fn the_first_in_the_file_that_is_not_in_despite_is_named() {
    let r = rules(
        r#""suppress": {"z": {"when": {"signal": "b"}, "for": "1h"}, "m": {"when": {"signal": "c"}, "for": "1h"}},
           "rules": [{"id": "r", "when": {"signal": "a"}, "cooldown": "0s"},
                     {"id": "d", "when": {"signal": "a"}, "cooldown": "1m", "despite": ["z"]}]"#,
    );
    story(
        &r,
        &[
            ("e1 0s b", "", ""),
            ("e2 1s a", "r suppressed(z), d fire", ""),
            ("e3 1s c", "", ""),
            ("e4 2s a", "r suppressed(z), d suppressed(m)", "suppressed comes before cooling_down (17)"),
        ],
    );
}

#[test]
fn an_alert_bears_the_flags_in_force_in_file_order() {
    let r = ringing(
        r#""flags": {"z": {"when": {"signal": "b"}, "until": {"signal": "c"}, "says": "z"},
                     "g": {"when": {"signal": "a"}, "for": "1s", "says": "g"}}"#,
    );
    let alerts = told(&r, &["e1 0s a", "e2 1s b", "e3 2s a", "e4 3s c", "e5 4s a"]).alerts;
    let flags: Vec<String> = alerts.iter().map(|alert| format!("{} {}", alert.kind, alert.flags.concat())).collect();
    assert_eq!(
        flags,
        ["opened g", "closed z", "opened zg", "closed ", "opened g"],
        "of what closes: as before the event"
    );
}
