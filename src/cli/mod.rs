//! The command line: what can be typed, and which room answers.

pub mod demo;
pub mod exit;
pub mod simulate;
