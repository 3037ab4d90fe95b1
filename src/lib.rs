#![doc = include_str!("ARCHITECTURE.md")]

pub mod codec;
pub mod config;
pub mod console;
pub mod core;
pub mod run;
