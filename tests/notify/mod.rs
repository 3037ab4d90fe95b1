//! Deliveries from outside: the official libraries verify what is sent, and a real broker carries it.

mod broker;
mod outside;
mod receiver;
mod routes;
mod tls;
