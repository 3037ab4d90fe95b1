//! Random rules files, all free of faults.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// Names that stand in the file in another order than in the alphabet.
const SUPPRESSIONS: [&str; 2] = ["z_hold", "a_hold"];
const FLAGS: [&str; 2] = ["y_flag", "b_flag"];

/// What conditions may speak of.
#[derive(Clone, Copy)]
struct Scope {
    signals: usize,
    scoring: bool,
    /// Whether `{signal: x}` is allowed.
    occurrences: bool,
    /// Whether a score may have `rearm_below`: not in suppressions, not under `not`.
    rearm: bool,
}

/// The text of a rules file.
pub fn rules() -> impl Strategy<Value = String> {
    (2usize..=5, any::<bool>()).prop_flat_map(|(signals, scoring)| {
        let scope = Scope { signals, scoring, occurrences: true, rearm: true };
        let parts = (
            settings(),
            vec(select(patterns()), signals),
            ignore(),
            scoring_section(scope),
            vec(latch(scope), 0..=2),
            vec(latch(scope), 0..=2),
            vec(rule(scope), 1..=5),
        );
        parts.prop_map(move |parts| file(parts, scoring))
    })
}

type Parts = (Vec<(String, Value)>, Vec<Value>, Vec<(String, Value)>, Value, Vec<Value>, Vec<Value>, Vec<Value>);

fn file(parts: Parts, scoring: bool) -> String {
    let (settings, patterns, ignore, score, suppress, flags, rules) = parts;
    let suppressions = suppress.len();
    let mut sections = vec![("version".to_string(), "1".to_string())];
    sections.extend(settings.into_iter().map(|(key, value)| (key, value.to_string())));
    let names = (0..).map(|i| format!("s{i}"));
    sections.push(("signals".into(), in_order(names.zip(patterns))));
    if !ignore.is_empty() {
        sections.push(("ignore".into(), in_order(ignore.into_iter())));
    }
    if scoring {
        sections.push(("scoring".into(), score.to_string()));
    }
    if !suppress.is_empty() {
        let named = SUPPRESSIONS.map(String::from).into_iter().zip(suppress);
        sections.push(("suppress".into(), in_order(named)));
    }
    if !flags.is_empty() {
        let said = flags.into_iter().map(|mut flag| {
            flag["says"] = "call, don't mail".into();
            flag
        });
        sections.push(("flags".into(), in_order(FLAGS.map(String::from).into_iter().zip(said))));
    }
    let rules: Vec<String> =
        rules.into_iter().enumerate().map(|(i, rule)| finished_rule(i, rule, suppressions).to_string()).collect();
    sections.push(("rules".into(), format!("[\n  {}\n]", rules.join(",\n  "))));
    let sections: Vec<String> = sections.into_iter().map(|(key, text)| format!("\"{key}\": {text}")).collect();
    format!("{{{}}}", sections.join(",\n"))
}

/// A map's text with its entries as they come: `serde_json` would sort them.
fn in_order(entries: impl Iterator<Item = (String, Value)>) -> String {
    let entries: Vec<String> = entries.map(|(name, value)| format!("\n  \"{name}\": {value}")).collect();
    format!("{{{}\n}}", entries.join(","))
}

fn finished_rule(i: usize, mut rule: Value, suppressions: usize) -> Value {
    // Ids that are not in the order of the alphabet either.
    rule["id"] = format!("{}-rule", ["q", "c", "m", "a", "x"][i]).into();
    let despite = rule.as_object_mut().unwrap().remove("despite").unwrap_or_default();
    let known: Vec<Value> = SUPPRESSIONS[..suppressions]
        .iter()
        .map(|name| json!(name))
        .filter(|name| despite.as_array().is_some_and(|names| names.contains(name)))
        .collect();
    if !known.is_empty() {
        rule["despite"] = known.into();
    }
    rule
}

fn settings() -> impl Strategy<Value = Vec<(String, Value)>> {
    let grace = choice(&["0s", "1s", "10s", "1m", "5m"], true);
    let skew = choice(&["0s", "10s"], true);
    let forget = choice(&["2h", "1d"], true);
    (grace, skew, forget).prop_map(|(grace, skew, forget)| {
        let keys = [("grace", grace), ("max_future_skew", skew), ("forget_after", forget)];
        let given = keys.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?)));
        given.collect()
    })
}

/// One of `texts`, or nothing, so that the default counts.
fn choice(texts: &'static [&'static str], or_none: bool) -> BoxedStrategy<Option<Value>> {
    let some = select(texts).prop_map(|text| Some(json!(text)));
    if or_none { prop_oneof![3 => some, 1 => Just(None)].boxed() } else { some.boxed() }
}

fn patterns() -> Vec<Value> {
    vec![
        json!({"on": "page"}),
        json!({"on": "page", "where": {"page.path": "/a"}}),
        json!({"on": "page", "where": {"page.path": {"prefix": "/a"}}}),
        json!({"on": "page", "where": {"page.path": {"in": ["/b", "/A"]}}}),
        json!({"on": "page", "where": {"page.path": {"prefix": ["/b", "/c"], "not": "/b"}}}),
        json!({"on": "track", "name": "Buy"}),
        json!({"on": "track", "name": ["Try", "buy"]}),
        json!({"on": "track", "name": {"prefix": "t"}}),
        json!({"on": "track", "where": {"properties.n": {"at_least": 5}}}),
        json!({"on": "track", "name": "Buy", "where": {"properties.n": {"above": 2, "below": 8}}}),
        json!({"on": "track", "where": {"properties.n": {"not": {"at_most": 3}}}}),
        json!({"on": "track", "where": {"properties.n": {"exists": false}}}),
        json!({"on": "identify"}),
    ]
}

fn ignore() -> impl Strategy<Value = Vec<(String, Value)>> {
    let all = vec![
        ("w_bot".to_string(), json!({"where": {"user_agent": {"matches": "(?i)bot|crawl"}}})),
        ("c_monitor".to_string(), json!({"on": "page", "where": {"page.path": "/c"}})),
    ];
    subsequence(all, 0..=2)
}

fn scoring_section(scope: Scope) -> impl Strategy<Value = Value> {
    let half_life = choice(&["never", "5m", "1h"], true);
    let fit = subsequence(
        vec![
            json!({"trait": "plan", "in": ["pro", "team"], "points": 10}),
            json!({"trait": "size", "at_least": 50, "at_most": 100, "points": 5.5}),
            json!({"trait": "plan", "equals": "free", "points": -5}),
            json!({"trait": "email_domain", "equals": "rival.example", "points": -3}),
            json!({"trait": "job_title", "exists": false, "points": 2}),
        ],
        0..=2,
    );
    (half_life, vec(points_entry(scope), 1..=4), fit).prop_map(|(half_life, points, fit)| {
        let mut section = json!({
            "groups": {"g1": {"cap": 20}, "g2": {"cap": 12.5}}, "points": points, "fit": fit,
        });
        if let Some(half_life) = half_life {
            section["half_life"] = half_life;
        }
        section
    })
}

fn points_entry(scope: Scope) -> impl Strategy<Value = Value> {
    let points = select(&[15.0, 10.0, 7.5, 5.0, 0.1, -10.0, -2.5][..]);
    let group = choice(&["g1", "g2"], true);
    let half_life = choice(&["never", "1s", "1m", "10m", "1d"], true);
    (0..scope.signals, points, group, half_life).prop_map(|(signal, points, group, half_life)| {
        let mut entry = json!({"signal": format!("s{signal}"), "points": points});
        if let Some(group) = group.filter(|_| points > 0.0) {
            entry["group"] = group;
        }
        if let Some(half_life) = half_life {
            entry["half_life"] = half_life;
        }
        entry
    })
}

fn rule(scope: Scope) -> impl Strategy<Value = Value> {
    let cooldown = choice(&["0s", "30s", "10m", "1h"], true);
    let despite = subsequence(SUPPRESSIONS.to_vec(), 0..=2);
    (condition(scope, 3), cooldown, despite, any::<bool>()).prop_map(|(when, cooldown, despite, campaign)| {
        let mut rule = json!({"when": when, "despite": despite, "tier": "hot"});
        if let Some(cooldown) = cooldown {
            rule["cooldown"] = cooldown;
        }
        if campaign {
            rule["campaign"] = "nurture".into();
        }
        rule
    })
}

/// A suppression or a flag: `{signal: x}` in one that holds "while" would never be seen.
fn latch(scope: Scope) -> impl Strategy<Value = Value> {
    let scope = Scope { rearm: false, ..scope };
    let silent = Scope { occurrences: false, ..scope };
    let lasts = || select(&["1s", "1m", "10m", "30m"][..]);
    prop_oneof![
        condition(silent, 1).prop_map(|when| json!({"when": when})),
        (condition(scope, 1), lasts()).prop_map(|(when, lasts)| json!({"when": when, "for": lasts})),
        (condition(scope, 1), condition(scope, 1)).prop_map(|(when, until)| json!({"when": when, "until": until})),
        (condition(scope, 1), condition(scope, 0), lasts())
            .prop_map(|(when, until, lasts)| json!({"when": when, "until": until, "for": lasts})),
    ]
}

fn condition(scope: Scope, depth: usize) -> BoxedStrategy<Value> {
    let leaf = leaf(scope);
    if depth == 0 {
        return leaf;
    }
    let parts = || vec(condition(scope, depth - 1), 1..=3);
    let negated = condition(Scope { rearm: false, ..scope }, depth - 1);
    prop_oneof![
        6 => leaf,
        1 => parts().prop_map(|parts| json!({"all": parts})),
        1 => parts().prop_map(|parts| json!({"any": parts})),
        1 => negated.prop_map(|part| json!({"not": part})),
    ]
    .boxed()
}

fn leaf(scope: Scope) -> BoxedStrategy<Value> {
    let within = select(&["1s", "2s", "10s", "1m", "5m", "10m", "20m"][..]);
    let count = (0..scope.signals, 1u32..=4, within).prop_map(|(signal, at_least, within)| {
        json!({"count": {"signal": format!("s{signal}"), "at_least": at_least, "within": within}})
    });
    let occurrence = (0..scope.signals).prop_map(|signal| json!({"signal": format!("s{signal}")}));
    let on_trait = select(vec![
        json!({"name": "plan", "equals": "pro"}),
        json!({"name": "plan", "not": {"equals": "free"}}),
        json!({"name": "plan", "exists": true}),
        json!({"name": "size", "at_least": 50, "at_most": 100}),
        json!({"name": "email_domain", "in": ["rival.example"]}),
    ])
    .prop_map(|matcher| json!({"trait": matcher}));
    prop_oneof![
        5 => count,
        u32::from(scope.occurrences) * 2 => occurrence,
        u32::from(scope.scoring) * 3 => score(scope.rearm),
        2 => on_trait,
    ]
    .boxed()
}

fn score(rearm: bool) -> impl Strategy<Value = Value> {
    let at_least = select(&[5.0, 10.0, 15.0, 20.5, 30.0][..]);
    let lower_by = select(&[None, Some(0.0), Some(0.1), Some(5.0), Some(9.9)][..]);
    (at_least, lower_by).prop_map(move |(at_least, lower_by)| {
        let mut body = Map::from_iter([("at_least".to_string(), json!(at_least))]);
        if let Some(lower_by) = lower_by.filter(|by| rearm && *by <= at_least) {
            let below: f64 = at_least - lower_by;
            body.insert("rearm_below".into(), json!((below * 10.0).round() / 10.0));
        }
        json!({"score": body})
    })
}
