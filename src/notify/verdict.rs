//! What an attempt means for its delivery and for its sink, and the names of all outcomes.

use crate::core::time::Span;

/// What the answer to one attempt means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The other side has it.
    Delivered,
    /// A bad moment: try again on the schedule until the alert is too old.
    Later {
        /// Not before this.
        retry_after: Option<Span>,
        /// What it becomes if it is given up in the end.
        reason: Reason,
    },
    /// The other side refuses this message. It is given up at the `tries`-th refusal.
    Refused {
        /// From 1.
        tries: u32,
    },
    /// It can never be delivered.
    Never(Reason),
    /// The sink itself is shut: nothing is sent, nothing given up.
    Shut(Shut),
}

/// Why a sink is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// Its credential is refused: one real message tries again once a minute.
    Credential,
    /// The endpoint said that it is gone for good: nothing more is sent until an operator opens it again.
    Gone,
}

/// Why a delivery was given up: a closed set, the metric label and the `hotlead_reason` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Every attempt failed until the alert was too old.
    Exhausted,
    /// The other side refuses the message, or it cannot be written.
    Message,
    /// The channel refuses messages.
    Channel,
    /// The endpoint's name leads to an address that must not be reached.
    RefusedAddress,
    /// Nobody could find out whether the other side has it.
    Uncertain,
}

impl Reason {
    /// The name in metrics and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Message => "message",
            Self::Channel => "channel",
            Self::RefusedAddress => "refused_address",
            Self::Uncertain => "uncertain",
        }
    }
}

/// How one attempt ended: a closed set, the label of `hotlead_delivery_attempts_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptResult {
    /// Delivered.
    Ok,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerError,
    /// 4xx of no other kind.
    ClientError,
    /// 3xx, which is never followed.
    Redirect,
    /// 410.
    Gone,
    /// No whole answer in time.
    Timeout,
    /// No connection, or a broken one.
    Transport,
    /// The address must not be reached.
    RefusedAddress,
    /// The credential was refused.
    Credential,
    /// The channel refused.
    Channel,
    /// The message was refused.
    Message,
    /// An answer that makes no sense.
    Unexpected,
}

impl AttemptResult {
    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::ClientError => "client_error",
            Self::Redirect => "redirect",
            Self::Gone => "gone",
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::RefusedAddress => "refused_address",
            Self::Credential => "credential",
            Self::Channel => "channel",
            Self::Message => "message",
            Self::Unexpected => "unexpected",
        }
    }
}

/// One attempt, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What follows.
    pub verdict: Verdict,
    /// The label.
    pub result: AttemptResult,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// Kind and place of the trouble in our own words; never a value of the alert, never a secret.
    pub detail: String,
    /// The endpoint takes nothing at all for this long (429).
    pub freeze: Option<Span>,
}

impl Judged {
    /// The other side has it.
    pub fn delivered(status: u16) -> Self {
        Self {
            verdict: Verdict::Delivered,
            result: AttemptResult::Ok,
            status: Some(status),
            detail: String::new(),
            freeze: None,
        }
    }

    /// Whether the endpoint itself is in trouble, whatever it is sent: what its breaker counts.
    pub fn endpoint_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Later { .. })
    }

    /// Any failure.
    pub fn failed(verdict: Verdict, result: AttemptResult, status: Option<u16>, detail: impl Into<String>) -> Self {
        Self { verdict, result, status, detail: detail.into(), freeze: None }
    }
}
