//! What is told of each attempt to show people something: which card or digest it was about, and what follows.

use super::{Board, Call, shown_alert};
use crate::core::time::Timestamp;
use crate::notify::dead_letter::Incoming;
use crate::notify::job::{Finished, Place};
use crate::notify::lanes::Lanes;
use crate::notify::observer::Then;
use crate::notify::slack::api::Became;
use crate::notify::slack::board::Outcome;
use crate::notify::slack::fold::Step;

/// An attempt that has ended, or is about to.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Where the oldest alert lies that waited for it; of a digest, the first one.
    pub place: Place,
    /// The id of that alert: it stays the same however many come until the attempt succeeds.
    pub alert: String,
    /// The Kafka timestamp of its record; of a digest that of the oldest.
    pub since: Timestamp,
    /// The rule of the newest alert that the card shows, or `digest`.
    pub rule: String,
    /// Whom it is about, or how many alerts: only for the page.
    pub lead: String,
    /// Which attempt it was, from 1.
    pub number: u32,
    /// What follows.
    pub then: Then,
}

impl Board {
    /// The attempts that ended since the last call, oldest first.
    pub fn take_trials(&mut self) -> Vec<Trial> {
        std::mem::take(&mut self.trials)
    }

    /// What a request that has come back was about. Nothing of one that is no news: a lookup, or the end of an older card.
    pub(super) fn about(&self, lanes: &Lanes<Incoming>, call: &Call) -> Option<Trial> {
        match call {
            Call::Lead { ticket, step, plan, .. } if *step != Step::Farewell => {
                let place = (ticket.partition, ticket.offset);
                let (shown, (first, since, number)) = (shown_alert(plan.card.as_ref()?)?, lanes.tried(place)?);
                let lead = shown.lead.name.or(shown.lead.email).unwrap_or(shown.lead.key);
                let (alert, rule) = (first.alert_id(), shown.rule);
                Some(Trial { place, alert, since, rule, lead, number, then: Then::Delivered })
            }
            Call::Digest => self.digest.as_ref()?.about(lanes, self.digest_attempts),
            _ => None,
        }
    }

    pub(super) fn note_try(
        &mut self,
        about: Option<Trial>,
        lanes: &Lanes<Incoming>,
        finished: Option<Finished>,
        outcome: &Outcome,
    ) {
        let is_done = outcome.ended().is_some_and(|ended| matches!(ended.became, Became::Done { .. }));
        let Some(trial) = about else {
            return;
        };
        let is_digest = trial.rule == DIGEST;
        let then = match finished {
            Some(finished) => Then::after(finished),
            None if is_digest && is_done => Some(Then::Delivered),
            None if is_digest && lanes.is_shut() => Some(Then::Shut),
            None if is_digest => self.digest.as_ref().and_then(|digest| digest.again_at()).map(Then::Again),
            // The next step for the lead says more.
            None => None,
        };
        self.trials.extend(then.map(|then| Trial { then, ..trial }));
    }
}

/// What stands in place of a rule for a digest.
pub(super) const DIGEST: &str = "digest";
