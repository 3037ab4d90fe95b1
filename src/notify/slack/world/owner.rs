//! The owner of the partition in a world: reads, has its board work, and writes down what became of it.

use super::{ANSWER, Fault, LEDGER, MOST_STEPS, P0, START, Script, World, at};
use crate::codec::ledger::{self, Entry, Erasure};
use crate::core::ids::Offset;
use crate::notify::books::Counts;
use crate::notify::dead_letter::Incoming;
use crate::notify::erasures::Erasures;
use crate::notify::job::Batch;
use crate::notify::lanes::Lanes;
use crate::notify::slack::board::{Board, Outcome, Trial};
use crate::notify::slack::pace::Pace;
use crate::notify::stage::SECOND;

/// The owner of the partition, or one that believes it is.
pub struct Owner {
    epoch: u64,
    pub lanes: Lanes<Incoming>,
    pub board: Board,
    pub pace: Pace,
    air: Vec<(i64, u64, Outcome)>,
    position: i64,
    paused: bool,
    writing: Option<(i64, Batch<Incoming>)>,
    pub most: usize,
    /// Attempts that have ended.
    pub trials: Vec<Trial>,
    /// Records of the ledger that it has read.
    heard: usize,
    erasures: Erasures,
}

impl Owner {
    /// One that has just taken the partition over.
    pub(super) fn new(world: &World, lanes: Lanes<Incoming>, board: Board, erasures: Vec<Erasure>) -> Self {
        let mut owner = Owner {
            epoch: world.epoch,
            lanes,
            board,
            pace: Pace::default(),
            air: vec![],
            position: world.committed,
            paused: false,
            writing: None,
            most: 0,
            trials: vec![],
            heard: world.ledger.len(),
            erasures: Erasures::default(),
        };
        erasures.into_iter().for_each(|erasure| owner.erase(world.now, erasure));
        owner
    }

    /// Works until that time.
    pub fn works_until(&mut self, world: &mut World, until: i64, script: Script<'_>) {
        for step in 0.. {
            assert!(step < MOST_STEPS, "it turns on the spot at {}", world.now);
            self.read(world);
            while let Some(order) = self.board.next(at(world.now), &mut self.lanes, &mut self.pace) {
                let fault = script(world.now, order.method);
                let outcome = world.answer(&order, fault);
                let takes = if matches!(fault, Fault::Lost(_)) { 15 * SECOND } else { ANSWER };
                self.air.push((world.now + takes, order.id, outcome));
            }
            self.lanes.lend(at(world.now));
            if self.writing.is_none() {
                self.writing = self.lanes.take_batch().map(|batch| (world.now + LEDGER, batch));
            }
            self.lanes.take_pauses().into_iter().for_each(|(_, paused)| self.paused = paused);
            assert!(self.lanes.books().agree(), "{:?}", self.lanes.books());
            let Counts { in_flight, parked, .. } = self.counts();
            self.most = self.most.max(in_flight + parked);
            match self.next_event(world) {
                Some(next) if next <= until => world.now = next.max(world.now),
                _ => break,
            }
            self.land(world);
        }
        world.now = until;
    }

    pub fn counts(&self) -> Counts {
        self.lanes.books().counts()
    }

    fn erase(&mut self, now: i64, erasure: Erasure) {
        self.erasures.add(P0, erasure.clone());
        self.lanes.suppress_all(P0, |lead, record, time| self.erasures.cover(P0, lead, record, time));
        if !erasure.heard {
            self.board.erase(at(now), &mut self.lanes, P0, erasure);
        }
    }

    fn read(&mut self, world: &World) {
        for (key, value) in &world.ledger[self.heard..] {
            if ledger::is_erasure(key)
                && let Some(Entry::Erase(erasure)) = ledger::read(value.as_deref()).expect("a record of ours")
                && !erasure.heard
            {
                self.erase(world.now, erasure);
            }
        }
        self.heard = world.ledger.len();
        while !self.paused && self.position < world.alerts.len() as i64 {
            let (published, alert) = &world.alerts[self.position as usize];
            if *published > world.now {
                break;
            }
            let mut headers = vec![("ce_id".into(), Some(alert.id.to_string().into_bytes()))];
            headers.extend(world.instead_of.map(|sink| (ledger::INSTEAD_OF.into(), Some(sink.as_bytes().to_vec()))));
            let (key, value) = (Some(alert.lead.key.clone().into_bytes()), serde_json::to_vec(alert).ok());
            let record = Incoming { key, value, headers };
            let (place, lead, time) = ((P0, Offset(self.position)), alert.lead.key.as_bytes(), at(*published));
            let is_erased = self.erasures.cover(P0, lead, &record, time);
            self.lanes.admit(place, lead, time, record);
            if is_erased {
                self.lanes.suppress(place);
            }
            self.position += 1;
            self.lanes.take_pauses().into_iter().for_each(|(_, paused)| self.paused = paused);
        }
    }

    fn next_event(&self, world: &World) -> Option<i64> {
        let air = self.air.iter().map(|(done, ..)| *done);
        let ledger = self.writing.iter().filter(|_| !world.ledger_is_down).map(|(done, _)| *done);
        let board = self.board.wake_at().into_iter().chain(self.lanes.lends_at()).map(|at| at.as_millis() - START);
        let topic = world.alerts.get(self.position as usize).filter(|_| !self.paused).map(|(published, _)| *published);
        air.chain(ledger).chain(board).chain(topic).min()
    }

    fn land(&mut self, world: &mut World) {
        let (landed, air): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.air).into_iter().partition(|(done, ..)| *done <= world.now);
        self.air = air;
        for (_, id, outcome) in landed {
            self.board.end(at(world.now), &mut self.lanes, &mut self.pace, id, &outcome, 0.5);
        }
        self.trials.extend(self.board.take_trials());
        if !world.ledger_is_down && self.writing.as_ref().is_some_and(|(done, _)| *done <= world.now) {
            let written = self.writing.take();
            written.iter().for_each(|(_, batch)| world.write(batch));
            self.lanes.written(if self.epoch == world.epoch { &[P0] } else { &[] });
        }
    }
}
