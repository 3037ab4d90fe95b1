//! The keys of hotlead.yaml, with their meaning for editors.

use crate::config::shape::{Is, Key, Shape, key, required, shape};

pub(in crate::config) static CONFIG_FILE: Shape = shape(
    "config",
    "How hotlead reaches Kafka, which topics it uses, and where alerts go.",
    &[
        required("version", Is::Version, "Version of this file's format: 1."),
        required("kafka", Is::Map(&KAFKA), "How to reach Kafka."),
        key(
            "group",
            Is::Name,
            "Consumer group, prefix of transactional ids, name of this deployment. Default hotlead.",
        ),
        key("instance", Is::Name, "Unique per process. Default: the host's name."),
        key(
            "start",
            Is::Start,
            "Where a group without committed offsets begins: latest (default), earliest, or an age such as 7d.",
        ),
        key("topics", Is::Map(&TOPICS), "Names of topics."),
        required("rules", Is::Text, "The rules file, relative to this file."),
        key(
            "lead_key",
            Is::Texts,
            "A lead's key is the first of these fields that an event has. Default user_id, email, anonymous_id.",
        ),
        key(
            "commit_interval",
            Is::Duration,
            "At most this long without a commit; an alert commits at once. Default 200ms.",
        ),
        key("workers", Is::Whole(1, 256), "Owner threads, each a member of the consumer group. Default 2."),
        key(
            "max_leads",
            Is::Whole(1, 1_000_000_000),
            "Leads that one partition remembers; beyond it those silent for longest are forgotten. Default 4000000, about 1 GB.",
        ),
        key("sinks", Is::Maps(&SINK), "Where alerts go besides the alert topic."),
        key(
            "http",
            Is::WordOr("off", &HTTP),
            "The live page, metrics and health; off: nothing is served. Default 127.0.0.1:8080.",
        ),
        key("log", Is::Map(&LOG), "How the log is written."),
        key(
            "unrouted",
            Is::Word(&["drop"]),
            "drop: nobody gets the alerts that no sink takes. Without it one sink has rest: true, if any has only.",
        ),
    ],
);

pub(in crate::config) static KAFKA: Shape = shape(
    "kafka",
    "How to reach Kafka.",
    &[
        required("brokers", Is::Texts, "host:port of at least one broker."),
        key("properties", Is::AnyMap, "Any librdkafka property; secrets as env:NAME or file:PATH."),
    ],
);

pub(in crate::config) static TOPICS: Shape = shape(
    "topics",
    "Names of topics.",
    &[
        key("prefix", Is::Text, "Goes before each name."),
        key("events", Is::Text, "Where engagement events come from, keyed by lead. Default engagement."),
        key("alerts", Is::Text, "Where alerts go. Default hotlead.alerts."),
        key("dead_letter", Is::Text, "Where undecodable records go. Default hotlead.dead-letter."),
        key("state", Is::Text, "The changelog of leads' state. Default hotlead.state."),
        key("feedback", Is::Text, "Operators' and reps' actions. Default hotlead.feedback."),
        key("ops", Is::Text, "What operators have to know. Default hotlead.ops."),
        key("delivery", Is::Text, "Of each sink's ledger: this, a dot and the sink's id. Default hotlead.delivery."),
        key("replication_factor", Is::Whole(1, 100), "Of topics that hotlead creates. Default: the broker's."),
    ],
);

pub(in crate::config) static SINK: Shape = shape(
    "sink",
    "Something that takes alerts: slack or webhook.",
    &[
        required("id", Is::SinkId, "Unique; its consumer group is <group>.<id>, so a renamed sink is a new one."),
        key("slack", Is::Map(&SLACK), "A Slack channel, by a bot or by an incoming webhook."),
        key("webhook", Is::Map(&WEBHOOK), "An endpoint of your own, signed per Standard Webhooks."),
        key("start", Is::Start, "Where a new sink begins: latest (default), earliest, or an age such as 1d."),
        key("max_age", Is::Duration, "An alert older than this is given up. Default 24h."),
        key("only", Is::AlertFields, "It takes alerts whose fields are like this, and no others."),
        key("rest", Is::Truth, "It takes the alerts that no other sink takes."),
        key(
            "fallback",
            Is::SinkId,
            "The id of another sink: it gets this one's alerts too, marked, while this one cannot be reached for 5 minutes and more.",
        ),
        key(
            "stale_after",
            Is::Duration,
            "Of a Slack bot: an alert older than this comes in a digest that says so, never as news. Default 30m.",
        ),
        key(
            "mask",
            Is::TextsOrTruth,
            "What of a lead it must not learn: true for all of it, or names such as [email, name].",
        ),
    ],
)
.one_of(&["slack", "webhook"]);

/// How any endpoint may be reached.
static REACH: &[Key] = &[
    key("allow_http", Is::Truth, "Plain http: is refused otherwise."),
    key(
        "allow_networks",
        Is::Texts,
        "Address ranges that are refused otherwise: private, loopback, link-local, reserved.",
    ),
    key("timeout", Is::Duration, "For resolving, connecting, headers and body together. Default 15s."),
    key(
        "proxy",
        Is::Text,
        "A proxy's URL, as env:NAME or file:PATH if it holds a password. Those of the environment are not used.",
    ),
    key("ca", Is::Text, "A PEM file of certificates that the endpoint's must come from, in place of the system's."),
    key("client_cert", Is::Text, "A PEM file with our certificate, for endpoints that ask who we are."),
    key("client_key", Is::Text, "A PEM file with its key."),
];

pub(in crate::config) static SLACK: Shape = shape(
    "slack",
    "A Slack channel: token and channel for a bot, whose cards are edited and replied to, or webhook_url.",
    &[
        key("webhook_url", Is::Secret, "An incoming webhook's URL, which is a secret: env:NAME or file:PATH."),
        key("token", Is::Secret, "A bot's token (xoxb-…): env:NAME or file:PATH. Needs channel."),
        key("channel", Is::Text, "The channel's id, such as C0123456789."),
        key("api_url", Is::Text, "Where Slack's Web API is. Default https://slack.com/api/."),
        key(
            "crm_url",
            Is::Text,
            "The card's link to your CRM; fields of the alert stand in braces: https://crm.example.com/?email={lead.email}",
        ),
        key(
            "episode_gap",
            Is::Duration,
            "A card whose newest alert is older than this in event time is over: the next alert is a new card. Default 4h.",
        ),
        key(
            "on_uncertain",
            Is::Word(ON_UNCERTAIN),
            "Where nobody knows whether Slack took a message: reconcile (default) looks for it in the channel, resend sends it again, hold gives it up.",
        ),
    ],
)
.with(REACH)
.one_of(&["webhook_url", "token"]);

pub(in crate::config) static WEBHOOK: Shape = shape(
    "webhook",
    "An endpoint of your own, signed per Standard Webhooks.",
    &[
        required("url", Is::Text, "Where to."),
        required("secret", Is::Secrets, "Signs the body: env:NAME or file:PATH, or [new, old] while it is exchanged."),
        key("headers", Is::SecretMap, "More headers; each value is env:NAME or file:PATH."),
        key("payload", Is::Word(PAYLOADS), "full (default), or thin: what it is and whom it is about, nothing else."),
        key("fields", Is::Texts, "The alert's fields that go along, such as [id, rule, lead.key]; no others do."),
        key("encoding", Is::Word(ENCODINGS), "standard (default): type, timestamp, data; or cloudevents over HTTP."),
        key("retry", Is::Word(RETRIES), "When what failed is tried again, until max_age. Default fast."),
    ],
)
.with(REACH);

pub(in crate::config) static HTTP: Shape =
    shape("http", "What is served.", &[required("listen", Is::Text, "Address and port.")]);

pub(in crate::config) static LOG: Shape = shape(
    "log",
    "How the log is written.",
    &[key("format", Is::Word(LOG_FORMATS), "text (default) for people, json for machines.")],
);

/// As [`LogFormat`](super::LogFormat) is written.
pub(super) const LOG_FORMATS: &[&str] = &["text", "json"];

/// All of an alert, or what [`fields::THIN_FIELDS`](super::fields::THIN_FIELDS) says.
pub(super) const PAYLOADS: &[&str] = &["full", "thin"];

/// As [`Encoding`](super::Encoding) is written.
pub(super) const ENCODINGS: &[&str] = &["standard", "cloudevents"];

/// As [`OnUncertain`](super::OnUncertain) is written.
pub(super) const ON_UNCERTAIN: &[&str] = &["reconcile", "resend", "hold"];

/// As [`Schedule::ALL`](crate::core::backoff::Schedule::ALL) is written.
pub(super) const RETRIES: &[&str] = &["fast", "standard", "svix"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::backoff::Schedule;

    #[test]
    fn the_names_of_schedules_are_their_own() {
        assert_eq!(RETRIES, Schedule::ALL.map(Schedule::name));
    }
}
