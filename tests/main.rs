//! Every integration test, in one binary: linking librdkafka once is enough.

mod backtest;
mod browser;
mod chromium;
mod config;
mod console;
mod crash;
mod demo;
mod kafka;
mod live;
mod notify;
mod properties;
mod python;
mod readme;
mod scenarios;
mod state;
mod supervise;
mod tidy;
mod twin;
