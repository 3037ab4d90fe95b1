#![doc = include_str!("ARCHITECTURE.md")]

pub mod backtest;
pub mod cli;
pub mod codec;
pub mod config;
pub mod console;
pub mod core;
pub mod notify;
pub mod run;
pub mod sink;
pub mod source;
pub mod telemetry;
