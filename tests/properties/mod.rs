//! The program against its naive twin, on random rules and streams of events.
//!
//! `PROPTEST_CASES` sets how many cases a property tries. A failure prints the smallest case that
//! was found, as files that one can type, and the first place at which the two differ.

mod agreement;
mod program;

use crate::twin::generate::{Case, case, reordered};
use crate::twin::{Rules, run};
use agreement::{same_alerts, same_decisions};
use program::{EVENTS_FILE, backtest};
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::collections::BTreeSet;

/// Goal: the engine means what the rules say. Method: the program and the twin take in the same
/// file; every decision and every alert must be the same, in the same order.
#[test]
fn engine_equals_twin() {
    try_cases(case(), |case: Case| {
        let (decisions, alerts) = backtest(&case.rules, &case.lead_key, &case.lines)?;
        let rules = Rules::from_text(&case.rules);
        let twin = run(&rules, &case.lead_key, &case.lines, EVENTS_FILE);
        same_decisions(&decisions, &twin.decisions)?;
        same_alerts(&alerts, &twin.alerts, &rules)
    });
}

/// Goal: within the grace, the order in which events arrive changes no lead that is alerted.
/// Method: one rule whose `when` is one count and that nothing suppresses, one stream in time
/// order and in another order.
#[test]
fn order_of_arrival_within_grace_changes_no_lead() {
    try_cases(reordered(), |both| {
        let leads = |case: &Case| -> Result<BTreeSet<String>, String> {
            let (_, alerts) = backtest(&case.rules, &case.lead_key, &case.lines)?;
            Ok(alerts.iter().map(|alert| alert["lead"]["key"].to_string()).collect())
        };
        let (in_time, as_arrived) = (leads(&both.in_time)?, leads(&both.as_arrived)?);
        if in_time == as_arrived {
            return Ok(());
        }
        Err(format!("leads in time order: {in_time:?}\nleads as they arrived: {as_arrived:?}"))
    });
}

/// Runs `holds` on random cases; panics with the smallest one for which it doesn't.
pub fn try_cases<S: Strategy>(cases: S, holds: impl Fn(S::Value) -> Result<(), String>) {
    let mut config = Config { failure_persistence: None, max_shrink_iters: 3_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        // Two runs of the program each: some seconds in all.
        config.cases = 100;
    }
    let outcome = TestRunner::new(config).run(&cases, |case| holds(case).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, smallest)) => panic!("{reason}\n{smallest:?}"),
        Err(TestError::Abort(reason)) => panic!("no cases: {reason}"),
    }
}
