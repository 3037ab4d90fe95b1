//! The librdkafka properties that every client of ours starts from.

use super::settings::Kafka;

impl Kafka {
    /// Brokers, what the file says, and where to find trusted certificates unless the file says that.
    ///
    /// The values may be secrets: for librdkafka only, never to be printed.
    pub fn client_properties(&self) -> Vec<(&str, &str)> {
        let mut properties = vec![
            // Our OpenSSL is built in and does not know where the system keeps its certificates.
            ("ssl.ca.location", "probe"),
            ("client.id", "hotlead"),
            // New partitions and leaders are seen within this time; 5 minutes otherwise.
            ("topic.metadata.refresh.interval.ms", "30000"),
            ("reconnect.backoff.max.ms", "2000"),
        ];
        for (name, value) in &self.properties {
            properties.retain(|(known, _)| known != name);
            properties.push((name, value.expose()));
        }
        properties
    }

    /// `host:port,host:port`.
    pub fn bootstrap(&self) -> String {
        self.brokers.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Secret;

    #[test]
    fn the_file_wins_over_our_defaults() {
        let location = ("ssl.ca.location".to_owned(), Secret::inline("/etc/ca.pem"));
        let kafka = Kafka { brokers: vec!["a:1".to_owned(), "b:2".to_owned()], properties: [location].into() };
        let properties = kafka.client_properties();
        let trust: Vec<_> = properties.iter().filter(|(name, _)| *name == "ssl.ca.location").collect();
        assert_eq!(trust, [&("ssl.ca.location", "/etc/ca.pem")]);
        assert_eq!(kafka.bootstrap(), "a:1,b:2");
    }
}
