//! A generic webhook: its body, its signatures per Standard Webhooks 1.0, and what its answers mean.

use serde_json::value::RawValue;

use super::http::Answer;
use super::verdict::{AttemptResult, Judged, Reason, Shut, Verdict};
use crate::config::settings::SigningKey;
use crate::core::alert::Alert;
use crate::core::time::{Span, Timestamp};

/// Tries of a message that the other side calls wrong.
const TRIES_OF_MESSAGE: u32 = 2;

/// Longest pause that an answer can ask for: beyond it an alert is too old anyway.
const MAX_RETRY_AFTER: Span = Span::from_secs(24 * 3_600);

/// An answer that asks for a longer pause than this speaks of its endpoint, whatever its status.
const LONG_PAUSE: Span = Span::from_secs(3_600);

/// The `webhook-signature` header: one signature per key, separated by exactly one space.
pub fn signature(keys: &[SigningKey], id: &str, seconds: i64, body: &[u8]) -> String {
    let message = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(&message)).collect();
    signatures.join(" ")
}

/// The body for an alert; `data` goes along as it is, byte for byte.
///
/// # Errors
/// If the bytes are no JSON.
pub fn body(alert: &Alert, data: &[u8]) -> serde_json::Result<Vec<u8>> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        r#type: String,
        timestamp: Timestamp,
        data: &'a RawValue,
    }
    let data: &RawValue = serde_json::from_slice(data)?;
    let r#type = format!("hotlead.alert.{}", alert.kind.name());
    serde_json::to_vec(&Body { r#type, timestamp: alert.time, data })
}

/// Judges an answer; `now` is needed for a `Retry-After` that names a date.
pub fn judge(answer: &Answer, now: Timestamp) -> Judged {
    let status = answer.status;
    let retry_after = answer.retry_after.as_deref().and_then(|text| retry_after(text, now));
    let later = Verdict::Later { retry_after, reason: Reason::Exhausted };
    let (verdict, result) = match status {
        200..300 => return Judged::delivered(status),
        300..400 => (later, AttemptResult::Redirect),
        410 => (Verdict::Shut(Shut::Gone), AttemptResult::Gone),
        429 => (later, AttemptResult::RateLimited),
        400 | 413 | 415 | 422 => (Verdict::Refused { tries: TRIES_OF_MESSAGE }, AttemptResult::Message),
        500.. => (later, AttemptResult::ServerError),
        _ => (later, AttemptResult::ClientError),
    };
    let mut detail = format!("status {status}");
    if let (AttemptResult::Redirect, Some(host)) = (result, &answer.location_host) {
        detail = format!("{detail}, redirect to {host}");
    }
    let mut judged = Judged::failed(verdict, result, Some(status), detail);
    // Of the endpoint, not of this message.
    let of_endpoint = matches!(status, 429 | 503) || retry_after > Some(LONG_PAUSE);
    if of_endpoint && matches!(judged.verdict, Verdict::Later { .. }) {
        judged.freeze = retry_after;
    }
    judged
}

/// Reads `Retry-After`: seconds, also with a fraction (rounded up), or an HTTP date; a day at the most. Nothing of what is no
/// plain number, as `1e300` or `inf`.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Span> {
    let text = text.trim();
    let ms = match text.parse::<f64>() {
        Ok(seconds) if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            (seconds.min(1e9).ceil() * 1_000.0) as i64
        }
        Ok(_) => return None,
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
            (i64::try_from(since_epoch.as_millis()).ok()? - now.as_millis()).max(0)
        }
    };
    Some(Span::from_millis(ms).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
