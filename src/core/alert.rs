//! The alert: what is published when a rule fires, and of its episode from then on, with the reason.
//!
//! Its JSON form is pinned (`schemas/alert/v1`): the value of the alert topic, the `data` of a webhook, a line of
//! `backtest --json`. The order of the fields here is their order there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::AlertId;
use super::spec::Tenths;
use super::time::Timestamp;

/// One alert about one lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// The same on any replay.
    pub id: AlertId,
    /// Id of the rule that fired.
    pub rule: String,
    /// How hot, in the rules file's own word.
    pub tier: String,
    /// What happened to the episode.
    pub kind: AlertKind,
    /// Whom it is about.
    pub lead: Lead,
    /// The lead's clock when that happened.
    pub time: Timestamp,
    /// The lead's clock when the episode opened.
    pub episode_start: Timestamp,
    /// One sentence with numbers.
    pub reason: String,
    /// Names of the flags in force, in file order.
    pub flags: Vec<String>,
    /// What the flags say, for people, in the same order; flags that say nothing are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flag_texts: Vec<String>,
    /// The lead's score at `time`.
    pub score: Score,
    /// The event at which it was written.
    pub trigger: Trigger,
    /// What speaks for it at `time`, oldest first.
    pub evidence: Vec<Evidence>,
    /// A hint for marketing automation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Digest of the rules file.
    pub rules_version: String,
}

/// What happened to the episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    /// The lead turned hot.
    Opened,
    /// It still is, and did more that the rule looks at; at most one of an episode in a minute of the lead's clock.
    Updated,
    /// It no longer is: an event found what the rule asks for no longer so.
    Closed,
}

impl AlertKind {
    /// The name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Closed => "closed",
        }
    }
}

/// Whom an alert is about: the key, and what is known of the person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lead {
    /// The lead's key.
    pub key: String,
    /// Of the announcing event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Of the announcing event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// Remembered trait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Remembered trait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Remembered trait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Remembered trait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    /// Every other remembered trait that the rules read, by its name; what is an object is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, serde_json::Value>,
}

/// Points, as they are printed: at most one decimal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Fit and behaviour together.
    pub total: f64,
    /// From traits; it does not fade.
    pub fit: f64,
    /// From signals, faded and capped.
    pub behaviour: f64,
}

/// The event at which an alert was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// Its id, or its coordinates if it has none.
    pub event_id: String,
    /// Its own time.
    pub time: Timestamp,
    /// Its coordinates: `topic/partition@offset` or `file:line`.
    pub source: String,
}

/// One contribution to an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The signal; absent in the lines that sum up earlier points or say what a cap took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The event's own time; absent as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Points now; may be negative.
    pub points: f64,
    /// The event's coordinates; absent as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// A page's path, an event's name, or what a line without a signal stands for.
    pub label: String,
}

impl Tenths {
    /// The points as a number that prints with one decimal at most.
    pub fn as_points(self) -> f64 {
        // The quotient of a whole number and 10 is the double nearest to the decimal, so it prints as that decimal.
        self.0 as f64 / 10.0
    }
}
