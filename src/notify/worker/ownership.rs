//! What a sink's worker does when partitions come and go, and when a lead of theirs is erased.

use std::sync::PoisonError;

use super::Worker;
use crate::codec::ledger::Erasure;
use crate::core::ids::Partition;
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Takeover;

impl Worker {
    pub(super) fn assign(&mut self, mut takeover: Takeover<Incoming>) {
        let partition = takeover.partition;
        self.erasures.forget(&[partition]);
        let erasures = std::mem::take(&mut takeover.erasures);
        if let Some(bot) = &mut self.bot {
            bot.board.assign(self.clock.now(), &mut takeover);
        }
        self.lanes.assign(takeover);
        erasures.into_iter().for_each(|erasure| self.erase(partition, erasure));
    }

    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        self.lanes.forget_all(partitions);
        self.erasures.forget(partitions);
        self.bot.iter_mut().for_each(|bot| bot.board.forget(partitions));
        self.share();
        self.around.observer.left(&self.around.sink, partitions, self.lanes.is_spare());
    }

    /// Of what Slack allows a token, this process takes its share.
    pub(super) fn share(&self) {
        if let Some(bot) = &self.bot {
            let mut pace = bot.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.owns(self.clock.now(), &self.around.sink, self.lanes.owned(), self.partitions);
        }
    }

    /// Nobody is told of this lead's alerts of before, and what a bot's messages say of it goes.
    pub(super) fn erase(&mut self, partition: Partition, erasure: Erasure) {
        self.erasures.add(partition, erasure.clone());
        let erasures = &self.erasures;
        self.lanes.suppress_all(partition, |lead, record, time| erasures.cover(partition, lead, record, time));
        if let Some(bot) = self.bot.as_mut().filter(|_| !erasure.heard) {
            bot.board.erase(self.clock.now(), &mut self.lanes, partition, erasure);
        }
    }
}
