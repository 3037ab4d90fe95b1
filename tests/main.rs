//! Every integration test, in one binary: linking librdkafka once is enough.

mod twin;
mod chromium;
mod kafka;
mod python;
mod supervise;
mod tidy;
mod properties;
mod scenarios;
