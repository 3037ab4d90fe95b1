//! What is sent for one alert: the body and the headers that describe it, before it is signed. No secret is needed.

use std::borrow::Cow;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::payload::Disclosure;
use super::{cloudevent, slack, webhook};
use crate::config::settings::{Encoding, LinkTemplate, Sink, Target};
use crate::core::alert::Alert;
use crate::core::time::Timestamp;

/// The header of a webhook that comes in place of another sink: that one's id.
const INSTEAD_OF: &str = "hotlead-instead-of";

/// A body, and what describes it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its type, and for a CloudEvent its attributes.
    pub headers: HeaderMap,
    /// To the byte.
    pub body: Vec<u8>,
}

/// Writes the messages of one sink.
#[derive(Clone, Debug)]
pub struct Writer {
    form: Form,
    disclosure: Disclosure,
    /// Name of the deployment.
    group: String,
    /// To the CRM.
    link: Option<LinkTemplate>,
}

#[derive(Clone, Debug)]
enum Form {
    Slack,
    /// With the arguments that say where to.
    Bot(String),
    Webhook(Encoding),
}

impl Writer {
    /// As the config says of this sink. `group` is the deployment's name.
    pub fn of(sink: &Sink, group: &str) -> Self {
        let (form, link) = match &sink.target {
            Target::Slack { crm_url, .. } => (Form::Slack, crm_url.clone()),
            Target::Bot(bot) => (Form::Bot(bot.channel.clone()), bot.crm_url.clone()),
            Target::Webhook(webhook) => (Form::Webhook(webhook.encoding), None),
        };
        Self { form, disclosure: Disclosure::of(sink), group: group.to_owned(), link }
    }

    fn link(&self, alert: &Alert) -> Option<String> {
        let link = self.link.as_ref()?;
        link.fill(&serde_json::to_value(alert).ok()?)
    }

    /// The message for an alert, posted at `now`. `as_published` is its value on the alert topic; `minimal` asks for as
    /// little as possible; `instead_of` names the sink in whose place this one gets it.
    ///
    /// # Errors
    /// Why it cannot be written, without any of the alert's values.
    pub fn write(
        &self,
        as_published: &[u8],
        alert: &Alert,
        minimal: bool,
        instead_of: Option<&str>,
        now: Timestamp,
    ) -> Result<Message, &'static str> {
        let not_json = |_| "the value is not JSON";
        let masked = self.disclosure.masked(as_published).map_err(not_json)?;
        let alert = match &masked {
            Cow::Borrowed(_) => Cow::Borrowed(alert),
            Cow::Owned(masked) => Cow::Owned(serde_json::from_slice(masked).map_err(not_json)?),
        };
        let mut headers = HeaderMap::new();
        let card = || {
            let face = slack::Face::of(&alert, self.link(&alert));
            let card = if minimal { slack::minimal(&face) } else { slack::card(&face, now) };
            instead_of.map_or(card.clone(), |sink| slack::instead_of(card, sink))
        };
        let body = match &self.form {
            Form::Slack => card().to_string().into_bytes(),
            Form::Bot(channel) => slack::bot_message(card(), channel, &alert.id.to_string()).to_string().into_bytes(),
            Form::Webhook(encoding) => {
                let data = self.disclosure.projected(masked).map_err(not_json)?;
                match *encoding {
                    Encoding::Standard => webhook::body(&alert, &data).map_err(not_json)?,
                    Encoding::CloudEvents => {
                        headers = cloudevent::attributes(&alert, &self.group, |field| self.disclosure.shows(field));
                        data.into_owned()
                    }
                }
            }
        };
        if let (Form::Webhook(_), Some(sink)) = (&self.form, instead_of) {
            let sink = HeaderValue::from_str(sink).map_err(|_| "a sink's id is no header")?;
            headers.insert(INSTEAD_OF, sink);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Message { headers, body })
    }
}
