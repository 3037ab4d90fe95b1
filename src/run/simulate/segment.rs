//! The events as a Segment library sends them: one JSON object each, its keys always in the same order.

use serde::Serialize;

use super::journey::Act;
use super::people::Person;
use crate::core::time::Timestamp;

const SITE: &str = "https://www.example.com";

/// What an event says apart from its act.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) message_id: &'a str,
    pub(super) time: Timestamp,
    pub(super) anonymous_id: &'a str,
    /// `None` while the lead is not known by name.
    pub(super) person: Option<&'a Person>,
    pub(super) user_agent: &'static str,
    pub(super) ip: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    message_id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    anonymous_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<&'a str>,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Properties<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traits: Option<Traits<'a>>,
    context: Context<'a>,
}

#[derive(Default, Serialize)]
struct Properties<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Traits<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    industry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    employees: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    ip: &'a str,
    user_agent: &'a str,
}

/// One event as JSON.
pub(super) fn message(act: Act, facts: &Facts<'_>) -> String {
    let mut message = Message {
        message_id: facts.message_id,
        kind: "track",
        event: None,
        name: None,
        user_id: facts.person.map(|person| person.user_id.as_str()),
        anonymous_id: facts.anonymous_id,
        group_id: None,
        timestamp: facts.time,
        properties: None,
        traits: None,
        context: Context { ip: facts.ip, user_agent: facts.user_agent },
    };
    match (act, facts.person) {
        (Act::Page(path, title), _) => {
            message.kind = "page";
            message.name = Some(title);
            message.properties = Some(Properties {
                path: Some(path),
                url: Some(format!("{SITE}{path}")),
                title: Some(title),
                ..Properties::default()
            });
        }
        (Act::Track(event, content), _) => {
            message.event = Some(event);
            message.properties = Some(Properties { content: Some(content), ..Properties::default() });
        }
        (Act::Identify, Some(person)) => {
            message.kind = "identify";
            message.traits = Some(Traits {
                name: &person.name,
                email: Some(&person.email),
                company: Some(person.company.name),
                job_title: Some(person.job_title),
                country: Some(person.company.country),
                ..Traits::default()
            });
        }
        (Act::Group, Some(person)) => {
            message.kind = "group";
            message.group_id = Some(person.company.domain);
            message.traits = Some(Traits {
                name: person.company.name,
                industry: Some(person.company.industry),
                employees: Some(person.company.employees),
                ..Traits::default()
            });
        }
        // Only known people identify themselves; whoever is not known has nothing to say.
        (Act::Identify | Act::Group, None) => message.event = Some("Form Abandoned"),
    }
    serde_json::to_string(&message).expect("texts and numbers are always JSON")
}
