//! Nothing lost, nothing twice: instances are killed, stopped, replaced, and the broker restarted, while events flow; what
//! comes out must be what a twin says that keeps every event, and what a run without faults gives.
//!
//! The short form is a test among the others. The long form is `tests/crash/long`, which says what it takes.

mod deployment;
mod feed;
mod fleet;
mod oracle;
mod plan;
mod report;
mod storm;
mod stream;
mod verdict;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use deployment::Deployment;
use feed::{Feeder, feed};
use fleet::{Fleet, Seen, WORKERS};
use oracle::Records;
use plan::{Counts, plan};
use report::Report;
use storm::Storm;
use stream::Story;
use watch::{Progress, Watch};

use crate::kafka::{Broker, OWN, Options, Record, unique};
use crate::supervise::wait_for;
use crate::twin::Rules;

const DEADLINE: Duration = Duration::from_secs(120);

const PARTITIONS: i32 = 8;

/// Of the broker: room, for a long run is millions of events on a busy machine.
const HEAP_MIB: u32 = 2_048;

/// What runs it.
const TEST: &str = "--exact crash::faults_change_no_alert_and_no_state --nocapture";

/// What a run is like.
#[derive(Clone, Debug)]
pub struct Form {
    pub seed: u64,
    pub story: Story,
    pub events: u64,
    pub leads: u64,
    /// Events a second, while the group keeps up.
    pub rate: u64,
    pub faults: Counts,
}

impl Form {
    /// Fit for every run of the tests: a minute on a quiet machine of two cores.
    fn short() -> Self {
        let faults = Counts {
            kills: 7,
            pauses: 1,
            long_pauses: 1,
            replacements: 1,
            resizes: 2,
            broker_restarts: 1,
            broker_kills: 0,
            broker_pauses: 1,
            fences: 1,
        };
        Self { seed: 1, story: Story::Whole, events: 12_000, leads: 200, rate: 700, faults }
    }

    /// The same with each number that the environment gives (`HOTLEAD_CRASH_SEED` and so on).
    fn with_environment(mut self) -> Self {
        let number = |name: &str| {
            let text = std::env::var(format!("HOTLEAD_CRASH_{name}")).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("HOTLEAD_CRASH_{name}: {text:?} is no number")))
        };
        self.seed = number("SEED").unwrap_or(self.seed);
        self.events = number("EVENTS").unwrap_or(self.events);
        self.leads = number("LEADS").unwrap_or(self.leads);
        self.rate = number("RATE").unwrap_or(self.rate);
        if let Some(kills) = number("KILLS") {
            self.faults = Counts::around(kills as usize);
        }
        let faults = &mut self.faults;
        let others = [
            ("PAUSES", &mut faults.pauses),
            ("LONG_PAUSES", &mut faults.long_pauses),
            ("REPLACEMENTS", &mut faults.replacements),
            ("RESIZES", &mut faults.resizes),
            ("BROKER_RESTARTS", &mut faults.broker_restarts),
            ("BROKER_KILLS", &mut faults.broker_kills),
            ("BROKER_PAUSES", &mut faults.broker_pauses),
            ("FENCES", &mut faults.fences),
        ];
        for (name, count) in others {
            *count = number(name).map_or(*count, |number| number as usize);
        }
        if std::env::var("HOTLEAD_CRASH_STORY").is_ok_and(|story| story == "memoryless") {
            self.story = Story::Memoryless;
        }
        self
    }

    /// The command that does the same again, here.
    fn again(&self) -> String {
        let given =
            std::env::vars().filter(|(name, _)| name.starts_with("HOTLEAD_CRASH_") && name != "HOTLEAD_CRASH_SEED");
        let given: String = given.map(|(name, value)| format!(" {name}={value}")).collect();
        let profile = if cfg!(debug_assertions) { "" } else { " --release" };
        format!("HOTLEAD_CRASH_SEED={}{given} cargo test --locked{profile} --test all -- {TEST}", self.seed)
    }
}

impl Counts {
    /// All faults of a run with so many kills.
    fn around(kills: usize) -> Self {
        let one_in = |n: usize| kills.div_ceil(n);
        Self {
            kills,
            pauses: one_in(8),
            long_pauses: one_in(20),
            replacements: one_in(10),
            resizes: one_in(8),
            broker_restarts: one_in(25),
            broker_kills: one_in(25),
            broker_pauses: one_in(15),
            fences: one_in(15),
        }
    }
}

/// Ends the other threads of a run when the first one ends, also by a panic.
struct OverOnDrop<'a>(&'a AtomicBool);

impl Drop for OverOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Ends a run at once when one of its other threads panics: without it there would be no end, and no reason told.
struct OverOnPanic<'a>(&'a AtomicBool);

impl Drop for OverOnPanic<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(thread::panicking(), Ordering::Relaxed);
    }
}

/// How long each step of a run took.
struct Steps {
    since: Instant,
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    fn done(&mut self, step: &'static str) {
        self.done.push((step, self.since.elapsed()));
        self.since = Instant::now();
    }
}

/// Two instances, events, faults; then everything is compared with everything.
fn run(form: &Form) -> Report {
    let _one_at_a_time = OWN.lock();
    let mut steps = Steps { since: Instant::now(), done: Vec::new() };
    // Transactions whose time is over are looked for every 10 s otherwise.
    let cleanup = ("transaction.abort.timed.out.transaction.cleanup.interval.ms".to_owned(), "500".to_owned());
    let options = Options { properties: vec![cleanup], heap_mib: Some(HEAP_MIB), ..Options::default() };
    let broker = Broker::start_own(&options);
    steps.done("broker");
    let name = unique("crash");
    let (brokers, events) = (broker.bootstrap().to_owned(), format!("{name}.events"));
    let stormy = Deployment { name, brokers, events, story: form.story };
    broker.create_topic(&stormy.events, PARTITIONS, &[("retention.ms", "-1")]);
    broker.create_topic(&stormy.topic("alerts"), PARTITIONS, &[("retention.ms", "-1")]);

    let watch = Watch::new(broker.client_config(), &stormy.name, &stormy.events, PARTITIONS);
    let fleet = Fleet::new(&stormy);
    wait_for("two instances that share the partitions", DEADLINE, || watch.is_settled(2 * WORKERS).then_some(()));
    steps.done("start");
    let (progress, feeder) = (Progress::default(), Feeder::new(broker.client_config(), &stormy.events));
    let broker = Arc::new(Mutex::new(broker));
    let faults = plan(form.seed, form.events, &form.faults);
    let mut storm = Storm::new(fleet, Arc::clone(&broker), &stormy.name, faults, &progress);
    let records = thread::scope(|scope| {
        let _over = OverOnDrop(&progress.over);
        scope.spawn(|| {
            let _over = OverOnPanic(&progress.over);
            watch.keep_telling(&progress);
        });
        let fed = scope.spawn(|| {
            let _over = OverOnPanic(&progress.over);
            feed(form, &feeder, &progress)
        });
        storm.rage();
        fed.join().expect("all events are produced")
    });
    steps.done("storm");
    let (seen, recoveries) = (storm.fleet.seen(), std::mem::take(&mut storm.recoveries));
    let broker = broker.lock().expect("nothing panics with the lock held");
    let report = Report { seen, recoveries, ..judge(form, &broker, &stormy, records, &mut steps) };
    Report { steps: steps.done, ..report }
}

/// Compares what a deployment left behind with the twin, with a backtest, and with a deployment that works in peace.
fn judge(form: &Form, broker: &Broker, stormy: &Deployment, records: Records, steps: &mut Steps) -> Report {
    let captured = stormy.capture();
    let surplus = records.surplus_in(&captured);
    steps.done("capture");
    let rules = Rules::from_text(form.story.rules());
    let expected = oracle::expected(form.story.rules(), &captured);
    steps.done("twin");
    let backtest = stormy.backtest(&captured);
    steps.done("backtest");
    let calm = stormy.of_another_name("calm");
    drain(&calm, broker);
    steps.done("a run without faults");

    let published = |deployment: &Deployment, topic| broker.consume_all_read_committed(&deployment.topic(topic));
    let against_backtest = |records: &[Record]| {
        let texts: Vec<_> = records.iter().map(Record::value_text).collect();
        verdict::of_lines(backtest.lines(), texts.iter().map(String::as_str))
    };
    let alerts = published(stormy, "alerts");
    let report = Report {
        form: form.clone(),
        again: form.again(),
        surplus,
        seen: Seen::default(),
        kinds: expected.by_kind(),
        alerts: verdict::of_alerts(&expected, &alerts, &rules),
        dead_letters: verdict::of_dead_letters(&expected, &published(stormy, "dead_letter")),
        backtest: against_backtest(&alerts),
        calm: against_backtest(&published(&calm, "alerts")),
        dumps: calm.dump().and_then(|calm| Ok(verdict::of_dumps(&calm, &stormy.dump()?))),
        recoveries: BTreeMap::new(),
        steps: Vec::new(),
    };
    steps.done("comparison");
    report
}

/// One instance does all events in peace, and leaves.
fn drain(deployment: &Deployment, broker: &Broker) {
    let watch = Watch::new(broker.client_config(), &deployment.name, &deployment.events, PARTITIONS);
    let mut program = deployment.instance("calm");
    program.start();
    let done = || watch.positions().filter(|positions| positions.committed == positions.ends).map(drop);
    wait_for("a run without faults", 10 * DEADLINE, || {
        assert!(program.is_running(), "it ended by itself:\n{}", program.log());
        done()
    });
    program.tell("TERM");
    assert_eq!(program.ended(), 0, "{}", program.log());
}

/// Goal: C1, C2 and C6 of the design, on a real broker. Method: at the top of this file.
///
/// `HOTLEAD_CRASH_KILLS=0` is a run in peace. `HOTLEAD_CRASH_STORY=memoryless` has only events that give an alert
/// whatever came before: what goes wrong then is no matter of a lead's state.
#[test]
fn faults_change_no_alert_and_no_state() {
    let report = run(&Form::short().with_environment());
    println!("{report}");
    assert!(report.breaches().is_empty(), "the report says what");
}
