//! Random rules and event streams with few names and few times, so that they collide.

mod events;
mod order;
mod rules;

pub use order::reordered;

use proptest::prelude::*;
use std::fmt;

/// A rules file and the lines of a file of events. Prints itself as one would type it.
#[derive(Clone)]
pub struct Case {
    /// JSON text, which is YAML as well.
    pub rules: String,
    pub lead_key: Vec<&'static str>,
    pub lines: Vec<String>,
}

/// Any valid rules with up to 200 events; a failing case may shrink to one.
pub fn case() -> impl Strategy<Value = Case> {
    (rules::rules(), events::lines(1..=200), lead_key()).prop_map(|(rules, lines, lead_key)| Case {
        rules,
        lead_key,
        lines,
    })
}

fn lead_key() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![
        6 => Just(vec!["user_id", "email", "anonymous_id"]),
        1 => Just(vec!["anonymous_id"]),
        1 => Just(vec!["email", "anonymous_id"]),
        1 => Just(vec!["group_id", "user_id", "anonymous_id"]),
    ]
}

impl fmt::Debug for Case {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "\n--- rules.yaml\n{}", self.rules)?;
        writeln!(to, "--- events.ndjson  (--lead-key {})", self.lead_key.join(","))?;
        self.lines.iter().try_for_each(|line| writeln!(to, "{line}"))
    }
}
