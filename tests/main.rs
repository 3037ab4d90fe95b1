//! Every integration test, in one binary: linking librdkafka once is enough.

mod browser;
mod chromium;
mod console;
mod supervise;
