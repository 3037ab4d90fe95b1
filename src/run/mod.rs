//! What ties the parts together: the live worker, the demo and its simulator.

pub mod simulate;
