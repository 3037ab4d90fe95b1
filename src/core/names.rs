//! What the numbers in a lead's state mean, in words that outlive an edit of the rules.
//!
//! Latches, cooldowns and episodes belong to a name, rings and sums to what they count. State of an older file is
//! translated when it is taken in; what the present file does not know keeps a number of its own and is carried along
//! untouched, so that two versions in a rolling deploy do not wipe each other's state.

mod translation;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

pub use self::translation::{FreshCount, Translation};
use super::labels;
use super::rule::RuleSet;
use super::spec::{FilterSpec, Tenths};

/// A list for each kind of number: first what the rules in force say, then what only stored state knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub(super) counts: Vec<CountName>,
    pub(super) points: Vec<PointsName>,
    pub(super) traits: Vec<String>,
    pub(super) holds: Vec<HoldName>,
    pub(super) rules: Vec<String>,
    /// By rule, in tenths: below which score its episode may end. Rules that read no score, and all after the last that
    /// does, have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rearm_below: Vec<Option<i64>>,
    /// Labels that states say by number, ascending.
    pub(super) labels: Vec<String>,
}

/// A count: so many of a signal within a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CountName {
    pub signal: String,
    /// What the signal takes; its name may change.
    pub filter: u64,
    pub at_least: u32,
    pub within_ms: i64,
}

/// A points entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PointsName {
    pub signal: String,
    /// What the signal takes; its name may change.
    pub filter: u64,
    /// In tenths.
    pub points: i64,
    pub half_life_ms: Option<i64>,
}

/// A suppression or a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum HoldName {
    Suppress(String),
    Flag(String),
}

impl CountName {
    fn counts_the_same(&self, other: &Self) -> bool {
        self.filter == other.filter
    }

    fn is(&self, other: &Self) -> bool {
        self.counts_the_same(other) && self.at_least == other.at_least && self.within_ms == other.within_ms
    }
}

impl PointsName {
    fn is(&self, other: &Self) -> bool {
        self.filter == other.filter && self.points == other.points && self.half_life_ms == other.half_life_ms
    }
}

/// What a filter takes, as a number: of two filters that take the same in other words the numbers may differ.
fn fingerprint(filter: &FilterSpec) -> u64 {
    let mut fields: Vec<String> = filter.fields.iter().map(|field| format!("{field:?}")).collect();
    fields.sort_unstable();
    xxh3_64(format!("{:?} {fields:?}", filter.on).as_bytes())
}

impl Names {
    /// Those of the rules in force.
    pub(super) fn of(rules: &RuleSet) -> Self {
        let spec = rules.spec();
        let signal = |number: u16| {
            let name = &rules.signals[usize::from(number)].name;
            let found = spec.signals.iter().find(|signal| signal.name == *name);
            (name.clone(), fingerprint(&found.expect("a signal in use is defined").filter))
        };
        let counts = rules.counts.iter().map(|count| {
            let (signal, filter) = signal(count.signal);
            let within_ms = count.window.within.as_millis();
            CountName { signal, filter, at_least: count.window.at_least, within_ms }
        });
        let points = rules.points.iter().map(|entry| {
            let (signal, filter) = signal(entry.signal);
            let half_life_ms = entry.half_life.map(|span| span.as_millis());
            PointsName { signal, filter, points: entry.points.0, half_life_ms }
        });
        let suppress = spec.suppress.iter().map(|hold| HoldName::Suppress(hold.name.clone()));
        let flags = spec.flags.iter().map(|flag| HoldName::Flag(flag.hold.name.clone()));
        Self {
            counts: counts.collect(),
            points: points.collect(),
            traits: rules.traits.iter().map(|of| of.name.clone()).collect(),
            holds: suppress.chain(flags).collect(),
            rules: spec.rules.iter().map(|rule| rule.id.clone()).collect(),
            rearm_below: rearm_below(rules),
            labels: labels::known(spec),
        }
    }
}

/// What [`Names::rearm_below`] says of these rules.
fn rearm_below(rules: &RuleSet) -> Vec<Option<i64>> {
    let mut lowest: Vec<_> = rules.rules.iter().map(|rule| rule.when.rearm_below().map(|Tenths(n)| n)).collect();
    lowest.truncate(lowest.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
    lowest
}
