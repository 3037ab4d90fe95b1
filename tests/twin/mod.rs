//! The naive twin: a slow second reading of the rules, to which the engine is compared.
//!
//! It is written from the pages that define the rules and shares no line and no type with the
//! library. It keeps every event of a lead for ever and computes everything anew at each
//! evaluation, with the most obvious code: a window tries every instant, a score adds up every
//! contribution, the remembered ids are looked up in the whole history. Being slow is what makes
//! it easy to believe.

pub mod condition;
pub mod event;
pub mod evidence;
pub mod generate;
pub mod history;
pub mod ids;
pub mod latch;
pub mod matcher;
pub mod rules;
pub mod run;
pub mod score;
mod tables;
pub mod time;

pub use rules::Rules;
pub use run::{Alert, run};
