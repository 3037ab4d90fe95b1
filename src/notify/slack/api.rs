//! The methods of Slack's Web API that a bot calls, and what their answers mean.

use serde::Deserialize;

use super::error::{Scope, scope};
use super::reply::{TRIES_OF_MESSAGE, TRIES_OF_UNKNOWN};
use crate::core::time::{Span, Timestamp};
use crate::notify::http::{Answer, Failure};
use crate::notify::verdict::{AttemptResult, Judged, Reason, Shut, Verdict};
use crate::notify::webhook;

/// What may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A message of its own.
    Post,
    /// A message in the thread of a card.
    Reply,
    /// An edit.
    Update,
    /// A channel's messages.
    History,
    /// A thread's messages.
    Replies,
    /// Whether the token is good.
    Test,
}

/// What Slack counts and freezes as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// Messages and replies.
    Post,
    /// Edits.
    Update,
    /// Lookups in channels.
    History,
    /// Lookups in threads.
    Replies,
    /// Looks at the token.
    Test,
}

impl Method {
    /// As in its URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post | Self::Reply => "chat.postMessage",
            Self::Update => "chat.update",
            Self::History => "conversations.history",
            Self::Replies => "conversations.replies",
            Self::Test => "auth.test",
        }
    }

    /// Whether it makes a message: what must not happen twice.
    pub fn is_post(self) -> bool {
        matches!(self, Self::Post | Self::Reply)
    }

    pub(super) fn rate(self) -> Rate {
        match self {
            Self::Post | Self::Reply => Rate::Post,
            Self::Update => Rate::Update,
            Self::History => Rate::History,
            Self::Replies => Rate::Replies,
            Self::Test => Rate::Test,
        }
    }
}

/// What became of a request, beyond what is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// Slack did it. Of a message: where it is.
    Done {
        /// The channel's id.
        channel: String,
        /// The message's name within it: a text, never a number.
        ts: String,
    },
    /// It may have been done: nobody knows.
    Uncertain,
    /// The card's message is gone or can be changed no more.
    ParentGone,
    /// It was not done.
    Failed,
}

/// One request's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What became of it.
    pub became: Became,
    /// What that means for the delivery.
    pub judged: Judged,
}

impl Ended {
    /// Whether Slack itself is in trouble, whatever it is sent: what the breaker counts.
    pub fn slack_failed(&self) -> bool {
        use AttemptResult::{Redirect, ServerError, Timeout, Transport, Unexpected};
        let broken = matches!(self.judged.result, ServerError | Timeout | Transport | Redirect | Unexpected);
        broken && matches!(self.judged.verdict, Verdict::Later { .. })
    }

    /// Whether a lookup failed because the token may not look: that shuts nothing.
    pub fn lacks_scope(&self) -> bool {
        let may_not = ["missing_scope", "no_permission", "not_allowed_token_type"];
        may_not.iter().any(|error| self.judged.detail.contains(error))
    }
}

#[derive(Default, Deserialize)]
struct Body {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    channel: serde_json::Value,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    response_metadata: Option<Metadata>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    messages: Vec<String>,
}

/// Judges what came back; `now` is needed for a `Retry-After` that names a date.
pub fn judge(method: Method, answer: &Result<Answer, Failure>, now: Timestamp) -> Ended {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return without_answer(method, failure),
    };
    match (answer.status, serde_json::from_slice::<Body>(&answer.body)) {
        (429, _) => rate_limited(method, answer, now),
        (200..300, Ok(body)) if body.ok => done(method, answer.status, &body),
        (200..300, Ok(body)) => refused(method, answer.status, &body),
        // It took the request, and what it did does not say.
        (200..300, Err(_)) => {
            uncertain(method, AttemptResult::Unexpected, Some(answer.status), "an answer that is not JSON", None)
        }
        (_, Ok(body)) if !body.error.is_empty() && answer.status < 500 => refused(method, answer.status, &body),
        _ => {
            let mut judged = webhook::judge(answer, now);
            if !matches!(judged.verdict, Verdict::Later { .. }) {
                judged.verdict = later(None, Reason::Exhausted);
            }
            judged.detail = format!("{}: {}", method.name(), judged.detail);
            Ended { became: Became::Failed, judged }
        }
    }
}

fn later(retry_after: Option<Span>, reason: Reason) -> Verdict {
    Verdict::Later { retry_after, reason }
}

fn failed(method: Method, verdict: Verdict, result: AttemptResult, status: Option<u16>, what: &str) -> Ended {
    let judged = Judged::failed(verdict, result, status, format!("{}: {what}", method.name()));
    Ended { became: Became::Failed, judged }
}

/// Only a message must not be made twice: anything else is simply repeated.
fn uncertain(method: Method, result: AttemptResult, status: Option<u16>, what: &str, wait: Option<Span>) -> Ended {
    let reason = if method.is_post() { Reason::Uncertain } else { Reason::Exhausted };
    let mut ended = failed(method, later(wait, reason), result, status, what);
    if method.is_post() {
        ended.became = Became::Uncertain;
    }
    ended
}

fn without_answer(method: Method, failure: &Failure) -> Ended {
    let what = failure.to_string();
    match failure {
        Failure::RefusedAddress(_) => {
            failed(method, Verdict::Never(Reason::RefusedAddress), AttemptResult::RefusedAddress, None, &what)
        }
        // Nothing of it went out.
        Failure::NotConnected(_) => {
            failed(method, later(None, Reason::Exhausted), AttemptResult::Transport, None, &what)
        }
        Failure::Timeout(_) => uncertain(method, AttemptResult::Timeout, None, &what, None),
        Failure::Transport(_) => uncertain(method, AttemptResult::Transport, None, &what, None),
    }
}

/// Slack sometimes takes a message that it answers so.
fn rate_limited(method: Method, answer: &Answer, now: Timestamp) -> Ended {
    let wait = answer.retry_after.as_deref().and_then(|text| webhook::retry_after(text, now));
    // Without a word about how long, Slack's own unit is the minute.
    let wait = wait.unwrap_or(Span::from_secs(60));
    let mut ended = uncertain(method, AttemptResult::RateLimited, Some(429), "status 429", Some(wait));
    ended.judged.freeze = Some(wait);
    ended
}

fn done(method: Method, status: u16, body: &Body) -> Ended {
    let channel = body.channel.as_str().unwrap_or_default().to_owned();
    if method.is_post() && body.ts.is_empty() {
        return uncertain(method, AttemptResult::Unexpected, Some(status), "an answer without ts", None);
    }
    Ended { became: Became::Done { channel, ts: body.ts.clone() }, judged: Judged::delivered(status) }
}

fn refused(method: Method, status: u16, body: &Body) -> Ended {
    let what = said(body);
    let (verdict, result) = match scope(method, &body.error) {
        Scope::Uncertain => return uncertain(method, AttemptResult::ServerError, Some(status), &what, None),
        Scope::Transient if body.error.contains("limited") => {
            (later(None, Reason::Exhausted), AttemptResult::RateLimited)
        }
        Scope::Transient => (later(None, Reason::Exhausted), AttemptResult::ServerError),
        Scope::Credential => (Verdict::Shut(Shut::Credential), AttemptResult::Credential),
        Scope::Channel => (later(None, Reason::Channel), AttemptResult::Channel),
        Scope::Parent => (later(None, Reason::Exhausted), AttemptResult::ClientError),
        Scope::Message => (Verdict::Refused { tries: TRIES_OF_MESSAGE }, AttemptResult::Message),
        Scope::Unknown => (Verdict::Refused { tries: TRIES_OF_UNKNOWN }, AttemptResult::Unexpected),
    };
    let mut ended = failed(method, verdict, result, Some(status), &what);
    if scope(method, &body.error) == Scope::Parent {
        ended.became = Became::ParentGone;
    }
    // The same as 429, in other words.
    if result == AttemptResult::RateLimited {
        ended = uncertain(method, result, Some(status), &what, Some(Span::from_secs(60)));
        ended.judged.freeze = Some(Span::from_secs(60));
    }
    ended
}

/// The error and where it lies: only what is of Slack's own kind, anything else might quote what we sent.
fn said(body: &Body) -> String {
    let error = &body.error;
    let is_code = !error.is_empty() && error.len() <= 80 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let mut said = if is_code { error.clone() } else { "an error that is no code".to_owned() };
    for message in body.response_metadata.iter().flat_map(|metadata| &metadata.messages) {
        let pointer = message.split_once("[json-pointer:").and_then(|(_, rest)| rest.split_once(']'));
        let is_plain = |pointer: &&str| pointer.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_'));
        if let Some(pointer) = pointer.map(|(pointer, _)| pointer).filter(is_plain) {
            said.push_str(&format!(", at {pointer}"));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Result<Answer, Failure> {
        Ok(Answer { status, body: body.into(), complete: true, ..Answer::default() })
    }

    #[test]
    fn answers_mean_what_the_table_says() {
        use AttemptResult as R;
        use Became::{Failed, ParentGone, Uncertain};
        let later = |reason| Verdict::Later { retry_after: None, reason };
        let wait = |seconds, reason| Verdict::Later { retry_after: Some(Span::from_secs(seconds)), reason };
        let shut = Verdict::Shut(Shut::Credential);
        let error = |error: &str| answered(200, &format!(r#"{{"ok":false,"error":"{error}"}}"#));
        let limited = Ok(Answer { status: 429, retry_after: Some("7".into()), ..Answer::default() });
        let broken = Err(Failure::Transport("reset".into()));
        let refused = Err(Failure::NotConnected("connection refused".into()));
        let late = Err(Failure::Timeout(std::time::Duration::from_secs(15)));
        #[rustfmt::skip]
        let rows = [
            (Method::Post,    error("internal_error"),         Failed,     later(Reason::Exhausted),    R::ServerError),
            (Method::Post,    error("fatal_error"),            Uncertain,  later(Reason::Uncertain),    R::ServerError),
            (Method::Post,    error("token_revoked"),          Failed,     shut.clone(),                R::Credential),
            (Method::Post,    error("is_archived"),            Failed,     later(Reason::Channel),      R::Channel),
            (Method::Post,    error("invalid_blocks"),         Failed,     Verdict::Refused { tries: 2 }, R::Message),
            (Method::Post,    error("a_new_error"),            Failed,     Verdict::Refused { tries: 3 }, R::Unexpected),
            (Method::Post,    error("ratelimited"),            Uncertain,  wait(60, Reason::Uncertain), R::RateLimited),
            (Method::Update,  error("message_not_found"),      ParentGone, later(Reason::Exhausted),    R::ClientError),
            (Method::Reply,   error("cannot_reply_to_message"), ParentGone, later(Reason::Exhausted),   R::ClientError),
            (Method::Post,    limited.clone(),                 Uncertain,  wait(7, Reason::Uncertain),  R::RateLimited),
            (Method::Reply,   limited.clone(),                 Uncertain,  wait(7, Reason::Uncertain),  R::RateLimited),
            (Method::Update,  limited,                         Failed,     wait(7, Reason::Exhausted),  R::RateLimited),
            (Method::Post,    answered(503, "<html>"),         Failed,     later(Reason::Exhausted),    R::ServerError),
            (Method::Post,    answered(502, r#"{"ok":false,"error":"x"}"#), Failed, later(Reason::Exhausted), R::ServerError),
            (Method::Post,    answered(200, "<html>"),         Uncertain,  later(Reason::Uncertain),    R::Unexpected),
            (Method::Post,    answered(200, r#"{"ok":true}"#), Uncertain,  later(Reason::Uncertain),    R::Unexpected),
            (Method::Update,  answered(200, r#"{"ok":tr"#),    Failed,     later(Reason::Exhausted),    R::Unexpected),
            (Method::Post,    answered(403, r#"{"ok":false,"error":"invalid_auth"}"#), Failed, shut,    R::Credential),
            (Method::Post,    answered(404, "no"),             Failed,     later(Reason::Exhausted),    R::ClientError),
            (Method::Post,    broken.clone(),                  Uncertain,  later(Reason::Uncertain),    R::Transport),
            (Method::Update,  broken,                          Failed,     later(Reason::Exhausted),    R::Transport),
            (Method::Post,    refused,                         Failed,     later(Reason::Exhausted),    R::Transport),
            (Method::Reply,   late,                            Uncertain,  later(Reason::Uncertain),    R::Timeout),
        ];
        for (method, answer, became, verdict, result) in rows {
            let ended = judge(method, &answer, Timestamp::default());
            assert_eq!(
                (ended.became, ended.judged.verdict, ended.judged.result),
                (became, verdict, result),
                "{answer:?}"
            );
        }
        let posted = judge(
            Method::Post,
            &answered(200, r#"{"ok":true,"channel":"C1","ts":"1.000200","response_metadata":null}"#),
            Timestamp::default(),
        );
        assert_eq!(posted.became, Became::Done { channel: "C1".into(), ts: "1.000200".into() });
        assert_eq!(posted.judged.verdict, Verdict::Delivered);
    }

    #[test]
    fn the_detail_says_where_and_never_quotes() {
        let body = r#"{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] Dana Ruiz [json-pointer:/blocks/0/text]","[ERROR] no [json-pointer:Dana Ruiz]"]}}"#;
        let detail = |body: &str| judge(Method::Post, &answered(200, body), Timestamp::default()).judged.detail;
        assert_eq!(detail(body), "chat.postMessage: invalid_blocks, at /blocks/0/text");
        assert_eq!(detail(r#"{"ok":false,"error":"Dana"}"#), "chat.postMessage: an error that is no code");
    }
}
