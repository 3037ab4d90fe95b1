//! Where a sink's alerts go: writes the request for one alert, sends it, and judges what comes back.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::http::{Answer, Endpoint, Failure};
use super::verdict::{AttemptResult, Judged, Reason, Verdict};
use super::webhook::{self, Key};
use super::{gate::Gate, slack};
use crate::config::settings::Target;
use crate::core::alert::Alert;
use crate::core::time::Timestamp;

/// A sink's endpoint and what it speaks.
#[derive(Debug)]
pub struct Destination {
    endpoint: Endpoint,
    form: Form,
}

enum Form {
    Slack,
    Webhook { keys: Vec<Key>, headers: HeaderMap },
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Slack => "Slack",
            Self::Webhook { .. } => "Webhook",
        })
    }
}

/// One attempt: what came back, and what it means.
#[derive(Debug)]
pub struct Attempted {
    /// What it means.
    pub judged: Judged,
    /// `None` if there was no answer.
    pub answer: Option<Answer>,
}

impl Destination {
    /// Prepares it; nothing is sent.
    ///
    /// # Errors
    /// What is wrong, without any secret: a URL or key that cannot be used, a system without root certificates.
    pub fn new(target: &Target) -> Result<Self, String> {
        match target {
            Target::Slack { webhook_url, reach } => {
                let url = Url::parse(webhook_url.expose().trim());
                let url = url.map_err(|error| format!("webhook_url: {error}"))?;
                let endpoint = Endpoint::new(url, reach).map_err(|e| format!("webhook_url: {e}"))?;
                Ok(Self { endpoint, form: Form::Slack })
            }
            Target::Webhook { url, secrets, headers, reach } => {
                let keys = secrets.iter().map(|secret| Key::parse(secret.expose()));
                let keys: Vec<_> = keys.collect::<Result<_, _>>().map_err(|e| format!("secret {e}"))?;
                let mut map = HeaderMap::new();
                for (name, value) in headers {
                    let named = HeaderName::from_bytes(name.as_bytes());
                    let named = named.map_err(|_| format!("headers: {name:?} is no header's name"))?;
                    let value = HeaderValue::from_str(value.expose());
                    let mut value = value.map_err(|_| format!("headers: the value of {name} is none"))?;
                    value.set_sensitive(true);
                    map.insert(named, value);
                }
                let endpoint = Endpoint::new(url.clone(), reach).map_err(|e| format!("url: {e}"))?;
                Ok(Self { endpoint, form: Form::Webhook { keys, headers: map } })
            }
        }
    }

    /// Scheme and host: all of the address that may be printed.
    pub fn place(&self) -> String {
        self.endpoint.place()
    }

    /// The pace that the other side asks for.
    pub fn gate(&self) -> Gate {
        match self.form {
            Form::Slack => Gate::slack(),
            Form::Webhook { .. } => Gate::open(),
        }
    }

    /// Sends one alert. `as_published` is its value on the alert topic; `minimal` asks for as little as possible.
    pub async fn attempt(&self, as_published: &[u8], alert: &Alert, minimal: bool) -> Attempted {
        let now = wall_clock();
        let (headers, body) = match self.request(as_published, alert, minimal, now) {
            Ok(request) => request,
            Err(detail) => {
                let never = Verdict::Never(Reason::Message);
                return Attempted { judged: Judged::failed(never, AttemptResult::Message, None, detail), answer: None };
            }
        };
        match self.endpoint.post(headers, body).await {
            Ok(answer) => {
                let judged = match self.form {
                    Form::Slack => slack::judge(&answer, wall_clock()),
                    Form::Webhook { .. } => webhook::judge(&answer, wall_clock()),
                };
                Attempted { judged, answer: Some(answer) }
            }
            Err(failure) => Attempted { judged: without_answer(&failure), answer: None },
        }
    }

    fn request(
        &self,
        as_published: &[u8],
        alert: &Alert,
        minimal: bool,
        now: Timestamp,
    ) -> Result<(HeaderMap, Vec<u8>), String> {
        let (mut all, body) = match &self.form {
            Form::Slack => {
                let message = if minimal { slack::minimal(alert) } else { slack::card(alert, now) };
                (HeaderMap::new(), message.to_string().into_bytes())
            }
            Form::Webhook { keys, headers } => {
                let body = webhook::body(alert, as_published).map_err(|_| "the value is not JSON")?;
                let (id, seconds) = (alert.id.to_string(), now.as_millis().div_euclid(1_000));
                let mut all = headers.clone();
                let own = [
                    ("webhook-signature", webhook::signature(keys, &id, seconds, &body)),
                    ("webhook-timestamp", seconds.to_string()),
                    ("webhook-id", id),
                ];
                for (name, value) in own {
                    let value = HeaderValue::from_str(&value).map_err(|_| format!("{name} is no header"))?;
                    all.insert(name, value);
                }
                (all, body)
            }
        };
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok((all, body))
    }
}

fn without_answer(failure: &Failure) -> Judged {
    let later = Verdict::Later { retry_after: None, reason: Reason::Exhausted };
    let (verdict, result) = match failure {
        Failure::RefusedAddress(_) => (Verdict::Never(Reason::RefusedAddress), AttemptResult::RefusedAddress),
        Failure::Timeout(_) => (later, AttemptResult::Timeout),
        Failure::Transport(_) => (later, AttemptResult::Transport),
    };
    Judged::failed(verdict, result, None, failure.to_string())
}

/// Now, as the rest of the world has it.
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[path = "destination_tests.rs"]
mod tests;
