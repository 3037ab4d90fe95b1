//! The console: the live page for the people who call the leads, and the health endpoints for those who run it.
//!
//! What is shown is a [`View`], fed by plain calls from wherever events and alerts go past; what the health endpoints
//! say comes from [`Sources`]. So the console knows nothing of Kafka, workers or sinks.

mod card;
mod exposition;
mod guard;
mod lead;
mod server;
mod stream;
mod told;
mod view;

pub use self::lead::Decided;
pub use self::server::{Server, Sources};
pub use self::told::{Counters, Delivery, SinkCounts};
pub use self::view::{MAX_CARDS, View};
