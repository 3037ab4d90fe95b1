//! What the generators reach, and the order of arrival tried on the twin itself.

use super::super::generate::{case, reordered};
use super::super::{Rules, run};
use super::brief;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};

/// The same cases in every run.
fn fixed_runner() -> TestRunner {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng)
}

/// Goal: a green property means something. Method: count what 100 random cases decide and tell;
/// every decision, outcome and kind of alert must come up again and again.
#[test]
fn random_cases_reach_every_decision() {
    let mut runner = fixed_runner();
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..100 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let run = run(&Rules::from_text(&case.rules), &case.lead_key, &case.lines, "f");
        for alert in &run.alerts {
            *reached.entry(alert.kind.to_string()).or_default() += 1;
        }
        for decision in &run.decisions {
            let name = brief(decision);
            let last = name.split(' ').next_back().unwrap().to_string();
            *reached.entry(last).or_default() += 1;
        }
    }
    for name in [
        "opened",
        "updated",
        "closed",
        "fire",
        "below_threshold",
        "same_episode",
        "cooling_down",
        "suppressed(z_hold)",
        "suppressed(a_hold)",
        "unmatched",
        "duplicate",
        "ignored(w_bot)",
        "ignored(c_monitor)",
        "dead_letter(not_json)",
        "dead_letter(unknown_format)",
        "dead_letter(no_type)",
        "dead_letter(bad_time)",
        "dead_letter(no_lead)",
    ] {
        assert!(reached.get(name).is_some_and(|n| *n >= 20), "{name} in {reached:#?}");
    }
}

#[test]
fn the_order_of_arrival_within_the_grace_changes_no_lead_of_the_twin() {
    let mut runner = fixed_runner();
    let (mut alerting, mut moved) = (0, 0);
    for _ in 0..200 {
        let both = reordered().new_tree(&mut runner).unwrap().current();
        let leads = |lines: &[String]| -> BTreeSet<String> {
            let rules = Rules::from_text(&both.in_time.rules);
            run(&rules, &["user_id"], lines, "f").alerts.into_iter().map(|a| a.lead).collect()
        };
        let in_time = leads(&both.in_time.lines);
        assert_eq!(in_time, leads(&both.as_arrived.lines), "{both:?}");
        alerting += usize::from(!in_time.is_empty());
        moved += usize::from(both.in_time.lines != both.as_arrived.lines);
    }
    assert!(alerting > 50 && moved > 50, "{alerting} cases alert, {moved} are out of order");
}
