//! What decoding is compared with: `serde_json` into borrowed structs.
//!
//! No event of the stream has an escape, so `&str` is enough; with escapes it would fail, and what does not fail is
//! slower.

#![allow(dead_code, reason = "filling the fields is the work that is timed")]

use std::hint::black_box;

use serde::Deserialize;

/// The fields that the projection for twenty count rules reads, all of them: every place of every field of
/// `RuleSet::fields`, and what tells formats apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    r#type: Option<&'a str>,
    message_id: Option<&'a str>,
    id: Option<&'a str>,
    user_id: Option<&'a str>,
    anonymous_id: Option<&'a str>,
    #[serde(rename = "distinct_id")]
    distinct_id: Option<&'a str>,
    timestamp: Option<&'a str>,
    original_timestamp: Option<&'a str>,
    sent_at: Option<&'a str>,
    received_at: Option<&'a str>,
    time: Option<&'a str>,
    event: Option<&'a str>,
    name: Option<&'a str>,
    specversion: Option<&'a str>,
    source: Option<&'a str>,
    #[serde(borrow)]
    lead: Option<Lead<'a>>,
    #[serde(borrow)]
    page: Option<Page<'a>>,
    #[serde(borrow)]
    properties: Option<Page<'a>>,
    #[serde(borrow)]
    traits: Option<Traits<'a>>,
    #[serde(borrow)]
    context: Option<Context<'a>>,
    #[serde(borrow)]
    data: Option<Box<Event<'a>>>,
}

#[derive(Deserialize)]
struct Lead<'a> {
    user_id: Option<&'a str>,
    anonymous_id: Option<&'a str>,
    email: Option<&'a str>,
}

#[derive(Deserialize)]
struct Page<'a> {
    path: Option<&'a str>,
    url: Option<&'a str>,
}

#[derive(Deserialize)]
struct Traits<'a> {
    email: Option<&'a str>,
    name: Option<&'a str>,
    company: Option<&'a str>,
    job_title: Option<&'a str>,
}

#[derive(Deserialize)]
struct Context<'a> {
    #[serde(borrow)]
    page: Option<Page<'a>>,
    #[serde(borrow)]
    traits: Option<Traits<'a>>,
}

/// All the places, as our projection has them.
pub fn same_fields(events: &[Vec<u8>]) -> usize {
    let read = |bytes: &Vec<u8>| {
        let text = std::str::from_utf8(black_box(bytes)).expect("UTF-8");
        let event: Event<'_> = serde_json::from_str(text).expect("an event");
        black_box(&event).user_id.map_or(0, str::len)
    };
    events.iter().map(read).sum()
}

/// The fields that these very events need, known beforehand.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seven<'a> {
    r#type: &'a str,
    message_id: &'a str,
    user_id: Option<&'a str>,
    anonymous_id: Option<&'a str>,
    timestamp: &'a str,
    event: Option<&'a str>,
    #[serde(default, borrow)]
    properties: Path<'a>,
}

#[derive(Default, Deserialize)]
struct Path<'a> {
    path: Option<&'a str>,
}

/// Seven fields.
pub fn seven_fields(events: &[Vec<u8>]) -> usize {
    let read = |bytes: &Vec<u8>| {
        let text = std::str::from_utf8(black_box(bytes)).expect("UTF-8");
        let event: Seven<'_> = serde_json::from_str(text).expect("an event");
        black_box(&event).user_id.map_or(0, str::len)
    };
    events.iter().map(read).sum()
}
