//! Digests from their beginning to their end.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::choice::DIGEST_EVERY;
use super::posting::digest_metadata;
use super::trying::{DIGEST, Trial};
use super::{Board, Call, Order, Request, SETTLE};
use crate::codec::ledger::{self, Entry};
use crate::config::settings::OnUncertain;
use crate::core::backoff::Schedule;
use crate::core::ids::{Offset, Partition};
use crate::core::limits::MAX_DIGEST;
use crate::core::time::{Span, Timestamp};
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Place;
use crate::notify::job::{Ending, Ticket};
use crate::notify::lanes::Lanes;
use crate::notify::observer::Then;
use crate::notify::slack::api::{Became, Ended, Method};
use crate::notify::slack::digest::{Occasion, digest, minimal};
use crate::notify::slack::fold::Seen;
use crate::notify::slack::pace::Pace;
use crate::notify::slack::reconcile::{Match, Wanted};
use crate::notify::verdict::{Reason, Verdict};

/// A digest that waited for longer than this is written anew.
const STILL_TRUE: Span = Span::from_secs(60);

/// Where a digest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its intent is being written.
    Arming,
    /// To be posted at that time.
    Armed(Timestamp),
    /// Nobody knows whether it is there.
    Unknown { look_at: Timestamp },
    /// A request is under way.
    Asking,
}

/// A digest under way. Its alerts wait for it.
#[derive(Clone, Debug)]
pub(super) struct Digest {
    id: String,
    at: Timestamp,
    message: Value,
    /// The head of each lane, and all offsets of the lane that it names.
    members: Vec<(Ticket, Vec<Offset>)>,
    awaited: BTreeSet<Partition>,
    oldest: Timestamp,
    /// What is not there then never will be.
    settled_at: Timestamp,
    stage: Stage,
    refusals: u32,
}

impl Digest {
    /// Forgets partitions that are gone; true if nothing is left of it.
    pub(super) fn forget(&mut self, partitions: &[Partition]) -> bool {
        self.members.retain(|(ticket, _)| !partitions.contains(&ticket.partition));
        self.awaited.retain(|partition| !partitions.contains(partition));
        self.arm();
        self.members.is_empty() && self.stage != Stage::Asking
    }

    pub(super) fn noted(&mut self, partition: Partition, key: &[u8]) {
        if key == note_key(&self.id) {
            self.awaited.remove(&partition);
            self.arm();
        }
    }

    /// The attempt at it that is under way.
    pub(super) fn about(&self, lanes: &Lanes<Incoming>, number: u32) -> Option<Trial> {
        let (first, _) = self.members.first()?;
        let place = (first.partition, first.offset);
        let (record, ..) = lanes.tried(place)?;
        let alerts: usize = self.members.iter().map(|(_, offsets)| offsets.len()).sum();
        Some(Trial {
            place,
            alert: record.alert_id(),
            since: self.oldest,
            rule: DIGEST.to_owned(),
            lead: format!("{alerts} alerts"),
            number,
            then: Then::Delivered,
        })
    }

    /// When something is done for it again.
    pub(super) fn again_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Armed(at) | Stage::Unknown { look_at: at } => Some(at),
            Stage::Arming | Stage::Asking => None,
        }
    }

    fn arm(&mut self) {
        if self.stage == Stage::Arming && self.awaited.is_empty() {
            self.stage = Stage::Armed(self.at);
        }
    }
}

pub(super) fn note_key(id: &str) -> Vec<u8> {
    [ledger::DIGEST, id.as_bytes()].concat()
}

impl Board {
    /// Begins a digest of the leads with these heads; false if none of them belongs in one any more.
    pub(super) fn begin_digest(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        occasion: Occasion,
        places: &[Place],
    ) -> bool {
        let (mut members, mut all): (Vec<(Place, Vec<Offset>)>, Vec<Seen>) = (Vec::new(), Vec::new());
        for &place in places {
            if all.len() >= MAX_DIGEST {
                break;
            }
            self.posts.remove(&place);
            let seen = self.read(now, lanes, place);
            let news = self.replan(now, lanes, place).and_then(|(_, plan)| plan.news);
            if seen.is_empty() || (occasion == Occasion::Late && !self.is_late(now, news)) {
                self.sort(now, lanes, place);
                continue;
            }
            members.push((place, seen.iter().map(|seen| seen.offset).collect()));
            all.extend(seen);
        }
        let Some(oldest) = all.iter().map(|seen| seen.time).min() else {
            return false;
        };
        let id = self.digest_id(now, &all);
        let mut message = digest(occasion, &all, now);
        message["channel"] = self.terms.channel.clone().into();
        message["metadata"] = digest_metadata(&id);
        let heads: Vec<Place> = members.iter().map(|(place, _)| *place).collect();
        let tickets = lanes.start_together(&heads, false);
        lanes.release(&tickets, false);
        let partitions: BTreeSet<Partition> = heads.iter().map(|place| place.0).collect();
        for partition in &partitions {
            let of = members.iter().filter(|(place, _)| place.0 == *partition);
            let offsets = of.flat_map(|(_, offsets)| offsets.iter().map(|offset| offset.0)).collect();
            let entry = Entry::Digest(ledger::Digest { id: id.clone(), at: now, offsets });
            lanes.note(*partition, note_key(&id), Some(ledger::write(&entry)));
        }
        let members = tickets.into_iter().zip(members.into_iter().map(|(_, offsets)| offsets)).collect();
        self.digest = Some(Digest {
            id,
            at: now,
            message,
            members,
            awaited: partitions,
            oldest,
            settled_at: now,
            stage: Stage::Arming,
            refusals: 0,
        });
        self.next_digest = now + DIGEST_EVERY;
        true
    }

    fn digest_id(&self, now: Timestamp, all: &[Seen]) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.terms.folding.sink);
        hash.update(now.as_millis().to_le_bytes());
        all.iter().for_each(|seen| hash.update(seen.alert.id.to_string()));
        hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn post_digest(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        pace: &mut Pace,
    ) -> Option<Order> {
        let digest = self.digest.as_ref()?;
        let Stage::Armed(at) = digest.stage else {
            return None;
        };
        if now < at {
            self.wakes(Some(at));
            return None;
        }
        let is_to_be_told = |(ticket, offsets): &(Ticket, Vec<Offset>)| {
            offsets.iter().all(|offset| lanes.is_to_be_told((ticket.partition, *offset)))
        };
        if now - digest.at > STILL_TRUE || !digest.members.iter().all(is_to_be_told) {
            // What it says of their age holds no more, and some may be too old by now; or a lead of it was erased.
            self.dissolve(lanes);
            self.wakes(Some(now));
            return None;
        }
        let channel = self.terms.channel.clone();
        let pass = self.granted(now, pace, Method::Post, &channel).ok()?;
        let digest = self.digest.as_mut()?;
        let mut message = digest.message.clone();
        if digest.refusals > 0 {
            let metadata = message["metadata"].take();
            message = minimal(&message);
            (message["channel"], message["metadata"]) = (channel.into(), metadata);
        }
        digest.stage = Stage::Asking;
        self.digest_attempts += 1;
        let tickets: Vec<Ticket> = digest.members.iter().map(|(ticket, _)| *ticket).collect();
        let heads: Vec<Place> = tickets.iter().map(|ticket| (ticket.partition, ticket.offset)).collect();
        lanes.start_together(&heads, true);
        Some(self.order(Method::Post, Request::Message(message), Call::Digest, pass))
    }

    pub(super) fn look_for_digest(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        pace: &mut Pace,
    ) -> Option<Order> {
        let channel = self.terms.channel.clone();
        if let Some(Stage::Unknown { look_at, .. }) = self.digest.as_ref().map(|digest| digest.stage) {
            if now >= look_at {
                let pass = self.granted(now, pace, Method::History, &channel).ok()?;
                let digest = self.digest.as_mut()?;
                digest.stage = Stage::Asking;
                let request = Request::Look { wanted: Wanted::Digest(digest.id.clone()), channel, intent: digest.at };
                return Some(self.order(Method::History, request, Call::DigestLook, pass));
            }
            self.wakes(Some(look_at));
        }
        self.look_for_orphans(now, lanes, pace)
    }

    /// The digest's post has come back.
    pub(super) fn digest_posted(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, ended: &Ended, chance: f64) {
        if matches!(ended.judged.verdict, Verdict::Later { .. }) {
            lanes.fails(now);
        }
        self.follow_digest(now, lanes, ended, chance);
        // All that it names went to other owners meanwhile.
        self.digest.take_if(|digest| digest.members.is_empty());
    }

    fn follow_digest(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, ended: &Ended, chance: f64) {
        let on_uncertain = self.terms.on_uncertain;
        let Some(digest) = &mut self.digest else {
            return;
        };
        let tickets: Vec<Ticket> = digest.members.iter().map(|(ticket, _)| *ticket).collect();
        lanes.release(&tickets, false);
        let attempts = self.digest_attempts;
        let pause = |wait| Schedule::default().delay(attempts, chance, wait);
        match (&ended.became, &ended.judged.verdict) {
            (Became::Done { ts, .. }, _) => {
                let ts = ts.clone();
                self.digest_ends(now, lanes, Ending::Coalesced, Some(&ts));
            }
            (Became::Uncertain, Verdict::Later { retry_after, .. }) => match on_uncertain {
                OnUncertain::Reconcile => {
                    let look_at = now + retry_after.unwrap_or(Span::from_secs(1));
                    digest.settled_at = if retry_after.is_some() { look_at } else { now + SETTLE };
                    digest.stage = Stage::Unknown { look_at };
                }
                OnUncertain::Resend => digest.stage = Stage::Armed(now + pause(*retry_after)),
                OnUncertain::Hold => self.digest_ends(now, lanes, Ending::GivenUp(Reason::Uncertain), None),
            },
            (_, Verdict::Never(reason)) => {
                let reason = *reason;
                self.digest_ends(now, lanes, Ending::GivenUp(reason), None);
            }
            (_, Verdict::Refused { tries }) => {
                digest.refusals += 1;
                digest.stage = Stage::Armed(now + pause(None));
                if digest.refusals >= *tries {
                    self.digest_ends(now, lanes, Ending::GivenUp(Reason::Message), None);
                }
            }
            (_, Verdict::Later { retry_after, .. }) => digest.stage = Stage::Armed(now + pause(*retry_after)),
            // The sink is shut: when it opens, it goes out.
            _ => {
                digest.stage = Stage::Armed(now);
                if let Some(ticket) = tickets.first() {
                    lanes.start_together(&[(ticket.partition, ticket.offset)], false);
                    lanes.finish(now, *ticket, ended.judged.clone(), chance);
                    lanes.unready((ticket.partition, ticket.offset));
                }
            }
        }
    }

    /// The lookup for the digest has come back.
    pub(super) fn digest_looked(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        found: &Result<Option<Match>, Ended>,
    ) {
        self.digest.take_if(|digest| digest.members.is_empty());
        let Some(digest) = &mut self.digest else {
            return;
        };
        match found {
            Ok(Some(found)) => self.digest_ends(now, lanes, Ending::Coalesced, Some(&found.ts)),
            Ok(None) => {
                digest.stage = match digest.settled_at {
                    settled_at if now >= settled_at => Stage::Armed(now),
                    settled_at => Stage::Unknown { look_at: settled_at },
                }
            }
            Err(ended) if ended.lacks_scope() => digest.stage = Stage::Armed(now),
            Err(_) => {
                let look_at = now + SETTLE;
                digest.stage = Stage::Unknown { look_at };
                if now - digest.oldest >= self.terms.max_age {
                    self.digest_ends(now, lanes, Ending::GivenUp(Reason::Uncertain), None);
                }
            }
        }
    }

    /// All alerts of the digest have this end.
    fn digest_ends(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, ending: Ending, into: Option<&str>) {
        let Some(digest) = self.digest.take() else {
            return;
        };
        self.digest_attempts = 0;
        let ours = digest.members.iter().filter(|(ticket, _)| lanes.is_ours(ticket));
        let place = |ticket: &Ticket, offset: &Offset| ((ticket.partition, *offset), ending);
        let ends: Vec<_> =
            ours.flat_map(|(ticket, offsets)| offsets.iter().map(move |offset| place(ticket, offset))).collect();
        lanes.end_together(now, &ends, into);
        end_notes(lanes, &digest);
    }

    /// There is no digest: its alerts are judged by themselves.
    fn dissolve(&mut self, lanes: &mut Lanes<Incoming>) {
        if let Some(digest) = self.digest.take() {
            end_notes(lanes, &digest);
            lanes.release(&digest.members.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), true);
        }
    }
}

fn end_notes(lanes: &mut Lanes<Incoming>, digest: &Digest) {
    let partitions: BTreeSet<Partition> = digest.members.iter().map(|(ticket, _)| ticket.partition).collect();
    partitions.into_iter().for_each(|partition| lanes.note(partition, note_key(&digest.id), None));
}
