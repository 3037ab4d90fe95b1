//! Leads that are erased while their alerts wait, on a virtual clock: those end at once as suppressed, whatever holds them.

use super::*;
use crate::codec::ledger::{Entry, Outcome};
use crate::notify::stage::{MINUTE, SECOND, Stage, judged, later};
use crate::notify::verdict::{Reason, Shut};

/// What the endpoint says to every alert while it is in trouble.
fn troubles() -> [Judged; 3] {
    [later(), judged(Verdict::Shut(Shut::Credential)), judged(Verdict::Shut(Shut::Gone))]
}

fn outcome(stage: &Stage, offset: i64) -> Option<Outcome> {
    match stage.says(offset) {
        Some(Entry::Ended(ended)) => Some(ended.outcome),
        _ => None,
    }
}

/// Goal: parked, queued and unread alerts of the lead end as suppressed, whether the endpoint fails or the sink is shut, for its
/// owner or the next one; the others stay, and an alert of later is sent.
#[test]
fn what_waits_of_an_erased_lead_is_suppressed_and_nothing_else() {
    for trouble in troubles() {
        for hands_over in [false, true] {
            let mut stage = Stage::default();
            let ada: Vec<i64> = (0..3).map(|n| stage.publish(n * SECOND, "ada")).collect();
            let bo = stage.publish(3 * SECOND, "bo");
            let mut fails = |_: &Stage, _: i64| (100, trouble.clone());
            let mut owner = stage.takes_over();
            owner.works_until(&mut stage, 5 * MINUTE, &mut fails);
            assert!(stage.accepted.is_empty() && ada.iter().all(|offset| outcome(&stage, *offset).is_none()));
            stage.erases("ada");
            if hands_over {
                owner = stage.takes_over();
            }
            owner.works_until(&mut stage, 6 * MINUTE, &mut fails);
            let ended: Vec<_> = ada.iter().map(|offset| outcome(&stage, *offset)).collect();
            assert_eq!(ended, [Some(Outcome::Suppressed); 3], "{trouble:?} {hands_over}");
            assert!(!stage.keeps("ada") && outcome(&stage, bo).is_none(), "{trouble:?} {hands_over}");

            let fresh = stage.publish(6 * MINUTE + SECOND, "ada");
            owner.lanes.unblock(crate::notify::stage::at(stage.now));
            let mut well = |_: &Stage, _: i64| (100, Judged::delivered(200));
            owner.works_until(&mut stage, 20 * MINUTE, &mut well);
            let accepted: Vec<i64> = stage.accepted.iter().map(|(_, offset)| *offset).collect();
            assert!(accepted.contains(&bo) && accepted.contains(&fresh) && accepted.len() == 2, "{accepted:?}");
        }
    }
}

/// Goal: one that is under way ends as its answer says: taken, or else suppressed and not tried again.
#[test]
fn what_is_under_way_is_not_tried_again() {
    let given_up = judged(Verdict::Never(Reason::Message));
    let rows = [
        (Judged::delivered(200), Outcome::Delivered),
        (later(), Outcome::Suppressed),
        (judged(Verdict::Shut(Shut::Credential)), Outcome::Suppressed),
        (given_up, Outcome::Suppressed),
    ];
    for (answer, expected) in rows {
        let mut stage = Stage::default();
        let offset = stage.publish(0, "ada");
        let mut slow = |_: &Stage, _: i64| (10 * SECOND, answer.clone());
        let mut owner = stage.takes_over();
        owner.works_until(&mut stage, SECOND, &mut slow);
        stage.erases("ada");
        owner.works_until(&mut stage, 30 * SECOND, &mut slow);
        assert_eq!((outcome(&stage, offset), stage.asked.len()), (Some(expected), 1), "{answer:?}");
    }
}

/// Goal: nothing of an erased lead goes to the fallback, also what is queued behind others of it when lending begins.
#[test]
fn nothing_of_an_erased_lead_is_lent() {
    let mut stage = Stage::default();
    stage.has_fallback = true;
    let offsets: Vec<i64> = (0..5).map(|n| stage.publish(n * SECOND, "ada")).collect();
    let bo = stage.publish(6 * SECOND, "bo");
    let mut slow = |stage: &Stage, _: i64| (if stage.now < 4 * MINUTE { 10 } else { 2 * MINUTE }, later());
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 5 * MINUTE, &mut slow);
    stage.erases("ada");
    owner.works_until(&mut stage, 10 * MINUTE, &mut slow);
    let lent: Vec<i64> = stage.lent.iter().map(|(_, offset)| *offset).collect();
    assert_eq!(lent, [bo]);
    assert!(offsets.iter().all(|offset| outcome(&stage, *offset) == Some(Outcome::Suppressed)));
}

/// Goal: a wish for an alert that came before its end was known is no way around the erasure.
#[test]
fn a_wish_that_came_early_is_suppressed_with_its_alert() {
    let mut stage = Stage::default();
    let offset = stage.publish(0, "ada");
    let mut fails = |_: &Stage, _: i64| (10, later());
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, MINUTE, &mut fails);
    stage.asks_to_redrive(offset, 1);
    owner.works_until(&mut stage, MINUTE + SECOND, &mut fails);
    stage.erases("ada");
    let mut well = |_: &Stage, _: i64| (10, Judged::delivered(200));
    owner.works_until(&mut stage, 20 * MINUTE, &mut well);
    assert_eq!((outcome(&stage, offset), stage.accepted.len()), (Some(Outcome::Suppressed), 0));
}
