//! The requests for one lead: look for its message, edit its card, post a card or a reply.

use serde_json::{Value, json};

use super::{Board, Call, Doubt, Key, Order, Request, face, shown_alert};
use crate::codec::ledger::Card;
use crate::core::time::Timestamp;
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Place;
use crate::notify::lanes::Lanes;
use crate::notify::slack::api::Method;
use crate::notify::slack::card::{card as draw, message, minimal, plain};
use crate::notify::slack::fold::{Plan, Step};
use crate::notify::slack::mark::instead_of;
use crate::notify::slack::pace::{Pace, Pass};
use crate::notify::slack::reconcile::{EVENT_TYPE, Wanted};
use crate::notify::slack::text::{clean, cut, cut_escaped, escape};

/// Of our metadata.
const VERSION: u32 = 1;

/// Rules that one reply tells of one by one.
const TOLD: usize = 10;

impl Board {
    /// The right to one request now; otherwise it is known when to ask again.
    pub(super) fn granted(
        &mut self,
        now: Timestamp,
        pace: &mut Pace,
        method: Method,
        channel: &str,
    ) -> Result<Pass, Timestamp> {
        let passed = pace.pass(now, method, channel);
        self.wakes(passed.err());
        passed
    }

    /// The lead with this head and its next step now; `None` if it is not ready, or has a doubt to be cleared first.
    pub(super) fn replan(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, place: Place) -> Option<(Key, Plan)> {
        let key = (place.0, lanes.lead(place)?);
        if lanes.give_up_old(now, place) {
            return None;
        }
        let seen = self.read(now, lanes, place);
        if seen.is_empty() {
            return None;
        }
        let slot = self.slots.get(&key);
        Some((key, self.terms.folding.plan(slot.map(|slot| &slot.card), &seen)))
    }

    pub(super) fn look(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, pace: &mut Pace) -> Option<Order> {
        if let Some(order) = self.look_for_digest(now, lanes, pace) {
            return Some(order);
        }
        while let Some(&(at, place)) = self.looks.first() {
            if now < at {
                self.wakes(Some(at));
                return None;
            }
            let key = lanes.lead(place).map(|lead| (place.0, lead));
            let known = key.and_then(|key| Some((self.slots.get(&key)?.card.clone(), key)));
            let Some((card, key, intent)) = known.and_then(|(card, key)| Some((card.clone(), key, card.intent?)))
            else {
                self.looks.pop_first();
                continue;
            };
            let at = self.place_of(&card);
            let (method, wanted) = match intent.reply {
                true => (Method::Replies, Wanted::Reply { alert_id: intent.alert_id, ts: at.ts }),
                false => (Method::History, Wanted::Card(card.episode.clone())),
            };
            let pass = self.granted(now, pace, method, &at.channel).ok()?;
            self.looks.pop_first();
            let ticket = *lanes.start_together(&[place], false).first()?;
            let request = Request::Look { wanted: wanted.clone(), channel: at.channel, intent: intent.at };
            return Some(self.order(method, request, Call::Look { ticket, key, wanted }, pass));
        }
        None
    }

    pub(super) fn edit(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, pace: &mut Pace) -> Option<Order> {
        while let Some(&(due, place)) = self.edits.first() {
            if now < due {
                self.wakes(Some(due));
                return None;
            }
            self.edits.pop_first();
            let Some((key, plan)) = self.replan(now, lanes, place) else {
                continue;
            };
            if !matches!(plan.step, Step::Edit | Step::Farewell) {
                self.sort(now, lanes, place);
                continue;
            }
            let channel = plan.card.as_ref().map(|card| self.place_of(card).channel).unwrap_or_default();
            match self.granted(now, pace, Method::Update, &channel) {
                Ok(pass) => return self.send(now, lanes, place, key, plan, pass),
                // News does not wait until an old card says that it is over.
                Err(_) if plan.step == Step::Farewell => self.skip_farewell(now, lanes, place, &key),
                Err(_) => {
                    self.edits.insert((due, place));
                    return None;
                }
            }
        }
        None
    }

    pub(super) fn skip_farewell(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, place: Place, key: &Key) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.card.closed = true;
        }
        self.sort(now, lanes, place);
    }

    /// Posts what is armed, or arms what comes next.
    pub(super) fn post(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, pace: &mut Pace) -> Option<Order> {
        if let Some(order) = self.post_digest(now, lanes, pace) {
            return Some(order);
        }
        loop {
            if self.armed.is_empty() {
                self.choose(now, lanes, pace);
            }
            let &place = self.armed.front()?;
            let Some((key, plan)) = self.replan(now, lanes, place) else {
                self.armed.pop_front();
                continue;
            };
            let intent = self.slots.get(&key).and_then(|slot| slot.card.intent.as_ref());
            let method = if plan.step == Step::Reply { Method::Reply } else { Method::Post };
            let is_meant = intent.is_some_and(|intent| intent.reply == (method == Method::Reply));
            let is_post = matches!(plan.step, Step::Post | Step::Reply);
            if !is_post || !is_meant || self.is_late(now, plan.news) {
                self.armed.pop_front();
                self.sort(now, lanes, place);
                continue;
            }
            // While it waits, others may come before it on the ledger.
            self.choose(now, lanes, pace);
            let channel = plan.card.as_ref().map(|card| self.place_of(card).channel).unwrap_or_default();
            let pass = self.granted(now, pace, method, &channel).ok()?;
            self.armed.pop_front();
            return self.send(now, lanes, place, key, plan, pass);
        }
    }

    /// The request of a lead's next step.
    fn send(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        place: Place,
        key: Key,
        plan: Plan,
        pass: Pass,
    ) -> Option<Order> {
        let is_minimal = lanes.is_minimal(place);
        let method = match plan.step {
            Step::Post => Method::Post,
            Step::Reply => Method::Reply,
            _ => Method::Update,
        };
        // A reply tells what the card as it is has not told.
        let before = self.slots.get(&key).map(|slot| &slot.card).filter(|_| plan.step == Step::Reply);
        let card = before.or(plan.card.as_ref())?;
        let request = Request::Message(self.message(method, card, is_minimal, now)?);
        if let Some(slot) = self.slots.get_mut(&key).filter(|_| method.is_post()) {
            // Until its end is known, somebody may have it.
            slot.doubt = Doubt::Unknown { look_at: now, settled_at: now + super::SETTLE };
        }
        let ticket = *lanes.start_together(&[place], true).first()?;
        let call = Call::Lead { ticket, key, step: plan.step, plan: Box::new(plan) };
        Some(self.order(method, request, call, pass))
    }

    /// The arguments of a method for a card.
    fn message(&self, method: Method, card: &Card, is_minimal: bool, now: Timestamp) -> Option<Value> {
        let alert = shown_alert(card)?;
        let at = self.place_of(card);
        let face = face(card, &alert, self.terms.link.as_ref());
        let mut message = match method {
            Method::Reply => reply(card, is_minimal),
            _ if is_minimal => minimal(&face),
            _ => draw(&face, now),
        };
        if let Some(sink) = &card.instead_of {
            message = instead_of(message, sink);
        }
        message["channel"] = at.channel.into();
        message["metadata"] = metadata(&card.episode, &alert.id.to_string());
        match method {
            Method::Update => message["ts"] = at.ts.into(),
            Method::Reply => message["thread_ts"] = at.ts.into(),
            _ => {}
        }
        Some(message)
    }
}

/// Ids only: everybody in the workspace can read it.
pub(super) fn metadata(episode: &str, alert_id: &str) -> Value {
    let payload = json!({ "alert_id": alert_id, "episode": episode, "v": VERSION });
    json!({ "event_type": EVENT_TYPE, "event_payload": payload })
}

/// The metadata of a digest.
pub(super) fn digest_metadata(id: &str) -> Value {
    json!({ "event_type": EVENT_TYPE, "event_payload": { "digest_id": id, "v": VERSION } })
}

/// Names each rule that was not told yet, and its reason.
pub fn reply(card: &Card, is_minimal: bool) -> Value {
    let untold = card.fired.iter().filter_map(|fired| Some((&fired.rule, fired.untold.as_ref()?)));
    let mut lines: Vec<_> = untold.map(|(rule, reason)| format!("{}: {}", clean(rule), clean(reason))).collect();
    let left = lines.len().saturating_sub(TOLD);
    lines.truncate(TOLD);
    if left > 0 {
        lines.push(format!("and {left} more"));
    }
    let text = cut_escaped(&escape(&lines.join("; ")), 2_000);
    let section = |line: &String| json!({ "type": "section", "text": plain(&cut(line, 900), 900) });
    message(text, (!is_minimal).then(|| lines.iter().map(section).collect()))
}
