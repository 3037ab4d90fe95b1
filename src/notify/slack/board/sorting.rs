//! Where a lead's next step waits once its turn has come, and the end of alerts for which nothing is left to do.

use super::{Board, Doubt, Due, EDIT_PACE, Key, Slot, note_key};
use crate::codec::ledger::{self, Card, Entry, Place as CardPlace};
use crate::config::settings::OnUncertain;
use crate::core::alert::Alert;
use crate::core::time::Timestamp;
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Ending;
use crate::notify::job::Place;
use crate::notify::lanes::Lanes;
use crate::notify::slack::fold::{Plan, Seen, Step, told_before};
use crate::notify::verdict::Reason;

impl Board {
    /// What waits in a lane, as far as it can be read. Who cannot be read is given up.
    pub(super) fn read(&self, now: Timestamp, lanes: &mut Lanes<Incoming>, head: Place) -> Vec<Seen> {
        let mut seen = Vec::new();
        for waiting in lanes.waiting(head) {
            let value = waiting.record.value.as_deref().unwrap_or_default();
            let masked = self.terms.disclosure.masked(value);
            let alert = masked.and_then(|masked| serde_json::from_slice::<Alert>(&masked));
            match alert {
                Ok(alert) => {
                    let instead_of = waiting.record.instead_of().map(str::to_owned);
                    let (offset, time, comes_back) = (waiting.offset, waiting.time, waiting.comes_back);
                    seen.push(Seen { offset, time, alert, instead_of, comes_back });
                }
                Err(_) if seen.is_empty() => {
                    lanes.end_together(now, &[(head, Ending::GivenUp(Reason::Message))], None);
                    break;
                }
                Err(_) => break,
            }
        }
        seen
    }

    /// Puts a lead whose turn has come where its next step waits.
    pub(super) fn sort(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, place: Place) {
        let Some(lead) = lanes.lead(place) else {
            return;
        };
        if lanes.end_suppressed(now, place) || lanes.give_up_old(now, place) {
            return;
        }
        let seen = self.read(now, lanes, place);
        let Some(head) = seen.first() else {
            return;
        };
        if self.orphan_holds(now, lanes, place, &seen) {
            return;
        }
        let (since, newest) = (head.time, seen.last().map_or(0.0, |seen| seen.alert.score.total));
        let key = (place.0, lead);
        let slot = self.slots.get(&key);
        if let Some(Doubt::Unknown { look_at, .. }) = slot.map(|slot| slot.doubt) {
            if self.terms.on_uncertain == OnUncertain::Hold {
                self.hold(now, lanes, &key, place, &seen);
            } else {
                self.looks.insert((look_at, place));
            }
            return;
        }
        let edited = slot.map_or(Timestamp::default(), |slot| slot.card.edited);
        let plan = self.terms.folding.plan(slot.map(|slot| &slot.card), &seen);
        match plan.step {
            Step::Nothing => self.settle(now, lanes, &key, plan),
            // What is late is told by the edit, not as news.
            Step::Reply if self.is_late(now, plan.news) => self.settle(now, lanes, &key, plan),
            Step::Edit | Step::Farewell => drop(self.edits.insert((edited + EDIT_PACE, place))),
            step @ (Step::Post | Step::Reply) => {
                let score = (newest * 10.0).round() as i64;
                self.posts.insert(place, Due { since, news: plan.news, score, reply: step == Step::Reply });
            }
        }
    }

    pub(super) fn is_late(&self, now: Timestamp, news: Option<Timestamp>) -> bool {
        news.is_some_and(|news| now - news > self.terms.stale_after)
    }

    /// Nothing is left to do for these alerts.
    pub(super) fn settle(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, key: &Key, plan: Plan) {
        let placed = plan.card.as_ref().and_then(|card| card.place.clone());
        let last = plan.settled.iter().rfind(|(_, idle)| !idle).map(|(offset, _)| *offset);
        let ending = |(offset, idle): &(_, bool)| match (&placed, idle) {
            (None, _) | (_, true) => ((key.0, *offset), Ending::Suppressed),
            _ if Some(*offset) == last => ((key.0, *offset), Ending::Delivered),
            _ => ((key.0, *offset), Ending::Superseded),
        };
        let ends: Vec<_> = plan.settled.iter().map(ending).collect();
        lanes.end_together(now, &ends, placed.as_ref().map(|place| place.ts.as_str()));
        match plan.card {
            // Its message is gone and the lead is no longer hot: nothing of it is left, unless other messages tell of the lead.
            Some(card) if card.place.is_none() => {
                if card.closed && !card.others.is_empty() {
                    self.keep(lanes, key, card, Doubt::None);
                } else if card.closed && self.slots.remove(key).is_some() {
                    lanes.note(key.0, note_key(&key.1), None);
                }
            }
            Some(card) => {
                let is_new = self.slots.get(key).is_none_or(|slot| slot.card != card);
                if is_new {
                    self.keep(lanes, key, card, Doubt::None);
                }
            }
            None => {}
        }
    }

    /// A card as it is from now on, here and on the ledger.
    pub(super) fn keep(&mut self, lanes: &mut Lanes<Incoming>, key: &Key, mut card: Card, doubt: Doubt) {
        card.intent.take_if(|_| doubt == Doubt::None);
        if let Some(former) = self.former.remove(key) {
            // Its place on the ledger goes to this one, and an erasure has to find its messages all the same.
            let newer = std::mem::replace(&mut card.others, told_before(former));
            newer.into_iter().for_each(|place| card.add_other(place));
        }
        lanes.note(key.0, note_key(&key.1), Some(ledger::write(&Entry::Card(card.clone()))));
        self.slots.insert(key.clone(), Slot { card, doubt });
        self.bound();
    }

    /// Where a card's message is, as the request to Slack names it.
    pub(super) fn place_of(&self, card: &Card) -> CardPlace {
        let nowhere = || CardPlace { channel: self.terms.channel.clone(), ts: String::new() };
        card.place.clone().unwrap_or_else(nowhere)
    }
}
