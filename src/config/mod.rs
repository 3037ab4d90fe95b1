//! The files that people write: text in, checked values or every fault with its place out.

pub mod address;
pub mod settings;
