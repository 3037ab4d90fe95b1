//! What follows from the end of a request.

use super::{Board, Call, Doubt, Key, SETTLE, Started, shown_alert};
use crate::codec::ledger::{self, Card, Entry, Place as CardPlace};
use crate::config::settings::OnUncertain;
use crate::core::time::{Span, Timestamp};
use crate::notify::dead_letter::Incoming;
use crate::notify::job::Place;
use crate::notify::job::{Ending, Finished, Ticket};
use crate::notify::lanes::Lanes;
use crate::notify::slack::api::{Became, Ended};
use crate::notify::slack::fold::{Plan, Seen, Step, has_untold};
use crate::notify::slack::pace::Pace;
use crate::notify::slack::reconcile::{Match, Wanted};
use crate::notify::verdict::{Judged, Reason, Verdict};

/// Until the first look after an outcome that nobody knows, where Slack did not say how long.
const FIRST_LOOK: Span = Span::from_secs(1);

/// Until the first look, however long Slack wants no post.
const LONGEST_LOOK: Span = Span::from_secs(3_600);

/// How a request ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was to do something.
    Sent(Ended),
    /// It was to look for a message of ours.
    Looked(Result<Option<Match>, Ended>),
}

impl Outcome {
    /// The failure, or what was done.
    pub fn ended(&self) -> Option<&Ended> {
        match self {
            Self::Sent(ended) | Self::Looked(Err(ended)) => Some(ended),
            Self::Looked(Ok(_)) => None,
        }
    }
}

impl Board {
    /// Takes a request's end. `chance` is evenly spread over 0 to 1. Gives how the head of a lead's lane goes on, and whether
    /// the sink was shut by it.
    pub fn end(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        pace: &mut Pace,
        id: u64,
        outcome: &Outcome,
        chance: f64,
    ) -> Option<Finished> {
        let Started { call, pass, token } = self.calls.remove(&id)?;
        let (failed, freeze) = match outcome.ended() {
            Some(ended) => (ended.slack_failed(), ended.judged.freeze),
            None => (false, None),
        };
        // What was frozen together does not come back together.
        let freeze = freeze.map(|length| Span::from_millis(length.as_millis() + (chance * 1_000.0) as i64));
        pace.ended(now, pass, failed, freeze);
        let about = self.about(lanes, &call);
        let is_test = matches!(call, Call::Test);
        if is_test {
            self.tested(now, lanes, token, outcome);
        }
        let finished = self.follow(now, lanes, call, outcome, chance);
        if !is_test {
            self.asked(now, lanes, token, outcome);
        }
        self.note_try(about, lanes, finished, outcome);
        self.erase_later(now, lanes);
        // An answer to a token that was exchanged meanwhile says nothing about the new one.
        if matches!(finished, Some(Finished::Shut(_))) && token != self.token {
            lanes.renewed(now);
        }
        finished
    }

    fn follow(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        call: Call,
        outcome: &Outcome,
        chance: f64,
    ) -> Option<Finished> {
        match (call, outcome) {
            (Call::Test, _) => None,
            (Call::Lead { ticket, key, step, plan }, Outcome::Sent(ended)) if lanes.is_ours(&ticket) => {
                self.lead_ended(now, lanes, (ticket, &key), (step, *plan), ended, chance)
            }
            (Call::Look { ticket, key, wanted }, Outcome::Looked(found)) if lanes.is_ours(&ticket) => {
                self.looked(now, lanes, (ticket, &key), &wanted, found, chance)
            }
            (Call::Digest, Outcome::Sent(ended)) => {
                let was_shut = lanes.is_shut();
                self.digest_posted(now, lanes, ended, chance);
                (!was_shut && lanes.is_shut()).then_some(Finished::Shut(true))
            }
            (Call::DigestLook, Outcome::Looked(found)) => {
                self.digest_looked(now, lanes, found);
                None
            }
            (Call::OrphanLook(id, partition), Outcome::Looked(found)) => {
                self.orphan_looked(now, lanes, (&id, partition), found);
                None
            }
            (Call::Redact(key), Outcome::Sent(ended)) => self.redacted(now, lanes, &key, ended, chance),
            (Call::RedactLook(key), Outcome::Looked(found)) => self.redact_looked(now, lanes, &key, found),
            _ => Some(Finished::Stale),
        }
    }

    fn lead_ended(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        (ticket, key): (Ticket, &Key),
        (step, plan): (Step, Plan),
        ended: &Ended,
        chance: f64,
    ) -> Option<Finished> {
        let is_post = matches!(step, Step::Post | Step::Reply);
        match &ended.became {
            Became::Done { channel, ts } => {
                let placed = is_post.then(|| CardPlace { channel: channel.clone(), ts: ts.clone() });
                return self.done(now, lanes, (ticket, key), plan, placed);
            }
            Became::ParentGone => {
                self.clear(key);
                if let Some(slot) = self.slots.get_mut(key) {
                    let mut card = self.terms.folding.moved(&slot.card);
                    card.closed |= step == Step::Farewell;
                    card.fired.iter_mut().for_each(|fired| fired.untold = None);
                    if step == Step::Reply {
                        // What the thread could not be told, the new card tells.
                        card.shown = card.shown.map(|shown| ledger::Shown { offset: before(&plan), ..shown });
                    }
                    slot.card = card;
                }
                lanes.release(&[ticket], true);
                return None;
            }
            Became::Uncertain => return self.uncertain(now, lanes, (ticket, key), &plan, ended, chance),
            Became::Failed => self.clear(key),
        }
        let is_farewell = step == Step::Farewell && !matches!(ended.judged.verdict, Verdict::Shut(_));
        if is_farewell {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.card.closed = true;
            }
            lanes.release(&[ticket], true);
            return None;
        }
        Some(self.failed(now, lanes, (ticket, key), &plan, ended.judged.clone(), chance))
    }

    /// It is known that what was to be posted is not there.
    fn clear(&mut self, key: &Key) {
        if let Some(slot) = self.slots.get_mut(key)
            && slot.doubt != Doubt::None
        {
            slot.doubt = Doubt::Armed;
        }
    }

    /// Slack has it: the card is as planned. `placed` is where a new message is, of the card or in its thread.
    fn done(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        (ticket, key): (Ticket, &Key),
        plan: Plan,
        placed: Option<CardPlace>,
    ) -> Option<Finished> {
        let mut card = plan.card.clone()?;
        match placed {
            Some(reply) if plan.step == Step::Reply => card.add_other(reply),
            placed => card.place = placed.or(card.place),
        }
        card.intent = None;
        // A reply is no edit.
        card.edited = if plan.step == Step::Reply { card.edited } else { now };
        if plan.step == Step::Farewell || has_untold(&card) {
            self.keep(lanes, key, card, Doubt::None);
            lanes.release(&[ticket], true);
            return None;
        }
        self.keep(lanes, key, card.clone(), Doubt::None);
        if plan.settled.is_empty() {
            lanes.release(&[ticket], true);
            return None;
        }
        self.told.extend(shown_alert(&card));
        self.settle(now, lanes, key, Plan { card: Some(card), ..plan });
        Some(Finished::Ended(Ending::Delivered))
    }

    /// The head waits for its next attempt, or is given up with all that were in its message.
    fn failed(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        (ticket, key): (Ticket, &Key),
        plan: &Plan,
        judged: Judged,
        chance: f64,
    ) -> Finished {
        let of_all = !matches!(judged.verdict, Verdict::Later { .. });
        let finished = lanes.finish(now, ticket, judged, chance);
        if let Finished::Ended(ending) = finished {
            self.withdraw(lanes, key);
            if of_all {
                let head = (ticket.partition, ticket.offset);
                let others = plan.settled.iter().map(|(offset, _)| (key.0, *offset)).filter(|place| *place != head);
                let others: Vec<Place> = others.collect();
                lanes.share_tries(head, &others);
                // If only the head was suppressed, alerts of after the erasure are tried by themselves.
                let ends = others.into_iter().map(|place| (place, ending));
                let ends: Vec<_> = ends
                    .take_while(|(place, end)| *end != Ending::Suppressed || !lanes.is_to_be_told(*place))
                    .collect();
                lanes.end_together(now, &ends, None);
            }
        }
        finished
    }

    /// Nothing is about to be posted for this lead any more.
    fn withdraw(&mut self, lanes: &mut Lanes<Incoming>, key: &Key) {
        let Some(slot) = self.slots.get(key).filter(|slot| slot.card.intent.is_some()) else {
            return;
        };
        let card = Card { intent: None, ..slot.card.clone() };
        if card.place.is_none() && card.shown.is_none() && card.others.is_empty() {
            self.slots.remove(key);
            lanes.note(key.0, super::note_key(&key.1), None);
        } else {
            lanes.note(key.0, super::note_key(&key.1), Some(ledger::write(&Entry::Card(card.clone()))));
            self.slots.insert(key.clone(), super::Slot { card, doubt: Doubt::None });
        }
    }

    fn uncertain(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        (ticket, key): (Ticket, &Key),
        plan: &Plan,
        ended: &Ended,
        chance: f64,
    ) -> Option<Finished> {
        let asked = match ended.judged.verdict {
            Verdict::Later { retry_after, .. } => retry_after,
            _ => None,
        };
        let mut judged = ended.judged.clone();
        match self.terms.on_uncertain {
            OnUncertain::Hold => judged.verdict = Verdict::Never(Reason::Uncertain),
            OnUncertain::Resend => self.clear(key),
            OnUncertain::Reconcile => {
                // A look is no post: what Slack took is found long before it takes another.
                let look_at = now + asked.unwrap_or(FIRST_LOOK).min(LONGEST_LOOK);
                let settled_at = now + asked.unwrap_or(SETTLE);
                if let Verdict::Later { retry_after, .. } = &mut judged.verdict {
                    *retry_after = retry_after.map(|wait| wait.min(LONGEST_LOOK));
                }
                if let Some(slot) = self.slots.get_mut(key) {
                    slot.doubt = Doubt::Unknown { look_at, settled_at };
                }
            }
        }
        Some(self.failed(now, lanes, (ticket, key), plan, judged, chance))
    }

    fn looked(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        (ticket, key): (Ticket, &Key),
        wanted: &Wanted,
        found: &Result<Option<Match>, Ended>,
        chance: f64,
    ) -> Option<Finished> {
        let place = (ticket.partition, ticket.offset);
        let slot = self.slots.get_mut(key)?;
        let Doubt::Unknown { settled_at, .. } = slot.doubt else {
            lanes.release(&[ticket], true);
            return None;
        };
        match found {
            Ok(Some(found)) => return self.found(now, lanes, (ticket, key), wanted, found),
            Ok(None) if now < settled_at => slot.doubt = Doubt::Unknown { look_at: settled_at, settled_at },
            Ok(None) => slot.doubt = Doubt::Armed,
            Err(ended) if ended.lacks_scope() => {
                let detail = &ended.judged.detail;
                tracing::warn!(detail, "the token may not look whether a message is there: it is sent again");
                slot.doubt = Doubt::Armed;
            }
            Err(ended) => {
                let mut judged = ended.judged.clone();
                if !matches!(judged.verdict, Verdict::Shut(_)) {
                    let retry_after = match judged.verdict {
                        Verdict::Later { retry_after, .. } => retry_after,
                        _ => None,
                    };
                    judged.verdict = Verdict::Later { retry_after, reason: Reason::Uncertain };
                }
                let plan = Plan { step: Step::Nothing, card: None, settled: vec![(place.1, false)], news: None };
                return Some(self.failed(now, lanes, (ticket, key), &plan, judged, chance));
            }
        }
        lanes.release(&[ticket], true);
        None
    }

    /// Slack had taken it: nothing is sent a second time.
    fn found(
        &mut self,
        now: Timestamp,
        lanes: &mut Lanes<Incoming>,
        (ticket, key): (Ticket, &Key),
        wanted: &Wanted,
        found: &Match,
    ) -> Option<Finished> {
        tracing::info!(alert = found.alert_id, "Slack had taken a message whose answer was lost");
        let place = (ticket.partition, ticket.offset);
        lanes.release(&[ticket], true);
        let seen = self.read(now, lanes, place);
        // What it shows: all up to the alert that its metadata names.
        let last = seen.iter().position(|seen| seen.alert.id.to_string() == found.alert_id);
        let shown: &[Seen] = last.map_or(&[], |last| &seen[..=last]);
        let slot = self.slots.get(key)?;
        let mut plan = self.terms.folding.plan(Some(&slot.card), shown);
        let is_reply = matches!(wanted, Wanted::Reply { .. });
        let mut placed = Some(CardPlace { channel: self.place_of(&slot.card).channel, ts: found.ts.clone() });
        if !matches!((is_reply, plan.step), (true, Step::Reply) | (false, Step::Post)) {
            // It is there, but shows what we do not have: an edit will tell.
            plan.settled.clear();
            plan.card = Some(slot.card.clone());
            for card in plan.card.iter_mut().filter(|_| is_reply) {
                card.fired.iter_mut().for_each(|fired| fired.untold = None);
                placed.take().into_iter().for_each(|reply| card.add_other(reply));
            }
        }
        self.done(now, lanes, (ticket, key), plan, placed)
    }

    /// Nobody knows whether it was posted, and the config wants it given up then.
    pub(super) fn hold(&mut self, now: Timestamp, lanes: &mut Lanes<Incoming>, key: &Key, head: Place, seen: &[Seen]) {
        let slot = self.slots.get(key);
        let intended = slot.and_then(|slot| slot.card.intent.as_ref()).map(|intent| intent.alert_id.clone());
        let last = seen.iter().position(|seen| Some(seen.alert.id.to_string()) == intended).unwrap_or(0);
        let given_up = Ending::GivenUp(Reason::Uncertain);
        let ends: Vec<_> = seen[..=last].iter().map(|seen| ((head.0, seen.offset), given_up)).collect();
        lanes.end_together(now, &ends, None);
        self.withdraw(lanes, key);
    }
}

/// An offset before all that a plan settles.
fn before(plan: &Plan) -> i64 {
    plan.settled.first().map_or(-1, |(offset, _)| offset.0 - 1)
}
