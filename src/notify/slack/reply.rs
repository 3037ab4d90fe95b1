//! What an incoming webhook's answer means.

use crate::core::time::Span;
use crate::notify::http::Answer;
use crate::notify::verdict::{AttemptResult, Judged, Reason, Shut, Verdict};
use crate::notify::webhook;

/// Refusals of an error that nobody has seen yet before it counts as the message's fault.
pub(super) const TRIES_OF_UNKNOWN: u32 = 3;

/// Refusals of a message: the card, then the same as one line of text.
pub(super) const TRIES_OF_MESSAGE: u32 = 2;

/// Judges Slack's answer; `now` is needed for a `Retry-After` that names a date.
pub fn judge(answer: &Answer, now: crate::core::time::Timestamp) -> Judged {
    let body = String::from_utf8_lossy(&answer.body);
    let (status, error) = (answer.status, body.trim());
    match status {
        // Cut off or empty: the status alone says that Slack took it.
        200..300 if error.is_empty() || error == "ok" || !answer.complete => Judged::delivered(status),
        200..300 => unexpected(answer),
        400 | 403 | 404 | 410 => refusal(status, error),
        _ => {
            let mut judged = webhook::judge(answer, now);
            if status == 429 {
                // Without a word about how long, Slack's own unit is the minute.
                judged.freeze = judged.freeze.or(Some(Span::from_secs(60)));
            }
            judged
        }
    }
}

fn refusal(status: u16, error: &str) -> Judged {
    let (verdict, result) = match error {
        "no_service" | "no_service_id" | "no_active_hooks" | "invalid_token" | "no_team" | "team_disabled" => {
            (Verdict::Shut(Shut::Credential), AttemptResult::Credential)
        }
        "channel_not_found"
        | "user_not_found"
        | "channel_is_archived"
        | "action_prohibited"
        | "posting_to_general_channel_denied" => {
            (Verdict::Later { retry_after: None, reason: Reason::Channel }, AttemptResult::Channel)
        }
        "invalid_payload"
        | "no_text"
        | "too_many_attachments"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_too_long"
        | "msg_blocks_too_long" => (Verdict::Refused { tries: TRIES_OF_MESSAGE }, AttemptResult::Message),
        _ => (Verdict::Refused { tries: TRIES_OF_UNKNOWN }, AttemptResult::Unexpected),
    };
    // Only words of Slack's own kind: anything else might quote what we sent.
    let is_code = !error.is_empty() && error.len() <= 60 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let named = if is_code { error } else { "an answer that is no error code" };
    Judged::failed(verdict, result, Some(status), format!("status {status}, {named}"))
}

fn unexpected(answer: &Answer) -> Judged {
    let verdict = Verdict::Later { retry_after: None, reason: Reason::Exhausted };
    let detail = format!("status {} with a body that is not `ok`", answer.status);
    Judged::failed(verdict, AttemptResult::Unexpected, Some(answer.status), detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;

    #[test]
    fn each_answer_has_its_scope() {
        use AttemptResult as R;
        let later = |reason| Verdict::Later { retry_after: None, reason };
        #[rustfmt::skip]
        let rows = [
            (200, "ok",                   true,  Verdict::Delivered,               R::Ok),
            (200, "ok\n",                 true,  Verdict::Delivered,               R::Ok),
            (200, "",                     true,  Verdict::Delivered,               R::Ok),
            (200, "<html>endless",        false, Verdict::Delivered,               R::Ok),
            (200, "<html>log in</html>",  true,  later(Reason::Exhausted),         R::Unexpected),
            (400, "invalid_payload",      true,  Verdict::Refused { tries: 2 },    R::Message),
            (400, "no_text",              true,  Verdict::Refused { tries: 2 },    R::Message),
            (404, "channel_not_found",    true,  later(Reason::Channel),           R::Channel),
            (410, "channel_is_archived",  true,  later(Reason::Channel),           R::Channel),
            (403, "action_prohibited",    true,  later(Reason::Channel),           R::Channel),
            (403, "invalid_token",        true,  Verdict::Shut(Shut::Credential),  R::Credential),
            (404, "no_service",           true,  Verdict::Shut(Shut::Credential),  R::Credential),
            (404, "no_active_hooks",      true,  Verdict::Shut(Shut::Credential),  R::Credential),
            (400, "a_new_error",          true,  Verdict::Refused { tries: 3 },    R::Unexpected),
            (500, "rollup_error",         true,  later(Reason::Exhausted),         R::ServerError),
            (302, "",                     true,  later(Reason::Exhausted),         R::Redirect),
            (429, "rate_limited",         true,  later(Reason::Exhausted),         R::RateLimited),
        ];
        for (status, body, complete, verdict, result) in rows {
            let answer = Answer { status, body: body.into(), complete, ..Answer::default() };
            let judged = judge(&answer, Timestamp::default());
            assert_eq!((judged.verdict, judged.result), (verdict, result), "{status} {body}");
        }
    }

    #[test]
    fn the_detail_never_quotes_an_answer_that_is_no_code() {
        let answer = Answer { status: 400, body: "bad: Dana Ruiz".into(), ..Answer::default() };
        let judged = judge(&answer, Timestamp::default());
        assert_eq!(judged.detail, "status 400, an answer that is no error code");
    }
}
