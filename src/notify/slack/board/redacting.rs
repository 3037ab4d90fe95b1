//! Leads that were erased: what messages in Slack say of them goes, however long that takes.

use super::{Board, Call, Doubt, Key, Order, Request, SETTLE, Slot, note_key, shown_alert};
use crate::codec::ledger::{self, Entry, Erasure, Place, Redaction};
use crate::core::backoff::Schedule;
use crate::core::ids::Partition;
use crate::core::time::{Span, Timestamp};
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Finished;
use crate::notify::lanes::Lanes;
use crate::notify::slack::api::{Became, Ended, Method};
use crate::notify::slack::board::posting::metadata;
use crate::notify::slack::card::redacted;
use crate::notify::slack::pace::Pace;
use crate::notify::slack::reconcile::{Match, Wanted};
use crate::notify::verdict::Verdict;

/// What Slack has not let us edit for so long is given up: whoever asked for the erasure has a month.
const GIVE_UP: Span = Span::from_secs(30 * 86_400);

/// Messages of one card that are to be redacted.
#[derive(Clone, Debug)]
pub(super) struct Redacting {
    redaction: Redaction,
    due: Timestamp,
    attempts: u32,
    is_asking: bool,
}

impl Redacting {
    pub(super) fn new(now: Timestamp, redaction: Redaction) -> Self {
        Self { redaction, due: now, attempts: 0, is_asking: false }
    }

    fn again(&mut self, due: Timestamp) {
        self.due = due;
        self.attempts += 1;
    }
}

impl Board {
    /// A lead was erased: its card is forgotten, and what was posted of it is to be redacted. While a request about it is under
    /// way it waits for its end.
    pub fn erase(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, partition: Partition, erasure: Erasure) {
        let is_its = |key: &Key| key.0 == partition && ledger::lead_hash(&key.1) == erasure.lead;
        let is_under_way = self.calls.values().any(|started| match &started.call {
            Call::Lead { key, .. } | Call::Look { key, .. } => is_its(key),
            _ => false,
        });
        if is_under_way {
            return self.erasing.push((partition, erasure));
        }
        let keys: Vec<Key> = self.slots.keys().filter(|key| is_its(key)).cloned().collect();
        for key in keys {
            if let Some(slot) = self.slots.remove(&key) {
                self.begin_redaction(now, lanes, partition, slot);
            }
            self.arming.remove(&(partition, note_key(&key.1)));
            lanes.note(partition, note_key(&key.1), None);
        }
        let keys: Vec<Key> = self.former.keys().filter(|key| is_its(key)).cloned().collect();
        for key in keys {
            if let Some(card) = self.former.remove(&key) {
                self.begin_redaction(now, lanes, partition, Slot { card, doubt: Doubt::None });
            }
            lanes.note(partition, note_key(&key.1), None);
        }
        let heard = Erasure { heard: true, ..erasure };
        lanes.note(partition, heard.key(), Some(ledger::write(&Entry::Erase(heard))));
    }

    /// Erasures that waited for the end of a request.
    pub(super) fn erase_later(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>) {
        for (partition, erasure) in std::mem::take(&mut self.erasing) {
            self.erase(now, lanes, partition, erasure);
        }
    }

    fn begin_redaction(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, partition: Partition, slot: Slot) {
        let Slot { card, doubt } = slot;
        let alert_id = shown_alert(&card).map(|alert| alert.id.to_string());
        let intent = card.intent.filter(|_| matches!(doubt, Doubt::Unknown { .. }));
        let alert_id = alert_id.or(intent.as_ref().map(|intent| intent.alert_id.clone())).unwrap_or_default();
        // The card itself is the last one: it goes first.
        let places: Vec<Place> = card.others.into_iter().chain(card.place).collect();
        if places.is_empty() && intent.is_none() {
            return;
        }
        let redaction = Redaction { episode: card.episode, alert_id, asked: now, places, intent };
        lanes.note(partition, redaction.key(), Some(ledger::write(&Entry::Redact(redaction.clone()))));
        self.redacting.insert((partition, redaction.episode.clone()), Redacting::new(now, redaction));
    }

    /// The next request for a redaction, if one is due.
    pub(super) fn redact(&mut self, now: Timestamp, pace: &mut Pace) -> Option<Order> {
        let waiting = self.redacting.iter().filter(|(_, redacting)| !redacting.is_asking);
        let (key, due) = waiting.map(|(key, redacting)| (key, redacting.due)).min_by_key(|(_, due)| *due)?;
        if now < due {
            self.wakes(Some(due));
            return None;
        }
        let (key, Redaction { places, intent, episode, alert_id, .. }) =
            (key.clone(), self.redacting.get(key)?.redaction.clone());
        let nowhere = || Place { channel: self.terms.channel.clone(), ts: String::new() };
        let at = places.last().cloned().unwrap_or_else(nowhere);
        let (method, request, call) = match intent {
            Some(intent) => {
                let (method, wanted) = match intent.reply {
                    true => (Method::Replies, Wanted::Reply { alert_id: intent.alert_id, ts: at.ts }),
                    false => (Method::History, Wanted::Card(episode)),
                };
                let request = Request::Look { wanted, channel: at.channel.clone(), intent: intent.at };
                (method, request, Call::RedactLook(key.clone()))
            }
            None => {
                let mut message = redacted();
                message["metadata"] = metadata(&episode, &alert_id);
                (message["channel"], message["ts"]) = (at.channel.clone().into(), at.ts.into());
                (Method::Update, Request::Message(message), Call::Redact(key.clone()))
            }
        };
        let pass = self.granted(now, pace, method, &at.channel).ok()?;
        self.redacting.get_mut(&key)?.is_asking = true;
        Some(self.order(method, request, call, pass))
    }

    /// The edit of a message that is to be redacted has come back. Gives whether the sink was shut by it.
    pub(super) fn redacted(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        key: &(Partition, String),
        ended: &Ended,
        chance: f64,
    ) -> Option<Finished> {
        let redacting = self.redacting.get_mut(key)?;
        redacting.is_asking = false;
        let is_late = now - redacting.redaction.asked >= GIVE_UP;
        match (&ended.became, &ended.judged.verdict) {
            (Became::Done { .. } | Became::ParentGone, _) => {}
            _ if is_late => {}
            (_, Verdict::Shut(shut)) => return Some(lanes.refused(now, *shut, ended.judged.detail.clone())),
            (_, verdict) => {
                let wait = match verdict {
                    Verdict::Later { retry_after, .. } => *retry_after,
                    _ => None,
                };
                redacting.again(now + Schedule::default().delay(redacting.attempts + 1, chance, wait));
                return None;
            }
        }
        let gone = redacting.redaction.places.pop();
        if !matches!(ended.became, Became::Done { .. })
            && !ended.judged.detail.contains("message_not_found")
            && let Some(Place { channel, ts }) = gone
        {
            let detail = &ended.judged.detail;
            tracing::error!(channel, ts, detail, "a message about an erased lead cannot be edited: delete it by hand");
        }
        self.go_on(now, lanes, key);
        None
    }

    /// One step of a redaction is done: the next one is due, or nothing is left of it.
    fn go_on(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, key: &(Partition, String)) {
        let Some(redacting) = self.redacting.get_mut(key) else {
            return;
        };
        (redacting.due, redacting.attempts) = (now, 0);
        if redacting.redaction.places.is_empty() {
            lanes.note(key.0, redacting.redaction.key(), None);
            self.redacting.remove(key);
        }
    }

    /// The lookup for a message that may have been posted has come back. Gives whether the sink was shut by it.
    pub(super) fn redact_looked(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        key: &(Partition, String),
        found: &Result<Option<Match>, Ended>,
    ) -> Option<Finished> {
        let channel = self.terms.channel.clone();
        let redacting = self.redacting.get_mut(key)?;
        redacting.is_asking = false;
        let redaction = &mut redacting.redaction;
        let is_late = now - redaction.asked >= GIVE_UP;
        let settled_at = redaction.intent.as_ref().map_or(now, |intent| intent.at + SETTLE);
        match found {
            Ok(Some(found)) => {
                let channel = redaction.places.last().map_or(channel, |place| place.channel.clone());
                redaction.places.push(Place { channel, ts: found.ts.clone() });
            }
            Ok(None) if now < settled_at => {
                redacting.again(settled_at);
                return None;
            }
            Ok(None) => {}
            Err(ended) if ended.lacks_scope() || is_late => {
                let detail = &ended.judged.detail;
                tracing::error!(detail, "it cannot be looked up whether a message about an erased lead is there");
            }
            Err(ended) => {
                if let Verdict::Shut(shut) = ended.judged.verdict {
                    return Some(lanes.refused(now, shut, ended.judged.detail.clone()));
                }
                redacting.again(now + Schedule::default().pause(redacting.attempts + 1));
                return None;
            }
        }
        redaction.intent = None;
        self.go_on(now, lanes, key);
        None
    }
}
