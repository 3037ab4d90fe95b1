//! Dead letters that come back, on a virtual clock: each once, whoever dies and however often it is asked for.

use proptest::prelude::*;

use super::super::stage::{HOUR, MINUTE, Owner, SECOND, Stage, judged, later};
use super::*;
use crate::codec::ledger::{Entry, Outcome};
use crate::core::ids::Offset;
use crate::notify::books::Counts;

type Answer = fn(&Stage, i64) -> (i64, Judged);

const WELL: Answer = |_, _| (10, Judged::delivered(200));
const REFUSES: Answer = |_, _| (10, judged(Verdict::Never(Reason::Message)));
const FAILS: Answer = |_, _| (10, later());

fn works(owner: &mut Owner, stage: &mut Stage, span: i64, mut endpoint: Answer) {
    let until = stage.now + span;
    owner.works_until(stage, until, &mut endpoint);
}

/// How an alert ended, after how many redrives.
fn end(stage: &Stage, offset: i64) -> Option<(Outcome, u32)> {
    match stage.says(offset) {
        Some(Entry::Ended(ended)) => Some((ended.outcome, ended.tries.redrives)),
        _ => None,
    }
}

#[test]
fn it_is_delivered_once_however_often_that_is_asked() {
    let mut stage = Stage::default();
    let (first, second) = (stage.publish(0, "a"), stage.publish(0, "b"));
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, MINUTE, REFUSES);
    assert_eq!(stage.dead, [first, second]);
    stage.asks_to_redrive(first, 1);
    stage.asks_to_redrive(first, 1);
    works(&mut owner, &mut stage, MINUTE, WELL);
    assert_eq!((end(&stage, first), stage.accepted.len()), (Some((Outcome::Delivered, 1)), 1));
    assert_eq!(owner.counts(), Counts { consumed: 3, ended: 3, ..Counts::default() }, "once more for the one");
    // By somebody who had read the ledger before.
    stage.asks_to_redrive(first, 1);
    works(&mut owner, &mut stage, MINUTE, WELL);
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, MINUTE, WELL);
    assert_eq!((stage.accepted.len(), owner.counts()), (1, Counts::default()));
    assert_eq!(end(&stage, second), Some((Outcome::DeadLettered, 0)), "nobody asked for it");
}

#[test]
fn it_has_a_whole_life_again_and_may_die_again() {
    let mut stage = Stage::default();
    let offset = stage.publish(0, "a");
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, 25 * HOUR, FAILS);
    assert_eq!(end(&stage, offset), Some((Outcome::DeadLettered, 0)));
    stage.asks_to_redrive(offset, 1);
    let asked = stage.asked.len();
    works(&mut owner, &mut stage, 10 * HOUR, FAILS);
    assert!(stage.asked.len() > asked + 8, "it is tried on its schedule: {}", stage.asked.len() - asked);
    let Some(Entry::Parked(parked)) = stage.says(offset) else { panic!("{:?}", stage.says(offset)) };
    assert_eq!((parked.tries.redrives, stage.wishes()), (1, 0), "the alert's own record holds it now");
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, 15 * HOUR, FAILS);
    assert_eq!((end(&stage, offset), stage.dead.len()), (Some((Outcome::DeadLettered, 1)), 2));
    stage.asks_to_redrive(offset, 2);
    works(&mut owner, &mut stage, MINUTE, WELL);
    assert_eq!((end(&stage, offset), stage.accepted.len()), (Some((Outcome::Delivered, 2)), 1));
}

#[test]
fn a_wish_outlives_whoever_was_to_fulfil_it() {
    let mut stage = Stage::default();
    let offset = stage.publish(0, "a");
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, MINUTE, REFUSES);
    stage.asks_to_redrive(offset, 1);
    // The one that heard of it dies before it has sent anything.
    works(&mut owner, &mut stage, 0, |_, _| (HOUR, later()));
    assert_eq!(owner.counts().parked, 1);
    let mut owner = stage.takes_over();
    assert_eq!(owner.counts(), Counts { consumed: 1, parked: 1, ..Counts::default() });
    works(&mut owner, &mut stage, MINUTE, WELL);
    assert_eq!((end(&stage, offset), stage.accepted.len(), stage.wishes()), (Some((Outcome::Delivered, 1)), 1, 0));
}

#[test]
fn new_alerts_of_its_lead_stay_in_order_behind_it_and_a_shut_sink_holds_it() {
    let mut stage = Stage::default();
    let first = stage.publish(0, "a");
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, MINUTE, REFUSES);
    stage.publish(stage.now + 1, "b");
    works(&mut owner, &mut stage, SECOND, |_, _| (10, judged(Verdict::Shut(Shut::Gone))));
    stage.asks_to_redrive(first, 1);
    let (second, third) = (stage.publish(stage.now + 1, "a"), stage.publish(stage.now + 2, "a"));
    works(&mut owner, &mut stage, MINUTE, WELL);
    assert_eq!(stage.accepted, [], "nothing is sent");
    owner.lanes.unblock(super::super::stage::at(stage.now));
    works(&mut owner, &mut stage, MINUTE, WELL);
    let of_lead = stage.accepted.iter().map(|(_, offset)| *offset).filter(|offset| stage.lead(*offset) == "a");
    assert_eq!(of_lead.collect::<Vec<_>>(), [first, second, third]);
    assert_eq!(stage.committed, stage.end());
}

/// Goal: whoever reads the dead letter before its owner knows that it is written does not ask in vain.
#[test]
fn a_wish_that_overtakes_the_news_of_its_alerts_end_is_kept() {
    let mut stage = Stage::default();
    let offset = stage.publish(0, "a");
    let mut owner = stage.takes_over();
    let (mut gate, now) = (Gate::open(), super::super::stage::at(0));
    owner.lanes.admit((Partition(0), Offset(offset)), b"a", now, Default::default());
    let attempt = owner.lanes.next(now, &mut gate).expect("it is new");
    owner.lanes.finish(now, attempt.ticket, judged(Verdict::Never(Reason::Message)), 0.5);
    owner.lanes.take_batch().expect("its end");
    let tries = crate::codec::ledger::Tries { redrives: 1, asked: Some(now), ..Default::default() };
    let record = Default::default();
    let wish = Kept { offset: Offset(offset), key: b"a".to_vec(), time: now, next_at: now, tries, record };
    assert!(!owner.lanes.redrive(Partition(0), wish), "not yet");
    assert!(owner.lanes.next(now, &mut gate).is_none());
    owner.lanes.written(&[Partition(0)]);
    assert_eq!(owner.lanes.next(now, &mut gate).map(|again| again.number), Some(1), "now it comes back");
    assert!(owner.lanes.books().agree());
}

/// Goal: what is parked and ended again before its record is read once more is not taken for a new one.
#[test]
fn a_parked_alert_that_ends_before_its_record_is_read_again_is_not_sent_twice() {
    let mut stage = Stage::default();
    stage.publish(0, "slow");
    let parked = stage.publish(0, "a");
    let mut owner = stage.takes_over();
    let mut endpoint = |stage: &Stage, offset: i64| match stage.lead(offset) {
        "slow" => (HOUR, later()),
        _ => (10, later()),
    };
    owner.works_until(&mut stage, 10 * MINUTE, &mut endpoint);
    assert!(matches!(stage.says(parked), Some(Entry::Parked(_))) && stage.committed == 0);
    let mut owner = stage.takes_over();
    let mut gate = Gate::open();
    let now = super::super::stage::at(2 * HOUR);
    let attempt = owner.lanes.next(now, &mut gate).expect("the parked one");
    owner.lanes.finish(now, attempt.ticket, Judged::delivered(200), 0.5);
    owner.lanes.take_batch().expect("its end");
    owner.lanes.written(&[Partition(0)]);
    owner.lanes.admit((Partition(0), Offset(parked)), b"a", now, Default::default());
    assert!(owner.lanes.next(now, &mut gate).is_none(), "its end is known");
}

proptest! {
    /// Whatever is asked for when, by whoever knows how much, and whoever takes over: an alert that was accepted is never
    /// sent again, every dead letter comes back in the end, and no wish is left over.
    #[test]
    fn no_dead_letter_is_delivered_twice_and_none_is_lost(
        leads in prop::collection::vec(0usize..3, 1..8),
        steps in prop::collection::vec((0u8..6, 0usize..8, 1i64..40_000), 1..60),
    ) {
        let mut stage = Stage::default();
        let offsets: Vec<i64> = leads.iter().map(|lead| stage.publish(0, ["a", "b", "c"][*lead])).collect();
        let mut owner = stage.takes_over();
        works(&mut owner, &mut stage, MINUTE, REFUSES);
        let mut stale = vec![];
        for (step, which, span) in steps {
            let offset = offsets[which % offsets.len()];
            match step {
                0 | 1 => if let Some((Outcome::DeadLettered, redrives)) = end(&stage, offset) {
                    stage.asks_to_redrive(offset, redrives + 1);
                    stale.push((offset, redrives + 1));
                },
                2 => if let Some((offset, redrives)) = stale.get(which).copied() {
                    stage.asks_to_redrive(offset, redrives);
                },
                // Nobody dies between an acceptance and its record: that may send once more, and says so.
                3 if owner.is_idle() => owner = stage.takes_over(),
                3 => {}
                4 => works(&mut owner, &mut stage, span, [REFUSES, FAILS][which % 2]),
                _ => works(&mut owner, &mut stage, span, WELL),
            }
        }
        let mut owner = stage.takes_over();
        works(&mut owner, &mut stage, 30 * HOUR, WELL);
        for offset in &offsets {
            if let Some((Outcome::DeadLettered, redrives)) = end(&stage, *offset) {
                stage.asks_to_redrive(*offset, redrives + 1);
            }
        }
        works(&mut owner, &mut stage, 30 * HOUR, WELL);
        let Counts { parked, in_flight, .. } = owner.counts();
        prop_assert_eq!((parked, in_flight), (0, 0));
        for offset in offsets {
            let accepted = stage.accepted.iter().filter(|(_, accepted)| *accepted == offset).count();
            let dead = stage.dead.iter().filter(|dead| **dead == offset).count();
            prop_assert_eq!((accepted, end(&stage, offset)), (1, Some((Outcome::Delivered, dead as u32))), "{}", offset);
        }
    }
}
