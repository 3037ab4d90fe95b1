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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::alert::AlertKind::{Closed, Opened, Updated};
    use crate::notify::slack::api::Method;
    use crate::notify::slack::world::{Fault, World, at, terms};
    use crate::notify::stage::{HOUR, MINUTE, SECOND};

    /// Alert, rule, lead, number of the attempt, and what follows.
    fn told(trials: &[Trial]) -> Vec<(String, &str, &str, u32, &str)> {
        let then = |then: Then| match then {
            Then::Delivered => "delivered",
            Then::Again(_) => "again",
            Then::GivenUp(_) => "given up",
            Then::Shut => "shut",
        };
        let short = |alert: &str| alert.trim_start_matches('0').to_owned();
        let row = |trial: &'_ Trial| (short(&trial.alert), trial.number, then(trial.then));
        trials
            .iter()
            .map(|t| {
                let (alert, number, then) = row(t);
                (alert, &*t.rule, &*t.lead, number, then)
            })
            .collect()
    }

    #[test]
    fn cards_edits_and_replies_are_told_until_they_are_there() {
        let mut world = World::default();
        world.publish(0, "ada", "a", Opened);
        world.publish(SECOND, "ada", "b", Opened);
        world.publish(10 * MINUTE, "ada", "a", Updated);
        world.publish(20 * MINUTE, "ada", "a", Closed);
        let mut script = |now: i64, _: Method| if now < 2 * SECOND { Fault::Status(503) } else { Fault::None };
        let mut owner = world.takes_over(terms());
        owner.works_until(&mut world, 30 * MINUTE, &mut script);
        let trials = told(&owner.trials);
        let (last, first) = (trials.len() - 3, &trials[0]);
        assert_eq!(*first, ("1".to_owned(), "a", "Lead ada", 1, "again"));
        // The card shows the second alert by then, and still is the one that the first has waited for.
        let expected = [("1", "b", "delivered"), ("3", "a", "delivered"), ("4", "a", "delivered")];
        let rest: Vec<_> = trials[last..].iter().map(|(alert, rule, _, _, then)| (&**alert, *rule, *then)).collect();
        assert_eq!(rest, expected, "{trials:?}");
        assert!(trials[1..last].iter().all(|(alert, .., then)| alert == "1" && *then == "again"), "{trials:?}");
        assert_eq!(owner.trials[0].since, at(0));
    }

    #[test]
    fn a_refused_token_and_what_is_given_up_are_told() {
        for (error, expected) in [("token_revoked", "shut"), ("invalid_blocks", "given up")] {
            let mut world = World::default();
            world.publish(0, "ada", "a", Opened);
            let mut owner = world.takes_over(terms());
            owner.works_until(&mut world, 10 * MINUTE, &mut |_, _| Fault::Error(error));
            assert_eq!(told(&owner.trials).last().map(|trial| trial.4), Some(expected), "{error}");
        }
    }

    #[test]
    fn a_digest_is_one_line_that_says_how_many() {
        let mut world = World::default();
        for n in 0..40 {
            world.publish(n * SECOND, &format!("lead{n}"), "a", Opened);
        }
        world.now = 2 * HOUR;
        let mut owner = world.takes_over(terms());
        let mut script = |now: i64, _: Method| if now < 2 * HOUR + MINUTE { Fault::Status(503) } else { Fault::None };
        owner.works_until(&mut world, 4 * HOUR, &mut script);
        let trials = told(&owner.trials);
        assert!(trials.iter().all(|(_, rule, lead, ..)| (*rule, *lead) == (DIGEST, "40 alerts")), "{trials:?}");
        assert_eq!((trials[0].4, trials[0].3), ("again", 1));
        assert_eq!(trials.iter().filter(|trial| trial.4 == "delivered").count(), 1, "{trials:?}");
    }
}
