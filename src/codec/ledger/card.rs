//! What a ledger says of messages in Slack: a lead's card, and a digest that was about to be posted.

use serde::{Deserialize, Serialize};

use super::{Bytes, is_false};
use crate::core::limits::MAX_TOLD;
use crate::core::time::Timestamp;

/// A lead's card in Slack: what it shows, and what was about to be posted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// A hash of the address that it was posted to: at another address nothing is known of it.
    pub home: String,
    /// Where it is; none before it is posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Stands for the card in its metadata.
    pub episode: String,
    /// Every rule that fired on it, in that order.
    pub fired: Vec<Fired>,
    /// The newest alert that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// Other messages that tell of the lead, the newest last: replies, and its earlier cards. At most
    /// [`MAX_TOLD`](crate::core::limits::MAX_TOLD).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Place>,
    /// It says that the lead is no longer hot.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closed: bool,
    /// When it was posted or edited last.
    pub edited: Timestamp,
    /// What was about to be posted: whoever finds this looks whether it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// It shows an alert that came in place of this sink, which could not be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The channel's id, as Slack said it.
    pub channel: String,
    /// The message's name within it.
    pub ts: String,
}

/// A rule that fired on a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fired {
    /// Its id.
    pub rule: String,
    /// When its episode opened.
    pub start: Timestamp,
    /// Whether that lasts.
    pub open: bool,
    /// Why it fired, until a reply has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
}

/// The newest alert that a card shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Its offset on the alert topic.
    pub offset: i64,
    /// Its event time.
    pub time: Timestamp,
    /// The alert as the sink may know it.
    pub alert: Bytes,
}

/// A message that was about to be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The newest alert that it was to show.
    pub alert_id: String,
    /// When.
    pub at: Timestamp,
    /// A reply to the card, not the card itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reply: bool,
}

/// A digest that was about to be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Stands for it in its metadata.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The alerts of this partition that it names, by their offsets.
    pub offsets: Vec<i64>,
}

impl Card {
    /// Another message tells of the lead.
    pub fn add_other(&mut self, place: Place) {
        self.others.push(place);
        let surplus = self.others.len().saturating_sub(MAX_TOLD);
        self.others.drain(..surplus);
    }
}
