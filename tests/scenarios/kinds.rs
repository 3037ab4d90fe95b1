//! What is told of an episode once it was announced: that it goes on, at most once a minute of the lead's clock, and that it
//! is over.

use serde_json::{Value, json};

use super::stage::{Stage, page, track, traits};
use super::{HOUR, MIN, SCORE, SURGE};

/// Runs the rows, each (milliseconds, event, what is decided, what is told, why).
fn tells(stage: &mut Stage, rows: Vec<(i64, Value, &str, &str, &str)>) {
    for (ms, event, said, told, why) in rows {
        let seen = (stage.event(ms, event.clone()), stage.told());
        assert_eq!(seen, (said.to_owned(), told.to_owned()), "at {ms} ms: {why}\n{event}");
    }
}

#[test]
fn a_busy_lead_is_told_of_once_a_minute() {
    let pricing = || page("/pricing");
    #[rustfmt::skip]
    let rows = vec![
        (0,            pricing(), "surge: below_threshold", "",              "one"),
        (0,            pricing(), "surge: below_threshold", "",              "two"),
        (MIN + 1,      pricing(), "surge: fire",            "opened surge",  "three"),
        (MIN + 1,      pricing(), "surge: same_episode",    "updated surge", "what opened it does not count: the first shows at once"),
        (2 * MIN - 1,  pricing(), "surge: same_episode",    "",              "the last millisecond of that minute"),
        (2 * MIN,      pricing(), "surge: same_episode",    "updated surge", "the first of the next"),
        (MIN,          pricing(), "surge: same_episode",    "",              "late: the clock stays in its minute"),
        (3 * MIN - 1,  pricing(), "surge: same_episode",    "",              "its last millisecond"),
        (50 * MIN,     track("Demo Requested"), "demo: fire", "opened demo", "another rule: nothing is added to surge"),
        (2 * MIN + 1,  pricing(), "surge: same_episode",    "updated surge", "late, but the clock is in a minute without one"),
        (4 * HOUR,     pricing(), "surge: below_threshold", "closed surge",  "found over"),
        (4 * HOUR,     pricing(), "surge: below_threshold", "",              "nobody closes it twice"),
        (4 * HOUR,     pricing(), "surge: fire",            "opened surge",  "and it opens anew"),
        (4 * HOUR,     pricing(), "surge: same_episode",    "updated surge", "of its own minute"),
    ];
    tells(&mut Stage::new(SURGE), rows);
}

#[test]
fn each_occurrence_closes_the_one_before() {
    let demo = || track("Demo Requested");
    #[rustfmt::skip]
    let rows = vec![
        (0,           demo(), "demo: fire",         "opened demo",              "the first"),
        (MIN,         demo(), "demo: cooling_down", "closed demo",              "the next one is not announced yet"),
        (2 * MIN,     demo(), "demo: cooling_down", "",                         "what was never announced closes in silence"),
        (HOUR,        demo(), "demo: fire",         "opened demo",              "announced"),
        (3 * HOUR,    demo(), "demo: fire",         "closed demo, opened demo", "one event: first what it closes"),
    ];
    let mut stage = Stage::new(SURGE);
    tells(&mut stage, rows);
    let [closed, opened] = stage.alerts() else { panic!("two") };
    assert_eq!((&*closed.reason, &*opened.reason), ("1 demo", "demo"), "{closed:?}");
    assert_eq!((closed.episode_start, opened.episode_start), (stage.at(HOUR), stage.at(3 * HOUR)));
    assert_eq!((closed.time, &closed.trigger), (opened.time, &opened.trigger));
    assert!(closed.evidence.is_empty(), "nothing speaks for it any more: {closed:?}");
}

const HELD: &str = "
grace: 0s
signals: { pricing: { on: page, where: { page.path: /pricing } }, rival: { on: track, name: Rival }, friend: { on: track, name: Friend } }
suppress: { competitor: { when: { signal: rival }, until: { signal: friend } } }
rules:
  - { id: surge, when: { count: { signal: pricing, at_least: 2, within: 1h } }, cooldown: 0s }
  - { id: always, when: { count: { signal: pricing, at_least: 2, within: 1h } }, cooldown: 0s, despite: [competitor] }
";

#[test]
fn a_suppression_holds_what_grows_and_not_what_ends() {
    let pricing = || page("/pricing");
    let both = "surge: same_episode, always: same_episode";
    #[rustfmt::skip]
    let rows = vec![
        (0,            pricing(),       "surge: below_threshold, always: below_threshold", "", "one"),
        (0,            pricing(),       "surge: fire, always: fire", "opened surge, opened always", "two"),
        (MIN,          track("Rival"),  "",   "",                              "touches no rule"),
        (MIN,          pricing(),       both, "updated always",                "held, but not for the rule that does not mind"),
        (MIN,          track("Friend"), "",   "",                              "lifted"),
        (MIN + 1,      pricing(),       both, "updated surge",                 "what was held took no minute"),
        (2 * MIN,      track("Rival"),  "",   "",                              "again"),
        (3 * HOUR,     pricing(),       "surge: below_threshold, always: below_threshold", "closed surge, closed always", "a card must not stay hot"),
        (3 * HOUR,     pricing(),       "surge: suppressed by competitor, always: fire", "opened always", "pending"),
        (6 * HOUR,     pricing(),       "surge: below_threshold, always: below_threshold", "closed always", "pending ones close in silence"),
    ];
    tells(&mut Stage::new(HELD), rows);
}

#[test]
fn a_score_is_told_of_when_something_is_added_to_it() {
    let country = |country: &str| traits(json!({ "country": country }));
    let mut stage = Stage::new(&SCORE.replace("in: [US]", "in: [US, DE]"));
    #[rustfmt::skip]
    tells(&mut stage, vec![
        (0,         country("US"),     "ready: below_threshold", "",              "fit 20"),
        (0,         track("Demo"),     "ready: below_threshold", "",              "50.5"),
        (0,         page("/pricing"),  "ready: below_threshold", "",              "65.5"),
        (0,         page("/pricing"),  "ready: fire",            "opened ready",  "80.5"),
        (MIN,       country("DE"),     "ready: same_episode",    "",              "another country, the same fit"),
        (MIN,       page("/careers"),  "ready: below_threshold", "",              "69.7: below the threshold nothing grows"),
        (2 * MIN,   track("Demo"),     "ready: same_episode",    "updated ready", "99.0"),
        (3 * MIN,   country("FR"),     "ready: same_episode",    "updated ready", "fit is gone, 78.3 are left"),
        (3 * MIN,   country("US"),     "ready: same_episode",    "",              "the same minute"),
        (9 * HOUR,  country("US"),     "",                       "",              "changes nothing: the rule is not touched"),
        (9 * HOUR,  page("/pricing"),  "ready: below_threshold", "closed ready",  "faded below its release"),
    ]);
    let closed = &stage.alerts()[0];
    assert_eq!((&*closed.reason, closed.score.total), ("score 10.2, below 50", 10.2));
    let printed: f64 = closed.evidence.iter().map(|line| line.points).sum();
    assert_eq!(format!("{printed:.1}"), format!("{:.1}", closed.score.behaviour), "before the event is in");
}

#[test]
fn a_trait_named_in_a_condition_adds_nothing() {
    let rules = "
signals: { seen: { on: page } }
rules: [ { id: r, when: { all: [ { count: { signal: seen, at_least: 1, within: 1h } }, { trait: { name: plan, exists: true } } ] }, cooldown: 0s } ]
";
    let plan = |plan: Value| traits(json!({ "plan": plan }));
    #[rustfmt::skip]
    let rows = vec![
        (0,       page("/"),          "r: below_threshold", "",          "no plan"),
        (0,       plan(json!("pro")), "r: fire",            "opened r",  "and now both"),
        (MIN,     plan(json!("max")), "r: same_episode",    "",          "it is so anyway"),
        (MIN,     page("/"),          "r: same_episode",    "updated r", "this is more of what it asks for"),
        (2 * MIN, plan(json!({})),    "r: same_episode",    "",          "an object exists, too"),
    ];
    tells(&mut Stage::new(rules), rows);
}

/// The last rule of the file opens before the first one: what a lead remembers is in no order.
#[test]
fn closed_come_first_and_in_the_order_of_the_file() {
    let rules = "
grace: 0s
signals: { seen: { on: page }, go: { on: track, name: Go } }
rules:
  - { id: z, when: { count: { signal: seen, at_least: 2, within: 1h } }, cooldown: 0s }
  - { id: m, when: { count: { signal: seen, at_least: 1, within: 2h } }, cooldown: 0s }
  - { id: a, when: { any: [ { signal: go }, { count: { signal: seen, at_least: 1, within: 1m } } ] }, cooldown: 0s }
";
    let mut stage = Stage::new(rules);
    #[rustfmt::skip]
    tells(&mut stage, vec![
        (0,          page("/"), "z: below_threshold, m: fire, a: fire",         "opened m, opened a",                      ""),
        (0,          page("/"), "z: fire, m: same_episode, a: same_episode",    "opened z, updated m, updated a",          ""),
        (HOUR + MIN, page("/"), "z: below_threshold, m: same_episode, a: fire", "closed z, closed a, updated m, opened a", ""),
    ]);
    let reasons: Vec<&str> = stage.alerts().iter().map(|alert| &*alert.reason).collect();
    let over = ["0 seens in 1 h, fewer than 2", "0 seens in 1 min, fewer than 1"];
    assert_eq!(reasons[..2], over, "no word of an occurrence that may never have been");
}

/// Goal: a reason is never false. Method: each kind of part that can be no longer so.
#[test]
fn what_is_no_longer_so_is_said_in_words() {
    let file = |when: &str| {
        format!(
            "grace: 0s
signals: {{ pricing_view: {{ on: page }}, demo_request: {{ on: track, name: Demo }}, call: {{ on: track, name: Call }} }}
scoring: {{ half_life: 1h, points: [ {{ signal: pricing_view, points: 35 }} ] }}
rules: [ {{ id: r, when: {when} }} ]\n"
        )
    };
    let (demo, call, intern) = (|| track("Demo"), || track("Call"), || traits(json!({ "job_title": "Intern" })));
    #[rustfmt::skip]
    let rows = [
        ("{ count: { signal: pricing_view, at_least: 2, within: 1h } }",
         vec![(0, page("/")), (MIN, page("/")), (HOUR + 1, page("/"))], "1 pricing view in 1 h, fewer than 2"),
        ("{ count: { signal: pricing_view, at_least: 3, within: 1h } }",
         vec![(0, page("/")), (MIN, page("/")), (MIN, page("/")), (HOUR + 1, page("/"))], "2 pricing views in 1 h, fewer than 3"),
        ("{ score: { at_least: 70, rearm_below: 60.5 } }",
         vec![(0, page("/")), (0, page("/")), (HOUR, page("/"))], "score 35, below 60.5"),
        ("{ signal: demo_request }", vec![(0, demo()), (1, demo())], "1 demo request"),
        ("{ any: [ { signal: demo_request }, { signal: call } ] }", vec![(0, call()), (1, demo())], "1 demo request or call"),
        ("{ any: [ { signal: demo_request }, { score: { at_least: 70 } } ] }",
         vec![(0, page("/")), (0, page("/")), (HOUR, demo())], "score 35, below 70"),
        ("{ all: [ { signal: demo_request }, { trait: { name: job_title, equals: VP } } ] }",
         vec![(0, traits(json!({ "job_title": "VP" }))), (1, demo()), (2, intern()), (3, demo())], "1 demo request"),
        ("{ all: [ { count: { signal: call, at_least: 1, within: 1d } }, { trait: { name: job_title, exists: false } } ] }",
         vec![(0, call()), (1, intern()), (2, call())], "job title Intern, not as wanted"),
        ("{ all: [ { count: { signal: call, at_least: 1, within: 1d } }, { not: { trait: { name: job_title, equals: Intern } } } ] }",
         vec![(0, call()), (1, intern()), (2, call())], "job title Intern"),
        ("{ all: [ { count: { signal: call, at_least: 1, within: 1d } }, { not: { count: { signal: pricing_view, at_least: 2, within: 1h } } } ] }",
         vec![(0, call()), (MIN, page("/")), (2 * MIN, page("/")), (3 * MIN, call())], "2 pricing views in 1 min"),
    ];
    for (when, events, reason) in rows {
        let mut stage = Stage::new(&file(when));
        let reasons = events.into_iter().flat_map(|(ms, event)| {
            stage.event(ms, event);
            stage
                .alerts()
                .iter()
                .filter(|alert| alert.kind.name() == "closed")
                .map(|a| a.reason.clone())
                .collect::<Vec<_>>()
        });
        assert_eq!(reasons.collect::<Vec<_>>(), [reason], "{when}");
    }
}

#[test]
fn a_lead_that_is_forgotten_closes_nothing() {
    let mut stage = Stage::new(&format!("forget_after: 1d\n{SURGE}"));
    #[rustfmt::skip]
    tells(&mut stage, vec![
        (0,             track("Demo Requested"), "demo: fire", "opened demo", ""),
        (24 * HOUR + 1, track("Demo Requested"), "demo: fire", "opened demo", "it starts anew"),
    ]);
}

/// Goal: ids are the same on any replay and differ from one another.
#[test]
fn ids_tell_kinds_minutes_and_episodes_apart() {
    let run = || {
        let mut stage = Stage::new(SURGE);
        let times = [0, 0, 0, 1, MIN, MIN + 1, 2 * MIN, 5 * HOUR, 5 * HOUR, 5 * HOUR, 5 * HOUR];
        let told = times.into_iter().flat_map(|ms| {
            stage.event(ms, page("/pricing"));
            stage.alerts().iter().map(|alert| (alert.kind.name(), alert.id)).collect::<Vec<_>>()
        });
        told.collect::<Vec<_>>()
    };
    let told = run();
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["opened", "updated", "updated", "updated", "closed", "opened", "updated"]);
    let ids: std::collections::BTreeSet<_> = told.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), told.len());
    assert_eq!(run(), told);
}
