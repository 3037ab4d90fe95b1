//! Who is posted next: the oldest news, in a storm the hottest; what is too much or too late comes in a digest.

use std::cmp::Reverse;

use super::{Board, Doubt, Due, Key};
use crate::codec::ledger::{Card, Intent};
use crate::core::time::{Span, Timestamp};
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Place;
use crate::notify::lanes::Lanes;
use crate::notify::slack::api::Method;
use crate::notify::slack::digest::Occasion;
use crate::notify::slack::fold::{Plan, Step};
use crate::notify::slack::pace::{POST_PACE, Pace};

/// Intents that are on the ledger ahead of their posts: as many as may be posted at once, and one that is next.
const AHEAD: usize = 3;

/// Leads whose cards would take longer than this come in a digest, all but the hottest.
const PATIENCE: Span = Span::from_secs(30);

/// The hottest of a storm, who get cards of their own.
const HOTTEST: usize = 20;

/// Between two digests; what is hottest is posted meanwhile.
pub(super) const DIGEST_EVERY: Span = Span::from_secs(30);

/// Late alerts are read one after the other: they come together for this long.
const GATHER: Span = Span::from_secs(3);

impl Board {
    /// Has intents written for those who are to be posted next.
    pub(super) fn choose(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, pace: &Pace) {
        while !self.posts.is_empty() && self.armed.len() + self.arming.len() < AHEAD {
            if let Err(opens) = pace.opens(now, Method::Post, &self.terms.channel) {
                self.wakes(Some(opens));
                return;
            }
            if self.choose_digest(now, lanes) {
                continue;
            }
            let Some(place) = self.choose_one(now) else {
                return;
            };
            self.posts.remove(&place);
            match self.replan(now, lanes, place) {
                Some((key, plan)) if matches!(plan.step, Step::Post | Step::Reply) => {
                    self.arm(now, lanes, place, key, plan)
                }
                Some(_) => self.sort(now, lanes, place),
                None => {}
            }
        }
    }

    fn is_late_card(&self, now: Timestamp, due: &Due) -> bool {
        !due.reply && self.is_late(now, due.news)
    }

    fn is_storm(&self, fresh: usize) -> bool {
        i64::try_from(fresh).unwrap_or(i64::MAX).saturating_mul(POST_PACE.as_millis()) > PATIENCE.as_millis()
    }

    /// Begins a digest if there is reason for one.
    fn choose_digest(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>) -> bool {
        let cards = self.posts.iter().filter(|(_, due)| !due.reply);
        let (late, fresh): (Vec<_>, Vec<_>) = cards.partition(|(_, due)| self.is_late_card(now, due));
        let late: Vec<Place> = late.into_iter().map(|(place, _)| *place).collect();
        let mut fresh: Vec<(Place, Due)> = fresh.into_iter().map(|(place, due)| (*place, *due)).collect();
        let is_free = self.digest.is_none() && now >= self.next_digest;
        if !late.is_empty() {
            let until = *self.gather_until.get_or_insert(now + GATHER);
            if is_free && now >= until {
                self.gather_until = None;
                return self.begin_digest(now, lanes, Occasion::Late, &late);
            }
            self.wakes(Some(until.max(self.next_digest)).filter(|_| self.digest.is_none()));
        }
        if !self.is_storm(fresh.len()) {
            return false;
        }
        if !is_free {
            self.wakes(Some(self.next_digest).filter(|_| self.digest.is_none()));
            return false;
        }
        fresh.sort_by_key(|(_, due)| (Reverse(due.score), due.since));
        let others: Vec<Place> = fresh.iter().skip(HOTTEST).map(|(place, _)| *place).collect();
        self.begin_digest(now, lanes, Occasion::Storm, &others)
    }

    /// The lead whose card or reply is next.
    fn choose_one(&self, now: Timestamp) -> Option<Place> {
        let open = || self.posts.iter().filter(|(_, due)| !self.is_late_card(now, due));
        let is_storm = self.is_storm(open().filter(|(_, due)| !due.reply).count());
        let chosen = match is_storm {
            true => open().min_by_key(|(_, due)| (!due.reply, Reverse(due.score), due.since)),
            false => open().min_by_key(|(place, due)| (due.since, **place)),
        };
        chosen.map(|(place, _)| *place)
    }

    /// Has the intent written, unless the ledger has it.
    fn arm(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, place: Place, key: Key, plan: Plan) {
        let reply = plan.step == Step::Reply;
        let slot = self.slots.get(&key);
        let is_known = slot.is_some_and(|slot| {
            let intent = slot.card.intent.as_ref();
            slot.doubt == Doubt::Armed && intent.is_some_and(|intent| intent.reply == reply)
        });
        let Some(next) = plan.card.filter(|_| !is_known) else {
            self.armed.push_back(place);
            return;
        };
        let alert_id = super::shown_alert(&next).map(|alert| alert.id.to_string()).unwrap_or_default();
        let before = match slot.map(|slot| &slot.card) {
            Some(card) if card.episode == next.episode => card.clone(),
            _ => Card { fired: Vec::new(), shown: None, ..next },
        };
        let card = Card { intent: Some(Intent { alert_id, at: now, reply }), ..before };
        self.arming.insert((key.0, super::note_key(&key.1)), place);
        self.keep(lanes, &key, card, Doubt::Armed);
    }

    /// The ledger has a note: what waited for it may go.
    pub(super) fn noted(&mut self, partition: crate::core::ids::Partition, key: Vec<u8>) {
        if let Some(digest) = &mut self.digest {
            digest.noted(partition, &key);
        }
        self.armed.extend(self.arming.remove(&(partition, key)));
    }
}
