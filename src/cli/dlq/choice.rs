//! Which dead letters are meant: what was typed, compared with each of them.

use clap::Args;

use super::found::Found;
use crate::codec::{letter, time};
use crate::config;
use crate::core::time::{Span, Timestamp};

/// Why events and deliveries become dead letters.
pub(super) const REASONS: [&str; 14] = [
    "exhausted",
    "message",
    "channel",
    "refused_address",
    "uncertain",
    "too_large",
    "empty",
    "not_utf8",
    "too_deep",
    "not_json",
    "unknown_format",
    "no_type",
    "bad_time",
    "no_lead",
];

/// What is typed to choose dead letters; without any of it all are meant.
#[derive(Clone, Debug, Default, Args)]
pub struct Choice {
    /// One of them: its place as `hotlead dlq ls` prints it, or the id of the alert
    #[arg(value_name = "WHICH")]
    pub(super) which: Option<String>,
    /// Deliveries that this sink gave up
    #[arg(long, value_name = "ID")]
    pub(super) sink: Option<String>,
    /// Those with this reason: of deliveries exhausted, message, channel, refused_address, uncertain; of events not_json,
    /// unknown_format, no_type, bad_time, no_lead, too_large, too_deep, not_utf8, empty
    #[arg(long, value_name = "REASON")]
    pub(super) reason: Option<String>,
    /// Those of this lead, by its key
    #[arg(long, value_name = "KEY")]
    pub(super) lead: Option<String>,
    /// Those that became dead letters since then: a time, or so long ago, such as 2h or 7d
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub(super) since: Option<Since>,
}

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// That moment.
    At(Timestamp),
    /// So long before now.
    Ago(Span),
}

fn since(text: &str) -> Result<Since, String> {
    if let Some(time) = time::from_text(text) {
        return Ok(Since::At(time));
    }
    config::duration(text).map(Since::Ago).map_err(|fault| format!("{fault}; or a time such as 2026-11-22T10:02:14Z"))
}

impl Choice {
    /// What to say if no dead letter on this topic is meant.
    pub(super) fn nothing(&self, topic: &str) -> String {
        match self.reason.as_deref().filter(|reason| !REASONS.contains(reason)) {
            // A later version may have others: so it is no fault of the command line.
            Some(reason) => {
                let hint = config::did_you_mean(reason, REASONS);
                format!("no dead letter on {topic} is meant, and no reason is called {reason:?}{hint}")
            }
            None => format!("no dead letter on {topic} is meant"),
        }
    }

    /// Whether a dead letter is meant.
    pub(super) fn takes(&self, found: &Found, now: Timestamp) -> bool {
        let from = self.since.map(|since| match since {
            Since::At(time) => time,
            Since::Ago(span) => now - span,
        });
        let is =
            |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_none_or(|wanted| has == Some(wanted));
        is(&self.sink, found.letter.sink.as_deref())
            && is(&self.reason, Some(&found.letter.reason))
            && self.lead.as_ref().is_none_or(|lead| found.key.as_deref() == Some(lead.as_bytes()))
            && from.is_none_or(|from| found.time.is_some_and(|time| time >= from))
            && self.which.as_ref().is_none_or(|which| names(which, found))
    }
}

/// Whether a text names a dead letter: by its whole place, by the place without the topic, or by the alert's id.
fn names(which: &str, found: &Found) -> bool {
    let place = letter::place(which).or_else(|| letter::place_within(which));
    match place {
        Some((topic, partition, offset)) => {
            (topic.is_empty() || topic == found.topic) && (partition, offset) == (found.partition, found.offset)
        }
        None => found.letter.alert_id() == Some(which.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Reason as OfEvents;
    use crate::codec::letter::Letter;
    use crate::core::ids::{Offset, Partition};
    use crate::notify::Reason as OfDeliveries;

    const NOW: Timestamp = Timestamp::from_millis(1_795_341_734_000);

    fn given_up() -> Found {
        let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        Found {
            topic: "hotlead.dead-letter".to_owned(),
            partition: Partition(1),
            offset: Offset(7),
            time: Some(NOW - Span::from_secs(7_200)),
            key: Some(b"u1".to_vec()),
            letter: Letter {
                sink: Some("crm".into()),
                reason: "exhausted".into(),
                headers: vec![header("ce_id", "0123456789abcdef0123456789abcdef")],
                ..Letter::default()
            },
        }
    }

    #[test]
    fn everything_that_was_typed_has_to_fit() {
        let text = |text: &str| Some(text.to_owned());
        let ago = |span: &str| Some(since(span).expect("a span"));
        let of = |change: fn(&mut Choice)| {
            let mut choice = Choice::default();
            change(&mut choice);
            choice
        };
        #[rustfmt::skip]
        let rows = [
            (Choice::default(),                                                             true,  "all"),
            (Choice { sink: text("crm"), ..Choice::default() },                             true,  "its sink"),
            (Choice { sink: text("sdr"), ..Choice::default() },                             false, "another sink"),
            (Choice { reason: text("exhausted"), ..Choice::default() },                     true,  "its reason"),
            (Choice { reason: text("message"), ..Choice::default() },                       false, "another reason"),
            (Choice { lead: text("u1"), ..Choice::default() },                              true,  "its lead"),
            (Choice { lead: text("u"), ..Choice::default() },                               false, "the beginning of its lead"),
            (Choice { since: ago("2h"), ..Choice::default() },                              true,  "exactly so long ago"),
            (Choice { since: ago("1h59m"), ..Choice::default() },                           false, "a minute too old"),
            (Choice { since: ago("2026-11-22T08:02:14Z"), ..Choice::default() },            true,  "its second"),
            (Choice { since: ago("2026-11-22T08:02:14.001Z"), ..Choice::default() },        false, "a millisecond too old"),
            (Choice { which: text("hotlead.dead-letter/1@7"), ..Choice::default() },        true,  "its place"),
            (Choice { which: text("1@7"), ..Choice::default() },                            true,  "its place in short"),
            (Choice { which: text("1@8"), ..Choice::default() },                            false, "another offset"),
            (Choice { which: text("0@7"), ..Choice::default() },                            false, "another partition"),
            (Choice { which: text("elsewhere/1@7"), ..Choice::default() },                  false, "another topic"),
            (Choice { which: text("0123456789abcdef0123456789abcdef"), ..Choice::default() }, true, "the alert's id"),
            (Choice { which: text("0123"), ..Choice::default() },                           false, "a piece of the id"),
            (of(|choice| (choice.sink, choice.lead) = (Some("crm".into()), Some("u2".into()))), false, "one of two"),
        ];
        for (choice, expected, why) in rows {
            assert_eq!(choice.takes(&given_up(), NOW), expected, "{why}");
        }
    }

    #[test]
    fn an_event_that_could_not_be_read_belongs_to_no_sink() {
        let mut event = given_up();
        event.letter.sink = None;
        event.key = None;
        assert!(Choice::default().takes(&event, NOW));
        assert!(!Choice { sink: Some("crm".into()), ..Choice::default() }.takes(&event, NOW));
        assert!(!Choice { lead: Some(String::new()), ..Choice::default() }.takes(&event, NOW));
    }

    #[test]
    fn every_reason_is_known_and_a_misspelt_one_is_told() {
        use OfDeliveries::{Channel, Exhausted, Message, RefusedAddress};
        let of = |reason: &str| Choice { reason: Some(reason.into()), ..Choice::default() }.nothing("d");
        assert_eq!(of("not_json"), "no dead letter on d is meant");
        let misspelt =
            "no dead letter on d is meant, and no reason is called \"exausted\"; did you mean \"exhausted\"?";
        assert_eq!(of("exausted"), misspelt);
        let deliveries = [Exhausted, Message, Channel, RefusedAddress].map(OfDeliveries::name);
        for reason in OfEvents::ALL.map(OfEvents::name).iter().chain(&deliveries) {
            assert!(REASONS.contains(reason), "{reason}");
        }
    }

    #[test]
    fn what_is_no_time_says_what_would_be_one() {
        assert_eq!(since("90m"), Ok(Since::Ago(Span::from_secs(5_400))));
        assert_eq!(since("2026-11-22T10:02:14Z"), Ok(Since::At(NOW)));
        assert!(since("yesterday").expect_err("no time").contains("2026-11-22T10:02:14Z"));
    }
}
