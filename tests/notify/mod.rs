//! Deliveries from outside: the official libraries verify what is sent, and a real broker carries it.

mod bot;
mod broker;
mod dlq;
mod erasure;
mod fake_slack;
mod fence;
mod kinds;
mod ledger;
mod ops;
mod outside;
mod privacy;
mod receiver;
mod restart;
mod routes;
mod tls;
