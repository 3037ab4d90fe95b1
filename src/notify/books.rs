//! What a sink took in and what became of it: the sums must agree at every moment.

use std::collections::BTreeMap;

use super::job::Ending;

/// Numbers since the process began, and of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts taken in: read from the alert topic, found parked in the ledger, or come back from the dead letters.
    pub consumed: u64,
    /// Alerts that went to another owner with their partition, without a terminal state.
    pub handed_back: u64,
    /// Alerts with a terminal state.
    pub ended: u64,
    /// Alerts that the ledger holds for later.
    pub parked: usize,
    /// Alerts in memory that are neither: being sent, recorded, or waiting for their turn.
    pub in_flight: usize,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Books {
    counts: Counts,
    endings: BTreeMap<Ending, u64>,
}

impl Books {
    /// All of it.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether every alert is in one place: the invariant.
    #[cfg(test)]
    pub fn agree(&self) -> bool {
        let Counts { consumed, handed_back, ended, parked, in_flight } = self.counts;
        ended == self.endings.values().sum::<u64>() && consumed == handed_back + ended + (parked + in_flight) as u64
    }

    pub(super) fn consumed(&mut self) {
        self.counts.consumed += 1;
        self.counts.in_flight += 1;
    }

    pub(super) fn restored(&mut self, alerts: usize) {
        self.counts.consumed += alerts as u64;
        self.counts.parked += alerts;
    }

    pub(super) fn parked(&mut self) {
        self.counts.in_flight -= 1;
        self.counts.parked += 1;
    }

    pub(super) fn ended(&mut self, ending: Ending, was_parked: bool) {
        *self.endings.entry(ending).or_default() += 1;
        self.counts.ended += 1;
        match was_parked {
            true => self.counts.parked -= 1,
            false => self.counts.in_flight -= 1,
        }
    }

    pub(super) fn handed_back(&mut self, alerts: usize, parked: usize) {
        self.counts.handed_back += alerts as u64;
        self.counts.parked -= parked;
        self.counts.in_flight -= alerts - parked;
    }
}
