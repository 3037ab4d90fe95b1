//! What the lanes have to have recorded: batches for the ledger, one at a time, and what follows when one is safe.

use std::collections::BTreeSet;

use super::{Lanes, give_place};
use crate::core::ids::{Offset, Partition};
use crate::notify::job::{Batch, Ending, Epoch, Fate, Note, Ticket, Write};
use crate::notify::lane::{Held, Lane, State};

/// Alerts in one batch: a few megabytes.
const MAX_BATCH: usize = 500;

/// What is being written: one batch at a time, so that the ledger's order is ours.
#[derive(Debug, Default)]
pub(super) struct Writing {
    pub(super) writes: Vec<(Ticket, Fate)>,
    pub(super) notes: Vec<(Partition, Epoch, Vec<u8>)>,
}

impl<R> Lanes<R> {
    /// Has something noted on the ledger of a partition that is ours, in the same transaction as what ended before.
    pub fn note(&mut self, partition: Partition, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.notes.insert((partition, key), value);
    }

    /// What was noted and is safe since the last call: partitions and keys.
    pub fn take_noted(&mut self) -> Vec<(Partition, Vec<u8>)> {
        std::mem::take(&mut self.noted)
    }

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
            let lend = std::mem::take(&mut item.lending);
            if lend {
                item.tries.lent = matches!(fate, Fate::Parked { .. });
            }
            let (record, tries, into) = (item.record.clone(), item.tries.clone(), item.into.clone());
            let lend = lend && tries.lent;
            writes.push(Write { ticket, record, time: item.time, fate, into, tries, lend });
            concerned.insert(partition);
        }
        let (mut notes, mut noting) = (Vec::new(), Vec::new());
        // What they say holds when all ends before them are written.
        let all = if self.pending.is_empty() { std::mem::take(&mut self.notes) } else { Default::default() };
        for ((partition, key), value) in all {
            if let Some(own) = self.partitions.get(&partition) {
                noting.push((partition, own.epoch, key.clone()));
                notes.push(Note { partition, key, value });
                concerned.insert(partition);
            }
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
        let writing = writes.iter().map(|write| (write.ticket, write.fate)).collect();
        self.writing = Some(Writing { writes: writing, notes: noting });
        let of = |partition: Partition| {
            let own = self.partitions.get(&partition)?;
            Some((partition, own.epoch, own.committable()))
        };
        Some(Batch { partitions: concerned.into_iter().filter_map(of).collect(), writes, notes, change })
    }

    /// Notes that the last batch is safe, for these of its partitions; gives the deliveries that it ended. The others have
    /// another owner by now, who knows nothing of it: what they carry stays as it is until they are forgotten.
    pub fn written(&mut self, partitions: &[Partition]) -> Vec<(Ticket, Ending)> {
        let (mut ended, mut early) = (Vec::new(), Vec::new());
        let Writing { writes, notes } = self.writing.take().unwrap_or_default();
        for (partition, epoch, key) in notes {
            let is_ours = self.partitions.get(&partition).is_some_and(|own| own.epoch == epoch);
            if is_ours && partitions.contains(&partition) {
                self.noted.push((partition, key));
            }
        }
        for (ticket, fate) in writes {
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
                    self.lending.iter_mut().for_each(|lending| lending.ended((ticket.partition, ticket.offset)));
                    self.books.ended(ending, item.held == Held::Ledger);
                    ended.push((ticket, ending));
                    let wish = own.take_early(ticket.offset).filter(|_| ending != Ending::Delivered);
                    early.extend(wish.map(|kept| (ticket.partition, kept, item.suppressed)));
                    // One that ended together with it is gone as soon as its own end is written.
                    let waits = |head: &Offset| own.items.get(head).is_some_and(|item| item.state != State::Ending);
                    let next = next.filter(waits);
                    next.into_iter().for_each(|head| self.wake((ticket.partition, head)));
                }
            }
        }
        for (partition, kept, is_suppressed) in early {
            let place = (partition, kept.offset);
            if self.redrive(partition, kept) && is_suppressed {
                self.suppress(place);
            }
        }
        if !self.lends() && self.shut.is_none() && self.partitions.values().all(|own| own.items.is_empty()) {
            self.forget_failure(); // nothing is left that would try it
        }
        ended
    }
}
