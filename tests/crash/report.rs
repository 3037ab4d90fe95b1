//! What a run found, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Form;
use super::fleet::Seen;
use super::stream::Story;
use super::verdict::Difference;

pub struct Report {
    pub form: Form,
    /// The command that does the same again.
    pub again: String,
    /// Events that the test's own producer wrote twice.
    pub surplus: i64,
    pub seen: Seen,
    /// So many alerts of each kind there must be.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Against the twin.
    pub alerts: Difference,
    pub dead_letters: Difference,
    /// Byte for byte against a backtest of the captured topic: of the run with faults, and of one without.
    pub backtest: Difference,
    pub calm: Difference,
    /// Whether the dumps of both runs are the same; or why there is none.
    pub dumps: Result<Difference, String>,
    pub recoveries: BTreeMap<String, Vec<Duration>>,
    pub steps: Vec<(&'static str, Duration)>,
}

impl Report {
    /// What must not be, a line each.
    pub fn breaches(&self) -> Vec<&'static str> {
        let of_dumps = self.dumps.as_ref().is_ok_and(Difference::is_none);
        let compared = self.alerts.expected > 0 && self.dumps.as_ref().is_ok_and(|dumps| dumps.expected > 0);
        // One occurrence after the other updates nothing.
        let every_kind = self.form.story == Story::Memoryless || self.kinds.values().all(|count| *count > 0);
        let held = [
            (compared, "there were no alerts or no leads to compare"),
            (every_kind, "there were no alerts of some kind"),
            (self.form.faults.fences == 0 || self.seen.fenced > 0, "nobody was fenced, although an id was taken"),
            (self.alerts.is_none(), "alerts are missing, extra or repeated"),
            (self.dead_letters.is_none(), "dead letters are missing, extra or repeated"),
            (self.backtest.is_none(), "a backtest of the captured topic says otherwise"),
            (self.calm.is_none(), "a run without faults says otherwise"),
            (of_dumps, "the state differs from that of a run without faults"),
        ];
        held.into_iter().filter(|(holds, _)| !holds).map(|(_, breach)| breach).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Form { faults, .. } = &self.form;
        writeln!(f, "{:?}", self.form)?;
        writeln!(f, "again: {}", self.again)?;
        writeln!(f, "events: {}, and {} that the producer wrote twice", self.form.events, self.surplus)?;
        writeln!(
            f,
            "kills -9: {}, zombies: {} (beyond their transaction: {}), replaced: {}, joins and leaves: {}",
            faults.kills,
            faults.pauses + faults.long_pauses + faults.replacements,
            faults.long_pauses,
            faults.replacements,
            faults.resizes
        )?;
        writeln!(
            f,
            "broker: {} restarts, {} kills -9, {} pauses, {} times a transactional id taken",
            faults.broker_restarts, faults.broker_kills, faults.broker_pauses, faults.fences
        )?;
        let Seen { fenced, broken, outlived, aborted, lost } = self.seen;
        writeln!(
            f,
            "rounds aborted: {aborted}, partitions lost: {lost} times, ended by themselves: {fenced} fenced (75), \
             {broken} because of a transaction (70); zombies that lived on: {outlived}"
        )?;
        for (fault, spans) in &self.recoveries {
            let mut spans = spans.clone();
            spans.sort();
            let (middle, longest) = (spans[spans.len() / 2], spans[spans.len() - 1]);
            writeln!(f, "done with what was there at a {fault}: after {middle:.1?}, at most {longest:.1?}")?;
        }
        let kinds: Vec<_> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "alerts: {}", self.alerts)?;
        writeln!(f, "of these expected: {}", kinds.join(", "))?;
        writeln!(f, "dead letters: {}", self.dead_letters)?;
        writeln!(f, "alerts against a backtest: {}", self.backtest)?;
        writeln!(f, "alerts of a run without faults against it: {}", self.calm)?;
        match &self.dumps {
            Ok(difference) => writeln!(f, "state against that of a run without faults: {difference}")?,
            Err(reason) => writeln!(f, "state: not compared: {reason}")?,
        }
        for (step, took) in &self.steps {
            writeln!(f, "{step}: {took:.1?}")?;
        }
        for breach in self.breaches() {
            writeln!(f, "BREACH: {breach}")?;
        }
        Ok(())
    }
}
