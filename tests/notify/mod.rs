//! Deliveries from outside: the official libraries verify what is sent, and a real broker carries it.

mod broker;
mod dlq;
mod fence;
mod ledger;
mod ops;
mod outside;
mod receiver;
mod restart;
mod routes;
mod tls;
