//! A sink that cannot be reached and its fallback, on a virtual clock: what is lent when, and each alert once.

use proptest::prelude::*;

use super::super::stage::{HOUR, MINUTE, Owner, SECOND, Stage, judged, later};
use super::*;
use crate::codec::ledger::Entry;
use crate::core::ids::Offset;
use crate::notify::books::Counts;

/// From the end of the first attempt that failed.
const AFTER: i64 = 5 * MINUTE;

/// What an attempt takes, and what the ledger takes then.
const ATTEMPT: i64 = 10;
const LEDGER: i64 = 5;

fn stage() -> Stage {
    let mut stage = Stage::default();
    stage.has_fallback = true;
    stage
}

fn works(owner: &mut Owner, stage: &mut Stage, until: i64, mut answers: impl FnMut(i64) -> Judged) {
    owner.works_until(stage, until, &mut |stage, _| (ATTEMPT, answers(stage.now)));
}

fn well() -> Judged {
    Judged::delivered(200)
}

#[test]
fn it_stands_in_after_five_minutes_without_a_success_whatever_the_trouble() {
    let channel = Verdict::Later { retry_after: None, reason: Reason::Channel };
    #[rustfmt::skip]
    let rows: [(&str, Verdict, i64, Option<i64>); 7] = [
        // the trouble           verdict                               well from          lent at
        ("503",                  later().verdict,                      HOUR,              Some(AFTER)),
        ("a refused credential", Verdict::Shut(Shut::Credential),      HOUR,              Some(AFTER)),
        ("410",                  Verdict::Shut(Shut::Gone),            HOUR,              Some(AFTER)),
        ("an archived channel",  channel,                              HOUR,              Some(AFTER)),
        ("taken a moment before",later().verdict,                      AFTER - MINUTE * 2,None),
        ("a bad message",        Verdict::Refused { tries: 100 },      HOUR,              None),
        ("nothing",              Verdict::Delivered,                   HOUR,              None),
    ];
    for (trouble, verdict, well_from, lent) in rows {
        let mut stage = stage();
        let offset = stage.publish(0, "a");
        let mut owner = stage.takes_over();
        works(&mut owner, &mut stage, AFTER + ATTEMPT - 1, |now| {
            if now < well_from { judged(verdict.clone()) } else { well() }
        });
        assert_eq!(stage.lent, [], "{trouble}: too early");
        works(
            &mut owner,
            &mut stage,
            40 * MINUTE,
            |now| if now < well_from { judged(verdict.clone()) } else { well() },
        );
        let expected: Vec<_> = lent.map(|at| (at + ATTEMPT + LEDGER, offset)).into_iter().collect();
        assert_eq!(stage.lent, expected, "{trouble}");
    }
}

/// Goal: what waits is lent, what comes is lent at once, each once through restarts; the sink gets all of it when it is well
/// again, and from then on nothing is lent.
#[test]
fn an_outage_lends_each_alert_once_and_loses_none() {
    let mut stage = stage();
    let leads = ["a", "b", "c", "d"];
    let offsets: Vec<_> = (0..180).map(|n| stage.publish(n * 20 * SECOND, leads[n as usize % 4])).collect();
    let (from, to) = (10 * MINUTE, 50 * MINUTE);
    let mut answers = |now| if (from..to).contains(&now) { later() } else { well() };
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, 20 * MINUTE, &mut answers);
    let before = stage.lent.len();
    assert!(matches!(stage.says(offsets[40]), Some(Entry::Parked(parked)) if parked.tries.lent));
    assert_eq!(stage.failing().map(|since| since / MINUTE), Some(10));
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, 20 * MINUTE + SECOND, &mut answers);
    assert_eq!(stage.lent.len(), before + 1, "that of now and no other: the ledger knows since when");
    works(&mut owner, &mut stage, 2 * HOUR, &mut answers);
    let recovered = stage.accepted.iter().map(|(when, _)| *when).filter(|when| *when >= to).min().expect("it did");
    let published = |offset: &i64| stage.alerts[*offset as usize / 2].0;
    let during: Vec<_> = offsets.iter().copied().filter(|o| (from..recovered).contains(&published(o))).collect();
    let mut lent: Vec<_> = stage.lent.iter().map(|(_, offset)| *offset).collect();
    lent.sort_unstable();
    assert!(lent.windows(2).all(|pair| pair[0] < pair[1]), "none twice: {lent:?}");
    assert_eq!(lent, during, "each that came while it lasted, and no other");
    assert_eq!((stage.accepted.len(), stage.committed), (180, stage.end()), "the sink gets them all the same");
    assert_eq!(stage.failing(), None);
    assert_eq!(owner.counts().parked, 0);
    assert!(stage.lent.iter().all(|(when, _)| *when <= recovered + ATTEMPT + LEDGER), "nothing after its end");
    // A lead's alerts come in order.
    for lead in leads {
        let of: Vec<_> = stage.lent.iter().map(|(_, offset)| *offset).filter(|o| stage.lead(*o) == lead).collect();
        assert!(of.windows(2).all(|pair| pair[0] < pair[1]), "{lead}: {of:?}");
    }
}

/// Goal: what a worker knew of the sink before others took all its partitions is no reason to lend when it gets one back; nor is a
/// failure of which nothing waits any more.
#[test]
fn an_old_failure_lends_nothing_that_comes_later() {
    for others_had_it in [true, false] {
        let at = crate::notify::stage::at;
        let (partition, next) = (Partition(0), |offset: i64| Offset(offset - 1).next());
        let mut lanes: Lanes<()> = Lanes::new(crate::notify::stage::policy()).lending(|_| true);
        lanes.assign(Takeover::of_nothing(partition, 1, next(0)));
        lanes.admit((partition, Offset(0)), b"a", at(0), ());
        let mut gate = Gate::open();
        let attempt = lanes.next(at(0), &mut gate).expect("an attempt");
        lanes.finish(at(0), attempt.ticket, later(), 0.5);
        if others_had_it {
            lanes.forget_all(&[partition]);
            lanes.assign(Takeover::of_nothing(partition, 2, next(1)));
        } else {
            lanes.suppress((partition, Offset(0)));
            assert!(lanes.next(at(1), &mut gate).is_none() && lanes.take_batch().is_some());
            assert_eq!(lanes.written(&[partition]).len(), 1);
        }
        lanes.admit((partition, Offset(1)), b"a", at(HOUR), ());
        assert_eq!((lanes.lend(at(HOUR)), lanes.lends_at()), (None, None), "{others_had_it}");
        let attempt = lanes.next(at(HOUR), &mut gate).expect("it is tried first");
        lanes.finish(at(HOUR), attempt.ticket, later(), 0.5);
        assert_eq!(lanes.lends_at(), Some(at(HOUR + AFTER)), "{others_had_it}");
    }
}

/// Goal: the next owner finds a lead's alerts in their order. Method: the fallback wants only the second of a lead.
#[test]
fn what_waits_before_a_lent_alert_of_its_lead_is_parked_with_it() {
    let at = crate::notify::stage::at;
    let (partition, mut gate) = (Partition(0), Gate::open());
    let mut lanes: Lanes<bool> = Lanes::new(crate::notify::stage::policy()).lending(|wanted| *wanted);
    lanes.assign(Takeover::of_nothing(partition, 1, Offset(-1).next()));
    let mut fails = |lanes: &mut Lanes<bool>, offset, lead: &[u8], ms, wanted| {
        lanes.admit((partition, Offset(offset)), lead, at(ms), wanted);
        let attempt = lanes.next(at(ms), &mut gate).expect("an attempt");
        lanes.finish(at(ms), attempt.ticket, later(), 0.5);
    };
    fails(&mut lanes, 0, b"a", 0, false);
    fails(&mut lanes, 1, b"b", AFTER, false);
    lanes.admit((partition, Offset(2)), b"b", at(AFTER), true);
    lanes.lend(at(AFTER));
    let batch = lanes.take_batch().expect("a batch");
    let parked: Vec<_> = batch.writes.iter().map(|write| (write.ticket.offset.0, write.lend)).collect();
    assert_eq!(parked, [(1, false), (2, true)]);
}

/// Goal: the newest word about a sink counts, whichever partition's ledger has it: so this one says when it was said.
#[test]
fn what_the_ledger_says_of_lending_is_newer_than_what_it_said_before() {
    let mut stage = stage();
    stage.publish(0, "a");
    stage.publish(HOUR, "a");
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, 30 * MINUTE, |now| if now < 6 * MINUTE { later() } else { well() });
    let opened = owner.lanes.stands.clone().expect("it was open again");
    assert!(opened.failing.is_none() && opened.since > crate::notify::stage::at(6 * MINUTE));
    works(&mut owner, &mut stage, HOUR + 6 * MINUTE, |_| later());
    let lends = owner.lanes.stands();
    let (since, failing) = (lends.since.as_millis(), lends.failing.map(Timestamp::as_millis));
    assert_eq!((lends.standing, failing), (Standing::Open, Some(since - AFTER)), "{lends:?}");
    assert!(lends.since > opened.since);
}

#[test]
fn without_a_fallback_nothing_is_lent() {
    let mut stage = Stage::default();
    stage.publish(0, "a");
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, HOUR, |_| later());
    assert_eq!((stage.lent.len(), stage.failing()), (0, None));
}

/// Goal: at the other end, one that never read the alert for itself, or will, delivers it once, whoever lends it and how often.
#[test]
fn the_fallback_delivers_what_it_gets_once_and_counts_it_as_one_more() {
    let mut stage = Stage::default();
    stage.takes_nothing = true;
    let (first, second) = (stage.publish(0, "a"), stage.publish(2 * HOUR, "a"));
    let mut owner = stage.takes_over();
    works(&mut owner, &mut stage, HOUR, |_| well());
    assert_eq!((owner.counts(), stage.committed), (Counts::default(), first + 1), "read, and not its own");
    // Another sink lends the second alert before this one has read it.
    stage.asks_to_redrive(first, 1);
    stage.asks_to_redrive(second, 1);
    works(&mut owner, &mut stage, 3 * HOUR, |_| well());
    stage.asks_to_redrive(first, 1);
    works(&mut owner, &mut stage, 4 * HOUR, |_| well());
    let mut owner = {
        assert_eq!(owner.counts(), Counts { consumed: 2, ended: 2, ..Counts::default() });
        stage.takes_over()
    };
    stage.asks_to_redrive(second, 1);
    works(&mut owner, &mut stage, 5 * HOUR, |_| well());
    let offsets: Vec<_> = stage.accepted.iter().map(|(_, offset)| *offset).collect();
    assert_eq!((offsets, stage.committed), (vec![first, second], stage.end()));
}

/// An attempt: when it was made and when it ended, at which alert, and whether it was taken.
type Tried = (i64, i64, i64, bool);

/// The obvious way: every moment at which the sink cannot be reached, and nothing of the lead is being sent.
fn naive(stage: &Stage, tried: &[Tried], offset: i64, until: i64) -> bool {
    let mut ends: Vec<(i64, bool)> = tried.iter().map(|(_, ended, _, taken)| (*ended, *taken)).collect();
    ends.sort_unstable();
    let (mut since, mut out) = (None, Vec::new());
    for (ended, taken) in ends.into_iter().filter(|(ended, _)| *ended <= until) {
        if taken {
            out.extend(since.take().map(|since: i64| since + AFTER..ended));
        } else {
            since.get_or_insert(ended);
        }
    }
    out.extend(since.map(|since| since + AFTER..until));
    let (published, lead) = &stage.alerts[offset as usize / 2];
    let accepted = tried.iter().find(|(.., at, taken)| *at == offset && *taken).map_or(until, |(_, ended, ..)| *ended);
    let sending =
        |moment: i64| tried.iter().any(|(from, to, at, _)| stage.lead(*at) == lead && (*from..*to).contains(&moment));
    let mut moments: Vec<i64> = out.iter().map(|out| out.start.max(*published)).collect();
    moments.extend(tried.iter().map(|(_, ended, ..)| *ended));
    let waits = |moment: &i64| (*published..accepted).contains(moment) && out.iter().any(|out| out.contains(moment));
    moments.into_iter().filter(waits).any(|moment| !sending(moment))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The fast code lends what the obvious one does, each alert once, however the endpoint comes and goes.
    #[test]
    fn what_is_lent_is_what_a_naive_reader_of_the_attempts_would_lend(
        alerts in prop::collection::vec((0i64..40 * MINUTE, 0usize..3), 1..20),
        mut turns in prop::collection::vec(0i64..60 * MINUTE, 0..8),
    ) {
        let mut stage = stage();
        let mut alerts = alerts;
        alerts.sort_unstable();
        turns.sort_unstable();
        let offsets: Vec<i64> = alerts.iter().map(|(at, lead)| stage.publish(*at, ["a", "b", "c"][*lead])).collect();
        let mut owner = stage.takes_over();
        let mut tried: Vec<Tried> = Vec::new();
        let until = 70 * MINUTE;
        owner.works_until(&mut stage, until, &mut |stage, offset| {
            let taken = turns.iter().filter(|turn| **turn <= stage.now).count() % 2 == 1;
            tried.push((stage.now, stage.now + ATTEMPT, offset, taken));
            (ATTEMPT, if taken { well() } else { later() })
        });
        for offset in offsets {
            let lent = stage.lent.iter().filter(|(_, lent)| *lent == offset).count();
            prop_assert_eq!(lent, usize::from(naive(&stage, &tried, offset, until)), "{}: {:?} {:?}", offset, tried, stage.lent);
        }
    }

    /// Whoever takes over whenever: each alert is lent once at the most, and the sink gets each one in the end.
    #[test]
    fn no_alert_is_lent_twice_whoever_takes_over(
        alerts in prop::collection::vec((0i64..40 * MINUTE, 0usize..3), 1..20),
        owners in prop::collection::vec(1i64..20 * MINUTE, 1..8),
    ) {
        let mut stage = stage();
        let mut alerts = alerts;
        alerts.sort_unstable();
        for (at, lead) in &alerts {
            stage.publish(*at, ["a", "b", "c"][*lead]);
        }
        for span in owners {
            let until = stage.now + span;
            works(&mut stage.takes_over(), &mut stage, until, |_| later());
        }
        let until = stage.now + 48 * HOUR;
        works(&mut stage.takes_over(), &mut stage, until, |_| well());
        let mut lent: Vec<_> = stage.lent.iter().map(|(_, offset)| *offset).collect();
        lent.sort_unstable();
        prop_assert!(lent.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", lent);
        let mut ended: Vec<_> = stage.accepted.iter().map(|(_, offset)| *offset).collect();
        ended.sort_unstable();
        ended.dedup();
        prop_assert_eq!(ended.len() + stage.dead.len(), alerts.len());
    }
}
