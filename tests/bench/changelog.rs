//! What an event costs on the changelog, before compression, and what of it is what.
//!
//! 300 sessions at a time, one record per lead and round: short rounds when alerts come one by one, long ones in a drain.

mod stream;

use std::collections::BTreeSet;
use std::sync::Arc;

use hotlead::codec::{Decoder, Record, state};
use hotlead::core::engine::{Engine, Input, Outcome, Outputs};
use hotlead::core::ids::{Origin, Partition};
use hotlead::core::stored::{self, Form, Stored};
use stream::Stream;

const LEADS: u64 = 100_000;
const EVENTS: usize = 200_000;

fn main() {
    println!("changelog bytes, 20 rules, 300 sessions at a time, before compression");
    println!(
        "  events/round  records/event  bytes/record  bytes/event   key head | remembered: each label refs | episodes rest"
    );
    for round in [1, 100, 2_000, 20_000] {
        measure(round);
    }
}

/// Bytes of all records.
#[derive(Default)]
struct Sums {
    records: usize,
    key: usize,
    head: usize,
    state: usize,
    remembered: usize,
    labels: usize,
    refs: usize,
    episodes: usize,
}

fn measure(round: usize) {
    let rules = Arc::new(stream::rules(20));
    let mut decoder = Decoder::new(rules.fields(), &stream::LEAD_KEY);
    let origin = Origin::Topic { topic: "engagement".into(), partition: Partition(0) };
    let mut engine = Engine::new(rules, origin);
    let (mut outputs, mut sums, mut applied) = (Outputs::default(), Sums::default(), 0);
    for (n, json) in Stream::new(LEADS, 1).take(EVENTS).iter().enumerate() {
        let event = decoder.decode(Record { value: Some(json), ..Record::default() }).expect("an event");
        engine.step(Input::Event { event: &event, position: n as i64, record_time: None }, &mut outputs);
        applied += usize::from(outputs.outcome == Outcome::Applied);
        if (n + 1) % round == 0 {
            engine.stage();
            let names = engine.names().clone();
            engine.each_record(|key, bytes| {
                let lead = stored::read(std::str::from_utf8(key).expect("text"), (Form::Compact, bytes), &names);
                sums.add(key, bytes, &lead.expect("a state"));
            });
            engine.commit();
        }
    }
    sums.print(round, applied);
}

impl Sums {
    fn add(&mut self, key: &[u8], bytes: &[u8], lead: &Stored) {
        let labels: BTreeSet<&str> = lead.events.iter().map(|event| event.label.as_str()).collect();
        self.records += 1;
        self.key += key.len();
        self.head += state::head(state::NamesId(0), Form::Compact).len();
        self.state += bytes.len();
        self.remembered += lead.events.len();
        self.labels += labels.iter().map(|label| label.len() + 1).sum::<usize>();
        self.refs += lead.counts.iter().map(|count| count.times.len() + 2).sum::<usize>();
        self.episodes += lead.episodes.len();
    }

    fn print(&self, round: usize, applied: usize) {
        let each = |bytes: usize| bytes as f64 / self.records as f64;
        let all = self.key + self.head + self.state;
        println!(
            "  {round:>12}  {:>13.2}  {:>12.0}  {:>11.0}   {:>3.0} {:>4.0} | {:>10.1} of {:.0} labels {:.0} refs {:.0} | episodes {:.1}",
            self.records as f64 / applied as f64,
            each(all),
            all as f64 / applied as f64,
            each(self.key),
            each(self.head),
            each(self.remembered),
            each(self.state),
            each(self.labels),
            each(self.refs),
            each(self.episodes),
        );
    }
}
