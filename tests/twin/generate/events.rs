//! Random lines of events in both formats, close together in time and often out of order.

use super::super::time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// 2026-11-22T10:00:00Z
pub const START: i64 = 1_795_341_600_000;

/// One event before it is written down.
#[derive(Clone, Debug)]
struct Spec {
    who: usize,
    /// How far the stream's time moves on, and how far this event lies behind it.
    step: i64,
    late: i64,
    id: Id,
    what: What,
    segment: bool,
    bot: bool,
    time_form: usize,
    record: Record,
}

#[derive(Clone, Debug)]
enum Id {
    Fresh,
    Missing,
    /// That of an earlier line, so many lines back.
    Again(usize),
    /// The whole earlier line once more, so many lines back.
    Copy(usize),
}

#[derive(Clone, Debug)]
enum What {
    Page { path: &'static str, place: usize },
    Track { name: &'static str, n: Value },
    Identify { traits: Value },
    Group { traits: Value },
    Broken(usize),
}

#[derive(Clone, Debug)]
struct Record {
    partition: i64,
    /// How far the record's timestamp lies behind the event's time; nothing: -1, no timestamp.
    behind: Option<i64>,
}

/// Lines of one file, all with coordinates, all without, or some.
pub fn lines(count: RangeInclusive<usize>) -> impl Strategy<Value = Vec<String>> {
    let mode = prop_oneof![3 => Just(0), 2 => Just(1), 1 => Just(2)];
    (vec(spec(), count), mode).prop_map(|(specs, mode)| written(&specs, mode))
}

fn written(specs: &[Spec], mode: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut now = START;
    for (at, spec) in specs.iter().enumerate() {
        now += spec.step;
        let id = match spec.id {
            Id::Copy(back) if back <= at => {
                lines.push(lines[at - back].clone());
                continue;
            }
            Id::Missing => None,
            Id::Again(back) => Some(format!("e{}", at.saturating_sub(back))),
            _ => Some(format!("e{at}")),
        };
        let time = now - spec.late;
        let value = if spec.segment { segment(spec, id, time) } else { own(spec, id, time) };
        let coordinates = mode == 1 || (mode == 2 && spec.who == 0);
        lines.push(match (&spec.what, coordinates) {
            (What::Broken(0), _) => r#"{"type":"page","#.to_string(),
            // A clamp is for events that can be taken in.
            (What::Broken(_), true) => wrapped(&Record { behind: None, ..spec.record }, at, time, value),
            (_, true) => wrapped(&spec.record, at, time, value),
            (_, false) => value.to_string(),
        });
    }
    lines
}

fn wrapped(record: &Record, at: usize, time: i64, value: Value) -> String {
    let stamp = record.behind.map_or(-1, |behind| time - behind);
    let coordinates = json!({
        "topic": "engagement", "partition": record.partition, "offset": 100 + at,
        "timestamp": stamp, "key": "k",
    });
    json!({"record": coordinates, "value": value}).to_string()
}

fn own(spec: &Spec, id: Option<String>, time: i64) -> Value {
    let (user, anonymous, email) = lead(spec.who);
    let mut value = json!({
        "time": written_time(time, spec.time_form),
        "lead": {"user_id": user, "anonymous_id": anonymous, "email": email, "group_id": "acme"},
    });
    match &spec.what {
        What::Page { path, place } => {
            value["type"] = "page".into();
            value["name"] = "A page".into();
            value["page"] = match place {
                0 => json!({"path": path, "url": "https://site.test/elsewhere"}),
                _ => json!({"url": format!("https://site.test{path}?utm=1")}),
            };
        }
        What::Track { name, n } => {
            value["type"] = "track".into();
            value["name"] = (*name).into();
            value["properties"] = json!({"n": n});
        }
        What::Identify { traits } => {
            value["type"] = "identify".into();
            value["traits"] = traits.clone();
        }
        What::Group { traits } => {
            value["type"] = "group".into();
            value["traits"] = traits.clone();
        }
        What::Broken(_) => value["type"] = "page".into(),
    }
    if let Some(id) = id {
        value["id"] = id.into();
    }
    if spec.bot {
        value["user_agent"] = "ExampleBot/1.0".into();
    }
    match spec.what {
        What::Broken(1) => json!({"hello": "world"}),
        What::Broken(2) => without(value, "type"),
        What::Broken(3) => with(value, "time", json!("soon")),
        What::Broken(4) => with(value, "lead", json!({"user_id": " "})),
        _ => value,
    }
}

fn segment(spec: &Spec, id: Option<String>, time: i64) -> Value {
    let (user, anonymous, email) = lead(spec.who);
    let mut value = json!({
        "timestamp": written_time(time, spec.time_form), "userId": user,
        "anonymousId": anonymous, "context": {"groupId": "acme"},
    });
    if !email.is_null() {
        value["context"]["traits"] = json!({"email": email});
    }
    match &spec.what {
        What::Page { path, place } => {
            value["type"] = "page".into();
            value["name"] = "A page".into();
            match place {
                0 => value["properties"] = json!({"path": path}),
                1 => value["properties"] = json!({"url": format!("https://site.test{path}#top")}),
                _ => {
                    value["properties"] = json!({"path": null, "title": "x"});
                    value["context"]["page"] = json!({"path": path, "title": "y"});
                }
            }
        }
        What::Track { name, n } => {
            value["type"] = "track".into();
            value["event"] = (*name).into();
            value["properties"] = json!({"n": n});
        }
        What::Identify { traits } => {
            value["type"] = "identify".into();
            value["traits"] = traits.clone();
        }
        What::Group { traits } => {
            value["type"] = "group".into();
            value["traits"] = traits.clone();
        }
        What::Broken(_) => value["type"] = "page".into(),
    }
    if let Some(id) = id {
        value["messageId"] = id.into();
    }
    if spec.bot {
        value["context"]["userAgent"] = "crawler".into();
    }
    match spec.what {
        What::Broken(1) => json!(["hello"]),
        What::Broken(2) => without(value, "type"),
        What::Broken(3) => with(value, "timestamp", json!("1999-12-31T23:59:59.999Z")),
        What::Broken(4) => without(without(without(value, "userId"), "anonymousId"), "context"),
        _ => value,
    }
}

fn with(mut value: Value, key: &str, part: Value) -> Value {
    value[key] = part;
    value
}

fn without(mut value: Value, key: &str) -> Value {
    value.as_object_mut().unwrap().remove(key);
    value
}

/// User id, anonymous id and e-mail. One lead has a number for an id, one a blank one, one only
/// an e-mail to be trimmed and lower-cased.
fn lead(who: usize) -> (Value, Value, Value) {
    match who {
        0 => (json!("u0"), json!("a0"), json!(null)),
        1 => (json!(7), json!("a1"), json!(null)),
        2 => (json!("  "), json!("a2"), json!(null)),
        _ => (json!(null), json!("a3"), json!(" Dana@Rival.Example ")),
    }
}

/// The same instant in one of the ways to write it.
fn written_time(ms: i64, form: usize) -> Value {
    let text = time::text(ms);
    match form {
        1 => text.replace('Z', "999Z").into(),
        2 => text.trim_end_matches('Z').into(),
        3 => time::text(ms + 2 * time::HOUR).replace('Z', "+02:00").into(),
        4 => ms.into(),
        // Fractions of a second that binary holds exactly.
        5 if ms % 125 == 0 => json!(ms as f64 / 1000.0),
        6 if ms % 1000 == 0 => (ms / 1000).into(),
        _ => text.into(),
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    let who = prop_oneof![5 => Just(0usize), 2 => Just(1), 2 => Just(2), 1 => Just(3)];
    let far = select(&[time::HOUR, 2 * time::HOUR, 3 * time::HOUR, 25 * time::HOUR, 401 * time::DAY][..]);
    let step = prop_oneof![
        12 => select(&[0, 1, 500, 999, 1_000, 1_001, 5_000, 10_000][..]),
        6 => select(&[30_000, 59_999, 60_000, 120_000, 300_000, 600_000][..]),
        1 => far,
    ];
    let late = prop_oneof![
        6 => Just(0i64),
        4 => select(&[1, 1_000, 2_000, 10_000, 60_000, 299_999, 300_000, 300_001][..]),
        1 => select(&[600_000, 1_200_000, 1_500_000, 2 * time::HOUR][..]),
    ];
    let id = prop_oneof![
        10 => Just(Id::Fresh),
        2 => Just(Id::Missing),
        2 => (1usize..=40).prop_map(Id::Again),
        1 => (1usize..=40).prop_map(Id::Copy),
    ];
    let behind = prop_oneof![
        4 => Just(Some(0i64)),
        2 => select(&[9_999, 10_000, 10_001, 299_999, 300_000, 300_001, 900_000][..]).prop_map(Some),
        1 => Just(Some(-60_000)),
        1 => Just(None),
    ];
    let partition = prop_oneof![4 => Just(0i64), 1 => Just(1)];
    let record = (partition, behind).prop_map(|(partition, behind)| Record { partition, behind });
    let bot = prop_oneof![15 => Just(false), 1 => Just(true)];
    (who, step, late, id, what(), any::<bool>(), bot, 0usize..=7, record).prop_map(
        |(who, step, late, id, what, segment, bot, time_form, record)| Spec {
            who,
            step,
            late,
            id,
            what,
            segment,
            bot,
            time_form,
            record,
        },
    )
}

fn what() -> impl Strategy<Value = What> {
    let path = select(&["/a", "/a/x", "/A", "/b", "/c"][..]);
    let name = select(&["Buy", "buy", "Try", "Other"][..]);
    let n = select(vec![json!(2), json!(3), json!(5), json!(8), json!("5"), json!("5x"), json!(null)]);
    prop_oneof![
        8 => (path, 0usize..=2).prop_map(|(path, place)| What::Page { path, place }),
        8 => (name, n).prop_map(|(name, n)| What::Track { name, n }),
        4 => said().prop_map(|traits| What::Identify { traits }),
        1 => said().prop_map(|traits| What::Group { traits }),
        1 => (0usize..=4).prop_map(What::Broken),
    ]
}

fn said() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"plan": "pro"}),
        json!({"plan": "free"}),
        json!({"plan": "FREE", "size": 50}),
        json!({"plan": null, "size": "100"}),
        json!({"plan": "  ", "size": 101}),
        json!({"email": "jo@acme.example"}),
        json!({"email": "jo@rival.example", "plan": "pro"}),
        json!({"job_title": "VP"}),
        json!({"unread": 1}),
        json!({}),
    ])
}
