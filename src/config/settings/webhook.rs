//! Webhooks of one's own: where to, signed with what, and which of an alert goes in which form.

use url::Url;

use super::keys::{ENCODINGS, PAYLOADS, RETRIES, WEBHOOK};
use super::read::Reader;
use super::secrets::StandIn;
use super::sinks::Read;
use super::{Reach, Secret, SigningKey, Target};
use crate::config::fault::quote;
use crate::config::map::Map;
use crate::config::view::{View, optional};
use crate::core::backoff::Schedule;

/// Headers that say what the request is: ours to set. Those that begin with `ce-` belong to them.
const OWNED_HEADERS: [&str; 9] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// A generic endpoint, signed per Standard Webhooks.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where to.
    pub url: Url,
    /// One, or new and old while rotating.
    pub secrets: Vec<Secret>,
    /// More headers.
    pub headers: Vec<(String, Secret)>,
    /// How much of the alert goes along.
    pub payload: Payload,
    /// In which form.
    pub encoding: Encoding,
    /// When what failed is tried again.
    pub retry: Schedule,
    /// How to reach it.
    pub reach: Reach,
}

/// How much of an alert goes along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Payload {
    /// All of it, byte for byte as on the alert topic.
    #[default]
    Full,
    /// These fields only, in the alert's own order.
    Fields(Vec<&'static str>),
}

/// The form in which an alert goes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `{"type", "timestamp", "data"}`, as Standard Webhooks has it.
    #[default]
    Standard,
    /// A CloudEvent over HTTP in binary mode: its attributes are headers, the alert is the body. Signed the same way.
    CloudEvents,
}

impl Reader<'_> {
    pub(super) fn webhook(&mut self, view: &View<'_>) -> Read<Target> {
        let map = view.map(self.faults, &WEBHOOK).ok_or(())?;
        let reach = self.reach(&map);
        let url = map.get("url").map(|view| {
            let text = view.text(self.faults)?;
            // Without a way to reach it there is nothing to judge the URL by.
            let Ok(Some(reach)) = &reach else { return Url::parse(text).ok() };
            self.url(&view, text, reach, false)
        });
        let secrets = map.get("secret").map(|view| self.signing(&view));
        let headers = match map.get("headers") {
            Some(view) => self.headers(&view),
            None => Ok(Some(Vec::new())),
        };
        let payload = self.payload(&map);
        let encoding = map.get("encoding").map(|view| {
            let forms = [Encoding::Standard, Encoding::CloudEvents];
            self.word(&view, ENCODINGS).map(|index| forms[index])
        });
        let retry = map.get("retry").map(|view| self.word(&view, RETRIES).map(|index| Schedule::ALL[index]));
        let (url, payload) = (url.flatten().ok_or(())?, payload.ok_or(())?);
        let encoding = optional(encoding).ok_or(())?.unwrap_or_default();
        let retry = optional(retry).ok_or(())?.unwrap_or_default();
        let (reach, secrets, headers) = (reach?, secrets.ok_or(())??, headers?);
        let (Some(reach), Some(secrets), Some(headers)) = (reach, secrets, headers) else {
            return Ok(None);
        };
        let webhook = Webhook { url, secrets, headers, payload, encoding, retry, reach };
        Ok(Some(Target::Webhook(Box::new(webhook))))
    }

    fn payload(&mut self, map: &Map<'_>) -> Option<Payload> {
        let thin = map.get("payload").map(|view| self.word(&view, PAYLOADS).map(|index| index == 1));
        let fields = map.get("fields").map(|view| (self.alert_fields(&view), view));
        match (optional(thin)?, fields) {
            (Some(true), Some((_, view))) => {
                view.fault(self.faults, "must not stand beside payload: thin, which is a list of fields itself");
                None
            }
            (Some(true), None) => Some(Payload::Fields(super::fields::THIN_FIELDS.to_vec())),
            (_, Some((fields, _))) => fields.map(Payload::Fields),
            (_, None) => Some(Payload::Full),
        }
    }

    /// One signing secret, or the new and the old one.
    fn signing(&mut self, view: &View<'_>) -> Read<Vec<Secret>> {
        let items = match view.as_list() {
            None => vec![view.clone()],
            Some(items) if (1..=2).contains(&items.len()) => items,
            Some(_) => {
                view.must_be(self.faults, "one secret, or [new, old]");
                return Err(());
            }
        };
        let secrets: Vec<_> = items.iter().map(|view| self.signing_secret(view)).collect();
        // A plain `collect` would drop the difference between wrong and not to be had.
        let secrets: Result<Vec<_>, ()> = secrets.into_iter().collect();
        Ok(secrets?.into_iter().collect())
    }

    fn signing_secret(&mut self, view: &View<'_>) -> Read<Secret> {
        let secret = self.secret(view, StandIn::SigningKey)?;
        match secret.as_ref().map(|secret| SigningKey::parse(secret.expose())) {
            Some(Err(why)) => {
                view.fault(self.faults, format!("leads to a key that {why} (it is not shown)"));
                return Err(());
            }
            Some(Ok(key)) => {
                if let Some(length) = key.odd_length() {
                    let message = format!("leads to a key of {length} bytes; Standard Webhooks asks for 24 to 64");
                    self.faults.warn(view.node.place, &view.path, message);
                }
            }
            None => {}
        }
        Ok(secret)
    }

    fn headers(&mut self, view: &View<'_>) -> Read<Vec<(String, Secret)>> {
        let mut headers = Vec::new();
        let mut whole = true;
        let mut missing = false;
        for (entry, view) in view.entries(self.faults, "headers") {
            match self.header(&entry.key, &view) {
                Ok(Some(value)) => headers.push((entry.key.clone(), value)),
                Ok(None) => missing = true,
                Err(()) => whole = false,
            }
        }
        match whole {
            true => Ok((!missing).then_some(headers)),
            false => Err(()),
        }
    }

    fn header(&mut self, name: &str, view: &View<'_>) -> Read<Secret> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            view.fault(self.faults, format!("{} cannot be a header's name", quote(name)));
            return Err(());
        }
        let lower = name.to_ascii_lowercase();
        if OWNED_HEADERS.contains(&lower.as_str()) || lower.starts_with("ce-") {
            view.fault(self.faults, "hotlead sets this header itself");
            return Err(());
        }
        let secret = self.secret(view, StandIn::Text)?;
        let printable = |value: &str| value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
        if secret.as_ref().is_some_and(|secret| !printable(secret.expose())) {
            view.fault(self.faults, "must lead to printable ASCII (its value is not shown)");
            return Err(());
        }
        Ok(secret)
    }

    /// Which of these words it is.
    pub(super) fn word(&mut self, view: &View<'_>, words: &[&str]) -> Option<usize> {
        let found = view.as_text().and_then(|text| words.iter().position(|word| *word == text));
        if found.is_none() {
            let (last, first) = words.split_last()?;
            view.must_be(self.faults, &format!("{} or {last}", first.join(", ")));
        }
        found
    }
}
