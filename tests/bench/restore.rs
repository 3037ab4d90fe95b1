//! How fast state comes back: a million leads from changelog records in memory, without Kafka: decode, translate, insert.
//!
//! Once in the names of the rules in force, and once in those of a file that has been edited.

mod stream;

use std::sync::Arc;
use std::time::Instant;

use hotlead::codec::state::{self, StateRecord};
use hotlead::codec::{Decoder, Record};
use hotlead::core::engine::{Engine, Input, Outputs};
use hotlead::core::ids::{Origin, Partition};
use hotlead::core::names::Names;
use hotlead::core::stored::Form;
use stream::Stream;

const LEADS: u64 = 1_000_000;
const EVENTS: u64 = 5;

fn main() {
    let (names, records) = changelog();
    let bytes: usize = records.iter().map(|(key, value)| key.len() + value.len()).sum();
    println!("{LEADS} leads with {EVENTS} events each, {} bytes a record:", bytes / records.len());
    for (what, rules) in [("same rules", 20), ("a rule less", 19), ("a rule less", 19)] {
        let rules = Arc::new(stream::rules(rules));
        let started = Instant::now();
        let mut engine = Engine::new(rules, origin());
        let mut translation = engine.translation(names.clone());
        for (key, value) in &records {
            let Ok(StateRecord::Lead { lead, state, .. }) = state::read(key, Some(value)) else {
                panic!("a lead's record");
            };
            engine.restore(lead, state, &mut translation).expect("a state");
        }
        let took = started.elapsed();
        println!("  {what:<12} {took:>8.2?}, {:.0} ns a lead", took.as_nanos() as f64 / LEADS as f64);
        assert_eq!(engine.leads() as u64, LEADS);
    }
}

fn origin() -> Origin {
    Origin::Topic { topic: "engagement".into(), partition: Partition(0) }
}

type Written = Vec<(Vec<u8>, Vec<u8>)>;

/// What `hotlead run` would have written.
fn changelog() -> (Names, Written) {
    let rules = Arc::new(stream::rules(20));
    let mut decoder = Decoder::new(rules.fields(), &stream::LEAD_KEY);
    let mut engine = Engine::new(rules, origin());
    let mut outputs = Outputs::default();
    let mut stream = Stream::of_signals(LEADS, 1);
    let (mut json, mut records) = (String::new(), Written::new());
    let (id, ..) = state::names(engine.names());
    for n in 0..LEADS * EVENTS {
        json.clear();
        stream.write(n / EVENTS, &mut json);
        let event = decoder.decode(Record { value: Some(json.as_bytes()), ..Record::default() }).expect("an event");
        engine.step(Input::Event { event: &event, position: n as i64, record_time: None }, &mut outputs);
        if (n + 1) % (1000 * EVENTS) == 0 {
            engine.stage();
            let head = state::head(id, Form::Compact);
            engine.each_record(|key, bytes| records.push((key.to_vec(), [&head, bytes].concat())));
            engine.commit();
        }
    }
    (engine.names().clone(), records)
}
