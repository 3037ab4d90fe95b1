//! Deliveries from outside: the official libraries verify what is sent, and a real broker carries it.

mod bot;
mod broker;
mod dlq;
mod edges;
mod erasure;
mod fake_slack;
mod fallback;
mod fence;
mod kills;
mod kinds;
mod ledger;
mod load;
mod ops;
mod outside;
mod privacy;
mod receiver;
mod restart;
mod routes;
mod rows;
mod shares;
mod tls;
