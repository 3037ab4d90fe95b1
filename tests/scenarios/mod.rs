//! Leads' lives, read top to bottom: each row one event, what was decided, and why. Every boundary of rules.md has a row
//! on it and one a step past it.

mod evidence;
mod kinds;
mod stage;

use serde_json::json;
use stage::{Stage, page, track, traits, with_id};

const MIN: i64 = 60_000;
const HOUR: i64 = 60 * MIN;

/// Runs the rows, each (milliseconds, event, what is said, why).
fn plays(stage: &mut Stage, rows: Vec<(i64, serde_json::Value, &str, &str)>) {
    for (ms, event, said, why) in rows {
        assert_eq!(stage.event(ms, event.clone()), said, "at {ms} ms: {why}\n{event}");
    }
}

const SURGE: &str = "
grace: 0s
signals: { pricing: { on: page, where: { page.path: { prefix: /pricing } } }, demo: { on: track, name: Demo Requested } }
rules:
  - { id: surge, when: { count: { signal: pricing, at_least: 3, within: 1h } }, cooldown: 2h }
  - { id: demo, when: { signal: demo }, cooldown: 1h }
";

#[test]
fn a_window_opens_an_episode_and_time_ends_it() {
    let pricing = || page("/pricing");
    #[rustfmt::skip]
    let rows = vec![
        (0,            pricing(), "surge: below_threshold", "one"),
        (HOUR - 1,     pricing(), "surge: below_threshold", "two"),
        (HOUR,         pricing(), "surge: fire",            "three, both ends of the hour included"),
        (HOUR,         pricing(), "surge: same_episode",    "hotter, but the same episode"),
        (2 * HOUR,     pricing(), "surge: cooling_down",    "only two were left before this event: a new episode"),
        (3 * HOUR + 1, pricing(), "surge: below_threshold", "cold: the episode ended"),
        (3 * HOUR + 2, pricing(), "surge: below_threshold", "warm"),
        (3 * HOUR + 3, pricing(), "surge: fire",            "hot again, and the cooldown of 2h after 1h is over"),
    ];
    plays(&mut Stage::new(SURGE), rows);
}

#[test]
fn a_cooldown_holds_and_then_lets_go_at_its_very_end() {
    let demo = || track("Demo Requested");
    let pricing = || page("/pricing");
    #[rustfmt::skip]
    let rows = vec![
        (0,        demo(),    "demo: fire",            "at once"),
        (0,        demo(),    "demo: cooling_down",    "each occurrence is an episode of its own"),
        (HOUR - 1, demo(),    "demo: cooling_down",    "one millisecond early"),
        (HOUR,     demo(),    "demo: fire",            "the cooldown's end is included"),
        (HOUR,     pricing(), "surge: below_threshold", "other rules know nothing of it"),
    ];
    plays(&mut Stage::new(SURGE), rows);
    let short = SURGE.replace("within: 1h", "within: 10m");
    #[rustfmt::skip]
    let rows = vec![
        (0,                pricing(), "surge: below_threshold", "one"),
        (1,                pricing(), "surge: below_threshold", "two"),
        (2,                pricing(), "surge: fire",            "three"),
        (HOUR,             pricing(), "surge: below_threshold", "the episode ended"),
        (HOUR + 1,         pricing(), "surge: below_threshold", "two"),
        (2 * HOUR - 2 * MIN, pricing(), "surge: below_threshold", "one"),
        (2 * HOUR - MIN,   pricing(), "surge: below_threshold", "two"),
        (2 * HOUR + 1,     pricing(), "surge: cooling_down",    "three, a millisecond before two hours after the alert: pending"),
        (2 * HOUR + 2,     pricing(), "surge: fire",            "announced by the first touching event after the hold"),
    ];
    plays(&mut Stage::new(&short), rows);
}

#[test]
fn an_event_up_to_grace_late_counts_as_if_in_time() {
    let rules = SURGE.replace("grace: 0s", "grace: 5m");
    let pricing = || page("/pricing");
    #[rustfmt::skip]
    let rows = vec![
        (0,                  pricing(), "surge: below_threshold", "one"),
        (HOUR,               pricing(), "surge: below_threshold", "two"),
        (HOUR + 5 * MIN,     track("Demo Requested"), "demo: fire", "the clock goes on"),
        (30 * MIN,           pricing(), "surge: fire",            "35 min late by its own time, but the window ended at most 5 min ago"),
    ];
    plays(&mut Stage::new(&rules), rows);
    #[rustfmt::skip]
    let rows = vec![
        (0,                  pricing(), "surge: below_threshold", "one"),
        (HOUR,               pricing(), "surge: below_threshold", "two"),
        (HOUR + 5 * MIN + 1, track("Demo Requested"), "demo: fire", "a millisecond more"),
        (30 * MIN,           pricing(), "surge: below_threshold", "too late"),
    ];
    plays(&mut Stage::new(&rules), rows);
}

const SCORE: &str = "
signals: { pricing: { on: page, where: { page.path: /pricing } }, demo: { on: track, name: Demo }, careers: { on: page, where: { page.path: /careers } } }
scoring:
  half_life: 1h
  groups: { web: { cap: 40 } }
  points: [ { signal: pricing, points: 15, group: web }, { signal: demo, points: 30.5 }, { signal: careers, points: -10, half_life: never } ]
  fit: [ { trait: country, in: [US], points: 20 } ]
rules: [ { id: ready, when: { score: { at_least: 70, rearm_below: 50 } }, cooldown: 0s } ]
";

#[test]
fn a_score_fires_at_its_threshold_and_rearms_below_another() {
    let mut stage = Stage::new(SCORE);
    #[rustfmt::skip]
    plays(&mut stage, vec![
        (0, traits(json!({ "country": "us" })), "ready: below_threshold", "fit 20"),
        (0, page("/pricing"),                   "ready: below_threshold", "35"),
        (0, page("/pricing"),                   "ready: below_threshold", "50"),
        (0, page("/pricing"),                   "ready: below_threshold", "60: the cap of 40"),
        (0, page("/careers"),                   "ready: below_threshold", "50: a cap hides no negative points"),
        (0, track("Demo"),                      "ready: fire",            "80.5"),
    ]);
    let score = stage.alerts()[0].score;
    assert_eq!((score.total, score.fit, score.behaviour), (80.5, 20.0, 60.5));
    let printed: f64 = stage.alerts()[0].evidence.iter().map(|line| line.points).sum();
    assert_eq!(printed, 60.5);
    #[rustfmt::skip]
    plays(&mut stage, vec![
        (30 * MIN, page("/pricing"), "ready: below_threshold", "20 + 40 + 21.6 at the threshold no more, but over the release"),
    ].into_iter().map(|(ms, event, _, why)| (ms, event, "ready: same_episode", why)).collect());
    #[rustfmt::skip]
    plays(&mut stage, vec![
        (HOUR,     track("Demo"),                      "ready: same_episode",    "still over"),
        (3 * HOUR, traits(json!({ "country": "DE" })), "ready: below_threshold", "fit gone, points faded: the episode ended before"),
        (3 * HOUR, track("Demo"),                      "ready: below_threshold", "30.5 and crumbs"),
        (3 * HOUR, track("Demo"),                      "ready: fire",            "hot again"),
    ]);
}

#[test]
fn points_seconds_apart_are_not_lost_to_rounding() {
    let rules =
        SCORE.replace("half_life: 1h", "half_life: 14d").replace("at_least: 70, rearm_below: 50", "at_least: 30");
    let mut stage = Stage::new(&rules);
    stage.event(0, page("/pricing"));
    assert_eq!(stage.event(6_000, page("/pricing")), "ready: fire", "15 + 15 six seconds apart is 30");
}

const HOLDS: &str = "
signals: { demo: { on: track, name: Demo }, careers: { on: page, where: { page.path: /careers } }, ended: { on: track, name: Ended }, started: { on: track, name: Started }, out: { on: track, name: Out }, back: { on: track, name: Back } }
suppress:
  applicant:  { when: { count: { signal: careers, at_least: 2, within: 1d } }, for: 1h }
  competitor: { when: { trait: { name: email_domain, in: [rival.example] } } }
  ended:      { when: { signal: ended }, until: { signal: started } }
flags: { unsubscribed: { when: { signal: out }, until: { signal: back }, says: call } }
rules:
  - { id: twice, when: { count: { signal: demo, at_least: 2, within: 7d } }, cooldown: 0s, despite: [ended] }
  - { id: demo, when: { signal: demo }, cooldown: 0s }
";

#[test]
fn suppressions_hold_say_who_and_let_go() {
    let mut stage = Stage::new(HOLDS);
    let demo = || track("Demo");
    #[rustfmt::skip]
    plays(&mut stage, vec![
        (0,            demo(),            "twice: below_threshold, demo: fire", "one"),
        (1,            track("Ended"),    "",                                   "touches no rule"),
        (2,            demo(),            "twice: fire, demo: suppressed by ended", "despite the one, held by it the other"),
        (3,            track("Started"),  "",                                   "lifted; a held occurrence is not announced later"),
        (4,            demo(),            "twice: same_episode, demo: fire",    "and the next one rings"),
        (5,            page("/careers"),  "",                                   "one"),
        (6,            page("/careers"),  "",                                   "two: a latch for an hour from here"),
        (HOUR + 5,     demo(),            "twice: same_episode, demo: suppressed by applicant", "a millisecond before its end"),
    ]);
    assert_eq!(stage.event(HOUR + 6, traits(json!({ "email": " Dana@Rival.Example " }))), "", "a trait no rule names");
    assert_eq!(
        stage.event(HOUR + 6, demo()),
        "twice: same_episode, demo: suppressed by applicant",
        "any applied event that leaves its condition true renews a latch"
    );
}

#[test]
fn a_latch_ends_its_span_after_the_event_that_set_it() {
    let rules = "
signals: { demo: { on: track, name: Demo }, asked: { on: track, name: Asked } }
suppress: { rest: { when: { signal: asked }, for: 1h } }
rules: [ { id: demo, when: { signal: demo }, cooldown: 0s } ]
";
    let demo = || track("Demo");
    #[rustfmt::skip]
    plays(&mut Stage::new(rules), vec![
        (0,        track("Asked"), "",                         "touches no rule"),
        (0,        demo(),         "demo: suppressed by rest", "its start is included"),
        (HOUR - 1, demo(),         "demo: suppressed by rest", "a millisecond before its end"),
        (HOUR,     demo(),         "demo: fire",               "its end is not included"),
    ]);
}

#[test]
fn a_competitor_is_held_as_long_as_it_is_one() {
    let mut stage = Stage::new(HOLDS);
    #[rustfmt::skip]
    plays(&mut stage, vec![
        (0, traits(json!({ "email": "a@rival.example" })), "", "a competitor"),
        (1, track("Demo"), "twice: below_threshold, demo: suppressed by competitor", "held"),
        (2, track("Demo"), "twice: suppressed by competitor, demo: suppressed by competitor", "both"),
        (3, traits(json!({ "email": "a@acme.example" })), "", "a new job"),
        (4, track("Demo"), "twice: fire, demo: fire", "the pending episode is announced"),
    ]);
    assert_eq!(stage.alerts()[0].episode_start.as_millis() - stage::START, 2, "it opened when it was held");
}

#[test]
fn a_late_event_does_not_switch_what_a_newer_one_switched() {
    let mut stage = Stage::new(HOLDS);
    stage.event(10, track("Out"));
    stage.event(20, track("Back"));
    stage.event(15, track("Out"));
    stage.event(30, track("Demo"));
    assert!(stage.alerts()[0].flags.is_empty(), "the newest mark by event time stands");
    stage.event(31, track("Out"));
    stage.event(31, track("Demo"));
    assert_eq!(
        (&stage.alerts()[0].flags[..], &stage.alerts()[0].flag_texts[..]),
        (&["unsubscribed".to_owned()][..], &["call".to_owned()][..])
    );
}

#[test]
fn an_id_counts_once_among_the_newest_sixteen() {
    let rules = "
signals: { any: { on: page }, far: { on: page, where: { page.path: /far } } }
rules: [ { id: r, when: { count: { signal: far, at_least: 2, within: 1h } } }, { id: all, when: { count: { signal: any, at_least: 1, within: 1s } } } ]
";
    let mut stage = Stage::new(rules);
    stage.event(0, with_id(page("/far"), "in a ring"));
    stage.event(0, with_id(page("/"), "first"));
    for n in 0..15 {
        stage.event(10 + n, page("/"));
    }
    assert_eq!(stage.event(20, with_id(page("/"), "first")), "duplicate", "the sixteenth newest");
    stage.event(30, page("/"));
    assert_eq!(stage.event(31, with_id(page("/"), "first")), "all: same_episode", "the seventeenth is forgotten");
    assert_eq!(stage.event(32, with_id(page("/"), "in a ring")), "duplicate", "a ring's entry is not");
}

#[test]
fn a_time_ahead_of_its_record_is_clamped_to_it() {
    let mut stage = Stage::new(SURGE);
    stage.event_on_record(5 * MIN, page("/pricing"), Some(0));
    assert_eq!((stage.clock(), stage.clamped()), (5 * MIN, false), "exactly five minutes ahead stays");
    let mut stage = Stage::new(SURGE);
    stage.event_on_record(5 * MIN + 1, page("/pricing"), Some(0));
    assert_eq!((stage.clock(), stage.clamped()), (0, true), "a millisecond more is clamped");
    stage.event(HOUR, page("/pricing"));
    assert_eq!((stage.clock(), stage.clamped()), (HOUR, false), "without a timestamp nothing is");
}

#[test]
fn a_lead_silent_for_too_long_starts_anew() {
    let rules = format!("forget_after: 10m\n{SURGE}").replace("cooldown: 1h", "cooldown: 30d");
    let demo = || track("Demo Requested");
    #[rustfmt::skip]
    plays(&mut Stage::new(&rules), vec![
        (0,            with_id(demo(), "a"), "demo: fire",         "first"),
        (10 * MIN,     demo(),               "demo: cooling_down", "exactly forget_after later: remembered"),
        (20 * MIN + 1, with_id(demo(), "a"), "demo: fire",         "a millisecond more: cooldown and ids are gone"),
    ]);
}

#[test]
fn what_says_nothing_new_is_unmatched_and_moves_no_clock() {
    let rules = format!("{SURGE}ignore: {{ bot: {{ where: {{ user_agent: {{ contains: BOT }} }} }} }}\n");
    let mut stage = Stage::new(&rules);
    #[rustfmt::skip]
    plays(&mut stage, vec![
        (10, traits(json!({ "company": "Acme" })), "", "a trait that every alert shows is read"),
        (5,  traits(json!({ "company": "Old" })), "unmatched", "older than what is remembered"),
        (10, traits(json!({ "company": "Acme" })), "", "of equal times the later applied wins: applied"),
        (99, traits(json!({ "shoe": "42" })), "unmatched", "no one reads it"),
        (99, traits(json!({ "company": " " })), "unmatched", "blank is absent"),
        (99, page("/blog"), "unmatched", "no signal"),
        (99, json!({ "type": "page", "page": { "path": "/pricing" }, "user_agent": "Googlebot" }), "ignored by bot", "ignored"),
        (11, page("/pricing"), "surge: below_threshold", "the clock stands at 10"),
    ]);
    assert_eq!(stage.clock(), 11);
    assert_eq!(stage.leads(), 1);
    stage.event(12, json!({ "type": "page", "page": { "path": "/blog" }, "lead": { "user_id": "u2" } }));
    assert_eq!(stage.leads(), 1, "an unmatched event leaves no state");
    stage.event(12, json!({ "type": "page", "page": { "path": "/pricing" }, "lead": { "user_id": "u2" } }));
    assert_eq!(stage.leads(), 2);
}

#[test]
fn the_reason_is_one_sentence_with_numbers() {
    let mut stage = Stage::new(SURGE);
    stage.event(0, page("/pricing"));
    stage.event(20 * MIN, page("/pricing/teams"));
    stage.event(41 * MIN, page("/pricing"));
    let alert = &stage.alerts()[0];
    assert_eq!(alert.reason, "3 pricings in 41 min");
    let labels: Vec<&str> = alert.evidence.iter().map(|line| line.label.as_str()).collect();
    assert_eq!(labels, ["/pricing", "/pricing/teams", "/pricing"]);
    assert_eq!(alert.trigger.source, "events:3");
}
