//! What is written to Kafka: commit rounds, in a transaction or plainly, the topics they go to, and
//! what commands write.

mod changelog;
pub mod feedback;
pub mod ledger;
mod ops;
mod outbox;
mod outgoing;
pub mod placement;
pub mod redrive;
pub mod relocation;
mod topics;
mod verdict;

pub use changelog::Changelog;
pub use ops::Ops;
pub use outbox::{Delivery, Outbox, PublishError};
pub use outgoing::{Outgoing, Target};
pub use placement::partition_of;
pub use topics::{Missing, TopicFault, TopicSpec, create, instructions, made_anew, retention};
