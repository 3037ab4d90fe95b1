//! What can be seen from outside: metrics, the log, readiness, and the stream of committed alerts.
//!
//! One struct per thing that happens ([`events`]); telling it updates metrics and log together.

pub mod access;
pub mod broker_log;
pub mod events;
mod hot;
pub mod log;
mod metrics;
mod readiness;
pub mod redact;
mod tally;

pub use hot::HotAlerts;
pub use metrics::Metrics;
pub use readiness::Readiness;
pub use tally::{Labels, Tally};
