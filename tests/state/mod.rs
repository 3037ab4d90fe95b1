//! State that survives: restarts, aborts, edited rules, old and broken bytes, and the real thing on a broker.

pub mod changelog;
mod fixtures;
mod hostile;
mod restart;
mod rules;
mod runbook;
mod silence;
