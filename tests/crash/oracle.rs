//! What must have come out: the naive twin over everything that lies on the events topic, lead by lead.
//!
//! The twin shares no line with the engine and recomputes everything from all events of a lead: it cannot lose state.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::twin::evidence::Line;
use crate::twin::{self, Alert, Rules, time};

/// What must be there.
pub struct Expected {
    /// How often each alert, in its canonical form.
    pub alerts: BTreeMap<String, usize>,
    /// How often each place of an unreadable record.
    pub dead_letters: BTreeMap<String, usize>,
}

impl Expected {
    /// How many alerts there are of each kind.
    pub fn by_kind(&self) -> BTreeMap<&'static str, usize> {
        let of = |kind: &'static str| {
            let named = format!(r#""kind":"{kind}""#);
            (kind, self.alerts.iter().filter(|(alert, _)| alert.contains(&named)).map(|(_, times)| times).sum())
        };
        ["opened", "updated", "closed"].map(of).into()
    }
}

#[derive(Deserialize)]
struct Captured<'a> {
    #[serde(borrow)]
    record: Place<'a>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Place<'a> {
    key: &'a str,
    partition: i32,
    offset: i64,
}

/// How often each record, by its hash.
#[derive(Default)]
pub struct Records(HashMap<u64, i64>);

impl Records {
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        *self.0.entry(Self::hash(key, value)).or_default() += 1;
    }

    fn hash(key: &[u8], value: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        (key, value).hash(&mut hasher);
        hasher.finish()
    }

    /// How many records of a capture were produced once more than we sent them, by a client that tried again across a
    /// restart of the broker. They are events like others: the twin sees them too.
    ///
    /// # Panics
    /// If one that we sent is not in the capture, or the offsets of a partition do not follow one another from 0.
    pub fn surplus_in(mut self, captured: &str) -> i64 {
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for line in captured.lines() {
            let Captured { record, value } = read(line);
            *self.0.entry(Self::hash(record.key.as_bytes(), value.get().as_bytes())).or_default() -= 1;
            let next = next.entry(record.partition).or_default();
            assert_eq!(record.offset, *next, "offset in partition {}", record.partition);
            *next += 1;
        }
        let lost: i64 = self.0.values().filter(|times| **times > 0).sum();
        assert_eq!(lost, 0, "events that were sent are not in the capture");
        -self.0.values().sum::<i64>()
    }
}

fn read(line: &str) -> Captured<'_> {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in a captured line: {line}"))
}

/// Asks the twin about every lead of a capture, in threads.
pub fn expected(rules: &str, captured: &str) -> Expected {
    let mut leads: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in captured.lines() {
        leads.entry(read(line).record.key).or_default().push(line);
    }
    let leads: Vec<_> = leads.into_values().collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<_> = thread::scope(|scope| {
        let ask = |part: usize| {
            let leads = &leads;
            scope.spawn(move || of_leads(rules, leads.iter().skip(part).step_by(threads)))
        };
        let asked: Vec<_> = (0..threads).map(ask).collect();
        asked.into_iter().map(|thread| thread.join().expect("the twin knows every event")).collect()
    });
    let mut whole = Expected { alerts: BTreeMap::new(), dead_letters: BTreeMap::new() };
    for part in parts {
        whole.alerts.extend(part.alerts); // no two leads have an alert or a place in common
        whole.dead_letters.extend(part.dead_letters);
    }
    whole
}

fn of_leads<'a>(rules_text: &str, leads: impl Iterator<Item = &'a Vec<&'a str>>) -> Expected {
    let rules = Rules::from_text(rules_text);
    let mut expected = Expected { alerts: BTreeMap::new(), dead_letters: BTreeMap::new() };
    for lines in leads {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let run = twin::run(&rules, &["user_id"], &lines, "captured");
        for alert in &run.alerts {
            *expected.alerts.entry(of_twin(alert, &rules)).or_default() += 1;
        }
        for line in run.decisions.iter().filter(|line| line["decision"] == "dead_letter") {
            let place = line["event_id"].as_str().expect("a text").to_owned();
            *expected.dead_letters.entry(place).or_default() += 1;
        }
    }
    expected
}

/// An alert of the twin with all that the rules decide to the letter, as one line.
fn of_twin(alert: &Alert, rules: &Rules) -> String {
    let score = alert.score;
    let evidence = match reads_score(&alert.rule, rules) {
        true => json!(alert.evidence.iter().map(|line| line.points).sum::<i64>()),
        false => events(alert.evidence.iter().map(|Line { signal, time, .. }| {
            (signal.clone().unwrap_or_default(), time.map_or(String::new(), time::text))
        })),
    };
    json!({
        "kind": alert.kind, "rule": alert.rule, "tier": alert.tier, "campaign": alert.campaign, "lead": alert.lead,
        "time": time::text(alert.time), "episode_start": time::text(alert.episode_start), "flags": alert.flags,
        "score": [score.total(), score.fit, score.behaviour],
        "trigger": [alert.trigger.0, time::text(alert.trigger.1)], "evidence": evidence,
    })
    .to_string()
}

/// The same of an alert as it was published.
pub fn of_published(alert: &Value, rules: &Rules) -> String {
    let tenths = |value: &Value| value.as_f64().map(|points| (points * 10.0).round() as i64);
    let score = &alert["score"];
    let lines = alert["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let evidence = match reads_score(alert["rule"].as_str().unwrap_or_default(), rules) {
        true => json!(lines.iter().filter_map(|line| tenths(&line["points"])).sum::<i64>()),
        false => events(lines.iter().map(|line| (text(&line["signal"]), text(&line["time"])))),
    };
    json!({
        "kind": alert["kind"], "rule": alert["rule"], "tier": alert["tier"], "campaign": alert["campaign"],
        "lead": alert["lead"]["key"], "time": alert["time"], "episode_start": alert["episode_start"], "flags": alert["flags"],
        "score": [tenths(&score["total"]), tenths(&score["fit"]), tenths(&score["behaviour"])],
        "trigger": [alert["trigger"]["event_id"], alert["trigger"]["time"]], "evidence": evidence,
    })
    .to_string()
}

/// Evidence whose points need not add up: which signals at which times, whatever their order.
fn events(lines: impl Iterator<Item = (String, String)>) -> Value {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines.dedup();
    json!(lines)
}

fn reads_score(rule: &str, rules: &Rules) -> bool {
    rules.rules.iter().any(|known| known.id == rule && known.when.reads_score())
}
