//! How to reach Kafka, and the names of topics.

use std::collections::{BTreeMap, HashMap};

use super::keys::{KAFKA, TOPICS};
use super::librdkafka::unknown_property;
use super::read::Reader;
use super::secrets::{Reference, StandIn};
use super::{Kafka, Secret, Topics};
use crate::config::fault::quote;
use crate::config::view::{View, optional};

/// Properties that decide whether alerts come exactly once, or that have a key of their own here.
const OWNED: [&str; 17] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "request.required.acks",
    "transaction.timeout.ms",
    "transactional.id",
];

/// Properties whose value is a secret.
const SECRET: [&str; 6] = [
    "sasl.oauthbearer.client.secret",
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.assertion.private.key.passphrase",
];

impl Reader<'_> {
    pub(super) fn kafka(&mut self, view: &View<'_>) -> Option<Kafka> {
        let map = view.map(self.faults, &KAFKA)?;
        let brokers = map.get("brokers").map(|view| {
            let brokers: Vec<_> = view.list(self.faults, "brokers")?.iter().map(|view| self.broker(view)).collect();
            brokers.into_iter().collect::<Option<Vec<_>>>()
        });
        let properties = map.get("properties").map(|view| self.properties(&view));
        Some(Kafka { brokers: brokers??, properties: optional(properties)?.unwrap_or_default() })
    }

    fn broker(&mut self, view: &View<'_>) -> Option<String> {
        let text = view.as_text();
        let valid = text.and_then(|text| text.rsplit_once(':')).is_some_and(|(host, port)| {
            let plain = |c: char| c.is_alphanumeric() || "-._".contains(c);
            let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            let known = match bracketed {
                Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
                None => !host.is_empty() && host.chars().all(plain),
            };
            known && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !valid {
            view.must_be(self.faults, "host:port such as localhost:9092");
            return None;
        }
        text.map(str::to_owned)
    }

    fn properties(&mut self, view: &View<'_>) -> Option<BTreeMap<String, Secret>> {
        let mut properties = BTreeMap::new();
        let mut whole = true;
        for (entry, view) in view.entries(self.faults, "properties") {
            if let Some(message) = unknown_property(&entry.key) {
                self.faults.add(entry.place, &view.path, message);
                whole = false;
                continue;
            }
            match self.property(&entry.key, &view) {
                Ok(Some(value)) => {
                    properties.insert(entry.key.clone(), value);
                }
                Ok(None) => {}
                Err(()) => whole = false,
            }
        }
        whole.then_some(properties)
    }

    fn property(&mut self, name: &str, view: &View<'_>) -> Result<Option<Secret>, ()> {
        if OWNED.contains(&name) {
            let instead = match name {
                "bootstrap.servers" | "metadata.broker.list" => "; the key for it is kafka.brokers",
                "group.id" => "; the key for it is group",
                "group.instance.id" | "transactional.id" => "; it is made from group and instance",
                "auto.offset.reset" => "; the key for it is start",
                _ => "",
            };
            view.fault(self.faults, format!("hotlead sets this property itself{instead}"));
            return Err(());
        }
        if SECRET.contains(&name) {
            return self.secret(view, StandIn::Text);
        }
        let Some(scalar) = view.scalar() else {
            view.must_be(self.faults, "a text, a number, true or false");
            return Err(());
        };
        match view.as_text().and_then(Reference::parse) {
            Some(reference) => self.resolve(view, reference, StandIn::Text),
            None => Ok(Some(Secret::inline(scalar.raw.clone()))),
        }
    }

    pub(super) fn topics(&mut self, view: Option<&View<'_>>) -> Option<Topics> {
        let map = match view {
            Some(view) => Some(view.map(self.faults, &TOPICS)?),
            None => None,
        };
        let get = |key: &str| map.as_ref().and_then(|map| map.get(key));
        let prefix = match get("prefix") {
            Some(view) => self.topic(&view, "")?,
            None => String::new(),
        };
        let replication_factor = get("replication_factor").map(|view| {
            let factor = view.whole(self.faults, 1, 100)?;
            i32::try_from(factor).ok()
        });
        let mut seen: HashMap<String, &str> = HashMap::new();
        let mut name = |key: &'static str, default: &str| {
            let view = get(key);
            let name = match &view {
                Some(view) => self.topic(view, &prefix)?,
                None => format!("{prefix}{default}"),
            };
            if let Some(other) = seen.insert(name.clone(), key)
                && let Some(view) = view.or_else(|| get(other))
            {
                view.fault(self.faults, format!("the topics {other} and {key} must differ, both are {}", quote(&name)));
                return None;
            }
            Some(name)
        };
        let events = name("events", "engagement");
        let alerts = name("alerts", "hotlead.alerts");
        let dead_letter = name("dead_letter", "hotlead.dead-letter");
        let state = name("state", "hotlead.state");
        let feedback = name("feedback", "hotlead.feedback");
        let ops = name("ops", "hotlead.ops");
        let delivery = name("delivery", "hotlead.delivery");
        Some(Topics {
            events: events?,
            alerts: alerts?,
            dead_letter: dead_letter?,
            state: state?,
            feedback: feedback?,
            ops: ops?,
            delivery: delivery?,
            replication_factor: optional(replication_factor)?,
        })
    }

    /// A topic's name with the prefix in front: Kafka takes at most 249 characters of these.
    fn topic(&mut self, view: &View<'_>, prefix: &str) -> Option<String> {
        const LONGEST: usize = 200;
        let name = view.reference(self.faults)?;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(fits) || matches!(name, "." | "..") {
            view.must_be(self.faults, "a topic's name: letters, digits and ._- only, at most 200");
            return None;
        }
        Some(format!("{prefix}{name}"))
    }
}
