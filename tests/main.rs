//! Every integration test, in one binary: linking librdkafka once is enough.

mod chromium;
mod config;
mod kafka;
mod notify;
mod properties;
mod python;
mod scenarios;
mod supervise;
mod tidy;
mod twin;
