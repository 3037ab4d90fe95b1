//! What every Kafka client of the deliveries starts from.

use rdkafka::ClientConfig;

use crate::config::settings::Kafka;

/// Brokers, and the user's own properties.
pub fn client_config(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers.join(","));
    config.set("client.id", "hotlead");
    let encrypted = kafka.properties.get("security.protocol");
    if encrypted.is_some_and(|v| v.expose().to_ascii_lowercase().contains("ssl")) {
        config.set("ssl.ca.location", "probe"); // a vendored OpenSSL does not find the system's certificates itself
    }
    for (name, value) in &kafka.properties {
        config.set(name, value.expose());
    }
    config
}
