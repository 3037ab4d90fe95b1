//! Every integration test, in one binary: linking librdkafka once is enough.
mod config;
