//! Ledger records that an earlier version wrote: they must always read, and say the same.
//!
//! A folder for each version of the format. `HOTLEAD_NEW_FIXTURES=1` writes those of the present version; what is released
//! is never written again.

use std::fs;
use std::path::{Path, PathBuf};

use hotlead::codec::ledger::{
    self, Bytes, Card, Digest, Ended, Entry, Erasure, Fired, Intent, Outcome, Parked, Payload, Place, Redaction,
    Redrive, Shown, SinkState, Standing, Tries,
};
use hotlead::core::ids::{Offset, Partition};
use hotlead::core::time::Timestamp;

fn folder(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/ledger/v{version}"))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_341_734_000 + seconds * 1_000)
}

/// Those that version 1 did not have.
const SINCE_2: [&str; 5] = ["redrive", "redriven", "coalesced", "card", "digest"];

/// Those that version 2 did not have.
const SINCE_3: [&str; 7] = ["card_with_others", "erase", "erase_heard", "redact", "lent", "failing", "card_in_place"];

/// One of each kind, with all that it can say.
fn samples() -> Vec<(&'static str, Entry)> {
    let tries = Tries {
        attempts: 4,
        refusals: 1,
        first_failed: Some(at(2)),
        last_status: Some(503),
        detail: "status 503".to_owned(),
        ..Tries::default()
    };
    let bytes = |text: &[u8]| Some(Bytes(text.to_vec()));
    let alert = Payload {
        key: bytes(b"u1"),
        value: bytes(br#"{"id":"0123456789abcdef0123456789abcdef"}"#),
        headers: vec![
            ("ce_id".into(), bytes(b"0123456789abcdef0123456789abcdef")),
            ("raw".into(), bytes(b"\xff\xfe")),
            ("none".into(), None),
        ],
    };
    let redrive = Redrive { offset: 7, time: at(0), asked: at(90_000), redrives: 1, alert: alert.clone() };
    let again = Tries { redrives: 1, asked: Some(at(90_000)), ..tries.clone() };
    let parked = Parked { offset: 7, time: at(0), next_at: at(66), tries: tries.clone(), alert };
    let delivered =
        Ended { offset: 7, at: at(70), outcome: Outcome::Delivered, reason: None, into: None, tries: Tries::default() };
    let reason = Some("exhausted".to_owned());
    let lent = Parked { tries: Tries { lent: true, ..tries.clone() }, ..parked.clone() };
    let given_up = Ended { offset: 7, at: at(86_400), outcome: Outcome::DeadLettered, reason, into: None, tries };
    let redriven = Ended { tries: again, ..given_up.clone() };
    let coalesced =
        Ended { outcome: Outcome::Coalesced, into: Some("1795341734.000100".to_owned()), ..delivered.clone() };
    let fired = |rule: &str, untold: Option<&str>| Fired {
        rule: rule.to_owned(),
        start: at(0),
        open: untold.is_some(),
        untold: untold.map(str::to_owned),
    };
    let card = Card {
        home: "0123456789abcdef".to_owned(),
        place: Some(Place { channel: "C0000000001".to_owned(), ts: "1795341734.000100".to_owned() }),
        episode: "00112233445566778899aabbccddeeff".to_owned(),
        fired: vec![fired("pricing-surge", None), fired("demo-requested", Some("asked for a demo"))],
        shown: Some(Shown { offset: 7, time: at(0), alert: Bytes(b"{}".to_vec()) }),
        others: Vec::new(),
        closed: true,
        edited: at(70),
        intent: Some(Intent { alert_id: "0123456789abcdef0123456789abcdef".to_owned(), at: at(69), reply: true }),
        instead_of: None,
    };
    let place = |ts: &str| Place { channel: "C0000000001".to_owned(), ts: ts.to_owned() };
    let with_others = Card { others: vec![place("1795255334.000100"), place("1795341735.000200")], ..card.clone() };
    let erased = Erasure::by_owner(b"u1", at(80), ("engagement", Partition(2)), Offset(1234));
    let redaction = Redaction {
        episode: card.episode.clone(),
        alert_id: "0123456789abcdef0123456789abcdef".to_owned(),
        asked: at(81),
        places: with_others.others.clone(),
        intent: card.intent.clone(),
    };
    let card_in_place = Card { instead_of: Some("sdr".to_owned()), ..card.clone() };
    let digest = Digest { id: "ffeeddccbbaa99887766554433221100".to_owned(), at: at(5), offsets: vec![7, 9] };
    let sink = SinkState {
        standing: Standing::Disabled,
        since: at(3),
        endpoint: "0123456789abcdef".to_owned(),
        detail: "status 410".to_owned(),
        failing: None,
    };
    let failing = SinkState { standing: Standing::Open, detail: String::new(), failing: Some(at(2)), ..sink.clone() };
    vec![
        ("parked", Entry::Parked(parked)),
        ("delivered", Entry::Ended(delivered)),
        ("dead_lettered", Entry::Ended(given_up)),
        ("redrive", Entry::Redrive(redrive)),
        ("redriven", Entry::Ended(redriven)),
        ("sink", Entry::Sink(sink)),
        ("unblock", Entry::Unblock { time: at(9) }),
        ("coalesced", Entry::Ended(coalesced)),
        ("card", Entry::Card(card)),
        ("digest", Entry::Digest(digest)),
        ("card_with_others", Entry::Card(with_others)),
        ("erase", Entry::Erase(erased)),
        ("erase_heard", Entry::Erase(Erasure { heard: true, ..Erasure::by_nobody(b"u1", at(80)) })),
        ("redact", Entry::Redact(redaction)),
        ("lent", Entry::Parked(lent)),
        ("failing", Entry::Sink(failing)),
        ("card_in_place", Entry::Card(card_in_place)),
    ]
}

#[test]
fn every_version_of_a_ledger_record_still_reads() {
    let write = std::env::var_os("HOTLEAD_NEW_FIXTURES").is_some();
    for (name, entry) in samples() {
        let first = match name {
            _ if SINCE_3.contains(&name) => 3,
            _ if SINCE_2.contains(&name) => 2,
            _ => 1,
        };
        for version in first..=ledger::VERSION {
            let file = folder(version).join(format!("{name}.json"));
            if write && version == ledger::VERSION {
                fs::write(&file, ledger::write(&entry)).expect("a writable folder");
            }
            let bytes = fs::read(&file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
            assert_eq!(ledger::read(Some(&bytes)), Ok(Some(entry.clone())), "v{version} {name}");
            if version == ledger::VERSION {
                assert_eq!(ledger::write(&entry), bytes, "{name} is still written like this");
            }
        }
    }
}
