//! Where a sink's alerts go: writes the request for one alert, sends it, and judges what comes back.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;
use url::Url;

use super::http::{Answer, Endpoint, Failure};
use super::message::{Message, Writer};
use super::slack::Caller;
use super::slack::api::Method;
use super::slack::board::{Outcome, Request};
use super::verdict::{AttemptResult, Judged, Reason, Verdict};
use super::{gate::Gate, slack, webhook};
use crate::config::settings::{SigningKey, Sink, Target, Webhook};
use crate::core::alert::Alert;
use crate::core::time::Timestamp;

/// A sink's endpoint and what it speaks. Its secrets can be exchanged while it works.
#[derive(Debug)]
pub struct Destination {
    /// As the config has it, with the secrets of now.
    target: Mutex<Target>,
    writer: Writer,
    /// Made of `target`.
    prepared: RwLock<Arc<Prepared>>,
    /// How often secrets were exchanged.
    renewals: watch::Sender<u64>,
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
    /// Prepares a sink's; nothing is sent. `group` is the deployment's name.
    ///
    /// # Errors
    /// What is wrong, without any secret: a URL or key that cannot be used, a system without root certificates.
    pub fn of(sink: &Sink, group: &str) -> Result<Self, String> {
        let prepared = RwLock::new(Arc::new(Prepared::new(&sink.target)?));
        let target = Mutex::new(sink.target.clone());
        Ok(Self { target, writer: Writer::of(sink, group), prepared, renewals: watch::Sender::new(0) })
    }

    /// The same for a target by itself.
    ///
    /// # Errors
    /// As [`Self::of`].
    #[cfg(test)]
    pub fn new(target: &Target) -> Result<Self, String> {
        Self::of(&super::receiver::sink(target.clone()), "hotlead")
    }

    /// Reads secrets that stand in files again; from the next attempt on those of now are used.
    ///
    /// # Errors
    /// What is wrong with one, without any of it; the old ones stay in use.
    pub fn reread(&self) -> Result<bool, String> {
        let mut current = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        let mut target = current.clone();
        let mut changed = false;
        for secret in target.secrets_mut() {
            changed |= secret.reread()?;
        }
        if changed {
            let prepared = Prepared::new(&target)?;
            *self.prepared.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(prepared);
            *current = target;
            self.renewals.send_modify(|count| *count += 1);
        }
        Ok(changed)
    }

    /// Tells of each exchange of secrets: a sink whose credential was refused can try again.
    pub fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    /// Every secret of now.
    pub fn secrets(&self) -> Vec<String> {
        super::redact::secrets(&self.target.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn prepared(&self) -> Arc<Prepared> {
        self.prepared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Scheme and host: all of the address that may be printed.
    pub fn place(&self) -> String {
        self.prepared().endpoint.place()
    }

    /// The pace that the other side asks for.
    pub fn gate(&self) -> Gate {
        match self.prepared().form {
            Form::Slack => Gate::slack(),
            Form::Bot { .. } | Form::Webhook { .. } => Gate::open(),
        }
    }

    /// Sends what a bot's board wants sent.
    pub async fn order(&self, method: Method, request: &Request) -> Outcome {
        let prepared = self.prepared();
        match &prepared.form {
            Form::Bot { caller } => caller.call(&prepared.endpoint, method, request).await,
            // No other sink has a board.
            Form::Slack | Form::Webhook { .. } => Outcome::Looked(Ok(None)),
        }
    }

    /// Sends one alert. `as_published` is its value on the alert topic; `minimal` asks for as little as possible;
    /// `instead_of` names the sink in whose place it comes.
    pub async fn attempt(
        &self,
        as_published: &[u8],
        alert: &Alert,
        minimal: bool,
        instead_of: Option<&str>,
    ) -> Attempted {
        let prepared = self.prepared();
        let now = wall_clock();
        let written = self.writer.write(as_published, alert, minimal, instead_of, now);
        let Message { headers, body } = match written.and_then(|message| prepared.finish(message, alert, now)) {
            Ok(message) => message,
            Err(detail) => {
                let never = Verdict::Never(Reason::Message);
                return Attempted { judged: Judged::failed(never, AttemptResult::Message, None, detail), answer: None };
            }
        };
        if let Form::Bot { caller } = &prepared.form {
            let arguments = String::from_utf8_lossy(&body).into_owned();
            let (answer, ended) = caller.send(&prepared.endpoint, Method::Post, &arguments).await;
            return Attempted { judged: ended.judged, answer: answer.ok() };
        }
        match prepared.endpoint.post(headers, body).await {
            Ok(answer) => {
                let judged = match prepared.form {
                    Form::Slack | Form::Bot { .. } => slack::judge(&answer, wall_clock()),
                    Form::Webhook { .. } => webhook::judge(&answer, wall_clock()),
                };
                Attempted { judged, answer: Some(answer) }
            }
            Err(failure) => Attempted { judged: without_answer(&failure), answer: None },
        }
    }
}

/// A target with its secrets read: what a request is made of.
struct Prepared {
    endpoint: Endpoint,
    form: Form,
}

enum Form {
    Slack,
    Bot { caller: Caller },
    Webhook { keys: Vec<SigningKey>, headers: HeaderMap },
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.endpoint.place())
    }
}

impl Prepared {
    fn new(target: &Target) -> Result<Self, String> {
        match target {
            Target::Bot(bot) => {
                let endpoint = Endpoint::new(bot.api_url.clone(), &bot.reach).map_err(|e| format!("api_url: {e}"))?;
                Ok(Self { endpoint, form: Form::Bot { caller: Caller::new(bot.token.expose())? } })
            }
            Target::Slack { webhook_url, reach, .. } => {
                let url = Url::parse(webhook_url.expose().trim());
                let url = url.map_err(|error| format!("webhook_url: {error}"))?;
                let endpoint = Endpoint::new(url, reach).map_err(|e| format!("webhook_url: {e}"))?;
                Ok(Self { endpoint, form: Form::Slack })
            }
            Target::Webhook(webhook) => Self::webhook(webhook),
        }
    }

    /// The message with what takes a secret: the config's own headers, and the signature.
    fn finish(&self, message: Message, alert: &Alert, now: Timestamp) -> Result<Message, &'static str> {
        let Form::Webhook { keys, headers: own } = &self.form else {
            return Ok(message);
        };
        let mut headers = own.clone();
        headers.extend(message.headers);
        headers.extend(signed(keys, alert, now, &message.body)?);
        Ok(Message { headers, body: message.body })
    }

    fn webhook(webhook: &Webhook) -> Result<Self, String> {
        let keys = webhook.secrets.iter().map(|secret| SigningKey::parse(secret.expose()));
        let keys: Vec<_> = keys.collect::<Result<_, _>>().map_err(|why| format!("secret: the key {why}"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &webhook.headers {
            let named = HeaderName::from_bytes(name.as_bytes());
            let named = named.map_err(|_| format!("headers: {name:?} is no header's name"))?;
            let value = HeaderValue::from_str(value.expose());
            let mut value = value.map_err(|_| format!("headers: the value of {name} is none"))?;
            value.set_sensitive(true);
            headers.insert(named, value);
        }
        let endpoint = Endpoint::new(webhook.url.clone(), &webhook.reach).map_err(|e| format!("url: {e}"))?;
        Ok(Self { endpoint, form: Form::Webhook { keys, headers } })
    }
}

/// The headers of Standard Webhooks: the id stays the same over all attempts, the time is this attempt's.
fn signed(keys: &[SigningKey], alert: &Alert, now: Timestamp, body: &[u8]) -> Result<HeaderMap, &'static str> {
    let (id, seconds) = (alert.id.to_string(), now.as_millis().div_euclid(1_000));
    let signature = webhook::signature(keys, &id, seconds, body);
    let own = [("webhook-signature", signature), ("webhook-timestamp", seconds.to_string()), ("webhook-id", id)];
    let header = |(name, value): (&'static str, String)| {
        let value = HeaderValue::from_str(&value).map_err(|_| "an id or a signature is no header")?;
        Ok((HeaderName::from_static(name), value))
    };
    own.into_iter().map(header).collect()
}

fn without_answer(failure: &Failure) -> Judged {
    let later = Verdict::Later { retry_after: None, reason: Reason::Exhausted };
    let (verdict, result) = match failure {
        Failure::RefusedAddress(_) => (Verdict::Never(Reason::RefusedAddress), AttemptResult::RefusedAddress),
        Failure::Timeout(_) => (later, AttemptResult::Timeout),
        Failure::NotConnected(_) | Failure::Transport(_) => (later, AttemptResult::Transport),
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
