//! What a million leads with five remembered events each take: resident bytes a lead; and what they take as the set of
//! rules grows, by rules that nothing of the stream touches and by rules that all of it touches.
//!
//! Each order of events is measured in a process of its own: one session after the other, and the worst, in which every
//! lead grows in turn and leaves holes where its smaller self was.

mod stream;

use std::process::Command;
use std::sync::Arc;

use hotlead::codec::{Decoder, Record};
use hotlead::core::engine::{Engine, Input, Outcome, Outputs};
use hotlead::core::ids::{Origin, Partition};
use stream::Stream;

const LEADS: u64 = 1_000_000;
/// Enough for a figure a lead.
const FEWER: u64 = 200_000;
const EVENTS: u64 = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.find_map(|argument| CASES.iter().find(|(name, ..)| *name == argument)) {
        Some(case) => measure(case),
        None => {
            println!("leads with {EVENTS} remembered events each: resident bytes a lead");
            let own = std::env::current_exe().expect("this program");
            for (name, ..) in CASES {
                let status = Command::new(&own).arg(name).status().expect("runs again");
                assert!(status.success(), "{name}: {status}");
            }
        }
    }
}

/// Name, leads, whether all grow in turn, rules.
type Case = (&'static str, u64, bool, Rules);

#[derive(Clone, Copy)]
enum Rules {
    /// The twenty, and up to so many that nothing touches.
    InAll(usize),
    /// The twenty so many times over.
    Times(usize),
}

const CASES: [Case; 6] = [
    ("20 rules, lead by lead", LEADS, false, Rules::InAll(20)),
    ("20 rules, all in turn", LEADS, true, Rules::InAll(20)),
    ("200 rules, 20 of them touched", FEWER, false, Rules::InAll(200)),
    ("40 rules, each event in 2 counts", FEWER, false, Rules::Times(2)),
    ("200 rules, each event in 10 counts", FEWER, false, Rules::Times(10)),
    ("400 rules, each event in 20 counts", FEWER, false, Rules::Times(20)),
];

fn measure(&(name, leads, in_turn, rules): &Case) {
    let rules = Arc::new(match rules {
        Rules::InAll(count) => stream::rules(count),
        Rules::Times(times) => stream::rules_times(times),
    });
    let mut decoder = Decoder::new(rules.fields(), &stream::LEAD_KEY);
    let origin = Origin::Topic { topic: "engagement".into(), partition: Partition(0) };
    let mut engine = Engine::new(rules, origin);
    let mut outputs = Outputs::default();
    let mut stream = Stream::of_signals(leads, 1);
    let mut json = String::new();
    let before = resident_bytes();
    for n in 0..leads * EVENTS {
        let lead = if in_turn { n % leads } else { n / EVENTS };
        json.clear();
        stream.write(lead, &mut json);
        let record = Record { value: Some(json.as_bytes()), ..Record::default() };
        let event = decoder.decode(record).expect("an event");
        let input = Input::Event { event: &event, position: n as i64, record_time: None };
        engine.step(input, &mut outputs);
        assert_eq!(outputs.outcome, Outcome::Applied);
        if n % 1000 == 0 {
            engine.stage();
            engine.commit();
        }
    }
    engine.stage();
    engine.commit();
    assert_eq!(engine.leads() as u64, leads);
    println!("  {name:<36} {:>5}", (resident_bytes() - before) / leads);
}

/// Of this process, as Linux counts it.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}
