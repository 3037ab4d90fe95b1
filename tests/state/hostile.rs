//! Bytes that nobody wrote: whatever the changelog holds, reading it never panics, and a lead that is let in can be
//! worked with.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hotlead::codec::state::{self, NamesId, StateFault, StateRecord};
use hotlead::core::engine::{Engine, Unreadable};
use hotlead::core::names::Names;
use hotlead::core::stored::{self, Form};
use proptest::prelude::*;

use super::changelog::{Changelog, Stage, Told, compile, origin, try_compile};
use crate::properties::try_cases;
use crate::twin::generate::{Case, case};

/// How the bytes of a state are spoilt.
#[derive(Clone, Debug)]
enum Spoiled {
    Cut(usize),
    /// Adds something at a place, so often.
    Flipped(Vec<(usize, u8)>),
    /// As large a number as fits, there.
    Huge(usize, usize),
    Random(Vec<u8>),
}

fn spoiled() -> impl Strategy<Value = Spoiled> {
    let flips = prop::collection::vec((any::<usize>(), 1u8..), 1..6);
    prop_oneof![
        1 => any::<usize>().prop_map(Spoiled::Cut),
        6 => flips.prop_map(Spoiled::Flipped),
        3 => (any::<usize>(), 1usize..9).prop_map(|(at, len)| Spoiled::Huge(at, len)),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Spoiled::Random),
    ]
}

impl Spoiled {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let len = bytes.len().max(1);
        match self {
            Self::Cut(at) => bytes.truncate(at % len),
            Self::Flipped(flips) => flips.iter().for_each(|(at, by)| {
                if let Some(byte) = bytes.get_mut(at % len) {
                    *byte = byte.wrapping_add(*by);
                }
            }),
            Self::Huge(at, count) => bytes.iter_mut().skip(at % len).take(*count).for_each(|byte| *byte = 0xFF),
            Self::Random(other) => bytes.clone_from(other),
        }
        bytes
    }
}

#[derive(Clone)]
struct Attack {
    case: Case,
    spoiled: Vec<Spoiled>,
}

impl std::fmt::Debug for Attack {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{:?}\n--- spoilt {:?}", self.case, self.spoiled)
    }
}

/// Goal: no bytes make the engine panic, neither when it takes them in nor later. Method: the states that random rules
/// and events leave are spoilt and restored; then the same leads take in the second half of their events.
#[test]
fn no_bytes_make_the_engine_panic() {
    let attacks =
        (case(), prop::collection::vec(spoiled(), 1..40)).prop_map(|(case, spoiled)| Attack { case, spoiled });
    try_cases(attacks, |attack| {
        let Ok(rules) = try_compile(&attack.case.rules) else { return Ok(()) };
        let key = &attack.case.lead_key;
        let (first, second) = attack.case.lines.split_at(attack.case.lines.len() / 2);
        let mut stage = Stage::new(&rules, key);
        for (at, line) in first.iter().enumerate() {
            stage.step(&Told::Line(line.clone()), at);
        }
        let mut changelog = Changelog::default();
        stage.engine.stage();
        changelog.write(&mut stage.engine);
        for spoiled in &attack.spoiled {
            let tried = catch_unwind(AssertUnwindSafe(|| {
                let mut engine = Engine::new(std::sync::Arc::clone(&rules), origin());
                let names: Names = stage.engine.names().clone();
                let mut translation = engine.translation(names.clone());
                for (lead, value) in changelog.bytes() {
                    let lead = std::str::from_utf8(lead).expect("text");
                    let value = spoiled.apply(value);
                    let _ = state::read(lead.as_bytes(), Some(&value));
                    let bytes = spoiled.apply(value.get(5..).unwrap_or_default());
                    for form in [Form::Compact, Form::Fixed] {
                        let restored = engine.restore(lead, (form, &bytes), &mut translation);
                        let shown = stored::read(lead, (form, &bytes), &names);
                        // What was in other names would have been translated: here they are the same.
                        assert_eq!(restored.is_ok(), shown.is_ok(), "{restored:?} {shown:?}");
                    }
                }
                let mut stage = Stage::with(engine, key);
                for (at, line) in second.iter().enumerate() {
                    stage.step(&Told::Line(line.clone()), 1000 + at);
                }
                stage.engine.stage();
                stage.engine.commit();
            }));
            tried.map_err(|_| format!("it panics: {spoiled:?}"))?;
        }
        Ok(())
    });
}

/// Goal: faults are told, and leave the engine as it was.
#[test]
fn what_is_no_state_is_refused() {
    let rules = compile("version: 1\nsignals: { v: { on: page } }\nrules: [ { id: r, when: { signal: v } } ]\n");
    let mut engine = Engine::new(std::sync::Arc::clone(&rules), origin());
    let mut translation = engine.translation(engine.names().clone());
    let clock = |ms: i64| ms.to_le_bytes()[..6].to_vec();
    let noon = clock(1_795_341_600_000);
    let sum = |points: f64, at: &[u8]| [&[68][..], &noon, &[1, 0, 0, 0], at, &points.to_le_bytes(), &[0, 0]].concat();
    let long = "x".repeat(513);
    #[rustfmt::skip]
    let rows: [(&str, Vec<u8>, bool, &str); 10] = [
        ("u1",  vec![],                                          false, "nothing"),
        ("u1",  [&[64][..], &noon].concat(),                     true,  "a lead that only has a clock"),
        ("u1",  [&[64][..], &noon, &[0]].concat(),               false, "something after its end"),
        ("u1",  [&[64][..], &clock((1 << 48) - 1)].concat(),     false, "a clock after the year 9999"),
        ("u1",  [&[64][..], &clock(0)].concat(),                 false, "a clock before 2000"),
        ("u1",  [&[96][..], &noon, &[1, 0, 0x40, 0, 0], &noon, &noon, &[0; 8]].concat(), false, "a rule that there is not"),
        ("u1",  sum(5.0, &noon),                                 false, "points that there are not"),
        ("u1",  [&[96][..], &noon, &[1, 0, 0, 0, 0], &noon, &noon, &[0; 8]].concat(), true,  "an episode"),
        ("u1",  [&[96][..], &noon, &[1, 0, 0, 0, 0], &clock(1_795_341_600_001), &noon, &[0; 8]].concat(), false, "an episode of tomorrow"),
        (&long, [&[64][..], &noon].concat(),                     false, "a key longer than any lead has"),
    ];
    for (lead, bytes, fine, why) in rows {
        let before = engine.leads();
        let restored = engine.restore(lead, (Form::Fixed, &bytes), &mut translation);
        assert_eq!(restored, if fine { Ok(()) } else { Err(Unreadable) }, "{why}");
        assert!(fine || engine.leads() == before, "{why}");
    }
}

/// Goal: points that are no numbers are no state.
#[test]
fn points_must_be_numbers() {
    let rules = compile(
        "version: 1\nsignals: { v: { on: page } }\nscoring: { points: [ { signal: v, points: 5 } ] }\n\
         rules: [ { id: r, when: { score: { at_least: 5 } } } ]\n",
    );
    let noon = &1_795_341_600_000_i64.to_le_bytes()[..6];
    for (points, fine) in [(5.0, true), (1e300, true), (f64::NAN, false), (f64::INFINITY, false)] {
        let mut engine = Engine::new(std::sync::Arc::clone(&rules), origin());
        let mut translation = engine.translation(engine.names().clone());
        let bytes = [&[68][..], noon, &[1, 0, 0, 0], noon, &f64::to_le_bytes(points), &[0, 0]].concat();
        assert_eq!(engine.restore("u1", (Form::Fixed, &bytes), &mut translation).is_ok(), fine, "{points}");
        let line = r#"{"id":"e","time":"2026-11-22T10:00:00Z","type":"page","lead":{"user_id":"u1"}}"#;
        let mut stage = Stage::with(engine, &["user_id"]);
        assert_eq!(stage.fires(&Told::Line(line.to_owned()), 1), ["r"], "{points}");
    }
}

/// Goal: a newer hotlead's record is named as such, everything else is foreign.
#[test]
fn any_bytes_are_a_record_or_a_fault() {
    try_cases(
        (prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..40)),
        |(key, value)| {
            let named = [b"\xFFnames/", &key[..]].concat();
            for key in [&key, &named] {
                match (state::read(key, Some(&value)), value.first()) {
                    (Err(StateFault::Newer(version)), Some(first)) if version == *first && version > state::VERSION => {
                    }
                    (Err(StateFault::Foreign) | Ok(_), first) if first.is_none_or(|first| *first <= state::VERSION) => {
                    }
                    (read, first) => return Err(format!("{first:?}: {read:?}")),
                }
            }
            Ok(())
        },
    );
    let newer = state::read(b"u1", Some(&[state::VERSION + 1, 9])).expect_err("newer").to_string();
    let expected =
        "written by a newer hotlead (state version 4, this one reads up to 3): run that one, or a still newer one";
    assert_eq!(newer, expected);
    for form in [Form::Fixed, Form::Compact] {
        let value = state::head(NamesId(7), form);
        let lead = StateRecord::Lead { lead: "u1", names: NamesId(7), state: (form, &[]) };
        assert_eq!(state::read(b"u1", Some(&value)), Ok(lead));
    }
}
