//! hotlead.yaml: text in, checked settings or every fault out.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::{CONFIG_FILE, HTTP, KAFKA, LOG, LOG_FORMATS, TOPICS};
use super::secrets::{Reference, Surroundings};
use super::{Kafka, LogFormat, Secret, Settings, Start, Topics};
use crate::config::fault::{Faults, quote};
use crate::config::rules::is_version;
use crate::config::suggest::nearest_field;
use crate::config::tree::{self, Node};
use crate::config::view::{Map, View, optional};
use crate::core::event::FieldPath;
use crate::core::time::Span;

const DEFAULT_GROUP: &str = "hotlead";
const DEFAULT_WORKERS: usize = 2;
const DEFAULT_COMMIT_INTERVAL: Duration = Duration::from_millis(200);
const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

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
const SECRET: [&str; 7] = [
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.assertion.private.key.passphrase",
];

/// Reads a config file that was typed so. Without a fault there are settings, perhaps with warnings.
pub fn read(
    path_as_typed: &str,
    text: &str,
    around: &Surroundings<'_>,
) -> (Option<Settings>, Faults) {
    let mut faults = Faults::new(path_as_typed);
    let settings = tree::parse(text, &mut faults)
        .and_then(|root| read_tree(&root, Path::new(path_as_typed), around, &mut faults));
    faults.sort();
    let settings = settings.filter(|_| !faults.is_fatal());
    (settings, faults)
}

/// Reads a tree that was parsed from the file.
pub(in crate::config) fn read_tree(
    root: &Node,
    file: &Path,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Settings> {
    if !is_version(root, faults) {
        return None;
    }
    let map = View::top(root).map(faults, &CONFIG_FILE)?;
    let mut reader = Reader { faults, around };
    let kafka = map.get("kafka").map(|view| reader.kafka(&view));
    let group = map.get("group").map(|view| reader.name(&view));
    let instance = reader.instance(&map);
    let start = map.get("start").map(|view| reader.start(&view));
    let topics = reader.topics(map.get("topics").as_ref());
    let rules = map.get("rules").map(|view| view.text(reader.faults));
    let lead_key = map.get("lead_key").map(|view| reader.lead_key(&view));
    let commit_interval = map
        .get("commit_interval")
        .map(|view| reader.span(&view, 1, 60_000));
    let workers = map.get("workers").map(|view| {
        let workers = view.whole(reader.faults, 1, 256)?;
        usize::try_from(workers).ok()
    });
    let sinks = map.get("sinks").map(|view| reader.sinks(&view));
    let http = map.get("http").map(|view| reader.http(&view));
    let log = map.get("log").map(|view| reader.log(&view));
    Some(Settings {
        kafka: kafka??,
        group: optional(group)?.unwrap_or_else(|| DEFAULT_GROUP.into()),
        instance: instance?,
        start: optional(start)?.unwrap_or(Start::Latest),
        topics: topics?,
        rules: beside(file, rules??),
        lead_key: optional(lead_key)?
            .unwrap_or_else(|| vec![FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId]),
        commit_interval: optional(commit_interval)?.unwrap_or(DEFAULT_COMMIT_INTERVAL),
        workers: optional(workers)?.unwrap_or(DEFAULT_WORKERS),
        sinks: optional(sinks)?.unwrap_or_default(),
        http: optional(http)?.unwrap_or(Some(DEFAULT_LISTEN)),
        log: optional(log)?.unwrap_or(LogFormat::Text),
    })
}

/// A path of the file, seen from the working directory.
pub(in crate::config) fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

/// Reads the parts of one config file.
pub(super) struct Reader<'a> {
    pub faults: &'a mut Faults,
    pub around: &'a Surroundings<'a>,
}

impl Reader<'_> {
    fn name(&mut self, view: &View<'_>) -> Option<String> {
        view.name(self.faults).map(str::to_owned)
    }

    fn instance(&mut self, map: &Map<'_>) -> Option<String> {
        if let Some(view) = map.get("instance") {
            return self.name(&view);
        }
        if self.around.host.is_none() {
            let message = "is missing, and this machine does not tell its name";
            self.faults.add(map.place, "instance", message);
        }
        self.around.host.clone()
    }

    /// A duration between two numbers of milliseconds, both included.
    pub(super) fn span(&mut self, view: &View<'_>, from: i64, to: i64) -> Option<Duration> {
        let span = view.duration(self.faults, Span::from_millis(from))?;
        if span.as_millis() > to {
            view.must_be(self.faults, &format!("at most {}", Span::from_millis(to)));
            return None;
        }
        Some(Duration::from_millis(span.as_millis().unsigned_abs()))
    }

    pub(super) fn start(&mut self, view: &View<'_>) -> Option<Start> {
        match view.as_text() {
            Some("latest") => Some(Start::Latest),
            Some("earliest") => Some(Start::Earliest),
            Some(text) => match crate::config::scalar::duration(text) {
                Ok(age) if age > Span::ZERO => Some(Start::Age(Duration::from_millis(
                    age.as_millis().unsigned_abs(),
                ))),
                _ => {
                    view.must_be(self.faults, "latest, earliest, or an age such as 7d");
                    None
                }
            },
            None => {
                view.must_be(self.faults, "latest, earliest, or an age such as 7d");
                None
            }
        }
    }

    fn kafka(&mut self, view: &View<'_>) -> Option<Kafka> {
        let map = view.map(self.faults, &KAFKA)?;
        let brokers = map.get("brokers").map(|view| {
            let brokers: Vec<_> = view
                .list(self.faults, "brokers")?
                .iter()
                .map(|view| self.broker(view))
                .collect();
            brokers.into_iter().collect::<Option<Vec<_>>>()
        });
        let properties = map.get("properties").map(|view| self.properties(&view));
        Some(Kafka {
            brokers: brokers??,
            properties: optional(properties)?.unwrap_or_default(),
        })
    }

    fn broker(&mut self, view: &View<'_>) -> Option<String> {
        let text = view.as_text();
        let valid = text
            .and_then(|text| text.rsplit_once(':'))
            .is_some_and(|(host, port)| {
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
            view.fault(
                self.faults,
                format!("hotlead sets this property itself{instead}"),
            );
            return Err(());
        }
        if SECRET.contains(&name) {
            return self.secret(view);
        }
        let Some(scalar) = view.scalar() else {
            view.must_be(self.faults, "a text, a number, true or false");
            return Err(());
        };
        match view.as_text().and_then(Reference::parse) {
            Some(reference) => self.resolve(view, reference),
            None => Ok(Some(Secret::inline(scalar.raw.clone()))),
        }
    }

    fn topics(&mut self, view: Option<&View<'_>>) -> Option<Topics> {
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
                Some(view) if key == "events" => self.topic(view, "")?,
                Some(view) => self.topic(view, &prefix)?,
                None => format!("{prefix}{default}"),
            };
            if let Some(other) = seen.insert(name.clone(), key)
                && let Some(view) = view.or_else(|| get(other))
            {
                view.fault(
                    self.faults,
                    format!(
                        "the topics {other} and {key} must differ, both are {}",
                        quote(&name)
                    ),
                );
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
        if name.is_empty()
            || name.len() > LONGEST
            || !name.bytes().all(fits)
            || matches!(name, "." | "..")
        {
            view.must_be(
                self.faults,
                "a topic's name: letters, digits and ._- only, at most 200",
            );
            return None;
        }
        Some(format!("{prefix}{name}"))
    }

    fn lead_key(&mut self, view: &View<'_>) -> Option<Vec<FieldPath>> {
        let mut fields = Vec::new();
        let mut whole = true;
        for view in view.list(self.faults, "fields")? {
            let text = view.as_text().unwrap_or_default();
            match FieldPath::parse(text) {
                Some(field) if fields.contains(&field) => {
                    view.fault(self.faults, format!("{text} stands twice"));
                }
                Some(field) => {
                    fields.push(field);
                    continue;
                }
                None => {
                    let hint =
                        nearest_field(text).map(|field| format!(" (did you mean {field:?}?)"));
                    let wanted = format!(
                        "a field such as user_id, email or traits.id{}",
                        hint.unwrap_or_default()
                    );
                    view.must_be(self.faults, &wanted);
                }
            }
            whole = false;
        }
        whole.then_some(fields)
    }

    fn http(&mut self, view: &View<'_>) -> Option<Option<SocketAddr>> {
        if view.as_text() == Some("off") {
            return Some(None);
        }
        if view.scalar().is_some() {
            view.must_be(self.faults, "off, or listen: with an address");
            return None;
        }
        let listen = view.map(self.faults, &HTTP)?.get("listen")?;
        let address = listen.as_text().and_then(|text| text.parse().ok());
        if address.is_none() {
            listen.must_be(self.faults, "an address and a port such as 127.0.0.1:8080");
        }
        address.map(Some)
    }

    fn log(&mut self, view: &View<'_>) -> Option<LogFormat> {
        let Some(format) = view.map(self.faults, &LOG)?.get("format") else {
            return Some(LogFormat::Text);
        };
        match format.as_text() {
            Some("text") => Some(LogFormat::Text),
            Some("json") => Some(LogFormat::Json),
            _ => {
                format.must_be(self.faults, &LOG_FORMATS.join(" or "));
                None
            }
        }
    }
}
