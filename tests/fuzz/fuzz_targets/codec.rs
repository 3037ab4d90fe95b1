//! Any bytes are an event or a dead letter, and JSON just when `serde_json` says so.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir tests/fuzz codec tests/fuzz/corpus/codec tests/fuzz/seeds/codec`
#![no_main]

use std::cell::RefCell;

use hotlead::codec::{Decoder, Reason, Record, line};
use hotlead::core::event::{FieldId, FieldPath, FieldTable, Value};
use hotlead::core::limits::MAX_RECORD;
use libfuzzer_sys::fuzz_target;

thread_local! {
    // One decoder for all inputs, as a thread of the program has it: what one record leaves behind must not show in
    // the next.
    static DECODER: RefCell<(Decoder, usize)> = RefCell::new(decoder());
}

fn decoder() -> (Decoder, usize) {
    let mut fields = FieldTable::new();
    for name in ["email_domain", "user_agent", "ip", "group_id", "page.url", "campaign.n", "properties.n", "properties.n.m", "context.a"] {
        fields.id(FieldPath::parse(name).expect("a field"));
    }
    for name in ["name", "company", "n"] {
        fields.id(FieldPath::of_trait(name).expect("a trait"));
    }
    let lead_key = [FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId];
    (Decoder::new(&fields, &lead_key), fields.paths().len())
}

fuzz_target!(|bytes: &[u8]| {
    DECODER.with_borrow_mut(|(decoder, fields)| decode(decoder, *fields, bytes));
    // A line of a file, and a captured record with these bytes as its value.
    let _ = line::read(bytes);
    round_trip(bytes);
});

fn decode(decoder: &mut Decoder, fields: usize, bytes: &[u8]) {
    let record = Record {
        value: Some(bytes),
        ..Record::default()
    };
    let reason = match decoder.decode(record) {
        Ok(event) => {
            assert!(!event.lead.is_empty() && event.time.is_plausible());
            for id in 0..fields {
                if let Value::List(list) = event.fields.get(FieldId(id as u16)) {
                    assert!(list.items().count() <= bytes.len());
                }
            }
            let _ = event.label();
            None
        }
        Err(letter) => Some(letter.reason),
    };
    let is_text = std::str::from_utf8(bytes).is_ok();
    let theirs = is_text && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    match reason {
        Some(Reason::TooLarge) => assert!(bytes.len() > MAX_RECORD),
        // The place of the fault is found before the end is read, so nothing can be said of what follows.
        Some(Reason::TooDeep) => assert!(bytes.len() > 128),
        Some(Reason::NotUtf8) => assert!(!is_text),
        Some(Reason::Empty | Reason::NotJson) => assert!(!theirs),
        _ => assert!(theirs),
    }
}

fn round_trip(bytes: &[u8]) {
    let written = line::Line {
        coordinates: Some(line::Coordinates {
            topic: "t".into(),
            partition: hotlead::core::ids::Partition(0),
            offset: hotlead::core::ids::Offset(0),
        }),
        value: Some(bytes.into()),
        key: Some(bytes.into()),
        ..line::Line::default()
    };
    let mut out = Vec::new();
    written.write(&mut out);
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(!out.contains(&b'\n'));
    assert_eq!(line::read(&out), written);
}
