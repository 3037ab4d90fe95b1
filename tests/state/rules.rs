//! Rules that are edited between two starts: what belongs to a name follows the name, what was counted follows what it
//! counts, and what the new file does not know is carried along.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use hotlead::codec::state;
use hotlead::core::engine::Engine;
use hotlead::core::names::Translation;
use hotlead::core::stored::Stored;

use super::changelog::{Changelog, Stage, Told, compile, try_compile};
use crate::properties::try_cases;
use crate::twin::generate::{Case, case};
use crate::twin::time;

const KEY: [&str; 1] = ["user_id"];
const START: i64 = 1_795_341_600_000;

/// So many seconds after the start lead `u1` sees a page or does something else.
fn event(seconds: i64, what: &str) -> Told {
    let time = time::text(START + seconds * 1000);
    let mut value = json!({"id": format!("{seconds}-{what}"), "time": time, "lead": {"user_id": "u1"}});
    match what.strip_prefix('/') {
        Some(_) => (value["type"], value["page"]) = ("page".into(), json!({"path": what})),
        None => (value["type"], value["name"]) = ("track".into(), what.into()),
    }
    Told::Line(value.to_string())
}

/// What fires, by the second of its event, when the process is restarted between files.
fn fired(parts: &[(&str, &[(i64, &str)])]) -> Vec<(i64, String)> {
    let (mut changelog, mut fired) = (Changelog::default(), Vec::new());
    for (rules, events) in parts {
        let mut stage = changelog.restore(&compile(rules), &KEY);
        for (at, what) in *events {
            let fires = stage.fires(&event(*at, what), *at as usize);
            fired.extend(fires.into_iter().map(|rule| (*at, rule)));
        }
        stage.engine.stage();
        changelog.write(&mut stage.engine);
    }
    fired
}

fn file(signals: &str, rest: &str) -> String {
    format!("version: 1\ngrace: 0s\nsignals:\n{signals}\n{rest}")
}

const VIEW: &str = "  view: { on: page, where: { page.path: /p } }";

fn count(id: &str, at_least: u32, within: &str, cooldown: &str) -> String {
    let when = format!("count: {{ signal: view, at_least: {at_least}, within: {within} }}");
    format!("  - {{ id: {id}, when: {{ {when} }}, cooldown: {cooldown} }}")
}

fn counting(at_least: u32, within: &str) -> String {
    file(VIEW, &format!("rules:\n{}", count("r", at_least, within, "0s")))
}

/// Views in these seconds.
fn views(seconds: &[i64]) -> Vec<(i64, &'static str)> {
    seconds.iter().map(|second| (*second, "/p")).collect()
}

/// Goal: whoever is in an episode when the rule's count is edited is not alerted again; once the count has seen its
/// whole window everything is as usual.
#[test]
fn an_edited_count_alerts_nobody_again_who_is_in_an_episode() {
    let old = counting(3, "60s");
    let r = |second| (second, "r".to_owned());
    #[rustfmt::skip]
    let rows = [
        (counting(3, "60s"),  vec![3, 4],                vec![],              "not edited at all"),
        (counting(2, "60s"),  vec![3, 4],                vec![],              "fewer"),
        (counting(4, "60s"),  vec![3, 4, 5],             vec![],              "one more than there were"),
        (counting(9, "60s"),  (3..30).collect(),         vec![],              "more than were remembered"),
        (counting(3, "30s"),  vec![3, 4, 5],             vec![],              "a shorter window"),
        (counting(3, "600s"), vec![3, 4, 5],             vec![],              "a longer window"),
        (counting(4, "60s"),  vec![5, 6, 62],            vec![],              "the last moment at which it is blind"),
        (counting(4, "60s"),  vec![6, 7, 8, 63],         vec![r(63)],         "and the first at which it is not"),
        (counting(2, "60s"),  vec![200, 201],            vec![r(201)],        "a later episode is a new one"),
        (counting(4, "60s"),  vec![3, 200, 201, 202, 203], vec![r(203)],      "also after one that was spared"),
    ];
    for (new, seconds, expected, why) in rows {
        let found = fired(&[(&old, &views(&[0, 1, 2])), (&new, &views(&seconds))]);
        assert_eq!(found, [vec![r(2)], expected].concat(), "{why}");
    }
}

/// Goal: a process that dies between the edit and the next commit changes nothing of that.
#[test]
fn what_is_spared_survives_a_restart() {
    let (old, new) = (counting(3, "60s"), counting(4, "60s"));
    let found = fired(&[
        (&old, &views(&[0, 1, 2])),
        (&new, &[]),
        (&new, &views(&[3])),
        (&new, &views(&[4])),
        (&new, &views(&[200, 201, 202, 203])),
    ]);
    assert_eq!(found, [(2, "r".to_owned()), (203, "r".to_owned())]);
}

/// Goal: whoever is in an episode when the rule's score is raised is not alerted again, until the score has fallen below
/// what the old file let it go on with. A page is worth 10 points, a leave takes 10 away.
#[test]
fn a_raised_score_alerts_nobody_again_who_is_in_an_episode() {
    let scored = |when: &str| {
        let signals = format!("{VIEW}\n  left: {{ on: track, name: Left }}");
        let points = "scoring:\n  points:\n    - { signal: view, points: 10 }\n    - { signal: left, points: -10 }";
        file(&signals, &format!("{points}\nrules:\n  - {{ id: r, when: {when}, cooldown: 0s }}"))
    };
    let score = |at_least: u32, rearm_below: u32| {
        scored(&format!("{{ score: {{ at_least: {at_least}, rearm_below: {rearm_below} }} }}"))
    };
    let (up, down) = (|second| (second, "/p"), |second| (second, "Left"));
    let old = score(30, 20);
    let r = |second| (second, "r".to_owned());
    let not = scored("{ all: [ { score: { at_least: 40, rearm_below: 40 } }, { not: { score: { at_least: 60 } } } ] }");
    #[rustfmt::skip]
    let rows = [
        (score(30, 20), vec![up(3), up(4)],                            vec![],      "not edited at all"),
        (score(40, 40), vec![up(3), up(4)],                            vec![],      "30 becomes 40, then 50: the same episode"),
        (score(40, 40), vec![down(3), up(4), up(5)],                   vec![],      "20 is what the old file let it go on with"),
        (score(40, 40), vec![down(3), down(4), up(5), up(6), up(7)],   vec![r(7)],  "10 is not: a later episode is a new one"),
        (score(40, 40), vec![down(3), down(4), up(5), up(6), up(7), down(8), up(9)], vec![r(7), r(9)], "which is not spared"),
        (score(20, 10), vec![down(3), up(4), up(5)],                   vec![],      "lowered: it goes on with less"),
        (not,           vec![up(3), up(4), up(5)],                     vec![],      "under a not it is no threshold to fall below"),
    ];
    for (new, events, expected, why) in rows {
        let found = fired(&[(&old, &[up(0), up(1), up(2)]), (&new, &events)]);
        assert_eq!(found, [vec![r(2)], expected.clone()].concat(), "{why}");
        let apart: Vec<[_; 1]> = events.iter().map(|event| [*event]).collect();
        let mut parts: Vec<(&str, &[_])> = vec![(&old, &[(0, "/p"), (1, "/p"), (2, "/p")])];
        parts.extend(apart.iter().map(|event| (new.as_str(), &event[..])));
        assert_eq!(fired(&parts), [vec![r(2)], expected].concat(), "{why}, restarted after each event");
    }
}

/// Goal: cooldown and episode belong to the rule's id, whatever else stands in the file.
#[test]
fn cooldowns_and_episodes_follow_the_rules_id() {
    let rules = |lines: &[String]| file(VIEW, &format!("rules:\n{}", lines.join("\n")));
    let [a, b, c] = ["a", "b", "c"].map(|id| count(id, 2, "60s", "1h"));
    let old = rules(&[a.clone(), b.clone()]);
    let later = views(&[300, 301]);
    #[rustfmt::skip]
    let rows = [
        (rules(&[a.clone(), b.clone()]),            vec![],         "not edited"),
        (rules(&[b.clone(), a.clone()]),            vec![],         "in another order"),
        (rules(&[c.clone(), b.clone(), a.clone()]), vec!["c"],      "another one in front: it alone is new"),
        (rules(std::slice::from_ref(&b)),           vec![],         "one less"),
        (rules(&[c.clone(), b.clone()]),            vec!["c"],      "renamed: a new rule"),
    ];
    for (new, expected, why) in rows {
        let found = fired(&[(&old, &views(&[0, 1])), (&new, &later)]);
        let ids: Vec<_> = found.iter().filter(|(at, _)| *at >= 300).map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids, expected, "{why}");
    }
    let without = rules(std::slice::from_ref(&b));
    let found = fired(&[(&old, &views(&[0, 1])), (&without, &views(&[100])), (&old, &later)]);
    assert!(found.iter().all(|(at, _)| *at < 300), "{found:?}: the cooldown of a rule that was away for a while");
}

/// Goal: a ring follows what it counts: another name of the signal, another place in the file.
#[test]
fn rings_follow_what_they_count() {
    let rule = |signal: &str| {
        format!("rules:\n  - {{ id: new, when: {{ count: {{ signal: {signal}, at_least: 3, within: 60s }} }} }}")
    };
    let old = file(VIEW, &format!("rules:\n{}", count("old", 3, "60s", "1h")));
    let renamed = VIEW.replace("view:", "seen:");
    let other = "  other: { on: page, where: { page.path: /q } }";
    let narrower = VIEW.replace("/p", "{ in: [/p], prefix: /p }");
    #[rustfmt::skip]
    let rows = [
        (file(&renamed, &rule("seen")),                     vec![2],    "renamed"),
        (file(&format!("{other}\n{VIEW}"), &rule("view")),  vec![2],    "another signal before it"),
        (file(&narrower, &rule("view")),                    vec![4],    "another filter starts anew"),
        (file(VIEW, &format!("{}\n  - {{ id: longer, when: {{ count: {{ signal: view, at_least: 4, within: 1h }} }} }}", rule("view"))),
                                                            vec![2, 3], "a second count takes over what the first saw"),
    ];
    for (new, expected, why) in rows {
        let found = fired(&[(&old, &views(&[0, 1])), (&new, &views(&[2, 3, 4]))]);
        assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected, "{why}: {found:?}");
    }
}

/// Goal: an edit of one points entry leaves what the others have earned.
#[test]
fn points_follow_their_entry() {
    let scoring = |entries: &str| {
        format!(
            "scoring:\n  points:\n{entries}\nrules:\n  - {{ id: r, when: {{ score: {{ at_least: 30 }} }}, cooldown: 0s }}"
        )
    };
    let signals = format!("{VIEW}\n  buy: {{ on: track, name: Buy }}\n  try: {{ on: track, name: Try }}");
    let [view, buy] = ["    - { signal: view, points: 10 }", "    - { signal: buy, points: 15 }"];
    let old = file(&signals, &scoring(&format!("{view}\n{buy}")));
    let was = [(0, "/p"), (1, "Buy")];
    #[rustfmt::skip]
    let rows = [
        (format!("{view}\n{buy}"),                                          true,  "10 + 15 and another 15"),
        (format!("{buy}\n{view}"),                                          true,  "in another order"),
        (format!("{view}\n{}", buy.replace("15", "20")),                    true,  "10 stay, the edited one starts anew: 20"),
        (format!("{view}\n{}", buy.replace("15", "19")),                    false, "10 stay, the edited one starts anew: 19"),
        (buy.to_owned(),                                                    true,  "without the other: twice 15"),
        (format!("    - {{ signal: try, points: 1 }}\n{buy}"),              true,  "another in its place"),
        (format!("{}\n{buy}", view.replace(" }", ", half_life: 1s }")),     true,  "an edited half-life starts anew: twice 15 are left"),
    ];
    for (entries, fires, why) in rows {
        let found = fired(&[(&old, &was), (&file(&signals, &scoring(&entries)), &[(2, "Buy")])]);
        assert_eq!(!found.is_empty(), fires, "{why}");
    }
    let without = file(&signals, &scoring(view));
    let found = fired(&[(&old, &was), (&without, &[(2, "Try"), (3, "/p")]), (&old, &[(4, "Buy")])]);
    assert_eq!(found, [(4, "r".to_owned())], "points of an entry that was away for a while: 10 + 15 + 10 + 15");
}

/// Goal: a latch belongs to the name of its suppression, which no flag shares.
#[test]
fn latches_follow_their_name() {
    let signals = format!("{VIEW}\n  apply: {{ on: track, name: Apply }}");
    let latch = "{ when: { signal: apply }, for: 1h }";
    let rules = format!("rules:\n{}", count("r", 1, "60s", "0s"));
    let old = file(&signals, &format!("suppress:\n  job: {latch}\n{rules}"));
    #[rustfmt::skip]
    let rows = [
        (format!("suppress:\n  other: {latch}\n  job: {latch}\n{rules}"),            false, "another before it"),
        (format!("suppress:\n  job: {{ when: {{ signal: apply }}, for: 2h }}\n{rules}"), false, "for longer"),
        (format!("suppress:\n  other: {latch}\n{rules}"),                            true,  "renamed"),
        (format!("flags:\n  job: {latch}\n{rules}"),                                 true,  "a flag of the same name"),
        (rules.clone(),                                                              true,  "gone"),
    ];
    for (new, fires, why) in rows {
        let found = fired(&[(&old, &[(0, "Apply")]), (&file(&signals, &new), &[(100, "/p")])]);
        assert_eq!(!found.is_empty(), fires, "{why}");
    }
    let without = file(&signals, &rules);
    let found = fired(&[(&old, &[(0, "Apply")]), (&without, &[(100, "/p")]), (&old, &[(200, "/p")])]);
    assert_eq!(found, [(100, "r".to_owned())], "a latch that was away for a while");
}

/// Goal: a part that is unknown to the present rules is one part, in whichever names it was stored. Method: two leads'
/// states in the names of two older files, both with a rule that the third file lacks and the fourth has again.
#[test]
fn an_unknown_part_is_the_same_part_in_all_names() {
    let rules = |ids: &[&str]| {
        // Of this one no lead ever has a part.
        let never = "  - { id: never, when: { trait: { name: country, exists: true } } }";
        let line = |id: &&str| if *id == "never" { never.to_owned() } else { count(id, 1, "60s", "1h") };
        let lines: Vec<_> = ids.iter().map(line).collect();
        compile(&file(VIEW, &format!("rules:\n{}", lines.join("\n"))))
    };
    let of = |told: &Told, lead: &str| match told {
        Told::Line(line) => Told::Line(line.replace("u1", lead)),
        Told::Erase(_) => told.clone(),
    };
    let mut changelog = Changelog::default();
    let mut play = |ids: &[&str], leads: &[&str], second: i64| -> Vec<String> {
        let mut stage = changelog.restore(&rules(ids), &KEY);
        let mut fires = Vec::new();
        for lead in leads {
            let told = of(&event(second, "/p"), lead);
            fires.extend(stage.fires(&told, second as usize).into_iter().map(|rule| format!("{lead} {rule}")));
        }
        stage.engine.stage();
        changelog.write(&mut stage.engine);
        fires
    };
    assert_eq!(play(&["x"], &["u1", "u2", "u3"], 0).len(), 3);
    // Both names are on the changelog before the first lead that is still written in them.
    assert_eq!(play(&["never", "x"], &["u1"], 1), [""; 0]);
    assert_eq!(play(&["x"], &["u2", "u3"], 2), [""; 0]);
    assert_eq!(play(&["b"], &["u1", "u2", "u3"], 100), ["u1 b", "u2 b", "u3 b"]);
    assert_eq!(play(&["x"], &["u1", "u2", "u3"], 200), [""; 0], "all three are in the cooldown of x");
}

/// Goal: the numbers that stand for filters are those that states have been written with. Method: they hash the text of
/// parsed filters; if this fails, stored counts and points would start anew with the next release.
#[test]
fn the_names_of_a_file_stay_what_they_are() {
    let rules = compile(
        "version: 1
signals:
  view: { on: page, where: { page.path: { prefix: [/pricing, /Plans], not: /pricing/faq } } }
  plan: { on: track, name: [Plan Selected, Plan Changed], where: { properties.seats: { at_least: 50, below: 1e3 } } }
  agent: { where: { user_agent: { matches: '(?i)phone|tablet' }, email: { exists: true }, context.paid: true } }
scoring: { points: [ { signal: plan, points: 7.5, half_life: 14d } ] }
suppress: { busy: { when: { signal: agent }, for: 1h } }
flags: { seen: { when: { count: { signal: agent, at_least: 2, within: 1d } } } }
rules: [ { id: surge, when: { count: { signal: view, at_least: 3, within: 1h } } } ]
",
    );
    let stage = Stage::new(&rules, &KEY);
    let (_, _, names) = state::names(stage.engine.names());
    let names: Value = serde_json::from_slice(&names[1..]).expect("JSON after the version");
    let expected: Value = serde_json::from_str(include_str!("names.json")).expect("JSON");
    assert_eq!(names, expected, "{names:#}");
}

/// Goal: the log can say which counts know nothing yet.
#[test]
fn counts_of_signals_that_nobody_has_counted_are_fresh() {
    let old = compile(&counting(3, "60s"));
    let edited = compile(&counting(5, "600s"));
    let other = compile(&file(
        &VIEW.replace("/p", "/q"),
        &format!("grace: 5m\nrules:\n{}", count("r", 3, "1h", "0s")).replace("grace: 5m\n", ""),
    ));
    let engine = |rules: &std::sync::Arc<_>| Engine::new(std::sync::Arc::clone(rules), super::changelog::origin());
    let from_old = |rules: &std::sync::Arc<_>| engine(rules).translation(engine(&old).names().clone());
    let fresh = |rules: &std::sync::Arc<_>| {
        let translation = from_old(rules);
        let fresh = Translation::fresh([&translation].into_iter(), rules);
        fresh.iter().map(|count| format!("{count:?}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(fresh(&old), "");
    assert_eq!(fresh(&edited), "", "it takes over what the old count saw");
    let hour = "Span(3600000)";
    let expected = format!("FreshCount {{ signal: \"view\", at_least: 3, within: {hour}, blind: {hour} }}");
    assert_eq!(fresh(&other), expected);
}

/// Of the counts that only the other file has, in rules and in words.
const OTHER_WITHIN: &str = "90s";
const OTHER_WINDOW: &str = "1 min 30 s";

/// What another file may look like: rules, counts and points of the first one gone, changed, in another order; no
/// suppressions and flags, which would switch with each event.
fn edited(rules: &str, edits: &[u8]) -> String {
    let mut edits = edits.iter().copied().cycle();
    let mut next = || edits.next().unwrap_or_default();
    let mut value: Value = serde_json::from_str(rules).expect("JSON");
    let file = value.as_object_mut().expect("an object");
    file.remove("suppress");
    file.remove("flags");
    let list = file.get_mut("rules").and_then(Value::as_array_mut).expect("rules");
    for rule in list.iter_mut() {
        rule.as_object_mut().expect("a rule").remove("despite");
        if next() % 3 == 0 {
            rule["id"] = format!("other-{}", rule["id"].as_str().unwrap_or_default()).into();
        }
        if next() % 3 == 0 {
            rule["when"] = json!({"count": {"signal": "s0", "at_least": 1 + next() % 5, "within": OTHER_WITHIN}});
        }
    }
    let by = usize::from(next()) % list.len();
    list.rotate_left(by);
    if next() % 2 == 0 {
        list.truncate(1);
    }
    if let Some(points) = file.get_mut("scoring").and_then(|scoring| scoring["points"].as_array_mut()) {
        let by = usize::from(next()) % points.len();
        points.rotate_left(by);
        if next() % 2 == 0 {
            points[0]["points"] = 3.into();
            points[0].as_object_mut().expect("an entry").remove("group");
        }
    }
    value.to_string()
}

/// Goal: A, then B, then A: A's own parts are as they were. Method: B touches every lead with an event that is nothing
/// to any rule, so that each is written in B's names; A alone takes in the same event.
#[test]
fn what_another_file_carries_along_comes_back_untouched() {
    let cases = (case(), vec(any::<u8>(), 16)).prop_map(|(case, edits)| {
        let case = Case { lead_key: vec!["user_id", "email", "anonymous_id"], ..case };
        Both { other: edited(&case.rules, &edits), case }
    });
    try_cases(cases, |both| {
        let Ok(first) = try_compile(&both.case.rules) else { return Ok(()) };
        let Ok(other) = try_compile(&both.other) else { return Ok(()) };
        let key = &both.case.lead_key;
        let mut stage = Stage::new(&first, key);
        for (at, line) in both.case.lines.iter().enumerate() {
            stage.step(&Told::Line(line.clone()), at);
        }
        let mut before = Changelog::default();
        stage.engine.stage();
        before.write(&mut stage.engine);
        let touched = |mut changelog: Changelog, rules: &_, by: &str| {
            let mut stage = changelog.restore(rules, key);
            for (at, stored) in before.stored().values().enumerate() {
                stage.step(&touch(stored, by), 1000 + at);
            }
            stage.engine.stage();
            changelog.write(&mut stage.engine);
            changelog
        };
        let ours = touched(touched(before.clone(), &other, "B"), &first, "A");
        let theirs = touched(touched(before.clone(), &first, "B"), &first, "A");
        let known = own_parts(&theirs, &first);
        let found = own_parts(&ours, &first);
        (known == found).then_some(()).ok_or_else(|| format!("as it was: {known:#?}\nafter B: {found:#?}"))
    });
}

struct Both {
    case: Case,
    other: String,
}

impl std::fmt::Debug for Both {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{:?}\n--- other rules\n{}", self.case, self.other)
    }
}

/// An event of a lead at its clock that only names its company.
fn touch(stored: &Stored, id: &str) -> Told {
    let lead = &stored.lead;
    let lead = if lead.contains('@') { json!({"email": lead}) } else { json!({"user_id": lead}) };
    let value = json!({"id": id, "time": stored.time, "type": "group", "traits": {"name": "Acme"}, "lead": lead});
    Told::Line(value.to_string())
}

/// What the rules know of each lead, without what latches do at every event.
fn own_parts(changelog: &Changelog, rules: &std::sync::Arc<hotlead::core::rule::RuleSet>) -> BTreeMap<String, Value> {
    let spec = rules.spec();
    let leads = changelog.stored().into_iter().map(|(lead, stored)| {
        let mut value = serde_json::to_value(stored).expect("JSON");
        let part = value.as_object_mut().expect("an object");
        part.remove("suppressions");
        part.remove("flags");
        part.remove("events");
        let rules = part.get_mut("episodes").and_then(Value::as_object_mut).expect("episodes");
        rules.retain(|id, _| spec.rules.iter().any(|rule| rule.id == *id));
        part.get_mut("counts")
            .and_then(Value::as_array_mut)
            .expect("counts")
            .retain(|count| count["within"] != OTHER_WINDOW);
        (lead, value)
    });
    leads.collect()
}
