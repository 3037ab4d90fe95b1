//! Where a partition begins: at its committed offset, or where the configuration says if it has none.

use std::time::Duration;

use crate::config::settings::Start;
use crate::core::ids::{Offset, Partition};

use super::consumer::Member;
use super::error::SourceError;

/// Where to begin, and whether the group knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// At the committed offset.
    Committed(Offset),
    /// At an offset that has to be committed: otherwise a restart before the first record would begin anew.
    Fresh(Offset),
}

impl Resolution {
    /// The offset to read first.
    pub fn offset(self) -> Offset {
        match self {
            Self::Committed(offset) | Self::Fresh(offset) => offset,
        }
    }
}

/// What the group knew of the topic when this process started.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// No partition had a committed offset: the group is new.
    pub new_group: bool,
    /// Partitions of the topic.
    pub partitions: i32,
}

/// The rule for a partition without committed offset: `start:` holds for a new group; a partition that the topic grew
/// later is read from its beginning, or what was written before we saw it would be skipped.
pub fn policy(start: Start, known: Known, partition: Partition) -> Start {
    if known.new_group && partition.0 < known.partitions { start } else { Start::Earliest }
}

impl Member {
    /// Where to begin in each of the partitions; `now_ms` is the wall clock in Unix milliseconds, `wait` how
    /// long an answer may take.
    ///
    /// # Errors
    /// [`SourceError::Away`]: ask again.
    pub fn resolve(
        &self,
        partitions: &[Partition],
        start: Start,
        known: Known,
        (now_ms, wait): (i64, Duration),
    ) -> Result<Vec<(Partition, Resolution)>, SourceError> {
        let committed = self.committed(partitions, wait)?;
        let resolve = |(partition, committed)| {
            let resolution = match committed {
                Some(offset) => Resolution::Committed(offset),
                None => {
                    let start = policy(start, known, partition);
                    Resolution::Fresh(self.fresh(partition, start, now_ms)?)
                }
            };
            Ok((partition, resolution))
        };
        committed.into_iter().map(resolve).collect()
    }

    fn fresh(&self, partition: Partition, start: Start, now_ms: i64) -> Result<Offset, SourceError> {
        let (first, end) = self.ends(partition)?;
        Ok(match start {
            Start::Earliest => first,
            Start::Latest => end,
            Start::Age(age) => {
                let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                let since_ms = now_ms.saturating_sub(age_ms).max(0);
                self.first_since(partition, since_ms)?.unwrap_or(end)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_holds_for_a_new_group_and_its_first_partitions_only() {
        #[rustfmt::skip]
        let rows = [
            // new group, known, partition, begins at
            (true,  4, 3, Start::Latest,   "a new group"),
            (true,  4, 4, Start::Earliest, "grown since the start of the process"),
            (false, 4, 3, Start::Earliest, "grown while no process ran"),
        ];
        for (new_group, partitions, partition, expected, why) in rows {
            let known = Known { new_group, partitions };
            assert_eq!(policy(Start::Latest, known, Partition(partition)), expected, "{why}");
        }
    }
}
