//! Which faults happen when: made from the seed before the run begins.

use std::collections::VecDeque;
use std::fmt;

use super::stream::Random;

/// What goes wrong. Spans are milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `kill -9` of an instance, which is started again.
    Kill { back_after: i64 },
    /// An instance stands still, for longer than its session lasts and maybe than its transaction may be open; then it
    /// goes on, as a zombie.
    Pause { span: i64 },
    /// An instance stands still, another process of its name takes over, the old one goes on: it has to end, fenced.
    Replace { span: i64 },
    /// An instance joins, or the one that did leaves.
    Resize,
    /// The broker ends and is started again.
    BrokerRestart { kill: bool },
    /// The broker stands still.
    BrokerPause { span: i64 },
    /// Someone else takes an instance's transactional id: its open transaction is aborted, the next one is refused.
    Fence,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill { .. } => "kill -9",
            Self::Pause { .. } => "pause",
            Self::Replace { .. } => "replace",
            Self::Resize => "join or leave",
            Self::BrokerRestart { kill: false } => "broker restart",
            Self::BrokerRestart { kill: true } => "broker kill -9",
            Self::BrokerPause { .. } => "broker pause",
            Self::Fence => "transactional id taken",
        })
    }
}

/// How many of each.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counts {
    pub kills: usize,
    /// Beyond the session.
    pub pauses: usize,
    /// Beyond the transaction's timeout of 10 s.
    pub long_pauses: usize,
    pub replacements: usize,
    pub resizes: usize,
    pub broker_restarts: usize,
    pub broker_kills: usize,
    pub broker_pauses: usize,
    pub fences: usize,
}

/// A fault, after so many events were produced; `chance` chooses among the instances that can take it.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    pub after: u64,
    pub fault: Fault,
    pub chance: u64,
}

/// All faults of a run over so many events, evenly spread, at random moments.
pub fn plan(seed: u64, events: u64, counts: &Counts) -> VecDeque<Planned> {
    let mut random = Random(seed ^ 0xFA17);
    let mut faults = Vec::new();
    let mut add = |times: usize, make: &mut dyn FnMut(&mut Random) -> Fault| {
        for _ in 0..times {
            faults.push(make(&mut random));
        }
    };
    add(counts.kills, &mut |random| Fault::Kill { back_after: random.between(0, 2_000) });
    add(counts.pauses, &mut |random| Fault::Pause { span: random.between(3_500, 6_000) });
    add(counts.long_pauses, &mut |random| Fault::Pause { span: random.between(11_000, 13_000) });
    add(counts.replacements, &mut |random| Fault::Replace { span: random.between(500, 5_000) });
    add(counts.resizes, &mut |_| Fault::Resize);
    add(counts.broker_restarts, &mut |_| Fault::BrokerRestart { kill: false });
    add(counts.broker_kills, &mut |_| Fault::BrokerRestart { kill: true });
    add(counts.broker_pauses, &mut |random| Fault::BrokerPause { span: random.between(500, 2_500) });
    add(counts.fences, &mut |_| Fault::Fence);
    for at in (1..faults.len()).rev() {
        faults.swap(at, random.below(at as u64 + 1) as usize);
    }
    // The first events come in peace, and the last fault has events after it.
    let share = events / (faults.len() as u64 + 2);
    let timed = faults.into_iter().enumerate().map(|(number, fault)| Planned {
        after: share * (number as u64 + 1) + random.below(share.max(1)),
        fault,
        chance: random.below(1 << 32),
    });
    timed.collect()
}

mod tests {
    use super::*;

    #[test]
    fn a_plan_is_the_same_for_the_same_seed_and_holds_what_was_asked_for() {
        let counts = Counts { kills: 5, pauses: 1, resizes: 2, ..Counts::default() };
        let made = |seed| format!("{:?}", plan(seed, 1_000, &counts));
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        let planned = plan(1, 1_000, &counts);
        assert_eq!(planned.len(), 8);
        assert_eq!(planned.iter().filter(|planned| matches!(planned.fault, Fault::Kill { .. })).count(), 5);
        assert!(planned.iter().zip(planned.iter().skip(1)).all(|(a, b)| a.after <= b.after));
        assert!(planned.iter().all(|planned| (100..900).contains(&planned.after)));
    }
}
