//! Random rules and streams with commits, aborts, erasures and restarts at random points, against an engine that is
//! never interrupted.

use std::collections::BTreeMap;
use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

use super::changelog::{Changelog, Stage, Told, compile, try_compile};
use crate::properties::try_cases;
use crate::twin::generate::{Case, case};

/// What happens after a step.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Nothing,
    /// Gathers what has changed; the commit comes later.
    Stage,
    /// Stages unless that was done before, and commits.
    Commit,
    /// Everything since the last commit is undone and taken in again.
    Abort,
    /// The process dies and another one restores.
    Restart,
}

#[derive(Clone)]
struct Interrupted {
    case: Case,
    erased: Vec<(usize, &'static str)>,
    interruptions: Vec<Interruption>,
}

impl fmt::Debug for Interrupted {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.told();
        let then = self.interruptions.iter().map(|then| format!("{then:?}")).collect::<Vec<_>>().join(" ");
        write!(to, "\n--- rules.yaml\n{}\n--- told\n{told:#?}\n--- after each\n{then}", self.case.rules)
    }
}

impl Interrupted {
    fn told(&self) -> Vec<Told> {
        let mut told: Vec<Told> = self.case.lines.iter().cloned().map(Told::Line).collect();
        for (at, lead) in &self.erased {
            told.insert(at % (told.len() + 1), Told::Erase(lead));
        }
        told
    }
}

fn interrupted() -> impl Strategy<Value = Interrupted> {
    let interruption = prop_oneof![
        12 => Just(Interruption::Nothing),
        3 => Just(Interruption::Stage),
        3 => Just(Interruption::Commit),
        2 => Just(Interruption::Abort),
        2 => Just(Interruption::Restart),
    ];
    let lead = prop::sample::select(&["u0", "7", "a2", "dana@rival.example", "nobody"][..]);
    (case(), vec((any::<usize>(), lead), 0..4), vec(interruption, 0..300))
        .prop_map(|(case, erased, interruptions)| Interrupted { case, erased, interruptions })
}

/// Goal: no commit, abort, erasure or restart changes a decision, an alert or a lead's state. Method: outputs step by
/// step and the changelog's bytes at the end, against one engine that takes all in at once.
#[test]
fn nothing_that_happens_between_events_changes_what_they_do() {
    try_cases(interrupted(), |case| {
        // Shrinking may leave something out that other parts name.
        let (told, Ok(rules)) = (case.told(), try_compile(&case.case.rules)) else { return Ok(()) };
        let mut plain = Stage::new(&rules, &case.case.lead_key);
        let expected: Vec<String> =
            told.iter().enumerate().map(|(at, told)| format!("{:?}", plain.step(told, at))).collect();
        let mut at_once = Changelog::default();
        plain.engine.stage();
        at_once.write(&mut plain.engine);

        let mut run = Run::new(Stage::new(&rules, &case.case.lead_key), Changelog::default());
        let mut then = case.interruptions.iter().copied();
        while run.next < told.len() {
            run.step(&told);
            match then.next().unwrap_or(Interruption::Nothing) {
                Interruption::Nothing => {}
                Interruption::Stage => run.stage(),
                Interruption::Commit => run.commit(),
                Interruption::Abort => run.abort(),
                Interruption::Restart => {
                    run.stage = run.changelog.restore(&rules, &case.case.lead_key);
                    run.forget();
                }
            }
        }
        run.commit();
        run.commit();
        if let Some(at) = (0..told.len()).find(|at| run.outputs[at] != expected[*at]) {
            return Err(format!("step {at}:\n  interrupted: {}\n       plain: {}", run.outputs[&at], expected[at]));
        }
        let leads = (run.stage.engine.leads(), plain.engine.leads());
        plain.engine.commit();
        if leads.0 != plain.engine.leads() {
            return Err(format!("{leads:?} leads"));
        }
        (run.changelog.bytes() == at_once.bytes()).then_some(()).ok_or_else(|| {
            let (ours, theirs) = (run.changelog.stored(), at_once.stored());
            format!("interrupted: {ours:#?}\nplain: {theirs:#?}")
        })
    });
}

/// Goal: a restart in the middle of a minute tells of nothing again, and one between two minutes forgets nothing. Method: a
/// process for each event, and one for all.
#[test]
fn a_minute_that_was_told_of_is_known_after_a_restart() {
    let rules = compile(
        "version: 1\nsignals: { v: { on: page } }\n\
         rules: [ { id: r, when: { count: { signal: v, at_least: 1, within: 1d } } } ]\n",
    );
    let event = |ms: i64| {
        let time = crate::twin::time::text(1_795_341_600_000 + ms);
        Told::Line(format!(r#"{{"id":"e{ms}","time":"{time}","type":"page","lead":{{"user_id":"u1"}}}}"#))
    };
    #[rustfmt::skip]
    let rows = [
        (0,       "opened"),
        (1,       "updated"),
        (59_999,  ""),
        (60_000,  "updated"),
        (30_000,  ""),        // late: the clock stays
        (119_999, ""),
        (180_000, "updated"),
    ];
    let (mut changelog, mut plain) = (Changelog::default(), Stage::new(&rules, &["user_id"]));
    for (at, (ms, told)) in rows.into_iter().enumerate() {
        let mut stage = changelog.restore(&rules, &["user_id"]);
        for stage in [&mut stage, &mut plain] {
            let out = stage.step(&event(ms), at).expect("an event");
            let kinds: Vec<_> = out.alerts.iter().map(|alert| alert.kind.name()).collect();
            assert_eq!(kinds.join(" "), told, "at {ms} ms");
        }
        stage.engine.stage();
        changelog.write(&mut stage.engine);
    }
    let stored = changelog.stored();
    let updated = stored["u1"].episodes["r"].updated.expect("in this minute");
    assert_eq!(updated.as_millis(), 1_795_341_600_000 + 180_000);
}

/// A process as it goes: engine, changelog, and how far it is.
struct Run {
    stage: Stage,
    changelog: Changelog,
    outputs: BTreeMap<usize, String>,
    next: usize,
    committed: usize,
    /// What the next commit writes, and up to where.
    staged: Option<(Changelog, usize)>,
}

impl Run {
    fn new(stage: Stage, changelog: Changelog) -> Self {
        Self { stage, changelog, outputs: BTreeMap::new(), next: 0, committed: 0, staged: None }
    }

    fn step(&mut self, told: &[Told]) {
        let out = self.stage.step(&told[self.next], self.next);
        self.outputs.insert(self.next, format!("{out:?}"));
        self.next += 1;
    }

    fn stage(&mut self) {
        if self.staged.is_none() {
            self.stage.engine.stage();
            let mut changelog = self.changelog.clone();
            changelog.write(&mut self.stage.engine);
            self.staged = Some((changelog, self.next));
        }
    }

    fn commit(&mut self) {
        self.stage();
        if let Some((changelog, next)) = self.staged.take() {
            self.stage.engine.commit();
            (self.changelog, self.committed) = (changelog, next);
        }
    }

    fn abort(&mut self) {
        self.stage.engine.roll_back();
        self.forget();
    }

    fn forget(&mut self) {
        self.staged = None;
        self.next = self.committed;
    }
}
