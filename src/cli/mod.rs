//! The commands: checked arguments in, exit codes out; no logic of their own.

pub mod capture;
pub mod run;
pub mod tail;
