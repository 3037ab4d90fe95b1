#![doc = include_str!("ARCHITECTURE.md")]

pub mod cli;
pub mod codec;
pub mod config;
pub mod console;
pub mod core;
pub mod run;
