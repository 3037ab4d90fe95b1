//! What an engine does between steps: commits, undoes, takes stored leads in, forgets.

use super::super::limits::LATEST;
use super::super::names::{Names, Translation};
use super::super::snapshot::{self, Form};
use super::super::time::{Day, Timestamp};
use super::{Engine, Scratch};

/// Bytes that are no lead's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Engine {
    /// Leads that have changed since the last [`Self::stage`].
    pub fn changed(&self) -> usize {
        self.leads.changed()
    }

    /// Forgets leads if there are more than `most`, those silent for longest first; answers with their number.
    pub fn keep_at_most(&mut self, most: usize) -> usize {
        self.leads.keep_at_most(most)
    }

    /// What is committed or taken in from now on was heard of on that day. Without it no lead is ever silent.
    pub fn set_day(&mut self, day: Day) {
        self.leads.today = day;
    }

    /// Looks at the next few leads, and forgets those that will start anew whatever comes: that they were heard of last,
    /// by their own clock and by ours, is longer ago than `forget_after`, `grace` and the latest that an event may be,
    /// counted back from the moment up to which all events were read. Answers with their number.
    pub fn forget_silent(&mut self, all_read_at: Timestamp) -> usize {
        let spec = self.rules.spec();
        self.leads.forget_silent(all_read_at - spec.forget_after - spec.grace - LATEST)
    }

    /// Whether a commit has anything to write down.
    pub fn has_changes(&self) -> bool {
        self.leads.has_changes()
    }

    /// Gathers what has changed since the last call, for the next [`Self::commit`].
    pub fn stage(&mut self) {
        self.leads.stage();
    }

    /// The key and the state, in [`Form::Compact`], of each lead that the next [`Self::commit`] makes permanent; no state at
    /// all for one that is forgotten. The numbers in it mean what [`Self::names`] says.
    pub fn each_record(&mut self, each: impl FnMut(&[u8], &[u8])) {
        let Scratch { compact, lead, state, .. } = &mut self.scratch;
        self.leads.each_record((compact, lead, state), each);
    }

    /// What the numbers in the leads' states mean.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// From the numbers of stored states to ours; `from` is what [`Self::names`] was when they were stored.
    pub fn translation(&self, from: Names) -> Translation {
        Translation::new(from, &self.names, &self.rules)
    }

    /// Drops a lead that was taken in as it was stored. Only for an engine that has not begun.
    pub fn forget(&mut self, lead: &str) {
        self.leads.put(lead, &[]);
    }

    /// Takes in a lead as it was stored. Only for an engine that has not begun.
    ///
    /// # Errors
    /// [`Unreadable`]: these bytes are no lead's state. The engine is as before.
    pub fn restore(
        &mut self,
        lead: &str,
        (form, state): (Form, &[u8]),
        from: &mut Translation,
    ) -> Result<(), Unreadable> {
        // Only what can be read and has numbers that mean something is let in.
        let Scratch { lead: read, state: bytes, compact, .. } = &mut self.scratch;
        snapshot::admit(lead, (form, state), from.labels(), compact, read).map_err(|_| Unreadable)?;
        if from.apply(read, &mut self.names).map_err(|_| Unreadable)? || form == Form::Compact {
            bytes.clear();
            snapshot::write(read, &self.names.labels, bytes);
            self.leads.put(lead, bytes);
        } else {
            self.leads.put(lead, state);
        }
        Ok(())
    }

    /// Makes what is staged permanent: an abort after this does not undo it.
    pub fn commit(&mut self) {
        self.leads.commit();
    }

    /// Puts every lead back to where it was at the last [`Self::commit`].
    pub fn roll_back(&mut self) {
        self.leads.roll_back();
    }
}
