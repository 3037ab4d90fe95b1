//! Deliveries from outside: the official libraries verify what is sent, and a real broker carries it.

mod bot;
mod broker;
mod dlq;
mod edges;
mod fake_slack;
mod fallback;
mod fence;
mod kills;
mod ledger;
mod load;
mod ops;
mod outside;
mod receiver;
mod restart;
mod routes;
mod rows;
mod tls;
