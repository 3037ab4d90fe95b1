//! A stage for tests of the lanes: an alert topic, a ledger, an endpoint and owners of the partition, on a virtual clock.

use std::collections::BTreeMap;

use super::books::Counts;
use super::dead_letter::Incoming;
use super::erasures::Erasures;
use super::gate::Gate;
use super::job::{Attempt, Batch, Change, Ending, Epoch, Fate, Policy};
use super::lanes::Lanes;
use super::ledger::entry;
use super::replay::{Page, wished};
use super::verdict::{AttemptResult, Judged, Reason, Verdict};
use crate::codec::ledger::{self, Entry, Erasure, Redrive, SinkState, Standing};
use crate::core::backoff::Schedule;
use crate::core::ids::{Offset, Partition};
use crate::core::time::{Span, Timestamp};

pub const P0: Partition = Partition(0);
pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
const START: i64 = 1_795_341_734_000;
const ENDPOINT: &str = "0123456789abcdef";

/// What the ledger takes to be written.
const LEDGER: i64 = 5;

/// Far more than any scenario needs.
const MOST_STEPS: usize = 200_000;

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

pub fn policy() -> Policy {
    let max_age = Span::from_millis(24 * HOUR);
    Policy { in_flight: 8, tracked: 200, parked: 1_000, max_age, schedule: Schedule::default() }
}

pub fn judged(verdict: Verdict) -> Judged {
    Judged::failed(verdict, AttemptResult::ServerError, Some(503), "status 503")
}

pub fn later() -> Judged {
    judged(Verdict::Later { retry_after: None, reason: Reason::Exhausted })
}

/// What outlives any owner.
#[derive(Default)]
pub struct Stage {
    pub now: i64,
    /// By offset: when it was published, and whose it is. Odd offsets are markers of transactions.
    pub alerts: Vec<(i64, String)>,
    ledger: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub committed: i64,
    pub dead: Vec<i64>,
    /// When the endpoint took which alert.
    pub accepted: Vec<(i64, i64)>,
    /// When the endpoint was asked.
    pub asked: Vec<i64>,
    epoch: Epoch,
    /// Nothing is written to the ledger.
    pub ledger_is_down: bool,
    /// It asks for none of the alerts by itself.
    pub takes_nothing: bool,
    /// The sink has a fallback.
    pub has_fallback: bool,
    /// When the fallback got which alert.
    pub lent: Vec<(i64, i64)>,
}

/// The owner of the partition, or one that believes it is.
pub struct Owner {
    epoch: Epoch,
    pub lanes: Lanes<Incoming>,
    gate: Gate,
    air: Vec<(i64, Attempt<Incoming>, Judged)>,
    position: i64,
    paused: bool,
    writing: Option<(i64, Batch<Incoming>)>,
    /// Records of the ledger that it has read.
    heard: usize,
    erasures: Erasures,
    pub most_in_memory: usize,
}

impl Stage {
    /// Publishes an alert; gives its offset.
    pub fn publish(&mut self, at: i64, lead: &str) -> i64 {
        self.alerts.push((at, lead.to_owned()));
        2 * (self.alerts.len() as i64 - 1)
    }

    pub fn lead(&self, offset: i64) -> &str {
        &self.alerts[offset as usize / 2].1
    }

    pub fn end(&self) -> i64 {
        2 * self.alerts.len() as i64 - 1
    }

    /// Somebody takes the partition over.
    pub fn takes_over(&mut self) -> Owner {
        self.epoch += 1;
        let mut page = Page::new(Offset(self.committed - 1).next());
        for (key, value) in &self.ledger {
            page.take(key, ledger::read(value.as_deref()).expect("a record of ours"));
        }
        let mut lanes = Lanes::new(policy());
        if self.has_fallback {
            lanes = lanes.lending(|_| true);
        }
        let mut takeover = page.takeover(P0, self.epoch, ENDPOINT);
        let erasures = std::mem::take(&mut takeover.erasures);
        lanes.assign(takeover);
        let position = self.committed;
        let mut owner = Owner {
            epoch: self.epoch,
            lanes,
            gate: Gate::open(),
            air: Vec::new(),
            position,
            paused: false,
            writing: None,
            heard: self.ledger.len(),
            erasures: Erasures::default(),
            most_in_memory: 0,
        };
        erasures.into_iter().for_each(|erasure| owner.erase(erasure));
        owner
    }

    /// A lead is erased; what was published of it is of before.
    pub fn erases(&mut self, lead: &str) {
        let erasure = Erasure::by_owner(lead.as_bytes(), at(self.now), ("events", P0), Offset(0));
        self.ledger.push((erasure.key(), Some(ledger::write(&Entry::Erase(erasure)))));
    }

    /// Whether the compacted ledger has this text in a value.
    pub fn keeps(&self, text: &str) -> bool {
        let newest: BTreeMap<_, _> = self.ledger.iter().map(|(key, value)| (key, value)).collect();
        let values = newest.into_values().flatten();
        values.into_iter().any(|value| String::from_utf8_lossy(value).contains(text))
    }

    /// What the ledger says of an alert in the end.
    pub fn says(&self, offset: i64) -> Option<Entry> {
        let id = id(offset);
        let newest = self.ledger.iter().rfind(|(key, _)| *key == id.as_bytes());
        newest.and_then(|(_, value)| ledger::read(value.as_deref()).expect("a record of ours"))
    }

    /// What the ledger says of the sink.
    pub fn standing(&self) -> Option<Standing> {
        let (_, newest) = self.ledger.iter().rfind(|(key, _)| key == ledger::SINK)?;
        match ledger::read(newest.as_deref()).expect("a record of ours") {
            Some(Entry::Sink(state)) => Some(state.standing),
            _ => None,
        }
    }

    /// Since when the sink takes nothing, as the ledger has it in milliseconds of this clock.
    pub fn failing(&self) -> Option<i64> {
        let (_, newest) = self.ledger.iter().rfind(|(key, _)| key == ledger::SINK)?;
        match ledger::read(newest.as_deref()).expect("a record of ours") {
            Some(Entry::Sink(state)) => state.failing.map(|since| since.as_millis() - START),
            _ => None,
        }
    }

    pub fn asks_to_unblock(&mut self) {
        let value = ledger::write(&Entry::Unblock { time: at(self.now) });
        self.ledger.push((ledger::UNBLOCK.to_vec(), Some(value)));
    }

    /// An operator asks that a dead letter be delivered again.
    pub fn asks_to_redrive(&mut self, offset: i64, redrives: u32) {
        let alert = (&self.record(offset)).into();
        let (time, asked) = (at(self.alerts[offset as usize / 2].0), at(self.now));
        let value = ledger::write(&Entry::Redrive(Redrive { offset, time, asked, redrives, alert }));
        self.ledger.push((ledger::redrive_key(id(offset).as_bytes(), redrives), Some(value)));
    }

    /// Wishes on the compacted ledger.
    pub fn wishes(&self) -> usize {
        let newest: BTreeMap<_, _> = self.ledger.iter().map(|(key, value)| (key, value)).collect();
        newest.iter().filter(|(key, value)| ledger::redriven_key(key).is_some() && value.is_some()).count()
    }

    fn record(&self, offset: i64) -> Incoming {
        let lead = self.lead(offset).as_bytes().to_vec();
        let headers = vec![("ce_id".into(), Some(id(offset).into_bytes()))];
        Incoming { key: Some(lead.clone()), value: Some(lead), headers }
    }

    /// A transaction: all of it, or nothing of one that is no longer the owner.
    fn write(&mut self, batch: &Batch<Incoming>) {
        let now = at(self.now);
        for (_, epoch, next) in &batch.partitions {
            if *epoch != self.epoch {
                return;
            }
            assert!(next.get() >= self.committed, "from {} back to {}", self.committed, next.get());
            self.committed = next.get();
        }
        for write in &batch.writes {
            let key = ledger::key(write.record.id(), write.ticket.offset);
            if let Fate::Ended(Ending::GivenUp(_)) = write.fate {
                self.dead.push(write.ticket.offset.0);
            }
            if write.lend {
                self.lent.push((self.now, write.ticket.offset.0));
            }
            if write.tries.redrives > 0 {
                self.ledger.push((ledger::redrive_key(&key, write.tries.redrives), None));
            }
            self.ledger.push((key, Some(ledger::write(&entry(write, now)))));
        }
        if let Some(change) = &batch.change {
            let Change { standing, since, detail, failing } = change.clone();
            let state = SinkState { standing, since, endpoint: ENDPOINT.to_owned(), detail, failing };
            self.ledger.push((ledger::SINK.to_vec(), Some(ledger::write(&Entry::Sink(state)))));
        }
    }
}

fn id(offset: i64) -> String {
    format!("{offset:032x}")
}

/// Answers an attempt at an alert with how long it takes and what it means.
pub type Endpoint<'a> = &'a mut dyn FnMut(&Stage, i64) -> (i64, Judged);

impl Owner {
    /// Works until that time.
    pub fn works_until(&mut self, stage: &mut Stage, until: i64, endpoint: Endpoint<'_>) {
        for step in 0.. {
            assert!(step < MOST_STEPS, "it turns on the spot at {}", stage.now);
            self.read(stage);
            self.send(stage, endpoint);
            self.lanes.lend(at(stage.now));
            if self.writing.is_none() {
                self.writing = self.lanes.take_batch().map(|batch| (stage.now + LEDGER, batch));
            }
            for (_, paused) in self.lanes.take_pauses() {
                self.paused = paused;
            }
            assert!(self.lanes.books().agree(), "{:?}", self.lanes.books());
            let Counts { in_flight, parked, .. } = self.counts();
            self.most_in_memory = self.most_in_memory.max(in_flight + parked);
            match self.next_event(stage) {
                Some(next) if next <= until => stage.now = next.max(stage.now),
                _ => break,
            }
            self.land(stage);
        }
        stage.now = until;
    }

    pub fn counts(&self) -> Counts {
        self.lanes.books().counts()
    }

    /// Whether nothing is being sent or written.
    pub fn is_idle(&self) -> bool {
        self.air.is_empty() && self.writing.is_none()
    }

    fn erase(&mut self, erasure: Erasure) {
        self.erasures.add(P0, erasure);
        self.lanes.suppress_all(P0, |lead, record, time| self.erasures.cover(P0, lead, record, time));
    }

    fn read(&mut self, stage: &Stage) {
        for (key, value) in &stage.ledger[self.heard..] {
            if ledger::is_erasure(key)
                && let Some(Entry::Erase(erasure)) = ledger::read(value.as_deref()).expect("a record of ours")
            {
                self.erase(erasure);
            }
            if ledger::redriven_key(key).is_some()
                && let Some(Entry::Redrive(wish)) = ledger::read(value.as_deref()).expect("a record of ours")
            {
                self.lanes.redrive(P0, wished(wish));
            }
        }
        self.heard = stage.ledger.len();
        while !self.paused && self.position < stage.end() {
            self.position += self.position % 2;
            let (published, lead) = &stage.alerts[self.position as usize / 2];
            if *published > stage.now {
                break;
            }
            let record = stage.record(self.position);
            let (place, lead, time) = ((P0, Offset(self.position)), lead.as_bytes(), at(*published));
            let is_erased = self.erasures.cover(P0, lead, &record, time);
            match stage.takes_nothing {
                true => self.lanes.skip(place),
                false => self.lanes.admit(place, lead, time, record),
            }
            if is_erased {
                self.lanes.suppress(place);
            }
            self.position += 1;
            for (_, paused) in self.lanes.take_pauses() {
                self.paused = paused;
            }
        }
    }

    fn send(&mut self, stage: &mut Stage, endpoint: Endpoint<'_>) {
        while let Some(attempt) = self.lanes.next(at(stage.now), &mut self.gate) {
            let offset = attempt.ticket.offset.0;
            stage.asked.push(stage.now);
            let (takes, answer) = endpoint(stage, offset);
            if answer.verdict == Verdict::Delivered {
                stage.accepted.push((stage.now, offset));
            }
            self.air.push((stage.now + takes, attempt, answer));
        }
    }

    fn next_event(&self, stage: &Stage) -> Option<i64> {
        let air = self.air.iter().map(|(done, ..)| *done);
        let ledger = self.writing.iter().filter(|_| !stage.ledger_is_down).map(|(done, _)| *done);
        let lanes = self.lanes.wake_at().into_iter().chain(self.lanes.lends_at()).map(|at| at.as_millis() - START);
        let next = (self.position + self.position % 2) as usize / 2;
        let topic = stage.alerts.get(next).filter(|_| !self.paused).map(|(published, _)| *published);
        air.chain(ledger).chain(lanes).chain(topic).min()
    }

    /// What has come back by now.
    fn land(&mut self, stage: &mut Stage) {
        let (landed, air) = std::mem::take(&mut self.air).into_iter().partition(|(done, ..)| *done <= stage.now);
        self.air = air;
        let landed: Vec<(i64, Attempt<Incoming>, Judged)> = landed;
        for (_, attempt, answer) in landed {
            self.gate.ended(at(stage.now), attempt.pass, &answer);
            self.lanes.finish(at(stage.now), attempt.ticket, answer, 0.5);
        }
        if !stage.ledger_is_down && self.writing.as_ref().is_some_and(|(done, _)| *done <= stage.now) {
            let written = self.writing.take();
            written.iter().for_each(|(_, batch)| stage.write(batch));
            // Nothing is written of one that is no longer the owner.
            self.lanes.written(if self.epoch == stage.epoch { &[P0] } else { &[] });
        }
    }
}
