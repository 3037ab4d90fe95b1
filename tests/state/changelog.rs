//! An engine with a changelog in memory: what `hotlead run` does between two commits, without Kafka.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use hotlead::codec::state::{self, NamesId, StateRecord};
use hotlead::codec::{Decoder, Record, line};
use hotlead::core::alert::AlertKind;
use hotlead::core::engine::{Engine, Input, Outputs};
use hotlead::core::event::FieldPath;
use hotlead::core::ids::{Origin, Partition};
use hotlead::core::names::{Names, Translation};
use hotlead::core::rule::RuleSet;
use hotlead::core::stored::{self, Form, Stored};

/// Rules from a file's text.
pub fn compile(text: &str) -> Arc<RuleSet> {
    try_compile(text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

/// Rules from a file's text, if they are good.
pub fn try_compile(text: &str) -> Result<Arc<RuleSet>, String> {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let (spec, _) = hotlead::config::load_rules(file.path()).map_err(|fault| fault.to_string())?;
    Ok(Arc::new(RuleSet::compile(spec)))
}

/// One thing that an engine is told.
#[derive(Clone, Debug)]
pub enum Told {
    Line(String),
    Erase(&'static str),
}

/// An engine, and the decoder for its rules.
pub struct Stage {
    pub engine: Engine,
    decoder: Decoder,
}

impl Stage {
    pub fn new(rules: &Arc<RuleSet>, lead_key: &[&str]) -> Self {
        Self::with(Engine::new(Arc::clone(rules), origin()), lead_key)
    }

    pub fn with(engine: Engine, lead_key: &[&str]) -> Self {
        let paths: Vec<FieldPath> = lead_key.iter().map(|name| path(name)).collect();
        let decoder = Decoder::new(engine.rules().fields(), &paths);
        Self { engine, decoder }
    }

    /// What came of it; nothing for a line that is no event.
    pub fn step(&mut self, told: &Told, position: usize) -> Option<Outputs> {
        let mut out = Outputs::default();
        match told {
            Told::Erase(lead) => self.engine.step(Input::Erase { lead }, &mut out),
            Told::Line(text) => {
                let line = line::read(text.as_bytes());
                let time = line.time.filter(|time| time.is_plausible());
                let record = Record { value: line.value.as_deref(), headers: &[], time };
                let event = self.decoder.decode(record).ok()?;
                let input = Input::Event { event: &event, position: position as i64, record_time: time };
                self.engine.step(input, &mut out);
            }
        }
        Some(out)
    }

    /// The names of what fired.
    pub fn fires(&mut self, told: &Told, position: usize) -> Vec<String> {
        let out = self.step(told, position).expect("an event");
        let opened = out.alerts.iter().filter(|alert| alert.kind == AlertKind::Opened);
        opened.map(|alert| alert.rule.clone()).collect()
    }
}

pub fn origin() -> Origin {
    Origin::Topic { topic: "engagement".into(), partition: Partition(0) }
}

fn path(name: &str) -> FieldPath {
    match name {
        "user_id" => FieldPath::UserId,
        "anonymous_id" => FieldPath::AnonymousId,
        "email" => FieldPath::Email,
        _ => FieldPath::GroupId,
    }
}

/// The newest record of each key, at its offset, as compaction leaves them.
#[derive(Clone, Debug, Default)]
pub struct Changelog {
    records: BTreeMap<Vec<u8>, (usize, Option<Vec<u8>>)>,
    written: usize,
}

impl Changelog {
    /// Writes down what is staged, names first if they are not there.
    pub fn write(&mut self, engine: &mut Engine) {
        let (id, key, value) = state::names(engine.names());
        if !self.records.contains_key(&key) {
            self.put(key, Some(value));
        }
        engine.each_record(|lead, bytes| {
            let value = (!bytes.is_empty()).then(|| [&state::head(id, Form::Compact)[..], bytes].concat());
            self.put(lead.to_vec(), value);
        });
    }

    pub fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.written += 1;
        self.records.insert(key, (self.written, value));
    }

    fn in_order(&self) -> Vec<(&[u8], Option<&[u8]>)> {
        let mut all: Vec<_> = self.records.iter().map(|(key, (at, value))| (*at, &key[..], value.as_deref())).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, key, value)| (key, value)).collect()
    }

    /// An engine as of the last record.
    pub fn restore(&self, rules: &Arc<RuleSet>, lead_key: &[&str]) -> Stage {
        let mut engine = Engine::new(Arc::clone(rules), origin());
        let mut translations: BTreeMap<NamesId, Translation> = BTreeMap::new();
        for (key, value) in self.in_order() {
            match state::read(key, value).expect("a record of ours") {
                StateRecord::Names(id, names) => {
                    translations.insert(id, engine.translation(*names));
                }
                StateRecord::Gone { lead } => engine.forget(lead),
                StateRecord::Lead { lead, names, state } => {
                    let translation = translations.get_mut(&names).expect("names come first");
                    engine.restore(lead, state, translation).expect("a state of ours");
                }
            }
        }
        Stage::with(engine, lead_key)
    }

    /// Every lead's bytes, with the names that they are written in.
    pub fn bytes(&self) -> BTreeMap<&[u8], &[u8]> {
        let lead = |(key, value): &(&[u8], Option<&[u8]>)| !key.starts_with(b"\xFF") && value.is_some();
        self.in_order().into_iter().filter(lead).map(|(key, value)| (key, value.unwrap_or_default())).collect()
    }

    /// Every lead in words.
    pub fn stored(&self) -> BTreeMap<String, Stored> {
        let mut names: BTreeMap<NamesId, Names> = BTreeMap::new();
        let mut leads = BTreeMap::new();
        for (key, value) in self.in_order() {
            match state::read(key, value).expect("a record of ours") {
                StateRecord::Names(id, read) => drop(names.insert(id, *read)),
                StateRecord::Gone { .. } => {}
                StateRecord::Lead { lead, names: id, state } => {
                    let read = stored::read(lead, state, &names[&id]).expect("a state of ours");
                    leads.insert(lead.to_owned(), read);
                }
            }
        }
        leads
    }
}
