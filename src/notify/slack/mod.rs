//! Slack by incoming webhook: the card that people see, and what Slack's answers mean.

mod card;
mod limits;
mod reply;
mod text;

pub use card::{card, minimal};
pub use limits::{Use, limits};
pub use reply::judge;
pub use text::clean;
