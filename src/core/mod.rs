//! The pure heart: events in, decisions and alerts out. No clock, no I/O, no randomness, nothing of the network.

pub mod alert;
pub mod backoff;
pub mod engine;
pub mod event;
pub mod ids;
pub mod limits;
pub mod offsets;
pub mod rule;
pub mod spec;
pub mod time;
