//! Scenarios of the lanes on a virtual clock.

use proptest::prelude::*;

use super::*;
use crate::notify::verdict::AttemptResult;

const P0: Partition = Partition(0);
const HOUR: i64 = 3_600_000;
const START: i64 = 1_795_341_734_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

fn judged(verdict: Verdict) -> Judged {
    Judged::failed(verdict, AttemptResult::ServerError, Some(500), "status 500")
}

fn later() -> Judged {
    judged(Verdict::Later { retry_after: None, reason: Reason::Exhausted })
}

fn lanes() -> Lanes<&'static str> {
    let mut lanes = Lanes::new(Bounds { in_flight: 8, tracked: 20 }, Span::from_millis(24 * HOUR));
    lanes.assign(P0);
    lanes
}

fn admit(lanes: &mut Lanes<&'static str>, offset: i64, key: &str, record: &'static str) {
    lanes.admit((P0, Offset(offset)), key.as_bytes(), at(0), record);
}

/// The attempts that start now.
fn start(lanes: &mut Lanes<&'static str>, now: i64) -> Vec<(Ticket, &'static str, u32)> {
    let mut gate = Gate::open();
    let mut started = Vec::new();
    while let Some(job) = lanes.next(at(now), &mut gate) {
        match job {
            Job::Attempt { ticket, record, number, .. } => started.push((ticket, *record, number)),
            Job::GiveUp(given_up) => panic!("{given_up:?}"),
        }
    }
    started
}

fn committed(lanes: &mut Lanes<&'static str>) -> Option<i64> {
    lanes.take_commits().last().map(|(_, next)| next.get())
}

#[test]
fn a_record_that_is_passed_over_only_moves_the_offset() {
    let mut lanes = lanes();
    lanes.skip((P0, Offset(4)));
    assert_eq!(committed(&mut lanes), Some(5));
    admit(&mut lanes, 5, "a", "five");
    lanes.skip((P0, Offset(6)));
    assert_eq!(committed(&mut lanes), None, "the record before it has no outcome yet");
    let started = start(&mut lanes, 0);
    assert_eq!(started.iter().map(|(_, record, _)| *record).collect::<Vec<_>>(), ["five"]);
    lanes.finish(at(0), started[0].0, Judged::delivered(200), 0.5);
    assert_eq!(committed(&mut lanes), Some(7));
    lanes.skip((Partition(1), Offset(0)));
    assert_eq!(committed(&mut lanes), None, "not ours");
}

#[test]
fn one_lead_goes_in_order_and_others_do_not_wait_for_it() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "a1");
    admit(&mut lanes, 1, "a", "a2");
    admit(&mut lanes, 2, "b", "b1");
    let first = start(&mut lanes, 0);
    assert_eq!(first.iter().map(|s| s.1).collect::<Vec<_>>(), ["a1", "b1"]);
    assert!(matches!(lanes.finish(at(10), first[0].0, later(), 0.5), Finished::Retry(t) if t == at(1_010)));
    assert!(matches!(lanes.finish(at(10), first[1].0, Judged::delivered(200), 0.5), Finished::Delivered));
    assert_eq!(committed(&mut lanes), Some(0), "a1 has no outcome yet");
    assert_eq!(start(&mut lanes, 1_009), [], "not before its time, and a2 stays behind a1");
    assert_eq!(lanes.wake_at(), Some(at(1_010)));
    let again = start(&mut lanes, 1_010);
    assert_eq!((again[0].1, again[0].2), ("a1", 2));
    lanes.finish(at(1_020), again[0].0, Judged::delivered(200), 0.5);
    assert_eq!(committed(&mut lanes), Some(1));
    let last = start(&mut lanes, 1_020);
    assert_eq!((last[0].1, last[0].2), ("a2", 1));
    lanes.finish(at(1_030), last[0].0, Judged::delivered(200), 0.5);
    assert_eq!((committed(&mut lanes), lanes.tracked(), lanes.wake_at()), (Some(3), 0, None));
}

#[test]
fn an_outage_of_days_tries_on_the_schedule_and_gives_up_when_the_alert_is_a_day_old() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "a1");
    let (mut now, mut tried, mut gate) = (0, Vec::new(), Gate::open());
    let given_up = loop {
        let Some(job) = lanes.next(at(now), &mut gate) else {
            now = lanes.wake_at().expect("something to wait for").as_millis() - START;
            continue;
        };
        let Job::Attempt { ticket, .. } = job else { panic!("{job:?}") };
        tried.push(now / 1_000);
        if let Finished::GiveUp(given_up) = lanes.finish(at(now), ticket, later(), 0.5) {
            break given_up;
        }
    };
    assert_eq!(tried[..10], [0, 1, 6, 21, 66, 186, 486, 1386, 3186, 6786]);
    assert_eq!((tried.len(), given_up.attempts), (32, 32), "then hourly");
    assert_eq!((given_up.reason, given_up.last_status), (Reason::Exhausted, Some(500)));
    assert_eq!(given_up.first_failed, Some(at(0)));
    assert_eq!(committed(&mut lanes), Some(0), "not before it lies in the dead-letter topic");
    lanes.buried(given_up.ticket);
    assert_eq!(committed(&mut lanes), Some(1));
}

#[test]
fn an_alert_that_is_too_old_when_its_turn_comes_is_given_up_without_an_attempt() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "a1");
    let Some(Job::GiveUp(given_up)) = lanes.next(at(24 * HOUR), &mut Gate::open()) else {
        panic!("it is a day old");
    };
    assert_eq!((given_up.attempts, given_up.reason), (0, Reason::Exhausted));
}

#[test]
fn verdicts_lead_where_the_table_says() {
    #[rustfmt::skip]
    let rows = [
        // verdicts, one after the other                                                    attempts, reason
        (vec![Verdict::Refused { tries: 2 }; 2],                                             2, Reason::Message),
        (vec![Verdict::Refused { tries: 3 }; 3],                                             3, Reason::Message),
        (vec![Verdict::Never(Reason::RefusedAddress)],                                       1, Reason::RefusedAddress),
        (vec![Verdict::Later { retry_after: Some(Span::from_millis(25 * HOUR)), reason: Reason::Channel }], 1, Reason::Channel),
    ];
    for (verdicts, attempts, reason) in rows {
        let (mut lanes, mut now, mut gate) = (lanes(), 0, Gate::open());
        admit(&mut lanes, 0, "a", "a1");
        for (i, verdict) in verdicts.iter().enumerate() {
            let Some(Job::Attempt { ticket, minimal, .. }) = lanes.next(at(now), &mut gate) else {
                panic!("attempt {i} of {verdicts:?}");
            };
            assert_eq!(minimal, i > 0, "after a refusal as little as possible is sent");
            match lanes.finish(at(now), ticket, judged(verdict.clone()), 0.5) {
                Finished::GiveUp(given_up) => {
                    assert_eq!((given_up.attempts, given_up.reason), (attempts, reason), "{verdicts:?}");
                    assert_eq!(i + 1, verdicts.len(), "given up early: {verdicts:?}");
                }
                other => assert!(i + 1 < verdicts.len(), "{verdicts:?}: {other:?}"),
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
fn a_refused_credential_shuts_the_sink_and_one_message_a_minute_asks_again() {
    let mut lanes = lanes();
    for (offset, key) in [(0, "a"), (1, "b"), (2, "c")] {
        admit(&mut lanes, offset, key, "x");
    }
    let started = start(&mut lanes, 0);
    let credential = || judged(Verdict::Shut(Shut::Credential));
    assert!(matches!(lanes.finish(at(0), started[0].0, credential(), 0.5), Finished::Shut(true)));
    assert!(matches!(lanes.finish(at(1), started[1].0, credential(), 0.5), Finished::Shut(false)));
    assert!(matches!(lanes.finish(at(2), started[2].0, credential(), 0.5), Finished::Shut(false)));
    assert_eq!((start(&mut lanes, 60_001), lanes.wake_at()), (vec![], Some(at(60_002))));
    let probe = start(&mut lanes, 60_002);
    assert_eq!(probe.len(), 1, "one message asks");
    lanes.finish(at(60_003), probe[0].0, credential(), 0.5);
    assert_eq!((start(&mut lanes, 60_004), committed(&mut lanes)), (vec![], Some(0)), "the backlog is kept");
    let probe = start(&mut lanes, 30 * HOUR);
    assert_eq!((probe.len(), probe[0].2), (1, 3), "and not given up, however old");
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
    lanes.finish(at(60_100), probe[0].0, Judged::delivered(200), 0.5);
    assert_eq!(start(&mut lanes, 60_100).len(), 2);
}

#[test]
fn gone_is_not_asked_again_and_keeps_its_backlog() {
    let mut lanes = lanes();
    admit(&mut lanes, 0, "a", "x");
    let started = start(&mut lanes, 0);
    lanes.finish(at(0), started[0].0, judged(Verdict::Shut(Shut::Gone)), 0.5);
    assert_eq!(start(&mut lanes, 100 * HOUR), []);
    assert_eq!((committed(&mut lanes), lanes.tracked()), (Some(0), 1));
}

#[test]
fn a_freeze_of_the_endpoint_holds_other_leads_too() {
    let (mut lanes, mut gate) = (lanes(), Gate::open());
    gate.freeze(at(0), Span::from_secs(120));
    admit(&mut lanes, 0, "a", "x");
    assert!(lanes.next(at(119_999), &mut gate).is_none());
    assert_eq!(lanes.wake_at(), Some(at(120_000)));
    assert!(lanes.next(at(120_000), &mut gate).is_some());
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
            lanes.finish(at(0), ticket, Judged::delivered(200), 0.5);
            done += 1;
            if done == 10 {
                break;
            }
        }
    }
    assert_eq!(lanes.take_pauses(), [(P0, false)]);
}

#[test]
fn a_revoked_partition_drains_commits_and_fences_late_results() {
    let mut lanes = lanes();
    admit(&mut lanes, 7, "a", "a1");
    admit(&mut lanes, 8, "b", "b1");
    let started = start(&mut lanes, 0);
    admit(&mut lanes, 9, "c", "c1");
    lanes.revoke(&[P0]);
    assert_eq!(start(&mut lanes, 0), [], "nothing new");
    assert!(!lanes.is_drained(&[P0]));
    lanes.finish(at(5), started[0].0, Judged::delivered(200), 0.5);
    // The drain's time is over with b1 still under way.
    let released: Vec<_> = lanes.release(&[P0]).iter().map(|(p, next)| (*p, next.get())).collect();
    assert_eq!(released, [(P0, 8)]);
    lanes.assign(P0);
    admit(&mut lanes, 8, "b", "b1 read again");
    assert!(matches!(lanes.finish(at(9), started[1].0, Judged::delivered(200), 0.5), Finished::Stale));
    assert_eq!((lanes.in_flight(), lanes.tracked()), (0, 1));
    assert_eq!(start(&mut lanes, 9).len(), 1);
}

proptest! {
    /// Random outcomes at random times: every alert ends once, one lead's in order, nothing in flight beyond the bound,
    /// and the commit never passes one without an outcome.
    #[test]
    fn every_alert_ends_once_and_in_its_leads_order(
        keys in prop::collection::vec(0u8..4, 1..40),
        outcomes in prop::collection::vec((0u8..10, 0i64..5_000), 1..60),
    ) {
        let mut lanes: Lanes<usize> = Lanes::new(Bounds { in_flight: 3, tracked: 1000 }, Span::from_millis(HOUR));
        lanes.assign(P0);
        for (i, key) in keys.iter().enumerate() {
            lanes.admit((P0, Offset(i as i64)), &[*key], at(0), i);
        }
        let (mut now, mut gate, mut under_way, mut ended) = (0, Gate::open(), Vec::new(), Vec::new());
        let mut outcomes = outcomes.into_iter().cycle();
        while lanes.tracked() > 0 {
            while let Some(job) = lanes.next(at(now), &mut gate) {
                match job {
                    Job::Attempt { ticket, record, .. } => under_way.push((ticket, *record)),
                    Job::GiveUp(given_up) => { lanes.buried(given_up.ticket); ended.push(*given_up.record); }
                }
            }
            prop_assert!(under_way.len() <= 3 && lanes.in_flight() == under_way.len());
            let (outcome, step) = outcomes.next().expect("a cycle");
            now += step;
            if under_way.is_empty() {
                now = now.max(lanes.wake_at().map_or(now, |t| t.as_millis() - START));
                continue;
            }
            let (ticket, record) = under_way.swap_remove(outcome as usize % under_way.len());
            let judged = match outcome {
                0..4 => Judged::delivered(200),
                4..8 => later(),
                _ => judged(Verdict::Refused { tries: 2 }),
            };
            match lanes.finish(at(now), ticket, judged, 0.3) {
                Finished::Delivered => ended.push(record),
                Finished::GiveUp(given_up) => { lanes.buried(given_up.ticket); ended.push(record); }
                _ => {}
            }
            let lowest_open = (0..keys.len()).find(|i| !ended.contains(i)).unwrap_or(keys.len());
            for (_, next) in lanes.take_commits() {
                prop_assert_eq!(next.get(), lowest_open as i64);
            }
        }
        for key in 0..4 {
            let of_lead: Vec<_> = ended.iter().filter(|i| keys[**i] == key).collect();
            prop_assert!(of_lead.is_sorted(), "lead {}: {:?}", key, of_lead);
        }
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..keys.len()).collect::<Vec<_>>());
    }
}
