//! What is read from Kafka: the group member of a worker, batches of records, positions,
//! the changelog, feedback, and one-shot readers.

mod batch;
mod changelog;
mod consumer;
mod error;
mod feedback;
mod probe;
mod reader;
mod start;

pub use batch::{Batch, BatchQueue, MAX_BATCH, Message, Polled, c_name};
pub use changelog::{ChangelogReader, progress};
pub use consumer::{Change, Member, Membership};
pub use error::SourceError;
pub use feedback::{FeedbackReader, Said};
pub use probe::{Probe, ProbeFault, Standing};
pub use reader::{Begin, Reader};
pub use start::{Known, Resolution};
