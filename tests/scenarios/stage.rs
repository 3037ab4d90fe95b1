//! A stage for one lead's life: rules as text, events at times, and what was decided.

use std::sync::Arc;

use hotlead::codec::{Decoder, Record};
use hotlead::config;
use hotlead::core::alert::Alert;
use hotlead::core::engine::{Engine, Input, Outcome, Outputs, Verdict};
use hotlead::core::event::FieldPath;
use hotlead::core::ids::Origin;
use hotlead::core::rule::RuleSet;
use hotlead::core::time::Timestamp;
use serde_json::{Value, json};

/// Event times count from here: 2026-11-22T10:00:00Z.
pub const START: i64 = 1_795_341_600_000;

/// An engine, its decoder, and what its last step gave.
pub struct Stage {
    engine: Engine,
    decoder: Decoder,
    out: Outputs,
    position: i64,
}

impl Stage {
    /// An empty engine with these rules.
    pub fn new(rules: &str) -> Self {
        let text = format!("version: 1\n{rules}");
        let (spec, faults) = config::rules::read("rules.yaml", &text);
        let rules = Arc::new(RuleSet::compile(spec.unwrap_or_else(|| panic!("{faults}"))));
        let key = ["user_id", "email", "anonymous_id"].map(|name| FieldPath::parse(name).expect("a field"));
        Self {
            decoder: Decoder::new(rules.fields(), &key),
            engine: Engine::new(rules, Origin::File { path: "events".into() }),
            out: Outputs::default(),
            position: 0,
        }
    }

    /// Takes in an event in hotlead's own form, `ms` after the start; what is missing is filled in.
    pub fn event(&mut self, ms: i64, event: Value) -> String {
        self.event_on_record(ms, event, None)
    }

    /// The same from a record with a timestamp, also `ms` after the start.
    pub fn event_on_record(&mut self, ms: i64, mut event: Value, record_ms: Option<i64>) -> String {
        self.position += 1;
        event["time"] = json!(START + ms);
        event["id"] = event.get("id").cloned().unwrap_or_else(|| json!(format!("e-{}", self.position)));
        event["lead"] = event.get("lead").cloned().unwrap_or_else(|| json!({ "user_id": "u1" }));
        let bytes = event.to_string();
        let record = Record { value: Some(bytes.as_bytes()), headers: &[], time: None };
        let event = self.decoder.decode(record).expect("an event");
        let record_time = record_ms.map(|ms| Timestamp::from_millis(START + ms));
        let input = Input::Event { event: &event, position: self.position, record_time };
        self.engine.step(input, &mut self.out);
        self.said()
    }

    /// The outcome unless it was applied; else the decisions, in order.
    fn said(&self) -> String {
        let spec = self.engine.rules().spec();
        match self.out.outcome {
            Outcome::Applied => {}
            Outcome::Ignored(by) => return format!("ignored by {}", spec.ignore[usize::from(by)].name),
            other => return other.name().to_owned(),
        }
        let decisions = self.out.decisions.iter().map(|decision| {
            let rule = &spec.rules[usize::from(decision.rule)].id;
            match decision.verdict {
                Verdict::Suppressed(by) => {
                    format!("{rule}: suppressed by {}", spec.suppress[usize::from(by)].name)
                }
                verdict => format!("{rule}: {}", verdict.name()),
            }
        });
        decisions.collect::<Vec<_>>().join(", ")
    }

    /// Alerts of the last event.
    pub fn alerts(&self) -> &[Alert] {
        &self.out.alerts
    }

    /// Kind and rule of each of them.
    pub fn told(&self) -> String {
        let told = self.out.alerts.iter().map(|alert| format!("{} {}", alert.kind.name(), alert.rule));
        told.collect::<Vec<_>>().join(", ")
    }

    /// So many milliseconds after the start.
    pub fn at(&self, ms: i64) -> Timestamp {
        Timestamp::from_millis(START + ms)
    }

    /// The lead's clock after the last event, in milliseconds from the start.
    pub fn clock(&self) -> i64 {
        self.out.time.as_millis() - START
    }

    /// Leads with state.
    pub fn leads(&self) -> usize {
        self.engine.leads()
    }

    /// Whether the last event's time was clamped.
    pub fn clamped(&self) -> bool {
        self.out.clamped
    }
}

/// A page view.
pub fn page(path: &str) -> Value {
    json!({ "type": "page", "page": { "path": path } })
}

/// Something done.
pub fn track(name: &str) -> Value {
    json!({ "type": "track", "name": name })
}

/// Traits that became known.
pub fn traits(traits: Value) -> Value {
    json!({ "type": "identify", "traits": traits })
}

/// The same event with another id.
pub fn with_id(mut event: Value, id: &str) -> Value {
    event["id"] = json!(id);
    event
}
