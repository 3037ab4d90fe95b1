//! What a message says that comes in place of another sink.

use serde_json::{Value, json};

use super::card::plain;

/// The message, with a last line that names the sink in whose place it comes.
pub fn instead_of(mut message: Value, sink: &str) -> Value {
    let line = format!("In place of {sink}, which cannot be reached");
    if let Some(blocks) = message["blocks"].as_array_mut() {
        blocks.push(json!({ "type": "context", "elements": [plain(&line, 150)] }));
    }
    let text = message["text"].as_str().unwrap_or_default();
    message["text"] = format!("{text} ({line})").into();
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stands_last_in_the_blocks_and_in_the_text() {
        let marked = instead_of(json!({ "text": "HOT", "blocks": [{ "type": "divider" }] }), "sdr");
        assert_eq!(marked["text"], "HOT (In place of sdr, which cannot be reached)");
        assert_eq!(marked["blocks"][1]["elements"][0]["text"], "In place of sdr, which cannot be reached");
        let minimal = instead_of(json!({ "text": "HOT" }), "sdr");
        assert_eq!((minimal["text"].as_str(), minimal["blocks"].is_null()), (marked["text"].as_str(), true));
    }
}
