//! The instances of a deployment, and what is done to them.

use std::time::{Duration, Instant};

use super::deployment::Deployment;
use crate::supervise::Supervised;

/// Two to begin with; the third comes and goes.
pub const NAMES: [&str; 3] = ["hot-1", "hot-2", "hot-3"];

/// What each instance runs with.
pub const WORKERS: usize = 2;

/// Fenced by another of the same name: the one exit code, beside that of an ordered end, that is no fault.
const FENCED: u32 = 75;

/// The brokers were away.
const UNAVAILABLE: u32 = 69;

/// Beyond repair: so ends, by design, whose transaction the broker gave up; what is committed is safe.
const BROKEN: u32 = 70;

/// Ended by SIGTERM itself: it had just begun and did not listen yet.
const TERMINATED: u32 = 128 + 15;

/// An orderly end, or that of a fenced zombie, takes no longer, on a busy machine.
const END: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Away,
    Running,
    /// Killed; to be started again at this time.
    Dead(Instant),
    /// Stands still until this time.
    Still(Instant),
    /// Told to end at this time.
    Leaving(Instant),
}

struct Slot {
    name: &'static str,
    program: Supervised,
    state: State,
}

/// A process whose name has a new one: it stands still until the first time, and must have ended by the second.
struct Zombie {
    name: &'static str,
    program: Supervised,
    on: Option<Instant>,
    ended_by: Instant,
}

/// What the instances were seen to do.
#[derive(Default, Clone, Copy, Debug)]
pub struct Seen {
    /// Ended with 75.
    pub fenced: usize,
    /// Ended with 70 because of a transaction.
    pub broken: usize,
    /// Zombies that lived on beside the new process of their name, until they were killed.
    pub outlived: usize,
    /// Rounds that were aborted and done again.
    pub aborted: usize,
    /// Times that a worker was told too late that its partitions are gone.
    pub lost: usize,
}

pub struct Fleet<'a> {
    deployment: &'a Deployment,
    slots: Vec<Slot>,
    zombies: Vec<Zombie>,
    /// Of processes that are gone with their logs.
    seen: Seen,
}

impl<'a> Fleet<'a> {
    /// The first two, started.
    pub fn new(deployment: &'a Deployment) -> Self {
        let slot = |name| Slot { name, program: deployment.instance(name), state: State::Away };
        let mut fleet = Self { deployment, slots: NAMES.map(slot).into(), zombies: Vec::new(), seen: Seen::default() };
        for slot in &mut fleet.slots[..2] {
            slot.start();
        }
        fleet
    }

    /// Does what is due, and looks for processes that ended. Gives a line for each thing that happened.
    ///
    /// # Panics
    /// If one ended as none should.
    pub fn tick(&mut self, now: Instant) -> Vec<String> {
        let mut told = Vec::new();
        for slot in &mut self.slots {
            slot.tick(now, &mut told, &mut self.seen);
        }
        let mut gone = Vec::new();
        for (number, zombie) in self.zombies.iter_mut().enumerate() {
            if zombie.on.is_some_and(|on| now >= on) {
                zombie.on = None;
                zombie.ended_by = now + END;
                zombie.program.tell("CONT");
                told.push(format!("the old {} goes on", zombie.name));
            }
            if !zombie.program.is_running() {
                let (name, code) = (zombie.name, zombie.program.ended());
                self.seen.end(&format!("the old {name}"), code, &tail(&zombie.program));
                told.push(format!("the old {name} ended, exit code {code}"));
                gone.push(number);
            }
            // Who had just begun when it was stopped may join after the new one and live on: two of one name must not.
            if zombie.on.is_none() && now > zombie.ended_by && !gone.contains(&number) {
                zombie.program.signal("KILL");
                told.push(format!("the old {} lived on: killed", zombie.name));
                self.seen.outlived += 1;
                gone.push(number);
            }
        }
        for number in gone.into_iter().rev() {
            let zombie = self.zombies.remove(number);
            self.seen.add(&zombie.program.log());
        }
        told
    }

    /// Whether nobody is dead, stands still or is about to end.
    pub fn is_whole(&self) -> bool {
        let calm = |slot: &Slot| matches!(slot.state, State::Running | State::Away);
        self.slots.iter().all(calm) && self.zombies.is_empty()
    }

    /// Kills one that runs. Nothing if none does.
    pub fn kill(&mut self, chance: u64, back: Instant) -> Option<&'static str> {
        let slot = self.running(chance)?;
        slot.program.signal("KILL");
        slot.state = State::Dead(back);
        Some(slot.name)
    }

    /// Lets one that runs stand still.
    pub fn pause(&mut self, chance: u64, until: Instant) -> Option<&'static str> {
        let slot = self.running(chance)?;
        slot.program.tell("STOP");
        slot.state = State::Still(until);
        Some(slot.name)
    }

    /// Lets one that runs stand still, and starts another of its name at once.
    pub fn replace(&mut self, chance: u64, until: Instant) -> Option<&'static str> {
        let deployment = self.deployment;
        let slot = self.running(chance)?;
        let name = slot.name;
        slot.program.tell("STOP");
        let program = std::mem::replace(&mut slot.program, deployment.instance(name));
        slot.start();
        self.zombies.push(Zombie { name, program, on: Some(until), ended_by: until });
        Some(name)
    }

    /// Starts the third, or tells it to end if it runs.
    pub fn resize(&mut self, now: Instant) -> Option<&'static str> {
        let slot = self.slots.last_mut().expect("three");
        match slot.state {
            State::Away => {
                slot.start();
                Some("joins")
            }
            State::Running => {
                slot.program.tell("TERM");
                slot.state = State::Leaving(now);
                Some("leaves")
            }
            _ => None,
        }
    }

    /// The name of one that runs.
    pub fn one_that_runs(&mut self, chance: u64) -> Option<&'static str> {
        self.running(chance).map(|slot| slot.name)
    }

    fn running(&mut self, chance: u64) -> Option<&mut Slot> {
        let mut running: Vec<_> = self.slots.iter_mut().filter(|slot| slot.state == State::Running).collect();
        (!running.is_empty()).then(|| running.swap_remove(chance as usize % running.len()))
    }

    /// Tells all that run to end.
    pub fn leave(&mut self, now: Instant) {
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Running) {
            slot.program.tell("TERM");
            slot.state = State::Leaving(now);
        }
    }

    pub fn is_away(&self) -> bool {
        self.slots.iter().all(|slot| slot.state == State::Away) && self.zombies.is_empty()
    }

    pub fn seen(&self) -> Seen {
        let mut seen = self.seen;
        for slot in &self.slots {
            seen.add(&slot.program.log());
        }
        seen
    }

    /// How each one is, and the end of its log.
    pub fn state(&self) -> String {
        let one = |slot: &Slot| format!("--- {} ({:?}):\n{}\n", slot.name, slot.state, tail(&slot.program));
        self.slots.iter().map(one).collect()
    }
}

impl Slot {
    fn start(&mut self) {
        self.program.start();
        self.state = State::Running;
    }

    fn tick(&mut self, now: Instant, told: &mut Vec<String>, seen: &mut Seen) {
        let name = self.name;
        match self.state {
            State::Dead(back) if now >= back => {
                self.start();
                told.push(format!("{name} is back"));
            }
            State::Still(until) if now >= until => {
                self.program.tell("CONT");
                self.state = State::Running;
                told.push(format!("{name} goes on"));
            }
            State::Running if !self.program.is_running() => {
                let code = self.program.ended();
                seen.end(name, code, &tail(&self.program));
                told.push(format!("{name} ended by itself, exit code {code}"));
                self.state = State::Dead(now);
            }
            State::Leaving(_) if !self.program.is_running() => {
                let (code, tail) = (self.program.ended(), tail(&self.program));
                // Brokers that are away for longer than it waits: what it could not commit, others do again.
                let in_vain = code == UNAVAILABLE && tail.contains("Broker transport failure");
                let fine = in_vain || matches!(code, 0 | FENCED | TERMINATED);
                assert!(fine, "{name} was told to end, exit code {code}:\n{tail}");
                told.push(format!("{name} has left"));
                self.state = State::Away;
            }
            State::Leaving(since) => {
                assert!(now < since + END, "{name} does not end:\n{}", tail(&self.program));
            }
            _ => {}
        }
    }
}

impl Seen {
    /// An instance that nobody told to end did.
    ///
    /// # Panics
    /// If it must not.
    fn end(&mut self, name: &str, code: u32, tail: &str) {
        let of_transaction = tail.lines().last().is_some_and(|line| line.contains("Transaction error: "));
        match code {
            FENCED => self.fenced += 1,
            BROKEN if of_transaction => self.broken += 1,
            _ => panic!("{name} ended by itself, exit code {code}:\n{tail}"),
        }
    }

    /// `HOTLEAD_CRASH_LOGS` names a folder in which the programs' logs are kept.
    fn add(&mut self, log: &str) {
        if let Some(folder) = std::env::var_os("HOTLEAD_CRASH_LOGS") {
            static KEPT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
            let number = KEPT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let name = std::path::Path::new(&folder).join(format!("{number}.log"));
            std::fs::write(name, log).expect("a writable folder");
        }
        self.aborted += log.matches("round aborted").count();
        self.lost += log.matches("partitions lost").count();
    }
}

/// The end of a program's log.
fn tail(program: &Supervised) -> String {
    last_lines(&program.log(), 25)
}

/// So many lines at most.
pub fn last_lines(text: &str, most: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}
