//! The pure heart: events in, decisions and alerts out. No clock, no I/O, no randomness, nothing of the network.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod alert;
mod announcement;
pub mod backoff;
mod condition;
mod decision;
pub mod engine;
pub mod event;
mod evidence;
pub mod ids;
mod index;
mod labels;
mod lead;
mod leads;
pub mod limits;
pub mod matching;
pub mod names;
pub mod offsets;
pub mod plain;
mod reason;
pub mod refusal;
pub mod rule;
pub mod score;
mod slot;
mod snapshot;
pub mod spec;
pub mod stored;
pub mod time;
pub mod window;
mod wording;
