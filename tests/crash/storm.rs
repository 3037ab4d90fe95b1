//! The storm: carries a plan of faults out while events flow, and waits until all is calm and everything is done.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer};

use super::fleet::{Fleet, last_lines};
use super::plan::{Fault, Planned};
use super::watch::{Positions, Progress};
use crate::kafka::Broker;

/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(2);

/// Two faults follow one another at least this far apart, so that one is seen before the next.
const BETWEEN: Duration = Duration::from_millis(100);

/// The group stands still for so long: something is stuck.
const STUCK: Duration = Duration::from_secs(300);

enum Power {
    On,
    Restarting(JoinHandle<()>),
    Still(Instant),
}

pub struct Storm<'a> {
    pub fleet: Fleet<'a>,
    broker: Arc<Mutex<Broker>>,
    group: &'a str,
    power: Power,
    plan: VecDeque<Planned>,
    progress: &'a Progress,
    started: Instant,
    last_fault: Instant,
    /// Faults from which the group has not recovered, with the ends of the topic when they happened.
    open: Vec<(String, Instant, Vec<i64>)>,
    /// How long it took until everything was done that lay on the topic when the fault happened.
    pub recoveries: BTreeMap<String, Vec<Duration>>,
    moved: (Instant, Positions),
}

impl<'a> Storm<'a> {
    pub fn new(
        fleet: Fleet<'a>,
        broker: Arc<Mutex<Broker>>,
        group: &'a str,
        plan: VecDeque<Planned>,
        progress: &'a Progress,
    ) -> Self {
        let now = Instant::now();
        Self {
            fleet,
            broker,
            group,
            power: Power::On,
            plan,
            progress,
            started: now,
            last_fault: now,
            open: Vec::new(),
            recoveries: BTreeMap::new(),
            moved: (now, Positions::default()),
        }
    }

    /// Until the plan is carried out, all events are done, and all instances have left in order.
    ///
    /// # Panics
    /// If a process ended as none should, or the group is stuck.
    pub fn rage(&mut self) {
        while !(self.is_over() && self.is_done()) {
            self.tick();
        }
        self.tell("everything is done");
        self.fleet.leave(Instant::now());
        while !self.fleet.is_away() {
            self.tick();
        }
    }

    /// No fault is left, and the last one is over.
    fn is_over(&self) -> bool {
        self.plan.is_empty() && self.fleet.is_whole() && matches!(self.power, Power::On)
    }

    fn is_done(&self) -> bool {
        let Positions { committed, ends } = self.progress.positions();
        let all = ends.iter().sum::<i64>() as u64 >= self.progress.produced.load(Ordering::Relaxed);
        self.progress.fed.load(Ordering::Relaxed) && all && committed == ends
    }

    fn tick(&mut self) {
        assert!(!self.progress.over.load(Ordering::Relaxed), "the run's feeder or its watch has ended: see above");
        let now = Instant::now();
        for line in self.fleet.tick(now) {
            self.tell(&line);
        }
        self.serve_broker(now);
        self.see_recoveries(now);
        let produced = self.progress.produced.load(Ordering::Relaxed);
        let due = self.plan.front().is_some_and(|planned| planned.after <= produced);
        if due && now >= self.last_fault + BETWEEN && self.begin(now) {
            self.plan.pop_front();
            self.last_fault = now;
        }
        thread::sleep(STEP);
    }

    /// Carries the next fault out, if there is something that can take it.
    fn begin(&mut self, now: Instant) -> bool {
        let planned = *self.plan.front().expect("a fault is due");
        let (fault, chance) = (planned.fault, planned.chance);
        let later = |ms: i64| now + Duration::from_millis(ms as u64);
        let done = match fault {
            Fault::Kill { back_after } => {
                let killed = self.fleet.kill(chance, later(back_after));
                killed.map(|name| format!("kill -9 {name}, back after {back_after} ms"))
            }
            Fault::Pause { span } => {
                let paused = self.fleet.pause(chance, later(span));
                paused.map(|name| format!("{name} stands still for {span} ms"))
            }
            Fault::Replace { span } => {
                let replaced = self.fleet.replace(chance, later(span));
                replaced.map(|name| format!("{name} stands still for {span} ms, another takes its name"))
            }
            Fault::Fence => self.fence(chance),
            Fault::Resize => self.fleet.resize(now).map(|does| format!("the third instance {does}")),
            _ => self.disturb_broker(fault, &later),
        };
        let Some(line) = done else {
            return false;
        };
        self.open.push((fault.to_string(), now, self.progress.positions().ends));
        self.tell(&line);
        true
    }

    /// Takes the id of an instance's first worker, unless the broker has no time for it.
    fn fence(&mut self, chance: u64) -> Option<String> {
        if !matches!(self.power, Power::On) {
            return None;
        }
        let name = self.fleet.one_that_runs(chance)?;
        let id = format!("{}-{name}-0", self.group);
        let mut config = self.broker().client_config();
        let thief: BaseProducer = config.set("transactional.id", &id).create().expect("a producer");
        thief.init_transactions(Duration::from_secs(5)).ok()?;
        Some(format!("the transactional id of {name} is taken"))
    }

    fn disturb_broker(&mut self, fault: Fault, later: &dyn Fn(i64) -> Instant) -> Option<String> {
        if !matches!(self.power, Power::On) {
            return None;
        }
        Some(match fault {
            Fault::BrokerRestart { kill } => {
                let (broker, signal) = (Arc::clone(&self.broker), if kill { "KILL" } else { "TERM" });
                self.power = Power::Restarting(thread::spawn(move || {
                    let mut broker = broker.lock().expect("nothing panics with the lock held");
                    broker.stop(signal);
                    broker.start_again();
                }));
                format!("the broker ends by {signal} and is started again")
            }
            Fault::BrokerPause { span } => {
                self.broker().tell("STOP");
                self.power = Power::Still(later(span));
                format!("the broker stands still for {span} ms")
            }
            other => unreachable!("{other} is not the broker's"),
        })
    }

    fn serve_broker(&mut self, now: Instant) {
        let line = match std::mem::replace(&mut self.power, Power::On) {
            Power::On => return,
            Power::Restarting(thread) if thread.is_finished() => {
                thread.join().expect("the broker starts");
                "the broker is back"
            }
            Power::Still(until) if now >= until => {
                self.broker().tell("CONT");
                "the broker goes on"
            }
            not_yet => {
                self.power = not_yet;
                return;
            }
        };
        self.tell(line);
    }

    fn see_recoveries(&mut self, now: Instant) {
        let positions = self.progress.positions();
        let reached = |ends: &[i64]| positions.committed.iter().zip(ends).all(|(committed, end)| committed >= end);
        let recoveries = &mut self.recoveries;
        self.open.retain(|(fault, since, ends)| {
            let over = reached(ends);
            if over {
                recoveries.entry(fault.clone()).or_default().push(now - *since);
            }
            !over
        });
        if positions != self.moved.1 || self.fleet.is_away() {
            self.moved = (now, positions);
        }
        let still = now - self.moved.0;
        // At the end nothing moves while instances leave.
        if still >= STUCK {
            panic!("no position moved for {still:?}: {}", self.state());
        }
    }

    /// How everyone is, for who has to find out why nothing moves.
    fn state(&self) -> String {
        let (positions, produced, fed) = (&self.moved.1, &self.progress.produced, &self.progress.fed);
        // While it restarts, a thread of its own holds it.
        let broker = self.broker.try_lock().map(|broker| last_lines(&broker.log(), 40)).unwrap_or_default();
        let fleet = self.fleet.state();
        format!("{positions:?}, {produced:?} events sent, all acknowledged: {fed:?}\n--- broker:\n{broker}\n{fleet}")
    }

    fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().expect("nothing panics with the lock held")
    }

    /// Says what happened, with its time and the number of events that were produced by then.
    fn tell(&self, line: &str) {
        let (elapsed, produced) = (self.started.elapsed(), self.progress.produced.load(Ordering::Relaxed));
        // At once: a run that panics has to say what happened before.
        println!("{:8.3} s  {produced:8} events  {line}", elapsed.as_secs_f64());
    }
}
