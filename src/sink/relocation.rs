//! Moves the state of leads to the partition numbers of an events topic that has grown.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::config::settings::Kafka;
use crate::core::ids::Partition;

/// How long one call may take.
const WAIT: Duration = Duration::from_secs(60);

/// A record that has to be written for a lead to be found elsewhere; no value ends what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocated<'a> {
    /// Where to.
    pub partition: Partition,
    /// The record's key.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// Where Java's default partitioner, and librdkafka's `murmur2_random`, put a key.
///
/// ```
/// use hotlead::core::ids::Partition;
/// use hotlead::sink::partition_of;
/// assert_eq!(partition_of(b"u1", 4), Partition(0));
/// ```
pub fn partition_of(key: &[u8], partitions: i32) -> Partition {
    Partition((murmur2(key) & 0x7fff_ffff) as i32 % partitions.max(1))
}

/// As in Kafka's `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let (words, rest) = key.as_chunks::<4>();
    let mut hash = 0x9747_b28c ^ key.len() as u32;
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Gives a topic so many partitions; one that has them already is fine. Blocks.
///
/// # Errors
/// One line: what the brokers said.
pub fn grow(kafka: &Kafka, topic: &str, partitions: i32) -> Result<(), String> {
    let admin: AdminClient<DefaultClientContext> = config(kafka).create().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let options = AdminOptions::new().request_timeout(Some(WAIT)).operation_timeout(Some(WAIT));
    let wanted = NewPartitions::new(topic, usize::try_from(partitions).unwrap_or(1));
    let grown = runtime.block_on(admin.create_partitions([&wanted], &options)).map_err(|error| error.to_string())?;
    match grown.into_iter().next() {
        Some(Err((_, code))) if code != RDKafkaErrorCode::InvalidPartitions => Err(format!("topic {topic}: {code}")),
        _ => Ok(()),
    }
}

/// Writes all records to a topic, or none. Blocks.
///
/// # Errors
/// One line: what the brokers said.
pub fn write<'a>(
    kafka: &Kafka,
    topic: &str,
    id: &str,
    records: impl Iterator<Item = Relocated<'a>>,
) -> Result<(), String> {
    let mut config = config(kafka);
    config.set("transactional.id", id).set("transaction.timeout.ms", "900000").set("compression.type", "lz4");
    let producer: BaseProducer = config.create().map_err(|error| error.to_string())?;
    let say = |error: KafkaError| format!("topic {topic}: {error}");
    producer.init_transactions(WAIT).map_err(say)?;
    producer.begin_transaction().map_err(say)?;
    for Relocated { partition, key, value } in records {
        loop {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(partition.0).key(key);
            record.payload = value;
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => return Err(say(error)),
            }
        }
    }
    producer.flush(WAIT).map_err(say)?;
    producer.commit_transaction(WAIT).map_err(say)
}

fn config(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    for (name, value) in kafka.client_properties() {
        config.set(name, value);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own test, `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        #[rustfmt::skip]
        let rows = [
            ("21",                   -973932308),
            ("foobar",               -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            ("abc",                  479470107),
        ];
        for (key, expected) in rows {
            assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key}");
        }
    }
}
