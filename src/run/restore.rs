//! Brings leads' state back from the changelog when a partition is taken over, while everything else goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{RunError, now_ms};
use crate::codec::state::{self, NamesId, StateRecord};
use crate::config::settings::Settings;
use crate::core::engine::Engine;
use crate::core::ids::{Offset, Origin, Partition};
use crate::core::names::{FreshCount, Translation};
use crate::core::rule::RuleSet;
use crate::core::time::{Day, Timestamp};
use crate::source::{ChangelogReader, Message, Polled, Resolution, SourceError, progress};
use crate::telemetry::Metrics;
use crate::telemetry::broker_log::BrokerLog;
use crate::telemetry::events::{CountBegun, Restored, Restoring};

/// The longest that one look at the changelog may take: rebalances and other partitions wait so long.
const LOOK: Duration = Duration::from_millis(20);

/// Between two lines that say how far it is.
const TELL: Duration = Duration::from_secs(1);

/// Partitions whose state is being read.
pub(super) struct Restore {
    reader: ChangelogReader,
    topic: String,
    parts: BTreeMap<Partition, Part>,
    told: Instant,
    /// Counts that start anew and were told: once is enough for all partitions.
    begun: BTreeSet<FreshCount>,
    metrics: Metrics,
}

struct Part {
    begin: Resolution,
    engine: Engine,
    translations: BTreeMap<NamesId, Translation>,
    records: u64,
    all: i64,
    started: Instant,
}

/// A partition whose state is that of its committed offset.
pub(super) struct Done {
    pub(super) partition: Partition,
    pub(super) begin: Resolution,
    pub(super) engine: Engine,
    /// Whether the changelog has the engine's names.
    pub(super) named: bool,
    pub(super) took: Duration,
}

impl Restore {
    pub(super) fn new(settings: &Settings, log: &BrokerLog, metrics: &Metrics) -> Result<Self, SourceError> {
        let topic = settings.topics.state.clone();
        let reader = ChangelogReader::new(&settings.kafka, &topic, log)?;
        Ok(Self {
            reader,
            topic,
            parts: BTreeMap::new(),
            told: Instant::now(),
            begun: BTreeSet::new(),
            metrics: metrics.clone(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = Partition> {
        self.parts.keys().copied()
    }

    /// Begins a partition. Its committed offset is known, so all state up to it is on the changelog.
    pub(super) fn begin(
        &mut self,
        rules: &Arc<RuleSet>,
        events: &str,
        (partition, begin): (Partition, Resolution),
    ) -> Result<(), SourceError> {
        self.reader.begin(partition)?;
        let origin = Origin::Topic { topic: events.into(), partition };
        let engine = Engine::new(Arc::clone(rules), origin);
        let (all, started) = (self.reader.left(partition), Instant::now());
        self.parts.insert(partition, Part { begin, engine, translations: BTreeMap::new(), records: 0, all, started });
        Ok(())
    }

    /// Whether the changelog of a partition that we begin has nothing at all.
    pub(super) fn finds_nothing(&self, partition: Partition) -> bool {
        self.parts.get(&partition).is_some_and(|part| part.all == 0)
    }

    /// Forgets partitions that are ours no longer.
    pub(super) fn drop(&mut self, partitions: &[Partition]) -> Result<(), SourceError> {
        for partition in partitions {
            if self.parts.remove(partition).is_some() {
                self.metrics.set_restore_left(*partition, None);
                self.reader.end(*partition)?;
            }
        }
        Ok(())
    }

    /// Reads on for a moment; answers with the partitions that are done.
    pub(super) fn look(&mut self) -> Result<Vec<Done>, RunError> {
        let until = Instant::now() + LOOK;
        let mut came = Vec::new();
        while Instant::now() < until && self.parts.keys().any(|partition| !self.reader.is_done(*partition)) {
            came.clear();
            let batch = self.reader.take(0);
            let wait = batch.is_empty();
            for polled in batch.iter() {
                came.extend(progress(&polled));
                if let Polled::Message(message) = polled
                    && let Some(part) = self.parts.get_mut(&message.partition())
                {
                    part.take(message).map_err(|fault| {
                        let (topic, partition, offset) = (&self.topic, message.partition(), message.offset());
                        RunError::Broken(format!("{topic}/{partition}@{offset}: {fault}"))
                    })?;
                }
            }
            drop(batch);
            self.reader.note(&came);
            if wait {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.tell();
        let ready: Vec<_> = self.partitions().filter(|partition| self.reader.is_done(*partition)).collect();
        let mut done = Vec::with_capacity(ready.len());
        for partition in ready {
            let broken = |error: SourceError| RunError::Broken(error.to_string());
            self.reader.end(partition).map_err(broken)?;
            let Some(Part { begin, engine, translations, records, started, .. }) = self.parts.remove(&partition) else {
                continue;
            };
            self.metrics.set_restore_left(partition, None);
            let named = translations.contains_key(&state::names(engine.names()).0);
            if !translations.is_empty() {
                for count in Translation::fresh(translations.values(), engine.rules()) {
                    if self.begun.insert(count.clone()) {
                        CountBegun(&count).tell();
                    }
                }
            }
            let took = started.elapsed();
            Restored { partition, records, leads: engine.leads(), took }.tell();
            done.push(Done { partition, begin, engine, named, took });
        }
        Ok(done)
    }

    fn tell(&mut self) {
        for partition in self.parts.keys() {
            self.metrics.set_restore_left(*partition, Some(self.reader.left(*partition)));
        }
        if self.told.elapsed() < TELL {
            return;
        }
        self.told = Instant::now();
        for (partition, part) in &self.parts {
            let (left, took) = (self.reader.left(*partition), part.started.elapsed());
            Restoring { partition: *partition, done: part.all - left, all: part.all, took }.tell();
        }
    }
}

impl Part {
    fn take(&mut self, message: Message<'_>) -> Result<(), String> {
        let key = message.key().unwrap_or_default();
        let written = message.time().unwrap_or_else(|| Timestamp::from_millis(now_ms()));
        self.engine.set_day(Day::of(written));
        let unreadable = |_| "this is no state that hotlead wrote".to_owned();
        match state::read(key, message.value()).map_err(|fault| fault.to_string())? {
            StateRecord::Names(id, names) => {
                self.translations.entry(id).or_insert_with(|| self.engine.translation(*names));
            }
            StateRecord::Gone { lead } => self.engine.forget(lead),
            StateRecord::Lead { lead, names, state } => {
                let translation = self.translations.get_mut(&names);
                let translation = translation.ok_or("the names that this state is written in are not there")?;
                self.engine.restore(lead, state, translation).map_err(unreadable)?;
            }
        }
        self.records += 1;
        Ok(())
    }
}

/// What to do when a group that knows no offsets has state.
pub(super) fn group_is_gone(settings: &Settings, partition: Partition, leads: usize) -> RunError {
    let (state, events, group) = (&settings.topics.state, &settings.topics.events, &settings.group);
    RunError::Unreachable(format!(
        "group {group} has no committed offsets, but {state}/{partition} has the state of {leads} leads: the offsets \
         expired, or the group was deleted. Where to go on in {events} is yours to say: set the group's offsets to where \
         it stopped (kafka-consumer-groups.sh --group {group} --topic {events} --reset-offsets … --execute), or delete \
         {state} to let every lead start anew"
    ))
}

/// What to do when a group that has read records has no state.
pub(super) fn state_is_gone(settings: &Settings, partition: Partition, offset: Offset) -> RunError {
    let (state, events) = (&settings.topics.state, &settings.topics.events);
    RunError::Unreachable(format!(
        "{state}/{partition} is empty, but group {} has read {events}/{partition} up to {offset}: the state of its leads \
         was deleted. Bring the topic back, or let every lead start anew: hotlead run --fresh-state",
        settings.group
    ))
}
