//! Before the first record: brokers answer, topics are there, and we know whether the group is new.

use std::time::Duration;

use super::{Mode, RunError, Stop};
use crate::config::settings::Settings;
use crate::core::time::Span;
use crate::sink::{Missing, TopicFault, TopicSpec, create, instructions, made_anew, retention};
use crate::source::{Known, Probe, ProbeFault};
use crate::telemetry::access::Right;
use crate::telemetry::events::{BrokersAway, RetentionShort, TopicCreated};

/// How long one question may take: as long as a signal may have to wait.
const ASK: Duration = Duration::from_secs(5);

/// Between two tries: doubled up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Asks until it knows; `None` if it was told to stop meanwhile.
pub(super) fn prepare(settings: &Settings, mode: Mode, probe: &Probe, stop: &Stop) -> Result<Option<Known>, RunError> {
    let mut retry = FIRST_RETRY;
    while !stop.is_told() {
        match try_once(settings, mode, probe) {
            Ok(known) => return Ok(Some(known)),
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Away(reason)) => {
                BrokersAway { reason: &reason, retry_after: retry }.tell();
                stop.wait(retry);
                retry = (retry * 2).min(LONGEST_RETRY);
            }
        }
    }
    Ok(None)
}

enum Trouble {
    Away(String),
    Final(RunError),
}

impl From<ProbeFault> for Trouble {
    fn from(fault: ProbeFault) -> Self {
        match fault {
            ProbeFault::Away(text) => Self::Away(text),
            fault => Self::Final(RunError::of_probe(fault)),
        }
    }
}

fn try_once(settings: &Settings, mode: Mode, probe: &Probe) -> Result<Known, Trouble> {
    let events = &settings.topics.events;
    let partitions = probe.partitions(events, Right::Read, ASK)?;
    let partitions = partitions.ok_or_else(|| Trouble::Final(no_events_topic(settings)))?;
    let mut missing = Vec::new();
    for spec in TopicSpec::of_detection(&settings.topics, partitions) {
        if probe.partitions(&spec.name, Right::Write, ASK)?.is_none() {
            missing.push(spec);
        }
    }
    if mode == Mode::Transactional {
        for spec in TopicSpec::of_state(&settings.topics, partitions) {
            let right = if spec.name == settings.topics.feedback { Right::Read } else { Right::Write };
            match probe.partitions(&spec.name, right, ASK)? {
                None => missing.push(spec),
                Some(count) if count == partitions => {}
                Some(count) => return Err(Trouble::Final(other_partitions(settings, partitions, &spec.name, count))),
            }
        }
    }
    missing.extend(missing_ledgers(settings, probe, partitions)?);
    if !missing.is_empty() {
        create_topics(settings, missing)?;
    }
    if mode == Mode::Transactional {
        warn_of_retention(settings)?;
    }
    Ok(Known { new_group: !probe.has_committed(events, partitions, ASK)?, partitions })
}

/// Says which sinks may need alerts for longer than their topic keeps them: during an outage they would expire unsent.
fn warn_of_retention(settings: &Settings) -> Result<(), Trouble> {
    let Some(longest) = settings.sinks.iter().max_by_key(|sink| sink.max_age) else {
        return Ok(());
    };
    let topic = &settings.topics.alerts;
    let kept = retention(&settings.kafka, topic).map_err(Trouble::Away)?;
    let needed = Span::from_millis(i64::try_from(longest.max_age.as_millis()).unwrap_or(i64::MAX));
    if let Some(kept) = kept.filter(|kept| *kept < needed) {
        let sink = longest.id.as_str();
        RetentionShort { topic, kept, sink, needed }.tell();
    }
    Ok(())
}

/// The sinks' ledgers that are not there. They have as many partitions as the alerts, or more.
fn missing_ledgers(settings: &Settings, probe: &Probe, partitions: i32) -> Result<Vec<TopicSpec>, Trouble> {
    let mut missing = Vec::new();
    if settings.sinks.is_empty() {
        return Ok(missing);
    }
    let alerts = probe.partitions(&settings.topics.alerts, Right::Read, ASK)?.unwrap_or(partitions);
    for spec in TopicSpec::of_delivery(&settings.topics, settings.sinks.iter().map(|sink| sink.id.as_str()), alerts) {
        match probe.partitions(&spec.name, Right::Write, ASK)? {
            None => missing.push(spec),
            Some(count) if count >= alerts => {}
            Some(count) => {
                let (topic, name) = (&settings.topics.alerts, &spec.name);
                return Err(Trouble::Final(RunError::Unreachable(format!(
                    "topic {topic} has {alerts} partitions and {name} only {count}: give it as many:\n    {}",
                    spec.grow_command(&settings.kafka.bootstrap())
                ))));
            }
        }
    }
    Ok(missing)
}

fn create_topics(settings: &Settings, missing: Vec<TopicSpec>) -> Result<(), Trouble> {
    let created = missing.clone();
    match create(&settings.kafka, missing) {
        Ok(()) => {
            for TopicSpec { name, partitions, .. } in created {
                let topic = name.as_str();
                TopicCreated { topic, partitions }.tell();
            }
            Ok(())
        }
        Err(TopicFault::Away(text)) => Err(Trouble::Away(text)),
        Err(TopicFault::Missing(missing)) => {
            let text = instructions(&settings.kafka.bootstrap(), &missing);
            Err(Trouble::Final(RunError::Unreachable(text)))
        }
    }
}

/// What was written down of leads is gone, and what is in memory goes with this process.
pub(super) fn changelog_deleted(settings: &Settings) -> RunError {
    RunError::Unreachable(format!(
        "topic {} was deleted while group {} runs: the state of its leads was deleted. Bring the topic back, or let every \
         lead start anew: hotlead run --fresh-state",
        settings.topics.state, settings.group
    ))
}

/// State lies in the partition numbers of the events; with another count leads are found elsewhere.
pub(super) fn other_partitions(settings: &Settings, partitions: i32, topic: &str, count: i32) -> RunError {
    if partitions < count {
        return RunError::Unreachable(made_anew(settings, partitions, topic, count));
    }
    RunError::Unreachable(format!(
        "topic {} has {partitions} partitions and {topic} has {count}: leads would not find their state. Stop every \
         instance of group {} and move it: hotlead state move --config FILE",
        settings.topics.events, settings.group
    ))
}

/// The events topic is the user's: its partition count is a decision that we do not take.
fn no_events_topic(settings: &Settings) -> RunError {
    let missing = Missing {
        spec: TopicSpec {
            name: settings.topics.events.clone(),
            partitions: 4,
            replication_factor: settings.topics.replication_factor,
            config: Vec::new(),
        },
        reason: "events are read from it and hotlead does not create it (topics.events names it)".to_owned(),
    };
    RunError::Unreachable(instructions(&settings.kafka.bootstrap(), &[missing]))
}
