//! What is sent for one alert: the body and the headers that describe it, before it is signed. No secret is needed.

use std::borrow::Cow;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::payload::Disclosure;
use super::{cloudevent, slack, webhook};
use crate::config::settings::{Encoding, Sink, Target};
use crate::core::alert::Alert;
use crate::core::time::Timestamp;

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
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Slack,
    Webhook(Encoding),
}

impl Writer {
    /// As the config says of this sink. `group` is the deployment's name.
    pub fn of(sink: &Sink, group: &str) -> Self {
        let form = match &sink.target {
            Target::Slack { .. } => Form::Slack,
            Target::Webhook(webhook) => Form::Webhook(webhook.encoding),
        };
        Self { form, disclosure: Disclosure::of(sink), group: group.to_owned() }
    }

    /// The message for an alert, posted at `now`. `as_published` is its value on the alert topic; `minimal` asks for as
    /// little as possible.
    ///
    /// # Errors
    /// Why it cannot be written, without any of the alert's values.
    pub fn write(
        &self,
        as_published: &[u8],
        alert: &Alert,
        minimal: bool,
        now: Timestamp,
    ) -> Result<Message, &'static str> {
        let not_json = |_| "the value is not JSON";
        let masked = self.disclosure.masked(as_published).map_err(not_json)?;
        let alert = match &masked {
            Cow::Borrowed(_) => Cow::Borrowed(alert),
            Cow::Owned(masked) => Cow::Owned(serde_json::from_slice(masked).map_err(not_json)?),
        };
        let mut headers = HeaderMap::new();
        let body = match self.form {
            Form::Slack if minimal => slack::minimal(&alert).to_string().into_bytes(),
            Form::Slack => slack::card(&alert, now).to_string().into_bytes(),
            Form::Webhook(encoding) => {
                let data = self.disclosure.projected(masked).map_err(not_json)?;
                match encoding {
                    Encoding::Standard => webhook::body(&alert, &data).map_err(not_json)?,
                    Encoding::CloudEvents => {
                        headers = cloudevent::attributes(&alert, &self.group);
                        data.into_owned()
                    }
                }
            }
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Message { headers, body })
    }
}
