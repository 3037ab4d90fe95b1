//! The log: text or JSON on stderr, filtered by `HOTLEAD_LOG` (as `RUST_LOG` elsewhere; `info` without it).

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, PoisonError, RwLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::redact::Redactor;

/// Names the filter.
pub const FILTER_VARIABLE: &str = "HOTLEAD_LOG";

/// What no line of the log may show.
static HIDDEN: RwLock<Option<Arc<Redactor>>> = RwLock::new(None);

/// From now on no line shows a secret that this one knows.
pub fn hide(secrets: Arc<Redactor>) {
    *HIDDEN.write().unwrap_or_else(PoisonError::into_inner) = Some(secrets);
}

/// Standard error, without secrets. A whole line comes in one call.
struct Redacted;

impl Write for Redacted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
        match hidden.as_deref() {
            Some(redactor) => {
                let shown = redactor.redact(&String::from_utf8_lossy(line));
                io::stderr().lock().write_all(shown.as_bytes())?;
            }
            None => io::stderr().lock().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Starts the log of this process, as text for people or one JSON object a line. A second call changes nothing.
pub fn init(is_json: bool) {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Redacted).with_target(false).with_ansi(colour);
    let started = match is_json {
        false => builder.finish().try_init(),
        true => builder.json().flatten_event(true).finish().try_init(),
    };
    // It fails only if a log was started before.
    let _ = started;
}

/// A lead's name in the log: keys can be e-mail addresses, so eight digits of a hash stand for it.
pub fn lead_hash(lead: &str) -> String {
    format!("{:08x}", xxhash_rust::xxh3::xxh3_64(lead.as_bytes()) as u32)
}
