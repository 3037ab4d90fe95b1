//! What the changelog holds: the states of leads by key and partition, and the names that they are written in.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::error::RDKafkaErrorCode;

use crate::cli::{exit, say};
use crate::codec::state::{self, NamesId, StateRecord};
use crate::config::settings::Settings;
use crate::core::ids::Partition;
use crate::core::names::Names;
use crate::core::stored::{self, Form, Stored};
use crate::core::time::Timestamp;
use crate::source::{Begin, ChangelogReader, Polled, ProbeFault, Reader, SourceError, progress};
use crate::telemetry::access::{Denied, Resource, Right};
use crate::telemetry::broker_log::BrokerLog;

/// Without a record for so long, it is said what is waited for.
const SAY: Duration = Duration::from_secs(3);

/// Without a record for so long it is given up. A process that was killed leaves a transaction open that the brokers end
/// after 10 s, of which they become aware within 10 s.
const GIVE_UP: Duration = Duration::from_secs(90);

/// Leads' states as the changelog has them, by key. One whose records had different keys may have a state in more than
/// one partition.
#[derive(Default)]
pub(super) struct Stock {
    pub(super) leads: BTreeMap<(String, Partition), Kept>,
    pub(super) names: HashMap<(Partition, NamesId), KeptNames>,
}

/// A state as it was written.
pub(super) struct Kept {
    pub(super) names: NamesId,
    form: Form,
    state: Vec<u8>,
    pub(super) written: Option<Timestamp>,
}

/// Names, and their record as it was written.
pub(super) struct KeptNames {
    names: Names,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Kept {
    /// The value of its record.
    pub(super) fn value(&self) -> Vec<u8> {
        [&state::head(self.names, self.form)[..], &self.state].concat()
    }
}

impl Stock {
    /// What can be seen now, of one lead or of all; or the exit code and the fault.
    pub(super) fn shown(settings: &Settings, only: Option<&str>) -> Result<Self, (u8, String)> {
        let topic = &settings.topics.state;
        let group = format!("{}.state", settings.group);
        let opened = Reader::open(&settings.kafka, &group, topic, Begin::Beginning).map_err(away)?;
        let missing = || (exit::UNAVAILABLE, format!("topic {topic} does not exist (`hotlead run` creates it)"));
        let mut reader = opened.ok_or_else(missing)?;
        let mut stock = Self::default();
        while !reader.at_end() {
            let Some(message) = reader.next(Duration::from_millis(100)).map_err(away)? else {
                continue;
            };
            let (partition, time) = (Partition(message.partition()), message.timestamp().to_millis());
            let record = (message.key().unwrap_or_default(), message.payload());
            let taken = stock.take(partition, time.map(Timestamp::from_millis), record, only);
            taken.map_err(|fault| (exit::SOFTWARE, format!("{topic}/{partition}@{}: {fault}", message.offset())))?;
        }
        Ok(stock)
    }

    /// All that was written till now: it waits for transactions that are open. Or the exit code and the fault.
    pub(super) fn written(settings: &Settings, partitions: i32) -> Result<Self, (u8, String)> {
        let topic = &settings.topics.state;
        let away = |error: SourceError| (exit::UNAVAILABLE, format!("topic {topic}: {error}"));
        let mut reader = ChangelogReader::new(&settings.kafka, topic, &BrokerLog::default()).map_err(away)?;
        for partition in (0..partitions).map(Partition) {
            let give_up = Instant::now() + GIVE_UP;
            while let Err(error) = reader.begin(partition) {
                if !matches!(error, SourceError::Away(_)) || Instant::now() > give_up {
                    return Err(away(error));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let mut stock = Self::default();
        let (mut came, mut newest, mut said) = (Vec::new(), Instant::now(), false);
        while let Some(open) = (0..partitions).map(Partition).find(|partition| !reader.is_done(*partition)) {
            came.clear();
            let batch = reader.take(100);
            for polled in batch.iter() {
                came.extend(progress(&polled));
                match polled {
                    Polled::Message(message) => {
                        newest = Instant::now();
                        let (partition, offset) = (message.partition(), message.offset());
                        let record = (message.key().unwrap_or_default(), message.value());
                        let taken = stock.take(partition, message.time(), record, None);
                        taken.map_err(|fault| (exit::SOFTWARE, format!("{topic}/{partition}@{offset}: {fault}")))?;
                    }
                    Polled::Fault(_, RDKafkaErrorCode::TopicAuthorizationFailed, _) => {
                        let denied = Denied { resource: Resource::Topic(topic), right: Right::Read };
                        return Err((exit::UNAVAILABLE, denied.to_string()));
                    }
                    Polled::Fault(..) => {}
                }
            }
            drop(batch);
            reader.note(&came);
            if newest.elapsed() > GIVE_UP {
                let what = format!("topic {topic}: partition {open} cannot be read to its end: is a transaction open?");
                return Err((exit::UNAVAILABLE, what));
            }
            if newest.elapsed() > SAY && !said {
                said = true;
                say::line(format_args!("waiting for what is still being written to {topic}/{open}"));
            }
        }
        Ok(stock)
    }

    fn take(
        &mut self,
        partition: Partition,
        written: Option<Timestamp>,
        (key, value): (&[u8], Option<&[u8]>),
        only: Option<&str>,
    ) -> Result<(), state::StateFault> {
        let wanted = |lead: &str| only.is_none_or(|only| only == lead);
        match state::read(key, value)? {
            StateRecord::Names(id, names) => {
                let (key, value) = (key.to_vec(), value.unwrap_or_default().to_vec());
                self.names.insert((partition, id), KeptNames { names: *names, key, value });
            }
            StateRecord::Lead { lead, names, state: (form, state) } if wanted(lead) => {
                let kept = Kept { names, form, state: state.to_vec(), written };
                self.leads.insert((lead.to_owned(), partition), kept);
            }
            StateRecord::Gone { lead } if wanted(lead) => {
                self.leads.remove(&(lead.to_owned(), partition));
            }
            StateRecord::Lead { .. } | StateRecord::Gone { .. } => {}
        }
        Ok(())
    }

    /// In words, or why not.
    pub(super) fn stored(&self, lead: &str, partition: Partition, kept: &Kept) -> Result<Stored, &'static str> {
        let found = self.names.get(&(partition, kept.names)).ok_or("its names are not on the changelog")?;
        let read = stored::read(lead, (kept.form, &kept.state), &found.names);
        read.map_err(|_| "this is no state that hotlead wrote")
    }
}

/// The exit code of a fault, and its text.
pub(super) fn away(fault: ProbeFault) -> (u8, String) {
    match fault {
        ProbeFault::Config(_) => (exit::CONFIG, fault.to_string()),
        _ => (exit::UNAVAILABLE, fault.to_string()),
    }
}
