//! What an event costs from bytes to decisions: beside `serde_json`, with few and many rules, and in allocations.
//!
//! The machine may be busy, so what is compared runs in turns within one process, over the same events, and the figure
//! is the median of the turns.

mod rival;
mod stream;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hotlead::backtest::Backtest;
use hotlead::backtest::summary::Summary;
use hotlead::codec::{Decoder, Record};
use hotlead::core::engine::{Engine, Input, Outputs};
use hotlead::core::ids::{Origin, Partition};
use hotlead::core::rule::RuleSet;
use stream::Stream;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Events of one turn: few enough to stay in the processor's caches, as a batch of a consumer does.
const TURN: usize = 1000;

fn main() {
    beside_serde_json(10_000, 5);
    beside_serde_json(1000, 300);
    by_rules();
    allocations();
    backtest();
}

/// Everything from bytes to decisions.
struct Ours {
    decoder: Decoder,
    engine: Engine,
    outputs: Outputs,
    position: i64,
}

impl Ours {
    fn new(rules: RuleSet) -> Self {
        let decoder = Decoder::new(rules.fields(), &stream::LEAD_KEY);
        let origin = Origin::Topic { topic: "engagement".into(), partition: Partition(0) };
        Self { decoder, engine: Engine::new(Arc::new(rules), origin), outputs: Outputs::default(), position: 0 }
    }

    /// One record; answers with the number of its alerts.
    fn take(&mut self, value: &[u8]) -> usize {
        self.position += 1;
        let record = Record { value: Some(value), ..Record::default() };
        let event = self.decoder.decode(record).expect("an event");
        let input = Input::Event { event: &event, position: self.position, record_time: Some(event.time) };
        self.engine.step(input, &mut self.outputs);
        self.outputs.alerts.len()
    }

    /// A batch.
    fn turn(&mut self, events: &[Vec<u8>]) -> usize {
        events.iter().map(|event| self.take(black_box(event))).sum()
    }

    /// Puts to rest what has changed.
    fn commit(&mut self) {
        self.engine.stage();
        self.engine.commit();
    }

    /// A batch and its commit.
    fn round(&mut self, events: &[Vec<u8>]) -> usize {
        let alerts = self.turn(events);
        self.commit();
        alerts
    }

    /// Decoding alone.
    fn decode(&mut self, events: &[Vec<u8>]) -> usize {
        let mut read = |value| {
            let record = Record { value: Some(black_box(value)), ..Record::default() };
            black_box(self.decoder.decode(record).expect("an event")).lead.len()
        };
        events.iter().map(|event| read(event)).sum()
    }
}

/// Nanoseconds for each of the events.
fn timed<T>(events: &[Vec<u8>], work: impl FnOnce(&[Vec<u8>]) -> T) -> f64 {
    let started = Instant::now();
    black_box(work(events));
    started.elapsed().as_nanos() as f64 / events.len() as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Five remembered events a lead are the usual case; with three hundred every window is full.
fn beside_serde_json(leads: u64, each: u64) {
    const TURNS: usize = 200;
    let mut ours = Ours::new(stream::rules(20));
    let mut signals = Stream::of_signals(leads, 1000);
    for _ in 0..each {
        ours.round(&(0..leads).map(|lead| signals.event_of(lead)).collect::<Vec<_>>());
    }
    let mut stream = Stream::new(leads, 1000).after(each * leads);
    let names = ["serde_json, same fields", "serde_json, seven fields", "decode", "decode + step", "commit of all"];
    let mut costs: [Vec<f64>; 5] = Default::default();
    let (mut decode, mut both, mut alerts) = (Vec::new(), Vec::new(), 0);
    for turn in 0..TURNS {
        let events = stream.take(TURN);
        // Each takes the first place in turn.
        for which in (0..4).map(|place| (turn + place) % 4) {
            costs[which].push(match which {
                0 => timed(&events, rival::same_fields),
                1 => timed(&events, rival::seven_fields),
                2 => timed(&events, |events| ours.decode(events)),
                _ => timed(&events, |events| alerts += ours.turn(events)),
            });
        }
        costs[4].push(timed(&events, |_| ours.commit()));
        decode.push(costs[2][turn] / costs[0][turn]);
        both.push(costs[3][turn] / costs[0][turn]);
    }
    let share = alerts as f64 * 100.0 / (TURNS * TURN) as f64;
    println!("20 rules, {leads} leads after {each} events each, {share:.1} alerts for 100 events: median ns an event");
    for (name, costs) in names.iter().zip(&mut costs) {
        println!("  {name:<26} {:>6.0}", median(costs));
    }
    println!("  decode / serde_json        {:>6.2}", median(&mut decode));
    println!("  decode + step / serde_json {:>6.2}", median(&mut both));
}

fn by_rules() {
    const LEADS: u64 = 1000;
    let mut stream = Stream::new(LEADS, 10_000);
    let mut engines = [
        ("1 rule", Ours::new(stream::rules(1))),
        ("20 rules", Ours::new(stream::rules(20))),
        ("200 rules, 20 of them read", Ours::new(stream::rules(200))),
        ("1 rule on every /docs", Ours::new(stream::rules_on_one_signal(1))),
        ("20 rules on every /docs", Ours::new(stream::rules_on_one_signal(20))),
        ("200 rules on every /docs", Ours::new(stream::rules_on_one_signal(200))),
    ];
    for events in (0..10).map(|_| stream.take(TURN)) {
        for (_, ours) in &mut engines {
            ours.round(&events);
        }
    }
    let mut costs: [Vec<f64>; 6] = Default::default();
    for events in (0..100).map(|_| stream.take(TURN)) {
        for ((_, ours), costs) in engines.iter_mut().zip(&mut costs) {
            costs.push(timed(&events, |events| ours.round(events)));
        }
    }
    println!("decode + step by rules: median ns an event");
    for ((name, _), costs) in engines.iter().zip(&mut costs) {
        println!("  {name:<26} {:>6.0}", median(costs));
    }
}

/// Over leads whose windows are full, commits included.
fn allocations() {
    let mut stream = Stream::new(1000, 1000);
    let mut ours = Ours::new(stream::rules(20));
    // Until the longest state of each lead has been seen.
    for _ in 0..3000 {
        ours.round(&stream.take(TURN));
    }
    let (mut silent, mut alerts, mut at_alerts) = (0, 0, 0);
    for events in (0..50).map(|_| stream.take(TURN)) {
        for event in &events {
            let (made, fired) = counted(|| ours.take(event));
            *(if fired == 0 { &mut silent } else { &mut at_alerts }) += made;
            alerts += fired as u64;
        }
        silent += counted(|| ours.round(&[])).0;
    }
    println!("allocations after warm-up, over {} events: {silent} in those without an alert,", 50 * TURN);
    println!("  {:.1} for each of the {alerts} alerts", at_alerts as f64 / alerts.max(1) as f64);
}

/// Allocations that the work makes, and what it gives.
fn counted<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let given = work();
    (ALLOCATIONS.load(Ordering::Relaxed) - before, given)
}

fn backtest() {
    const EVENTS: usize = 200_000;
    let mut file = Vec::new();
    for event in Stream::new(100_000, 100).take(EVENTS) {
        file.extend_from_slice(&event);
        file.push(b'\n');
    }
    let rules = Arc::new(stream::rules(20));
    let mut rates: Vec<f64> = (0..7)
        .map(|_| {
            let started = Instant::now();
            let mut summary = Summary::new(&rules);
            let mut backtest = Backtest::new(Arc::clone(&rules), &stream::LEAD_KEY, "events.ndjson");
            backtest.run(file.as_slice(), &mut summary).expect("memory can be read");
            black_box(&summary);
            EVENTS as f64 / started.elapsed().as_secs_f64()
        })
        .collect();
    println!("backtest: {:.2} M events/s, median of 7 over {EVENTS} events", median(&mut rates) / 1e6);
}
