//! What is on the topics against what must be there: missing, extra, repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::oracle::{Expected, of_published};
use crate::kafka::Record;
use crate::twin::Rules;

/// So many differences of a kind are shown.
const SHOWN: usize = 3;

/// How two multisets differ.
#[derive(Default, Debug)]
pub struct Difference {
    pub expected: usize,
    pub seen: usize,
    /// Must be there and is not.
    pub missing: Vec<String>,
    /// Is there and must not be.
    pub extra: Vec<String>,
    /// Is there more than once.
    pub repeated: Vec<String>,
}

impl Difference {
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.repeated.is_empty()
    }

    fn between(expected: &BTreeMap<String, usize>, seen: &BTreeMap<String, usize>) -> Self {
        let more = |these: &BTreeMap<String, usize>, than: &BTreeMap<String, usize>| -> Vec<String> {
            let surplus = |(what, times): (&String, &usize)| {
                let surplus = times.saturating_sub(*than.get(what).unwrap_or(&0));
                std::iter::repeat_n(what.clone(), surplus)
            };
            these.iter().flat_map(surplus).collect()
        };
        Self {
            expected: expected.values().sum(),
            seen: seen.values().sum(),
            missing: more(expected, seen),
            extra: more(seen, expected),
            repeated: Vec::new(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, seen, missing, extra, repeated } = self;
        let (m, e, r) = (missing.len(), extra.len(), repeated.len());
        write!(f, "{expected} expected, {seen} seen, missing / extra / repeated {m} / {e} / {r}")?;
        for (name, list) in [("missing", missing), ("extra", extra), ("repeated", repeated)] {
            for line in list.iter().take(SHOWN) {
                write!(f, "\n    {name}: {line}")?;
            }
        }
        Ok(())
    }
}

/// Published alerts against the twin's. Repeated is an id that more than one record has.
pub fn of_alerts(expected: &Expected, published: &[Record], rules: &Rules) -> Difference {
    let (mut seen, mut ids) = (BTreeMap::new(), BTreeSet::new());
    let mut repeated = Vec::new();
    for record in published {
        let alert: Value = serde_json::from_slice(record.value.as_deref().unwrap_or_default()).expect("an alert");
        *seen.entry(of_published(&alert, rules)).or_default() += 1;
        let id = alert["id"].as_str().expect("an id").to_owned();
        if !ids.insert(id.clone()) {
            repeated.push(id);
        }
    }
    Difference { repeated, ..Difference::between(&expected.alerts, &seen) }
}

/// Dead letters against the unreadable records, by their places.
pub fn of_dead_letters(expected: &Expected, published: &[Record]) -> Difference {
    let mut seen = BTreeMap::new();
    for record in published {
        let source =
            record.headers.iter().find(|(name, _)| name == "hotlead_source").and_then(|(_, value)| value.as_ref());
        let place = String::from_utf8_lossy(source.expect("its place")).into_owned();
        *seen.entry(place).or_default() += 1;
    }
    let repeated = seen.iter().filter(|(_, times)| **times > 1).map(|(place, _)| place.clone()).collect();
    Difference { repeated, ..Difference::between(&expected.dead_letters, &seen) }
}

/// Lines of text that must be the same, in any order.
pub fn of_lines<'a>(expected: impl Iterator<Item = &'a str>, seen: impl Iterator<Item = &'a str>) -> Difference {
    fn counted<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for line in lines {
            *counted.entry(line.to_owned()).or_default() += 1;
        }
        counted
    }
    Difference::between(&counted(expected), &counted(seen))
}

/// Two dumps of all leads' state: equal line by line, and so byte for byte, for both are sorted.
pub fn of_dumps(expected: &str, seen: &str) -> Difference {
    of_lines(expected.lines(), seen.lines())
}

mod tests {
    use super::*;

    #[test]
    fn what_is_missing_extra_and_repeated_is_told() {
        let rules = Rules::from_text(r#"{ "version": 1, "signals": {}, "rules": [] }"#);
        let record = |id: &str, lead: &str| {
            let value = serde_json::json!({ "id": id, "rule": "r", "lead": { "key": lead } }).to_string();
            Record { partition: 0, offset: 0, timestamp: None, key: None, value: Some(value.into()), headers: vec![] }
        };
        let form = |lead: &str| of_published(&serde_json::json!({ "rule": "r", "lead": { "key": lead } }), &rules);
        let alerts = BTreeMap::from([(form("a"), 1), (form("b"), 1)]);
        let expected = Expected { alerts, dead_letters: BTreeMap::new() };
        assert!(of_alerts(&expected, &[record("1", "a"), record("2", "b")], &rules).is_none());
        let seen = of_alerts(&expected, &[record("1", "a"), record("1", "a"), record("3", "c")], &rules);
        assert_eq!((&seen.missing, &seen.extra), (&vec![form("b")], &vec![form("a"), form("c")]));
        assert_eq!(seen.repeated, ["1"]);
        let told = "2 expected, 3 seen, missing / extra / repeated 1 / 2 / 1\n    missing: ";
        assert!(seen.to_string().starts_with(told), "{seen}");
    }
}
