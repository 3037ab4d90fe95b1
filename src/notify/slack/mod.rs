//! Slack by incoming webhook and by a bot: the card that people see, what Slack's answers mean, and what a bot does next.

pub mod api;
pub mod board;
mod call;
mod card;
mod digest;
mod error;
mod fold;
pub mod gallery;
mod limits;
mod mark;
pub mod pace;
pub mod reconcile;
mod reply;
mod text;
#[cfg(test)]
mod world;

pub use board::Board;
pub use call::{Caller, bot_message};
pub use card::{Face, card, minimal};
pub use fold::Folding;
pub use limits::{Use, limits};
pub use mark::instead_of;
pub use pace::Pace;
pub use reply::judge;
pub use text::clean;
