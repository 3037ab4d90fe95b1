//! What the lanes do, step by step.

use super::super::stage::{HOUR, P0, at, judged, later, policy};
use super::*;
use crate::core::ids::{NextOffset, Offset};
use crate::notify::books::Counts;

fn delivered() -> Judged {
    Judged::delivered(200)
}

fn lanes() -> Lanes<&'static str> {
    let mut lanes = Lanes::new(Policy { tracked: 20, ..policy() });
    lanes.assign(taken_over(1));
    lanes
}

fn taken_over(epoch: u64) -> Takeover<&'static str> {
    Takeover::of_nothing(P0, epoch, Offset(-1).next())
}

fn admit(lanes: &mut Lanes<&'static str>, offset: i64, key: &str, record: &'static str) {
    lanes.admit((P0, Offset(offset)), key.as_bytes(), at(0), record);
}

/// The attempts that start now.
fn start(lanes: &mut Lanes<&'static str>, now: i64) -> Vec<(Ticket, &'static str, u32)> {
    let mut gate = Gate::open();
    let mut started = Vec::new();
    while let Some(Attempt { ticket, record, number, .. }) = lanes.next(at(now), &mut gate) {
        started.push((ticket, *record, number));
    }
    started
}

/// Writes what there is to the ledger; gives how far the partition is committed.
fn record(lanes: &mut Lanes<&'static str>) -> Option<i64> {
    let batch = lanes.take_batch()?;
    lanes.written(&[P0]);
    batch.partitions.last().map(|(_, _, next)| next.get())
}

#[test]
fn a_record_that_is_passed_over_only_moves_the_offset() {
    let mut lanes = lanes();
    lanes.skip((P0, Offset(4)));
    assert_eq!(record(&mut lanes), Some(5));
    admit(&mut lanes, 5, "a", "five");
    lanes.skip((P0, Offset(6)));
    assert_eq!(record(&mut lanes), None, "the record before it has no outcome yet");
    let started = start(&mut lanes, 0);
    assert_eq!(started.iter().map(|(_, record, _)| *record).collect::<Vec<_>>(), ["five"]);
    lanes.finish(at(0), started[0].0, delivered(), 0.5);
    assert_eq!(record(&mut lanes), Some(7));
    lanes.skip((Partition(1), Offset(0)));
    assert_eq!(record(&mut lanes), None, "not ours");
    assert_eq!(lanes.books().counts(), Counts { consumed: 1, ended: 1, ..Counts::default() });
}

#[test]
fn what_tells_the_other_side_nothing_ends_in_its_turn_without_an_attempt() {
    let mut lanes = Lanes::new(policy()).passing_over(|record: &&str| record.starts_with("idle"));
    lanes.assign(taken_over(1));
    admit(&mut lanes, 0, "a", "a1");
    admit(&mut lanes, 1, "a", "idle");
    admit(&mut lanes, 2, "b", "idle too");
    admit(&mut lanes, 3, "a", "a2");
    let started = start(&mut lanes, 0);
    assert_eq!(started.iter().map(|s| s.1).collect::<Vec<_>>(), ["a1"]);
    lanes.finish(at(0), started[0].0, delivered(), 0.5);
    let ends = |lanes: &mut Lanes<&'static str>| {
        let batch = lanes.take_batch().expect("ends");
        lanes.written(&[P0]);
        batch.writes.iter().map(|write| (write.ticket.offset.0, write.fate)).collect::<Vec<_>>()
    };
    let (taken, idle) = (Fate::Ended(Ending::Delivered), Fate::Ended(Ending::Suppressed));
    assert_eq!(ends(&mut lanes), [(0, taken), (2, idle)]);
    assert_eq!(start(&mut lanes, 1), [], "its turn, and a2 waits until that is written");
    assert_eq!(ends(&mut lanes), [(1, idle)]);
    assert_eq!(start(&mut lanes, 2).len(), 1);
    assert!(lanes.books().agree());
}

#[test]
fn one_lead_goes_in_order_and_others_do_not_wait_for_it() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "a1");
    admit(&mut lanes, 1, "a", "a2");
    admit(&mut lanes, 2, "b", "b1");
    let first = start(&mut lanes, 0);
    assert_eq!(first.iter().map(|s| s.1).collect::<Vec<_>>(), ["a1", "b1"]);
    assert_eq!(lanes.finish(at(10), first[0].0, later(), 0.5), Finished::Retry(at(1_010)));
    assert_eq!(lanes.finish(at(10), first[1].0, delivered(), 0.5), Finished::Ended(Ending::Delivered));
    assert_eq!(record(&mut lanes), Some(0), "a1 has no outcome yet");
    assert_eq!(start(&mut lanes, 1_009), [], "not before its time, and a2 stays behind a1");
    assert_eq!(lanes.wake_at(), Some(at(1_010)));
    let again = start(&mut lanes, 1_010);
    assert_eq!((again[0].1, again[0].2), ("a1", 2));
    lanes.finish(at(1_020), again[0].0, delivered(), 0.5);
    assert_eq!(start(&mut lanes, 1_020), [], "a2 only when the ledger has a1");
    assert_eq!(record(&mut lanes), Some(1));
    let last = start(&mut lanes, 1_020);
    assert_eq!((last[0].1, last[0].2), ("a2", 1));
    lanes.finish(at(1_030), last[0].0, delivered(), 0.5);
    assert_eq!((record(&mut lanes), lanes.wake_at()), (Some(3), None));
    assert_eq!(lanes.books().counts(), Counts { consumed: 3, ended: 3, ..Counts::default() });
}

#[test]
fn what_is_accepted_but_not_recorded_takes_its_place() {
    let mut lanes = lanes();
    const KEYS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    for (offset, key) in KEYS.iter().enumerate() {
        admit(&mut lanes, offset as i64, key, "x");
    }
    let started = start(&mut lanes, 0);
    for (ticket, ..) in &started {
        lanes.finish(at(1), *ticket, delivered(), 0.5);
    }
    assert_eq!((started.len(), start(&mut lanes, HOUR)), (8, vec![]), "the ledger is away: at most 8 may come twice");
    record(&mut lanes);
    assert_eq!(start(&mut lanes, HOUR).len(), 1);
}

#[test]
fn an_alert_that_is_too_old_when_its_turn_comes_is_given_up_without_an_attempt() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "a1");
    assert_eq!(start(&mut lanes, 24 * HOUR), []);
    let batch = lanes.take_batch().expect("its end");
    assert_eq!(
        (batch.writes[0].fate, batch.writes[0].tries.attempts),
        (Fate::Ended(Ending::GivenUp(Reason::Exhausted)), 0)
    );
}

#[test]
fn what_is_given_up_for_its_age_says_what_it_waited_for() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "a1");
    let started = start(&mut lanes, 0);
    let wait = Some(Span::from_millis(25 * HOUR));
    let later = judged(Verdict::Later { retry_after: wait, reason: Reason::Channel });
    assert_eq!(lanes.finish(at(0), started[0].0, later, 0.5), Finished::Retry(at(24 * HOUR)));
    assert!(lanes.take_batch().is_some(), "it is parked");
    lanes.written(&[P0]);
    assert_eq!((start(&mut lanes, 24 * HOUR - 1), start(&mut lanes, 24 * HOUR)), (vec![], vec![]));
    let batch = lanes.take_batch().expect("its end");
    assert_eq!(batch.writes[0].fate, Fate::Ended(Ending::GivenUp(Reason::Channel)));
}

#[test]
fn verdicts_lead_where_the_table_says() {
    #[rustfmt::skip]
    let rows = [
        // verdicts, one after the other                                                    attempts, reason
        (vec![Verdict::Refused { tries: 2 }; 2],                                             2, Reason::Message),
        (vec![Verdict::Refused { tries: 3 }; 3],                                             3, Reason::Message),
        (vec![Verdict::Never(Reason::RefusedAddress)],                                       1, Reason::RefusedAddress),
    ];
    for (verdicts, attempts, reason) in rows {
        let (mut lanes, mut now, mut gate) = (lanes(), 0, Gate::open());
        admit(&mut lanes, 0, "a", "a1");
        for (i, verdict) in verdicts.iter().enumerate() {
            let Some(Attempt { ticket, minimal, .. }) = lanes.next(at(now), &mut gate) else {
                panic!("attempt {i} of {verdicts:?}");
            };
            assert_eq!(minimal, i > 0, "after a refusal as little as possible is sent");
            match lanes.finish(at(now), ticket, judged(verdict.clone()), 0.5) {
                Finished::Ended(ending) => {
                    assert_eq!((i + 1, ending), (attempts, Ending::GivenUp(reason)), "{verdicts:?}");
                }
                other => assert!(i + 1 < attempts, "{verdicts:?}: {other:?}"),
            }
            now += 10_000;
        }
    }
}

#[test]
fn a_new_credential_is_tried_at_once() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "zero");
    let started = start(&mut lanes, 0);
    lanes.finish(at(0), started[0].0, judged(Verdict::Shut(Shut::Credential)), 0.5);
    assert_eq!(start(&mut lanes, 1_000).len(), 0);
    lanes.renewed(at(1_000));
    assert_eq!(lanes.wake_at(), Some(at(1_000)));
    let probe = start(&mut lanes, 1_000);
    lanes.finish(at(1_100), probe[0].0, judged(Verdict::Shut(Shut::Gone)), 0.5);
    lanes.renewed(at(2_000));
    assert_eq!(start(&mut lanes, 2_000).len(), 0, "an endpoint that is gone has no use for it");
}

#[test]
fn a_late_refusal_of_the_old_credential_says_nothing_of_the_new_one() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "zero");
    admit(&mut lanes, 1, "b", "one");
    let started = start(&mut lanes, 0);
    let credential = || judged(Verdict::Shut(Shut::Credential));
    lanes.finish(at(100), started[0].0, credential(), 0.5);
    lanes.renewed(at(200));
    assert_eq!(start(&mut lanes, 200), [], "one is under way");
    lanes.finish(at(300), started[1].0, credential(), 0.5);
    let probe = start(&mut lanes, 300);
    assert_eq!(probe.len(), 1, "the new one is tried at once");
    lanes.finish(at(400), probe[0].0, credential(), 0.5);
    assert_eq!((start(&mut lanes, 60_399), lanes.wake_at()), (vec![], Some(at(60_400))), "it was refused too");
}

#[test]
fn a_refused_credential_shuts_the_sink_and_one_message_a_minute_asks_again() {
    let mut lanes = lanes();
    for (offset, key) in [(0, "a"), (1, "b"), (2, "c")] {
        admit(&mut lanes, offset, key, "x");
    }
    let started = start(&mut lanes, 0);
    let credential = || judged(Verdict::Shut(Shut::Credential));
    assert_eq!(lanes.finish(at(0), started[0].0, credential(), 0.5), Finished::Shut(true));
    assert_eq!(lanes.finish(at(1), started[1].0, credential(), 0.5), Finished::Shut(false));
    assert_eq!(lanes.finish(at(2), started[2].0, credential(), 0.5), Finished::Shut(false));
    let said = lanes.take_batch().and_then(|batch| batch.change).expect("the ledger says so");
    lanes.written(&[P0]);
    assert_eq!((said.standing, said.since, said.detail.as_str()), (Standing::Blocked, at(0), "status 503"));
    assert_eq!((start(&mut lanes, 60_001), lanes.wake_at()), (vec![], Some(at(60_002))));
    let probe = start(&mut lanes, 60_002);
    assert_eq!(probe.len(), 1, "one message asks");
    lanes.finish(at(60_003), probe[0].0, credential(), 0.5);
    assert_eq!((start(&mut lanes, 60_004), record(&mut lanes)), (vec![], None), "the backlog is kept");
    let probe = start(&mut lanes, 30 * HOUR);
    assert_eq!((probe.len(), probe[0].2), (1, 3), "and not given up, however old");
    lanes.finish(at(30 * HOUR), probe[0].0, delivered(), 0.5);
    let said = lanes.take_batch().and_then(|batch| batch.change).expect("the ledger says so");
    assert_eq!((said.standing, lanes.shut.is_some()), (Standing::Open, false));
}

#[test]
fn an_accepted_probe_opens_the_sink() {
    let mut lanes = lanes();
    for (offset, key) in [(0, "a"), (1, "b"), (2, "c")] {
        admit(&mut lanes, offset, key, "x");
    }
    for (ticket, ..) in start(&mut lanes, 0) {
        lanes.finish(at(0), ticket, judged(Verdict::Shut(Shut::Credential)), 0.5);
    }
    let probe = start(&mut lanes, 60_000);
    lanes.finish(at(60_100), probe[0].0, delivered(), 0.5);
    assert_eq!(start(&mut lanes, 60_100).len(), 2);
}

#[test]
fn a_freeze_of_the_endpoint_holds_other_leads_too() {
    let (mut lanes, mut gate) = (lanes(), Gate::open());
    admit(&mut lanes, 0, "a", "x");
    let Attempt { pass, .. } = lanes.next(at(0), &mut gate).expect("the first");
    gate.ended(at(0), pass, &Judged { freeze: Some(Span::from_secs(120)), ..later() });
    admit(&mut lanes, 1, "b", "x");
    assert!(lanes.next(at(119_999), &mut gate).is_none());
    assert_eq!(lanes.wake_at(), Some(at(120_000)));
    assert!(lanes.next(at(120_000), &mut gate).is_some());
}

#[test]
fn a_shut_sink_behind_a_closed_gate_waits_for_the_gate() {
    let (mut lanes, mut gate) = (lanes(), Gate::open());
    admit(&mut lanes, 0, "a", "x");
    let Attempt { pass, ticket, .. } = lanes.next(at(0), &mut gate).expect("the first");
    let refused = judged(Verdict::Shut(Shut::Credential));
    gate.ended(at(0), pass, &Judged { freeze: Some(Span::from_secs(120)), ..refused.clone() });
    lanes.finish(at(0), ticket, refused, 0.5);
    assert_eq!(lanes.wake_at(), Some(at(60_000)));
    assert!(lanes.next(at(60_000), &mut gate).is_none());
    assert_eq!(lanes.wake_at(), Some(at(120_000)), "not at a time that is past: it would turn on the spot");
}

#[test]
fn a_full_partition_pauses_and_resumes_at_half() {
    let mut lanes = lanes();
    const KEYS: [&str; 20] =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];
    for (offset, key) in KEYS.iter().enumerate() {
        assert_eq!(lanes.take_pauses(), [], "with {offset} records");
        admit(&mut lanes, offset as i64, key, "x");
    }
    assert_eq!(lanes.take_pauses(), [(P0, true)]);
    assert_eq!(lanes.take_pauses(), [], "once");
    let mut done = 0;
    while done < 10 {
        let started = start(&mut lanes, 0);
        assert!(started.len() <= 8, "{} in flight", started.len());
        for (ticket, ..) in started {
            assert_eq!(lanes.take_pauses(), [], "with {} records", 20 - done);
            lanes.finish(at(0), ticket, delivered(), 0.5);
            record(&mut lanes);
            done += 1;
            if done == 10 {
                break;
            }
        }
    }
    assert_eq!(lanes.take_pauses(), [(P0, false)]);
}

#[test]
fn a_revoked_partition_drains_and_fences_late_results() {
    let mut lanes = lanes();
    admit(&mut lanes, 7, "a", "a1");
    admit(&mut lanes, 8, "b", "b1");
    let started = start(&mut lanes, 0);
    admit(&mut lanes, 9, "c", "c1");
    lanes.revoke(&[P0]);
    assert_eq!(start(&mut lanes, 0), [], "nothing new");
    lanes.finish(at(5), started[0].0, delivered(), 0.5);
    let batch = lanes.take_batch().expect("a1");
    assert_eq!(batch.partitions, [(P0, 1, Offset(7).next())]);
    assert!(!lanes.is_drained(&[P0]), "it is not written yet, and b1 is under way");
    lanes.written(&[P0]);
    assert!(!lanes.is_drained(&[P0]));
    // The drain's time is over with b1 still under way.
    lanes.forget_all(&[P0]);
    assert_eq!(lanes.books().counts(), Counts { consumed: 3, ended: 1, handed_back: 2, ..Counts::default() });
    lanes.assign(taken_over(2));
    admit(&mut lanes, 8, "b", "b1 read again");
    assert_eq!(lanes.finish(at(9), started[1].0, delivered(), 0.5), Finished::Stale);
    assert_eq!(start(&mut lanes, 9).len(), 1);
    assert!(lanes.books().agree());
}

#[test]
fn the_next_offset_is_never_behind_where_it_began() {
    let mut lanes: Lanes<&str> = Lanes::new(policy());
    lanes.assign(Takeover { next: Offset(41).next(), ..taken_over(1) });
    assert!(lanes.take_batch().is_none(), "nothing to say");
    admit(&mut lanes, 50, "a", "x");
    let batch = lanes.take_batch().expect("nothing lies between 42 and 50");
    let committed: Vec<NextOffset> = batch.partitions.iter().map(|(_, _, next)| *next).collect();
    assert_eq!(committed, [Offset(49).next()]);
}
