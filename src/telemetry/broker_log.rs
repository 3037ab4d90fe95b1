//! What librdkafka has to say, in our log: once a minute at most for each thing, and the newest fault for who asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{debug, error, info, warn};

/// The same message again only after this.
const QUIET: Duration = Duration::from_secs(60);

/// Different messages remembered; more than librdkafka has templates.
const MAX_REMEMBERED: usize = 256;

/// librdkafka's number of the error that follows all others.
const ALL_BROKERS_DOWN: i32 = -187;

/// librdkafka's number of an error that ends a client. Whoever uses the client gets it as an answer too and tells of it.
const FATAL: i32 = -150;

/// Kafka's numbers of rights that we lack: of a topic, a group, the cluster, a transactional id. Answers too, told with
/// the name of what was refused.
const RIGHTS: [i32; 4] = [29, 30, 31, 53];

/// What kind of trouble the brokers gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Name not resolved, connection refused or lost, timed out.
    Unreachable,
    /// Wrong credentials.
    Authentication,
    /// TLS could not be agreed on.
    Tls,
    /// A right that we lack.
    Rights,
    /// Anything else.
    Other,
}

/// Shared by all clients of a process; a clone is another handle.
#[derive(Clone, Debug, Default)]
pub struct BrokerLog(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    starting: bool,
    last: HashMap<String, Instant>,
    trouble: Option<(Trouble, String)>,
}

impl Default for State {
    fn default() -> Self {
        Self { starting: true, last: HashMap::new(), trouble: None }
    }
}

impl Trouble {
    /// By librdkafka's number of an error (`rd_kafka_resp_err_t`).
    fn of(code: i32) -> Self {
        match code {
            -169 => Self::Authentication,
            -181 => Self::Tls,
            code if RIGHTS.contains(&code) => Self::Rights,
            // Transport, resolve, timed out.
            -195 | -193 | -185 | ALL_BROKERS_DOWN => Self::Unreachable,
            _ => Self::Other,
        }
    }
}

impl BrokerLog {
    /// A line of librdkafka's own log; the level is that of syslog, 0 the worst and 7 for developers.
    pub fn line(&self, level: i32, facility: &str, text: &str) {
        // Connection faults come as errors too, with a class: no second line for them.
        let level = match facility {
            // So do faults of transactions, and what ends a client.
            "FAIL" | "ERROR" | "FATAL" | "TXNERR" => 7,
            // "a consumer property will be ignored by this producer": one file of properties serves both.
            "CONFWARN" => 7,
            _ => level,
        };
        if level == 7 || !self.is_new(facility, text, Instant::now()) {
            debug!(facility, "kafka: {text}");
            return;
        }
        match level {
            ..=3 => error!(facility, "kafka: {text}"),
            4 => warn!(facility, "kafka: {text}"),
            _ => info!(facility, "kafka: {text}"),
        }
    }

    /// A fault that a client reports, with librdkafka's number for it.
    pub fn fault(&self, code: i32, text: &str) {
        let text = clear(text);
        if self.remember(code, text)
            && code != FATAL
            && !RIGHTS.contains(&code)
            && self.is_new("", text, Instant::now())
        {
            warn!("kafka: {text}");
        } else {
            debug!("kafka: {text}");
        }
    }

    /// Whether somebody should read it: while starting, the one who asks tells of it in its own line.
    fn remember(&self, code: i32, text: &str) -> bool {
        let trouble = Trouble::of(code);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Wrong credentials also look like a lost connection, and each lost connection ends in "all brokers are down":
        // a cause must not be hidden by its effects.
        let hides = match &state.trouble {
            Some((Trouble::Authentication | Trouble::Tls | Trouble::Rights, _)) => {
                matches!(trouble, Trouble::Unreachable | Trouble::Other)
            }
            Some(_) => code == ALL_BROKERS_DOWN,
            None => false,
        };
        if !hides {
            state.trouble = Some((trouble, text.to_owned()));
        }
        !state.starting
    }

    /// From now on faults are logged as they come.
    pub fn started(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.starting, state.trouble) = (false, None);
    }

    /// The newest fault since the brokers last answered.
    pub fn newest_trouble(&self) -> Option<(Trouble, String)> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.trouble.clone()
    }

    /// The brokers answered. That grants no right: librdkafka tells only once that one is missing.
    pub fn answered(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.trouble = state.trouble.take().filter(|(trouble, _)| *trouble == Trouble::Rights);
    }

    fn is_new(&self, facility: &str, text: &str, now: Instant) -> bool {
        // Digits are ports, counts, milliseconds: the same message for our purpose.
        let key: String =
            [facility, " ", text].iter().flat_map(|part| part.chars()).filter(|c| !c.is_ascii_digit()).collect();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.len() >= MAX_REMEMBERED {
            state.last.retain(|_, last| now.duration_since(*last) < QUIET);
        }
        if state.last.len() >= MAX_REMEMBERED {
            return false;
        }
        match state.last.get(&key) {
            Some(last) if now.duration_since(*last) < QUIET => false,
            _ => {
                state.last.insert(key, now);
                true
            }
        }
    }
}

/// Without what only librdkafka's authors understand: the thread in front (`[thrd:…]: `), the state behind
/// (` (after 0ms in state CONNECT)`).
fn clear(text: &str) -> &str {
    let text = text.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(text, |(_, text)| text);
    text.split_once(" (after ").map_or(text, |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_message_is_new_once_a_minute() {
        let log = BrokerLog::default();
        let start = Instant::now();
        #[rustfmt::skip]
        let rows = [
            (0,      "127.0.0.1:9092: refused (after 2ms)", true,  "first"),
            (1,      "127.0.0.1:9092: refused (after 7ms)", false, "the same but for its digits"),
            (2,      "timed out",                           true,  "another"),
            (59_999, "127.0.0.1:9092: refused (after 2ms)", false, "a millisecond early"),
            (60_000, "127.0.0.1:9092: refused (after 2ms)", true,  "the minute is over"),
        ];
        for (ms, text, new, why) in rows {
            let now = start + Duration::from_millis(ms);
            assert_eq!(log.is_new("", text, now), new, "{why}");
        }
    }

    #[test]
    fn effects_do_not_hide_their_cause() {
        let log = BrokerLog::default();
        log.fault(-169, "[thrd:sasl/x]: SASL authentication error");
        log.fault(-195, "connection closed");
        let expected = (Trouble::Authentication, "SASL authentication error".to_owned());
        assert_eq!(log.newest_trouble(), Some(expected));
        log.answered();
        assert_eq!(log.newest_trouble(), None, "it is over");
        log.fault(30, "FindCoordinator response error: Group authorization failed.");
        log.answered();
        let kept = log.newest_trouble().map(|(trouble, _)| trouble);
        assert_eq!(kept, Some(Trouble::Rights), "a right is still missing");
        log.started();
        log.fault(-195, "k:9092: Connect failed: Connection refused (after 0ms in state CONNECT)");
        log.fault(ALL_BROKERS_DOWN, "1/1 brokers are down");
        let refused = "k:9092: Connect failed: Connection refused".to_owned();
        assert_eq!(log.newest_trouble(), Some((Trouble::Unreachable, refused)));
    }

    #[test]
    fn memory_of_messages_is_bounded() {
        let log = BrokerLog::default();
        let now = Instant::now();
        for index in 0..MAX_REMEMBERED * 2 {
            log.is_new("", &"x".repeat(index), now);
        }
        let state = log.0.lock().expect("not poisoned");
        assert_eq!(state.last.len(), MAX_REMEMBERED);
    }
}
