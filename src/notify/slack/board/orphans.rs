//! Digests that a former owner left behind: whether they were posted is not known.

use super::digests::note_key;
use super::{Board, Call, Order, Request, SETTLE};
use crate::codec::ledger;
use crate::config::settings::OnUncertain;
use crate::core::backoff::Schedule;
use crate::core::ids::Partition;
use crate::core::time::Timestamp;
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Ending;
use crate::notify::job::Place;
use crate::notify::lanes::Lanes;
use crate::notify::slack::api::{Ended, Method};
use crate::notify::slack::fold::Seen;
use crate::notify::slack::pace::Pace;
use crate::notify::slack::reconcile::{Match, Wanted};

/// A digest of a former owner: its alerts wait until it is known whether it was posted.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub(super) partition: Partition,
    digest: ledger::Digest,
    look_at: Timestamp,
    attempts: u32,
    is_asking: bool,
    waiting: Vec<Place>,
    /// It is there: the message's ts.
    found: Option<String>,
}

impl Orphan {
    pub(super) fn new(now: Timestamp, partition: Partition, digest: ledger::Digest) -> Self {
        Self { partition, digest, look_at: now, attempts: 0, is_asking: false, waiting: Vec::new(), found: None }
    }
}

impl Board {
    /// The next lookup for one, if its time has come.
    pub(super) fn look_for_orphans(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        pace: &mut Pace,
    ) -> Option<Order> {
        let channel = self.terms.channel.clone();
        for i in (0..self.orphans.len()).rev() {
            let orphan = &self.orphans[i];
            if orphan.is_asking || orphan.found.is_some() {
                continue;
            }
            if self.terms.on_uncertain != OnUncertain::Reconcile || now - orphan.digest.at >= self.terms.max_age {
                self.drop_orphan(now, lanes, i);
                continue;
            }
            if now < orphan.look_at {
                self.wakes(Some(orphan.look_at));
                continue;
            }
            let pass = self.granted(now, pace, Method::History, &channel).ok()?;
            let orphan = &mut self.orphans[i];
            orphan.is_asking = true;
            let (id, intent) = (orphan.digest.id.clone(), orphan.digest.at);
            let call = Call::OrphanLook(id.clone(), orphan.partition);
            let request = Request::Look { wanted: Wanted::Digest(id), channel, intent };
            return Some(self.order(Method::History, request, call, pass));
        }
        None
    }

    /// Whether alerts of this lead wait for a digest of a former owner; those that one names end with it.
    pub(super) fn orphan_holds(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        place: Place,
        seen: &[Seen],
    ) -> bool {
        let names_nobody = |orphan: &Orphan| orphan.digest.offsets.is_empty();
        let names = |orphan: &Orphan| {
            orphan.partition == place.0 && seen.iter().any(|seen| orphan.digest.offsets.contains(&seen.offset.0))
        };
        let Some(orphan) = self.orphans.iter_mut().find(|orphan| names(orphan)) else {
            return false;
        };
        match &orphan.found {
            None => orphan.waiting.push(place),
            Some(ts) => {
                let named = seen.iter().take_while(|seen| orphan.digest.offsets.contains(&seen.offset.0));
                let ends: Vec<_> = named.map(|seen| ((place.0, seen.offset), Ending::Coalesced)).collect();
                if ends.is_empty() {
                    return false;
                }
                lanes.end_together(now, &ends, Some(ts));
                orphan.digest.offsets.retain(|offset| !ends.iter().any(|((_, ended), _)| ended.0 == *offset));
                let is_over = orphan.digest.offsets.is_empty();
                if let Some(i) = self.orphans.iter().position(names_nobody).filter(|_| is_over) {
                    self.drop_orphan(now, lanes, i);
                }
            }
        }
        true
    }

    /// The lookup for a former owner's digest has come back.
    pub(super) fn orphan_looked(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        (id, partition): (&str, Partition),
        found: &Result<Option<Match>, Ended>,
    ) {
        let is_it = |orphan: &Orphan| orphan.digest.id == id && orphan.partition == partition;
        let Some(i) = self.orphans.iter().position(is_it) else {
            return;
        };
        let orphan = &mut self.orphans[i];
        orphan.is_asking = false;
        orphan.attempts += 1;
        match found {
            Ok(Some(found)) => {
                // Its alerts are read again from the offset on: each ends as it comes.
                orphan.found = Some(found.ts.clone());
                for place in std::mem::take(&mut orphan.waiting) {
                    self.sort(now, lanes, place);
                }
            }
            Ok(None) if now < orphan.digest.at + SETTLE => orphan.look_at = orphan.digest.at + SETTLE,
            Err(ended) if !ended.lacks_scope() => orphan.look_at = now + Schedule::default().pause(orphan.attempts),
            _ => self.drop_orphan(now, lanes, i),
        }
    }

    fn drop_orphan(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, i: usize) {
        let orphan = self.orphans.swap_remove(i);
        lanes.note(orphan.partition, note_key(&orphan.digest.id), None);
        for place in orphan.waiting {
            self.sort(now, lanes, place);
        }
    }
}
