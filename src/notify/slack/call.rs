//! Calls methods of Slack's Web API over HTTP.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::api::{Became, Ended, Method, judge};
use super::board::{Outcome, Request};
use super::reconcile::{EVENT_TYPE, Match, Wanted, find, next_page, oldest};
use crate::core::time::Timestamp;
use crate::notify::destination::wall_clock;
use crate::notify::http::{Answer, Endpoint, Failure};

/// Messages of one page of a lookup.
const PAGE: u32 = 100;

/// Pages of one lookup: a hundred thousand messages since a minute before the intent; more would be no channel of people.
const MAX_PAGES: usize = 1_000;

/// Between two pages: Slack allows about one such call a second.
const PAGE_PACE: Duration = Duration::from_millis(1_300);

/// Whoever calls: a token, as it goes on the wire.
#[derive(Clone)]
pub struct Caller(HeaderValue);

impl Caller {
    /// With this token.
    ///
    /// # Errors
    /// If it cannot go into a header.
    pub fn new(token: &str) -> Result<Self, &'static str> {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
        let mut value = value.map_err(|_| "token: cannot go into a header")?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// Sends one request of the board, all its pages, and says how it ended.
    pub async fn call(&self, endpoint: &Endpoint, method: Method, request: &Request) -> Outcome {
        match request {
            Request::Test => Outcome::Sent(self.send(endpoint, method, "").await.1),
            Request::Message(message) => Outcome::Sent(self.send(endpoint, method, &message.to_string()).await.1),
            Request::Look { wanted, channel, intent } => {
                Outcome::Looked(self.look(endpoint, method, wanted, channel, *intent).await)
            }
        }
    }

    /// Calls a method with these arguments, JSON or a form; the answer itself, and what it means.
    pub async fn send(&self, endpoint: &Endpoint, method: Method, arguments: &str) -> (Result<Answer, Failure>, Ended) {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let content = if arguments.starts_with('{') { json } else { form };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.0.clone()), (CONTENT_TYPE, content)]);
        let answer = endpoint.call(method.name(), headers, arguments.as_bytes().to_vec()).await;
        let ended = judge(method, &answer, wall_clock());
        (answer, ended)
    }

    async fn look(
        &self,
        endpoint: &Endpoint,
        method: Method,
        wanted: &Wanted,
        channel: &str,
        intent: Timestamp,
    ) -> Result<Option<Match>, Ended> {
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let form = form(wanted, channel, intent, cursor.as_deref());
            let (answer, ended) = self.send(endpoint, method, &form).await;
            let (Ok(answer), Became::Done { .. }) = (answer, &ended.became) else {
                return Err(ended);
            };
            let page: Value = serde_json::from_slice(&answer.body).unwrap_or_default(); // it was read before
            if let Some(found) = find(&page, wanted) {
                return Ok(Some(found));
            }
            match next_page(&page) {
                Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                _ => return Ok(None),
            }
            tokio::time::sleep(PAGE_PACE).await;
        }
        let endless = Failure::Transport("more pages than are read".to_owned());
        Err(judge(method, &Err(endless), wall_clock()))
    }
}

/// The arguments of a lookup.
fn form(wanted: &Wanted, channel: &str, intent: Timestamp, cursor: Option<&str>) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("channel", channel).append_pair("oldest", &oldest(intent));
    form.append_pair("inclusive", "true").append_pair("include_all_metadata", "true");
    form.append_pair("limit", &PAGE.to_string());
    if let Wanted::Reply { ts, .. } = wanted {
        form.append_pair("ts", ts);
    }
    if let Some(cursor) = cursor {
        form.append_pair("cursor", cursor);
    }
    form.finish()
}

/// The card of one alert by itself, as a bot posts it: for `render` and `sink test`.
pub fn bot_message(mut card: Value, channel: &str, alert_id: &str) -> Value {
    card["channel"] = channel.into();
    let payload = json!({ "alert_id": alert_id, "episode": alert_id, "v": 1 });
    card["metadata"] = json!({ "event_type": EVENT_TYPE, "event_payload": payload });
    card
}
