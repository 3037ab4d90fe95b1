//! The names of librdkafka's properties: it is asked which there are, and the likely ones are listed for suggestions.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::config::suggest::did_you_mean;

/// What people set; of two names for one thing the usual one.
#[rustfmt::skip]
const USUAL: &[&str] = &[
    "allow.auto.create.topics", "batch.num.messages", "batch.size", "broker.address.family", "broker.address.ttl",
    "check.crcs", "client.dns.lookup", "client.id", "client.rack", "compression.level", "compression.type",
    "connections.max.idle.ms", "coordinator.query.interval.ms", "debug", "delivery.timeout.ms",
    "enable.ssl.certificate.verification", "fetch.error.backoff.ms", "fetch.max.bytes", "fetch.message.max.bytes",
    "fetch.min.bytes", "fetch.queue.backoff.ms", "fetch.wait.max.ms", "heartbeat.interval.ms", "https.ca.location",
    "linger.ms", "log.connection.close", "log_level", "max.partition.fetch.bytes", "max.poll.interval.ms",
    "message.copy.max.bytes", "message.max.bytes", "message.send.max.retries", "message.timeout.ms",
    "metadata.max.age.ms", "metadata.recovery.strategy", "queue.buffering.max.kbytes", "queue.buffering.max.messages",
    "queue.buffering.max.ms", "queued.max.messages.kbytes", "queued.min.messages", "receive.message.max.bytes",
    "reconnect.backoff.max.ms", "reconnect.backoff.ms", "request.timeout.ms", "retries", "retry.backoff.max.ms",
    "retry.backoff.ms", "sasl.kerberos.keytab", "sasl.kerberos.principal", "sasl.kerberos.service.name",
    "sasl.mechanism", "sasl.mechanisms", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config", "sasl.oauthbearer.extensions", "sasl.oauthbearer.method", "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url", "sasl.password", "sasl.username", "security.protocol", "session.timeout.ms",
    "socket.connection.setup.timeout.ms", "socket.keepalive.enable", "socket.nagle.disable",
    "socket.receive.buffer.bytes", "socket.send.buffer.bytes", "socket.timeout.ms", "ssl.ca.certificate.stores",
    "ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem", "ssl.cipher.suites",
    "ssl.crl.location", "ssl.curves.list", "ssl.endpoint.identification.algorithm", "ssl.key.location",
    "ssl.key.password", "ssl.key.pem", "ssl.keystore.location", "ssl.keystore.password", "ssl.providers",
    "ssl.sigalgs.list", "statistics.interval.ms", "topic.metadata.refresh.interval.ms",
];

/// Why a name is none of a property's; `None` if it is one.
pub(super) fn unknown_property(name: &str) -> Option<String> {
    let hint = || did_you_mean(name, USUAL.iter().copied());
    (!is_known(name)).then(|| format!("librdkafka has no such property{}", hint()))
}

/// Asks librdkafka, which contacts nobody for it.
fn is_known(name: &str) -> bool {
    let mut config = ClientConfig::new();
    // Quiet: a configuration that is thrown away has nothing to log.
    config.set_log_level(RDKafkaLogLevel::Emerg);
    config.set(name, "");
    match config.create_native_config() {
        Ok(_) => true,
        // Nothing is no value for many, but the name is good.
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_INVALID, ..)) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_suggested_is_a_property() {
        for name in USUAL {
            assert_eq!(unknown_property(name), None, "{name}");
        }
    }

    #[test]
    fn librdkafka_decides_what_a_name_is() {
        #[rustfmt::skip]
        let rows = [
            ("fetch.min.bytes",       None),
            ("queuing.strategy",      None), // known, though nobody is led to it
            ("group.protocol",        None),
            ("sasl.user",             Some("librdkafka has no such property; did you mean \"sasl.username\"?")),
            ("securty.protocol",      Some("librdkafka has no such property; did you mean \"security.protocol\"?")),
            ("bootstrap-servers",     Some("librdkafka has no such property")),
            ("",                      Some("librdkafka has no such property")),
            ("ssl.ca.location\0",     Some("librdkafka has no such property; did you mean \"ssl.ca.location\"?")),
        ];
        for (name, expected) in rows {
            assert_eq!(unknown_property(name).as_deref(), expected, "{name:?}");
        }
    }
}
