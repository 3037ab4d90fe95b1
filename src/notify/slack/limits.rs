//! How much of each of Slack's limits a message uses, in code points as they are sent.

use serde::Serialize;
use serde_json::Value;

/// One limit and what a message uses of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    /// Of what.
    pub what: &'static str,
    /// The most that one such thing in the message has.
    pub used: usize,
    /// What Slack takes.
    pub limit: usize,
}

impl Use {
    /// Whether Slack takes it.
    pub fn fits(&self) -> bool {
        self.used <= self.limit
    }
}

/// Every limit that this message can touch.
pub fn limits(message: &Value) -> Vec<Use> {
    let blocks = message["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
    let texts = |kind| of(kind).map(|block| length(&block["text"]["text"])).max();
    let elements = |kind| of(kind).map(|block| items(&block["elements"]).len()).max();
    let fields = || of("section").map(|block| items(&block["fields"]));
    let buttons = || of("actions").flat_map(|block| items(&block["elements"]));
    #[rustfmt::skip]
    let rows = [
        // `chat.update` refuses a longer text, `chat.postMessage` cuts it at 40,000.
        ("text",                          Some(length(&message["text"])),                                  4_000),
        ("blocks",                        Some(blocks.len()),                                              50),
        // Slack says nothing of it and refuses about 13,200: we keep away from it.
        ("characters of all blocks",      Some(blocks.iter().map(characters).sum()),                       10_000),
        ("header",                        texts("header"),                                                 150),
        ("section text",                  texts("section"),                                                3_000),
        ("fields of a section",           fields().map(<[_]>::len).max().filter(|n| *n > 0),               10),
        ("field of a section",            fields().flatten().map(|field| length(&field["text"])).max(),    2_000),
        ("elements of a context",         elements("context"),                                             10),
        ("elements of an actions block",  elements("actions"),                                             25),
        ("button text",                   buttons().map(|button| length(&button["text"]["text"])).max(),   75),
        ("button value",                  buttons().map(|button| length(&button["value"])).max(),          2_000),
        ("button url",                    buttons().map(|button| length(&button["url"])).max(),            3_000),
        ("block_id",                      blocks.iter().map(|block| length(&block["block_id"])).max().filter(|n| *n > 0), 255),
    ];
    rows.into_iter().filter_map(|(what, used, limit)| Some(Use { what, used: used?, limit })).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

/// Of every text in a block.
fn characters(block: &Value) -> usize {
    match block {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => text.chars().count(),
                Value::String(_) => 0,
                value => characters(value),
            })
            .sum(),
        Value::Array(items) => items.iter().map(characters).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_used_is_counted_and_what_is_too_much_does_not_fit() {
        let message = json!({
            "text": "é".repeat(4_001),
            "blocks": [
                { "type": "header", "text": { "type": "plain_text", "text": "x".repeat(150) } },
                { "type": "section", "block_id": "b1", "text": { "type": "mrkdwn", "text": "x".repeat(10) },
                  "fields": [{ "type": "mrkdwn", "text": "x".repeat(2_001) }] },
                { "type": "context", "elements": vec![json!({ "type": "mrkdwn", "text": "x" }); 11] },
                { "type": "actions", "elements": [{ "type": "button", "text": { "text": "Open" }, "url": "https://x.test" }] },
            ],
        });
        let uses: Vec<_> = limits(&message).into_iter().map(|one| (one.what, one.used, one.fits())).collect();
        #[rustfmt::skip]
        assert_eq!(uses, [
            ("text", 4_001, false), ("blocks", 4, true), ("characters of all blocks", 2_176, true),
            ("header", 150, true), ("section text", 10, true), ("fields of a section", 1, true),
            ("field of a section", 2_001, false), ("elements of a context", 11, false),
            ("elements of an actions block", 1, true), ("button text", 4, true), ("button value", 0, true),
            ("button url", 14, true), ("block_id", 2, true),
        ]);
    }

    #[test]
    fn the_card_of_the_longest_alert_fits() {
        let mut alert = crate::notify::sample::alert(1, crate::core::time::Timestamp::default());
        let long = "<&😀>".repeat(5_000);
        alert.lead.name = Some(long.clone());
        alert.reason = long.clone();
        alert.flag_texts = vec![long.clone(); 99];
        alert.campaign = Some(long);
        let face = super::super::Face::of(&alert, None);
        for message in [super::super::card(&face, alert.time), super::super::minimal(&face)] {
            assert!(limits(&message).iter().all(Use::fits), "{:?}", limits(&message));
        }
    }
}
