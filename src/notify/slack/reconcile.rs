//! After an outcome that nobody knows: is our message in the channel? Looks for it by its metadata.

use serde_json::Value;

use crate::core::time::{Span, Timestamp};

/// The type of our messages' metadata.
pub const EVENT_TYPE: &str = "hotlead_alert";

/// Clocks of ours and Slack's may differ by this much.
const SLACK_CLOCK: Span = Span::from_secs(60);

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A card, by its episode, among the messages of the channel.
    Card(String),
    /// A reply, by the alert that it is about, in the thread of this card.
    Reply {
        /// The alert's id.
        alert_id: String,
        /// The card's.
        ts: String,
    },
    /// A digest, by its id, among the messages of the channel.
    Digest(String),
}

/// Our message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Its name in the channel.
    pub ts: String,
    /// The newest alert that it shows.
    pub alert_id: String,
}

/// Where a lookup begins: `1795341674.000000`, a minute before what is looked for can have been sent.
pub fn oldest(intent: Timestamp) -> String {
    let ms = (intent - SLACK_CLOCK).as_millis().max(0);
    format!("{}.{:03}000", ms / 1_000, ms % 1_000)
}

/// Our message on one page of an answer.
pub fn find(page: &Value, wanted: &Wanted) -> Option<Match> {
    page["messages"].as_array()?.iter().find_map(|message| {
        let metadata = &message["metadata"];
        let payload = &metadata["event_payload"];
        let of = |name: &str| payload[name].as_str().unwrap_or_default();
        let ts = message["ts"].as_str()?;
        let is_parent = message["thread_ts"].as_str().is_none_or(|parent| parent == ts);
        let is_it = match wanted {
            Wanted::Card(episode) => is_parent && of("episode") == episode,
            Wanted::Digest(id) => is_parent && of("digest_id") == id,
            Wanted::Reply { alert_id, .. } => !is_parent && of("alert_id") == alert_id,
        };
        let is_ours = metadata["event_type"] == EVENT_TYPE && is_it;
        is_ours.then(|| Match { ts: ts.to_owned(), alert_id: of("alert_id").to_owned() })
    })
}

/// Where the next page begins, if there is one.
pub fn next_page(page: &Value) -> Option<String> {
    let cursor = page["response_metadata"]["next_cursor"].as_str()?;
    (!cursor.is_empty()).then(|| cursor.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_our_own_message_is_found() {
        let message = |ts: &str, thread: Option<&str>, payload: Value| {
            let metadata = json!({ "event_type": EVENT_TYPE, "event_payload": payload });
            json!({ "ts": ts, "thread_ts": thread, "metadata": metadata, "text": "x" })
        };
        let page = json!({ "messages": [
            { "ts": "1.1", "text": "a person's" },
            { "ts": "1.2", "metadata": { "event_type": "other", "event_payload": { "episode": "e1", "alert_id": "a1" } } },
            message("1.3", Some("1.0"), json!({ "episode": "e1", "alert_id": "a1" })),
            message("1.4", None, json!({ "episode": "e1", "alert_id": "a2" })),
            message("1.5", Some("1.5"), json!({ "episode": "e2", "alert_id": "a3" })),
            message("1.6", None, json!({ "digest_id": "d1" })),
        ]});
        let card = |episode: &str| Wanted::Card(episode.into());
        let reply = |alert: &str| Wanted::Reply { alert_id: alert.into(), ts: "1.0".into() };
        #[rustfmt::skip]
        let rows = [
            (card("e1"),                  Some(("1.4", "a2"))),
            (card("e2"),                  Some(("1.5", "a3"))),
            (card("e3"),                  None),
            (reply("a1"),                 Some(("1.3", "a1"))),
            (reply("a2"),                 None),
            (Wanted::Digest("d1".into()), Some(("1.6", ""))),
            (Wanted::Digest("d2".into()), None),
        ];
        for (wanted, expected) in rows {
            let found = find(&page, &wanted);
            assert_eq!(found.as_ref().map(|m| (m.ts.as_str(), m.alert_id.as_str())), expected, "{wanted:?}");
        }
        assert_eq!(find(&json!({ "ok": true }), &card("e1")), None);
    }

    #[test]
    fn it_looks_from_a_minute_before_and_to_the_last_page() {
        assert_eq!(oldest(Timestamp::from_millis(1_795_341_734_120)), "1795341674.120000");
        let page = |cursor: &str| json!({ "response_metadata": { "next_cursor": cursor } });
        assert_eq!(next_page(&page("abc")), Some("abc".to_owned()));
        assert_eq!((next_page(&page("")), next_page(&json!({}))), (None, None));
    }
}
