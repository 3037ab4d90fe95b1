//! What the lanes of a sink hand out and take back: jobs, tickets, and what an attempt's end led to.

use std::sync::Arc;

use super::verdict::Reason;
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// How much a sink carries at once.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Attempts under way at its endpoint.
    pub in_flight: usize,
    /// Records of one partition that are in memory; the partition is paused above it, and resumed at half of it.
    pub tracked: usize,
}

/// Where a record lies, and under which assignment it was read: a result from an earlier assignment is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// Of the alert topic.
    pub partition: Partition,
    /// Of the record.
    pub offset: Offset,
    pub(super) epoch: u64,
}

/// What is to be done now.
#[derive(Debug)]
pub enum Job<R> {
    /// Send it, then call [`Lanes::finish`](super::lanes::Lanes::finish).
    Attempt {
        /// To be handed back.
        ticket: Ticket,
        /// What to send.
        record: Arc<R>,
        /// From 1.
        number: u32,
        /// The other side refused the whole message before: send as little as possible.
        minimal: bool,
    },
    /// Write it to the dead-letter topic, then call [`Lanes::buried`](super::lanes::Lanes::buried).
    GiveUp(GivenUp<R>),
}

/// A delivery that is given up.
#[derive(Debug)]
pub struct GivenUp<R> {
    /// To be handed back.
    pub ticket: Ticket,
    /// What was not delivered.
    pub record: Arc<R>,
    /// Why.
    pub reason: Reason,
    /// Of the last failure; empty if nothing was tried.
    pub detail: String,
    /// Attempts made.
    pub attempts: u32,
    /// When the first of them failed.
    pub first_failed: Option<Timestamp>,
    /// The last HTTP status.
    pub last_status: Option<u16>,
}

/// What an attempt's end led to.
#[derive(Debug)]
pub enum Finished<R> {
    /// Done.
    Delivered,
    /// Tried again at that time.
    Retry(Timestamp),
    /// To be written to the dead-letter topic, then [`Lanes::buried`](super::lanes::Lanes::buried).
    GiveUp(GivenUp<R>),
    /// The sink is shut; the alert stays at the head of its lane. True if it was open before.
    Shut(bool),
    /// The partition has another owner by now.
    Stale,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Behind another alert of its lead.
    Queued,
    /// In `ready`.
    Ready,
    /// In `due`.
    Waiting,
    /// Being sent.
    InFlight,
    /// Being written to the dead-letter topic.
    Burying,
}

/// A record in memory, and what happened to it so far.
#[derive(Debug)]
pub(super) struct Item<R> {
    pub(super) record: Arc<R>,
    pub(super) lane: Arc<[u8]>,
    pub(super) time: Timestamp,
    pub(super) state: State,
    pub(super) attempts: u32,
    pub(super) refusals: u32,
    pub(super) first_failed: Option<Timestamp>,
    pub(super) last_status: Option<u16>,
    pub(super) detail: String,
}

impl<R> Item<R> {
    /// A record that was just taken in.
    pub(super) fn new(record: R, lane: Arc<[u8]>, time: Timestamp, state: State) -> Self {
        Self {
            record: Arc::new(record),
            lane,
            time,
            state,
            attempts: 0,
            refusals: 0,
            first_failed: None,
            last_status: None,
            detail: String::new(),
        }
    }

    /// Ends it, but for the dead letter.
    pub(super) fn give_up(&mut self, ticket: Ticket, reason: Reason) -> GivenUp<R> {
        self.state = State::Burying;
        GivenUp {
            ticket,
            record: self.record.clone(),
            reason,
            detail: std::mem::take(&mut self.detail),
            attempts: self.attempts,
            first_failed: self.first_failed,
            last_status: self.last_status,
        }
    }
}
