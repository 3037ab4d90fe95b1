//! Leads that are freed because nothing can be heard of them any more: no decision is another one.

use proptest::collection::vec;
use proptest::prelude::*;

use hotlead::core::limits::LATEST;
use hotlead::core::time::{Day, Timestamp};

use super::changelog::{Stage, Told, compile};
use crate::properties::try_cases;

const RULES: &str = "version: 1
grace: 5m
forget_after: 10d
signals:
  pricing_view: { on: page, where: { page.path: /pricing } }
  demo_request: { on: track, name: Demo Requested }
scoring:
  half_life: 14d
  points: [{ signal: pricing_view, points: 15 }]
rules:
  - { id: surge, when: { count: { signal: pricing_view, at_least: 2, within: 9d } }, cooldown: 30d }
  - { id: demo, when: { signal: demo_request }, cooldown: 8d }
  - { id: ready, when: { score: { at_least: 30, rearm_below: 20 } }, cooldown: 0s }
";

const HOUR_MS: i64 = 3_600_000;

/// 2025-01-01.
const BEGIN_MS: i64 = 1_735_689_600_000;

/// An event that comes so long after the one before, and is so late.
#[derive(Clone, Copy, Debug)]
struct Step {
    hours: i64,
    late_hours: i64,
    lead: u8,
    demo: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let hours = prop_oneof![6 => 0..48i64, 2 => 200..300i64, 1 => 900..1100i64];
    let latest = LATEST.as_millis() / HOUR_MS;
    let late_hours = prop_oneof![3 => Just(0), 2 => 0..48i64, 1 => (latest - 48)..=latest];
    (hours, late_hours, 0..4u8, any::<bool>()).prop_map(|(hours, late_hours, lead, demo)| Step {
        hours,
        late_hours,
        lead,
        demo,
    })
}

/// What comes of the steps, and how many leads were freed meanwhile if they are.
fn run(steps: &[Step], frees: bool) -> (Vec<String>, usize) {
    let mut stage = Stage::new(&compile(RULES), &["user_id"]);
    let (mut now, mut freed) = (BEGIN_MS, 0);
    let outputs = steps.iter().enumerate().map(|(at, step)| {
        now += step.hours * HOUR_MS;
        if frees {
            // As the worker does: everything before this event was read, and is committed.
            freed += stage.engine.forget_silent(Timestamp::from_millis(now));
        }
        let what = if step.demo {
            r#""type":"track","name":"Demo Requested""#
        } else {
            r#""type":"page","page":{"path":"/pricing"}"#
        };
        let (time, lead) = (now - step.late_hours * HOUR_MS, step.lead);
        let line = format!(r#"{{"id":"e-{at}","time":{time},"lead":{{"user_id":"u{lead}"}},{what}}}"#);
        let out = format!("{:?}", stage.step(&Told::Line(line), at));
        stage.engine.set_day(Day::of(Timestamp::from_millis(now)));
        stage.engine.stage();
        stage.engine.commit();
        out
    });
    (outputs.collect(), freed)
}

/// Goal: as long as no event is later than allowed, freeing silent leads changes nothing. Method: outputs step by step
/// against an engine that frees none.
#[test]
fn freeing_silent_leads_changes_no_decision() {
    try_cases(vec(step(), 0..80), |steps| {
        let ((ours, _), (theirs, _)) = (run(&steps, true), run(&steps, false));
        match ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs) {
            Some(at) => Err(format!("step {at}:\n  frees: {}\n  plain: {}", ours[at], theirs[at])),
            None => Ok(()),
        }
    });
}

#[test]
fn a_lead_is_freed_at_the_day_after_which_nothing_finds_it_and_no_sooner() {
    let step = |hours, lead| Step { hours, late_hours: 0, lead, demo: false };
    let freed = |days: i64| run(&[step(0, 0), step(days * 24, 1), step(0, 1)], true).1;
    // 10 days of `forget_after`, 30 of lateness, 5 minutes of `grace`; and the whole day on which it was heard of.
    assert_eq!((freed(41), freed(42)), (0, 1));
}

/// Goal: the allowance is what makes it sound. Method: an event that is later than allowed does find its lead gone.
#[test]
fn an_event_that_is_later_than_allowed_finds_the_lead_new() {
    let view = |hours, late_hours, lead| Step { hours, late_hours, lead, demo: false };
    let steps = [view(0, 0, 0), view(42 * 24, 0, 1), view(0, 41 * 24, 0)];
    let ((ours, freed), (theirs, _)) = (run(&steps, true), run(&steps, false));
    assert_eq!(freed, 1);
    assert!(theirs[2].contains("\"surge\"") && !ours[2].contains("\"surge\""), "{}\n{}", theirs[2], ours[2]);
}
