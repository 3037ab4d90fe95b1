//! A rules file as plain values. The file is taken to be free of faults.

use super::condition::Condition;
use super::event::Event;
use super::matcher::satisfied;
use super::score::Scoring;
use super::time::{DAY, MINUTE, duration};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;

pub struct Rules {
    pub grace: i64,
    pub max_future_skew: i64,
    pub forget_after: i64,
    pub signals: Vec<(String, Pattern)>,
    pub ignore: Vec<(String, Pattern)>,
    pub scoring: Option<Scoring>,
    pub suppress: Vec<Latch>,
    pub flags: Vec<Latch>,
    pub rules: Vec<Rule>,
}

/// Which events a signal or an `ignore` entry means.
pub struct Pattern {
    on: Option<String>,
    name: Option<Value>,
    fields: Vec<(String, Value)>,
}

/// A suppression or a flag.
pub struct Latch {
    pub name: String,
    pub when: Condition,
    pub until: Option<Condition>,
    pub lasts: Option<i64>,
}

pub struct Rule {
    pub id: String,
    pub when: Condition,
    pub cooldown: i64,
    pub despite: Vec<String>,
    pub tier: Option<String>,
    pub campaign: Option<String>,
}

impl Rules {
    /// Reads a rules file written as JSON. It is read from text because a parsed map would have
    /// lost the order of the file.
    pub fn from_text(text: &str) -> Rules {
        let file: File = serde_json::from_str(text).unwrap();
        let span = |text: &Option<String>, default| text.as_deref().map_or(default, duration);
        Rules {
            grace: span(&file.grace, 5 * MINUTE),
            max_future_skew: span(&file.max_future_skew, 5 * MINUTE),
            forget_after: span(&file.forget_after, 400 * DAY),
            signals: file.signals.each(|_, value| Pattern::new(value)),
            ignore: file.ignore.each(|_, value| Pattern::new(value)),
            scoring: file.scoring.as_ref().map(Scoring::new),
            suppress: file.suppress.0.iter().map(Latch::new).collect(),
            flags: file.flags.0.iter().map(Latch::new).collect(),
            rules: file.rules.iter().map(Rule::new).collect(),
        }
    }

    /// The signals that anything speaks of.
    pub fn read_signals(&self) -> Vec<String> {
        let scored = self.scoring.iter().flat_map(Scoring::signals);
        self.conditions().flat_map(Condition::signals).chain(scored).collect()
    }

    /// The traits that anything speaks of, and those that an alert always shows.
    pub fn read_traits(&self) -> Vec<String> {
        let always = ["email", "email_domain", "name", "company", "job_title"];
        let fit = self.scoring.iter().flat_map(Scoring::fit_traits);
        self.conditions().flat_map(Condition::traits).chain(fit).chain(always.map(String::from)).collect()
    }

    /// All counts in the file, as (signal, at least, within).
    pub fn counts(&self) -> Vec<(String, usize, i64)> {
        self.conditions().flat_map(Condition::counts).collect()
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let latches = || self.suppress.iter().chain(&self.flags);
        self.rules
            .iter()
            .map(|rule| &rule.when)
            .chain(latches().map(|latch| &latch.when))
            .chain(latches().filter_map(|latch| latch.until.as_ref()))
    }
}

impl Pattern {
    fn new(value: &Value) -> Pattern {
        Pattern {
            on: value["on"].as_str().map(String::from),
            name: value.get("name").cloned(),
            fields: value["where"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(path, matcher)| (path.clone(), matcher.clone()))
                .collect(),
        }
    }

    /// Reads the event alone, never what is remembered of its lead.
    pub fn means(&self, event: &Event) -> bool {
        self.on.as_ref().is_none_or(|on| event.kind.as_ref() == Some(on))
            && self.name.as_ref().is_none_or(|name| satisfied(name, event.field("name")))
            && self.fields.iter().all(|(path, matcher)| satisfied(matcher, event.field(path)))
    }
}

impl Latch {
    fn new((name, value): &(String, Value)) -> Latch {
        Latch {
            name: name.clone(),
            when: Condition::new(&value["when"]),
            until: value.get("until").map(Condition::new),
            lasts: value["for"].as_str().map(duration),
        }
    }
}

impl Rule {
    fn new(value: &Value) -> Rule {
        Rule {
            id: value["id"].as_str().unwrap().to_string(),
            when: Condition::new(&value["when"]),
            cooldown: value["cooldown"].as_str().map_or(DAY, duration),
            despite: value["despite"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|name| name.as_str().unwrap().to_string())
                .collect(),
            tier: value["tier"].as_str().map(String::from),
            campaign: value["campaign"].as_str().map(String::from),
        }
    }
}

#[derive(Deserialize)]
struct File {
    grace: Option<String>,
    max_future_skew: Option<String>,
    forget_after: Option<String>,
    #[serde(default)]
    signals: InOrder,
    #[serde(default)]
    ignore: InOrder,
    scoring: Option<Value>,
    #[serde(default)]
    suppress: InOrder,
    #[serde(default)]
    flags: InOrder,
    #[serde(default)]
    rules: Vec<Value>,
}

/// The entries of a map in the order of the file: `serde_json` sorts a map's keys, and the first
/// entry in the file is the one that counts.
#[derive(Default)]
struct InOrder(Vec<(String, Value)>);

impl InOrder {
    fn each<T>(&self, read: impl Fn(&str, &Value) -> T) -> Vec<(String, T)> {
        self.0.iter().map(|(name, value)| (name.clone(), read(name, value))).collect()
    }
}

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<InOrder, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = InOrder;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a map")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<InOrder, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        from.deserialize_map(Entries)
    }
}
