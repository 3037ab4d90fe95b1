//! The records of the ops topic: what the people who run hotlead have to know, one thing each.
//!
//! Their JSON form is pinned (`schemas/ops/v1.json`). A record's key is the sink that it is about, or the group's name
//! where it is about none, so that what is said of one stays in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// Something that the people who run hotlead have to know.
///
/// The value of a record of the ops topic. Its key is `sink`, or the group's name where that is null. Members that are
/// not named here may come in later versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Ops")]
pub struct Notice {
    /// What happened.
    pub r#type: Type,
    /// Id of the sink that it is about; null if it is about none.
    pub sink: Option<String>,
    /// When it happened, by hotlead's clock.
    pub time: Timestamp,
    /// One sentence for people; it quotes nothing from an event, and no secret.
    pub reason: String,
    /// Since when it has been so; null for what happens at one moment.
    pub since: Option<Timestamp>,
    /// How many: what is counted depends on the type.
    pub count: u64,
}

/// What happened. Later versions may add types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Type {
    /// Events were gone from their topic before they were read; `count` is the number of their offsets, 0 if nobody can
    /// tell. Committed in one transaction with the offset at which reading goes on, so each gap is told once.
    #[serde(rename = "offsets.lost")]
    OffsetsLost,
    /// A sink's deliveries fail: one was tried four times in vain, or the breaker of its endpoint opened. Told once until
    /// `delivery.recovered`; `count` is the number of failed attempts since `since`.
    #[serde(rename = "delivery.failing")]
    DeliveryFailing,
    /// They succeed again; `count` is the number of attempts that failed since `since`.
    #[serde(rename = "delivery.recovered")]
    DeliveryRecovered,
    /// The other side refuses the sink's credential, and nothing is sent; `count` is the number of alerts that wait here.
    #[serde(rename = "sink.blocked")]
    SinkBlocked,
    /// A sink that was blocked or disabled since `since` takes alerts again; `count` is the number of those that wait here.
    #[serde(rename = "sink.unblocked")]
    SinkUnblocked,
    /// The endpoint said that it is gone for good, and nothing is sent; `count` is the number of alerts that wait here.
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled,
    /// Alerts were given up by a sink, or (without a sink) events could not be read; `count` is their number since `since`,
    /// or just now. At most one a minute for each sink.
    #[serde(rename = "dead_lettered")]
    DeadLettered,
    /// Once a minute: the sink's thread is in its consumer group, its brokers answered it, and its worker heard so;
    /// `count` is the number of alerts that wait here.
    #[serde(rename = "heartbeat")]
    Heartbeat,
}

impl Type {
    /// Every type.
    pub const ALL: [Self; 8] = [
        Self::OffsetsLost,
        Self::DeliveryFailing,
        Self::DeliveryRecovered,
        Self::SinkBlocked,
        Self::SinkUnblocked,
        Self::EndpointDisabled,
        Self::DeadLettered,
        Self::Heartbeat,
    ];

    /// The name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::OffsetsLost => "offsets.lost",
            Self::DeliveryFailing => "delivery.failing",
            Self::DeliveryRecovered => "delivery.recovered",
            Self::SinkBlocked => "sink.blocked",
            Self::SinkUnblocked => "sink.unblocked",
            Self::EndpointDisabled => "endpoint.disabled",
            Self::DeadLettered => "dead_lettered",
            Self::Heartbeat => "heartbeat",
        }
    }
}

impl Notice {
    /// What lay from `wanted` on, in `topic/partition`, was gone at `time`; reading goes on at `earliest`.
    pub fn offsets_lost(
        topic: &str,
        partition: Partition,
        (wanted, earliest): (Offset, Offset),
        time: Timestamp,
    ) -> Self {
        let place = format!("{topic}/{partition}");
        let count = u64::try_from(earliest.0 - wanted.0).unwrap_or(0);
        let reason = match count {
            // Somebody made the topic anew, or its newest records did not survive a broker.
            0 => format!("{place} ended before offset {wanted}: reading goes on at offset {earliest}"),
            _ => {
                let last = earliest.0 - 1;
                format!("{place}: offsets {wanted} to {last} were gone before they were read")
            }
        };
        Self { r#type: Type::OffsetsLost, sink: None, time, reason, since: None, count }
    }

    /// Key and value of its record in the deployment `group`.
    pub fn record(&self, group: &str) -> (Vec<u8>, Vec<u8>) {
        let key = self.sink.as_deref().unwrap_or(group).as_bytes().to_vec();
        // Plain data: nothing in it can fail to be written.
        (key, serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Reads a record's value. Members that we do not know are passed over: a later version may have written them.
///
/// # Errors
/// What is missing or wrong, and where.
pub fn read(value: &[u8]) -> Result<Notice, serde_json::Error> {
    serde_json::from_slice(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::schema::fixtures;

    const TIME: Timestamp = Timestamp::from_millis(1_795_341_734_120);

    #[test]
    fn a_loss_names_its_place_and_how_many() {
        #[rustfmt::skip]
        let rows = [
            // wanted, earliest, count, reason
            (120, 135, 15, "engagement/2: offsets 120 to 134 were gone before they were read"),
            (120, 121,  1, "engagement/2: offsets 120 to 120 were gone before they were read"),
            (120,   0,  0, "engagement/2 ended before offset 120: reading goes on at offset 0"),
        ];
        for (wanted, earliest, count, reason) in rows {
            let offsets = (Offset(wanted), Offset(earliest));
            let notice = Notice::offsets_lost("engagement", Partition(2), offsets, TIME);
            assert_eq!((notice.count, notice.reason.as_str()), (count, reason));
        }
    }

    #[test]
    fn a_record_has_the_pinned_form() {
        let notice = Notice::offsets_lost("engagement", Partition(2), (Offset(120), Offset(135)), TIME);
        let (key, value) = notice.record("hotlead");
        assert_eq!(key, b"hotlead");
        assert_eq!(
            String::from_utf8_lossy(&value),
            r#"{"type":"offsets.lost","sink":null,"time":"2026-11-22T10:02:14.120Z","reason":"engagement/2: offsets 120 to 134 were gone before they were read","since":null,"count":15}"#
        );
        let of_sink = Notice { sink: Some("crm".to_owned()), ..notice };
        assert_eq!(of_sink.record("hotlead").0, b"crm");
    }

    #[test]
    fn types_are_called_the_same_everywhere() {
        for r#type in Type::ALL {
            assert_eq!(serde_json::to_value(r#type).expect("JSON"), r#type.name());
        }
    }

    #[test]
    fn every_published_notice_still_reads() {
        for (file, text) in fixtures("ops/v1") {
            let notice = read(text.as_bytes()).unwrap_or_else(|error| panic!("{file}: {error}"));
            let again = read(&notice.record("hotlead").1).expect("what we wrote");
            assert_eq!(again, notice, "{file}");
        }
    }
}
