//! What ties the parts together: the live worker, the demo and its simulator.

pub mod demo;
pub mod shown;
pub mod simulate;
