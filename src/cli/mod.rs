//! What people type: commands and their exit codes.

pub mod check;
