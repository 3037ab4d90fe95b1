//! Sentences 13 to 15: points, groups, decay, rounding, re-arming.

use super::super::score::{Score, tenths};
use super::{rules, story, told};

/// One rule that always fires, so that an alert shows the score.
fn scored(scoring: &str, shorts: &[&str]) -> Score {
    let file = rules(&format!(
        r#""scoring": {scoring}, "rules": [{{"id": "r", "when": {{"any": [{{"score": {{"at_least": 1000}}}},
           {{"signal": "a"}}, {{"signal": "b"}}, {{"signal": "c"}}]}}, "cooldown": "0s"}}]"#
    ));
    told(&file, shorts).alerts.last().unwrap().score
}

#[test]
fn points_add_up_by_group() {
    let groups = r#""groups": {"g": {"cap": 20}}"#;
    let points = |half_life: &str| {
        format!(
            r#"{{{half_life} {groups}, "points": [
            {{"signal": "a", "points": 15, "group": "g"}}, {{"signal": "a", "points": 0.5}},
            {{"signal": "b", "points": -7.5, "half_life": "never"}},
            {{"signal": "c", "points": 8, "group": "g", "half_life": "never"}}]}}"#
        )
    };
    #[rustfmt::skip]
    let rows = [
        // default half-life        events                                behaviour, in tenths
        ("",                        vec!["1 0s a"],                       155),  // both entries of a
        ("",                        vec!["1 0s a", "2 9m a"],             210),  // 30 capped at 20, and twice 0.5
        ("",                        vec!["1 0s a", "2 0s b"],              80),
        ("",                        vec!["1 0s b", "2 0s b", "3 0s b"],  -225),  // no cap below
        (r#""half_life": "1h","#,   vec!["1 0s a", "2 1h c"],             158),  // 7.5 + 8 + 0.25: 15.75
        (r#""half_life": "1h","#,   vec!["1 0s c", "2 1h a"],             205),  // 23 capped, and 0.5
        (r#""half_life": "1h","#,   vec!["1 2h c", "2 0s a"],             119),  // late: 3.75 + 8 + 0.125
        (r#""half_life": "1h","#,   vec!["1 0s a", "2 0s a", "3 0s a", "4 2h c"], 196), // 11.25 + 8: the fading above the cap is unseen; 0.375
        (r#""half_life": "14d","#,  vec!["1 0s a", "2 6s a"],             210),
    ];
    for (half_life, shorts, expected) in rows {
        let score = scored(&points(half_life), &shorts);
        assert_eq!(score, Score { fit: 0, behaviour: expected }, "{half_life} {shorts:?}");
    }
}

#[test]
fn fit_stands_apart_and_never_fades() {
    let scoring = r#"{"half_life": "1s", "points": [{"signal": "a", "points": 4}], "fit": [
        {"trait": "plan", "in": ["pro"], "points": 10}, {"trait": "plan", "equals": "free", "points": -2.5},
        {"trait": "size", "at_least": 50, "at_most": 100, "points": 5},
        {"trait": "size", "exists": false, "points": 1}]}"#;
    #[rustfmt::skip]
    let rows = [
        (vec!["1 0s a"],                                                   10, 40),
        (vec!["1 0s {\"plan\": \"PRO\", \"size\": \"70\"}", "2 1h a"],    150, 40),
        (vec!["1 0s {\"plan\": \"free\", \"size\": 101}", "2 1h a"],      -25, 40),
        (vec!["1 9s {\"plan\": \"pro\"}", "2 8s {\"plan\": \"free\"}", "3 9s a"], 110, 40),
    ];
    for (shorts, fit, behaviour) in rows {
        assert_eq!(scored(scoring, &shorts), Score { fit, behaviour }, "{shorts:?}");
    }
}

#[test]
fn points_round_to_a_millionth_then_to_a_tenth() {
    #[rustfmt::skip]
    let rows = [
        (0.05, 1), (0.049_999_4, 0), (0.049_999_6, 1), (-0.05, -1), (-0.049_999_4, 0), (29.999_94, 300), (15.75, 158), (0.0, 0),
    ];
    for (points, expected) in rows {
        assert_eq!(tenths(points), expected, "{points}");
    }
}

#[test]
fn a_score_rearms_below_its_lower_threshold() {
    let file = |score: &str| {
        rules(&format!(
            r#""scoring": {{"points": [{{"signal": "a", "points": 10}}, {{"signal": "b", "points": -4}}]}},
               "rules": [{{"id": "r", "when": {{"score": {score}}}, "cooldown": "0s"}}]"#
        ))
    };
    let steps = |sixth, why| {
        [
            ("e1 0s a", "r fire", "10: exactly at the threshold"),
            ("e2 1s b", "r below_threshold", "6, the episode stays open (17)"),
            ("e3 2s a", sixth, why),
        ]
    };
    story(&file(r#"{"at_least": 10, "rearm_below": 6}"#), &steps("r same_episode", "6 is not below 6"));
    story(&file(r#"{"at_least": 10, "rearm_below": 6.1}"#), &steps("r fire", "6 is below 6.1"));
    story(&file(r#"{"at_least": 10}"#), &steps("r fire", "the default is the threshold"));
}
