//! What a million leads with five remembered events each take: resident bytes a lead.
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
const EVENTS: u64 = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.find(|argument| ORDERS.contains(&argument.as_str())) {
        Some(order) => measure(&order),
        None => {
            println!("{LEADS} leads with {EVENTS} remembered events each, 20 rules: resident bytes a lead");
            let own = std::env::current_exe().expect("this program");
            for order in ORDERS {
                let status = Command::new(&own).arg(order).status().expect("runs again");
                assert!(status.success(), "{order}: {status}");
            }
        }
    }
}

const ORDERS: [&str; 2] = ["lead by lead", "all in turn"];

fn measure(order: &str) {
    let rules = Arc::new(stream::rules(20));
    let mut decoder = Decoder::new(rules.fields(), &stream::LEAD_KEY);
    let origin = Origin::Topic { topic: "engagement".into(), partition: Partition(0) };
    let mut engine = Engine::new(rules, origin);
    let mut outputs = Outputs::default();
    let mut stream = Stream::of_signals(LEADS, 1);
    let mut json = String::new();
    let before = resident_bytes();
    for n in 0..LEADS * EVENTS {
        let lead = if order == ORDERS[0] { n / EVENTS } else { n % LEADS };
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
    assert_eq!(engine.leads() as u64, LEADS);
    println!("  {order:<14} {:>5}", (resident_bytes() - before) / LEADS);
}

/// Of this process, as Linux counts it.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}
