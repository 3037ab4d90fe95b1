//! What the lanes have to have recorded: batches for the ledger, one at a time, and what follows when one is safe.

use std::collections::BTreeSet;

use super::{Lanes, give_place};
use crate::core::ids::Partition;
use crate::notify::job::{Batch, Ending, Fate, Ticket, Write};
use crate::notify::lane::{Held, Lane};

/// Alerts in one batch: a few megabytes.
const MAX_BATCH: usize = 500;

impl<R> Lanes<R> {
    /// What is to be written next; `None` while something is being written, or there is nothing.
    pub fn take_batch(&mut self) -> Option<Batch<R>> {
        if self.writing.is_some() {
            return None;
        }
        let change = self.change.take_if(|_| !self.partitions.is_empty());
        let mut concerned: BTreeSet<Partition> = match change {
            Some(_) => self.partitions.keys().copied().collect(),
            None => BTreeSet::new(),
        };
        let mut writes = Vec::new();
        while writes.len() < MAX_BATCH
            && let Some(((partition, offset), fate)) = self.pending.pop_first()
        {
            let Some(own) = self.partitions.get_mut(&partition) else {
                continue;
            };
            let ticket = Ticket { partition, offset, epoch: own.epoch };
            let Some(item) = own.items.get_mut(&offset) else {
                continue;
            };
            if item.held == Held::Offset {
                own.tracker.done(offset);
                item.held = Held::Parking;
            }
            let (record, tries) = (item.record.clone(), item.tries.clone());
            writes.push(Write { ticket, record, time: item.time, fate, tries });
            concerned.insert(partition);
        }
        for (partition, own) in &mut self.partitions {
            // Where it began is committed already.
            if own.tracker.take_committable().is_some_and(|next| next > own.base()) {
                concerned.insert(*partition);
            }
        }
        if concerned.is_empty() {
            return None;
        }
        self.writing = Some(writes.iter().map(|write| (write.ticket, write.fate)).collect());
        let of = |partition: Partition| {
            let own = self.partitions.get(&partition)?;
            Some((partition, own.epoch, own.committable()))
        };
        Some(Batch { partitions: concerned.into_iter().filter_map(of).collect(), writes, change })
    }

    /// Notes that the last batch is safe, for these of its partitions; gives the deliveries that it ended. The others have
    /// another owner by now, who knows nothing of it: what they carry stays as it is until they are forgotten.
    pub fn written(&mut self, partitions: &[Partition]) -> Vec<(Ticket, Ending)> {
        let (mut ended, mut early) = (Vec::new(), Vec::new());
        for (ticket, fate) in self.writing.take().unwrap_or_default() {
            let own = self.partitions.get_mut(&ticket.partition);
            let ours = |own: &&mut Lane<R>| own.epoch == ticket.epoch && partitions.contains(&ticket.partition);
            let Some(own) = own.filter(ours) else {
                continue;
            };
            match fate {
                Fate::Parked { .. } => {
                    let parked = own.items.get_mut(&ticket.offset).filter(|item| item.held == Held::Parking);
                    if let Some(item) = parked {
                        item.held = Held::Ledger;
                        self.books.parked();
                    }
                }
                Fate::Ended(ending) => {
                    let Some((mut item, next)) = own.remove(ticket.offset) else {
                        continue;
                    };
                    give_place(&mut self.taken, &mut item);
                    self.books.ended(ending, item.held == Held::Ledger);
                    ended.push((ticket, ending));
                    let wish = own.take_early(ticket.offset).filter(|_| ending != Ending::Delivered);
                    early.extend(wish.map(|kept| (ticket.partition, kept)));
                    next.into_iter().for_each(|head| self.wake((ticket.partition, head)));
                }
            }
        }
        for (partition, kept) in early {
            self.redrive(partition, kept);
        }
        ended
    }
}
