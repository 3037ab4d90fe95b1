//! Scenarios of the lanes on a virtual clock: outages, bad leads, storms, zombies, and anything at random.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::stage::{HOUR, MINUTE, SECOND, Stage, judged, later};
use super::*;
use crate::codec::ledger::{Entry, Outcome};
use crate::notify::books::Counts;

fn delivered() -> Judged {
    Judged::delivered(200)
}

/// Goal: one lead that the other side does not take holds neither its partition nor another lead, and its own alerts stay
/// in order, through a restart, until they are too old.
#[test]
fn a_poison_lead_is_parked_with_all_that_follows_it() {
    let mut stage = Stage::default();
    for minute in 0..600 {
        stage.publish(minute * MINUTE, if minute % 100 == 0 { "poison" } else { "well" });
    }
    let mut endpoint = |stage: &Stage, offset: i64| match stage.lead(offset) {
        "poison" => (50, later()),
        _ => (50, delivered()),
    };
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 600 * MINUTE, &mut endpoint);
    assert_eq!((owner.counts().parked, stage.committed), (6, stage.end()), "the offset is free");
    assert!(stage.accepted.iter().all(|(when, offset)| when - stage.alerts[*offset as usize / 2].0 < SECOND));
    assert_eq!(owner.counts().in_flight, 0);
    let Some(Entry::Parked(first)) = stage.says(0) else { panic!("{:?}", stage.says(0)) };
    assert_eq!((first.tries.last_status, first.tries.detail.as_str()), (Some(503), "status 503"));
    // A restart goes on where it was; the alerts end in their order, each a day old.
    let mut owner = stage.takes_over();
    assert_eq!(owner.counts().parked, 6);
    owner.works_until(&mut stage, 40 * HOUR, &mut endpoint);
    assert_eq!(stage.dead, (0..6).map(|n| n * 200).collect::<Vec<_>>());
    assert_eq!(owner.counts(), Counts { consumed: 6, ended: 6, ..Counts::default() });
    assert!(matches!(stage.says(0), Some(Entry::Ended(ended)) if ended.outcome == Outcome::DeadLettered));
}

#[test]
fn a_parked_alert_that_is_taken_at_last_lets_the_next_go_at_once() {
    let mut stage = Stage::default();
    let (first, second) = (stage.publish(0, "a"), stage.publish(30 * SECOND, "a"));
    let mut owner = stage.takes_over();
    let well = 300 * SECOND;
    let mut endpoint = |stage: &Stage, _| (10, if stage.now < well { later() } else { delivered() });
    owner.works_until(&mut stage, 100 * SECOND, &mut endpoint);
    assert_eq!(owner.counts().parked, 2);
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, HOUR, &mut endpoint);
    let offsets: Vec<_> = stage.accepted.iter().map(|(_, offset)| *offset).collect();
    assert_eq!(offsets, [first, second]);
    assert!(stage.accepted[1].0 - stage.accepted[0].0 < SECOND, "{:?}", stage.accepted);
}

/// Goal: an outage of six hours burns no attempts, loses nothing, keeps memory bounded, and ends by itself.
#[test]
fn six_hours_of_outage() {
    let mut stage = Stage::default();
    for n in 0..8 * 180 {
        stage.publish(n * 20 * SECOND, ["a", "b", "c", "d", "e", "f", "g"][n as usize % 7]);
    }
    let (from, to) = (HOUR, 7 * HOUR);
    let mut endpoint = |stage: &Stage, _| (100, if (from..to).contains(&stage.now) { later() } else { delivered() });
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, to, &mut endpoint);
    let during: Vec<_> = stage.asked.iter().copied().filter(|when| *when >= from).collect();
    assert!((40..70).contains(&during.len()), "asked {} times", during.len());
    let last: Vec<_> = during[during.len() - 10..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(last.iter().all(|pause| *pause >= 10 * MINUTE), "{last:?}");
    assert!(stage.dead.is_empty());
    owner.works_until(&mut stage, 9 * HOUR, &mut endpoint);
    assert_eq!((stage.accepted.len(), stage.committed, owner.counts().parked), (8 * 180, stage.end(), 0));
    assert!(owner.most_in_memory <= 200 + 8 * 180 / 2, "{} in memory", owner.most_in_memory);
    assert_in_order(&stage);
}

#[test]
fn a_flapping_endpoint_gets_everything_in_order() {
    let mut stage = Stage::default();
    for n in 0..600 {
        stage.publish(n * SECOND, ["a", "b", "c"][n as usize % 3]);
    }
    let mut endpoint = |stage: &Stage, _| (100, if stage.now / (45 * SECOND) % 2 == 0 { delivered() } else { later() });
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 3 * HOUR, &mut endpoint);
    assert_eq!((stage.accepted.len(), stage.committed, stage.dead.len()), (600, stage.end(), 0));
    assert_in_order(&stage);
}

#[test]
fn in_a_storm_of_429_nothing_goes_before_its_time() {
    let mut stage = Stage::default();
    for n in 0..50 {
        stage.publish(n, "abcdefghij".split_at(n as usize % 10).1);
    }
    let mut last_refusal = -HOUR;
    let mut early = 0;
    let mut endpoint = |stage: &Stage, _| {
        early += usize::from((last_refusal + 50..last_refusal + 30_050).contains(&stage.now));
        if stage.now < 10 * MINUTE {
            last_refusal = stage.now;
            let wait = Some(Span::from_secs(30));
            let verdict = Verdict::Later { retry_after: wait, reason: Reason::Exhausted };
            (50, Judged { freeze: wait, ..judged(verdict) })
        } else {
            (50, delivered())
        }
    };
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 6 * HOUR, &mut endpoint);
    assert_eq!((early, stage.accepted.len(), stage.committed), (0, 50, stage.end()));
}

#[test]
fn a_paused_zombie_changes_nothing() {
    let mut stage = Stage::default();
    stage.publish(0, "a");
    stage.publish(0, "a");
    let mut zombie = stage.takes_over();
    zombie.works_until(&mut stage, 1, &mut |_, _| (20_000, later()));
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 10_000, &mut |_, _| (10, delivered()));
    assert_eq!(stage.committed, stage.end());
    // It wakes up, its attempt failed: it would park an alert that is delivered.
    zombie.works_until(&mut stage, 10 * MINUTE, &mut |_, _| (10, later()));
    assert!(matches!(stage.says(0), Some(Entry::Ended(ended)) if ended.outcome == Outcome::Delivered));
    assert_eq!((stage.takes_over().counts().parked, stage.accepted.len()), (0, 2));
}

#[test]
fn while_the_ledger_is_away_little_is_sent_and_nothing_lost() {
    let mut stage = Stage::default();
    const LEADS: [&str; 20] =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];
    for lead in LEADS {
        stage.publish(0, lead);
    }
    stage.ledger_is_down = true;
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, HOUR, &mut |_, _| (10, delivered()));
    assert_eq!((stage.accepted.len(), stage.committed), (8, 0));
    stage.ledger_is_down = false;
    owner.works_until(&mut stage, 2 * HOUR, &mut |_, _| (10, delivered()));
    assert_eq!((stage.accepted.len(), stage.committed), (20, stage.end()));
}

#[test]
fn gone_keeps_the_queue_through_a_restart_until_an_operator_opens_it() {
    let mut stage = Stage::default();
    for n in 0..5 {
        stage.publish(n * HOUR, "a");
    }
    let mut gone = |_: &Stage, _| (10, judged(Verdict::Shut(Shut::Gone)));
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 2 * HOUR, &mut gone);
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 30 * HOUR, &mut gone);
    assert_eq!((stage.asked.len(), stage.committed, stage.dead.len()), (1, 0, 0), "asked once, nothing given up");
    assert!(owner.lanes.shut.is_some());
    stage.asks_to_unblock();
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 30 * HOUR + MINUTE, &mut |_, _| (10, delivered()));
    // By then the first three were too old.
    assert_eq!((stage.dead.len() + stage.accepted.len(), stage.committed), (5, stage.end()));
    assert!(owner.lanes.shut.is_none());
}

#[test]
fn a_sink_that_was_blocked_is_open_in_the_ledger_after_the_first_delivery_of_the_next_process() {
    let mut stage = Stage::default();
    stage.publish(0, "a");
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, SECOND, &mut |_, _| (10, judged(Verdict::Shut(Shut::Credential))));
    assert_eq!(stage.standing(), Some(Standing::Blocked));
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 2 * SECOND, &mut |_, _| (10, delivered()));
    assert_eq!(stage.standing(), Some(Standing::Open));
}

#[test]
fn what_the_ledger_knows_is_not_sent_again() {
    let mut stage = Stage::default();
    stage.publish(0, "slow");
    stage.publish(0, "quick");
    let mut endpoint = |stage: &Stage, offset| (if stage.lead(offset) == "slow" { HOUR } else { 10 }, delivered());
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, SECOND, &mut endpoint);
    assert_eq!(stage.committed, 0);
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 2 * HOUR, &mut |_, _| (10, delivered()));
    let offsets: Vec<_> = stage.accepted.iter().map(|(_, offset)| *offset).collect();
    assert_eq!((offsets, stage.committed), (vec![0, 2, 0], stage.end()), "only the slow one, which was not recorded");
}

/// Goal: after an outage all goes out soon, whatever the hours that each alert would wait by itself; while it lasts one asks in
/// ten minutes at the most, and who was asked to wait does.
#[test]
fn when_an_endpoint_is_well_again_all_that_waited_for_it_goes_out() {
    let asked = Judged {
        freeze: None,
        ..judged(Verdict::Later { retry_after: Some(Span::from_secs(1_800)), reason: Reason::Exhausted })
    };
    let mut stage = Stage::default();
    stage.publish(0, "a");
    stage.publish(0, "b");
    let patient = stage.publish(0, "patient");
    let healed = 6 * HOUR;
    let mut asked_at = Vec::new();
    let mut endpoint = |stage: &Stage, offset| {
        let answer = match offset {
            _ if stage.now >= healed + MINUTE => delivered(),
            _ if offset == patient => asked.clone(),
            _ => later(),
        };
        asked_at.extend(Some(stage.now).filter(|_| offset == patient));
        (10, answer)
    };
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, healed + 2 * HOUR, &mut endpoint);
    let (last, others): (Vec<_>, Vec<_>) = stage.accepted.iter().partition(|(_, offset)| *offset == patient);
    assert_eq!((others.len(), last.len()), (2, 1));
    assert!(others.iter().all(|(at, _)| *at <= healed + 12 * MINUTE), "{:?}", stage.accepted);
    assert!(asked_at.windows(2).all(|pair| pair[1] - pair[0] >= 30 * MINUTE) && asked_at.len() > 1, "{asked_at:?}");
    let since = stage.asked.iter().filter(|at| (HOUR..healed).contains(*at)).count();
    assert!((25..=32).contains(&since), "one in ten minutes: {since}");
}

/// Goal: the ledger never holds an alert behind one of the same lead that only the offset holds. Method: the third is read
/// while the end of the first is being written and the second waits.
#[test]
fn the_next_owner_finds_the_alerts_of_a_lead_in_their_order() {
    let mut stage = Stage::default();
    for published in [0, 1, 12] {
        stage.publish(published, "a");
    }
    let mut slow =
        |_: &Stage, offset| (if offset == 0 { 10 } else { HOUR }, if offset == 0 { delivered() } else { later() });
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, SECOND, &mut slow);
    let mut owner = stage.takes_over();
    owner.works_until(&mut stage, 2 * HOUR, &mut |_, _| (10, delivered()));
    let offsets: Vec<_> = stage.accepted.iter().map(|(_, offset)| *offset).collect();
    assert_eq!(offsets, [0, 2, 4]);
}

/// The first time that the endpoint took each alert of a lead, in the order of the topic.
fn assert_in_order(stage: &Stage) {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for (_, offset) in &stage.accepted {
        if seen.insert(*offset) {
            let before = newest.insert(stage.lead(*offset), *offset);
            assert!(before < Some(*offset), "{offset} after {before:?} of {}", stage.lead(*offset));
        }
    }
}

proptest! {
    /// Whatever the endpoint answers and whoever dies or wakes up when: every alert ends once, in the ledger and in fact;
    /// one lead's in order; nothing is committed before its end is known or the ledger holds it.
    #[test]
    fn every_alert_ends_whatever_happens(
        leads in prop::collection::vec((0usize..5, 0i64..90_000), 1..60),
        answers in prop::collection::vec((0u8..12, 1i64..20_000), 1..40),
        lives in prop::collection::vec((0i64..400_000, any::<bool>()), 0..12),
    ) {
        let mut stage = Stage::default();
        let mut published = 0;
        for (lead, pause) in &leads {
            published += pause;
            stage.publish(published, ["a", "b", "c", "d", "e"][*lead]);
        }
        let mut answers = answers.into_iter().cycle();
        let healed = published + 30 * HOUR;
        let mut endpoint = |stage: &Stage, _| {
            if stage.now > healed {
                return (10, delivered());
            }
            let (answer, takes) = answers.next().expect("a cycle");
            let wait = Span::from_millis(takes * 10);
            (takes, match answer {
                0..6 => delivered(),
                6 => judged(Verdict::Refused { tries: 2 }),
                7 => Judged { freeze: Some(wait), ..judged(Verdict::Later { retry_after: Some(wait), reason: Reason::Exhausted }) },
                8 => judged(Verdict::Shut(Shut::Credential)),
                _ => later(),
            })
        };
        let mut zombies = Vec::new();
        let mut owner = stage.takes_over();
        for (life, is_paused) in lives {
            let until = stage.now + life;
            owner.works_until(&mut stage, until, &mut endpoint);
            let old = std::mem::replace(&mut owner, stage.takes_over());
            if is_paused {
                zombies.push(old); // the others die
            }
        }
        let (until, accepted) = (healed + 2 * HOUR, stage.accepted.len());
        for mut zombie in zombies {
            // What was in the air when it was paused comes back; it cannot know yet that it is out.
            let now = stage.now + 30_000;
            zombie.works_until(&mut stage, now, &mut endpoint);
        }
        stage.accepted.truncate(accepted); // a zombie's own posts are repeats, in no order
        owner.works_until(&mut stage, until, &mut endpoint);
        prop_assert_eq!(stage.committed, stage.end());
        let counts = owner.counts();
        prop_assert_eq!((counts.parked, counts.in_flight), (0, 0));
        for n in 0..leads.len() as i64 {
            let (offset, said) = (2 * n, stage.says(2 * n));
            let Some(Entry::Ended(ended)) = said else {
                return Err(TestCaseError::fail(format!("{offset}: {said:?}")));
            };
            let dead = stage.dead.iter().filter(|dead| **dead == offset).count();
            prop_assert_eq!(dead, usize::from(ended.outcome == Outcome::DeadLettered));
        }
        assert_in_order(&stage);
    }
}
