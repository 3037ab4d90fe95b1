#![doc = include_str!("ARCHITECTURE.md")]
pub fn x() {}
