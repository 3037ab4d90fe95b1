//! A generic webhook: its body, its signature per Standard Webhooks 1.0, and what its answers mean.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::value::RawValue;
use sha2::Sha256;

use super::http::Answer;
use super::verdict::{AttemptResult, Judged, Reason, Shut, Verdict};
use crate::core::alert::Alert;
use crate::core::time::{Span, Timestamp};

/// Tries of a message that the other side calls wrong.
const TRIES_OF_MESSAGE: u32 = 2;

/// Longest pause that an answer can ask for: beyond it an alert is too old anyway.
const MAX_RETRY_AFTER: Span = Span::from_secs(24 * 3_600);

/// Accepts a secret with and without padding: both are in use.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A signing key, from `whsec_` and base64.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    /// Reads a secret; the prefix may be missing.
    ///
    /// # Errors
    /// A sentence without the secret, if it is no base64 or empty.
    pub fn parse(secret: &str) -> Result<Self, &'static str> {
        let secret = secret.trim();
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        match BASE64.decode(text) {
            Ok(key) if !key.is_empty() => Ok(Self(key)),
            Ok(_) => Err("is empty"),
            Err(_) => Err("is not `whsec_` followed by base64"),
        }
    }

    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

/// The `webhook-signature` header: one signature per key, separated by exactly one space.
pub fn signature(keys: &[Key], id: &str, seconds: i64, body: &[u8]) -> String {
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(id, seconds, body)).collect();
    signatures.join(" ")
}

/// The body for an alert, which goes along exactly as it stands on the alert topic.
///
/// # Errors
/// If the bytes are no JSON.
pub fn body(alert: &Alert, as_published: &[u8]) -> serde_json::Result<Vec<u8>> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        r#type: String,
        timestamp: Timestamp,
        data: &'a RawValue,
    }
    let data: &RawValue = serde_json::from_slice(as_published)?;
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
    if matches!(status, 429 | 503) {
        judged.freeze = retry_after; // it speaks of the endpoint, not of this message
    }
    judged
}

/// Reads `Retry-After`: seconds, also with a fraction (rounded up), or an HTTP date.
pub fn retry_after(text: &str, now: Timestamp) -> Option<Span> {
    let text = text.trim();
    let ms = match text.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => (seconds.min(1e9).ceil() * 1_000.0) as i64,
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
