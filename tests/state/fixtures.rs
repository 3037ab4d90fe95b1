//! States that an earlier version wrote: they must always read.
//!
//! A folder for each version of the format: the rules, the names record, and for each lead its record and what it says.
//! `HOTLEAD_NEW_FIXTURES=1` writes those of the present version; what is released is never written again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hotlead::codec::state::{self, StateRecord};
use hotlead::core::engine::Engine;
use hotlead::core::stored;
use serde_json::{Value, json};

use super::changelog::{Changelog, Stage, Told, compile, origin};
use crate::twin::time;

const START: i64 = 1_795_341_600_000;

fn folder(version: u8) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/state/v{version}"))
}

#[test]
fn every_version_of_a_state_still_reads() {
    if std::env::var_os("HOTLEAD_NEW_FIXTURES").is_some() {
        write(&folder(state::VERSION));
    }
    for version in 1..=state::VERSION {
        let folder = folder(version);
        let bytes =
            |name: &str| fs::read(folder.join(name)).unwrap_or_else(|fault| panic!("v{version} {name}: {fault}"));
        let key = bytes("names.key");
        let Ok(StateRecord::Names(id, names)) = state::read(&key, Some(&bytes("names.bin"))) else {
            panic!("v{version}: names");
        };
        let rules = compile(&String::from_utf8(bytes("rules.yaml")).expect("text"));
        let mut engine = Engine::new(rules, origin());
        let mut translation = engine.translation((*names).clone());
        let leads = ["narrow", "wide", "traits", "many"];
        for lead in leads {
            let record = bytes(&format!("{lead}.bin"));
            let Ok(StateRecord::Lead { names: written_in, state, .. }) = state::read(lead.as_bytes(), Some(&record))
            else {
                panic!("v{version}: {lead}");
            };
            assert_eq!(written_in, id, "v{version}: {lead}");
            let said = serde_json::to_value(stored::read(lead, state, &names).expect("a state")).expect("JSON");
            let expected: Value = serde_json::from_slice(&bytes(&format!("{lead}.json"))).expect("JSON");
            assert_eq!(said, expected, "v{version}: {lead}");
            engine.restore(lead, state, &mut translation).expect("a state");
        }
        assert_eq!(engine.leads(), leads.len());
    }
}

/// What a lead does: seconds after the start, kind, and what it says.
fn event(lead: &str, seconds: i64, kind: &str, more: Value) -> Told {
    let mut value = json!({
        "id": format!("{lead}-{seconds}"), "time": time::text(START + seconds * 1000), "type": kind,
        "lead": {"user_id": lead},
    });
    value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    Told::Line(value.to_string())
}

fn write(folder: &Path) {
    let page = |lead: &str, at, path: &str| event(lead, at, "page", json!({"page": {"path": path}}));
    let track = |lead: &str, at, name: &str| event(lead, at, "track", json!({"name": name}));
    let mut told = vec![
        page("narrow", 0, "/pricing"),
        page("narrow", 60, "/plans"),
        page("narrow", 30, "/pricing"),
        track("narrow", 90, "Demo Requested"),
        track("narrow", 100, "Apply"),
        page("wide", 0, "/pricing"),
        page("wide", 90 * 86_400, "/pricing"),
        track("wide", 91 * 86_400, "Demo Requested"),
        event(
            "traits",
            0,
            "identify",
            json!({"traits": {
                "email": "Dana@Acme.example", "name": "Dana Ruíz", "company": "Acme", "job_title": "VP", "plan": "pro",
                "tags": ["warm", 7, true, null],
            }}),
        ),
    ];
    told.extend((0..300).map(|n| page("many", n * 10, &format!("/p/{n}"))));
    let rules = compile(&fs::read_to_string(folder.join("rules.yaml")).expect("rules"));
    let mut stage = Stage::new(&rules, &["user_id"]);
    for (at, told) in told.iter().enumerate() {
        stage.step(told, 5_000_000_000 * (at % 2) + at);
    }
    let mut changelog = Changelog::default();
    stage.engine.stage();
    changelog.write(&mut stage.engine);
    let (_, key, value) = state::names(stage.engine.names());
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::from([("names.key".into(), key), ("names.bin".into(), value)]);
    for (lead, stored) in changelog.stored() {
        let json = serde_json::to_string_pretty(&stored).expect("JSON") + "\n";
        files.insert(format!("{lead}.json"), json.into_bytes());
        files.insert(format!("{lead}.bin"), changelog.bytes()[lead.as_bytes()].to_vec());
    }
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("written");
    }
}
