//! Writes a sink's ledger: what became of alerts, their dead letters and the offsets, in one transaction or not at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use rdkafka::{Offset as Position, TopicPartitionList};
use tokio::sync::mpsc;

use super::dead_letter::{DeadLetter, Incoming};
use super::destination::wall_clock;
use super::fence::{Fence, Proof};
use super::job::{Batch, Change, Ending, Fate, Write};
use super::kafka::client_config;
use super::redact::Redactor;
use crate::codec::ledger::{self, Ended, Entry, Parked, Redrive, SinkState};
use crate::config::settings::Kafka;
use crate::core::ids::Partition;
use crate::core::limits::MAX_SENT_RECORD;
use crate::core::time::Timestamp;
use crate::telemetry::access::{Denied, Resource, Right};

/// How long one call may block before we look whether to stop.
const CALL: Duration = Duration::from_secs(5);

/// How long a transaction may be open: after a crash, whoever takes over waits so long at the most.
const TRANSACTION: &str = "10000";

/// After a failure, until the next try.
const AGAIN: Duration = Duration::from_millis(200);

/// Between two looks at what is in flight.
const DRAIN_STEP: Duration = Duration::from_micros(50);

/// How long the last batch may take when the process stops.
const LAST: Duration = Duration::from_secs(6);

/// Between two lines of the log about the same trouble.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// What the ledger of a sink is written with.
pub struct Writing {
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// The sink's id.
    pub sink: String,
    /// The alert topic, whose offsets are committed.
    pub alerts: String,
    /// The ledger's topic.
    pub ledger: String,
    /// The dead-letter topic.
    pub dead_letters: String,
    /// Stable: a new process of the same name ends at once what the old one left open.
    pub transactional_id: String,
    /// A hash of the sink's address.
    pub endpoint: String,
    /// The ledger of the sink that stands in for it.
    pub fallback: Option<String>,
    /// Which partitions are ours.
    pub fence: Fence,
    /// Knows every secret.
    pub redactor: Arc<Redactor>,
    /// The process is to end.
    pub stop: Arc<AtomicBool>,
}

/// Notes the first record that was not taken.
#[derive(Default)]
struct Reports(Mutex<Option<RDKafkaErrorCode>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(code);
        }
    }
}

type Client = BaseProducer<Reports>;

/// Why a batch is not written. Nothing of it is visible.
enum Trouble {
    /// Abort and try again.
    Abort(String),
    /// Only a new producer can go on.
    Renew(String),
}

/// See the module's documentation.
pub struct Ledger {
    with: Writing,
    client: Option<Client>,
    said: Option<Instant>,
    stopped: Option<Instant>,
}

impl Ledger {
    /// A ledger that has no producer yet.
    pub fn new(with: Writing) -> Self {
        Self { with, client: None, said: None, stopped: None }
    }

    /// The life of the thread: writes batches until nobody gives any.
    pub fn run(mut self, batches: &Receiver<Batch<Incoming>>, written: &mpsc::UnboundedSender<Vec<Partition>>) {
        loop {
            match batches.recv_timeout(CALL) {
                Ok(batch) => {
                    let _ = written.send(self.insist(&batch)); // a worker that has ended asks no more
                }
                Err(RecvTimeoutError::Timeout) => {
                    // Lets callbacks speak.
                    self.client.iter().for_each(|client| client.poll(Duration::ZERO));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes a batch, or what of it is still ours, again and again; gives the partitions of which it is written.
    fn insist(&mut self, batch: &Batch<Incoming>) -> Vec<Partition> {
        let concerned = || batch.partitions.iter().map(|(partition, epoch, _)| (*partition, *epoch));
        while self.with.fence.any_ours(concerned()) {
            let trouble = match self.with.fence.ours(concerned()) {
                // A rebalance is under way: the next assignment or its loss ends it.
                None => None,
                Some((proof, ours)) => match self.try_once(batch, &proof, &ours) {
                    Ok(()) => return ours,
                    Err(trouble) => Some(trouble),
                },
            };
            if let Some(Trouble::Abort(text) | Trouble::Renew(text)) = &trouble {
                self.say(text);
            }
            if matches!(trouble, Some(Trouble::Renew(_))) {
                self.client = None;
            }
            if self.is_overdue() {
                tracing::warn!(sink = self.with.sink, "the ledger could not be written: some alerts may be sent again");
                break;
            }
            std::thread::sleep(AGAIN);
        }
        Vec::new()
    }

    fn is_overdue(&mut self) -> bool {
        let stopping = self.with.stop.load(Ordering::Relaxed);
        stopping && self.stopped.get_or_insert_with(Instant::now).elapsed() > LAST
    }

    fn say(&mut self, text: &str) {
        if self.said.is_none_or(|at| at.elapsed() > SAY_AGAIN) {
            self.said = Some(Instant::now());
            let (sink, text) = (&self.with.sink, self.with.redactor.redact(text));
            tracing::warn!(sink, "the ledger is not written yet, nothing new is sent meanwhile: {text}");
        }
    }

    fn try_once(&mut self, batch: &Batch<Incoming>, proof: &Proof, ours: &[Partition]) -> Result<(), Trouble> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.open()?,
        };
        let done = self.transaction(&client, batch, proof, ours);
        let kept = match &done {
            Err(Trouble::Abort(_)) => abort(&client),
            Err(Trouble::Renew(_)) => false,
            Ok(()) => true,
        };
        self.client = kept.then_some(client);
        done
    }

    fn open(&self) -> Result<Client, Trouble> {
        let mut config = client_config(&self.with.kafka);
        config
            .set("transactional.id", &self.with.transactional_id)
            .set("transaction.timeout.ms", TRANSACTION)
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .set("message.max.bytes", MAX_SENT_RECORD.to_string())
            .set("queue.buffering.max.kbytes", "65536");
        let broken = |error: KafkaError| Trouble::Renew(self.words(&error));
        let client: Client = config.create_with_context(Reports::default()).map_err(broken)?;
        client.init_transactions(CALL).map_err(broken)?;
        Ok(client)
    }

    fn transaction(
        &self,
        client: &Client,
        batch: &Batch<Incoming>,
        proof: &Proof,
        ours: &[Partition],
    ) -> Result<(), Trouble> {
        let trouble = |error: KafkaError| self.trouble(&error);
        client.begin_transaction().map_err(trouble)?;
        let reports = || client.context().0.lock().unwrap_or_else(PoisonError::into_inner);
        *reports() = None;
        for write in batch.writes.iter().filter(|write| ours.contains(&write.ticket.partition)) {
            self.record(client, write).map_err(trouble)?;
        }
        for note in batch.notes.iter().filter(|note| ours.contains(&note.partition)) {
            self.send(client, note.partition, &note.key, note.value.as_deref()).map_err(trouble)?;
        }
        if let Some(change) = &batch.change {
            let state = ledger::write(&Entry::Sink(self.state(change)));
            ours.iter().try_for_each(|p| self.send(client, *p, ledger::SINK, Some(&state))).map_err(trouble)?;
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, _, next) in batch.partitions.iter().filter(|(partition, ..)| ours.contains(partition)) {
            let next = Position::Offset(next.get());
            offsets.add_partition_offset(&self.with.alerts, partition.0, next).map_err(trouble)?;
        }
        // Also where nothing rises: the group refuses them from a member that lost its partitions, and all with them.
        insist(|| client.send_offsets_to_transaction(&offsets, proof, CALL)).map_err(trouble)?;
        let begun = Instant::now();
        while client.in_flight_count() > 0 {
            client.poll(Duration::ZERO);
            std::thread::sleep(DRAIN_STEP);
            if begun.elapsed() > CALL {
                return Err(Trouble::Abort("the brokers do not take its records".to_owned()));
            }
        }
        if let Some(code) = reports().take() {
            let denied = Denied { resource: Resource::Topic(&self.with.ledger), right: Right::Write };
            let text = match code {
                RDKafkaErrorCode::TopicAuthorizationFailed => denied.to_string(),
                code => format!("a record was not taken: {code}"),
            };
            return Err(Trouble::Abort(text));
        }
        insist(|| client.commit_transaction(CALL)).map_err(trouble)
    }

    /// The ledger's record of an alert, and its dead letter if it is given up.
    fn record(&self, client: &Client, write: &Write<Incoming>) -> KafkaResult<()> {
        if let Fate::Ended(Ending::GivenUp(reason)) = write.fate {
            let letter = DeadLetter::new(&self.with.sink, &self.with.alerts, write, reason, &self.with.redactor);
            let mut headers = OwnedHeaders::new_with_capacity(letter.headers.len());
            for (key, value) in &letter.headers {
                headers = headers.insert(Header { key, value: value.as_ref() });
            }
            let mut record = BaseRecord::<[u8], [u8]>::to(&self.with.dead_letters).headers(headers);
            record.key = letter.key.as_deref();
            record.payload = letter.value.as_deref();
            client.send(record).map_err(|(error, _)| error)?;
        }
        let key = ledger::key(write.record.id(), write.ticket.offset);
        let mut entry = entry(write, wall_clock());
        match &mut entry {
            Entry::Parked(parked) => parked.tries.detail = self.with.redactor.redact(&parked.tries.detail),
            Entry::Ended(ended) => ended.tries.detail = self.with.redactor.redact(&ended.tries.detail),
            _ => {}
        }
        let partition = write.ticket.partition;
        if write.tries.redrives > 0 {
            // From here on the alert's own record says what became of it.
            self.send(client, partition, &ledger::redrive_key(&key, write.tries.redrives), None)?;
        }
        if let Some(fallback) = self.with.fallback.as_ref().filter(|_| write.lend) {
            let (key, wish) = lent(&self.with.sink, write, wall_clock());
            self.send_to(client, fallback, partition, &key, Some(&ledger::write(&wish)))?;
        }
        self.send(client, partition, &key, Some(&ledger::write(&entry)))
    }

    fn state(&self, change: &Change) -> SinkState {
        let detail = self.with.redactor.redact(&change.detail);
        let Change { standing, since, failing, .. } = *change;
        SinkState { standing, since, endpoint: self.with.endpoint.clone(), detail, failing }
    }

    /// Without a value it is a tombstone.
    fn send(&self, client: &Client, partition: Partition, key: &[u8], value: Option<&[u8]>) -> KafkaResult<()> {
        self.send_to(client, &self.with.ledger, partition, key, value)
    }

    fn send_to(
        &self,
        client: &Client,
        topic: &str,
        Partition(partition): Partition,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> KafkaResult<()> {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition).key(key);
        record.payload = value;
        client.send(record).map_err(|(error, _)| error)
    }

    fn trouble(&self, error: &KafkaError) -> Trouble {
        let text = self.words(error);
        match error {
            KafkaError::Transaction(inner) if inner.is_fatal() => Trouble::Renew(text),
            KafkaError::Transaction(inner) if inner.txn_requires_abort() || inner.is_retriable() => {
                Trouble::Abort(text)
            }
            KafkaError::MessageProduction(_) => Trouble::Abort(text),
            _ => Trouble::Renew(text),
        }
    }

    fn words(&self, error: &KafkaError) -> String {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed) => {
                let resource = Resource::TransactionalId(&self.with.transactional_id);
                Denied { resource, right: Right::Write }.to_string()
            }
            _ => error.to_string(),
        }
    }
}

/// What an alert's record says. The redaction of its detail is the writer's.
pub fn entry(write: &Write<Incoming>, at: Timestamp) -> Entry {
    let (offset, tries) = (write.ticket.offset.0, write.tries.clone());
    match write.fate {
        Fate::Parked { next_at } => {
            Entry::Parked(Parked { offset, time: write.time, next_at, tries, alert: write.record.as_ref().into() })
        }
        Fate::Ended(ending) => {
            let reason = ending.reason().map(|reason| reason.name().to_owned());
            let into = write.into.as_deref().map(str::to_owned);
            Entry::Ended(Ended { offset, at, outcome: ending.outcome(), reason, into, tries })
        }
    }
}

/// What the fallback's ledger is told of an alert that it gets in place of `sink`: a key, and a wish like that for a dead
/// letter. Its first time counts as 1 there, so that whoever else lends it the same alert does so in vain.
pub fn lent(sink: &str, write: &Write<Incoming>, asked: Timestamp) -> (Vec<u8>, Entry) {
    const FIRST: u32 = 1;
    let mut record = write.record.as_ref().clone();
    if record.instead_of().is_none() {
        record.headers.push((ledger::INSTEAD_OF.to_owned(), Some(sink.as_bytes().to_vec())));
    }
    let key = ledger::redrive_key(&ledger::key(record.id(), write.ticket.offset), FIRST);
    let (offset, time, alert) = (write.ticket.offset.0, write.time, (&record).into());
    (key, Entry::Redrive(Redrive { offset, time, asked, redrives: FIRST, alert }))
}

/// A call again and again while its error says that this may help.
fn insist(call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    let begun = Instant::now();
    loop {
        match call() {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && !error.txn_requires_abort() && begun.elapsed() < CALL =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// Ends a transaction without a trace; false if only a new producer can.
fn abort(client: &Client) -> bool {
    client.purge(PurgeConfig::default().queue().inflight());
    let begun = Instant::now();
    while client.in_flight_count() > 0 && begun.elapsed() < CALL {
        client.poll(Duration::from_millis(1));
    }
    insist(|| client.abort_transaction(CALL)).is_ok()
}
