//! Writes the alert of a rule that fired, or whose episode goes on or is over.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::alert::{self, Alert, AlertKind, Trigger};
use super::condition::Moment;
use super::event::{Event, FieldTable, Value};
use super::evidence;
use super::ids::{AlertId, Origin};
use super::lead::Episode;
use super::matching;
use super::reason;
use super::rule::RuleSet;
use super::time::Timestamp;

/// The event that an alert is written at, and where its record lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause<'a> {
    pub event: &'a Event<'a>,
    /// Its own time, clamped.
    pub time: Timestamp,
    pub position: i64,
    pub origin: &'a Origin,
}

/// The alert about the moment's lead, and this rule's open episode.
pub(super) fn write(moment: &Moment<'_>, kind: AlertKind, number: u16, cause: &Cause<'_>) -> Alert {
    let Cause { event, time, position, origin } = *cause;
    let (spec, rule) = (moment.rules.spec(), &moment.rules.rules[usize::from(number)]);
    let words = &spec.rules[usize::from(number)];
    let episode = moment.lead.episodes.iter().find(|episode| episode.rule == number);
    let episode = episode.expect("an alert is about an open episode");
    let flags = (spec.suppress.len()..).zip(&spec.flags).filter(|(hold, _)| moment.in_force(*hold as u16));
    let flags: Vec<_> = flags.map(|(_, flag)| flag).collect();
    let score = moment.score();
    let source = origin.source(position);
    // An episode is opened and closed once, and updated once a minute.
    let (reason, revision) = match kind {
        AlertKind::Opened => (reason::sentence(moment, &rule.when, &words.id), 0),
        AlertKind::Updated => (reason::sentence(moment, &rule.when, &words.id), moment.now.minute()),
        AlertKind::Closed => (reason::ended(moment, &rule.when), 0),
    };
    Alert {
        id: id(kind, &words.id, event.lead, episode, revision),
        rule: words.id.clone(),
        tier: words.tier.clone(),
        kind,
        lead: lead(moment, event),
        time: moment.now,
        episode_start: episode.opened,
        reason,
        flags: flags.iter().map(|flag| flag.hold.name.clone()).collect(),
        flag_texts: flags.iter().filter_map(|flag| flag.says.clone()).collect(),
        score: alert::Score {
            total: score.total().as_points(),
            fit: score.fit.as_points(),
            behaviour: score.behaviour.as_points(),
        },
        trigger: Trigger { event_id: event.id.map_or_else(|| source.clone(), str::to_owned), time, source },
        evidence: evidence::gather(moment, rule, origin),
        campaign: words.campaign.clone(),
        rules_version: spec.version.clone(),
    }
}

/// What is known of the lead: ids of the event, the rest remembered.
fn lead(moment: &Moment<'_>, event: &Event<'_>) -> alert::Lead {
    let known = |trait_| matching::plain(moment.lead.trait_(trait_)).map(|text| text.into_owned());
    let carried = |field| event.fields.text_of(field).map(str::to_owned);
    alert::Lead {
        key: event.lead.to_owned(),
        user_id: carried(FieldTable::USER_ID),
        anonymous_id: carried(FieldTable::ANONYMOUS_ID),
        email: known(RuleSet::EMAIL),
        name: known(RuleSet::NAME),
        company: known(RuleSet::COMPANY),
        job_title: known(RuleSet::JOB_TITLE),
        traits: traits(moment),
    }
}

/// Those that no field of its own shows: rules on them decide where an alert goes, too.
fn traits(moment: &Moment<'_>) -> BTreeMap<String, Json> {
    let read = (0..).zip(&moment.rules.traits).skip(RuleSet::SHOWN_TRAITS);
    let known = read.filter_map(|(number, read)| Some((read.name.clone(), json(moment.lead.trait_(number))?)));
    known.collect()
}

fn json(value: Value<'_>) -> Option<Json> {
    Some(match value {
        Value::Absent | Value::Object => return None,
        Value::Bool(truth) => Json::Bool(truth),
        Value::Number(text) => Json::Number(text.parse().ok()?),
        Value::Text(text) => Json::String(text.to_owned()),
        Value::List(list) => Json::Array(list.items().filter_map(json).collect()),
    })
}

/// A hash of what the alert is about: the same on any replay (design.md 3).
fn id(kind: AlertKind, rule: &str, lead: &str, episode: &Episode, revision: u32) -> AlertId {
    let mut hash = Sha256::new();
    // Lengths in front of the texts, so that no two lists of parts read the same.
    for text in [kind.name(), rule, lead] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.update(episode.time.as_millis().to_le_bytes());
    // The clock too: an event whose id was forgotten meanwhile may open another episode.
    hash.update(episode.opened.as_millis().to_le_bytes());
    hash.update(episode.id.to_le_bytes());
    hash.update(revision.to_le_bytes());
    let digest = hash.finalize();
    AlertId(u128::from_be_bytes(digest[..16].try_into().expect("a digest has 32 bytes")))
}
