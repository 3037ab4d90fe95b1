//! hotlead.yaml after it was checked: how to reach Kafka, which topics, which sinks, what to serve.

pub mod fields;
mod kafka;
mod keys;
mod librdkafka;
mod link;
mod reach;
mod read;
mod routes;
mod secrets;
mod signing;
mod sinks;
mod slack;
mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::core::backoff::Schedule;
use crate::core::event::FieldPath;

pub(super) use self::keys::CONFIG_FILE;
pub use self::link::LinkTemplate;
pub use self::read::read;
pub(super) use self::read::{beside, read_tree};
pub use self::routes::{Routing, SinkRoute, Takes};
pub use self::secrets::{Needed, Reference, Secret, Surroundings};
pub use self::signing::SigningKey;
pub use self::sinks::STANDS_IN_AFTER;
pub use self::slack::{Bot, OnUncertain};
pub use self::webhook::{Encoding, Payload, Webhook};

/// A whole hotlead.yaml, defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// Consumer group, prefix of transactional ids, name of this deployment.
    pub group: String,
    /// Unique per process; the default is the host's name.
    pub instance: String,
    /// Where a group without committed offsets begins.
    pub start: Start,
    /// Names with the prefix already in front.
    pub topics: Topics,
    /// Path of the rules file, made relative to the working directory.
    pub rules: PathBuf,
    /// The key of a lead is the first of these that an event has.
    pub lead_key: Vec<FieldPath>,
    /// At most this long without a commit while there is something to commit.
    pub commit_interval: Duration,
    /// Owner threads, from 1.
    pub workers: usize,
    /// Leads that one partition remembers, from 1.
    pub max_leads: usize,
    /// In file order; ids unique.
    pub sinks: Vec<Sink>,
    /// Which of them takes which alerts.
    pub routing: Routing,
    /// The console and metrics listen here; `None` when the file says `http: off`.
    pub http: Option<SocketAddr>,
    /// How the log is written.
    pub log: LogFormat,
}

/// How to reach Kafka.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// `host:port`, at least one.
    pub brokers: Vec<String>,
    /// librdkafka properties; their values may be secrets.
    pub properties: BTreeMap<String, Secret>,
}

/// Where a group without committed offsets begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the end.
    Latest,
    /// At the beginning.
    Earliest,
    /// At the first record not older than this.
    Age(Duration),
}

/// Full topic names.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Where engagement events come from, keyed by lead.
    pub events: String,
    /// Where alerts go.
    pub alerts: String,
    /// Where undecodable records go.
    pub dead_letter: String,
    /// The changelog of leads' state.
    pub state: String,
    /// Operators' and reps' actions.
    pub feedback: String,
    /// What operators have to know.
    pub ops: String,
    /// Ledgers: this, a dot, and the sink's id.
    pub delivery: String,
    /// Of topics that hotlead creates; `None` is the broker's default.
    pub replication_factor: Option<i32>,
}

impl Topics {
    /// The ledger of a sink.
    pub fn ledger(&self, sink: &str) -> String {
        format!("{}.{sink}", self.delivery)
    }
}

/// Something that takes alerts.
#[derive(Clone, Debug)]
pub struct Sink {
    /// `[a-z0-9-]{1,40}`; its consumer group is `<group>.<id>`.
    pub id: String,
    /// Where a new sink begins; the end of the topic unless the file says otherwise.
    pub start: Start,
    /// An alert older than this is given up.
    pub max_age: Duration,
    /// Of a Slack bot: an alert older than this comes in a digest.
    pub stale_after: Duration,
    /// The sink that gets its alerts too while it cannot be reached.
    pub fallback: Option<String>,
    /// Fields of the lead that it must not learn.
    pub mask: Vec<&'static str>,
    /// What it is.
    pub target: Target,
}

/// What a sink is.
#[derive(Clone, Debug)]
pub enum Target {
    /// A Slack incoming webhook.
    Slack {
        /// The whole URL is a secret.
        webhook_url: Secret,
        /// The card's link to the CRM.
        crm_url: Option<LinkTemplate>,
        /// How to reach it.
        reach: Box<Reach>,
    },
    /// A Slack bot, whose cards are edited and replied to.
    Bot(Box<Bot>),
    /// A generic endpoint, signed per Standard Webhooks.
    Webhook(Box<Webhook>),
}

impl Target {
    /// Every secret of it, to be read again.
    pub fn secrets_mut(&mut self) -> Vec<&mut Secret> {
        let mut found = Vec::new();
        let reach = match self {
            Self::Slack { webhook_url, reach, .. } => {
                found.push(webhook_url);
                reach.as_mut()
            }
            Self::Bot(bot) => {
                found.push(&mut bot.token);
                &mut bot.reach
            }
            Self::Webhook(webhook) => {
                found.extend(&mut webhook.secrets);
                found.extend(webhook.headers.iter_mut().map(|(_, value)| value));
                &mut webhook.reach
            }
        };
        found.extend([&mut reach.proxy, &mut reach.ca].into_iter().flatten());
        if let Some((certificate, key)) = &mut reach.client {
            found.extend([certificate, key]);
        }
        found
    }
}

impl Sink {
    /// When what failed is tried again.
    pub fn schedule(&self) -> Schedule {
        match &self.target {
            Target::Slack { .. } | Target::Bot(_) => Schedule::default(),
            Target::Webhook(webhook) => webhook.retry,
        }
    }
}

/// How an endpoint may be reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Plain `http:` is refused otherwise.
    pub allow_http: bool,
    /// Address ranges that are refused otherwise: private, loopback, link-local.
    pub allow_networks: Vec<ipnet::IpNet>,
    /// For resolving, connecting, headers and body together.
    pub timeout: Duration,
    /// The URL of a proxy; those that the environment names are not used.
    pub proxy: Option<Secret>,
    /// Certificates that the endpoint's must come from, in place of the system's.
    pub ca: Option<Secret>,
    /// Our own certificate and its key, for endpoints that ask who we are.
    pub client: Option<(Secret, Secret)>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}
